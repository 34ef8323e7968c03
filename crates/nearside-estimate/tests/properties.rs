//! What holds of every replay, whichever model and recipe: more work never takes less memory,
//! recomputation never keeps more, the peak is the sum of its categories and of what the events
//! leave live, and an allocator holds at least what it hands out.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Dtype, Shape};
use nearside_catalog::Catalog;
use nearside_estimate::allocator::{caching, system};
use nearside_estimate::live::Event;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::Bytes;
use nearside_workload::{AttentionKernel, Checkpointing, Optimizer, Recipe};
use proptest::prelude::*;

/// Small models, one of each family that reads tokens.
const READERS: [&str; 5] =
    ["smollm2-135m", "qwen1.5-moe-a2.7b", "gemma-3-270m", "bert-base", "t5-small"];
/// And of those that see images.
const SEERS: [&str; 4] = ["resnet18", "mobilenet_v2", "convnext_tiny", "vit_b_16"];

const PROGRAM: Program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };

fn architecture(name: &str) -> Architecture {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let model = catalog.model(name).expect("a model of the catalog");
    let mut architecture = model.architecture().expect("a readable config");
    if let Architecture::Decoder(decoder) = &mut architecture {
        decoder.layers.truncate(4);
    }
    architecture
}

fn step(architecture: &Architecture, shape: Shape, recipe: &Recipe) -> Replayed {
    let graph = architecture.graph(shape).expect("a family with a graph");
    let tape = lower(&graph, recipe, Trained::Everything);
    let step = TrainingStep { optimizer: recipe.optimizer, passes: Passes::One };
    training(&tape, &PROGRAM, &step)
}

fn answer(architecture: &Architecture, shape: Shape, recipe: &Recipe) -> Replayed {
    let graph = architecture.graph(shape).expect("a family with a graph");
    inference(&lower(&graph, recipe, Trained::Nothing), &PROGRAM)
}

/// Counts the events by itself: what is live never falls below nothing, and the most of the steady
/// step is the sum of the peak's categories.
fn holds(replayed: &Replayed) {
    let mut live: BTreeMap<_, u64> = BTreeMap::new();
    let (mut now, mut most) = (0, 0);
    for (at, event) in replayed.requests.events.iter().enumerate() {
        match event {
            Event::Take { piece, bytes } => {
                assert!(live.insert(*piece, bytes.get()).is_none(), "taken once");
                now += bytes.get();
            }
            Event::Give { piece } => now -= live.remove(piece).expect("given back once"),
        }
        if at >= replayed.requests.steady {
            most = most.max(now);
        }
    }
    assert_eq!(replayed.peak.total().get(), most);
    for segments in [caching::Segments::Fixed, caching::Segments::Expandable] {
        let taken = caching::replay(&replayed.requests, segments);
        assert!(taken.reserved >= taken.allocated, "{segments:?}");
        assert!(taken.allocated.get() >= most, "{segments:?}");
    }
    let taken = system::replay(&replayed.requests);
    assert!(taken.reserved >= taken.allocated);
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let attention = prop_oneof![Just(AttentionKernel::Fused), Just(AttentionKernel::Eager)];
    let types = prop_oneof![
        Just((Dtype::Bf16, Dtype::Bf16)),
        Just((Dtype::F32, Dtype::F32)),
        Just((Dtype::F32, Dtype::F16))
    ];
    let optimizer = prop_oneof![
        Just(Optimizer::AdamWForeach),
        Just(Optimizer::AdamWPlain),
        Just(Optimizer::Sgd)
    ];
    (attention, types, optimizer).prop_map(|(attention, (weights, compute), optimizer)| Recipe {
        weights,
        compute,
        cache: compute,
        attention,
        optimizer,
        ..Recipe::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_reads_tokens(
        model in 0..READERS.len(),
        recipe in recipes(),
        batch in 1..4u64,
        more in 1..3u64,
        pieces in 1..5u64,
        longer in 1..3u64,
    ) {
        let architecture = architecture(READERS[model]);
        let sequence = 64 * pieces;
        let one = step(&architecture, Shape::training(batch, sequence), &recipe);
        holds(&one);
        let larger = step(&architecture, Shape::training(batch + more, sequence), &recipe);
        prop_assert!(larger.peak.total() >= one.peak.total());
        prop_assert!(larger.saved >= one.saved);
        let longer_shape = Shape::training(batch, sequence + 64 * longer);
        let longer = step(&architecture, longer_shape, &recipe);
        prop_assert!(longer.peak.total() >= one.peak.total());
        let checkpointed = Recipe { checkpointing: Checkpointing::Full, ..recipe };
        let recomputed = step(&architecture, Shape::training(batch, sequence), &checkpointed);
        holds(&recomputed);
        let selective = Recipe { checkpointing: Checkpointing::Attention, ..recipe };
        let selective = step(&architecture, Shape::training(batch, sequence), &selective);
        holds(&selective);
        prop_assert!(selective.saved <= one.saved);
        prop_assert!(recomputed.saved <= selective.saved);
        let read = answer(&architecture, Shape::prompt(batch, sequence), &recipe);
        holds(&read);
        let more_read = answer(&architecture, Shape::prompt(batch + more, sequence), &recipe);
        prop_assert!(more_read.peak.total() >= read.peak.total());
    }

    #[test]
    fn what_sees_images(
        model in 0..SEERS.len(),
        recipe in recipes(),
        batch in 1..4u64,
        more in 1..3u64,
    ) {
        let architecture = architecture(SEERS[model]);
        let one = step(&architecture, Shape::images(batch, None), &recipe);
        holds(&one);
        let larger = step(&architecture, Shape::images(batch + more, None), &recipe);
        prop_assert!(larger.peak.total() >= one.peak.total());
        prop_assert!(larger.saved >= one.saved);
        let seen = answer(&architecture, Shape::images(batch, None), &recipe);
        holds(&seen);
    }
}
