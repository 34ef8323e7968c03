//! Putting a network together: every tensor that the architecture has, from a model's files or at random.

use std::ops::Range;
use std::sync::Arc;

use nearside_architecture::{
    Decoder, Dense, FeedForward as FeedForwardSizes, GroupedAttention, Layer, Mixer, Norm,
    NormPlacement, Packing, QueryKeyNorm,
};

use super::attention::SelfAttention;
use super::block::Block;
use super::feed_forward::FeedForward;
use super::{Activations, Graph, Network};
use crate::decoder;
use crate::error::ModelError;
use crate::kernel::Heads;
use crate::numerics::Numerics;
use crate::random::Random;
use crate::stored::{Naming, Part, StoredModel};
use crate::train::TrainError;
use crate::train::operator::cross_entropy::Scores;
use crate::train::operator::embedding::Embedding;
use crate::train::operator::gate;
use crate::train::operator::linear::Linear;
use crate::train::operator::rms_norm::RmsNorm;
use crate::train::operator::rope::Rotary;
use crate::train::parameter::{Learns, ParameterId, Parameters};

/// The spread of embeddings at random, as of most families (`initializer_range`).
const EMBEDDING_DEVIATION: f32 = 0.02;

/// Where numbers come from.
#[derive(Debug)]
pub(super) enum Origin<'a> {
    /// A model's files.
    Stored(&'a StoredModel),
    /// Chance.
    Fresh {
        random: Random,
        /// How many layers there will be: what each adds to the stream is the smaller the more there are.
        layers: usize,
        naming: Naming,
    },
}

impl Origin<'_> {
    pub(super) fn fresh(seed: u64, decoder: &Decoder) -> Self {
        let naming = Naming::HuggingFace { prefix: "model.".to_owned() };
        Origin::Fresh { random: Random::new(seed), layers: decoder.layers.len(), naming }
    }
}

/// A network that is being put together.
pub(super) struct Builder<'a> {
    origin: Origin<'a>,
    decoder: &'a Decoder,
    numerics: &'a Numerics,
    context: usize,
    parameters: Parameters,
    /// Tables of positions; layers share them.
    tables: Vec<Arc<Rotary>>,
}

/// Which tensors are trained, by their names.
type Learning<'a> = &'a dyn Fn(&str) -> Learns;

impl<'a> Builder<'a> {
    pub(super) fn new(
        origin: Origin<'a>,
        decoder: &'a Decoder,
        numerics: &'a Numerics,
        context: usize,
    ) -> Self {
        let (parameters, tables) = (Parameters::default(), Vec::new());
        Self { origin, decoder, numerics, context, parameters, tables }
    }

    pub(super) fn network(mut self, learns: Learning<'_>) -> Result<Network, TrainError> {
        if let Some(what) = decoder::unsupported(self.decoder).or_else(|| untrained(self.decoder)) {
            return Err(ModelError::Unsupported { what }.into());
        }
        let (hidden, vocabulary) = (self.decoder.hidden as usize, self.decoder.vocabulary as usize);
        let table = self.matrix(Part::Embedding, None, [vocabulary, hidden], learns)?;
        let scaled = self.decoder.scaled_embeddings;
        let scale = if scaled { (hidden as f32).sqrt() } else { 1.0 };
        let mut blocks = Vec::with_capacity(self.decoder.layers.len());
        for (index, layer) in self.decoder.layers.iter().enumerate() {
            blocks.push(self.block(index, layer, learns)?);
        }
        let output_norm = self.norm(Part::OutputNorm, None, hidden, learns)?;
        let output = match self.decoder.tied_embeddings {
            true => table,
            false => self.matrix(Part::Output, None, [vocabulary, hidden], learns)?,
        };
        let scores = Scores { weight: output, width: hidden, cap: self.numerics.logit_cap };
        let embedding = Embedding { table, width: hidden, scale };
        let graph = Graph { embedding, blocks, output_norm, scores, context: self.context };
        Ok(Network { parameters: self.parameters, graph, activations: Activations::default() })
    }

    fn block(
        &mut self,
        index: usize,
        layer: &Layer,
        learns: Learning<'_>,
    ) -> Result<Block, TrainError> {
        let (Mixer::Grouped(attention), FeedForwardSizes::Dense(dense)) =
            (&layer.mixer, &layer.feed_forward)
        else {
            return Err(unsupported("blocks of another kind").into());
        };
        let placement = layer.norms;
        let sandwich = placement == NormPlacement::Sandwich;
        let after = sandwich || placement == NormPlacement::After;
        let before = sandwich || !after;
        let feed_forward = match &self.origin {
            Origin::Stored(stored) => stored.naming.feed_forward_norm(placement),
            Origin::Fresh { naming, .. } => naming.feed_forward_norm(placement),
        };
        let hidden = self.decoder.hidden as usize;
        let mut norm = |here: bool, part| {
            here.then(|| self.norm(part, Some(index), hidden, learns)).transpose()
        };
        Ok(Block {
            attention_norm: norm(before, Part::AttentionNorm)?,
            after_attention_norm: norm(after, Part::AfterAttentionNorm)?,
            feed_forward_norm: norm(before, feed_forward)?,
            after_feed_forward_norm: norm(after, Part::AfterFeedForwardNorm)?,
            attention: self.attention(index, attention, learns)?,
            feed_forward: self.feed_forward(index, dense, learns)?,
        })
    }

