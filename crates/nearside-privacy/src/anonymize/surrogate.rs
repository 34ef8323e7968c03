//! Values that look like what they replace and belong to nobody.
//!
//! Numbers that are checked (cards, accounts, numbers of states) keep their length, their separators
//! and what says the country, and every other digit and letter is drawn by the key, until the scan
//! says that it is none: its check digits are wrong, or it is of a range that is not given out. What
//! has no check stays recognisable, and a search of the result finds it:
//! - telephone numbers keep their country and area and go on with what is set aside for films
//!   (NANP 555-01xx, Ofcom 7946 0xxx and 7700 900xxx, Bundesnetzagentur 030 23125xxx, ARCEP 01 99 00
//!   and 06 39 98), elsewhere with a zero, with which no subscriber's number begins;
//! - addresses of mail are of example.org and its like (RFC 2606), addresses of networks of those for
//!   documentation (RFC 5737, RFC 3849), hardware addresses locally administered;
//! - names are drawn from the lists of the scan, of the same country where it is known; somebody may
//!   have one by chance.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::LazyLock;

use super::pseudonym::safe_sign;
use crate::scan::{self, Entity};

/// How many candidates are drawn for a value at most.
const MOST_DRAWN: u8 = 64;

/// Draws signs by the key, always the same for the same value.
pub(super) struct Draw(blake3::OutputReader);

impl Draw {
    pub(super) const fn of(reader: blake3::OutputReader) -> Self {
        Self(reader)
    }

    /// A number below a bound, which is at most some millions.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % bound.max(1) as u64).unwrap_or(0)
    }

    fn one_of(&mut self, signs: &[u8]) -> char {
        let place = self.below(signs.len());
        signs.get(place).copied().map_or('0', char::from)
    }

    fn digit(&mut self) -> char {
        self.one_of(b"0123456789")
    }
}

/// A surrogate of a value. `draw` gives the source of each attempt.
pub(super) fn of(entity: Entity, value: &str, draw: impl Fn(u8) -> Draw) -> String {
    match entity {
        Entity::Person => name(value, &mut draw(0)),
        Entity::Email => mail(&mut draw(0)),
        Entity::Phone => phone(value, &mut draw(0)),
        Entity::Ip => network(value, &mut draw(0)),
        Entity::Mac => hardware(value, &mut draw(0)),
        _ => {
            let candidates =
                (0..MOST_DRAWN).map(|attempt| drawn(entity, value, &mut draw(attempt)));
            let mut candidates = candidates.peekable();
            let first = candidates.peek().cloned().unwrap_or_default();
            candidates.find(|candidate| !is_found(entity, candidate)).unwrap_or(first)
        }
    }
}

/// Whether the scan takes it for something, alone or announced.
fn is_found(entity: Entity, candidate: &str) -> bool {
    let options = scan::Options { threads: NonZero::<usize>::MIN, ..scan::Options::default() };
    let text =
        format!("{} {candidate}\nx;{candidate};y\n{}: {candidate}\n", entity.what(), entity.what());
    let mut found = false;
    let read = scan::scan(None, &mut text.as_bytes(), options, &mut |_| found = true);
    found || read.is_err()
}

/// Another digit for each digit and another letter for each letter, but for what says who gives such
/// numbers.
fn drawn(entity: Entity, value: &str, draw: &mut Draw) -> String {
    let kept = match entity {
        Entity::Iban => 2,
        Entity::CreditCard => 1,
        _ => 0,
    };
    let sign = |(place, sign): (usize, char)| match sign {
        sign if place < kept && sign.is_ascii_alphanumeric() => sign,
        '0'..='9' => draw.digit(),
        sign if sign.is_uppercase() => draw.one_of(b"ABCDEFGHJKLMNPQRSTUVWXYZ"),
        sign if sign.is_alphabetic() => draw.one_of(b"abcdefghjkmnpqrstuvwxyz"),
        sign => safe_sign(sign).unwrap_or(' '),
    };
    value.chars().enumerate().map(sign).collect()
}

