//! What a pull did, or would do.

use nearside_models::hub::{Pull, Pulled, State};
use nearside_units::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::output::{Align, table};

/// The answer of `nearside model pull`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct PullAnswer {
    /// What was asked for, as it is written shortest.
    reference: String,
    /// The commit that the revision is.
    commit: String,
    /// Whether nothing was fetched, and only said what would be.
    dry_run: bool,
    /// The folder with the files.
    folder: String,
    /// The files that make the model.
    files: Vec<FileView>,
    /// Their size, in bytes.
    bytes: u64,
    /// What came over the network, in bytes; in a dry run, what would come.
    transferred_bytes: u64,
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct FileView {
    /// Its path in the repository.
    path: String,
    /// Its size, in bytes.
    bytes: u64,
    /// What came of it over the network, in bytes; in a dry run, what would come.
    transferred_bytes: u64,
    /// `present` where nothing came, `resumed` where a part was here, else `fetched`.
    state: &'static str,
}

impl PullAnswer {
    /// What would be done.
    pub(super) fn planned(pull: &Pull) -> Self {
        let files = pull.files.iter().map(|file| FileView {
            path: file.path.to_string(),
            bytes: file.bytes.get(),
            transferred_bytes: file.to_come().get(),
            state: state(file.state, file.to_come()),
        });
        Self {
            reference: pull.reference.to_string(),
            commit: pull.commit.to_string(),
            dry_run: true,
            folder: pull.folder.display().to_string(),
            files: files.collect(),
            bytes: pull.bytes().get(),
            transferred_bytes: pull.to_come().get(),
        }
    }

    /// What was done.
    pub(super) fn done(pull: &Pull, pulled: &Pulled) -> Self {
        let files = pulled.files.iter().zip(&pull.files).map(|(file, planned)| FileView {
            path: file.path.to_string(),
            bytes: file.bytes.get(),
            transferred_bytes: file.transferred.get(),
            state: state(planned.state, file.transferred),
        });
        let files: Vec<FileView> = files.collect();
        Self {
            reference: pulled.reference.to_string(),
            commit: pulled.commit.to_string(),
            dry_run: false,
            folder: pulled.folder.display().to_string(),
            bytes: pull.bytes().get(),
            transferred_bytes: files.iter().map(|file| file.transferred_bytes).sum(),
            files,
        }
    }

    /// The files as a table, the whole, and where it is.
    pub(super) fn text(&self) -> String {
        let heads = [("file", Align::Left), ("size", Align::Right), ("", Align::Left)];
        let would = |state: &'static str| match (self.dry_run, state) {
            (true, "fetched") => "to fetch",
            (true, "resumed") => "to finish",
            (_, state) => state,
        };
        let row = |file: &FileView| {
            let size = Bytes::new(file.bytes).si();
            vec![file.path.clone(), size, would(file.state).to_owned()]
        };
        let files = table(&heads, self.files.iter().map(row).collect());
        let (all, came) = (Bytes::new(self.bytes).si(), Bytes::new(self.transferred_bytes).si());
        let came = match (self.dry_run, self.transferred_bytes) {
            (_, 0) => "everything is here".to_owned(),
            (true, _) => format!("{came} to come"),
            (false, _) => format!("{came} came"),
        };
        let count = match self.files.len() {
            1 => "1 file".to_owned(),
            count => format!("{count} files"),
        };
        format!(
            "{files}\n\n{count}, {all}; {came}\n{} at {}\nin {}",
            self.reference, self.commit, self.folder
        )
    }

    /// The command that most would want next.
    pub(super) fn next(&self) -> String {
        let weights = |file: &&FileView| file.path.ends_with(".gguf");
        // Of one in parts, the first opens all.
        match self.files.iter().filter(weights).min_by_key(|file| &file.path) {
            Some(file) => format!("nearside fit {}/{}", self.folder, file.path),
            None => format!("nearside fit {}", self.folder),
        }
    }
}

fn state(before: State, came: Bytes) -> &'static str {
    match before {
        _ if came == Bytes::ZERO => "present",
        State::Begun(_) => "resumed",
        State::Present | State::Absent => "fetched",
    }
}
