//! Names of content: BLAKE3 of its bytes.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The BLAKE3 digest of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not 64 hexadecimal digits")]
pub struct NoDigest(String);

impl Digest {
    /// The digest of some bytes.
    ///
    /// ```
    /// use nearside_store::Digest;
    /// let digest = Digest::of(b"abc");
    /// assert!(digest.to_string().starts_with("6437b3ac38465133"));
    /// assert_eq!(digest.to_string().parse(), Ok(digest));
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its first twelve digits, enough for people.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hash = blake3::Hash::from_hex(text).ok();
        hash.map(|hash| Self(*hash.as_bytes())).ok_or_else(|| NoDigest(text.to_owned()))
    }
}

/// A digest of several values, each with its length, so that none can run into the next.
///
/// ```
/// use nearside_store::Fields;
/// let split = |parts: [&str; 2]| Fields::default().text(parts[0]).text(parts[1]).digest();
/// assert_ne!(split(["ab", "c"]), split(["a", "bc"]));
/// ```
#[derive(Clone, Default)]
pub struct Fields(blake3::Hasher);

impl Fields {
    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a digest.
    #[must_use]
    pub fn part(self, digest: &Digest) -> Self {
        self.bytes(digest.as_bytes())
    }

    /// The digest of all of them.
    #[must_use]
    pub fn digest(self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}
