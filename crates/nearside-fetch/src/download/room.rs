//! Whether the disk has room for what is to come. Source: POSIX `statvfs`.

use std::path::Path;

use crate::error::FetchError;

/// An error where fewer bytes are free than are needed.
pub(super) fn check(file: &Path, needed: u64) -> Result<(), FetchError> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    match left(folder) {
        Some(left) if left < needed => {
            Err(FetchError::Room { folder: folder.to_owned(), needed, left })
        }
        _ => Ok(()),
    }
}

/// Bytes that are free to us on the disk of a folder, where the system tells.
#[cfg(unix)]
#[must_use]
pub fn left(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Bytes that are free to us on the disk of a folder, where the system tells.
#[cfg(not(unix))]
#[must_use]
pub fn left(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_told_with_both_sizes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        check(&file, 1).unwrap();
        let error = check(&file, u64::MAX).unwrap_err().to_string();
        assert!(error.contains("18446744073709551615 bytes are needed"), "{error}");
        assert!(error.contains("are free"), "{error}");
    }
}
