//! What a content is, told by its first bytes: its name may say anything.

use super::tar;

/// Bytes from the start that tell a format.
pub(super) const HEAD: usize = 4096;

/// What to do with a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Text, or bytes that may hold some.
    Text,
    /// Bytes without order: passed on, but they may hide anything.
    Noise,
    Compressed(Codec),
    Tar,
    Zip,
    Database,
    Parquet,
    Safetensors,
    Gguf,
    Image(Image),
    /// Content that cannot be read, and why.
    Sealed(&'static str),
}

/// Compressions of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Zlib,
    Zstandard,
    Bzip2,
    Xz,
}

/// Images whose metadata is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    Jpeg,
    Png,
    Tiff,
    Webp,
    Heif,
}

/// Bytes at a place from the start, and what starts so.
type Magic = (usize, &'static [u8], Format);

const COMPRESSED: &str = "compressed in a format that is not read";
const ENCRYPTED: &str = "encrypted";
const SOUND: &str = "sound or film, which is not read";
const PICTURE: &str = "an image in a format that is not read";
const ARCHIVE: &str = "an archive in a format that is not read";
const DISK: &str = "an image of a disk, which is not read";
const OFFICE: &str = "an old office document or an encrypted one: save it in a format of today";
const TABLE: &str = "a table or array in a format that is not read: export it as CSV or Parquet";

/// Formats that may look like text for as long as the head is.
#[rustfmt::skip]
const TEXTUAL: &[Magic] = &[
    (0, b"%PDF-", Format::Sealed("a PDF, whose text is compressed: extract it (pdftotext)")),
    (0, b"age-encryption.org/", Format::Sealed(ENCRYPTED)),
    (0, b"-----BEGIN AGE ENCRYPTED", Format::Sealed(ENCRYPTED)),
    (0, b"-----BEGIN PGP MESSAGE", Format::Sealed(ENCRYPTED)),
    (0, b"$ANSIBLE_VAULT", Format::Sealed(ENCRYPTED)),
    (0, b"!<arch>\n", Format::Sealed(ARCHIVE)),
];

/// Formats whose head is no text, whatever the signs of their magic: a table may begin with `ORCID`.
#[rustfmt::skip]
const MAGICS: &[Magic] = &[
    (0, b"\x1f\x8b\x08", Format::Compressed(Codec::Gzip)),
    (0, b"\x28\xb5\x2f\xfd", Format::Compressed(Codec::Zstandard)),
    (0, b"\xfd7zXZ\0", Format::Compressed(Codec::Xz)),
    (0, b"x\x9c", Format::Compressed(Codec::Zlib)),
    (0, b"x\xda", Format::Compressed(Codec::Zlib)),
    (0, b"PK\x03\x04", Format::Zip),
    (0, b"PK\x05\x06", Format::Zip),
    (0, b"PK\x07\x08", Format::Zip),
    (0, b"SQLite format 3\0", Format::Database),
    (0, b"PAR1", Format::Parquet),
    (0, b"PARE", Format::Sealed(ENCRYPTED)),
    (0, b"GGUF", Format::Gguf),
    (0, b"\xff\xd8\xff", Format::Image(Image::Jpeg)),
    (0, b"\x89PNG\r\n\x1a\n", Format::Image(Image::Png)),
    (0, b"II\x2a\0", Format::Image(Image::Tiff)),
    (0, b"MM\0\x2a", Format::Image(Image::Tiff)),
    (8, b"WEBP", Format::Image(Image::Webp)),
    (0, b"7z\xbc\xaf\x27\x1c", Format::Sealed(ARCHIVE)),
    (0, b"Rar!\x1a\x07", Format::Sealed(ARCHIVE)),
    (0, b"MSCF\0", Format::Sealed(ARCHIVE)),
    (0, b"\xed\xab\xee\xdb", Format::Sealed(ARCHIVE)),
    (0, b"070701", Format::Sealed(ARCHIVE)),
    (0, b"070702", Format::Sealed(ARCHIVE)),
    (0, b"070707", Format::Sealed(ARCHIVE)),
    (0, b"\x04\x22\x4d\x18", Format::Sealed(COMPRESSED)),
    (0, b"LZIP\x01", Format::Sealed(COMPRESSED)),
    (0, b"\x5d\0\0", Format::Sealed(COMPRESSED)),
    (0, b"\x1f\x9d", Format::Sealed(COMPRESSED)),
    (0, b"\x1f\xa0", Format::Sealed(COMPRESSED)),
    (0, b"\xff\x06\0\0sNaPpY", Format::Sealed(COMPRESSED)),
    (0, b"\x89LZO\0\r\n\x1a\n", Format::Sealed(COMPRESSED)),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Format::Sealed(OFFICE)),
    (0, b"\0\x01\0\0Standard ", Format::Sealed("a database of Access, which is not read")),
    (0, b"!BDN", Format::Sealed("mail of Outlook, which is not read")),
    (0, b"PGDMP", Format::Sealed("a compressed dump of PostgreSQL: pg_restore -f writes its text")),
    (8, b"DUCK", Format::Sealed("a database of DuckDB: EXPORT DATABASE writes CSV")),
    (0, b"\x89HDF\r\n\x1a\n", Format::Sealed(TABLE)),
    (0, b"ARROW1\0\0", Format::Sealed(TABLE)),
    (0, b"\xff\xff\xff\xff", Format::Sealed(TABLE)),
    (0, b"FEA1", Format::Sealed(TABLE)),
    (0, b"ORC", Format::Sealed(TABLE)),
    (0, b"Obj\x01", Format::Sealed(TABLE)),
    (0, b"Salted__", Format::Sealed(ENCRYPTED)),
    (0, b"\0GITCRYPT\0", Format::Sealed(ENCRYPTED)),
    (0, b"\x03\xd9\xa2\x9a", Format::Sealed(ENCRYPTED)),
    (0, b"LUKS\xba\xbe", Format::Sealed(ENCRYPTED)),
    (0, b"QFI\xfb", Format::Sealed(DISK)),
    (0, b"KDMV", Format::Sealed(DISK)),
    (0, b"vhdxfile", Format::Sealed(DISK)),
    (0, b"hsqs", Format::Sealed(DISK)),
    (0, b"GIF87a", Format::Sealed(PICTURE)),
    (0, b"GIF89a", Format::Sealed(PICTURE)),
    (0, b"\0\0\x01\0", Format::Sealed(PICTURE)),
    (0, b"8BPS\0", Format::Sealed(PICTURE)),
    (0, b"\xff\x0a", Format::Sealed(PICTURE)),
    (0, b"\0\0\0\x0cJXL ", Format::Sealed(PICTURE)),
    (0, b"\0\0\0\x0cjP  ", Format::Sealed(PICTURE)),
    (0, b"II\x2b\0", Format::Sealed(PICTURE)),
    (0, b"MM\0\x2b", Format::Sealed(PICTURE)),
    (0, b"\x76\x2f\x31\x01", Format::Sealed(PICTURE)),
    (0, b"wOFF", Format::Sealed("a font, compressed")),
    (0, b"wOF2", Format::Sealed("a font, compressed")),
    (0, b"ID3\x02", Format::Sealed(SOUND)),
    (0, b"ID3\x03", Format::Sealed(SOUND)),
    (0, b"ID3\x04", Format::Sealed(SOUND)),
    (0, b"\xff\xfb", Format::Sealed(SOUND)),
    (0, b"\xff\xf3", Format::Sealed(SOUND)),
    (0, b"\xff\xf1", Format::Sealed(SOUND)),
    (0, b"fLaC", Format::Sealed(SOUND)),
    (0, b"OggS", Format::Sealed(SOUND)),
    (8, b"WAVE", Format::Sealed(SOUND)),
    (8, b"AVI ", Format::Sealed(SOUND)),
    (0, b"\x1a\x45\xdf\xa3", Format::Sealed(SOUND)),
    (0, b"FLV\x01", Format::Sealed(SOUND)),
    (0, b"\0\0\x01\xba", Format::Sealed(SOUND)),
    (0, b"\0\0\x01\xb3", Format::Sealed(SOUND)),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Format::Sealed(SOUND)),
];

