//! Where people are: streets with numbers, postal codes, geographic positions.

use std::ops::Range;
use std::sync::OnceLock;

use super::cue::{Cue, Cues};
use super::date;
use super::dwelling;
use super::entity::{Entity, Locale};
use super::finding::{Hit, Proof, SURE};
use super::folded::{Folded, Table};
use super::gazetteer;
use super::number::{is_free_after, is_free_before};
use super::person::end_of_word;
use super::view::{View, weigh};

const LAST: u8 = 1;
const FIRST: u8 = 2;
const END: u8 = 4;
/// The same kinds, where the word is of other use too.
const WEAK: u8 = 8;
/// The type stands between number and name.
const FRENCH: u8 = 64;

/// How sure a street is by its words alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}
/// The most words of a street.
const MAX_WORDS: usize = 5;
/// The shortest and longest end of a word that makes it a street.
const ENDS: std::ops::RangeInclusive<usize> = 3..=10;

fn street(word: &[u8]) -> u8 {
    static STREETS: OnceLock<Table<u8>> = OnceLock::new();
    let streets = STREETS.get_or_init(|| {
        let lines = include_str!("../../data/streets.tsv").lines();
        Table::from_rows(lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
            let mut fields = line.split('\t');
            let word = Folded::of(fields.next()?.as_bytes());
            let kind = fields.next()?;
            let french = if fields.next() == Some("fr") { FRENCH } else { 0 };
            let bit = match kind.split(' ').next()? {
                "last" => LAST,
                "first" => FIRST,
                _ => END,
            };
            Some((word, french | if kind.ends_with("weak") { bit * WEAK } else { bit }))
        }))
    });
    streets.get(Folded::of(word)).unwrap_or(0)
}

/// How sure a kind is among the bits of a word.
const fn strength(bits: u8, kind: u8) -> Option<Strength> {
    match (bits & kind, bits & (kind * WEAK)) {
        (0, 0) => None,
        (0, _) => Some(Strength::Weak),
        _ => Some(Strength::Strong),
    }
}

/// Whether a word ends as streets do: `Ahornstraße`.
fn ends_as_street(word: &[u8]) -> Option<Strength> {
    let longest = word.len().saturating_sub(2).min(*ENDS.end());
    let ends = (*ENDS.start()..=longest).filter_map(|length| {
        word.get(word.len() - length..).and_then(|end| strength(street(end), END))
    });
    ends.max_by_key(|strength| *strength == Strength::Strong)
}

/// Where the words of a street that begins here end.
fn words(view: &View<'_>, start: usize) -> Option<(usize, Strength)> {
    let (mut at, mut end) = (start, None);
    for count in 0..MAX_WORDS {
        let word_end = end_of_word(view, at);
        if word_end == at {
            break;
        }
        let word = view.slice(at, word_end);
        let kind = street(word);
        // The type ends the street; `Road 5` alone is none.
        if count > 0 && word.first().is_some_and(u8::is_ascii_uppercase) {
            end = strength(kind, LAST).map(|strength| (word_end, strength)).or(end);
        }
        if !is_capital(word) || view.at(word_end) != Some(b' ') {
            break;
        }
        at = word_end + 1;
    }
    end
}

/// `125 Oak Avenue`, `146 boulevard Voltaire`: a number, then a street. Answers its end.
pub(super) fn after_number(
    view: &View<'_>,
    start: usize,
    number_end: usize,
    hits: &mut Vec<Hit>,
) -> Option<usize> {
    let mut at = match (view.at(number_end), view.at(number_end + 1)) {
        (Some(b' '), _) => number_end + 1,
        (Some(b','), Some(b' ')) => number_end + 2,
        // `12b Oak Avenue`.
        (Some(letter), Some(b' ')) if letter.is_ascii_alphabetic() => number_end + 2,
        _ => return None,
    };
    if !is_free_before(view.text, start) {
        return None;
    }
    for more in [&b"bis "[..], b"ter "] {
        if view.slice(at, at + more.len()) == more {
            at += more.len();
        }
    }
    let (end, strength) = words(view, at).or_else(|| {
        // French: the type stands between number and name.
        let type_end = end_of_word(view, at);
        let word = view.slice(at, type_end);
        // The other languages put the number behind the name: `2023, via CodeCarbon` is none.
        let strength = strength(street(word), FIRST).filter(|_| street(word) & FRENCH != 0)?;
        let name_end = (type_end - at > 2).then(|| name_after(view, type_end)).flatten()?;
        Some((name_end, strength))
    })?;
    push(view, (start, end), strength, hits)
}

