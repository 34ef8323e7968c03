//! Names of people: listed names that stand together, and what a title or label announces.

use super::cue::{self, Cue, Cues};
use super::entity::{Entity, Votes};
use super::finding::{Hit, Proof, SURE};
use super::gazetteer::{self, Names};
use super::introduction::{self, Introduced};
use super::number::is_word;
use super::view::View;

/// The most words of a name.
const MAX_PARTS: usize = 6;
/// Words within a name that are written small.
const PARTICLES: [&[u8]; 24] = [
    b"de", b"del", b"della", b"di", b"da", b"das", b"do", b"dos", b"van", b"von", b"der", b"den",
    b"ten", b"ter", b"zu", b"zur", b"la", b"le", b"el", b"al", b"bin", b"y", b"e", b"du",
];
const ANNOUNCED: Cues = Cues::of(&[Cue::Name, Cue::Person, Cue::Given, Cue::Family]);

/// One word of what may be a name.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    start: usize,
    end: usize,
    names: Names,
    initial: bool,
    capitals: bool,
}

/// Words that begin with capitals, one blank apart, as they may make a name.
struct Parts {
    parts: [Part; MAX_PARTS],
    count: usize,
    /// The part after which a comma stands: a family name that comes first.
    comma: Option<usize>,
    /// A particle stands within.
    particle: bool,
}

/// A name that begins with a capitalised word; answers where to go on.
pub(super) fn find(
    view: &View<'_>,
    at: usize,
    word_end: usize,
    hits: &mut Vec<Hit>,
    votes: &mut Votes,
) -> usize {
    if !begins_name(view, at, word_end) {
        return word_end;
    }
    let introduced = introduction::before(view, at);
    if (is_alone(view, at, word_end) && introduced.is_none())
        || introduction::is_one(view.slice(at, word_end))
    {
        return word_end;
    }
    let parts = read(view, at, word_end);
    let opened = match (opening(view, &parts), introduced) {
        (Some((0, Announced::Not)) | None, Some(how)) => Some((0, Announced::Introduced(how))),
        (opened, _) => opened,
    };
    let Some((first, mut announced)) = opened else { return word_end };
    let names = parts.get(first);
    let inverted = parts.is_inverted(first);
    if parts.comma.is_some() && !inverted {
        return word_end;
    }
    // `Kavya Raghunathan <kavya@...>`: whose address it is.
    let end = names.last().map_or(word_end, |last| last.end);
    if announced == Announced::Not && begins_address(view, end) {
        announced = Announced::Introduced(Introduced::Strongly);
    }
    let written = Written { inverted, particle: parts.particle };
    let mut judged = judge(view, names, written, announced);
    if first == 0 && judged.is_none_or(|(score, _)| score < SURE) {
        // What stands before it is asked only where it is not sure by itself.
        announced = Announced::by(view.cues(at));
        judged = judge(view, names, written, announced);
    }
    let Some((score, proof)) = judged.filter(|(score, _)| *score >= SURE) else { return word_end };
    for part in names {
        if let Some(country) = part.names.country() {
            votes.add(country, 1);
        }
    }
    let (Some(start), Some(last)) = (names.first(), names.last()) else { return word_end };
    let plain = announced == Announced::Not;
    let cues = if plain { Cues::NONE } else { view.cues(at) };
    let start = if inverted { with_particles(view, start.start) } else { start.start };
    let rule = if plain { "name.listed" } else { "name.announced" };
    hits.push(Hit::new(Entity::Person, start..last.end, score, rule).because(proof, cues));
    last.end
}

