//! Open models: their files, and what they compute.

pub mod block;
pub mod file;
pub mod kernel;
