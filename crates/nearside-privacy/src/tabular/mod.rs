//! Tables that may travel: rows that hide among others.
//!
//! A table is read once into its distinct [`Tuples`] of quasi-identifiers, with how many rows have each. A
//! [`lattice`] search chooses for every column the level of its [`Hierarchy`] that all its values are told
//! at, so that every class of equal rows keeps a [`Requirement`] and the [`loss`] is the least there is. The
//! rows are then written as chosen ([`recode`]), and what was written is read again and judged by
//! [`verify`], which shares nothing with the search but how rows are read.

pub mod auc;
pub mod blocks;
pub mod buckets;
pub mod derive;
pub mod hierarchy;
pub mod lattice;
pub mod loss;
pub mod mondrian;
pub mod problem;
pub mod recode;
pub mod requirement;
pub mod risk;
pub mod taxonomy;
pub mod told;
pub mod tuples;
pub mod utility;
pub mod verify;

mod chance;
mod classes;
pub(crate) mod dictionary;
mod error;

pub use blocks::Dialect;
pub use dictionary::Dictionary;
pub use error::TabularError;
pub use hierarchy::Hierarchy;
pub use problem::Problem;
pub use requirement::{Diversity, Requirement};
pub use taxonomy::Taxonomy;
pub use told::Told;
pub use tuples::{Reading, Tuples};
