//! Every container, whole and broken, opened as a caller does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Content, Entry, Form, Limits, Skipped, SourceError, Visitor, files, open, visit};

/// What was told, in order; paths of the folder of the test are cut off.
#[derive(Default)]
struct Recorder {
    folder: String,
    texts: Vec<(String, String, Option<Form>)>,
    unreadable: Vec<(String, String)>,
    skipped: Vec<(String, Skipped)>,
}

impl Recorder {
    fn short(&self, name: &str) -> String {
        name.strip_prefix(&self.folder).unwrap_or(name).trim_start_matches('/').to_owned()
    }

    fn text(&self, name: &str) -> &str {
        let found = self.texts.iter().find(|(found, ..)| found == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.names()), |(_, text, _)| text)
    }

    fn names(&self) -> Vec<&str> {
        self.texts.iter().map(|(name, ..)| name.as_str()).collect()
    }

    fn why(&self, name: &str) -> &str {
        let found = self.unreadable.iter().find(|(found, _)| found == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.unreadable), |(_, why)| why)
    }
}

impl Visitor for Recorder {
    fn content(&mut self, content: Content<'_>) -> io::Result<()> {
        let mut text = Vec::new();
        content.text.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        self.texts.push((self.short(content.name), text, content.form));
        Ok(())
    }

    fn unreadable(&mut self, name: &str, why: &str) {
        self.unreadable.push((self.short(name), why.to_owned()));
    }

    fn skipped(&mut self, name: &str, what: Skipped) {
        self.skipped.push((self.short(name), what));
    }
}

fn limits(folder: &TempDir) -> Limits {
    Limits { spool_folder: Some(folder.path().to_path_buf()), ..Limits::default() }
}

fn visited(folder: &Path, limits: &Limits) -> Recorder {
    let folder_name = folder.to_string_lossy().into_owned();
    let mut recorder = Recorder { folder: folder_name, ..Recorder::default() };
    visit(folder, limits, &mut recorder).unwrap();
    recorder
}

/// One file in a folder of its own.
fn visited_file(name: &str, bytes: &[u8]) -> Recorder {
    let (folder, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join(name), bytes).unwrap();
    let recorder = visited(folder.path(), &limits(&spool));
    assert_eq!(spool.path().read_dir().unwrap().count(), 0, "nothing is left behind");
    recorder
}

