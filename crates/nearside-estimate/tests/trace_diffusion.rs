//! Holds the estimator to traces of diffusers 0.42.1 (torch 2.9.1, fake tensors, sizes rounded as the
//! CUDA allocator rounds them): `data/diffusion.csv`, U-Nets, autoencoders and image transformers.
//!
//! `image` is the side of the picture in pixels, also for a bare denoiser: its latent image has an
//! eighth of it. A batch of two is one picture with guidance. `autocast` is the type of products
//! where it differs from that of the weights. Run with `--nocapture` to see the error of every row.

use std::collections::BTreeMap;

use nearside_architecture::{Architecture, Coding, Dtype, Graph, Shape, header};
use nearside_catalog::Catalog;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::Bytes;
use nearside_workload::{AttentionKernel, Checkpointing, Optimizer, Recipe};

type Row<'a> = BTreeMap<&'a str, &'a str>;

fn rows() -> Vec<Row<'static>> {
    let mut lines =
        include_str!("data/diffusion.csv").lines().filter(|line| !line.starts_with('#'));
    let heads: Vec<_> = lines.next().expect("a header").split(',').collect();
    lines.map(|line| heads.iter().copied().zip(line.split(',')).collect()).collect()
}

fn number(row: &Row<'_>, column: &str) -> u64 {
    row[column].parse().expect("a number")
}

/// A model by its own name, or a component of a pipeline in the catalog.
fn architecture(row: &Row<'_>) -> Architecture {
    let own = match row["model"] {
        "unet-small" => Some(include_str!("data/unet-small.json")),
        "dit-xl-2" => Some(include_str!("data/dit-xl-2.json")),
        _ => None,
    };
    if let Some(config) = own {
        return header::config::parse(config.as_bytes()).expect("a config");
    }
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let found = catalog.model(row["model"]).expect("a model of the catalog");
    let Ok(Architecture::Pipeline(pipeline)) = found.architecture() else {
        unreachable!("{} is a pipeline", row["model"])
    };
    let named = |name: &str| row["component"] == name;
    let component = pipeline.components.iter().find(|component| named(&component.name));
    component.expect("a component").architecture.clone()
}

fn graph(row: &Row<'_>) -> Graph {
    let shape = Shape::images(number(row, "batch"), Some(number(row, "image")));
    match (architecture(row), row["task"]) {
        (Architecture::Vae(vae), "encode") => Graph::of_vae(&vae, Coding::Encode, shape),
        (architecture, _) => architecture.graph(shape).expect("a graph"),
    }
}

/// Weights and what a replay found.
fn estimated(row: &Row<'_>) -> (Bytes, Replayed) {
    let weights: Dtype = row["dtype"].parse().expect("a type");
    let compute = match row["autocast"] {
        "" => weights,
        name => name.parse().expect("a type"),
    };
    let recipe = Recipe {
        loss: nearside_workload::VocabularyLoss::Whole,
        weights,
        compute,
        cache: compute,
        optimizer: match row["optimizer"] {
            "adamw-foreach" => Optimizer::AdamWForeach,
            _ => Optimizer::AdamWPlain,
        },
        attention: AttentionKernel::Fused,
        checkpointing: match row["checkpointing"] {
            "full" => Checkpointing::Full,
            _ => Checkpointing::None,
        },
    };
    let trained = if row["task"] == "full" { Trained::Everything } else { Trained::Nothing };
    let tape = lower(&graph(row), &recipe, trained);
    let program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };
    let replayed = match trained {
        Trained::Nothing => inference(&tape, &program),
        _ => {
            let step = TrainingStep { optimizer: recipe.optimizer, passes: Passes::One };
            training(&tape, &program, &step)
        }
    };
    (tape.weight_bytes(), replayed)
}

fn label(row: &Row<'_>) -> String {
    ["model", "component", "task", "dtype", "autocast", "checkpointing", "batch", "image"]
        .map(|column| row[column])
        .join(" ")
}

/// Relative error in percent.
fn error(estimate: u64, truth: u64) -> f64 {
    (estimate as f64 / truth as f64 - 1.0) * 100.0
}

#[test]
fn rows_of_diffusers_are_within_a_twentieth_of_a_percent() {
    let rows = rows();
    assert!(rows.len() >= 12, "{} rows", rows.len());
    for row in rows {
        let (weights, replayed) = estimated(&row);
        assert_eq!(weights.get(), number(&row, "weights"), "{}", label(&row));
        assert_eq!(replayed.optimizer.get(), number(&row, "states"), "{}", label(&row));
        let peak = error(replayed.peak.total().get(), number(&row, "peak"));
        let place = replayed.peak.step;
        println!("{peak:+.4} %  {}  at {}: {place}", label(&row), replayed.peak.pass);
        assert!(peak.abs() < 0.05, "{peak:+.4} % {}", label(&row));
        if row["task"] == "full" {
            let saved = error(replayed.saved.get(), number(&row, "saved"));
            println!("{saved:+.4} %  saved");
            assert!(saved.abs() < 0.1, "{saved:+.4} % saved {}", label(&row));
        }
    }
}
