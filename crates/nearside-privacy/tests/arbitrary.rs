//! Whatever a text is made of, it is scanned to its end, and findings lie in it, in order, apart.

use std::num::NonZero;

use nearside_privacy::scan::{Options, scan};
use nearside_privacy::source::Form;
use proptest::prelude::*;

/// What rules look for, in pieces.
#[rustfmt::skip]
const PIECES: [&str; 64] = [
    "4111", "1111", " ", " ", "-", ".", ",", ";", ":", "=", "@", "/", "\"", "'", "\n", "\r\n", "\t",
    "|", "(", ")", "<", ">", "+", "+49", "(0)", "030", "name", "dob", "born ", "password", "token",
    "=\"", "Jürgen", "Smith", "van", "de", "Dr.", "Mr", "Oak", "Avenue", "Straße", "12b", "AB",
    "DE89", "eyJ", "ghp_", "AKIA", "://", "user:", "e8:04", "::", "fe80", "13", "November", "1974",
    "-----BEGIN ", "PRIVATE KEY-----", "-----END ", "C78727052", "no.", "{", "}", "é", "\u{2028}",
];

/// Pieces that rules look for, broken in every way.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        2 => "[0-9]{1,20}".prop_map(String::into_bytes),
        2 => "[A-Z0-9]{1,20}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

fn form() -> impl Strategy<Value = Option<Form>> {
    prop::sample::select(&[None, Some(Form::Text), Some(Form::Json), Some(Form::Delimited)][..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn findings_lie_in_the_text_in_order_and_apart(
        pieces in prop::collection::vec(piece(), 0..60),
        form in form(),
    ) {
        let text = pieces.concat();
        let mut last = 0;
        let mut found = Vec::new();
        let options = Options { threads: NonZero::<usize>::MIN, ..Options::default() };
        let scanned =
            scan(form, &mut text.as_slice(), options, &mut |finding| found.push(finding)).unwrap();
        prop_assert_eq!(scanned.bytes, text.len() as u64);
        for finding in found {
            prop_assert!(finding.start >= last, "{:?}", finding);
            prop_assert!(finding.end > finding.start && finding.end <= text.len() as u64);
            prop_assert!((50..=99).contains(&finding.score));
            let line = text[..finding.start as usize].iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(finding.line, line as u64 + 1);
            last = finding.end;
        }
    }
}
