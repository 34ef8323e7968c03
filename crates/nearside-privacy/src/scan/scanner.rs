//! One pass over a segment: every word, number and sign is looked at once and handed to the rules
//! that may know it.
//!
//! What is looked at for every byte is kept in one function, what is looked at now and then outside of
//! it: that is worth a sixth of the time (`examples/speed.rs`).

use std::sync::OnceLock;

use super::account_name;
use super::code;
use super::credential;
use super::cue::{Cue, Cues};
use super::date;
use super::entity::{Entity, Group, Votes};
use super::finding::{Hit, Proof};
use super::labelled;
use super::network;
use super::number::{Run, is_word};
use super::number_kind::{KINDS, NumberKind};
use super::person;
use super::phone;
use super::place;
use super::position;
use super::secret;
use super::view::{View, weigh};
use crate::source::Form;

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 4;
const UNDER: u8 = 8;
const HIGH: u8 = 16;
const WORD: u8 = LOWER | UPPER | DIGIT | UNDER | HIGH;
const SIGN: u8 = 32;
const LINE: u8 = 64;

/// What each byte is.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            b'_' => UNDER,
            0x80.. => HIGH,
            b'@' | b':' | b'=' | b'-' | b'>' | b'$' | b'(' => SIGN,
            b'\n' => LINE,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

const fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

/// The longest word that anything is looked for in.
const MAX_WORD: usize = 512;

/// What is found in a line or record, which is told as soon as it ends.
pub(super) struct Found<'s> {
    pub(super) hits: Vec<Hit>,
    pub(super) votes: Votes,
    tell: &'s mut dyn FnMut(&mut Vec<Hit>, Votes),
}

impl<'s> Found<'s> {
    pub(super) fn new(tell: &'s mut dyn FnMut(&mut Vec<Hit>, Votes)) -> Self {
        Self { hits: Vec::new(), votes: Votes::default(), tell }
    }

    /// Tells what a line or record of a text held.
    fn end(&mut self, text: &[u8]) {
        if !self.hits.is_empty() {
            for hit in self.hits.iter().filter(|hit| hit.entity == Entity::Postcode) {
                let code = text.get(hit.start..hit.end).unwrap_or(&[]);
                if let Some(locale) = hit.country.or_else(|| place::country_of(code)) {
                    self.votes.add(locale, 1);
                }
            }
            (self.tell)(&mut self.hits, self.votes);
            self.hits.clear();
        }
        self.votes = Votes::default();
    }
}

/// Looks at a segment. Hits of a line may overlap.
#[inline(never)]
pub(super) fn scan(view: &View<'_>, found: &mut Found<'_>) {
    let mut cells = view.cells.iter().filter(|cell| !cell.cues.is_empty() && cell.start < cell.end);
    let mut cell = cells.next();
    let mut cell_start = cell.map_or(usize::MAX, |cell| cell.start);
    let text = view.text;
    let mut at = view.start;
    // A word that began before the segment belongs to what is before it.
    if view.before(at).is_some_and(is_word) {
        at = word_at(view, at).0;
    }
    // Lines of a record belong together.
    let lines = view.form != Form::Delimited;
    let inner = text.get(..view.end).unwrap_or(text);
    while let Some(byte) = inner.get(at) {
        let class = class(*byte);
        if class == 0 {
            at += 1;
            continue;
        }
        while at >= cell_start {
            if let Some(cell) = cell {
                let whole = labelled::Certainty::Whole;
                labelled::value(view, cell.start, cell.end, cell.cues, whole, &mut found.hits);
            }
            cell = cells.next();
            cell_start = cell.map_or(usize::MAX, |cell| cell.start);
        }
        at = if class & WORD != 0 {
            let (end, kinds) = word_at(view, at);
            word(view, at, end, kinds, found).max(end)
        } else if class == LINE {
            if lines {
                found.end(text);
            }
            at + 1
        } else {
            sign(view, at, *byte, &mut found.hits)
        };
    }
    found.end(text);
}

