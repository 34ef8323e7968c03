//! Labels turned back into the values that stand in a vault, in texts that stay what they are.
//!
//! A label is `[KIND_` and twelve digits and `]`. What comes back is the value in the way of writing in
//! which it was found first. Where a value would end a cell of a table or a string of JSON, it is quoted as
//! they are.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::AnonymizeError;
use super::job::open;
use super::layout::{Kind, Layout, Lexer};
use super::placed::{self, Placed};
use crate::scan::{self, Entity};
use crate::source::{self, Entry, Limits};
use crate::vault::{self, Values};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// The signs of a label after its kind, with both brackets.
const DIGITS: usize = 12;
/// The longest label.
const LONGEST: usize = 64;
/// The most bytes of a cell that are looked at together.
const MOST_CELL: usize = 1 << 20;
/// How often values hold labels that hold values.
const DEPTH: usize = 4;

/// What is to be revealed.
#[derive(Clone, Copy, Debug)]
pub struct Reveal<'a> {
    /// A file, or a folder of files.
    pub input: &'a Path,
    /// How far files are opened.
    pub limits: &'a Limits,
    /// How texts are searched for what they are.
    pub scan: scan::Options,
    /// A folder for files without a name.
    pub scratch: &'a Path,
}

/// What was revealed.
#[derive(Debug)]
pub struct Revealed {
    /// Each file, in the order of their paths.
    pub files: Vec<RevealedFile>,
}

/// A file with its values.
#[derive(Debug)]
pub struct RevealedFile {
    /// Its path.
    pub input: PathBuf,
    /// Labels that were turned into values.
    pub revealed: u64,
    /// Labels that the vault does not know: they stay.
    pub unknown: u64,
    result: Placed,
}

impl Revealed {
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

impl Reveal<'_> {
    /// Turns labels into values; nothing is written yet. `values` answers those of some labels.
    ///
    /// # Errors
    /// A file that is no plain text or cannot be read, and what `values` complains about.
    pub fn run<E: From<AnonymizeError>>(
        &self,
        values: &dyn Fn(&BTreeSet<String>) -> Result<Values, E>,
    ) -> Result<Revealed, E> {
        let mut files = Vec::new();
        for entry in source::files(&[self.input], self.limits).map_err(AnonymizeError::from)? {
            let (path, why) = match entry {
                Entry::File(path) => (path, None),
                Entry::Unreadable(path, why) => (path, Some(why)),
                Entry::Skipped(path, what) => (path, Some(what.to_string())),
            };
            let file = match why {
                None => self.file(&path, values)?,
                Some(why) => Err(why),
            };
            let unreadable = |why| {
                let name = path.to_string_lossy().into_owned();
                AnonymizeError::Unreadable(vec![super::Unreadable { name, why }])
            };
            files.push(file.map_err(unreadable)?);
        }
        Ok(Revealed { files })
    }

    fn file<E: From<AnonymizeError>>(
        &self,
        path: &Path,
        values: &dyn Fn(&BTreeSet<String>) -> Result<Values, E>,
    ) -> Result<Result<RevealedFile, String>, E> {
        let searched = open(path, self.limits, |form, text| {
            let mut labels = Labels { text, carry: Vec::new(), found: BTreeSet::new() };
            let scanned = scan::scan(form, &mut labels, self.scan, &mut drop)?;
            Ok((Layout::of(&scanned), labels.found))
        });
        let ((layout, labels), raw) = match searched? {
            Ok(searched) => searched,
            Err(why) => return Ok(Err(why)),
        };
        let known = all(labels, values)?;
        let written = open(path, self.limits, |_, text| {
            let mut file = tempfile::tempfile_in(self.scratch)?;
            let mut out = BufWriter::with_capacity(PIECE, &mut file);
            let mut writer = Writer::new(layout, &known, &mut out);
            let mut piece = Zeroizing::new(vec![0; PIECE]);
            loop {
                match text.read(&mut piece)? {
                    0 => break,
                    read => writer.feed(piece.get(..read).unwrap_or(&[]))?,
                }
            }
            let counts = writer.finish()?;
            out.flush()?;
            drop(out);
            file.rewind()?;
            Ok((file, counts))
        });
        let ((file, counts), again) = match written? {
            Ok(written) => written,
            Err(why) => return Ok(Err(why)),
        };
        if again.digest != raw.digest {
            return Err(AnonymizeError::Changed(path.to_path_buf()).into());
        }
        let below = path.strip_prefix(self.input).unwrap_or(path).to_path_buf();
        let (revealed, unknown) = counts;
        let (input, result) = (path.to_path_buf(), Placed { file, below });
        Ok(Ok(RevealedFile { input, revealed, unknown, result }))
    }
}

