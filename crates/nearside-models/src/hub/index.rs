//! The index of weights in parts: which files it says there are.
//!
//! `{"weight_map": {"model.embed_tokens.weight": "model-00001-of-00002.safetensors", ...}}`

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

/// Bytes of an index at most; the largest models have some ten megabytes.
const MOST_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Files that an index names and that are not beside it. Why there is no telling, otherwise.
pub(super) fn missing(index: &Path) -> Result<Vec<String>, String> {
    let mut text = Vec::new();
    let file = File::open(index).map_err(|error| error.to_string())?;
    file.take(MOST_BYTES).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let index_of: Index = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let named: BTreeSet<String> = index_of.weight_map.into_values().collect();
    let folder = index.parent().unwrap_or_else(|| Path::new("."));
    // Names that lead elsewhere are not looked for: they are missing.
    let is_there = |name: &String| !name.contains(['/', '\\']) && folder.join(name).is_file();
    Ok(named.into_iter().filter(|name| !is_there(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_not_there_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("model.safetensors.index.json");
        let text = r#"{"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "2.safetensors", "c": "/etc/passwd"}}"#;
        std::fs::write(&index, text).unwrap();
        std::fs::write(folder.path().join("1.safetensors"), "").unwrap();
        assert_eq!(missing(&index).unwrap(), ["/etc/passwd", "2.safetensors"]);
        std::fs::write(&index, "{").unwrap();
        assert!(missing(&index).is_err());
    }
}
