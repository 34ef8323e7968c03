//! What can be thrown away because something else is at least as good in every respect?
//!
//! Within one stage, location and machine a candidate that is no better in any figure can be
//! replaced in every plan without making the plan worse, because transfers depend on the location
//! only and finishing earlier never delays anything. Removing it is exact.

use std::collections::BTreeMap;

use crate::weights::{Candidate, Model};

/// Rows of equal width, stored one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    width: usize,
    values: Vec<u128>,
}

impl Rows {
    /// No rows yet.
    pub(crate) const fn new(width: usize) -> Self {
        Self { width, values: vec![] }
    }

    /// Appends a row; exactly `width` values must come.
    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = u128>) {
        let before = self.values.len();
        self.values.extend(row);
        debug_assert_eq!(self.values.len(), before + self.width);
    }

    fn row(&self, index: usize) -> &[u128] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// Without columns that say nothing: those that are the same everywhere, and those that differ
    /// from an earlier column by the same amount everywhere.
    fn essential(&self, count: usize) -> Self {
        let first = |column: usize| self.values[column];
        let constant = |column: usize| {
            (1..count).all(|row| self.values[row * self.width + column] == first(column))
        };
        let shifted = |column: usize, earlier: usize| {
            let offset = first(column).wrapping_sub(first(earlier));
            (1..count).all(|row| {
                let row = &self.values[row * self.width..];
                row[column].wrapping_sub(row[earlier]) == offset
            })
        };
        let mut kept: Vec<usize> = vec![];
        for column in 0..self.width {
            if !constant(column) && !kept.iter().any(|earlier| shifted(column, *earlier)) {
                kept.push(column);
            }
        }
        let mut rows = Self::new(kept.len());
        for row in 0..count {
            rows.push(kept.iter().map(|column| self.row(row)[*column]));
        }
        rows
    }

    /// The rows that no other row matches or beats in every column, in their original order; of
    /// equal rows the first.
    pub(crate) fn nondominated(&self) -> Vec<usize> {
        if self.width == 0 || self.values.is_empty() {
            return vec![0];
        }
        let count = self.values.len() / self.width;
        let rows = self.essential(count);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|left, right| rows.row(*left).cmp(rows.row(*right)));
        let mut kept = match rows.width {
            0 => vec![0],
            1 => vec![order[0]],
            2 => rows.staircase(&order, |row| (row[1], 0)),
            3 => rows.staircase(&order, |row| (row[1], row[2])),
            _ => rows.pairwise(&order),
        };
        kept.sort_unstable();
        kept
    }

    /// Sweep over the first column; a staircase holds the other two.
    fn staircase(&self, order: &[usize], rest: impl Fn(&[u128]) -> (u128, u128)) -> Vec<usize> {
        let mut steps: BTreeMap<u128, u128> = BTreeMap::new();
        let mut kept = vec![];
        for index in order {
            let (second, third) = rest(self.row(*index));
            let below = steps.range(..=second).next_back();
            if below.is_some_and(|(_, lowest)| *lowest <= third) {
                continue;
            }
            kept.push(*index);
            let covered: Vec<u128> = steps
                .range(second..)
                .take_while(|(_, lowest)| **lowest >= third)
                .map(|(step, _)| *step)
                .collect();
            for step in covered {
                steps.remove(&step);
            }
            steps.insert(second, third);
        }
        kept
    }

    /// Each row against those kept so far; what beat the last row is tried first.
    fn pairwise(&self, order: &[usize]) -> Vec<usize> {
        let mut kept: Vec<usize> = vec![];
        for index in order {
            let row = self.row(*index);
            let beaten = kept.iter().position(|other| no_worse(self.row(*other), row));
            match beaten {
                Some(position) => kept.swap(position, position / 2),
                None => kept.push(*index),
            }
        }
        kept
    }
}

fn no_worse(left: &[u128], right: &[u128]) -> bool {
    left.iter().zip(right).all(|(left, right)| left <= right)
}

/// Keeps per stage, location and machine the candidates that are best in some respect: those
/// whose `score`s no other candidate matches or beats.
pub(crate) fn reduce(model: &mut Model, width: usize, score: impl Fn(&Candidate) -> Vec<u128>) {
    for group in model.stages.iter_mut().flatten() {
        let mut machines: Vec<_> =
            group.candidates.iter().map(|candidate| candidate.machine).collect();
        machines.sort_unstable();
        machines.dedup();
        let mut kept: Vec<Candidate> = vec![];
        for machine in machines {
            let alike = group.candidates.iter().filter(|candidate| candidate.machine == machine);
            let alike: Vec<_> = alike.copied().collect();
            let mut rows = Rows::new(width);
            alike.iter().for_each(|candidate| rows.push(score(candidate)));
            kept.extend(rows.nondominated().into_iter().map(|index| alike[index]));
        }
        kept.sort_by_key(|candidate| candidate.choice);
        group.candidates = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(rows: &[&[u128]], kept: &[usize]) {
        let mut table = Rows::new(rows[0].len());
        rows.iter().for_each(|row| table.push(row.iter().copied()));
        assert_eq!(table.nondominated(), kept);
    }

    #[test]
    fn of_equal_rows_the_first_stays() {
        check(&[&[3, 3], &[3, 3], &[3, 4]], &[0]);
        check(&[&[1], &[0], &[0]], &[1]);
    }

    #[test]
    fn trade_offs_stay() {
        check(&[&[1, 9, 5], &[2, 8, 5], &[3, 7, 5], &[3, 9, 4], &[3, 9, 5]], &[0, 1, 2, 3]);
    }

    #[test]
    fn a_column_that_follows_another_changes_nothing() {
        check(&[&[1, 11, 5], &[2, 12, 4], &[3, 13, 4]], &[0, 1]);
    }

    proptest! {
        #[test]
        fn every_width_agrees_with_the_definition(
            width in 1usize..6,
            values in proptest::collection::vec(0u128..4, 60),
        ) {
            let rows: Vec<&[u128]> = values.chunks_exact(width).collect();
            let mut table = Rows::new(width);
            rows.iter().for_each(|row| table.push(row.iter().copied()));
            let beaten = |index: usize| rows.iter().enumerate().any(|(other, row)| {
                no_worse(row, rows[index]) && (*row != rows[index] || other < index)
            });
            let expected: Vec<usize> = (0..rows.len()).filter(|index| !beaten(*index)).collect();
            prop_assert_eq!(table.nondominated(), expected);
        }
    }
}