fn opened(bytes: &[u8], limits: &Limits) -> Recorder {
    let mut recorder = Recorder::default();
    open("stdin", &mut &*bytes, limits, &mut recorder);
    recorder
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, ::zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.set_comment("made for Anna").unwrap();
    writer.finish().unwrap().into_inner()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

/// `jörg@example.org\n` by xz 5.4: what is read must be what others write.
const XZ: &[u8] = include_bytes!("mail.xz");

const MAIL: &str = "jörg@example.org\n";

#[test]
fn text_comes_through_with_its_form() {
    let recorder = visited_file("people.CSV", MAIL.as_bytes());
    assert_eq!(recorder.texts, [("people.CSV".to_owned(), MAIL.to_owned(), Some(Form::Delimited))]);
    assert_eq!(visited_file("cells.ipynb", b"{}").texts[0].2, Some(Form::Json));
    assert_eq!(visited_file("notes.md", b"x").texts[0].2, None);
    assert_eq!(visited_file("empty", b"").text("empty"), "");
    let wide: Vec<u8> = MAIL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(visited_file("wide.txt", &wide).text("wide.txt"), MAIL);
    let marked = format!("\u{feff}{MAIL}");
    assert_eq!(visited_file("marked.txt", marked.as_bytes()).text("marked.txt"), marked);
    let latin = visited_file("latin.txt", b"M\xfcller");
    assert_eq!(latin.text("latin.txt"), "M\u{fffd}ller");
}

#[test]
fn streams_are_unpacked_whatever_their_name() {
    let check = |name: &str, bytes: &[u8]| {
        let recorder = visited_file(name, bytes);
        assert_eq!(recorder.unreadable, [], "{name}");
        assert_eq!(recorder.text(name), MAIL, "{name}");
        recorder.texts[0].2
    };
    assert_eq!(check("people.csv.gz", &gzip(MAIL.as_bytes())), Some(Form::Delimited));
    assert_eq!(check("no-name", &gzip(MAIL.as_bytes())), None);
    assert_eq!(check("x.jsonl.zst", &zstandard(MAIL.as_bytes())), Some(Form::Json));
    check("x.bz2", &bzip2(MAIL.as_bytes()));
    check("x.xz", XZ);
    let parts: Vec<Vec<u8>> = ["jörg@", "example.org\n"].map(|part| gzip(part.as_bytes())).into();
    check("two.gz", &parts.concat());
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    let frames = [skipped, zstandard("jörg@".as_bytes()), zstandard(b"example.org\n")];
    check("frames.zst", &frames.concat());
}

#[test]
fn a_cut_stream_is_not_read_in_full() {
    let text = MAIL.repeat(100);
    for (name, whole) in [
        ("a.gz", gzip(text.as_bytes())),
        ("a.zst", zstandard(text.as_bytes())),
        ("a.bz2", bzip2(text.as_bytes())),
        ("a.xz", XZ.to_vec()),
        ("a.tar", tar(&[("a", text.as_bytes())])),
        ("a.zip", zip(&[("a", text.as_bytes())])),
    ] {
        for length in [whole.len() - 1, whole.len() / 2] {
            let recorder = visited_file(name, &whole[..length]);
            assert!(!recorder.unreadable.is_empty(), "{name} cut to {length}");
        }
        let mut wrong = whole;
        // Fields of a zip such as its times may be anything; its content may not.
        let middle = if name == "a.zip" { 40 } else { wrong.len() / 2 };
        if name != "a.tar" {
            wrong[middle] ^= 0x55;
            assert!(!visited_file(name, &wrong).unreadable.is_empty(), "{name} damaged");
        }
    }
    let mut behind = gzip(text.as_bytes());
    behind.extend_from_slice(b"hidden behind");
    assert!(!visited_file("a.gz", &behind).unreadable.is_empty());
}

#[test]
fn archives_inside_one_another_are_named_by_their_way() {
    let inner = zip(&[("people.csv", MAIL.as_bytes()), ("empty", b"")]);
    let middle = gzip(&tar(&[("a/inner.zip", &inner), ("b.txt", b"plain")]));
    let recorder = visited_file("outer.tar.gz", &middle);
    assert_eq!(recorder.unreadable, []);
    assert_eq!(recorder.text("outer.tar.gz!a/inner.zip!people.csv"), MAIL);
    assert_eq!(recorder.text("outer.tar.gz!a/inner.zip!(comment)"), "made for Anna");
    assert_eq!(recorder.text("outer.tar.gz!b.txt"), "plain");
    assert_eq!(recorder.texts.len(), 4);
}

#[test]
fn what_is_nested_too_deep_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = MAIL.as_bytes().to_vec();
    for _ in 0..8 {
        bytes = gzip(&bytes);
    }
    assert_eq!(opened(&bytes, &limits(&folder)).text("stdin"), MAIL);
    let recorder = opened(&gzip(&bytes), &limits(&folder));
    assert!(recorder.texts.is_empty());
    assert_eq!(recorder.why("stdin"), "containers inside one another, more than 8 deep");
}

