//! The CUDA toolkit that is installed for compiling: neither what the driver supports nor what a
//! framework brings along.
//!
//! Source: `version.json` of CUDA 11.1 and later, `version.txt` of older ones, in `/usr/local/cuda`.

use std::path::Path;

use nearside_units::Known;
use serde_json::Value;

use crate::root::Root;

const FOLDER: &str = "usr/local/cuda";

/// The version of the toolkit below a root, `12.6.3`; nothing where there is none.
#[must_use]
pub fn cuda_toolkit(root: &Path) -> Option<Known<String>> {
    let root = Root(root);
    if !root.has_folder(FOLDER) {
        return None;
    }
    // Images with nothing but the runtime libraries have the folder as well.
    if !root.has(&format!("{FOLDER}/bin/nvcc")) {
        return None;
    }
    let (new, old) = (format!("{FOLDER}/version.json"), format!("{FOLDER}/version.txt"));
    Some(match root.has(&new) {
        true => root.text(&new).and_then(|text| {
            Known::from_option(of_json(&text), format!("/{new}: no version of cuda"))
        }),
        false => root.text(&old).and_then(|text| {
            let version = text.trim().strip_prefix("CUDA Version ").map(str::to_owned);
            Known::from_option(version, format!("/{old}: no version of CUDA"))
        }),
    })
}

fn of_json(text: &str) -> Option<String> {
    let data: Value = serde_json::from_str(text).ok()?;
    data["cuda"]["version"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_understood() {
        let folder = std::env::temp_dir().join(format!("nearside-toolkit-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        assert_eq!(cuda_toolkit(&folder), None);
        let write = |name: &str, text: &str| {
            let path = folder.join(FOLDER).join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("version.txt", "CUDA Version 11.0.228\n");
        assert_eq!(cuda_toolkit(&folder), None, "without a compiler there is no toolkit");
        write("bin/nvcc", "");
        assert_eq!(cuda_toolkit(&folder), Some(Known::Value("11.0.228".to_owned())));
        write("version.json", "{ \"cuda\": { \"name\": \"CUDA SDK\", \"version\": \"12.6.3\" } }");
        assert_eq!(cuda_toolkit(&folder), Some(Known::Value("12.6.3".to_owned())));
        write("version.json", "{");
        let found = cuda_toolkit(&folder).unwrap();
        assert_eq!(found.why(), Some("/usr/local/cuda/version.json: no version of cuda"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