/// `Calle del Olivo 195`, `Via dei Mille 172`, `Ahornstraße 3`, `Am Mühlbach 179`: a street, then
/// the number that begins at a place.
pub(super) fn before_number(view: &View<'_>, number: usize, hits: &mut Vec<Hit>) {
    // Told before as the postal code after a street.
    if hits.last().is_some_and(|hit| hit.start <= number && number < hit.end) {
        return;
    }
    if let Some(start) = dwelling::post_box(view, number) {
        numbered(view, (start, number), Strength::Strong, hits);
        return;
    }
    let Some(mut end) = name_end(view, number) else { return };
    let end_of_name = end;
    let mut found = None;
    for count in 0..=MAX_WORDS {
        let point = usize::from(view.before(end) == Some(b'.'));
        let start = start_of_word(view, end - point);
        let word = view.slice(start, end - point);
        if word.is_empty() || (point == 1 && count > 0 && word.len() > 5) {
            break;
        }
        let capital = is_capital(word);
        if count == 0 {
            if let Some(strength) = ends_as_street(word).or_else(|| strength(street(word), END)) {
                found = capital.then(|| (first_of_compound(view, start, word), strength));
                break;
            }
        } else if let Some(strength) = strength(street(word), FIRST) {
            // `10:10 am - Jan 11`.
            let last = view.slice(start_of_word(view, end_of_name), end_of_name);
            if date::is_month(last) {
                return;
            }
            found = Some((start, doubted(view, (start, word), end_of_name, strength)));
            break;
        }
        if !(capital || (count > 0 && word.len() <= 5)) || view.before(start) != Some(b' ') {
            break;
        }
        end = start - 1;
    }
    if let Some((start, strength)) = found {
        numbered(view, (start, number), strength, hits);
    }
}

/// A word that opens streets but is written small (`via PEP 658`) or in capitals (`AM March 13`) is
/// one only where something else says so.
fn doubted(
    view: &View<'_>,
    (start, word): (usize, &[u8]),
    end: usize,
    strength: Strength,
) -> Strength {
    let name = view.slice(start + word.len(), end);
    let capitals = !name.iter().any(u8::is_ascii_lowercase);
    let small = word == b"via";
    if small || capitals { Strength::Weak } else { strength }
}

/// Where the name of a street ends that a number follows: before `, `, ` nº `, ` `.
fn name_end(view: &View<'_>, number: usize) -> Option<usize> {
    let mut end = number;
    for more in [&b"n. "[..], b"nr ", b"nr. ", b"no. ", "nº ".as_bytes(), "n° ".as_bytes()] {
        if view.slice(end.saturating_sub(more.len()), end) == more {
            end -= more.len();
            break;
        }
    }
    end = end.checked_sub(1).filter(|end| view.at(*end) == Some(b' '))?;
    let comma = usize::from(view.before(end) == Some(b','));
    Some(end - comma)
}

fn start_of_word(view: &View<'_>, end: usize) -> usize {
    let inside =
        |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80 || matches!(byte, b'\'' | b'-');
    let before = view.slice(end.saturating_sub(32), end);
    end - before.iter().rev().take_while(|byte| inside(byte)).count()
}

/// `Neue Gasse`: the type alone takes the word before it along.
fn first_of_compound(view: &View<'_>, start: usize, word: &[u8]) -> usize {
    if street(word) & (END | (END * WEAK)) == 0 || view.before(start) != Some(b' ') {
        return start;
    }
    let before = start_of_word(view, start - 1);
    if is_capital(view.slice(before, start - 1)) { before } else { start }
}

fn is_capital(word: &[u8]) -> bool {
    word.first().is_some_and(|byte| byte.is_ascii_uppercase() || *byte >= 0x80)
}

/// The end of the name that follows the type of a street, with its small words.
fn name_after(view: &View<'_>, type_end: usize) -> Option<usize> {
    let mut end = type_end;
    let mut named = false;
    for _ in 0..MAX_WORDS {
        if view.at(end) != Some(b' ') {
            break;
        }
        let next = end_of_word(view, end + 1);
        let word = view.slice(end + 1, next);
        let capital = is_capital(word);
        let small = word.len() <= 5 && !named;
        if word.is_empty()
            || !(capital
                || small
                || matches!(
                    word,
                    b"de"
                        | b"du"
                        | b"des"
                        | b"la"
                        | b"del"
                        | b"da"
                        | b"do"
                        | b"dos"
                        | b"di"
                        | b"e"
                        | b"y"
                ))
        {
            break;
        }
        named |= capital;
        end = next;
    }
    named.then_some(end)
}

