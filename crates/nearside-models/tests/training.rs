//! Training, held to inference and to finite differences, for the models of `tests/decoders.jsonl`.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
#![allow(clippy::print_stdout, reason = "a test says how near it comes")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "decoders/case.rs"]
mod case;

use case::{Case, cases, error};
use nearside_models::train::{
    AdamW, Batch, Corpus, Learns, Memory, Network, Recipe, Run, Shape, TrainError, Trainer,
    Vocabulary, write,
};
use nearside_models::{
    AddSpecial, ControlText, DecoderModel, ModelError, Precision, Segment, StoredModel, Tokenizer,
    Wanted,
};

/// The largest difference of scores that the order of sums makes, as a part of the largest one.
const ORDER: f64 = 1e-4;

/// Families that inference has and training does not, by a part of their names.
const UNTRAINED: [&str; 3] = ["moe", "mixtral", "experts"];

fn trained(name: &str) -> Learns {
    let _every = name;
    Learns::Trained
}

/// Cases that are trained, with their networks.
fn networks() -> impl Iterator<Item = (Case, Network)> {
    let known = |case: &Case| !UNTRAINED.iter().any(|part| case.name.contains(part));
    cases().into_iter().filter(known).map(|case| {
        let network = Network::load(&case.stored(), case.text().len(), &trained).unwrap();
        (case, network)
    })
}

/// Two sequences of the case's text, of different lengths, of which some tokens are predicted.
fn batch(case: &Case) -> Batch {
    let text: Vec<u32> = case.text().into_iter().take(40).collect();
    let (first, second) = text.split_at(25);
    let targets = (0..38).map(|at| (at % 5 != 1).then(|| (at as u32 * 31 + 7) % 128));
    let tokens = [&first[..24], &second[..14]].concat();
    Batch::new(tokens, targets.collect(), &[24, 14]).unwrap()
}

#[test]
fn scores_are_those_of_inference() {
    for (case, mut network) in networks() {
        let text = case.text();
        let model = DecoderModel::load(&case.stored(), text.len()).unwrap();
        let mut cache = model.cache_with(text.len(), Precision::Single);
        let segment = Segment { cache: &mut cache, tokens: &text, wanted: Wanted::All };
        let expected = model.forward(&mut [segment]).unwrap();
        let batch = Batch::new(text.clone(), vec![None; text.len()], &[text.len()]).unwrap();
        let scores = network.scores(&batch).unwrap();
        let rows = scores.chunks_exact(128).zip(expected.chunks_exact(128));
        let worst = rows.map(|(row, expected)| {
            error(row, &expected.iter().map(|score| f64::from(*score)).collect::<Vec<_>>())
        });
        let worst = worst.fold(0.0, f64::max);
        println!("{:30} {worst:.1e}", case.name);
        assert!(worst < ORDER, "{}: {worst:.1e}", case.name);
    }
}

#[test]
fn gradients_of_every_tensor_of_every_family_are_differences() {
    for (case, mut network) in networks() {
        let batch = batch(&case);
        network.learn(&batch, Memory::Kept).unwrap();
        network.parameters().check_gradients().unwrap();
        let gradients: Vec<_> = network.parameters().all().to_vec();
        let mut worst = 0.0f64;
        for (index, tensor) in gradients.iter().enumerate() {
            for direction in directions(&tensor.gradient) {
                let expected: f64 = direction
                    .iter()
                    .zip(&tensor.gradient)
                    .map(|(along, gradient)| f64::from(*along) * f64::from(*gradient))
                    .sum();
                let mut at = |step: f32| {
                    let moved = network.parameters_mut().trained_mut().nth(index).unwrap();
                    let values = tensor.values.iter().zip(&direction);
                    moved.values = values.map(|(value, along)| value + step * along).collect();
                    network.loss(&batch).unwrap().mean()
                };
                // As far as the loss changes by a little, at most by 0.0003 on average.
                let most = 0.0003 * (direction.len() as f32).sqrt() / length(&direction);
                let step = (0.001 / expected.abs().max(1e-9) as f32).min(most);
                // Two differences, from which the error of the second order is taken off.
                let slope = |step: f32, at: &mut dyn FnMut(f32) -> f64| {
                    (at(step) - at(-step)) / (2.0 * f64::from(step))
                };
                let found = (4.0 * slope(step, &mut at) - slope(2.0 * step, &mut at)) / 3.0;
                at(0.0);
                // What 32 bits round off a loss of about five.
                let rounded = 2e-7 / f64::from(step);
                let typical = f64::from(length(&tensor.gradient));
                let off = ((found - expected).abs() - rounded).max(0.0) / typical;
                worst = worst.max(off);
                assert!(off < 0.02, "{}, {}: {expected} is not {found}", case.name, tensor.name);
            }
        }
        println!("{:30} {worst:.1e}", case.name);
    }
}

