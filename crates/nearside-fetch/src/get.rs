//! What stands at an address, as a stream.

use std::io::{self, Read};

use crate::agent::{Method, Request, agent, pause, send};
use crate::error::FetchError;
use crate::secret::Secret;

/// Times that a request is made before it is given up.
const ATTEMPTS: u32 = 3;

/// Reads what stands at an address, at most so many bytes of it. A server that fails is asked again a few
/// times.
///
/// # Errors
/// When the address is not one that is spoken to, cannot be reached, or its server says no.
pub fn get(url: &str, most: u64) -> Result<impl Read + use<>, FetchError> {
    get_with(url, None, most)
}

/// Reads what stands at an address as one who has a token there.
///
/// # Errors
/// As [`get`].
pub fn get_with(
    url: &str,
    token: Option<&Secret>,
    most: u64,
) -> Result<impl Read + use<>, FetchError> {
    let request = Request { method: Method::Get, url, token, from: None };
    let agent = agent();
    let mut attempt = 1;
    loop {
        match send(&agent, &request) {
            Ok(answer) => {
                let body = answer.response.into_body();
                let body = body.into_with_config().limit(most.saturating_add(1));
                return Ok(Bounded { inner: body.reader(), left: most });
            }
            Err(failure) if failure.passing && attempt < ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(pause(attempt).max(failure.after));
            }
            Err(failure) => return Err(failure.error),
        }
    }
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
