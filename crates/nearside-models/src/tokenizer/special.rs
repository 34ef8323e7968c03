//! The tokens that begin and end texts, and the chat templates that a model brings.

use std::collections::{BTreeMap, BTreeSet};

/// The tokens that steer a model, and its chat templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// The token that begins a text.
    pub begin: Option<u32>,
    /// The token that ends a text.
    pub end: Option<u32>,
    /// Tokens after which the model has nothing more to say; the one that ends a text is one of them.
    pub ends: BTreeSet<u32>,
    /// The token that fills what is shorter than its neighbours.
    pub padding: Option<u32>,
    /// The token of what is no token.
    pub unknown: Option<u32>,
    /// Chat templates by name; that of most models is called `default`.
    pub templates: BTreeMap<String, String>,
}

/// What is put before and after a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Affixes {
    pub(super) before: Vec<u32>,
    pub(super) after: Vec<u32>,
}

/// Texts of tokens that end what a model says, whatever its files call them (`llama-vocab.cpp` of llama.cpp).
pub(super) const ENDS: [&str; 22] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];
