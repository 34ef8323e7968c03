//! Which plan has the smallest sum, when everything that matters simply adds up?
//!
//! Min-sum bucket elimination: a stage is removed by replacing everything that mentions it with a
//! table over its neighbours that holds, for each of their locations, the best it can contribute.
//!
//! ```text
//! message(neighbours) = min over x of  weight(x) + sum of crossings(x, neighbour) + sum of messages(x, ..)
//! ```
//!
//! Time `O(stages * locations^(width + 1))` with the min-fill order. Where a table would exceed its
//! cap the bucket is split (mini-buckets): the sum of the parts is a lower bound, and a depth-first
//! search with that bound finds the optimum, or the best within its cap and the proven gap.
//!
//! Source: Dechter, "Bucket elimination", Artificial Intelligence 113 (1999); Kask and Dechter, "A
//! general scheme for automatic generation of search heuristics", Artificial Intelligence 129 (2001).

use crate::crossing::Crossing;
use crate::order::min_fill;
use crate::weights::{ADDITIVE, AXES, Amounts, Model, Pick, TIME};

/// Larger than every finite sum; sums are clamped to it, and two of it fit in 128 bits.
pub(crate) const INFINITE: u128 = 1 << 126;

/// The most work one bucket may take, in additions.
const BUCKET_WORK: usize = 1 << 27;
/// The most entries all messages together may have (16 bytes each).
const ALL_ENTRIES: usize = 1 << 25;
/// The most entries one message may have whatever the number of stages.
const FEWEST_ENTRIES: usize = 1 << 14;
/// The most nodes the search after a split may visit.
const NODES: usize = 1 << 20;

/// Whose time counts towards a sum.
#[derive(Clone, Debug)]
pub(crate) enum Timed {
    /// That of every stage and transfer.
    Everything,
    /// That of every stage.
    Stages,
    /// That of the stages and links on one path through the project: never more than the makespan.
    Path {
        /// Per stage whether it is on the path.
        stages: Vec<bool>,
        /// Per link whether it is on the path.
        links: Vec<bool>,
    },
}

/// A linear function of the axes: what elimination makes small.
#[derive(Clone, Debug)]
pub(crate) struct Weighing {
    /// Per axis, how much one unit counts.
    pub(crate) multipliers: [u128; AXES],
    /// Whose time is meant.
    pub(crate) timed: Timed,
}

impl Weighing {
    /// One sum that compares like the axes one after the other.
    pub(crate) fn lexicographic(model: &Model, axes: &[usize]) -> Self {
        let mut multipliers = [0; AXES];
        let mut shift = 0;
        for axis in axes.iter().rev() {
            multipliers[*axis] = 1 << shift;
            shift += model.bits[*axis];
        }
        Self { multipliers, timed: Timed::Everything }
    }

    /// The same with the sum of all stages' times last, where that still fits.
    pub(crate) fn lexicographic_then_time(model: &Model, axes: &[usize]) -> Self {
        let axes = [axes, &[TIME]].concat();
        let bits = axes.iter().map(|axis| model.bits[*axis]).sum::<u32>();
        let weighing = Self::lexicographic(model, &axes[..axes.len() - usize::from(bits > 126)]);
        Self { timed: Timed::Stages, ..weighing }
    }

    /// One axis alone.
    pub(crate) fn only(axis: usize) -> Self {
        let mut multipliers = [0; AXES];
        multipliers[axis] = 1;
        Self { multipliers, timed: Timed::Everything }
    }

    /// The part of the axes that add up whatever the schedule.
    pub(crate) fn additive(&self, amounts: &Amounts) -> u128 {
        ADDITIVE.iter().map(|axis| self.multipliers[*axis] * u128::from(amounts[*axis])).sum()
    }

    fn of(&self, amounts: &Amounts, time_counts: bool) -> u128 {
        let time = if time_counts { u128::from(amounts[TIME]) } else { 0 };
        self.additive(amounts) + self.multipliers[TIME] * time
    }

