//! The key of a project, which makes pseudonyms: whoever has it can tell whether a value is behind a
//! pseudonym, so pseudonymised data is personal as long as it exists (GDPR article 4 (5)).
//!
//! It is a file of the person alone (mode 0600), made when it is first needed. Each purpose has a key
//! of its own, derived from it (BLAKE3 in its mode for deriving keys).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nearside_store::atomic;

use super::AnonymizeError;

/// The first line of a key file.
const HEAD: &str = "nearside-pseudonym-key-1";
/// The most bytes of a key file.
const MOST: u64 = 4096;

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
        match Self::load(path)? {
            Some(key) => Ok(key),
            None => Self::make(path),
        }
    }

    /// Reads the key of a file, if it is there.
    ///
    /// # Errors
    /// A file that cannot be read, that others may read, or that holds no key.
    pub fn load(path: &Path) -> Result<Option<Self>, AnonymizeError> {
        let wrong =
            |why: &str| AnonymizeError::Key { path: path.to_path_buf(), why: why.to_owned() };
        let mut file = match fs::File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(AnonymizeError::file("read", path))?,
        };
        let found = file.metadata().map_err(AnonymizeError::file("read", path))?;
        if found.mode() & 0o077 != 0 {
            return Err(wrong("may be read by others: chmod 600"));
        }
        let mut text = String::new();
        let read = (&mut file).take(MOST).read_to_string(&mut text);
        read.map_err(AnonymizeError::file("read", path))?;
        let digits = text.strip_prefix(HEAD).map(str::trim);
        let bytes = digits.and_then(from_hexadecimal).ok_or_else(|| wrong("holds no key"))?;
        Ok(Some(Self(bytes)))
    }

    /// Makes a key; of two who do so at once, both get that of the first.
    fn make(path: &Path) -> Result<Self, AnonymizeError> {
        let failed = || AnonymizeError::file("write", path);
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| AnonymizeError::Key {
            path: path.to_path_buf(),
            why: format!("cannot be made: {error}"),
        })?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed())?;
        }
        let temporary = atomic::beside(path);
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
        let linked = made
            .and_then(|mut file| {
                file.write_all(format!("{HEAD}\n{digits}\n").as_bytes())?;
                file.sync_all()
            })
            // Unlike a rename, a link takes no other file's place.
            .and_then(|()| fs::hard_link(&temporary, path));
        let _ = fs::remove_file(&temporary);
        match linked {
            Ok(()) => Ok(Self(bytes)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let missing = || std::io::Error::from(ErrorKind::NotFound);
                Self::load(path)?.ok_or_else(missing).map_err(failed())
            }
            Err(error) => Err(failed()(error)),
        }
    }

    /// Eight digits that tell keys apart and say nothing of what they are.
    #[must_use]
    pub fn name(&self) -> String {
        let digest = self.derived("nearside 2026-11-27 name of a pseudonym key");
        digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A key for one purpose.
    pub(super) fn derived(&self, purpose: &'static str) -> [u8; 32] {
        blake3::derive_key(purpose, &self.0)
    }
}

fn from_hexadecimal(digits: &str) -> Option<[u8; 32]> {
    let hash = blake3::Hash::from_hex(digits).ok()?;
    Some(*hash.as_bytes())
}

#[cfg(test)]
mod tests {
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