/// Whether no name can come of a word: nothing with a capital follows it, and no title precedes it.
fn is_alone(view: &View<'_>, start: usize, end: usize) -> bool {
    let gap = match (view.at(end), view.at(end + 1)) {
        (Some(b' '), _) => 1,
        (Some(b',' | b'.'), Some(b' ')) => 2,
        _ => 0,
    };
    let next = view.at(end + gap).unwrap_or(0);
    let follows = gap > 0
        && match next {
            b'A'..=b'Z' | 0xc3.. => true,
            b'a'..=b'z' => {
                let word = view.slice(end + gap, end + gap + 6);
                let length = word.iter().position(|byte| *byte == b' ').unwrap_or(0);
                is_particle(word.get(..length).unwrap_or(&[]))
            }
            _ => false,
        };
    let titled = view.before(start) == Some(b' ') && {
        let point = usize::from(start > 1 && view.at(start - 2) == Some(b'.'));
        let title_end = start - 1 - point;
        let title = view.slice(title_end.saturating_sub(12), title_end);
        let length = title.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let title = view.slice(title_end - length, title_end);
        (2..=12).contains(&length) && cue::of_key(title).has(Cue::Title)
    };
    !follows && !titled
}

/// Whether an address of mail between angle brackets begins here.
fn begins_address(view: &View<'_>, end: usize) -> bool {
    let rest = view.slice(end, end + 80);
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    rest.starts_with(b" <")
        && rest.iter().take_while(|byte| **byte != b'>').any(|byte| *byte == b'@')
}

impl Parts {
    /// Whether family names stand first: one, or two of a double name, then a comma.
    fn is_inverted(&self, first: usize) -> bool {
        let Some(comma) = self.comma else { return false };
        let family = |part: &Part| {
            !part.names.is_given() && (part.names.is_family() || !part.names.is_name())
        };
        comma == first
            || (comma == first + 1
                && self.parts.get(first..=comma).is_some_and(|parts| parts.iter().all(family))
                && self.parts.get(comma + 1).is_some_and(|part| part.names.is_given()))
    }

    fn get(&self, from: usize) -> &[Part] {
        self.parts.get(from..self.count).unwrap_or(&[])
    }
}

fn read(view: &View<'_>, at: usize, word_end: usize) -> Parts {
    let mut parts =
        Parts { parts: [Part::default(); MAX_PARTS], count: 0, comma: None, particle: false };
    let (mut start, mut end) = (at, word_end);
    while let Some(place) = parts.parts.get_mut(parts.count) {
        let word = view.slice(start, end);
        // `De Santis`: one word of two.
        let joined = end_of_word(view, end + 1);
        if is_particle(word) && view.at(end) == Some(b' ') && begins_name(view, end + 1, joined) {
            let names = gazetteer::look_up_joined(view.slice(end + 1, joined));
            parts.particle = parts.count > 0;
            *place = Part { start, end: joined, names, initial: false, capitals: false };
            parts.count += 1;
            if view.at(joined) != Some(b' ')
                && !(view.at(joined) == Some(b',') && view.at(joined + 1) == Some(b' '))
            {
                break;
            }
            let comma = view.at(joined) == Some(b',');
            if comma {
                if parts.comma.is_some() {
                    break;
                }
                parts.comma = Some(parts.count - 1);
            }
            let next = joined + 1 + usize::from(comma);
            let word_end = end_of_word(view, next);
            if !begins_name(view, next, word_end) {
                break;
            }
            (start, end) = (next, word_end);
            continue;
        }
        let initial = end - start == 1;
        let point = usize::from(view.at(end) == Some(b'.') && (initial || is_title(word)));
        let capitals = !initial && !word.iter().any(u8::is_ascii_lowercase);
        let names = if initial { Names::default() } else { gazetteer::look_up_joined(word) };
        *place = Part { start, end: end + point, names, initial, capitals };
        parts.count += 1;
        let mut next = end + point;
        let comma = point == 0 && !initial && view.at(next) == Some(b',');
        if comma && parts.comma.is_none() && view.at(next + 1) == Some(b' ') {
            parts.comma = Some(parts.count - 1);
            next += 1;
        }
        if view.at(next) != Some(b' ') {
            break;
        }
        next += 1;
        // Particles, written small, lead to one more word.
        let mut word_end = end_of_word(view, next);
        while word_end - next <= 5
            && view.at(word_end) == Some(b' ')
            && PARTICLES.contains(&view.slice(next, word_end))
        {
            parts.particle = true;
            next = word_end + 1;
            word_end = end_of_word(view, next);
        }
        if word_end == next || !begins_name(view, next, word_end) {
            break;
        }
        (start, end) = (next, word_end);
    }
    drop_after_comma(view, &mut parts);
    parts
}