    /// What a candidate of a stage weighs.
    pub(crate) fn stage(&self, stage: usize, amounts: &Amounts) -> u128 {
        match &self.timed {
            Timed::Everything | Timed::Stages => self.of(amounts, true),
            Timed::Path { stages, .. } => self.of(amounts, stages[stage]),
        }
    }

    /// How much one unit counts on a link.
    pub(crate) fn on_link(&self, link: usize) -> [u128; AXES] {
        let mut multipliers = self.multipliers;
        let counts = match &self.timed {
            Timed::Everything => true,
            Timed::Stages => false,
            Timed::Path { links, .. } => links[link],
        };
        if !counts {
            multipliers[TIME] = 0;
        }
        multipliers
    }

    /// What a transfer over a link weighs.
    pub(crate) fn link(&self, link: usize, amounts: Option<Amounts>) -> u128 {
        amounts.map_or(INFINITE, |amounts| {
            let pairs = self.on_link(link).into_iter().zip(amounts);
            pairs.map(|(multiplier, amount)| multiplier * u128::from(amount)).sum()
        })
    }
}

/// A function of the locations of some stages; the last stage's location varies fastest.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The stages, the one that is eliminated first at the end.
    pub(crate) scope: Vec<usize>,
    /// The values.
    pub(crate) values: Vec<u128>,
}

/// What a removed stage, or a part of its bucket, leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The removed stage.
    pub(crate) from: usize,
    /// What is left.
    pub(crate) table: Table,
}

/// Memory that is used again and again: asking for it anew costs more than filling it.
#[derive(Debug, Default)]
struct Spare {
    sums: Vec<u128>,
    tables: Vec<Vec<u128>>,
}

/// All messages of one elimination, from which the best assignment can be read.
#[derive(Debug)]
pub(crate) struct Elimination<'a> {
    model: &'a Model,
    weighing: &'a Weighing,
    order: Vec<usize>,
    position: Vec<usize>,
    /// Everything sent, in the order of sending.
    pub(crate) messages: Vec<Message>,
    received: Vec<Vec<usize>>,
    sent: Vec<Vec<usize>>,
    /// No assignment sums to less; at least [`INFINITE`] when there is none.
    pub(crate) bound: u128,
    /// Whether a bucket had to be split, so that `bound` may not be reached.
    pub(crate) split: bool,
}

/// The best assignment found.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    /// What is taken at each stage.
    pub(crate) picks: Vec<Pick>,
    /// Its sum.
    pub(crate) sum: u128,
    /// No assignment sums to less; equal to `sum` when it is optimal.
    pub(crate) bound: u128,
}

/// What elimination found.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// An assignment.
    Best(Assignment),
    /// Proof that there is none.
    Nothing,
    /// Neither, within the cap.
    Capped,
}

/// The assignment with the smallest sum.
pub(crate) fn minimum(model: &Model, weighing: &Weighing) -> Found {
    let (order, _) = min_fill(model);
    Elimination::new(model, weighing, order, entries_cap(model)).search(NODES)
}

/// About how many additions [`minimum`] takes.
pub(crate) fn work(model: &Model) -> u128 {
    min_fill(model).1
}

/// The most entries one message may have in a project of this many stages.
fn entries_cap(model: &Model) -> usize {
    (ALL_ENTRIES / model.stages.len()).max(FEWEST_ENTRIES)
}

impl<'a> Elimination<'a> {
    /// Removes all stages in the order given.
    pub(crate) fn new(
        model: &'a Model,
        weighing: &'a Weighing,
        order: Vec<usize>,
        cap: usize,
    ) -> Self {
        let count = model.stages.len();
        let mut position = vec![0; count];
        order.iter().enumerate().for_each(|(place, stage)| position[*stage] = place);
        let mut this = Self {
            model,
            weighing,
            order,
            position,
            messages: vec![],
            received: vec![vec![]; count],
            sent: vec![vec![]; count],
            bound: 0,
            split: false,
        };
        let mut spare = Spare::default();
        for place in 0..count {
            this.remove(this.order[place], cap, &mut spare);
        }
        this
    }

    fn size(&self, stage: usize) -> usize {
        self.model.stages[stage].len()
    }

