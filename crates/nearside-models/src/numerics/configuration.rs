//! The numbers of a `config.json`.

use nearside_architecture::{Decoder, Layer, Mixer, Turning};
use serde::Deserialize;
use serde_json::Value;

use crate::error::ModelError;

use super::{Numerics, Pairs, Rope, Scaling};

/// The fields that are read; defaults are those of the configuration classes.
#[derive(Deserialize)]
struct Fields {
    model_type: Option<String>,
    rms_norm_eps: Option<f64>,
    layer_norm_eps: Option<f64>,
    layer_norm_epsilon: Option<f64>,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    query_pre_attn_scalar: Option<f64>,
    attn_logit_softcapping: Option<f64>,
    final_logit_softcapping: Option<f64>,
    max_position_embeddings: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

/// Fields of `rope_scaling` or `rope_parameters`.
#[derive(Default, Deserialize)]
struct Stretched {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    attention_factor: Option<f64>,
    short_factor: Option<Vec<f64>>,
    long_factor: Option<Vec<f64>>,
}

impl Numerics {
    /// Reads a `config.json`; that of a model of several parts (a `text_config` inside) by its text part.
    ///
    /// # Errors
    /// When it is no JSON object, or a field makes no sense.
    pub fn of_configuration(bytes: &[u8], decoder: &Decoder) -> Result<Self, ModelError> {
        let wrong = |found: String| ModelError::Configured {
            field: "config.json".to_owned(),
            expected: "an object of a model's numbers",
            found,
        };
        let mut whole: Value =
            serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if let Some(text) = whole.get_mut("text_config").filter(|text| text.is_object()) {
            whole = text.take();
        }
        let fields: Fields =
            serde_json::from_value(whole).map_err(|error| wrong(error.to_string()))?;
        let (mut whole, window) = fields.ropes()?;
        if decoder.layers.iter().any(turns_neighbours) {
            whole.pairs = Pairs::Neighbours;
        }
        let epsilon = fields.rms_norm_eps.or(fields.layer_norm_eps).or(fields.layer_norm_epsilon);
        Ok(Self {
            norm_epsilon: positive("rms_norm_eps", epsilon.unwrap_or(fields.usual_epsilon()))?
                as f32,
            rope: whole,
            window_rope: window,
            attention_scale: fields.attention_scale(),
            attention_cap: super::caps_scores(decoder)
                .then(|| fields.attn_logit_softcapping.unwrap_or(50.0) as f32),
            logit_cap: decoder
                .logit_soft_cap
                .then(|| fields.final_logit_softcapping.unwrap_or(30.0) as f32),
        })
    }
}

/// Whether a layer's queries and keys are ordered for neighbours.
fn turns_neighbours(layer: &Layer) -> bool {
    matches!(&layer.mixer, Mixer::Grouped(attention) if attention.turning == Turning::Turns)
}

impl Fields {
    fn usual_epsilon(&self) -> f64 {
        match self.model_type.as_deref() {
            Some("phi3" | "mixtral" | "olmo2" | "olmo3") => 1e-5,
            _ => 1e-6,
        }
    }

    /// Gemma 2 and 3 scale scores by a number of their own.
    fn attention_scale(&self) -> Option<f32> {
        let scaled =
            matches!(self.model_type.as_deref(), Some("gemma2" | "gemma3" | "gemma3_text"));
        scaled.then(|| self.query_pre_attn_scalar.unwrap_or(256.0).powf(-0.5) as f32)
    }

    /// The ropes of layers that see all tokens, and of those that see a window where that is another.
    fn ropes(&self) -> Result<(Rope, Option<Rope>), ModelError> {
        super::everywhere(self.model_type.as_deref())?;
        let usual = match self.model_type.as_deref() {
            Some("gemma3" | "gemma3_text" | "mixtral" | "qwen3_moe") => 1e6,
            Some("olmo2" | "olmo3") => 5e5,
            _ => 1e4,
        };
        let theta = self.rope_theta.unwrap_or(usual);
        let by_layer = |name: &str| self.rope_parameters.as_ref().and_then(|all| all.get(name));
        if let (Some(whole), Some(window)) =
            (by_layer("full_attention"), by_layer("sliding_attention"))
        {
            let local = self.rope_local_base_freq.unwrap_or(1e4);
            return Ok((self.rope(theta, Some(whole))?, Some(self.rope(local, Some(window))?)));
        }
        let stated = self.rope_parameters.as_ref().or(self.rope_scaling.as_ref());
        let whole = self.rope(theta, stated)?;
        // Layers that see a window are not stretched.
        let local = match self.model_type.as_deref() {
            Some("gemma3" | "gemma3_text") => Some(self.rope_local_base_freq.unwrap_or(1e4)),
            Some("olmo3") => Some(whole.theta),
            _ => None,
        };
        let local = local.map(|theta| self.rope(theta, None)).transpose()?;
        Ok((whole, local))
    }

    fn rope(&self, theta: f64, stated: Option<&Value>) -> Result<Rope, ModelError> {
        let stretched = match stated {
            None | Some(Value::Null) => Stretched::default(),
            Some(value) => {
                Stretched::deserialize(value).map_err(|error| ModelError::Configured {
                    field: "rope_scaling".to_owned(),
                    expected: "an object of numbers",
                    found: error.to_string(),
                })?
            }
        };
        let theta = positive("rope_theta", stretched.rope_theta.unwrap_or(theta))?;
        Ok(Rope { pairs: Pairs::Halves, theta, scaling: self.scaling(stretched)? })
    }

    fn scaling(&self, stated: Stretched) -> Result<Scaling, ModelError> {
        let factor = || positive("rope_scaling.factor", stated.factor.unwrap_or(1.0));
        let context = self.original_max_position_embeddings.or(self.max_position_embeddings);
        let original = stated.original_max_position_embeddings.or(context).unwrap_or(8192.0);
        Ok(match stated.rope_type.as_deref() {
            // Dynamic scaling begins beyond the context that the model was made for.
            None | Some("default" | "dynamic") => Scaling::None,
            Some("linear") => Scaling::Linear { factor: factor()? },
            Some("llama3") => Scaling::Llama3 {
                factor: factor()?,
                low: stated.low_freq_factor.unwrap_or(1.0),
                high: stated.high_freq_factor.unwrap_or(4.0),
                original,
            },
            Some("yarn") => Scaling::Yarn {
                factor: factor()?,
                original,
                fast: stated.beta_fast.unwrap_or(32.0),
                slow: stated.beta_slow.unwrap_or(1.0),
                attention: stated.attention_factor,
            },
            Some("longrope" | "su") => {
                let stretch =
                    self.max_position_embeddings.map_or(1.0, |longest| longest / original);
                let usual = (1.0 + stretch.max(1.0).ln() / original.ln()).sqrt();
                Scaling::ByPair {
                    short: stated.short_factor.unwrap_or_default(),
                    long: stated.long_factor.unwrap_or_default(),
                    original,
                    attention: stated.attention_factor.unwrap_or(usual),
                }
            }
            Some(other) => {
                return Err(ModelError::Unsupported {
                    what: format!("rotary positions scaled by {other}"),
                });
            }
        })
    }
}

fn positive(field: &str, number: f64) -> Result<f64, ModelError> {
    if number.is_finite() && number > 0.0 {
        return Ok(number);
    }
    let (field, found) = (field.to_owned(), number.to_string());
    Err(ModelError::Configured { field, expected: "a number above zero", found })
}