    fn attention(
        &mut self,
        layer: usize,
        sizes: &GroupedAttention,
        learns: Learning<'_>,
    ) -> Result<SelfAttention, TrainError> {
        let hidden = self.decoder.hidden as usize;
        let [queries, keys, width] =
            [sizes.heads, sizes.key_value_heads, sizes.head_dim].map(|size| size as usize);
        let (wide, narrow) = (queries * width, keys * width);
        let parts = match sizes.packing {
            Packing::Apart => [
                (Part::Query, wide, 0..wide),
                (Part::Key, narrow, 0..narrow),
                (Part::Value, narrow, 0..narrow),
            ],
            _ => [0..wide, wide..wide + narrow, wide + narrow..wide + 2 * narrow]
                .map(|rows| (Part::Packed, wide + 2 * narrow, rows)),
        };
        let biases = [Part::QueryBias, Part::KeyBias, Part::ValueBias];
        let mut projections = Vec::with_capacity(3);
        for ((part, all, rows), bias) in parts.into_iter().zip(biases) {
            let weight = self.matrix(part, Some(layer), [all, hidden], learns)?;
            let wide = rows.len();
            let bias = sizes.input_bias.then(|| self.vector(bias, Some(layer), wide, learns));
            projections.push(Linear { weight, rows, width: hidden, bias: bias.transpose()? });
        }
        let Ok([query, key, value]) = <[Linear; 3]>::try_from(projections) else {
            return Err(unsupported("another number of projections").into());
        };
        let mut norm = |part, heads: usize| match sizes.query_key_norm {
            None => Ok(None),
            Some(QueryKeyNorm::Head) => self.norm(part, Some(layer), width, learns).map(Some),
            Some(QueryKeyNorm::Projection) => {
                self.norm(part, Some(layer), heads * width, learns).map(Some)
            }
        };
        let (query_norm, key_norm) = (norm(Part::QueryNorm, queries)?, norm(Part::KeyNorm, keys)?);
        let output = self.matrix(Part::AttentionOutput, Some(layer), [hidden, wide], learns)?;
        let bias = sizes
            .output_bias
            .then(|| self.vector(Part::AttentionOutputBias, Some(layer), hidden, learns));
        let heads = Heads {
            queries,
            keys,
            width,
            window: sizes.window.map(|window| window as usize),
            scale: self.numerics.attention_scale.unwrap_or((width as f32).powf(-0.5)),
            cap: self.numerics.attention_cap,
        };
        let output =
            Linear { weight: output, rows: 0..hidden, width: wide, bias: bias.transpose()? };
        let rotary = self.rotary(sizes);
        Ok(SelfAttention { heads, query, key, value, output, query_norm, key_norm, rotary })
    }

    fn rotary(&mut self, sizes: &GroupedAttention) -> Arc<Rotary> {
        let rope = match (&self.numerics.window_rope, sizes.window) {
            (Some(rope), Some(_)) => rope,
            _ => &self.numerics.rope,
        };
        let width = sizes.rotary_dim as usize;
        if let Some(known) = self.tables.iter().find(|table| table.is_of(rope, width)) {
            return Arc::clone(known);
        }
        let table = Arc::new(Rotary::new(rope, width, self.context));
        self.tables.push(Arc::clone(&table));
        table
    }

    fn feed_forward(
        &mut self,
        layer: usize,
        sizes: &Dense,
        learns: Learning<'_>,
    ) -> Result<FeedForward, TrainError> {
        let (hidden, inner) = (self.decoder.hidden as usize, sizes.intermediate as usize);
        let mut linear = |part, all: usize, rows: Range<usize>, width: usize| {
            let weight = self.matrix(part, Some(layer), [all, width], learns)?;
            Ok::<_, TrainError>(Linear { weight, rows, width, bias: None })
        };
        let (gate, up) = match (sizes.gated, sizes.packed) {
            (true, true) => (
                Some(linear(Part::PackedUp, 2 * inner, 0..inner, hidden)?),
                linear(Part::PackedUp, 2 * inner, inner..2 * inner, hidden)?,
            ),
            (true, false) => (
                Some(linear(Part::Gate, inner, 0..inner, hidden)?),
                linear(Part::Up, inner, 0..inner, hidden)?,
            ),
            (false, _) => (None, linear(Part::Up, inner, 0..inner, hidden)?),
        };
        let down = linear(Part::Down, hidden, 0..hidden, inner)?;
        Ok(FeedForward { activation: self.decoder.activation, gate, up, down })
    }