    /// The weight of the best candidate in each group of a stage.
    fn unary(&self, stage: usize) -> Vec<u128> {
        let groups = self.model.stages[stage].iter();
        groups.map(|group| self.best_in(stage, &group.candidates).1).collect()
    }

    fn best_in(&self, stage: usize, candidates: &[crate::weights::Candidate]) -> (usize, u128) {
        let weights = candidates.iter().map(|one| self.weighing.stage(stage, &one.weights));
        let best = weights.enumerate().min_by_key(|(index, weight)| (*weight, *index));
        best.unwrap_or((0, INFINITE))
    }

    /// The links that join a stage to stages removed later.
    fn open_links(&self, stage: usize) -> impl Iterator<Item = (usize, usize)> {
        let (incoming, outgoing) = (&self.model.incoming[stage], &self.model.outgoing[stage]);
        incoming.iter().chain(outgoing).filter_map(move |index| {
            let link = &self.model.links[*index];
            let other = if link.from == stage { link.to } else { link.from };
            (self.position[other] > self.position[stage]).then_some((*index, other))
        })
    }

    /// A link as a table over the other stage and the one about to be removed.
    fn link_table(&self, index: usize, (stage, other): (usize, usize), spare: &mut Spare) -> Table {
        let link = &self.model.links[index];
        let (rows, columns) = (&self.model.stages[other], &self.model.stages[stage]);
        let multipliers = self.weighing.on_link(index);
        let by_kind = self.model.route_kinds() <= rows.len() * columns.len();
        if by_kind {
            self.model.transfer_sums(link, &multipliers, INFINITE, &mut spare.sums);
        }
        let weight = |kind| match by_kind {
            true => spare.sums[kind],
            false => self.model.transfer_sum(link, kind, &multipliers).unwrap_or(INFINITE),
        };
        let mut values = spare.tables.pop().unwrap_or_default();
        for row in rows {
            values.extend(columns.iter().map(|column| {
                weight(match link.from == stage {
                    true => self.model.route_kind(column.location, row.location),
                    false => self.model.route_kind(row.location, column.location),
                })
            }));
        }
        Table { scope: vec![other, stage], values }
    }

    /// Removes a stage: one message per part of its bucket.
    fn remove(&mut self, stage: usize, cap: usize, spare: &mut Spare) {
        let cap = cap.min(BUCKET_WORK / self.size(stage).max(1));
        if let Some(table) = self.across(stage, cap, spare) {
            return self.send(stage, vec![table]);
        }
        let links = self.open_links(stage);
        let links = links.map(|(index, other)| self.link_table(index, (stage, other), spare));
        let links: Vec<Table> = links.collect();
        let received = self.received[stage].iter().map(|message| &self.messages[*message].table);
        let mut factors: Vec<&Table> = links.iter().chain(received).collect();
        factors.sort_by_key(|factor| std::cmp::Reverse(factor.scope.len()));
        let parts = self.partition(stage, &factors, cap);
        self.split |= parts.len() > 1;
        let mut base = self.unary(stage);
        let mut sent = vec![];
        for (scope, part) in parts {
            let values = self.project(&base, &part, &scope);
            base.fill(0);
            sent.push(Table { scope, values });
        }
        self.send(stage, sent);
        spare.tables.extend(links.into_iter().map(|mut table| {
            table.values.clear();
            table.values
        }));
    }

    /// The message of a stage that a single link joins to later ones, without a table of the link.
    fn across(&self, stage: usize, cap: usize, spare: &mut Spare) -> Option<Table> {
        let mut links = self.open_links(stage);
        let (index, other) = links.next()?;
        let received = || self.received[stage].iter().map(|place| &self.messages[*place].table);
        let joined = links.next().is_some() || received().any(|table| table.scope.len() > 1);
        if joined || self.size(other) > cap {
            return None;
        }
        let mut base = self.unary(stage);
        received().for_each(|table| add_row(&mut base, &table.values));
        let link = &self.model.links[index];
        let crossing = Crossing {
            model: self.model,
            link,
            multipliers: self.weighing.on_link(index),
            columns: &self.model.stages[stage],
            rows: &self.model.stages[other],
            forward: link.from == stage,
        };
        let values = crossing.least(&base, &mut spare.sums);
        Some(Table { scope: vec![other], values })
    }

