//! How good can a partial plan still become?
//!
//! - [`Remaining`]: for any non-negative weighing of cost, carbon and the time of one path, the
//!   least that the stages not yet placed must add, given where the placed ones are. It is the
//!   cost-to-go read off the messages of an elimination in reverse topological order; exact for
//!   additive axes unless a table was split, and then a lower bound.
//! - [`Rest`]: the least time from the end of a stage to the end of the pass.
//!
//! With caps `C` on each axis (limits, and the best plan so far), a partial plan is hopeless when
//! `weight(so far) + remaining > weight(C)`: no completion could respect every cap at once. With
//! the right multipliers this is the Lagrangian bound.

use crate::elimination::{Elimination, INFINITE, Message, Timed, Weighing};
use crate::weights::{Model, TIME};

/// The most entries one table of the cost-to-go may have: a sharper bound must not cost more than
/// the labels it saves.
const ENTRIES: usize = 1 << 13;

/// Where the path whose time is weighed stands after some stages have been placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathState {
    /// None of it has been placed.
    Ahead,
    /// This placed stage is its last one so far.
    At(usize),
    /// All of it has been placed.
    Behind,
}

/// The least that unplaced stages add to a weighed sum.
#[derive(Debug)]
pub(crate) struct Remaining {
    /// What is weighed.
    pub(crate) weighing: Weighing,
    /// The least sum of a complete plan.
    pub(crate) least: u128,
    messages: Vec<Message>,
}

impl Remaining {
    /// Eliminates all stages from the last to the first.
    pub(crate) fn new(model: &Model, weighing: Weighing) -> Self {
        let order = (0..model.stages.len()).rev().collect();
        let elimination = Elimination::new(model, &weighing, order, ENTRIES);
        let (least, messages) = (elimination.bound, elimination.messages);
        Self { weighing, least, messages }
    }

    /// How to look the remainder up once the stages before `next` are placed and `live` are those
    /// among them that matter.
    pub(crate) fn after(&self, model: &Model, next: usize, live: &[usize]) -> Lookup<'_> {
        let crosses = |message: &&Message| {
            message.from >= next && message.table.scope.iter().all(|stage| *stage < next)
        };
        let mut lookup = Lookup { constant: 0, tables: vec![] };
        for message in self.messages.iter().filter(crosses) {
            let scope = &message.table.scope;
            if scope.is_empty() {
                lookup.constant = (lookup.constant + message.table.values[0]).min(INFINITE);
                continue;
            }
            let mut stride = 1;
            let mut places = vec![];
            for stage in scope.iter().rev() {
                let place = live.iter().position(|live| live == stage).unwrap_or(0);
                places.push((place, stride));
                stride *= model.stages[*stage].len();
            }
            lookup.tables.push((places, &message.table.values));
        }
        lookup
    }

    /// Where the weighed path stands once the stages before `next` are placed.
    pub(crate) fn path_state(&self, next: usize) -> PathState {
        let Timed::Path { stages, .. } = &self.weighing.timed else { return PathState::Ahead };
        let ends = stages[next..].iter().all(|on| !on);
        match stages[..next].iter().rposition(|on| *on) {
            None => PathState::Ahead,
            Some(_) if ends => PathState::Behind,
            Some(stage) => PathState::At(stage),
        }
    }

    /// Whether the time of a path is part of the sum.
    pub(crate) fn weighs_time(&self) -> bool {
        self.weighing.multipliers[TIME] > 0
    }
}

/// For each stage in the scope of a table: its place among the live stages, and its stride.
type Places = Vec<(usize, usize)>;

/// [`Remaining`] at one point of the search.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    constant: u128,
    tables: Vec<(Places, &'a [u128])>,
}

impl Lookup<'_> {
    /// The remainder where the live stages are in these groups.
    pub(crate) fn at(&self, groups: &[u64]) -> u128 {
        let values = self.tables.iter().map(|(places, values)| {
            let index = places.iter().map(|(place, stride)| groups[*place] as usize * stride);
            values[index.sum::<usize>()]
        });
        values.fold(self.constant, |sum, value| (sum + value).min(INFINITE))
    }
}

/// Longer than any pass.
const NEVER: u64 = u64::MAX / 4;

