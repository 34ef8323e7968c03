//! Rows that are told as their neighbours: a table cut in two again and again, as long as both parts keep what
//! is required (LeFevre et al., Mondrian multidimensional k-anonymity, 2006).
//!
//! A part is cut across the column in which it is widest (the penalty of its values' range times the column's
//! weight), where that leaves about as many rows on either side; of numbers and dates anywhere, of other values
//! between the children of a node of their hierarchy. Parts that cannot be cut any more are told as the least
//! groups that hold their values, so equal values may be told differently in different parts.
//!
//! Where rows may be left out, outermost values of parts go as long as that pays: a row that is left out costs
//! 1, one that is told its mean penalty. Parts of very many combinations are left whole.

use std::collections::BinaryHeap;
use std::thread;

use super::TabularError;
use super::problem::Problem;
use super::taxonomy::Span;
use super::told::{Labels, Told, ToldColumn};
use super::tuples::Attribute;

/// Cuts of a column that are tried where a requirement is about values, the most even ones first.
const MOST_CUTS: usize = 8;
/// Combinations of a part from which on no rows are left out of it: each would cost a look at all of them.
const MOST_TRIMMED: usize = 1024;
/// Combinations that are worth a thread of their own.
const WORTH_A_THREAD: usize = 4096;

impl Problem<'_> {
    /// What every combination is told as, so that every class keeps the requirement.
    ///
    /// # Errors
    /// When there are too few rows, or not even the table as one class keeps the requirement.
    pub fn mondrian(&self) -> Result<Told, TabularError> {
        self.check()?;
        let table = Table::of(self);
        let mut ids: Vec<u32> = (0..self.tuples.len() as u32).collect();
        if !table.keeps(&ids, &table.all) {
            return Err(self.impossible());
        }
        let parts = table.cut(&mut ids, 0, self.threads.get(), &mut Scratch::default());
        let mut left = parts.clone();
        let mut trims = table.trims(&mut left, &mut ids);
        // What is left is held to the table without the rows that are left out; without trims it holds.
        while !trims.is_empty() && !table.hold(&left, &ids) {
            trims.truncate(trims.len() / 2);
            left.clone_from(&parts);
            table.replay(&mut left, &mut ids, &trims);
        }
        Ok(table.told(&left, &ids))
    }
}

/// Combinations that are told alike: a range of the list of all.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    end: usize,
}

/// Values that are left out of a part: the lowest or the highest of a column.
#[derive(Clone, Copy, Debug)]
struct Trim {
    part: usize,
    column: usize,
    /// The ranks that are left out.
    span: Span,
}

/// The table as the search sees it.
struct Table<'p> {
    problem: &'p Problem<'p>,
    /// By column, the rank of each combination's value.
    ranks: Vec<Vec<u32>>,
    crowd: &'p [u64],
    sensitive: Option<&'p Attribute>,
    order: Option<Vec<usize>>,
    /// How many rows of the table have each sensitive value.
    all: Vec<u64>,
}

/// What is used again for every part.
#[derive(Default)]
struct Scratch {
    sums: Vec<u64>,
    groups: Vec<(u32, u64)>,
}

impl<'p> Table<'p> {
    fn of(problem: &'p Problem<'p>) -> Self {
        let Problem { tuples, taxonomies, requirement, .. } = problem;
        let columns = tuples.columns.iter().zip(*taxonomies);
        let ranks = columns.map(|(codes, taxonomy)| {
            codes.iter().map(|code| taxonomy.rank(*code)).collect::<Vec<_>>()
        });
        let sensitive = tuples.sensitive.as_ref().filter(|_| requirement.is_about_values());
        let mut table = Self {
            problem,
            ranks: ranks.collect(),
            crowd: tuples.crowd(),
            sensitive,
            order: sensitive.and_then(Attribute::order),
            all: Vec::new(),
        };
        let ids: Vec<u32> = (0..tuples.len() as u32).collect();
        table.all = table.values(&ids);
        table
    }

    fn rank(&self, column: usize, id: u32) -> u32 {
        self.ranks.get(column).and_then(|ranks| ranks.get(id as usize)).copied().unwrap_or(0)
    }

