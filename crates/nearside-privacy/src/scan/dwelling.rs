//! What belongs to an address around street and number: flats, floors, blocks, boxes of a post office.

use super::view::View;

/// Words before the number of a flat, in front of the street: `Flat 3, 88 Holloway Road`.
const IN_FRONT: [&[u8]; 10] = [
    b"flat",
    b"apartment",
    b"apt",
    b"unit",
    b"suite",
    b"plot",
    b"shop",
    b"room",
    b"level",
    b"studio",
];
/// Words before the number of the house itself: `Door No. 45, Anna Salai`.
const HOUSE: [&[u8]; 5] = [b"plot ", b"door no. ", b"h.no. ", b"house no. ", b"flat no. "];
/// Words before the number or letter of a flat, behind the street, as they are written.
const BEHIND: [&str; 36] = [
    "Apt ",
    "Apt. ",
    "Apartment ",
    "Suite ",
    "Ste ",
    "Ste. ",
    "Unit ",
    "Flat ",
    "Floor ",
    "Level ",
    "Room ",
    "Wohnung ",
    "Whg. ",
    "app. ",
    "appt ",
    "appt. ",
    "apt. ",
    "apto ",
    "apto. ",
    "piso ",
    "puerta ",
    "esc. ",
    "bloco ",
    "casa ",
    "lote ",
    "sala ",
    "cj. ",
    "bât. ",
    "bâtiment ",
    "scala ",
    "int. ",
    "interno ",
    "m. ",
    "lok. ",
    "No. ",
    "#",
];
/// Floors and sides that stand without a number.
const ALONE: [&str; 9] =
    ["bajo izq.", "bajo dcha.", "bajo", "EG links", "EG rechts", "EG", "fundos", "rdc", "parter"];
/// Words after the number of a floor.
const FLOORS: [&str; 20] = [
    "Floor",
    "floor",
    "étage",
    "OG links",
    "OG rechts",
    "OG",
    "Stock",
    "Etage",
    "piso",
    "planta",
    "dcha.",
    "izq.",
    "izda.",
    "andar",
    "piano",
    "piętro",
    "verdieping",
    "A",
    "B",
    "C",
];

/// Where an address begins whose street or number begins at a place.
pub(super) fn before(view: &View<'_>, start: usize) -> usize {
    let lead = view.slice(start.saturating_sub(24), start).to_ascii_lowercase();
    if let Some(word) = HOUSE.iter().find(|word| lead.ends_with(word)) {
        return free(view, start - word.len()).unwrap_or(start);
    }
    let Some(unit) = lead.strip_suffix(b", ").or(lead.strip_suffix(b",")) else { return start };
    let gap = lead.len() - unit.len();
    let number = unit.iter().rev().take_while(|byte| is_number(**byte)).count();
    let rest = unit.get(..unit.len() - number).and_then(|rest| rest.strip_suffix(b" "));
    let Some(rest) = rest.filter(|_| (1..=5).contains(&number)) else { return start };
    let word = IN_FRONT.iter().find(|word| rest.ends_with(word));
    let begins = word.and_then(|word| free(view, start - gap - number - 1 - word.len()));
    begins.unwrap_or(start)
}

const fn is_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/'
}

/// A place, if no word goes on to its left.
fn free(view: &View<'_>, start: usize) -> Option<usize> {
    let joined =
        view.before(start).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80);
    (!joined).then_some(start)
}

/// Where an address ends whose street and number end at a place.
pub(super) fn after(view: &View<'_>, end: usize) -> usize {
    let mut end = attached(view, end);
    for _ in 0..3 {
        let gap = match view.slice(end, end + 3) {
            b" - " => 3,
            [b',', b' ', ..] => 2,
            [b' ', ..] => 1,
            _ => break,
        };
        match unit(view, end + gap, gap) {
            Some(on) => end = on,
            None => break,
        }
    }
    end
}

/// What is attached to the number: `40-hs`, `69-III`, `46/A`, `110/211`, `195 b`, and the side of a
/// town: `Jasper Avenue NW`.
fn attached(view: &View<'_>, end: usize) -> usize {
    let closes = |at: usize| {
        view.at(at).is_none_or(|byte| b",;|\n\r\"'<)".contains(&byte))
            || view.slice(at, at + 2) == b" |"
            || (view.slice(at, at + 2) == b". "
                && view.before(at).is_some_and(|byte| byte.is_ascii_uppercase()))
    };
    let text = view.slice(end, end + 6);
    let length = match text {
        [b'-', b'h', b's', ..] => 3,
        [b'-' | b'/', rest @ ..] => {
            let number = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let roman = rest.iter().take_while(|byte| b"IV".contains(byte)).count();
            let letter = usize::from(rest.first().is_some_and(u8::is_ascii_uppercase));
            match number.max(roman).max(letter) {
                0 => 0,
                more => 1 + more,
            }
        }
        [b' ', b'N' | b'S', b'E' | b'W', ..] => 3,
        [b' ', letter, ..] if letter.is_ascii_alphabetic() => 2,
        _ => 0,
    };
    if length > 0 && closes(end + length) { end + length } else { end }
}

