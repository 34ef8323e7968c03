//! Words that say what stands beside them: "passport no.", a column `dob`, a key `client_secret`.
//!
//! The vocabulary is `data/cues.tsv`. Words are compared whole and folded (lower case, without
//! diacritics), never as parts of other words: "lic" in "public" says nothing.

use std::sync::LazyLock;

use super::folded::{Folded, Table};

macro_rules! cues {
    ($($cue:ident $words:literal,)+) => {
        /// What a word announces.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "named as what they announce")]
        pub enum Cue { $($cue,)+ }

        impl Cue {
            /// Every cue: its name in the vocabulary, itself, and what it announces in a reader's words.
            const ALL: &'static [(&'static str, Self, &'static str)] =
                &[$((stringify!($cue), Self::$cue, $words),)+];
        }
    };
}

cues! {
    Name "name",
    Given "given name",
    Family "family name",
    Person "person",
    Title "title of a person",
    Address "address",
    Postcode "postal code",
    Birth "birth",
    Geo "position",
    User "account",
    Email "e-mail",
    Phone "telephone",
    NationalId "identity number",
    Tax "tax number",
    Ssn "social security",
    Itin "ITIN",
    Sin "social insurance",
    Nino "national insurance",
    Nhs "NHS number",
    Utr "UTR",
    Tfn "tax file number",
    Medicare "Medicare",
    Aadhaar "Aadhaar",
    Pan "PAN",
    SteuerId "Steuer-ID",
    GermanPension "pension number",
    Nir "NIR",
    Nif "NIF",
    FiscalCode "codice fiscale",
    Bsn "BSN",
    Pesel "PESEL",
    Nip "NIP",
    Cpf "CPF",
    Ahv "AHV",
    BelgianNumber "rijksregisternummer",
    Personnummer "personnummer",
    Hetu "henkilotunnus",
    Passport "passport",
    DriverLicence "driving licence",
    Mrn "medical record",
    Npi "NPI",
    Dea "DEA number",
    Card "payment card",
    Iban "IBAN",
    Account "bank account",
    Routing "routing number",
    Crypto "wallet",
    Ip "network address",
    Mac "hardware address",
    Imei "IMEI",
    Vin "VIN",
    Plate "licence plate",
    Password "password",
    Token "key or token",
    Version "version",
    Metric "measure",
    Thing "number of a thing",
}

/// A set of cues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cues(u64);

impl Cues {
    /// No cue.
    pub const NONE: Self = Self(0);

    /// The set of some.
    #[must_use]
    pub const fn of(cues: &[Cue]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < cues.len() {
            bits |= 1 << cues[index] as u64;
            index += 1;
        }
        Self(bits)
    }

    /// Whether one is among them.
    #[must_use]
    pub const fn has(self, cue: Cue) -> bool {
        self.0 >> cue as u64 & 1 == 1
    }

    /// Whether they share one.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// All of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What its cues announce, in a reader's words, for reasons.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Cue::ALL.iter().filter(move |(_, cue, _)| self.has(*cue)).map(|(_, _, words)| *words)
    }
}

/// The most words of a phrase.
const MAX_WORDS: usize = 3;

/// Marks a word that ends a phrase of several; among the bits of [`Cues`].
const ENDS: u64 = 1 << 63;

fn vocabulary() -> &'static Table<u64> {
    static VOCABULARY: LazyLock<Table<u64>> = LazyLock::new(|| {
        // Words of a phrase stand without what separates them: `date of birth`, `DateOfBirth`.
        Table::from_rows(rows().flat_map(|(phrase, cue)| {
            shortened(phrase).flat_map(move |phrase| {
                let last = phrase.rsplit(' ').next().filter(|last| last.len() < phrase.len());
                let whole = (Folded::of(phrase.as_bytes()), Cues::of(&[cue]).0);
                let last = last.map(|last| (Folded::of(last.as_bytes()), ENDS));
                [Some(whole), last].into_iter().flatten()
            })
        }))
    });
    &VOCABULARY
}

/// A phrase, and as it is written with a shorter word for "number": `tax file no`.
fn shortened(phrase: &str) -> impl Iterator<Item = String> {
    let stem = phrase.strip_suffix(" number").or(phrase.strip_suffix(" nummer"));
    let short = |stem: &str| ["no", "nr", "num"].map(|last| format!("{stem} {last}"));
    [phrase.to_owned()].into_iter().chain(stem.map(short).into_iter().flatten())
}

/// What a run of words announces, each without what separates it.
fn phrase(words: &[&[u8]]) -> Cues {
    let mut folded = Folded::EMPTY;
    for word in words {
        folded.push(word);
    }
    Cues(vocabulary().get(folded).unwrap_or(0) & !ENDS)
}

