//! A signed note of how much was recorded, and of the hash that stands for all of it.
//!
//! ```text
//! nearside/PROJECT
//! 1234
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//!
//! - nearside/PROJECT Az3griZ3...    (the dash is an em dash)
//! ```
//! The lines are origin, number of entries, root of their tree in base 64; then an empty line, and who signed:
//! a name, and in base 64 the first four bytes of SHA-256(name | newline | 1 | public key) with an Ed25519 signature
//! of everything up to the empty line. Sources: C2SP `tlog-checkpoint.md` and `signed-note.md`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{Distrust, Hash, Signature, Signer, Trust};

/// The most that is read of a note.
const MOST: usize = 64 << 10;

/// How much was recorded, and the hash that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose record it is.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

/// Why a text is no checkpoint that can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// It is no signed note.
    #[error("no signed checkpoint: {0}")]
    Form(&'static str),
    /// Nobody that was asked about signed it.
    #[error("it is not signed by the key {0}")]
    Unsigned(Hash),
    /// Its signature is not believed.
    #[error(transparent)]
    Distrust(#[from] Distrust),
}

impl Checkpoint {
    /// What is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// Signs it: the note, to be kept where who writes the record cannot change it.
    #[must_use]
    pub fn seal(&self, signer: &dyn Signer) -> String {
        let text = self.text();
        let signature = signer.sign(text.as_bytes());
        let signed = [&key_id(&self.origin, signer.public())[..], &signature].concat();
        format!("{text}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(signed))
    }

    /// What a note says, if a key signed it.
    ///
    /// # Errors
    /// When it is no such note, or the key did not sign it or is not believed.
    pub fn open(note: &str, key: Hash, trust: &dyn Trust) -> Result<Self, CheckpointError> {
        let form = CheckpointError::Form;
        if note.len() > MOST {
            return Err(form("it is too long"));
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(form("it has no signature"))?;
        let checkpoint = Self::read(text)?;
        let wanted = key_id(&checkpoint.origin, key);
        for line in signatures.lines() {
            let line = line.strip_prefix("\u{2014} ").ok_or(form("a signature's line"))?;
            let (name, signed) = line.rsplit_once(' ').ok_or(form("a signature's line"))?;
            let signed = STANDARD.decode(signed).map_err(|_other| form("no base 64"))?;
            let Some((id, signature)) = signed.split_first_chunk::<4>() else { continue };
            let Ok(signature) = Signature::try_from(signature) else { continue };
            if name == checkpoint.origin && *id == wanted {
                trust.verify(key, format!("{text}\n").as_bytes(), &signature)?;
                return Ok(checkpoint);
            }
        }
        Err(CheckpointError::Unsigned(key))
    }

    fn read(text: &str) -> Result<Self, CheckpointError> {
        let form = CheckpointError::Form;
        let mut lines = text.split('\n');
        let mut next = || lines.next().filter(|line| !line.is_empty());
        let origin = next().ok_or(form("it has no origin"))?.to_owned();
        let size = next().ok_or(form("it has no size"))?;
        // One way of writing a number alone is right.
        let number: u64 = size.parse().map_err(|_other| form("its size is no number"))?;
        if number.to_string() != size {
            return Err(form("its size is no number"));
        }
        let root = next().and_then(|root| STANDARD.decode(root).ok());
        let root = root.and_then(|root| root.try_into().ok()).ok_or(form("its root is no hash"))?;
        Ok(Self { origin, size: number, root: Hash(root) })
    }
}

/// What a key is called in notes.
fn key_id(name: &str, key: Hash) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', 1]).chain_update(key.0);
    let hash: [u8; 32] = hash.finalize().into();
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::tests::Toy;

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "nearside/test".to_owned(), size: 17, root: Hash([9; 32]) }
    }

    #[test]
    fn a_note_says_what_was_signed() {
        let toy = Toy(7);
        let note = checkpoint().seal(&toy);
        let lines: Vec<&str> = note.split('\n').collect();
        assert_eq!(lines[..2], ["nearside/test", "17"]);
        assert_eq!(lines[2], "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=");
        assert_eq!((lines[3], lines.len()), ("", 6));
        assert!(lines[4].starts_with("\u{2014} nearside/test "));
        assert_eq!(Checkpoint::open(&note, toy.public(), &toy), Ok(checkpoint()));
        let other = Toy(8);
        let unsigned = Checkpoint::open(&note, other.public(), &other);
        assert_eq!(unsigned, Err(CheckpointError::Unsigned(other.public())));
        // Somebody else may sign it, too.
        let both = format!("{note}{}\n", checkpoint().seal(&other).lines().last().unwrap());
        assert_eq!(Checkpoint::open(&both, toy.public(), &toy), Ok(checkpoint()));
        assert_eq!(Checkpoint::open(&both, other.public(), &other), Ok(checkpoint()));
    }

    #[test]
    fn every_sign_of_a_note_counts() {
        let toy = Toy(7);
        let note = checkpoint().seal(&toy);
        for (place, sign) in note.char_indices() {
            for other in ['0', 'A', '\n', ' '] {
                if sign != other {
                    let mut changed = note.clone();
                    changed.replace_range(place..place + sign.len_utf8(), &other.to_string());
                    let opened = Checkpoint::open(&changed, toy.public(), &toy);
                    assert!(opened.is_err(), "{place}: {changed:?}");
                }
            }
            assert!(
                Checkpoint::open(&note[..place], toy.public(), &toy).is_err()
                    || place + 1 == note.len()
            );
        }
        for text in ["", "\n\n", "a\n\n\u{2014} a b\n", "a\n01\nAA==\n\n\u{2014} a b"] {
            assert!(Checkpoint::open(text, toy.public(), &toy).is_err());
        }
    }
}