#[test]
fn bombs_end_early() {
    let folder = tempfile::tempdir().unwrap();
    let small = Limits { ratio_from: 1 << 16, ratio: 100, ..limits(&folder) };
    let zeros = vec![b' '; 1 << 20];
    for bomb in [gzip(&zeros), zstandard(&zeros), bzip2(&zeros), zip(&[("a", &zeros)])] {
        let recorder = opened(&bomb, &small);
        let (_, why) = &recorder.unreadable[0];
        assert_eq!(why, "it unpacks to more than 100 times its size");
    }
    let many = zip(&[("a", &zeros), ("b", &zeros), ("c", &zeros)]);
    let recorder = opened(&many, &small);
    assert_eq!(
        recorder.unreadable.len(),
        2,
        "the entry, then the archive: {:?}",
        recorder.unreadable
    );
    let total = Limits { unpacked: 1 << 19, ..limits(&folder) };
    assert_eq!(opened(&gzip(&zeros), &total).why("stdin"), "it unpacks to more than 524288 bytes");
    let few = Limits { entries: 2, ..limits(&folder) };
    let three: [(&str, &[u8]); 3] = [("a", b"1"), ("b", b"2"), ("c", b"3")];
    assert_eq!(opened(&zip(&three), &few).why("stdin"), "it has more than 2 entries");
    let recorder = opened(&tar(&three), &few);
    assert_eq!((recorder.texts.len(), recorder.why("stdin")), (2, "it has more than 2 entries"));
    let bound = Limits { memory: 10, spool: 20, ..limits(&folder) };
    assert!(opened(&zip(&three), &bound).why("stdin").contains("larger than 20 bytes"));
}

#[test]
fn an_encrypted_entry_is_reported_and_the_others_are_read() {
    let mut bytes = zip(&[("open.txt", MAIL.as_bytes()), ("secret.txt", MAIL.as_bytes())]);
    // The bit of encryption, in the header of the second entry and in its row of the directory.
    let header = memchr::memmem::rfind(&bytes, b"PK\x03\x04").unwrap();
    let row = memchr::memmem::rfind(&bytes, b"PK\x01\x02").unwrap();
    bytes[header + 6] |= 1;
    bytes[row + 8] |= 1;
    let recorder = visited_file("a.zip", &bytes);
    assert_eq!(recorder.text("a.zip!open.txt"), MAIL);
    assert_eq!(recorder.why("a.zip!secret.txt"), "encrypted");
}

#[test]
fn sealed_formats_are_reported() {
    for bytes in [&b"%PDF-1.7 x"[..], b"7z\xbc\xaf\x27\x1c", b"age-encryption.org/v1\n", b"PARE\0"]
    {
        let recorder = visited_file("x.txt", bytes);
        assert!(recorder.texts.is_empty());
        assert_eq!(recorder.unreadable.len(), 1);
    }
    let mut state = 7_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let noise: Vec<u8> = noise.take(5000).collect();
    let recorder = visited_file("x.bin", &noise);
    assert_eq!(recorder.texts.len(), 1, "its bytes are handed on all the same");
    assert!(recorder.why("x.bin").contains("not known"));
}

#[test]
fn tables_of_a_database_are_csv() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a ?#%.db");
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "CREATE TABLE people (id INTEGER PRIMARY KEY, \"full \"\"name\" TEXT, scan BLOB, x REAL);
             INSERT INTO people VALUES (7, 'Müller, Anna', CAST('plain' AS BLOB), 1.5);
             CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
             INSERT INTO keyed VALUES ('a', NULL);
             CREATE VIEW seen AS SELECT * FROM people;
             CREATE TABLE gone (t); INSERT INTO gone VALUES (zeroblob(100000)); DROP TABLE gone;",
        )
        .unwrap();
    let scan = gzip(MAIL.as_bytes());
    database.execute("INSERT INTO people VALUES (8, 'b', ?1, NULL)", [&scan]).unwrap();
    database.execute("INSERT INTO keyed VALUES ('b', ?1)", [&scan]).unwrap();
    drop(database);
    let spool = tempfile::tempdir().unwrap();
    let check = |recorder: &Recorder, base: &str| {
        assert_eq!(recorder.unreadable, []);
        let people = "id,\"full \"\"name\",scan,x\n7,\"Müller, Anna\",plain,1.5\n8,b,,\n";
        assert_eq!(recorder.text(&format!("{base}!people")), people);
        assert_eq!(recorder.text(&format!("{base}!people/8/scan")), MAIL);
        assert_eq!(recorder.text(&format!("{base}!keyed")), "k,v\na,\nb,\n");
        assert_eq!(recorder.text(&format!("{base}!keyed/row 2/v")), MAIL);
        assert!(recorder.text(&format!("{base}!sqlite_schema")).contains("CREATE VIEW seen"));
        assert_eq!(recorder.skipped, [(base.to_owned(), Skipped::Deleted)]);
        let texts = recorder.names().into_iter().filter(|name| !name.ends_with("(comment)"));
        assert_eq!(texts.count(), 5);
    };
    check(&visited(folder.path(), &limits(&spool)), "a ?#%.db");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing is written beside it");
    let bytes = fs::read(&path).unwrap();
    check(&visited_file("x.zip", &zip(&[("a.db", &bytes)])), "x.zip!a.db");
    let few = Limits { cell: 5, ..limits(&spool) };
    let recorder = visited(folder.path(), &few);
    assert!(recorder.why("a ?#%.db!people").contains("larger than 5 bytes"));
    let nowhere = opened(&bytes, &Limits::default());
    assert!(nowhere.why("stdin").contains("no folder"));
    let cut = opened(&bytes[..bytes.len() / 2], &limits(&spool));
    assert!(!cut.unreadable.is_empty());
}

