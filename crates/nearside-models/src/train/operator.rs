//! The operators of a network, each with its way forward and backward.
//!
//! Forward takes what goes in and makes what comes out. Backward takes how the loss changes with what came out, adds how
//! it changes with weights to their gradients, and makes how it changes with what went in. None keeps anything: what
//! backward needs is given to it, and is kept or made again by the block that it is part of.

#![allow(
    clippy::needless_range_loop,
    reason = "loops that count become part of the function that has the instructions; iterators do not"
)]

pub(super) mod attention;
pub(super) mod cross_entropy;
pub(super) mod embedding;
pub(super) mod gate;
pub(super) mod linear;
pub(super) mod rms_norm;
pub(super) mod rope;
mod sums;

#[cfg(test)]
pub(super) mod differences;
