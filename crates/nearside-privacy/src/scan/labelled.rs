//! Values without a form of their own, which a word announces: `passport no. C78727052`,
//! `user kare_stone16`, `password = "..."`, a column `surname`.

use super::account_name;
use super::cue::{self, Cue, Cues};
use super::date;
use super::entity::Entity;
use super::finding::{Hit, Proof};
use super::number::{Run, is_word};
use super::password;
use super::person;
use super::place;
use super::position;
use super::view::View;

/// Words that may stand between a label and its value.
const FILLERS: [&[u8]; 41] = [
    b"no",
    b"number",
    b"nr",
    b"num",
    b"id",
    b"is",
    b"was",
    b"of",
    b"code",
    b"the",
    b"nummer",
    b"numero",
    b"n",
    b"ref",
    b"reference",
    b"called",
    b"named",
    b"no.",
    b"nr.",
    b"es",
    b"ist",
    b"est",
    b"lautet",
    "n.\u{ba}".as_bytes(),
    "n.\u{b0}".as_bytes(),
    "n\u{ba}".as_bytes(),
    "n\u{b0}".as_bytes(),
    b"nr.\xc2\xba",
    b"num.",
    b"provisoire",
    b"provisional",
    b"provvisoria",
    b"provisoria",
    "provis\u{f3}ria".as_bytes(),
    b"temporary",
    b"temporal",
    b"temporaire",
    b"temporanea",
    "tempor\u{e1}ria".as_bytes(),
    b"tymczasowe",
    b"tijdelijk",
];
/// Fillers after which nothing but the value comes.
const COPULAS: [&[u8]; 6] = [b"is", b"was", b"es", b"ist", b"est", b"lautet"];
/// The most bytes of a value.
const MAX_VALUE: usize = 256;

/// A value after a word that announces one, in running text.
pub(super) fn after_word(view: &View<'_>, start: usize, word_end: usize, hits: &mut Vec<Hit>) {
    if !cue::may_announce(view.slice(start, word_end)) {
        return;
    }
    let mut cues = cue::of_key(view.slice(line_start(view, start), word_end));
    if cues.is_empty() {
        return;
    }
    let (mut at, mut copula) = (word_end, false);
    for _ in 0..4 {
        let gap = view
            .slice(at, at + 6)
            .iter()
            .take_while(|byte| b" .:#\xc2\xb0\xba".contains(byte))
            .count();
        // `handle.open`, `pass.rs`: a point without a blank joins names of code.
        if view.slice(at, at + gap) == b"." {
            return;
        }
        copula |= view.slice(at, at + gap).contains(&b':');
        let next = at + gap;
        if gap > 0 && quoted(view, next, cues, hits) {
            return;
        }
        let end = end_of_token(view, next);
        let word = view.slice(next, end);
        if gap == 0 || word.is_empty() {
            return;
        }
        let end = if cues.has(Cue::Password) { end_of_value(view, next) } else { end };
        let word = view.slice(next, end);
        // `provisional: ...`.
        let (word, end) = match word {
            [inner @ .., b':'] if cues.has(Cue::Password) => (inner, end - 1),
            _ => (word, end),
        };
        let filler = FILLERS.iter().any(|filler| filler.eq_ignore_ascii_case(word));
        let more = if filler { Cues::NONE } else { cue::of_key(word) };
        if !filler && !more.meets(cue::FORWARD) {
            if cues.meets(cue::FORWARD) {
                let stated = copula || (cues.has(Cue::User) && is_stated(view, start, end));
                let certainty = if stated { Certainty::Stated } else { Certainty::Prose };
                value(view, next, end, cues, certainty, hits);
            }
            return;
        }
        copula |= COPULAS.iter().any(|known| known.eq_ignore_ascii_case(word));
        if !filler {
            cues = more;
        }
        at = end;
    }
}

/// Whether an account is named here, not any user: `as user X`, `user X, password ...`.
fn is_stated(view: &View<'_>, word: usize, end: usize) -> bool {
    let joint = view.slice(end, end + 2);
    let password = joint == b", " && {
        let rest = view.slice(end + 2, end + 18);
        let first = rest.split(|byte| !is_word(*byte)).next().unwrap_or(&[]);
        cue::of_key(first).has(Cue::Password) || rest.starts_with(b"mot de passe")
    };
    password || view.slice(word.saturating_sub(3), word) == b"as "
}

