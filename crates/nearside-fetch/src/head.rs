//! What a server says of a file without sending it.
//!
//! Source of the names: the headers of the Hugging Face Hub, `X-Repo-Commit`, `X-Linked-Etag` and `X-Linked-Size`;
//! the linked ones are of the file itself where the answer leads to a store of large files.

use crate::agent::{Answer, Method, Request, agent, pause, send};
use crate::error::FetchError;
use crate::secret::Secret;

/// Times that a request is made before it is given up.
const ATTEMPTS: u32 = 3;

/// What a server says of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The code of its answer, below 400.
    pub status: u16,
    /// Its name for these bytes, without quotes.
    pub etag: Option<String>,
    /// Bytes that would come.
    pub length: Option<u64>,
    /// Where the answer leads on to, on another host.
    pub location: Option<String>,
    /// The commit of the repository.
    pub commit: Option<String>,
    /// The name of the bytes that it leads on to, without quotes.
    pub linked_etag: Option<String>,
    /// How many bytes those are.
    pub linked_size: Option<u64>,
}

/// Asks what stands at an address. It is followed within its host and not to another one.
///
/// # Errors
/// When the address is not one that is spoken to, cannot be reached, or its server says no.
pub fn head(url: &str, token: Option<&Secret>) -> Result<Head, FetchError> {
    let request = Request { method: Method::Head, url, token, from: None };
    let agent = agent();
    let mut attempt = 1;
    loop {
        match send(&agent, &request) {
            Ok(answer) => return Ok(read(&answer)),
            Err(failure) if failure.passing && attempt < ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(pause(attempt).max(failure.after));
            }
            Err(failure) => return Err(failure.error),
        }
    }
}

fn read(answer: &Answer) -> Head {
    let text = |name: &str| answer.header(name).map(str::to_owned);
    let number = |name: &str| answer.header(name).and_then(|value| value.trim().parse().ok());
    let etag = |name: &str| answer.header(name).map(|etag| unquoted(etag).to_owned());
    Head {
        status: answer.response.status().as_u16(),
        etag: etag("etag"),
        length: number("content-length"),
        location: text("location"),
        commit: text("x-repo-commit"),
        linked_etag: etag("x-linked-etag"),
        linked_size: number("x-linked-size"),
    }
}

/// An entity tag without its quotes and without the sign of a weak one.
fn unquoted(etag: &str) -> &str {
    let etag = etag.trim();
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_lose_their_quotes() {
        for written in ["abc", "\"abc\"", "W/\"abc\"", " \"abc\" "] {
            assert_eq!(unquoted(written), "abc");
        }
    }
}
