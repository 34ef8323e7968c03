//! A thousand canaries, each alone in each of the formats that data leaves in: none gets past the gate to a
//! store that catches all that arrives, and what holds none does arrive, byte by byte.
//!
//! A new way by which bytes can leave adds a row to [`DOORS`], a new format one to [`FORMATS`].

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use nearside_policy::{
    Area, Class, Clearance, Cleared, Destination, Encryption, Gate, Origin, Owner, Place, Policy,
    Stopped,
};
use nearside_privacy::artifact::Artifact;
use nearside_privacy::listing;
use nearside_units::Known;

const CANARIES: usize = 1000;

/// A name of a file, and what it holds of a text.
type Format = (&'static str, fn(&str) -> Vec<u8>);

/// Formats of which all is read, so that what is clean may leave.
const FORMATS: [Format; 18] = [
    ("note.txt", |text| text.as_bytes().to_vec()),
    ("table.csv", |text| format!("id,text\n1,\"{}\"\n2,nothing\n", text.replace('"', "'")).into()),
    ("value.json", |text| serde_json::json!({"a": [1, {"text": text}]}).to_string().into()),
    ("lines.jsonl", |text| format!("{{\"n\": 1}}\n{}\n", serde_json::json!({"text": text})).into()),
    ("cells.ipynb", |text| {
        let output = serde_json::json!([{"output_type": "stream", "text": [text]}]);
        let cell = serde_json::json!({"cell_type": "code", "source": ["1"], "outputs": output});
        serde_json::json!({"cells": [cell], "nbformat": 4}).to_string().into()
    }),
    ("page.md", |text| format!("# A page\n\n- {text}\n").into()),
    ("app.log", |text| format!("2026-11-27T10:00:00Z INFO {text}\n").into()),
    ("main.py", |text| format!("# {text}\nprint(1)\n").into()),
    ("wide.txt", |text| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect()
    }),
    ("note.txt.gz", |text| gzip(text.as_bytes())),
    ("note.txt.zst", |text| {
        ruzstd::encoding::compress_to_vec(
            text.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        )
    }),
    ("note.txt.bz2", |text| {
        let mut out = Vec::new();
        let mut packed = bzip2::read::BzEncoder::new(text.as_bytes(), bzip2::Compression::fast());
        packed.read_to_end(&mut out).unwrap();
        out
    }),
    ("notes.zip", |text| zip(&[("a/none.txt", b"nothing"), ("a/note.txt", text.as_bytes())])),
    ("notes.tar", |text| tar(&[("none.txt", b"nothing"), ("note.txt", text.as_bytes())])),
    ("notes.tar.gz", |text| gzip(&tar(&[("deep.zip", &zip(&[("note.txt", text.as_bytes())]))]))),
    ("notes.db", database),
    ("sheet.xlsx", |text| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let strings = format!("<sst><si><t>{text}</t></si></sst>");
        zip(&[("xl/sharedStrings.xml", strings.as_bytes()), ("[Content_Types].xml", b"<Types/>")])
    }),
    ("letter.docx", |text| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!(
            "<w:document><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>"
        );
        zip(&[("word/document.xml", body.as_bytes()), ("[Content_Types].xml", b"<Types/>")])
    }),
];

/// Formats of which a part is no text: nothing of them leaves without a person's decision.
const CLOSED: [Format; 4] = [
    ("weights.safetensors", |text| {
        let header = serde_json::json!({"__metadata__": {"text": text}}).to_string();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
    }),
    ("photo.jpg", |text| {
        let comment = [&(text.len() as u16 + 2).to_be_bytes()[..], text.as_bytes()].concat();
        [&b"\xff\xd8\xff\xfe"[..], &comment, b"\xff\xda\0\x02\xff\xd9"].concat()
    }),
    ("locked.zip", |text| {
        let mut bytes = zip(&[("note.txt", text.as_bytes())]);
        // Encrypted, says the entry, in both of its headers.
        bytes[6] |= 1;
        let central = bytes.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
        bytes[central + 8] |= 1;
        bytes
    }),
    ("sealed.age", |text| [&b"age-encryption.org/v1\n-> X25519 "[..], text.as_bytes()].concat()),
];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let options = ::zip::write::SimpleFileOptions::default();
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
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

fn database(text: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let connection = rusqlite::Connection::open(file.path()).unwrap();
    connection.pragma_update(None, "synchronous", "off").unwrap();
    connection.execute_batch("CREATE TABLE notes (id INTEGER, text TEXT)").unwrap();
    connection.execute("INSERT INTO notes VALUES (1, ?1)", [text]).unwrap();
    drop(connection);
    fs::read(file.path()).unwrap()
}

/// Texts about nobody else, each with one thing that must not leave.
fn canary(number: usize) -> String {
    let digits = |count: usize, seed: usize| -> String {
        let mut state = (number * 7919 + seed * 104_729 + 1) as u64;
        let mut digit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + ((state >> 33) % 10) as u8)
        };
        (0..count).map(|_| digit()).collect()
    };
    let letters = |count: usize, seed: usize| -> String {
        let letter = |digit: char| char::from(b"QWERTZUIOP"[digit as usize - 48]);
        digits(count, seed).chars().map(letter).collect()
    };
    let name = ["Anna", "Carlos", "Ingrid", "Tomasz", "Maria"][number / 12 % 5];
    let surname = ["Schneider", "Garcia", "Kowalski", "Rossi", "Johansson"][number / 60 % 5];
    match number % 12 {
        0 => format!("write to user{number}@mail.example.org soon"),
        1 => format!("paid with {}", with_luhn(&format!("4{}", digits(14, 1)))),
        2 => format!("transfer to {} today", iban(&digits(18, 2))),
        3 => format!("call +49 30 2{} please", digits(6, 3)),
        4 => format!("host 203.{}.{}.7 answered", number % 250 + 1, number / 4 % 250),
        5 => format!("the key is AKIA{}", letters(16, 4)),
        6 => format!("password: hunter{}!xQ", digits(4, 5)),
        7 => format!("name: {name} {surname}"),
        8 => format!("SSN: 5{}-{}{}-1{}", digits(2, 6).replace("00", "12"), 1, 2, digits(3, 7)),
        9 => format!("device 00:1a:2b:{}:{}:{}", hex(number), hex(number / 3), hex(number / 7)),
        10 => format!("card {}", with_luhn(&format!("2{}{}", 3 + number % 4, digits(13, 8)))),
        _ => format!("postgres://app:s3cret{}@db.example.org/people", digits(5, 9)),
    }
}

