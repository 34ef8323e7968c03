//! The CUDA toolkit that is installed for compiling: neither what the driver supports nor what a
//! framework brings along.
//!
//! Source: PyTorch `torch/utils/cpp_extension.py` (`CUDA_HOME`, `CUDA_PATH`, `/usr/local/cuda`);
//! `version.json` of CUDA 11.1 and later, `version.txt` of older ones; folders are called `cuda-12.6`.

use std::collections::BTreeMap;
use std::path::Path;

use nearside_units::Known;
use serde_json::Value;

use crate::root::Root;

const FOLDER: &str = "/usr/local/cuda";

/// An installed toolkit.
#[derive(Clone, Debug)]
pub(crate) struct Toolkit {
    /// Its version, `12.6.3`.
    pub(crate) version: Known<String>,
    /// What says so.
    pub(crate) place: String,
}

/// The version of the toolkit below a root that programs are built with, `12.6.3`; nothing where there
/// is none. `variables` are those of whoever builds.
#[must_use]
pub fn cuda_toolkit(root: &Path, variables: &BTreeMap<String, String>) -> Option<Known<String>> {
    toolkit(Root(root), variables).map(|toolkit| toolkit.version)
}

/// The toolkit that programs are built with: where variables say, else in the usual folder.
pub(crate) fn toolkit(root: Root<'_>, variables: &BTreeMap<String, String>) -> Option<Toolkit> {
    let stated = ["CUDA_HOME", "CUDA_PATH"].iter().find_map(|name| variables.get(*name));
    let mut places = stated.map(String::as_str).into_iter().chain([FOLDER]);
    places.find_map(|folder| in_folder(root, folder.trim_end_matches('/')))
}

fn in_folder(root: Root<'_>, folder: &str) -> Option<Toolkit> {
    // Images with nothing but the runtime libraries have the folder as well.
    if !root.has(&format!("{folder}/bin/nvcc")) {
        return None;
    }
    let (new, old) = (format!("{folder}/version.json"), format!("{folder}/version.txt"));
    let (version, file) = match root.has(&new) {
        true => (root.text(&new).map(|text| of_json(&text)), new),
        false => {
            let plain = |text: String| text.trim().strip_prefix("CUDA Version ").map(str::to_owned);
            (root.text(&old).map(plain), old)
        }
    };
    let why = format!("{file}: no version of CUDA");
    let version = version.and_then(|version| Known::from_option(version, why));
    Some(match (version, named(root, folder)) {
        (Known::Unknown(_), Some((version, place))) => {
            Toolkit { version: Known::Value(version), place }
        }
        (version, _) => Toolkit { version, place: file },
    })
}

/// `12.6` of a folder, all links followed, that is called `cuda-12.6`.
fn named(root: Root<'_>, folder: &str) -> Option<(String, String)> {
    let followed = root.followed(folder).value()?;
    let (_, version) = followed.rsplit_once("cuda-")?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|sign| sign.is_ascii_digit());
    version.split('.').all(digits).then(|| (version.to_owned(), format!("/{followed}")))
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
        let none = BTreeMap::new();
        let cuda_toolkit = |folder: &Path| super::cuda_toolkit(folder, &none);
        assert_eq!(cuda_toolkit(&folder), None);
        let write = |name: &str, text: &str| {
            let path = folder.join("usr/local/cuda").join(name);
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
        assert_eq!(found.why(), Some("/usr/local/cuda/version.json: no version of CUDA"));
        write("../../../opt/cuda-12.4/bin/nvcc", "");
        let stated = BTreeMap::from([("CUDA_HOME".to_owned(), "/opt/cuda-12.4".to_owned())]);
        let found = super::cuda_toolkit(&folder, &stated);
        assert_eq!(found, Some(Known::Value("12.4".to_owned())), "what is stated comes first");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