/// Where a family name begins whose small words stand before it: `van den Berg, Sander`.
fn with_particles(view: &View<'_>, start: usize) -> usize {
    let mut start = start;
    for _ in 0..2 {
        let Some(end) = start.checked_sub(1).filter(|end| view.at(*end) == Some(b' ')) else {
            break;
        };
        let length = view.slice(end.saturating_sub(6), end).iter().rev();
        let length = length.take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = view.slice(end - length, end);
        let free = !view.before(end - length).is_some_and(is_word);
        if !free || !is_particle(word) {
            break;
        }
        start = end - length;
    }
    start
}

fn is_particle(word: &[u8]) -> bool {
    (1..=5).contains(&word.len())
        && PARTICLES.iter().any(|particle| particle.eq_ignore_ascii_case(word))
}

/// A comma belongs to a name only before a given name; else the name ends with it.
fn drop_after_comma(view: &View<'_>, parts: &mut Parts) {
    let Some(comma) = parts.comma else { return };
    let next = parts.parts.get(comma + 1).filter(|_| comma + 1 < parts.count);
    let known = next.is_some_and(|part| {
        let initial = part.initial && part.end - part.start == 1;
        !initial && !part.capitals && (part.names.is_given() || !part.names.is_name())
    });
    // A name in capitals all through may be given so.
    let known = known
        || next.is_some_and(|part| {
            part.capitals && part.end - part.start > 3 && part.names.is_given()
        });
    let gap = next.zip(parts.parts.get(comma)).map(|(next, part)| view.slice(part.end, next.start));
    if !known || gap != Some(b", ") {
        parts.count = comma + 1;
        parts.comma = None;
    }
}

fn is_title(word: &[u8]) -> bool {
    word.len() <= 5 && cue::of_key(word).has(Cue::Title)
}

/// The end of a word of letters, with what may stand within a name.
pub(super) fn end_of_word(view: &View<'_>, start: usize) -> usize {
    let mut end = start;
    while let Some(byte) = view.at(end) {
        let joint = matches!(byte, b'\'' | b'-')
            && view.at(end + 1).is_some_and(|next| next.is_ascii_alphabetic() || next >= 0x80);
        if !(byte.is_ascii_alphabetic() || byte >= 0x80 || (joint && end > start)) {
            break;
        }
        end += 1;
    }
    end
}

/// Whether a word begins with a capital and has no digit at its end.
fn begins_name(view: &View<'_>, start: usize, end: usize) -> bool {
    let capital = match view.at(start) {
        Some(byte) if byte.is_ascii_uppercase() => true,
        // The capitals with diacritics: U+00C0 to U+00DE, and every even one of U+0100 to U+017F.
        Some(0xc3) => view.at(start + 1).is_some_and(|byte| byte < 0x9f),
        Some(0xc4 | 0xc5) => true,
        _ => false,
    };
    capital && !view.at(end).is_some_and(|byte| is_word(byte) || byte == b'(')
}

/// What stands before a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    /// Nothing that says so.
    Not,
    /// A word after which names stand.
    Word,
    /// A title.
    Title,
    /// A phrase directly before it.
    Introduced(Introduced),
}

impl Announced {
    fn by(cues: Cues) -> Self {
        match cues {
            cues if cues.has(Cue::Title) => Self::Title,
            cues if cues.meets(ANNOUNCED) => Self::Word,
            _ => Self::Not,
        }
    }
}

