//! Files that only the holder of a key can read, in the format of age.
//!
//! [`Sealer`] writes one for some recipients, [`Opened`] reads it with an identity, and [`rewrap`] hands
//! it to other recipients without touching what is in it. What is made here is opened by `age -d -i
//! IDENTITY`, and the other way round, as long as the recipients are X25519 keys.
//!
//! ```text
//! file    = header | nonce of 16 bytes | chunk | chunk | ...
//! header  = "age-encryption.org/v1" | a stanza for each recipient, with the file key | a MAC of these
//! chunk   = ChaCha20-Poly1305 of 64 KiB, numbered, the last one marked as last
//! ```
//! A chunk is handed out once it is known to be whole; a file that ends early is told from one that
//! is complete. Source: C2SP, `age.md`, "age-encryption.org/v1".

mod header;
mod identity;
mod payload;
mod rewrapped;

use std::io;

use thiserror::Error;
use zeroize::Zeroizing;

pub use identity::{Identity, Recipient};
pub use payload::{Opened, Sealer, rewrap};
pub use rewrapped::rewrap_file;

/// The key of one file.
type FileKey = Zeroizing<[u8; 16]>;

/// Why a file is not sealed or not opened.
#[derive(Debug, Error)]
pub enum SealError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// It does not begin as such files do, or what it begins with is damaged.
    #[error("it is not sealed, or its first bytes are damaged: {0}")]
    Header(&'static str),
    /// It was sealed for others.
    #[error("it is sealed for other keys")]
    OtherKey,
    /// A text is no key.
    #[error("\"{0}\" is not the public key of a recipient: those begin with age1")]
    NoRecipient(String),
    /// A text is no secret key.
    #[error("it holds no secret key: those begin with AGE-SECRET-KEY-1")]
    NoIdentity,
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Io(error) => error,
            SealError::Random(_) => Self::other(error.to_string()),
            other => Self::new(io::ErrorKind::InvalidData, other.to_string()),
        }
    }
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, SealError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(SealError::Random)?;
    Ok(bytes)
}

/// HKDF with SHA-256 (RFC 5869): a key for one purpose.
fn derived(secret: &[u8], salt: &[u8], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // It fails for more than 8,160 bytes alone.
    let _ = hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), secret).expand(purpose, &mut *key);
    key
}

#[cfg(test)]
mod tests;
