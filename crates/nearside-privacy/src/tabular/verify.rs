//! What a table keeps, told from the table alone. It shares no code with what made it.

use std::collections::BTreeMap;
use std::io::Read;

use super::TabularError;
use super::requirement::{Diversity, Requirement};
use super::tuples::Dialect;

/// What a table keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Its rows.
    pub rows: u64,
    /// Classes of rows whose quasi-identifiers are equal.
    pub classes: u64,
    /// The rows of the smallest class; 0 where there is none.
    pub k: u64,
    /// What its sensitive column keeps, where one was named.
    pub sensitive: Option<Kept>,
    /// The sum of the squares of the classes' sizes.
    pub squares: u128,
}

/// What a sensitive column keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The fewest different values of a class.
    pub distinct: u64,
    /// The least exponential of the entropy of a class's values.
    pub entropy: f64,
    /// The largest distance of a class's distribution from the table's, from 0 to 1: the earth mover's,
    /// with ordered distances where all values are numbers, else with equal ones.
    pub distance: f64,
    /// Counts of each class's values, most frequent first, each sort of class once.
    counts: Vec<Vec<u64>>,
}

/// Reads a table with a row of heads and tells what it keeps.
///
/// # Errors
/// When it cannot be read or a column is missing.
pub fn verify(
    text: impl Read,
    dialect: Dialect,
    quasi: &[String],
    sensitive: Option<&str>,
) -> Result<Verified, TabularError> {
    let mut reader = dialect.reader(text);
    let heads: Vec<String> = reader.headers()?.iter().map(|head| head.trim().to_owned()).collect();
    let place = |name: &str| {
        heads.iter().position(|head| head == name).ok_or_else(|| TabularError::NoColumn {
            name: name.to_owned(),
            there: heads.join(", "),
        })
    };
    let at = quasi.iter().map(|name| place(name)).collect::<Result<Vec<_>, _>>()?;
    let sensitive = sensitive.map(place).transpose()?;
    let mut classes: BTreeMap<Vec<String>, BTreeMap<String, u64>> = BTreeMap::new();
    let mut table: BTreeMap<String, u64> = BTreeMap::new();
    for record in reader.records() {
        let record = record?;
        let cell = |at: usize| record.get(at).unwrap_or("").trim().to_owned();
        let value = sensitive.map(cell).unwrap_or_default();
        *table.entry(value.clone()).or_default() += 1;
        let class = at.iter().map(|at| cell(*at)).collect();
        *classes.entry(class).or_default().entry(value).or_default() += 1;
    }
    let sizes = || classes.values().map(|class| class.values().sum::<u64>());
    Ok(Verified {
        rows: sizes().sum(),
        classes: classes.len() as u64,
        k: sizes().min().unwrap_or(0),
        sensitive: sensitive.map(|_| kept(&classes, &table)),
        squares: sizes().map(|size| u128::from(size).pow(2)).sum(),
    })
}

fn kept(
    classes: &BTreeMap<Vec<String>, BTreeMap<String, u64>>,
    table: &BTreeMap<String, u64>,
) -> Kept {
    let rows: u64 = table.values().sum();
    let number = |value: &str| value.parse::<f64>().ok().filter(|number| number.is_finite());
    let numbers = table.keys().all(|value| number(value).is_some());
    let mut ordered: Vec<(&String, &u64)> = table.iter().collect();
    if numbers {
        let key = |value: &str| number(value).unwrap_or(0.0);
        ordered.sort_by(|one, other| key(one.0).total_cmp(&key(other.0)));
    }
    let mut kept =
        Kept { distinct: u64::MAX, entropy: f64::INFINITY, distance: 0.0, counts: Vec::new() };
    for class in classes.values() {
        let size: u64 = class.values().sum();
        let of = |count: u64, all: u64| count as f64 / all as f64;
        let entropy: f64 =
            class.values().map(|count| of(*count, size)).map(|part| -part * part.ln()).sum();
        let mut moved = 0.0;
        let (mut away, mut past) = (0.0, 0.0);
        for (value, all) in &ordered {
            let apart = of(class.get(*value).copied().unwrap_or(0), size) - of(**all, rows);
            moved += apart;
            past += f64::abs(moved);
            away += apart.abs();
        }
        let away = match numbers {
            true if ordered.len() > 1 => 2.0 * past / (ordered.len() - 1) as f64,
            _ => away,
        };
        kept.distinct = kept.distinct.min(class.len() as u64);
        kept.entropy = kept.entropy.min(entropy.exp());
        kept.distance = kept.distance.max(away / 2.0);
        let mut counts: Vec<u64> = class.values().copied().collect();
        counts.sort_unstable();
        counts.reverse();
        kept.counts.push(counts);
    }
    kept.counts.sort_unstable();
    kept.counts.dedup();
    if classes.is_empty() {
        (kept.distinct, kept.entropy) = (0, 0.0);
    }
    kept
}

impl Verified {
    /// Whether it keeps a requirement; a table without rows keeps every one.
    #[must_use]
    pub fn keeps(&self, requirement: &Requirement) -> bool {
        let Requirement { k, diversity, closeness } = *requirement;
        let values = |keeps: &dyn Fn(&Kept) -> bool| self.sensitive.as_ref().is_some_and(keeps);
        let diverse = match diversity {
            None => true,
            Some(Diversity::Distinct(l)) => values(&|kept| kept.distinct >= l),
            Some(Diversity::Entropy(l)) => values(&|kept| kept.entropy >= l - 1e-9),
            Some(Diversity::Recursive { c, l }) => values(&|kept| {
                kept.counts.iter().all(|counts| {
                    let rest: u64 = counts.iter().skip(l as usize - 1).sum();
                    counts.first().is_some_and(|first| (*first as f64) < c * rest as f64)
                })
            }),
        };
        let close = closeness.is_none_or(|t| values(&|kept| kept.distance <= t + 1e-9));
        self.rows == 0 || (self.k >= k && diverse && close)
    }
}
