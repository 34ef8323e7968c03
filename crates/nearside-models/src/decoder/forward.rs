//! The pass over all blocks, for tokens of one or several sequences at once.

use std::mem;

use nearside_architecture::NormPlacement;

use crate::error::ModelError;
use crate::kernel::{self, Input, Normalise, multiply};
use crate::key_value_cache::KeyValueCache;

use super::rotation::Angles;
use super::{DecoderModel, Layer, Projection};

/// Tokens that follow those of a cache.
#[derive(Debug)]
pub struct Segment<'a> {
    /// What is kept of the sequence; the tokens are added to it.
    pub cache: &'a mut KeyValueCache,
    /// The tokens.
    pub tokens: &'a [u32],
    /// For which of them scores are wanted.
    pub wanted: Wanted,
}

/// For which tokens of a segment scores of the next word are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// For none: more of the sequence follows.
    None,
    /// For the last one.
    Last,
    /// For all.
    All,
}

/// Activations of a batch, and what they are computed in; the memory is used again by every block.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The residual stream, a row for each token.
    pub values: Vec<f32>,
    /// What goes into a part of a block.
    pub normed: Vec<f32>,
    /// What comes out of it.
    pub made: Vec<f32>,
    pub queries: Vec<f32>,
    pub keys: Vec<f32>,
    pub attention_values: Vec<f32>,
    pub attended: Vec<f32>,
    pub gates: Vec<f32>,
    pub ups: Vec<f32>,
}

