//! Files below paths, in an order that is always the same.
//!
//! Links to files below the same paths add nothing, since what they lead to is read there; all other
//! links are reported. Devices, pipes and sockets are reported and never opened.

use std::collections::BTreeSet;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::error::SourceError;
use super::limits::Limits;
use super::{Skipped, Visitor};

/// What stands below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file, to be opened by [`visit_entry`](super::visit_entry).
    File(PathBuf),
    /// What cannot be read, and why.
    Unreadable(PathBuf, String),
    /// What is left out.
    Skipped(PathBuf, Skipped),
}

/// Files below paths, sorted within each folder, paths in the order that they were given in; what was
/// listed already is not listed again. A path that is a link itself is followed.
///
/// # Errors
/// A path that is not there.
pub fn files<P: AsRef<Path>>(paths: &[P], limits: &Limits) -> Result<Vec<Entry>, SourceError> {
    let mut walk = Walk { limits, roots: Vec::new(), entries: Vec::new(), seen: BTreeSet::new() };
    let mut links = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        let absent = |source| SourceError::Absent { path: path.to_path_buf(), source };
        let real = path.canonicalize().map_err(absent)?;
        walk.roots.push(real.clone());
        let kind = real.metadata().map_err(absent)?.file_type();
        walk.add(path.to_path_buf(), real, kind, &mut links);
    }
    for link in links {
        walk.follow(link);
    }
    Ok(walk.entries)
}

/// What was found so far.
struct Walk<'w> {
    limits: &'w Limits,
    /// The paths that were given, without links in them.
    roots: Vec<PathBuf>,
    entries: Vec<Entry>,
    /// All that was listed, without links in its path.
    seen: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// Adds what a path is, and all below it. It stops at no depth: the operating system bounds the
    /// length of a path, and so the depth of this.
    fn add(&mut self, shown: PathBuf, real: PathBuf, kind: FileType, links: &mut Vec<PathBuf>) {
        if kind.is_symlink() {
            links.push(shown);
            return;
        }
        if !self.seen.insert(real.clone()) {
            return;
        }
        if kind.is_dir() {
            if let Err(error) = self.add_folder(&shown, &real, links) {
                self.entries.push(Entry::Unreadable(shown, error.to_string()));
            }
        } else if kind.is_file() {
            self.entries.push(Entry::File(shown));
        } else {
            self.entries.push(Entry::Unreadable(shown, special(kind).to_owned()));
        }
    }

    fn add_folder(
        &mut self,
        shown: &Path,
        real: &Path,
        links: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        let mut found = fs::read_dir(real)?.collect::<io::Result<Vec<_>>>()?;
        found.sort_by_key(fs::DirEntry::file_name);
        for entry in found {
            let name = entry.file_name();
            let (shown, real) = (shown.join(&name), real.join(&name));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && self.is_skipped(&name) => {
                    self.entries.push(Entry::Skipped(shown, Skipped::Folder));
                }
                Ok(kind) => self.add(shown, real, kind, links),
                Err(error) => self.entries.push(Entry::Unreadable(shown, error.to_string())),
            }
        }
        Ok(())
    }

    fn is_skipped(&self, name: &std::ffi::OsStr) -> bool {
        self.limits.skipped_folders.iter().any(|skipped| name == skipped.as_str())
    }

    /// A link: its target was read, is read now, or is reported.
    fn follow(&mut self, link: PathBuf) {
        let why = match link.canonicalize() {
            Err(error) => format!("a link that leads nowhere: {error}"),
            Ok(target) if self.seen.contains(&target) => return,
            Ok(target) if !self.roots.iter().any(|root| target.starts_with(root)) => {
                "a link that leads outside: not followed".to_owned()
            }
            Ok(target) if target.is_file() => {
                self.seen.insert(target);
                self.entries.push(Entry::File(link));
                return;
            }
            Ok(_) => "a link into a folder that is left out: not followed".to_owned(),
        };
        self.entries.push(Entry::Unreadable(link, why));
    }
}

/// Why something that is no file is not opened.
pub(super) fn special(kind: FileType) -> &'static str {
    match () {
        () if kind.is_fifo() => "a pipe: not opened",
        () if kind.is_socket() => "a socket: not opened",
        () if kind.is_block_device() || kind.is_char_device() => "a device: not opened",
        () => "no file: not opened",
    }
}

impl Entry {
    /// Tells a visitor about what is no file; the path of a file.
    pub(super) fn announce(&self, visitor: &mut dyn Visitor) -> Option<&Path> {
        match self {
            Self::File(path) => return Some(path),
            Self::Unreadable(path, why) => visitor.unreadable(&path.to_string_lossy(), why),
            Self::Skipped(path, what) => visitor.skipped(&path.to_string_lossy(), *what),
        }
        None
    }
}
