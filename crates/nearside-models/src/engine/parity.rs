//! Whether another program computes what a model computes here: the logarithms of the probabilities of the same tokens.
//!
//! The other program writes a text on, always with its best token. The same tokens are read here, and what each of them
//! would have been worth is held against what the other program said of it.

use std::collections::BTreeMap;

use super::answer::{Ended, ScoredToken, Written};
use super::{Asked, Engine, EngineError, Question};
use crate::decoder::DecoderModel;
use crate::error::ModelError;
use crate::generator::Generator;
use crate::sampler::{Sampling, best};
use crate::tokenizer::{AddSpecial, ControlText, Tokenizer, TokenizerError};

/// Texts that are written on where nobody has better ones: prose, code, numbers, other languages and scripts.
pub const PROMPTS: [&str; 6] = [
    "The history of the lighthouse begins long before electricity. On dark nights, people who lived along the coast",
    "def median(values):\n    \"\"\"The middle of a sorted list.\"\"\"\n    values = sorted(values)\n    middle =",
    "1, 1, 2, 3, 5, 8, 13, 21, 34,",
    "Am Anfang war das Wetter schlecht, aber gegen Mittag kam die Sonne heraus, und die Kinder",
    "La bibliothèque ouvre à neuf heures. Les lecteurs peuvent emprunter cinq livres à la fois, et",
    "机器学习是一门研究如何让计算机从数据中学习的学科。",
];

/// How far what another program computes is from what is computed here.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parity {
    /// Texts that were written on.
    pub prompts: u64,
    /// Of those for which it is told how many tokens they have.
    pub prompts_counted: u64,
    /// Of those that have as many tokens here.
    pub prompts_alike: u64,
    /// Tokens that were compared.
    pub tokens: u64,
    /// Tokens of which nothing is told, or that no token here is.
    pub unknown: u64,
    /// Compared tokens that are the best ones here too.
    pub best_alike: u64,
    /// The sum of what the other program said of the compared ones.
    pub theirs: f64,
    /// The sum of what is computed here.
    pub ours: f64,
    /// The sum of the sizes of the differences.
    pub difference: f64,
    /// The largest one.
    pub largest: f64,
}

impl Parity {
    /// The mean size of the differences; `None` where nothing was compared.
    #[must_use]
    pub fn mean_difference(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.difference / self.tokens as f64)
    }

    fn add(&mut self, theirs: f64, ours: f64) {
        let difference = (theirs - ours).abs();
        self.tokens += 1;
        self.theirs += theirs;
        self.ours += ours;
        self.difference += difference;
        self.largest = self.largest.max(difference);
    }
}

