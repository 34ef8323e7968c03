//! The digest of all that the scanner goes by: its sources, those that open what is scanned, and its
//! lists. Certificates name it, so that what was scanned by other rules is scanned again.
//!
//! And the lists of names as one table, which a scan reads in place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[path = "src/scan/folded.rs"]
#[expect(dead_code, unreachable_pub, reason = "the crate uses more of it")]
mod folded;
#[path = "src/scan/name_table.rs"]
#[expect(dead_code, reason = "the crate uses more of it")]
mod name_table;

use folded::Folded;
use name_table::{
    CODES, COUNTRIES, FAMILY, GIVEN, ORDINARY, ORGANISATION, PLACE, PLACE_BYTES, find, high,
};

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
    write_names()
}

/// The lists of names and what a word in each may be.
const LISTS: [(&str, u32); 5] = [
    ("data/given_names.tsv", GIVEN),
    ("data/family_names.tsv", FAMILY),
    ("data/ordinary_words.txt", ORDINARY),
    ("data/places.txt", PLACE),
    ("data/organisation_words.txt", ORGANISATION),
];

fn write_names() -> io::Result<()> {
    let mut rows = Vec::new();
    for (path, bit) in LISTS {
        let text = fs::read_to_string(path)?;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, codes) = line.split_once('\t').unwrap_or((line, ""));
            let bits = bit | countries_of(codes) << COUNTRIES;
            rows.push((Folded::of(name.as_bytes()), bits));
        }
    }
    let folder = std::env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&folder).join("names.bin"), table_of(&rows))
}

/// The table of some words: open addressing, half empty; bits of equal words are joined.
fn table_of(rows: &[(Folded, u32)]) -> Vec<u8> {
    let places = (rows.len() * 2 + 1).next_power_of_two();
    let mut table = vec![0; places * PLACE_BYTES];
    for (word, bits) in rows {
        let (start, known) = find(&table, *word);
        if let Some(bytes) = table.get_mut(start..start + PLACE_BYTES) {
            bytes[..4].copy_from_slice(&high(*word).to_le_bytes());
            bytes[4..].copy_from_slice(&(known | bits).to_le_bytes());
        }
    }
    table
}

/// A bit for each country.
fn countries_of(codes: &str) -> u32 {
    let bit = |code: &str| CODES.iter().position(|known| *known == code).map_or(0, |at| 1 << at);
    codes.split(' ').map(bit).sum()
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
