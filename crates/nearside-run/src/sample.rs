//! A part of a dataset, small enough to try a pipeline on.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use nearside_store::atomic;

use crate::RunError;

/// What was taken of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many records of the file, from its beginning; more follow.
    Records(usize),
    /// So many files of a folder, evenly spread over their sorted names, of how many.
    Files(usize, usize),
    /// All of it: there is no more than was asked for, or its records cannot be told apart.
    Whole,
}

/// How the records of a file are told apart, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A head, then rows; a quoted cell may hold line ends.
    Table,
    /// A record per line.
    Lines,
}

fn format(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" | "tsv" => Some(Format::Table),
        "jsonl" | "ndjson" | "txt" | "text" | "log" => Some(Format::Lines),
        _ => None,
    }
}

/// Puts at most so many records of a file, or files of a folder, at another path.
///
/// # Errors
/// When the dataset cannot be read or the sample not be written.
pub(crate) fn take(dataset: &Path, to: &Path, records: usize) -> Result<Taken, RunError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(RunError::io("make folder", folder))?;
    }
    if dataset.is_dir() {
        return files(dataset, to, records);
    }
    if let Some(format) = format(dataset) {
        let part = atomic::beside(to);
        let more = head(dataset, &part, format, records);
        let more = more.map_err(RunError::io("take a sample of", dataset));
        if matches!(more, Ok(true)) {
            atomic::replace(&part, to)?;
            return Ok(Taken::Records(records));
        }
        atomic::remove(&part)?;
        more?;
    }
    same(dataset, to)?;
    Ok(Taken::Whole)
}

/// Copies the first records; whether there are more.
fn head(from: &Path, to: &Path, format: Format, records: usize) -> std::io::Result<bool> {
    let mut from = BufReader::with_capacity(1 << 16, File::open(from)?);
    let mut to = BufWriter::new(File::create(to)?);
    let lines = records.saturating_add(usize::from(format == Format::Table));
    let mut line = Vec::new();
    for _ in 0..lines {
        let mut quotes = 0;
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(false);
            }
            to.write_all(&line)?;
            quotes += line.iter().filter(|byte| **byte == b'"').count();
            // A quote inside a quoted cell is doubled: a record ends where they are even.
            if format == Format::Lines || quotes.is_multiple_of(2) {
                break;
            }
        }
    }
    to.flush()?;
    Ok(!from.fill_buf()?.is_empty())
}

/// Puts some files of a folder into another folder.
fn files(from: &Path, to: &Path, most: usize) -> Result<Taken, RunError> {
    let mut found = Vec::new();
    walk(from, &mut found)?;
    found.sort();
    atomic::remove(to)?;
    fs::create_dir_all(to).map_err(RunError::io("make folder", to))?;
    let count = found.len().min(most);
    for at in 0..count {
        let path = &found[at * found.len() / count];
        let inner = path.strip_prefix(from).unwrap_or(path);
        let place = to.join(inner);
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(RunError::io("make folder", folder))?;
        }
        same(path, &place)?;
    }
    Ok(if count < found.len() { Taken::Files(count, found.len()) } else { Taken::Whole })
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), RunError> {
    for entry in fs::read_dir(folder).map_err(RunError::io("read", folder))? {
        let path = entry.map_err(RunError::io("read", folder))?.path();
        match path.is_dir() {
            true => walk(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}

/// The same file at another path: a second name of it, or a copy where that cannot be.
fn same(from: &Path, to: &Path) -> Result<(), RunError> {
    atomic::remove(to)?;
    // A link is followed first, or the second name would be one of the link.
    let from = fs::canonicalize(from).map_err(RunError::io("read", from))?;
    if fs::hard_link(&from, to).is_err() {
        fs::copy(&from, to).map_err(RunError::io("copy", &from))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let name = format!("nearside-run-sample-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn records_are_kept_whole() {
        let folder = scratch("records");
        let table = "id,text\n1,\"a\nb\"\n2,\"say \"\"x\"\"\n\"\n3,c\n";
        for (name, text, most, expected, taken) in [
            ("a.csv", table, 1, "id,text\n1,\"a\nb\"\n", Taken::Records(1)),
            ("a.csv", table, 2, &table[..table.len() - 4], Taken::Records(2)),
            ("a.csv", table, 3, table, Taken::Whole),
            ("a.csv", table, 9, table, Taken::Whole),
            ("a.jsonl", "{\"a\":1}\n{\"a\":2}\n", 1, "{\"a\":1}\n", Taken::Records(1)),
            ("a.jsonl", "1\n2", 2, "1\n2", Taken::Whole),
            ("a.bin", "1\n2\n3\n", 1, "1\n2\n3\n", Taken::Whole),
            ("a.csv", "", 1, "", Taken::Whole),
        ] {
            let (from, to) = (folder.join(name), folder.join("new/sample"));
            fs::write(&from, text).unwrap();
            assert_eq!(take(&from, &to, most).unwrap(), taken, "{name} {most}");
            assert_eq!(fs::read_to_string(&to).unwrap(), expected, "{name} {most}");
            assert_eq!(fs::read_dir(folder.join("new")).unwrap().count(), 1, "left over");
            assert_eq!(fs::read_to_string(&from).unwrap(), text);
        }
        assert!(take(&folder.join("none.csv"), &folder.join("x"), 1).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn files_are_taken_from_every_part_of_a_folder() {
        let folder = scratch("files");
        for at in 0..40 {
            let path = folder.join(format!("images/class-{}/{at:02}.png", at / 10));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let (from, to) = (folder.join("images"), folder.join("sample"));
        for _ in 0..2 {
            assert_eq!(take(&from, &to, 8).unwrap(), Taken::Files(8, 40));
            for class in 0..4 {
                let taken = fs::read_dir(to.join(format!("class-{class}"))).unwrap().count();
                assert_eq!(taken, 2);
            }
        }
        assert_eq!(take(&from, &to, 40).unwrap(), Taken::Whole);
        fs::remove_dir_all(&folder).unwrap();
    }
}
