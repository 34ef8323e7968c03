//! What a path holds, opened: files, and what lies inside archives, databases and images, each as
//! one stream of UTF-8 text.

use std::io::{self, Read};

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

/// Who wants what a path holds.
pub trait Visitor {
    /// One content, to be read as far as wanted.
    ///
    /// # Errors
    /// What reading it gave; it is then reported through [`Self::unreadable`].
    fn content(&mut self, content: Content<'_>) -> io::Result<()>;

    /// Something that could not be read, or not in full, and why: it counts as not scanned.
    fn unreadable(&mut self, name: &str, why: &str);
}
