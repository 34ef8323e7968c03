//! Words as they are compared: lower case, without diacritics, as a hash; and tables of them.

/// A word folded to lower-case letters and digits of ASCII, as the hash of what is left.
///
/// Letters with diacritics of the Latin alphabet become their base letter; separators are left out.
/// Two words of 64 equal bits count as one: among a hundred thousand names that happens with a
/// probability of 3 in ten thousand million per look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folded(u64);

impl Folded {
    /// Nothing yet.
    pub const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// One word.
    #[must_use]
    pub fn of(word: &[u8]) -> Self {
        let mut folded = Self::EMPTY;
        folded.push(word);
        folded
    }

    /// Its hash.
    #[must_use]
    pub const fn hash(self) -> u64 {
        self.0
    }

    /// Adds the letters of a word.
    pub fn push(&mut self, word: &[u8]) {
        let mut at = 0;
        while let Some(byte) = word.get(at) {
            at += 1;
            match PLAIN[usize::from(*byte)] {
                0 => {}
                // U+00C0 to U+017F, Latin letters with diacritics, stand in two bytes.
                MARKED => {
                    let Some(second) = word.get(at) else { return };
                    at += 1;
                    for letter in base(*byte, *second) {
                        self.add(*letter);
                    }
                }
                letter => self.add(letter),
            }
        }
    }

    // FNV-1a.
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// Stands for a letter of two bytes.
const MARKED: u8 = 0xff;

/// What each byte becomes: its small letter, nothing, or [`MARKED`].
const PLAIN: [u8; 256] = {
    let mut plain = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        plain[byte] = match byte as u8 {
            letter @ (b'a'..=b'z' | b'0'..=b'9') => letter,
            letter @ b'A'..=b'Z' => letter | 0x20,
            0xc3..=0xc5 => MARKED,
            _ => 0,
        };
        byte += 1;
    }
    plain
};

/// The letters below the diacritics of a letter of two bytes.
fn base(first: u8, second: u8) -> &'static [u8] {
    const LATIN_1: &[u8; 64] = b"aaaaaa ceeeeiiiidnooooo ouuuuy  aaaaaa ceeeeiiiidnooooo ouuuuy y";
    const EXTENDED_A: &[u8; 128] =
        b"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii  jjkkklllllll\
lllnnnnnnnnnoooooo  rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
    let index = usize::from(second & 0x3f);
    let (table, index): (&'static [u8], usize) = match (first, second) {
        (0xc3, 0x86 | 0xa6) => return b"ae",
        (0xc3, 0x9f) => return b"ss",
        (0xc3, 0x9e | 0xbe) => return b"th",
        (0xc5, 0x92 | 0x93) => return b"oe",
        (0xc3, _) => (LATIN_1, index),
        (0xc4, _) => (EXTENDED_A, index),
        _ => (EXTENDED_A, 64 + index),
    };
    match table.get(index..=index) {
        Some(letter) if letter != b" " => letter,
        _ => b"",
    }
}

/// A table of words with a set of bits each: open addressing, built once, only read after.
#[derive(Debug)]
pub struct Table<B> {
    /// Zero where there is none: no word has that hash.
    words: Vec<u64>,
    bits: Vec<B>,
}

impl<B: Copy + Default + std::ops::BitOrAssign> Table<B> {
    /// A table of the rows; bits of equal words are joined.
    pub fn from_rows(rows: impl IntoIterator<Item = (Folded, B)>) -> Self {
        let rows: Vec<_> = rows.into_iter().collect();
        let length = (rows.len() * 2 + 1).next_power_of_two();
        let mut table = Self { words: vec![0; length], bits: vec![B::default(); length] };
        for (word, bits) in rows {
            let place = table.find(word);
            if let (Some(known), Some(joined)) =
                (table.words.get_mut(place), table.bits.get_mut(place))
            {
                *known = word.0;
                *joined |= bits;
            }
        }
        table
    }

    /// The place of a word, or the free one where it would stand.
    fn find(&self, word: Folded) -> usize {
        let mask = self.words.len() - 1;
        let mut place = Self::place(word, mask);
        while self.words.get(place).is_some_and(|known| *known != 0 && *known != word.0) {
            place = (place + 1) & mask;
        }
        place
    }

    // The product spreads well in its high bits only.
    fn place(word: Folded, mask: usize) -> usize {
        (word.0 >> 32 ^ word.0) as usize & mask
    }

    /// The bits of a word.
    #[must_use]
    pub fn get(&self, word: Folded) -> Option<B> {
        let place = self.find(word);
        match self.words.get(place) {
            Some(known) if *known == word.0 => self.bits.get(place).copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lose_their_case_and_diacritics() {
        for (written, plain) in [
            ("Łukasz", "lukasz"),
            ("Weißhaupt", "weisshaupt"),
            ("ŽIŽEK", "zizek"),
            ("Núñez", "nunez"),
            ("Cœur", "coeur"),
            ("Ærø", "aero"),
            ("O'Brien", "obrien"),
            ("DĄBROWSKA", "dabrowska"),
            ("Őry", "ory"),
            ("ſtraße", "strasse"),
            ("Þór", "thor"),
            ("Ÿves", "yves"),
            ("Ťažký", "tazky"),
        ] {
            assert_eq!(Folded::of(written.as_bytes()), Folded::of(plain.as_bytes()), "{written}");
        }
        assert_ne!(Folded::of(b"ab"), Folded::of(b"ba"));
    }

    #[test]
    fn what_is_put_in_is_found_and_nothing_else() {
        let words: Vec<String> = (0..1000).map(|number| format!("word{number}")).collect();
        let table = Table::from_rows(words.iter().map(|word| (Folded::of(word.as_bytes()), 1_u16)));
        assert!(words.iter().all(|word| table.get(Folded::of(word.as_bytes())) == Some(1)));
        assert_eq!(table.get(Folded::of(b"word1000")), None);
        assert_eq!(Table::<u16>::from_rows([]).get(Folded::EMPTY), None);
    }
}