#[test]
fn a_database_is_read_with_its_log() {
    let (folder, spool) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a.db");
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
             CREATE TABLE people (mail); INSERT INTO people VALUES ('in-the-log@example.org');",
        )
        .unwrap();
    assert!(fs::metadata(folder.path().join("a.db-wal")).unwrap().len() > 0);
    let before = fs::read(&path).unwrap();
    let recorder = visited(folder.path(), &limits(&spool));
    assert_eq!(recorder.text("a.db!people"), "mail\nin-the-log@example.org\n");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(spool.path().read_dir().unwrap().count(), 0);
    let recorder = visited(folder.path(), &Limits::default());
    assert!(recorder.why("a.db").contains("no folder"));
    drop(database);
}

#[test]
fn weights_are_told_and_their_headers_read() {
    let header = br#"{"__metadata__":{"author":"Anna"},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&[0; 4]);
    let recorder = visited_file("m.safetensors", &bytes);
    assert_eq!(recorder.text("m.safetensors!header").as_bytes(), header);
    assert_eq!(recorder.texts[0].2, Some(Form::Json));
    assert_eq!(recorder.skipped, [("m.safetensors".to_owned(), Skipped::Weights)]);
    let cut = visited_file("m.safetensors", &bytes[..40]);
    assert!(cut.why("m.safetensors").contains("too early"));

    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    let string = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    bytes.extend_from_slice(&0_u64.to_le_bytes());
    bytes.extend_from_slice(&3_u64.to_le_bytes());
    bytes.extend([string("general.author"), 8_u32.to_le_bytes().into(), string("Anna")].concat());
    bytes.extend([string("n"), 4_u32.to_le_bytes().into(), 7_u32.to_le_bytes().into()].concat());
    let array = [&9_u32.to_le_bytes()[..], &8_u32.to_le_bytes(), &2_u64.to_le_bytes()].concat();
    bytes.extend([string("tokens"), array, string("a"), string("b")].concat());
    let recorder = visited_file("m.gguf", &bytes);
    assert_eq!(recorder.text("m.gguf!header"), "general.author: Anna\nn: 7\ntokens: \na\nb\n");
    assert_eq!(recorder.skipped, [("m.gguf".to_owned(), Skipped::Weights)]);
    assert!(!visited_file("m.gguf", &bytes[..bytes.len() - 1]).unreadable.is_empty());
}

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &[0; 4]].concat()
}

