//! Open models: their files, and what they compute.
//!
//! - [`hub`] fetches them from a hub and finds them in the cache that other programs share.

pub mod hub;
