//! What is a unit of each limit worth, and which good plan keeps to all of them?
//!
//! A limit is replaced by a price on what it limits. For any non-negative prices
//!
//! ```text
//! min over x of  goal(x) + sum of price[a] * (use[a](x) - limit[a])   <=   the optimum
//! ```
//!
//! so prices give bounds, and the plans met on the way are often good. The price of one limit is
//! found by intersecting the lines of two plans, one that breaks it and one that keeps it, until no
//! plan lies below (Handler and Zang, "A dual algorithm for the constrained shortest path problem",
//! Networks 10, 1980). The time of a pass is not a sum, but never less than that of one fixed path.

use crate::elimination::{Found, Timed, Weighing, minimum};
use crate::search::{Goal, keeps};
use crate::weights::{AXES, Amounts, Model, Pick, TIME};

/// What a unit of the goal counts; prices are whole multiples of a part of it.
const UNIT: u128 = 1 << 20;
/// Prices beyond this would not fit; nothing real comes near.
const DEAREST: u128 = 1 << 60;
/// The most plans tried for one price.
const STEPS: usize = 24;
/// How often all prices are adjusted when there are several.
const ROUNDS: usize = 3;
/// The most evaluations that improving a plan by single changes may take, times stages.
const IMPROVING: usize = 1 << 24;

/// The best plan met so far.
#[derive(Debug)]
pub(crate) struct Incumbent<'a> {
    model: &'a Model,
    goal: &'a Goal,
    limits: [Option<u64>; AXES],
    /// The plan and its totals.
    pub(crate) best: Option<(Vec<Pick>, Amounts)>,
}

impl<'a> Incumbent<'a> {
    /// None yet.
    pub(crate) const fn new(model: &'a Model, goal: &'a Goal, limits: [Option<u64>; AXES]) -> Self {
        Self { model, goal, limits, best: None }
    }

    fn value(&self, totals: &Amounts) -> u128 {
        match self.goal {
            Goal::Time => totals[TIME].into(),
            Goal::Sums(axes) => Weighing::lexicographic(self.model, axes).additive(totals),
        }
    }

    /// Takes a plan if it keeps to the limits and is better than the best so far.
    pub(crate) fn offer(&mut self, picks: &[Pick]) -> bool {
        let Some(totals) = self.model.measure(picks) else { return false };
        let best = self.best.as_ref().map(|(_, best)| self.value(best));
        let better = best.is_none_or(|best| self.value(&totals) < best);
        let taken = better && keeps(&totals, &self.limits);
        if taken {
            self.best = Some((picks.to_vec(), totals));
        }
        taken
    }

    /// Changes single stages as long as that makes the plan better.
    pub(crate) fn improve(&mut self) {
        let Some((mut picks, _)) = self.best.clone() else { return };
        let stages = picks.len();
        let mut left = IMPROVING / stages;
        let mut stage = 0;
        let mut unchanged = 0;
        while unchanged < stages {
            let before = picks[stage];
            let mut taken = before;
            for group in 0..self.model.stages[stage].len() {
                for candidate in 0..self.model.stages[stage][group].candidates.len() {
                    picks[stage] = Pick { group, candidate };
                    if self.offer(&picks) {
                        taken = picks[stage];
                    }
                    left = left.saturating_sub(1);
                }
            }
            if left == 0 {
                return;
            }
            picks[stage] = taken;
            unchanged = if taken == before { unchanged + 1 } else { 0 };
            stage = (stage + 1) % stages;
        }
    }
}

/// Prices on the limits.
#[derive(Debug)]
pub(crate) struct Prices {
    /// The axis of the goal.
    pub(crate) goal: usize,
    /// Goal plus priced limits; `None` where no limit can be priced.
    pub(crate) weighing: Option<Weighing>,
}

impl Prices {
    /// Good prices, offering every plan met to the incumbent; `None` proves that no plan keeps to
    /// all limits.
    pub(crate) fn find(
        model: &Model,
        goal: &Goal,
        limits: &[Option<u64>; AXES],
        incumbent: &mut Incumbent<'_>,
    ) -> Option<Self> {
        let goal = match goal {
            Goal::Time => TIME,
            Goal::Sums(axes) => axes.first().copied().unwrap_or(TIME),
        };
        let limited = |axis: &usize| *axis != goal && limits[*axis].is_some();
        let axes: Vec<usize> =
            (0..AXES).filter(limited).filter(|axis| *axis != TIME || model.timed).collect();
        let mut reference = Weighing::only(goal);
        reference.multipliers[TIME] = 1;
        let Found::Best(first) = minimum(model, &reference) else {
            return Some(Self { goal, weighing: None });
        };
        incumbent.offer(&first.picks);
        let mut multipliers = [0; AXES];
        multipliers[goal] = UNIT;
        let timed = if model.timed { longest_path(model, &first.picks) } else { Timed::Everything };
        let mut market = Market { model, incumbent, timed, multipliers };
        let rounds = if axes.len() > 1 { ROUNDS } else { 1 };
        for _ in 0..rounds {
            for axis in &axes {
                market.price(*axis, limits[*axis].unwrap_or(0))?;
            }
        }
        let weighing = Weighing { multipliers: market.multipliers, timed: market.timed };
        Some(Self { goal, weighing: (!axes.is_empty()).then_some(weighing) })
    }
}

