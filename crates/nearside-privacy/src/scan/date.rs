//! Dates as people write them, where a word says that somebody was born on it.

use std::sync::OnceLock;

use super::folded::{Folded, Table};
use super::number::{Group, Run};
use super::view::View;

const YEARS: std::ops::RangeInclusive<u32> = 1900..=2039;

/// Months in the languages of twelve countries, whole and shortened.
const MONTHS: [&str; 12] = [
    "january jan januar jaenner janvier janv enero ene gennaio gen januari styczen stycznia janeiro",
    "february feb februar fevrier fevr febrero febbraio februari luty lutego fevereiro fev",
    "march mar maerz marz mars marzo maart mrt marzec marca marco",
    "april apr avril avr abril abr aprile kwiecien kwietnia",
    "may mai mayo maggio mag mei maj maja maio",
    "june jun juni juin junio giugno giu czerwiec czerwca junho",
    "july jul juli juillet juil julio luglio lug lipiec lipca julho",
    "august aug aout agosto ago augustus sierpien sierpnia",
    "september sep sept septembre septiembre settembre set wrzesien wrzesnia setembro",
    "october oct oktober okt octobre octubre ottobre ott pazdziernik pazdziernika outubro out",
    "november nov novembre noviembre listopad listopada novembro",
    "december dec dezember dez decembre diciembre dic dicembre grudzien grudnia dezembro",
];

/// Whether a word is a month.
pub(super) fn is_month(word: &[u8]) -> bool {
    static TABLE: OnceLock<Table<u8>> = OnceLock::new();
    let months = TABLE.get_or_init(|| {
        let words = MONTHS.iter().flat_map(|names| names.split(' '));
        Table::from_rows(words.map(|word| (Folded::of(word.as_bytes()), 1)))
    });
    (3..=13).contains(&word.len()) && months.get(Folded::of(word)).is_some()
}

fn value(view: &View<'_>, group: &Group) -> u32 {
    let digits = view.slice(group.start, group.start + group.length).iter();
    digits.take(5).fold(0, |sum, byte| sum * 10 + u32::from(byte.saturating_sub(b'0')))
}

/// The end of a date that begins with a number: `1974-11-13`, `13.11.1974`, `11/13/74`,
/// `13 November 1974`, `13 de mayo de 1974`, `19741113`.
pub(super) fn from_number(view: &View<'_>, run: &Run<'_>, first: usize) -> Option<usize> {
    numeric(view, run, first).or_else(|| written(view, run, first))
}

fn numeric(view: &View<'_>, run: &Run<'_>, first: usize) -> Option<usize> {
    if let Some([a, b, c]) = run.take(first, 3) {
        let alike = b.before == c.before && matches!(b.before, b'-' | b'/' | b'.' | b' ');
        let lengths = [a.length, b.length, c.length];
        let [x, y, z] = [a, b, c].map(|group| value(view, group));
        let day_first = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
        let sound = match lengths {
            [4, 1..=2, 1..=2] => YEARS.contains(&x) && day_first(z, y),
            [1..=2, 1..=2, 4] => YEARS.contains(&z) && (day_first(x, y) || day_first(y, x)),
            [2, 2, 2] => {
                b.before != b' ' && (day_first(x, y) || day_first(y, x) || day_first(z, y))
            }
            _ => false,
        };
        if alike && sound && run.opens(first) {
            return Some(c.start + c.length);
        }
    }
    let [only] = run.take(first, 1)? else { return None };
    if only.length != 8 {
        return None;
    }
    let digits = view.slice(only.start, only.start + 8);
    let number = |range: std::ops::Range<usize>| {
        std::str::from_utf8(digits.get(range)?).ok()?.parse::<u32>().ok()
    };
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let sound = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    (sound && run.opens(first) && run.closes(first)).then_some(only.start + 8)
}

/// A day, a month in words, a year.
fn written(view: &View<'_>, run: &Run<'_>, first: usize) -> Option<usize> {
    let [day] = run.take(first, 1)? else { return None };
    if day.length > 2 || !(1..=31).contains(&value(view, day)) {
        return None;
    }
    let mut at = day.start + day.length;
    for ordinal in [&b"st"[..], b"nd", b"rd", b"th", b".", b"er"] {
        if view.slice(at, at + ordinal.len()) == ordinal {
            at += ordinal.len();
            break;
        }
    }
    at = skip(view, at, &[b" ", b"-", b" de ", b" of "])?;
    let month_end = letters(view, at);
    if !is_month(view.slice(at, month_end)) {
        return None;
    }
    let point = usize::from(view.at(month_end) == Some(b'.'));
    let at = skip(view, month_end + point, &[b", ", b" ", b"-", b" de "])?;
    year(view, at)
}

/// The end of a date that begins with a month: `November 13, 1974`.
pub(super) fn from_month(view: &View<'_>, start: usize, word_end: usize) -> Option<usize> {
    if !is_month(view.slice(start, word_end)) {
        return None;
    }
    let point = usize::from(view.at(word_end) == Some(b'.'));
    let at = skip(view, word_end + point, &[b" "])?;
    let run = view.slice(at, at + 3).iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=2).contains(&run) {
        return None;
    }
    let mut at = at + run;
    for ordinal in [&b"st"[..], b"nd", b"rd", b"th"] {
        if view.slice(at, at + 2) == ordinal {
            at += 2;
        }
    }
    year(view, skip(view, at, &[b", ", b" "])?)
}

fn year(view: &View<'_>, at: usize) -> Option<usize> {
    let digits = view.slice(at, at + 4);
    let number: u32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let ends = !view.at(at + 4).is_some_and(|byte| byte.is_ascii_alphanumeric());
    (YEARS.contains(&number) && digits.len() == 4 && ends).then_some(at + 4)
}

/// Past the longest of some texts that stands here.
fn skip(view: &View<'_>, at: usize, texts: &[&[u8]]) -> Option<usize> {
    let fits = texts.iter().filter(|text| view.slice(at, at + text.len()) == **text);
    fits.map(|text| text.len()).max().map(|length| at + length)
}

fn letters(view: &View<'_>, start: usize) -> usize {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
    start + view.slice(start, start + 16).iter().take_while(|byte| letter(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn dates_of_birth_are_found_in_every_form() {
        for date in [
            "1974-11-13",
            "13/11/1974",
            "11/13/1974",
            "13.11.1974",
            "13 November 1974",
            "November 13, 1974",
            "13th November 1974",
            "13. Oktober 1974",
            "13 de mayo de 1974",
            "1er janvier 1974",
            "13 października 1974",
            "19741113",
        ] {
            found(&format!("She was born on {date} and"), "DOB", date);
            found(&format!("{{\"dob\": \"{date}\"}}"), "DOB", date);
        }
    }

    #[test]
    fn other_dates_are_none() {
        nothing("released on 1974-11-13 and on 13 November 1974");
        nothing("born in 1974");
        nothing("2020-08-12T02:32:41Z");
    }
}
