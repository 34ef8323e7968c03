//! Names of people that lists know: given names and family names of twelve countries and more.
//!
//! `data/given_names.tsv` and `data/family_names.tsv` come from `bench/name_lists.py`, which names
//! its sources.

use std::sync::OnceLock;

use super::entity::Locale;
use super::folded::{Folded, Table};

/// What a word may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(u32);

const GIVEN: u32 = 1;
const FAMILY: u32 = 2;
const ORDINARY: u32 = 4;
const PLACE: u32 = 8;
/// From this bit on, the countries in whose lists it stands.
const COUNTRIES: u32 = 4;

impl Names {
    /// Whether people are given it.
    pub(super) const fn is_given(self) -> bool {
        self.0 & GIVEN != 0
    }

    /// Whether families have it.
    pub(super) const fn is_family(self) -> bool {
        self.0 & FAMILY != 0
    }

    /// Whether it is a name at all.
    pub(super) const fn is_name(self) -> bool {
        self.0 & (GIVEN | FAMILY) != 0
    }

    /// Whether it is a word of the language too: `Will`, `Grace`, `Young`.
    pub(super) const fn is_ordinary(self) -> bool {
        self.0 & ORDINARY != 0
    }

    /// The country where it is a name, if there is but one.
    pub(super) fn country(self) -> Option<Locale> {
        let countries = self.0 >> COUNTRIES;
        (countries.count_ones() == 1)
            .then(|| Locale::ALL.into_iter().find(|locale| countries >> *locale as u32 & 1 == 1))
            .flatten()
    }

    /// Whether it is a place or an organisation too.
    pub(super) const fn is_place(self) -> bool {
        self.0 & PLACE != 0
    }
}

/// What a word may be.
pub(super) fn look_up(word: &[u8]) -> Names {
    static NAMES: OnceLock<Table<u32>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let rows = |text: &'static str, bit: u32| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(move |line| {
                let (name, countries) = line.split_once('\t').unwrap_or((line, ""));
                (Folded::of(name.as_bytes()), countries_of(countries) << COUNTRIES | bit)
            })
        };
        Table::from_rows(
            rows(include_str!("../../data/given_names.tsv"), GIVEN)
                .chain(rows(include_str!("../../data/family_names.tsv"), FAMILY))
                .chain(rows(include_str!("../../data/ordinary_words.txt"), ORDINARY))
                .chain(rows(include_str!("../../data/places.txt"), PLACE)),
        )
    });
    Names(names.get(Folded::of(word)).unwrap_or(0))
}

/// What a word may be whose parts a hyphen may join: `Anne-Marie`, `Meyer-Stolte`.
pub(super) fn look_up_joined(word: &[u8]) -> Names {
    let whole = look_up(word);
    if whole.is_name() || !word.contains(&b'-') {
        return whole;
    }
    let parts = || word.split(|byte| *byte == b'-').map(look_up);
    let given = parts().all(Names::is_given);
    let family = parts().any(Names::is_family) && parts().all(|part| !part.is_ordinary());
    Names(if given { GIVEN } else { 0 } | if family { FAMILY } else { 0 })
}

/// A bit for each country.
fn countries_of(codes: &str) -> u32 {
    let bit = |code: &str| Locale::of_code(code).map_or(0, |locale| 1 << locale as u32);
    codes.split(' ').map(bit).sum()
}

/// Whether two words together are no person: an organisation, a place, a method.
pub(super) fn is_organisation(first: &[u8], second: &[u8]) -> bool {
    static PAIRS: OnceLock<Table<u8>> = OnceLock::new();
    let pairs = PAIRS.get_or_init(|| {
        let lines = include_str!("../../data/organisations.txt").lines();
        let lines = lines.filter(|line| !line.starts_with('#'));
        Table::from_rows(lines.map(|line| (Folded::of(line.replace(' ', "").as_bytes()), 1)))
    });
    let mut both = Folded::of(first);
    both.push(second);
    pairs.get(both).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_their_marks() {
        assert!(look_up("Jürgen".as_bytes()).is_given());
        assert!(look_up(b"JURGEN").is_given());
        assert!(look_up(b"Kowalczyk").is_family());
        assert!(look_up(b"Grace").is_ordinary());
        assert!(look_up(b"Paris").is_place());
        assert!(!look_up(b"Throughput").is_name());
        assert!(look_up_joined(b"Karl-Heinz").is_given());
        assert!(look_up_joined(b"Meyer-Stolte").is_family());
        assert!(!look_up_joined(b"Built-In").is_name());
        assert!(is_organisation(b"Morgan", b"Stanley"));
        assert!(!is_organisation(b"Morgan", b"Smith"));
    }
}
