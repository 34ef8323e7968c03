//! Documents that a command writes beside its answer.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use nearside_store::atomic::Growing;

use super::Output;
use crate::error::{CommandError, Fault};

/// Writes a file whole or not at all, and says so.
pub(crate) fn put(file: &Path, bytes: &[u8], output: &Output) -> Result<(), CommandError> {
    let mut document = Document::new(file)?;
    document.add(|to| to.write_all(bytes))?;
    document.finish(output)
}

/// A document that is written piece by piece: a file whole or not at all.
pub(crate) struct Document {
    file: PathBuf,
    to: Target,
}

/// What a document is written to.
enum Target {
    File(Growing),
    /// A device is written to, not replaced.
    Device(BufWriter<File>),
}

impl Document {
    /// Begins a document.
    pub(crate) fn new(file: &Path) -> Result<Self, CommandError> {
        // A link stays one.
        let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
        let device = fs::metadata(&target).is_ok_and(|it| !it.is_file() && !it.is_dir());
        let to = match device {
            true => Target::Device(BufWriter::new(
                File::options().write(true).open(&target).map_err(|error| failed(file, &error))?,
            )),
            false => Target::File(Growing::new(&target).map_err(|error| failed(file, &error))?),
        };
        Ok(Self { file: file.to_path_buf(), to })
    }

    /// Adds what is written.
    pub(crate) fn add(
        &mut self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CommandError> {
        let written = match &mut self.to {
            Target::File(file) => write(file),
            Target::Device(device) => write(device),
        };
        written.map_err(|error| failed(&self.file, &error))
    }

    /// Puts the file in its place, and says so.
    pub(crate) fn finish(self, output: &Output) -> Result<(), CommandError> {
        let file = self.file.clone();
        self.finish_quietly()?;
        output.hint(&format!("{} is written", file.display()));
        Ok(())
    }

    /// Puts the file in its place.
    pub(crate) fn finish_quietly(self) -> Result<(), CommandError> {
        let Self { file, to } = self;
        match to {
            Target::File(growing) => growing.finish().map_err(|error| failed(&file, &error)),
            Target::Device(mut device) => device.flush().map_err(|error| failed(&file, &error)),
        }
    }
}

fn failed(file: &Path, error: &dyn fmt::Display) -> CommandError {
    CommandError::new(Fault::World, format!("cannot write {}: {error}", file.display()))
}
