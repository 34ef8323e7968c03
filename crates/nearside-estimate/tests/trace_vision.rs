//! Holds image classifiers to traces of real programs: `data/vision.csv`, bytes live at the peak of
//! the second training step or of one inference, made with torch 2.9.1, torchvision 0.24.1 and
//! transformers 5.23 on fake tensors whose sizes are rounded as the CUDA allocator rounds them.
//! Rows with the rules `cpu` were traced before CUDA's kernels were part of the trace.
//!
//! Run with `--nocapture` to see the error of every row.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Shape, header};
use nearside_catalog::Catalog;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::Bytes;
use nearside_workload::{AttentionKernel, Checkpointing, Optimizer, Recipe};

type Row = BTreeMap<&'static str, &'static str>;

/// Configurations of transformers that the catalog does not list.
const CONFIGS: &[(&str, &str)] = &[
    ("hf-mobilenet", r#"{"model_type": "mobilenet_v2", "num_labels": 1000, "image_size": 224}"#),
    (
        "hf-efficientnet",
        r#"{"model_type": "efficientnet", "num_labels": 1000, "image_size": 224,
            "width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": 1280}"#,
    ),
];

fn rows() -> Vec<Row> {
    let mut lines = include_str!("data/vision.csv").lines();
    let heads: Vec<_> = lines.next().expect("a header").split(',').collect();
    lines.map(|line| heads.iter().copied().zip(line.split(',')).collect()).collect()
}

fn number(row: &Row, column: &str) -> u64 {
    row[column].parse().expect("a number")
}

fn architecture(name: &str) -> Architecture {
    match CONFIGS.iter().find(|(known, _)| *known == name) {
        Some((_, config)) => header::config::parse(config.as_bytes()).expect("a configuration"),
        None => {
            let catalog = Catalog::builtin().expect("the built-in catalog");
            catalog.model(name).expect("a model").architecture().expect("a configuration")
        }
    }
}

/// Bytes of the weights, and what the replay found.
fn estimated(row: &Row) -> (Bytes, Replayed) {
    let compute = row["compute"].parse().expect("a type");
    let optimizer = match row["optimizer"] {
        "-" => Optimizer::Sgd,
        name => name.parse().expect("an optimizer"),
    };
    let recipe = Recipe {
        weights: row["weights"].parse().expect("a type"),
        compute,
        cache: compute,
        optimizer,
        attention: match row["rules"] {
            "cpu" => AttentionKernel::Masked,
            _ => AttentionKernel::Fused,
        },
        checkpointing: Checkpointing::None,
        ..Recipe::default()
    };
    let shape = Shape::images(number(row, "batch"), Some(number(row, "image")));
    let graph = architecture(row["model"]).graph(shape).expect("a graph");
    let program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };
    let step = TrainingStep { optimizer, passes: Passes::One };
    match row["task"] {
        "infer" => {
            let tape = lower(&graph, &recipe, Trained::Nothing);
            (tape.weight_bytes(), inference(&tape, &program))
        }
        _ => {
            let tape = lower(&graph, &recipe, Trained::Everything);
            (tape.weight_bytes(), training(&tape, &program, &step))
        }
    }
}

fn label(row: &Row) -> String {
    ["model", "task", "batch", "image", "weights", "compute", "rules"].map(|key| row[key]).join(" ")
}

/// Relative error in percent.
fn error(estimate: u64, truth: u64) -> f64 {
    (estimate as f64 / truth as f64 - 1.0) * 100.0
}

#[test]
fn weights_states_saved_activations_and_peaks_are_those_of_the_traces() {
    let rows = rows();
    assert_eq!(rows.len(), 56, "rows that are scored");
    for row in rows {
        let (weights, replayed) = estimated(&row);
        let label = label(&row);
        assert_eq!(weights.get(), number(&row, "weight_bytes"), "{label}");
        assert_eq!(replayed.optimizer.get(), number(&row, "optimizer_bytes"), "{label}");
        let peak = error(replayed.peak.total().get(), number(&row, "peak"));
        let place = (replayed.peak.pass, replayed.peak.step);
        println!("peak {peak:+.4} %  {label}  at {}: {}", place.0, place.1);
        assert!(peak.abs() < 0.5, "peak {peak:+.3} % {label}");
        if row["task"] == "train" {
            let saved = error(replayed.saved.get(), number(&row, "saved"));
            println!("saved {saved:+.4} %  {label}");
            assert!(saved.abs() < 0.5, "saved {saved:+.3} % {label}");
        }
    }
}
