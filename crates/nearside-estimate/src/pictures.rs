//! What making pictures asks of a machine: the passes of a pipeline, a bare denoiser or a bare
//! autoencoder, each with all weights loaded.

use nearside_architecture::{Architecture, Shape};
use nearside_units::Bytes;
use nearside_workload::Workload;

use crate::demand::{
    Demand, MOST_BYTES, Memory, NotEstimated, PROGRAM, Pass, counted, held, not_built, reserving,
};
use crate::lowering::{Trained, lower};
use crate::tape::Category;
use crate::timeline;

/// Whether a model answers with pictures.
pub(crate) const fn are_made(architecture: &Architecture) -> bool {
    matches!(
        architecture,
        Architecture::Unet(_)
            | Architecture::DenoisingTransformer(_)
            | Architecture::Vae(_)
            | Architecture::Pipeline(_)
    )
}

/// So many rounds of a batch of pictures. The peak is that of the pass that needs most.
///
/// # Errors
/// When a component of a pipeline has no graph, or no model is given.
pub(crate) fn demand(
    workload: &Workload,
    shape: Shape,
    rounds: f64,
) -> Result<Demand, NotEstimated> {
    let task = workload.task.name();
    let model = workload.model.as_ref().ok_or(NotEstimated::NoModel { task })?;
    let architecture = model.architecture.as_ref();
    let one = architecture.picture_passes(Shape { batch: 1, ..shape });
    let values = one.iter().flatten().flat_map(|pass| &pass.graph.values);
    let elements: u128 = values.map(|value| u128::from(value.elements())).sum();
    let tokens = u128::from(shape.batch);
    if elements.checked_mul(64 * tokens).is_none_or(|bytes| bytes > MOST_BYTES) {
        return Err(NotEstimated::TooLarge { tokens });
    }
    let found = architecture.picture_passes(shape).ok_or_else(|| not_built(architecture))?;
    let mut passes = Vec::with_capacity(found.len());
    let mut largest = None;
    for pass in found {
        let tape = lower(&pass.graph, &workload.recipe, Trained::Nothing);
        let needed = held(&tape, timeline::inference_heard(&tape, &PROGRAM, reserving()));
        passes.push(Pass {
            name: "make pictures",
            repeats: rounds * pass.repeats as f64,
            kernels: counted(tape.steps.iter().map(|step| step.forward)),
        });
        if largest.as_ref().is_none_or(|most: &Memory| needed.reserved > most.reserved) {
            largest = Some(needed);
        }
    }
    let memory = largest.ok_or_else(|| not_built(architecture))?;
    Ok(Demand {
        load: memory.by_category.get(&Category::Weights).copied().unwrap_or(Bytes::ZERO),
        memory,
        passes,
        exchanges: Vec::new(),
        host: crate::parallel::training::HostShare::default(),
        sharing: None,
        core_seconds: 0.0,
        own_engine: None,
    })
}
