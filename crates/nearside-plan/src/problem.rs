//! What has to be placed, where it may go, and under which limits?
//!
//! A [`Problem`] is plain data built by its caller. It knows no GPU, model or site: only choices
//! with figures, edges that carry bytes, and routes between locations.
//!
//! Moving an edge's data from location `a` to another location `b`:
//!
//! ```text
//! cost   per month = ceil(cost_per_gb   [a,b] * monthly bytes / 10^9)
//! carbon per month = ceil(carbon_per_gb [a,b] * monthly bytes / 10^9)
//! time   per pass  = latency[a,b] + ceil(time_per_gb[a,b] * pass bytes / 10^9),  0 when pass = 0
//! ```
//!
//! The products are exact (128 bits) and always rounded up. Within one location data is free and
//! at hand; an edge that carries no bytes only orders its stages. One pass takes as long as its
//! critical path, where stages on the same machine run one after the other in the order listed.

use std::sync::Arc;

use nearside_units::{Bytes, Known};

use crate::amount::{Micros, Milligrams, Milliseconds, Objective};
use crate::error::ProblemError;

/// Position of a location in [`Routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocationId(pub usize);

/// A near-side machine that runs one stage at a time; any number that tells machines apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub usize);

/// Position of a limit in [`Limits::named`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitId(pub usize);

/// What one stage costs at one choice.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Money per month, all repeats included.
    pub cost: Known<Micros>,
    /// Carbon per month, all repeats included.
    pub carbon: Known<Milligrams>,
    /// Time of one pass, queue and boot included.
    pub time: Known<Milliseconds>,
}

impl Figures {
    /// Figures that are all known: micros per month, milligrams per month, milliseconds per pass.
    #[must_use]
    pub const fn known(cost: u64, carbon: u64, time: u64) -> Self {
        Self {
            cost: Known::Value(Micros::new(cost)),
            carbon: Known::Value(Milligrams::new(carbon)),
            time: Known::Value(Milliseconds::new(time)),
        }
    }

    /// The count for one objective, in its unit.
    pub(crate) fn count(&self, objective: Objective) -> Known<u64> {
        count(objective, &self.cost, &self.carbon, &self.time)
    }
}

/// One of three figures, as a plain count.
fn count(
    objective: Objective,
    cost: &Known<Micros>,
    carbon: &Known<Milligrams>,
    time: &Known<Milliseconds>,
) -> Known<u64> {
    match objective {
        Objective::Cost => cost.as_ref().map(|amount| amount.get()),
        Objective::Carbon => carbon.as_ref().map(|amount| amount.get()),
        Objective::Time => time.as_ref().map(|amount| amount.get()),
    }
}

/// Why a choice may not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing can be done about it: it does not fit, or has no estimate.
    Hard(String),
    /// A named limit forbids it; a relaxation may drop that limit.
    Limit {
        /// The limit.
        limit: LimitId,
        /// What about this choice breaks it.
        why: String,
    },
}

/// One place where a stage could run.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Name of the site; several choices may be at one site.
    pub site: String,
    /// Where its data is.
    pub location: LocationId,
    /// The machine on which stages wait for one another; `None` when there is always a free one.
    pub machine: Option<MachineId>,
    /// What it costs.
    pub figures: Figures,
    /// Why it may not be taken; empty when it may.
    pub obstacles: Vec<Obstacle>,
}

/// One step of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Where it could run.
    pub choices: Vec<Choice>,
}

/// Data that one stage makes and a later one needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Position of the producing stage.
    pub from: usize,
    /// Position of the consuming stage, larger than `from`.
    pub to: usize,
    /// Moved in one pass: decides the time.
    pub pass: Bytes,
    /// Moved in one month: decides money and carbon.
    pub monthly: Bytes,
}

/// What moving data between two locations takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Money per 10^9 bytes.
    pub cost_per_gb: Known<Micros>,
    /// Carbon per 10^9 bytes.
    pub carbon_per_gb: Known<Milligrams>,
    /// Time per 10^9 bytes.
    pub time_per_gb: Known<Milliseconds>,
    /// Time before the first byte.
    pub latency: Milliseconds,
}

impl Rates {
    /// The rate of one objective, per 10^9 bytes in its unit.
    pub(crate) fn count(&self, objective: Objective) -> Known<u64> {
        count(objective, &self.cost_per_gb, &self.carbon_per_gb, &self.time_per_gb)
    }
}

/// Whether and how data gets from one location to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Route {
    /// It can be moved at these rates.
    Open(Rates),
    /// It must not or cannot be moved, for this reason.
    Blocked(Arc<str>),
}

/// Routes between all pairs of locations. A location's route to itself is never looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    locations: usize,
    table: Vec<Route>,
}

