//! Archives of ZIP, office documents among them: the entries of the directory at their end.
//!
//! What the directory does not name (gaps between entries, bytes ahead of the archive) is not read.
//! Source: PKWARE, APPNOTE.TXT 6.3.10.

use std::io::{self, SeekFrom};

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::error::SourceError;
use super::meter::Unpacked;
use super::opener::{Input, Opener, Place};
use super::spool::Seekable;

impl Opener<'_> {
    pub(super) fn zip(
        &mut self,
        place: &Place,
        reader: &mut dyn Seekable,
    ) -> Result<(), SourceError> {
        // The library keeps all of the directory, so it is bounded before.
        if claimed_entries(reader)? > self.limits.entries {
            let bound = format!("{} entries", self.limits.entries);
            return Err(SourceError::Bound { what: "it has more", bound });
        }
        let mut archive = ZipArchive::new(reader)?;
        let comment = archive.comment().to_vec();
        if !comment.is_empty() {
            let place = place.inside("(comment)");
            let result = self.text(&place, None, &mut comment.as_slice());
            self.report(&place, result);
        }
        let mut entries = 0;
        for index in 0..archive.len() {
            self.count(&mut entries)?;
            self.entry(place, &mut archive, index);
        }
        match archive.has_duplicate_names() {
            true => Err(SourceError::Damaged(
                "entries have the same name, and only the last of them was read".to_owned(),
            )),
            false => Ok(()),
        }
    }

    fn entry(&mut self, place: &Place, archive: &mut ZipArchive<&mut dyn Seekable>, index: usize) {
        let name = archive.name_for_index(index).and_then(Result::ok);
        let name = name.map_or_else(|| format!("(entry {})", index + 1), |name| name.into_owned());
        let place = place.inside(&name);
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => return self.report(&place, Err(explained(error))),
        };
        let comment = entry.comment().to_owned();
        if !entry.is_dir() || entry.size() > 0 {
            let meter = self.meter;
            self.open(&place, Input::Stream(&mut Unpacked::new(entry, meter)));
        }
        if !comment.is_empty() {
            let place = place.inside("(comment)");
            let result = self.text(&place, None, &mut comment.as_bytes());
            self.report(&place, result);
        }
    }
}

fn explained(error: ZipError) -> SourceError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            SourceError::Sealed("encrypted")
        }
        ZipError::CompressionMethodNotSupported(_) | ZipError::UnsupportedArchive(_) => {
            SourceError::Sealed("compressed in a way that is not read")
        }
        other => other.into(),
    }
}

/// The number of entries that the end of the archive says; 0 where there is no end to be found,
/// which the library reports.
fn claimed_entries(reader: &mut dyn Seekable) -> io::Result<u64> {
    /// The end with the longest comment, and the ends of the 64-bit form ahead of it.
    const TAIL: u64 = 22 + 65_535 + 20 + 56;
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    io::Read::read_to_end(reader, &mut tail)?;
    reader.seek(SeekFrom::Start(0))?;
    let after = |magic: &[u8], skip: usize| {
        let at = memchr::memmem::rfind(&tail, magic)?;
        tail.get(at + skip..)
    };
    let long = after(b"PK\x06\x06", 32).and_then(<[u8]>::first_chunk);
    let short = after(b"PK\x05\x06", 10).and_then(<[u8]>::first_chunk);
    let short = short.map_or(0, |bytes| u64::from(u16::from_le_bytes(*bytes)));
    Ok(long.map_or(short, |bytes| u64::from_le_bytes(*bytes).max(short)))
}
