//! Numbers with letters in them: IBAN, fiscal codes, vehicles, wallets, identity cards.

use super::checksum::{base58check, bech32, fiscal_code, iban, modulo, vin};
use super::cue::{Cue, Cues};
use super::entity::{Entity, Group};
use super::finding::{Hit, Proof};
use super::number::{is_free_after, is_free_before, is_word};
use super::view::{View, weigh};

const NATIONAL: Cues = Cues::of(&[Cue::NationalId, Cue::Tax, Cue::Ssn]);

/// What a word of letters and digits may be. Answers where to go on.
pub(super) fn find(view: &View<'_>, start: usize, word_end: usize, hits: &mut Vec<Hit>) -> usize {
    if let Some(end) = spaced_iban(view, start, hits) {
        return end;
    }
    if !is_free_before(view.text, start) && view.before(start) != Some(b'-') {
        return word_end;
    }
    if !is_free_after(view.text, word_end) {
        return word_end;
    }
    let text = view.slice(start, word_end);
    let Some(Known { entity, base, own, rule, proof }) = long(text).or_else(|| short(text)) else {
        return word_end;
    };
    let cues = view.cues(start);
    let general = if entity.group() == Group::National { NATIONAL } else { Cues::NONE };
    let mut score = weigh(base, cues, own, general);
    // A word that announces something else speaks against what is not sure by itself.
    if score == base && !cues.is_empty() && base < 80 {
        score = score.saturating_sub(15);
    }
    hits.push(Hit::new(entity, start..word_end, score, rule).because(proof, cues));
    word_end
}

/// A kind that a word has the form of.
struct Known {
    entity: Entity,
    /// How sure that is by itself, in hundredths.
    base: u8,
    /// The words that say so.
    own: Cues,
    rule: &'static str,
    proof: Proof,
}

impl Known {
    const fn new(entity: Entity, base: u8, own: Cue, rule: &'static str, proof: Proof) -> Self {
        Self { entity, base, own: Cues::of(&[own]), rule, proof }
    }
}

/// What a word may be by its length, form and check digits.
fn short(text: &[u8]) -> Option<Known> {
    use Proof::{Checked, Form, Labelled};
    let known = match text.len() {
        9 if es_nif(text) => Known::new(Entity::EsNif, 72, Cue::Nif, "es.nif", Checked),
        9 if es_nie(text) => Known::new(Entity::EsNie, 85, Cue::Nif, "es.nie", Checked),
        9 if uk_nino(text) => Known::new(Entity::UkNino, 65, Cue::Nino, "uk.nino", Form),
        9 if dea(text) => Known::new(Entity::Dea, 50, Cue::Dea, "us.dea", Checked),
        10 if in_pan(text) => Known::new(Entity::InPan, 68, Cue::Pan, "in.pan", Form),
        12 if german_pension(text) => {
            Known::new(Entity::DeSocialInsurance, 70, Cue::GermanPension, "de.pension", Checked)
        }
        15 if corsican(text) => Known::new(Entity::FrNir, 80, Cue::Nir, "fr.nir", Checked),
        16 if fiscal_code_form(text) => {
            Known::new(Entity::ItFiscalCode, 92, Cue::FiscalCode, "it.fiscal-code", Checked)
        }
        17 if vin(text) && mixed(text) => Known::new(Entity::Vin, 80, Cue::Vin, "vin", Checked),
        17 if vin_form(text) => Known::new(Entity::Vin, 30, Cue::Vin, "vin.unchecked", Labelled),
        42 if ethereum(text) => {
            Known::new(Entity::Crypto, 70, Cue::Crypto, "crypto.ethereum", Form)
        }
        _ => return None,
    };
    Some(known)
}

/// What a longer word may be: bank accounts and wallets.
fn long(text: &[u8]) -> Option<Known> {
    let wallet = || Known::new(Entity::Crypto, 95, Cue::Crypto, "crypto.bitcoin", Proof::Checked);
    match text {
        [b'1' | b'3', ..] if (26..=35).contains(&text.len()) => base58check(text).then(wallet),
        [b'b', b'c', b'1', ..] if (14..=74).contains(&text.len()) => bech32(text).then(wallet),
        [a, b, c, d, ..] if (15..=34).contains(&text.len()) => {
            let letters = a.is_ascii_uppercase() && b.is_ascii_uppercase();
            let sound = letters && c.is_ascii_digit() && d.is_ascii_digit();
            (sound && iban_length(text) && iban(text))
                .then(|| Known::new(Entity::Iban, 95, Cue::Iban, "iban", Proof::Checked))
        }
        _ => None,
    }
}

