//! A value that is found in one cell of a row, found in its others too.
//!
//! A head says that `Carla Ivanova` is a name; the rules may not see it in the text of the same ticket.
//! Whoever has the row has both, so both go. A row is a row of a table, or a line of JSON.

use memchr::memmem;

use super::operator::Operator;
use super::spool::Item;

/// The most values of a row that are looked for elsewhere in it.
const MOST_VALUES: usize = 64;
/// The fewest bytes of such a value.
const LEAST_BYTES: usize = 6;

/// Adds the places where values of items of a row stand again. `position` is where the row begins.
pub(super) fn add(items: &mut Vec<Item>, row: &[u8], position: u64) {
    let place = |at: u64| usize::try_from(at.saturating_sub(position)).unwrap_or(usize::MAX);
    let value = |item: &Item| row.get(place(item.start)..place(item.end).min(row.len()));
    let mut known: Vec<(&[u8], Item)> = Vec::new();
    let replaced = |item: &&Item| !item.done && item.operator != Operator::Keep;
    for item in items.iter().filter(replaced).filter(|item| item.start >= position) {
        let Some(value) = value(item).filter(|value| is_telling(value)) else { continue };
        if known.len() < MOST_VALUES && !known.iter().any(|(other, _)| *other == value) {
            known.push((value, *item));
        }
    }
    for (value, item) in known {
        for at in memmem::find_iter(row, value) {
            let start = position + at as u64;
            let again = Item { start, end: start + value.len() as u64, ..item };
            let after = items.partition_point(|other| other.start < again.end);
            let before = after.checked_sub(1).and_then(|index| items.get(index));
            let free = before.is_none_or(|other| other.end <= again.start);
            if free && is_whole(row, at, at + value.len()) {
                items.insert(after, again);
            }
        }
    }
}

/// Whether a value is one wherever it stands: a single word may mean anything.
fn is_telling(value: &[u8]) -> bool {
    let signs = value.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'@'));
    value.len() >= LEAST_BYTES && signs
}

/// Whether what stands there is no part of a longer word.
fn is_whole(row: &[u8], start: usize, end: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    let before = start.checked_sub(1).and_then(|before| row.get(before));
    !before.is_some_and(is_word) && !row.get(end).is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Entity;

    #[test]
    fn whole_values_are_found_again_and_words_are_not() {
        let row = b"Quxo Zebu,Quxo,hello Quxo Zebu, xQuxo Zebu, Quxo Zebus Quxo Zebu";
        let item = |start: u64, end: u64| {
            let (entity, operator, done) = (Entity::Person, Operator::Remove, false);
            Item { start: 100 + start, end: 100 + end, entity, operator, done }
        };
        let mut items = vec![item(0, 9), item(10, 14)];
        add(&mut items, row, 100);
        assert_eq!(items, [item(0, 9), item(10, 14), item(21, 30), item(55, 64)]);
        let mut kept = vec![Item { operator: Operator::Keep, ..item(0, 9) }];
        add(&mut kept, row, 100);
        assert_eq!(kept.len(), 1);
    }
}
