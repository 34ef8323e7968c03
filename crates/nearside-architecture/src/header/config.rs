//! What a Hugging Face `config.json` says about a model.
//!
//! Decoder families of the table in `family.rs` become a [`crate::Decoder`]; every other family is
//! [`Architecture::Other`] with its name. Field names and defaults follow the configuration classes
//! of transformers.

use std::collections::BTreeSet;

use crate::error::Position;
use crate::{
    Activation, Architecture, Attached, Dense, Dropout, Dtype, Experts, GroupedAttention,
    HeaderError, LatentAttention, Mixer, Packing, Positions, Scoring,
};

use super::family::{
    Biases, Family, MAX_CONTEXT, MAX_EXPERTS, MAX_HEAD_DIM, MAX_HEADS, MAX_HIDDEN,
    MAX_INTERMEDIATE, MAX_LAYERS, MAX_VOCABULARY, Mixture, Recurrence,
};
use super::json::Object;
use super::parts::Parts;

/// The longest `config.json` that is read, in bytes; real ones have a few thousand.
pub const MAX_BYTES: usize = 4 << 20;
/// The largest side of an image that a vision tower may be made for, in pixels.
pub const MAX_IMAGE: u64 = 1 << 16;

const HIDDEN: &[&str] = &["hidden_size", "n_embd"];
pub(super) const LAYERS: &[&str] = &["num_hidden_layers", "n_layer"];
const HEADS: &[&str] = &["num_attention_heads", "n_head"];
const INTERMEDIATE: &[&str] = &["intermediate_size", "n_inner", "ffn_dim"];
/// Of a family that adjusts what its file says; a width in an older field comes first.
const ADJUSTED: &[&str] = &["block_ff_dim", "intermediate_size"];
const SHARED: &[&str] = &[
    "shared_expert_intermediate_size",
    "shared_intermediate_size",
    "moe_shared_expert_intermediate_size",
];
const CONTEXT: &[&str] = &["max_position_embeddings", "n_positions", "n_ctx"];
const EXPERTS: &[&str] = &["num_local_experts", "num_experts", "n_routed_experts"];
const ACTIVE: &[&str] = &["num_experts_per_tok", "num_experts_per_token"];

/// Reads a `config.json`.
///
/// ```
/// use nearside_architecture::{Architecture, header::config};
/// let text = br#"{ "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
///     "num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 32000 }"#;
/// let Ok(Architecture::Decoder(decoder)) = config::parse(text) else { unreachable!() };
/// assert_eq!(decoder.layers.len(), 2);
/// let text = b"{ \"model_type\": \"llama\",\n  \"num_hidden_layers\": 0 }";
/// let error = config::parse(text).unwrap_err().in_file("config.json");
/// assert!(error.starts_with("config.json:2:24: field \"num_hidden_layers\": expected"));
/// ```
///
/// # Errors
/// When it is not JSON, or a field is missing or makes no sense; the error names the field, what
/// was found, and the line and column.
pub fn parse(bytes: &[u8]) -> Result<Architecture, HeaderError> {
    bounded(bytes)?;
    let outer = Object::parse(bytes)?;
    match super::pipeline::in_one_file(&outer)? {
        Some(pipeline) => Ok(pipeline),
        None => model(&outer),
    }
}

/// Complains about a file that is too long to be read.
pub(super) fn bounded(bytes: &[u8]) -> Result<(), HeaderError> {
    if bytes.len() <= MAX_BYTES {
        return Ok(());
    }
    Err(HeaderError::Format {
        format: "config.json",
        reason: format!("{} bytes, at most {MAX_BYTES} are read", bytes.len()),
        position: Position::Text { line: 1, column: 1 },
    })
}

/// One model, not a pipeline of several: those do not hold each other.
pub(super) fn model(outer: &Object<'_>) -> Result<Architecture, HeaderError> {
    if let Some(found) = super::diffusion::parse(outer)? {
        return Ok(found);
    }
    for parse in [super::encoder::parse, super::encoder_decoder::parse, super::vision::parse] {
        if let Some(architecture) = parse(outer)? {
            return Ok(architecture);
        }
    }
    let (name, family) = family(outer)?;
    let (Some(family), None | Some(false)) = (family, outer.flag("is_encoder_decoder")?) else {
        return Ok(Architecture::Other { family: name, parameters: None });
    };
    let text = outer.object("text_config")?;
    let config = Config { family, fields: text.as_ref().unwrap_or(outer), outer };
    match (config.windows()?, config.activation()?) {
        (Some(windows), Some(activation)) if !config.is_foreign()? => {
            config.decoder(windows, activation)
        }
        _ => Ok(Architecture::Other { family: name, parameters: None }),
    }
}

