//! Properties of every way to share a workload, and figures of others: a real two-rank step of
//! `fully_shard`, the paper on sequence parallelism.

use std::collections::BTreeMap;

use nearside_architecture::{
    Activation, Architecture, Decoder, Dense, Dropout, Dtype, FeedForward, Graph, GroupedAttention,
    Layer, Mixer, Norm, NormPlacement, Packing, Positions, Scales, Shape, Turning,
};
use nearside_catalog::Catalog;
use nearside_estimate::communication::Collective;
use nearside_estimate::live::Recorded;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::parallel::sharding::DataGroup;
use nearside_estimate::parallel::{pipeline, tensor};
use nearside_estimate::tape::{Category, Tape};
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, training, training_shared,
};
use nearside_units::Bytes;
use nearside_workload::{
    AttentionKernel, Checkpointing, Offload, Optimizer, Recipe, Sharding, Stream,
};

const PROGRAM: Program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };

fn decoder(name: &str, layers: usize) -> Decoder {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let architecture = catalog.model(name).expect("a known model").architecture();
    let decoder = match architecture.expect("a readable config") {
        Architecture::Decoder(decoder) => Some(decoder),
        _ => None,
    };
    let mut decoder = decoder.expect("a decoder");
    decoder.layers.truncate(layers);
    decoder
}

fn recipe() -> Recipe {
    Recipe { optimizer: Optimizer::AdamWPlain, ..Recipe::default() }
}

fn step() -> TrainingStep {
    TrainingStep { optimizer: Optimizer::AdamWPlain, passes: Passes::One }
}

fn tape(layers: usize, recipe: &Recipe) -> Tape {
    let graph = Graph::of(&decoder("llama-3.2-1b", layers), Shape::training(1, 512));
    lower(&graph, recipe, Trained::Everything)
}

fn group(sharding: Sharding, devices: u64) -> DataGroup {
    DataGroup { sharding, offload: Offload::None, devices }
}

fn replayed(tape: &Tape, group: DataGroup) -> Replayed {
    training_shared(tape, &PROGRAM, &step(), group, (Recorded::default(), None))
}

const WAYS: [Sharding; 5] =
    [Sharding::None, Sharding::Zero1, Sharding::Zero2, Sharding::Zero3, Sharding::Fsdp];

#[test]
fn one_device_is_the_plain_plan_exactly() {
    for checkpointing in [Checkpointing::None, Checkpointing::Full] {
        let tape = tape(2, &Recipe { checkpointing, ..recipe() });
        let plain = training(&tape, &PROGRAM, &step());
        for sharding in WAYS {
            assert_eq!(replayed(&tape, group(sharding, 1)), plain, "{sharding}");
        }
    }
    let graph = Graph::of(&decoder("llama-3.2-1b", 2), Shape::training(1, 512));
    let share = tensor::share(&graph, 1, Stream::Split).unwrap();
    assert_eq!((share.graph, share.forward.len()), (graph, 0));
}

#[test]
fn more_shards_never_need_more_memory() {
    for checkpointing in [Checkpointing::None, Checkpointing::Full] {
        let tape = tape(3, &Recipe { checkpointing, ..recipe() });
        for sharding in WAYS {
            let peaks: Vec<_> = [2, 3, 4, 8, 16, 64]
                .map(|devices| replayed(&tape, group(sharding, devices)).peak.total())
                .to_vec();
            assert!(peaks.windows(2).all(|pair| pair[1] <= pair[0]), "{sharding}: {peaks:?}");
        }
    }
}

#[test]
fn memory_returns_to_where_it_began() {
    use nearside_estimate::live::Event;
    for sharding in WAYS {
        for offload in [Offload::None, Offload::Optimizer] {
            let tape = tape(3, &recipe());
            let replayed = replayed(&tape, DataGroup { offload, ..group(sharding, 4) });
            let steady = &replayed.requests.events[replayed.requests.steady..];
            let taken = steady.iter().filter(|event| matches!(event, Event::Take { .. })).count();
            assert_eq!(taken * 2, steady.len(), "{sharding} {offload}");
        }
    }
}

#[test]
fn states_divide_exactly() {
    let tape = tape(2, &recipe());
    let whole = training(&tape, &PROGRAM, &step());
    let numbers = Bytes::new(512) * tape.trained().count() as u64;
    for devices in [2, 4, 8] {
        for sharding in [Sharding::Zero1, Sharding::Zero2, Sharding::Fsdp] {
            let part = replayed(&tape, group(sharding, devices)).optimizer;
            let divided = (whole.optimizer - numbers).get() / devices;
            assert_eq!((part - numbers).get(), divided, "{sharding} {devices}");
        }
        let loaded = group(Sharding::Fsdp, devices).loaded(&tape);
        assert_eq!(loaded.weight_bytes().get(), tape.weight_bytes().get() / devices);
    }
}

