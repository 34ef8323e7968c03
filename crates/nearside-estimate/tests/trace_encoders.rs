//! Holds encoders and encoder-decoders to traces of real PyTorch programs: `data/encoders.csv`, made
//! with `bench/accuracy/trace.py` (torch 2.9.1, transformers 5.23.0) from the configurations of the
//! catalog, with the class of the column `class`, shortened to so many `layers` where that is stated.
//! `saved` and `peak` are bytes.
//!
//! Run with `--nocapture` to see the error of every row.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Dtype, Graph, Operator, Shape, header};
use nearside_catalog::Catalog;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::tape::Tape;
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::Bytes;
use nearside_workload::{AttentionKernel, Checkpointing, Optimizer, Recipe};

type Row<'a> = BTreeMap<&'a str, &'a str>;

fn rows() -> Vec<Row<'static>> {
    let mut lines = include_str!("data/encoders.csv").lines();
    let heads: Vec<_> = lines.next().expect("a header").split(',').collect();
    lines.map(|line| heads.iter().copied().zip(line.split(',')).collect()).collect()
}

fn number(row: &Row<'_>, column: &str) -> u64 {
    row[column].parse().expect("a number")
}

fn dtype(name: &str) -> Dtype {
    name.parse().expect("a type")
}

fn architecture(row: &Row<'_>) -> Architecture {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let config = catalog.model(row["model"]).expect("a model of the catalog").config();
    let class = format!("{{\"architectures\": [\"{}\"], ", row["class"]);
    let config = config.replacen("\"architectures\"", "\"other\"", 1).replacen('{', &class, 1);
    let read = header::config::parse(config.as_bytes()).expect("a readable config");
    row["layers"].parse().map_or(read.clone(), |layers| shortened(read, layers))
}

fn shortened(mut architecture: Architecture, layers: u64) -> Architecture {
    match &mut architecture {
        Architecture::Encoder(encoder) => encoder.layers = layers,
        Architecture::TextToText(model) => {
            model.encoder_layers = layers;
            model.decoder_layers = Some(layers);
        }
        Architecture::Speech(model) => {
            model.encoder[0] = layers;
            model.decoder[0] = layers;
        }
        _ => {}
    }
    architecture
}

fn recipe(row: &Row<'_>) -> Recipe {
    let weights = dtype(row["dtype"]);
    let compute = if row["autocast"].is_empty() { weights } else { dtype(row["autocast"]) };
    Recipe {
        loss: nearside_workload::VocabularyLoss::Whole,
        weights,
        compute,
        cache: compute,
        optimizer: Optimizer::AdamWForeach,
        attention: row["attention"].parse::<AttentionKernel>().expect("a kernel"),
        checkpointing: row["checkpointing"].parse::<Checkpointing>().expect("a way"),
    }
}

/// The traced programs keep no keys and values.
fn without_cache(mut graph: Graph) -> Graph {
    for node in &mut graph.nodes {
        if let Operator::ClassicAttention(attention) = &mut node.operator {
            attention.shape.cached = 0;
        }
    }
    graph
}

fn replayed(row: &Row<'_>) -> (Tape, Replayed) {
    let recipe = recipe(row);
    let written = row["written"].parse().ok();
    let (batch, tokens) = (number(row, "batch"), number(row, "tokens"));
    let program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };
    let shape = Shape { written, ..Shape::training(batch, tokens) };
    let graph = without_cache(architecture(row).graph(shape).expect("a graph"));
    match row["task"] {
        "infer" => {
            let tape = lower(&graph, &recipe, Trained::Nothing);
            let replayed = inference(&tape, &program);
            (tape, replayed)
        }
        _ => {
            let tape = lower(&graph, &recipe, Trained::Everything);
            let step = TrainingStep { optimizer: recipe.optimizer, passes: Passes::One };
            let replayed = training(&tape, &program, &step);
            (tape, replayed)
        }
    }
}

fn label(row: &Row<'_>) -> String {
    ["class", "task", "dtype", "autocast", "attention", "checkpointing", "batch", "tokens"]
        .map(|column| row[column])
        .join(" ")
}

/// Relative error in percent.
fn error(estimate: Bytes, truth: u64) -> f64 {
    (estimate.get() as f64 / truth as f64 - 1.0) * 100.0
}

#[test]
fn weights_and_optimizer_states_are_exact() {
    for row in rows() {
        let (tape, replayed) = replayed(&row);
        assert_eq!(tape.weight_bytes().get(), number(&row, "weights"), "{}", label(&row));
        assert_eq!(replayed.optimizer.get(), number(&row, "optimizer"), "{}", label(&row));
    }
}

#[test]
fn peaks_and_saved_activations_are_within_a_tenth_of_a_percent() {
    let rows = rows();
    assert!(rows.len() >= 30, "{} rows", rows.len());
    for row in rows {
        let (_, replayed) = replayed(&row);
        let peak = error(replayed.peak.total(), number(&row, "peak"));
        println!(
            "{peak:+.4} %  {}  at {}: {}",
            label(&row),
            replayed.peak.pass,
            replayed.peak.step
        );
        assert!(peak.abs() < 0.1, "{peak:+.4} % {}", label(&row));
        if row["task"] != "infer" {
            let saved = error(replayed.saved, number(&row, "saved"));
            println!("{saved:+.4} %  saved");
            assert!(saved.abs() < 0.1, "{saved:+.4} % saved {}", label(&row));
        }
    }
}
