//! What this program's own engine is asked for.

use nearside_architecture::{Architecture, Decoder, Shape};
use nearside_units::Bytes;
use nearside_workload::Workload;

use crate::demand::{
    Demand, Holder, MOST_BYTES, Memory, NotEstimated, OwnWork, architecture, bounded,
};
use crate::engine::nearside::{Held, Sequence, computes};
use crate::estimate::Device;
use crate::parallel::training::HostShare;
use crate::tape::Category;

/// The model, where this program's own engine answers with it: on a processor, one request after another, from weights
/// in blocks or from a file that is there.
pub(super) fn answers(workload: &Workload, together: u64, place: Device) -> Option<&Decoder> {
    let (recipe, model) = (&workload.recipe, workload.model.as_ref()?);
    let Architecture::Decoder(decoder) = model.architecture.as_ref() else { return None };
    let alone =
        together == 1 && recipe.parallelism.tensor < 2 && recipe.parallelism.host_layers == 0;
    let from_file = model.stored.is_some_and(|stored| stored.dtype == recipe.weights);
    let reads = from_file || (!recipe.weights.is_float() && !recipe.weights.is_normal_float());
    (place == Device::Processor && alone && reads && computes(decoder)).then_some(decoder)
}

/// Memory and work of so many sequences, each of so many tokens read and written.
pub(super) fn demand(
    workload: &Workload,
    decoder: &Decoder,
    sequences: f64,
    [prompt, written]: [u64; 2],
) -> Result<Demand, NotEstimated> {
    let (architecture, recipe) = (architecture(workload)?, &workload.recipe);
    let stored = workload.model.as_ref().and_then(|model| model.stored);
    let tokens = u128::from(prompt) + u128::from(written);
    let too_large = || NotEstimated::TooLarge { tokens };
    let context = u64::try_from(tokens).map_err(|_beyond| too_large())?;
    // All that is kept of so many tokens can be counted.
    let graph = bounded(architecture, Shape::prompt(1, context.max(1)), recipe)?;
    let held = Held::of(decoder, recipe, stored, [prompt, context]);
    if u128::from(held.cache.get()) > MOST_BYTES {
        return Err(too_large());
    }
    let by_category = [
        (Category::Weights, held.weights),
        (Category::Cache, held.cache),
        (Category::Activations, held.activations),
        (Category::Logits, held.scores),
    ];
    let sequence = Sequence::of(decoder, recipe, stored, [prompt, written]);
    Ok(Demand {
        memory: Memory {
            reserved: held.total(),
            holder: Holder::OwnEngine,
            by_category: by_category
                .into_iter()
                .filter(|(_, bytes)| *bytes > Bytes::ZERO)
                .collect(),
            place: "reading the prompt".to_owned(),
            parameters: graph.parameter_count(),
            trained: 0,
        },
        passes: Vec::new(),
        load: held.weights,
        exchanges: Vec::new(),
        host: HostShare::default(),
        sharing: None,
        core_seconds: 0.0,
        own_engine: Some(OwnWork { sequence, sequences }),
    })
}
