//! Bounds of what is opened, so that nothing below a path can take all time, memory or disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How far contents are opened; each bound that is reached is reported, never passed over.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Containers inside one another: a `.tar.gz` is two.
    pub depth: u32,
    /// Entries of one archive, tables and cells of one database.
    pub entries: u64,
    /// Bytes that all containers inside one file unpack to, each layer counted.
    pub unpacked: u64,
    /// How many times the size of the file they may unpack to, once they passed [`Self::ratio_from`].
    pub ratio: u64,
    /// Bytes below which no ratio is looked at: small files of zeros are harmless.
    pub ratio_from: u64,
    /// Bytes of a nested container that has to be read from the end and is kept in memory.
    pub memory: u64,
    /// Bytes of one that is unpacked to [`Self::spool_folder`], and of a database copied with its log.
    pub spool: u64,
    /// Where those are unpacked to, under names that are gone afterwards; `None`: nowhere, so that
    /// what is larger than [`Self::memory`] and what is nested and needs a file is reported.
    pub spool_folder: Option<PathBuf>,
    /// Bytes of a cell of a database.
    pub cell: usize,
    /// Bytes of headers of models, and of an image, whose metadata may be anywhere.
    pub metadata: u64,
    /// Bytes that a decoder keeps of what it decoded (its window or dictionary).
    pub window: u64,
    /// Names of folders that are not looked into.
    pub skipped_folders: Vec<String>,
    /// Becomes true when nothing more is to be read: what is being read is then not read in full.
    pub stop: Option<Arc<AtomicBool>>,
}

const MEBI: u64 = 1 << 20;
const GIBI: u64 = 1 << 30;

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 8,
            entries: 1_000_000,
            unpacked: 64 * GIBI,
            ratio: 1_000,
            ratio_from: 64 * MEBI,
            memory: 8 * MEBI,
            spool: 64 * GIBI,
            spool_folder: None,
            cell: 16 << 20,
            // The safetensors library takes headers of up to 100 MB.
            metadata: 128 * MEBI,
            window: 128 * MEBI,
            skipped_folders: vec![".git".to_owned(), ".nearside".to_owned()],
            stop: None,
        }
    }
}

impl Limits {
    /// Whether nothing more is to be read.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
