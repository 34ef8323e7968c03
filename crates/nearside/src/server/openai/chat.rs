//! `POST /v1/chat/completions`: the next message of a conversation.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use nearside_models::serving::{
    Event, Finish, Request, Rule, Task, WantedScores, Writing as Wanted,
};
use nearside_models::{SkipSpecial, Tokenizer};
use serde_json::{Value, json};

use super::answers::{Answer, OwnPrompt, Usage, Writing, apart, reason};
use super::conversation::{check, messages, prompt};
use super::error::ApiError;
use super::fields::Fields;
use super::sampling::Choosing;
use super::stream::{self, Chunks, End};
use super::tools::{Call, Part, Speech, ToolChoice, ToolForm, Tools};
use super::{Served, Shared, noted, scores};
use crate::environment;

/// A request, read.
struct Asked {
    requests: Vec<Request>,
    /// How calls of tools are written, where they may be.
    form: Option<ToolForm>,
    /// Whether probabilities are told.
    scored: bool,
    /// Whether it is sent as it is written, and then how that ends.
    stream: Option<End>,
    ignored: Vec<String>,
    dropped: usize,
}

pub(super) async fn answer(
    State(served): State<Shared>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let asked = apart(&served, move |served| Asked::read(served, &body)).await?;
    let Asked { requests, form, scored, stream, ignored, dropped } = asked;
    let writing = Writing::submit(&served, requests)?;
    let made = Made::new(&served, writing.count(), form, scored);
    let response = match stream {
        Some(end) => stream::answer(writing, made, end),
        None => Json(made.whole(writing.collect().await?, dropped)).into_response(),
    };
    Ok(noted(response, &ignored, dropped))
}

impl Asked {
    fn read(served: &Served, body: &[u8]) -> Result<Self, ApiError> {
        let mut fields = Fields::parse(body)?;
        let model = fields.text("model")?;
        served.check_model(&fields.required("model", model)?)?;
        let choosing = Choosing::of(&mut fields, environment::random())?;
        let messages = messages(&mut fields)?;
        let tools = Tools::of(&mut fields)?;
        let format = format(&mut fields)?;
        let new_tokens = match fields.whole("max_completion_tokens", 1..=u64::from(u32::MAX))? {
            None => fields.whole("max_tokens", 1..=u64::from(u32::MAX))?,
            stated => stated,
        };
        let new_tokens = new_tokens.map(|tokens| tokens as usize);
        let scored = fields.flag("logprobs")?.unwrap_or(false);
        let best = fields.whole("top_logprobs", 0..=20)?;
        if best.is_some() && !scored {
            return Err(ApiError::field("top_logprobs", "it needs \"logprobs\": true"));
        }
        let stream = stream_of(&mut fields)?;
        fields.only("modalities", &[json!(["text"])], "this model writes text only")?;
        fields.only("audio", &[], "this model writes text only")?;
        let variables = match fields.object("chat_template_kwargs")?.map(Fields::into_value) {
            Some(Value::Object(map)) => map.into_iter().collect(),
            _ => Vec::new(),
        };
        let form = form(served, &tools)?;
        let rule = rule(served, &tools, form, format)?;
        let shown = match tools.choice {
            ToolChoice::Nothing => Vec::new(),
            _ => tools.tools.iter().map(|tool| tool.value.clone()).collect(),
        };
        let prompt = prompt(served, messages, shown, variables, new_tokens)?;
        let context = served.serving.limits().context;
        check(prompt.tokens.len(), new_tokens, context)?;
        let written = scored.then_some(best.unwrap_or(0) as usize);
        let wanted = Wanted {
            new_tokens: new_tokens.unwrap_or(context - prompt.tokens.len()),
            sampling: choosing.sampling,
            bias: choosing.bias.clone(),
            stops: choosing.stops.clone(),
            // A call may begin with a control token.
            skip: if form.is_some() { SkipSpecial::Keep } else { SkipSpecial::Skip },
            ends: choosing.ends,
            rule,
            scores: WantedScores { written, prompt: None },
        };
        let request = |index| Request {
            prompt: prompt.tokens.clone(),
            task: Task::Write(Box::new(Wanted {
                sampling: choosing.of_choice(index),
                ..wanted.clone()
            })),
        };
        Ok(Self {
            requests: (0..choosing.choices).map(request).collect(),
            form,
            scored,
            stream,
            ignored: fields.rest(),
            dropped: prompt.dropped,
        })
    }
}

