//! Reading what stands on the network: an address in, bytes out. Nothing but the address is sent.
//!
//! Only `https` is spoken, and `http` with this machine itself. Certificates are checked against those that
//! the operating system trusts; proxies are those of the environment (`HTTPS_PROXY`). What comes is read as
//! a stream, no further than a stated number of bytes.

use std::io::{self, Read};
use std::time::Duration;

use thiserror::Error;
use ureq::tls::{RootCerts, TlsConfig};

/// Times that a request is made before it is given up.
const ATTEMPTS: u32 = 3;
/// Pause before the second attempt; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for a connection, and for the answer to begin.
const CONNECT: Duration = Duration::from_secs(20);
/// Addresses that one answer may lead on to.
const REDIRECTS: u32 = 5;

/// Why nothing was read.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The address is none, or not one that is spoken to.
    #[error("{url}: only https addresses are read, and http of this machine itself")]
    Address {
        /// The address.
        url: String,
    },
    /// The server says no.
    #[error("{url}: the server answers {status}")]
    Status {
        /// The address.
        url: String,
        /// Its code, such as 404.
        status: u16,
    },
    /// It cannot be reached.
    #[error("{url}: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

/// Whether this is an address and no file.
///
/// ```
/// assert!(nearside_fetch::is_address("https://example.org/prices.json"));
/// assert!(!nearside_fetch::is_address("prices.json"));
/// ```
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The host of an address, with its port where it names one.
///
/// ```
/// assert_eq!(nearside_fetch::host("https://example.org:8443/a?b"), Some("example.org:8443"));
/// ```
#[must_use]
pub fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    // What stands before an @ is a name and a password, not a host.
    Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
        .filter(|host| !host.is_empty())
}

fn is_spoken_to(url: &str) -> bool {
    let Some(host) = host(url) else { return false };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    url.starts_with("https://") || matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

/// Reads what stands at an address, at most so many bytes of it. A server that fails is asked again a few
/// times.
///
/// # Errors
/// When the address is not one that is spoken to, cannot be reached, or its server says no.
pub fn get(url: &str, most: u64) -> Result<impl Read + use<>, FetchError> {
    if !is_spoken_to(url) {
        return Err(FetchError::Address { url: url.to_owned() });
    }
    let agent = agent();
    let mut pause = PAUSE;
    let mut attempt = 1;
    loop {
        match agent.get(url).call() {
            Ok(response) => {
                let body = response.into_body().into_with_config().limit(most.saturating_add(1));
                return Ok(Bounded { inner: body.reader(), left: most });
            }
            Err(error) if attempt < ATTEMPTS && is_passing(&error) => {
                std::thread::sleep(pause);
                (pause, attempt) = (pause * 2, attempt + 1);
            }
            Err(ureq::Error::StatusCode(status)) => {
                return Err(FetchError::Status { url: url.to_owned(), status });
            }
            Err(error) => {
                return Err(FetchError::Unreachable {
                    url: url.to_owned(),
                    reason: error.to_string(),
                });
            }
        }
    }
}

fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .max_redirects(REDIRECTS)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(CONNECT))
        .user_agent(concat!("nearside/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

/// Whether it may be otherwise in a moment.
const fn is_passing(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::StatusCode(429 | 500 | 502 | 503 | 504)
            | ureq::Error::Io(_)
            | ureq::Error::Timeout(_)
    )
}

/// A stream that fails where it goes on for too long.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it is longer than anything expected")
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    /// A server that gives these answers, one after the other; its address.
    fn serving(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 2048];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}/list")
    }

    fn answer(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    fn text(url: &str, most: u64) -> Result<String, String> {
        let mut text = String::new();
        let mut body = get(url, most).map_err(|error| error.to_string())?;
        body.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn what_stands_there_is_read() {
        assert_eq!(text(&serving(vec![answer("200 OK", "prices")]), 6).unwrap(), "prices");
    }

    #[test]
    fn a_server_that_fails_once_is_asked_again() {
        let url = serving(vec![answer("503 Busy", ""), answer("200 OK", "prices")]);
        assert_eq!(text(&url, 100).unwrap(), "prices");
    }

    #[test]
    fn what_is_not_there_is_told() {
        let url = serving(vec![answer("404 Not Found", "")]);
        assert_eq!(text(&url, 100).unwrap_err(), format!("{url}: the server answers 404"));
    }

    #[test]
    fn what_never_ends_is_cut() {
        let error = text(&serving(vec![answer("200 OK", "prices and more")]), 6).unwrap_err();
        assert!(error.contains("longer"), "{error}");
    }

    #[test]
    fn others_are_spoken_to_in_secret_only() {
        for url in [
            "http://example.org/a",
            "ftp://example.org/a",
            "https://",
            "http://127.0.0.1@example.org/",
        ] {
            let error = get(url, 1).map(drop).unwrap_err().to_string();
            assert!(error.contains("only https"), "{url}: {error}");
        }
    }
}
