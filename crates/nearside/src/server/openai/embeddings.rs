//! `POST /v1/embeddings`: what texts are about, as vectors of length one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nearside_models::serving::{Request, Task};
use serde_json::{Value, json};

use super::answers::{OwnPrompt, Usage, Writing, apart};
use super::completions::texts;
use super::conversation::check;
use super::error::ApiError;
use super::fields::Fields;
use super::{Served, Shared, noted};

/// Texts of one request, as OpenAI's API has it.
const MOST_TEXTS: usize = 2048;

/// How vectors are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Numbers,
    /// Base64 of 32-bit numbers, the lowest byte first.
    Base64,
}

struct Asked {
    requests: Vec<Request>,
    encoding: Encoding,
    ignored: Vec<String>,
}

pub(super) async fn answer(
    State(served): State<Shared>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let asked = apart(&served, move |served| Asked::read(served, &body)).await?;
    let answers = Writing::submit(&served, asked.requests)?.collect().await?;
    let mut usage = Usage::default();
    let mut data = Vec::with_capacity(answers.len());
    for (index, answer) in answers.into_iter().enumerate() {
        if let Some(done) = &answer.done {
            usage.add(done, OwnPrompt::Yes);
        }
        let embedding = match asked.encoding {
            Encoding::Numbers => json!(answer.embedding),
            Encoding::Base64 => {
                let bytes = answer.embedding.iter().flat_map(|number| number.to_le_bytes());
                Value::String(STANDARD.encode(bytes.collect::<Vec<_>>()))
            }
        };
        data.push(json!({ "object": "embedding", "index": index, "embedding": embedding }));
    }
    let told = json!({
        "object": "list",
        "data": data,
        "model": served.name(),
        "usage": usage.json(),
    });
    Ok(noted(Json(told).into_response(), &asked.ignored, 0))
}

impl Asked {
    fn read(served: &Served, body: &[u8]) -> Result<Self, ApiError> {
        let mut fields = Fields::parse(body)?;
        let model = fields.text("model")?;
        served.check_model(&fields.required("model", model)?)?;
        let encoding = match fields.text("encoding_format")?.as_deref() {
            None | Some("float") => Encoding::Numbers,
            Some("base64") => Encoding::Base64,
            Some(_) => {
                return Err(ApiError::field("encoding_format", "it should be float or base64"));
            }
        };
        let why = format!("this model's vectors have {} numbers", served.hidden);
        fields.only("dimensions", &[json!(served.hidden)], &why)?;
        let texts = texts(served, &mut fields, "input", MOST_TEXTS)?;
        let context = served.serving.limits().context;
        texts.iter().try_for_each(|text| check(text.len(), Some(0), context))?;
        let request = |prompt| Request { prompt, task: Task::Embed(served.pooling) };
        let requests = texts.into_iter().map(request).collect();
        Ok(Self { requests, encoding, ignored: fields.rest() })
    }
}
