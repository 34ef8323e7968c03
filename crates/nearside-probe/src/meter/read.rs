//! Files that are read again and again: kept open, read from their start into one buffer.
//!
//! A file of `/proc` that stays open costs a third of one that is opened each time, and it keeps
//! meaning the same process even when the number is given to another one.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nearside_units::Known;

/// Files that one meter keeps open at most; beyond, files are opened for each reading. Common
/// limits are 1024 files per process, and the program that measures needs some for itself.
const MAX_KEPT: usize = 384;
/// No file that is read repeatedly is longer: `/proc/stat` of 1024 processors is about 150 kB.
const BUFFER: usize = 256 << 10;
/// What Linux answers when the process behind an open file has ended (`ESRCH`).
const NO_SUCH_PROCESS: i32 = 3;

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The file, or the process behind it, is not there (any more).
    Gone,
    /// It may not be read, or it could not be understood: the reason.
    Refused(Refusal),
}

/// Why a file that is there was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What the operating system said.
    System(io::ErrorKind),
    /// Its text is not what is expected of it.
    Text,
}

impl fmt::Display for Unread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => formatter.pad("not there"),
            Self::Refused(Refusal::System(kind)) => kind.fmt(formatter),
            Self::Refused(Refusal::Text) => formatter.pad("text not expected"),
        }
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            _ if error.raw_os_error() == Some(NO_SUCH_PROCESS) => Self::Gone,
            kind => Self::Refused(Refusal::System(kind)),
        }
    }
}

impl Unread {
    /// A text that is not what was expected.
    pub(crate) const TEXT: Self = Self::Refused(Refusal::Text);

    /// As an unknown value, with the name of the file.
    pub(crate) fn known<T>(&self, file: impl fmt::Display) -> Known<T> {
        Known::unknown(format!("/{file}: {self}"))
    }
}

/// A file that never is empty while there is something behind it.
pub(crate) const fn not_empty(text: &[u8]) -> Result<&[u8], Unread> {
    if text.is_empty() { Err(Unread::Gone) } else { Ok(text) }
}

/// A place for one file that is kept open once it was read.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<Kept>);

#[derive(Debug)]
struct Kept {
    file: File,
    count: Arc<AtomicUsize>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Files below a root, with the buffer and the path that all readings share.
#[derive(Debug)]
pub(crate) struct Files {
    root: String,
    path: String,
    buffer: Box<[u8]>,
    kept: Arc<AtomicUsize>,
}

impl Files {
    /// Files below a root; none when its name is not text.
    pub(crate) fn below(root: &Path) -> Option<Self> {
        let root = root.to_str()?.trim_end_matches('/').to_owned();
        Some(Self {
            root,
            path: String::new(),
            buffer: vec![0; BUFFER].into_boxed_slice(),
            kept: Arc::default(),
        })
    }

    /// The root.
    pub(crate) fn root(&self) -> &Path {
        Path::new(if self.root.is_empty() { "/" } else { &self.root })
    }

    /// A file in one reading, kept open where the bound allows.
    pub(crate) fn read(
        &mut self,
        slot: &mut Slot,
        name: impl fmt::Display,
    ) -> Result<&[u8], Unread> {
        let length = match &slot.0 {
            Some(kept) => read_at(&kept.file, &mut self.buffer, 0)?,
            None => {
                let file = self.open(name)?;
                let length = read_at(&file, &mut self.buffer, 0)?;
                slot.0 = self.keep(file);
                length
            }
        };
        Ok(&self.buffer[..length])
    }

    /// A file of many records, which the kernel gives a page at a time.
    pub(crate) fn read_all(
        &mut self,
        slot: &mut Slot,
        name: impl fmt::Display,
    ) -> Result<&[u8], Unread> {
        if slot.0.is_none() {
            let file = self.open(name)?;
            slot.0 = self.keep(file);
            if slot.0.is_none() {
                return Err(Unread::Refused(Refusal::System(io::ErrorKind::QuotaExceeded)));
            }
        }
        let Some(kept) = &slot.0 else { return Err(Unread::Gone) };
        let mut length = 0;
        while length < self.buffer.len() {
            match read_at(&kept.file, &mut self.buffer[length..], length as u64)? {
                0 => break,
                more => length += more,
            }
        }
        Ok(&self.buffer[..length])
    }

    /// A file in one reading that is read rarely, and not kept open.
    pub(crate) fn once(&mut self, name: impl fmt::Display) -> Result<&[u8], Unread> {
        let file = self.open(name)?;
        let length = read_at(&file, &mut self.buffer, 0)?;
        Ok(&self.buffer[..length])
    }

    /// Names in a folder that are numbers.
    pub(crate) fn numbers(&mut self, folder: impl fmt::Display) -> Result<Vec<u32>, Unread> {
        self.set_path(folder);
        let entries = std::fs::read_dir(&self.path).map_err(Unread::from)?;
        let name =
            |entry: io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
        Ok(entries.filter_map(name).collect())
    }

    /// What a link points to; none when it cannot be read or is no text.
    pub(crate) fn link(&mut self, name: impl fmt::Display) -> Option<String> {
        self.set_path(name);
        std::fs::read_link(&self.path).ok()?.into_os_string().into_string().ok()
    }

    fn set_path(&mut self, name: impl fmt::Display) {
        self.path.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.path, "{}/{name}", self.root);
    }

    fn open(&mut self, name: impl fmt::Display) -> Result<File, Unread> {
        self.set_path(name);
        Ok(File::open(&self.path)?)
    }

    fn keep(&self, file: File) -> Option<Kept> {
        if self.kept.load(Ordering::Relaxed) >= MAX_KEPT {
            return None;
        }
        self.kept.fetch_add(1, Ordering::Relaxed);
        Some(Kept { file, count: Arc::clone(&self.kept) })
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixtures() -> Files {
        Files::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap()
    }

    #[test]
    fn a_kept_file_is_read_from_its_start_again() {
        let (mut files, mut slot) = (fixtures(), Slot::default());
        let name = "container-v2/sys/fs/cgroup/kubepods/cpu.max";
        let first = files.read(&mut slot, name).unwrap().to_vec();
        assert!(!first.is_empty());
        assert_eq!(files.read(&mut slot, name).unwrap(), first);
        assert_eq!(files.read_all(&mut slot, name).unwrap(), first);
        assert_eq!(files.once(name).unwrap(), first);
        assert_eq!(files.kept.load(Ordering::Relaxed), 1);
        drop(slot);
        assert_eq!(files.kept.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn beyond_the_bound_files_are_read_but_not_kept() {
        let mut files = fixtures();
        let name = "container-v2/proc/meminfo";
        let mut slots: Vec<Slot> = (0..MAX_KEPT + 3).map(|_| Slot::default()).collect();
        for slot in &mut slots {
            assert!(!files.read(slot, name).unwrap().is_empty());
        }
        assert_eq!(slots.iter().filter(|slot| slot.0.is_some()).count(), MAX_KEPT);
    }

    #[test]
    fn what_is_not_there_is_gone_with_its_name() {
        let (mut files, mut slot) = (fixtures(), Slot::default());
        let unread = files.read(&mut slot, "nowhere").unwrap_err();
        assert_eq!(unread, Unread::Gone);
        let known: Known<u8> = unread.known("nowhere");
        assert_eq!(known.why(), Some("/nowhere: not there"));
    }
}
