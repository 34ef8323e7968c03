//! Words directly before a name that say that somebody is meant: `my name is`, `this is`, `Thanks`,
//! and the close of a letter above its signature.
//!
//! The phrases are `data/introductions.tsv`, with how much each says.

use std::sync::LazyLock;

use super::folded::{Folded, Table};
use super::number::is_word;
use super::view::View;

/// How much a phrase says of the name after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Introduced {
    /// Whatever follows is a name.
    Strongly,
    /// A name that is listed follows, or none does.
    Weakly,
}

const STRONG: u8 = 1;
const WEAK: u8 = 2;
const CLOSE: u8 = 4;
/// The last word of a phrase of more words.
const ENDS: u8 = 8;
/// The most words of a phrase.
const MAX_WORDS: usize = 3;

fn phrases() -> &'static Table<u8> {
    static PHRASES: LazyLock<Table<u8>> = LazyLock::new(|| {
        let lines = include_str!("../../data/introductions.tsv").lines();
        let rows = lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (phrase, kind) = line.split_once('\t')?;
            let bit = match kind {
                "strong" => STRONG,
                "weak" => WEAK,
                _ => CLOSE,
            };
            let last = phrase.rsplit(' ').next().filter(|last| last.len() < phrase.len());
            let last = last.map(|last| (Folded::of(last.as_bytes()), ENDS));
            Some([Some((Folded::of(phrase.as_bytes()), bit)), last].into_iter().flatten())
        });
        Table::from_rows(rows.flatten())
    });
    &PHRASES
}

/// The first letters and lengths of the last words of phrases: a filter, not the answer.
fn may_end(word: &[u8]) -> bool {
    static LENGTHS: LazyLock<[u32; 32]> = LazyLock::new(|| {
        let mut lengths = [0; 32];
        let lines = include_str!("../../data/introductions.tsv").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let phrase = line.split('\t').next().unwrap_or("");
            for word in phrase.rsplit(' ').take(1).chain([phrase]) {
                let first = word.bytes().next().unwrap_or(0) & 31;
                // Marks make a word longer than its folded form.
                let length = word.len().min(24);
                lengths[usize::from(first)] |= 7 << length;
            }
        }
        lengths
    });
    let first = word.first().map_or(0, |first| first & 31);
    LENGTHS[usize::from(first)] >> word.len().min(26) & 1 == 1
        || word.first().is_some_and(|first| *first >= 0x80)
}

/// What stands directly before a name that begins at a place.
pub(super) fn before(view: &View<'_>, start: usize) -> Option<Introduced> {
    if matches!(view.before(start.saturating_sub(1)), Some(b'0'..=b'9' | b']'))
        && speaks(view, start)
    {
        return Some(Introduced::Strongly);
    }
    let (end, line) = match view.before(start) {
        Some(b' ') => (start - 1, false),
        Some(b'\n') => (start - 1, true),
        _ => return None,
    };
    let end = match view.before(end) {
        Some(b'\r') if line => end - 1,
        _ => end,
    };
    let end = match view.before(end) {
        Some(b',') => end - 1,
        Some(b':' | b'!') if !line => end - 1,
        _ => end,
    };
    let mut words: [&[u8]; MAX_WORDS] = [&[]; MAX_WORDS];
    let mut at = end;
    let mut found = 0;
    for count in 0..MAX_WORDS {
        let before = view.slice(at.saturating_sub(16), at);
        let inside = |byte: &&u8| is_word(**byte) || matches!(byte, b'\'' | b'-');
        let length = before.iter().rev().take_while(inside).count();
        // A longer word, or none, is no part of a phrase.
        if length == 0 || (length == before.len() && at > length) {
            break;
        }
        let word = view.slice(at - length, at);
        words[MAX_WORDS - 1 - count] = word;
        if count == 0 && !may_end(word) {
            break;
        }
        // `I'm`, not the German `Im`.
        if word.eq_ignore_ascii_case(b"im") {
            break;
        }
        let bits = phrases().get(folded(&words[MAX_WORDS - 1 - count..])).unwrap_or(0);
        found |= bits & !ENDS;
        at -= length;
        if (count == 0 && bits & ENDS == 0) || view.before(at) != Some(b' ') {
            break;
        }
        at -= 1;
    }
    match (line, found) {
        (true, found) if found & CLOSE != 0 => Some(Introduced::Strongly),
        (false, found) if found & STRONG != 0 => Some(Introduced::Strongly),
        (false, found) if found & WEAK != 0 => Some(Introduced::Weakly),
        _ => None,
    }
}

