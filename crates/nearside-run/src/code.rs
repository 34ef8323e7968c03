//! The code that a command runs: files and folders of the project that it names, and what Python
//! files import from the project.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The most files of code that are followed.
const MOST_FILES: usize = 20_000;

/// Paths of code, relative to the project's folder: what words name, `-m` modules, and what all of
/// them import. `is_data` tells what the stage declares as read or written.
pub(crate) fn of(
    folder: &Path,
    words: &[String],
    is_data: impl Fn(&Path) -> bool,
) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = Vec::new();
    let modules = words.windows(2).filter(|pair| pair[0] == "-m").map(|pair| pair[1].as_str());
    for module in modules {
        open.extend(candidates(folder, Path::new(""), module, &[]));
    }
    let named = words.iter().filter_map(|word| plain(Path::new(word)));
    open.extend(named.filter(|path| !path.as_os_str().is_empty() && !is_data(path)));
    while let Some(path) = open.pop() {
        let at = folder.join(&path);
        let Ok(metadata) = fs::metadata(&at) else { continue };
        let hidden = path.iter().next().is_some_and(|first| first == ".nearside");
        if hidden || found.len() >= MOST_FILES || !found.insert(path.clone()) {
            continue;
        }
        if metadata.is_file() && path.extension().is_some_and(|extension| extension == "py") {
            open.extend(imported(folder, &path));
        }
    }
    found
}

/// A relative path without `.`; nothing for one that leaves the folder.
fn plain(path: &Path) -> Option<PathBuf> {
    use std::path::Component;
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

/// Files of the project that a Python file imports.
fn imported(folder: &Path, file: &Path) -> Vec<PathBuf> {
    let Ok(text) = fs::read_to_string(folder.join(file)) else { return Vec::new() };
    let here = file.parent().unwrap_or(Path::new(""));
    let import = |line: &str| -> Vec<PathBuf> {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(rest) = line.strip_prefix("import ") {
            let names = rest.split(',').filter_map(|name| name.split_whitespace().next());
            return names.flat_map(|name| candidates(folder, here, name, &[])).collect();
        }
        let Some((module, names)) =
            line.strip_prefix("from ").and_then(|rest| rest.split_once(" import "))
        else {
            return Vec::new();
        };
        let names = names.trim_matches(['(', ')', ' ']).split(',');
        let names: Vec<_> = names.filter_map(|name| name.split_whitespace().next()).collect();
        candidates(folder, here, module.trim(), &names)
    };
    text.lines().flat_map(import).collect()
}

/// Files that a dotted module may be, beside the file that imports it or from the top of the project,
/// and files of the names imported from it.
fn candidates(folder: &Path, here: &Path, module: &str, names: &[&str]) -> Vec<PathBuf> {
    let dots = module.len() - module.trim_start_matches('.').len();
    let parts: Vec<_> = module.split('.').filter(|part| !part.is_empty()).collect();
    let tops: Vec<PathBuf> = match dots {
        0 => vec![here.to_path_buf(), PathBuf::new()],
        _ => here.ancestors().nth(dots - 1).map(Path::to_path_buf).into_iter().collect(),
    };
    let mut found = Vec::new();
    for top in tops {
        let mut path = top;
        for part in &parts {
            path.push(part);
            found.push(path.join("__init__.py"));
        }
        found.push(path.with_extension("py"));
        found.push(path.join("__main__.py"));
        for name in names {
            found.push(path.join(name).with_extension("py"));
            found.push(path.join(name).join("__init__.py"));
        }
    }
    found.retain(|path| folder.join(path).is_file());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_imports_from_the_project_is_followed() {
        let folder = std::env::temp_dir().join(format!("nearside-run-code-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let write = |path: &str, text: &str| {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), text).unwrap();
        };
        write("train.py", "import os, tools.text as t\nfrom model import Net  # a comment\n");
        write("model.py", "from tools import (numbers, text)\n    import late\n");
        write("late.py", "import train\n");
        write("tools/__init__.py", "");
        write("tools/text.py", "from . import numbers\nfrom .deep.more import x\n");
        write("tools/numbers.py", "import json\n");
        write("tools/deep/more.py", "from ..other import y\n");
        write("tools/other.py", "");
        write("tools/unused.py", "");
        write("conf.yaml", "");
        write("data/in.csv", "");
        let words = ["train.py", "--config", "./conf.yaml", "data/in.csv", "../x", "missing.py"];
        let words = words.map(str::to_owned);
        let found = of(&folder, &words, |path| path.starts_with("data"));
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            found,
            [
                "conf.yaml",
                "late.py",
                "model.py",
                "tools/__init__.py",
                "tools/deep/more.py",
                "tools/numbers.py",
                "tools/other.py",
                "tools/text.py",
                "train.py",
            ]
        );
        let module = ["-m", "tools.text"].map(str::to_owned);
        assert!(of(&folder, &module, |_| false).contains(Path::new("tools/text.py")));
    }
}
