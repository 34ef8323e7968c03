//! Telephone numbers: international ones by their country code, national ones as twelve countries
//! write them.

use std::ops::Range;
use std::sync::OnceLock;

use super::cue::{Cue, Cues};
use super::entity::{Entity, Locale, Votes};
use super::finding::{Hit, Proof};
use super::number::{Run, signature_of};
use super::view::{View, weigh};

/// A way to write a national number: digits per group, what stands before the groups, the digits it
/// may begin with, how telling that is in hundredths.
struct National {
    groups: &'static [usize],
    between: &'static [u8],
    opens: fn(&[u8]) -> bool,
    score: u8,
    locale: Locale,
}

macro_rules! nationals {
    ($($locale:ident $opens:expr => $([$($group:literal)+] $between:literal $score:literal)+;)+) => {
        &[$($(National {
            groups: &[$($group),+],
            between: $between,
            opens: $opens,
            score: $score,
            locale: Locale::$locale,
        },)+)+]
    };
}

const fn area(digits: &[u8]) -> bool {
    matches!(digits, [2..=9, _, _, 2..=9, ..])
}

/// `~` between groups stands for more than one byte: `) `.
const NATIONAL: &[National] = nationals! {
    Us area => [3 3 4] b"-" 60 [3 3 4] b"." 60 [3 3 4] b"~-" 80 [3 3 4] b" " 45 [3 3 4] b" -" 60
        [3 3 4] b")-" 70 [3 4] b"-" 15 [10] b"" 10;
    Us |digits| matches!(digits, [1, 2..=9, ..]) => [1 3 3 4] b"-" 65 [1 3 3 4] b"." 65 [1 3 3 4] b" " 50 [1 3 3 4] b"~~-" 70 [11] b"" 10;
    Gb |digits| matches!(digits, [0, 1 | 2 | 3 | 7 | 8, ..]) =>
        [3 4 4] b" " 60 [5 6] b" " 58 [5 3 3] b" " 58 [4 3 4] b" " 58 [5 5] b" " 45 [4 7] b" " 50 [3 4 4] b"~ " 65 [5 6] b"~" 60 [3 4 4] b"-" 50 [5 6] b"-" 50 [11] b"" 30;
    De |digits| matches!(digits, [0, 1..=9, ..]) =>
        [3 7] b" /-~" 52 [3 8] b" /-~" 55 [4 7] b" /-~" 55 [4 8] b" /-~" 55 [5 6] b" /-~" 52 [5 5] b" /-" 50 [4 6] b" /-~" 50 [4 5] b"/~" 50 [3 6] b"/~" 50 [5 4] b"/~" 45
        [4 4 4] b" " 52 [4 2 2 3] b"~  " 60 [4 2 2 2] b"~  " 60 [3 4 2] b" -" 52 [4 3 2] b" -" 50 [3 4 3] b" -" 52 [3 2 2 2 2] b" " 50
        [4 3 5] b" " 50 [4 3 4] b" " 55 [3 4 4] b" " 50 [3 3 4] b" " 45 [11] b"" 30 [12] b"" 20;
    Fr |digits| matches!(digits, [0, 1..=9, ..]) =>
        [2 2 2 2 2] b" " 62 [2 2 2 2 2] b"." 70 [2 2 2 2 2] b"-" 62 [10] b"" 35;
    Es |digits| matches!(digits, [6..=9, ..]) =>
        [3 3 3] b" " 40 [3 2 2 2] b" " 55 [3 3 3] b"-" 35 [2 3 2 2] b" " 52 [9] b"" 12;
    It |digits| matches!(digits, [3, 1..=9, ..] | [0, 1..=9, ..]) =>
        [3 7] b" " 45 [3 3 4] b" " 48 [3 6] b" " 40 [3 7] b"-/." 45 [2 8] b" -/" 45 [4 6] b" " 40 [2 7] b" " 50 [2 8] b" " 50 [10] b"" 15;
    Nl |digits| matches!(digits, [0, 1..=9, ..]) =>
        [2 8] b"-" 65 [2 8] b" " 60 [3 7] b"-" 58 [3 7] b" " 52 [4 6] b"-" 55 [4 6] b" " 45 [2 4 4] b" " 55 [2 2 2 2 2] b" " 52;
    Pl |digits| matches!(digits, [1..=8, ..]) =>
        [3 3 3] b" " 38 [2 3 2 2] b" " 52 [2 3 2 2] b"~  " 70 [3 3 3] b"-" 35 [2 7] b" " 20 [9] b"" 10;
    Au |digits| matches!(digits, [0, 2 | 3 | 4 | 7 | 8, ..] | [1, 3 | 8, ..]) =>
        [4 3 3] b" " 62 [2 4 4] b" " 60 [2 4 4] b"~ " 75 [4 3 3] b"-" 60 [10] b"" 30;
    In |digits| matches!(digits, [6..=9, ..] | [0, 6..=9, ..]) =>
        [5 5] b" " 55 [5 5] b"-" 48 [6 5] b" " 52 [3 8] b"-" 50 [10] b"" 12 [11] b"" 20;
    In |digits| matches!(digits, [0, 1..=8, ..]) => [3 4 4] b"- " 58 [3 8] b"-" 40;
    Br |digits| matches!(digits, [1..=9, 1..=9, ..]) =>
        [2 5 4] b"~-" 82 [2 5 4] b" -" 75 [2 4 4] b"~-" 75 [2 4 4] b" -" 60 [5 4] b"-" 40 [2 5 4] b" " 55 [2 4 4] b" " 40 [11] b"" 8;
};

