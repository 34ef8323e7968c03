//! A file, or every file of a folder, made anonymous: all of it or nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nearside_policy::Class;

use super::operator::Rules;
use super::placed::{self, Placed};
use super::pseudonym::Pseudonyms;
use super::rewrite::Counts;
use super::text::{Clean, Depositing, Searched, Work};
use super::{AnonymizeError, Unreadable};
use crate::scan::{self, Entity};
use crate::source::{self, Content, Entry, Form, Limits, Skipped, Visitor};
use crate::vault::Deposit;

/// What is to be made anonymous, and how.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// A file, or a folder of files.
    pub input: &'a Path,
    /// Which finding gets what.
    pub rules: &'a Rules,
    /// With the key of the project.
    pub pseudonyms: &'a Pseudonyms,
    /// How far files are opened.
    pub limits: &'a Limits,
    /// How texts are searched.
    pub scan: scan::Options,
    /// A folder for files without a name, on a disk with room for twice the largest text.
    pub scratch: &'a Path,
    /// What happens to files that cannot be anonymized.
    pub unreadable: Unread,
    /// Where the values go that labels of [`super::Operator::Vault`] stand for; the caller stores it once all
    /// of them are there.
    pub vault: Option<&'a RefCell<Deposit>>,
}

/// What happens to files that cannot be anonymized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Nothing is written.
    Fail,
    /// They are left out, and reported.
    LeaveOut,
}

/// What was made of all files.
#[derive(Debug)]
pub struct Anonymized {
    /// Each file, in the order of their paths.
    pub files: Vec<AnonymizedFile>,
    /// What was left out.
    pub left_out: Vec<Unreadable>,
}

/// What was made of a file.
#[derive(Debug)]
pub struct AnonymizedFile {
    /// Its path.
    pub input: PathBuf,
    /// Bytes read, as UTF-8.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// How often each operator was used on each kind.
    pub replaced: Counts,
    /// What a search of the result finds that was left on purpose, by what is there now.
    pub chosen: Counts,
    /// What else a search of the result finds.
    pub left: BTreeMap<Entity, u64>,
    /// The result.
    result: Placed,
}

impl Anonymized {
    /// Kinds of at least a class that a search of the results finds, real values alone.
    #[must_use]
    pub fn left_of(&self, class: Class) -> u64 {
        let of = |file: &AnonymizedFile| {
            let kept = file.chosen.iter().filter(|((_, operator), _)| operator.is_real());
            let kept = kept.map(|((entity, _), count)| (*entity, *count));
            let left = file.left.iter().map(|(entity, count)| (*entity, *count));
            left.chain(kept)
                .filter(|(entity, _)| entity.class() >= class)
                .map(|it| it.1)
                .sum::<u64>()
        };
        self.files.iter().map(of).sum()
    }

    /// Writes the results: a file for a file, a folder for a folder, whole or not at all.
    ///
    /// # Errors
    /// An output that cannot be written, or a folder that is there already.
    pub fn store(&mut self, output: &Path) -> Result<(), AnonymizeError> {
        placed::store(&mut self.results(), output)
    }

    /// The result of one file, from its start; [`None`] where the input is a folder.
    pub fn only(&mut self) -> Option<&mut dyn Read> {
        placed::only(self.results())
    }

    fn results(&mut self) -> Vec<&mut Placed> {
        self.files.iter_mut().map(|file| &mut file.result).collect()
    }
}

