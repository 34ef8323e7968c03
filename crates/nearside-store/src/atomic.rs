//! Writes that others see whole or not at all: into a file beside the target, then renamed over it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::StoreError;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A name beside a path that nobody else uses: hidden, of this process, counted.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.nearside-{}-{number}", std::process::id()))
}

/// Whether a name was made by [`beside`]: what a killed process left behind.
#[must_use]
pub fn is_left_over(name: &str) -> bool {
    name.starts_with('.') && name.rsplit_once(".nearside-").is_some_and(|(_, tail)| is_tail(tail))
}

fn is_tail(tail: &str) -> bool {
    tail.split_once('-').is_some_and(|(process, number)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digits(process) && digits(number)
    })
}

/// Writes a file whole or not at all, and to the disk before it takes the place of an older one.
/// Folders on the way are made.
///
/// # Errors
/// When a folder or the file cannot be written; an older file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut growing = Growing::new(path)?;
    growing.write_all(bytes).map_err(StoreError::io("write", path))?;
    growing.finish()
}

/// A file that is written piece by piece and takes its place once it is whole; dropped before that it
/// leaves nothing.
#[derive(Debug)]
pub struct Growing {
    file: BufWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl Growing {
    /// Begins a file. Folders on the way are made.
    ///
    /// # Errors
    /// When a folder or the file cannot be made.
    pub fn new(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
        }
        let temporary = beside(path);
        let file = File::create(&temporary).map_err(StoreError::io("write", path))?;
        Ok(Self { file: BufWriter::new(file), temporary, path: path.to_path_buf() })
    }

    /// Writes the file to the disk and puts it in its place.
    ///
    /// # Errors
    /// When it cannot be written; an older file is then still there.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data())
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .map_err(StoreError::io("write", &self.path))
    }
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // After `finish` nothing has this name.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Moves a file or folder to a place on the same file system, taking the place of what is there in
/// one step where the system can: Linux swaps folders, elsewhere an old folder is moved aside first.
///
/// # Errors
/// When it cannot be moved; what was there before is then still there.
pub fn replace(from: &Path, to: &Path) -> Result<(), StoreError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
    }
    let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    // A folder takes the place of nothing, anything else that of all but a folder.
    let in_the_way = is_folder(to) || (is_folder(from) && fs::symlink_metadata(to).is_ok());
    if !in_the_way {
        return fs::rename(from, to).map_err(StoreError::io("move into place", to));
    }
    if swap(from, to) {
        return remove(from);
    }
    let old = beside(to);
    fs::rename(to, &old).map_err(StoreError::io("move aside", to))?;
    if let Err(error) = fs::rename(from, to) {
        let _ = fs::rename(&old, to);
        return Err(StoreError::io("move into place", to)(error));
    }
    remove(&old)
}

#[cfg(target_os = "linux")]
fn swap(from: &Path, to: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn swap(_from: &Path, _to: &Path) -> bool {
    false
}

/// Removes a file, a link or a folder with all that is in it; nothing there is fine.
///
/// # Errors
/// When something is there and cannot be removed.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(StoreError::io("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_replaced_whatever_it_is() {
        let folder = crate::store::tests::scratch("replace");
        let (from, to) = (folder.join("from"), folder.join("to"));
        let make = |path: &Path, is_folder: bool, text: &str| match is_folder {
            true => {
                fs::create_dir_all(path.join("inner")).unwrap();
                fs::write(path.join("inner/file"), text).unwrap();
            }
            false => fs::write(path, text).unwrap(),
        };
        for (old, new) in [(false, false), (false, true), (true, false), (true, true)] {
            make(&to, old, "old");
            make(&from, new, "new");
            replace(&from, &to).unwrap();
            let read = if new { to.join("inner/file") } else { to.clone() };
            assert_eq!(fs::read_to_string(read).unwrap(), "new", "{old} {new}");
            assert!(!from.exists());
            remove(&to).unwrap();
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn names_of_what_was_left_are_told_from_others() {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(is_left_over(&name(&beside(Path::new("a/data.csv")))));
        for other in ["data.csv", ".nearside-1-2x", ".x.nearside-1", ".x.nearside--1", ".nearside"]
        {
            assert!(!is_left_over(other), "{other}");
        }
    }
}
