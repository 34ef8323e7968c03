//! Names of people that lists know: given names and family names of twelve countries and more.
//!
//! They are one table, made when the crate is compiled. `data/given_names.tsv` and `data/family_names.tsv` come from `bench/name_lists.py`, which names
//! its sources.

use std::sync::OnceLock;

use super::entity::Locale;
use super::folded::{Folded, Table};
use super::name_table::{self, COUNTRIES, FAMILY, GIVEN, ORDINARY, ORGANISATION, PLACE};

/// What a word may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(u32);

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

    /// Whether it makes an organisation of the words before it.
    pub(super) const fn is_organisation(self) -> bool {
        self.0 & ORGANISATION != 0
    }

    /// Whether it is a place or an organisation too.
    pub(super) const fn is_place(self) -> bool {
        self.0 & PLACE != 0
    }
}

/// What a word may be.
pub(super) fn look_up(word: &[u8]) -> Names {
    /// The lists, as the build script writes them.
    static NAMES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/names.bin"));
    Names(name_table::bits_of(NAMES, Folded::of(word)))
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
    fn every_name_of_the_lists_is_in_the_table() {
        type List = (&'static str, fn(Names) -> bool);
        let lists: [List; 4] = [
            (include_str!("../../data/given_names.tsv"), Names::is_given),
            (include_str!("../../data/family_names.tsv"), Names::is_family),
            (include_str!("../../data/ordinary_words.txt"), Names::is_ordinary),
            (include_str!("../../data/places.txt"), Names::is_place),
        ];
        for (list, is_so) in lists {
            for line in list.lines().filter(|line| !line.starts_with('#')) {
                let name = line.split('\t').next().unwrap();
                assert!(is_so(look_up(name.as_bytes())), "{name}");
            }
        }
        let strange =
            (0..20_000).filter(|number| look_up(format!("qx{number}z").as_bytes()) != Names(0));
        assert_eq!(strange.count(), 0);
    }

    #[test]
    fn names_are_known_with_and_without_their_marks() {
        assert!(look_up("Jürgen".as_bytes()).is_given());
        assert!(look_up(b"JURGEN").is_given());
        assert!(look_up(b"Kowalczyk").is_family());
        assert!(look_up(b"Grace").is_ordinary());
        assert!(look_up(b"Paris").is_place());
        assert!(!look_up(b"Throughput").is_name());
        assert!(look_up(b"GmbH").is_organisation());
        assert_eq!(look_up(b"Zachariasz").country(), Some(Locale::Pl));
        assert!(look_up_joined(b"Karl-Heinz").is_given());
        assert!(look_up_joined(b"Meyer-Stolte").is_family());
        assert!(!look_up_joined(b"Built-In").is_name());
        assert!(is_organisation(b"Morgan", b"Stanley"));
        assert!(!is_organisation(b"Morgan", b"Smith"));
    }
}
