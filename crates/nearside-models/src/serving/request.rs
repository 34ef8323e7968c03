//! What may be asked of a model that serves, and what is told of it.

use std::time::Duration;

use thiserror::Error;

use crate::error::ModelError;
use crate::grammar::Grammar;
use crate::sampler::Sampling;
use crate::tokenizer::SkipSpecial;

/// Something to be read, and what is to be done then.
#[derive(Clone, Debug)]
pub struct Request {
    /// Tokens that are read; at least one.
    pub prompt: Vec<u32>,
    /// What is wanted.
    pub task: Task,
}

/// What is wanted of a text.
#[derive(Clone, Debug)]
pub enum Task {
    /// More of it.
    Write(Box<Writing>),
    /// What it is about, as a vector of length one.
    Embed(Pooling),
}

/// How a text is to be written on.
#[derive(Clone, Debug)]
pub struct Writing {
    /// At most so many tokens are written; with none, only scores of the prompt may be told.
    pub new_tokens: usize,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// What is added to scores of tokens.
    pub bias: Vec<Bias>,
    /// Texts that end it.
    pub stops: Vec<String>,
    /// Whether control tokens are told as text.
    pub skip: SkipSpecial,
    /// Whether a token that ends texts ends it.
    pub ends: bool,
    /// What it has to follow.
    pub rule: Rule,
    /// Which probabilities are told.
    pub scores: WantedScores,
}

/// What is added to the score of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bias {
    /// The token.
    pub token: u32,
    /// What is added.
    pub added: f32,
}

/// What a text has to follow.
#[derive(Clone, Debug, Default)]
pub enum Rule {
    /// Nothing.
    #[default]
    Free,
    /// A grammar, from the first token on.
    Grammar(Grammar),
    /// A grammar once a text was written that ends with these words.
    After(String, Grammar),
}

/// Which probabilities are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WantedScores {
    /// Of the tokens that are written, beside them so many of the best; `None` for none.
    pub written: Option<usize>,
    /// Of the tokens of the prompt, beside them so many of the best; `None` for none.
    pub prompt: Option<usize>,
}

/// How vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// That of the last one.
    Last,
}

/// A token and how probable it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The token.
    pub token: u32,
    /// The natural logarithm of its probability; `None` for the first token of a prompt.
    pub log_probability: Option<f32>,
    /// The most probable ones in its place.
    pub best: Vec<(u32, f32)>,
}

/// What is told of a request.
#[derive(Clone, Debug)]
pub enum Event {
    /// Tokens of the prompt with their probabilities, in order, in parts.
    Prompt(Vec<Scored>),
    /// A token was written.
    Written {
        /// What of the text can be shown now; empty while a character or a text that may end it is not whole.
        text: String,
        /// The token.
        token: u32,
        /// How probable it was, if that is wanted.
        scored: Option<Scored>,
    },
    /// What the text is about.
    Embedding(Vec<f32>),
    /// Nothing more comes.
    Done(Done),
    /// It failed, and nothing more comes.
    Failed(String),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Why.
    pub finish: Finish,
    /// What of the text was held back until now.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt: usize,
    /// How many of them were not read again.
    pub cached: usize,
    /// Tokens that were written.
    pub written: usize,
    /// How long it waited for a slot.
    pub waited: Duration,
    /// How long reading took, until the first token was written.
    pub reading: Duration,
    /// How long writing took after that.
    pub writing: Duration,
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model had nothing more to say, a text came after which it was to end, or its rule allows no more.
    Stop,
    /// As many tokens were written as were asked for.
    Length,
}

/// Why a request is not taken.
#[derive(Debug, Error)]
pub enum Refused {
    /// There is nothing to read.
    #[error("the prompt is empty")]
    Empty,
    /// It asks for something that there is not.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Too much waits already.
    #[error("{waiting} requests wait already")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// Nothing is served any more.
    #[error("nothing is served any more")]
    Closed,
}
