//! What encoders and encoder-decoders ask of a machine: one pass, or reading once and writing token
//! by token.

use std::sync::Arc;

use nearside_architecture::Dtype;
use nearside_catalog::Catalog;
use nearside_estimate::demand::{Demand, demand};
use nearside_estimate::tape::Category;
use nearside_units::Bytes;
use nearside_workload::{Batch, ModelRef, Recipe, Serving, Task, Training, Workload};

fn asked(model: &str, task: Task) -> Demand {
    let catalog = Catalog::builtin().expect("the built-in catalog");
    let architecture = catalog.model(model).expect("a model").architecture().expect("a config");
    let model =
        ModelRef { name: model.to_owned(), architecture: Arc::new(architecture), stored: None };
    let recipe =
        Recipe { weights: Dtype::F16, compute: Dtype::F16, cache: Dtype::F16, ..Recipe::default() };
    demand(
        &Workload { task, model: Some(model), recipe, image: None },
        1,
        nearside_estimate::Device::Accelerator,
    )
    .expect("a demand")
}

fn serving(prompt: u64, output: u64) -> Task {
    Task::Inference(Serving { requests: 1000, prompt, output, concurrency: 2, hours: 10.0 })
}

fn passes(demand: &Demand) -> Vec<(&str, f64)> {
    demand.passes.iter().map(|pass| (pass.name, pass.repeats)).collect()
}

#[test]
fn an_encoder_answers_with_one_pass() {
    let served = asked("bert-base", serving(128, 50));
    assert_eq!(passes(&served), [("encode", 500.0)]);
    assert!(!served.memory.by_category.contains_key(&Category::Cache));
    let batch = Batch { requests: 1001, batch: 10, prompt: 128, output: 1 };
    let evaluated = asked("bert-base", Task::Evaluation(batch));
    assert_eq!(passes(&evaluated), [("encode", 101.0)]);
    assert!(evaluated.memory.total() > served.memory.total());
}

#[test]
fn an_encoder_decoder_reads_once_and_writes_against_what_it_read() {
    let served = asked("whisper-small", serving(4, 100));
    assert_eq!(passes(&served), [("read prompts", 1000.0), ("write tokens", 50_000.0)]);
    // 12 layers keep keys and values of 1500 places once, and of 100 tokens: two requests.
    let elements = 12 * 2 * 768 * (1500 + 100) * 2;
    let cache = served.memory.by_category.get(&Category::Cache);
    assert_eq!(cache.copied(), Some(Bytes::new(2 * elements)));
    let longer = asked("t5-base", serving(512, 128));
    let shorter = asked("t5-base", serving(256, 128));
    assert!(longer.memory.total() > shorter.memory.total());
    assert_eq!(longer.load, shorter.load);
}

#[test]
fn all_weights_are_there_while_the_decoder_writes() {
    let served = asked("t5-base", serving(1, 100_000));
    let weights = served.memory.by_category[&Category::Weights];
    assert!(weights.get() >= 2 * 222_903_552, "{weights}");
    assert_eq!(served.load, weights);
    assert_eq!(served.memory.parameters, 222_903_552);
}

#[test]
fn training_reads_and_writes_as_many_tokens() {
    let training = Training { tokens: 1_000_000, sequence: 256, batch: 4, accumulation: 1 };
    let trained = asked("t5-base", Task::FineTune(training));
    assert_eq!(trained.memory.trained, 222_903_552);
    let trained = asked("whisper-small", Task::FineTune(training));
    // The encoder's sinusoids are fixed.
    assert_eq!(trained.memory.trained, 241_734_912 - 1500 * 768);
}