/// The number after the name of a street.
fn numbered(view: &View<'_>, (start, at): (usize, usize), strength: Strength, hits: &mut Vec<Hit>) {
    let digits = view.slice(at, at + 6).iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=5).contains(&digits) {
        return;
    }
    let mut end = at + digits;
    // `3a`.
    let letter = view.at(end).is_some_and(|byte| byte.is_ascii_alphabetic());
    if letter && !view.at(end + 1).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        end += 1;
    }
    // `40-hs`, `46/A`.
    let attached = dwelling::after(view, end) > end;
    if (attached || is_free_after(view.text, end)) && is_free_before(view.text, start) {
        push(view, (start, end), strength, hits);
    }
}

/// An address, and the postal code after it. Answers its end.
fn push(
    view: &View<'_>,
    (start, end): (usize, usize),
    strength: Strength,
    hits: &mut Vec<Hit>,
) -> Option<usize> {
    let (street_start, start) = (start, dwelling::before(view, start));
    let end = dwelling::after(view, end);
    let gap = match (view.at(end), view.at(end + 1)) {
        (Some(b','), Some(b' ')) => 2,
        (Some(b' ' | b',' | b'\n'), _) => 1,
        _ => 0,
    };
    let code = (gap > 0).then(|| postcode(view, end + gap)).flatten();
    // `Goethestr. 200`, and on the next line `44582 Dortmund`.
    let code = code.filter(|code| view.at(end) != Some(b'\n') || is_before_town(view, *code));
    // `2021 Iain Lane`: a year and somebody's name, in a notice of copyright.
    let year = matches!(
        view.slice(street_start, street_start + 5),
        [b'1', b'9', _, _, b' '] | [b'2', b'0', _, _, b' ']
    );
    let name = view.slice(street_start + 5, end_of_word(view, street_start + 5));
    let somebody = year && gazetteer::look_up(name).is_given();
    let base = match (strength, code) {
        (Strength::Strong, None) if somebody => 38,
        (Strength::Strong, _) => 65,
        (Strength::Weak, Some(_)) => 55,
        (Strength::Weak, None) => 38,
    };
    let cues = view.cues(start);
    let score = weigh(base, cues, Cues::of(&[Cue::Address]), Cues::NONE);
    if score < SURE {
        return None;
    }
    hits.push(
        Hit::new(Entity::Address, start..end, score, "address.street").because(Proof::Form, cues),
    );
    if let Some(code_end) = code {
        hits.push(
            Hit::new(Entity::Postcode, end + gap..code_end, 75, "postcode.after-street")
                .because(Proof::Form, cues),
        );
    }
    Some(end)
}

fn is_before_town(view: &View<'_>, end: usize) -> bool {
    view.at(end) == Some(b' ')
        && view.at(end + 1).is_some_and(|byte| byte.is_ascii_uppercase() || byte >= 0x80)
}

/// The end of a postal code of one of the twelve countries, if one begins here.
pub(super) fn postcode(view: &View<'_>, start: usize) -> Option<usize> {
    /// `9` a digit, `A` a capital, anything else itself; longer forms first.
    const FORMS: [&[u8]; 16] = [
        b"99999-9999",
        b"99999-999",
        b"99-999",
        b"999 999",
        b"999999",
        b"99999",
        b"9999 AA",
        b"9999AA",
        b"9999",
        b"AA99 9AA",
        b"AA9A 9AA",
        b"AA9 9AA",
        b"A9A 9A9",
        b"A9A 9AA",
        b"A99 9AA",
        b"A9 9AA",
    ];
    let fits = |form: &&&[u8]| {
        let text = view.slice(start, start + form.len());
        text.len() == form.len()
            && text.iter().zip(form.iter()).all(|(byte, kind)| match kind {
                b'9' => byte.is_ascii_digit(),
                b'A' => byte.is_ascii_uppercase(),
                other => byte == other,
            })
            && is_free_after(view.text, start + form.len())
    };
    FORMS.iter().find(fits).map(|form| start + form.len())
}