/// Whether a word introduces by itself and so is no name: `Hola`, `Thanks`.
pub(super) fn is_one(word: &[u8]) -> bool {
    word.len() <= 16
        && may_end(word)
        && phrases().get(Folded::of(word)).is_some_and(|bits| bits & !ENDS != 0)
}

/// Whether a name at a place speaks in a chat: only a time stands before it on its line, and a colon
/// comes after it.
fn speaks(view: &View<'_>, start: usize) -> bool {
    let before = view.slice(start.saturating_sub(24), start);
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lead = before.get(line..).unwrap_or(&[]);
    let digits = lead.iter().filter(|byte| byte.is_ascii_digit()).count();
    let time = lead.iter().all(|byte| byte.is_ascii_digit() || b"[]():.-/ ".contains(byte));
    let colon = lead.contains(&b':');
    let after = view.slice(start, start + 48);
    let name = after.iter().take_while(|byte| is_word(**byte) || b" .'-".contains(byte)).count();
    digits >= 3 && time && colon && after.get(name..).is_some_and(|rest| rest.starts_with(b": "))
}

fn folded(words: &[&[u8]]) -> Folded {
    let mut folded = Folded::EMPTY;
    for word in words {
        folded.push(word);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn whoever_is_introduced_is_found() {
        for (text, name) in [
            ("Hi team, this is Carla Ivanova from payroll", "Carla Ivanova"),
            ("I'm Oyelaran Adebayo, calling about", "Oyelaran Adebayo"),
            ("je m'appelle Solène Guilloux et", "Solène Guilloux"),
            ("Mi chiamo Ottavio Zangrillo, nato", "Ottavio Zangrillo"),
            ("nazywam się Bogumiła Szczepańska, tel", "Bogumiła Szczepańska"),
            ("meu nome é Thiago Nascimbeni, sou", "Thiago Nascimbeni"),
            ("u spreekt met Marieke Hoogland.", "Marieke Hoogland"),
            ("Kind regards,\nPriscilla Amoah\n", "Priscilla Amoah"),
            ("Best,\nMatilda\n", "Matilda"),
            ("Thanks Brigitte, that worked.", "Brigitte"),
            ("Hallo Wiebke, kannst du", "Wiebke"),
            ("My daughter Rosalind is allergic", "Rosalind"),
            ("ask Beatrix about the keys", "Beatrix"),
            ("23:20 Venkatesh Kurian: it rains\n", "Venkatesh Kurian"),
            ("[12:25] Suresh: the feed is up\n", "Suresh"),
            ("Hola, Begoña: ya está", "Begoña"),
            ("customer=\"Navarro Lorca, Bernabé\" x", "Navarro Lorca, Bernabé"),
            ("the list of Mary-Kate Rutherford.", "Mary-Kate Rutherford"),
        ] {
            found(text, "PERSON", name);
        }
    }

    #[test]
    fn other_things_are_introduced_too() {
        for text in [
            "this is Apache Kafka and",
            "Hi All, thanks Everyone",
            "the talk by Google Cloud",
            "Thanks\nThe rest",
            "according to Kubernetes Docs",
            "from Monday on, by Linux",
            "Hello World",
        ] {
            nothing(text);
        }
    }
}