/// The end of the word that begins here, and the kinds of its bytes.
#[inline]
fn word_at(view: &View<'_>, start: usize) -> (usize, u8) {
    let text = view.text;
    let (mut kinds, mut end) = (0, start);
    while end < text.len() {
        let class = class(text[end]);
        if class & WORD == 0 {
            break;
        }
        kinds |= class;
        end += 1;
    }
    (end, kinds)
}

#[inline(never)]
fn sign(view: &View<'_>, at: usize, byte: u8, hits: &mut Vec<Hit>) -> usize {
    match byte {
        b'@' => network::at_sign(view, at, hits),
        b'-' => match view.at(at + 1) {
            Some(b'-') => secret::private_key(view, at, hits).unwrap_or_else(|| {
                credential::option(view, at, hits);
                at + 1
            }),
            Some(b'u' | b'p' | b'a' | b'P' | b'U' | b'w') => {
                credential::option(view, at, hits);
                at + 1
            }
            _ => at + 1,
        },
        b'>' => {
            account_name::speaker(view, at, hits);
            labelled::after_tag(view, at, hits)
        }
        b'$' => credential::hash(view, at, hits),
        b'(' => {
            credential::call(view, at, hits);
            at + 1
        }
        b':' if view.slice(at + 1, at + 3) == b"//" => credential::hook(view, at, hits),
        _ => labelled::after_sign(view, at, hits),
    }
}

#[inline]
fn word(view: &View<'_>, start: usize, end: usize, kinds: u8, found: &mut Found<'_>) -> usize {
    let next = view.text.get(end).copied().unwrap_or(0);
    let hits = &mut found.hits;
    // A token has digits or capitals, or a sign after its first part.
    if (kinds != LOWER || matches!(next, b'-' | b'.'))
        && let [first, second, third] = *view.slice(start, start + 3)
        && secret::may_open([first, second, third])
        && let Some(token_end) = secret::token(view, start, hits)
    {
        return token_end.max(end);
    }
    if end - start > MAX_WORD {
        return end;
    }
    match kinds {
        DIGIT => number(view, start, end, hits, &mut found.votes),
        LOWER => {
            small(view, start, end, next, hits);
            end
        }
        _ if kinds & DIGIT != 0 => mixed(view, start, end, kinds, hits),
        _ if kinds & UNDER != 0 => end,
        _ => letters(view, start, end, kinds, found),
    }
}

/// A word of small letters.
#[inline]
fn small(view: &View<'_>, start: usize, end: usize, next: u8, hits: &mut Vec<Hit>) {
    if next == b' ' && opens_scheme(view, start, end) {
        credential::scheme(view, start, end, hits);
    }
    match next {
        b'.' if end - start == 4
            && is_hexadecimal(view, start, end)
            && network::dotted_hardware(view, start, hits) > end => {}
        b' ' | b'.' | b'#' if (2 + usize::from(next != b'.')..=22).contains(&(end - start)) => {
            labelled::after_word(view, start, end, hits);
        }
        b':' | b'-' if end - start <= 4 && is_hexadecimal(view, start, end) => {
            network::hexadecimal(view, start, end, hits);
        }
        b'/' if end - start == 4 => account_name::home(view, start, end, hits),
        _ => {}
    }
}

