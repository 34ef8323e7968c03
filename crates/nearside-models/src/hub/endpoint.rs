//! A hub: where it is and who we are there.

use nearside_fetch::Secret;

use super::error::HubError;
use super::names::{Commit, RepoPath, Repository, Revision, quoted};

/// The hub of Hugging Face.
pub const PUBLIC_HUB: &str = "https://huggingface.co";

/// A hub, and whether it may be asked.
#[derive(Clone, Debug)]
pub struct Endpoint {
    url: String,
    token: Option<Secret>,
    offline: bool,
}

impl Endpoint {
    /// The hub at an address, with a token for it. Offline, it is not asked for anything.
    ///
    /// # Errors
    ///
    /// When the address is not one of a server that is spoken to, or the token is none.
    pub fn new(url: &str, token: Option<&str>, offline: bool) -> Result<Self, HubError> {
        let url = url.trim().trim_end_matches('/');
        let plain = !url.contains(['?', '#', '@', '\\']) && !url.chars().any(char::is_whitespace);
        if !plain || !nearside_fetch::is_address(url) || nearside_fetch::host(url).is_none() {
            // What stands before an @ may be a password.
            let shown = url.rsplit('@').next().unwrap_or(url).to_owned();
            return Err(HubError::Endpoint { url: shown });
        }
        let token = match token.filter(|token| !token.trim().is_empty()) {
            Some(token) => Some(Secret::new(token, url).map_err(|why| HubError::Token { why })?),
            None => None,
        };
        Ok(Self { url: url.to_owned(), token, offline })
    }

    /// Whether it must not be asked.
    #[must_use]
    pub const fn is_offline(&self) -> bool {
        self.offline
    }

    /// Whether we are somebody there.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The page of a repository, for people.
    #[must_use]
    pub fn page(&self, repository: &Repository) -> String {
        format!("{}/{repository}", self.url)
    }

    pub(super) const fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    /// Where the list of a repository's files is.
    pub(super) fn listing(&self, repository: &Repository, revision: &Revision) -> String {
        let revision = quoted(revision.as_str(), "");
        format!("{}/api/models/{repository}/revision/{revision}?blobs=true", self.url)
    }

    /// Where a file is.
    pub(super) fn file(&self, repository: &Repository, commit: &Commit, file: &RepoPath) -> String {
        format!("{}/{repository}/resolve/{commit}/{}", self.url, quoted(file.as_str(), "/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_an_address_without_a_password() {
        for url in [
            "",
            "huggingface.co",
            "https://",
            "https://me:word@hub.org",
            "https://hub.org?a",
            "ftp://hub.org",
        ] {
            let error = Endpoint::new(url, None, false).unwrap_err().to_string();
            assert!(!error.contains("word"), "{error}");
        }
        let hub = Endpoint::new("https://hub.org/", Some("\n"), false).unwrap();
        assert!(!hub.has_token());
        let repository: Repository = "a/b".parse().unwrap();
        let revision: Revision = "refs/pr/1".parse().unwrap();
        assert_eq!(
            hub.listing(&repository, &revision),
            "https://hub.org/api/models/a/b/revision/refs%2Fpr%2F1?blobs=true"
        );
        let (commit, file) = ("a".repeat(40).parse().unwrap(), "b c/d.json".parse().unwrap());
        assert!(hub.file(&repository, &commit, &file).ends_with("aaaa/b%20c/d.json"));
        assert!(Endpoint::new("https://hub.org", Some("a b"), false).is_err());
    }
}
