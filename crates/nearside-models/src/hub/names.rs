//! Names that come from a hub or from a person, and are made into paths and addresses: nothing that leads elsewhere
//! gets through.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// Signs of the name of an organisation or a repository. Source: `huggingface_hub`, `utils/_validators.py`.
const LONGEST_NAME: usize = 96;
/// Bytes of a part of a path, as file systems have it, with room for what is put behind a name.
const LONGEST_PART: usize = 240;
/// Bytes of a path or of a revision.
const LONGEST_PATH: usize = 1024;

/// Why something is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind} {name:?}: {why}")]
pub struct NameError {
    /// Of what it was to be the name.
    pub kind: &'static str,
    /// What was given.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A repository of models: `org/name`, and `name` alone for the oldest ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    organization: Option<String>,
    name: String,
}

/// The name of a branch or a tag, or a commit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(String);

/// A commit: 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit(String);

/// The path of a file in a repository: it has parts, and none leads upwards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoPath(String);

impl Repository {
    /// The folder of a cache, as `models--org--name`.
    #[must_use]
    pub fn folder(&self) -> String {
        match &self.organization {
            Some(organization) => format!("models--{organization}--{}", self.name),
            None => format!("models--{}", self.name),
        }
    }

    /// The repository that a folder of a cache is of.
    #[must_use]
    pub fn of_folder(folder: &str) -> Option<Self> {
        let name = folder.strip_prefix("models--")?;
        let name = name
            .split_once("--")
            .map_or_else(|| name.to_owned(), |(org, name)| format!("{org}/{name}"));
        name.parse().ok()
    }

    /// Whether it names its organisation, as all but the oldest do.
    #[must_use]
    pub const fn has_organization(&self) -> bool {
        self.organization.is_some()
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |why| NameError { kind: "repository", name: text.to_owned(), why };
        let (organization, name) = match text.split_once('/') {
            Some((organization, name)) => (Some(organization), name),
            None => (None, text),
        };
        for part in organization.into_iter().chain([name]) {
            let sign = |sign: u8| sign.is_ascii_alphanumeric() || b"-_.".contains(&sign);
            let end = |sign: char| sign == '-' || sign == '.';
            if part.is_empty() || part.len() > LONGEST_NAME {
                return Err(error("a name has from 1 to 96 signs"));
            }
            if !part.bytes().all(sign) {
                return Err(error("a name has letters, digits, - _ and ."));
            }
            if part.starts_with(end) || part.ends_with(end) {
                return Err(error("a name does not begin or end with - or ."));
            }
        }
        if text.contains("--") || text.contains("..") || text.ends_with(".git") {
            return Err(error("a name has no -- and no .., and does not end with .git"));
        }
        Ok(Self { organization: organization.map(str::to_owned), name: name.to_owned() })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.organization {
            Some(organization) => write!(formatter, "{organization}/{}", self.name),
            None => formatter.write_str(&self.name),
        }
    }
}

impl Revision {
    /// Where nothing else is said.
    #[must_use]
    pub fn main() -> Self {
        Self("main".to_owned())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The commit that it is, if it is no branch or tag.
    #[must_use]
    pub fn commit(&self) -> Option<Commit> {
        self.0.parse().ok()
    }
}

impl FromStr for Revision {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |why| NameError { kind: "revision", name: text.to_owned(), why };
        safe_path(text).map_err(error)?;
        let sign = |sign: char| !sign.is_whitespace() && !"~^:?*[@".contains(sign);
        if !text.chars().all(sign) || text.split('/').any(|part| part.starts_with('.')) {
            return Err(error("no branch, tag or commit has such a name"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Commit {
    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Commit {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = text.len() == 40 && text.bytes().all(|sign| sign.is_ascii_hexdigit());
        match digits {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(NameError {
                kind: "commit",
                name: text.chars().take(80).collect(),
                why: "a commit has 40 hexadecimal digits",
            }),
        }
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl RepoPath {
    /// The path with slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether it is in no folder.
    #[must_use]
    pub fn is_at_root(&self) -> bool {
        !self.0.contains('/')
    }

    /// How many folders it is in.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.matches('/').count()
    }

    /// Where it is below a folder.
    #[must_use]
    pub fn below(&self, folder: &Path) -> PathBuf {
        self.0.split('/').fold(folder.to_owned(), |path, part| path.join(part))
    }
}

impl FromStr for RepoPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let error = |why| NameError { kind: "file", name: text.to_owned(), why };
        safe_path(text).map_err(error)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A part of an address, with every sign that could end it written as a number.
///
/// Source: RFC 3986, section 2.3 (unreserved characters).
pub(super) fn quoted(text: &str, kept: &str) -> String {
    let mut quoted = String::new();
    for byte in text.bytes() {
        let sign = char::from(byte);
        match sign.is_ascii_alphanumeric() || "-_.~".contains(sign) || kept.contains(sign) {
            true => quoted.push(sign),
            false => quoted += &format!("%{byte:02X}"),
        }
    }
    quoted
}

/// Whether a text can be a path below a folder on every system; why not, otherwise.
fn safe_path(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > LONGEST_PATH {
        return Err("it is empty or too long");
    }
    if text.chars().any(|sign| sign.is_control() || sign == '\\') {
        return Err("it has a backslash or a control character");
    }
    for part in text.split('/') {
        if part.is_empty() {
            return Err("it begins or ends with a slash, or has two in a row");
        }
        if part == "." || part == ".." || part.contains("..") && part.chars().all(|it| it == '.') {
            return Err("it leads out of its folder");
        }
        // A drive or a second stream of a file, on Windows.
        if part.len() > LONGEST_PART || part.contains(':') {
            return Err("a part of it is too long or has a colon");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_folders_and_back() {
        for (name, folder) in
            [("org/name-1.5_B", "models--org--name-1.5_B"), ("gpt2", "models--gpt2")]
        {
            let repository: Repository = name.parse().unwrap();
            assert_eq!(repository.folder(), folder);
            assert_eq!(Repository::of_folder(folder), Some(repository));
        }
        assert_eq!(Repository::of_folder("models--a--b--c"), None);
        assert_eq!(Repository::of_folder("datasets--a--b"), None);
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in [
            "", "/", "a/", "/a", "a/b/c", "../b", "a/..", "a/b..c", "a--b/c", "a/-b", "a/b.",
            "a/b c", "a\\b", "a/b\n", "a/é",
        ] {
            assert!(name.parse::<Repository>().is_err(), "{name:?}");
        }
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a\\..\\b",
            "a\0",
            "C:/x",
            "a/\n",
        ] {
            assert!(path.parse::<RepoPath>().is_err(), "{path:?}");
        }
        for revision in ["", "..", "a b", "/a", "a@b", ".hidden", "a/../b", "a:b"] {
            assert!(revision.parse::<Revision>().is_err(), "{revision:?}");
        }
        for commit in [
            "",
            "main",
            &"g".repeat(40),
            &"a".repeat(39),
            "../../../../../../../../../etc/passwd...",
        ] {
            assert!(commit.parse::<Commit>().is_err(), "{commit:?}");
        }
        for fine in ["config.json", "a/b/..c", "1_Pooling/config.json", "é.json"] {
            assert!(fine.parse::<RepoPath>().is_ok(), "{fine:?}");
        }
        assert!("refs/pr/1".parse::<Revision>().is_ok());
    }

    #[test]
    fn parts_of_addresses_are_quoted() {
        assert_eq!(quoted("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(quoted("a b/c?d#e%.json", "/"), "a%20b/c%3Fd%23e%25.json");
        assert_eq!(quoted("é", ""), "%C3%A9");
    }
}