/// The country whose postal codes are written as one is, where it is the only one of the twelve.
pub(super) fn country_of(code: &[u8]) -> Option<Locale> {
    let kind = |byte: &u8| match byte {
        b'0'..=b'9' => b'9',
        b'A'..=b'Z' => b'A',
        other => *other,
    };
    let form: Vec<u8> = code.iter().map(kind).collect();
    match form.as_slice() {
        b"A9A 9A9" | b"A9A9A9" => Some(Locale::Ca),
        b"9999 AA" | b"9999AA" => Some(Locale::Nl),
        b"99-999" => Some(Locale::Pl),
        b"99999-999" => Some(Locale::Br),
        [.., b' ', b'9', b'A', b'A'] => Some(Locale::Gb),
        _ => None,
    }
}

/// A whole address, cut before the town and its code: where the street ends, and where the code is.
///
/// `Rue X 5, 35000 Rennes`, `5 High Street, Fresno, CA 93640`, `B-99, Vasant Kunj, Pune, 413699`.
pub(super) fn cut(view: &View<'_>, start: usize, end: usize) -> Option<(usize, Range<usize>)> {
    let text = view.slice(start, end);
    let mut part = start;
    for comma in memchr::memchr_iter(b',', text).chain([text.len()]).map(|at| start + at) {
        let code = (part > start).then(|| code_of_town(view, part, comma)).flatten();
        if let Some(code) = code {
            return Some((part - 1, code));
        }
        part = comma + 1;
    }
    None
}

/// The code that a part of an address begins or ends with; one of four digits only beside a town.
fn code_of_town(view: &View<'_>, start: usize, end: usize) -> Option<Range<usize>> {
    let part = view.slice(start, end);
    let town = part.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count() >= 3;
    let first = start + part.iter().take_while(|byte| **byte == b' ').count();
    let starts = (first..end).filter(|at| *at == first || view.before(*at) == Some(b' '));
    starts
        .filter_map(|at| postcode(view, at).map(|close| at..close))
        .find(|code| (code.start == first || code.end == end) && code.end <= end)
        .filter(|code| town || code.len() > 4)
}

/// A code on the line of a street, after its town or beyond what else belongs to the address.
pub(super) fn near_street(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    const NEAR: usize = 48;
    let near = hits.iter().rev().take(2).any(|hit| {
        hit.entity == Entity::Address
            && hit.end < start
            && start - hit.end < NEAR
            && !view.slice(hit.end, start).contains(&b'=')
    });
    if !near || !is_free_before(view.text, start) {
        return;
    }
    let Some(end) = postcode(view, start) else { return };
    if is_date_or_longer(view, start, end) {
        return;
    }
    let hit = Hit::new(Entity::Postcode, start..end, 70, "postcode.near-street");
    hits.push(hit.because(Proof::Labelled, Cues::NONE));
}

/// Whether digits are the year of a date, or some of a longer number: `27 de septiembre de 2022`,
/// `5183 7862 6334 1839`.
fn is_date_or_longer(view: &View<'_>, start: usize, end: usize) -> bool {
    let before = view.slice(start.saturating_sub(14), start);
    let before = before.strip_suffix(b" de ").or(before.strip_suffix(b" ")).unwrap_or(&[]);
    let length =
        before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80);
    let word = before.get(before.len() - length.count()..).unwrap_or(&[]);
    let digit = |at: usize| view.at(at).is_some_and(|byte| byte.is_ascii_digit());
    let goes_on = view.at(end) == Some(b' ') && digit(end + 1);
    date::is_month(word)
        || goes_on
        || (end - start == 4
            && view.slice(start, end).starts_with(b"20")
            && before.ends_with(b" de"))
}

/// `Bunbury WA 6098`, `Goiânia - GO, 74295-582`: a code after a state of Australia or Brazil.
pub(super) fn after_abroad(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    /// The first digits of the codes of each.
    const AUSTRALIA: [(&[u8], &[u8]); 8] = [
        (b"NSW", b"12"),
        (b"VIC", b"38"),
        (b"QLD", b"49"),
        (b"SA", b"5"),
        (b"WA", b"6"),
        (b"TAS", b"7"),
        (b"ACT", b"02"),
        (b"NT", b"0"),
    ];
    let state = view.slice(start, end);
    let gap = view.slice(end, end + 3).iter().take_while(|byte| b" ,-".contains(byte)).count();
    let from = end + gap;
    let Some(close) = postcode(view, from).filter(|_| gap > 0) else { return };
    let code = view.slice(from, close);
    let town = view.slice(start.saturating_sub(2), start);
    let australian = AUSTRALIA.iter().any(|(name, firsts)| {
        *name == state && gap == 1 && code.len() == 4 && firsts.contains(&code[0])
    });
    let before =
        town.first().is_some_and(|byte| byte.is_ascii_alphabetic() || b",-".contains(byte));
    let brazilian = state.len() == 2 && code.len() == 9 && code.get(5) == Some(&b'-');
    if before && (australian || brazilian) {
        let country = if australian { Locale::Au } else { Locale::Br };
        let hit = Hit::new(Entity::Postcode, from..close, 72, "postcode.after-state");
        hits.push(hit.because(Proof::Labelled, Cues::NONE).of(Some(country)));
    }
}

