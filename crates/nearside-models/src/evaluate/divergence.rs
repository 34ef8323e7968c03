//! How far one model's probabilities are from another's: Kullback-Leibler divergence of each token.
//!
//! ```text
//! divergence = sum over words of p * (ln p - ln q)        p the reference, q the other, in nats
//! ```
//!
//! Both models read the text side by side, so that only the scores of a few tokens are there at once.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::decoder::{DecoderModel, Segment, Wanted};
use crate::error::ModelError;
use crate::key_value_cache::KeyValueCache;

use super::Windows;
use super::perplexity::Perplexity;

/// Tokens whose scores are there at once.
const AT_ONCE: usize = 64;

/// What two models make of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// The perplexity of the reference.
    pub reference: Perplexity,
    /// That of the other.
    pub other: Perplexity,
    /// How far the other is from the reference.
    pub divergence: Divergence,
}

/// How far a model is from another over all tokens of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergence {
    /// The mean, in nats.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// What 99 of 100 tokens do not exceed.
    pub percentile_99: f64,
    /// The part of tokens where both find the same word most likely.
    pub same_top: f64,
}

/// What two models make of one token.
#[derive(Clone, Copy, Debug, Default)]
struct Scored {
    /// Natural logarithms of the probability of what came.
    logarithms: [f64; 2],
    divergence: f64,
    same_top: bool,
}

/// Compares two models of one vocabulary on a text. `tell` is told how many tokens are done, and may end it; what was
/// read until then counts. `None` where nothing was scored.
///
/// # Errors
/// When a token is not in the vocabulary, or one of the models does not compute.
pub fn compare(
    reference: &DecoderModel,
    other: &DecoderModel,
    text: &[u32],
    windows: &Windows,
    tell: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Comparison>, ModelError> {
    let models = [reference, other];
    let mut caches = models.map(|model| model.cache(windows.longest()));
    let mut scored = Vec::new();
    for window in windows.of(text) {
        if tell(scored.len()).is_break() {
            break;
        }
        caches.iter_mut().for_each(|cache| cache.truncate(0));
        // What the last token says of the next one is not asked for.
        let read = window.tokens.len() - 1;
        for first in (0..read).step_by(AT_ONCE) {
            let tokens = &window.tokens[first..(first + AT_ONCE).min(read)];
            let from = window.scored.start.saturating_sub(first + 1);
            let wanted = if from < tokens.len() { Wanted::All } else { Wanted::None };
            let [mut scores, mut others] = [Vec::new(), Vec::new()];
            for ((model, cache), scores) in
                models.iter().zip(&mut caches).zip([&mut scores, &mut others])
            {
                *scores = step(model, cache, tokens, wanted)?;
            }
            if wanted == Wanted::All {
                let width = reference.vocabulary();
                let came = &window.tokens[first + 1..=first + tokens.len()];
                let rows = scores.par_chunks_exact(width).zip(others.par_chunks_exact(width));
                let rows = rows.zip(came).skip(from);
                scored.par_extend(rows.map(|((one, other), came)| of_token(one, other, *came)));
            }
        }
    }
    Ok(summary(&scored))
}

fn step(
    model: &DecoderModel,
    cache: &mut KeyValueCache,
    tokens: &[u32],
    wanted: Wanted,
) -> Result<Vec<f32>, ModelError> {
    model.forward(&mut [Segment { cache, tokens, wanted }])
}

fn of_token(one: &[f32], other: &[f32], came: u32) -> Scored {
    let [reference, compared] = [one, other].map(Normal::of);
    let terms = one.iter().zip(other).map(|(one, other)| {
        let (p, q) = (reference.logarithm(*one), compared.logarithm(*other));
        p.exp() * (p - q)
    });
    let logarithm = |of: &Normal, scores: &[f32]| {
        scores.get(came as usize).map_or(f64::NEG_INFINITY, |score| of.logarithm(*score))
    };
    Scored {
        logarithms: [logarithm(&reference, one), logarithm(&compared, other)],
        // Rounding may leave a little less than nothing.
        divergence: terms.sum::<f64>().max(0.0),
        same_top: reference.top == compared.top,
    }
}

/// What makes probabilities of scores.
struct Normal {
    /// The logarithm of the sum of exponentials.
    whole: f64,
    /// The most likely word.
    top: usize,
}

impl Normal {
    fn of(scores: &[f32]) -> Self {
        let larger = |best: (usize, f32), (word, score): (usize, &f32)| {
            if *score > best.1 { (word, *score) } else { best }
        };
        let (top, largest) = scores.iter().enumerate().fold((0, f32::NEG_INFINITY), larger);
        let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
        Self { whole: f64::from(largest) + sum.ln(), top }
    }

    fn logarithm(&self, score: f32) -> f64 {
        f64::from(score) - self.whole
    }
}

fn summary(scored: &[Scored]) -> Option<Comparison> {
    let logarithms =
        |which: usize| -> Vec<f64> { scored.iter().map(|token| token.logarithms[which]).collect() };
    let mut divergences: Vec<f64> = scored.iter().map(|token| token.divergence).collect();
    divergences.sort_by(f64::total_cmp);
    let count = scored.len() as f64;
    let at = |part: f64| divergences.get(((count - 1.0) * part).round() as usize).copied();
    Some(Comparison {
        reference: Perplexity::of(&logarithms(0))?,
        other: Perplexity::of(&logarithms(1))?,
        divergence: Divergence {
            mean: divergences.iter().sum::<f64>() / count,
            median: at(0.5)?,
            percentile_99: at(0.99)?,
            same_top: scored.iter().filter(|token| token.same_top).count() as f64 / count,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_that_of_the_formula() {
        let check = |one: [f64; 2], other: [f64; 2], came, expect: Scored| {
            let scores = |p: [f64; 2]| p.map(|p| p.ln() as f32 + 3.0);
            let found = of_token(&scores(one), &scores(other), came);
            assert!((found.divergence - expect.divergence).abs() < 1e-6, "{found:?}");
            for (found, expect) in found.logarithms.iter().zip(expect.logarithms) {
                assert!((found - expect).abs() < 1e-6, "{found} {expect}");
            }
            assert_eq!(found.same_top, expect.same_top);
        };
        let half = 0.5_f64.ln();
        let logarithms = [half, 0.75_f64.ln()];
        let divergence = 0.5 * (half - 0.25_f64.ln()) + 0.5 * (half - 0.75_f64.ln());
        check([0.5, 0.5], [0.25, 0.75], 1, Scored { logarithms, divergence, same_top: false });
        let logarithms = [0.9_f64.ln(); 2];
        check([0.9, 0.1], [0.9, 0.1], 0, Scored { logarithms, divergence: 0.0, same_top: true });
    }

    #[test]
    fn the_summary_of_nothing_is_none() {
        assert_eq!(summary(&[]), None);
        let token = |divergence, same_top| Scored { divergence, same_top, ..Scored::default() };
        let tokens: Vec<_> = (0..101).map(|index| token(f64::from(index), index < 50)).collect();
        let found = summary(&tokens).unwrap().divergence;
        let expect =
            Divergence { mean: 50.0, median: 50.0, percentile_99: 99.0, same_top: 50.0 / 101.0 };
        assert_eq!(found, expect);
    }
}
