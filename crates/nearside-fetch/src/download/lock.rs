//! One at a time: who holds the lock of a file makes it, others wait.
//!
//! The lock is the system's (`flock` on Unix), so it ends with its process, and it is the one that other programs take
//! on the same file. Some of them remove the file when they are done: a lock counts only if the file that is
//! locked is still the one of that name.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::error::FetchError;

/// Time between two looks at a lock that somebody else holds.
const PAUSE: Duration = Duration::from_millis(100);

/// A lock that is held until this is dropped.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; asks `go_on` whether to wait while somebody else holds it.
    pub(super) fn wait(
        path: &Path,
        go_on: &mut dyn FnMut() -> Result<(), FetchError>,
    ) -> Result<Self, FetchError> {
        let failed = |reason: String| FetchError::File { path: path.to_owned(), reason };
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(path);
            let file = file.map_err(|error| failed(error.to_string()))?;
            match file.try_lock() {
                Ok(()) if is_of(&file, path) => return Ok(Self { _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    go_on()?;
                    std::thread::sleep(PAUSE);
                }
                // A disk that knows no locks: the digest at the end is what keeps files whole.
                Err(TryLockError::Error(error))
                    if error.kind() == std::io::ErrorKind::Unsupported =>
                {
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error.to_string())),
            }
        }
    }
}

/// Whether an open file is the one that now has that name.
#[cfg(unix)]
fn is_of(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |of: fs::Metadata| (of.dev(), of.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(file), Ok(named)) => identity(file) == identity(named),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_of(_file: &File, path: &Path) -> bool {
    fs::metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_and_may_give_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = Lock::wait(&path, &mut || Ok(())).unwrap();
        let mut looks = 0;
        let given_up = Lock::wait(&path, &mut || {
            looks += 1;
            match looks {
                3 => Err(FetchError::Interrupted { url: String::new() }),
                _ => Ok(()),
            }
        });
        assert!(given_up.is_err());
        assert_eq!(looks, 3);
        drop(held);
        assert!(
            Lock::wait(&path, &mut || Err(FetchError::Interrupted { url: String::new() })).is_ok()
        );
    }

    #[test]
    fn a_lock_of_a_file_that_was_removed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let held = Lock::wait(&path, &mut || Ok(())).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!is_of(&held._file, &path));
    }
}