/// A word of letters only.
#[inline(never)]
fn letters(view: &View<'_>, start: usize, end: usize, kinds: u8, found: &mut Found<'_>) -> usize {
    let hits = &mut found.hits;
    let next = view.at(end).unwrap_or(0);
    if matches!(next, b':' | b'-') && end - start <= 4 && is_hexadecimal(view, start, end) {
        let on = network::hexadecimal(view, start, end, hits);
        if on > end {
            return on;
        }
    }
    if next == b' ' && opens_scheme(view, start, end) {
        credential::scheme(view, start, end, hits);
    }
    if matches!(next, b' ' | b',')
        && kinds == UPPER
        && end - start <= 3
        && let Some(on) = capitals(view, start, end, hits)
    {
        return on;
    }
    if matches!(next, b'/' | b'\\') && end - start == 5 {
        account_name::home(view, start, end, hits);
    }
    if end - start == 1 && next == b'-' {
        code::hyphenated_nie(view, start, hits);
    }
    if next == b' ' && view.at(end + 1).is_some_and(|byte| byte.is_ascii_digit()) {
        month(view, start, end, hits);
    }
    let before = view.before(start).unwrap_or(0);
    let line = matches!(next, b'\n' | b'\r') && before == b'\n';
    // `[12:25] Suresh: the feed is up`.
    let line = line
        || (next == b':'
            && before == b' '
            && matches!(view.before(start - 1), Some(b']' | b',' | b'0'..=b'9')));
    if (line || matches!(next, b' ' | b',' | b'.' | b'-' | b'\''))
        && !matches!(before, b'@' | b'/' | b'\\' | b'$' | b'.')
        && !(matches!(before, b'-' | b'\'') && view.before(start - 1).is_some_and(is_word))
    {
        let whole = person::end_of_word(view, start).max(end);
        let on = person::find(view, start, whole, hits, &mut found.votes);
        if on > whole {
            return on;
        }
    }
    if matches!(next, b' ' | b'.' | b'#') && (3..=22).contains(&(end - start)) {
        labelled::after_word(view, start, end, hits);
    }
    end
}

/// Whether a word may be a scheme of HTTP: `Bearer`, `Basic`.
fn opens_scheme(view: &View<'_>, start: usize, end: usize) -> bool {
    matches!(end - start, 5 | 6) && matches!(view.at(start), Some(b'B' | b'b'))
}

/// Up to three capitals, a blank after them: what may begin with them.
fn capitals(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    match end - start {
        3 => {
            place::after_abroad(view, start, end, hits);
            code::spaced_fiscal_code(view, start, hits)
        }
        2 => {
            place::after_state(view, start, hits);
            place::after_abroad(view, start, end, hits);
            code::spaced_nino(view, start, hits)
        }
        _ => None,
    }
}

/// A date of birth that begins with a month in words.
fn month(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    if let Some(date_end) = date::from_month(view, start, end) {
        born(view, start, date_end, hits);
    }
}

fn born(view: &View<'_>, start: usize, end: usize, hits: &mut Vec<Hit>) {
    // `wurde am 19.07.1977 geboren`, `(b. 1990-05-14)`.
    let behind = view.slice(end, end + 8) == b" geboren";
    let short = view.slice(start.saturating_sub(4), start);
    let short = short == b"(b. " || short.ends_with(b"(* ");
    let cues = view.cues(start);
    if cues.has(Cue::Birth) || behind || short {
        hits.push(
            Hit::new(Entity::DateOfBirth, start..end, 90, "birth.announced")
                .because(Proof::Labelled, cues),
        );
    }
}

fn is_hexadecimal(view: &View<'_>, start: usize, end: usize) -> bool {
    view.slice(start, end).iter().all(u8::is_ascii_hexdigit)
}