impl Routes {
    /// From a dense table: the route from `a` to `b` is entry `a * locations + b`.
    ///
    /// # Errors
    /// When the table is not `locations * locations` long.
    pub fn new(locations: usize, table: Vec<Route>) -> Result<Self, ProblemError> {
        let expected = locations.saturating_mul(locations);
        let found = table.len();
        match found == expected {
            true => Ok(Self { locations, table }),
            false => Err(ProblemError::RoutesSize { locations, expected, found }),
        }
    }

    /// How many locations there are.
    #[must_use]
    pub const fn locations(&self) -> usize {
        self.locations
    }

    /// The route from one location to another; `None` within one location, where nothing moves.
    #[must_use]
    pub fn between(&self, from: LocationId, to: LocationId) -> Option<&Route> {
        match from == to {
            true => None,
            false => self.table.get(from.0 * self.locations + to.0),
        }
    }

    /// Every route between two different locations.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Rates> {
        self.table.iter().enumerate().filter_map(|(index, route)| match route {
            Route::Open(rates) if index / self.locations != index % self.locations => Some(rates),
            _ => None,
        })
    }
}

/// A limit that is kept or broken, such as a clearance or a jurisdiction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedLimit {
    /// What the user calls it.
    pub name: String,
}

/// What a plan must keep to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The longest one pass may take.
    pub deadline: Option<Milliseconds>,
    /// The most money per month.
    pub budget: Option<Micros>,
    /// The most carbon per month.
    pub carbon: Option<Milligrams>,
    /// Limits without a number.
    pub named: Vec<NamedLimit>,
}

impl Limits {
    /// The limit on one objective, in its unit.
    pub(crate) fn on(&self, objective: Objective) -> Option<u64> {
        match objective {
            Objective::Cost => self.budget.map(Micros::get),
            Objective::Time => self.deadline.map(Milliseconds::get),
            Objective::Carbon => self.carbon.map(Milligrams::get),
        }
    }
}

/// What to place.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The stages in topological order.
    pub stages: Vec<Stage>,
    /// The data that flows between them.
    pub edges: Vec<Edge>,
    /// How data gets from one location to another.
    pub routes: Routes,
    /// What must be kept.
    pub limits: Limits,
    /// What must be small.
    pub objective: Objective,
}

impl Problem {
    /// Whether a choice without this figure is out: the objective or a limit needs it.
    #[must_use]
    pub fn needs(&self, figure: Objective) -> bool {
        self.objective == figure || self.limits.on(figure).is_some()
    }

    /// Checks everything that does not depend on where stages go.
    ///
    /// # Errors
    /// For an empty problem, a stage without choices, edges that do not go forward, locations and
    /// limits that do not exist, and figures whose sum could exceed 2^57.
    pub fn check(&self) -> Result<(), ProblemError> {
        if self.stages.is_empty() {
            return Err(ProblemError::Empty);
        }
        self.stages.iter().try_for_each(|stage| self.check_stage(stage))?;
        self.edges.iter().enumerate().try_for_each(|(index, edge)| self.check_edge(index, edge))?;
        for (objective, what) in
            [(Objective::Cost, "cost"), (Objective::Time, "time"), (Objective::Carbon, "carbon")]
        {
            match self.unknowns_and_ceiling(objective) {
                (unknown, ceiling) if (unknown + 1).saturating_mul(ceiling + 1) < LARGEST => {}
                _ => return Err(ProblemError::Overflow { what }),
            }
        }
        Ok(())
    }

    fn check_stage(&self, stage: &Stage) -> Result<(), ProblemError> {
        if stage.choices.is_empty() {
            return Err(ProblemError::NoChoices { stage: stage.name.clone() });
        }
        let (locations, limits) = (self.routes.locations(), self.limits.named.len());
        for choice in &stage.choices {
            let (name, site) = (&stage.name, &choice.site);
            if choice.location.0 >= locations {
                return Err(ProblemError::LocationOutOfRange {
                    stage: name.clone(),
                    site: site.clone(),
                    location: choice.location.0,
                    locations,
                });
            }
            let unknown = choice.obstacles.iter().find_map(|obstacle| match obstacle {
                Obstacle::Limit { limit, .. } if limit.0 >= limits => Some(limit.0),
                _ => None,
            });
            if let Some(limit) = unknown {
                let (stage, site) = (name.clone(), site.clone());
                return Err(ProblemError::LimitOutOfRange { stage, site, limit, limits });
            }
        }
        Ok(())
    }

    fn check_edge(&self, index: usize, edge: &Edge) -> Result<(), ProblemError> {
        let (from, to, stages) = (edge.from, edge.to, self.stages.len());
        if from >= stages || to >= stages {
            return Err(ProblemError::EdgeOutOfRange { edge: index, from, to, stages });
        }
        match from < to {
            true => Ok(()),
            false => Err(ProblemError::EdgeNotForward { edge: index, from, to }),
        }
    }

