//! Questions asked over many runs and plans: how long is the loop from an edit to its result, and what
//! would shorten it; what a cloud bill says, and what a machine of one's own would have done of it.
//!
//! Pure: runs and prices come as arguments, the same ones give the same answer.

pub mod bill;
mod elsewhere;
mod iteration;
mod quantile;

pub use elsewhere::{Between, Elsewhere, FarSite, FarStage, FarWork, elsewhere, wait_for_cut};
pub use iteration::{Ended, Execution, Iteration, Loop, StageLoop, iteration};
pub use quantile::Quantiles;
