//! What a model still learns of a table: the area under the ROC curve of a logistic regression.
//!
//! Two models foretell the target from the quasi-identifiers: one is trained on rows as they were, one on the same
//! rows as they are told. Both are tested on the same three tenths of the rows, as they were: that is what a model
//! meets when it is used. A cell is as many features as its column has groups of values ([`Buckets`]); a label counts
//! in each by the part of its values there.

use std::collections::BTreeMap;

use super::TabularError;
use super::buckets::Buckets;
use super::chance::Chance;
use super::taxonomy::{Span, Taxonomy};
use super::told::Told;
use super::tuples::{Attribute, Tuples};
use super::utility::rows_by_rank;

/// The most groups of a column's values.
const MOST_BUCKETS: usize = 16;
/// The most values of a target.
const MOST_VALUES: usize = 32;
/// The part of the rows that models are tested on.
const TESTED: f64 = 0.3;
/// How much large weights cost.
const RIDGE: f64 = 1.0;
/// Steps of Newton's method.
const MOST_STEPS: usize = 25;

/// The areas under two ROC curves, each from 0 to 1; one half is chance. Where the target has more than two values,
/// the mean over all of them by their rows, each against the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    /// Of the model that was trained on rows as they were.
    pub original: f64,
    /// Of the model that was trained on rows as they are told.
    pub anonymized: f64,
}

/// Trains and tests both models; nothing where there is no target.
///
/// # Errors
/// When the target has but one value, or too many.
pub fn auc(
    tuples: &Tuples,
    taxonomies: &[Taxonomy],
    told: &Told,
) -> Result<Option<Auc>, TabularError> {
    let Some(target) = &tuples.target else { return Ok(None) };
    let values = target.dictionary.values().len();
    if !(2..=MOST_VALUES).contains(&values) {
        let column = target.name.clone();
        return Err(TabularError::Target { column, values, most: MOST_VALUES });
    }
    let rows = Split::of(tuples);
    let features = Features::of(tuples, taxonomies);
    let exact = |column: usize, tuple: usize| features.exact(column, tuple);
    let labels = |column: usize, tuple: usize| told.label(column, tuple).map(|label| label.span);
    let train = |span: &dyn Fn(usize, usize) -> Option<Span>, kept: &dyn Fn(usize) -> bool| {
        let mut cases = Cases::default();
        for (tuple, rows) in rows.trained.iter().enumerate().filter(|(tuple, _)| kept(*tuple)) {
            cases.add(features.row(tuple, span), target.code(tuple), *rows);
        }
        cases
    };
    let mut tested = Cases::default();
    for (tuple, rows) in rows.tested.iter().enumerate() {
        tested.add(features.row(tuple, &exact), target.code(tuple), *rows);
    }
    let original = train(&exact, &|_| true);
    let anonymized = train(&labels, &|tuple| told.is_kept(tuple));
    let of = |cases: &Cases| {
        let mut sum = (0.0, 0.0);
        // Of two values one is what the other is not: their areas are the same.
        let several = if values == 2 { 1 } else { values as u32 };
        for value in 0..several {
            let rows = tested.rows(value);
            let weights = cases.fit(value, features.width);
            if let Some(area) = tested.area(value, &weights) {
                sum = (sum.0 + area * rows, sum.1 + rows);
            }
        }
        if sum.1 > 0.0 { sum.0 / sum.1 } else { 0.5 }
    };
    Ok(Some(Auc { original: of(&original), anonymized: of(&anonymized) }))
}

impl Attribute {
    fn code(&self, tuple: usize) -> u32 {
        self.codes.get(tuple).copied().unwrap_or(0)
    }
}

/// Which rows of each combination models are trained and tested on.
struct Split {
    trained: Vec<f64>,
    tested: Vec<f64>,
}

impl Split {
    fn of(tuples: &Tuples) -> Self {
        let mut chance = Chance::default();
        let tested = tuples.counts.iter().map(|rows| {
            let rows = *rows as f64;
            (rows * TESTED + chance.part()).floor().min(rows)
        });
        let tested: Vec<f64> = tested.collect();
        let rest = tuples.counts.iter().zip(&tested).map(|(rows, tested)| *rows as f64 - tested);
        Self { trained: rest.collect(), tested }
    }
}