/// `Fresno, CA 93136`: five digits after a state of the United States, from the state on.
pub(super) fn after_state(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    const STATES: &[u8] =
        b"AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV \
NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC PR";
    let state = view.slice(start, start + 2);
    let comma = view.slice(start.saturating_sub(2), start) == b", ";
    if !comma || !STATES.split(|byte| *byte == b' ').any(|known| known == state) {
        return;
    }
    let Some(end) = postcode(view, start + 3) else { return };
    if matches!(end - start - 3, 5 | 10) {
        let hit = Hit::new(Entity::Postcode, start + 3..end, 78, "postcode.after-state");
        hits.push(hit.because(Proof::Labelled, Cues::NONE).of(Some(Locale::Us)));
    }
}

/// British and Canadian postal codes, whose form little else has.
pub(super) fn lettered_postcode(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let Some(end) = postcode(view, start) else { return };
    let text = view.slice(start, end);
    let first = text.first().is_some_and(u8::is_ascii_uppercase);
    if !first || !text.contains(&b' ') || !is_free_before(view.text, start) {
        return;
    }
    let cues = view.cues(start);
    // Without a word that says so, the inward part must have letters that are given out.
    let inward = text.iter().rev().take(2).all(|byte| !b"CIKMOV".contains(byte));
    let base = if inward { 52 } else { 30 };
    let own = Cues::of(&[Cue::Postcode, Cue::Address]);
    let score = weigh(base, cues, own, Cues::NONE);
    hits.push(
        Hit::new(Entity::Postcode, start..end, score, "postcode.lettered")
            .because(Proof::Form, cues),
    );
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn streets_are_found_with_their_number_and_code() {
        for (text, address, code) in [
            ("She lives at 125 Oak Avenue, 6024, and", "125 Oak Avenue", "6024"),
            ("wohnt Am Mühlbach 179, 96121 Bamberg", "Am Mühlbach 179", "96121"),
            ("in der Ahornstr. 3a, 10115", "Ahornstr. 3a", "10115"),
            ("Corso Garibaldi 97, 54679", "Corso Garibaldi 97", "54679"),
            ("146 boulevard Voltaire, 95142", "146 boulevard Voltaire", "95142"),
            ("12 rue des Lilas, 75011", "12 rue des Lilas", "75011"),
            ("Avenida de la Paz 15, 73519", "Avenida de la Paz 15", "73519"),
            ("Rua das Flores, 156, 21212-250", "Rua das Flores, 156", "21212-250"),
            ("lives at Dorpsstraat 233, 5222 EE", "Dorpsstraat 233", "5222 EE"),
            ("ul. Długa 12, 00-238", "ul. Długa 12", "00-238"),
            ("182 Station Drive, M1 9JD", "182 Station Drive", "M1 9JD"),
            ("220 MG Road, 626775", "220 MG Road", "626775"),
            ("3 Gum Flat Road\nBunbury WA 6098", "3 Gum Flat Road", "6098"),
            ("Rua Augusta, 85\nGoiânia - GO, 74295-582", "Rua Augusta, 85", "74295-582"),
            ("Goethestr. 200\n44582 Dortmund", "Goethestr. 200", "44582"),
        ] {
            found(text, "ADDRESS", address);
            found(text, "POSTCODE", code);
        }
    }

    #[test]
    fn other_numbers_and_words_are_none() {
        for text in [
            "Im Juli 2020 began",
            "Spring 5 and String 12",
            "Please ring 12 times",
            "figure 3 View of the field",
            "Am Ende 5 Punkte",
            "the M2 chip and D3 charts",
            "deprecated via PEP 658 in 2022",
            "EPA eGRID 2023, via CodeCarbon 3.3.2",
            "Jan 10, 2007 10:10 am - Jan 11, 2007",
            "Windows NT 2000",
        ] {
            nothing(text);
        }
    }
}
