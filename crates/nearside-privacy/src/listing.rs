//! The digests of an artifact, as other programs can make them too.
//!
//! A file's are those of its bytes, as `b3sum` and `sha256sum` print them. A folder's are those of what
//! these print of its files: a line `DIGEST  PATH` for each, in the order of the bytes of the paths. Of a
//! link, `DIGEST` is that of the text that it leads to, and the line ends with ` ->`.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nearside_policy::{Digests, Hash};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Bytes that are read at a time.
const PIECE: usize = 256 << 10;

/// Why an artifact has no digests.
#[derive(Debug, Error)]
pub enum ListingError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A name that a line cannot hold.
    #[error("{} has a name that no list can hold", path.display())]
    Name {
        /// Whose.
        path: PathBuf,
    },
    /// No file, folder or link.
    #[error("{} is no file: it holds nothing that lasts", path.display())]
    Special {
        /// What.
        path: PathBuf,
    },
}

/// Both hashes of what is fed to them.
#[derive(Default)]
struct Both {
    blake3: blake3::Hasher,
    sha256: Sha256,
}

impl Both {
    fn add(&mut self, bytes: &[u8]) {
        self.blake3.update(bytes);
        self.sha256.update(bytes);
    }

    fn digests(self) -> Digests {
        let blake3 = Hash(*self.blake3.finalize().as_bytes());
        Digests { blake3, sha256: Hash(self.sha256.finalize().into()) }
    }
}

/// The digests of a file or folder.
///
/// # Errors
/// When it is not there or cannot be read in full.
pub fn digests(path: &Path) -> Result<Digests, ListingError> {
    let metadata = fs::metadata(path).map_err(failed(path))?;
    if !metadata.is_dir() {
        return of_file(path, &metadata);
    }
    let mut found = Vec::new();
    add(path, "", &mut found)?;
    found.sort();
    let (mut one, mut other) = (blake3::Hasher::new(), Sha256::new());
    for (name, path) in found {
        let metadata = fs::symlink_metadata(&path).map_err(failed(&path))?;
        let link = metadata.is_symlink();
        let of = if link { of_link(&path)? } else { of_file(&path, &metadata)? };
        let end = if link { " ->" } else { "" };
        one.update(format!("{}  {name}{end}\n", of.blake3).as_bytes());
        other.update(format!("{}  {name}{end}\n", of.sha256).as_bytes());
    }
    let blake3 = Hash(*one.finalize().as_bytes());
    Ok(Digests { blake3, sha256: Hash(other.finalize().into()) })
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ListingError {
    let path = path.to_path_buf();
    move |source| ListingError::Io { path, source }
}

/// Everything below a folder that is no folder.
fn add(folder: &Path, above: &str, found: &mut Vec<(String, PathBuf)>) -> Result<(), ListingError> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let entry = entry.map_err(failed(folder))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_str().filter(|name| !name.contains(['\n', '\r', '\\']));
        let name = name.ok_or_else(|| ListingError::Name { path: path.clone() })?;
        match entry.file_type().map_err(failed(&path))?.is_dir() {
            true => add(&path, &format!("{above}{name}/"), found)?,
            false => found.push((format!("{above}{name}"), path)),
        }
    }
    Ok(())
}

fn of_link(path: &Path) -> Result<Digests, ListingError> {
    let target = fs::read_link(path).map_err(failed(path))?;
    let mut both = Both::default();
    both.add(target.as_os_str().as_encoded_bytes());
    Ok(both.digests())
}

fn of_file(path: &Path, metadata: &Metadata) -> Result<Digests, ListingError> {
    if !metadata.is_file() {
        return Err(ListingError::Special { path: path.to_path_buf() });
    }
    let mut file = File::open(path).map_err(failed(path))?;
    let mut both = Both::default();
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece).map_err(failed(path))?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        both.add(bytes);
    }
    Ok(both.digests())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_other_programs() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("b");
        fs::write(&file, "abc").unwrap();
        let of_file = digests(&file).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_file.sha256.to_string(), abc);
        assert!(of_file.blake3.to_string().starts_with("6437b3ac38465133"));
        // find . -type f | LC_ALL=C sort | cut -c3- | xargs sha256sum | sha256sum
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/c"), "abc").unwrap();
        let listed = format!("{abc}  a/c\n{abc}  b\n");
        let of_folder = digests(folder.path()).unwrap();
        assert_eq!(of_folder.sha256.0, <[u8; 32]>::from(Sha256::digest(listed)));
    }

    #[test]
    fn every_byte_name_and_link_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut seen = vec![digests(folder.path()).unwrap()];
        let mut changed = |what: &str| {
            let now = digests(folder.path()).unwrap();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(path("one"), "1").unwrap();
        changed("a file");
        fs::write(path("one"), "2").unwrap();
        changed("a byte");
        fs::rename(path("one"), path("two")).unwrap();
        changed("a name");
        std::os::unix::fs::symlink("two", path("link")).unwrap();
        changed("a link");
        fs::remove_file(path("link")).unwrap();
        std::os::unix::fs::symlink("one", path("link")).unwrap();
        changed("where a link leads");
        fs::write(path("a\nb"), "").unwrap();
        assert!(matches!(digests(folder.path()), Err(ListingError::Name { .. })));
        assert!(matches!(digests(&path("none")), Err(ListingError::Io { .. })));
        assert!(matches!(digests(Path::new("/dev/null")), Err(ListingError::Special { .. })));
    }
}