/// What cells are as features.
struct Features {
    buckets: Vec<Buckets>,
    /// Where the features of each column begin; the first of all is always 1.
    starts: Vec<usize>,
    width: usize,
    ranks: Vec<Vec<u32>>,
}

/// A row as features that are not 0.
type Row = Vec<(usize, f64)>;

impl Features {
    fn of(tuples: &Tuples, taxonomies: &[Taxonomy]) -> Self {
        let mut features =
            Self { buckets: Vec::new(), starts: Vec::new(), width: 1, ranks: Vec::new() };
        for (codes, taxonomy) in tuples.columns.iter().zip(taxonomies) {
            let ranks: Vec<u32> = codes.iter().map(|code| taxonomy.rank(*code)).collect();
            let rows = rows_by_rank(&ranks, &tuples.counts, taxonomy.len());
            let buckets = Buckets::of(&rows, MOST_BUCKETS);
            features.starts.push(features.width);
            features.width += buckets.spans().len();
            features.buckets.push(buckets);
            features.ranks.push(ranks);
        }
        features
    }

    fn exact(&self, column: usize, tuple: usize) -> Option<Span> {
        let rank = *self.ranks.get(column)?.get(tuple)?;
        Some(Span { first: rank, last: rank })
    }

    fn row(&self, tuple: usize, span: &dyn Fn(usize, usize) -> Option<Span>) -> Row {
        let columns = self.buckets.iter().zip(&self.starts).enumerate();
        let cells = columns
            .filter_map(|(column, (buckets, start))| Some((span(column, tuple)?, buckets, *start)));
        let cells = cells.flat_map(|(span, buckets, start)| {
            let parts: Row = buckets.parts(span).map(|(at, part)| (start + at, part)).collect();
            parts
        });
        std::iter::once((0, 1.0)).chain(cells).collect()
    }
}

/// Rows as features, each once, with how many have each value of the target.
#[derive(Default)]
struct Cases {
    rows: Vec<(Row, BTreeMap<u32, f64>)>,
    numbers: BTreeMap<Vec<(usize, u64)>, usize>,
}

impl Cases {
    fn add(&mut self, row: Row, value: u32, rows: f64) {
        if rows <= 0.0 {
            return;
        }
        let key = row.iter().map(|(at, part)| (*at, part.to_bits())).collect();
        let number = *self.numbers.entry(key).or_insert(self.rows.len());
        if number == self.rows.len() {
            self.rows.push((row, BTreeMap::new()));
        }
        if let Some((_, values)) = self.rows.get_mut(number) {
            *values.entry(value).or_default() += rows;
        }
    }

    /// How many rows have a value.
    fn rows(&self, value: u32) -> f64 {
        self.rows.iter().filter_map(|(_, values)| values.get(&value)).sum()
    }

    /// The weights of a logistic regression, one value of the target against all others, by Newton's method.
    fn fit(&self, value: u32, width: usize) -> Vec<f64> {
        let mut weights = vec![0.0; width];
        for _ in 0..MOST_STEPS {
            let mut slope: Vec<f64> = weights.iter().map(|weight| -RIDGE * weight).collect();
            let mut curve = vec![vec![0.0; width]; width];
            for (at, row) in curve.iter_mut().enumerate() {
                row.get_mut(at).into_iter().for_each(|it| *it = RIDGE);
            }
            for (row, values) in &self.rows {
                let all: f64 = values.values().sum();
                let so = values.get(&value).copied().unwrap_or(0.0);
                let chance = 1.0 / (1.0 + (-score(row, &weights)).exp());
                let bend = all * chance * (1.0 - chance);
                for (at, part) in row {
                    slope.get_mut(*at).into_iter().for_each(|it| *it += (so - all * chance) * part);
                    let Some(line) = curve.get_mut(*at) else { continue };
                    for (other, their) in row.iter().take_while(|(other, _)| other <= at) {
                        let there = line.get_mut(*other);
                        there.into_iter().for_each(|it| *it += bend * part * their);
                    }
                }
            }
            let step = solve(curve, slope);
            weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += step);
            if step.iter().all(|step| step.abs() < 1e-6) {
                break;
            }
        }
        weights
    }

    /// The area under the ROC curve of scores for a value of the target, nothing where all rows have it or none has.
    fn area(&self, value: u32, weights: &[f64]) -> Option<f64> {
        let mut scored: Vec<(f64, f64, f64)> = self
            .rows
            .iter()
            .map(|(row, values)| {
                let so = values.get(&value).copied().unwrap_or(0.0);
                (score(row, weights), so, values.values().sum::<f64>() - so)
            })
            .collect();
        scored.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut below, mut won, mut all) = (0.0, 0.0, 0.0);
        for tie in scored.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
            let so: f64 = tie.iter().map(|(_, so, _)| so).sum();
            let other: f64 = tie.iter().map(|(.., other)| other).sum();
            won += so * (below + other / 2.0);
            below += other;
            all += so;
        }
        (all > 0.0 && below > 0.0).then(|| won / (all * below))
    }
}

