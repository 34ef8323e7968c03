//! Digests that name files of a hub: SHA-256 of large ones, and git's name for small ones.
//!
//! Git names a blob by `SHA-1("blob " + length + NUL + content)`. SHA-1 is broken against those who make two files
//! of one name; here it is what the hub has for small files, whose length is known as well.
//!
//! Source: Git Internals, "Object Storage"; the entity tags of the Hugging Face Hub.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What a file's content is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileDigest {
    /// SHA-256 of the content.
    Sha256([u8; 32]),
    /// Git's name of the content as a blob.
    GitBlob([u8; 20]),
}

/// Text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("neither 64 hexadecimal digits (SHA-256) nor 40 (git)")]
pub struct NoFileDigest;

impl FromStr for FileDigest {
    type Err = NoFileDigest;

    fn from_str(text: &str) -> Result<Self, NoFileDigest> {
        match text.len() {
            64 => digits(text).map(Self::Sha256),
            40 => digits(text).map(Self::GitBlob),
            _ => None,
        }
        .ok_or(NoFileDigest)
    }
}

/// Lower-case hexadecimal digits.
impl fmt::Display for FileDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: &[u8] = match self {
            Self::Sha256(bytes) => bytes,
            Self::GitBlob(bytes) => bytes,
        };
        bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A digest that is being made while the bytes come.
pub(crate) enum Running {
    Sha256(Sha256),
    GitBlob(Sha1),
}

impl Running {
    /// Of the kind of that digest, for content of so many bytes.
    pub(crate) fn new(like: FileDigest, length: u64) -> Self {
        match like {
            FileDigest::Sha256(_) => Self::Sha256(Sha256::new()),
            FileDigest::GitBlob(_) => {
                let mut begin = format!("blob {length}");
                begin.write_char('\0').unwrap_or_default();
                Self::GitBlob(Sha1::new_with_prefix(begin))
            }
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest) => digest.update(bytes),
            Self::GitBlob(digest) => digest.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> FileDigest {
        match self {
            Self::Sha256(digest) => FileDigest::Sha256(digest.finalize().into()),
            Self::GitBlob(digest) => FileDigest::GitBlob(digest.finalize().into()),
        }
    }
}

fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(content: &[u8], like: &str) -> String {
        let mut running = Running::new(like.parse().unwrap(), content.len() as u64);
        content.chunks(3).for_each(|chunk| running.update(chunk));
        running.finish().to_string()
    }

    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        // printf 'hello\n' | git hash-object --stdin; printf 'hello\n' | sha256sum
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        for known in [git, sha256] {
            assert_eq!(digest_of(b"hello\n", known), known);
        }
        // The empty file.
        let empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert_eq!(digest_of(b"", empty), empty);
    }

    #[test]
    fn what_is_no_digest_is_told() {
        for text in [
            "",
            "xyz",
            &"g".repeat(40),
            &"a".repeat(41),
            "../../../../../../../../../../etc/passwd",
        ] {
            assert_eq!(text.parse::<FileDigest>(), Err(NoFileDigest), "{text}");
        }
        let upper = "CE013625030BA8DBA906F756967F9E9CA394464A";
        assert_eq!(upper.parse::<FileDigest>().unwrap().to_string(), upper.to_lowercase());
    }
}
