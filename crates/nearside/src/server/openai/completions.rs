//! `POST /v1/completions`: a text is written on; with `echo` and `logprobs`, how probable a text is.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use nearside_models::serving::{
    Event, Finish, Request, Rule, Scored, Task, WantedScores, Writing as Wanted,
};
use nearside_models::{AddSpecial, ControlText, SkipSpecial, Tokenizer};
use serde_json::{Value, json};

use super::answers::{Answer, OwnPrompt, Usage, Writing, apart, reason};
use super::chat::{format, stream_of};
use super::conversation::check;
use super::error::ApiError;
use super::fields::Fields;
use super::sampling::Choosing;
use super::scores::Called;
use super::stream::{self, Chunks, End};
use super::{Served, Shared, noted, scores};
use crate::environment;

/// Texts of one request.
const MOST_PROMPTS: usize = 256;
/// Tokens that are written where nobody says how many, as OpenAI's API has it.
const USUAL_TOKENS: u64 = 16;

/// A request, read.
struct Asked {
    requests: Vec<Request>,
    /// Texts to begin answers with, one for each prompt.
    echoes: Option<Vec<String>>,
    choices: usize,
    /// What tokens are called whose probabilities are told, if they are.
    scored: Option<Called>,
    stream: Option<End>,
    ignored: Vec<String>,
}

pub(super) async fn answer(
    State(served): State<Shared>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let asked = apart(&served, move |served| Asked::read(served, &body)).await?;
    let Asked { requests, echoes, choices, scored, stream, ignored } = asked;
    let writing = Writing::submit(&served, requests)?;
    let texts = writing.count();
    let made = Made {
        id: served.new_id("cmpl"),
        created: environment::now(),
        model: served.name().to_owned(),
        tokenizer: Arc::clone(&served.tokenizer),
        echoes,
        choices,
        scored,
        told: vec![0; texts],
        read: vec![0; texts],
        usage: Usage::default(),
    };
    let response = match stream {
        Some(end) => stream::answer(writing, made, end),
        None => Json(made.whole(writing.collect().await?)).into_response(),
    };
    Ok(noted(response, &ignored, 0))
}

impl Asked {
    fn read(served: &Served, body: &[u8]) -> Result<Self, ApiError> {
        let mut fields = Fields::parse(body)?;
        let model = fields.text("model")?;
        served.check_model(&fields.required("model", model)?)?;
        let choosing = Choosing::of(&mut fields, environment::random())?;
        let prompts = texts(served, &mut fields, "prompt", MOST_PROMPTS)?;
        let new_tokens = fields.whole("max_tokens", 0..=u64::from(u32::MAX))?;
        let new_tokens = new_tokens.unwrap_or(USUAL_TOKENS) as usize;
        let best = fields.whole("logprobs", 0..=20)?.map(|best| best as usize);
        let called = match fields.flag("return_tokens_as_token_ids")? {
            Some(true) => Called::Number,
            _ => Called::Text,
        };
        let echo = fields.flag("echo")?.unwrap_or(false);
        if new_tokens == 0 && !echo {
            return Err(ApiError::field("max_tokens", "with 0 nothing is told but an echo"));
        }
        let rule = match format(&mut fields)? {
            None => Rule::Free,
            Some(schema) => {
                let grammar = served.grammars()?.json_schema(schema);
                let told = |error| ApiError::field("response_format", error);
                grammar.map(Rule::Grammar).map_err(told)?
            }
        };
        let stream = stream_of(&mut fields)?;
        fields.only("suffix", &[json!("")], "this model writes on at the end only")?;
        let choices = choosing.choices as usize;
        fields.only("best_of", &[json!(choices)], "as many answers are told as are written")?;
        let context = served.serving.limits().context;
        for prompt in &prompts {
            check(prompt.len(), Some(new_tokens), context)?;
        }
        let wanted = Wanted {
            new_tokens,
            sampling: choosing.sampling,
            bias: choosing.bias.clone(),
            stops: choosing.stops.clone(),
            skip: SkipSpecial::Skip,
            ends: choosing.ends,
            rule,
            scores: WantedScores { written: best, prompt: best.filter(|_best| echo) },
        };
        let decoded = |prompt: &Vec<u32>| served.tokenizer.decode(prompt, SkipSpecial::Skip);
        let echoes = echo.then(|| prompts.iter().map(decoded).collect::<Result<Vec<_>, _>>());
        let echoes = echoes.transpose().map_err(|error| ApiError::internal(error.to_string()))?;
        let requests = prompts.iter().flat_map(|prompt| {
            (0..choosing.choices).map(|index| Request {
                prompt: prompt.clone(),
                task: Task::Write(Box::new(Wanted {
                    sampling: choosing.of_choice(index),
                    ..wanted.clone()
                })),
            })
        });
        Ok(Self {
            requests: requests.collect(),
            echoes,
            choices,
            scored: best.map(|_best| called),
            stream,
            ignored: fields.rest(),
        })
    }
}

