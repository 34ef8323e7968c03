//! Geographic positions: pairs of decimals, single ones that a label announces, degrees with minutes
//! and seconds.

use super::cue::{Cue, Cues};
use super::entity::Entity;
use super::finding::{Hit, Proof};
use super::number::{Run, is_free_after};
use super::view::{View, weigh};

const GEO: Cues = Cues::of(&[Cue::Geo]);

/// `52.52001, 13.40495`: latitude and longitude of four decimals and more.
pub(super) fn position(view: &View<'_>, run: &Run<'_>, hits: &mut Vec<Hit>) {
    let number = |first: usize| -> Option<(usize, usize, f64, usize)> {
        let group = run.take(first, 2)?;
        let [whole, decimals] = group else { return None };
        if decimals.before != b'.' || whole.length > 3 || !(4..=9).contains(&decimals.length) {
            return None;
        }
        let end = decimals.start + decimals.length;
        let sign = usize::from(view.before(whole.start) == Some(b'-'));
        let text = std::str::from_utf8(view.slice(whole.start - sign, end)).ok()?;
        Some((whole.start - sign, end, text.parse().ok()?, decimals.length))
    };
    let Some((start, first_end, latitude, _)) = number(0) else { return };
    let gap = match (view.at(first_end), view.at(first_end + 1)) {
        (Some(b','), Some(b' ')) => 2,
        (Some(b',' | b' ' | b';'), _) => 1,
        _ => return,
    };
    let sign = usize::from(view.at(first_end + gap) == Some(b'-'));
    let at = first_end + gap + sign;
    if !view.at(at).is_some_and(|byte| byte.is_ascii_digit()) {
        return;
    }
    let second = Run::read(view.text, at);
    let Some([whole, decimals]) = second.take(0, 2) else { return };
    let end = decimals.start + decimals.length;
    let Some(longitude) = std::str::from_utf8(view.slice(whole.start, end))
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
    else {
        return;
    };
    let fine = decimals.before == b'.' && (4..=9).contains(&decimals.length) && whole.length <= 3;
    if !fine || latitude.abs() > 90.0 || longitude > 180.0 || !is_free_after(view.text, end) {
        return;
    }
    // Three numbers are no position, nor are round ones that only look fine.
    let more = |at: usize| {
        let gap = view.slice(at, at + 3);
        matches!(gap, [b',', b' ', digit] | [b',', digit, _] if digit.is_ascii_digit() || *digit == b'-')
    };
    let list = view.cell(start).is_none() && more(end)
        || view.slice(start.saturating_sub(2), start) == b", ";
    let round = |at: usize, end: usize| view.slice(at, end).ends_with(b"000");
    let cues = view.cues(start);
    if !cues.has(Cue::Geo) && (list || (round(start, first_end) && round(at, end))) {
        return;
    }
    // Two shares of one are more often losses than a place in the Gulf of Guinea.
    let base = if latitude.abs() < 1.0 && longitude < 1.0 { 15 } else { 60 };
    let score = weigh(base, cues, Cues::of(&[Cue::Geo]), Cues::NONE);
    hits.push(
        Hit::new(Entity::Geo, start..end, score, "position.decimal").because(Proof::Form, cues),
    );
}

/// `"lat": 52.41820`: one of the two, where its label says so.
pub(super) fn coordinate(
    view: &View<'_>,
    start: usize,
    end: usize,
    stated: bool,
    hits: &mut Vec<Hit>,
) {
    let text = view.slice(start, end);
    let number = text.strip_prefix(b"-").unwrap_or(text);
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let (whole, decimals) = (parts.next().unwrap_or(&[]), parts.next().unwrap_or(&[]));
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let fine = (1..=3).contains(&whole.len()) && (3..=9).contains(&decimals.len());
    if stated && fine && digits(whole) && digits(decimals) {
        let hit = Hit::new(Entity::Geo, start..end, 80, "position.labelled");
        hits.push(hit.because(Proof::Labelled, GEO));
    }
}

/// How degrees are marked.
const DEGREE: &[u8] = "°".as_bytes();

