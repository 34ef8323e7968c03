//! What does one complete plan cost, emit and take?
//!
//! ```text
//! start[stage] = max( end[producer] + transfer time   for each edge that ends here,
//!                     end of the stage before it on the same machine )
//! end[stage]   = start[stage] + time[stage];     time of one pass = the latest end
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::{AtLeast, Known};

use crate::amount::{Micros, Milligrams, Milliseconds, Objective};
use crate::problem::{Edge, LocationId, Problem, Rates, Route, moved};

/// What a whole plan comes to. A total with unknown parts is a lower bound and says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// Money per month.
    pub cost: AtLeast<Micros>,
    /// Carbon per month.
    pub carbon: AtLeast<Milligrams>,
    /// Time of one pass.
    pub time: AtLeast<Milliseconds>,
}

impl Totals {
    /// Nothing.
    const fn zero() -> Self {
        Self {
            cost: AtLeast::new(Micros::ZERO),
            carbon: AtLeast::new(Milligrams::ZERO),
            time: AtLeast::new(Milliseconds::ZERO),
        }
    }

    /// The known part of one total, in its unit.
    #[must_use]
    pub const fn count(&self, objective: Objective) -> u64 {
        match objective {
            Objective::Cost => self.cost.total.get(),
            Objective::Time => self.time.total.get(),
            Objective::Carbon => self.carbon.total.get(),
        }
    }

    fn add(&mut self, cost: &Known<Micros>, carbon: &Known<Milligrams>) {
        self.cost.add(cost.clone(), |sum, part| Micros::new(sum.get().saturating_add(part.get())));
        self.carbon
            .add(carbon.clone(), |sum, part| Milligrams::new(sum.get().saturating_add(part.get())));
    }
}

/// When a stage runs, counted from the start of the pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its first millisecond, queue and boot included.
    pub start: Milliseconds,
    /// When it is done.
    pub end: Milliseconds,
}

/// What moving one edge's data takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Transfer {
    /// Money per month.
    pub cost: Known<Micros>,
    /// Carbon per month.
    pub carbon: Known<Milligrams>,
    /// Time of one pass.
    pub time: Known<Milliseconds>,
}

impl Transfer {
    const FREE: Self = Self {
        cost: Known::Value(Micros::ZERO),
        carbon: Known::Value(Milligrams::ZERO),
        time: Known::Value(Milliseconds::ZERO),
    };

    /// What an edge takes between two locations, or why its data cannot move there.
    pub(crate) fn between(
        problem: &Problem,
        edge: &Edge,
        from: LocationId,
        to: LocationId,
    ) -> Result<Self, Arc<str>> {
        if edge.pass.get() == 0 && edge.monthly.get() == 0 {
            return Ok(Self::FREE);
        }
        match problem.routes.between(from, to) {
            None => Ok(Self::FREE),
            Some(Route::Blocked(why)) => Err(Arc::clone(why)),
            Some(Route::Open(rates)) => Ok(Self::over(rates, edge)),
        }
    }

    fn over(rates: &Rates, edge: &Edge) -> Self {
        let amount = |objective, bytes: u64| match bytes {
            0 => Known::Value(0),
            _ => rates
                .count(objective)
                .map(|rate| u64::try_from(moved(rate, bytes)).unwrap_or(u64::MAX)),
        };
        let latency = if edge.pass.get() > 0 { rates.latency.get() } else { 0 };
        Self {
            cost: amount(Objective::Cost, edge.monthly.get()).map(Micros::new),
            carbon: amount(Objective::Carbon, edge.monthly.get()).map(Milligrams::new),
            time: amount(Objective::Time, edge.pass.get())
                .map(|time| Milliseconds::new(time.saturating_add(latency))),
        }
    }

    /// Why a figure that the problem needs is missing.
    pub(crate) fn missing(&self, problem: &Problem) -> Option<(Objective, Arc<str>)> {
        let cost = (Objective::Cost, self.cost.why());
        let carbon = (Objective::Carbon, self.carbon.why());
        let time = (Objective::Time, self.time.why());
        let missing = [cost, carbon, time].into_iter().filter(|(axis, _)| problem.needs(*axis));
        missing.filter_map(|(axis, why)| Some((axis, Arc::from(why?)))).next()
    }
}

/// A plan with everything that follows from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// Per stage when it runs; unknown times count as nothing.
    pub(crate) slots: Vec<Slot>,
    /// Per edge what it takes.
    pub(crate) transfers: Vec<Transfer>,
    /// What it all comes to.
    pub(crate) totals: Totals,
}

/// Why data cannot get to a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// The route is blocked.
    Blocked(Arc<str>),
    /// A rate that is needed is unknown.
    Unknown(Objective, Arc<str>),
}

impl Schedule {
    /// What follows from a choice for each stage, or the first edge whose data cannot move.
    pub(crate) fn new(problem: &Problem, choices: &[usize]) -> Result<Self, NoWay> {
        let chosen = |stage: usize| &problem.stages[stage].choices[choices[stage]];
        let mut transfers = Vec::with_capacity(problem.edges.len());
        let mut totals = Totals::zero();
        let mut arriving: Vec<Vec<usize>> = vec![vec![]; choices.len()];
        for (index, edge) in problem.edges.iter().enumerate() {
            let (from, to) = (chosen(edge.from).location, chosen(edge.to).location);
            let transfer = Transfer::between(problem, edge, from, to).map_err(NoWay::Blocked)?;
            if let Some((objective, why)) = transfer.missing(problem) {
                return Err(NoWay::Unknown(objective, why));
            }
            totals.add(&transfer.cost, &transfer.carbon);
            arriving[edge.to].push(index);
            transfers.push(transfer);
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(choices.len());
        let mut free = BTreeMap::new();
        let mut missing = AtLeast::new(Milliseconds::ZERO);
        let mut known = |time: &Known<Milliseconds>| {
            missing.add(time.clone(), |sum, _| *sum);
            time.clone().value().map_or(0, Milliseconds::get)
        };
        for (stage, arriving) in arriving.iter().enumerate() {
            let choice = chosen(stage);
            totals.add(&choice.figures.cost, &choice.figures.carbon);
            let machine = choice.machine.and_then(|machine| free.get(&machine)).copied();
            let mut start = machine.unwrap_or(0);
            for edge in arriving {
                let ready = slots[problem.edges[*edge].from].end.get();
                start = start.max(ready.saturating_add(known(&transfers[*edge].time)));
            }
            let end = start.saturating_add(known(&choice.figures.time));
            free.extend(choice.machine.map(|machine| (machine, end)));
            slots.push(Slot { start: Milliseconds::new(start), end: Milliseconds::new(end) });
        }
        totals.time.missing = missing.missing;
        totals.time.total = slots.iter().map(|slot| slot.end).max().unwrap_or(Milliseconds::ZERO);
        Ok(Self { slots, transfers, totals })
    }
}
