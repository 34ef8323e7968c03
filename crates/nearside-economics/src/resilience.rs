//! What would an outage, a price rise or a missing site do to a plan? Each event takes sites away or makes them
//! dearer; what is left is planned anew, exactly, and held against the plan as it was.
//!
//! The score is the mean, over all events, of the share of stages that go on within the limits: 1 when
//! nothing stops whatever happens, 0 when everything stops each time.

mod drill;
mod year;

use std::sync::Arc;

use nearside_plan::{Micros, Milliseconds};
use nearside_units::Duration;

pub use drill::{Drilled, MovedStage, StoppedStage, drill};
pub use year::{Rate, Years, years};

/// Something that happens to the sites of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What happens, as in "aws is down".
    pub name: Arc<str>,
    /// How long it lasts.
    pub lasts: Duration,
    /// Names of the sites that cannot be used meanwhile.
    pub without: Vec<String>,
    /// Names of the stages that cannot be done anywhere meanwhile, as they need what is gone.
    pub stops: Vec<String>,
    /// Names of the sites whose hours cost more, and how many times as much.
    pub dearer: Option<(Vec<String>, f64)>,
}

/// What whole plans come to, for the stages that both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Money a month; nothing where a part of it is not known.
    pub cost: Option<Micros>,
    /// Time of one pass.
    pub time: Milliseconds,
}

/// The resilience score of some drills, 0 to 1; nothing without any.
///
/// `sum of going on / number of events`, with going on the share of stages that neither stop nor wait for one
/// that does, where the rest keeps to deadline and budget; half of it where it does not.
#[must_use]
pub fn score(drills: &[Drilled]) -> Option<f64> {
    let sum: f64 = drills.iter().map(Drilled::goes_on).sum();
    (!drills.is_empty()).then(|| sum / drills.len() as f64)
}