/// `59°54'48"N 10°45'07"E`, `33.8688° S, 151.2093° E`, `N 51° 30.455' W 0° 07.642'`: from the digits
/// of its first degrees on. Answers its end.
pub(super) fn degrees(view: &View<'_>, digits: usize, hits: &mut Vec<Hit>) -> Option<usize> {
    let before = view.slice(digits.saturating_sub(3), digits);
    let (letter, start) = match *before {
        [.., side @ (b'N' | b'S'), b' '] => (Some(side), digits - 2),
        [.., side @ (b'N' | b'S')] => (Some(side), digits - 1),
        [.., b'-'] => (None, digits - 1),
        _ => (None, digits),
    };
    let (end, latitude) = angle(view, digits, letter.is_some(), b"NS", 90.0)?;
    let mut at = end;
    let gap = view.slice(at, at + 3).iter().take_while(|byte| b" ,/;".contains(byte)).count();
    at += gap;
    if letter.is_some() {
        if !matches!(view.at(at), Some(b'E' | b'W' | b'O')) {
            return None;
        }
        at += 1 + usize::from(view.at(at + 1) == Some(b' '));
    }
    at += usize::from(view.at(at) == Some(b'-'));
    let (end, longitude) = angle(view, at, letter.is_some(), b"EWO", 180.0)?;
    // Neither has a side: two temperatures, two angles.
    if letter.is_none() && !(latitude && longitude) && !view.cues(start).has(Cue::Geo) {
        return None;
    }
    hits.push(Hit::new(Entity::Geo, start..end, 88, "position.degrees"));
    Some(end)
}

/// Degrees, minutes and seconds, the last of them with decimals, and a side unless it stood before.
/// Answers its end and whether a side follows.
fn angle(
    view: &View<'_>,
    start: usize,
    sided: bool,
    sides: &[u8],
    most: f64,
) -> Option<(usize, bool)> {
    const MINUTE: [&[u8]; 4] = ["′".as_bytes(), "’".as_bytes(), b"''", b"'"];
    const SECOND: [&[u8]; 6] = ["″".as_bytes(), "”".as_bytes(), b"\"\"", b"\"", b"''", b"\\\""];
    let (mut at, degrees) = decimal(view, start)?;
    let mark = |at: usize, marks: &[&[u8]]| {
        marks
            .iter()
            .find(|mark| view.slice(at, at + mark.len()) == **mark)
            .map(|mark| at + mark.len())
    };
    let blank = |at: usize| at + usize::from(view.at(at) == Some(b' '));
    at = mark(blank(at), &[DEGREE, "º".as_bytes()])?;
    if degrees > most {
        return None;
    }
    if let Some((after, minutes)) = decimal(view, blank(at)) {
        at = mark(after, &MINUTE).filter(|_| minutes < 60.0)?;
        if let Some((after, seconds)) = decimal(view, blank(at)) {
            at = mark(after, &SECOND).filter(|_| seconds < 60.0)?;
        }
    }
    let side = blank(at);
    let follows = view.at(side).is_some_and(|byte| sides.contains(&byte))
        && !view.at(side + 1).is_some_and(|byte| byte.is_ascii_alphabetic());
    Some((if follows && !sided { side + 1 } else { at }, follows))
}

/// A number of up to three digits, with decimals or without; its end.
fn decimal(view: &View<'_>, start: usize) -> Option<(usize, f64)> {
    let text = view.slice(start, start + 16);
    let whole = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&whole) {
        return None;
    }
    let mut length = whole;
    if matches!(text.get(whole), Some(b'.' | b',')) {
        let rest = text.get(whole + 1..).unwrap_or(&[]);
        let decimals = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        length += if decimals > 0 { 1 + decimals } else { 0 };
    }
    let digits = std::str::from_utf8(text.get(..length)?).ok()?.replace(',', ".");
    Some((start + length, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::check::{found, nothing};

    #[test]
    fn positions_are_found_however_they_are_written() {
        for position in [
            "18.35922, -151.26597",
            "59°54'48\"N 10°45'07\"E",
            "33.8688° S, 151.2093° E",
            "N 51° 30.455' W 0° 07.642'",
            "50°18''54\"\"N 60°12''04\"\"W",
            "48° 12′ 30″ N, 16° 22′ 23″ E",
        ] {
            found(&format!("last seen at {position} today"), "GEO", position);
        }
        found("{ lat: 15.66343, lng: -140.9 }", "GEO", "15.66343");
        found("{\"geo\": {\"latitude\": -39.54235}}", "GEO", "-39.54235");
        found("position:\n  lat: 27.73219\n", "GEO", "27.73219");
    }

    #[test]
    fn other_angles_and_numbers_are_none() {
        for text in [
            "loss 0.09143, 0.08239",
            "points (1.00000, 2.50000)",
            "the vector 12.34567, 45.67891, 78.91234",
            "heated from 21° to 35° in an hour",
            "12° 30' 15\" of arc",
            "lat: 12",
        ] {
            nothing(text);
        }
    }
}