/// Whether an answer is sent as it is written, and then how that ends.
pub(super) fn stream_of(fields: &mut Fields) -> Result<Option<End>, ApiError> {
    let stream = fields.flag("stream")?.unwrap_or(false);
    let options = fields.object("stream_options")?;
    let usage = options.map(|mut options| options.flag("include_usage")).transpose()?.flatten();
    Ok(stream.then_some(if usage.unwrap_or(false) { End::Usage } else { End::Plain }))
}

/// The JSON schema that an answer has to follow.
pub(super) fn format(fields: &mut Fields) -> Result<Option<Value>, ApiError> {
    let Some(mut format) = fields.object("response_format")? else { return Ok(None) };
    let kind = format.text("type")?;
    match format.required("type", kind)?.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(json!({ "type": "object" }))),
        "json_schema" => {
            let schema = format.object("json_schema")?;
            let mut schema = format.required("json_schema", schema)?;
            let inner = schema.take("schema");
            schema.required("schema", inner).map(Some)
        }
        other => {
            let message = format!("{other:?} is none: text, json_object or json_schema");
            Err(ApiError::field("response_format.type", message))
        }
    }
}

/// How the model writes calls, where it may.
fn form(served: &Served, tools: &Tools) -> Result<Option<ToolForm>, ApiError> {
    if tools.tools.is_empty() {
        return Ok(None);
    }
    let templates = &served.tokenizer.special().templates;
    let template = templates.get("tool_use").or_else(|| templates.get("default"));
    let form = template.and_then(|template| ToolForm::of(template));
    let none = "the model's chat template has no place for tools, or calls them in a form that is not known here";
    let form = form.ok_or_else(|| ApiError::field("tools", none))?;
    Ok((tools.choice != ToolChoice::Nothing).then_some(form))
}

/// What an answer has to follow.
fn rule(
    served: &Served,
    tools: &Tools,
    form: Option<ToolForm>,
    format: Option<Value>,
) -> Result<Rule, ApiError> {
    let call = form.and_then(|form| tools.grammar(form, &served.tokenizer));
    match (call, format) {
        (None, None) => Ok(Rule::Free),
        (None, Some(schema)) => {
            let grammar = served.grammars()?.json_schema(schema);
            let told = |error| ApiError::field("response_format", error);
            grammar.map(Rule::Grammar).map_err(told)
        }
        (Some(call), None) => {
            let grammar = served.grammars()?.lark(&call.lark);
            let grammar = grammar.map_err(|error| ApiError::field("tools", error))?;
            Ok(match call.after {
                Some(words) => Rule::After(words.to_owned(), grammar),
                None => Rule::Grammar(grammar),
            })
        }
        (Some(_), Some(_)) => {
            let message = "beside tools it is not followed here: say \"tool_choice\": \"none\"";
            Err(ApiError::field("response_format", message))
        }
    }
}

/// Why an answer ended: one that was cut off after a call is told to be cut off.
const fn told(finish: Finish, called: bool) -> &'static str {
    match (finish, called) {
        (Finish::Stop, true) => "tool_calls",
        (finish, _) => reason(finish),
    }
}

/// What all parts of an answer share.
struct Made {
    id: String,
    created: i64,
    model: String,
    tokenizer: Arc<Tokenizer>,
    choices: usize,
    scored: bool,
    speeches: Vec<Speech>,
    /// How many calls each text has told.
    calls: Vec<usize>,
    usage: Usage,
}

impl Made {
    fn new(served: &Shared, choices: usize, form: Option<ToolForm>, scored: bool) -> Self {
        Self {
            id: served.new_id("chatcmpl"),
            created: environment::now(),
            model: served.name().to_owned(),
            tokenizer: Arc::clone(&served.tokenizer),
            choices,
            scored,
            speeches: vec![Speech::new(form); choices],
            calls: vec![0; choices],
            usage: Usage::default(),
        }
    }

