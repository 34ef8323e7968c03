//! The numbers of a GGUF header.

use nearside_architecture::header::gguf::{GgufHeader, Value};
use nearside_architecture::{Decoder, Mixer};

use crate::error::ModelError;

use super::{Numerics, Pairs, Rope, Scaling};

impl Numerics {
    /// Reads a GGUF header's keys. `divisors` are the numbers of a `rope_freqs` tensor, `by_context` those of
    /// `rope_factors_short` and `rope_factors_long`, where the file has them.
    ///
    /// # Errors
    /// When a key makes no sense, or its value is not computed here.
    pub fn of_gguf(
        header: &GgufHeader,
        decoder: &Decoder,
        divisors: Option<Vec<f64>>,
        by_context: Option<[Vec<f64>; 2]>,
    ) -> Result<Self, ModelError> {
        let keys = Keys::of(header);
        super::everywhere(Some(&keys.name))?;
        let epsilon = keys.number("attention.layer_norm_rms_epsilon");
        let epsilon = epsilon.or_else(|| keys.number("attention.layer_norm_epsilon"));
        let scaling = keys.scaling(divisors, by_context)?;
        let whole = Rope {
            pairs: keys.pairs(),
            theta: keys.number("rope.freq_base").unwrap_or(1e4),
            scaling,
        };
        let local = keys.number("rope.freq_base_swa").or(match keys.name.as_str() {
            "gemma3" => Some(1e4),
            "olmo3" => Some(whole.theta),
            _ => None,
        });
        let window = local.map(|theta| Rope { theta, scaling: Scaling::None, ..whole.clone() });
        let attention_cap = || keys.number("attn_logit_softcapping").unwrap_or(50.0) as f32;
        let logit_cap = || keys.number("final_logit_softcapping").unwrap_or(30.0) as f32;
        Ok(Self {
            norm_epsilon: epsilon.unwrap_or(1e-5) as f32,
            rope: whole,
            window_rope: window,
            attention_scale: keys.attention_scale(decoder),
            attention_cap: super::caps_scores(decoder).then(attention_cap),
            logit_cap: decoder.logit_soft_cap.then(logit_cap),
        })
    }
}

/// The keys of one architecture.
struct Keys<'a> {
    header: &'a GgufHeader,
    name: String,
}

impl<'a> Keys<'a> {
    fn of(header: &'a GgufHeader) -> Self {
        let name = header.values.get("general.architecture").map(|entry| &entry.value);
        let name = if let Some(Value::Text(name)) = name { name.clone() } else { String::new() };
        Self { header, name }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.header.values.get(&format!("{}.{key}", self.name)).map(|entry| &entry.value)
    }

    fn number(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::Float(number) => Some(*number),
            Value::Unsigned(number) => Some(*number as f64),
            Value::Signed(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// Rows of queries and keys of the Llama family are ordered for neighbours.
    fn pairs(&self) -> Pairs {
        match self.name.as_str() {
            "llama" | "mistral3" | "granite" | "command-r" | "cohere2" | "olmo" | "smollm3" => {
                Pairs::Neighbours
            }
            _ => Pairs::Halves,
        }
    }

    /// The largest Gemma 2 and 3 scale scores by the width of the model, not of a head; they have 46 and 62 layers.
    fn attention_scale(&self, decoder: &Decoder) -> Option<f32> {
        let largest =
            matches!((self.name.as_str(), decoder.layers.len()), ("gemma2", 46) | ("gemma3", 62));
        let Some(Mixer::Grouped(attention)) = decoder.layers.first().map(|layer| &layer.mixer)
        else {
            return None;
        };
        largest.then(|| (decoder.hidden as f32 / attention.heads as f32).powf(-0.5))
    }

    fn scaling(
        &self,
        divisors: Option<Vec<f64>>,
        by_context: Option<[Vec<f64>; 2]>,
    ) -> Result<Scaling, ModelError> {
        let factor = self.number("rope.scaling.factor").filter(|factor| *factor > 0.0);
        let context = self.number("context_length").unwrap_or(8192.0);
        let original = self.number("rope.scaling.original_context_length").unwrap_or(context);
        if let Some([short, long]) = by_context {
            let usual = (1.0 + (context / original).max(1.0).ln() / original.ln()).sqrt();
            let attention = self.number("rope.scaling.attn_factor").unwrap_or(usual);
            return Ok(Scaling::ByPair { short, long, original, attention });
        }
        if let Some(divisors) = divisors {
            return Ok(Scaling::Divided(divisors));
        }
        let kind = match self.value("rope.scaling.type") {
            Some(Value::Text(kind)) => kind.as_str(),
            _ => "",
        };
        Ok(match (kind, factor) {
            ("linear", Some(factor)) => Scaling::Linear { factor },
            ("yarn", Some(factor)) => Scaling::Yarn {
                factor,
                original,
                fast: self.number("rope.scaling.yarn_beta_fast").unwrap_or(32.0),
                slow: self.number("rope.scaling.yarn_beta_slow").unwrap_or(1.0),
                // Files have what the usual number is multiplied with.
                attention: self
                    .number("rope.scaling.attn_factor")
                    .map(|times| times * (1.0 + 0.1 * factor.ln())),
            },
            ("" | "none" | "linear" | "yarn" | "longrope", _) => Scaling::None,
            (other, _) => {
                return Err(ModelError::Unsupported {
                    what: format!("rotary positions scaled by {other}"),
                });
            }
        })
    }
}
