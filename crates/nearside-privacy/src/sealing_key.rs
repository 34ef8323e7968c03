//! The key that a project's data is sealed with where it lies: in the cache, in logs, in the vault.
//!
//! It is a file of the person alone (mode 0600), in the form of `age-keygen`, so that `age -d -i FILE` opens
//! what is sealed here, should nearside ever be gone. Whoever loses it loses what is sealed.

use std::path::Path;

use nearside_store::sealed::Identity;

pub use crate::secret_file::KeyError;
use crate::secret_file::{Form, SecretFile};

/// The key of a file, which is made where there is none.
///
/// # Errors
/// When it cannot be read or made, holds no key, or somebody else can read it.
pub fn open(file: &Path) -> Result<Identity, KeyError> {
    Ok(Identity::of(&*kept_in(file).open()?))
}

/// The key of a file, if it is there.
///
/// # Errors
/// When it cannot be read, holds no key, or somebody else can read it.
pub fn read(file: &Path) -> Result<Option<Identity>, KeyError> {
    Ok(kept_in(file).read()?.map(|secret| Identity::of(&secret)))
}

const fn kept_in(path: &Path) -> SecretFile<'_> {
    SecretFile { path, form: Form::Age }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_as_age_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys/project.age");
        assert_eq!(read(&file).unwrap(), None);
        let made = open(&file).unwrap();
        assert_eq!(read(&file).unwrap(), Some(made.clone()));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        let (public, secret) = text.split_once('\n').unwrap();
        assert_eq!(public, format!("# public key: {}", made.recipient()));
        assert!(secret.starts_with("AGE-SECRET-KEY-1"));
        fs::write(&file, "# nothing\n").unwrap();
        assert!(matches!(read(&file), Err(KeyError::NoKey { .. })));
    }
}