/// Least times between stages.
#[derive(Debug)]
pub(crate) struct Rest {
    /// Per stage and group: from its end to the end of the pass.
    pub(crate) after: Vec<Vec<u64>>,
    /// Per stage and later stage that waits for it: from the end of one to the start of the other.
    /// Empty where no machine is shared.
    pub(crate) between: Vec<Vec<Option<u64>>>,
}

impl Rest {
    /// Both tables.
    pub(crate) fn new(model: &Model) -> Self {
        let count = model.stages.len();
        let fastest: Vec<Vec<u64>> = model.stages.iter().map(|groups| quickest(groups)).collect();
        let mut after: Vec<Vec<u64>> = vec![vec![]; count];
        for stage in (0..count).rev() {
            let least = |link: &usize, from: usize| {
                let link = &model.links[*link];
                let ways = model.stages[link.to].iter().enumerate().filter_map(|(index, group)| {
                    let transfer = model.transfer(link, from, group.location)?;
                    Some(transfer[TIME] + fastest[link.to][index] + after[link.to][index])
                });
                ways.min().unwrap_or(NEVER).min(NEVER)
            };
            let rest = model.stages[stage].iter().map(|group| {
                let links = model.outgoing[stage].iter();
                links.map(|link| least(link, group.location)).max().unwrap_or(0)
            });
            after[stage] = rest.collect();
        }
        let between = if model.machines > 0 { waits(model, &fastest) } else { vec![] };
        Self { after, between }
    }
}

/// How often [`in_time`] looks again: what one removal rules out elsewhere.
const LOOKS: usize = 3;

/// Removes candidates with which no pass can end in time, however fast everything else is.
pub(crate) fn in_time(model: &mut Model, latest: u64) {
    for _ in 0..LOOKS {
        let rest = Rest::new(model).after;
        let ready = ready(model);
        for (stage, groups) in model.stages.iter_mut().enumerate() {
            for (index, group) in groups.iter_mut().enumerate() {
                let around = ready[stage][index].saturating_add(rest[stage][index]);
                group.candidates.retain(|one| around.saturating_add(one.weights[TIME]) <= latest);
            }
            groups.retain(|group| !group.candidates.is_empty());
        }
        if model.without_candidates() {
            return;
        }
    }
}

/// Per stage and group: the earliest that its data can be there.
fn ready(model: &Model) -> Vec<Vec<u64>> {
    let mut ends: Vec<Vec<u64>> = vec![];
    let mut ready: Vec<Vec<u64>> = vec![];
    for (stage, groups) in model.stages.iter().enumerate() {
        let arrival = |link: &usize, to: usize| {
            let link = &model.links[*link];
            let ways = model.stages[link.from].iter().zip(&ends[link.from]);
            let ways = ways.filter_map(|(from, end)| {
                Some(end + model.transfer(link, from.location, to)?[TIME])
            });
            ways.min().unwrap_or(NEVER).min(NEVER)
        };
        let starts = groups.iter().map(|group| {
            let links = model.incoming[stage].iter();
            links.map(|link| arrival(link, group.location)).max().unwrap_or(0)
        });
        let starts: Vec<u64> = starts.collect();
        let fastest = quickest(groups);
        ends.push(starts.iter().zip(fastest).map(|(start, time)| start + time).collect());
        ready.push(starts);
    }
    ready
}

fn quickest(groups: &[crate::weights::Group]) -> Vec<u64> {
    let times = |group: &crate::weights::Group| {
        let times = group.candidates.iter().map(|candidate| candidate.weights[TIME]);
        times.min().unwrap_or(NEVER)
    };
    groups.iter().map(times).collect()
}

fn waits(model: &Model, fastest: &[Vec<u64>]) -> Vec<Vec<Option<u64>>> {
    let count = model.stages.len();
    let mut between = vec![vec![None; count]; count];
    for stage in (0..count).rev() {
        for link in model.outgoing[stage].iter().map(|link| &model.links[*link]) {
            let own = fastest[link.to].iter().min().copied().unwrap_or(0);
            let beyond: Vec<Option<u64>> =
                between[link.to].iter().map(|wait| wait.map(|wait| wait + own)).collect();
            between[stage][link.to] = between[stage][link.to].max(Some(0));
            for (wait, longer) in between[stage].iter_mut().zip(beyond) {
                *wait = (*wait).max(longer);
            }
        }
    }
    between
}
