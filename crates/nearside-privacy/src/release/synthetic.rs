//! Made up rows: a table that has about the same counts of single columns and of some pairs of them.
//!
//! Noisy counts of every column are taken first, then a tree of pairs is chosen ([`super::tree`]) or was given, then
//! noisy counts of those pairs are taken; [`Costs`] has their shares. Everything after that is made of those numbers
//! alone and costs nothing:
//!
//! - Counts are made to be 0 or more and to add up to one number of rows: all are lowered by as much, and what falls
//!   below 0 is 0 (Wang et al., "Locally differentially private frequency estimation with consistency", NDSS 2020).
//! - Tables of pairs are made to agree with their columns by iterative proportional fitting (Deming, Stephan 1940).
//! - Rows get a label of the first column of each tree, then of its neighbours given that, and so on. How many rows get
//!   which label is what is expected, rounded up or down (systematic sampling); which of them, is drawn.

use super::amount::Amount;
use super::answer::{self, Synthetic};
use super::noise::Noise;
use super::query::most_made;
use super::random::Source;
use super::{Categorical, Decimal, Pairs, Privacy, ReleaseError, tree};

/// How often tables of pairs are fitted to their columns.
const FITS: u32 = 30;

/// What the steps spend.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    /// The noise of counts of every column.
    pub(super) ones: Noise,
    /// That of counts of every pair.
    pub(super) twos: Option<Noise>,
    /// Epsilon of each choice of a pair.
    choice: Amount,
    contributions: u64,
}

impl Costs {
    /// Shares what may be spent among so many columns and pairs; of pairs that are chosen, one fewer than columns is
    /// taken.
    pub(super) fn new(
        privacy: Privacy,
        contributions: u128,
        (columns, pairs): (usize, usize),
        chosen: bool,
    ) -> Result<Self, ReleaseError> {
        let unit = Decimal { digits: 1, places: 0 };
        let noise = |parts| Noise::new(privacy.part(parts)?, contributions, unit);
        let taken = if chosen { columns.saturating_sub(1) } else { pairs };
        let shares = match (taken, chosen) {
            (0, _) => 1,
            (_, true) => 3,
            (_, false) => 2,
        };
        Ok(Self {
            ones: noise(shares * columns)?,
            twos: if taken > 0 { Some(noise(shares * taken)?) } else { None },
            choice: privacy.part(shares * taken.max(1))?.of_choice(),
            contributions: u64::try_from(contributions).unwrap_or(u64::MAX),
        })
    }
}

/// Makes rows of exact counts of columns and of pairs.
pub(super) fn make(
    (columns, pairs, rows): (&[Categorical], &Pairs, Option<u64>),
    costs: &Costs,
    (ones, twos): (&[Vec<u64>], &[Vec<u64>]),
    source: &mut Source,
) -> Result<Synthetic, ReleaseError> {
    let noisy = ones.iter().map(|counts| costs.ones.add_to_all(counts, source));
    let noisy: Vec<Vec<i128>> = noisy.collect::<Result<_, _>>()?;
    let totals = noisy.iter().map(|counts| counts.iter().sum::<i128>() as f64);
    let all = (totals.sum::<f64>() / columns.len().max(1) as f64).max(1.0);
    let ones: Vec<Vec<f64>> = noisy.iter().map(|counts| within(counts, all)).collect();
    let counted = pairs.counted(columns.len());
    let taken = match pairs {
        Pairs::Given(given) => (0..given.len()).collect(),
        Pairs::Chosen => tree::choose(&ones, twos, (costs.contributions, costs.choice), source)?,
    };
    let mut links = Vec::new();
    for place in taken {
        let (Some(pair), Some(counts), Some(noise)) =
            (counted.get(place), twos.get(place), costs.twos)
        else {
            continue;
        };
        let mut counts = within(&noise.add_to_all(counts, source)?, all);
        if let (Some(one), Some(other)) = (ones.get(pair.0), ones.get(pair.1)) {
            fit(&mut counts, one, other);
        }
        links.push(Link { pair: *pair, counts });
    }
    let rows = rows.unwrap_or(all.round() as u64).min(most_made(columns.len())) as usize;
    let codes = Model { ones: &ones, links: &links, rows }.draw(source)?;
    Ok(Synthetic {
        columns: answer::told(columns),
        codes,
        pairs: links.iter().map(|link| link.pair).collect(),
        ones: costs.ones,
        twos: costs.twos,
    })
}

/// Counts that are 0 or more and add up to `all`: each lowered by as much, those below 0 left at it.
fn within(counts: &[i128], all: f64) -> Vec<f64> {
    let counts: Vec<f64> = counts.iter().map(|count| *count as f64).collect();
    let mut sorted = counts.clone();
    sorted.sort_by(|one, other| other.total_cmp(one));
    let (mut sum, mut lower) = (0.0, 0.0);
    for (number, count) in (1_u32..).zip(&sorted) {
        sum += count;
        let by = (sum - all) / f64::from(number);
        if *count - by <= 0.0 {
            break;
        }
        lower = by;
    }
    counts.iter().map(|count| f64::max(count - lower, 0.0)).collect()
}

/// Fits the table of a pair to counts of its columns.
fn fit(counts: &mut [f64], one: &[f64], other: &[f64]) {
    let width = other.len().max(1);
    for _ in 0..FITS {
        for (row, goal) in counts.chunks_mut(width).zip(one) {
            let factor = factor(*goal, row.iter().sum());
            row.iter_mut().for_each(|count| *count *= factor);
        }
        let mut sums = vec![0.0; width];
        for row in counts.chunks(width) {
            sums.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
        }
        let factors: Vec<f64> =
            other.iter().zip(&sums).map(|(goal, sum)| factor(*goal, *sum)).collect();
        for row in counts.chunks_mut(width) {
            row.iter_mut().zip(&factors).for_each(|(count, factor)| *count *= factor);
        }
    }
}