/// A word of letters and digits.
#[inline(never)]
fn mixed(view: &View<'_>, start: usize, end: usize, kinds: u8, hits: &mut Vec<Hit>) -> usize {
    let length = end - start;
    if length <= 4 && matches!(view.at(end), Some(b':' | b'-')) && is_hexadecimal(view, start, end)
    {
        let on = network::hexadecimal(view, start, end, hits);
        if on > end {
            return on;
        }
    }
    if kinds & HIGH != 0
        && let Some(on) = position::degrees(view, start, hits)
    {
        return on;
    }
    if length == 5
        && view.at(end) == Some(b'~')
        && let Some(on) = credential::entra(view, start, hits)
    {
        return on;
    }
    let digits = view.slice(start, end).iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=2).contains(&digits) && digits + 2 == length {
        // `13th November 1974`.
        if let Some(date_end) = date::from_number(view, &Run::read(view.text, start), 0) {
            born(view, start, date_end, hits);
        }
    }
    if digits > 0 && digits + 1 == length && length <= 6 {
        // `12b Oak Avenue`, `Ahornstraße 12b`.
        place::before_number(view, start, hits);
        if let Some(on) = place::after_number(view, start, start + digits, hits) {
            return on;
        }
    }
    if kinds & UPPER != 0 && (2..=4).contains(&length) && view.at(end) == Some(b' ') {
        place::lettered_postcode(view, start, hits);
    }
    if length == 4 && view.at(end) == Some(b'.') {
        let on = network::dotted_hardware(view, start, hits);
        if on > end {
            return on;
        }
    }
    let known = length >= 9 || (length == 4 && kinds == UPPER | DIGIT);
    if known && length <= 80 && kinds & UNDER == 0 {
        return code::find(view, start, end, hits);
    }
    end
}

/// A run of digits.
#[inline(never)]
fn number(
    view: &View<'_>,
    start: usize,
    end: usize,
    hits: &mut Vec<Hit>,
    votes: &mut Votes,
) -> usize {
    if let Some(on) = credential_of_number(view, start, end, hits) {
        return on;
    }
    let run = Run::read(view.text, start);
    let groups = run.groups();
    let second = groups.get(1).map_or(0, |group| group.before);
    if end - start == 4 && view.at(end) == Some(b'.') {
        let on = network::dotted_hardware(view, start, hits);
        if on > end {
            return on;
        }
    }
    if end - start <= 4 && matches!(view.at(end), Some(b':' | b'-')) {
        let on = network::hexadecimal(view, start, end, hits);
        if on > end {
            return on;
        }
    }
    if let Some(on) = degrees(view, &run, start, hits) {
        return on;
    }
    if second == b'.' {
        network::version_4(view, &run, hits);
        position::position(view, &run, hits);
    }
    phone::find(view, &run, hits, votes);
    // No number of a kind has fewer than nine digits.
    let long = groups.iter().map(|group| group.length).sum::<usize>() >= 9;
    for (first, group) in groups.iter().enumerate() {
        if !run.opens(first) {
            continue;
        }
        let kinds = if long { kinds_of(group.length) } else { &[] };
        let signatures = if kinds.is_empty() { None } else { Some(run.signatures(first)) };
        for (kind, signature) in kinds {
            if signatures.as_ref().is_some_and(|known| known.of(kind.count()) == *signature) {
                known(view, &run, first, kind, hits, votes);
            }
        }
        if matches!(group.length, 1 | 2 | 4 | 8)
            && let Some(date_end) = date::from_number(view, &run, first)
        {
            born(view, group.start, date_end, hits);
        }
        if group.length == 5 && first == 0 {
            announced_postcode(view, group.start, hits);
        }
    }
    if groups.len() == 1 && end - start <= 5 {
        place::before_number(view, start, hits);
    }
    match end - start {
        1 => code::spaced_corsican(view, start, hits),
        2 if matches!(groups, [_, six, ..] if (six.length, six.before) == (6, b' ')) => {
            code::spaced_pension(view, start, hits);
        }
        8 => code::hyphenated_nif(view, start, end, hits),
        _ => {}
    }
    if (3..=6).contains(&(end - start)) {
        place::near_street(view, start, hits);
    }
    if let Some(last) = groups.last().filter(|last| last.length <= 5)
        && let Some(on) = place::after_number(view, last.start, last.start + last.length, hits)
    {
        return on;
    }
    run.end_of_all()
}

/// A number and a colon that a credential may begin with or hold. Answers where to go on.
fn credential_of_number(
    view: &View<'_>,
    start: usize,
    end: usize,
    hits: &mut Vec<Hit>,
) -> Option<usize> {
    if view.at(end) != Some(b':') {
        return None;
    }
    match end - start {
        4..=5 if view.before(start) == Some(b':') => {
            credential::passwords_of_libpq(view, start, end, hits);
            None
        }
        8..=10 => credential::telegram(view, start, end, hits),
        _ => None,
    }
}

