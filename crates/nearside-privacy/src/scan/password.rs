//! Whether a value that a label calls a password or key may be one: what no word, form or name of
//! code looks like.

use super::cue::{Cue, Cues};
use super::entity::Entity;
use super::labelled::Certainty;
use super::secret::is_random;

/// A password or key, where its label says so: what no word or name of code looks like.
pub(super) fn judge(
    text: &[u8],
    cues: Cues,
    certainty: Certainty,
) -> Option<(Entity, &'static str)> {
    let kinds = [
        text.iter().any(u8::is_ascii_lowercase),
        text.iter().any(u8::is_ascii_uppercase),
        text.iter().any(u8::is_ascii_digit),
        text.iter().any(|byte| byte.is_ascii_punctuation() && !matches!(byte, b'_' | b'-' | b'.')),
    ];
    let blanks = text.iter().any(u8::is_ascii_whitespace);
    let count = kinds.iter().filter(|kind| **kind).count();
    let code =
        text.windows(2).any(|two| matches!(two, b"()" | b"::" | b"->" | b"${" | b"{{" | b"[\""))
            || text.contains(&b'(')
            || (blanks && !is_phrase(text, cues, certainty));
    let body = text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(byte));
    let key = body && text.len() >= 20 && kinds[2] && is_random(text) && !text.contains(&b'.');
    if code
        || text.starts_with(b"<")
        || text.ends_with(b":")
        || (certainty == Certainty::Prose && text.iter().any(|byte| b"=`\\".contains(byte)))
        || text.starts_with(b"[")
        || is_form(text)
        || text.starts_with(b"$")
        || text.starts_with(b"/")
    {
        return None;
    }
    let password = match certainty {
        Certainty::Whole if cues.has(Cue::Password) => text.len() >= 6 && (count >= 2 || blanks),
        Certainty::Whole => text.len() >= 8 && count >= 3,
        Certainty::Assigned if cues.has(Cue::Password) => {
            text.len() >= 6 && count >= 2 && (kinds[2] || kinds[3])
        }
        // `the password is orbit-pickle-67`.
        Certainty::Stated if cues.has(Cue::Password) => {
            text.len() >= 6 && count >= 2 && (kinds[2] || kinds[3])
        }
        // `Kennwort orbit-pickle-67`: words joined to what no word has at its end.
        Certainty::Prose if cues.has(Cue::Password) && ends_in_digits(text) => {
            text.len() >= 8 && (count >= 3 || text.iter().any(|byte| matches!(byte, b'-' | b'_')))
        }
        _ => text.len() >= 8 && count >= 3 && (kinds[2] || kinds[3]),
    };
    match (key, password) {
        (true, _) if cues.has(Cue::Token) || text.len() >= 32 => {
            Some((Entity::ApiKey, "key.labelled"))
        }
        (_, true) => Some((Entity::Password, "password.labelled")),
        _ => None,
    }
}

fn ends_in_digits(text: &[u8]) -> bool {
    text.iter().rev().take(2).all(u8::is_ascii_digit)
}

/// Whether words with blanks between are a phrase to open something with, not a sentence about one:
/// between quotes, without the small words of sentences, with a digit or enough words.
fn is_phrase(text: &[u8], cues: Cues, certainty: Certainty) -> bool {
    const SMALL: [&[u8]; 52] = [
        b"a",
        b"an",
        b"the",
        b"is",
        b"are",
        b"was",
        b"be",
        b"must",
        b"should",
        b"can",
        b"not",
        b"no",
        b"your",
        b"you",
        b"my",
        b"of",
        b"to",
        b"for",
        b"and",
        b"or",
        b"in",
        b"at",
        b"with",
        b"by",
        b"please",
        b"enter",
        b"password",
        b"passwords",
        b"token",
        b"characters",
        b"least",
        b"has",
        b"das",
        b"der",
        b"die",
        b"ist",
        b"und",
        b"ein",
        b"bitte",
        b"zeichen",
        b"le",
        b"la",
        b"de",
        b"votre",
        b"passe",
        b"tu",
        b"su",
        b"el",
        b"il",
        b"het",
        b"een",
        b"van",
    ];
    if !cues.has(Cue::Password) || certainty != Certainty::Whole || text.len() > 64 {
        return false;
    }
    let words = || text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let small = |word: &[u8]| SMALL.iter().any(|known| known.eq_ignore_ascii_case(word));
    let digits = text.iter().any(u8::is_ascii_digit);
    !words().any(small)
        && !text.contains(&b':')
        && ((digits && words().count() >= 2) || words().count() >= 4)
}

/// Whether a text only shows how something is written: `DD/MM/YYYY`, `user@<host>`.
fn is_form(text: &[u8]) -> bool {
    let letters = || text.iter().filter(|byte| byte.is_ascii_alphabetic());
    let dates = letters().all(|byte| b"DMYHS".contains(byte)) && text.contains(&b'/');
    let gap = text.contains(&b'<') && text.ends_with(b">");
    dates || gap
}

/// Values that stand for another one.
pub(super) fn is_placeholder(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 20] = [
        b"none",
        b"null",
        b"nil",
        b"true",
        b"false",
        b"todo",
        b"n/a",
        b"na",
        b"unknown",
        b"undefined",
        b"example",
        b"password",
        b"secret",
        b"token",
        b"changeme",
        b"redacted",
        b"string",
        b"test",
        b"your",
        b"str",
    ];
    let first = text.first().copied().unwrap_or(0);
    text.iter().all(|byte| byte.eq_ignore_ascii_case(&first))
        || text
            .iter()
            .all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'-' | b'.' | b'#' | b' ' | b'0'))
        || text.starts_with(b"<") && text.ends_with(b">")
        || text.starts_with(b"${")
        || text.starts_with(b"{{")
        || text.to_ascii_lowercase().starts_with(b"your")
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}
