//! Who is let in: those who know the secret, and no pages of other sites.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderValue, header};

/// What a client has to know; it is never printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// Without spaces around it; `None` when nothing is left, or something that no header carries.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let visible = text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
        (!text.is_empty() && visible).then(|| Self(text.to_owned()))
    }

    /// Whether it is this one; how long that takes says nothing about where they differ.
    fn is(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0, |all, (one, other)| all | (one ^ other));
        ours.len() == theirs.len() && differing == 0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Who is let in.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// What everybody has to know.
    pub(crate) secret: Option<Secret>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Sites whose pages may ask.
    pub(crate) origins: Vec<String>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The secret is missing or wrong.
    Secret,
    /// A page of another site asks.
    Origin,
    /// It was asked for under a name that an address of this machine does not have: a page may have given it that name.
    Host,
}

impl Guard {
    /// The site whose page asks, where one does.
    ///
    /// # Errors
    /// When its pages may not, or it was asked for under another name than this machine's own.
    pub(crate) fn site(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, Denied> {
        let host = headers.get(header::HOST);
        // What is no text is no name of ours.
        let is_ours = |host: &HeaderValue| host.to_str().is_ok_and(is_here);
        if self.address.ip().is_loopback() && host.is_some_and(|host| !is_ours(host)) {
            return Err(Denied::Host);
        }
        let origin = headers.get(header::ORIGIN);
        let is_allowed = |origin: &HeaderValue| {
            self.origins.iter().any(|allowed| allowed == "*" || origin == allowed.as_str())
        };
        match origin {
            Some(origin) if !is_allowed(origin) => Err(Denied::Origin),
            origin => Ok(origin.cloned()),
        }
    }

    /// Whether somebody with these headers knows what has to be known.
    ///
    /// # Errors
    /// When not.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let given = text(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
        match (&self.secret, given) {
            (None, _) => Ok(()),
            (Some(secret), Some((scheme, given)))
                if scheme.eq_ignore_ascii_case("bearer") && secret.is(given.trim()) =>
            {
                Ok(())
            }
            (Some(_), _) => Err(Denied::Secret),
        }
    }
}

/// Whether a host is this machine's own.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    name.eq_ignore_ascii_case("localhost") || is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(secret: Option<&str>) -> Guard {
        Guard {
            secret: secret.and_then(Secret::new),
            address: ([127, 0, 0, 1], 80).into(),
            origins: vec!["https://ours.example".to_owned()],
        }
    }

    fn checked(guard: &Guard, headers: &[(header::HeaderName, &str)]) -> Result<(), Denied> {
        let pair = |(name, value): &(header::HeaderName, &str)| {
            (name.clone(), value.parse().expect("a value"))
        };
        let headers = headers.iter().map(pair).collect();
        guard.site(&headers).and_then(|_site| guard.check(&headers))
    }

    #[test]
    fn the_secret_is_asked_for() {
        let guard = guard(Some(" s3cret\n"));
        let with = |value| checked(&guard, &[(header::AUTHORIZATION, value)]);
        assert_eq!(with("Bearer s3cret"), Ok(()));
        assert_eq!(with("bearer s3cret"), Ok(()));
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Basic s3cret", "s3cret", "Bearer"] {
            assert_eq!(with(wrong), Err(Denied::Secret), "{wrong}");
        }
        assert_eq!(checked(&guard, &[]), Err(Denied::Secret));
        assert!(Secret::new(" \n").is_none() && Secret::new("a b").is_none());
        assert!(!format!("{guard:?}").contains("s3cret"));
    }

    #[test]
    fn pages_of_other_sites_are_not_let_in() {
        let guard = guard(None);
        assert_eq!(checked(&guard, &[]), Ok(()));
        let origin = |value| checked(&guard, &[(header::ORIGIN, value)]);
        assert_eq!(origin("https://ours.example"), Ok(()));
        assert_eq!(origin("https://evil.example"), Err(Denied::Origin));
        assert_eq!(origin("null"), Err(Denied::Origin));
        let host = |value| checked(&guard, &[(header::HOST, value)]);
        for here in ["localhost:8080", "127.0.0.1", "[::1]:80", "LOCALHOST"] {
            assert_eq!(host(here), Ok(()), "{here}");
        }
        for there in ["evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example"] {
            assert_eq!(host(there), Err(Denied::Host), "{there}");
        }
        let everywhere = Guard { address: ([0, 0, 0, 0], 80).into(), ..guard.clone() };
        assert_eq!(checked(&everywhere, &[(header::HOST, "box.example")]), Ok(()));
    }
}