/// `33.8688° S`, `51° 30.455'`: a position whose degrees begin here, if a mark of degrees follows.
fn degrees(view: &View<'_>, run: &Run<'_>, start: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    let first = run.groups().first()?;
    let second = run.groups().get(1).filter(|group| group.before == b'.');
    let end = second.map_or(first.start + first.length, |group| group.start + group.length);
    let mark = view.slice(end, end + 3);
    let marked = mark.starts_with(b"\xc2\xb0") || mark == b" \xc2\xb0";
    if marked { position::degrees(view, start, hits) } else { None }
}

/// Five digits that a word calls a postal code.
fn announced_postcode(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let Some(end) = place::postcode(view, start) else { return };
    let cues = view.cues(start);
    if cues.has(Cue::Postcode) {
        hits.push(
            Hit::new(Entity::Postcode, start..end, 85, "postcode.announced")
                .because(Proof::Labelled, cues),
        );
    }
}

/// The kinds of number whose first group has so many digits, with their signatures.
fn kinds_of(length: usize) -> &'static [(&'static NumberKind, u64)] {
    const MAX: usize = 20;
    static BY_LENGTH: OnceLock<Vec<Vec<(&'static NumberKind, u64)>>> = OnceLock::new();
    let kinds = BY_LENGTH.get_or_init(|| {
        let of = |length| KINDS.iter().filter(move |kind| kind.opening() == length);
        let signed = |kind: &'static NumberKind| (kind, kind.signature());
        (0..MAX).map(|length| of(length).map(signed).collect()).collect()
    });
    kinds.get(length).map_or(&[], Vec::as_slice)
}

/// A number of a kind, if the groups from one on are written and checked as it is.
fn known(
    view: &View<'_>,
    run: &Run<'_>,
    first: usize,
    kind: &NumberKind,
    hits: &mut Vec<Hit>,
    votes: &mut Votes,
) {
    const GENERAL: Cues = Cues::of(&[Cue::NationalId, Cue::Tax, Cue::Ssn]);
    let Some(groups) = run.take(first, kind.count()).filter(|groups| kind.fits(groups)) else {
        return;
    };
    let last = first + kind.count() - 1;
    let mut digits = [0; 24];
    if !run.closes(last)
        || !run.is_apart(first, kind.count())
        || !(kind.valid)(run.digits(groups, &mut digits))
    {
        return;
    }
    let Some(start) = groups.first().map(|group| group.start) else { return };
    if run.follows(first, b'+') {
        return;
    }
    let cues = view.cues(start);
    let national = kind.entity.group() == Group::National
        || matches!(kind.entity, Entity::UkNhs | Entity::AuMedicare);
    let general = if national { GENERAL } else { Cues::NONE };
    let mut score = weigh(kind.score, cues, kind.cues, general);
    // What has no check digit stands behind what has one, where a word speaks for both.
    if matches!(kind.entity, Entity::UsSsn | Entity::UsItin)
        && !cues.meets(kind.cues)
        && cues.meets(general)
    {
        score -= 10;
    }
    // A word that announces something else speaks against a number that is not sure by itself.
    if score == kind.score && !cues.is_empty() && score < 80 {
        score = score.saturating_sub(20);
    }
    if let Some(locale) = kind.locale.filter(|_| score >= 80 && kind.score >= 60) {
        votes.add(locale, 1);
    }
    let proof = match kind.entity {
        // Neither has a check digit.
        Entity::UsSsn | Entity::UsItin if cues.meets(kind.cues.and(general)) => Proof::Labelled,
        Entity::UsSsn | Entity::UsItin => Proof::Form,
        _ => Proof::Checked,
    };
    let hit = Hit::new(kind.entity, start..run.end(last), score, "number");
    hits.push(hit.because(proof, cues).of(kind.locale));
}