/// `user "liesbeth78u"`: a word between quotes after the word that announces it.
fn quoted(view: &View<'_>, at: usize, cues: Cues, hits: &mut Vec<Hit>) -> bool {
    let Some(quote @ (b'"' | b'\'')) = view.at(at) else { return false };
    let end = closing(view, at + 1, quote);
    let word = view.slice(at + 1, end);
    if word.is_empty() || word.len() > 64 || word.iter().any(u8::is_ascii_whitespace) {
        return true;
    }
    value(view, at + 1, end, cues, Certainty::Assigned, hits);
    true
}

/// Where the words begin that may be part of a label which ends with a word.
fn line_start(view: &View<'_>, at: usize) -> usize {
    let floor = at.saturating_sub(24);
    let before = view.slice(floor, at).iter().rposition(|byte| !is_word(*byte) && *byte != b' ');
    before.map_or(floor, |back| floor + back + 1)
}

fn end_of_token(view: &View<'_>, start: usize) -> usize {
    let inside = |byte: &u8| {
        is_word(*byte)
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'&' | b'$' | b'@' | b'*' | b'+')
    };
    let rest = view.slice(start, start + MAX_VALUE);
    let mut end = start + rest.iter().take_while(|byte| inside(byte)).count();
    while end > start && view.before(end).is_some_and(|byte| matches!(byte, b'.' | b'-')) {
        end -= 1;
    }
    end
}

/// How the value is bounded, and so how much is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certainty {
    /// A word of running text.
    Prose,
    /// A word of running text of which the text says that it is the value: `the password is ...`.
    Stated,
    /// What follows `key=` without quotes.
    Assigned,
    /// A whole cell, or a string between quotes.
    Whole,
}

/// A value after `key:` or `key=`, from the sign on; keys may be quoted. Answers where to go on.
pub(super) fn after_sign(view: &View<'_>, sign: usize, hits: &mut Vec<Hit>) -> usize {
    let on = sign + 1;
    let blanks = view.slice(on, on + 2).iter().take_while(|byte| **byte == b' ').count();
    let mut at = on + blanks;
    let Some(opening) = view.at(at) else { return on };
    let quote = matches!(opening, b'"' | b'\'').then_some(opening);
    let key_end = match view.before(sign) {
        Some(b'"' | b'\'') => sign - 1,
        Some(b' ') => sign - 1,
        // `Patient account (MRN): ...`.
        Some(b')') => sign - 1,
        Some(byte) if is_word(byte) || byte == b']' => sign,
        _ => return on,
    };
    if !(quote.is_some() || is_word(opening) || b"+-*!$%&(".contains(&opening)) {
        return on;
    }
    if !cue::may_end(view.slice(key_end.saturating_sub(24), key_end)) {
        return on;
    }
    let cues = cue::of_key(key(view, key_end));
    if cues.is_empty() {
        return on;
    }
    let (end, certainty) = match quote {
        Some(quote) => {
            at += 1;
            (closing(view, at, quote), Certainty::Whole)
        }
        None if cues.meets(WORDS) => (end_of_line(view, at), Certainty::Assigned),
        // `?user=quayle.f&next=/`.
        None if cues.has(Cue::User) => {
            let end = end_of_value(view, at);
            let parameter = view.slice(at, end).iter().position(|byte| *byte == b'&');
            (parameter.map_or(end, |length| at + length), Certainty::Assigned)
        }
        None => (end_of_value(view, at), Certainty::Assigned),
    };
    let bare = certainty == Certainty::Assigned;
    if end > at && !(bare && is_code(view, at, end)) {
        value(view, at, end, cues, certainty, hits);
    }
    on
}