/// Why there is no parity.
#[derive(Debug, thiserror::Error)]
pub enum NoParity {
    /// The other program does not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The model here does not compute.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its text has no tokens.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// Lets a model of another program write texts on by so many tokens, and computes the same here. `each` is called often,
/// and says whether to go on; a text that was not written to its end counts for nothing.
///
/// # Errors
/// When the other program does not answer, or the model here does not compute.
pub fn parity(
    (engine, name): (&Engine, &str),
    (model, tokenizer): (&DecoderModel, &Tokenizer),
    prompts: &[&str],
    tokens: usize,
    each: &mut dyn FnMut(&Parity) -> bool,
) -> Result<Parity, NoParity> {
    let numbers = numbers(tokenizer);
    let mut parity = Parity::default();
    for prompt in prompts {
        let question = Question {
            model: name,
            asked: Asked::Text(prompt),
            tokens: Some(tokens),
            sampling: Sampling {
                temperature: 0.0,
                top_k: 0,
                top_p: 1.0,
                min_p: 0.0,
                ..Sampling::default()
            },
            stops: &[],
            context: None,
            scores: true,
            ignores_ends: false,
        };
        let written = engine.answer(&question, &mut |_| each(&parity))?;
        if written.ended == Ended::Interrupted {
            break;
        }
        let read = tokenizer.encode(prompt, AddSpecial::Add, ControlText::Plain)?;
        parity.prompts += 1;
        if let Some(theirs) = written.prompt_tokens {
            parity.prompts_counted += 1;
            parity.prompts_alike += u64::from(theirs == read.len() as u64);
        }
        let mut generator = Generator::new(model, read.len() + tokens + 1);
        read.chunks(Generator::AT_ONCE).try_for_each(|part| generator.read(part))?;
        let known = aligned(&written).take(tokens);
        let known = known.map_while(|token| Some((id(token, tokenizer, &numbers)?, token)));
        let known: Vec<_> = known.collect();
        // What comes after a token that is not known here is not known either.
        let told = written.new_tokens.unwrap_or(written.scores.len() as u64);
        parity.unknown += told.saturating_sub(known.len() as u64);
        for (index, (id, token)) in known.iter().enumerate() {
            let scores = generator.scores();
            parity.best_alike += u64::from(best(scores) == *id);
            parity.add(token.log_probability, log_probability(scores, *id));
            if index + 1 < known.len() {
                generator.read(&[*id])?;
            }
        }
    }
    Ok(parity)
}

/// What is told of tokens, as far as it is certain which ones they are: llama-server leaves out those that are no whole
/// characters, and says nothing of where they were.
fn aligned(written: &Written) -> impl Iterator<Item = &ScoredToken> {
    let is_whole = written.new_tokens == Some(written.scores.len() as u64);
    let mut text = written.text.as_bytes();
    written.scores.iter().take_while(move |token| {
        let rest = text.strip_prefix(token.bytes.as_slice());
        text = rest.unwrap_or(text);
        is_whole || rest.is_some_and(|_| !token.bytes.is_empty())
    })
}

/// Tokens by what they write; `None` where several write the same.
fn numbers(tokenizer: &Tokenizer) -> BTreeMap<Vec<u8>, Option<u32>> {
    let mut numbers = BTreeMap::new();
    for id in 0..tokenizer.size() {
        if let Ok(bytes) = tokenizer.token(id) {
            numbers.entry(bytes).and_modify(|number| *number = None).or_insert(Some(id));
        }
    }
    numbers
}

/// The token here. One whose number and bytes do not belong together is none: llama-server tells the last part of a
/// character with the bytes of all of it.
fn id(
    token: &ScoredToken,
    tokenizer: &Tokenizer,
    numbers: &BTreeMap<Vec<u8>, Option<u32>>,
) -> Option<u32> {
    let Some(id) = token.id else { return *numbers.get(&token.bytes)? };
    let bytes = tokenizer.token(id).ok()?;
    let is_special = tokenizer.is_special(id).unwrap_or(false);
    (token.bytes.is_empty() || is_special || token.bytes == bytes).then_some(id)
}

/// The logarithm of a token's probability among all.
fn log_probability(scores: &[f32], id: u32) -> f64 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - largest).exp()).sum();
    let score = scores.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY);
    f64::from(score - largest) - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_ends_what_is_certain() {
        let token =
            |bytes: &[u8]| ScoredToken { id: None, bytes: bytes.to_vec(), log_probability: 0.0 };
        let written = |new_tokens, text: &str| Written {
            text: text.to_owned(),
            new_tokens,
            scores: vec![token(b"a"), token(b" b"), token(b"c")],
            ..Written::default()
        };
        let certain = |new_tokens, text| aligned(&written(new_tokens, text)).count();
        assert_eq!(certain(Some(3), "whatever"), 3);
        assert_eq!(certain(Some(4), "a b\u{fffd}c"), 2);
        assert_eq!(certain(Some(4), "\u{fffd}a bc"), 0);
        assert_eq!(certain(None, "a bc"), 3);
    }

    #[test]
    fn logarithms_are_those_of_shares() {
        let scores = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY];
        assert!((log_probability(&scores, 1) - (2.0_f64 / 3.0).ln()).abs() < 1e-7);
        assert!(log_probability(&scores, 2).is_infinite());
    }
}