    fn whole(mut self, answers: Vec<Answer>, dropped: usize) -> Value {
        let choices: Vec<_> = answers
            .into_iter()
            .enumerate()
            .map(|(index, answer)| self.choice(index, answer))
            .collect();
        let mut told = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": self.usage.json(),
        });
        if dropped > 0 {
            told["nearside"] = json!({ "dropped_tokens": dropped });
        }
        told
    }

    fn choice(&mut self, index: usize, answer: Answer) -> Value {
        let mut parts = self.speeches[index].add(&answer.text);
        parts.extend(self.speeches[index].finish());
        let (mut content, mut calls) = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text(text) => content.push_str(&text),
                Part::Call(call) => calls.push(self.call(&call)),
            }
        }
        let finish = answer.done.as_ref().map_or(Finish::Stop, |done| done.finish);
        if let Some(done) = &answer.done {
            self.usage.add(done, OwnPrompt::of(index, self.choices));
        }
        let called = !calls.is_empty();
        let content = if called && content.is_empty() { Value::Null } else { content.into() };
        let mut message = json!({ "role": "assistant", "content": content, "refusal": null });
        if called {
            message["tool_calls"] = Value::Array(calls);
        }
        let scores = self.scored.then(|| scores::of_chat(&self.tokenizer, &answer.written));
        json!({
            "index": index,
            "message": message,
            "logprobs": scores,
            "finish_reason": told(finish, called),
        })
    }

    fn call(&self, call: &Call) -> Value {
        json!({
            "id": format!("call_{:016x}", environment::random()),
            "type": "function",
            "function": { "name": call.name, "arguments": call.arguments },
        })
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }

    fn delta(&self, index: usize, delta: Value, scores: Option<Value>) -> Value {
        self.chunk(json!([{
            "index": index,
            "delta": delta,
            "logprobs": scores,
            "finish_reason": null,
        }]))
    }

    /// Chunks of what was found in a text.
    fn deltas(&mut self, index: usize, parts: Vec<Part>, mut scores: Option<Value>) -> Vec<Value> {
        let mut chunks = Vec::new();
        for part in parts {
            let delta = match part {
                Part::Text(text) => json!({ "content": text }),
                Part::Call(call) => {
                    let mut told = self.call(&call);
                    told["index"] = self.calls[index].into();
                    self.calls[index] += 1;
                    json!({ "tool_calls": [told] })
                }
            };
            chunks.push(self.delta(index, delta, scores.take()));
        }
        // Probabilities of a token whose text is held back are told all the same.
        if scores.is_some() {
            chunks.push(self.delta(index, json!({ "content": "" }), scores));
        }
        chunks
    }
}

impl Chunks for Made {
    fn first(&mut self) -> Vec<Value> {
        let role = || json!({ "role": "assistant", "content": "" });
        (0..self.choices).map(|index| self.delta(index, role(), None)).collect()
    }

    fn chunks(&mut self, index: usize, event: Event) -> Vec<Value> {
        match event {
            Event::Written { text, scored, .. } => {
                let scores = scored.map(|scored| scores::of_chat(&self.tokenizer, &[scored]));
                let parts = self.speeches[index].add(&text);
                self.deltas(index, parts, scores)
            }
            Event::Done(done) => {
                let mut parts = self.speeches[index].add(&done.text);
                parts.extend(self.speeches[index].finish());
                let mut chunks = self.deltas(index, parts, None);
                self.usage.add(&done, OwnPrompt::of(index, self.choices));
                let finish = told(done.finish, self.calls[index] > 0);
                chunks.push(self.chunk(json!([{
                    "index": index,
                    "delta": {},
                    "logprobs": null,
                    "finish_reason": finish,
                }])));
                chunks
            }
            _ => Vec::new(),
        }
    }

    fn usage(&self) -> Value {
        let mut chunk = self.chunk(json!([]));
        chunk["usage"] = self.usage.json();
        chunk
    }
}