    fn crowd(&self, id: u32) -> u64 {
        self.crowd.get(id as usize).copied().unwrap_or(0)
    }

    fn rows(&self, ids: &[u32]) -> u64 {
        let rows = |id: &u32| self.problem.tuples.counts.get(*id as usize);
        ids.iter().filter_map(rows).sum()
    }

    /// How many rows of a part have each sensitive value; nothing where no requirement is about values.
    fn values(&self, ids: &[u32]) -> Vec<u64> {
        let Some(sensitive) = self.sensitive else { return Vec::new() };
        let mut values = vec![0; sensitive.dictionary.values().len()];
        for id in ids {
            let id = *id as usize;
            let there = sensitive.codes.get(id).zip(self.problem.tuples.counts.get(id));
            if let Some((code, rows)) = there
                && let Some(value) = values.get_mut(*code as usize)
            {
                *value += rows;
            }
        }
        values
    }

    /// Whether a part keeps the requirement in a table whose sensitive values are so many.
    fn keeps(&self, ids: &[u32], all: &[u64]) -> bool {
        let crowd: u64 = ids.iter().map(|id| self.crowd(*id)).sum();
        let values = self.values(ids);
        // A part of a population in which nobody of the table is needs no values.
        if self.sensitive.is_some() && values.iter().all(|rows| *rows == 0) {
            return crowd >= self.problem.requirement.k;
        }
        self.problem.requirement.is_kept(crowd, &values, all, self.order.as_deref())
    }

    /// The range of a part's values in each column.
    fn spans(&self, ids: &[u32]) -> Vec<Span> {
        let span = |ranks: &Vec<u32>| {
            let ranks = ids.iter().filter_map(|id| ranks.get(*id as usize));
            let whole = Span { first: u32::MAX, last: 0 };
            ranks.fold(whole, |span, rank| Span {
                first: span.first.min(*rank),
                last: span.last.max(*rank),
            })
        };
        self.ranks.iter().map(span).collect()
    }

    fn penalty(&self, column: usize, span: Span) -> f64 {
        self.problem.taxonomies.get(column).map_or(0.0, |taxonomy| taxonomy.penalty(span))
    }

