//! What changes a model: an adapter, and how much of it.

use std::collections::BTreeSet;

use nearside_models::Adapter;
use schemars::JsonSchema;
use serde::Serialize;

/// An adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct AdapterView {
    /// What it says of the model that it was made for.
    pub(super) base: Option<String>,
    /// How many matrices it changes.
    pub(super) matrices: usize,
    /// Its ranks, each once, from the smallest.
    pub(super) ranks: BTreeSet<usize>,
    /// How many numbers it has.
    pub(super) parameters: usize,
}

impl AdapterView {
    pub(super) fn of(adapter: &Adapter) -> Self {
        Self {
            base: adapter.base.clone(),
            matrices: adapter.iter().count(),
            ranks: adapter.iter().map(|(_, change)| change.rank()).collect(),
            parameters: adapter.parameters(),
        }
    }
}