/// Prices while they are sought.
struct Market<'a, 'b> {
    model: &'a Model,
    incumbent: &'a mut Incumbent<'b>,
    timed: Timed,
    multipliers: [u128; AXES],
}

/// A plan as a line: what it costs without the price, and how much of the limited axis it uses.
#[derive(Clone, Copy)]
struct Line {
    cost: u128,
    used: u128,
}

impl Market<'_, '_> {
    /// Sets the price of one axis, given the others; `None` when even the least use is too much.
    fn price(&mut self, axis: usize, limit: u64) -> Option<()> {
        self.multipliers[axis] = 0;
        let limit = u128::from(limit);
        let (Some((mut breaking, _)), Some((mut keeping, least))) =
            (self.best(self.multipliers, axis), self.best(Weighing::only(axis).multipliers, axis))
        else {
            return Some(());
        };
        if least > limit {
            return None;
        }
        for _ in 0..STEPS {
            if keeping.used > limit || breaking.used <= limit || keeping.cost <= breaking.cost {
                break;
            }
            let price = (keeping.cost - breaking.cost).div_ceil(breaking.used - keeping.used);
            self.multipliers[axis] = price.min(DEAREST);
            let price = self.multipliers[axis];
            let Some((between, _)) = self.best(self.multipliers, axis) else { break };
            let sum = |line: Line| line.cost + price * line.used;
            if sum(between) >= sum(breaking).min(sum(keeping)) {
                break;
            }
            match between.used <= limit {
                true => keeping = between,
                false => breaking = between,
            }
        }
        Some(())
    }

    /// The plan with the least weighed sum as a line along an axis, and a lower bound on that sum.
    fn best(&mut self, multipliers: [u128; AXES], axis: usize) -> Option<(Line, u128)> {
        let weighing = Weighing { multipliers, timed: self.timed.clone() };
        let Found::Best(found) = minimum(self.model, &weighing) else { return None };
        self.incumbent.offer(&found.picks);
        let used = Weighing { timed: self.timed.clone(), ..Weighing::only(axis) };
        let mut rest = Weighing { multipliers: self.multipliers, timed: self.timed.clone() };
        rest.multipliers[axis] = 0;
        let line = Line {
            cost: sum(self.model, &rest, &found.picks),
            used: sum(self.model, &used, &found.picks),
        };
        Some((line, found.bound))
    }
}

/// The weighed sum of a complete plan without blocked transfers.
fn sum(model: &Model, weighing: &Weighing, picks: &[Pick]) -> u128 {
    let stages = picks.iter().enumerate();
    let stages =
        stages.map(|(stage, pick)| weighing.stage(stage, &model.candidate(stage, *pick).weights));
    let location = |stage: usize| model.stages[stage][picks[stage].group].location;
    let links = model.links.iter().enumerate().map(|(index, link)| {
        weighing.link(index, model.transfer(link, location(link.from), location(link.to)))
    });
    stages.chain(links).sum()
}

/// The path through the project that takes longest under a plan, waits for machines aside.
fn longest_path(model: &Model, picks: &[Pick]) -> Timed {
    let count = picks.len();
    let location = |stage: usize| model.stages[stage][picks[stage].group].location;
    let mut ends: Vec<u64> = vec![0; count];
    let mut through: Vec<Option<usize>> = vec![None; count];
    for stage in 0..count {
        let mut start = 0;
        for index in &model.incoming[stage] {
            let link = &model.links[*index];
            let transfer = model.transfer(link, location(link.from), location(stage));
            let ready = ends[link.from] + transfer.map_or(0, |transfer| transfer[TIME]);
            if through[stage].is_none() || ready > start {
                (start, through[stage]) = (ready, Some(*index));
            }
        }
        ends[stage] = start + model.candidate(stage, picks[stage]).weights[TIME];
    }
    let (mut stages, mut links) = (vec![false; count], vec![false; model.links.len()]);
    let mut at = (0..count).max_by_key(|stage| ends[*stage]);
    while let Some(stage) = at {
        stages[stage] = true;
        at = through[stage].map(|index| {
            links[index] = true;
            model.links[index].from
        });
    }
    Timed::Path { stages, links }
}