/// From which part on it may be a name, and what the parts before it announce.
fn opening(view: &View<'_>, parts: &Parts) -> Option<(usize, Announced)> {
    let mut first = 0;
    let mut announced = Announced::Not;
    while let Some(part) = parts.get(first).first().filter(|part| !part.names.is_given()) {
        let said = Announced::by(cue::of_key(view.slice(part.start, part.end)));
        let ordinary = part.names.is_ordinary() && !part.names.is_family();
        match said {
            Announced::Not if ordinary => {}
            Announced::Not => break,
            said => announced = said,
        }
        first += 1;
    }
    let names = parts.get(first);
    let alone = names.len() == 1 && announced != Announced::Title;
    (!names.is_empty() && (!alone || names.first()?.names.is_name())).then_some((first, announced))
}

/// How a name is written.
#[derive(Clone, Copy, Debug)]
struct Written {
    inverted: bool,
    particle: bool,
}

/// How sure it is that the words are a name.
fn judge(
    view: &View<'_>,
    names: &[Part],
    written: Written,
    announced: Announced,
) -> Option<(u8, Proof)> {
    let Written { inverted, particle } = written;
    let (first, last) = (names.first()?, names.last()?);
    // `StringRef FileName` are names of code; `Boise, ID` is a place and its state.
    let hump = names.iter().any(|part| has_hump(view.slice(part.start, part.end)));
    let state = inverted && last.capitals && last.end - last.start == 2;
    if hump || state || is_organisation(view, first, last) {
        return None;
    }
    if first.initial {
        // `L. D'Angelo`.
        let known = last.names.is_family() && !last.names.is_ordinary() && !last.names.is_place();
        let shortened = first.end - first.start == 2 && names.len() > 1 && !last.initial;
        return (known && shortened).then_some((52, Proof::Listed));
    }
    let (given, family) = if inverted { (last, first) } else { (first, last) };
    let ordinary = names
        .iter()
        .filter(|part| !part.initial)
        .all(|part| part.names.is_ordinary() || part.names.is_place());
    let odd = names.iter().any(|part| part.capitals)
        || (first.names.is_place() && announced == Announced::Not);
    let alone = names.len() == 1;
    let base: u8 = match (given.names.is_given(), family.names.is_family()) {
        // `Dear Angus,`.
        (true, _) if alone && announced != Announced::Not && !ordinary => 32,
        _ if alone => 10,
        (true, true) if ordinary => 35,
        (true, true) => 72,
        (true, false) | (false, true) if ordinary => 20,
        (true, false) if particle => 60,
        // A given name, and a word that is none of the language.
        (true, false)
            if names.len() > 1 && !family.names.is_ordinary() && !given.names.is_ordinary() =>
        {
            44
        }
        (true, false) => 30,
        (false, true) => 30,
        (false, false) if names.iter().any(|part| part.names.is_ordinary()) => 5,
        (false, false) => 18,
    };
    let proof = if base >= 60 { Proof::Listed } else { Proof::Labelled };
    let more: u8 = match announced {
        Announced::Title if base <= 5 => 30,
        Announced::Title => 50,
        Announced::Introduced(how) => return introduced(names, how, base, ordinary || odd),
        Announced::Word if alone => 20,
        Announced::Word => 35,
        Announced::Not => 0,
    };
    let less = if odd { 15 } else { 0 };
    Some(((base + more).saturating_sub(less).min(95), proof))
}

/// How sure a name is that a phrase introduces.
fn introduced(names: &[Part], how: Introduced, base: u8, doubtful: bool) -> Option<(u8, Proof)> {
    let first = names.first()?;
    let given = first.names.is_given() && !first.names.is_place();
    let strange = names.iter().all(|part| part.initial || !part.names.is_ordinary());
    let score = match (how, names.len()) {
        _ if doubtful && base < 72 => 20,
        (Introduced::Strongly, 1) if given => 60,
        (Introduced::Weakly, 1) if given && !first.names.is_ordinary() => 55,
        (_, 1) => 10,
        (Introduced::Strongly, _) if given || strange => base.max(45) + 20,
        (Introduced::Weakly, _) if given && strange => base.max(45) + 15,
        _ => base,
    };
    Some((score.min(95), if base >= 60 { Proof::Listed } else { Proof::Labelled }))
}

