//! Tensors of a model: all of them, by type, and those that nothing computes with.

use std::collections::{BTreeMap, BTreeSet};

use nearside_architecture::Dtype;
use nearside_models::{StoredModel, StoredTensor};
use schemars::JsonSchema;
use serde::Serialize;

/// Tensors that the numbers of rotary positions are read from, and not weights.
const OF_POSITIONS: [&str; 3] =
    ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"];

/// Tensors of a type.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct TypeView {
    /// The type, as in `q4_k`.
    pub(super) r#type: String,
    /// How many.
    pub(super) tensors: usize,
    /// Elements of them together.
    pub(super) parameters: u64,
    /// What they take together.
    pub(super) bytes: u64,
    /// Bits that one of their elements takes.
    pub(super) bits_per_weight: Option<f64>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct TensorView {
    /// Its name in the file.
    pub(super) name: String,
    /// How its elements are stored.
    pub(super) r#type: String,
    /// Its dimensions, outermost first.
    pub(super) shape: Vec<u64>,
    /// What it takes.
    pub(super) bytes: u64,
}

/// Tensors that nothing computes with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct UnusedView {
    /// Their names.
    pub(super) tensors: Vec<String>,
    /// What they take together.
    pub(super) bytes: u64,
}

/// Bits of one of so many elements that take so many bytes.
pub(super) fn bits(bytes: u64, elements: u64) -> Option<f64> {
    (elements > 0).then(|| bytes as f64 * 8.0 / elements as f64)
}

/// What each type takes, the one with most bytes first.
pub(super) fn by_type(stored: &StoredModel) -> Vec<TypeView> {
    let mut sums: BTreeMap<Dtype, [u64; 3]> = BTreeMap::new();
    for tensor in stored.tensors.values() {
        let sum = sums.entry(tensor.dtype).or_default();
        let more = [1, tensor.shape.iter().product(), tensor.bytes.len() as u64];
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(more));
    }
    let view = |(dtype, [tensors, parameters, bytes]): (Dtype, [u64; 3])| TypeView {
        r#type: dtype.to_string(),
        tensors: tensors as usize,
        parameters,
        bytes,
        bits_per_weight: bits(bytes, parameters),
    };
    let mut types: Vec<_> = sums.into_iter().map(view).collect();
    types.sort_by_key(|of_type| std::cmp::Reverse(of_type.bytes));
    types
}

/// Every tensor, by name.
pub(super) fn all(stored: &StoredModel) -> Vec<TensorView> {
    let view = |(name, tensor): (&String, &StoredTensor)| TensorView {
        name: name.clone(),
        r#type: tensor.dtype.to_string(),
        shape: tensor.shape.clone(),
        bytes: tensor.bytes.len() as u64,
    };
    stored.tensors.iter().map(view).collect()
}

impl UnusedView {
    /// Those that are none of the ones that were read.
    pub(super) fn of(stored: &StoredModel, read: &BTreeSet<String>) -> Self {
        let of_positions = |name: &str| stored.gguf.is_some() && OF_POSITIONS.contains(&name);
        let unused = || {
            let other = |name: &str| !read.contains(name) && !of_positions(name);
            stored.tensors.iter().filter(move |(name, _)| other(name))
        };
        Self {
            tensors: unused().map(|(name, _)| name.clone()).collect(),
            bytes: unused().map(|(_, tensor)| tensor.bytes.len() as u64).sum(),
        }
    }
}
