//! Which plan is best when finishing times, or two sums at once, decide?
//!
//! Label setting in topological order. A label is a partial plan, reduced to what its completion
//! can notice: the location of every placed stage that still has unplaced successors, when each of
//! those ends, when each shared machine is free, how long the pass takes at least, and the sums so
//! far. Of two labels with the same locations one that is nowhere worse replaces the other, which
//! is exact because finishing earlier and spending less never hurt a completion. Labels that
//! cannot beat the caps (see [`crate::bound`]) are dropped, exactly as well.
//!
//! Past [`LABELS`] labels per stage the least promising are set aside, and the least that any of
//! them could have reached is reported: the result is then optimal or has a proven gap.
//!
//! Source: Martins, "On a multicriteria shortest path problem", EJOR 16 (1984), for the labels.

use crate::bound::{Lookup, PathState, Remaining, Rest};
use crate::dominance::Rows;
use crate::elimination::Weighing;
use crate::weights::{ADDITIVE, AXES, Amounts, BREAKS, CARBON, COST, Model, Pick, TIME};

/// The most labels kept after each stage.
pub(crate) const LABELS: usize = 40_000;
/// How many times [`LABELS`] may be waiting before they are thinned.
const WAITING: usize = 4;

/// In which respects labels are compared.
#[derive(Clone, Debug)]
pub(crate) struct Respects {
    /// Sums that are compared one after the other.
    pub(crate) ordered: Option<Weighing>,
    /// Sums that are compared each for itself.
    pub(crate) axes: Vec<usize>,
    /// Whether finishing times matter.
    pub(crate) timed: bool,
}

impl Respects {
    /// How many sums that makes.
    fn sums(&self) -> usize {
        self.axes.len() + usize::from(self.ordered.is_some())
    }

    /// The sums, and the time where it matters, for a candidate or a complete plan.
    pub(crate) fn row(&self, amounts: &Amounts) -> impl Iterator<Item = u128> {
        let ordered = self.ordered.as_ref().map(|weighing| weighing.additive(amounts));
        let axes = self.axes.iter().map(|axis| u128::from(amounts[*axis]));
        let time = self.timed.then(|| u128::from(amounts[TIME]));
        ordered.into_iter().chain(axes).chain(time)
    }

    /// The length of [`Respects::row`].
    pub(crate) fn width(&self) -> usize {
        self.sums() + usize::from(self.timed)
    }
}

/// A bound and what it must not exceed.
#[derive(Debug)]
pub(crate) struct Capped {
    /// The bound.
    pub(crate) remaining: Remaining,
    /// The most the sum may come to; `u128::MAX` when it is not limited.
    pub(crate) cap: u128,
}

/// Which labels to keep when there are too many.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Promise {
    /// Those that can reach the least sum, by the bound at this position.
    Sum(usize),
    /// Those that can end first.
    Time,
    /// Some of each kind.
    Spread,
}

/// What the search looks for.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The stages, candidates and links.
    pub(crate) model: &'a Model,
    /// In which respects plans differ.
    pub(crate) respects: Respects,
    /// What no plan of interest exceeds. Where plans are `known`, the first bounds are those of
    /// `respects.axes`, in their order.
    pub(crate) caps: Vec<Capped>,
    /// The longest that a plan of interest takes.
    pub(crate) latest: Option<u64>,
    /// Which labels to keep when there are too many.
    pub(crate) promise: Promise,
    /// Complete plans that are known already, by `respects`: what they match or beat is dropped.
    pub(crate) known: Vec<Vec<u128>>,
    /// The most labels kept after each stage.
    pub(crate) labels: usize,
}

/// What the search found.
#[derive(Debug)]
pub(crate) struct Answers {
    /// Complete plans of which none is nowhere worse than another.
    pub(crate) plans: Vec<(Vec<Pick>, Amounts)>,
    /// The least that a label set aside could have reached, by [`Promise`]; none when the search
    /// was complete.
    pub(crate) set_aside: Option<u128>,
    /// The most labels held after one stage.
    pub(crate) peak: usize,
}

