//! The best level for every column, of all there are: an exact search.
//!
//! The choices of a level for each column form a lattice. Telling a column less exactly never lowers the
//! loss of the rows that are kept, and leaving rows out never does either; so the loss that a choice has
//! with no row left out is a bound from below for itself and for everything above it, and costs nothing to
//! compute. Where a requirement is kept by joining classes, a choice that leaves out too many rows also
//! rules out everything below it. What neither bound rules out is looked at, from the coarsest on.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::TabularError;
use super::classes::Classes;
use super::hierarchy::Hierarchy;
use super::loss;
use super::problem::Problem;
use super::requirement::Requirement;
use super::taxonomy::Span;
use super::told::{Labels, Told, ToldColumn};
use super::tuples::Attribute;

/// The most combinations of levels that are looked through.
const MAX_NODES: u128 = 4_000_000;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The level of each column.
    pub levels: Vec<u8>,
    /// The loss, from 0 to 1.
    pub loss: f64,
    /// What every combination is told as.
    pub told: Told,
    /// Classes that are kept.
    pub classes: u64,
    /// Combinations of levels that there are, and that were looked at.
    pub nodes: u64,
    /// Those that were looked at.
    pub looked_at: u64,
}

/// A choice of levels that was looked at.
#[derive(Clone, Debug)]
struct Node {
    levels: Vec<u8>,
    loss: f64,
}

/// What all threads know.
struct Known {
    next: usize,
    best: Node,
    /// Choices below which everything leaves out too many rows.
    failed: Vec<Vec<u8>>,
    looked_at: u64,
}

impl Problem<'_> {
    /// The choice with the least loss; of several the one with the lowest levels of the first columns.
    ///
    /// # Errors
    /// When there are too few rows, no choice keeps the requirement, or there are too many choices.
    pub fn lattice(&self) -> Result<Solution, TabularError> {
        self.check()?;
        let heights: Vec<u8> = self.hierarchies.iter().map(|it| last(it.levels().len())).collect();
        let nodes = heights.iter().map(|height| u128::from(*height) + 1).product::<u128>();
        if nodes > MAX_NODES {
            return Err(TabularError::TooLarge { nodes, most: MAX_NODES });
        }
        let bounds = Bounds::of(self);
        let mut judge = Judge::new(self, &bounds);
        let best = judge.descend(&heights)?;
        let mut order: Vec<(u32, Vec<u8>, f64)> = all(&heights)
            .map(|levels| (levels.iter().map(|level| u32::from(*level)).sum(), levels))
            .map(|(height, levels)| (height, bounds.of_levels(&levels), levels))
            .filter(|(_, bound, _)| *bound <= best.loss)
            .map(|(height, bound, levels)| (height, levels, bound))
            .collect();
        order.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        let known = Known { next: 0, best, failed: Vec::new(), looked_at: judge.looked_at };
        let known = Mutex::new(known);
        thread::scope(|scope| {
            for _ in 1..self.threads.get() {
                scope.spawn(|| Judge::new(self, &bounds).search(&order, &known));
            }
            judge.search(&order, &known);
        });
        let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let judged = judge.judge(&known.best.levels);
        let there = judge.kept.iter().zip(&judge.classes.sizes);
        let columns = (0..heights.len()).map(|column| self.told(column, &known.best.levels));
        Ok(Solution {
            told: Told {
                columns: columns.collect(),
                kept: judge.classes.of().iter().map(|class| judge.is_kept(*class)).collect(),
                suppressed: judged.suppressed,
            },
            loss: known.best.loss,
            classes: there.filter(|(kept, size)| **kept && **size > 0).count() as u64,
            levels: known.best.levels,
            nodes: u64::try_from(nodes).unwrap_or(u64::MAX),
            looked_at: known.looked_at,
        })
    }
}

impl Problem<'_> {
    /// What the values of a column are told as at a choice of levels, in the words of its hierarchy.
    fn told(&self, column: usize, levels: &[u8]) -> ToldColumn {
        let there = self.hierarchies.get(column).zip(self.taxonomies.get(column));
        let level = levels.get(column).map_or(0, |level| usize::from(*level));
        let chosen = there.and_then(|(it, taxonomy)| Some((it.levels().get(level)?, taxonomy)));
        let Some((level, taxonomy)) = chosen else { return ToldColumn::default() };
        let mut spans: Vec<Option<Span>> = vec![None; level.labels.len()];
        for code in 0..taxonomy.len() as u32 {
            let rank = taxonomy.rank(code);
            if let Some(span) = spans.get_mut(level.label_of(code) as usize) {
                let (first, last) = span.map_or((rank, rank), |it| (it.first, it.last));
                *span = Some(Span { first: first.min(rank), last: last.max(rank) });
            }
        }
        // Labels of the hierarchy that no value of the table has are none of the table's.
        let mut labels = Labels::new();
        let numbers: Vec<u32> = spans
            .iter()
            .zip(&level.labels)
            .map(|(span, name)| span.map_or(0, |span| labels.add_named(span, name, taxonomy)))
            .collect();
        let codes = self.tuples.columns.get(column).into_iter().flatten();
        let of = codes.map(|code| numbers.get(level.label_of(*code) as usize).copied());
        let of = of.map(Option::unwrap_or_default).collect();
        ToldColumn { labels: labels.finish(), of }
    }
}