/// Lengths of the IBAN registry; a country that is not listed may have any.
fn iban_length(text: &[u8]) -> bool {
    const LENGTHS: [(&[u8; 2], usize); 40] = [
        (b"AT", 20),
        (b"BE", 16),
        (b"BG", 22),
        (b"CH", 21),
        (b"CY", 28),
        (b"CZ", 24),
        (b"DE", 22),
        (b"DK", 18),
        (b"EE", 20),
        (b"ES", 24),
        (b"FI", 18),
        (b"FR", 27),
        (b"GB", 22),
        (b"GR", 27),
        (b"HR", 21),
        (b"HU", 28),
        (b"IE", 22),
        (b"IS", 26),
        (b"IT", 27),
        (b"LI", 21),
        (b"LT", 20),
        (b"LU", 20),
        (b"LV", 21),
        (b"MC", 27),
        (b"MT", 31),
        (b"NL", 18),
        (b"NO", 15),
        (b"PL", 28),
        (b"PT", 25),
        (b"RO", 24),
        (b"SE", 24),
        (b"SI", 19),
        (b"SK", 24),
        (b"SM", 27),
        (b"TR", 26),
        (b"UA", 29),
        (b"AE", 23),
        (b"SA", 24),
        (b"IL", 23),
        (b"BR", 29),
    ];
    let country = text.get(..2).unwrap_or(&[]);
    LENGTHS
        .iter()
        .find(|(code, _)| code.as_slice() == country)
        .is_none_or(|(_, length)| *length == text.len())
}

/// An IBAN in groups of four with blanks between.
fn spaced_iban(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    let mut compact = [0_u8; 34];
    let mut count = 0;
    let mut best = None;
    let mut at = start;
    let opens = view.slice(start, start + 5);
    let form = matches!(opens, [a, b, c, d, b' ' | b'-'] if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit());
    if !form || !is_free_before(view.text, start) {
        return None;
    }
    while count < compact.len() {
        let group = view
            .slice(at, at + 4)
            .iter()
            .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
            .count();
        for byte in view.slice(at, at + group) {
            if let Some(place) = compact.get_mut(count) {
                *place = *byte;
                count += 1;
            }
        }
        at += group;
        let whole = compact.get(..count).unwrap_or(&[]);
        let ends = group > 0 && !view.at(at).is_some_and(is_word);
        if count >= 15 && ends && iban(whole) && iban_length(whole) {
            best = Some(at);
        }
        if group < 4 || !matches!(view.at(at), Some(b' ' | b'-')) {
            break;
        }
        at += 1;
    }
    let end = best?;
    let hit = Hit::new(Entity::Iban, start..end, 97, "iban");
    hits.push(hit.because(Proof::Checked, view.cues(start)));
    Some(end)
}

fn push_checked(
    view: &View<'_>,
    entity: Entity,
    (start, end): (usize, usize),
    rule: &'static str,
    hits: &mut Vec<Hit>,
) {
    if is_free_before(view.text, start) && is_free_after(view.text, end) {
        let (proof, cues) = (Proof::Checked, view.cues(start));
        hits.push(Hit::new(entity, start..end, 92, rule).because(proof, cues));
    }
}

/// `96153695-X`, from its eight digits on.
pub(super) fn hyphenated_nif(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    if let [b'-', letter] = *view.slice(end, end + 2)
        && spanish_letter(digits_of(view.slice(start, end)), letter)
    {
        push_checked(view, Entity::EsNif, (start, end + 2), "es.nif", hits);
    }
}

/// `Z-7914055-J`.
pub(super) fn hyphenated_nie(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let text = view.slice(start, start + 11);
    let [first, b'-', digits @ .., b'-', last] = text else { return };
    let compact: Vec<u8> = [*first].iter().chain(digits).chain([last]).copied().collect();
    if compact.len() == 9 && es_nie(&compact) {
        push_checked(view, Entity::EsNie, (start, start + 11), "es.nie", hits);
    }
}

/// `TST LVC 50T56 G273L`: a fiscal code in its four parts, from the first on. Answers its end.
pub(super) fn spaced_fiscal_code(
    view: &View<'_>,
    start: usize,
    hits: &mut Vec<Hit>,
) -> Option<usize> {
    let text = view.slice(start, start + 19);
    let blanks = [3, 7, 13].iter().all(|place| text.get(*place) == Some(&b' '));
    let compact: Vec<u8> = text.iter().filter(|byte| **byte != b' ').copied().collect();
    if !blanks || !fiscal_code_form(&compact) {
        return None;
    }
    push_checked(view, Entity::ItFiscalCode, (start, start + 19), "it.fiscal-code", hits);
    Some(start + 19)
}

