//! Encoders of text: what a `config.json` says about BERT and its relatives.
//!
//! One pass turns all tokens of a sequence into vectors; nothing is written token by token. Sentence
//! encoders (MiniLM, BGE, E5) are BERT or XLM-R by this description.

use crate::{Activation, Dtype};

/// An encoder of text. Sizes are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// How its modules are put together.
    pub style: EncoderStyle,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Width of the tables of words, positions and types.
    pub embedding: u64,
    /// Rows of the embedding table.
    pub vocabulary: u64,
    /// Rows of the position table.
    pub positions: u64,
    /// Rows of the table of token types; none where there is no such table.
    pub types: u64,
    /// How many layers.
    pub layers: u64,
    /// Attention heads.
    pub heads: u64,
    /// Width inside feed-forward networks.
    pub intermediate: u64,
    /// The nonlinearity of feed-forward networks.
    pub activation: Activation,
    /// What training sets to zero at random.
    pub dropouts: Dropouts,
    /// What it ends in.
    pub head: EncoderHead,
    /// The type its weights are published in.
    pub dtype: Option<Dtype>,
}

impl Encoder {
    /// The longest sequence that it was made for, in tokens.
    #[must_use]
    pub const fn context(&self) -> u64 {
        match self.style {
            // Positions begin after that of the padding token, 1.
            EncoderStyle::Roberta => self.positions.saturating_sub(2),
            _ => self.positions,
        }
    }
}

/// How an encoder's modules are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderStyle {
    /// BERT: token types, a pooler over the first token.
    Bert,
    /// RoBERTa and XLM-R: positions counted from the tokens, a classifier of two layers.
    Roberta,
    /// DistilBERT: neither token types nor a pooler.
    DistilBert,
    /// CLIP's text tower: norms before, each token sees those before it.
    Clip,
    /// ELECTRA: BERT whose tables may be narrower, a classifier of two layers.
    Electra,
    /// ALBERT: one layer's weights used again and again, narrower tables.
    Albert,
    /// ModernBERT: rotated heads, gated feed-forward networks, near sight in most layers.
    Modern(Local),
}

/// Which layers see only what is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// How far they see to either side, in tokens.
    pub reach: u64,
    /// Each so many layers one sees everything, beginning with the first.
    pub every: u64,
    /// Whether classes are scored from the mean of all tokens instead of the first one.
    pub mean: bool,
}

/// What training sets to zero at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropouts {
    /// Elements of the residual branches.
    pub hidden: bool,
    /// Weights of attention.
    pub attention: bool,
    /// What the classifier reads.
    pub classifier: bool,
}

/// What an encoder ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderHead {
    /// A vector per token, and one per sequence where the style has a pooler.
    Vectors,
    /// A projection of the sequence's vector to that width (CLIP).
    Projection(u64),
    /// Scores of so many classes per sequence.
    Classes(u64),
    /// Scores of every word at every token (masked language modelling).
    Words,
    /// Scores of so many classes per token.
    Tokens(u64),
}