fn hex(number: usize) -> String {
    format!("{:02x}", number % 256)
}

fn with_luhn(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = digit * 2;
            if place % 2 == 0 { doubled / 10 + doubled % 10 } else { digit }
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

fn iban(account: &str) -> String {
    // DE is 1314; the check digits are 98 less the remainder.
    let remainder = format!("{account}131400")
        .bytes()
        .fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{account}", 98 - remainder)
}

/// A store elsewhere. It takes what is cleared alone, and of that nothing but what was looked at.
#[derive(Default)]
struct Store {
    arrived: Vec<Vec<u8>>,
}

impl Store {
    fn send(&mut self, cleared: &Cleared<Artifact>) -> bool {
        let path = &cleared.parcel().path;
        let bytes = fs::read(path).unwrap();
        let is_same = listing::digests(path).unwrap() == *cleared.digests();
        if is_same {
            self.arrived.push(bytes);
        }
        is_same
    }
}

/// Ways by which the bytes of a file can leave: each says whether it let them.
type Door = (&'static str, fn(&Path, &mut Store) -> bool);

const DOORS: [Door; 2] = [
    ("the gate", |path, store| match pass(path) {
        Ok(cleared) => store.send(&cleared),
        Err(_) => false,
    }),
    // What a stage promised to be internal is handed on where nothing speaks against it.
    ("a promise", |path, store| {
        let examined = artifact(path).examine().unwrap();
        let clean = examined.is_clean(Class::Internal);
        if clean {
            store.arrived.push(fs::read(path).unwrap());
        }
        clean
    }),
];

fn artifact(path: &Path) -> Artifact {
    let spool = path.parent().unwrap().to_path_buf();
    Artifact::new(path.to_path_buf(), "artifact".to_owned(), Some(spool))
}

/// To a processor under contract, on an encrypted way, cleared for internal data.
fn pass(path: &Path) -> Result<Cleared<Artifact>, Stopped> {
    let policy = Policy { jurisdiction: vec![Area::EuropeanUnion] };
    let country = Known::Value("DE".parse().unwrap());
    let place = Place { clearance: Clearance(Class::Internal), country };
    let (owner, encryption) = (Owner::Processor, Encryption::AtRest);
    let far = Destination { name: "far".to_owned(), place, owner, encryption };
    // Somebody says that it is harmless: that alone opens nothing.
    let origin = Origin { declared: Some(Class::Public), parents: Class::Public };
    Gate::of(&policy).pass(artifact(path), origin, None, &far)
}

#[test]
fn no_canary_arrives_in_any_format_by_any_door() {
    let folder = tempfile::tempdir().unwrap();
    let formats: Vec<Format> = FORMATS.into_iter().chain(CLOSED).collect();
    let got_out: Vec<String> = std::thread::scope(|scope| {
        let try_half = |half: usize| {
            let own = folder.path().join(half.to_string());
            fs::create_dir(&own).unwrap();
            let formats = &formats;
            scope.spawn(move || {
                let (mut store, mut out) = (Store::default(), Vec::new());
                for number in (0..CANARIES).filter(|number| number % 2 == half) {
                    for (name, write) in formats {
                        let path = own.join(name);
                        fs::write(&path, write(&canary(number))).unwrap();
                        for (door, leave) in DOORS {
                            if leave(&path, &mut store) {
                                out.push(format!("{door}: {} in {name}", canary(number)));
                            }
                        }
                    }
                }
                assert_eq!(store.arrived.len(), out.len());
                out
            })
        };
        let halves: Vec<_> = (0..2).map(try_half).collect();
        halves.into_iter().flat_map(|half| half.join().unwrap()).collect()
    });
    let first: Vec<_> = got_out.iter().take(20).collect();
    assert!(got_out.is_empty(), "{} got out, as {first:#?}", got_out.len());
}

#[test]
fn what_holds_none_arrives_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for (door, leave) in DOORS {
        for (name, write) in FORMATS {
            let path = folder.path().join(name);
            fs::write(&path, write("nothing about anybody")).unwrap();
            let mut store = Store::default();
            assert!(leave(&path, &mut store), "{name} by {door}");
            assert_eq!(store.arrived, [fs::read(&path).unwrap()]);
        }
        for (name, write) in CLOSED {
            let path = folder.path().join(name);
            fs::write(&path, write("nothing about anybody")).unwrap();
            assert!(!leave(&path, &mut Store::default()), "{name} by {door}");
        }
    }
}

#[test]
fn what_changes_after_it_was_looked_at_does_not_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("note.txt");
    fs::write(&path, "nothing about anybody").unwrap();
    let cleared = pass(&path).unwrap();
    fs::write(&path, canary(0)).unwrap();
    let mut store = Store::default();
    assert!(!store.send(&cleared) && store.arrived.is_empty());
}