/// `SN 69 91 06 D`: the parts of a British number with blanks between, from its two letters on.
pub(super) fn spaced_nino(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    let text = view.slice(start, start + 13);
    let [a, b, b' ', c, d, b' ', e, f, b' ', g, h, b' ', last] = *text else { return None };
    let end = start + 13;
    if !uk_nino(&[a, b, c, d, e, f, g, h, last])
        || !is_free_before(view.text, start)
        || !is_free_after(view.text, end)
    {
        return None;
    }
    let hit = Hit::new(Entity::UkNino, start..end, 85, "uk.nino");
    hits.push(hit.because(Proof::Form, view.cues(start)));
    Some(end)
}

/// `1 93 12 2B 467 498 88`: a French number of Corsica in its parts, from its first digit on.
pub(super) fn spaced_corsican(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let end = start + 21;
    let text = view.slice(start, end);
    if !matches!(text.get(7..11), Some([b' ', b'2', b'A' | b'B', b' '])) {
        return;
    }
    let blanks = [1, 4, 7, 10, 14, 18];
    let compact: Vec<u8> = text.iter().filter(|byte| **byte != b' ').copied().collect();
    let sound = text.len() == 21
        && blanks.iter().all(|at| text.get(*at) == Some(&b' '))
        && compact.len() == 15
        && corsican(&compact)
        && is_free_before(view.text, start)
        && is_free_after(view.text, end);
    if sound {
        push_checked(view, Entity::FrNir, (start, end), "fr.nir", hits);
    }
}

/// `53 110267 K 040`: a German pension number in its parts, from the first two digits on.
pub(super) fn spaced_pension(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let text = view.slice(start, start + 15);
    let [_, _, b' ', _, _, _, _, _, _, b' ', letter, b' ', ..] = *text else { return };
    let compact: Vec<u8> = text.iter().filter(|byte| **byte != b' ').copied().collect();
    if letter.is_ascii_uppercase() && compact.len() == 12 && german_pension(&compact) {
        push_checked(view, Entity::DeSocialInsurance, (start, start + 15), "de.pension", hits);
    }
}

fn mixed(text: &[u8]) -> bool {
    let letters = text.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    (2..=15).contains(&letters)
}

fn vin_form(text: &[u8]) -> bool {
    let sound =
        |byte: &u8| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"IOQ".contains(byte));
    text.iter().all(sound) && mixed(text)
}

fn digits_of(text: &[u8]) -> Option<u64> {
    text.iter()
        .all(u8::is_ascii_digit)
        .then(|| text.iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0')))
}

/// Eight digits and the letter of their remainder by 23.
fn es_nif(text: &[u8]) -> bool {
    let Some((letter, number)) = text.split_last() else { return false };
    spanish_letter(digits_of(number), *letter)
}

/// X, Y or Z for the first digit of a number of a foreigner.
fn es_nie(text: &[u8]) -> bool {
    let (Some((letter, rest)), Some(first)) = (text.split_last(), text.first()) else {
        return false;
    };
    let Some(lead) = b"XYZ".iter().position(|known| known == first) else { return false };
    let number =
        digits_of(rest.get(1..).unwrap_or(&[])).map(|number| lead as u64 * 10_000_000 + number);
    spanish_letter(number, *letter)
}

fn spanish_letter(number: Option<u64>, letter: u8) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    number.and_then(|number| LETTERS.get((number % 23) as usize)) == Some(&letter)
}

/// Two letters that are given out, six digits, A to D.
fn uk_nino(text: &[u8]) -> bool {
    let [a, b, digits @ .., last] = text else { return false };
    let pair = [*a, *b];
    text.len() == 9
        && a.is_ascii_uppercase()
        && b.is_ascii_uppercase()
        && !b"DFIQUV".contains(a)
        && !b"DFIQUVO".contains(b)
        && ![*b"BG", *b"GB", *b"NK", *b"KN", *b"TN", *b"NT", *b"ZZ"].contains(&pair)
        && digits.iter().all(u8::is_ascii_digit)
        && (b'A'..=b'D').contains(last)
}