/// EXIF of a photo: who made it, and where.
fn exif() -> Vec<u8> {
    use exif::{Field, In, Rational, Tag, Value};
    let ascii = |tag, text: &str| Field {
        tag,
        ifd_num: In::PRIMARY,
        value: Value::Ascii(vec![text.as_bytes().to_vec()]),
    };
    let angle = |tag, parts: [u32; 3]| Field {
        tag,
        ifd_num: In::PRIMARY,
        value: Value::Rational(parts.map(|part| Rational { num: part, denom: 10 }).to_vec()),
    };
    let comment = Field {
        tag: Tag::UserComment,
        ifd_num: In::PRIMARY,
        value: Value::Undefined(b"ASCII\0\0\0call 555-0100".to_vec(), 0),
    };
    let fields = [
        ascii(Tag::Artist, "Anna Müller"),
        comment,
        ascii(Tag::GPSLatitudeRef, "S"),
        angle(Tag::GPSLatitude, [520, 300, 360]),
        ascii(Tag::GPSLongitudeRef, "E"),
        angle(Tag::GPSLongitude, [130, 60, 0]),
    ];
    let mut writer = exif::experimental::Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut out = Cursor::new(Vec::new());
    writer.write(&mut out, false).unwrap();
    out.into_inner()
}

#[test]
fn images_give_their_metadata_and_no_answer() {
    let segment = |marker: u8, data: &[u8]| {
        [&[0xff, marker][..], &(data.len() as u16 + 2).to_be_bytes(), data].concat()
    };
    let attribute = [&b"Exif\0\0"[..], &exif()].concat();
    let jpeg = [
        b"\xff\xd8".to_vec(),
        segment(0xe1, &attribute),
        segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>by Otto</x:xmpmeta>"),
        segment(0xfe, b"a comment"),
        b"\xff\xda\0\x02\xff\xd9".to_vec(),
    ];
    let recorder = visited_file("a.jpg", &jpeg.concat());
    assert_eq!(recorder.unreadable, []);
    let text = recorder.text("a.jpg");
    for part in [
        "Artist: Anna Müller\n",
        "GPS position: -52.51000, 13.10000\n",
        "by Otto",
        "Comment: a comment\n",
        "UserComment: call 555-0100\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(recorder.skipped, [("a.jpg".to_owned(), Skipped::Pixels)]);
    assert!(visited_file("a.tif", &exif()).text("a.tif").contains("GPS position: -52.5"));

    let mut deflated = Vec::new();
    flate2::read::ZlibEncoder::new(&b"deep"[..], flate2::Compression::fast())
        .read_to_end(&mut deflated)
        .unwrap();
    let png = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"tEXt", b"Author\0Anna"),
        chunk(b"zTXt", &[b"Note\0\0", &deflated[..]].concat()),
        chunk(b"iTXt", &[b"Titel\0\0\0de\0Titel\0", MAIL.as_bytes()].concat()),
        chunk(b"IEND", b""),
    ]
    .concat();
    let recorder = visited_file("a.png", &png);
    assert_eq!(recorder.unreadable, []);
    for part in ["Author: Anna\n", "Note: deep\n", "Titel: jörg@example.org\n"] {
        assert!(recorder.text("a.png").contains(part), "{part}");
    }
    assert!(!visited_file("a.png", &png[..png.len() - 3]).unreadable.is_empty());
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_is_reported_without_its_feature() {
    assert!(visited_file("a.parquet", b"PAR1\0\0\0\0PAR1").why("a.parquet").contains("feature"));
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_is_read_as_csv() {
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { required int64 id; optional binary mail (UTF8); }";
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, schema.into(), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[1, 2], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let mail = [ByteArray::from("a, b@example.org")];
    column.typed::<ByteArrayType>().write_batch(&mail, Some(&[1, 0]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let expected = "id,mail\n1,\"a, b@example.org\"\n2,\n";
    assert_eq!(visited_file("a.parquet", &bytes).text("a.parquet"), expected);
    let nested = visited_file("a.gz", &gzip(&bytes));
    assert_eq!((nested.text("a.gz"), nested.texts[0].2), (expected, Some(Form::Delimited)));
    assert!(!visited_file("a.parquet", &bytes[..bytes.len() - 9]).unreadable.is_empty());
}

#[test]
fn links_pipes_and_folders_left_out_are_told() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("b/c")).unwrap();
    fs::create_dir(at(".git")).unwrap();
    fs::write(at("b/c/file"), MAIL).unwrap();
    fs::write(at(".git/kept"), "kept").unwrap();
    fs::write(other.path().join("outside"), MAIL).unwrap();
    symlink("b/c/file", at("a-link")).unwrap();
    symlink(at("b"), at("b/c/up")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink(".git/kept", at("into-git")).unwrap();
    symlink(".git", at("git")).unwrap();
    symlink(other.path().join("outside"), at("out")).unwrap();
    let pipe = at("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let recorder = visited(folder.path(), &Limits::default());
    assert_eq!(recorder.names(), ["b/c/file", "into-git"]);
    assert_eq!(recorder.skipped, [(".git".to_owned(), Skipped::Folder)]);
    let why: BTreeMap<&str, &str> =
        recorder.unreadable.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
    assert_eq!(why.keys().copied().collect::<Vec<_>>(), ["git", "loop", "out", "pipe", "socket"]);
    assert!(why["git"].contains("left out"));
    assert!(why["loop"].contains("leads nowhere"));
    assert!(why["out"].contains("outside"));
    assert_eq!(why["pipe"], "a pipe: not opened");
    assert!(why["socket"].contains("socket"));
}

#[test]
fn files_are_listed_once_in_a_fixed_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "a/z", "a/y", "c"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let listed = files(&[folder.path().join("c"), folder.path().to_path_buf()], &Limits::default());
    let expected = ["c", "a/y", "a/z", "b"].map(|name| Entry::File(folder.path().join(name)));
    assert_eq!(listed.unwrap(), expected);
    let absent = files(&[folder.path().join("absent")], &Limits::default());
    assert!(matches!(absent, Err(SourceError::Absent { .. })));
}

#[test]
fn a_file_that_changes_meanwhile_is_reported() {
    struct Writes(std::path::PathBuf, Vec<String>);
    impl Visitor for Writes {
        fn content(&mut self, content: Content<'_>) -> io::Result<()> {
            io::copy(content.text, &mut io::sink())?;
            fs::write(&self.0, "more than before")
        }
        fn unreadable(&mut self, _: &str, why: &str) {
            self.1.push(why.to_owned());
        }
        fn skipped(&mut self, _: &str, _: Skipped) {}
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "before").unwrap();
    let mut visitor = Writes(path.clone(), Vec::new());
    visit(&path, &Limits::default(), &mut visitor).unwrap();
    assert_eq!(visitor.1, ["changed while it was read"]);
}

#[test]
fn an_error_that_a_visitor_swallows_is_reported() {
    struct Swallows(Vec<String>);
    impl Visitor for Swallows {
        fn content(&mut self, content: Content<'_>) -> io::Result<()> {
            let _ = io::copy(content.text, &mut io::sink());
            Ok(())
        }
        fn unreadable(&mut self, _: &str, why: &str) {
            self.0.push(why.to_owned());
        }
        fn skipped(&mut self, _: &str, _: Skipped) {}
    }
    let mut visitor = Swallows(Vec::new());
    let whole = gzip(MAIL.repeat(10).as_bytes());
    open("x", &mut &whole[..whole.len() - 4], &Limits::default(), &mut visitor);
    assert_eq!(visitor.0.len(), 1, "{:?}", visitor.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn text_comes_out_of_every_nesting_as_it_went_in(
        text in "[a-zA-Z0-9 ,;@.\n]{0,3000}",
        layers in proptest::collection::vec(0..5_u8, 0..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = text.clone().into_bytes();
        for layer in layers {
            bytes = match layer {
                0 => gzip(&bytes),
                1 => tar(&[("member", &bytes)]),
                2 => zip(&[("entry", &bytes)]),
                3 => zstandard(&bytes),
                _ => bzip2(&bytes),
            };
        }
        let limits = Limits { memory: 1000, ..limits(&folder) };
        let recorder = opened(&bytes, &limits);
        prop_assert_eq!(&recorder.unreadable, &[]);
        let texts = recorder.texts.iter().filter(|(name, ..)| !name.contains("(comment)"));
        let texts: Vec<&str> = texts.map(|(_, text, _)| text.as_str()).collect();
        // A member of no bytes is none.
        prop_assert!(texts == [text.as_str()] || (texts.is_empty() && text.is_empty()));
    }
}
