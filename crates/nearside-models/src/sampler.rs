//! Choosing the next token from its scores.
//!
//! In this order: what was written lately is made less likely, the best `top_k` stay, of those the fewest that together
//! have the probability `top_p`, of those the ones that have at least `min_p` of the best one's probability; then one is
//! drawn at the temperature. Numbers are drawn from a seed: the same seed draws the same tokens.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::random::Random;

/// Tokens that are sorted first, in the hope that they are enough.
const SORTED: usize = 128;

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// How much chance there is: 0 takes the best token always, 1 draws by the model's own probabilities.
    pub temperature: f32,
    /// So many of the best tokens are drawn from; 0 for all.
    pub top_k: usize,
    /// The fewest best tokens that have this probability together are drawn from; 1 for all.
    pub top_p: f32,
    /// Tokens with at least this share of the best one's probability are drawn from; 0 for all.
    pub min_p: f32,
    /// What scores of tokens that were written lately are divided by, or multiplied with below zero; 1 for nothing.
    pub repeat_penalty: f32,
    /// How many tokens are lately.
    pub repeat_last: usize,
    /// What is taken from scores of tokens for every time that they were written in the answer; 0 for nothing.
    pub frequency_penalty: f32,
    /// What is taken from scores of tokens that were written in the answer at all; 0 for nothing.
    pub presence_penalty: f32,
    /// Where chance begins.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_k: 40,
            top_p: 0.95,
            min_p: 0.05,
            repeat_penalty: 1.0,
            repeat_last: 64,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            seed: 0,
        }
    }
}

/// Chooses tokens one after the other.
#[derive(Clone, Debug)]
pub struct Sampler {
    how: Sampling,
    random: Random,
}

impl Sampler {
    /// One that has not drawn yet.
    #[must_use]
    pub const fn new(how: Sampling) -> Self {
        Self { how, random: Random::new(how.seed) }
    }

    /// The next token, from scores of all; before it stand the prompt and what was written. Without scores it is 0.
    pub fn choose(&mut self, scores: &[f32], prompt: &[u32], written: &[u32]) -> u32 {
        let Sampling { temperature, top_k, top_p, min_p, .. } = self.how;
        let mut scores = scores.to_vec();
        self.penalise(&mut scores, prompt, written);
        if temperature <= 0.0 {
            return best(&scores);
        }
        // What is ruled out is not drawn, nor what is no number.
        let mut candidates: Vec<(u32, f32)> =
            (0..).zip(scores).filter(|(_, score)| *score > f32::NEG_INFINITY).collect();
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k, by_score);
            candidates.truncate(top_k);
        }
        let most = candidates.iter().map(|(_, score)| *score).fold(f32::NEG_INFINITY, f32::max);
        if top_k > 0 || top_p < 1.0 || min_p > 0.0 {
            keep_likely(&mut candidates, most, top_p, min_p);
        }
        self.draw(&candidates, most, temperature)
    }

    /// Makes tokens less likely that were written already.
    fn penalise(&self, scores: &mut [f32], prompt: &[u32], written: &[u32]) {
        let Sampling { repeat_last, repeat_penalty, .. } = self.how;
        if repeat_penalty > 1.0 {
            let lately = written.iter().rev().chain(prompt.iter().rev()).take(repeat_last);
            for (token, _) in counted(lately) {
                if let Some(score) = scores.get_mut(token as usize) {
                    let divided = *score / repeat_penalty;
                    *score = if *score > 0.0 { divided } else { *score * repeat_penalty };
                }
            }
        }
        let Sampling { frequency_penalty, presence_penalty, .. } = self.how;
        if frequency_penalty.abs() + presence_penalty.abs() > 0.0 {
            for (token, count) in counted(written.iter()) {
                if let Some(score) = scores.get_mut(token as usize) {
                    *score -= frequency_penalty * count as f32 + presence_penalty;
                }
            }
        }
    }

    fn draw(&mut self, candidates: &[(u32, f32)], most: f32, temperature: f32) -> u32 {
        let weight = |score: f32| f64::from((score - most) / temperature).exp();
        let total: f64 = candidates.iter().map(|(_, score)| weight(*score)).sum();
        let mut left = self.random.uniform() * total;
        for (token, score) in candidates {
            left -= weight(*score);
            if left < 0.0 {
                return *token;
            }
        }
        candidates.last().map_or(0, |(token, _)| *token)
    }
}

/// The token with the highest score; the first one of several.
#[must_use]
pub fn best(scores: &[f32]) -> u32 {
    let better = |best: (u32, f32), (token, score): (u32, &f32)| {
        if *score > best.1 { (token, *score) } else { best }
    };
    (0..).zip(scores).fold((0, f32::NEG_INFINITY), better).0
}

/// The better one first; of equal ones the first.
fn by_score(left: &(u32, f32), right: &(u32, f32)) -> Ordering {
    right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
}

