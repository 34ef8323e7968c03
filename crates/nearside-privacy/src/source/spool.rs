//! Containers that are read from their end, kept where one can go back: in memory, or in a file that
//! has no name.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::error::SourceError;
use super::limits::Limits;

/// What can be read from any place.
pub(super) trait Seekable: Read + Seek {}
impl<T: Read + Seek> Seekable for T {}

/// All of a stream.
pub(super) enum Spool {
    Memory(Cursor<Vec<u8>>),
    File(BufReader<File>),
}

impl Spool {
    /// Reads a stream to its end.
    pub(super) fn of(stream: &mut dyn Read, limits: &Limits) -> Result<Self, SourceError> {
        let mut start = Vec::new();
        stream.take(limits.memory.saturating_add(1)).read_to_end(&mut start)?;
        if start.len() as u64 <= limits.memory {
            return Ok(Self::Memory(Cursor::new(start)));
        }
        let mut file = tempfile::tempfile_in(folder(limits)?)?;
        copy(&mut start.chain(stream), &mut file, limits)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self::File(BufReader::new(file)))
    }

    pub(super) fn reader(&mut self) -> &mut dyn Seekable {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(file) => file,
        }
    }
}

/// A stream in a file with a name, for those that open files themselves.
pub(super) fn named(stream: &mut dyn Read, limits: &Limits) -> Result<NamedTempFile, SourceError> {
    let mut file = NamedTempFile::new_in(folder(limits)?)?;
    copy(stream, file.as_file_mut(), limits)?;
    Ok(file)
}

/// The folder to unpack to.
pub(super) fn folder(limits: &Limits) -> Result<&Path, SourceError> {
    limits.spool_folder.as_deref().ok_or(SourceError::NoFolder)
}

fn copy(stream: &mut dyn Read, file: &mut File, limits: &Limits) -> Result<(), SourceError> {
    let mut writer = BufWriter::with_capacity(1 << 16, file);
    let copied = io::copy(&mut stream.take(limits.spool.saturating_add(1)), &mut writer)?;
    writer.flush()?;
    match copied > limits.spool {
        true => Err(SourceError::too_large(
            "it has to be unpacked to a file and is larger",
            limits.spool,
        )),
        false => Ok(()),
    }
}

/// All of a stream in memory.
pub(super) fn whole(
    stream: &mut dyn Read,
    bound: u64,
    what: &'static str,
) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    stream.take(bound.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bound {
        true => Err(SourceError::too_large(what, bound)),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_stays_in_memory_and_large_needs_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut limits = Limits { memory: 4, spool: 8, ..Limits::default() };
        assert!(matches!(Spool::of(&mut &b"1234"[..], &limits), Ok(Spool::Memory(_))));
        assert!(matches!(Spool::of(&mut &b"12345"[..], &limits), Err(SourceError::NoFolder)));
        limits.spool_folder = Some(folder.path().to_path_buf());
        let mut spool = Spool::of(&mut &b"12345678"[..], &limits).unwrap();
        let mut text = String::new();
        spool.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "12345678");
        assert!(Spool::of(&mut &b"123456789"[..], &limits).is_err());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "files have no names");
    }
}
