//! Errors as OpenAI's API tells them: `{"error": {"message", "type", "param", "code"}}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nearside_models::ModelError;
use nearside_models::serving::Refused;
use serde_json::json;

use crate::server::guard::Denied;

/// Seconds after which something that was busy may be asked again.
const LATER: HeaderValue = HeaderValue::from_static("1");

/// What is wrong with a request, or with us.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// The field that it is about.
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl ApiError {
    /// A request that cannot be followed.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        let (status, message) = (StatusCode::BAD_REQUEST, message.into());
        Self { status, message, param: None, code: None }
    }

    /// A field that cannot be followed.
    pub(crate) fn field(name: &str, message: impl std::fmt::Display) -> Self {
        Self { param: Some(name.to_owned()), ..Self::invalid(format!("{name}: {message}")) }
    }

    /// A model that is not served.
    pub(crate) fn no_model(asked: &str, served: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: format!("the model {asked:?} is not served here, {served:?} is"),
            param: Some("model".to_owned()),
            code: Some("model_not_found"),
        }
    }

    /// Something of ours.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        let (status, message) = (StatusCode::INTERNAL_SERVER_ERROR, message.into());
        Self { status, message, param: None, code: Some("internal_error") }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let kind = match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let Self { message, param, code, .. } = self;
        json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = axum::Json(self.json());
        let mut response = (self.status, body).into_response();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                let scheme = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(header::RETRY_AFTER, LATER);
            }
            _ => {}
        }
        response
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let told = Self::invalid(refused.to_string());
        match refused {
            Refused::Model(ModelError::Context { .. }) => {
                Self { code: Some("context_length_exceeded"), ..told }
            }
            Refused::Busy { .. } => {
                let code = Some("too_many_requests");
                Self { status: StatusCode::TOO_MANY_REQUESTS, code, ..told }
            }
            Refused::Closed => Self { status: StatusCode::SERVICE_UNAVAILABLE, ..told },
            Refused::Empty | Refused::Model(_) => told,
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        let (status, message, code) = match denied {
            Denied::Secret => (
                StatusCode::UNAUTHORIZED,
                "the header `Authorization: Bearer TOKEN` with this server's token is needed",
                "invalid_api_key",
            ),
            Denied::Origin => (
                StatusCode::FORBIDDEN,
                "pages of this site may not ask: allow it with --origin",
                "origin_not_allowed",
            ),
            Denied::Host => (
                StatusCode::FORBIDDEN,
                "this server is reached as localhost or 127.0.0.1 only",
                "host_not_allowed",
            ),
        };
        Self { status, message: message.to_owned(), param: None, code: Some(code) }
    }
}