fn last(count: usize) -> u8 {
    u8::try_from(count.saturating_sub(1)).unwrap_or(u8::MAX)
}

/// Every choice of levels up to the highest of each column.
fn all(heights: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut next = Some(vec![0; heights.len()]);
    std::iter::from_fn(move || {
        let here = next.take()?;
        let mut after = here.clone();
        for (level, height) in after.iter_mut().zip(heights).rev() {
            if *level < *height {
                *level += 1;
                next = Some(after);
                break;
            }
            *level = 0;
        }
        Some(here)
    })
}

/// The loss of choices when no row is left out.
struct Bounds {
    /// By column and level: the mean share of all rows.
    means: Vec<Vec<f64>>,
    /// By column: one over its domain.
    least: Vec<f64>,
    weights: Vec<f64>,
    /// The sensitive values from the least on, where they are numbers.
    order: Option<Vec<usize>>,
}

impl Bounds {
    fn of(problem: &Problem<'_>) -> Self {
        let Problem { tuples, hierarchies, weights, .. } = problem;
        let rows = tuples.rows as f64;
        let mean = |hierarchy: &Hierarchy, column: &[u32]| -> Vec<f64> {
            let levels = hierarchy.levels().iter().map(|level| {
                let cells = column.iter().zip(&tuples.counts);
                cells.map(|(code, count)| level.share_of(*code) * *count as f64).sum::<f64>() / rows
            });
            levels.collect()
        };
        let means = hierarchies.iter().zip(&tuples.columns).map(|(it, column)| mean(it, column));
        let least = hierarchies.iter().map(|hierarchy| {
            let first = hierarchy.levels().first();
            first.map_or(1.0, |level| 1.0 / level.shares.len().max(1) as f64)
        });
        let order = tuples.sensitive.as_ref().and_then(Attribute::order);
        Self { means: means.collect(), least: least.collect(), weights: weights.to_vec(), order }
    }

    fn of_levels(&self, levels: &[u8]) -> f64 {
        let shares = self.means.iter().zip(levels);
        let shares: Vec<f64> = shares
            .map(|(means, level)| means.get(usize::from(*level)).copied().unwrap_or(1.0))
            .collect();
        loss::total(&shares, &self.least, &self.weights)
    }
}

/// What came of a choice.
struct Judged {
    suppressed: u64,
    /// The loss, where few enough rows are left out.
    loss: Option<f64>,
}

/// Looks at choices, one after another.
struct Judge<'s> {
    problem: &'s Problem<'s>,
    bounds: &'s Bounds,
    classes: Classes,
    /// Whether each class is kept.
    kept: Vec<bool>,
    /// Rows of each sensitive value in each class, class by class.
    values: Vec<u64>,
    looked_at: u64,
}

impl<'s> Judge<'s> {
    fn new(problem: &'s Problem<'s>, bounds: &'s Bounds) -> Self {
        let classes = Classes::default();
        Self { problem, bounds, classes, kept: Vec::new(), values: Vec::new(), looked_at: 0 }
    }

    fn is_kept(&self, class: u32) -> bool {
        self.kept.get(class as usize).copied().unwrap_or(false)
    }

    /// From the coarsest choice down, as long as the requirement is kept: a good choice to begin with.
    fn descend(&mut self, top: &[u8]) -> Result<Node, TabularError> {
        let loss = self.judge(top).loss.ok_or_else(|| self.problem.impossible())?;
        let mut best = Node { levels: top.to_vec(), loss };
        loop {
            let mut lower: Vec<(f64, Vec<u8>)> = (0..top.len())
                .filter_map(|column| {
                    let mut levels = best.levels.clone();
                    let level = levels.get_mut(column)?;
                    *level = level.checked_sub(1)?;
                    Some((self.bounds.of_levels(&levels), levels))
                })
                .collect();
            lower.sort_by(|one, other| one.0.total_cmp(&other.0));
            let next = lower.into_iter().find_map(|(_, levels)| {
                let loss = self.judge(&levels).loss.filter(|loss| *loss < best.loss)?;
                Some(Node { levels, loss })
            });
            match next {
                Some(next) => best = next,
                None => return Ok(best),
            }
        }
    }