impl DecoderModel {
    /// Scores of the next word after the wanted tokens, one row of the vocabulary for each, in the order of the segments.
    ///
    /// # Errors
    /// When a token is not in the vocabulary, or a sequence would be longer than its cache has room for; then no cache
    /// has changed.
    pub fn forward(&self, segments: &mut [Segment<'_>]) -> Result<Vec<f32>, ModelError> {
        let states = self.states(segments)?;
        self.scores(&states)
    }

    /// What it makes of the wanted tokens before it scores words, [`DecoderModel::hidden`] numbers for each, in the order
    /// of the segments.
    ///
    /// # Errors
    /// As [`DecoderModel::forward`].
    pub fn states(&self, segments: &mut [Segment<'_>]) -> Result<Vec<f32>, ModelError> {
        for segment in segments.iter() {
            segment.cache.reserve(segment.tokens.len())?;
        }
        if segments.iter().all(|segment| segment.tokens.is_empty()) {
            return Ok(Vec::new());
        }
        let mut stream = Stream { values: self.embed(segments)?, ..Stream::default() };
        let mut angles: Vec<(usize, Angles)> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let rotation = &layer.attention.rotation;
            let known =
                |(of, _): &&(usize, Angles)| self.layers[*of].attention.rotation.is_like(rotation);
            if angles.iter().find(known).is_none() {
                let positions = segments.iter().flat_map(|segment| {
                    let length = segment.cache.length();
                    length..length + segment.tokens.len()
                });
                angles.push((index, rotation.angles(positions)));
            }
            if let Some((_, angles)) = angles.iter().find(known) {
                layer.forward(index, &mut stream, segments, angles)?;
            }
        }
        for segment in segments.iter_mut() {
            segment.cache.advance(segment.tokens.len());
        }
        let mut wanted = self.wanted(&stream.values, segments);
        self.output_norm.in_place(&mut wanted);
        Ok(wanted)
    }

    fn embed(&self, segments: &[Segment<'_>]) -> Result<Vec<f32>, ModelError> {
        let tokens = segments.iter().flat_map(|segment| segment.tokens);
        let count: usize = segments.iter().map(|segment| segment.tokens.len()).sum();
        let mut values = vec![0.0; count * self.hidden];
        for (token, row) in tokens.zip(values.chunks_exact_mut(self.hidden)) {
            let vocabulary = self.vocabulary;
            let word = usize::try_from(*token).ok().filter(|word| *word < vocabulary);
            let word = word.ok_or(ModelError::Token { token: *token, vocabulary })?;
            self.embedding.row(word, row)?;
            if let Some(scale) = self.embedding_scale {
                row.iter_mut().for_each(|value| *value *= scale);
            }
        }
        Ok(values)
    }

    /// The rows of the wanted tokens.
    fn wanted(&self, values: &[f32], segments: &[Segment<'_>]) -> Vec<f32> {
        let mut wanted = Vec::new();
        let mut rows = values.chunks_exact(self.hidden);
        for Segment { tokens, wanted: which, .. } in segments {
            for (index, row) in rows.by_ref().take(tokens.len()).enumerate() {
                let last = index + 1 == tokens.len();
                if *which == Wanted::All || (last && *which == Wanted::Last) {
                    wanted.extend_from_slice(row);
                }
            }
        }
        wanted
    }

    fn scores(&self, states: &[f32]) -> Result<Vec<f32>, ModelError> {
        if states.is_empty() {
            return Ok(Vec::new());
        }
        let input = Input::new(states, self.hidden);
        let mut scores = vec![0.0; input.rows() * self.vocabulary];
        multiply(&[self.output.weights()], &input, &mut [&mut scores])?;
        if let Some(cap) = self.logit_cap {
            kernel::cap(cap, &mut scores);
        }
        Ok(scores)
    }
}

impl Layer {
    fn forward(
        &self,
        index: usize,
        stream: &mut Stream,
        segments: &mut [Segment<'_>],
        angles: &Angles,
    ) -> Result<(), ModelError> {
        let norms = &self.norms;
        stream.enter(norms.attention.as_ref());
        self.attention.forward(index, stream, segments, angles)?;
        if matches!(norms.placement, NormPlacement::Shared | NormPlacement::Apart) {
            // Both parts start from the same stream.
            let made = mem::take(&mut stream.made);
            if norms.placement == NormPlacement::Apart {
                stream.enter(norms.feed_forward.as_ref());
            }
            self.feed_forward.forward(stream)?;
            stream.leave(None);
            kernel::add(&mut stream.values, &made);
            return Ok(());
        }
        stream.leave(norms.after_attention.as_ref());
        stream.enter(norms.feed_forward.as_ref());
        self.feed_forward.forward(stream)?;
        stream.leave(norms.after_feed_forward.as_ref());
        Ok(())
    }
}

impl Stream {
    /// What goes into a part of a block: the stream, normed or as it is.
    fn enter(&mut self, norm: Option<&Normalise>) {
        self.normed.resize(self.values.len(), 0.0);
        match norm {
            Some(norm) => norm.rows(&self.values, &mut self.normed),
            None => self.normed.copy_from_slice(&self.values),
        }
    }

    /// Adds what came out of a part of a block to the stream, normed or as it is.
    fn leave(&mut self, norm: Option<&Normalise>) {
        if let Some(norm) = norm {
            norm.in_place(&mut self.made);
        }
        kernel::add(&mut self.values, &self.made);
    }
}

/// Products of several projections with the same input, each into its own place, which is made as long as it has to be.
pub(super) fn project<const N: usize>(
    projections: [&Projection; N],
    input: &Input<'_>,
    places: [&mut Vec<f32>; N],
) -> Result<(), ModelError> {
    let rows = input.rows();
    let weights = projections.map(|projection| projection.matrix.weights());
    projections.iter().for_each(|projection| projection.observe(input));
    let mut places = places;
    for (place, weights) in places.iter_mut().zip(&weights) {
        place.resize(rows * weights.rows, 0.0);
    }
    let mut slices = places.each_mut().map(|place| place.as_mut_slice());
    multiply(&weights, input, &mut slices)?;
    for (place, projection) in slices.iter_mut().zip(projections) {
        if let Some(change) = &projection.change {
            change.add_products(input, place)?;
        }
        if let Some(bias) = &projection.bias {
            place.chunks_exact_mut(bias.len()).for_each(|row| kernel::add(row, bias));
        }
    }
    Ok(())
}
