//! The disk that holds a folder: its size, and what an ordinary user may still write.
//!
//! Source: POSIX `statvfs`; sizes are counted in fragments (`f_frsize`).

use std::path::{Path, PathBuf};

use nearside_units::{Bytes, Known};

/// The file system that holds a folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// The folder that was asked for.
    pub path: PathBuf,
    /// Size of the file system.
    pub total: Known<Bytes>,
    /// What a user without privileges may still write.
    pub free: Known<Bytes>,
}

/// The disk below a folder; every path that exists will do.
#[must_use]
pub fn disk(path: &Path) -> Disk {
    let (total, free) = match sizes(path) {
        Ok(sizes) => sizes,
        Err(why) => {
            let why = format!("{}: {why}", path.display());
            (Known::unknown(why.as_str()), Known::unknown(why))
        }
    };
    Disk { path: path.to_path_buf(), total, free }
}

#[cfg(unix)]
fn sizes(path: &Path) -> Result<(Known<Bytes>, Known<Bytes>), String> {
    let stat = rustix::fs::statvfs(path).map_err(|error| error.kind().to_string())?;
    let size = |fragments: u64| {
        let bytes = fragments.checked_mul(stat.f_frsize).map(Bytes::new);
        Known::from_option(bytes, format!("{}: size past 2^64 bytes", path.display()))
    };
    Ok((size(stat.f_blocks), size(stat.f_bavail)))
}

#[cfg(not(unix))]
fn sizes(_path: &Path) -> Result<(Known<Bytes>, Known<Bytes>), String> {
    Err("disk sizes are read on Unix systems only".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_is_free_than_there_is() {
        let here = disk(Path::new(env!("CARGO_MANIFEST_DIR")));
        let (total, free) = (here.total.value().unwrap(), here.free.value().unwrap());
        assert!(total > Bytes::ZERO && free <= total, "{free} of {total}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_unknown_not_empty() {
        let nowhere = disk(Path::new("/nonexistent"));
        assert_eq!(nowhere.free.why(), Some("/nonexistent: entity not found"));
    }
}
