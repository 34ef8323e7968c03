//! Open models: their files, and what they compute.
//!
//! - [`hub`] fetches them from a hub and finds them in the cache that other programs share.
//! - [`StoredModel`] is a model on disk, opened: its architecture, its numbers, its tensors. [`mod@file`] writes such files,
//!   [`block`] knows how they store numbers.
//! - [`Tokenizer`] cuts text into tokens and puts it together again, [`ChatTemplate`] makes text of a conversation.
//! - [`quantize`] stores a model in fewer bits, [`evaluate`] says what that costs.
//! - [`Adapter`] changes it: while it computes, or for good.
//! - [`DecoderModel`] computes: tokens in, scores out, with a [`KeyValueCache`] for each sequence. [`kernel`] has its inner loops.
//! - [`train`] makes models: gradients, an optimizer, and what a model of its own begins with.
//! - [`engine`] asks other programs on this machine the same.
//! - [`Generator`] reads and writes on with it, [`Sampler`] chooses what; [`serving`] does so for many at once, by a
//!   [`Grammar`] where there is one.

mod adapter;
pub mod block;
mod bytes;
pub mod chat_template;
mod decoder;
pub mod engine;
mod error;
pub mod evaluate;
pub mod file;
mod generator;
mod grammar;
pub mod hub;
pub mod kernel;
mod key_value_cache;
mod matrix;
mod numerics;
pub mod quantize;
mod random;
mod sampler;
pub mod serving;
mod stop_text;
mod stored;
pub mod tokenizer;
pub mod train;
mod unchecked;

pub use adapter::{Adapter, AdapterError, LowRank, Place};
pub use bytes::Bytes;
pub use chat_template::{ChatTemplate, ChatTemplateError, Conversation, Data};
pub use decoder::{DecoderModel, Observation, Segment, Wanted};
pub use error::ModelError;
pub use generator::Generator;
pub use grammar::{Grammar, GrammarError, Grammars, laid_out};
pub use kernel::Precision;
pub use key_value_cache::KeyValueCache;
pub use matrix::Matrix;
pub use numerics::{Numerics, Pairs, Rope, Scaling};
pub use sampler::{Sampler, Sampling, best};
pub use stop_text::StopText;
pub use stored::{Naming, Part, StoredModel, StoredTensor};
pub use tokenizer::{AddSpecial, ControlText, SkipSpecial, Tokenizer, TokenizerError};
