//! One text made anonymous: searched, written anew, and what was written is searched again.
//!
//! The text is read twice, and what is written is what was searched: both readings must give the same
//! digest. What a search of the result still finds is written anew as well, a few times; what it finds
//! after that, and what was left on purpose, is reported.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::layout::Layout;
use super::operator::{Operator, Rules};
use super::pseudonym::Pseudonyms;
use super::rewrite::{Columns, Counts, Rewriter, Written};
use super::rows::Rows;
use super::spool::{Item, Items, Spool};
use crate::scan::{self, Entity, Finding, Group};
use crate::source::Form;
use crate::vault::{self, Deposit};

/// How often a result is searched and written anew.
const ROUNDS: usize = 4;
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// What is done with every text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'a> {
    pub(super) rules: &'a Rules,
    pub(super) pseudonyms: &'a Pseudonyms,
    pub(super) scan: scan::Options,
    /// Where files without a name are made.
    pub(super) scratch: &'a Path,
    /// Where values go that are to be had again.
    pub(super) vault: Option<Depositing<'a>>,
}

/// Puts the values of one file into a vault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Depositing<'a> {
    pub(super) deposit: &'a RefCell<Deposit>,
    /// The file.
    pub(super) source: &'a str,
}

impl Depositing<'_> {
    /// Adds a value; a bare one is a number or word of JSON.
    pub(super) fn add(self, kind: Entity, label: &str, value: &[u8], bare: bool) -> io::Result<()> {
        let entry = vault::Entry {
            label: label.to_owned(),
            kind,
            value: Zeroizing::new(String::from_utf8_lossy(value).into_owned()),
            bare,
            source: self.source.to_owned(),
        };
        self.deposit.borrow_mut().add(&entry).map_err(io::Error::other)
    }
}

/// A text that was searched.
pub(super) struct Searched {
    form: Option<Form>,
    layout: Layout,
    columns: Columns,
    items: Items,
    /// Of all that was read.
    pub(super) digest: blake3::Hash,
    pub(super) bytes: u64,
    /// The heads of its columns.
    pub(super) heads: Vec<String>,
    /// Whether it holds a zero byte, as no text does.
    pub(super) binary: bool,
}

/// A text that was made anonymous.
pub(super) struct Clean {
    /// What to write, from its start.
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) counts: Counts,
    /// What a search of it finds that was left on purpose, by what is there now.
    pub(super) chosen: Counts,
    /// What else a search of it finds.
    pub(super) left: BTreeMap<Entity, u64>,
}

/// What goes by on the way to somebody else.
struct Tee<'t> {
    text: &'t mut dyn Read,
    hasher: blake3::Hasher,
    bytes: u64,
    binary: bool,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        let passed = buffer.get(..read).unwrap_or(&[]);
        self.hasher.update(passed);
        self.binary |= memchr::memchr(0, passed).is_some();
        self.bytes += read as u64;
        Ok(read)
    }
}