/// The name of the family, and its row if it is a decoder that we know.
fn family(outer: &Object<'_>) -> Result<(String, Option<&'static Family>), HeaderError> {
    if let Some(name) = outer.string("model_type")? {
        let family = Family::of_model_type(&name);
        return Ok((name, family));
    }
    let classes: Option<Vec<String>> = outer.read("architectures", "a list of class names")?;
    let class = classes.and_then(|classes| classes.into_iter().next());
    match class.map_or_else(|| outer.string("_class_name"), |class| Ok(Some(class)))? {
        Some(class) => {
            let family = Family::of_class(&class);
            Ok((class, family))
        }
        None => Err(outer.missing(&["model_type", "architectures", "_class_name"])),
    }
}

/// A decoder's fields with the family that says how to read them.
pub(super) struct Config<'a> {
    pub(super) family: &'static Family,
    pub(super) fields: &'a Object<'a>,
    /// The enclosing object: a few fields stand there when the decoder has an object of its own.
    pub(super) outer: &'a Object<'a>,
}

impl Config<'_> {
    /// The nonlinearity: the family's, or what a field of the file names; `None` if that is not
    /// modelled.
    fn activation(&self) -> Result<Option<Activation>, HeaderError> {
        let named =
            self.family.activation_field.map(|name| self.fields.string(name)).transpose()?;
        Ok(match named.flatten() {
            Some(name) => super::encoder::activation(&name),
            None => Some(self.family.activation),
        })
    }

    /// Whether the file asks for what the family's row does not describe.
    fn is_foreign(&self) -> Result<bool, HeaderError> {
        let fields = self.fields;
        let asked = |name: &str, foreign: bool| fields.flag(name).map(|flag| flag == Some(foreign));
        let is = |name: &str| self.family.model_types.contains(&name);
        Ok(match () {
            () if is("gpt_neox") => asked("use_parallel_residual", false)?,
            () if is("cohere") => asked("use_qk_norm", true)?,
            () if is("olmo") => fields.raw("clip_qkv").is_some(),
            () if is("seed_oss") => asked("attention_out_bias", true)?,
            () if is("phi") => asked("qk_layernorm", true)?,
            () if is("stablelm") => {
                asked("qk_layernorm", true)? || asked("use_parallel_residual", true)?
            }
            () if is("nemotron_h") => fields.raw("moe_latent_size").is_some(),
            () if is("opt") => {
                let projected = fields.number("word_embed_proj_dim", 1..=MAX_HIDDEN)?;
                let hidden = fields.first(HIDDEN, 1..=MAX_HIDDEN)?;
                asked("do_layer_norm_before", false)?
                    || asked("_remove_final_layer_norm", true)?
                    || asked("layer_norm_elementwise_affine", false)?
                    || projected.is_some_and(|width| Some(width) != hidden)
            }
            () => false,
        })
    }

    fn decoder(
        &self,
        windows: Vec<Option<u64>>,
        activation: Activation,
    ) -> Result<Architecture, HeaderError> {
        let Self { family, fields, outer } = self;
        let hidden = fields.required(HIDDEN, 1..=MAX_HIDDEN)?;
        let vocabulary = match fields.number("vocab_size", 1..=MAX_VOCABULARY)? {
            Some(rows) => rows,
            None if family.vocabulary > 0 => family.vocabulary,
            None => return Err(fields.missing(&["vocab_size"])),
        };
        let context = fields.first(CONTEXT, 1..=MAX_CONTEXT)?;
        let positions = match (family.learned_positions, context) {
            // A model without windows rotates everywhere.
            (false, _) if windows.iter().all(Option::is_none) => match family.rotary {
                Positions::RotaryNear => Positions::Rotary,
                Positions::Absent if self.is_rotary()? => Positions::Rotary,
                rotary => rotary,
            },
            (false, _) => family.rotary,
            (true, Some(rows)) if rows <= MAX_VOCABULARY => match family.position_offset {
                0 => Positions::Learned(rows),
                offset => Positions::LearnedByToken(rows + offset),
            },
            (true, _) => return Err(fields.missing(CONTEXT)),
        };
        let tied = match fields.flag("tie_word_embeddings")?.or(fields.flag("tie_embedding")?) {
            Some(tied) => Some(tied),
            None => outer.flag("tie_word_embeddings")?,
        };
        let attention = match family.latent {
            true => Mixer::Latent(self.latent()?),
            false => Mixer::Grouped(self.grouped(hidden)?),
        };
        let experts = self.experts()?;
        let blocks = self.blocks(windows.len() as u64)?;
        let mut attached = self.vision(hidden)?;
        attached.extend(self.latent_biases(&attention, hidden, windows.len() as u64)?);
        let parts = Parts {
            family,
            hidden,
            vocabulary,
            context,
            positions,
            attention,
            recurrent: self.recurrent(hidden)?,
            blocks,
            sparse: self.sparse(windows.len() as u64)?,
            windows,
            dense: self.dense(hidden)?,
            experts,
            tied: tied.unwrap_or(family.tied),
            logit_soft_cap: self.capped("final_logit_softcapping")?,
            activation,
            dropout: self.dropout()?,
            dtype: self.dtype()?,
            attached,
        };
        parts.assemble(outer.wrong("model_type", "").position())
    }

    fn grouped(&self, hidden: u64) -> Result<GroupedAttention, HeaderError> {
        let Self { family, fields, .. } = self;
        let or_default =
            |found: Option<u64>, default: u64| found.or((default > 0).then_some(default));
        let heads = or_default(fields.first(HEADS, 1..=MAX_HEADS)?, family.heads.0)
            .ok_or_else(|| fields.missing(HEADS))?;
        let key_value_heads =
            or_default(fields.number("num_key_value_heads", 1..=MAX_HEADS)?, family.heads.1)
                .unwrap_or(heads);
        if !heads.is_multiple_of(key_value_heads) {
            let expected = format!("a divisor of {heads} attention heads");
            return Err(fields.wrong("num_key_value_heads", &expected));
        }
        let head_dim = or_default(fields.number("head_dim", 1..=MAX_HEAD_DIM)?, family.heads.2);
        let head_dim = match head_dim {
            Some(head_dim) => head_dim,
            None if hidden.is_multiple_of(heads) && hidden / heads <= MAX_HEAD_DIM => {
                hidden / heads
            }
            None => {
                let name =
                    HEADS.iter().find(|name| fields.raw(name).is_some()).unwrap_or(&HEADS[0]);
                let expected = format!("a divisor of the hidden size {hidden}, or a head_dim");
                return Err(fields.wrong(name, &expected));
            }
        };
        let configured = fields.flag("attention_bias")?;
        let (input_bias, output_bias) = match family.biases {
            Biases::Configured => (configured == Some(true), configured == Some(true)),
            Biases::Asked(name) => (fields.flag(name)? == Some(true), false),
            Biases::Inputs => (fields.flag("qkv_bias")?.or(configured) != Some(false), false),
            Biases::All => self.all_biased().map(|biased| (biased, biased))?,
        };
        Ok(GroupedAttention {
            heads,
            key_value_heads,
            head_dim,
            window: None,
            input_bias,
            output_bias,
            query_key_norm: family.query_key_norm,
            soft_cap: self.capped("attn_logit_softcapping")?,
            packing: family.packing,
            rotary_dim: self.rotary_dim(head_dim)?,
            turning: family.turning,
            wide_softmax: family.wide_softmax,
            sinks: family.sinks,
            gated: family.gated_attention,
        })
    }

    /// Elements of a head that are rotated: all, or a stated share of them.
    fn rotary_dim(&self, head_dim: u64) -> Result<u64, HeaderError> {
        const NAME: &str = "partial_rotary_factor";
        let nested = self.fields.object("rope_parameters")?;
        let nested = nested.map(|nested| nested.read::<f64>(NAME, "a share")).transpose()?;
        let stated = match self.fields.read::<f64>(NAME, "a share")?.or(nested.flatten()) {
            Some(share) => Some(share),
            None => self.fields.read::<f64>("rotary_pct", "a share")?,
        };
        let share = stated.unwrap_or(self.family.rotary_share);
        // As transformers does: `int(head_dim * partial_rotary_factor)`.
        let rotated = (head_dim as f64 * share) as u64;
        match (1..=head_dim).contains(&rotated) {
            true => Ok(rotated),
            false => Err(self.fields.wrong(NAME, "a share above 0, at most 1")),
        }
    }

    /// Where elements are dropped: probabilities above zero.
    fn dropout(&self) -> Result<Dropout, HeaderError> {
        let habit = self.family.dropouts();
        let drops = |names: [&str; 2], habit: bool| {
            let read = |name: &str| self.fields.read::<f64>(name, "a probability");
            let stated = read(names[0])?.or(read(names[1])?);
            Ok::<_, HeaderError>(stated.map_or(habit, |probability| probability > 0.0))
        };
        Ok(Dropout {
            embeddings: drops(["embd_pdrop", "embedding_dropout"], habit.embeddings)?,
            attention: drops(["attn_pdrop", "attention_dropout"], habit.attention)?,
            residual: match self.family.residual_dropout {
                Some((name, habit)) => drops([name, name], habit)?,
                None => drops(["resid_pdrop", "residual_dropout"], habit.residual)?,
            },
        })
    }

    fn all_biased(&self) -> Result<bool, HeaderError> {
        let flag = self.fields.flag("use_bias")?.or(self.fields.flag("attention_bias")?);
        Ok(flag.unwrap_or(true))
    }

    fn latent(&self) -> Result<LatentAttention, HeaderError> {
        let fields = self.fields;
        let width = |name: &str| fields.required(&[name], 1..=MAX_HEAD_DIM);
        Ok(LatentAttention {
            heads: fields.required(HEADS, 1..=MAX_HEADS)?,
            query_rank: fields.number("q_lora_rank", 1..=MAX_HEAD_DIM)?,
            key_value_rank: width("kv_lora_rank")?,
            rotary_dim: width("qk_rope_head_dim")?,
            plain_dim: width("qk_nope_head_dim")?,
            value_dim: width("v_head_dim")?,
            rotation: self.family.rotation,
        })
    }

    /// The biases of latent attention, which no published model has.
    fn latent_biases(
        &self,
        attention: &Mixer,
        hidden: u64,
        layers: u64,
    ) -> Result<Option<Attached>, HeaderError> {
        let Mixer::Latent(latent) = attention else { return Ok(None) };
        let width = latent.query_rank.unwrap_or(0) + latent.key_value_rank + latent.rotary_dim;
        let biased = self.fields.flag("attention_bias")? == Some(true);
        Ok(biased.then(|| Attached {
            name: "attention biases".to_owned(),
            parameters: layers * (width + hidden),
        }))
    }

    fn dense(&self, hidden: u64) -> Result<Dense, HeaderError> {
        let Self { family, fields, .. } = self;
        let bounds = 1..=MAX_INTERMEDIATE;
        let names = match (family.mixture, family.recurrence) {
            (Mixture::Counted, _) => SHARED,
            (_, Recurrence::ShortConvolution) => ADJUSTED,
            _ => INTERMEDIATE,
        };
        let intermediate = match fields.first(names, bounds.clone())? {
            Some(width) => width,
            // GPT-2's default.
            None if family.learned_positions => 4 * hidden,
            None if family.mixture == Mixture::Stepped || family.mixture == Mixture::Everywhere => {
                fields.required(&["moe_intermediate_size"], bounds)?
            }
            None => return Err(fields.missing(INTERMEDIATE)),
        };
        let intermediate = match family.recurrence {
            Recurrence::ShortConvolution => self.adjusted(intermediate)?,
            _ => intermediate,
        };
        Ok(Dense {
            intermediate,
            gated: family.gated,
            packed: family.packed_gate || family.packing == Packing::Sliced,
            bias: self.feed_forward_bias()?,
        })
    }

    fn feed_forward_bias(&self) -> Result<bool, HeaderError> {
        match self.family.biases {
            Biases::All => self.all_biased(),
            _ => Ok(self.fields.flag("mlp_bias")? == Some(true)),
        }
    }

    fn experts(&self) -> Result<Option<Experts>, HeaderError> {
        let Self { family, fields, .. } = self;
        let none = match family.mixture {
            Mixture::Never => true,
            Mixture::Named => !self.sparse_blocks()?.contains(&true),
            _ => false,
        };
        if none {
            return Ok(None);
        }
        let bounds = 1..=MAX_INTERMEDIATE;
        if family.mixture == Mixture::Counted && fields.first(EXPERTS, 0..=MAX_EXPERTS)? == Some(0)
        {
            return Ok(None);
        }
        let count = fields.required(EXPERTS, 1..=MAX_EXPERTS)?;
        let active = fields.required(ACTIVE, 1..=MAX_EXPERTS)?;
        if active > count {
            return Err(fields.wrong(ACTIVE[0], &format!("at most {count}, the number of experts")));
        }
        let width = fields.required(&["moe_intermediate_size", INTERMEDIATE[0]], bounds.clone())?;
        let expert = Dense {
            intermediate: width,
            gated: family.gated,
            packed: family.packed_gate || family.packing == Packing::Sliced,
            bias: self.feed_forward_bias()?,
        };
        let shared = fields.number("n_shared_experts", 0..=MAX_EXPERTS)?.filter(|count| *count > 0);
        let shared = match shared.filter(|_| family.mixture != Mixture::Named) {
            Some(shared) if shared * width > MAX_INTERMEDIATE => {
                return Err(fields.wrong("n_shared_experts", "fewer shared experts"));
            }
            Some(shared) => Some(shared * width),
            None => fields.first(SHARED, 0..=MAX_INTERMEDIATE)?,
        };
        let shared = shared.filter(|width| *width > 0);
        let chosen = fields.string("topk_method")?;
        let router_bias = chosen.map_or(family.router_bias, |method| method == "noaux_tc");
        Ok(Some(Experts {
            count,
            active,
            shared: shared.map(|intermediate| Dense { intermediate, ..expert.clone() }),
            shared_gate: family.shared_gate && shared.is_some(),
            expert,
            router_bias,
            gating: family.gating,
            scoring: self.scoring()?,
        }))
    }

    /// How router scores become weights: a file may have the best ones renormalised.
    fn scoring(&self) -> Result<Scoring, HeaderError> {
        let stated = self.fields.flag("norm_topk_prob")?;
        let renormalised = stated == Some(true);
        Ok(match self.family.scoring {
            Scoring::Narrow if renormalised => Scoring::NarrowRenormalised,
            Scoring::NarrowRenormalised if stated == Some(false) => Scoring::Narrow,
            scoring => scoring,
        })
    }

    /// Which layers have experts.
    fn sparse(&self, layers: u64) -> Result<Vec<bool>, HeaderError> {
        let fields = self.fields;
        let indices = 0..layers;
        Ok(match self.family.mixture {
            Mixture::Never => indices.map(|_| false).collect(),
            Mixture::Everywhere | Mixture::Counted => indices.map(|_| true).collect(),
            Mixture::Named => self.sparse_blocks()?,
            Mixture::Stepped => {
                let step = fields.number("decoder_sparse_step", 1..=MAX_LAYERS)?.unwrap_or(1);
                let dense: Option<BTreeSet<u64>> =
                    fields.read("mlp_only_layers", "a list of layers")?;
                let dense = dense.unwrap_or_default();
                let sparse =
                    |layer: u64| (layer + 1).is_multiple_of(step) && !dense.contains(&layer);
                indices.map(sparse).collect()
            }
            Mixture::AfterDense(default) => {
                let first = fields.number("first_k_dense_replace", 0..=MAX_LAYERS)?;
                let first = first.unwrap_or(default);
                let step = fields.number("moe_layer_freq", 1..=MAX_LAYERS)?.unwrap_or(1);
                indices.map(|layer| layer >= first && layer.is_multiple_of(step)).collect()
            }
        })
    }

    /// Whether a soft cap is set: a number, or the family's habit where the file is silent.
    fn capped(&self, name: &str) -> Result<bool, HeaderError> {
        let stated: Option<f64> = self.fields.read(name, "a number")?;
        Ok(stated.is_some() || (self.family.soft_caps && !self.fields.mentions(name)))
    }

    /// The type that most weights are stored in; unknown for quantizers that we do not know.
    fn dtype(&self) -> Result<Option<Dtype>, HeaderError> {
        if let Some(quantized) = self.outer.object("quantization_config")? {
            let method = quantized.string("quant_method")?.unwrap_or_default();
            return Ok(match method.as_str() {
                "fp8" => Some(Dtype::F8),
                "mxfp4" => Some(Dtype::Mxfp4),
                "bitsandbytes" if quantized.flag("load_in_4bit")? == Some(true) => Some(Dtype::Nf4),
                "bitsandbytes" => Some(Dtype::Int8),
                _ => None,
            });
        }
        match stored(self.fields)? {
            Some(dtype) => Ok(Some(dtype)),
            None => stored(self.outer),
        }
    }
}

