//! Tables that may travel: rows that hide among others.
//!
//! A table is read once into its distinct [`Tuples`] of quasi-identifiers, with how many rows have each. A
//! [`lattice`] search chooses for every column the level of its [`Hierarchy`] that all its values are told
//! at, so that every class of equal rows keeps a [`Requirement`] and the [`loss`] is the least there is. The
//! rows are then written as chosen ([`recode`]), and what was written is read again and judged by
//! [`verify`], which shares no code with the search.

pub mod derive;
pub mod hierarchy;
pub mod lattice;
pub mod loss;
pub mod recode;
pub mod requirement;
pub mod tuples;
pub mod verify;

mod classes;
mod error;

pub use error::TabularError;
pub use hierarchy::Hierarchy;
pub use requirement::{Diversity, Requirement};
pub use tuples::Tuples;
