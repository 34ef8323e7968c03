//! Where a package came from, without what nobody else may know: names of people, passwords, tokens.
//!
//! Source: `direct_url.json` of installed packages (PEP 610), which exists only for what did not come
//! from an index.

use std::fmt;

use thiserror::Error;

/// Where a package came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// An index: which one is not recorded by installers.
    #[default]
    Index,
    /// An address, or a repository as `git+https://...@COMMIT`.
    Address(String),
    /// conda, whose packages no index of Python holds.
    Conda,
    /// The system's own packages, which its distribution changes and no index holds.
    System,
    /// A file or folder of the machine that it was found on.
    Local,
}

/// An address with something in it that nobody else may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the address holds a name, a password or a token, which a lock must not")]
pub struct Secret;

impl Origin {
    /// The origin that an address tells, with what may be secret taken out: user and password, and
    /// everything after a question mark. Files of the machine are local, whatever they are called.
    ///
    /// ```
    /// use nearside_workload::environment_lock::Origin;
    /// let origin = Origin::of_address("https://me:secret@example.org/a.whl?token=1#sha256=2");
    /// assert_eq!(origin, Origin::Address("https://example.org/a.whl".to_owned()));
    /// let origin = Origin::of_address("git+ssh://git@example.org/a.git@0123abc");
    /// assert_eq!(origin.to_string(), "git+ssh://git@example.org/a.git@0123abc");
    /// assert_eq!(Origin::of_address("file:///home/me/a"), Origin::Local);
    /// ```
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        let Some((scheme, rest)) = address.split_once("://") else { return Self::Local };
        if scheme.ends_with("file") {
            return Self::Local;
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, Some(path)),
            None => (rest, None),
        };
        let (user, host) =
            host.rsplit_once('@').map_or((None, host), |(user, host)| (Some(user), host));
        // The name that everybody logs in with by a key of their own; others are names of people.
        let user = user.filter(|user| scheme.ends_with("ssh") && *user == "git");
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let path = path.map_or_else(String::new, |path| format!("/{path}"));
        Self::Address(format!("{scheme}://{user}{host}{path}"))
    }

    /// The origin as a lock states it.
    ///
    /// # Errors
    /// When it holds a secret.
    pub fn stated(text: &str) -> Result<Self, Secret> {
        match text {
            "index" => Ok(Self::Index),
            "conda" => Ok(Self::Conda),
            "system" => Ok(Self::System),
            "local" => Ok(Self::Local),
            text => match Self::of_address(text) {
                Self::Address(clean) if clean != text => Err(Secret),
                origin => Ok(origin),
            },
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Index => "index",
            Self::Address(address) => address,
            Self::Conda => "conda",
            Self::System => "system",
            Self::Local => "local",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_kept_or_read() {
        let check = |address: &str, expect: &str| {
            assert_eq!(Origin::of_address(address).to_string(), expect);
            let stated = Origin::stated(address);
            assert_eq!(stated.is_ok(), address == expect || expect == "local", "{address}");
        };
        check("https://example.org/a.whl", "https://example.org/a.whl");
        check("https://token@example.org/a.whl", "https://example.org/a.whl");
        check("https://a:b@c:d@example.org:8443/x@y", "https://example.org:8443/x@y");
        check("https://example.org/a.whl?X-Signature=1", "https://example.org/a.whl");
        check("git+https://x:y@example.org/a@012", "git+https://example.org/a@012");
        check("ssh://me:word@example.org/a", "ssh://example.org/a");
        check("git+ssh://ada@example.org/a@012", "git+ssh://example.org/a@012");
        check("git+ssh://git@example.org/a@012", "git+ssh://git@example.org/a@012");
        check("https://example.org", "https://example.org");
        check("/home/me/a", "local");
        check("git+file:///home/me/a", "local");
    }
}
