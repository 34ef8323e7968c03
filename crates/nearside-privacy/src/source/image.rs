//! What an image says beside its pixels: EXIF with the place where it was taken, texts and comments.
//!
//! Pixels may show a face or a letter; that they were not looked at is told.
//! Source: CIPA DC-008 (EXIF 3.0); W3C PNG, third edition, 11.3.3 "Textual information"; ITU-T T.81,
//! B.1.1.4 "Marker segments"; Adobe XMP, part 3.

use std::fmt::Write as _;
use std::io::{Cursor, Read};

use exif::{Exif, Field, In, Tag, Value};

use super::error::SourceError;
use super::format;
use super::meter::Unpacked;
use super::opener::{Opener, Place};
use super::{Form, Skipped, spool};

impl Opener<'_> {
    pub(super) fn image(
        &mut self,
        place: &Place,
        kind: format::Image,
        stream: &mut dyn Read,
    ) -> Result<(), SourceError> {
        let bytes = spool::whole(stream, self.limits.metadata, "the image is larger")?;
        let (mut text, damage) = exif_lines(&bytes);
        match kind {
            format::Image::Jpeg => jpeg_texts(&bytes, &mut text),
            format::Image::Png => self.png_texts(&bytes, &mut text)?,
            format::Image::Tiff | format::Image::Webp | format::Image::Heif => {
                xmp(&bytes, &mut text);
            }
        }
        self.text(place, Some(Form::Text), &mut text.as_bytes())?;
        self.skipped(place, Skipped::Pixels);
        damage.map_or(Ok(()), |what| Err(SourceError::Damaged(format!("its EXIF: {what}"))))
    }

    /// Texts of a PNG, those that are compressed too.
    fn png_texts(&self, bytes: &[u8], text: &mut String) -> Result<(), SourceError> {
        const SIGNATURE: usize = 8;
        let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
        while let Some((kind, data, after)) = chunk(rest) {
            rest = after;
            let (keyword, value) = split(data);
            match kind {
                b"tEXt" => push(text, keyword, value),
                b"zTXt" => {
                    push(text, keyword, &self.inflated(value.get(1..).unwrap_or_default())?);
                }
                b"iTXt" => {
                    let is_compressed = value.first() == Some(&1);
                    // Two bytes, the language, the keyword in it, then the text.
                    let (_language, value) = split(value.get(2..).unwrap_or_default());
                    let (translated, value) = split(value);
                    push(text, keyword, translated);
                    match is_compressed {
                        true => push(text, keyword, &self.inflated(value)?),
                        false => push(text, keyword, value),
                    }
                }
                _ => {}
            }
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(SourceError::cut("a chunk")),
        }
    }

    fn inflated(&self, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
        let decoder = flate2::bufread::ZlibDecoder::new(bytes);
        let mut decoder = Unpacked::new(decoder, self.meter);
        spool::whole(&mut decoder, self.limits.metadata, "a text of the image is larger")
    }
}

/// The kind and data of a chunk, and what comes after it.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (kind, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let data = rest.get(..length)?;
    const SUM: usize = 4;
    Some((kind, data, rest.get(length + SUM..)?))
}

/// What stands before the first zero byte, and after it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let zero = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    (&bytes[..zero], bytes.get(zero + 1..).unwrap_or_default())
}

fn push(text: &mut String, key: &[u8], value: &[u8]) {
    line(text, &String::from_utf8_lossy(key), &String::from_utf8_lossy(value));
}

fn line(text: &mut String, key: &dyn std::fmt::Display, value: &dyn std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key}: {value}");
}

/// Segments of a JPEG that are for programs and people: comments, XMP, captions of the press.
fn jpeg_texts(bytes: &[u8], text: &mut String) {
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        let [0xff, marker, after @ ..] = rest else { return };
        match marker {
            0xff => rest = &rest[1..],
            // The scan of pixels, or the end.
            0xda | 0xd9 => return,
            0x01 | 0xd0..=0xd8 => rest = after,
            _ => {
                let Some(length) = after.first_chunk() else { return };
                let length = usize::from(u16::from_be_bytes(*length));
                let Some(data) = after.get(2..length) else { return };
                let is_read = data.starts_with(b"Exif\0") || data.starts_with(b"ICC_PROFILE");
                match marker {
                    0xfe => push(text, b"Comment", data),
                    0xe1..=0xef if !is_read => push(text, b"Application data", data),
                    _ => {}
                }
                rest = &after[length..];
            }
        }
    }
}

