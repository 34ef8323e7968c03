//! A token that lets its holder in at one server.
//!
//! It is bound to that server when it is made, so that no later mistake sends it elsewhere: where an answer leads
//! to another host, the token stays behind. It is never shown, and erased when it is dropped.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::address::{is_spoken_to, origin};

/// Signs of a token at most.
const LONGEST: usize = 4096;

/// A token and the server it is for.
#[derive(Clone)]
pub struct Secret {
    value: Zeroizing<String>,
    origin: String,
}

/// Why something is no token. It does not say what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoSecret {
    /// Nothing, too much, or signs that no token has.
    #[error("the token is empty, or has signs that no token has")]
    Value,
    /// The server is none that is spoken to.
    #[error("the token is for an address that is not spoken to")]
    Address,
}

impl Secret {
    /// A token for the server that this address is of. White space around it is cut.
    ///
    /// # Errors
    ///
    /// When the token has other signs than visible ones of ASCII, or the address is not spoken to.
    pub fn new(value: &str, url: &str) -> Result<Self, NoSecret> {
        let value = value.trim();
        let visible = value.bytes().all(|sign| sign.is_ascii_graphic());
        if value.is_empty() || value.len() > LONGEST || !visible {
            return Err(NoSecret::Value);
        }
        let origin = origin(url).filter(|_| is_spoken_to(url)).ok_or(NoSecret::Address)?;
        Ok(Self { value: Zeroizing::new(value.to_owned()), origin })
    }

    /// What says to a server who asks; none for another server than its own.
    pub(crate) fn authorization(&self, url: &str) -> Option<Zeroizing<String>> {
        let own = origin(url).is_some_and(|origin| origin == self.origin);
        own.then(|| Zeroizing::new(format!("Bearer {}", self.value.as_str())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "(a token for {})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let secret = Secret::new(" hf_verysecret\n", "https://example.org/a").unwrap();
        for shown in [format!("{secret}"), format!("{secret:?}"), format!("{secret:#?}")] {
            assert_eq!(shown, "(a token for https://example.org)");
        }
        let error = Secret::new("hf_very secret", "https://example.org").unwrap_err();
        assert!(!error.to_string().contains("very"));
    }

    #[test]
    fn a_token_is_for_one_server() {
        let secret = Secret::new("word", "https://example.org/a").unwrap();
        let sent = |url: &str| secret.authorization(url).map(|it| it.as_str().to_owned());
        assert_eq!(sent("https://EXAMPLE.org:443/b").as_deref(), Some("Bearer word"));
        for other in [
            "https://example.org.evil.org/",
            "https://example.org@evil.org/",
            "https://example.org:444/",
            "http://example.org/",
            "https://cdn.example.org/",
            "nothing",
        ] {
            assert_eq!(sent(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", " \n", "a b", "a\nb: c", "ключ"] {
            assert_eq!(Secret::new(text, "https://example.org").unwrap_err(), NoSecret::Value);
        }
        assert_eq!(Secret::new("a", "http://example.org").unwrap_err(), NoSecret::Address);
    }
}