/// What the longest phrase that ends with a word announces; `before` are the words to its left,
/// nearest first.
fn ending_with<'w>(word: &'w [u8], before: impl Iterator<Item = &'w [u8]>) -> Cues {
    if !is_likely(word) {
        return Cues::NONE;
    }
    let Some(bits) = vocabulary().get(Folded::of(word)) else { return Cues::NONE };
    if bits & ENDS == 0 {
        return Cues(bits);
    }
    let mut words: [&[u8]; MAX_WORDS] = [&[]; MAX_WORDS];
    let mut start = MAX_WORDS - 1;
    words[start] = word;
    for word in before.take(MAX_WORDS - 1) {
        start -= 1;
        words[start] = word;
    }
    let longest_first = (start..MAX_WORDS).map(|start| phrase(&words[start..]));
    longest_first.into_iter().find(|cues| !cues.is_empty()).unwrap_or(Cues::NONE)
}

/// What the last words before a value announce: the longest phrase of the nearest word that says
/// anything. Words come nearest first.
#[must_use]
pub fn nearest<'w>(words: impl Iterator<Item = &'w [u8]> + Clone) -> Cues {
    let mut rest = words;
    while let Some(word) = rest.next() {
        let found = ending_with(word, rest.clone());
        if !found.is_empty() {
            return found;
        }
    }
    Cues::NONE
}

/// Whether the last word of a key may announce anything: a filter, not the answer.
pub(super) fn may_end(key: &[u8]) -> bool {
    ENDING.ends(key)
}

/// Cues whose values have no form of their own: they are looked for from the word on.
pub(super) const FORWARD: Cues = Cues::of(&[
    Cue::Passport,
    Cue::Mrn,
    Cue::DriverLicence,
    Cue::Plate,
    Cue::User,
    Cue::Password,
    Cue::Account,
]);

/// Whether a word may announce a value to its right that has no form of its own.
#[inline]
pub(super) fn may_announce(word: &[u8]) -> bool {
    static LIKELY: LazyLock<Likely> = LazyLock::new(|| Likely::of(|cues| cues.meets(FORWARD)));
    LIKELY.has(word)
        && vocabulary().get(Folded::of(word)).is_some_and(|bits| bits & (FORWARD.0 | ENDS) != 0)
}

/// Whether a word may end a phrase of the vocabulary: a filter, not the answer.
fn is_likely(word: &[u8]) -> bool {
    ENDING.has(word)
}

/// Which words may be in a set, by their first letter and length, and by their last two letters.
struct Likely {
    lengths: [u32; 32],
    endings: [u32; 32],
}

impl Likely {
    /// Of the last words of phrases whose cues count, and of those phrases written as one word.
    fn of(counts: impl Fn(Cues) -> bool) -> Self {
        let mut likely = Self { lengths: [0; 32], endings: [0; 32] };
        let phrases = rows().filter(|(_, cue)| counts(Cues::of(&[*cue])));
        for phrase in phrases.flat_map(|(phrase, _)| shortened(phrase)) {
            for word in phrase.rsplit(' ').take(1).chain([phrase.as_str()]) {
                let letters: Vec<u8> = word.bytes().filter(u8::is_ascii_alphanumeric).collect();
                if let ([first, ..], [.., before, last]) = (letters.as_slice(), letters.as_slice())
                {
                    likely.lengths[usize::from(first & 31)] |= 1 << letters.len().min(31);
                    likely.endings[usize::from(before & 31)] |= 1 << (last & 31);
                }
            }
        }
        likely
    }

    /// Whether a word may end as one of them; what ends in a mark always may.
    #[inline]
    fn ends(&self, word: &[u8]) -> bool {
        let [.., before, last] = *word else { return false };
        self.endings[usize::from(before & 31)] >> (last & 31) & 1 == 1
            || (before | last) & 0x80 != 0
    }

    /// Whether a word may be one of them; a word with marks always may.
    #[inline]
    fn has(&self, word: &[u8]) -> bool {
        let first = word.first().map_or(0, |first| first & 31);
        self.ends(word)
            && (self.lengths[usize::from(first)] >> word.len().min(31) & 1 == 1 || !word.is_ascii())
    }
}

/// Last words of all phrases.
static ENDING: LazyLock<Likely> = LazyLock::new(|| Likely::of(|_| true));

/// The rows of the vocabulary: phrases and what they announce.
fn rows() -> impl Iterator<Item = (&'static str, Cue)> {
    let lines = include_str!("../../data/cues.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (phrase, name) = line.split_once('\t')?;
        let (_, cue, _) = Cue::ALL.iter().find(|(known, ..)| *known == name)?;
        Some((phrase, *cue))
    })
}

