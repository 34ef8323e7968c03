//! Where should every stage of a project run? [`Problem`] in, the exactly optimal [`Plan`] out.
//!
//! The planner knows no GPU, model or site: only choices with figures, edges that carry bytes, and
//! routes between locations. All weights are whole numbers, so an optimum is exactly equal to what
//! trying every plan would find.
//!
//! - [`place`]: the best plan with reasons and runners-up, or what would make one possible.
//! - [`pareto`]: all plans that are not beaten in cost, time and carbon at once.
//!
//! | question | method | exact |
//! |---|---|---|
//! | cost or carbon alone | bucket elimination (`elimination`) | on every DAG whose tables fit, else optimum or proven gap |
//! | time, deadline, two sums at once | prices, then label setting (`lagrange`, `frontier`) | up to a cap on labels, else proven gap |
//! | Pareto front | label setting (`pareto`) | up to a cap on labels, and it says so |
//!
//! ```
//! use nearside_plan::*;
//! use nearside_units::Bytes;
//!
//! let choice = |site: &str, location, figures| Choice {
//!     site: site.to_owned(),
//!     location: LocationId(location),
//!     machine: None,
//!     figures,
//!     obstacles: vec![],
//! };
//! let route = Route::Open(Rates {
//!     cost_per_gb: nearside_units::Known::Value(Micros::new(90_000)), // 0.09 per GB
//!     carbon_per_gb: nearside_units::Known::Value(Milligrams::ZERO),
//!     time_per_gb: nearside_units::Known::Value(Milliseconds::new(8_000)), // 1 Gbit/s
//!     latency: Milliseconds::new(50),
//! });
//! let near = choice("here", 0, Figures::known(2_000_000, 500_000, 7_200_000));
//! let far = choice("cloud", 1, Figures::known(9_000_000, 300_000, 1_200_000));
//! let stage = |name: &str, choices| Stage { name: name.to_owned(), choices };
//! let problem = Problem {
//!     stages: vec![stage("prepare", vec![near.clone()]), stage("train", vec![near, far])],
//!     edges: vec![Edge { from: 0, to: 1, pass: Bytes::new(10_000_000_000), monthly: Bytes::new(0) }],
//!     routes: Routes::new(2, vec![route.clone(), route.clone(), route.clone(), route])?,
//!     limits: Limits { deadline: Some(Milliseconds::new(10_800_000)), ..Limits::default() },
//!     objective: Objective::Cost,
//! };
//! let Outcome::Placed(plan) = place(&problem)? else { return Ok(()) };
//! assert_eq!(plan.choices(), [0, 1]);
//! assert_eq!(plan.totals.time.total, Milliseconds::new(7_200_000 + 50 + 80_000 + 1_200_000));
//! # Ok::<(), ProblemError>(())
//! ```

mod amount;
mod bound;
mod crossing;
mod dominance;
mod elimination;
mod error;
mod frontier;
mod lagrange;
mod order;
mod pareto;
mod placement;
mod problem;
mod reason;
mod relax;
#[cfg(test)]
mod sample;
mod schedule;
mod search;
mod weights;

pub use amount::{Amount, Micros, Milligrams, Milliseconds, Objective};
pub use error::ProblemError;
pub use pareto::{Front, FrontPoint, FrontProof, pareto};
pub use placement::{Alternative, Extra, Outcome, Placement, Plan, Proof, RunnerUp, place};
pub use problem::{
    Choice, Edge, Figures, LimitId, Limits, LocationId, MachineId, NamedLimit, Obstacle, Problem,
    Rates, Route, Routes, Stage,
};
pub use reason::{Loss, Reason, Why};
pub use relax::{Change, Infeasible, Relaxation, Stuck};
pub use schedule::{Slot, Totals, Transfer};