impl Job<'_> {
    /// Makes everything anonymous; nothing is written yet.
    ///
    /// # Errors
    /// A file that cannot be anonymized, unless those are left out, or that changed meanwhile; a
    /// column that no table has.
    pub fn run(&self) -> Result<Anonymized, AnonymizeError> {
        let mut done = Anonymized { files: Vec::new(), left_out: Vec::new() };
        let mut heads = BTreeSet::new();
        for entry in source::files(&[self.input], self.limits)? {
            match self.entry(&entry, &mut heads)? {
                Ok(file) => done.files.push(file),
                Err(unreadable) => done.left_out.push(unreadable),
            }
        }
        if !done.left_out.is_empty() && (self.unreadable == Unread::Fail || done.files.is_empty()) {
            return Err(AnonymizeError::Unreadable(done.left_out));
        }
        match self.rules.named_columns().find(|name| !heads.contains(*name)) {
            Some(missing) => Err(AnonymizeError::Column(missing.clone())),
            None => Ok(done),
        }
    }

    fn entry(
        &self,
        entry: &Entry,
        heads: &mut BTreeSet<String>,
    ) -> Result<Result<AnonymizedFile, Unreadable>, AnonymizeError> {
        let unreadable = |path: &Path, why: String| {
            Ok(Err(Unreadable { name: path.to_string_lossy().into_owned(), why }))
        };
        let path = match entry {
            Entry::File(path) => path,
            Entry::Unreadable(path, why) => return unreadable(path, why.clone()),
            Entry::Skipped(path, what) => return unreadable(path, what.to_string()),
        };
        match self.file(path, heads)? {
            Ok(file) => Ok(Ok(file)),
            Err(why) => unreadable(path, why),
        }
    }

    /// One file, or why it cannot be anonymized.
    fn file(
        &self,
        path: &Path,
        heads: &mut BTreeSet<String>,
    ) -> Result<Result<AnonymizedFile, String>, AnonymizeError> {
        let source = path.to_string_lossy();
        let work = Work {
            rules: self.rules,
            pseudonyms: self.pseudonyms,
            scan: self.scan,
            scratch: self.scratch,
            vault: self.vault.map(|deposit| Depositing { deposit, source: &source }),
        };
        let search = open(path, self.limits, |form, text| work.search(form, text))?;
        let (searched, raw) = match search {
            Ok(searched) => searched,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(why) = why_no_text(&searched, &raw) {
            return Ok(Err(why.to_owned()));
        }
        heads.extend(searched.heads.iter().cloned());
        let read = searched.bytes;
        let below = path.strip_prefix(self.input).unwrap_or(path).to_path_buf();
        let mut searched = Some(searched);
        let written = open(path, self.limits, |_, text| match searched.take() {
            Some(searched) => work.write(searched, below.to_string_lossy().as_bytes(), text),
            None => Ok(None),
        })?;
        let Ok((Some(clean), again)) = written else {
            return Err(AnonymizeError::Changed(path.to_path_buf()));
        };
        if again.digest != raw.digest {
            return Err(AnonymizeError::Changed(path.to_path_buf()));
        }
        let Clean { file, bytes: written, counts: replaced, chosen, left } = clean;
        let input = path.to_path_buf();
        let result = Placed { file, below };
        Ok(Ok(AnonymizedFile { input, read, written, replaced, chosen, left, result }))
    }
}

/// Opens a file as text; what was read of it, or why it cannot be read.
pub(super) fn open<T>(
    path: &Path,
    limits: &Limits,
    read: impl FnMut(Option<Form>, &mut dyn Read) -> io::Result<T>,
) -> Result<Result<(T, Raw), String>, AnonymizeError> {
    let file = File::open(path).map_err(AnonymizeError::file("read", path))?;
    let mut raw = RawReader { file, hasher: blake3::Hasher::new(), head: Vec::new() };
    let mut reading = Reading { read, content: None, why: None };
    let name = path.to_string_lossy();
    source::open(&name, &mut raw, limits, &mut reading);
    if let Some(why) = reading.why {
        return Ok(Err(why));
    }
    // An empty file is no content to some; there is nothing in it.
    io::copy(&mut raw, &mut io::sink()).map_err(AnonymizeError::file("read", path))?;
    let found = Raw { digest: raw.hasher.finalize(), head: raw.head };
    Ok(reading.content.map(|content| (content, found)).ok_or_else(|| "no text".to_owned()))
}

/// Why a content is not the text that a file is, if so.
fn why_no_text(searched: &Searched, raw: &Raw) -> Option<&'static str> {
    // Marks of an encoding: what follows is the text, as UTF-8.
    const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    let marked = MARKS.iter().any(|mark| raw.head.starts_with(mark));
    match () {
        () if searched.binary => Some("no text: it holds zero bytes"),
        () if searched.digest != raw.digest && !marked => {
            Some("no plain text: unpack or export it first")
        }
        () => None,
    }
}

/// What a file holds, before it was decoded.
pub(super) struct Raw {
    pub(super) digest: blake3::Hash,
    head: Vec<u8>,
}

struct RawReader {
    file: File,
    hasher: blake3::Hasher,
    head: Vec<u8>,
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        let passed = buffer.get(..read).unwrap_or(&[]);
        self.hasher.update(passed);
        let wanted = 4_usize.saturating_sub(self.head.len()).min(read);
        self.head.extend_from_slice(passed.get(..wanted).unwrap_or(&[]));
        Ok(read)
    }
}

/// Reads the one content of a file.
struct Reading<T, F> {
    read: F,
    content: Option<T>,
    why: Option<String>,
}

impl<T, F: FnMut(Option<Form>, &mut dyn Read) -> io::Result<T>> Visitor for Reading<T, F> {
    fn content(&mut self, content: Content<'_>) -> io::Result<()> {
        if self.content.is_some() {
            self.why = Some("it holds several texts: unpack it first".to_owned());
            return Ok(());
        }
        self.content = Some((self.read)(content.form, content.text)?);
        Ok(())
    }

    fn unreadable(&mut self, _name: &str, why: &str) {
        self.why = Some(why.to_owned());
    }

    fn skipped(&mut self, _name: &str, what: Skipped) {
        self.why = Some(what.to_string());
    }
}
