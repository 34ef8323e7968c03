//! The two halves of a key: who can open a file, and for whom it is sealed.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use super::{SealError, random};

/// What texts of recipients begin with, before the `1`.
const RECIPIENT: Hrp = Hrp::parse_unchecked("age");
/// What texts of identities begin with, before the `1`; they are written in capitals.
const IDENTITY: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// Whom a file is sealed for: an X25519 public key. Its text begins with `age1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient(pub(super) [u8; 32]);

/// The secret half; it is erased from memory when it is dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Zeroizing<[u8; 32]>);

impl Identity {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new() -> Result<Self, SealError> {
        Ok(Self(random()?))
    }

    /// The one of these bytes.
    #[must_use]
    pub fn of(secret: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*secret))
    }

    /// Who is able to open with it.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient(self.exchange(&X25519_BASEPOINT_BYTES))
    }

    /// Its bytes.
    #[must_use]
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// Its text, `AGE-SECRET-KEY-1...`, as `age-keygen` writes it.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(written(IDENTITY, &self.0));
        Zeroizing::new(text.to_ascii_uppercase())
    }

    /// The secret that it and a public key share.
    pub(super) fn exchange(&self, public: &[u8; 32]) -> [u8; 32] {
        x25519(*self.0, *public)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({})", self.recipient())
    }
}

impl FromStr for Identity {
    type Err = SealError;
    fn from_str(text: &str) -> Result<Self, SealError> {
        read(IDENTITY, text).map(|secret| Self(Zeroizing::new(secret))).ok_or(SealError::NoIdentity)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&written(RECIPIENT, &self.0))
    }
}

impl FromStr for Recipient {
    type Err = SealError;
    fn from_str(text: &str) -> Result<Self, SealError> {
        read(RECIPIENT, text).map(Self).ok_or_else(|| SealError::NoRecipient(text.to_owned()))
    }
}

fn written(prefix: Hrp, bytes: &[u8; 32]) -> String {
    // It fails for texts longer than any key's.
    bech32::encode::<Bech32>(prefix, bytes).unwrap_or_default()
}

fn read(prefix: Hrp, text: &str) -> Option<[u8; 32]> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    let bytes = Zeroizing::new(checked.byte_iter().collect::<Vec<u8>>());
    (checked.hrp() == prefix).then(|| bytes.as_slice().try_into().ok()).flatten()
}
