//! Questions asked over many runs and plans: how long is the loop from an edit to its result, and what
//! would shorten it; what does the work emit.
//!
//! Pure: runs and prices come as arguments, the same ones give the same answer.

pub mod carbon;
mod elsewhere;
mod iteration;
mod quantile;

pub use elsewhere::{Between, Elsewhere, FarSite, FarStage, FarWork, elsewhere, wait_for_cut};
pub use iteration::{Ended, Execution, Iteration, Loop, StageLoop, iteration};
pub use quantile::Quantiles;
