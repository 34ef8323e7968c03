//! One request, with the redirects that its answer leads on to.
//!
//! Redirects are followed here and not by the client, so that every address on the way is held against what is
//! spoken to, and the token is looked at anew for each.

use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::address::{host, is_spoken_to, resolved, shown};
use crate::error::FetchError;
use crate::secret::Secret;

/// Longest wait for a connection, and for the answer to begin.
const CONNECT: Duration = Duration::from_secs(20);
/// Longest silence in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// Addresses that one answer may lead on to.
const REDIRECTS: u32 = 5;
/// Pause before the second attempt; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Longest pause that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);
/// Signs of a server's own word for what is wrong.
const LONGEST_WORD: usize = 64;

/// What is asked of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) token: Option<&'a Secret>,
    /// The first byte that is wanted; the answer is then wanted as it is, not compressed.
    pub(crate) from: Option<u64>,
}

/// What is wanted, and how far it is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// The bytes, wherever they are.
    Get,
    /// What the host itself says of them.
    Head,
}

/// An answer that is no refusal, and where it came from.
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    pub(crate) url: String,
}

/// Why there is no answer, and whether there may be one in a moment.
pub(crate) struct Failure {
    pub(crate) error: FetchError,
    pub(crate) passing: bool,
    /// How long the server asks us to wait.
    pub(crate) after: Duration,
}

impl Answer {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }
}

/// The client; one of them holds connections open between requests.
pub(crate) fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("nearside/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

/// How long to wait before an attempt, the second being 2.
pub(crate) fn pause(attempt: u32) -> Duration {
    let doubled = 1_u32.checked_shl(attempt.saturating_sub(2)).unwrap_or(u32::MAX);
    PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// Asks, and follows where the answer leads. Statuses from 400 on are failures, but for 416, which a caller that
/// asks for a range understands.
pub(crate) fn send(agent: &Agent, request: &Request<'_>) -> Result<Answer, Failure> {
    let mut url = request.url.to_owned();
    for _ in 0..=REDIRECTS {
        if !is_spoken_to(&url) {
            let error = FetchError::Address { url: shown(&url).to_owned() };
            return Err(Failure { error, passing: false, after: Duration::ZERO });
        }
        let response = call(agent, request, &url).map_err(|error| failure(request, &error))?;
        let status = response.status();
        let answer = Answer { response, url };
        match next(request, &answer) {
            Some(next) => url = next,
            None if status.as_u16() >= 400 && status != StatusCode::RANGE_NOT_SATISFIABLE => {
                return Err(refused(request, &answer));
            }
            None => return Ok(answer),
        }
    }
    let error = FetchError::Unreachable {
        url: shown(request.url).to_owned(),
        reason: format!("leads on to more than {REDIRECTS} other addresses"),
    };
    Err(Failure { error, passing: false, after: Duration::ZERO })
}

fn call(agent: &Agent, request: &Request<'_>, url: &str) -> Result<Response<Body>, ureq::Error> {
    let mut asked = match request.method {
        Method::Get => agent.get(url),
        Method::Head => agent.head(url),
    };
    if request.from.is_some() || request.method == Method::Head {
        asked = asked.header(header::ACCEPT_ENCODING, "identity");
    }
    if let Some(from @ 1..) = request.from {
        asked = asked.header(header::RANGE, format!("bytes={from}-"));
    }
    if let Some(authorization) = request.token.and_then(|token| token.authorization(url)) {
        asked = asked.header(header::AUTHORIZATION, authorization.as_str());
    }
    asked.call()
}

/// Where an answer leads on to, if it is followed there.
fn next(request: &Request<'_>, answer: &Answer) -> Option<String> {
    let redirects = [301, 302, 303, 307, 308].contains(&answer.response.status().as_u16());
    let location = answer.header("location").filter(|_| redirects)?;
    let next = resolved(&answer.url, location)?;
    let followed = request.method == Method::Get || host(&next) == host(&answer.url);
    followed.then_some(next)
}

/// The answer to an answer that says no.
fn refused(request: &Request<'_>, answer: &Answer) -> Failure {
    let status = answer.response.status().as_u16();
    let plain = |word: &&str| word.bytes().all(|sign| sign.is_ascii_alphanumeric());
    let word = answer.header("x-error-code").filter(|word| word.len() <= LONGEST_WORD);
    let url = shown(request.url).to_owned();
    let error = FetchError::Status { url, status, word: word.filter(plain).map(str::to_owned) };
    let passing = matches!(status, 408 | 429 | 500 | 502 | 503 | 504);
    Failure { error, passing, after: answer.header("retry-after").map_or(Duration::ZERO, asked) }
}

fn failure(request: &Request<'_>, error: &ureq::Error) -> Failure {
    let passing = matches!(error, ureq::Error::Io(_) | ureq::Error::Timeout(_));
    let error =
        FetchError::Unreachable { url: shown(request.url).to_owned(), reason: error.to_string() };
    Failure { error, passing, after: Duration::ZERO }
}

/// How long a server asks us to wait, in seconds; a date is nothing we wait for. Source: RFC 9110, section 10.2.3.
fn asked(header: &str) -> Duration {
    let seconds = header.trim().parse().map_or(0, |seconds: u64| seconds);
    Duration::from_secs(seconds).min(LONGEST_ASKED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let pauses: Vec<_> = (2..=40).map(|attempt| pause(attempt).as_millis()).collect();
        assert_eq!(&pauses[..6], [500, 1000, 2000, 4000, 8000, 8000]);
        assert_eq!(pauses[38], 8000);
        assert_eq!(asked(" 3 "), Duration::from_secs(3));
        assert_eq!(asked("86400"), LONGEST_ASKED);
        assert_eq!(asked("Fri, 31 Dec 2027 23:59:59 GMT"), Duration::ZERO);
    }
}