fn mail(draw: &mut Draw) -> String {
    let local: String = (0..10).map(|_| draw.one_of(b"abcdefghijklmnopqrstuvwxyz")).collect();
    let host = ["example.com", "example.net", "example.org"];
    format!("{local}@{}", host[draw.below(host.len())])
}

/// Digits that open a number, and those that follow in numbers of films: `#` stays as it is.
const FILMS: [(&str, &str); 9] = [
    ("1", "###55501"),
    ("49", "3023125"),
    ("447", "7700900"),
    ("44", "2079460"),
    ("336", "63998"),
    ("337", "63998"),
    ("33", "19900"),
    ("07", "7700900"),
    ("06", "63998"),
];

fn phone(value: &str, draw: &mut Draw) -> String {
    let digits: Vec<char> = value.chars().filter(char::is_ascii_digit).collect();
    let text: String = digits.iter().collect();
    let (international, trunk) = (value.trim_start().starts_with('+'), text.starts_with('0'));
    let known = FILMS.iter().find(|(opening, _)| {
        text.starts_with(opening) && opening.starts_with('0') == (trunk && !international)
    });
    let known = known.filter(|_| international || trunk);
    let (prefix, films) = match known {
        // What opens the number without what the films' numbers begin with themselves.
        Some((opening, films)) => (opening.len() - usize::from(opening.len() > 2 || trunk), *films),
        None if !international && !trunk && digits.len() == 10 => (0, "###55501"),
        None => (3.min(digits.len()), "0"),
    };
    let mut at = 0_usize;
    let digit = |sign: char| {
        if !sign.is_ascii_digit() {
            return safe_sign(sign).unwrap_or(' ');
        }
        let place = at;
        at += 1;
        match place.checked_sub(prefix).map(|place| films.as_bytes().get(place)) {
            None | Some(Some(b'#')) => sign,
            Some(Some(fixed)) => char::from(*fixed),
            Some(None) => draw.digit(),
        }
    };
    value.chars().map(digit).collect()
}

fn network(value: &str, draw: &mut Draw) -> String {
    if value.contains(':') {
        return format!("2001:db8::{:x}:{:x}", draw.below(1 << 16), draw.below(1 << 16));
    }
    let blocks = ["192.0.2", "198.51.100", "203.0.113"];
    format!("{}.{}", blocks[draw.below(blocks.len())], 1 + draw.below(254))
}

/// The second digit 2: locally administered, of one machine.
fn hardware(value: &str, draw: &mut Draw) -> String {
    let mut place = 0;
    let sign = |sign: char| {
        if !sign.is_ascii_hexdigit() {
            return safe_sign(sign).unwrap_or(':');
        }
        place += 1;
        match (place, sign.is_ascii_uppercase()) {
            (2, _) => '2',
            (_, true) => draw.one_of(b"0123456789ABCDEF"),
            (_, false) => draw.one_of(b"0123456789abcdef"),
        }
    };
    value.chars().map(sign).collect()
}

/// Names of a list, by country.
type Names = BTreeMap<&'static str, Vec<&'static str>>;

fn names(list: &'static str) -> Names {
    let mut names = Names::new();
    for (name, country) in list.lines().filter_map(|line| line.split_once('\t')) {
        names.entry(country.trim()).or_default().push(name);
    }
    names
}

static GIVEN: LazyLock<Names> = LazyLock::new(|| names(include_str!("../../data/given_names.tsv")));
static FAMILY: LazyLock<Names> =
    LazyLock::new(|| names(include_str!("../../data/family_names.tsv")));

