//! What a file or folder holds: its entries in the order of their paths, and one digest of all.

use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nearside_units::Bytes;
use rayon::prelude::*;

use crate::{Digest, Fields, Memo, StoreError};

/// From this size on a file is read by several threads.
const LARGE: u64 = 1 << 20;

/// What a file, folder or link holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The digest of all entries.
    pub digest: Digest,
    /// What is in it, in the order of the paths; empty folders too.
    pub entries: Vec<Entry>,
}

impl Content {
    /// Its size without the names.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// One digest for all entries.
    #[must_use]
    pub fn of(entries: Vec<Entry>) -> Self {
        let add = |fields: Fields, entry: &Entry| {
            let fields = fields.text(&entry.path);
            match &entry.kind {
                Kind::File { digest, executable } => {
                    fields.text(if *executable { "program" } else { "file" }).part(digest)
                }
                Kind::Link(target) => fields.text("link").text(target),
                Kind::Folder => fields.text("folder"),
            }
        };
        let digest = entries.iter().fold(Fields::default(), add).digest();
        Self { digest, entries }
    }
}

/// One file, link or empty folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, from the top, with `/`; empty for the top itself.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// The size of a file; nothing for others.
    pub bytes: Bytes,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File {
        /// Of its bytes.
        digest: Digest,
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link, by its target.
    Link(String),
    /// A folder with nothing in it.
    Folder,
}

/// Reads what paths hold, with the digests that a memo remembers.
#[derive(Debug)]
pub struct Reader<'a> {
    memo: &'a Memo,
}

/// A path that was found, not read yet.
struct Found {
    path: String,
    at: PathBuf,
    metadata: Metadata,
    empty: bool,
}

impl<'a> Reader<'a> {
    /// Reads with that memo, and tells it what was read.
    #[must_use]
    pub const fn new(memo: &'a Memo) -> Self {
        Self { memo }
    }

    /// What a path holds. A link given as the path is followed; links inside a folder are not.
    ///
    /// # Errors
    /// When the path is not there, cannot be read, or holds a socket, a device or a name that is no
    /// UTF-8.
    pub fn content(&self, path: &Path) -> Result<Content, StoreError> {
        let metadata = fs::metadata(path).map_err(StoreError::io("read", path))?;
        let mut found = walk(path, String::new(), metadata)?;
        found.sort_by(|one, other| one.path.cmp(&other.path));
        let entries = found.par_iter().map(|found| self.entry(found));
        Ok(Content::of(entries.collect::<Result<Vec<_>, _>>()?))
    }

    fn entry(&self, found: &Found) -> Result<Entry, StoreError> {
        let Found { path, at, metadata, empty } = found;
        let path = path.clone();
        if *empty {
            return Ok(Entry { path, kind: Kind::Folder, bytes: Bytes::ZERO });
        }
        if metadata.is_symlink() {
            let target = fs::read_link(at).map_err(StoreError::io("read", at))?;
            let target = target.to_str().ok_or_else(|| StoreError::Name { path: at.clone() })?;
            let kind = Kind::Link(target.to_owned());
            return Ok(Entry { path, kind, bytes: Bytes::ZERO });
        }
        if !metadata.is_file() {
            return Err(StoreError::Special { path: at.clone() });
        }
        let digest = self.memo.digest(at, metadata, || read(at))?;
        let kind = Kind::File { digest, executable: is_executable(metadata) };
        Ok(Entry { path, kind, bytes: Bytes::new(metadata.len()) })
    }
}

/// Everything below a path that is no folder, and folders that are empty.
fn walk(at: &Path, path: String, metadata: Metadata) -> Result<Vec<Found>, StoreError> {
    if !metadata.is_dir() {
        return Ok(vec![Found { path, at: at.to_path_buf(), metadata, empty: false }]);
    }
    let names = fs::read_dir(at).map_err(StoreError::io("read", at))?;
    let entries = names.collect::<Result<Vec<_>, _>>().map_err(StoreError::io("read", at))?;
    if entries.is_empty() {
        return Ok(vec![Found { path, at: at.to_path_buf(), metadata, empty: true }]);
    }
    let below = entries.par_iter().map(|entry| {
        let at = entry.path();
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| StoreError::Name { path: at.clone() })?;
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
        let metadata = entry.metadata().map_err(StoreError::io("read", &at))?;
        walk(&at, path, metadata)
    });
    let below = below.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(below.into_iter().flatten().collect())
}

/// The digest of a file, in pieces; of a large one by several threads.
pub(crate) fn read(path: &Path) -> Result<Digest, StoreError> {
    let refused = StoreError::io("read", path);
    let hashed = (|| {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let mut piece =
            vec![0; usize::try_from(file.metadata()?.len().clamp(1, LARGE)).unwrap_or(1)];
        loop {
            let length = file.read(&mut piece)?;
            if length == 0 {
                break;
            }
            hasher.update(&piece[..length]);
        }
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    })();
    hashed.map_err(refused)
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &Metadata) -> bool {
    false
}