impl Work<'_> {
    /// Searches a text.
    pub(super) fn search(self, form: Option<Form>, text: &mut dyn Read) -> io::Result<Searched> {
        let mut spool = Spool::new(self.scratch);
        let hasher = blake3::Hasher::new();
        let mut tee = Tee { text, hasher, bytes: 0, binary: false };
        let scanned = scan::scan(form, &mut tee, self.scan, &mut |finding| {
            spool.push(item(&finding, self.rules.operator(finding.entity)));
        })?;
        let names = scanned.columns.iter().map(|column| column.name.clone());
        let heads: Vec<String> = names.collect();
        Ok(Searched {
            form,
            layout: Layout::of(&scanned),
            columns: self.rules.columns(&heads),
            items: spool.items()?,
            digest: tee.hasher.finalize(),
            bytes: tee.bytes,
            heads,
            binary: tee.binary,
        })
    }

    /// Writes a text that was searched, until nothing is found in what was written; [`None`] where it
    /// is not the same text any more. All of it is of one subject, unless a column says otherwise.
    pub(super) fn write(
        self,
        searched: Searched,
        subject: &[u8],
        text: &mut dyn Read,
    ) -> io::Result<Option<Clean>> {
        let Searched { form, layout, columns, items, digest, .. } = searched;
        let (mut file, mut written, read) = self.pass(layout, items, &columns, subject, text)?;
        if read != digest {
            return Ok(None);
        }
        let counts = std::mem::take(&mut written.counts);
        for round in 1.. {
            let left = self.search_again(form, written.marks, &mut file)?;
            if left.others.is_empty() || round == ROUNDS {
                let (bytes, chosen) = (written.bytes, left.chosen);
                file.rewind()?;
                return Ok(Some(Clean { file, bytes, counts, chosen, left: left.others }));
            }
            let none = Columns::default();
            (file, written, _) = self.pass(layout, left.items, &none, subject, &mut file)?;
        }
        Ok(None)
    }

    /// Writes a text into a file without a name; answers the digest of what was read, too.
    fn pass(
        self,
        layout: Layout,
        items: Items,
        columns: &Columns,
        subject: &[u8],
        text: &mut dyn Read,
    ) -> io::Result<(File, Written, blake3::Hash)> {
        let mut file = tempfile::tempfile_in(self.scratch)?;
        let mut hasher = blake3::Hasher::new();
        let written = {
            let mut out = BufWriter::with_capacity(PIECE, &mut file);
            let marks = Spool::new(self.scratch);
            let mut rewriter = Rewriter::new(layout, items, marks, columns, self, &mut out)?;
            rewriter.set_subject(subject);
            let mut rows = Rows::new(layout, columns.subject);
            let mut piece = vec![0; PIECE];
            loop {
                let read = match text.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read?,
                };
                let passed = piece.get(..read).unwrap_or(&[]);
                if passed.is_empty() {
                    rows.finish(&mut rewriter)?;
                    break rewriter.finish()?;
                }
                hasher.update(passed);
                match layout {
                    Layout::Text => rewriter.feed(passed)?,
                    Layout::Delimited(_) | Layout::Json => rows.feed(passed, &mut rewriter)?,
                }
            }
        };
        file.rewind()?;
        Ok((file, written, hasher.finalize()))
    }

    /// What a search of a result finds, beside what was left on purpose.
    fn search_again(self, form: Option<Form>, marks: Spool, file: &mut File) -> io::Result<Left> {
        let mut marks = marks.items()?;
        let mut left = Again {
            mark: marks.next()?,
            marks,
            failed: None,
            chosen: Counts::new(),
            others: BTreeMap::new(),
            items: Spool::new(self.scratch),
        };
        file.rewind()?;
        scan::scan(form, &mut BufReader::new(&mut *file), self.scan, &mut |finding| {
            left.add(&finding, self.rules);
        })?;
        file.rewind()?;
        left.finish()
    }
}

fn item(finding: &Finding, operator: Operator) -> Item {
    let Finding { entity, start, end, .. } = *finding;
    Item { start, end, entity, operator, done: false }
}

/// What a search of a result found.
struct Left {
    chosen: Counts,
    others: BTreeMap<Entity, u64>,
    /// What to do about it.
    items: Items,
}

/// Findings in a result, held against what was left in it on purpose.
struct Again {
    marks: Items,
    mark: Option<Item>,
    failed: Option<io::Error>,
    chosen: Counts,
    others: BTreeMap<Entity, u64>,
    items: Spool,
}

impl Again {
    fn add(&mut self, finding: &Finding, rules: &Rules) {
        while let Some(mark) = self.mark.filter(|mark| mark.end <= finding.start) {
            self.items.push(mark);
            self.next_mark();
        }
        let mark = self.mark.filter(|mark| mark.start < finding.end);
        let secret = finding.entity.group() == Group::Secret;
        let own = |mark: &Item| {
            let within = mark.start <= finding.start && finding.end <= mark.end;
            !secret && (within || mark.entity == finding.entity)
        };
        if let Some(mark) = mark.filter(own) {
            *self.chosen.entry((finding.entity, mark.operator)).or_default() += 1;
            return;
        }
        // Whatever stands within it goes with it.
        while self.mark.is_some_and(|mark| mark.start < finding.end) {
            self.next_mark();
        }
        let operator = rules.operator_again(finding.entity);
        if operator == Operator::Keep {
            *self.chosen.entry((finding.entity, operator)).or_default() += 1;
            return;
        }
        *self.others.entry(finding.entity).or_default() += 1;
        self.items.push(item(finding, operator));
    }

    fn next_mark(&mut self) {
        match self.marks.next() {
            Ok(mark) => self.mark = mark,
            Err(error) => {
                self.mark = None;
                self.failed = Some(error);
            }
        }
    }

    fn finish(mut self) -> io::Result<Left> {
        while let Some(mark) = self.mark {
            self.items.push(mark);
            self.next_mark();
        }
        match self.failed {
            Some(error) => Err(error),
            None => {
                Ok(Left { chosen: self.chosen, others: self.others, items: self.items.items()? })
            }
        }
    }
}
