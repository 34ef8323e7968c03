//! The key of a project, which makes pseudonyms: whoever has it can tell whether a value is behind a
//! pseudonym, so pseudonymised data is personal as long as it exists (GDPR article 4 (5)).
//!
//! It is a file of the person alone (mode 0600), made when it is first needed. Each purpose has a key
//! of its own, derived from it (BLAKE3 in its mode for deriving keys).

use std::fmt;
use std::path::Path;

use super::AnonymizeError;
use crate::secret_file::{Form, SecretFile};

/// What a key file begins with.
const HEAD: &str = "nearside-pseudonym-key-1\n";

/// The secret of a project. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKey({})", self.name())
    }
}

impl SecretKey {
    /// A key of these bytes.
    #[must_use]
    pub const fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the key of a file; makes one where there is none yet.
    ///
    /// # Errors
    /// A file that cannot be read or written, that others may read, or that holds no key.
    pub fn load_or_make(path: &Path) -> Result<Self, AnonymizeError> {
        Ok(Self(*kept_in(path).open()?))
    }

    /// Reads the key of a file, if it is there.
    ///
    /// # Errors
    /// A file that cannot be read, that others may read, or that holds no key.
    pub fn load(path: &Path) -> Result<Option<Self>, AnonymizeError> {
        Ok(kept_in(path).read()?.map(|secret| Self(*secret)))
    }

    /// Eight digits that tell keys apart and say nothing of what they are.
    #[must_use]
    pub fn name(&self) -> String {
        let digest = self.derived("nearside 2026-11-27 name of a pseudonym key");
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A digest of something that nobody can guess without the key, in hexadecimal digits.
    #[must_use]
    pub fn digest_of(&self, text: &[u8]) -> String {
        let key = self.derived("nearside 2026-11-27 digests of erased subjects");
        blake3::keyed_hash(&key, text).to_string()
    }

    /// A key for one purpose.
    pub(super) fn derived(&self, purpose: &'static str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

const fn kept_in(path: &Path) -> SecretFile<'_> {
    SecretFile { path, form: Form::Hexadecimal(HEAD) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/project");
        assert_eq!(SecretKey::load(&path).unwrap(), None);
        let made = SecretKey::load_or_make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SecretKey::load_or_make(&path).unwrap(), made);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let other = SecretKey::load_or_make(&folder.path().join("keys/other")).unwrap();
        assert_ne!(other, made);
        assert!(!format!("{made:?}").contains(&fs::read_to_string(&path).unwrap()[25..40]));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(SecretKey::load(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "something else").unwrap();
        assert!(SecretKey::load(&path).unwrap_err().to_string().contains("holds no key"));
    }

    #[test]
    fn whoever_makes_a_key_at_the_same_time_gets_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let make = || SecretKey::load_or_make(&path).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }
}