/// The texts of a request as tokens: a text, a list of texts, tokens, or a list of lists of tokens.
pub(super) fn texts(
    served: &Served,
    fields: &mut Fields,
    name: &str,
    most: usize,
) -> Result<Vec<Vec<u32>>, ApiError> {
    let value = fields.take(name);
    let wrong = || {
        let message = "it should be a text, texts, tokens, or lists of tokens, none of them empty";
        ApiError::field(name, message)
    };
    let tokens = |list: &[Value]| {
        let token = |value: &Value| value.as_u64().and_then(|token| u32::try_from(token).ok());
        list.iter().map(token).collect::<Option<Vec<_>>>()
    };
    let text = |text: &str| {
        let tokens = served.tokenizer.encode(text, AddSpecial::Add, ControlText::Plain);
        tokens.map_err(|error| ApiError::internal(error.to_string()))
    };
    let read = match fields.required(name, value)? {
        Value::String(one) => vec![text(&one)?],
        Value::Array(list) if list.len() > most && !list[0].is_u64() => {
            let message = format!("{} texts, at most {most} are taken at once", list.len());
            return Err(ApiError::field(name, message));
        }
        Value::Array(list) => match list.first() {
            Some(Value::String(_)) => {
                let texts = list.iter().map(|one| text(one.as_str().ok_or_else(wrong)?));
                texts.collect::<Result<_, _>>()?
            }
            Some(Value::Array(_)) => {
                let lists = list.iter().map(|one| tokens(one.as_array()?));
                lists.collect::<Option<_>>().ok_or_else(wrong)?
            }
            _ => vec![tokens(&list).ok_or_else(wrong)?],
        },
        _ => return Err(wrong()),
    };
    if read.is_empty() || read.iter().any(Vec::is_empty) { Err(wrong()) } else { Ok(read) }
}

/// What all parts of an answer share.
struct Made {
    id: String,
    created: i64,
    model: String,
    tokenizer: Arc<Tokenizer>,
    echoes: Option<Vec<String>>,
    choices: usize,
    /// What tokens are called whose probabilities are told, if they are.
    scored: Option<Called>,
    /// How many characters of each text were told before.
    told: Vec<usize>,
    /// How many characters of each prompt were told with probabilities.
    read: Vec<usize>,
    usage: Usage,
}

impl Made {
    fn whole(mut self, answers: Vec<Answer>) -> Value {
        let answers = answers.into_iter().enumerate();
        let choices: Vec<_> = answers.map(|(index, answer)| self.choice(index, answer)).collect();
        let mut told = self.told(Value::Array(choices));
        told["usage"] = self.usage.json();
        told
    }

    fn choice(&mut self, index: usize, answer: Answer) -> Value {
        let Answer { text, mut prompt, written, done, .. } = answer;
        if let Some(done) = &done {
            self.usage.add(done, OwnPrompt::of(index, self.choices));
        }
        prompt.extend(written);
        let text = self.echo(index) + &text;
        self.text(index, text, (&prompt, 0), Some(done.map_or(Finish::Stop, |done| done.finish)))
    }

    /// What a text begins with.
    fn echo(&self, index: usize) -> String {
        let echo = self.echoes.as_ref().and_then(|echoes| echoes.get(index / self.choices.max(1)));
        echo.cloned().unwrap_or_default()
    }

    fn text(
        &mut self,
        index: usize,
        text: String,
        (scored, at): (&[Scored], usize),
        finish: Option<Finish>,
    ) -> Value {
        let scores = |called| scores::of_completion(&self.tokenizer, scored, at, called);
        let scores = self.scored.map(scores);
        self.told[index] += text.chars().count();
        json!({
            "index": index,
            "text": text,
            "logprobs": scores,
            "finish_reason": finish.map(reason),
        })
    }

    fn told(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }

    fn chunk(
        &mut self,
        index: usize,
        text: String,
        (scored, at): (&[Scored], usize),
        finish: Option<Finish>,
    ) -> Value {
        let choice = self.text(index, text, (scored, at), finish);
        self.told(json!([choice]))
    }
}

impl Chunks for Made {
    fn first(&mut self) -> Vec<Value> {
        let texts = 0..self.told.len();
        let echoes: Vec<_> = texts.map(|index| (index, self.echo(index))).collect();
        let chunk = |(index, echo)| self.chunk(index, echo, (&[], 0), None);
        echoes.into_iter().filter(|(_, echo)| !echo.is_empty()).map(chunk).collect()
    }

    fn chunks(&mut self, index: usize, event: Event) -> Vec<Value> {
        match event {
            Event::Prompt(scored) => {
                // It stands within the echo, which was told before.
                let at = self.read[index];
                self.read[index] += scores::shown(&self.tokenizer, &scored);
                vec![self.chunk(index, String::new(), (&scored, at), None)]
            }
            Event::Written { text, scored, .. } if !text.is_empty() || scored.is_some() => {
                let at = self.told[index];
                vec![self.chunk(index, text, (scored.as_slice(), at), None)]
            }
            Event::Done(done) => {
                self.usage.add(&done, OwnPrompt::of(index, self.choices));
                vec![self.chunk(index, done.text, (&[], 0), Some(done.finish))]
            }
            _ => Vec::new(),
        }
    }

    fn usage(&self) -> Value {
        let mut chunk = self.told(json!([]));
        chunk["usage"] = self.usage.json();
        chunk
    }
}