    /// How many parts of a total may be unknown, and a number no total of known figures exceeds.
    pub(crate) fn unknowns_and_ceiling(&self, objective: Objective) -> (u128, u128) {
        let (mut unknowns, mut ceiling) = (0u128, 0u128);
        for stage in &self.stages {
            let counts = stage.choices.iter().map(|choice| choice.figures.count(objective));
            let (known, unknown): (Vec<_>, Vec<_>) =
                counts.partition(|count| count.why().is_none());
            unknowns += u128::from(!unknown.is_empty());
            let largest = known.into_iter().filter_map(Known::value).max();
            ceiling = ceiling.saturating_add(u128::from(largest.unwrap_or(0)));
        }
        let rates = || self.routes.open().map(|rates| rates.count(objective));
        let rate = rates().filter_map(Known::value).max().unwrap_or(0);
        if rates().any(|rate| rate.why().is_some()) {
            unknowns += self.edges.len() as u128;
        }
        let latency = self.routes.open().map(|rates| rates.latency.get()).max().unwrap_or(0);
        for edge in &self.edges {
            let (bytes, first) = match objective {
                Objective::Time => (edge.pass, latency),
                Objective::Cost | Objective::Carbon => (edge.monthly, 0),
            };
            ceiling = ceiling.saturating_add(moved(rate, bytes.get()) + u128::from(first));
        }
        (unknowns, ceiling)
    }
}

/// Totals stay below this, so that two of them and a count of stages fit in 126 bits.
const LARGEST: u128 = 1 << 57;

/// Rate per 10^9 bytes times bytes, rounded up.
pub(crate) const fn moved(rate: u64, bytes: u64) -> u128 {
    (rate as u128 * bytes as u128).div_ceil(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(cost: u64, time: u64) -> Route {
        Route::Open(Rates {
            cost_per_gb: Known::Value(Micros::new(cost)),
            carbon_per_gb: Known::Value(Milligrams::ZERO),
            time_per_gb: Known::Value(Milliseconds::new(time)),
            latency: Milliseconds::ZERO,
        })
    }

    fn problem() -> Problem {
        let choice = Choice {
            site: "here".to_owned(),
            location: LocationId(0),
            machine: None,
            figures: Figures::known(1, 1, 1),
            obstacles: vec![],
        };
        let stage = |name: &str| Stage { name: name.to_owned(), choices: vec![choice.clone()] };
        Problem {
            stages: vec![stage("a"), stage("b")],
            edges: vec![Edge { from: 0, to: 1, pass: Bytes::new(1), monthly: Bytes::new(1) }],
            routes: Routes::new(1, vec![route(0, 0)]).unwrap(),
            limits: Limits::default(),
            objective: Objective::Cost,
        }
    }

    #[test]
    fn moved_bytes_are_rounded_up() {
        assert_eq!(moved(90_000, 1_000_000_000), 90_000);
        assert_eq!(moved(90_000, 1), 1);
        assert_eq!(moved(0, 1), 0);
    }

    #[test]
    fn a_sound_problem_passes() {
        assert_eq!(problem().check(), Ok(()));
    }

    #[test]
    fn every_mistake_has_its_error() {
        let broken = |change: fn(&mut Problem)| {
            let mut problem = problem();
            change(&mut problem);
            problem.check().unwrap_err()
        };
        assert_eq!(broken(|problem| problem.stages.clear()), ProblemError::Empty);
        assert!(matches!(
            broken(|problem| problem.stages[0].choices.clear()),
            ProblemError::NoChoices { .. }
        ));
        assert!(matches!(
            broken(|problem| problem.edges[0].to = 2),
            ProblemError::EdgeOutOfRange { to: 2, stages: 2, .. }
        ));
        assert!(matches!(
            broken(|problem| problem.edges[0].to = 0),
            ProblemError::EdgeNotForward { .. }
        ));
        assert!(matches!(
            broken(|problem| problem.stages[1].choices[0].location = LocationId(1)),
            ProblemError::LocationOutOfRange { location: 1, locations: 1, .. }
        ));
        let stray = Obstacle::Limit { limit: LimitId(0), why: String::new() };
        let mut problem = problem();
        problem.stages[0].choices[0].obstacles.push(stray);
        assert!(matches!(problem.check(), Err(ProblemError::LimitOutOfRange { .. })));
        assert!(matches!(Routes::new(2, vec![]), Err(ProblemError::RoutesSize { .. })));
    }

    #[test]
    fn figures_too_large_to_add_are_refused() {
        let mut problem = problem();
        problem.stages[0].choices[0].figures = Figures::known(u64::MAX, 0, 0);
        assert_eq!(problem.check(), Err(ProblemError::Overflow { what: "cost" }));
    }
}