    /// Looks at what no bound rules out until nothing is left.
    fn search(&mut self, order: &[(u32, Vec<u8>, f64)], known: &Mutex<Known>) {
        let monotone = self.problem.requirement.is_kept_by_joining();
        loop {
            let next = {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    let Some((_, levels, bound)) = order.get(known.next) else { break None };
                    known.next += 1;
                    let below = |failed: &Vec<u8>| levels.iter().zip(failed).all(|(a, b)| a <= b);
                    if *bound <= known.best.loss && !known.failed.iter().any(below) {
                        break Some(levels);
                    }
                }
            };
            let Some(levels) = next else { return };
            let judged = self.judge(levels);
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.looked_at += 1;
            match judged.loss {
                Some(loss) => {
                    let best = &known.best;
                    let better = loss.total_cmp(&best.loss).then_with(|| levels.cmp(&best.levels));
                    if better.is_lt() {
                        known.best = Node { levels: levels.clone(), loss };
                    }
                }
                None if monotone => known.failed.push(levels.clone()),
                None => {}
            }
        }
    }

    fn judge(&mut self, levels: &[u8]) -> Judged {
        self.looked_at += 1;
        let Problem { tuples, hierarchies, .. } = *self.problem;
        self.classes.group(tuples, hierarchies, levels);
        let suppressed = self.keep();
        if suppressed > self.problem.budget() {
            return Judged { suppressed, loss: None };
        }
        let loss = match suppressed {
            0 => self.bounds.of_levels(levels),
            suppressed => self.loss(levels, suppressed),
        };
        Judged { suppressed, loss: Some(loss) }
    }

    /// Tells which classes are kept; answers how many rows are not.
    fn keep(&mut self) -> u64 {
        let Requirement { k, .. } = self.problem.requirement;
        self.kept.clear();
        self.kept.extend(self.classes.crowds().iter().map(|crowd| *crowd >= k));
        if let Some(sensitive) = &self.problem.tuples.sensitive
            && self.problem.requirement.is_about_values()
        {
            self.keep_values(&sensitive.codes, sensitive.dictionary.values().len());
        }
        let left_out = self.classes.sizes.iter().zip(&self.kept).filter(|(_, kept)| !**kept);
        left_out.map(|(size, _)| size).sum()
    }

    /// Drops classes, round by round, until all that are kept keep the requirement among themselves: what
    /// they are held to is the table as it will be, without the rows that are left out.
    fn keep_values(&mut self, codes: &[u32], count: usize) {
        self.values.clear();
        self.values.resize(self.classes.sizes.len() * count, 0);
        let rows = &self.problem.tuples.counts;
        let order = self.bounds.order.as_deref();
        for ((class, code), rows) in self.classes.of().iter().zip(codes).zip(rows) {
            if let Some(value) = self.values.get_mut(*class as usize * count + *code as usize) {
                *value += rows;
            }
        }
        loop {
            let mut all = vec![0; count];
            for (values, _) in self.values.chunks(count).zip(&self.kept).filter(|(_, kept)| **kept)
            {
                all.iter_mut().zip(values).for_each(|(all, value)| *all += value);
            }
            let mut changed = false;
            let classes = self.classes.crowds().iter().zip(self.values.chunks(count));
            for ((crowd, values), kept) in classes.zip(&mut self.kept) {
                // A class without rows is not in the table.
                let there = *kept && values.iter().any(|rows| *rows > 0);
                if there && !self.problem.requirement.is_kept(*crowd, values, &all, order) {
                    (*kept, changed) = (false, true);
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// The loss of a choice that leaves some rows out.
    fn loss(&self, levels: &[u8], suppressed: u64) -> f64 {
        let Problem { tuples, hierarchies, .. } = *self.problem;
        let kept: Vec<f64> = self
            .classes
            .of()
            .iter()
            .zip(&tuples.counts)
            .map(|(class, count)| if self.is_kept(*class) { *count as f64 } else { 0.0 })
            .collect();
        let columns = hierarchies.iter().zip(&tuples.columns).zip(levels);
        let shares = columns.map(|((hierarchy, column), level)| {
            let Some(level) = hierarchy.levels().get(usize::from(*level)) else { return 1.0 };
            let cells = column.iter().zip(&kept);
            let told: f64 = cells.map(|(code, rows)| level.share_of(*code) * rows).sum();
            (told + suppressed as f64) / tuples.rows as f64
        });
        loss::total(&shares.collect::<Vec<_>>(), &self.bounds.least, &self.bounds.weights)
    }
}
