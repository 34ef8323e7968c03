//! How fast a model reads a prompt and makes tokens, one at a time. Any tokens will do, if they are not all the same: of
//! experts, others are read.

use std::time::{Duration, Instant};

use crate::decoder::DecoderModel;
use crate::error::ModelError;
use crate::generator::Generator;

/// Tokens before measuring begins.
const WARM: usize = 2;
/// The most tokens that are made to measure.
const MOST: usize = 64;
/// How far apart in the vocabulary tokens are that follow each other: a prime.
const STEP: u32 = 7919;

/// A prompt of so many tokens of a vocabulary.
#[must_use]
pub fn prompt(vocabulary: usize, tokens: usize) -> Vec<u32> {
    let vocabulary = u32::try_from(vocabulary).unwrap_or(u32::MAX).max(1);
    let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    (0..tokens).map(|at| at.wrapping_mul(STEP).wrapping_add(13) % vocabulary).collect()
}

/// Reads a prompt, as much at once as is best.
///
/// # Errors
/// When there is no room for it, or one is not in the vocabulary.
pub fn read(generator: &mut Generator<'_>, prompt: &[u32]) -> Result<(), ModelError> {
    prompt.chunks(Generator::AT_ONCE).try_for_each(|tokens| generator.read(tokens))
}

/// Makes a token after what was read, the one of that place in a prompt.
///
/// # Errors
/// When there is no room for it.
pub fn write(
    generator: &mut Generator<'_>,
    vocabulary: usize,
    place: usize,
) -> Result<(), ModelError> {
    let vocabulary = u32::try_from(vocabulary).unwrap_or(u32::MAX).max(1);
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    generator.read(&[place.wrapping_mul(STEP) % vocabulary])
}

/// Tokens that a model makes in a second, one at a time, after so short a run. `None` where it made none in time.
///
/// # Errors
/// When the model does not compute.
pub fn tokens_per_second(model: &DecoderModel, time: Duration) -> Result<Option<f64>, ModelError> {
    let mut generator = Generator::new(model, WARM + MOST);
    let mut begun = Instant::now();
    for made in 0..WARM + MOST {
        if made == WARM {
            begun = Instant::now();
        }
        let spent = begun.elapsed();
        if made > WARM && spent >= time {
            return Ok(Some((made - WARM) as f64 / spent.as_secs_f64()));
        }
        write(&mut generator, model.vocabulary(), made)?;
    }
    let spent = begun.elapsed().as_secs_f64();
    Ok((spent > 0.0).then(|| MOST as f64 / spent))
}
