//! Bytes of a file that is mapped into memory: read where they are used, by the operating system, and shared by every
//! process that has the file open.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use crate::unchecked;

/// A part of a file, or of memory. Cheap to copy.
#[derive(Clone)]
pub struct Bytes {
    source: Arc<Source>,
    range: Range<usize>,
}

enum Source {
    Mapped(memmap2::Mmap),
    Memory(Vec<u8>),
}

impl Bytes {
    /// A whole file, mapped. It must stay as it is meanwhile: who shortens it ends this process.
    ///
    /// # Errors
    /// When it cannot be opened or mapped; an empty one is not mapped.
    pub fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::from(Vec::new()));
        }
        let map = unchecked::map(&file)?;
        let range = 0..map.len();
        Ok(Self { source: Arc::new(Source::Mapped(map)), range })
    }

    /// A part of these; `None` where they have none such.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        let (from, to) = (self.range.start + range.start, self.range.start.checked_add(range.end)?);
        let inside = range.start <= range.end && to <= self.range.end;
        inside.then(|| Self { source: Arc::clone(&self.source), range: from..to })
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { source: Arc::new(Source::Memory(bytes)), range }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let whole: &[u8] = match &*self.source {
            Source::Mapped(map) => map,
            Source::Memory(bytes) => bytes,
        };
        whole.get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bytes({})", self.range.len())
    }
}
