//! What is found does not depend on how the stream is cut: every sample at every offset across an
//! edge, and one text in blocks of a kilobyte to eight megabytes on one thread and on several.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZero;

use nearside_privacy::scan::{Entity, Finding, Options, scan};
use nearside_privacy::source::Form;

fn options(block: usize, threads: usize) -> Options {
    Options {
        block: NonZero::new(block).expect("not zero"),
        threads: NonZero::new(threads).expect("not zero"),
    }
}

fn findings(text: &str, form: Option<Form>, options: Options) -> Vec<Finding> {
    let mut found = Vec::new();
    // A reader that gives little at a time, as pipes do.
    let mut reader = Dribble(text.as_bytes());
    scan(form, &mut reader, options, &mut |finding| found.push(finding)).expect("a slice is read");
    found
}

struct Dribble<'t>(&'t [u8]);

impl std::io::Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(self.0.len()).min(997);
        let (now, rest) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = rest;
        Ok(count)
    }
}

/// One of each kind that is known without a label, and some that are known by one.
fn samples() -> Vec<(&'static str, String)> {
    let key = |label: &str| {
        let line = "gQaARxQBXNqSWq9k6yR6JxKZBlgiHtfoXjUvlTBZn5EOoa97Jc2Vf66JJrRCEnyi\n";
        format!("-----BEGIN {label}-----\n{}-----END {label}-----", line.repeat(20))
    };
    let plain = [
        ("CREDIT_CARD", "4111 1111 1111 1111"),
        ("CREDIT_CARD", "5555555555554444"),
        ("IBAN", "GB82 WEST 1234 5698 7654 32"),
        ("IBAN", "DE89370400440532013000"),
        ("EMAIL", "ann.o-neil+x@mail.acme-corp.co.uk"),
        ("PHONE", "+49 (0)89 2053825"),
        ("PHONE", "(415) 279-3605"),
        ("US_SSN", "856-45-6789"),
        ("BR_CPF", "529.982.247-25"),
        ("IT_FISCAL_CODE", "RSSMRA85T10A562S"),
        ("ES_NIF", "12345678Z"),
        ("FR_NIR", "2 55 08 14 168 025 38"),
        ("UK_NINO", "AB 12 34 56 C"),
        ("VIN", "1M8GDM9AXKP042788"),
        ("CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("IP", "2a02:ce80:1:2:3:4:5:6"),
        ("IP", "10.53.56.153"),
        ("MAC", "86-14-96-7b-4e-9f"),
        ("GEO", "52.52001, -13.40495"),
        ("PERSON", "Jürgen van den Krämer"),
        ("ADDRESS", "Calle del Olivo 195"),
        ("ADDRESS", "125 Oak Avenue"),
    ];
    let mut samples: Vec<_> = plain.map(|(kind, text)| (kind, text.to_owned())).into();
    samples.push(("PRIVATE_KEY", key("PRIVATE KEY")));
    samples
}

/// The sample is found at a place of a text.
fn check(kind: &str, text: &str, start: usize, end: usize, options: Options) {
    let found = findings(text, Some(Form::Text), options);
    let hit = found.iter().any(|finding| {
        finding.entity.name() == kind && (finding.start, finding.end) == (start as u64, end as u64)
    });
    assert!(hit, "{kind} at {start}: {found:?}");
}

#[test]
fn every_sample_is_found_at_every_offset_across_the_edge_of_a_block() {
    const BLOCK: usize = 1024;
    for (kind, sample) in samples() {
        for before in BLOCK.saturating_sub(sample.len() + 2)..BLOCK + 2 {
            // Lines of which the last one is filled up to the offset.
            let mut text = "a line of text\n".repeat(before / 15);
            text.push_str(&"-".repeat(before - text.len()));
            text.push('\n');
            let start = text.len();
            text.push_str(&sample);
            text.push_str("\nand what comes after it\n");
            check(kind, &text, start, start + sample.len(), options(BLOCK, 1));
        }
    }
}

#[test]
fn every_sample_is_found_at_every_offset_across_the_cut_of_a_long_line() {
    // Lines are cut after 32 KiB at the latest; a blank is the only place here.
    const LONG: usize = 32 * 1024;
    for (kind, sample) in samples().into_iter().filter(|(kind, _)| *kind != "PRIVATE_KEY") {
        for before in (LONG - sample.len() - 8)..(LONG + 8) {
            let mut text = "more ".repeat(before / 5);
            text.push_str(&"y".repeat(before - text.len()));
            text.push(' ');
            let start = text.len();
            text.push_str(&sample);
            text.push_str(&" more of it".repeat(200));
            check(kind, &text, start, start + sample.len(), options(1 << 20, 1));
        }
    }
}

/// A text of everything: prose, a table without an extension, logs, long lines.
fn mixture() -> String {
    let mut text = String::new();
    let samples = samples();
    for round in 0..400 {
        for (index, (kind, sample)) in samples.iter().enumerate() {
            match (round + index) % 5 {
                0 => text.push_str(&format!("The {kind} is {sample}, they say.\n")),
                1 => {
                    text.push_str(&format!("2024-05-01T10:00:00Z INFO worker[{round}] {sample}\n"));
                }
                2 => text.push_str(&format!("{{\"id\": {round}, \"note\": \"{sample}\"}}\n")),
                3 => text
                    .push_str(&format!("name: {sample}; dob: 13.11.1974; user kare_stone{round} ")),
                _ => text.push_str(&"nothing of interest here, only words ".repeat(round % 7)),
            }
        }
    }
    text
}

#[test]
fn findings_do_not_depend_on_blocks_or_threads() {
    let text = mixture();
    let expected = findings(&text, None, options(1 << 20, 1));
    assert!(expected.len() > 5_000, "{}", expected.len());
    for block in [1_000, 4_096, 65_536, 300_000, 8 << 20] {
        for threads in [1, 2, 5] {
            let found = findings(&text, None, options(block, threads));
            let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            assert_eq!(first, None, "blocks of {block} on {threads} threads");
            assert_eq!(found.len(), expected.len(), "blocks of {block} on {threads} threads");
        }
    }
}

#[test]
fn rows_of_a_table_are_read_alike_in_every_block() {
    let mut text = "name;note;phone;id number\n".to_owned();
    for row in 0..20_000 {
        let quoted = if row % 3 == 0 { "\"two\nlines; and more\"" } else { "one" };
        text.push_str(&format!(
            "Jürgen Krämer;{quoted};030 {:07};529.982.247-25\n",
            1_000_000 + row
        ));
    }
    let expected = findings(&text, Some(Form::Delimited), options(1 << 20, 1));
    assert_eq!(expected.len(), 60_000);
    assert!(expected.iter().all(|finding| finding.column.is_some()));
    for (block, threads) in [(1_000, 1), (5_000, 3), (8 << 20, 2)] {
        let found = findings(&text, Some(Form::Delimited), options(block, threads));
        assert!(found == expected, "blocks of {block} on {threads} threads");
    }
}

/// Tables within text that are longer than a segment: how each begins, its rows, and the places of
/// what only the head of the column announces.
#[test]
fn tables_within_text_are_read_alike_in_every_block() {
    let rows = |row: &dyn Fn(String) -> String| -> String {
        (0..6_000).map(|number| row(format!("{:08}", 51_000_000 + number))).collect()
    };
    let tables = [
        ("| id | passport |\n|----|----|\n", rows(&|number| format!("| 7 | C{number} |\n"))),
        (" id | passport \n----+------\n", rows(&|number| format!("  7 | C{number}\n"))),
        (
            "INSERT INTO `p` (id, passport) VALUES ",
            rows(&|number| format!("(7,'C{number}'),")) + "(7,NULL);\n",
        ),
        (
            "CREATE TABLE p (id int, passport text);\n",
            rows(&|number| format!("INSERT INTO p VALUES (7, 'C{number}');\n")),
        ),
        ("COPY p (id, passport) FROM stdin;\n", rows(&|number| format!("7\tC{number}\n"))),
    ];
    for (head, rows) in tables {
        // Heads stand on both sides of the cut.
        for before in [0, 32 * 1024 - 20, 32 * 1024 - 3, 50_000] {
            let text = format!("{}\n{head}{rows}\nC51000000 is none.\n", "x\n".repeat(before / 2));
            let expected = findings(&text, Some(Form::Text), options(1 << 20, 1));
            assert_eq!(expected.len(), 6_000, "{head}, {before}");
            for (block, threads) in [(1_000, 1), (5_000, 3), (8 << 20, 2)] {
                let found = findings(&text, Some(Form::Text), options(block, threads));
                assert!(found == expected, "{head}: blocks of {block} on {threads} threads");
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let mut bytes: Vec<u8> = (0..200_000_u32).map(|number| (number * 7_919 % 256) as u8).collect();
    bytes.extend_from_slice(b"\nmail ann@acme.org now\n");
    bytes.extend_from_slice(&[0xff; 100_000]);
    let mut found = Vec::new();
    let mut reader = bytes.as_slice();
    scan(None, &mut reader, options(1 << 16, 2), &mut |finding| found.push(finding))
        .expect("a slice is read");
    assert!(found.iter().any(|finding| finding.entity.name() == "EMAIL"));
}

/// The places of findings, in a text of a form, as what stands there.
fn standing(form: Option<Form>, text: &str) -> Vec<(Entity, String)> {
    let mut found = Vec::new();
    scan(form, &mut text.as_bytes(), Options::default(), &mut |finding| {
        let value = &text.as_bytes()[finding.start as usize..finding.end as usize];
        found.push((finding.entity, String::from_utf8(value.to_vec()).unwrap()));
    })
    .unwrap();
    found
}

#[test]
fn what_is_escaped_in_json_is_found_where_it_stands() {
    let name = r"J\u00f6rg M\u00fcller";
    let mail = r"j\u00f6rg\u0040example.org";
    let line = format!("{{\"name\": \"{name}\", \"mail\": \"{mail}\", \"n\": 1}}\n");
    let text = line.repeat(9_000);
    for form in [Some(Form::Json), None] {
        let found = standing(form, &text);
        let of = |kind: Entity| found.iter().filter(move |(entity, _)| *entity == kind);
        assert_eq!(of(Entity::Person).count(), 9_000);
        assert!(of(Entity::Person).all(|(_, value)| value == name));
        assert_eq!(of(Entity::Email).count(), 9_000);
        assert!(of(Entity::Email).all(|(_, value)| value.ends_with(r"rg\u0040example.org")));
    }
}

#[test]
fn a_mark_at_the_start_moves_nothing() {
    for (form, text) in [
        (None, "name;mail;phone\nAnna Roth;anna@example.org;1\nBob Stone;bob@example.org;2\n"),
        (Some(Form::Json), r#"{"mail": "anna@example.org", "name": "J\u00f6rg Roth"}"#),
        (None, "write to anna@example.org"),
    ] {
        let marked = format!("\u{feff}{text}");
        assert!(!standing(form, text).is_empty());
        assert_eq!(standing(form, &marked), standing(form, text), "{text}");
    }
}

#[test]
fn many_marks_and_many_escapes_are_only_text() {
    let marks = "\u{feff}".repeat(400_000);
    let found = standing(None, &format!("{marks} anna@example.org"));
    assert_eq!(found, [(Entity::Email, "anna@example.org".to_owned())]);
    let escapes = r"\u00e9".repeat(1_000_000);
    let text = format!("[\"{escapes}\", \"anna@example.org\"]");
    let found = standing(Some(Form::Json), &text);
    assert_eq!(found, [(Entity::Email, "anna@example.org".to_owned())]);
    let text = r#"{"text": "Dear\nJ\u00f6rg M\u00fcller,\nplease"}"#;
    let found = standing(Some(Form::Json), text);
    assert_eq!(found, [(Entity::Person, r"J\u00f6rg M\u00fcller".to_owned())]);
}