/// The direction of a gradient, and one at random.
fn directions(gradient: &[f32]) -> [Vec<f32>; 2] {
    let length = length(gradient);
    let mut state = 7u32;
    let mut sign = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { 1.0 } else { -1.0 }
    };
    [
        gradient.iter().map(|number| number / length).collect(),
        gradient.iter().map(|_| sign()).collect(),
    ]
}

fn length(numbers: &[f32]) -> f32 {
    numbers.iter().map(|number| number * number).sum::<f32>().sqrt()
}

/// The bits of a loss and of all gradients.
fn bits(network: &mut Network, batch: &Batch, memory: Memory) -> (u64, Vec<u32>) {
    network.parameters_mut().clear_gradients();
    let loss = network.learn(batch, memory).unwrap();
    let gradients = network.parameters().trained().flat_map(|tensor| &tensor.gradient);
    (loss.sum.to_bits(), gradients.map(|number| number.to_bits()).collect())
}

#[test]
fn neither_threads_nor_the_way_of_memory_change_a_bit() {
    for (case, mut network) in networks() {
        let batch = batch(&case);
        let mut run = |threads, memory| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits(&mut network, &batch, memory))
        };
        let alone = run(1, Memory::Kept);
        for (threads, memory) in
            [(1, Memory::Recomputed), (2, Memory::Kept), (5, Memory::Recomputed)]
        {
            assert!(run(threads, memory) == alone, "{}, {threads} {memory:?}", case.name);
        }
    }
}

#[test]
fn a_loss_is_learned_and_said_alike() {
    for (case, mut network) in networks() {
        let batch = batch(&case);
        let said = network.loss(&batch).unwrap();
        assert_eq!(network.learn(&batch, Memory::Kept).unwrap(), said);
        assert_eq!(said.tokens, batch.predicted());
    }
}

#[test]
fn only_what_is_to_be_trained_has_gradients() {
    let case = cases().into_iter().next().unwrap();
    let learns = |name: &str| match name.contains("q_proj") {
        true => Learns::Trained,
        false => Learns::Frozen,
    };
    let mut network = Network::load(&case.stored(), 64, &learns).unwrap();
    network.learn(&batch(&case), Memory::Recomputed).unwrap();
    network.parameters().check_gradients().unwrap();
    let names: Vec<_> = network.parameters().trained().map(|tensor| tensor.name.clone()).collect();
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|name| name.contains("q_proj")), "{names:?}");
}

#[test]
fn what_is_not_trained_is_said_by_name() {
    let is_untrained = |case: &Case| UNTRAINED.iter().any(|part| case.name.contains(part));
    let untrained: Vec<_> = cases().into_iter().filter(is_untrained).collect();
    assert!(!untrained.is_empty());
    for case in untrained {
        let refused = Network::load(&case.stored(), 64, &trained);
        let Err(TrainError::Model(ModelError::Unsupported { what })) = refused else {
            unreachable!("{}", case.name)
        };
        assert!(what.contains("experts"), "{what}");
    }
}

#[test]
fn a_sequence_longer_than_the_context_is_an_error() {
    let case = cases().into_iter().next().unwrap();
    let mut network = Network::load(&case.stored(), 23, &trained).unwrap();
    let told = network.loss(&batch(&case));
    assert!(matches!(
        told,
        Err(TrainError::Model(ModelError::Context { tokens: 24, context: 23 }))
    ));
}

/// A text of few words.
fn text() -> String {
    let words = ["the", "cat", "dog", "sat", "ran", "on", "mat", "log"];
    let mut state = 5u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        words[(state >> 29) as usize]
    };
    let lines = (0..600).map(|_| format!("{} {} {} {}.\n", draw(), draw(), draw(), draw()));
    lines.collect()
}

