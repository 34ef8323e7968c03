//! OpenAI's API over a model that is here: chat, completions, embeddings, models; beside it health and metrics.
//!
//! ```text
//! body -> Fields -> tokens -> Serving -> Events -> one answer, or chunks of server-sent events
//! ```
//!
//! Invariants: what a request says and is not followed is an error, or its name is in the header
//! `x-nearside-ignored`; nothing is cut from a prompt unless the operator allowed it, and then the answer says how much;
//! an answer whose client went away is given up.

mod answers;
mod chat;
mod completions;
mod conversation;
mod embeddings;
mod error;
mod fields;
mod sampling;
mod scores;
mod stream;
mod tools;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use nearside_models::serving::{Pooling, Serving};
use nearside_models::{Grammars, Tokenizer};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::environment;
use crate::server::{Guard, Metrics};
use error::ApiError;

/// Bytes of a request.
const MOST_BODY: usize = 16 << 20;
/// Time for a request to come.
const BODY: Duration = Duration::from_secs(60);
/// Names of fields that a header tells.
const MOST_IGNORED: usize = 20;
const IGNORED: HeaderName = HeaderName::from_static("x-nearside-ignored");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("x-nearside-ignored, x-nearside-dropped-tokens");
const DROPPED: HeaderName = HeaderName::from_static("x-nearside-dropped-tokens");

/// A model that is served.
#[derive(Debug)]
pub(crate) struct Served {
    /// What it is called; the first name is told, the others are understood as well.
    pub(crate) names: Vec<String>,
    pub(crate) serving: Serving,
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// How many numbers an embedding has.
    pub(crate) hidden: usize,
    pub(crate) pooling: Pooling,
    pub(crate) overflow: Overflow,
    pub(crate) guard: Guard,
    pub(crate) metrics: Metrics,
    /// Looked through when a rule is asked for.
    pub(crate) grammars: OnceLock<Result<Grammars, String>>,
    /// When it began to serve, in seconds after the beginning of 1970.
    pub(crate) since: i64,
    /// Answers so far, for their names.
    pub(crate) answers: AtomicU64,
}

/// What happens to a conversation that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Overflow {
    /// It is refused, with both numbers
    Refuse,
    /// The oldest messages are left out, and the answer says how much that was
    DropOldest,
}

type Shared = Arc<Served>;

impl Served {
    /// An error unless the model is the one that is served.
    fn check_model(&self, asked: &str) -> Result<(), ApiError> {
        let served = self.name();
        if self.names.iter().any(|name| name == asked) {
            Ok(())
        } else {
            Err(ApiError::no_model(asked, served))
        }
    }

    /// What it is called.
    fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    fn grammars(&self) -> Result<&Grammars, ApiError> {
        let made = self
            .grammars
            .get_or_init(|| Grammars::new(&self.tokenizer).map_err(|error| error.to_string()));
        made.as_ref().map_err(ApiError::internal)
    }

    /// A name for an answer.
    fn new_id(&self, kind: &str) -> String {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        format!("{kind}-{:016x}{number:08x}", environment::random())
    }
}

/// The API, with everything that is needed to answer.
pub(crate) fn router(served: Shared) -> Router {
    let routes = Router::new()
        .route("/v1/chat/completions", post(chat::answer))
        .route("/v1/completions", post(completions::answer))
        .route("/v1/embeddings", post(embeddings::answer))
        .route("/v1/models", get(models))
        .route("/v1/models/{*name}", get(model))
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        // It is whole already, within a bound of ours.
        .layer(DefaultBodyLimit::disable());
    routes.layer(middleware::from_fn_with_state(Arc::clone(&served), watched)).with_state(served)
}

/// Lets in who may come, and counts what is answered.
async fn watched(State(served): State<Shared>, request: Request, next: Next) -> Response {
    let endpoint = match request.uri().path() {
        "/v1/chat/completions" => "chat",
        "/v1/completions" => "completions",
        "/v1/embeddings" => "embeddings",
        path if path.starts_with("/v1/models") => "models",
        "/metrics" => "metrics",
        "/health" => "health",
        _ => "other",
    };
    let site = served.guard.site(request.headers());
    let mut response = match &site {
        // Whoever asks whether it lives learns nothing else.
        _ if endpoint == "health" => health(State(Arc::clone(&served))).await,
        Err(denied) => ApiError::from(*denied).into_response(),
        // A browser asks first, without what has to be known.
        Ok(Some(_)) if request.method() == Method::OPTIONS => preflight(),
        Ok(_) => match served.guard.check(request.headers()) {
            Err(denied) => ApiError::from(denied).into_response(),
            Ok(()) => match whole(request).await {
                Ok(request) => next.run(request).await,
                Err(error) => error.into_response(),
            },
        },
    };
    if let Ok(Some(site)) = site {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, site);
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    served.metrics.answered(endpoint, response.status().as_u16());
    response
}

/// What pages of other sites may send (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn models(State(served): State<Shared>) -> Response {
    let data = [describe(&served, served.name())];
    Json(json!({ "object": "list", "data": data })).into_response()
}

async fn model(State(served): State<Shared>, Path(name): Path<String>) -> Response {
    match served.check_model(&name) {
        Ok(()) => Json(describe(&served, &name)).into_response(),
        Err(error) => error.into_response(),
    }
}

fn describe(served: &Served, name: &str) -> Value {
    let limits = served.serving.limits();
    json!({
        "id": name,
        "object": "model",
        "created": served.since,
        "owned_by": "nearside",
        // As vLLM tells it.
        "max_model_len": limits.context,
    })
}

async fn metrics(State(served): State<Shared>) -> Response {
    let text = served.metrics.text(served.serving.load());
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn health(State(served): State<Shared>) -> Response {
    if served.serving.is_open() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "ended" }))).into_response()
    }
}

async fn nothing(request: Request) -> ApiError {
    let status = StatusCode::NOT_FOUND;
    let path = request.uri().path().chars().take(200).collect::<String>();
    let code = Some("not_found");
    ApiError { status, code, ..ApiError::invalid(format!("there is nothing at {path}")) }
}

async fn wrong_method(request: Request) -> ApiError {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let message = format!("{} is not what is done here", request.method());
    ApiError { status, code: Some("method_not_allowed"), ..ApiError::invalid(message) }
}

/// A request of which all has come, within a bound and a time.
async fn whole(request: Request) -> Result<Request, ApiError> {
    let (parts, body) = request.into_parts();
    let failed = |status, message: String| ApiError { status, ..ApiError::invalid(message) };
    match timeout(BODY, Limited::new(body, MOST_BODY).collect()).await {
        Ok(Ok(read)) => Ok(Request::from_parts(parts, Body::from(read.to_bytes()))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("a request has at most {MOST_BODY} bytes");
            Err(failed(StatusCode::PAYLOAD_TOO_LARGE, message))
        }
        Ok(Err(error)) => Err(ApiError::invalid(format!("the request broke off: {error}"))),
        Err(_elapsed) => {
            let message = format!("the request was not whole after {} s", BODY.as_secs());
            Err(failed(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}

/// Adds what was not followed to an answer.
fn noted(mut response: Response, ignored: &[String], dropped: usize) -> Response {
    let headers = response.headers_mut();
    let names =
        ignored.iter().take(MOST_IGNORED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(value) = HeaderValue::from_str(&names).ok().filter(|_value| !names.is_empty()) {
        headers.insert(IGNORED, value);
    }
    if dropped > 0 {
        headers.insert(DROPPED, HeaderValue::from(dropped));
    }
    response
}