    /// Hands a removed stage's messages to the stages they are for.
    fn send(&mut self, stage: usize, sent: Vec<Table>) {
        for table in sent {
            match table.scope.last() {
                Some(next) => self.received[*next].push(self.messages.len()),
                None => self.bound = (self.bound + table.values[0]).min(INFINITE),
            }
            self.sent[stage].push(self.messages.len());
            self.messages.push(Message { from: stage, table });
        }
    }

    /// Splits a bucket into parts whose messages respect the cap; usually there is one.
    fn partition<'f>(
        &self,
        stage: usize,
        factors: &[&'f Table],
        cap: usize,
    ) -> Vec<(Vec<usize>, Vec<&'f Table>)> {
        let mut parts: Vec<(Vec<usize>, Vec<&Table>)> = vec![];
        for factor in factors {
            let joined = parts.iter().position(|(scope, _)| {
                let added = factor.scope.iter().filter(|other| !scope.contains(other));
                let entries = scope.iter().chain(added.filter(|other| **other != stage));
                let entries = entries.map(|other| self.size(*other));
                entries.fold(1usize, usize::saturating_mul) <= cap
            });
            let part = joined.unwrap_or_else(|| {
                parts.push((vec![], vec![]));
                parts.len() - 1
            });
            let (scope, members) = &mut parts[part];
            let new = factor.scope.iter().filter(|other| **other != stage);
            let new: Vec<usize> = new.filter(|other| !scope.contains(other)).copied().collect();
            scope.extend(new);
            scope.sort_by_key(|other| std::cmp::Reverse(self.position[*other]));
            members.push(*factor);
        }
        if parts.is_empty() {
            parts.push((vec![], vec![]));
        }
        parts
    }

    /// Minimises `base` plus all factors over the stage they share, for each assignment of `scope`.
    fn project(&self, base: &[u128], factors: &[&Table], scope: &[usize]) -> Vec<u128> {
        let sizes: Vec<usize> = scope.iter().map(|stage| self.size(*stage)).collect();
        let (outer, inner) = match sizes.split_last() {
            Some((inner, outer)) => (outer, *inner),
            None => (&[][..], 1),
        };
        let strides: Vec<Vec<usize>> =
            factors.iter().map(|table| self.strides(table, scope)).collect();
        let (fast, slow): (Vec<usize>, Vec<usize>) = (0..factors.len())
            .partition(|factor| strides[*factor].last().is_some_and(|stride| *stride > 0));
        let mut digits = vec![0; outer.len()];
        let mut values = Vec::with_capacity(sizes.iter().product());
        let mut sum = base.to_vec();
        loop {
            let start = |factor: usize| dot(&strides[factor], &digits);
            sum.copy_from_slice(base);
            slow.iter()
                .for_each(|factor| add_row(&mut sum, &factors[*factor].values[start(*factor)..]));
            let rows = fast.iter().map(|factor| {
                let stride = strides[*factor].last().copied().unwrap_or(0);
                (&factors[*factor].values[start(*factor)..], stride)
            });
            least_over(&sum, &rows.collect::<Vec<_>>(), inner, &mut values);
            if !advance(&mut digits, outer) {
                return values;
            }
        }
    }

    /// How far apart a table's rows are for consecutive locations of each stage in `scope`.
    fn strides(&self, table: &Table, scope: &[usize]) -> Vec<usize> {
        let stride = |stage: &usize| match table.scope.iter().position(|own| own == stage) {
            None => 0,
            Some(place) => table.scope[place + 1..].iter().map(|later| self.size(*later)).product(),
        };
        scope.iter().map(stride).collect()
    }

    /// A message's value where the stages in its scope are in these groups.
    fn at(&self, table: &Table, groups: &[usize]) -> u128 {
        let index =
            table.scope.iter().fold(0, |index, stage| index * self.size(*stage) + groups[*stage]);
        table.values[index]
    }