/// Whether what follows a sign without quotes is code: a type, a call, an element, a variable that
/// is given a value in turn.
fn is_code(view: &View<'_>, start: usize, end: usize) -> bool {
    let text = view.slice(start, end);
    let reference =
        matches!(text, [b'&' | b'*', rest @ ..] if rest.iter().all(u8::is_ascii_alphabetic));
    let text = text.strip_prefix(b"&").or(text.strip_prefix(b"*")).unwrap_or(text);
    if reference || text.starts_with(b"self.") || text.starts_with(b"this.") {
        return true;
    }
    let name = |byte: &&u8| byte.is_ascii_alphabetic() || b"_.:".contains(byte);
    let length = text.iter().take_while(name).count();
    let next = text.get(length).copied().or_else(|| view.at(end)).unwrap_or(0);
    let after = view.slice(end, end + 3);
    let whole = length == text.len();
    let opens = length > 0
        && (b"[<(".contains(&next)
            || text.get(length..).is_some_and(|rest| rest.starts_with(b"![")));
    opens || (whole && (after == b" = " || after.starts_with(b" {"))) || text.starts_with(b"[")
}

/// The text of an element, `<phone>..</phone>`, whose tag announces it. Answers where to go on.
pub(super) fn after_tag(view: &View<'_>, close: usize, hits: &mut Vec<Hit>) -> usize {
    let floor = close.saturating_sub(48);
    let before = view.slice(floor, close);
    let Some(open) = before.iter().rposition(|byte| *byte == b'<') else { return close + 1 };
    let name = before.get(open + 1..).unwrap_or(&[]);
    let name = name.split(|byte| *byte == b' ').next().unwrap_or(&[]);
    let arrow = before.last().is_some_and(|byte| matches!(byte, b'-' | b'='));
    let tag = name.first().is_some_and(u8::is_ascii_alphabetic)
        && !arrow
        && !before.get(open..).is_some_and(|tag| tag.contains(&b'\n'));
    let rest = view.slice(close + 1, close + 1 + MAX_VALUE);
    let length = rest.iter().position(|byte| matches!(byte, b'<' | b'\n')).unwrap_or(0);
    if tag && length > 0 && rest.first() != Some(&b'|') {
        let cues = cue::of_key(name);
        if !cues.is_empty() {
            value(view, close + 1, close + 1 + length, cues, Certainty::Whole, hits);
        }
    }
    close + 1
}

/// Cues whose values are words with blanks between.
const WORDS: Cues = Cues::of(&[Cue::Name, Cue::Given, Cue::Family, Cue::Address]);

/// The key that ends at a place: a word with what joins its parts, or words between quotes.
fn key<'a>(view: &View<'a>, end: usize) -> &'a [u8] {
    let floor = end.saturating_sub(64);
    let before = view.slice(floor, end);
    let quoted = matches!(view.at(end), Some(b'"' | b'\''));
    let inside = |byte: &&u8| is_word(**byte) || matches!(byte, b'-' | b'.') || (**byte == b' ');
    let length = before.iter().rev().take_while(|byte| match quoted {
        true => !matches!(byte, b'"' | b'\''),
        false => inside(byte),
    });
    view.slice(end - length.count(), end)
}

fn closing(view: &View<'_>, start: usize, quote: u8) -> usize {
    let rest = view.slice(start, start + MAX_VALUE + 1);
    let mut escaped = false;
    for (index, byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\n' => return start,
            byte if *byte == quote => return start + index,
            _ => {}
        }
    }
    start
}

fn end_of_line(view: &View<'_>, start: usize) -> usize {
    let rest = view.slice(start, start + 96);
    let stop = |byte: &u8| matches!(byte, b'\n' | b'\r' | b';' | b'|' | b'<' | b'{' | b'(' | b'"');
    let mut end = start + rest.iter().position(stop).unwrap_or(rest.len());
    while end > start && view.before(end) == Some(b' ') {
        end -= 1;
    }
    end
}

fn end_of_value(view: &View<'_>, start: usize) -> usize {
    let rest = view.slice(start, start + MAX_VALUE);
    let stop = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'"' | b'\'' | b';' | b',' | b'<' | b'>' | b')' | b']' | b'}')
    };
    let end = start + rest.iter().position(stop).unwrap_or(rest.len());
    match view.before(end) {
        Some(b'.') if end > start + 1 => end - 1,
        _ => end,
    }
}

