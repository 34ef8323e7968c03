//! What a search is about: a table, what its values may be told as, and what its rows must keep.

use std::num::NonZero;

use super::TabularError;
use super::hierarchy::Hierarchy;
use super::requirement::Requirement;
use super::taxonomy::Taxonomy;
use super::tuples::Tuples;

/// What is to be found.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'t> {
    /// The table.
    pub tuples: &'t Tuples,
    /// The hierarchy of each quasi-identifier.
    pub hierarchies: &'t [Hierarchy],
    /// The taxonomy of each, made of its hierarchy.
    pub taxonomies: &'t [Taxonomy],
    /// What every class must keep.
    pub requirement: Requirement,
    /// The part of the rows that may be left out, from 0 to 1.
    pub suppression: f64,
    /// How much the loss of each column counts, above 0.
    pub weights: &'t [f64],
    /// Threads that search.
    pub threads: NonZero<usize>,
}

impl Problem<'_> {
    /// Rows that may be left out: as many as were said, and not one more by rounding.
    pub(super) fn budget(&self) -> u64 {
        (self.suppression * self.tuples.rows as f64 + 1e-9).floor() as u64
    }

    /// Whether a class can be made at all.
    pub(super) fn check(&self) -> Result<(), TabularError> {
        let Requirement { k, .. } = self.requirement;
        let rows = self.tuples.crowd().iter().sum();
        if k > rows {
            return Err(TabularError::TooFew { k, rows });
        }
        Ok(())
    }

    /// That nothing keeps the requirement.
    pub(super) fn impossible(&self) -> TabularError {
        TabularError::Impossible { wanted: self.requirement.to_string() }
    }
}
