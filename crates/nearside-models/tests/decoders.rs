//! Decoders, held to what transformers computes with the same weights; `cargo xtask parity` makes its answers anew.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
#![allow(clippy::print_stdout, reason = "a test says how near it comes")]

#[path = "decoders/adapters.rs"]
mod adapters;
#[path = "decoders/case.rs"]
mod case;
#[path = "decoders/converted.rs"]
mod converted;
#[path = "decoders/folders.rs"]
mod folders;
#[path = "decoders/spoiled.rs"]
mod spoiled;

use case::{Case, cases, error};
use nearside_models::{Adapter, DecoderModel, KeyValueCache, Precision, Segment, Wanted};

/// The largest difference that the order of sums makes, as a part of the largest score of a row.
const ORDER: f64 = 2e-5;
/// The same of keys and values in half precision. These models are random ones, which are more sensitive than real ones.
const HALF: f64 = 5e-3;
/// The same of keys and values of 8 bits.
const BYTE: f64 = 0.1;
/// The same where a token may come to other experts.
const BYTE_OF_EXPERTS: f64 = 0.4;

fn bound_of_bytes(name: &str) -> f64 {
    if name.contains("moe") { BYTE_OF_EXPERTS } else { BYTE }
}

fn forward(model: &DecoderModel, cache: &mut KeyValueCache, tokens: &[u32]) -> Vec<f32> {
    let wanted = Wanted::All;
    model.forward(&mut [Segment { cache, tokens, wanted }]).unwrap()
}

/// A cache that keeps what was computed.
fn room(model: &DecoderModel, tokens: usize) -> KeyValueCache {
    model.cache_with(tokens, Precision::Single)
}

fn best(row: &[f32]) -> u32 {
    (0..row.len()).max_by(|left, right| row[*left].total_cmp(&row[*right])).unwrap() as u32
}

/// A case with its model, which reads contexts as long as its text.
fn loaded() -> impl Iterator<Item = (Case, DecoderModel)> {
    cases().into_iter().map(|case| {
        let model = DecoderModel::load(&case.stored(), case.text().len()).unwrap();
        (case, model)
    })
}

/// The largest error of rows at the case's positions.
fn error_of(case: &Case, model: &DecoderModel, scores: &[f32]) -> f64 {
    let rows: Vec<_> = scores.chunks_exact(model.vocabulary()).collect();
    let errors = case.positions.iter().zip(&case.logits).map(|(at, row)| error(rows[*at], row));
    errors.fold(0.0, f64::max)
}

/// What is not read would be weights that are left out of what is computed.
#[test]
fn every_tensor_of_a_family_is_read() {
    for case in cases() {
        let stored = case.stored();
        let (_, read) = DecoderModel::load_noting(&stored, 1, &Adapter::default()).unwrap();
        let left: Vec<_> = stored.tensors.keys().filter(|name| !read.contains(*name)).collect();
        assert!(left.is_empty(), "{}: {left:?}", case.name);
    }
}

