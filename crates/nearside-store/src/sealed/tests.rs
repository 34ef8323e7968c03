//! Sealed files against their format, against `age`, and against every way of changing them.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn sealed(recipients: &[Recipient], content: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(recipients, Vec::new()).unwrap();
    sealer.write_all(content).unwrap();
    sealer.finish().unwrap()
}

fn opened(identity: &Identity, file: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut content = Vec::new();
    Opened::new(identity, file)?.read_to_end(&mut content)?;
    Ok(content)
}

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7 % 251) as u8).collect()
}

#[test]
fn what_is_sealed_is_opened_by_those_it_is_for() {
    let (one, other, stranger) =
        (Identity::new().unwrap(), Identity::new().unwrap(), Identity::new().unwrap());
    let chunk = 64 << 10;
    for length in [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 5] {
        let content = content(length);
        let file = sealed(&[one.recipient(), other.recipient()], &content);
        assert_eq!(opened(&one, &file).unwrap(), content, "{length}");
        assert_eq!(opened(&other, &file).unwrap(), content, "{length}");
        assert!(matches!(opened(&stranger, &file), Err(SealError::OtherKey)));
        assert_ne!(sealed(&[one.recipient()], &content), sealed(&[one.recipient()], &content));
    }
}

#[test]
fn another_key_opens_after_it_was_wrapped_for_it_and_the_old_one_does_not() {
    let (old, new) = (Identity::new().unwrap(), Identity::new().unwrap());
    let content = content(200_000);
    let file = sealed(&[old.recipient()], &content);
    let mut wrapped = Vec::new();
    rewrap(&old, &[new.recipient()], &mut file.as_slice(), &mut wrapped).unwrap();
    assert_eq!(opened(&new, &wrapped).unwrap(), content);
    assert!(matches!(opened(&old, &wrapped), Err(SealError::OtherKey)));
    assert_eq!(wrapped[wrapped.len() - content.len()..], file[file.len() - content.len()..]);
}

/// Every byte, every length and every order of chunks counts.
#[test]
fn a_file_that_was_changed_in_any_way_is_not_opened() {
    let identity = Identity::new().unwrap();
    let small = sealed(&[identity.recipient()], b"a small content");
    for place in 0..small.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = small.clone();
            changed[place] ^= bit;
            assert!(opened(&identity, &changed).is_err(), "byte {place}, bit {bit}");
        }
        assert!(opened(&identity, &small[..place]).is_err(), "cut at {place}");
    }
    assert!(opened(&identity, &[small.as_slice(), b"x"].concat()).is_err());
    let chunk = (64 << 10) + 16;
    let large = sealed(&[identity.recipient()], &content(4 * (64 << 10) + 9));
    let start = large.len() - 4 * chunk - 9 - 16;
    let mut swapped = large.clone();
    let (one, other) = swapped[start..].split_at_mut(chunk);
    one.swap_with_slice(&mut other[..chunk]);
    assert!(opened(&identity, &swapped).is_err());
    for cut in [start, start + chunk, start + 4 * chunk, large.len() - 1] {
        assert!(opened(&identity, &large[..cut]).is_err(), "{cut}");
    }
    let without = [&large[..start], &large[start + chunk..]].concat();
    assert!(opened(&identity, &without).is_err());
}

/// The public half comes from `age-keygen -y` of the reference implementation.
#[test]
fn keys_are_written_as_age_writes_them() {
    let text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    let identity: Identity = text.parse().unwrap();
    assert_eq!(identity.text().as_str(), text);
    assert_eq!(identity, Identity::of(&[0x42; 32]));
    let recipient = identity.recipient();
    let public = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    assert_eq!(recipient.to_string(), public);
    assert_eq!(public.parse::<Recipient>().unwrap(), recipient);
    assert!(!format!("{identity:?}").contains("SECRET"));
    for wrong in ["", "age1", &public[..60], &public.replace('z', "y"), text] {
        assert!(wrong.parse::<Recipient>().is_err(), "{wrong}");
        assert_eq!(wrong.parse::<Identity>().is_ok(), wrong == text, "{wrong}");
    }
}

fn age(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new("age");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "age {arguments:?}");
    Some(output.stdout)
}

/// The reference implementation opens ours, and we open its files.
#[test]
fn age_opens_what_is_sealed_here_and_the_other_way_round() {
    let identity = Identity::new().unwrap();
    let folder = crate::store::tests::scratch("age");
    let key = folder.join("key");
    std::fs::write(&key, format!("# comment\n{}\n", identity.text().as_str())).unwrap();
    let public = identity.recipient().to_string();
    for length in [0, 17, 64 << 10, 150_000] {
        let content = content(length);
        let Some(theirs) = age(&["-r", &public], &content) else {
            eprintln!("SKIPPED: there is no `age` here; apt-get install age");
            return;
        };
        assert_eq!(opened(&identity, &theirs).unwrap(), content, "{length}");
        let ours = sealed(&[identity.recipient()], &content);
        let path = key.to_string_lossy().into_owned();
        assert_eq!(age(&["-d", "-i", &path], &ours).unwrap(), content, "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pieces_of_any_size_make_the_same_content(
        pieces in prop::collection::vec(0..90_000_usize, 0..5),
        buffer in 1..100_000_usize,
    ) {
        let identity = Identity::of(&[7; 32]);
        let mut sealer = Sealer::new(&[identity.recipient()], Vec::new()).unwrap();
        let whole = content(pieces.iter().sum());
        let mut rest = whole.as_slice();
        for piece in pieces {
            let (now, later) = rest.split_at(piece);
            sealer.write_all(now).unwrap();
            rest = later;
        }
        let file = sealer.finish().unwrap();
        let mut reader = Opened::new(&identity, file.as_slice()).unwrap();
        let (mut found, mut piece) = (Vec::new(), vec![0; buffer]);
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => break,
                count => found.extend_from_slice(&piece[..count]),
            }
        }
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn nothing_that_is_read_breaks_it(text in prop::collection::vec(any::<u8>(), 0..300), at in 0..40_usize) {
        let identity = Identity::of(&[7; 32]);
        prop_assert!(opened(&identity, &text).is_err());
        let start = b"age-encryption.org/v1\n-> X25519 AAAA\n";
        let mixed = [&start[..at.min(start.len())], &text].concat();
        prop_assert!(opened(&identity, &mixed).is_err());
    }
}
