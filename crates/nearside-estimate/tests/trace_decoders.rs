//! Holds the estimator to traces of real decoders, shortened to a few layers: `data/decoders.csv`,
//! the totals of `bench/accuracy/trace.py --model MODEL --layers LAYERS ...` with torch 2.9.1,
//! transformers 5.23 and peft 0.21.2 (saved activations and the peak of the second step). Adapters:
//! rank 16 on every projection of a block. `chunk`: tokens of a chunk of the loss (0: all at once),
//! each under `torch.utils.checkpoint`; `checkpointing` `attention`: the attention function under it.
//!
//! Run with `--nocapture` to see the error of every row.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Decoder, Graph, Shape, header::config};
use nearside_catalog::Catalog;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::tape::Tape;
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::Bytes;
use nearside_workload::{Adapter, AdapterMethod, AdapterTargets, Recipe, VocabularyLoss};

type Row<'a> = BTreeMap<&'a str, &'a str>;

fn rows() -> Vec<Row<'static>> {
    let mut lines = include_str!("data/decoders.csv").lines();
    let heads: Vec<_> = lines.next().expect("a header").split(',').collect();
    lines.map(|line| heads.iter().copied().zip(line.split(',')).collect()).collect()
}

fn number(row: &Row<'_>, column: &str) -> u64 {
    row[column].parse().expect("a number")
}

/// The model of a row, shortened.
fn decoder(row: &Row<'_>) -> Option<Decoder> {
    let architecture = match row["model"] {
        "mixtral-small" => config::parse(include_bytes!("data/mixtral-small.json")),
        "qwen3-moe-small" => config::parse(include_bytes!("data/qwen3-moe-small.json")),
        name => {
            let catalog = Catalog::builtin().expect("the built-in catalog");
            catalog.model(name).expect("a model of the catalog").architecture()
        }
    };
    let Ok(Architecture::Decoder(mut decoder)) = architecture else { return None };
    decoder.layers.truncate(usize::try_from(number(row, "layers")).expect("a few layers"));
    Some(decoder)
}

fn estimated(row: &Row<'_>) -> (Tape, Replayed) {
    let decoder = decoder(row).expect("a decoder");
    let compute = row["compute_type"].parse().expect("a type");
    let recipe = Recipe {
        weights: row["weights_type"].parse().expect("a type"),
        compute,
        cache: compute,
        optimizer: row["optimizer"].parse().expect("an optimizer"),
        attention: row["attention"].parse().expect("a kernel"),
        checkpointing: row["checkpointing"].parse().expect("a kind of checkpointing"),
        loss: match number(row, "chunk") {
            0 => VocabularyLoss::Whole,
            tokens => VocabularyLoss::Chunked { tokens },
        },
    };
    let adapter = |method| Adapter { rank: 16, targets: AdapterTargets::Linear, method };
    let trained = match row["task"] {
        "full" => Trained::Everything,
        "lora" => Trained::Adapters(adapter(AdapterMethod::Lora)),
        "dora" => Trained::Adapters(adapter(AdapterMethod::Dora)),
        _ => Trained::Nothing,
    };
    let (batch, sequence) = (number(row, "batch"), number(row, "sequence"));
    let shape = match trained {
        Trained::Nothing => Shape::prompt(batch, sequence),
        _ => Shape::training(batch, sequence),
    };
    let tape = lower(&Graph::of(&decoder, shape), &recipe, trained);
    let program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };
    let step = TrainingStep { optimizer: recipe.optimizer, passes: Passes::One };
    let replayed = match trained {
        Trained::Nothing => inference(&tape, &program),
        _ => training(&tape, &program, &step),
    };
    (tape, replayed)
}

fn label(row: &Row<'_>) -> String {
    ["model", "task", "attention", "checkpointing", "batch", "sequence", "compute_type"]
        .map(|column| row[column])
        .join(" ")
}

/// Difference in parts per million.
fn difference(estimate: Bytes, truth: u64) -> f64 {
    (estimate.get() as f64 / truth as f64 - 1.0) * 1e6
}

#[test]
fn totals_are_those_of_the_traces() {
    let rows = rows();
    assert!(rows.len() >= 30, "only {} rows", rows.len());
    for row in rows {
        let (tape, replayed) = estimated(&row);
        let label = label(&row);
        assert_eq!(tape.weight_bytes().get(), number(&row, "weights"), "{label}");
        // A state of AdamW counts its steps in a scalar of its own.
        let optimizer = difference(replayed.optimizer, number(&row, "optimizer_states").max(1));
        let peak = difference(replayed.peak.total(), number(&row, "peak"));
        let saved = match row["task"] {
            "prefill" => 0.0,
            _ => difference(replayed.saved, number(&row, "saved")),
        };
        println!("peak {peak:+.1} ppm, saved {saved:+.1} ppm  {label}");
        if number(&row, "optimizer_states") > 0 {
            assert!(optimizer.abs() < 1.0, "optimizer {optimizer:+.1} ppm {label}");
        }
        // Positions, scalars and loss labels: a few thousand bytes. The input of a chunk of the loss
        // is let go a moment later than in the program.
        let bound = if row["chunk"] == "0" { 100.0 } else { 300.0 };
        assert!(peak.abs() < bound, "peak {peak:+.1} ppm {label}");
        assert!(saved.abs() < 100.0, "saved {saved:+.1} ppm {label}");
    }
}
