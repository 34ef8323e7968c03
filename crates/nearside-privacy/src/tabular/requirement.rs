//! What every class of equal rows must keep.

use std::fmt;

/// How diverse the sensitive values of a class are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Diversity {
    /// At least so many different ones (Machanavajjhala et al. 2007).
    Distinct(u64),
    /// Their entropy is at least the logarithm of this.
    Entropy(f64),
    /// The most frequent one has fewer than `c` times the rows of the `l`-th most frequent and all rarer
    /// ones together.
    Recursive {
        /// The factor.
        c: f64,
        /// From which rank on values are taken together.
        l: u64,
    },
}

/// What every class of equal rows must keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requirement {
    /// It has at least so many rows; of a population, where there is one, so many people.
    pub k: u64,
    /// Its sensitive values are so diverse.
    pub diversity: Option<Diversity>,
    /// They are distributed as those of the whole table are, up to this distance from 0 to 1: the earth
    /// mover's (Li et al. 2007), with ordered distances where all values are numbers, else with equal ones.
    pub closeness: Option<f64>,
}

impl Requirement {
    /// Whether more has to be known of a class than its size.
    #[must_use]
    pub const fn is_about_values(&self) -> bool {
        self.diversity.is_some() || self.closeness.is_some()
    }

    /// Whether what keeps it goes on to do so when any other class joins it.
    #[must_use]
    pub const fn is_kept_by_joining(&self) -> bool {
        self.closeness.is_none() && matches!(self.diversity, None | Some(Diversity::Distinct(_)))
    }

    /// Whether a class keeps it; `crowd` are the rows or people that it hides among, `values` how many of its
    /// rows have each sensitive value, `all` how many rows of the table have it, `order` the values from the
    /// least on where they are numbers.
    pub(super) fn is_kept(
        &self,
        crowd: u64,
        values: &[u64],
        all: &[u64],
        order: Option<&[usize]>,
    ) -> bool {
        crowd >= self.k
            && self.diversity.is_none_or(|diversity| diversity.is_kept(values))
            && self.closeness.is_none_or(|most| distance(values, all, order) <= most + 1e-12)
    }
}

impl Diversity {
    fn is_kept(self, values: &[u64]) -> bool {
        match self {
            Self::Distinct(least) => {
                values.iter().filter(|count| **count > 0).count() as u64 >= least
            }
            Self::Entropy(least) => {
                let size = values.iter().sum::<u64>() as f64;
                let part = |count: &u64| *count as f64 / size;
                let parts = values.iter().filter(|count| **count > 0).map(part);
                let entropy: f64 = parts.map(|part| -part * part.ln()).sum();
                entropy >= least.ln() - 1e-12
            }
            Self::Recursive { c, l } => {
                let mut counts: Vec<u64> = values.to_vec();
                counts.sort_unstable_by(|one, other| other.cmp(one));
                let rarer = counts.iter().skip(usize::try_from(l).unwrap_or(usize::MAX).max(1) - 1);
                let rarer: u64 = rarer.sum();
                counts.first().is_some_and(|most| (*most as f64) < c * rarer as f64)
            }
        }
    }
}

/// How far two distributions are apart: half of the sum of their differences, or, for values in an order, the
/// mean of what has to be moved past each of them but the last. Values that no row has are none.
fn distance(values: &[u64], all: &[u64], order: Option<&[usize]>) -> f64 {
    let (size, rows) = (values.iter().sum::<u64>() as f64, all.iter().sum::<u64>() as f64);
    let apart = |value: u64, all: u64| value as f64 / size - all as f64 / rows;
    let Some(order) = order else {
        let apart = values.iter().zip(all).map(|(value, all)| apart(*value, *all).abs());
        return apart.sum::<f64>() / 2.0;
    };
    let there = order.iter().filter_map(|at| Some((*values.get(*at)?, *all.get(*at)?)));
    let there = there.filter(|(_, all)| *all > 0);
    let (mut carried, mut moved, mut count) = (0.0, 0.0, 0_u32);
    for (value, all) in there {
        carried += apart(value, all);
        moved += f64::abs(carried);
        count += 1;
    }
    moved / f64::from(count.saturating_sub(1).max(1))
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "k = {}", self.k)?;
        match self.diversity {
            Some(Diversity::Distinct(l)) => write!(formatter, ", l = {l}")?,
            Some(Diversity::Entropy(l)) => write!(formatter, ", entropy l = {l}")?,
            Some(Diversity::Recursive { c, l }) => write!(formatter, ", recursive ({c}, {l})")?,
            None => {}
        }
        match self.closeness {
            Some(t) => write!(formatter, ", t = {t}"),
            None => Ok(()),
        }
    }
}
