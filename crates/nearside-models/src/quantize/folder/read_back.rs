//! What a file will say, held against what the folder says: a difference would be another model under the same name.
//!
//! The header is made and read as that of any file, so that a key that is missing, misread or without a place is found
//! here and not by who computes with the file.

use nearside_architecture::header::gguf;
use nearside_architecture::{
    Architecture, Decoder, Experts, FeedForward, GroupedAttention, Layer, Mixer, Norm, Scoring,
};

use crate::file::{TensorInfo, gguf_header};
use crate::numerics::{Numerics, Rope};
use crate::stored;

use super::super::error::QuantizeError;
use super::super::source::{Source, SourceTensor};
use super::{Folder, unconvertible};

/// How far numbers may be apart that were rounded to 32 bits.
const ROUNDED: f64 = 1e-5;
/// Tokens of a context that is longer than any original one.
const LONG: usize = 1 << 30;

/// An error for the first thing that the file would say otherwise; windows that it has no word for are told.
pub(super) fn check(source: &Source, folder: &Folder<'_>) -> Result<(), QuantizeError> {
    let info = |tensor: &SourceTensor| TensorInfo {
        name: tensor.name.clone(),
        dtype: tensor.dtype,
        shape: tensor.shape.clone(),
    };
    let infos: Vec<_> = source.tensors.iter().map(info).collect();
    let bytes = gguf_header(&source.metadata, &infos)?;
    let wrong = |error: nearside_architecture::HeaderError| unconvertible(error.to_string());
    let header = gguf::parse(&bytes, None).map_err(wrong)?;
    let Architecture::Decoder(read) = header.decoder().map_err(wrong)? else {
        return Err(unconvertible("the file would be of an architecture that is not read"));
    };
    let numbers = |name: &str| {
        let tensor = source.tensors.iter().find(|tensor| tensor.name == name)?;
        stored::numbers(tensor.dtype, &tensor.shape, tensor.pieces.first()?)
    };
    let by_context = numbers("rope_factors_short.weight").zip(numbers("rope_factors_long.weight"));
    let by_context = by_context.map(<[Vec<f64>; 2]>::from);
    let numerics = Numerics::of_gguf(&header, &read, numbers("rope_freqs.weight"), by_context)?;
    let differences = decoders(folder.decoder, &read).or_else(|| {
        let width = rotary(folder.decoder)?;
        numbers_differ([folder.numerics, &numerics], width)
    });
    match differences {
        None => Ok(()),
        Some(what) => Err(unconvertible(format!(
            "a {} file has no word for {what} of config.json",
            folder.family.gguf
        ))),
    }
}

/// What sets two decoders apart that should compute the same.
fn decoders(one: &Decoder, other: &Decoder) -> Option<&'static str> {
    let whole = [
        (one.hidden == other.hidden, "hidden_size"),
        (one.vocabulary == other.vocabulary, "vocab_size"),
        (one.context == other.context, "max_position_embeddings"),
        (one.tied_embeddings == other.tied_embeddings, "tie_word_embeddings"),
        (one.output_bias == other.output_bias, "the bias of the output"),
        (one.logit_soft_cap == other.logit_soft_cap, "final_logit_softcapping"),
        ((one.norm == Norm::RmsOffset) == (other.norm == Norm::RmsOffset), "the norms"),
        (one.activation == other.activation, "hidden_act"),
        (one.scaled_embeddings == other.scaled_embeddings, "the scale of embeddings"),
        (one.scales == other.scales, "multipliers"),
        (one.layers.len() == other.layers.len(), "num_hidden_layers"),
    ];
    let different = whole.into_iter().find(|(same, _)| !same).map(|(_, what)| what);
    different.or_else(|| {
        one.layers.iter().zip(&other.layers).find_map(|(one, other)| layers(one, other))
    })
}