/// A partial plan.
#[derive(Clone, Debug)]
struct Label {
    /// The sums so far, without time.
    sums: [u64; 3],
    /// Groups of the live stages; when time matters also their ends, when each machine is free,
    /// and the least time of the pass.
    at: Box<[u64]>,
    /// The label it extends, as a position in the trail.
    parent: u32,
    /// What it adds.
    pick: Pick,
}

/// One stage of the search: how labels change when it is placed.
struct Step<'a> {
    stage: usize,
    /// Live stages afterwards.
    live: Vec<usize>,
    /// Where each of them was among the live stages before; `None` for the stage itself.
    kept: Vec<Option<usize>>,
    /// Machines that matter afterwards, with the later stages that may use them.
    machines: Vec<(usize, Vec<usize>)>,
    /// The links that end here: where their origin was, and transfers by group and group.
    parents: Vec<(usize, Vec<Vec<Option<Amounts>>>)>,
    lookups: Vec<(Lookup<'a>, PathState)>,
}

/// The search as it stands.
struct Search<'a> {
    question: &'a Question<'a>,
    rest: Option<Rest>,
    trail: Vec<(u32, Pick)>,
    set_aside: Option<u128>,
    peak: usize,
}

/// Answers a question.
pub(crate) fn search(question: &Question<'_>) -> Answers {
    let rest = question.respects.timed.then(|| Rest::new(question.model));
    let mut search = Search { question, rest, trail: vec![], set_aside: None, peak: 0 };
    search.run()
}

impl<'a> Search<'a> {
    fn run(&mut self) -> Answers {
        let model = self.question.model;
        let origin = Pick { group: 0, candidate: 0 };
        let width = if self.question.respects.timed { 1 } else { 0 };
        let start = Label {
            sums: [0; 3],
            at: vec![0; width].into_boxed_slice(),
            parent: u32::MAX,
            pick: origin,
        };
        let (mut labels, mut live, mut machines) = (vec![start], vec![], vec![]);
        for stage in 0..model.stages.len() {
            let step = self.step(stage, &live);
            labels = self.extend(&labels, &step, &live, &machines, stage == 0);
            machines = step.machines.iter().map(|(machine, _)| *machine).collect();
            live = step.live;
        }
        let plans = labels.iter().map(|label| self.plan(label)).collect();
        Answers { plans, set_aside: self.set_aside, peak: self.peak }
    }

    fn plan(&self, label: &Label) -> (Vec<Pick>, Amounts) {
        let mut picks = vec![label.pick];
        let mut parent = label.parent;
        while let Some((next, pick)) = self.trail.get(parent as usize) {
            picks.push(*pick);
            parent = *next;
        }
        picks.reverse();
        let mut totals = [0; AXES];
        totals[..3].copy_from_slice(&label.sums);
        totals[TIME] = label.at.last().copied().unwrap_or(0);
        (picks, totals)
    }

