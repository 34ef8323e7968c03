//! Talking with a server on this machine: what is said does not leave it.
//!
//! No proxy is asked, no redirect followed and nothing said twice: what a server does once it may not want to do again.

use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::http::header;

use crate::address::{is_here, shown};
use crate::error::FetchError;
use crate::secret::Secret;

/// How long a server is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until it lets us in.
    pub connect: Duration,
    /// Until an answer begins, and between its parts; and until it has taken what it is told.
    pub silence: Duration,
    /// Until all is said, where there is an end to that.
    pub whole: Option<Duration>,
}

/// What a server says.
pub struct LocalAnswer {
    /// 200 where all is well; others are answers too.
    pub status: u16,
    /// What it says, as it comes.
    pub body: Box<dyn Read + Send>,
}

/// Asks a server on this machine, with a document of JSON where there is one; at most so many bytes are read.
///
/// # Errors
/// When the address is not one of this machine, or nobody answers there in time.
pub fn ask_here(
    url: &str,
    token: Option<&Secret>,
    json: Option<&str>,
    patience: Patience,
    most: u64,
) -> Result<LocalAnswer, FetchError> {
    if !is_here(url) {
        return Err(FetchError::NotHere { url: shown(url).to_owned() });
    }
    let agent = agent(patience);
    let authorization = token.and_then(|token| token.authorization(url));
    let answer = match json {
        None => {
            let asked = agent.get(url);
            match &authorization {
                Some(value) => asked.header(header::AUTHORIZATION, value.as_str()).call(),
                None => asked.call(),
            }
        }
        Some(json) => {
            let asked = agent.post(url).content_type("application/json");
            match &authorization {
                Some(value) => asked.header(header::AUTHORIZATION, value.as_str()).send(json),
                None => asked.send(json),
            }
        }
    };
    let answer = answer.map_err(|error| FetchError::Unreachable {
        url: shown(url).to_owned(),
        reason: error.to_string(),
    })?;
    let status = answer.status().as_u16();
    let body = answer.into_body().into_with_config().limit(most);
    Ok(LocalAnswer { status, body: Box::new(body.reader()) })
}

fn agent(Patience { connect, silence, whole }: Patience) -> Agent {
    let config = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(whole)
        .timeout_connect(Some(connect))
        .timeout_send_request(Some(silence))
        .timeout_per_write(Some(silence))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence))
        .user_agent(concat!("nearside/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}
