//! Products of weights as files have them with activations, on all cores: the inner loops of inference.
//!
//! - [`multiply()`] chooses the way: from the bytes of a row for a token or two, through sixteen unpacked rows
//!   (`panel`, `float_panel`) for more.
//! - `gemv` and `panel` know the formats, `lanes` the instructions, [`Activations`] what weights are multiplied with.

#![allow(
    clippy::needless_range_loop,
    reason = "loops that count become part of the function that has the instructions; iterators do not"
)]

mod activations;
mod attention;
mod float_panel;
mod gemv;
pub(crate) mod lanes;
mod multiply;
mod panel;
mod pointwise;
mod side_by_side;
#[cfg(all(test, target_arch = "x86_64"))]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(crate) use lanes::proof;

pub use activations::Activations;
pub use attention::{Heads, KeysAndValues, MAX_HEAD, Precision, SHARED, TOGETHER, attend};
pub use lanes::Instructions;
pub use multiply::{Input, KernelError, Weights, multiply};
pub use pointwise::{Normalise, activate, add, add_share, cap, gate};
pub(crate) use pointwise::{by_rows, capped, exponential};