/// What makes a sum a goal; nothing can where it is 0.
fn factor(goal: f64, sum: f64) -> f64 {
    if sum > 0.0 { goal / sum } else { 1.0 }
}

/// A pair of columns and its table, the second column's labels next to each other.
struct Link {
    pair: (usize, usize),
    counts: Vec<f64>,
}

/// Counts that agree with each other.
struct Model<'m> {
    ones: &'m [Vec<f64>],
    links: &'m [Link],
    rows: usize,
}

impl Model<'_> {
    /// Draws rows, column by column from the first of each tree on.
    fn draw(&self, source: &mut Source) -> Result<Vec<Vec<u32>>, ReleaseError> {
        let mut drawn: Vec<Option<Vec<u32>>> = vec![None; self.ones.len()];
        for (first, weights) in self.ones.iter().enumerate() {
            if drawn.get(first).is_none_or(Option::is_some) {
                continue;
            }
            let mut codes = vec![0; self.rows];
            hand_out(&mut codes, (0..self.rows).collect(), weights, source)?;
            put(&mut drawn, first, codes);
            let mut from = vec![first];
            while let Some(column) = from.pop() {
                for link in self.links {
                    let (one, other) = link.pair;
                    let to = if one == column { other } else { one };
                    let leads = one == column || other == column;
                    if !leads || drawn.get(to).is_none_or(Option::is_some) {
                        continue;
                    }
                    let known = drawn.get(column).and_then(Option::as_deref).unwrap_or(&[]);
                    let codes = self.follow(link, column, known, source)?;
                    put(&mut drawn, to, codes);
                    from.push(to);
                }
            }
        }
        Ok(drawn.into_iter().flatten().collect())
    }

    /// The labels of a column, given those of the column that it is linked to.
    fn follow(
        &self,
        link: &Link,
        column: usize,
        known: &[u32],
        source: &mut Source,
    ) -> Result<Vec<u32>, ReleaseError> {
        let (one, other) = link.pair;
        let to = if one == column { other } else { one };
        let size = |column: usize| self.ones.get(column).map_or(0, Vec::len);
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); size(column)];
        for (row, code) in known.iter().enumerate() {
            groups.get_mut(*code as usize).into_iter().for_each(|group| group.push(row));
        }
        let mut codes = vec![0; self.rows];
        let width = size(other);
        for (code, group) in groups.into_iter().enumerate() {
            let cell = |next: usize| {
                let (row, at) = if one == column { (code, next) } else { (next, code) };
                link.counts.get(row * width + at).copied().unwrap_or(0.0)
            };
            let mut weights: Vec<f64> = (0..size(to)).map(cell).collect();
            if weights.iter().sum::<f64>() <= 0.0 {
                weights = self.ones.get(to).cloned().unwrap_or_default();
            }
            hand_out(&mut codes, group, &weights, source)?;
        }
        Ok(codes)
    }
}

fn put(drawn: &mut [Option<Vec<u32>>], column: usize, codes: Vec<u32>) {
    if let Some(place) = drawn.get_mut(column) {
        *place = Some(codes);
    }
}

/// Hands labels out to rows: as many of each as is expected by its weight, rounded up or down, to rows that are drawn.
fn hand_out(
    codes: &mut [u32],
    mut rows: Vec<usize>,
    weights: &[f64],
    source: &mut Source,
) -> Result<(), ReleaseError> {
    for last in (1..rows.len()).rev() {
        rows.swap(last, source.place(last + 1)?);
    }
    let begin = source.up_to((1 << 53) - 1)? as f64 / (1_u64 << 53) as f64;
    let sum: f64 = weights.iter().sum();
    let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
    let (mut passed, mut given) = (0.0, 0);
    for (code, weight) in (0_u32..).zip(weights) {
        passed += weight;
        let here = (rows.len() as f64 * passed / sum + begin).floor() as usize;
        let to = if code as usize == last { rows.len() } else { here.min(rows.len()) };
        for row in rows.get(given..to).unwrap_or(&[]) {
            codes.get_mut(*row).into_iter().for_each(|place| *place = code);
        }
        given = given.max(to);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_made_to_add_up() {
        let near = |one: &[f64], other: &[f64]| {
            one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-9)
        };
        assert!(near(&within(&[5, -3, 10], 12.0), &[3.5, 0.0, 8.5]));
        assert!(near(&within(&[0, 0], 12.0), &[6.0, 6.0]));
        assert!(near(&within(&[-9, 2], 1.0), &[0.0, 1.0]));
        let mut counts = vec![3.0, 1.0, 2.0, 2.0];
        fit(&mut counts, &[6.0, 4.0], &[5.0, 5.0]);
        assert!(
            (counts[0] + counts[1] - 6.0).abs() < 1e-6
                && (counts[0] + counts[2] - 5.0).abs() < 1e-6
        );
    }

    #[test]
    fn labels_are_handed_out_as_expected() {
        let mut source = Source::seeded(5);
        let mut codes = vec![9; 1000];
        hand_out(&mut codes, (0..1000).collect(), &[1.0, 0.0, 2.0005, 0.0], &mut source).unwrap();
        let of = |code| codes.iter().filter(|it| **it == code).count();
        assert_eq!((of(1), of(3)), (0, 0));
        assert!((333..=334).contains(&of(0)), "{}", of(0));
        assert_eq!(of(0) + of(2), 1000);
    }
}