#[test]
fn sharding_more_needs_less() {
    // Without a block's activations to speak of, at enough devices.
    let tape = tape(16, &Recipe { checkpointing: Checkpointing::Full, ..recipe() });
    let peaks = WAYS.map(|sharding| replayed(&tape, group(sharding, 8)).peak.total());
    assert!(peaks.windows(2).all(|pair| pair[1] <= pair[0]), "{peaks:?}");
}

#[test]
fn at_most_two_units_are_gathered_beside_the_root() {
    let (two, many) = (tape(2, &recipe()), tape(16, &recipe()));
    let weights = |tape: &Tape, devices| {
        let replayed = replayed(tape, group(Sharding::Fsdp, devices));
        let resident = group(Sharding::Fsdp, devices).loaded(tape).weight_bytes();
        replayed.peak.by_category[&Category::Weights] - resident
    };
    let block = (many.weight_bytes() - two.weight_bytes()).get() / 14;
    let root = two.weight_bytes().get() - 2 * block;
    let gathered = weights(&many, 8).get();
    assert!(gathered <= root + 2 * block + 16 * 512, "{gathered} {root} {block}");
}

/// `fully_shard` around every block and the model, llama-3.2-1b cut to three blocks, one sequence of
/// 512 tokens, bf16, AdamW tensor by tensor, torch 2.9.1 on fake tensors and a fake process group:
/// what is live at the peak, after the forward and after the backward pass, above what is live when a
/// step begins.
#[test]
fn fully_shard_agrees_with_a_real_step() {
    let tape = tape(3, &recipe());
    for (devices, peak) in [(2, 2_405_463_040_u64), (8, 2_268_614_656)] {
        let group = group(Sharding::Fsdp, devices);
        let replayed = replayed(&tape, group);
        let resident = group.loaded(&tape).weight_bytes() + replayed.optimizer;
        let above = (replayed.peak.total() - resident).get();
        let error = above as f64 / peak as f64 - 1.0;
        println!("{devices} ranks: {above} of {peak}, {:+.3} %", error * 100.0);
        assert!(error.abs() < 0.005, "{devices}: {above} {peak}");
    }
}

/// GPT as in arXiv 2205.05198, table 3 (22B: 48 blocks, 64 heads, width 6144).
fn megatron_22b(layers: usize) -> Decoder {
    let attention = GroupedAttention {
        heads: 64,
        key_value_heads: 64,
        head_dim: 96,
        window: None,
        input_bias: true,
        output_bias: true,
        query_key_norm: None,
        soft_cap: false,
        packing: Packing::Apart,
        rotary_dim: 96,
        turning: Turning::Each,
        wide_softmax: false,
        sinks: false,
        gated: false,
    };
    let dense = Dense { intermediate: 4 * 6144, gated: false, bias: true, packed: false };
    let layer = Layer {
        mixer: Mixer::Grouped(attention),
        feed_forward: FeedForward::Dense(dense),
        norms: NormPlacement::Before,
    };
    Decoder {
        hidden: 6144,
        vocabulary: 51_200,
        context: None,
        positions: Positions::Learned(2048),
        tied_embeddings: true,
        output_bias: false,
        logit_soft_cap: false,
        norm: Norm::Layer,
        activation: Activation::Gelu,
        scaled_embeddings: false,
        scales: Scales::default(),
        layers: vec![layer; layers],
        dtype: None,
        attached: Vec::new(),
        dropout: Dropout::default(),
    }
}

fn saved_of_blocks(ways: u64, stream: Stream, attention: AttentionKernel) -> f64 {
    let saved = |layers: usize| {
        let graph = Graph::of(&megatron_22b(layers), Shape::training(4, 2048));
        let share = tensor::share(&graph, ways, stream).expect("widths that divide");
        let recipe = Recipe { attention, ..recipe() };
        let tape = lower(&share.graph, &recipe, Trained::Everything);
        training(&tape, &PROGRAM, &step()).saved.get() as f64
    };
    (saved(3) - saved(1)) / 2.0
}

