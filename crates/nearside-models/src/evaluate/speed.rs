//! How fast a model makes tokens: measured, and what reading its weights alone allows.
//!
//! ```text
//! predicted tokens a second = bytes that memory gives a second / bytes of weights that one token reads
//! ```
//!
//! One token at a time reads every weight once: all but the embedding, of which it reads one row unless it is the output
//! too, and of experts those that are active.

use std::time::{Duration, Instant};

use nearside_architecture::{Architecture, FeedForward};
use rayon::prelude::*;

use crate::decoder::{DecoderModel, Segment, Wanted};
use crate::error::ModelError;
use crate::stored::{Part, StoredModel};

/// Bytes that are read to see how fast memory is: more than caches keep.
const READ: usize = 256 << 20;
/// How often; the fastest counts.
const TIMES: usize = 4;
/// Tokens before measuring begins.
const WARM: usize = 2;
/// The most tokens that are made to measure.
const MOST: usize = 64;

/// Bytes of weights that one token reads.
#[must_use]
pub fn bytes_per_token(stored: &StoredModel) -> f64 {
    let (active, all) = match &stored.architecture {
        Architecture::Decoder(decoder) => {
            let experts = decoder.layers.iter().find_map(|layer| match &layer.feed_forward {
                FeedForward::Experts(experts) => Some((experts.active, experts.count)),
                _ => None,
            });
            experts.unwrap_or((1, 1))
        }
        _ => (1, 1),
    };
    let share = active as f64 / all.max(1) as f64;
    let embedding = stored.naming.name(Part::Embedding, None);
    let tied = stored.optional(Part::Output, None).is_none();
    let bytes = stored.tensors.iter().map(|(name, tensor)| {
        let whole = tensor.bytes.len() as f64;
        let rows = tensor.shape.first().copied().unwrap_or(1).max(1) as f64;
        match name {
            name if *name == embedding && !tied => whole / rows,
            name if name.contains("_exps.") || name.contains(".experts.") => whole * share,
            _ => whole,
        }
    });
    bytes.sum()
}

/// Bytes that all cores together read from memory in a second.
#[must_use]
pub fn read_bandwidth() -> f64 {
    // Pages that were never written are all the same one.
    let words: Vec<u64> = (0..READ as u64 / 8).collect();
    let share = words.len().div_ceil(4 * rayon::current_num_threads().max(1)).max(1);
    let time = || {
        let begun = Instant::now();
        let sum = words.par_chunks(share).map(|part| part.iter().fold(0, |sum, word| sum ^ word));
        std::hint::black_box(sum.reduce(|| 0, |one, other| one ^ other));
        begun.elapsed().as_secs_f64()
    };
    let fastest = (0..TIMES).map(|_| time()).fold(f64::INFINITY, f64::min);
    READ as f64 / fastest.max(1e-9)
}

/// Tokens that a model makes in a second, one at a time, after so short a run. `None` where it made none in time.
///
/// # Errors
/// When the model does not compute.
pub fn tokens_per_second(model: &DecoderModel, time: Duration) -> Result<Option<f64>, ModelError> {
    let mut cache = model.cache(WARM + MOST);
    let mut begun = Instant::now();
    let mut token = 0;
    for made in 0..WARM + MOST {
        if made == WARM {
            begun = Instant::now();
        }
        let spent = begun.elapsed();
        if made > WARM && spent >= time {
            return Ok(Some((made - WARM) as f64 / spent.as_secs_f64()));
        }
        let tokens = [token];
        let segment = Segment { cache: &mut cache, tokens: &tokens, wanted: Wanted::Last };
        let scores = model.forward(&mut [segment])?;
        // A different token each time: of experts, others are read.
        token = (token + 7919) % u32::try_from(scores.len().max(1)).unwrap_or(u32::MAX);
    }
    let spent = begun.elapsed().as_secs_f64();
    Ok((spent > 0.0).then(|| MOST as f64 / spent))
}
