//! What a certificate or a decision is about: an artifact by its name and its digests.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The digest of some content, 256 bits of whichever hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// A text that is no such digest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is not 64 hexadecimal digits")]
pub struct NoHash(pub String);

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let refused = || NoHash(text.to_owned());
        let digit =
            |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 64 {
            return Err(refused());
        }
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let [high, low] = pair else { return Err(refused()) };
            let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(refused()) };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

/// Two digests of the same content. The first is fast and the project's own; the second is what
/// every other program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// BLAKE3.
    pub blake3: Hash,
    /// SHA-256.
    pub sha256: Hash,
}

/// One artifact: a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its path in the project. It is for people: what counts is the content.
    pub name: String,
    /// Its content.
    pub digests: Digests,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        let hash = Hash(std::array::from_fn(|at| at as u8 * 8));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let accented = format!("{}é", "0".repeat(62));
        for wrong in ["", "00", &"0".repeat(63), &"g".repeat(64), &accented] {
            assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
        }
    }
}
