//! How much a deep model has live at least, from two shallow ones of the same layers.
//!
//! With every further layer, what is live at a given call grows by the same bytes, and the peak is
//! that of the call where most is live: the largest of several straight lines, which is nowhere below
//! the line through two of its points. So two short replays tell most of what cannot fit; what stays
//! when the optimizer has run tells the rest.

use nearside_architecture::{Architecture, Decoder, Shape};
use nearside_units::Bytes;
use nearside_workload::Recipe;

use crate::demand::{NotEstimated, PROGRAM};
use crate::lowered::Lowerings;
use crate::lowering::Trained;
use crate::parallel::sharding::DataGroup;
use crate::parallel::training::stays;
use crate::timeline::{TrainingStep, first_step};

/// The depths that are replayed, in layers.
const DEPTHS: [usize; 2] = [2, 3];
/// Below this depth replaying the model itself takes hardly longer.
const DEEP: usize = 8;

/// The decoder, where it is deep and all its layers are equal.
pub(crate) fn deep(architecture: &Architecture) -> Option<&Decoder> {
    let Architecture::Decoder(decoder) = architecture else { return None };
    let equal = decoder.layers.windows(2).all(|pair| pair[0] == pair[1]);
    (equal && decoder.layers.len() >= DEEP).then_some(decoder)
}

/// Bytes that are live at the peak of the first training step, or fewer, on one device.
///
/// # Errors
/// When the shallow models cannot be estimated.
pub(crate) fn live_at_least(
    decoder: &Decoder,
    (shape, recipe): (Shape, &Recipe),
    trained: (Trained, u64),
    step: &TrainingStep,
    lowerings: &mut Lowerings,
) -> Result<Bytes, NotEstimated> {
    let mut live = |depth: usize| {
        let layers = decoder.layers[..depth].to_vec();
        let shallow = Architecture::Decoder(Decoder { layers, ..decoder.clone() });
        let lowered = lowerings.of(&shallow, shape, recipe, trained)?;
        let peak = first_step(&lowered.tape, &PROGRAM, step, DataGroup::ALONE, None);
        let stays = stays(&lowered.tape, DataGroup::ALONE, step.optimizer);
        Ok::<_, NotEstimated>([peak, stays].map(|peak| peak.total()))
    };
    let [few, more] = DEPTHS.map(&mut live);
    let (few, more) = (few?, more?);
    let further = (decoder.layers.len() - DEPTHS[0]) as u64;
    let line = |at: usize| few[at] + more[at].saturating_sub(few[at]) * further;
    Ok(line(0).max(line(1)))
}

#[cfg(test)]
mod tests {
    use nearside_catalog::Catalog;
    use nearside_workload::{
        Adapter, AdapterMethod, AdapterTargets, AttentionKernel, Checkpointing, Optimizer,
        VocabularyLoss,
    };

    use super::*;
    use crate::timeline::Passes;

    /// Recipes of three models: never more than is live, and not much less.
    #[test]
    fn two_shallow_models_bound_a_deep_one_from_below() {
        let catalog = Catalog::builtin().unwrap();
        let adapter =
            Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora };
        for name in ["smollm2-135m", "qwen2.5-0.5b", "mixtral-8x7b"] {
            let architecture = catalog.model(name).unwrap().architecture().unwrap();
            let decoder = deep(&architecture).unwrap();
            let shape = Shape::training(2, 1024);
            for checkpointing in
                [Checkpointing::None, Checkpointing::Attention, Checkpointing::Full]
            {
                for attention in [AttentionKernel::Eager, AttentionKernel::Fused] {
                    for loss in [VocabularyLoss::Whole, VocabularyLoss::CHUNKED] {
                        for (trained, passes) in [
                            (Trained::Everything, Passes::One),
                            (Trained::Adapters(adapter), Passes::Accumulated),
                        ] {
                            let recipe =
                                Recipe { checkpointing, attention, loss, ..Recipe::default() };
                            let step = TrainingStep { optimizer: Optimizer::AdamWForeach, passes };
                            let known = &mut Lowerings::default();
                            let asked = (shape, &recipe);
                            let least =
                                live_at_least(decoder, asked, (trained, 1), &step, known).unwrap();
                            let whole =
                                known.of(&architecture, shape, &recipe, (trained, 1)).unwrap();
                            let group = DataGroup::ALONE;
                            let peak = first_step(&whole.tape, &PROGRAM, &step, group, None);
                            let share = least.get() as f64 / peak.total().get() as f64;
                            let told = format!("{name} {recipe:?} {trained:?}: {share}");
                            assert!(share <= 1.0 && share > 0.75, "{told}");
                        }
                    }
                }
            }
        }
    }
}