fn layers(one: &Layer, other: &Layer) -> Option<&'static str> {
    if one.norms != other.norms {
        return Some("the places of norms");
    }
    let (Mixer::Grouped(left), Mixer::Grouped(right)) = (&one.mixer, &other.mixer) else {
        return Some("the kind of attention");
    };
    attention(left, right).or_else(|| match (&one.feed_forward, &other.feed_forward) {
        (FeedForward::Dense(one), FeedForward::Dense(other)) => {
            (one != other).then_some("intermediate_size")
        }
        (FeedForward::Experts(one), FeedForward::Experts(other)) => experts(one, other),
        _ => Some("layers with and without experts"),
    })
}

fn attention(one: &GroupedAttention, other: &GroupedAttention) -> Option<&'static str> {
    let parts = [
        (one.heads == other.heads, "num_attention_heads"),
        (one.key_value_heads == other.key_value_heads, "num_key_value_heads"),
        (one.head_dim == other.head_dim, "head_dim"),
        (one.rotary_dim == other.rotary_dim, "partial_rotary_factor"),
        (one.input_bias == other.input_bias, "the biases of queries, keys and values"),
        (one.output_bias == other.output_bias, "the bias after attention"),
        (one.query_key_norm == other.query_key_norm, "the norms of queries and keys"),
        (one.soft_cap == other.soft_cap, "attn_logit_softcapping"),
        (one.packing == other.packing, "the packing of queries, keys and values"),
        (one.sinks == other.sinks && one.gated == other.gated, "the kind of attention"),
        // That there is none is told: shorter texts are computed alike.
        (other.window.is_none() || one.window == other.window, "layers with a window"),
    ];
    parts.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}

fn experts(one: &Experts, other: &Experts) -> Option<&'static str> {
    let renormalised =
        |scoring| matches!(scoring, Scoring::Renormalised | Scoring::NarrowRenormalised);
    let parts = [
        (one.count == other.count, "the number of experts"),
        (one.active == other.active, "num_experts_per_tok"),
        (one.expert == other.expert, "moe_intermediate_size"),
        (one.shared == other.shared, "shared_expert_intermediate_size"),
        (one.shared_gate == other.shared_gate, "the gate of what all tokens share"),
        (one.router_bias == other.router_bias, "the bias of the router"),
        (one.gating == other.gating, "the gates of experts"),
        (renormalised(one.scoring) == renormalised(other.scoring), "norm_topk_prob"),
    ];
    parts.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}

fn rotary(decoder: &Decoder) -> Option<(usize, usize)> {
    match &decoder.layers.first()?.mixer {
        Mixer::Grouped(attention) => {
            Some((attention.rotary_dim as usize, attention.head_dim as usize))
        }
        _ => None,
    }
}

/// What sets the numbers apart; `rotary` is how much of a head is turned, `head` how wide it is.
fn numbers_differ(
    [one, other]: [&Numerics; 2],
    (rotary, head): (usize, usize),
) -> Option<&'static str> {
    let usual = (head as f32).powf(-0.5);
    let scale = |numerics: &Numerics| Some(numerics.attention_scale.unwrap_or(usual));
    let window =
        |numerics: &Numerics| numerics.window_rope.as_ref().unwrap_or(&numerics.rope).clone();
    let parts = [
        (alike(Some(one.norm_epsilon), Some(other.norm_epsilon)), "rms_norm_eps"),
        (alike(scale(one), scale(other)), "query_pre_attn_scalar"),
        (alike(one.attention_cap, other.attention_cap), "attn_logit_softcapping"),
        (alike(one.logit_cap, other.logit_cap), "final_logit_softcapping"),
        (turn_alike(&one.rope, &other.rope, rotary), "rope_theta or rope_scaling"),
        (turn_alike(&window(one), &window(other), rotary), "rope_local_base_freq"),
    ];
    parts.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}

fn alike(one: Option<f32>, other: Option<f32>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => near(one.into(), other.into()),
        (None, None) => true,
        _ => false,
    }
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= ROUNDED * one.abs().max(other.abs())
}

fn turn_alike(one: &Rope, other: &Rope, width: usize) -> bool {
    [1, LONG].into_iter().all(|context| {
        let [one, other] = [one, other].map(|rope| rope.speeds(width, context));
        near(one.magnitude, other.magnitude)
            && one.speeds.iter().zip(&other.speeds).all(|(one, other)| near(*one, *other))
    })
}