/// Codes of countries, their lengths of national numbers, and which of the twelve they are (ITU-T
/// E.164 and its national numbering plans).
const COUNTRIES: [(&[u8], std::ops::RangeInclusive<usize>, Option<Locale>); 40] = [
    (&[1], 10..=10, None),
    (&[4, 4], 9..=10, Some(Locale::Gb)),
    (&[6, 1], 9..=9, Some(Locale::Au)),
    (&[9, 1], 10..=10, Some(Locale::In)),
    (&[4, 9], 6..=12, Some(Locale::De)),
    (&[3, 3], 9..=9, Some(Locale::Fr)),
    (&[3, 4], 9..=9, Some(Locale::Es)),
    (&[3, 9], 6..=11, Some(Locale::It)),
    (&[3, 1], 9..=9, Some(Locale::Nl)),
    (&[4, 8], 9..=9, Some(Locale::Pl)),
    (&[5, 5], 10..=11, Some(Locale::Br)),
    (&[7], 10..=10, None),
    (&[8, 6], 9..=11, None),
    (&[2, 0], 8..=10, None),
    (&[2, 7], 9..=9, None),
    (&[3, 0], 10..=10, None),
    (&[3, 2], 8..=9, None),
    (&[3, 5, 1], 9..=9, None),
    (&[3, 5, 3], 7..=9, None),
    (&[3, 5, 8], 6..=11, None),
    (&[3, 6], 8..=9, None),
    (&[3, 8, 0], 9..=9, None),
    (&[4, 0], 9..=9, None),
    (&[4, 1], 9..=9, None),
    (&[4, 2, 0], 9..=9, None),
    (&[4, 2, 1], 9..=9, None),
    (&[4, 3], 7..=13, None),
    (&[4, 5], 8..=8, None),
    (&[4, 6], 7..=10, None),
    (&[4, 7], 8..=8, None),
    (&[5, 2], 10..=10, None),
    (&[5, 4], 10..=11, None),
    (&[5, 6], 9..=9, None),
    (&[5, 7], 10..=10, None),
    (&[6, 4], 8..=10, None),
    (&[6, 5], 8..=8, None),
    (&[8, 1], 9..=10, None),
    (&[8, 2], 8..=10, None),
    (&[9, 0], 10..=10, None),
    (&[9, 7, 2], 8..=9, None),
];

const OWN: Cues = Cues::of(&[Cue::Phone]);
const PEOPLE: Cues = Cues::of(&[Cue::Person, Cue::Name, Cue::Title, Cue::User]);