    /// The sum of a stage's bucket for each of its groups, where later stages are decided.
    fn bucket(&self, stage: usize, groups: &mut [usize]) -> Vec<u128> {
        let mut sums = self.unary(stage);
        for (index, other) in self.open_links(stage) {
            let link = &self.model.links[index];
            let there = self.model.stages[other][groups[other]].location;
            for (sum, group) in sums.iter_mut().zip(&self.model.stages[stage]) {
                let (from, to) = match link.from == stage {
                    true => (group.location, there),
                    false => (there, group.location),
                };
                let transfer = self.model.transfer(link, from, to);
                *sum = (*sum + self.weighing.link(index, transfer)).min(INFINITE);
            }
        }
        for message in &self.received[stage] {
            for (group, sum) in sums.iter_mut().enumerate() {
                groups[stage] = group;
                let value = self.at(&self.messages[*message].table, groups);
                *sum = (*sum + value).min(INFINITE);
            }
        }
        sums
    }

    /// Depth-first through the stages in reverse order of elimination, the most promising group
    /// first. Without a split the first descent is optimal.
    pub(crate) fn search(&self, nodes: usize) -> Found {
        if self.bound >= INFINITE {
            return Found::Nothing;
        }
        let count = self.order.len();
        let mut groups = vec![0; count];
        let mut best: Option<(u128, Vec<usize>)> = None;
        let mut visited = 0;
        let mut open = vec![self.children(count - 1, self.bound, &mut groups)];
        while let Some(level) = open.last_mut() {
            let Some((bound, group)) = level.pop() else {
                open.pop();
                continue;
            };
            if best.as_ref().is_some_and(|(sum, _)| bound >= *sum) {
                open.pop();
                continue;
            }
            let place = count - open.len();
            groups[self.order[place]] = group;
            visited += 1;
            if place == 0 {
                best = Some((bound, groups.clone()));
            } else {
                open.push(self.children(place - 1, bound, &mut groups));
            }
            let done = best.as_ref().is_some_and(|(sum, _)| *sum == self.bound);
            if done || (visited >= nodes.max(count) && !open.is_empty()) {
                return self.conclude(best, self.bound);
            }
        }
        match best {
            None => Found::Nothing,
            Some((sum, _)) => self.conclude(best, sum),
        }
    }

    /// The groups of the stage at a place with the bound each leads to, the best one last.
    fn children(&self, place: usize, bound: u128, groups: &mut [usize]) -> Vec<(u128, usize)> {
        let stage = self.order[place];
        let promised = self.sent[stage]
            .iter()
            .map(|message| self.at(&self.messages[*message].table, groups))
            .sum::<u128>();
        let sums = self.bucket(stage, groups).into_iter().enumerate();
        let mut children: Vec<_> = sums
            .filter(|(_, sum)| *sum < INFINITE)
            .map(|(group, sum)| (bound - promised + sum, group))
            .collect();
        children.sort_unstable_by(|left, right| right.cmp(left));
        children
    }

    fn conclude(&self, best: Option<(u128, Vec<usize>)>, bound: u128) -> Found {
        let Some((sum, groups)) = best else { return Found::Capped };
        let picks = groups.iter().enumerate().map(|(stage, group)| {
            let candidates = &self.model.stages[stage][*group].candidates;
            Pick { group: *group, candidate: self.best_in(stage, candidates).0 }
        });
        Found::Best(Assignment { picks: picks.collect(), sum, bound })
    }
}

fn dot(strides: &[usize], digits: &[usize]) -> usize {
    strides.iter().zip(digits).map(|(stride, digit)| stride * digit).sum()
}

fn add_row(sum: &mut [u128], row: &[u128]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum = (*sum + value).min(INFINITE);
    }
}

/// The innermost loop: for each of `count` rows the least sum.
fn least_over(sum: &[u128], rows: &[(&[u128], usize)], count: usize, values: &mut Vec<u128>) {
    let least = |sums: &[u128], row: &[u128]| {
        let pairs = sums.iter().zip(row).map(|(left, right)| left + right);
        pairs.min().unwrap_or(INFINITE).min(INFINITE)
    };
    let mut joined = sum.to_vec();
    for index in 0..count {
        match rows {
            [] => values.push(sum.iter().copied().min().unwrap_or(INFINITE).min(INFINITE)),
            [(row, stride)] => values.push(least(sum, &row[index * stride..])),
            [(last, last_stride), others @ ..] => {
                joined.copy_from_slice(sum);
                others
                    .iter()
                    .for_each(|(row, stride)| add_row(&mut joined, &row[index * stride..]));
                values.push(least(&joined, &last[index * last_stride..]));
            }
        }
    }
}