    /// Cuts a part, which begins at a place of the list of all, as often as can be.
    fn cut(
        &self,
        ids: &mut [u32],
        start: usize,
        threads: usize,
        scratch: &mut Scratch,
    ) -> Vec<Part> {
        let Some(middle) = self.cut_once(ids, scratch) else {
            return vec![Part { start, end: start + ids.len() }];
        };
        let worth = threads > 1 && ids.len() > WORTH_A_THREAD;
        let (low, high) = ids.split_at_mut(middle);
        if !worth {
            let mut parts = self.cut(low, start, 1, scratch);
            parts.append(&mut self.cut(high, start + middle, 1, scratch));
            return parts;
        }
        let threads = threads.div_ceil(2);
        let (mut parts, mut others) = thread::scope(|scope| {
            let other =
                scope.spawn(|| self.cut(high, start + middle, threads, &mut Scratch::default()));
            let parts = self.cut(low, start, threads, scratch);
            (parts, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        parts.append(&mut others);
        parts
    }

    /// Cuts a part in two, if it can be; answers where the second one begins.
    fn cut_once(&self, ids: &mut [u32], scratch: &mut Scratch) -> Option<usize> {
        let spans = self.spans(ids);
        let mut columns: Vec<(f64, usize)> = spans
            .iter()
            .zip(self.problem.weights)
            .enumerate()
            .map(|(column, (span, weight))| (self.penalty(column, *span) * weight, column))
            .filter(|(width, _)| *width > 0.0)
            .collect();
        columns.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        columns.into_iter().find_map(|(_, column)| {
            let span = *spans.get(column)?;
            self.groups(ids, column, span, scratch);
            let cuts = self.even_cuts(column, span, scratch);
            cuts.into_iter().find_map(|rank| {
                let middle = halve(ids, |id| self.rank(column, id) < rank);
                let (low, high) = ids.split_at(middle);
                let kept = self.sensitive.is_none()
                    || (self.keeps(low, &self.all) && self.keeps(high, &self.all));
                kept.then_some(middle)
            })
        })
    }

    /// Finds the ranks that a part has in a column, in order, and how large the crowd of each is.
    fn groups(&self, ids: &[u32], column: usize, span: Span, scratch: &mut Scratch) {
        let Scratch { sums, groups } = scratch;
        groups.clear();
        let width = (span.last - span.first) as usize + 1;
        if width > 4 * ids.len() {
            groups.extend(ids.iter().map(|id| (self.rank(column, *id), self.crowd(*id))));
            groups.sort_unstable();
            groups.dedup_by(|next, group| {
                let same = next.0 == group.0;
                group.1 += if same { next.1 } else { 0 };
                same
            });
            return;
        }
        sums.clear();
        sums.resize(width, 0);
        for id in ids {
            if let Some(sum) = sums.get_mut((self.rank(column, *id) - span.first) as usize) {
                *sum += self.crowd(*id);
            }
        }
        let there = (span.first..).zip(sums.iter()).filter(|(_, crowd)| **crowd > 0);
        groups.extend(there.map(|(rank, crowd)| (rank, *crowd)));
    }

    /// The cuts of a column that leave a large enough crowd on either side, the most even ones first.
    fn even_cuts(&self, column: usize, span: Span, scratch: &Scratch) -> Vec<u32> {
        let k = self.problem.requirement.k;
        let total: u64 = scratch.groups.iter().map(|(_, crowd)| crowd).sum();
        let taxonomy = self.problem.taxonomies.get(column);
        let mut allowed = taxonomy.and_then(|taxonomy| taxonomy.cuts(span)).map(Iterator::peekable);
        let (mut below, mut cuts) = (0, Vec::new());
        for (rank, crowd) in &scratch.groups {
            // The first value at or behind a boundary is where a part may begin.
            let is_allowed = allowed.as_mut().is_none_or(|allowed| {
                let mut reached = false;
                while allowed.next_if(|boundary| boundary <= rank).is_some() {
                    reached = true;
                }
                reached
            });
            if is_allowed && below >= k && total - below >= k {
                cuts.push(((2 * below).abs_diff(total), *rank));
            }
            below += crowd;
        }
        let most = if self.sensitive.is_some() { MOST_CUTS } else { 1 };
        cuts.sort_unstable();
        cuts.truncate(most);
        cuts.into_iter().map(|(_, rank)| rank).collect()
    }
}

/// Puts what is so before what is not; answers how many are.
fn halve(ids: &mut [u32], is_low: impl Fn(u32) -> bool) -> usize {
    let mut middle = 0;
    for at in 0..ids.len() {
        if ids.get(at).is_some_and(|id| is_low(*id)) {
            ids.swap(middle, at);
            middle += 1;
        }
    }
    middle
}

/// The best trim of a part, by what it gains for each row that is left out.
struct Offer {
    gain: f64,
    trim: Trim,
}

impl PartialEq for Offer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Offer {}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Offer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let gains = self.gain.total_cmp(&other.gain);
        gains.then_with(|| other.trim.part.cmp(&self.trim.part))
    }
}

impl Table<'_> {
    /// Leaves rows out as long as that gains anything and more may be left out: the most gainful ones first.
    fn trims(&self, parts: &mut [Part], ids: &mut [u32]) -> Vec<Trim> {
        let mut budget = self.problem.budget();
        let mut done = Vec::new();
        if budget == 0 {
            return done;
        }
        let mut offers: BinaryHeap<Offer> = BinaryHeap::new();
        for (part, Part { start, end }) in parts.iter().enumerate() {
            offers.extend(self.offer(part, ids.get(*start..*end).unwrap_or(&[]), budget));
        }
        while let Some(Offer { trim, .. }) = offers.pop() {
            let Some(part) = parts.get_mut(trim.part) else { continue };
            let inside = ids.get_mut(part.start..part.end).unwrap_or_default();
            let middle = self.leave_out(inside, trim);
            let out = self.rows(inside.get(middle..).unwrap_or(&[]));
            // What was offered when more might be left out may be too much by now.
            if out <= budget {
                budget -= out;
                part.end = part.start + middle;
                done.push(trim);
            }
            let inside = ids.get(part.start..part.end).unwrap_or(&[]);
            offers.extend(self.offer(trim.part, inside, budget));
        }
        done
    }

