//! Results put where they belong: a file for a file, a folder for a folder, whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

use nearside_store::atomic;

use super::AnonymizeError;

/// What was made of a file, and where it goes.
#[derive(Debug)]
pub(super) struct Placed {
    /// The result, a file without a name.
    pub(super) file: File,
    /// Where it goes, below the output; nothing where the input is a file.
    pub(super) below: PathBuf,
}

/// Writes results: one of a file to the output itself.
pub(super) fn store(results: &mut [&mut Placed], output: &Path) -> Result<(), AnonymizeError> {
    match results {
        [only] if only.below.as_os_str().is_empty() => put(&mut only.file, output),
        files => put_all(files, output),
    }
}

/// The result of one file, from its start; [`None`] where the input is a folder.
pub(super) fn only(results: Vec<&mut Placed>) -> Option<&mut dyn Read> {
    let [only] = <[&mut Placed; 1]>::try_from(results).ok()?;
    only.below.as_os_str().is_empty().then_some(&mut only.file)
}

/// Writes a folder whole or not at all. One that holds something already is left alone.
fn put_all(files: &mut [&mut Placed], output: &Path) -> Result<(), AnonymizeError> {
    let taken = fs::read_dir(output).is_ok_and(|mut there| there.next().is_some());
    if taken || output.is_file() {
        let why = "is there already: remove it, or name another one";
        return Err(AnonymizeError::Output { path: output.to_path_buf(), why });
    }
    let staged = atomic::beside(output);
    let stored = fs::create_dir_all(&staged)
        .map_err(AnonymizeError::file("write", output))
        .and_then(|()| {
            files.iter_mut().try_for_each(|file| put(&mut file.file, &staged.join(&file.below)))
        })
        .and_then(|()| Ok(atomic::replace(&staged, output)?));
    if stored.is_err() {
        let _ = atomic::remove(&staged);
    }
    stored
}

/// Writes a file whole or not at all.
fn put(from: &mut File, to: &Path) -> Result<(), AnonymizeError> {
    let failed = || AnonymizeError::file("write", to);
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(failed())?;
    }
    let temporary = atomic::beside(to);
    let written = from
        .rewind()
        .and_then(|()| File::create_new(&temporary))
        .and_then(|mut file| io::copy(from, &mut file).and_then(|_| file.sync_data()))
        .map_err(failed())
        .and_then(|()| Ok(atomic::replace(&temporary, to)?));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}