/// A telephone number at the start of a run of digits; it speaks for its country.
pub(super) fn find(view: &View<'_>, run: &Run<'_>, hits: &mut Vec<Hit>, votes: &mut Votes) {
    // No number of a telephone has fewer than seven digits.
    if run.groups().iter().map(|group| group.length).sum::<usize>() < 7 {
        return;
    }
    let mut digits = [0; 24];
    let zeros = run.digits(run.groups(), &mut digits).starts_with(&[0, 0]) && run.opens(0);
    if run.follows(0, b'+') {
        if let Some(locale) = international(view, run, 1, hits) {
            votes.add(locale, 3);
        }
        return;
    }
    if zeros {
        // `0049 30 123456`.
        if let Some(locale) = international(view, run, 0, hits) {
            votes.add(locale, 3);
        }
    }
    let mut left: usize = run.groups().iter().map(|group| group.length).sum();
    for (first, group) in run.groups().iter().enumerate() {
        if left >= 7 && run.opens(first) {
            national(view, run, first, hits, votes);
        }
        left -= group.length;
    }
}

/// The country of a number of the North American plan.
fn american(area: &[u8]) -> Locale {
    /// Areas of Canada (Canadian Numbering Administrator, 2025).
    const CANADA: [u32; 52] = [
        204, 226, 236, 249, 250, 257, 263, 289, 306, 343, 354, 365, 367, 368, 382, 387, 403, 416,
        418, 428, 431, 437, 438, 450, 460, 468, 474, 506, 514, 519, 548, 579, 581, 584, 587, 604,
        613, 639, 647, 672, 683, 705, 709, 742, 753, 778, 780, 782, 807, 819, 825, 867,
    ];
    let area = area.iter().take(3).fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    if CANADA.contains(&area) || matches!(area, 873 | 879 | 902 | 905 | 942) {
        Locale::Ca
    } else {
        Locale::Us
    }
}

/// `+49 (0)89 2053825`: the country, then as many digits as its numbers have.
fn international(
    view: &View<'_>,
    run: &Run<'_>,
    plus: usize,
    hits: &mut Vec<Hit>,
) -> Option<Locale> {
    let start = run.groups().first()?.start - plus;
    if plus == 1
        && view.before(start).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
    {
        return None;
    }
    let mut best = None;
    for count in 1..=run.groups().len().min(8) {
        let groups = run.take(0, count)?;
        let mut digits = [0; 24];
        let digits = run.digits(groups, &mut digits);
        let digits = if plus == 0 { digits.get(2..).unwrap_or(&[]) } else { digits };
        // `(0)` is dialled within the country only.
        let zero = groups.iter().skip(1).any(|group| {
            group.length == 1 && view.slice(group.start - 1, group.start + 2) == b"(0)"
        });
        let total = digits.len() - usize::from(zero).min(digits.len());
        let known = COUNTRIES.iter().find(|(code, _, _)| digits.starts_with(code));
        let sound = match known {
            Some((code, lengths, _)) => lengths.contains(&(total - code.len().min(total))),
            None => (9..=15).contains(&total) && digits.first() != Some(&0),
        };
        if sound && run.closes(count - 1) {
            let locale = match known {
                Some(([1], ..)) => Some(american(digits.get(1..).unwrap_or(&[]))),
                Some((_, _, locale)) => *locale,
                None => None,
            };
            best = Some((run.end(count - 1), locale, known.is_some()));
        }
    }
    let (end, locale, known) = best?;
    let cues = view.cues(start);
    let base = match (plus, known) {
        (1, true) => 85,
        // `+4294967292`: a count, unless a country is known by its code.
        (1, false) if run.groups().len() == 1 => 40,
        (1, false) => 65,
        (_, true) => 50,
        _ => 20,
    };
    hits.push(hit(start..end, base, cues, "phone.international"));
    locale
}

