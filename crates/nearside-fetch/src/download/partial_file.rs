//! The file that bytes are gathered in, and the digest of what is in it.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::Expected;
use crate::digest::{FileDigest, Running};
use crate::error::FetchError;

/// Bytes that are read at a time.
const BLOCK: usize = 1 << 20;

/// A file that is not yet whole. Its bytes from 0 to `length` are in the digest.
pub(super) struct PartialFile {
    path: PathBuf,
    file: File,
    expected: Expected,
    length: u64,
    digest: Running,
}

impl PartialFile {
    /// Opens the file, or makes an empty one.
    pub(super) fn open(path: &Path, expected: &Expected) -> Result<Self, FetchError> {
        let options =
            File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.map_err(|error| failed(path, &error))?;
        let digest = Running::new(expected.digest, expected.length);
        Ok(Self { path: path.to_owned(), file, expected: *expected, length: 0, digest })
    }

    /// Bytes that are in the digest.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Takes in what the file already has. A file that is too long is none of ours, and is emptied.
    pub(super) fn read_again(
        &mut self,
        go_on: &mut dyn FnMut(u64) -> Result<(), FetchError>,
    ) -> Result<(), FetchError> {
        let there = self.file.metadata().map_err(|error| failed(&self.path, &error))?.len();
        if there > self.expected.length {
            return self.clear();
        }
        self.file.seek(SeekFrom::Start(0)).map_err(|error| failed(&self.path, &error))?;
        let mut block = vec![0; BLOCK.min(usize::try_from(there).unwrap_or(BLOCK))];
        while self.length < there {
            go_on(self.length)?;
            let read = self.file.read(&mut block).map_err(|error| failed(&self.path, &error))?;
            if read == 0 {
                break;
            }
            self.digest.update(&block[..read]);
            self.length += read as u64;
        }
        Ok(())
    }

    /// Adds bytes at the end.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.file.write_all(bytes).map_err(|error| failed(&self.path, &error))?;
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Starts over.
    pub(super) fn clear(&mut self) -> Result<(), FetchError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        cleared.map_err(|error| failed(&self.path, &error))?;
        self.digest = Running::new(self.expected.digest, self.expected.length);
        self.length = 0;
        Ok(())
    }

    /// The digest of everything, which starts anew with it.
    pub(super) fn digest(&mut self) -> FileDigest {
        let fresh = Running::new(self.expected.digest, self.expected.length);
        std::mem::replace(&mut self.digest, fresh).finish()
    }

    /// Removes the file, as nothing in it is of use.
    pub(super) fn remove(self) {
        // Where it cannot be removed, the next attempt finds that it is of no use.
        let _ = fs::remove_file(&self.path);
    }

    /// Gives the whole file its name, when everything is on the disk.
    pub(super) fn become_file(self, name: &Path) -> Result<(), FetchError> {
        let length = self.file.metadata().map_err(|error| failed(&self.path, &error))?.len();
        if length != self.expected.length {
            let reason = format!("somebody else wrote to it: it has {length} bytes");
            return Err(FetchError::File { path: self.path, reason });
        }
        self.file.sync_all().map_err(|error| failed(&self.path, &error))?;
        fs::rename(&self.path, name).map_err(|error| failed(name, &error))?;
        // A folder cannot be synchronised everywhere; the name is then there a little later.
        let folder = name.parent().and_then(|folder| File::open(folder).ok());
        let _ = folder.map(|folder| folder.sync_all());
        Ok(())
    }
}

fn failed(path: &Path, error: &std::io::Error) -> FetchError {
    FetchError::File { path: path.to_owned(), reason: error.to_string() }
}
