//! Where the tensors of a model lie, and the buffers that hold them and the cache.
//!
//! The embedding table stays in main memory; output norm and output layer go with the output; blocks
//! with their layer; rotary factors to every place that has a block. A tied output layer is a second
//! copy of the embedding table once it is on an accelerator.
//!
//! Source: `load_tensors` in `llama-model.cpp`, `get_mapping_range` in `llama-model-loader.cpp` and
//! `ggml_backend_alloc_ctx_tensors_from_buft` in `ggml-alloc.c` of llama.cpp.

use std::collections::BTreeSet;

use nearside_units::Bytes;

use super::allocate::Sizes as _;
use super::cache;
use super::graph::{Graph, Owner, Place};
use super::model::Model;
use super::plan::Plan;
use super::settings::Loading;

/// The places of a tensor; none if llama.cpp does not load it.
fn places(model: &Model, plan: &Plan, name: &str) -> BTreeSet<Place> {
    let layers = 0..model.decoder.layers.len();
    if let Some(rest) = name.strip_prefix("blk.") {
        let number = rest.split('.').next().and_then(|number| number.parse().ok());
        let number = number.filter(|layer| layers.contains(layer));
        return number.map(|layer| plan.place(layer)).into_iter().collect();
    }
    if name.starts_with("rope_") {
        return layers.map(|layer| plan.place(layer)).collect();
    }
    if name == "token_embd.weight" {
        let tied = !model.tensors.contains_key("output.weight");
        let output = tied.then(|| plan.output_place());
        return output.into_iter().chain([Place::Host]).collect();
    }
    if name.starts_with("output") { [plan.output_place()].into() } else { BTreeSet::new() }
}

/// Bytes of the buffer of weights in one place.
pub(super) fn weights(model: &Model, plan: &Plan, loading: Loading, place: Place) -> Bytes {
    let here = model.tensors.iter().filter(|(name, _)| places(model, plan, name).contains(&place));
    let mut graph = Graph::default();
    let sized = here.map(|(_, stored)| {
        let id = graph.existing(stored.dtype, stored.extents, Owner::Weights(place));
        (stored.offset, plan.bytes(&graph, graph.tensor(id), place))
    });
    let sized: Vec<(Option<u64>, u64)> = sized.collect();
    let ends = sized.iter().map(|(offset, size)| Some((*offset.as_ref()?, *size)));
    let bytes = match ends.collect::<Option<Vec<_>>>() {
        Some(ends) if (place, loading) == (Place::Host, Loading::Mapped) => span(&ends),
        _ => {
            let padded = sized.iter().map(|(_, size)| rounded(*size, plan.alignment(place)));
            padded.fold(0, u64::saturating_add)
        }
    };
    Bytes::new(bytes)
}

/// From the first begin to the last end.
fn span(ends: &[(u64, u64)]) -> u64 {
    let first = ends.iter().map(|(begin, _)| *begin).min().unwrap_or(0);
    let last = ends.iter().map(|(begin, size)| begin.saturating_add(*size)).max().unwrap_or(0);
    last.saturating_sub(first)
}

/// Bytes of the key-value cache in one place.
pub(super) fn cache(model: &Model, plan: &Plan, place: Place) -> Bytes {
    let layers = model.decoder.layers.iter().enumerate();
    let here = layers.filter(|(layer, _)| plan.place(*layer) == place);
    let mut graph = Graph::default();
    let mut bytes = 0u64;
    for (number, layer) in here {
        let (key, value) = cache::widths(layer);
        for (dtype, width) in [(plan.key_type, key), (plan.value_type, value)] {
            if width == 0 {
                continue;
            }
            let extents = [width, plan.cells.of(number), plan.streams, 1];
            let id = graph.existing(dtype, extents, Owner::Cache(place));
            let size = plan.bytes(&graph, graph.tensor(id), place);
            bytes = bytes.saturating_add(rounded(size, plan.alignment(place)));
        }
    }
    Bytes::new(bytes)
}

fn rounded(bytes: u64, alignment: u64) -> u64 {
    bytes.checked_next_multiple_of(alignment).unwrap_or(u64::MAX)
}