/// The next number in a mixed base; false after the last.
fn advance(digits: &mut [usize], sizes: &[usize]) -> bool {
    for (digit, size) in digits.iter_mut().zip(sizes).rev() {
        *digit += 1;
        if *digit < *size {
            return true;
        }
        *digit = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;
    use crate::sample;
    use crate::schedule::{Schedule, Transfer};
    use crate::weights::{CARBON, COST, Terms};

    /// Cheapest cost of a chain, location by location.
    fn chain(problem: &Problem) -> u64 {
        let cost = |stage: usize, choice: usize| {
            let figures = problem.stages[stage].choices[choice].figures.clone();
            figures.cost.value().unwrap().get()
        };
        let mut best: Vec<u64> = vec![];
        for stage in 0..problem.stages.len() {
            let choices = 0..problem.stages[stage].choices.len();
            best = choices
                .map(|to| {
                    let way = |from: usize| {
                        let location = |stage: usize, choice: usize| {
                            problem.stages[stage].choices[choice].location
                        };
                        let edge = problem.edges.get(stage.checked_sub(1)?)?;
                        let (from, to) = (location(stage - 1, from), location(stage, to));
                        let transfer = Transfer::between(problem, edge, from, to).ok()?;
                        Some(transfer.cost.value()?.get())
                    };
                    let ways = (0..best.len()).filter_map(|from| Some(best[from] + way(from)?));
                    cost(stage, to) + ways.min().unwrap_or(0)
                })
                .collect();
        }
        best.into_iter().min().unwrap()
    }

    fn cheapest(problem: &Problem) -> (Model, Weighing) {
        let model = Model::new(problem, &Terms::of(problem));
        let weighing = Weighing::lexicographic(&model, &[COST, CARBON]);
        (model, weighing)
    }

    #[test]
    fn a_long_chain_costs_what_dynamic_programming_says() {
        for seed in 0..8 {
            let problem = sample::random(seed, 60, 12, 1);
            let (model, weighing) = cheapest(&problem);
            let Found::Best(best) = minimum(&model, &weighing) else { panic!("feasible") };
            let choices = model.choices(&best.picks);
            let totals = Schedule::new(&problem, &choices).unwrap().totals;
            assert_eq!(totals.cost.total.get(), chain(&problem));
            assert_eq!(best.sum, best.bound);
        }
    }

    #[test]
    fn split_buckets_find_the_same_optimum() {
        for seed in 0..20 {
            let problem = sample::random(seed, 9, 4, 3);
            let (model, weighing) = cheapest(&problem);
            let Found::Best(whole) = minimum(&model, &weighing) else { panic!("feasible") };
            let split = Elimination::new(&model, &weighing, (0..9).rev().collect(), 4);
            assert!(split.split && split.bound <= whole.sum);
            let Found::Best(found) = split.search(NODES) else { panic!("feasible") };
            assert_eq!((found.sum, found.bound), (whole.sum, whole.sum));
            let Found::Best(hasty) = split.search(1) else { panic!("feasible") };
            assert!(hasty.bound <= whole.sum && whole.sum <= hasty.sum);
        }
    }

    #[test]
    fn min_fill_takes_a_ring_apart_with_width_two() {
        let choices = vec![vec![sample::choice(0, (1, 1, 1))]; 5];
        let ring = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)];
        let edges = ring.map(|(from, to)| sample::edge(from, to, 1)).to_vec();
        let (model, weighing) = cheapest(&sample::project(choices, edges));
        let (order, _) = min_fill(&model);
        let elimination = Elimination::new(&model, &weighing, order, usize::MAX);
        let widths = elimination.messages.iter().map(|message| message.table.scope.len());
        assert_eq!(widths.max(), Some(2));
    }
}
