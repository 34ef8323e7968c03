//! How a request wants tokens to be chosen: the fields that chat and completions share.

use nearside_models::Sampling;
use nearside_models::serving::Bias;
use serde_json::Value;

use super::error::ApiError;
use super::fields::Fields;

/// Texts that may end an answer.
const MOST_STOPS: usize = 16;
/// Answers to one question.
const MOST_CHOICES: u64 = 16;
/// Biased tokens.
const MOST_BIASES: usize = 1024;

/// How tokens are chosen.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choosing {
    pub(super) sampling: Sampling,
    pub(super) bias: Vec<Bias>,
    pub(super) stops: Vec<String>,
    /// How many answers are wanted.
    pub(super) choices: u64,
    /// Whether a token that ends texts ends the answer.
    pub(super) ends: bool,
}

impl Choosing {
    /// Takes its fields of a request; what is not said is as OpenAI's API has it, and chance begins at `seed`.
    pub(super) fn of(fields: &mut Fields, seed: u64) -> Result<Self, ApiError> {
        let number = |value: Option<f64>, usual: f32| value.map_or(usual, |value| value as f32);
        let sampling = Sampling {
            temperature: number(fields.number("temperature", 0.0..=2.0)?, 1.0),
            top_p: number(fields.number("top_p", 0.0..=1.0)?, 1.0),
            top_k: fields.whole("top_k", 0..=1_000_000)?.unwrap_or(0) as usize,
            min_p: number(fields.number("min_p", 0.0..=1.0)?, 0.0),
            frequency_penalty: number(fields.number("frequency_penalty", -2.0..=2.0)?, 0.0),
            presence_penalty: number(fields.number("presence_penalty", -2.0..=2.0)?, 0.0),
            repeat_penalty: number(fields.number("repeat_penalty", 1.0..=10.0)?, 1.0),
            seed: seed_of(fields)?.unwrap_or(seed),
            ..Sampling::default()
        };
        let stops = fields.texts("stop")?;
        if stops.len() > MOST_STOPS {
            let message = format!("{} texts, at most {MOST_STOPS} are looked for", stops.len());
            return Err(ApiError::field("stop", message));
        }
        Ok(Self {
            sampling,
            bias: biases(fields)?,
            stops,
            choices: fields.whole("n", 1..=MOST_CHOICES)?.unwrap_or(1),
            ends: !fields.flag("ignore_eos")?.unwrap_or(false),
        })
    }

    /// That of one of several answers: each has its own chance.
    pub(super) const fn of_choice(&self, index: u64) -> Sampling {
        let seed = self.sampling.seed.wrapping_add(index.wrapping_mul(0xa076_1d64_78bd_642f));
        Sampling { seed, ..self.sampling }
    }
}

/// Where chance begins, which may be below zero.
fn seed_of(fields: &mut Fields) -> Result<Option<u64>, ApiError> {
    let Some(value) = fields.take("seed") else { return Ok(None) };
    let seed = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    seed.map(Some).ok_or_else(|| ApiError::field("seed", "it should be a whole number"))
}

fn biases(fields: &mut Fields) -> Result<Vec<Bias>, ApiError> {
    let Some(biases) = fields.object("logit_bias")? else { return Ok(Vec::new()) };
    let Value::Object(map) = biases.into_value() else { return Ok(Vec::new()) };
    if map.len() > MOST_BIASES {
        let message = format!("{} tokens, at most {MOST_BIASES} are biased", map.len());
        return Err(ApiError::field("logit_bias", message));
    }
    let bias = |(token, added): (&String, &Value)| {
        let added = added.as_f64().filter(|added| added.abs() <= 100.0)?;
        Some(Bias { token: token.parse().ok()?, added: added as f32 })
    };
    let biases: Option<Vec<_>> = map.iter().map(bias).collect();
    let expected = "numbers of tokens, and for each from -100 to 100";
    biases.ok_or_else(|| ApiError::field("logit_bias", format_args!("it should have {expected}")))
}
