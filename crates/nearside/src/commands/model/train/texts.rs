//! The texts that a model is trained on: files that are named, and those of folders that look like text.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use nearside_units::Bytes;

use crate::error::{CommandError, Fault};

/// Files of folders that are read.
const EXTENSIONS: [&str; 2] = ["md", "txt"];
/// The most bytes of all texts: tokens of them are in memory several times.
const MAX_BYTES: u64 = 64 << 20;
/// The most files and folders that are looked at.
const MAX_ENTRIES: usize = 100_000;
/// The deepest folder within one that is named.
const MAX_DEPTH: usize = 32;

/// Texts, in the order of naming and of their paths.
#[derive(Debug, Default)]
pub(super) struct Texts {
    pub(super) texts: Vec<String>,
    /// Bytes of all of them.
    pub(super) bytes: u64,
    /// What is no text, of files that were not named.
    pub(super) warnings: Vec<String>,
    entries: usize,
}

impl Texts {
    /// # Errors
    /// When a file cannot be read, one that is named is no text, there is nothing, or too much.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, CommandError> {
        let mut texts = Self::default();
        for path in paths {
            let found = fs::metadata(path).map_err(|error| unread(path, &error))?;
            match found.is_dir() {
                true => texts.folder(path, MAX_DEPTH)?,
                false => {
                    if !texts.file(path)? {
                        let message = format!("{} is no text in UTF-8", path.display());
                        return Err(CommandError::new(Fault::Input, message)
                            .hint("iconv -t utf-8 makes UTF-8 of other encodings"));
                    }
                }
            }
        }
        if texts.bytes == 0 {
            let message = "there is no text in what was named".to_owned();
            return Err(CommandError::new(Fault::Input, message).hint(
                "nearside model train README.md docs/ -o tiny; of folders, .md and .txt files are read",
            ));
        }
        Ok(texts)
    }

    /// Reads what looks like text in a folder, by the order of names. Links and hidden entries are passed by.
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), CommandError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unread(folder, &error))? {
            let entry = entry.map_err(|error| unread(folder, &error))?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let message =
                    format!("{}: more than {MAX_ENTRIES} files and folders", folder.display());
                return Err(CommandError::new(Fault::Input, message).hint("name fewer of them"));
            }
            if !entry.file_name().to_string_lossy().starts_with('.') {
                let kind = entry.file_type().map_err(|error| unread(&entry.path(), &error))?;
                entries.push((entry.path(), kind));
            }
        }
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (path, kind) in entries {
            let looks_like_text = path.extension().is_some_and(|extension| {
                EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
            });
            if kind.is_dir() && depth == 0 {
                self.warnings.push(format!("{} lies too deep, and is left out", path.display()));
            } else if kind.is_dir() {
                self.folder(&path, depth - 1)?;
            } else if kind.is_file() && looks_like_text && !self.file(&path)? {
                let path = path.display();
                self.warnings.push(format!("{path} is no text in UTF-8, and is left out"));
            }
        }
        Ok(())
    }

    /// Reads a file; false when it is no text.
    fn file(&mut self, path: &Path) -> Result<bool, CommandError> {
        let (mut bytes, left) = (Vec::new(), MAX_BYTES - self.bytes);
        let file = File::open(path).map_err(|error| unread(path, &error))?;
        // How long it is said to be is no bound: it may be a device, or grow.
        file.take(left + 1).read_to_end(&mut bytes).map_err(|error| unread(path, &error))?;
        let size = bytes.len() as u64;
        if size > left {
            let most = Bytes::new(MAX_BYTES);
            let message = format!("more than {most} of text, up to {}", path.display());
            return Err(CommandError::new(Fault::Input, message).hint("name fewer of them"));
        }
        let text = String::from_utf8(bytes);
        let is_text = text.is_ok();
        self.bytes += if is_text { size } else { 0 };
        self.texts.extend(text);
        Ok(is_text)
    }
}

fn unread(path: &Path, error: &std::io::Error) -> CommandError {
    let fault = match error.kind() {
        ErrorKind::NotFound => Fault::Input,
        _ => Fault::World,
    };
    CommandError::new(fault, format!("cannot read {}: {error}", path.display()))
}