/// What the name of a column, key or file announces: all phrases in it, longest first.
///
/// ```
/// use nearside_privacy::scan::cue::{Cue, of_name};
/// assert!(of_name(b"Date of birth").has(Cue::Birth));
/// assert!(of_name(b"patientDateOfBirth").has(Cue::Birth));
/// assert!(of_name(b"PHONE_NUMBER").has(Cue::Phone));
/// assert!(!of_name(b"public").has(Cue::DriverLicence));
/// ```
#[must_use]
pub fn of_name(name: &[u8]) -> Cues {
    let whole = phrase(&[name]);
    if !whole.is_empty() {
        return whole;
    }
    let words = words_of_name(name);
    let mut found = Cues::NONE;
    let mut start = 0;
    while start < words.len() {
        let longest = (1..=MAX_WORDS.min(words.len() - start)).rev().find_map(|length| {
            let cues = phrase(words.get(start..start + length).unwrap_or(&[]));
            (!cues.is_empty()).then_some((length, cues))
        });
        match longest {
            Some((length, cues)) => {
                found = found.and(cues);
                start += length;
            }
            None => start += 1,
        }
    }
    found
}

/// What the end of a key announces: `customer_phone`, `apiKey`, `"date of birth"`. Words before the
/// phrase only say whose it is.
///
/// ```
/// use nearside_privacy::scan::cue::{Cue, of_key};
/// assert!(of_key(b"customer_phone").has(Cue::Phone));
/// assert!(of_key(b"phone_model").is_empty());
/// ```
#[must_use]
pub fn of_key(key: &[u8]) -> Cues {
    let key = key.get(key.len().saturating_sub(MAX_NAME)..).unwrap_or(key);
    let mut words = WordsBackward(key);
    words.next().map_or(Cues::NONE, |word| ending_with(word, words))
}

/// The words of a name, last first.
#[derive(Clone, Copy)]
struct WordsBackward<'n>(&'n [u8]);

impl<'n> Iterator for WordsBackward<'n> {
    type Item = &'n [u8];
    fn next(&mut self) -> Option<&'n [u8]> {
        let (before, word) = last_word(self.0)?;
        self.0 = before;
        Some(word)
    }
}

/// The last word of a name, and what stands before it.
fn last_word(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = name.len();
    while end > 0 && !is_part(name[end - 1]) {
        end -= 1;
    }
    let mut start = end;
    while start > 0 && is_part(name[start - 1]) {
        let hump =
            name[start - 1].is_ascii_lowercase() && start < end && name[start].is_ascii_uppercase();
        if hump {
            break;
        }
        start -= 1;
    }
    (start < end).then(|| (&name[..start], &name[start..end]))
}

const fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The most bytes of a name that are looked at.
const MAX_NAME: usize = 96;

/// Words of a name: split at what is no letter or digit, and where a small letter meets a capital.
fn words_of_name(name: &[u8]) -> Vec<&[u8]> {
    let name = name.get(..name.len().min(MAX_NAME)).unwrap_or(name);
    let mut words = Vec::new();
    let mut start = 0;
    for (index, byte) in name.iter().enumerate() {
        let letter = byte.is_ascii_alphanumeric() || *byte >= 0x80;
        let before = index.checked_sub(1).and_then(|before| name.get(before));
        let hump = byte.is_ascii_uppercase() && before.is_some_and(u8::is_ascii_lowercase);
        if !letter || hump {
            words.extend(name.get(start..index).filter(|word| !word.is_empty()));
            start = if letter { index } else { index + 1 };
        }
    }
    words.extend(name.get(start..).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_vocabulary_names_a_cue() {
        for line in
            include_str!("../../data/cues.tsv").lines().filter(|line| !line.starts_with('#'))
        {
            let (phrase, name) = line.split_once('\t').unwrap();
            assert!(Cue::ALL.iter().any(|(known, ..)| *known == name), "{line}");
            assert!(phrase.split(' ').count() <= MAX_WORDS, "{line}");
            assert!(!of_name(phrase.as_bytes()).is_empty(), "{line:?}");
        }
    }

    #[test]
    fn the_nearest_word_and_the_longest_phrase_win() {
        let nearest = |words: &str| super::nearest(words.rsplit(' ').map(str::as_bytes));
        assert_eq!(nearest("national identity number"), Cues::of(&[Cue::NationalId]));
        assert_eq!(nearest("NPI DEA"), Cues::of(&[Cue::Dea]));
        assert_eq!(nearest("tax file number"), Cues::of(&[Cue::Tfn]));
        assert_eq!(nearest("of the"), Cues::NONE);
    }

    #[test]
    fn reasons_name_cues_in_words() {
        let cues = Cues::of(&[Cue::NationalId, Cue::Ssn]);
        assert_eq!(cues.names().collect::<Vec<_>>(), ["identity number", "social security"]);
    }

    #[test]
    fn names_of_columns_are_split() {
        assert!(of_name(b"db_password").has(Cue::Password));
        assert!(of_name(b"apiKey").has(Cue::Token));
        assert!(of_name(b"customer.e-mail").has(Cue::Email));
        assert!(of_name("Prénom".as_bytes()).has(Cue::Given));
        assert!(of_name(b"throughput").is_empty());
    }
}