/// The paper's own accounting, not a measurement: 18 bytes per parameter of the blocks on each of 8
/// devices, and `34 s b h / t` bytes of activations per block with selective recomputation, of which
/// two dropout masks are not in our graph (32 of 34).
#[test]
fn megatron_agrees_with_the_papers_accounting() {
    let elements = |layers: usize| {
        let graph = Graph::of(&megatron_22b(layers), Shape::training(1, 1));
        tensor::share(&graph, 8, Stream::Split).unwrap().graph.parameter_count()
    };
    let blocks = 48 * (elements(2) - elements(1));
    let gib = blocks as f64 * 18.0 / f64::from(1 << 30);
    println!("parameters and optimizer: {gib:.2} GiB of 45.56");
    assert!((gib / 45.5625 - 1.0).abs() < 0.01, "{gib}");
    let gib = 48.0 * saved_of_blocks(8, Stream::Split, AttentionKernel::Fused) / f64::from(1 << 30);
    println!("activations: {gib:.2} GiB of 9.56");
    assert!((gib / 9.5625 - 1.0).abs() < 0.10, "{gib}");
}

#[test]
fn sequence_parallelism_divides_what_tensor_parallelism_leaves_whole() {
    let fused = AttentionKernel::Fused;
    let [alone, whole, split] = [(1, Stream::Whole), (8, Stream::Whole), (8, Stream::Split)]
        .map(|(ways, stream)| saved_of_blocks(ways, stream, fused));
    assert!(split < whole && whole < alone, "{split} {whole} {alone}");
    assert!((split * 8.0 / alone - 1.0).abs() < 0.01, "{split} {alone}");
}

#[test]
fn tensor_parallelism_divides_weights_and_joins_each_branch_once() {
    let decoder = decoder("llama-3.2-1b", 16);
    let graph = Graph::of(&decoder, Shape::training(1, 512));
    let mut before = u64::MAX;
    for ways in [1, 2, 4, 8, 16, 32] {
        let share = tensor::share(&graph, ways, Stream::Whole).unwrap();
        let tape = lower(&share.graph, &recipe(), Trained::Everything);
        let peak = training(&tape, &PROGRAM, &step()).peak.total().get();
        assert!(peak < before, "{ways}: {peak} {before}");
        before = peak;
        if ways > 1 {
            // Two sums per block and one of the embedding; two of gradients per block and one of the
            // output layer.
            assert_eq!((share.forward.len(), share.backward.len()), (33, 33));
        }
    }
    let error = tensor::share(&graph, 3, Stream::Whole).unwrap_err();
    assert_eq!(error.to_string(), "width (2048) cannot be divided among 3 devices");
}

#[test]
fn a_split_stream_sends_as_much_as_sums_and_gathers_again() {
    let graph = Graph::of(&decoder("llama-3.2-1b", 4), Shape::training(1, 512));
    let sent = |stream| {
        let share = tensor::share(&graph, 4, stream).unwrap();
        let all = share.forward.iter().chain(&share.backward);
        let mut sums = BTreeMap::new();
        for (collective, elements) in all {
            let bytes = collective.sent(Bytes::new(*elements), 4);
            *sums.entry(*collective).or_insert(Bytes::ZERO) += bytes;
        }
        sums
    };
    let (whole, split) = (sent(Stream::Whole), sent(Stream::Split));
    // A reduce-scatter and a gather in place of each sum, and the gather of the backward pass.
    let sums = whole[&Collective::AllReduce];
    assert_eq!(split[&Collective::ReduceScatter] * 2, sums);
    assert_eq!(split[&Collective::AllGather].get() * 4, sums.get() * 3);
}

#[test]
fn stages_hold_every_weight_once() {
    let graph = Graph::of(&decoder("llama-3.2-1b", 8), Shape::training(1, 512));
    let tape = lower(&graph, &recipe(), Trained::Everything);
    let one = pipeline::stages(&tape, 1).unwrap();
    assert_eq!(pipeline::stage(&tape, one[0].clone()).weight_bytes(), tape.weight_bytes());
    for ways in [2, 3, 8] {
        let stages = pipeline::stages(&tape, ways).unwrap();
        let tapes: Vec<_> = stages.into_iter().map(|range| pipeline::stage(&tape, range)).collect();
        let weights: Bytes = tapes.iter().map(Tape::weight_bytes).sum();
        // A tied table is in the first and in the last stage.
        let table = Dtype::Bf16.bytes(128_256 * 2048);
        assert_eq!(weights, tape.weight_bytes() + table);
        let peaks = tapes.iter().map(|tape| training(tape, &PROGRAM, &step()).peak.total());
        let whole = training(&tape, &PROGRAM, &step()).peak.total();
        assert!(peaks.into_iter().all(|peak| peak < whole));
    }
    assert!(pipeline::stages(&tape, 9).is_err());
}
