//! What another program is asked, in its own words.

use serde_json::{Map, Value, json};

use super::Program;
use crate::sampler::Sampling;

/// The largest seed that all of them take.
const MOST_SEED: u64 = 0x7fff_ffff;

/// What is asked.
#[derive(Clone, Debug)]
pub enum Asked<'a> {
    /// What was said so far: roles and what they said.
    Chat(Vec<(&'a str, &'a str)>),
    /// A text that is written on as it is.
    Text(&'a str),
}

/// A question to a model of another program.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// What the program calls the model.
    pub model: &'a str,
    /// What is asked.
    pub asked: Asked<'a>,
    /// At most so many tokens are written; as many as there is room for otherwise.
    pub tokens: Option<usize>,
    /// How they are chosen.
    pub sampling: Sampling,
    /// Texts that the answer ends before.
    pub stops: &'a [String],
    /// Tokens of a context; where the program lets others say so, which only Ollama does.
    pub context: Option<usize>,
    /// Whether the logarithm of the probability of each token is wanted.
    pub scores: bool,
    /// Whether writing goes on where the model would end; programs that know no such thing end.
    pub ignores_ends: bool,
}

impl Question<'_> {
    /// Whether the answer comes in pieces. llama-server leaves out what it knows of tokens that are no whole characters
    /// there, so where all of them are wanted it comes at once.
    pub(super) const fn is_streamed(&self) -> bool {
        !self.scores
    }

    /// Where a program is asked this, and how.
    pub(super) fn to(&self, program: Program) -> (&'static str, Value) {
        let messages = |said: &[(&str, &str)]| {
            let message =
                |(role, content): &(&str, &str)| json!({ "role": role, "content": content });
            Value::Array(said.iter().map(message).collect())
        };
        let (path, what) = match (&self.asked, program) {
            (Asked::Chat(said), Program::Ollama) => {
                ("/api/chat", json!({ "messages": messages(said) }))
            }
            (Asked::Text(text), Program::Ollama) => {
                ("/api/generate", json!({ "prompt": text, "raw": true }))
            }
            (Asked::Chat(said), _) => {
                ("/v1/chat/completions", json!({ "messages": messages(said) }))
            }
            (Asked::Text(text), _) => ("/v1/completions", json!({ "prompt": text })),
        };
        let mut fields = match what {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert("model".to_owned(), json!(self.model));
        fields.insert("stream".to_owned(), json!(self.is_streamed()));
        if program == Program::Ollama {
            fields.insert("options".to_owned(), Value::Object(self.ollama_options()));
            if self.scores {
                fields.insert("logprobs".to_owned(), json!(true));
            }
        } else {
            fields.extend(self.openai_fields(program));
        }
        (path, Value::Object(fields))
    }

    fn openai_fields(&self, program: Program) -> Map<String, Value> {
        let Sampling { temperature, top_k, top_p, min_p, repeat_penalty, seed, .. } = self.sampling;
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        if self.is_streamed() {
            put("stream_options", json!({ "include_usage": true }));
        }
        put("temperature", number(temperature));
        put("top_p", number(top_p));
        put("seed", json!(seed & MOST_SEED));
        if let Some(tokens) = self.tokens {
            put("max_tokens", json!(tokens));
        }
        if !self.stops.is_empty() {
            put("stop", json!(self.stops));
        }
        // What OpenAI's API does not have; a program that does not say who it is may refuse it.
        if program != Program::Other {
            put("top_k", json!(top_k));
            put("min_p", number(min_p));
            let penalty =
                if program == Program::Vllm { "repetition_penalty" } else { "repeat_penalty" };
            put(penalty, number(repeat_penalty));
            if self.ignores_ends {
                put("ignore_eos", json!(true));
            }
        }
        match (&self.asked, self.scores) {
            (_, false) => {}
            (Asked::Chat(_), true) => put("logprobs", json!(true)),
            (Asked::Text(_), true) => {
                put("logprobs", json!(1));
                if matches!(program, Program::Vllm | Program::Nearside) {
                    put("return_tokens_as_token_ids", json!(true));
                }
            }
        }
        fields
    }

    fn ollama_options(&self) -> Map<String, Value> {
        let Sampling {
            temperature, top_k, top_p, min_p, repeat_penalty, repeat_last, seed, ..
        } = self.sampling;
        let mut options = Map::new();
        let mut put = |name: &str, value: Value| drop(options.insert(name.to_owned(), value));
        put("temperature", number(temperature));
        put("top_k", json!(top_k));
        put("top_p", number(top_p));
        put("min_p", number(min_p));
        put("repeat_penalty", number(repeat_penalty));
        put("repeat_last_n", json!(repeat_last));
        put("seed", json!(seed & MOST_SEED));
        if let Some(tokens) = self.tokens {
            put("num_predict", json!(tokens));
        }
        if let Some(context) = self.context {
            put("num_ctx", json!(context));
        }
        if !self.stops.is_empty() {
            put("stop", json!(self.stops));
        }
        options
    }
}

/// A number with the digits that a person wrote, not those of twice the width.
fn number(value: f32) -> Value {
    let shortest = value.to_string().parse::<f64>();
    json!(shortest.unwrap_or_else(|_| f64::from(value)))
}
