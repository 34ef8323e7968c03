//! Putting a model together from its files: every tensor that the architecture has, with its shape checked, and a clear
//! answer where it has parts that are not computed here.

mod reader;

use std::collections::BTreeSet;

use nearside_architecture::{
    Architecture, Decoder, Dense as DenseSizes, Experts as ExpertSizes,
    FeedForward as FeedForwardSizes, Gating, GroupedAttention, Layer as LayerSizes, Mixer, Norm,
    NormPlacement, Packing, Positions, QueryKeyNorm, Scoring,
};

use crate::adapter::{self, Adapter, LowRank, Place};
use crate::error::ModelError;
use crate::kernel::{Heads, MAX_HEAD, Normalise};
use crate::matrix::Matrix;
use crate::numerics::Numerics;
use crate::quantize::half_row;
use crate::stored::{Naming, Part, StoredModel};

use super::rotation::Rotation;
use super::{
    Attention, DecoderModel, Dense, Experts, FeedForward, Layer, Norms, Projection, Shared,
};
use reader::Reader;

impl DecoderModel {
    /// Puts a model together, for contexts of up to so many tokens.
    ///
    /// # Errors
    /// When it is no decoder, has a part that is not computed here, or lacks a tensor or has it in another shape.
    pub fn load(stored: &StoredModel, context: usize) -> Result<Self, ModelError> {
        Self::load_adapted(stored, context, &Adapter::default())
    }

    /// The same with what an adapter adds, which was opened for this model.
    ///
    /// # Errors
    /// As [`DecoderModel::load`].
    pub fn load_adapted(
        stored: &StoredModel,
        context: usize,
        adapter: &Adapter,
    ) -> Result<Self, ModelError> {
        Self::load_noting(stored, context, adapter).map(|(model, _read)| model)
    }

    /// The same, with the names of the tensors that it has weights of.
    ///
    /// # Errors
    /// As [`DecoderModel::load`].
    pub fn load_noting(
        stored: &StoredModel,
        context: usize,
        adapter: &Adapter,
    ) -> Result<(Self, BTreeSet<String>), ModelError> {
        let (Architecture::Decoder(decoder), Some(numerics)) =
            (&stored.architecture, &stored.numerics)
        else {
            let what = match &stored.architecture {
                Architecture::Other { family, .. } => format!("the architecture \"{family}\""),
                _ => "an architecture that is no decoder".to_owned(),
            };
            return Err(ModelError::Unsupported { what });
        };
        unsupported(decoder).map_or(Ok(()), |what| Err(ModelError::Unsupported { what }))?;
        let neighbours = adapter::has_neighbours(stored);
        let reader = Reader::new(stored);
        let loader = Loader { stored: reader, decoder, numerics, context, adapter, neighbours };
        let model = loader.model()?;
        Ok((model, loader.stored.into_names()))
    }
}

/// The first part of an architecture that is not computed here.
pub(crate) fn unsupported(decoder: &Decoder) -> Option<String> {
    let scales = decoder.scales;
    let positions = decoder.positions;
    let whole = [
        (
            scales.branches || scales.logits || scales.queries,
            "numbers that branches or scores are multiplied with",
        ),
        (
            !matches!(
                positions,
                Positions::Rotary | Positions::RotaryBySight | Positions::RotaryWide
            ),
            "positions that are not rotary",
        ),
        (decoder.output_bias, "a bias on its scores"),
        (norm_is_centred(decoder.norm).is_none(), "a norm of another kind"),
    ];
    let whole = whole.into_iter().find(|(has, _)| *has).map(|(_, what)| what);
    let of_layer = || decoder.layers.iter().find_map(unsupported_layer);
    whole.or_else(of_layer).map(str::to_owned)
}

fn unsupported_layer(layer: &LayerSizes) -> Option<&'static str> {
    let attention = match &layer.mixer {
        Mixer::Grouped(attention) => attention,
        Mixer::Latent(_) => return Some("latent attention"),
        Mixer::StateSpace(_) => return Some("state spaces"),
        Mixer::DeltaRule(_) => return Some("delta rules"),
        Mixer::ShortConvolution(_) => return Some("short convolutions"),
        Mixer::Absent => return Some("blocks without attention"),
    };
    let parts = [
        (attention.sinks, "sinks of attention"),
        (attention.gated, "gates of attention"),
        (
            matches!(attention.packing, Packing::Split | Packing::ByHead),
            "queries, keys and values side by side",
        ),
        (attention.head_dim > MAX_HEAD as u64, "heads of more than 256"),
        (!attention.head_dim.is_multiple_of(16), "heads that are no multiple of 16"),
        (matches!(layer.feed_forward, FeedForwardSizes::Absent), "blocks without feed-forward"),
    ];
    let experts = match &layer.feed_forward {
        FeedForwardSizes::Experts(experts) => unsupported_experts(experts),
        _ => None,
    };
    parts.into_iter().find(|(has, _)| *has).map(|(_, what)| what).or(experts)
}