/// Whether a capital follows a small letter, as in names of code; `McCoy` and `DeLuca` are names.
fn has_hump(word: &[u8]) -> bool {
    const OPENINGS: [&[u8]; 9] =
        [b"Mc", b"Mac", b"De", b"Di", b"La", b"Le", b"Van", b"Fitz", b"Du"];
    let hump = word.windows(2).position(
        |two| matches!(two, [small, big] if small.is_ascii_lowercase() && big.is_ascii_uppercase()),
    );
    hump.is_some_and(|at| {
        !OPENINGS.iter().any(|opening| word.get(..=at).is_some_and(|start| start == *opening))
    })
}

fn is_organisation(view: &View<'_>, first: &Part, last: &Part) -> bool {
    let next = last.end + 1;
    let follows = || {
        view.at(last.end) == Some(b' ')
            && view.at(next).is_some_and(|byte| byte.is_ascii_alphabetic())
            && gazetteer::look_up(view.slice(next, end_of_word(view, next))).is_organisation()
    };
    last.names.is_organisation()
        || follows()
        || gazetteer::is_organisation(
            view.slice(first.start, first.end),
            view.slice(last.start, last.end),
        )
}

/// Whether a whole value may be a name where its column or key says so: words of letters, at least
/// one of them listed unless the label leaves no doubt.
pub(super) fn is_whole(view: &View<'_>, start: usize, end: usize, cues: Cues) -> bool {
    let value = view.slice(start, end);
    let letters = value.iter().enumerate().all(|(at, byte)| {
        byte.is_ascii_alphabetic()
            || *byte >= 0x80
            || matches!(byte, b' ' | b',' | b'.' | b'\'' | b'-')
            // `O\'Neil`, as SQL writes it.
            || (*byte == b'\\' && value.get(at + 1) == Some(&b'\''))
    });
    let words =
        || value.split(|byte| matches!(byte, b' ' | b',' | b'.')).filter(|word| !word.is_empty());
    let count = words().count();
    if !letters || value.len() < 2 || count == 0 || count > 6 {
        return false;
    }
    // `"nombre": "Cecília"`: a given name alone, which is no word of the language.
    if count == 1 && !cues.has(Cue::Given) && !cues.has(Cue::Family) {
        let names = gazetteer::look_up(value);
        let capital = value.first().is_some_and(|byte| byte.is_ascii_uppercase() || *byte >= 0x80);
        return capital && names.is_given() && !names.is_ordinary() && !names.is_place();
    }
    let listed = words().any(|word| word.len() > 2 && gazetteer::look_up(word).is_name());
    let capital = words()
        .any(|word| word.first().is_some_and(|byte| byte.is_ascii_uppercase() || *byte >= 0x80));
    if cues.has(Cue::Given) || cues.has(Cue::Family) {
        return listed || (capital && count <= 3);
    }
    // A word that nobody knows is rather a name than one of the language; `Build and Test`, `Cloud
    // Services` are neither.
    let ordinary = |word: &[u8]| {
        let names = gazetteer::look_up(word);
        word.len() > 2 && names.is_ordinary() && !names.is_name() && !is_particle(word)
    };
    let small =
        |word: &[u8]| word.first().is_some_and(u8::is_ascii_lowercase) && !is_particle(word);
    let mixed = words().any(small);
    let code = words().any(has_hump);
    let organisation = words().any(|word| gazetteer::look_up(word).is_organisation());
    let strange = count <= 4;
    capital
        && count > 1
        && !mixed
        && !code
        && !organisation
        && !words().any(ordinary)
        && (listed || strange)
}
