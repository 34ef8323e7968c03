//! Archives of `tar`, read as a stream: members one after another, of old, POSIX and GNU kind.
//!
//! Names and sizes that do not fit into a header come before it, as a member of their own; they are
//! bounded here. Members of zero blocks in between are passed over, so that archives written one
//! after another are read in full. Holes of sparse members are left out: there is nothing in them.
//! Source: POSIX.1-2024, pax, "ustar Interchange Format", "pax Header Block"; GNU tar manual,
//! "Basic Tar Format".

use std::io::Read;

use super::error::SourceError;
use super::meter::{Exactly, fill};
use super::spool;

const BLOCK: usize = 512;
/// Bytes of names and other facts ahead of a member.
const MOST_FACTS: u64 = 1 << 20;

/// A member that has content.
pub(super) struct Member {
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
}

/// An archive, read from here on.
pub(super) struct Archive<'r> {
    input: &'r mut dyn Read,
    /// Zero bytes behind the content of the last member.
    padding: u64,
    saw_end: bool,
}

/// What comes before the header of a member and says more about it.
#[derive(Default)]
struct Facts {
    name: Option<String>,
    size: Option<u64>,
}

/// Whether a block is a header: its sum is right.
pub(super) fn is_header(block: &[u8]) -> bool {
    let Some(block) = block.first_chunk::<BLOCK>() else { return false };
    number(&block[148..156]) == Some(sum(block))
}

/// The sum of the bytes of a header, with its own field as spaces.
fn sum(block: &[u8; BLOCK]) -> u64 {
    let all: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let own: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
    all - own + 8 * u64::from(b' ')
}

/// A number in octal digits, or, where the first bit is set, in bytes.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let push = |value: u64, byte: &u8| Some(value.checked_mul(256)? + u64::from(*byte));
        return rest.iter().try_fold(u64::from(first & 0x7f), push);
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    match digits.is_empty() {
        true => Some(0),
        false => u64::from_str_radix(digits, 8).ok(),
    }
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

impl<'r> Archive<'r> {
    pub(super) fn new(input: &'r mut dyn Read) -> Self {
        Self { input, padding: 0, saw_end: false }
    }

    /// The next member with content; after it, [`Self::content`] must be read to its end.
    ///
    /// # Errors
    /// When the archive is damaged or ends early.
    pub(super) fn next(&mut self) -> Result<Option<Member>, SourceError> {
        let mut facts = Facts::default();
        loop {
            Exactly::new(&mut *self.input, std::mem::take(&mut self.padding)).finish()?;
            let Some(block) = self.block()? else { return Ok(None) };
            let size = facts.size.map_or_else(|| number(&block[124..136]), Some);
            let size =
                size.ok_or_else(|| SourceError::Damaged("a size is no number".to_owned()))?;
            match block[156] {
                b'x' | b'L' | b'g' | b'K' => self.read_facts(&block, &mut facts)?,
                // Links, devices and folders have no content, whatever size they say.
                b'2'..=b'6' => facts = Facts::default(),
                kind => {
                    let name = facts.name.take().unwrap_or_else(|| plain_name(&block));
                    let is_folder = name.ends_with('/') && matches!(kind, 0 | b'0');
                    if size > 0 && !is_folder {
                        self.skip_map(&block)?;
                        self.padding = padding(size);
                        return Ok(Some(Member { name, size }));
                    }
                    facts = Facts::default();
                }
            }
        }
    }

    /// What the member that was just given holds.
    pub(super) fn content(&mut self, member: &Member) -> Exactly<&mut dyn Read> {
        Exactly::new(&mut *self.input, member.size)
    }

    /// The next header; `None` at the end.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, SourceError> {
        loop {
            let mut block = [0; BLOCK];
            match fill(self.input, &mut block)? {
                0 if self.saw_end => return Ok(None),
                0 => return Err(SourceError::Damaged("it has no end: cut off?".to_owned())),
                BLOCK => {}
                _ => return Err(SourceError::cut("a header")),
            }
            if block == [0; BLOCK] {
                self.saw_end = true;
                continue;
            }
            self.saw_end = false;
            return match is_header(&block) {
                true => Ok(Some(block)),
                false => Err(SourceError::Damaged("the sum of a header is wrong".to_owned())),
            };
        }
    }

    fn read_facts(&mut self, block: &[u8; BLOCK], facts: &mut Facts) -> Result<(), SourceError> {
        let size = number(&block[124..136]).unwrap_or(u64::MAX);
        if size > MOST_FACTS {
            return Err(SourceError::too_large("a header is larger", MOST_FACTS));
        }
        let bytes = spool::whole(&mut Exactly::new(&mut *self.input, size), size, "")?;
        self.padding = padding(size);
        match block[156] {
            b'L' => facts.name = Some(text(&bytes)),
            b'x' => read_records(&bytes, facts)?,
            _ => {}
        }
        Ok(())
    }

    /// The map of an old sparse member goes on in blocks of its own.
    fn skip_map(&mut self, block: &[u8; BLOCK]) -> Result<(), SourceError> {
        let mut goes_on = block[156] == b'S' && block[482] != 0;
        while goes_on {
            let mut map = [0; BLOCK];
            if fill(self.input, &mut map)? < BLOCK {
                return Err(SourceError::cut("a map of holes"));
            }
            goes_on = map[504] != 0;
        }
        Ok(())
    }
}

const fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn plain_name(block: &[u8; BLOCK]) -> String {
    let prefix = match &block[257..263] == b"ustar\0" {
        true => text(&block[345..500]),
        false => String::new(),
    };
    match prefix.is_empty() {
        true => text(&block[..100]),
        false => format!("{prefix}/{}", text(&block[..100])),
    }
}

/// Records of `length key=value` and a line break each.
fn read_records(bytes: &[u8], facts: &mut Facts) -> Result<(), SourceError> {
    let damaged = || SourceError::Damaged("a record of a pax header is wrong".to_owned());
    let mut rest = bytes;
    while !rest.is_empty() && rest[0] != 0 {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
        let length = std::str::from_utf8(&rest[..space]).ok();
        let length: usize = length.and_then(|text| text.parse().ok()).ok_or_else(damaged)?;
        let record = rest.get(space + 1..length).ok_or_else(damaged)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(damaged)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        let value = String::from_utf8_lossy(value.strip_suffix(b"\n").unwrap_or(value));
        match key {
            b"path" | b"GNU.sparse.name" => facts.name = Some(value.into_owned()),
            b"size" => facts.size = Some(value.parse().ok().ok_or_else(damaged)?),
            _ => {}
        }
        rest = &rest[length..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(write: impl FnOnce(&mut ::tar::Builder<&mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut builder = ::tar::Builder::new(&mut bytes);
        write(&mut builder);
        builder.finish().unwrap();
        drop(builder);
        bytes
    }

    fn add(builder: &mut ::tar::Builder<&mut Vec<u8>>, name: &str, content: &[u8]) {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content).unwrap();
    }

    fn members(bytes: &[u8]) -> Result<Vec<(String, String)>, SourceError> {
        let mut input = bytes;
        let mut archive = Archive::new(&mut input);
        let mut found = Vec::new();
        while let Some(member) = archive.next()? {
            let mut text = String::new();
            archive.content(&member).read_to_string(&mut text)?;
            found.push((member.name, text));
        }
        Ok(found)
    }

    #[test]
    fn members_of_every_length_of_name_are_found() {
        let long = format!("{}/deep/name.csv", "folder".repeat(60));
        let bytes = archive(|builder| {
            add(builder, "a.txt", b"first");
            add(builder, &long, &[b'x'; 1024]);
            builder.append_pax_extensions([("path", "pax/päth.txt".as_bytes())]).unwrap();
            add(builder, "short", b"second");
        });
        assert!(is_header(&bytes));
        let found = members(&bytes).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.txt", long.as_str(), "pax/päth.txt"]);
        assert_eq!(found[1].1, "x".repeat(1024));
        let twice = [bytes.clone(), bytes].concat();
        assert_eq!(members(&twice).unwrap().len(), 6);
    }

    #[test]
    fn a_cut_archive_says_so() {
        let bytes = archive(|builder| add(builder, "a.txt", &[b'x'; 600]));
        assert_eq!(members(&bytes).unwrap().len(), 1);
        for length in [1, 511, 512, 600, 1100, 1200, 1536] {
            assert!(members(&bytes[..length]).is_err(), "{length}");
        }
        let mut wrong = bytes;
        wrong[3] ^= 1;
        assert!(members(&wrong).unwrap_err().to_string().contains("sum of a header"));
    }

    #[test]
    fn numbers_are_octal_or_bytes() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"  12 \0"), Some(10));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x01\0\0\0\0"), Some(1 << 32));
        assert_eq!(number(b"\0\0"), Some(0));
        assert_eq!(number(b"9"), None);
        assert_eq!(number(&[0xff; 12]), None);
    }

    #[test]
    fn facts_ahead_of_a_member_are_bounded() {
        let mut header = ::tar::Header::new_gnu();
        header.set_entry_type(::tar::EntryType::GNULongName);
        header.set_size(1 << 40);
        header.set_path("././@LongLink").unwrap();
        header.set_cksum();
        let error = members(header.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("header is larger than"), "{error}");
    }
}