fn score(row: &Row, weights: &[f64]) -> f64 {
    row.iter().map(|(at, part)| part * weights.get(*at).copied().unwrap_or(0.0)).sum()
}

/// Solves a system of equations by Cholesky's method; of the positive definite matrix the lower half is read.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for at in 0..size {
        let (above, rest) = matrix.split_at_mut(at);
        let Some(row) = rest.first_mut() else { break };
        for (column, other) in above.iter().enumerate() {
            let (done, open) = row.split_at_mut(column);
            let sum: f64 = done.iter().zip(other).map(|(one, other)| one * other).sum();
            let pivot = other.get(column).copied().unwrap_or(1.0);
            open.first_mut().into_iter().for_each(|it| *it = (*it - sum) / pivot);
        }
        let (done, open) = row.split_at_mut(at);
        let sum: f64 = done.iter().map(|it| it * it).sum();
        open.first_mut().into_iter().for_each(|it| *it = (*it - sum).max(1e-12).sqrt());
    }
    let entry = |row: usize, column: usize| -> f64 {
        matrix.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0.0)
    };
    for at in 0..size {
        let (done, open) = right.split_at_mut(at);
        let sum: f64 = done.iter().enumerate().map(|(column, it)| entry(at, column) * it).sum();
        open.first_mut().into_iter().for_each(|it| *it = (*it - sum) / entry(at, at));
    }
    for at in (0..size).rev() {
        let (open, done) = right.split_at_mut(at + 1);
        let below = done.iter().enumerate();
        let sum: f64 = below.map(|(row, it)| entry(at + 1 + row, at) * it).sum();
        open.last_mut().into_iter().for_each(|it| *it = (*it - sum) / entry(at, at));
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        let matrix = vec![vec![4.0, 0.0, 0.0], vec![2.0, 5.0, 0.0], vec![1.0, 3.0, 6.0]];
        let found = solve(matrix, vec![11.0, 21.0, 25.0]);
        let expected = [1.0, 2.0, 3.0];
        assert!(
            found.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-9),
            "{found:?}"
        );
    }

    #[test]
    fn areas_count_ties_half() {
        let mut cases = Cases::default();
        for (feature, value, rows) in [(0.0, 0, 3.0), (0.0, 1, 1.0), (1.0, 0, 1.0), (1.0, 1, 3.0)] {
            cases.add(vec![(0, 1.0), (1, feature)], value, rows);
        }
        assert_eq!(cases.rows.len(), 2);
        // Of 16 pairs 9 are in order, 6 tied, 1 is not: (9 + 3) / 16.
        assert!((cases.area(1, &[0.0, 1.0]).unwrap() - 0.75).abs() < 1e-12);
        let weights = cases.fit(1, 2);
        assert!(weights[1] > 0.5, "{weights:?}");
        assert!((cases.area(0, &cases.fit(0, 2)).unwrap() - 0.75).abs() < 1e-12);
        assert_eq!(cases.area(7, &weights), None);
    }
}