/// Kinds of the ISO base media format whose images are read.
const HEIF_KINDS: [&[u8]; 10] =
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"];

impl Format {
    /// The format of a content that starts so; all of it, where it is shorter than [`HEAD`].
    pub(super) fn of(head: &[u8]) -> Self {
        let at = |place: usize, bytes: &[u8]| {
            head.get(place..).is_some_and(|rest| rest.starts_with(bytes))
        };
        let tables = if is_plain(head) { &[TEXTUAL][..] } else { &[TEXTUAL, MAGICS] };
        let mut magics = tables.iter().copied().flatten();
        if let Some((_, _, format)) = magics.find(|(place, bytes, _)| at(*place, bytes)) {
            return *format;
        }
        match head {
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if is_bzip2_block(rest) => {
                Self::Compressed(Codec::Bzip2)
            }
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Compressed(Codec::Zstandard),
            _ if at(4, b"ftyp") => media(head.get(8..12).unwrap_or_default()),
            _ if tar::is_header(head) => Self::Tar,
            _ if is_safetensors(head) => Self::Safetensors,
            // An offset of 32 KiB is beyond the head: the boot sector alone tells.
            _ if at(510, b"\x55\xaa") && head.starts_with(b"\xeb") => Self::Sealed(DISK),
            _ if is_noise(head) => Self::Noise,
            _ => Self::Text,
        }
    }