/// Packets of XMP, which stand in a file as they are.
fn xmp(bytes: &[u8], text: &mut String) {
    let mut rest = bytes;
    while let Some(start) = memchr::memmem::find(rest, b"<x:xmpmeta") {
        let packet = &rest[start..];
        let end = memchr::memmem::find(packet, b"</x:xmpmeta>").unwrap_or(packet.len());
        push(text, b"XMP", &packet[..end]);
        rest = &packet[end..];
    }
}

/// Lines of `tag: value`, and what is wrong with the EXIF, if there is one.
fn exif_lines(bytes: &[u8]) -> (String, Option<String>) {
    let mut damage = None;
    let exif = exif::Reader::new()
        .continue_on_error(true)
        .read_from_container(&mut Cursor::new(bytes))
        .or_else(|error| {
            error.distill_partial_result(|errors| {
                damage = errors.first().map(ToString::to_string);
            })
        });
    let mut text = String::new();
    match exif {
        Ok(exif) => write_fields(&exif, &mut text),
        Err(exif::Error::NotFound(_)) => {}
        Err(error) => damage = Some(error.to_string()),
    }
    (text, damage)
}

fn write_fields(exif: &Exif, text: &mut String) {
    for field in exif.fields() {
        let value = match &field.value {
            Value::Ascii(parts) => {
                let parts = parts.iter().map(|part| String::from_utf8_lossy(part));
                parts.collect::<Vec<_>>().join("; ")
            }
            Value::Undefined(bytes, _) => readable(bytes),
            Value::Byte(bytes) if is_windows_text(field) => wide(bytes, u16::from_le_bytes),
            // Keys and profiles in bytes, XMP among them.
            Value::Byte(bytes) if bytes.len() > 16 => readable(bytes),
            _ => field.display_value().with_unit(exif).to_string(),
        };
        line(text, &field.tag, &value);
    }
    let latitude = degrees(exif, Tag::GPSLatitude, Tag::GPSLatitudeRef, b'S');
    let longitude = degrees(exif, Tag::GPSLongitude, Tag::GPSLongitudeRef, b'W');
    if let (Some(latitude), Some(longitude)) = (latitude, longitude) {
        line(text, &"GPS position", &format_args!("{latitude:.5}, {longitude:.5}"));
    }
}

/// Title, comment, author, keywords and subject as Windows writes them.
fn is_windows_text(field: &Field) -> bool {
    matches!(field.tag.number(), 0x9c9b..=0x9c9f)
}

fn wide(bytes: &[u8], join: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).filter_map(|pair| Some(join(*pair.first_chunk()?)));
    let text: String =
        char::decode_utf16(units).map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.trim_end_matches('\0').to_owned()
}

/// A value of unsaid type: a comment that says its encoding, else the signs that can be read, as in
/// notes of makers.
fn readable(bytes: &[u8]) -> String {
    if let Some(comment) = bytes.strip_prefix(b"UNICODE\0") {
        let big = comment.iter().step_by(2).filter(|byte| **byte == 0).count() * 4 > comment.len();
        return wide(comment, if big { u16::from_be_bytes } else { u16::from_le_bytes });
    }
    let comment = bytes.strip_prefix(b"ASCII\0\0\0").unwrap_or(bytes);
    let text = String::from_utf8_lossy(comment);
    let parts = text.split(|sign: char| sign.is_control() && sign != '\t' && sign != '\n');
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Degrees with a sign, from degrees, minutes and seconds.
fn degrees(exif: &Exif, tag: Tag, side: Tag, negative: u8) -> Option<f64> {
    let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let part = |index: usize| parts.get(index).map_or(0.0, exif::Rational::to_f64);
    let degrees = part(0) + part(1) / 60.0 + part(2) / 3600.0;
    let is_negative = exif.get_field(side, In::PRIMARY).is_some_and(|side| {
        matches!(&side.value, Value::Ascii(sides) if sides.concat().first() == Some(&negative))
    });
    degrees.is_finite().then_some(if is_negative { -degrees } else { degrees })
}