/// The values of labels, and of the labels within those.
fn all<E>(
    mut labels: BTreeSet<String>,
    values: &dyn Fn(&BTreeSet<String>) -> Result<Values, E>,
) -> Result<Values, E> {
    let mut known = Values::new();
    for _ in 0..DEPTH {
        if labels.is_empty() {
            break;
        }
        let found = values(&labels)?;
        labels = found.values().flat_map(|entry| within(entry.value.as_bytes())).collect();
        labels.retain(|label| !found.contains_key(label) && !known.contains_key(label));
        known.extend(found);
    }
    let whole = |(label, entry): (&String, &vault::Entry)| {
        let value = resolved(&entry.value, &known, DEPTH);
        (label.clone(), vault::Entry { value, ..entry.clone() })
    };
    Ok(known.iter().map(whole).collect())
}

/// A value with the labels in it turned into values.
fn resolved(value: &Zeroizing<String>, known: &Values, depth: usize) -> Zeroizing<String> {
    let mut whole = value.clone();
    for label in within(value.as_bytes()) {
        if let (Some(inner), 1..) = (known.get(&label), depth) {
            let inner = resolved(&inner.value, known, depth - 1);
            whole = Zeroizing::new(whole.replace(&label, &inner));
        }
    }
    whole
}

/// The labels of a text.
fn within(text: &[u8]) -> Vec<String> {
    memchr::memchr_iter(b'[', text)
        .filter_map(|start| label(text.get(start..)?).map(str::to_owned))
        .collect()
}

/// The label that a text begins with.
fn label(text: &[u8]) -> Option<&str> {
    let window = text.get(..text.len().min(LONGEST))?;
    let end = memchr::memchr(b']', window)?;
    let label = std::str::from_utf8(window.get(..=end)?).ok()?;
    let (kind, digits) = label.get(1..end)?.rsplit_once('_')?;
    let digit = |sign: u8| sign.is_ascii_digit() || sign.is_ascii_lowercase();
    let sound = digits.len() == DIGITS && digits.bytes().all(digit);
    (sound && kind.parse::<Entity>().is_ok()).then_some(label)
}

/// Collects the labels of what goes by.
struct Labels<'t> {
    text: &'t mut dyn Read,
    carry: Vec<u8>,
    found: BTreeSet<String>,
}

impl Read for Labels<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        self.carry.extend_from_slice(buffer.get(..read).unwrap_or(&[]));
        self.found.extend(within(&self.carry));
        // A label that goes on is looked at again with what follows.
        let passed = self.carry.len().saturating_sub(LONGEST);
        self.carry.drain(..passed);
        Ok(read)
    }
}

/// Writes a text with values in the place of labels.
struct Writer<'a, 'o> {
    layout: Layout,
    known: &'a Values,
    out: &'o mut dyn Write,
    lexer: Lexer,
    /// What may be part of a label, or a whole cell of a table.
    held: Zeroizing<Vec<u8>>,
    /// Whether the cell stands between quotes.
    quoted: bool,
    /// Whether the quote before what is held is not written yet: a number takes its place, or it comes first.
    waiting: bool,
    /// A number that may be the key of something, and the blanks after it.
    number: Option<Zeroizing<String>>,
    blanks: Vec<u8>,
    revealed: u64,
    unknown: u64,
}