    /// Whether a format is opened with the help of others, which counts as a layer.
    pub(super) const fn is_container(self) -> bool {
        matches!(self, Self::Compressed(_) | Self::Tar | Self::Zip | Self::Database | Self::Parquet)
    }
}

/// Whether bytes are text in UTF-8, of which the last sign may be cut.
fn is_plain(head: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 0..=8 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f);
    let is_text = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_text && !head.iter().any(is_control)
}

fn is_bzip2_block(rest: &[u8]) -> bool {
    rest.starts_with(b"1AY&SY") || rest.starts_with(b"\x17\x72\x45\x38\x50\x90")
}

fn media(kind: &[u8]) -> Format {
    match HEIF_KINDS.contains(&kind) {
        true => Format::Image(Image::Heif),
        false => Format::Sealed(SOUND),
    }
}

/// The length of a header of JSON, in eight bytes, then the header.
/// Source: safetensors, "Format".
fn is_safetensors(head: &[u8]) -> bool {
    const MOST: u64 = 1 << 32;
    let Some((length, rest)) = head.split_first_chunk() else { return false };
    let length = u64::from_le_bytes(*length);
    (2..MOST).contains(&length) && rest.first() == Some(&b'{')
}

/// Whether bytes are as even as only compressed or encrypted ones are.
///
/// The entropy of `n` random bytes, counted, is about `8 - 255 / (2 n ln 2)` bits; trained weights
/// and programs stay half a bit below, text three. Source: Miller, "Note on the bias of information
/// estimates", 1955.
fn is_noise(head: &[u8]) -> bool {
    const LEAST: usize = 1024;
    const SLACK: f64 = 0.1;
    if head.len() < LEAST || std::str::from_utf8(head).is_ok() {
        return false;
    }
    let mut counts = [0_u32; 256];
    for byte in head {
        counts[usize::from(*byte)] += 1;
    }
    let total = head.len() as f64;
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / total);
    let entropy: f64 = shares.map(|share| -share * share.log2()).sum();
    entropy > 8.0 - 255.0 / (2.0 * total * std::f64::consts::LN_2) - SLACK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        let check = |head: &[u8], expected| assert_eq!(Format::of(head), expected, "{head:?}");
        check(b"", Format::Text);
        check(b"name,mail\n", Format::Text);
        check(b"\x1f\x8b\x08\0", Format::Compressed(Codec::Gzip));
        check(b"BZh91AY&SY", Format::Compressed(Codec::Bzip2));
        check(b"BZh9 is not it", Format::Text);
        check(b"\x52\x2a\x4d\x18\0", Format::Compressed(Codec::Zstandard));
        check(b"PK\x03\x04", Format::Zip);
        check(b"\0\0\0\x18ftypheic", Format::Image(Image::Heif));
        check(b"\0\0\0\x18ftypisom", Format::Sealed(SOUND));
        check(b"RIFF\0\0\0\0WEBPVP8 ", Format::Image(Image::Webp));
        check(b"\x0f\0\0\0\0\0\0\0{\"a\":{}}", Format::Safetensors);
        check(b"\x7fELF\x02\x01\x01", Format::Text);
        check(b"ORCID,name\n0000-0002-1825-0097,Anna\n", Format::Text);
        check(b"PAR1 is a format\n", Format::Text);
        check(b"ORC\x0a\x01\0", Format::Sealed(TABLE));
        check(b"%PDF-1.7", Format::of(b"%PDF-2.0"));
    }

    #[test]
    fn random_bytes_are_noise_and_others_are_not() {
        let mut state = 7_u64;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(HEAD)
        .collect();
        assert!(is_noise(&random));
        assert!(is_noise(&random[..1024]));
        // Halves of numbers: a mantissa without order, an exponent of few values.
        let weights: Vec<u8> =
            random.chunks(2).flat_map(|pair| [pair[0], 0x3c | pair[1] & 0x81]).collect();
        assert!(!is_noise(&weights));
        assert!(!is_noise("Müller, größer, straße; ".repeat(200).as_bytes()));
        let latin: Vec<u8> = b"M\xfcller, gr\xf6\xdfer ".repeat(100);
        assert!(!is_noise(&latin));
    }
}
