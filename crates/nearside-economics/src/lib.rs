//! Questions asked over many runs and plans: how long is the loop from an edit to its result, and what
//! would shorten it; does a machine pay; what does the work emit; what does a cloud bill say; what if something
//! breaks; what does a machine ask of the room that it stands in.
//!
//! Pure: runs and prices come as arguments, the same ones give the same answer.

pub mod bill;
pub mod carbon;
mod elsewhere;
pub mod fault;
pub mod installation;
mod iteration;
mod quantile;
mod random;
pub mod requirements;
mod resilience;
mod roi;
mod sheet;

pub use elsewhere::{Between, Elsewhere, FarSite, FarStage, FarWork, elsewhere, wait_for_cut};
pub use iteration::{Ended, Execution, Iteration, Loop, StageLoop, iteration};
pub use quantile::Quantiles;
pub use resilience::{
    Drilled, Event, MovedStage, Rate, StoppedStage, Totals, Years, drill, score, years,
};
pub use roi::{
    Assumption, CLAIM_WITHIN, Case, Claim, Emissions, FAR, Far, Given, MACRS_FIRST_QUARTER,
    MACRS_FOURTH_QUARTER, MACRS_HALF_YEAR, NEAR, Near, Roi, RoiError, Slip, explain,
};
pub use sheet::{
    Cell, Choice, Content, Draws, Formula, Group, Id, Input, Operator, Sample, Sheet, Swing, Unit,
    Value, Values,
};
