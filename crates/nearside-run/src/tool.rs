//! Which version of a program a command starts: its file, and for Python the packages beside it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use nearside_store::{Digest, Fields};

/// Programs by name, looked up once.
#[derive(Debug)]
pub(crate) struct Tools {
    search: Vec<PathBuf>,
    known: BTreeMap<String, Option<Tool>>,
}

/// A program that was found.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// The file behind the name.
    pub(crate) file: PathBuf,
    /// Of its place, size, time and packages.
    pub(crate) digest: Digest,
}

impl Tools {
    /// Programs are looked for in the folders of a `PATH`.
    pub(crate) fn in_path(path: &OsStr) -> Self {
        Self { search: std::env::split_paths(path).collect(), known: BTreeMap::new() }
    }

    /// The program of that name, or the file of the project; nothing where there is none.
    pub(crate) fn find(&mut self, name: &str) -> Option<Tool> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let found = match name.contains('/') {
            true => None,
            false => self.search.iter().find_map(|folder| tool(&folder.join(name))),
        };
        self.known.insert(name.to_owned(), found.clone());
        found
    }
}

fn tool(path: &Path) -> Option<Tool> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let file = fs::canonicalize(path).ok()?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
    let fields = Fields::default()
        .bytes(file.as_os_str().as_encoded_bytes())
        .text(&metadata.len().to_string())
        .text(&modified.to_string());
    let is_python =
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"));
    let packages = if is_python { packages(path, &file) } else { Vec::new() };
    let fields = packages.iter().fold(fields, |fields, package| fields.text(package));
    Some(Tool { file, digest: fields.digest() })
}

/// Names and versions of the packages of a Python: of its virtual environment, else of its prefix.
fn packages(path: &Path, file: &Path) -> Vec<String> {
    let prefix = |program: &Path| program.parent().and_then(Path::parent).map(Path::to_path_buf);
    let own = prefix(path).filter(|prefix| prefix.join("pyvenv.cfg").is_file());
    let Some(prefix) = own.or_else(|| prefix(file)) else { return Vec::new() };
    let mut found = Vec::new();
    for lib in names(&prefix.join("lib")).filter(|name| name.starts_with("python")) {
        let site = prefix.join("lib").join(lib).join("site-packages");
        found.extend(names(&site).filter(|name| name.ends_with(".dist-info")));
    }
    found.sort();
    found
}

fn names(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_package_is_another_python() {
        let folder = std::env::temp_dir().join(format!("nearside-run-tool-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let site = folder.join("lib/python3.12/site-packages");
        fs::create_dir_all(site.join("torch-2.9.0.dist-info")).unwrap();
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::write(folder.join("bin/python"), "").unwrap();
        fs::write(folder.join("pyvenv.cfg"), "").unwrap();
        let found = || {
            let mut tools = Tools::in_path(folder.join("bin").as_os_str());
            tools.find("python").map(|tool| tool.digest)
        };
        let before = found().unwrap();
        assert_eq!(found(), Some(before));
        fs::rename(site.join("torch-2.9.0.dist-info"), site.join("torch-2.9.1.dist-info")).unwrap();
        assert_ne!(found(), Some(before));
        assert!(Tools::in_path(OsStr::new("")).find("python").is_none());
    }
}
