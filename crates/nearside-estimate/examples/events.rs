//! Prints what a configuration takes from and gives back to an allocator, in order, as
//! `bench/accuracy/trace.py --events` does for the real program, so that the two can be compared.
//!
//! `cargo run -p nearside-estimate --example events -- llama-3.2-1b full fused none adamw-plain 1 2048 bf16 bf16 [LAYERS]`
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

use std::error::Error;

use nearside_architecture::{Architecture, Graph, Operator, Shape, header};
use nearside_catalog::Catalog;
use nearside_estimate::allocator::caching::{Segments, replay};
use nearside_estimate::live::Event;
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::Bytes;
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, Parallelism, Recipe, VocabularyLoss,
};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    let architecture = match std::fs::read(word(0)) {
        Ok(config) => header::config::parse(&config)?,
        Err(_) => Catalog::builtin()?.model(word(0))?.architecture()?,
    };
    let architecture = match architecture {
        Architecture::Decoder(mut decoder) => {
            decoder.layers.truncate(word(9).parse().unwrap_or(usize::MAX));
            Architecture::Decoder(decoder)
        }
        other => other,
    };
    let graph = |shape| architecture.graph(shape).ok_or("a family without a graph");
    let recipe = Recipe {
        weights: word(7).parse()?,
        compute: word(8).parse()?,
        cache: word(8).parse()?,
        optimizer: word(4).parse()?,
        attention: word(2).parse()?,
        checkpointing: word(3).parse()?,
        loss: match word(10).parse() {
            // Of other models it is how many tokens they write.
            Ok(tokens) if matches!(architecture, Architecture::Decoder(_)) => {
                VocabularyLoss::Chunked { tokens }
            }
            _ => VocabularyLoss::Whole,
        },
        parallelism: Parallelism::default(),
    };
    let trained = trained(word(1));
    let (batch, sequence) = (word(5).parse()?, word(6).parse()?);
    let written = word(10).parse().ok();
    let parameters = |graph: &Graph| {
        println!("# parameters {}", graph.parameter_count());
    };
    let program = match word(10) {
        "held" => Program { workspace: Bytes::new(8_519_680), outputs: Outputs::Held },
        _ => Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped },
    };
    let replayed = match trained {
        Trained::Nothing => {
            let shape = Shape { written, ..Shape::prompt(batch, sequence) };
            let graph = without_cache(graph(shape)?, word(1));
            parameters(&graph);
            let tape = lower(&graph, &recipe, trained);
            println!("# weights {}", tape.weight_bytes().get());
            inference(&tape, &program)
        }
        _ => {
            let graph = graph(Shape { written, ..Shape::training(batch, sequence) })?;
            let step = TrainingStep { optimizer: recipe.optimizer, passes: Passes::One };
            parameters(&graph);
            let tape = lower(&graph, &recipe, trained);
            println!("# weights {}", tape.weight_bytes().get());
            training(&tape, &program, &step)
        }
    };
    print(&replayed);
    Ok(())
}

/// What a task trains.
fn trained(task: &str) -> Trained {
    match task {
        "full" => Trained::Everything,
        "lora" => Trained::Adapters(Adapter {
            rank: 16,
            targets: AdapterTargets::Linear,
            method: AdapterMethod::Lora,
        }),
        "dora" => {
            let targets = AdapterTargets::Linear;
            Trained::Adapters(Adapter { rank: 16, targets, method: AdapterMethod::Dora })
        }
        "lora-attention" | "qlora-attention" => {
            let targets = AdapterTargets::Attention;
            Trained::Adapters(Adapter { rank: 32, targets, method: AdapterMethod::Lora })
        }
        _ => Trained::Nothing,
    }
}

/// A pass that keeps no keys and values (`infer`), as encoder-decoders are traced.
fn without_cache(mut graph: Graph, task: &str) -> Graph {
    for node in graph.nodes.iter_mut().filter(|_| task == "infer") {
        if let Operator::ClassicAttention(attention) = &mut node.operator {
            attention.shape.cached = 0;
        }
    }
    graph
}

fn print(replayed: &Replayed) {
    let mut sizes = std::collections::BTreeMap::new();
    for event in &replayed.requests.events {
        match event {
            Event::Take { piece, bytes } => {
                sizes.insert(*piece, *bytes);
                println!("+{}", bytes.get());
            }
            Event::Give { piece } => {
                let bytes = sizes.get(piece).copied().unwrap_or(Bytes::ZERO);
                println!("-{}", bytes.get());
            }
        }
    }
    let peak = &replayed.peak;
    println!("# peak {} at {}: {}", peak.total().get(), peak.pass, peak.step);
    let taken = replay(&replayed.requests, Segments::Fixed);
    println!("# allocated {} reserved {}", taken.allocated.get(), taken.reserved.get());
    println!("# saved {} optimizer {}", replayed.saved.get(), replayed.optimizer.get());
    println!("# steady {}", replayed.requests.steady);
}