    fn norm(
        &mut self,
        part: Part,
        layer: Option<usize>,
        width: usize,
        learns: Learning<'_>,
    ) -> Result<RmsNorm, TrainError> {
        let scale = self.vector(part, layer, width, learns)?;
        let (offset, epsilon) = (self.offset(), self.numerics.norm_epsilon);
        Ok(RmsNorm { scale, offset, epsilon })
    }

    /// What norms add to their scales: GGUF files have the one added already.
    fn offset(&self) -> f32 {
        let is_gguf =
            matches!(&self.origin, Origin::Stored(stored) if stored.naming == Naming::Gguf);
        if self.decoder.norm == Norm::RmsOffset && !is_gguf { 1.0 } else { 0.0 }
    }

    fn vector(
        &mut self,
        part: Part,
        layer: Option<usize>,
        width: usize,
        learns: Learning<'_>,
    ) -> Result<ParameterId, TrainError> {
        self.tensor(part, layer, ([1, width], &[width as u64]), learns)
    }

    fn matrix(
        &mut self,
        part: Part,
        layer: Option<usize>,
        shape: [usize; 2],
        learns: Learning<'_>,
    ) -> Result<ParameterId, TrainError> {
        self.tensor(part, layer, (shape, &shape.map(|size| size as u64)), learns)
    }

    fn tensor(
        &mut self,
        part: Part,
        layer: Option<usize>,
        ([rows, width], shape): ([usize; 2], &[u64]),
        learns: Learning<'_>,
    ) -> Result<ParameterId, TrainError> {
        let offset = self.offset();
        let (name, values) = match &mut self.origin {
            Origin::Stored(stored) => {
                let matrix = stored.matrix(part, layer, [rows, width])?;
                (stored.name(part, layer), matrix.numbers().map_err(ModelError::from)?)
            }
            Origin::Fresh { random, layers, naming } => {
                let mut values = vec![0.0; rows * width];
                begin(part, &mut values, width, (random, *layers), offset);
                (naming.name(part, layer), values)
            }
        };
        let learns = learns(&name);
        Ok(self.parameters.add(name, shape.to_vec(), values, learns))
    }
}

/// The numbers that a tensor begins with: biases are zero, norms change nothing, matrices keep the length of what goes in
/// (LeCun et al. 1998), and what is added to the stream is the smaller the more layers there are (GPT-2).
fn begin(
    part: Part,
    values: &mut [f32],
    width: usize,
    (random, layers): (&mut Random, usize),
    offset: f32,
) {
    let usual = (width as f32).sqrt().recip();
    let deviation = match part {
        Part::QueryBias | Part::KeyBias | Part::ValueBias | Part::AttentionOutputBias => return,
        Part::OutputNorm
        | Part::AttentionNorm
        | Part::QueryNorm
        | Part::KeyNorm
        | Part::AfterAttentionNorm
        | Part::FeedForwardNorm
        | Part::AfterFeedForwardNorm => return values.fill(1.0 - offset),
        Part::Embedding | Part::Output => EMBEDDING_DEVIATION,
        Part::AttentionOutput | Part::Down => usual / ((2 * layers.max(1)) as f32).sqrt(),
        _ => usual,
    };
    values.iter_mut().for_each(|value| *value = deviation * random.normal());
}

/// The first part of an architecture that inference computes and training does not.
fn untrained(decoder: &Decoder) -> Option<String> {
    let of_layer = |layer: &Layer| {
        let parts = [
            (matches!(layer.feed_forward, FeedForwardSizes::Experts(_)), "experts"),
            (
                matches!(layer.norms, NormPlacement::Shared | NormPlacement::Apart),
                "attention and feed-forward side by side",
            ),
            (
                matches!(&layer.feed_forward, FeedForwardSizes::Dense(dense) if dense.bias),
                "biases of feed-forward",
            ),
        ];
        parts.into_iter().find(|(has, _)| *has).map(|(_, what)| what)
    };
    let activation = (!gate::is_known(decoder.activation)).then_some("another nonlinearity");
    let found = decoder.layers.iter().find_map(of_layer).or(activation);
    found.map(|what| format!("{what} to be trained"))
}

fn unsupported(what: &str) -> ModelError {
    ModelError::Unsupported { what: what.to_owned() }
}
