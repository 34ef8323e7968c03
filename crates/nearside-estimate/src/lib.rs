//! Workload x Site -> Estimate.
//!
//! The road: a model's operator graph is lowered to the steps of a framework ([`lowering`], onto a
//! [`tape`]), replayed in order for memory ([`timeline`]), summed up as what a device is asked for
//! ([`demand`]), and timed against a site's ceilings ([`roofline`]); energy, cost and carbon follow
//! ([`energy`], [`ownership`], [`carbon`]). There is no closed formula per model family, and every
//! share and overhead stands in one place ([`calibration`]).
//!
//! Pure: same arguments, same answer.

pub mod allocator;
mod answering;
pub mod attention_kernel;
pub mod calibration;
pub mod carbon;
pub mod choice;
pub mod communication;
pub mod decode;
pub mod demand;
pub mod energy;
pub mod engine;
mod estimate;
mod input;
pub mod limits;
pub mod live;
mod lowered;
pub mod lowering;
pub mod measured;
pub mod observation;
pub mod optimizer;
pub mod ownership;
pub mod parallel;
mod pictures;
pub mod roofline;
mod shallow;
pub mod tape;
mod technique;
pub mod timeline;
mod working_site;

pub use calibration::Calibration;
pub use estimate::{
    Cost, Demands, Device, Estimate, Fit, Period, Verdict, estimate, estimate_demands,
};
pub use input::{Input, Quantity, Share};
pub use measured::MachineCeilings;
pub use technique::{Accepted, Advice, Rung, Technique, ladder, techniques};
pub use working_site::own_engine::{own_engine_phases, read_bandwidth};
