//! Writing on: a model reads tokens, and says one token after the other.

use crate::decoder::{DecoderModel, Segment, Wanted};
use crate::error::ModelError;
use crate::key_value_cache::KeyValueCache;

/// A model with what it has read and written of one sequence.
#[derive(Debug)]
pub struct Generator<'a> {
    model: &'a DecoderModel,
    cache: KeyValueCache,
    /// Scores of the next token; empty before the first one was read.
    scores: Vec<f32>,
}

impl<'a> Generator<'a> {
    /// One that has read nothing, with room for so many tokens.
    #[must_use]
    pub fn new(model: &'a DecoderModel, context: usize) -> Self {
        Self { model, cache: model.cache(context), scores: Vec::new() }
    }

    /// Tokens that are best read at once: more make activations large, fewer unpack weights more often.
    pub const AT_ONCE: usize = 512;

    /// Reads tokens.
    ///
    /// # Errors
    /// When there is no room for all of them, or one is not in the vocabulary; then none was read.
    pub fn read(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        let segment = Segment { cache: &mut self.cache, tokens, wanted: Wanted::Last };
        self.scores = self.model.forward(&mut [segment])?;
        Ok(())
    }

    /// Scores of the next token, one for each word of the vocabulary; empty before anything was read.
    #[must_use]
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }
}
