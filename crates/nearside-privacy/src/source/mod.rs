//! What a path holds, opened: files, and what lies inside archives, databases and images, each as
//! one stream of UTF-8 text.
//!
//! Nothing is passed over in silence. What cannot be read, or not in full, is told through
//! [`Visitor::unreadable`]; what is left out, or is no text, through [`Visitor::skipped`]. Formats are
//! told by their first bytes. Memory is bounded whatever the size of a file, and so is what a small
//! file may unpack to: [`Limits`] names every bound.

mod columns;
mod compressed;
mod database;
mod encoding;
mod error;
mod files;
mod format;
mod image;
mod limits;
mod meter;
mod opener;
mod spool;
mod table;
mod tar;
mod tensors;
#[cfg(test)]
mod tests;
mod zip;

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

pub use error::SourceError;
pub use files::{Entry, files};
pub use limits::Limits;
use meter::{Counted, Meter};
use opener::{Input, Opener, Place};

/// How the text of a content is laid out, which says where context of a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prose, source code, logs: context stands to the left.
    Text,
    /// Rows of cells between separators: context stands in the head of the column.
    Delimited,
    /// JSON, or lines of it: context stands in the key.
    Json,
}

/// One stream of text below a path.
pub struct Content<'a> {
    /// The path, and after each `!` what lies inside: `dump.tar.gz!home/people.csv`.
    pub name: &'a str,
    /// The layout that its name or container says; `None` where only the text can tell.
    pub form: Option<Form>,
    /// Its text, as UTF-8 where it could be told; what is not valid UTF-8 comes as it is.
    pub text: &'a mut dyn Read,
}

/// What is left out though it could be read, or what no reading of text can judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Skipped {
    /// A folder that [`Limits::skipped_folders`] names.
    Folder,
    /// Pixels of an image: they may show anything.
    Pixels,
    /// Weights of a model: they may have learnt anything.
    Weights,
    /// Free pages of a database: they may hold what was deleted.
    Deleted,
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Folder => "a folder that is left out",
            Self::Pixels => "pixels were not looked at",
            Self::Weights => "weights were not looked at",
            Self::Deleted => "free pages may hold deleted rows: VACUUM clears them",
        })
    }
}

/// Who wants what a path holds.
pub trait Visitor {
    /// One content, to be read as far as wanted.
    ///
    /// # Errors
    /// What reading it gave; it is then reported through [`Self::unreadable`].
    fn content(&mut self, content: Content<'_>) -> io::Result<()>;

    /// Something that could not be read, or not in full, and why: it counts as not scanned.
    fn unreadable(&mut self, name: &str, why: &str);

    /// Something that was left out, or that text cannot answer for.
    fn skipped(&mut self, name: &str, what: Skipped);
}

/// Opens everything below a path for a visitor.
///
/// # Errors
/// A path that is not there; all else that goes wrong is told to the visitor.
pub fn visit(path: &Path, limits: &Limits, visitor: &mut dyn Visitor) -> Result<(), SourceError> {
    for entry in files(&[path], limits)? {
        visit_entry(&entry, limits, visitor);
    }
    Ok(())
}

/// Opens one entry of [`files`] for a visitor; entries can be visited on several threads.
pub fn visit_entry(entry: &Entry, limits: &Limits, visitor: &mut dyn Visitor) {
    let Some(path) = entry.announce(visitor) else { return };
    let name = path.to_string_lossy();
    if let Err(error) = visit_file(path, &name, limits, visitor) {
        visitor.unreadable(&name, &error.to_string());
    }
}

/// Opens one stream, as standard input is, for a visitor.
pub fn open(name: &str, stream: &mut dyn Read, limits: &Limits, visitor: &mut dyn Visitor) {
    let meter = Meter::new(0, limits);
    let mut stream = Counted::new(stream, &meter);
    let mut opener = Opener { limits, visitor, meter: &meter };
    opener.open(&Place::top(name), Input::Stream(&mut stream));
}

fn visit_file(
    path: &Path,
    name: &str,
    limits: &Limits,
    visitor: &mut dyn Visitor,
) -> Result<(), SourceError> {
    // A pipe that took the place of a file since it was listed must not hold everything up.
    let patience = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut file: File = OpenOptions::new().read(true).custom_flags(patience).open(path)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(SourceError::Sealed(files::special(before.file_type())));
    }
    let meter = Meter::new(before.len(), limits);
    let mut opener = Opener { limits, visitor, meter: &meter };
    opener.open(&Place::top(name), Input::File(&mut file, path));
    match Stamp::of(&before) == Stamp::of(&file.metadata()?) {
        true => Ok(()),
        false => Err(SourceError::Changed),
    }
}

/// What changes when a file is written to.
#[derive(PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    written: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), written: metadata.modified().ok() }
    }
}