/// A whole value whose label is known.
pub(super) fn value(
    view: &View<'_>,
    start: usize,
    end: usize,
    cues: Cues,
    certainty: Certainty,
    hits: &mut Vec<Hit>,
) {
    let text = view.slice(start, end);
    if text.is_empty() || text.len() > MAX_VALUE || password::is_placeholder(text) {
        return;
    }
    let whole = certainty == Certainty::Whole;
    if cues.has(Cue::Address) && address(text, whole) {
        whole_address(view, start, end, cues, hits);
    }
    let mut add = |entity, score, rule| {
        hits.push(Hit::new(entity, start..end, score, rule).because(Proof::Labelled, cues));
    };
    if cues.meets(Cues::of(&[Cue::Name, Cue::Given, Cue::Family]))
        && person::is_whole(view, start, end, cues)
    {
        add(Entity::Person, if whole { 97 } else { 88 }, "name.labelled");
    }
    if cues.has(Cue::Postcode) && place::postcode(view, start) == Some(end) {
        add(Entity::Postcode, 88, "postcode.labelled");
    }
    if cues.has(Cue::Mrn) && numbered(text, 5, 12) {
        add(Entity::Mrn, 85, "mrn.labelled");
    }
    if cues.has(Cue::Passport) && passport(text) {
        add(Entity::Passport, 85, "passport.labelled");
    }
    if cues.has(Cue::DriverLicence) && licence(text) {
        add(Entity::DriverLicence, 80, "driver-licence.labelled");
    }
    if cues.has(Cue::Plate) && plate(text) {
        add(Entity::LicencePlate, 75, "licence-plate.labelled");
    }
    if cues.has(Cue::Account) && account(text, certainty) {
        add(Entity::BankAccount, 60, "bank-account.labelled");
    }
    if cues.has(Cue::User) && account_name::is_one(text, certainty) {
        add(Entity::Username, 70, "username.labelled");
    }
    if cues.meets(Cues::of(&[Cue::Password, Cue::Token]))
        && let Some((entity, rule)) = password::judge(text, cues, certainty)
    {
        add(entity, 75, rule);
    }
    if cues.has(Cue::Birth) {
        birth(view, start, hits);
    }
    if cues.has(Cue::Phone) && (whole || certainty == Certainty::Assigned) {
        whole_phone(view, start, end, cues, hits);
    }
    if cues.has(Cue::Geo) {
        position::coordinate(view, start, end, certainty != Certainty::Prose, hits);
    }
}

/// An address, and the code of its town as a finding of its own; the town is none.
fn whole_address(view: &View<'_>, start: usize, end: usize, cues: Cues, hits: &mut Vec<Hit>) {
    let (street, code) = match place::cut(view, start, end) {
        Some((street, code)) => (street, Some(code)),
        None => (end, None),
    };
    let address = Hit::new(Entity::Address, start..street, 80, "address.labelled");
    let code = code.map(|code| Hit::new(Entity::Postcode, code, 80, "postcode.labelled"));
    hits.extend(
        [Some(address), code].into_iter().flatten().map(|hit| hit.because(Proof::Labelled, cues)),
    );
}

/// A number under a column of telephone numbers, however it is written.
fn whole_phone(view: &View<'_>, start: usize, end: usize, cues: Cues, hits: &mut Vec<Hit>) {
    let text = view.slice(start, end);
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let sound = text.iter().all(|byte| byte.is_ascii_digit() || b" +-./()x".contains(byte))
        && !text.starts_with(b"0x");
    // `phone: 4154182077`: without quotes a number has to be long enough to be no count.
    let least = if view.before(start).is_some_and(|byte| byte.is_ascii_digit()) { 16 } else { 7 };
    let bare = matches!(view.before(start), Some(b' ' | b':' | b'='));
    let least = if bare { 9 } else { least };
    if sound && (least..=15).contains(&digits) && text.iter().any(u8::is_ascii_digit) {
        let hit = Hit::new(Entity::Phone, start..end, 80, "phone.labelled");
        hits.push(hit.because(Proof::Labelled, cues));
    }
}

