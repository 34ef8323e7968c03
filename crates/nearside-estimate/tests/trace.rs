//! Holds the estimator to traces of real PyTorch programs: `data/trace_results.csv`, bytes live at
//! the peak, made with torch 2.9.1, transformers 5.23 and peft 0.21.2 on fake tensors whose sizes
//! are rounded as the CUDA allocator rounds them. `attn`: `eager`, `sdpa` (masked, heads repeated),
//! `gt_gqa` (fused). LoRA rows: rank 16 on all seven projections of a block.
//!
//! Run with `--nocapture` to see the error of every row.

use std::collections::BTreeMap;

use nearside_architecture::{
    Attention, Decoder, Dense, Dtype, FeedForward, Graph, GroupedAttention, Layer, Norm,
    NormPlacement, Positions, Shape,
};
use nearside_estimate::demand::resident;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::tape::Category;
use nearside_estimate::timeline::{Peak, inference_peak, training_peak};
use nearside_units::Bytes;
use nearside_workload::{
    Adapter, AdapterTargets, AttentionKernel, Checkpointing, Optimizer, Recipe,
};

/// What the estimator says of a row.
struct Estimated {
    weights: Bytes,
    optimizer: Bytes,
    gradients: Bytes,
    peak: Peak,
}

fn llama(layers: usize, hidden: u64, intermediate: u64, tied_embeddings: bool) -> Decoder {
    let attention = GroupedAttention {
        heads: 32,
        key_value_heads: 8,
        head_dim: hidden / 32,
        window: None,
        input_bias: false,
        output_bias: false,
        query_key_norm: None,
        soft_cap: false,
    };
    let layer = Layer {
        attention: Attention::Grouped(attention),
        feed_forward: FeedForward::Dense(Dense { intermediate, gated: true, bias: false }),
        norms: NormPlacement::Before,
    };
    Decoder {
        hidden,
        vocabulary: 128_256,
        context: Some(131_072),
        positions: Positions::Rotary,
        tied_embeddings,
        output_bias: false,
        logit_soft_cap: false,
        norm: Norm::Rms,
        layers: vec![layer; layers],
        dtype: Some(Dtype::Bf16),
        attached: Vec::new(),
    }
}

type Row<'a> = BTreeMap<&'a str, &'a str>;

/// The rows that this version estimates: Llama in one number type.
fn rows() -> Vec<Row<'static>> {
    let mut lines = include_str!("data/trace_results.csv").lines();
    let heads: Vec<_> = lines.next().expect("a header").split(',').collect();
    let row = |line: &'static str| heads.iter().copied().zip(line.split(',')).collect::<Row<'_>>();
    let known =
        |row: &Row<'_>| row["model"].starts_with("llama") && row["dtype"].parse::<Dtype>().is_ok();
    lines.map(row).filter(known).collect()
}

fn number(row: &Row<'_>, column: &str) -> u64 {
    row[column].parse().expect("a number")
}

fn estimated(row: &Row<'_>) -> Estimated {
    let decoder = match row["model"] {
        "llama-3.2-1b" => llama(16, 2048, 8192, true),
        _ => llama(32, 4096, 14_336, false),
    };
    let dtype: Dtype = row["dtype"].parse().expect("a type");
    let recipe = Recipe {
        weights: dtype,
        compute: dtype,
        cache: dtype,
        optimizer: Optimizer::AdamWPlain,
        attention: match row["attn"] {
            "eager" => AttentionKernel::Eager,
            "sdpa" => AttentionKernel::Masked,
            _ => AttentionKernel::Fused,
        },
        checkpointing: match row["ckpt"] {
            "1" => Checkpointing::Full,
            _ => Checkpointing::None,
        },
    };
    let trained = match row["task"] {
        "full" => Trained::Everything,
        "lora" => Trained::Adapters(Adapter { rank: 16, targets: AdapterTargets::Linear }),
        _ => Trained::Nothing,
    };
    let optimizer = match row["opt"] {
        "adamw" => Optimizer::AdamWPlain,
        "adamw_foreach" => Optimizer::AdamWForeach,
        _ => Optimizer::Sgd,
    };
    let (batch, sequence) = (number(row, "batch"), number(row, "seq"));
    let shape = match trained {
        Trained::Nothing => Shape::prompt(batch, sequence),
        _ => Shape::training(batch, sequence),
    };
    let graph = Graph::of(&decoder, shape);
    let tape = lower(&graph, &recipe, trained);
    let resident = resident(&tape, &graph, optimizer);
    let peak = match trained {
        Trained::Nothing => inference_peak(&tape, resident),
        _ => training_peak(&tape, resident),
    };
    Estimated {
        weights: tape.weights.iter().map(|weight| weight.bytes).sum(),
        optimizer: resident.optimizer,
        gradients: tape.weights.iter().filter_map(|weight| weight.gradient).sum(),
        peak,
    }
}

fn label(row: &Row<'_>) -> String {
    ["model", "task", "attn", "ckpt", "batch", "seq", "dtype", "opt"]
        .map(|column| row[column])
        .join(" ")
}

/// Relative error in percent.
fn error(estimate: u64, truth: u64) -> f64 {
    (estimate as f64 / truth as f64 - 1.0) * 100.0
}

#[test]
fn weights_and_optimizer_states_are_exact() {
    let rows = rows();
    assert_eq!(rows.len(), 41, "rows of the reference that are scored");
    for row in rows {
        let estimated = estimated(&row);
        assert_eq!(estimated.weights.get(), number(&row, "param"), "{}", label(&row));
        assert_eq!(estimated.optimizer.get(), number(&row, "optim"), "{}", label(&row));
    }
}

#[test]
fn gradients_at_the_peak_are_exact() {
    for row in rows().iter().filter(|row| number(row, "grad_at_peak") > 0) {
        let estimated = estimated(row);
        let at_peak = estimated.peak.by_category.get(&Category::Gradients).copied();
        assert_eq!(at_peak.map(Bytes::get), Some(number(row, "grad_at_peak")), "{}", label(row));
        if estimated.peak.pass == "optimizer" {
            assert_eq!(at_peak, Some(estimated.gradients), "{}", label(row));
        }
    }
}

#[test]
fn peaks_are_within_half_a_percent() {
    for row in rows() {
        let peak = estimated(&row).peak;
        let error = error(peak.total().get(), number(&row, "peak"));
        println!("{error:+.3} %  {}  at {}: {}", label(&row), peak.pass, peak.step);
        assert!(error.abs() < 0.5, "{error:+.3} % {}", label(&row));
    }
}

#[test]
fn saved_activations_are_within_two_percent() {
    for row in rows().iter().filter(|row| row["task"] != "prefill") {
        let error = error(estimated(row).peak.saved.get(), number(row, "act_saved"));
        println!("{error:+.4} %  {}", label(row));
        // Masked attention of the 8B model keeps half a copy less than we count.
        let bound = if row["attn"] == "sdpa" { 2.0 } else { 0.01 };
        assert!(error.abs() < bound, "{error:+.4} % {}", label(row));
    }
}