/// The country of a name, where the list says one.
fn country(names: &'static Names, name: &str) -> Option<&'static str> {
    let has = |list: &[&str]| list.binary_search(&name).is_ok();
    names.iter().find(|(_, list)| has(list)).map(|(country, _)| *country)
}

fn name(value: &str, draw: &mut Draw) -> String {
    let words: Vec<String> = value.split_whitespace().map(str::to_lowercase).collect();
    let home = words.iter().find_map(|word| country(&GIVEN, word).or(country(&FAMILY, word)));
    let mut drawn = |names: &'static Names| {
        let list = home.and_then(|home| names.get(home)).or_else(|| names.get("us"));
        let list = list.map_or(&[][..], Vec::as_slice);
        capitalised(list.get(draw.below(list.len())).copied().unwrap_or("Doe"))
    };
    match words.as_slice() {
        [only] if country(&GIVEN, only).is_some() => drawn(&GIVEN),
        [_] => drawn(&FAMILY),
        [first, ..] if first.ends_with(',') => {
            let family = drawn(&FAMILY);
            format!("{family}, {}", drawn(&GIVEN))
        }
        _ => {
            let given = drawn(&GIVEN);
            format!("{given} {}", drawn(&FAMILY))
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut signs = name.chars();
    signs.next().into_iter().flat_map(char::to_uppercase).chain(signs).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Operator, Pseudonyms, SecretKey};
    use super::*;

    #[track_caller]
    fn made(entity: Entity, value: &str) -> String {
        let pseudonyms = Pseudonyms::of(&SecretKey::of([1; 32]));
        let make = || pseudonyms.make(entity, Operator::Surrogate, value.as_bytes(), b"").unwrap();
        let made = make();
        assert_eq!(made, make(), "another surrogate for the same value");
        assert_ne!(made, value);
        made
    }

    fn shape(text: &str) -> String {
        let sign = |sign: char| match sign {
            sign if sign.is_ascii_digit() => '0',
            sign if sign.is_uppercase() => 'A',
            sign if sign.is_alphabetic() => 'a',
            sign => sign,
        };
        text.chars().map(sign).collect()
    }

    #[test]
    fn checked_numbers_keep_their_form_and_are_none() {
        for (entity, value, kept) in [
            (Entity::CreditCard, "4111 1111 1111 1111", "4"),
            (Entity::Iban, "DE89 3704 0044 0532 0130 00", "DE"),
            (Entity::DeTaxId, "86 095 742 719", ""),
            (Entity::BrCpf, "529.982.247-25", ""),
            (Entity::UkNhs, "943 476 5919", ""),
            (Entity::ItFiscalCode, "RSSMRA85T10A562S", ""),
            (Entity::EsNif, "12345678Z", ""),
            (Entity::UsSsn, "078-05-1120", ""),
            (Entity::InAadhaar, "2341 2341 2346", ""),
            (Entity::Vin, "1M8GDM9AXKP042788", ""),
        ] {
            let made = made(entity, value);
            assert_eq!(shape(&made), shape(value), "{made}");
            assert!(made.starts_with(kept), "{made}");
            assert!(!is_found(entity, &made), "{entity} {made} is found");
        }
    }

    #[test]
    fn telephones_stay_in_their_country_and_ring_nowhere() {
        for (value, opening) in [
            ("+49 151 26196152", "+49 302 3125"),
            ("+1-514-568-9539", "+1-514-555-01"),
            ("(415) 279-3605", "(415) 555-01"),
            ("+44 7533 232008", "+44 7700 900"),
            ("+44 20 7127 1250", "+44 20 7946 0"),
            ("07846 747120", "07700 900"),
            ("06 42 47 38 64", "06 39 98 "),
            ("+33 6 42 47 38 64", "+33 6 39 98 "),
            ("+31 6 12390586", "+31 6 0"),
            ("030 6929483", "030 0"),
        ] {
            let made = made(Entity::Phone, value);
            assert!(made.starts_with(opening), "{value}: {made}");
            assert_eq!(shape(&made), shape(value));
        }
    }

    #[test]
    fn the_others_are_of_ranges_that_nobody_has() {
        assert!(made(Entity::Email, "ann@web.de").contains("@example."));
        assert!(made(Entity::Ip, "8.8.4.4").split('.').count() == 4);
        assert!(made(Entity::Ip, "fe80::1:2").starts_with("2001:db8::"));
        assert_eq!(&made(Entity::Mac, "3c:22:FB:01:02:03")[1..3], "2:");
        for value in ["Ann Young", "Müller, Jörg", "Stefano"] {
            let made = made(Entity::Person, value);
            let words = |text: &str| text.split(' ').count();
            assert_eq!(words(&made), words(value), "{made}");
        }
    }
}