/// A date at the start of a value.
fn birth(view: &View<'_>, start: usize, hits: &mut Vec<Hit>) {
    let end = match view.at(start) {
        Some(byte) if byte.is_ascii_digit() => {
            date::from_number(view, &Run::read(view.text, start), 0)
        }
        _ => date::from_month(view, start, person::end_of_word(view, start)),
    };
    if let Some(end) = end {
        let hit = Hit::new(Entity::DateOfBirth, start..end, 90, "birth.labelled");
        hits.push(hit.because(Proof::Labelled, Cues::of(&[Cue::Birth])));
    }
}

fn address(text: &[u8], whole: bool) -> bool {
    let digits = text.iter().any(u8::is_ascii_digit);
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let opens = text.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    whole
        && digits
        && letters >= 4
        && opens
        && !text.iter().any(|byte| b"`{}[]<>\\$".contains(byte))
        && text.contains(&b' ')
        && !text.contains(&b'@')
        && !text.contains(&b'=')
}

/// Letters, then digits: as many as said, with at most four letters before.
fn numbered(text: &[u8], least: usize, most: usize) -> bool {
    let sound = text
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-'));
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = text.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    sound && (least..=most).contains(&digits) && letters <= digits.max(5) && text.len() <= most + 6
}

/// As numbers of passports are: six to ten capitals and digits.
fn passport(text: &[u8]) -> bool {
    let sound = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    // German ones are nine letters and digits without vowels, of which most may be letters.
    let least = if text.len() == 9 { 1 } else { 3 };
    text.iter().all(sound) && digits >= least && (6..=10).contains(&text.len())
}

/// As numbers of bank accounts are; in running text as long as little else is.
fn account(text: &[u8], certainty: Certainty) -> bool {
    let least = if matches!(certainty, Certainty::Prose) { 8 } else { 6 };
    text.iter().all(u8::is_ascii_digit) && (least..=18).contains(&text.len())
}

/// As numbers of driving licences are: capitals and at least four digits.
fn licence(text: &[u8]) -> bool {
    let sound = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'-';
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    text.iter().all(sound) && digits >= 4 && (6..=20).contains(&text.len())
}

fn plate(text: &[u8]) -> bool {
    let sound = text.iter().all(|byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b' ')
    });
    let digits = text.iter().any(u8::is_ascii_digit);
    let letters = text.iter().any(u8::is_ascii_uppercase);
    sound && digits && letters && (4..=11).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn values_are_known_by_their_label() {
        found("Passport no. C78727052 was", "PASSPORT", "C78727052");
        found("passport number: 130412859.", "PASSPORT", "130412859");
        found("on the ward; MRN MRN-40814958.", "MRN", "MRN-40814958");
        found("medical record number H45065649,", "MRN", "H45065649");
        found("user kare_stone16 opened", "USERNAME", "kare_stone16");
        found("{\"username\": \"bob\"}", "USERNAME", "bob");
        found("password: hunter2!x\n", "PASSWORD", "hunter2!x");
        found("export TOKEN=fcjCEe%8eEqZ\n", "PASSWORD", "fcjCEe%8eEqZ");
        found("db_password = \"Tr0ub4dor&3\"", "PASSWORD", "Tr0ub4dor&3");
        found("{\"surname\": \"Quxley\"}", "PERSON", "Quxley");
        let row = "INSERT INTO p (full_name) VALUES ('Omar O\\'Neil');";
        found(row, "PERSON", "Omar O\\'Neil");
        found("Driving licence MORGA657054SM9IJ of", "DRIVER_LICENCE", "MORGA657054SM9IJ");
    }

    #[test]
    fn code_that_speaks_of_passwords_holds_none() {
        for text in [
            "password = getpass.getpass()",
            "let token = tokenizer.next_token();",
            "token: Option<String>,",
            "eos_token = \"</s>\"",
            "password=$PASSWORD",
            "PASSWORD=<your-token-here>",
            "user interface",
            "the user data.csv file",
            "pass the 3 arguments",
            "max_new_tokens: 4096",
            "\"name\": \"support-assistant\"",
            "public key 1234567",
        ] {
            nothing(text);
        }
    }
}