    fn step(&self, stage: usize, before: &[usize]) -> Step<'a> {
        let model = self.question.model;
        let waits =
            |from: &usize| model.outgoing[*from].iter().any(|link| model.links[*link].to > stage);
        let live: Vec<usize> = before.iter().copied().chain([stage]).filter(waits).collect();
        let kept = live.iter().map(|now| before.iter().position(|then| then == now)).collect();
        let parents = model.incoming[stage].iter().map(|index| {
            let link = &model.links[*index];
            let place = before.iter().position(|then| *then == link.from).unwrap_or(0);
            let rows = model.stages[link.from].iter().map(|from| {
                let to = model.stages[stage].iter();
                to.map(|to| model.transfer(link, from.location, to.location)).collect()
            });
            (place, rows.collect())
        });
        let uses = |machine: usize, stage: &usize| {
            let candidates = model.stages[*stage].iter().flat_map(|group| &group.candidates);
            candidates.into_iter().any(|candidate| candidate.machine == Some(machine))
        };
        let count = if self.question.respects.timed { model.machines } else { 0 };
        let machines = (0..count).filter_map(|machine| {
            let later: Vec<usize> =
                (stage + 1..model.stages.len()).filter(|stage| uses(machine, stage)).collect();
            (!later.is_empty()).then_some((machine, later))
        });
        let lookups = self.question.caps.iter().map(|capped| {
            let remaining = &capped.remaining;
            (remaining.after(model, stage + 1, &live), remaining.path_state(stage + 1))
        });
        let lookups = lookups.collect();
        Step {
            stage,
            kept,
            machines: machines.collect(),
            parents: parents.collect(),
            lookups,
            live,
        }
    }

    /// All labels with one more stage placed.
    fn extend(
        &mut self,
        labels: &[Label],
        step: &Step<'_>,
        before: &[usize],
        machines: &[usize],
        first: bool,
    ) -> Vec<Label> {
        let mut next = vec![];
        let trail = if first { u32::MAX } else { self.trail.len() as u32 };
        if !first {
            self.trail.extend(labels.iter().map(|label| (label.parent, label.pick)));
        }
        let mut limit = self.question.labels.saturating_mul(WAITING);
        for (index, label) in labels.iter().enumerate() {
            let parent = if first { trail } else { trail + index as u32 };
            for group in 0..self.question.model.stages[step.stage].len() {
                self.place(label, step, (before, machines), (group, parent), &mut next);
            }
            if next.len() > limit {
                next = self.thin(next, step.live.len());
                limit = limit.max(next.len() * 2);
            }
        }
        let kept = self.thin(next, step.live.len());
        let kept = self.set_aside_beyond_cap(kept, step);
        self.peak = self.peak.max(kept.len());
        kept
    }

    /// Every way to place the stage of `step` in one group, after `label`.
    fn place(
        &self,
        label: &Label,
        step: &Step<'_>,
        (before, machines): (&[usize], &[usize]),
        (group, parent): (usize, u32),
        next: &mut Vec<Label>,
    ) {
        let (mut sums, mut ready) = (label.sums, 0);
        let timed = self.question.respects.timed;
        for (place, rows) in &step.parents {
            let Some(transfer) = rows[label.at[*place] as usize][group] else { return };
            ADDITIVE.iter().for_each(|axis| sums[*axis] += transfer[*axis]);
            if timed {
                ready = ready.max(label.at[before.len() + place] + transfer[TIME]);
            }
        }
        let free = |machine: usize| {
            let place = machines.iter().position(|known| *known == machine);
            place.map_or(0, |place| label.at[2 * before.len() + place])
        };
        let candidates = &self.question.model.stages[step.stage][group].candidates;
        for (index, candidate) in candidates.iter().enumerate() {
            let mut sums = sums;
            ADDITIVE.iter().for_each(|axis| sums[*axis] += candidate.weights[*axis]);
            let mut at: Vec<u64> =
                Vec::with_capacity(2 * step.live.len() + step.machines.len() + 1);
            let groups =
                step.kept.iter().map(|kept| kept.map_or(group as u64, |kept| label.at[kept]));
            at.extend(groups);
            if timed {
                let start = candidate.machine.map_or(0, free).max(ready);
                let end = start + candidate.weights[TIME];
                let ends = step.kept.iter();
                at.extend(ends.map(|kept| kept.map_or(end, |kept| label.at[before.len() + kept])));
                at.extend(step.machines.iter().map(|(machine, _)| {
                    if candidate.machine == Some(*machine) { end } else { free(*machine) }
                }));
                at.push(label.at.last().map_or(end, |least| end.max(*least)));
                self.raise(&mut at, step, (group, end));
            }
            if self.hopeful(&sums, &at, step) {
                let pick = Pick { group, candidate: index };
                next.push(Label { sums, at: at.into_boxed_slice(), parent, pick });
            }
        }
    }

    /// Raises the least time of the pass, and the time at which a machine is free, to what they
    /// must come to anyway, so that labels differ only where it can be noticed.
    fn raise(&self, at: &mut [u64], step: &Step<'_>, (group, end): (usize, u64)) {
        let Some(rest) = &self.rest else { return };
        let live = step.live.len();
        let mut least = at[at.len() - 1].max(end + rest.after[step.stage][group]);
        for (place, stage) in step.live.iter().enumerate() {
            least = least.max(at[live + place] + rest.after[*stage][at[place] as usize]);
        }
        at[2 * live + step.machines.len()] = least;
        for (place, (_, later)) in step.machines.iter().enumerate() {
            let ready = later.iter().map(|later| {
                let waits = step.live.iter().enumerate().filter_map(|(place, stage)| {
                    Some(at[live + place] + rest.between[*stage][*later]?)
                });
                waits.max().unwrap_or(0)
            });
            let ready = ready.min().unwrap_or(0);
            at[2 * live + place] = at[2 * live + place].max(ready);
        }
    }

    /// The least that the completion of a label can come to, by one bound.
    fn reach(&self, bound: usize, sums: &[u64; 3], at: &[u64], step: &Step<'_>) -> u128 {
        let remaining = &self.question.caps[bound].remaining;
        let (lookup, state) = &step.lookups[bound];
        let amounts = [sums[BREAKS], sums[COST], sums[CARBON], 0];
        let mut reach = remaining.weighing.additive(&amounts) + lookup.at(at);
        if self.question.respects.timed && remaining.weighs_time() {
            let passed = match state {
                PathState::Ahead => 0,
                PathState::Behind => at[at.len() - 1],
                PathState::At(stage) => {
                    let place = step.live.iter().position(|live| live == stage);
                    place.map_or(0, |place| at[step.live.len() + place])
                }
            };
            reach += remaining.weighing.multipliers[TIME] * u128::from(passed);
        }
        reach
    }

    /// Whether a label may still lead to a plan of interest.
    fn hopeful(&self, sums: &[u64; 3], at: &[u64], step: &Step<'_>) -> bool {
        let time = if self.question.respects.timed { at[at.len() - 1] } else { 0 };
        if self.question.latest.is_some_and(|latest| time > latest) {
            return false;
        }
        let caps = self.question.caps.iter().enumerate();
        if caps.into_iter().any(|(bound, capped)| self.reach(bound, sums, at, step) > capped.cap) {
            return false;
        }
        if self.question.known.is_empty() {
            return true;
        }
        let axes = 0..self.question.respects.axes.len();
        let mut reach: Vec<u128> = axes.map(|bound| self.reach(bound, sums, at, step)).collect();
        reach.extend(self.question.respects.timed.then_some(u128::from(time)));
        let beats = |known: &Vec<u128>| known.iter().zip(&reach).all(|(known, own)| known <= own);
        !self.question.known.iter().any(beats)
    }

    /// Without labels that another one with the same live locations makes superfluous.
    fn thin(&self, mut labels: Vec<Label>, live: usize) -> Vec<Label> {
        let respects = &self.question.respects;
        labels.sort_by(|left, right| left.at[..live].cmp(&right.at[..live]));
        let mut kept = vec![];
        for alike in labels.chunk_by(|left, right| left.at[..live] == right.at[..live]) {
            let times = alike[0].at.len() - live;
            let mut rows = Rows::new(respects.sums() + times);
            for label in alike {
                let amounts = [label.sums[BREAKS], label.sums[COST], label.sums[CARBON], 0];
                let sums = respects.row(&amounts).take(respects.sums());
                rows.push(sums.chain(label.at[live..].iter().map(|time| u128::from(*time))));
            }
            kept.extend(rows.nondominated().into_iter().map(|index| alike[index].clone()));
        }
        kept
    }

    fn set_aside_beyond_cap(&mut self, labels: Vec<Label>, step: &Step<'_>) -> Vec<Label> {
        let cap = self.question.labels;
        if labels.len() <= cap {
            return labels;
        }
        let promise = |label: &Label| match self.question.promise {
            Promise::Sum(bound) => self.reach(bound, &label.sums, &label.at, step),
            Promise::Time => label.at.last().copied().map_or(0, u128::from),
            Promise::Spread => 0,
        };
        let mut ranked: Vec<(u128, usize)> =
            labels.iter().enumerate().map(|(index, label)| (promise(label), index)).collect();
        ranked.sort_unstable();
        if matches!(self.question.promise, Promise::Spread) {
            ranked.sort_by_key(|(_, index)| index * cap % labels.len() >= cap);
        }
        let least = ranked[cap].0;
        self.set_aside = Some(self.set_aside.map_or(least, |before| before.min(least)));
        let mut kept: Vec<usize> = ranked[..cap].iter().map(|(_, index)| *index).collect();
        kept.sort_unstable();
        kept.into_iter().map(|index| labels[index].clone()).collect()
    }
}