#[test]
fn every_family_scores_words_as_transformers_does() {
    let mut wrong = Vec::new();
    for (case, model) in loaded() {
        let text = case.text();
        let kept = [Precision::Single, Precision::Half, Precision::Byte];
        let [single, half, byte] = kept.map(|precision| {
            let scores = forward(&model, &mut model.cache_with(text.len(), precision), &text);
            error_of(&case, &model, &scores)
        });
        let name = &case.name;
        println!(
            "{name:30} {single:.1e}, with a cache of half precision {half:.1e}, of 8 bits {byte:.1e}"
        );
        if single > ORDER || half > HALF || byte > bound_of_bytes(name) {
            wrong.push(case.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn every_family_continues_a_text_as_transformers_does() {
    for (case, model) in loaded() {
        let mut cache = room(&model, case.text().len());
        let mut scores = forward(&model, &mut cache, &case.prompt);
        let mut continued = Vec::new();
        while continued.len() < case.greedy.len() {
            let word = best(&scores[scores.len() - model.vocabulary()..]);
            continued.push(word);
            scores = forward(&model, &mut cache, &[word]);
        }
        assert_eq!(continued, case.greedy, "{}", case.name);
    }
}

#[test]
fn a_text_may_be_read_in_any_pieces() {
    for (case, model) in loaded() {
        let text = case.prompt.as_slice();
        let whole = forward(&model, &mut room(&model, text.len()), text);
        for piece in [1, text.len().div_ceil(2), 7] {
            let mut cache = room(&model, text.len());
            let pieces = text.chunks(piece).flat_map(|piece| forward(&model, &mut cache, piece));
            let pieces: Vec<f32> = pieces.collect();
            assert_eq!(cache.length(), text.len());
            let found = rows_differ(&model, &pieces, &whole);
            assert!(found < ORDER, "{}, {piece} tokens at once: {found:.1e}", case.name);
        }
    }
}

#[test]
fn sequences_of_a_batch_do_not_see_each_other() {
    for (case, model) in loaded() {
        let vocabulary = model.vocabulary();
        let text = case.prompt.as_slice();
        let (before, after) = text.split_at(5);
        let other: Vec<u32> = text.iter().rev().copied().take(11).collect();
        let whole = forward(&model, &mut room(&model, text.len()), text);
        let alone = forward(&model, &mut room(&model, other.len()), &other);
        let [mut first, mut second] = [text.len(), other.len()].map(|length| room(&model, length));
        forward(&model, &mut first, before);
        // One sequence goes on where the other begins.
        let together = model.forward(&mut [
            Segment { cache: &mut first, tokens: after, wanted: Wanted::All },
            Segment { cache: &mut second, tokens: &other, wanted: Wanted::Last },
        ]);
        let together = together.unwrap();
        let (of_first, of_second) = together.split_at(after.len() * vocabulary);
        let differ: f64 = rows_differ(&model, of_first, &whole[before.len() * vocabulary..])
            .max(rows_differ(&model, of_second, &alone[alone.len() - vocabulary..]));
        assert!(differ < ORDER, "{}: {differ:.1e}", case.name);
    }
}

#[test]
fn a_cache_that_was_cut_or_copied_is_as_good_as_a_new_one() {
    for (case, model) in loaded() {
        for (precision, bound) in [
            (Precision::Half, HALF),
            (Precision::Single, ORDER),
            (Precision::Byte, bound_of_bytes(&case.name)),
        ] {
            let text = case.prompt.as_slice();
            let mut fresh = model.cache_with(text.len(), precision);
            let whole = forward(&model, &mut fresh, text);
            let kept = 9;
            let whole = &whole[kept * model.vocabulary()..];
            // Behind what is kept stands another text.
            let mut cut = model.cache_with(text.len() + 3, precision);
            forward(&model, &mut cut, &text[..kept]);
            forward(&model, &mut cut, &text[..kept + 5]);
            cut.truncate(kept);
            assert_eq!(cut.length(), kept);
            let mut copy = model.cache_with(text.len(), precision);
            copy.copy_from(&cut, kept);
            let [cut, copy] =
                [cut, copy].map(|mut cache| forward(&model, &mut cache, &text[kept..]));
            assert_eq!(cut, copy, "{}", case.name);
            let differ = rows_differ(&model, &cut, whole);
            assert!(differ < bound, "{}: {differ:.1e}", case.name);
        }
    }
}

#[test]
fn a_cache_of_another_precision_is_not_taken_over() {
    let (case, model) = loaded().next().unwrap();
    let mut half = model.cache(case.prompt.len());
    forward(&model, &mut half, &case.prompt);
    let mut single = room(&model, case.prompt.len());
    single.copy_from(&half, case.prompt.len());
    assert_eq!((single.length(), single.bytes()), (0, 2 * half.bytes()));
}

#[test]
fn nothing_to_read_is_no_error() {
    let (case, model) = loaded().next().unwrap();
    assert!(model.forward(&mut []).unwrap().is_empty());
    let mut cache = model.cache(0);
    assert!(forward(&model, &mut cache, &[]).is_empty());
    cache.copy_from(&model.cache(3), 3);
    let mut other = model.cache(case.prompt.len());
    let both = model.forward(&mut [
        Segment { cache: &mut cache, tokens: &[], wanted: Wanted::Last },
        Segment { cache: &mut other, tokens: &case.prompt, wanted: Wanted::Last },
    ]);
    assert_eq!(both.unwrap().len(), model.vocabulary());
    assert_eq!((cache.length(), other.length()), (0, case.prompt.len()));
}

fn rows_differ(model: &DecoderModel, rows: &[f32], from: &[f32]) -> f64 {
    assert_eq!(rows.len(), from.len());
    let width = model.vocabulary();
    let from = from.chunks_exact(width).map(|row| row.iter().copied().map(f64::from).collect());
    let pairs = rows.chunks_exact(width).zip(from);
    pairs.map(|(row, from): (_, Vec<f64>)| error(row, &from)).fold(0.0f64, f64::max)
}
