//! The digest of all that the scanner goes by: its sources, those that open what is scanned, and its
//! lists. Certificates name it, so that what was scanned by other rules is scanned again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the rules are made of, below the folder of this crate.
const RULES: [&str; 3] = ["src/scan", "src/source", "data"];

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for folder in RULES {
        println!("cargo::rerun-if-changed={folder}");
        add(Path::new(folder), &mut files)?;
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let (name, text) = (file.to_string_lossy().replace('\\', "/"), fs::read(&file)?);
        for part in [name.as_bytes(), &text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    println!("cargo::rustc-env=RULES_DIGEST={}", hasher.finalize().to_hex());
    Ok(())
}

fn add(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => add(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}