/// One part after a street: `Apt 4C`, `3. OG links`, `2nd Floor`, `bajo izq.`; `gap` are the bytes
/// between.
fn unit(view: &View<'_>, start: usize, gap: usize) -> Option<usize> {
    let text = view.slice(start, start + 40);
    if let Some(word) = BEHIND.iter().find(|word| text.starts_with(word.as_bytes())) {
        let number = text.get(word.len()..)?;
        let length = number.iter().take_while(|byte| is_number(**byte)).count();
        let digits = number.iter().take(length).any(u8::is_ascii_digit);
        let sound = (1..=5).contains(&length) && (digits || length == 1);
        return sound.then_some(start + word.len() + length);
    }
    if gap < 2 {
        return None;
    }
    let stops =
        |at: usize| !view.at(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80);
    let whole = |word: &&&str| text.starts_with(word.as_bytes()) && stops(start + word.len());
    if let Some(word) = ALONE.iter().find(whole) {
        return Some(start + word.len());
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = digits;
    for ordinal in [".º", "º", "ª", ".", "st", "nd", "rd", "th", "er", "e"] {
        if text.get(at..)?.starts_with(ordinal.as_bytes()) {
            at += ordinal.len();
            break;
        }
    }
    if !(1..=2).contains(&digits) || at == digits || text.get(at) != Some(&b' ') {
        return None;
    }
    at += 1;
    let floor = FLOORS.iter().find(|word| {
        text.get(at..).is_some_and(|rest| rest.starts_with(word.as_bytes()))
            && stops(start + at + word.len())
    })?;
    Some(start + at + floor.len())
}

/// Where the words of a box of a post office begin whose number begins at a place: `P.O. Box 1182`.
pub(super) fn post_box(view: &View<'_>, number: usize) -> Option<usize> {
    const WORDS: [&[u8]; 8] = [
        b"p.o. box ",
        b"po box ",
        b"p. o. box ",
        b"postfach ",
        b"apartado de correos ",
        b"casella postale ",
        b"postbus ",
        b"skrytka pocztowa ",
    ];
    let lead = view.slice(number.saturating_sub(24), number);
    // The last letter before the blank tells most others apart.
    let last = matches!(lead, [.., b'x' | b'h' | b's' | b'e' | b'a' | b'X', b' ']);
    let words = WORDS.iter().filter(|_| last).find(|words| {
        let tail = lead.len().checked_sub(words.len()).and_then(|from| lead.get(from..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(words))
    })?;
    free(view, number - words.len())
}

#[cfg(test)]
mod tests {
    use super::super::check::found;

    #[test]
    fn flats_and_floors_belong_to_the_address() {
        for address in [
            "Flat 3, 88 Holloway Road",
            "Apartment 12B, 7 Dock Street",
            "Plot 120, Banjara Hills Road",
            "2210 Pine Street, Apt 4C",
            "198 Dundas Street, Suite 60",
            "Lindenallee 44, 3. OG links",
            "Keizersgracht 40-hs",
            "Prinsengracht 69-III",
            "Calle de la Palma 31, 4.º B",
            "Paseo del Prado 111, bajo izq.",
            "Avenida de América 17, piso 6, puerta A",
            "12, impasse du Moulin, bâtiment C",
            "ul. Mickiewicza 14 m. 7",
            "110 Jasper Avenue NW",
            "220, MG Road, 2nd Floor",
            "P.O. Box 1182",
            "Postfach 1182",
        ] {
            found(&format!("x; lives at {address}, since then"), "ADDRESS", address);
        }
    }

    #[test]
    fn what_follows_in_the_sentence_does_not() {
        found("at 125 Oak Avenue, Anna said", "ADDRESS", "125 Oak Avenue");
        found("at 125 Oak Avenue. A dog", "ADDRESS", "125 Oak Avenue");
        found("Ahornstraße 3, 10115 Berlin", "ADDRESS", "Ahornstraße 3");
        found("the flat, 88 Holloway Road", "ADDRESS", "88 Holloway Road");
    }
}