/// A registrant's letter, the initial or 9, and digits of which the last checks the others.
fn dea(text: &[u8]) -> bool {
    let [a, b, digits @ ..] = text else { return false };
    let Some(_) = digits_of(digits) else { return false };
    let value = |place: usize| digits.get(place).map_or(0, |byte| u32::from(byte - b'0'));
    let sum = value(0) + value(2) + value(4) + 2 * (value(1) + value(3) + value(5));
    digits.len() == 7
        && b"ABCDEFGHJKLMPRSTUX".contains(a)
        && (b.is_ascii_uppercase() || *b == b'9')
        && sum % 10 == value(6)
}

/// Five letters, the fourth the kind of holder, four digits, a letter.
fn in_pan(text: &[u8]) -> bool {
    let [letters @ .., a, b, c, d, last] = text else { return false };
    text.len() == 10
        && letters.iter().all(u8::is_ascii_uppercase)
        && letters.get(3).is_some_and(|kind| b"ABCFGHJLPT".contains(kind))
        && [a, b, c, d].iter().all(|byte| byte.is_ascii_digit())
        && last.is_ascii_uppercase()
}

/// Area, date of birth, initial, serial, check digit.
fn german_pension(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 12] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let [start @ .., letter, x, y, check] = text else { return false };
    let Some(_) = digits_of(start).and(digits_of(&[*x, *y, *check])) else { return false };
    if start.len() != 8 || !letter.is_ascii_uppercase() {
        return false;
    }
    let number = letter - b'A' + 1;
    let digits =
        start.iter().map(|byte| byte - b'0').chain([number / 10, number % 10, x - b'0', y - b'0']);
    let sum: u32 = digits
        .zip(WEIGHTS)
        .map(|(digit, weight)| {
            let product = u32::from(digit) * weight;
            product / 10 + product % 10
        })
        .sum();
    let day = digits_of(start.get(2..4).unwrap_or(&[])).unwrap_or(0);
    let month = digits_of(start.get(4..6).unwrap_or(&[])).unwrap_or(0);
    (1..=31).contains(&(day % 50))
        && (1..=12).contains(&month)
        && sum % 10 == u32::from(check - b'0')
}

/// A French number whose department is 2A or 2B.
fn corsican(text: &[u8]) -> bool {
    let less = match text.get(5..7) {
        Some(b"2A") => 19,
        Some(b"2B") => 18,
        _ => return false,
    };
    let mut digits: Vec<u8> = text.iter().map(|byte| byte.wrapping_sub(b'0')).collect();
    if let Some(place) = digits.get_mut(5..7) {
        place.copy_from_slice(&[less / 10, less % 10]);
    }
    let Some((number, key)) = digits.split_at_checked(13) else { return false };
    digits.iter().all(|digit| *digit < 10)
        && matches!(digits.first(), Some(1 | 2))
        && 97 - modulo(number, 97) == modulo(key, 100)
}

fn fiscal_code_form(text: &[u8]) -> bool {
    text.iter().take(6).all(u8::is_ascii_uppercase) && fiscal_code(text)
}

fn ethereum(text: &[u8]) -> bool {
    text.strip_prefix(b"0x").is_some_and(|rest| {
        rest.iter().all(u8::is_ascii_hexdigit) && super::secret::is_random(rest)
    })
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn published_examples_are_known() {
        for (text, entity) in [
            ("GB82WEST12345698765432", "IBAN"),
            ("GB82 WEST 1234 5698 7654 32", "IBAN"),
            ("DE89 3704 0044 0532 0130 00", "IBAN"),
            ("RSSMRA85T10A562S", "IT_FISCAL_CODE"),
            ("1M8GDM9AXKP042788", "VIN"),
            ("12345678Z", "ES_NIF"),
            ("X1234567L", "ES_NIE"),
            ("AB123456C", "UK_NINO"),
            ("AB 12 34 56 C", "UK_NINO"),
            ("ABCPE1234F", "IN_PAN"),
            ("15070649C103", "DE_SOCIAL_INSURANCE"),
            ("15 070649 C 103", "DE_SOCIAL_INSURANCE"),
            ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "CRYPTO"),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "CRYPTO"),
        ] {
            found(&format!("it is {text}, he"), entity, text);
            found(&format!("a;{text};b"), entity, text);
        }
        found("DEA AB1234563 and", "DEA", "AB1234563");
    }

    #[test]
    fn near_misses_are_nothing() {
        for text in [
            "GB83WEST12345698765432",
            "part DE79084548577720101725",
            "12345678A",
            "RSSMRA85T10A562T",
            "commit ea71efd525165f7614778da01b20936f3f783599",
            "BG123456C",
            "doi:10.2518/7a3368.963",
            "run d4c12c48-8fc8-45dc-ac95-6a083758a67d",
        ] {
            nothing(text);
        }
    }
}