/// Keeps the fewest best ones that have the probability `top_p` together, and of those the ones that have at least the
/// share `min_p` of the best one's. Only as many are sorted as are likely to stay: a vocabulary is large.
fn keep_likely(candidates: &mut Vec<(u32, f32)>, most: f32, top_p: f32, min_p: f32) {
    let total: f32 = candidates.iter().map(|(_, score)| (score - most).exp()).sum();
    let mut sorted = SORTED;
    loop {
        let count = sorted.min(candidates.len());
        if count < candidates.len() {
            candidates.select_nth_unstable_by(count, by_score);
        }
        candidates[..count].sort_unstable_by(by_score);
        let mut sum = 0.0;
        let likely = candidates[..count].iter().take_while(|(_, score)| {
            let share = (score - most).exp();
            let wanted = sum < top_p && share >= min_p;
            sum += share / total;
            wanted
        });
        let likely = likely.count();
        if likely < count || count == candidates.len() {
            candidates.truncate(likely.max(1));
            return;
        }
        sorted *= 8;
    }
}

/// Tokens, and how often each is there.
fn counted<'a>(tokens: impl Iterator<Item = &'a u32>) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    tokens.for_each(|token| *counts.entry(*token).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(how: Sampling, scores: &[f32]) -> Vec<usize> {
        let mut sampler = Sampler::new(how);
        let mut counts = vec![0; scores.len()];
        (0..20_000).for_each(|_| counts[sampler.choose(scores, &[], &[]) as usize] += 1);
        counts
    }

    const ALL: Sampling = Sampling {
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        repeat_penalty: 1.0,
        repeat_last: 64,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        seed: 7,
    };

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_probable() {
        // Probabilities 1/7, 2/7 and 4/7.
        let scores = [0.0, 2f32.ln(), 4f32.ln()];
        let counts = counts(ALL, &scores);
        for (count, share) in counts.iter().zip([1.0, 2.0, 4.0]) {
            assert!((*count as f64 / 20_000.0 - share / 7.0).abs() < 0.01, "{counts:?}");
        }
    }

    #[test]
    fn what_is_left_out_is_never_drawn() {
        let scores = [0.0, 2f32.ln(), 4f32.ln()];
        assert_eq!(counts(Sampling { top_k: 2, ..ALL }, &scores)[0], 0);
        assert_eq!(counts(Sampling { top_p: 0.5, ..ALL }, &scores)[2], 20_000);
        assert_eq!(counts(Sampling { min_p: 0.3, ..ALL }, &scores)[0], 0);
        assert_eq!(counts(Sampling { temperature: 0.0, ..ALL }, &scores)[2], 20_000);
        assert_eq!(best(&[1.0, 3.0, 3.0, f32::NAN]), 1);
    }

    #[test]
    fn what_stays_is_what_sorting_all_of_it_keeps() {
        // 2,000 scores, of which one in three is the same as another.
        let scores: Vec<f32> = (0..2000u32).map(|at| (at * 7919 % 1300) as f32 / 200.0).collect();
        for (top_p, min_p) in
            [(0.1, 0.0), (0.9, 0.0), (0.999, 0.0), (1.0, 0.05), (0.95, 0.3), (1.0, 0.0)]
        {
            let mut all: Vec<(u32, f32)> = (0..).zip(scores.iter().copied()).collect();
            let mut few = all.clone();
            let most = scores.iter().copied().fold(0.0, f32::max);
            keep_likely(&mut few, most, top_p, min_p);
            let total: f32 = all.iter().map(|(_, score)| (score - most).exp()).sum();
            all.sort_by(by_score);
            let mut sum = 0.0;
            let kept = all.iter().take_while(|(_, score)| {
                let share = (score - most).exp();
                let wanted = sum < top_p && share >= min_p;
                sum += share / total;
                wanted
            });
            assert_eq!(few, kept.copied().collect::<Vec<_>>(), "{top_p} {min_p}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_one_does_not() {
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling { seed, ..ALL });
            (0..50).map(|_| sampler.choose(&[0.0; 100], &[], &[])).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn what_was_written_lately_is_less_likely() {
        let how = Sampling { temperature: 0.0, repeat_penalty: 2.0, repeat_last: 1, ..ALL };
        let mut sampler = Sampler::new(how);
        assert_eq!(sampler.choose(&[3.0, 2.0], &[0], &[]), 1);
        assert_eq!(sampler.choose(&[-1.0, -1.5], &[], &[0]), 1);
        assert_eq!(sampler.choose(&[3.0, 2.0], &[0], &[5]), 0);
    }

    #[test]
    fn what_the_answer_has_is_less_likely_the_more_often_it_is_there() {
        let how = Sampling { temperature: 0.0, frequency_penalty: 0.4, ..ALL };
        let mut sampler = Sampler::new(how);
        assert_eq!(sampler.choose(&[3.0, 2.0], &[0, 0, 0], &[0, 0]), 0);
        assert_eq!(sampler.choose(&[3.0, 2.0], &[], &[0, 0, 0]), 1);
        let how = Sampling { temperature: 0.0, presence_penalty: 0.9, ..ALL };
        assert_eq!(Sampler::new(how).choose(&[3.0, 2.0], &[], &[0, 0, 0]), 0);
    }
}