fn unsupported_experts(experts: &ExpertSizes) -> Option<&'static str> {
    let softmax = matches!(
        experts.scoring,
        Scoring::Renormalised | Scoring::NarrowRenormalised | Scoring::Narrow
    );
    let parts = [
        (experts.router_bias, "a bias on its router"),
        (experts.gating != Gating::Plain, "clamped gates of experts"),
        (!softmax, "another way of choosing experts"),
        (experts.expert.bias, "biases of experts"),
    ];
    parts.into_iter().find(|(has, _)| *has).map(|(_, what)| what)
}

/// Whether a norm takes the mean off; `None` for one that is not computed here.
const fn norm_is_centred(norm: Norm) -> Option<bool> {
    match norm {
        Norm::Rms | Norm::MixedRms | Norm::NarrowRms | Norm::RmsOffset | Norm::RmsWide => {
            Some(false)
        }
        _ => None,
    }
}

struct Loader<'a> {
    stored: Reader<'a>,
    decoder: &'a Decoder,
    numerics: &'a Numerics,
    context: usize,
    adapter: &'a Adapter,
    /// Whether rows of queries and keys lie otherwise than the adapter has them.
    neighbours: bool,
}

impl Loader<'_> {
    fn model(&self) -> Result<DecoderModel, ModelError> {
        let Decoder { hidden, vocabulary, .. } = *self.decoder;
        let (hidden, vocabulary) = (hidden as usize, vocabulary as usize);
        let embedding = self.stored.matrix(Part::Embedding, None, [vocabulary, hidden])?;
        let output = match self.decoder.tied_embeddings {
            true => embedding.clone(),
            false => self.stored.matrix(Part::Output, None, [vocabulary, hidden])?,
        };
        let layers = self.decoder.layers.iter().enumerate();
        Ok(DecoderModel {
            embedding_scale: self.decoder.scaled_embeddings.then(|| (hidden as f32).sqrt()),
            layers: layers
                .map(|(index, layer)| self.layer(index, layer))
                .collect::<Result<_, _>>()?,
            output_norm: self.norm(Part::OutputNorm, None, hidden)?,
            embedding,
            output,
            logit_cap: self.numerics.logit_cap,
            hidden,
            vocabulary,
            context: self.decoder.context.map(|context| context as usize),
        })
    }

    fn layer(&self, index: usize, sizes: &LayerSizes) -> Result<Layer, ModelError> {
        let feed_forward = match &sizes.feed_forward {
            FeedForwardSizes::Dense(dense) => FeedForward::Dense(self.dense(index, dense)?),
            FeedForwardSizes::Experts(experts) => {
                FeedForward::Experts(self.experts(index, experts)?)
            }
            FeedForwardSizes::Absent => return Err(absent("feed-forward")),
        };
        let Mixer::Grouped(attention) = &sizes.mixer else { return Err(absent("attention")) };
        let attention = self.attention(index, attention)?;
        Ok(Layer { attention, feed_forward, norms: self.norms(index, sizes.norms)? })
    }

    fn norms(&self, layer: usize, placement: NormPlacement) -> Result<Norms, ModelError> {
        let norm = |part| self.norm(part, Some(layer), self.decoder.hidden as usize);
        let wanted = |here: bool, part| here.then(|| norm(part)).transpose();
        let sandwich = placement == NormPlacement::Sandwich;
        let after = sandwich || placement == NormPlacement::After;
        let shared = placement == NormPlacement::Shared;
        Ok(Norms {
            placement,
            attention: wanted(sandwich || !after, Part::AttentionNorm)?,
            after_attention: wanted(after, Part::AfterAttentionNorm)?,
            feed_forward: wanted(
                (sandwich || !after) && !shared,
                self.stored.naming().feed_forward_norm(placement),
            )?,
            after_feed_forward: wanted(after, Part::AfterFeedForwardNorm)?,
        })
    }

    fn norm(
        &self,
        part: Part,
        layer: Option<usize>,
        width: usize,
    ) -> Result<Normalise, ModelError> {
        let mut scales = self.stored.vector(part, layer, width)?;
        // GGUF files have the one added already.
        if self.decoder.norm == Norm::RmsOffset && *self.stored.naming() != Naming::Gguf {
            scales.iter_mut().for_each(|scale| *scale += 1.0);
        }
        let centred = norm_is_centred(self.decoder.norm).unwrap_or(false);
        Ok(Normalise { centred, epsilon: self.numerics.norm_epsilon, scales, offsets: Vec::new() })
    }

    fn attention(&self, layer: usize, sizes: &GroupedAttention) -> Result<Attention, ModelError> {
        let hidden = self.decoder.hidden as usize;
        let [queries, keys, width] =
            [sizes.heads, sizes.key_value_heads, sizes.head_dim].map(|size| size as usize);
        let (wide, narrow) = (queries * width, keys * width);
        let [query, key, value] = match sizes.packing {
            Packing::Apart => [(Part::Query, wide), (Part::Key, narrow), (Part::Value, narrow)]
                .map(|(part, rows)| self.stored.matrix(part, Some(layer), [rows, hidden])),
            _ => {
                let packed =
                    self.stored.matrix(Part::Packed, Some(layer), [wide + 2 * narrow, hidden])?;
                [0..wide, wide..wide + narrow, wide + narrow..wide + 2 * narrow]
                    .map(|rows| packed.part(rows).ok_or_else(|| absent("packed attention")))
            }
        };
        let [of_query, of_key, of_value] = self.attention_changes(layer, sizes);
        let bias = |has: bool, part, width| {
            has.then(|| self.stored.vector(part, Some(layer), width)).transpose()
        };
        let input_bias = |part, width| bias(sizes.input_bias, part, width);
        let norm = |part, heads: usize| match sizes.query_key_norm {
            None => Ok(None),
            Some(QueryKeyNorm::Head) => self.norm(part, Some(layer), width).map(Some),
            Some(QueryKeyNorm::Projection) => self.norm(part, Some(layer), heads * width).map(Some),
        };
        let rope = match (&self.numerics.window_rope, sizes.window) {
            (Some(rope), Some(_)) => rope,
            _ => &self.numerics.rope,
        };
        let heads = Heads {
            queries,
            keys,
            width,
            window: sizes.window.map(|window| window as usize),
            scale: self.numerics.attention_scale.unwrap_or((width as f32).powf(-0.5)),
            cap: self.numerics.attention_cap,
        };
        Ok(Attention {
            heads,
            query: Projection::new(query?, input_bias(Part::QueryBias, wide)?).changed(of_query),
            key: Projection::new(key?, input_bias(Part::KeyBias, narrow)?).changed(of_key),
            value: Projection::new(value?, input_bias(Part::ValueBias, narrow)?).changed(of_value),
            output: Projection::new(
                self.stored.matrix(Part::AttentionOutput, Some(layer), [hidden, wide])?,
                bias(sizes.output_bias, Part::AttentionOutputBias, hidden)?,
            )
            .changed(self.change(Part::AttentionOutput, layer, None)),
            query_norm: norm(Part::QueryNorm, queries)?,
            key_norm: norm(Part::KeyNorm, keys)?,
            rotation: Rotation::new(rope, sizes.rotary_dim as usize, self.context),
        })
    }

    /// What the adapter adds to a matrix, its rows as they lie there.
    fn change(&self, part: Part, layer: usize, expert: Option<usize>) -> Option<LowRank> {
        self.adapter.of(Place { layer, part, expert }).cloned()
    }

    /// The same of queries, keys and values, which may be one matrix.
    fn attention_changes(&self, layer: usize, sizes: &GroupedAttention) -> [Option<LowRank>; 3] {
        let [queries, keys, width] =
            [sizes.heads, sizes.key_value_heads, sizes.head_dim].map(|size| size as usize);
        let (wide, narrow) = (queries * width, keys * width);
        if sizes.packing == Packing::Apart {
            let [query, key] = [Part::Query, Part::Key].map(|part| {
                let change = self.change(part, layer, None)?;
                Some(match self.neighbours {
                    true => change.reordered(|row| half_row(row, width)),
                    false => change,
                })
            });
            return [query, key, self.change(Part::Value, layer, None)];
        }
        let packed = self.change(Part::Packed, layer, None);
        [0..wide, wide..wide + narrow, wide + narrow..wide + 2 * narrow]
            .map(|rows| packed.as_ref()?.part(rows))
    }

    fn dense(&self, layer: usize, sizes: &DenseSizes) -> Result<Dense, ModelError> {
        if sizes.bias {
            return Err(absent("biases of feed-forward"));
        }
        let (hidden, inner) = (self.decoder.hidden as usize, sizes.intermediate as usize);
        let matrix = |part, rows| self.stored.matrix(part, Some(layer), [rows, hidden]);
        let (gate, up) = match (sizes.gated, sizes.packed) {
            (true, true) => {
                let packed = matrix(Part::PackedUp, 2 * inner)?;
                let half = |rows| packed.part(rows).ok_or_else(|| absent("a packed gate"));
                (Some(half(0..inner)?), half(inner..2 * inner)?)
            }
            (true, false) => (Some(matrix(Part::Gate, inner)?), matrix(Part::Up, inner)?),
            (false, _) => (None, matrix(Part::Up, inner)?),
        };
        let down = self.stored.matrix(Part::Down, Some(layer), [hidden, inner])?;
        let change = |part| self.change(part, layer, None);
        let changes = match (sizes.gated, sizes.packed) {
            (true, true) => {
                let packed = change(Part::PackedUp);
                let half = |rows| packed.as_ref()?.part(rows);
                [half(0..inner), half(inner..2 * inner), change(Part::Down)]
            }
            _ => [Part::Gate, Part::Up, Part::Down].map(change),
        };
        Ok(self.network(gate, up, down, changes))
    }

    /// A network; `changes` are of its gate, what is gated, and its output.
    fn network(
        &self,
        gate: Option<Matrix>,
        up: Matrix,
        down: Matrix,
        changes: [Option<LowRank>; 3],
    ) -> Dense {
        let [of_gate, of_up, of_down] = changes;
        let plain = |matrix| Projection::new(matrix, None);
        Dense {
            activation: self.decoder.activation,
            gate: gate.map(|gate| plain(gate).changed(of_gate)),
            up: plain(up).changed(of_up),
            down: plain(down).changed(of_down),
        }
    }

    fn experts(&self, layer: usize, sizes: &ExpertSizes) -> Result<Experts, ModelError> {
        let hidden = self.decoder.hidden as usize;
        let (count, inner) = (sizes.count as usize, sizes.expert.intermediate as usize);
        let router = self.stored.matrix(Part::Router, Some(layer), [count, hidden])?;
        let experts = (0..count).map(|expert| {
            let part = |part, shape| self.expert(part, layer, expert, count, shape);
            let gate = part(Part::ExpertGates, [inner, hidden])?;
            let (up, down) = (
                part(Part::ExpertUps, [inner, hidden])?,
                part(Part::ExpertDowns, [hidden, inner])?,
            );
            let parts = [Part::ExpertGates, Part::ExpertUps, Part::ExpertDowns];
            let changes = parts.map(|part| self.change(part, layer, Some(expert)));
            Ok(self.network(Some(gate), up, down, changes))
        });
        let experts = experts.collect::<Result<_, ModelError>>()?;
        let shared =
            sizes.shared.as_ref().map(|shared| self.shared(layer, shared, sizes.shared_gate));
        Ok(Experts {
            router,
            active: (sizes.active as usize).min(count),
            renormalised: matches!(
                sizes.scoring,
                Scoring::Renormalised | Scoring::NarrowRenormalised
            ),
            experts,
            shared: shared.transpose()?,
        })
    }

    /// The matrix of one expert: part of that of all of them, or one of its own.
    fn expert(
        &self,
        part: Part,
        layer: usize,
        expert: usize,
        count: usize,
        [rows, width]: [usize; 2],
    ) -> Result<Matrix, ModelError> {
        if let Some(name) = self.stored.expert_name(part, layer, expert) {
            return self.stored.named_matrix(&name, [rows, width]);
        }
        let all = self.stored.matrix(part, Some(layer), [count * rows, width])?;
        all.part(expert * rows..(expert + 1) * rows).ok_or_else(|| absent("experts"))
    }

    fn shared(&self, layer: usize, sizes: &DenseSizes, gated: bool) -> Result<Shared, ModelError> {
        let (hidden, inner) = (self.decoder.hidden as usize, sizes.intermediate as usize);
        let matrix = |part, shape| self.stored.matrix(part, Some(layer), shape);
        let network = self.network(
            Some(matrix(Part::SharedGate, [inner, hidden])?),
            matrix(Part::SharedUp, [inner, hidden])?,
            matrix(Part::SharedDown, [hidden, inner])?,
            [Part::SharedGate, Part::SharedUp, Part::SharedDown]
                .map(|part| self.change(part, layer, None)),
        );
        let share = gated.then(|| matrix(Part::SharedShare, [1, hidden])).transpose()?;
        Ok(Shared { network, share })
    }
}

fn absent(what: &str) -> ModelError {
    ModelError::Unsupported { what: what.to_owned() }
}
