//! What a model's files are and say of themselves: names, sizes, licence, who made it.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, "General metadata". The head of a `README.md` is that
//! of model cards (<https://huggingface.co/docs/hub/model-cards>).

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use nearside_architecture::header::gguf::Value;
use nearside_models::StoredModel;
use schemars::JsonSchema;
use serde::Serialize;

/// Files of a folder that are told, at most.
const MOST_FILES: usize = 1000;
/// Bytes of a text that are looked at, at most.
const MOST_TEXT: u64 = 1 << 20;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(super) struct FileView {
    /// Its name in its folder.
    pub(super) name: String,
    /// How long it is.
    pub(super) bytes: u64,
}

/// Where a model in the cache is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Origin {
    /// The repository, as `model pull` takes it.
    pub(super) repository: String,
    /// The commit.
    pub(super) commit: String,
}

impl Origin {
    /// What the folders of the cache are called: `models--ORG--NAME/snapshots/COMMIT`.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let names: Vec<_> = path.iter().map(|name| name.to_string_lossy()).collect();
        names.windows(3).find_map(|names| {
            let [model, folder, commit] = names else { return None };
            let repository = model.strip_prefix("models--").filter(|_| folder == "snapshots")?;
            Some(Self { repository: repository.replace("--", "/"), commit: commit.to_string() })
        })
    }
}

/// The files of a model.
pub(super) fn of(stored: &StoredModel, path: &Path) -> Vec<FileView> {
    let paths = match &stored.gguf {
        Some(_) => parts(stored, path),
        None => {
            let entries = fs::read_dir(&stored.path).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).take(MOST_FILES).collect()
        }
    };
    let view = |path: PathBuf| {
        let about = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(FileView { name, bytes: about.len() })
    };
    let mut files: Vec<_> = paths.into_iter().filter_map(view).collect();
    files.sort();
    files
}

/// The parts of a GGUF, which are called after the first one.
fn parts(stored: &StoredModel, path: &Path) -> Vec<PathBuf> {
    let split = stored.gguf.as_ref().and_then(|(header, _)| header.split());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(split) = split else { return vec![path.to_owned()] };
    let end = format!("-00001-of-{:05}.gguf", split.count);
    let Some(stem) = name.strip_suffix(&end) else { return vec![path.to_owned()] };
    let part = |index| path.with_file_name(format!("{stem}-{index:05}-of-{:05}.gguf", split.count));
    (1..=split.count.min(MOST_FILES as u64)).map(part).collect()
}

/// The text of a key of a GGUF header, where it is not empty.
pub(super) fn text_of(stored: &StoredModel, key: &str) -> Option<String> {
    match &stored.gguf.as_ref()?.0.values.get(key)?.value {
        Value::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

pub(super) fn made_by(stored: &StoredModel) -> Option<String> {
    text_of(stored, "general.organization").or_else(|| text_of(stored, "general.author"))
}

/// Its family, as its files call it.
pub(super) fn family(stored: &StoredModel) -> Option<String> {
    if stored.gguf.is_some() {
        return text_of(stored, "general.architecture");
    }
    let config = beginning(&stored.path.join("config.json"))?;
    let config: serde_json::Value = serde_json::from_str(&config).ok()?;
    config.get("model_type")?.as_str().map(str::to_owned)
}

/// The licence that a GGUF states, or else the head of the `README.md` beside it. One that is called `other` has a name
/// besides.
pub(super) fn licence(stored: &StoredModel, path: &Path) -> Option<String> {
    let told = text_of(stored, "general.license");
    let (licence, name) = match told {
        Some(licence) => (licence, text_of(stored, "general.license.name")),
        None => {
            let folder = if path.is_dir() { path } else { path.parent()? };
            let readme = beginning(&folder.join("README.md"))?;
            (in_head(&readme, "license:")?, in_head(&readme, "license_name:"))
        }
    };
    Some(match name.filter(|_| licence == "other") {
        Some(name) => format!("other: {name}"),
        None => licence,
    })
}

/// A value of the lines between dashes that a text begins with.
fn in_head(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim_end);
    lines.next().filter(|first| first.trim_start_matches('\u{feff}') == "---")?;
    let line = lines.take_while(|line| *line != "---").find_map(|line| line.strip_prefix(key))?;
    let value = line.trim().trim_matches(['"', '\'']).to_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// The beginning of a text file; `None` for what is none. What is no file is not opened: it might never end.
fn beginning(path: &Path) -> Option<String> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MOST_TEXT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_from_the_head_alone() {
        let text = "---\nlanguage: en\nlicense: \"apache-2.0\"\r\n---\nlicense: mit\n";
        assert_eq!(in_head(text, "license:").as_deref(), Some("apache-2.0"));
        assert_eq!(in_head(text, "license_name:"), None);
        assert_eq!(in_head("license: mit", "license:"), None);
        assert_eq!(in_head("---\nlicense:\n---\nlicense: mit", "license:"), None);
    }

    #[test]
    fn folders_of_the_cache_say_where_a_model_is_from() {
        let path = "/hub/models--org--name/snapshots/0123/sub/model.gguf";
        let origin = Origin::of(Path::new(path)).unwrap();
        assert_eq!((origin.repository.as_str(), origin.commit.as_str()), ("org/name", "0123"));
        assert_eq!(Origin::of(Path::new("/models--org--name/model.gguf")), None);
    }
}