/// Trains a tiny model, writes its folder, and gives what it learned.
fn make(folder: &Path, threads: usize, memory: Memory, steps: usize) -> Run {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let texts = [text()];
        let corpus = Corpus::of(&texts);
        let vocabulary = Vocabulary::learn(&corpus.learned, 280, 16).unwrap();
        let tokens = corpus.tokens(&vocabulary).unwrap();
        let size = vocabulary.tokenizer.size() as usize;
        let shape = Shape::new(size, 32, 2, 16).unwrap();
        let (decoder, numerics) = shape.decoder().unwrap();
        let mut network = Network::fresh(&decoder, &numerics, 16, 3).unwrap();
        let (optimizer, rate) = (AdamW::USUAL, 5e-3);
        let recipe = Recipe { batch: 4, context: 16, steps, rate, seed: 3, optimizer, memory };
        let parts = [tokens.learned.as_slice(), &tokens.held_out];
        let bytes = vocabulary.bytes().unwrap();
        let mut trainer = Trainer::new(&mut network, parts, &bytes, &recipe).unwrap();
        while trainer.step().unwrap().is_some() {}
        let run = trainer.finish().unwrap();
        write(folder, &shape, &vocabulary, network.parameters()).unwrap();
        run
    })
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let file = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

#[test]
fn a_model_learns_and_its_folder_is_the_same_for_the_same_seed_on_any_threads() {
    let folder = case::Folder::new();
    let (first, second) = (folder.0.join("first"), folder.0.join("second"));
    let run = make(&first, 1, Memory::Kept, 60);
    // Eight words at random: three bits for about four bytes.
    assert!(run.after.mean() < 0.6 * run.before.mean(), "{run:?}");
    assert!(run.bits_per_byte(run.after) < 2.0, "{}", run.bits_per_byte(run.after));
    assert_eq!(make(&second, 3, Memory::Recomputed, 60), run);
    assert_eq!(files(&first), files(&second));
    let names: Vec<String> = files(&first).into_keys().collect();
    let expected = [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_was_written_computes_what_was_trained() {
    let folder = case::Folder::new();
    let path = folder.0.join("model");
    let run = make(&path, 2, Memory::Kept, 5);
    let stored = StoredModel::open(&path).unwrap();
    let tokenizer = Tokenizer::of(&stored).unwrap();
    let words = tokenizer.encode("the cat sat on the mat", AddSpecial::Add, ControlText::Plain);
    let words = words.unwrap();
    let model = DecoderModel::load(&stored, 16).unwrap();
    let mut cache = model.cache_with(16, Precision::Single);
    let segment = Segment { cache: &mut cache, tokens: &words, wanted: Wanted::All };
    let expected: Vec<f64> =
        model.forward(&mut [segment]).unwrap().iter().map(|score| f64::from(*score)).collect();
    let mut network = Network::load(&stored, 16, &trained).unwrap();
    let batch = Batch::new(words.clone(), vec![None; words.len()], &[words.len()]).unwrap();
    let found = error(&network.scores(&batch).unwrap(), &expected);
    assert!(found < ORDER, "{found}");
    assert_eq!(run.steps.len(), 5);
}

#[test]
fn who_ends_training_has_the_model_of_that_step() {
    let shape = Shape::new(300, 32, 1, 8).unwrap();
    let (decoder, numerics) = shape.decoder().unwrap();
    let tokens: Vec<u32> = (0..400).map(|at| at * at % 300).collect();
    let mut network = Network::fresh(&decoder, &numerics, 8, 3).unwrap();
    let (optimizer, rate, memory) = (AdamW::USUAL, 1e-3, Memory::Kept);
    let recipe = Recipe { batch: 2, context: 8, steps: 9, rate, seed: 3, optimizer, memory };
    let parts = [tokens.as_slice(), &tokens];
    let mut trainer = Trainer::new(&mut network, parts, &[1; 300], &recipe).unwrap();
    for step in 1..=3 {
        assert_eq!(trainer.step().unwrap().unwrap().step, step);
    }
    let run = trainer.finish().unwrap();
    assert_eq!((run.steps.len(), run.tokens), (3, 48));
    assert_ne!(run.after, run.before);
}

#[test]
fn a_loss_that_is_no_number_ends_training_with_its_step() {
    let shape = Shape::new(300, 32, 1, 8).unwrap();
    let (decoder, numerics) = shape.decoder().unwrap();
    let tokens: Vec<u32> = (0..400).map(|at| at * at % 300).collect();
    let mut network = Network::fresh(&decoder, &numerics, 8, 3).unwrap();
    network.parameters_mut().trained_mut().for_each(|tensor| tensor.values.fill(f32::NAN));
    let (optimizer, rate, memory) = (AdamW::USUAL, 1e-3, Memory::Kept);
    let recipe = Recipe { batch: 2, context: 8, steps: 9, rate, seed: 3, optimizer, memory };
    let parts = [tokens.as_slice(), &tokens];
    let told = Trainer::new(&mut network, parts, &[1; 300], &recipe).unwrap().step();
    assert!(matches!(told, Err(TrainError::NotFinite { step: 1, .. })), "{told:?}");
}