/// The ways to write a number whose first group has so many digits, with their signatures.
fn ways(opening: usize) -> &'static [(&'static National, u64)] {
    const MAX: usize = 13;
    static BY_LENGTH: OnceLock<Vec<Vec<(&'static National, u64)>>> = OnceLock::new();
    let ways = BY_LENGTH.get_or_init(|| {
        let of = |length| NATIONAL.iter().filter(move |way| way.groups.first() == Some(&length));
        let signed = |way: &'static National| (way, signature_of(way.groups));
        (0..MAX).map(|length| of(length).map(signed).collect()).collect()
    });
    ways.get(opening).map_or(&[], Vec::as_slice)
}

fn national(view: &View<'_>, run: &Run<'_>, first: usize, hits: &mut Vec<Hit>, votes: &mut Votes) {
    let opening = run.groups().get(first).map_or(0, |group| group.length);
    let ways = ways(opening);
    if ways.is_empty() {
        return;
    }
    let signatures = run.signatures(first);
    for (way, signature) in ways {
        if signatures.of(way.groups.len()) != *signature {
            continue;
        }
        let Some(groups) = run.take(first, way.groups.len()) else { continue };
        let mut digits = [0; 24];
        let between =
            groups.iter().skip(1).map(|group| if group.before == 1 { b'~' } else { group.before });
        if !(way.opens)(run.digits(groups, &mut digits))
            || !fits(between, way)
            || !run.closes(first + groups.len() - 1)
        {
            continue;
        }
        let Some(start) = groups.first().map(|group| group.start) else { continue };
        if follows_code(view, start) {
            continue;
        }
        let bracket = usize::from(view.before(start) == Some(b'('));
        let cues = view.cues(start);
        let locale = match way.locale {
            Locale::Us => american(digits.strip_prefix(&[1]).unwrap_or(&digits)),
            other => other,
        };
        // More pairs of digits beside it: bytes, the rows of a table.
        if groups.len() >= 3 && !run.is_apart(first, groups.len()) {
            continue;
        }
        if way.score >= 55 {
            votes.add(locale, 1);
        }
        let end = run.end(first + groups.len() - 1);
        let hit = hit(start - bracket..end, way.score, cues, "phone.national");
        hits.push(hit.of(Some(way.locale)));
    }
}

/// Whether groups with letters go on to the left: `BE38 0159 8494 0093`.
fn follows_code(view: &View<'_>, start: usize) -> bool {
    let before = view.slice(start.saturating_sub(5), start);
    matches!(before, [a, b, c, d, b' '] if a.is_ascii_uppercase()
        && b.is_ascii_alphanumeric() && c.is_ascii_alphanumeric() && d.is_ascii_digit())
}

/// Whether what stands between groups is what a way has: one byte for each, or one of its bytes
/// everywhere where there is but one gap.
fn fits(between: impl Iterator<Item = u8> + Clone, way: &National) -> bool {
    let gaps = way.groups.len() - 1;
    match gaps {
        0 => true,
        1 => between.clone().all(|byte| way.between.contains(&byte)),
        _ if way.between.len() == gaps => between.eq(way.between.iter().copied()),
        _ => between.clone().all(|byte| way.between.first() == Some(&byte)),
    }
}

/// A number, as sure as what stands before it makes it.
fn hit(place: Range<usize>, base: u8, cues: Cues, rule: &'static str) -> Hit {
    let score = match weigh(base, cues, OWN, Cues::NONE) {
        // `Call Ann Young at 030 6929483`: somebody to whom it belongs.
        score if score == base && cues.meets(PEOPLE) && base >= 35 => (base + 15).min(99),
        // Something else is announced.
        score if score == base && !cues.is_empty() && base < 80 => base.saturating_sub(20),
        score => score,
    };
    let proof = if cues.meets(OWN) { Proof::Labelled } else { Proof::Form };
    Hit::new(Entity::Phone, place, score, rule).because(proof, cues)
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn numbers_are_found_as_they_are_written() {
        for number in [
            "+49 (0)89 2053825",
            "+49 151 26196152",
            "+1-514-568-9539",
            "+1 312 586 1229",
            "+44 7533 232008",
            "+55 11 96739-8821",
            "+31 6 12390586",
            "+91 98040 46500",
            "(415) 279-3605",
            "415-341-5705",
            "020 7127 1250",
            "07846 747120",
            "030 6929483",
            "01.46.49.92.86",
            "06 42 47 38 64",
            "06-35531016",
            "0483 969 009",
            "(11) 96739-8821",
        ] {
            found(&format!("Please ring {number} before Friday"), "PHONE", number);
            found(&format!("x;{number};y"), "PHONE", number);
        }
        found("phone: 642 277 663", "PHONE", "642 277 663");
    }

    #[test]
    fn other_numbers_are_none() {
        for text in [
            "8,564,046,198 tokens",
            "ts=1530766050182",
            "lot 666-28-7224",
            "512 768 384",
            "1024 2048 4096",
        ] {
            nothing(text);
        }
    }
}
