//! The key pair that signs a project's certificates, and the public keys that are believed.
//!
//! The secret half lies in the person's own folder, in a file that only they can read; one that others
//! can read is refused. It is erased from memory when it is dropped. The caller says where the
//! file is, and keeps the public halves where others find them.

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use nearside_policy::{Distrust, Hash, Signature, Signer, Trust};

pub use crate::secret_file::KeyError;
use crate::secret_file::{Form, SecretFile};

/// What a key file begins with.
const HEAD: &str = "nearside-key-1 ed25519 ";

/// A key pair. What is shown of it is its public half.
pub struct Key(SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Key({})", self.public())
    }
}

impl Key {
    /// The key of a file, which is made where there is none.
    ///
    /// # Errors
    /// When it cannot be read or made, holds no key, or somebody else can read it.
    pub fn open(file: &Path) -> Result<Self, KeyError> {
        Ok(Self(SigningKey::from_bytes(&*kept_in(file).open()?)))
    }

    /// A new key in place of the one of a file, whose secret half is gone then.
    ///
    /// # Errors
    /// When it cannot be made or written; the old one is still there then.
    pub fn renew(file: &Path) -> Result<Self, KeyError> {
        Ok(Self(SigningKey::from_bytes(&*kept_in(file).renew()?)))
    }
}

const fn kept_in(file: &Path) -> SecretFile<'_> {
    SecretFile { path: file, form: Form::Hexadecimal(HEAD) }
}

impl Signer for Key {
    fn public(&self) -> Hash {
        Hash(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

/// The public keys of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    /// Why each was revoked, where it was.
    keys: BTreeMap<Hash, Option<String>>,
}

impl Keyring {
    /// Believes a key from now on, unless it was revoked.
    pub fn add(&mut self, key: Hash) {
        self.keys.entry(key).or_default();
    }

    /// Believes a key no more, whatever is said of it later.
    pub fn revoke(&mut self, key: Hash, reason: String) {
        self.keys.insert(key, Some(reason));
    }

    /// Each key, with why it was revoked if it was.
    pub fn keys(&self) -> impl Iterator<Item = (Hash, Option<&str>)> {
        self.keys.iter().map(|(key, revoked)| (*key, revoked.as_deref()))
    }

    /// Whether a key is believed.
    #[must_use]
    pub fn believes(&self, key: Hash) -> bool {
        self.keys.get(&key).is_some_and(Option::is_none)
    }
}

impl Trust for Keyring {
    fn verify(&self, key: Hash, message: &[u8], signature: &Signature) -> Result<(), Distrust> {
        match self.keys.get(&key) {
            None => return Err(Distrust::Unknown),
            Some(Some(reason)) => return Err(Distrust::Revoked(reason.clone())),
            Some(None) => {}
        }
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        // Strict: no signature of a weak key, and none that could be another one's too.
        let verified =
            VerifyingKey::from_bytes(&key.0).and_then(|key| key.verify_strict(message, &signature));
        verified.map_err(|_wrong| Distrust::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    /// A folder of its own for each test, gone when the test is.
    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_key_is_born_once_and_for_its_owner_alone() {
        let folder = folder();
        let file = folder.path().join("keys/project.key");
        let key = Key::open(&file).unwrap();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(Key::open(&file).unwrap().public(), key.public());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert!(!format!("{key:?}").contains(&fs::read_to_string(&file).unwrap()[HEAD.len()..30]));
    }

    #[test]
    fn many_who_come_at_once_get_the_same_key() {
        let folder = folder();
        let file = folder.path().join("project.key");
        let open = || Key::open(&file).unwrap().public();
        let found = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(found.iter().all(|key| *key == open()), "{found:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = folder();
        let file = folder.path().join("project.key");
        Key::open(&file).unwrap();
        for open in [0o640, 0o604, 0o620] {
            fs::set_permissions(&file, fs::Permissions::from_mode(open)).unwrap();
            let error = Key::open(&file).unwrap_err();
            assert!(
                matches!(error, KeyError::OpenToOthers { mode, .. } if mode == open),
                "{error}"
            );
        }
    }

    #[test]
    fn what_holds_no_key_is_not_written_over() {
        let folder = folder();
        let file = folder.path().join("project.key");
        for text in ["", "secret", &format!("{HEAD}00"), &format!("{HEAD}{}", "x".repeat(64))] {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(Key::open(&file), Err(KeyError::NoKey { .. })), "{text}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn signatures_are_believed_until_their_key_is_revoked() {
        let folder = folder();
        let file = folder.path().join("project.key");
        let old = Key::open(&file).unwrap();
        let signed = old.sign(b"message");
        let new = Key::renew(&file).unwrap();
        assert_eq!(Key::open(&file).unwrap().public(), new.public());
        assert_ne!(new.public(), old.public());
        let mut ring = Keyring::default();
        let verify = |ring: &Keyring, message: &[u8], signature: Signature| {
            ring.verify(old.public(), message, &signature)
        };
        assert_eq!(verify(&ring, b"message", signed), Err(Distrust::Unknown));
        ring.add(old.public());
        ring.add(new.public());
        assert_eq!(verify(&ring, b"message", signed), Ok(()));
        assert_eq!(verify(&ring, b"massage", signed), Err(Distrust::Signature));
        assert_eq!(verify(&ring, b"message", new.sign(b"message")), Err(Distrust::Signature));
        for bit in 0..512 {
            let mut flipped = signed;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&ring, b"message", flipped), Err(Distrust::Signature), "{bit}");
        }
        ring.revoke(old.public(), "stolen".to_owned());
        ring.add(old.public());
        let revoked = Err(Distrust::Revoked("stolen".to_owned()));
        assert_eq!(verify(&ring, b"message", signed), revoked);
        assert_eq!(ring.keys().filter(|(_, revoked)| revoked.is_none()).count(), 1);
    }

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn a_signature_of_the_standard_is_believed() {
        let folder = folder();
        let file = folder.path().join("project.key");
        let secret = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        fs::write(&file, format!("{HEAD}{secret}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let key = Key::open(&file).unwrap();
        assert_eq!(key.public().to_string(), public);
        let signed = key.sign(&[0x72]);
        let digits: String = signed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digits, signature);
    }
}
