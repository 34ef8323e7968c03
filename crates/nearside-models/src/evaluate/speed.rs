//! How fast a model makes tokens, one at a time.

use std::time::{Duration, Instant};

use crate::decoder::{DecoderModel, Segment, Wanted};
use crate::error::ModelError;

/// Tokens before measuring begins.
const WARM: usize = 2;
/// The most tokens that are made to measure.
const MOST: usize = 64;

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
