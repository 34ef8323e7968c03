//! What lasts: results by key, and what each stage last depended on. One JSON file each, written
//! whole or not at all; one that cannot be read is as if it were not there.

use std::fs;
use std::path::{Path, PathBuf};

use nearside_store::{Content, Digest, Entry, Kind, StoreError, atomic};
use nearside_units::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Part;

/// The folder of the record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) folder: PathBuf,
}

/// The result of a stage under one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) stage: String,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    pub(crate) outputs: Vec<Output>,
    /// What became of each trial, where a rule decides about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) trials: Vec<Tried>,
}

/// What became of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The trial.
    pub name: String,
    /// Its figure; nothing where it was not run.
    pub figure: Option<f64>,
    /// Why it was not run, or not to its end.
    pub left_out: Option<String>,
    /// Whether its figure is the best.
    pub best: bool,
}

/// Something that a stage wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Output {
    pub(crate) path: String,
    entries: Vec<Row>,
}

/// Something that a stage made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its path in the project.
    pub path: String,
    /// The digest of all that it holds.
    pub digest: Digest,
    /// Its size.
    pub bytes: Bytes,
}

/// One entry of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    bytes: u64,
}

/// What a stage depended on when it last ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) key: String,
    pub(crate) parts: Vec<Part>,
}

impl Output {
    pub(crate) fn of(path: &str, content: &Content) -> Self {
        let row = |entry: &Entry| {
            let (digest, executable, link) = match &entry.kind {
                Kind::File { digest, executable } => (Some(digest.to_string()), *executable, None),
                Kind::Link(target) => (None, false, Some(target.clone())),
                Kind::Folder => (None, false, None),
            };
            Row { path: entry.path.clone(), digest, executable, link, bytes: entry.bytes.get() }
        };
        Self { path: path.to_owned(), entries: content.entries.iter().map(row).collect() }
    }

    pub(crate) fn made(&self) -> Option<Made> {
        let content = self.content()?;
        let (digest, bytes) = (content.digest, content.bytes());
        Some(Made { path: self.path.clone(), digest, bytes })
    }

    /// What it held; nothing where a digest is none.
    pub(crate) fn content(&self) -> Option<Content> {
        let entry = |row: &Row| {
            let kind = match (&row.digest, &row.link) {
                (Some(digest), _) => {
                    Kind::File { digest: digest.parse().ok()?, executable: row.executable }
                }
                (None, Some(target)) => Kind::Link(target.clone()),
                (None, None) => Kind::Folder,
            };
            Some(Entry { path: row.path.clone(), kind, bytes: Bytes::new(row.bytes) })
        };
        self.entries.iter().map(entry).collect::<Option<Vec<_>>>().map(Content::of)
    }
}

impl Record {
    pub(crate) fn result_file(&self, key: &Digest) -> PathBuf {
        self.folder.join("cache/results").join(format!("{key}.json"))
    }

    fn stage_file(&self, stage: &str) -> PathBuf {
        self.folder.join("stages").join(format!("{stage}.json"))
    }

    /// What a stage prints.
    pub(crate) fn log_file(&self, stage: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{stage}.log"))
    }

    /// The same, sealed.
    pub(crate) fn sealed_log_file(&self, stage: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{stage}.log.age"))
    }

    /// The working folder of a stage.
    pub(crate) fn work_folder(&self, stage: &str) -> PathBuf {
        self.folder.join("work").join(stage)
    }

    pub(crate) fn result(&self, key: &Digest) -> Option<Outcome> {
        read(&self.result_file(key))
    }

    /// Every result that can be read, with its key.
    pub(crate) fn keyed_results(&self) -> Vec<(Digest, Outcome)> {
        let entries = fs::read_dir(self.folder.join("cache/results")).into_iter().flatten();
        let keyed = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            Some((path.file_stem()?.to_str()?.parse().ok()?, read(&path)?))
        };
        entries.filter_map(keyed).collect()
    }

    pub(crate) fn keep_result(&self, key: &Digest, outcome: &Outcome) -> Result<(), StoreError> {
        write(&self.result_file(key), outcome)
    }

    pub(crate) fn last(&self, stage: &str) -> Option<Last> {
        read(&self.stage_file(stage))
    }

    pub(crate) fn keep_last(&self, stage: &str, last: &Last) -> Result<(), StoreError> {
        write(&self.stage_file(stage), last)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write<T: Serialize>(path: &Path, row: &T) -> Result<(), StoreError> {
    // Rows have text keys and finite numbers, which JSON can say.
    let text = serde_json::to_vec(row).unwrap_or_default();
    atomic::write(path, &text)
}