impl<'a, 'o> Writer<'a, 'o> {
    fn new(layout: Layout, known: &'a Values, out: &'o mut dyn Write) -> Self {
        let (lexer, held) = (Lexer::new(layout), Zeroizing::new(Vec::new()));
        Self {
            layout,
            known,
            out,
            lexer,
            held,
            quoted: false,
            waiting: false,
            number: None,
            blanks: Vec::new(),
            revealed: 0,
            unknown: 0,
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            match self.lexer.step(*byte) {
                Kind::Structure => self.structure(*byte)?,
                Kind::Content | Kind::Bare => {
                    self.release_number(false)?;
                    self.held.push(*byte);
                    let most = match self.layout {
                        Layout::Delimited(_) => MOST_CELL,
                        Layout::Text | Layout::Json => PIECE,
                    };
                    if self.held.len() > most {
                        self.release_most()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends what is held. Quotes open and close; whatever else is structure ends a cell.
    fn structure(&mut self, byte: u8) -> io::Result<()> {
        let opens = byte == b'"' && !self.quoted;
        match self.bare().filter(|_| byte == b'"' && self.waiting) {
            Some(value) => {
                self.revealed += 1;
                self.waiting = false;
                self.held.clear();
                self.number = Some(value);
            }
            None => {
                self.release()?;
                if self.number.is_some() && byte.is_ascii_whitespace() {
                    self.blanks.push(byte);
                    return Ok(());
                }
                self.release_number(byte == b':')?;
                self.waiting = opens && self.layout == Layout::Json;
                if !self.waiting {
                    self.out.write_all(&[byte])?;
                }
            }
        }
        self.quoted = opens;
        Ok(())
    }

    /// Writes a number, with quotes where it is the key of something after all.
    fn release_number(&mut self, is_key: bool) -> io::Result<()> {
        let Some(number) = self.number.take() else { return Ok(()) };
        let quote: &[u8] = if is_key { b"\"" } else { b"" };
        for part in [quote, number.as_bytes(), quote, &self.blanks] {
            self.out.write_all(part)?;
        }
        self.blanks.clear();
        Ok(())
    }

    /// The number that the label is for which all of a string of JSON is.
    fn bare(&self) -> Option<Zeroizing<String>> {
        let whole = label(&self.held).filter(|label| label.len() == self.held.len());
        let entry = self.known.get(whole?).filter(|entry| entry.bare)?;
        Some(entry.value.clone())
    }

    fn finish(mut self) -> io::Result<(u64, u64)> {
        self.release()?;
        self.release_number(false)?;
        Ok((self.revealed, self.unknown))
    }

    /// Writes what is held, but for the end, which may be part of a label.
    fn release_most(&mut self) -> io::Result<()> {
        let keep = self.held.len().saturating_sub(LONGEST);
        // A label that begins before the cut and ends after it is kept whole.
        let cut = self.held.get(..keep).and_then(|start| memchr::memrchr(b'[', start));
        let cut = cut.filter(|start| keep - start < LONGEST).unwrap_or(keep);
        let rest = self.held.split_off(cut);
        self.release()?;
        self.held = Zeroizing::new(rest);
        Ok(())
    }

    fn release(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.waiting) {
            self.out.write_all(b"\"")?;
        }
        let held = std::mem::take(&mut *self.held);
        let held = Zeroizing::new(held);
        let mut made = Zeroizing::new(Vec::with_capacity(held.len()));
        let mut rest: &[u8] = &held;
        while let Some(start) = memchr::memchr(b'[', rest) {
            let (before, from) = rest.split_at(start);
            made.extend_from_slice(before);
            let Some(label) = label(from) else {
                made.push(b'[');
                rest = from.get(1..).unwrap_or(&[]);
                continue;
            };
            match self.known.get(label) {
                Some(entry) => {
                    self.revealed += 1;
                    made.extend_from_slice(&self.escaped(&entry.value));
                }
                None => {
                    self.unknown += 1;
                    made.extend_from_slice(label.as_bytes());
                }
            }
            rest = from.get(label.len()..).unwrap_or(&[]);
        }
        made.extend_from_slice(rest);
        self.write_content(&made)
    }

    /// A value as it stands within a string of JSON, or between quotes.
    fn escaped(&self, value: &str) -> Zeroizing<Vec<u8>> {
        let text = match self.layout {
            Layout::Text => value.to_owned(),
            Layout::Delimited(_) if self.quoted => value.replace('"', "\"\""),
            Layout::Delimited(_) => value.to_owned(),
            Layout::Json => {
                let string = serde_json::Value::from(value).to_string();
                string.get(1..string.len().saturating_sub(1)).unwrap_or_default().to_owned()
            }
        };
        Zeroizing::new(text.into_bytes())
    }

    /// A cell without quotes gets some where a value in it would end it.
    fn write_content(&mut self, content: &[u8]) -> io::Result<()> {
        let Layout::Delimited(separator) = self.layout else { return self.out.write_all(content) };
        let ends = |byte: &u8| *byte == separator || matches!(byte, b'"' | b'\n' | b'\r');
        if self.quoted || !content.iter().any(ends) {
            return self.out.write_all(content);
        }
        self.out.write_all(b"\"")?;
        for byte in content {
            self.out.write_all(if *byte == b'"' { b"\"\"" } else { std::slice::from_ref(byte) })?;
        }
        self.out.write_all(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[PERSON_k7m2q9xw4tzb]";
    const TWO: &str = "[EMAIL_00000000000a]";

    const NUMBER: &str = "[GEO_xxxxxxxxxxxx]";

    fn values() -> Values {
        let entry = |label: &str, text: &str, bare| {
            let (value, source) = (Zeroizing::new(text.to_owned()), String::new());
            let label = label.to_owned();
            (label.clone(), vault::Entry { label, kind: Entity::Person, value, bare, source })
        };
        Values::from([
            entry(ONE, "Ann \"A\", Young", false),
            entry(TWO, &format!("mail of {ONE}"), false),
            entry(NUMBER, "12.50", true),
        ])
    }

    /// The text, read in pieces of every size, and how many labels were known and not.
    #[track_caller]
    fn check(layout: Layout, text: &str, expected: &str, counts: (u64, u64)) {
        let lookup = |labels: &BTreeSet<String>| -> Result<Values, ()> {
            Ok(values().into_iter().filter(|(label, _)| labels.contains(label)).collect())
        };
        let known = all(within(text.as_bytes()).into_iter().collect(), &lookup).unwrap();
        for size in 1..text.len() + 1 {
            let mut made = Vec::new();
            let mut writer = Writer::new(layout, &known, &mut made);
            text.as_bytes().chunks(size).for_each(|piece| writer.feed(piece).unwrap());
            assert_eq!(writer.finish().unwrap(), counts);
            assert_eq!(String::from_utf8(made).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn values_come_back_where_labels_stand() {
        let text = format!("{TWO}, [x] {ONE}{ONE} [PERSON_zzzzzzzzzzzz] [PERSON_k7m2q9xw4tz");
        let expected = "mail of Ann \"A\", Young, [x] Ann \"A\", YoungAnn \"A\", Young \
                        [PERSON_zzzzzzzzzzzz] [PERSON_k7m2q9xw4tz";
        check(Layout::Text, &text, expected, (3, 1));
    }

    #[test]
    fn what_they_stand_in_stays_what_it_is() {
        let json = format!(r#"{{"a": "{ONE}", "b": ["x {TWO}"]}}"#);
        let expected = r#"{"a": "Ann \"A\", Young", "b": ["x mail of Ann \"A\", Young"]}"#;
        check(Layout::Json, &json, expected, (2, 0));
        let json = format!(r#"{{"a": ["{NUMBER}", "{NUMBER} m", "", "\""], "{NUMBER}" : 1}}"#);
        let expected = r#"{"a": [12.50, "12.50 m", "", "\""], "12.50" : 1}"#;
        check(Layout::Json, &json, expected, (3, 0));
        let table = format!("a,b\n{ONE},\"x {ONE}\"\r\n1,2\n");
        let expected = "a,b\n\"Ann \"\"A\"\", Young\",\"x Ann \"\"A\"\", Young\"\r\n1,2\n";
        check(Layout::Delimited(b','), &table, expected, (2, 0));
    }

    #[test]
    fn only_labels_are_labels() {
        for text in ["[PERSON_k7m2q9xw4tz]", "[NOBODY_k7m2q9xw4tzb]", "[PERSON k7m2q9xw4tzb]", "["]
        {
            assert_eq!(within(text.as_bytes()), Vec::<String>::new(), "{text}");
        }
        assert_eq!(within(format!("[[{ONE}]").as_bytes()), [ONE]);
    }
}
