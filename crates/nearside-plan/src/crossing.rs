//! What is the best way across a single link?
//!
//! ```text
//! value(row) = min over x of  base(x) + crossing(x, row)
//! ```
//!
//! No table of crossings is made. The groups are visited from the smallest `base` up, and since no
//! crossing weighs less than nothing, a group is weighed only against rows that it may improve.

use crate::elimination::INFINITE;
use crate::weights::{AXES, Group, Link, Model};

/// Crossings per kind of route from which on weighing all kinds first is worth it.
const SHARED: usize = 8;

/// A stage about to be removed, and the one link that joins it to a stage removed later.
pub(crate) struct Crossing<'a> {
    /// The compiled problem.
    pub(crate) model: &'a Model,
    /// The link.
    pub(crate) link: &'a Link,
    /// How much one unit of each axis counts on it.
    pub(crate) multipliers: [u128; AXES],
    /// The groups of the stage about to be removed.
    pub(crate) columns: &'a [Group],
    /// The groups of the other one.
    pub(crate) rows: &'a [Group],
    /// Whether the data flows from the stage about to be removed.
    pub(crate) forward: bool,
}

impl Crossing<'_> {
    /// For each row the least sum of a column's base and its crossing; `sums` is scratch.
    pub(crate) fn least(&self, base: &[u128], sums: &mut Vec<u128>) -> Vec<u128> {
        let (model, link, multipliers) = (self.model, self.link, &self.multipliers);
        if model.route_kinds() <= self.rows.len() * self.columns.len() / SHARED {
            model.transfer_sums(link, multipliers, INFINITE, sums);
            self.least_by(base, |kind| sums[kind])
        } else {
            let sum = |kind| model.transfer_sum(link, kind, multipliers);
            self.least_by(base, |kind| sum(kind).unwrap_or(INFINITE))
        }
    }

    fn least_by(&self, base: &[u128], weight: impl Fn(usize) -> u128) -> Vec<u128> {
        let mut order: Vec<(u128, usize)> = base.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut values = vec![INFINITE; self.rows.len()];
        for (base, column) in order {
            let here = self.columns[column].location;
            let mut open = false;
            for (value, row) in values.iter_mut().zip(self.rows) {
                if base >= *value {
                    continue;
                }
                open = true;
                let kind = match self.forward {
                    true => self.model.route_kind(here, row.location),
                    false => self.model.route_kind(row.location, here),
                };
                *value = (base + weight(kind)).min(*value);
            }
            if !open {
                break;
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elimination::Weighing;
    use crate::sample;
    use crate::weights::{CARBON, COST, Terms};

    /// The whole table, one entry after the other.
    fn least_of_all(crossing: &Crossing<'_>, base: &[u128]) -> Vec<u128> {
        let entry = |column: usize, row: &Group| {
            let here = crossing.columns[column].location;
            let (from, to) = match crossing.forward {
                true => (here, row.location),
                false => (row.location, here),
            };
            let kind = crossing.model.route_kind(from, to);
            let sum = crossing.model.transfer_sum(crossing.link, kind, &crossing.multipliers);
            (base[column] + sum.unwrap_or(INFINITE)).min(INFINITE)
        };
        let columns = 0..base.len();
        let least = |row| columns.clone().map(|column| entry(column, row)).min().unwrap();
        crossing.rows.iter().map(least).collect()
    }

    #[test]
    fn leaving_groups_out_changes_no_value() {
        for seed in 0..60 {
            let problem = sample::random(seed, 4, 9, 1);
            let model = Model::new(&problem, &Terms::of(&problem));
            let weighing = Weighing::lexicographic(&model, &[COST, CARBON]);
            for ((index, link), forward) in
                model.links.iter().enumerate().zip([true, false].into_iter().cycle())
            {
                let ends = if forward { (link.from, link.to) } else { (link.to, link.from) };
                let (columns, rows) = (&model.stages[ends.0][..], &model.stages[ends.1][..]);
                let multipliers = weighing.on_link(index);
                let crossing =
                    Crossing { model: &model, link, multipliers, columns, rows, forward };
                let own = |group: &Group| {
                    let weights =
                        group.candidates.iter().map(|one| weighing.additive(&one.weights));
                    weights.min().unwrap()
                };
                let spread = seed % 4;
                for scale in [0, 1, 1 << spread, INFINITE] {
                    let base = columns.iter().map(|group| own(group).saturating_mul(scale));
                    let base: Vec<u128> = base.map(|base| base.min(INFINITE)).collect();
                    let expected = least_of_all(&crossing, &base);
                    assert_eq!(crossing.least(&base, &mut vec![]), expected);
                    let mut sums = vec![];
                    model.transfer_sums(link, &multipliers, INFINITE, &mut sums);
                    assert_eq!(crossing.least_by(&base, |kind| sums[kind]), expected);
                }
            }
        }
    }
}