/// The type that a file says its weights have.
pub(super) fn stored(fields: &Object<'_>) -> Result<Option<Dtype>, HeaderError> {
    for name in ["dtype", "torch_dtype"] {
        if let Some(text) = fields.string(name)? {
            let wrong = |_| fields.wrong(name, "a number type such as bfloat16");
            return text.parse().map(Some).map_err(wrong);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use crate::{Decoder, FeedForward};

    use super::*;

    const SMALL: &str = r#""hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 1000"#;

    /// A small model of that family with those fields besides.
    fn small(family: &str, fields: &str) -> Result<Architecture, HeaderError> {
        let comma = if fields.is_empty() { "" } else { "," };
        parse(format!("{{\"model_type\": \"{family}\", {SMALL}{comma} {fields}}}").as_bytes())
    }

    fn decoder(family: &str, fields: &str) -> Decoder {
        match small(family, fields) {
            Ok(Architecture::Decoder(decoder)) => decoder,
            other => panic!("{family} {fields}: {other:?}"),
        }
    }

    fn grouped(decoder: &Decoder) -> Vec<GroupedAttention> {
        let layer = |layer: &crate::Layer| match &layer.mixer {
            Mixer::Grouped(grouped) => grouped.clone(),
            _ => panic!("no grouped attention"),
        };
        decoder.layers.iter().map(layer).collect()
    }

    fn windows(decoder: &Decoder) -> Vec<u64> {
        grouped(decoder).iter().map(|attention| attention.window.unwrap_or(0)).collect()
    }

    fn experts(decoder: &Decoder) -> Vec<u64> {
        let count = |feed_forward: &FeedForward| match feed_forward {
            FeedForward::Dense(_) | FeedForward::Absent => 0,
            FeedForward::Experts(experts) => experts.count,
        };
        decoder.layers.iter().map(|layer| count(&layer.feed_forward)).collect()
    }

    fn fails(family: &str, fields: &str, expected: &str) {
        let error = small(family, fields).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} does not say {expected}");
    }

    #[test]
    fn what_is_not_said_follows_from_what_is() {
        let decoder = decoder("llama", "");
        let attention = &grouped(&decoder)[0];
        assert_eq!((attention.key_value_heads, attention.head_dim), (4, 16));
        assert!(!decoder.tied_embeddings && decoder.dtype.is_none() && decoder.context.is_none());
    }

    #[test]
    fn families_have_their_own_habits() {
        assert!(decoder("gemma", "").tied_embeddings);
        assert_eq!(grouped(&decoder("gemma", ""))[0].head_dim, 256);
        assert!(grouped(&decoder("qwen2", ""))[0].input_bias);
        assert!(!grouped(&decoder("qwen2", ""))[0].output_bias);
        assert!(grouped(&decoder("llama", "\"attention_bias\": true"))[0].output_bias);
        assert!(decoder("gemma2", "").logit_soft_cap);
        assert!(!decoder("gemma2", "\"final_logit_softcapping\": null").logit_soft_cap);
        let gemma3 = decoder("gemma3_text", "\"final_logit_softcapping\": 30.0");
        assert!(gemma3.logit_soft_cap);
    }

    #[test]
    fn windows_follow_the_family_and_the_file() {
        assert_eq!(windows(&decoder("llama", "\"sliding_window\": 8")), [0; 4]);
        assert_eq!(windows(&decoder("mistral", "\"sliding_window\": 8")), [8; 4]);
        assert_eq!(windows(&decoder("mistral", "")), [4096; 4]);
        assert_eq!(windows(&decoder("mistral", "\"sliding_window\": null")), [0; 4]);
        let qwen = "\"sliding_window\": 8, \"max_window_layers\": 1, \"use_sliding_window\"";
        assert_eq!(windows(&decoder("qwen2", &format!("{qwen}: false"))), [0; 4]);
        assert_eq!(windows(&decoder("qwen2", &format!("{qwen}: true"))), [0, 8, 8, 8]);
        let moe = "\"num_experts\": 8, \"num_experts_per_tok\": 2";
        assert_eq!(windows(&decoder("qwen3_moe", &format!("{moe}, {qwen}: true"))), [8; 4]);
        assert_eq!(windows(&decoder("gemma2", "\"sliding_window\": 8")), [8, 0, 8, 0]);
        let pattern = |pattern: &str| {
            let fields = format!("\"sliding_window\": 8, \"sliding_window_pattern\": {pattern}");
            windows(&decoder("gemma3_text", &fields))
        };
        assert_eq!(pattern("3"), [8, 8, 0, 8]);
        assert_eq!(pattern("[1, 0]"), [8, 0, 8, 0]);
        assert_eq!(pattern("[true, false, false, true]"), [8, 0, 0, 8]);
        let types = "\"sliding_window\": 8, \"layer_types\": [\"full_attention\",
            \"sliding_attention\", \"full_attention\", \"full_attention\"]";
        assert_eq!(windows(&decoder("gemma3_text", types)), [0, 8, 0, 0]);
    }

    #[test]
    fn experts_are_where_the_file_puts_them() {
        let moe = "\"num_experts\": 8, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 32";
        assert_eq!(experts(&decoder("qwen3_moe", moe)), [8; 4]);
        let stepped = format!("{moe}, \"decoder_sparse_step\": 2, \"mlp_only_layers\": [3]");
        assert_eq!(experts(&decoder("qwen3_moe", &stepped)), [0, 8, 0, 0]);
        let latent = "\"n_routed_experts\": 8, \"n_shared_experts\": 2,
            \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 32,
            \"first_k_dense_replace\": 1, \"kv_lora_rank\": 16, \"qk_rope_head_dim\": 8,
            \"qk_nope_head_dim\": 8, \"v_head_dim\": 16, \"q_lora_rank\": null";
        let decoder = decoder("deepseek_v3", latent);
        assert_eq!(experts(&decoder), [0, 8, 8, 8]);
        let FeedForward::Experts(experts) = &decoder.layers[1].feed_forward else { panic!() };
        assert_eq!(experts.shared.as_ref().map(|shared| shared.intermediate), Some(64));
        assert!(experts.router_bias);
        let Mixer::Latent(attention) = &decoder.layers[0].mixer else { panic!() };
        assert_eq!(attention.query_rank, None);
    }

    #[test]
    fn the_type_of_weights_is_the_quantizers_if_there_is_one() {
        let dtype = |fields: &str| decoder("llama", fields).dtype;
        assert_eq!(dtype("\"torch_dtype\": \"bfloat16\""), Some(Dtype::Bf16));
        assert_eq!(dtype("\"dtype\": \"float32\""), Some(Dtype::F32));
        let quantized = |method: &str| {
            let quantizer = format!("\"quantization_config\": {{ \"quant_method\": {method} }}");
            dtype(&format!("\"torch_dtype\": \"bfloat16\", {quantizer}"))
        };
        assert_eq!(quantized("\"fp8\""), Some(Dtype::F8));
        assert_eq!(quantized("\"bitsandbytes\", \"load_in_4bit\": true"), Some(Dtype::Nf4));
        assert_eq!(quantized("\"new\""), None);
        fails("llama", "\"torch_dtype\": \"f17\"", "a number type such as bfloat16, found \"f17\"");
    }

    #[test]
    fn other_families_keep_their_name() {
        let family = |text: &str| match parse(text.as_bytes()) {
            Ok(Architecture::Other { family, parameters: None }) => family,
            other => panic!("{other:?}"),
        };
        assert_eq!(family("{\"model_type\": \"speecht5\"}"), "speecht5");
        assert_eq!(family("{\"model_type\": \"rwkv\", \"hidden_size\": 0}"), "rwkv");
        assert_eq!(family("{\"_class_name\": \"UNet3DConditionModel\"}"), "UNet3DConditionModel");
        let hybrid = format!(
            "{{\"model_type\": \"qwen3\", {SMALL}, \"layer_types\": [\"linear_attention\",
            \"linear_attention\", \"linear_attention\", \"full_attention\"]}}"
        );
        assert_eq!(family(&hybrid), "qwen3");
        assert_eq!(family("{\"model_type\": \"qwen2\", \"is_encoder_decoder\": true}"), "qwen2");
        let class = format!(
            "{{\"architectures\": [\"Qwen2MoeForCausalLM\"], {SMALL},
            \"num_experts\": 4, \"num_experts_per_tok\": 1}}"
        );
        assert!(matches!(parse(class.as_bytes()), Ok(Architecture::Decoder(_))));
    }

    #[test]
    fn real_gemma_3_leaves_most_fields_out() {
        let text = br#"{ "model_type": "gemma3", "torch_dtype": "bfloat16",
            "text_config": { "hidden_size": 2560, "intermediate_size": 10240,
                "model_type": "gemma3_text", "num_hidden_layers": 34, "sliding_window": 1024 },
            "vision_config": { "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
                "model_type": "siglip_vision_model", "num_attention_heads": 16,
                "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false } }"#;
        let Ok(Architecture::Decoder(decoder)) = parse(text) else { panic!() };
        assert_eq!((decoder.vocabulary, decoder.dtype), (262_208, Some(Dtype::Bf16)));
        let attention = &grouped(&decoder)[0];
        assert_eq!((attention.heads, attention.key_value_heads, attention.head_dim), (8, 4, 256));
        let attached: u64 = decoder.attached.iter().map(|part| part.parameters).sum();
        assert_eq!(attached, 4_300_079_472 - 3_880_263_168);
    }

    #[test]
    fn nonsense_is_named() {
        fails("llama", "\"num_key_value_heads\": 3", "a divisor of 4 attention heads, found 3");
        fails("llama", "\"hidden_size\": 0", "\"hidden_size\": expected a whole number from 1");
        fails("llama", "\"hidden_size\": 1e9", "found 1e9");
        fails("llama", "\"hidden_size\": -1", "found -1");
        fails("llama", "\"hidden_size\": 18446744073709551616", "found 18446744073709551616");
        fails("llama", "\"num_attention_heads\": 5", "a divisor of the hidden size 64");
        fails("llama", "\"vocab_size\": null", "field \"vocab_size\" is missing");
        fails("mistral", "\"sliding_window\": 0", "found 0");
        fails("gemma3_text", "\"layer_types\": [\"full_attention\"]", "each of 4 layers");
        fails("gemma3_text", "\"sliding_window_pattern\": []", "found []");
        fails("mixtral", "", "\"num_local_experts\" or \"num_experts\"");
        let moe = "\"num_experts\": 8, \"num_experts_per_tok\": 9, \"moe_intermediate_size\": 32";
        fails("qwen3_moe", moe, "at most 8, the number of experts");
        let huge = "\"hidden_size\": 1048576, \"head_dim\": 128, \"num_experts\": 16384, \"num_experts_per_tok\": 1,
            \"moe_intermediate_size\": 16777216, \"num_hidden_layers\": 4096";
        fails("qwen3_moe", huge, "all sizes together");
        fails("gemma3", "\"vision_config\": 3", "an object, found 3");
        let vision = "\"vision_config\": {\"hidden_size\": 1}";
        fails("gemma3", vision, "\"vision_config.intermediate_size\" is missing");
    }

    #[test]
    fn places_are_lines_and_columns() {
        let at = |text: &str| parse(text.as_bytes()).unwrap_err().in_file("c.json");
        assert!(at("{\n  \"a\": }").starts_with("c.json:2:8: invalid JSON: expected value"));
        assert!(at("[]").starts_with("c.json:1:1: invalid JSON"), "{}", at("[]"));
        assert_eq!(at("{}").split(": ").next(), Some("c.json:1:1"));
        let nested =
            "{ \"model_type\": \"gemma3\", \"text_config\": {\n \"num_hidden_layers\": 0}}";
        let expected = "c.json:2:23: field \"text_config.num_hidden_layers\": expected a whole";
        assert!(at(nested).starts_with(expected), "{}", at(nested));
        let error = parse(b"{\n\"a\": \"\xff\"}").unwrap_err();
        assert_eq!(error.in_file("c.json"), "c.json:2:7: invalid JSON: not UTF-8");
    }
}