    /// Puts the rows that a trim keeps before those that it leaves out; answers how many it keeps.
    fn leave_out(&self, ids: &mut [u32], trim: Trim) -> usize {
        let Trim { column, span, .. } = trim;
        halve(ids, |id| !(span.first..=span.last).contains(&self.rank(column, id)))
    }

    fn replay(&self, parts: &mut [Part], ids: &mut [u32], trims: &[Trim]) {
        for trim in trims {
            let Some(part) = parts.get_mut(trim.part) else { continue };
            let inside = ids.get_mut(part.start..part.end).unwrap_or_default();
            part.end = part.start + self.leave_out(inside, *trim);
        }
    }

    /// The trim of a part that gains most for each row that is left out, if one gains anything.
    fn offer(&self, part: usize, ids: &[u32], budget: u64) -> Option<Offer> {
        if ids.len() > MOST_TRIMMED {
            return None;
        }
        let spans = self.spans(ids);
        let (rows, before) = (self.rows(ids), self.mean_penalty(&spans));
        let mut best: Option<Offer> = None;
        for (column, span) in spans.iter().enumerate().filter(|(_, span)| span.first < span.last) {
            let ends = [span.first, span.last].map(|rank| Span { first: rank, last: rank });
            for span in ends {
                let trim = Trim { part, column, span };
                let mut rest = ids.to_vec();
                let kept = self.leave_out(&mut rest, trim);
                let (rest, out) = rest.split_at(kept);
                let out = self.rows(out);
                if out == 0 || out > budget || !self.keeps(rest, &self.all) {
                    continue;
                }
                let (told, out) = ((rows - out) as f64, out as f64);
                let after = self.mean_penalty(&self.spans(rest)) * told + out;
                let gain = (before * rows as f64 - after) / out;
                if gain > 0.0 && best.as_ref().is_none_or(|best| gain > best.gain) {
                    best = Some(Offer { gain, trim });
                }
            }
        }
        best
    }

    /// The mean penalty of values in ranges, by the weights of their columns.
    fn mean_penalty(&self, spans: &[Span]) -> f64 {
        let columns = spans.iter().zip(self.problem.weights).enumerate();
        let sum: f64 =
            columns.map(|(column, (span, weight))| self.penalty(column, *span) * weight).sum();
        sum / self.problem.weights.iter().sum::<f64>()
    }

    /// Whether all parts keep the requirement in the table that they make together.
    fn hold(&self, parts: &[Part], ids: &[u32]) -> bool {
        let of = |part: &Part| ids.get(part.start..part.end).unwrap_or(&[]);
        let mut all = vec![0; self.all.len()];
        for part in parts {
            let values = self.values(of(part));
            all.iter_mut().zip(values).for_each(|(all, rows)| *all += rows);
        }
        parts.iter().all(|part| self.keeps(of(part), &all))
    }

    /// What the combinations of parts are told as; those of no part are left out.
    fn told(&self, parts: &[Part], ids: &[u32]) -> Told {
        let Problem { tuples, taxonomies, .. } = self.problem;
        let mut kept = vec![false; tuples.len()];
        let mut labels: Vec<Labels> = taxonomies.iter().map(|_| Labels::new()).collect();
        let mut of = vec![vec![0; tuples.len()]; taxonomies.len()];
        for Part { start, end } in parts {
            let ids = ids.get(*start..*end).unwrap_or(&[]);
            for id in ids {
                kept.get_mut(*id as usize).into_iter().for_each(|kept| *kept = true);
            }
            let columns = labels.iter_mut().zip(*taxonomies).zip(&mut of).zip(self.spans(ids));
            for (((labels, taxonomy), of), span) in columns {
                let label = labels.add(span, taxonomy);
                for id in ids {
                    of.get_mut(*id as usize).into_iter().for_each(|of| *of = label);
                }
            }
        }
        let columns = labels.into_iter().zip(of);
        let columns = columns.map(|(labels, of)| ToldColumn { labels: labels.finish(), of });
        let out = kept.iter().zip(&tuples.counts).filter(|(kept, _)| !**kept);
        Told { columns: columns.collect(), suppressed: out.map(|(_, rows)| rows).sum(), kept }
    }
}
