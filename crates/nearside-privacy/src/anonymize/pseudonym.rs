//! What is written in the place of a value: the same for the same value under the same key, in every
//! file and every run.
//!
//! A pseudonym is computed from the value and the key alone: BLAKE3, keyed, of the kind and the value
//! in one way of writing (`4111 1111` is `41111111`). A counter would need a table of all values and
//! would make a result depend on what else was read before. What tells values apart has 60 bits for
//! labels and 62 for hashes: among a million values two fall together with a chance of 1 to 2,000,000.
//!
//! Labels stand between square brackets: they mean nothing to CSV and JSON strings, and unlike
//! `<EMAIL>` nothing to XML and HTML either.

use std::borrow::Cow;

use super::operator::Operator;
use super::secret_key::SecretKey;
use super::shift::{self, MOST_DAYS};
use super::surrogate::{self, Draw};
use crate::scan::{Entity, Group};

/// The digits of labels: without `i`, `l`, `o` and `u`, which look like others or make words.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of a label, five bits each.
const LABEL_DIGITS: usize = 12;
/// Digits of a hash, four bits each.
pub(crate) const HASH_DIGITS: usize = 16;

/// Makes pseudonyms with the key of a project.
#[derive(Clone, Debug)]
pub struct Pseudonyms {
    key: [u8; 32],
}

impl Pseudonyms {
    /// With that key.
    #[must_use]
    pub fn of(key: &SecretKey) -> Self {
        Self { key: key.derived("nearside 2026-11-27 pseudonyms of values") }
    }

    /// What takes the place of a value; [`None`] where it stays. Dates of one subject are moved alike.
    #[must_use]
    pub fn make(
        &self,
        entity: Entity,
        operator: Operator,
        value: &[u8],
        subject: &[u8],
    ) -> Option<String> {
        let name = entity.name();
        match operator {
            Operator::Keep => None,
            Operator::Remove => Some(format!("[{name}]")),
            Operator::Mask => Some(mask(&String::from_utf8_lossy(value))),
            Operator::Replace | Operator::Vault => {
                Some(format!("[{name}_{}]", label(self.number(entity, value))))
            }
            Operator::Hash => Some(hash(self.number(entity, value))),
            Operator::Surrogate if entity == Entity::DateOfBirth => self.shifted(value, value),
            Operator::Shift if entity == Entity::DateOfBirth => self.shifted(value, subject),
            Operator::Surrogate => {
                let draw = |attempt| Draw::of(self.reader(entity, value, attempt));
                Some(surrogate::of(entity, &String::from_utf8_lossy(value), draw))
            }
            Operator::Shift => self.make(entity, Operator::Replace, value, subject),
        }
    }

    /// A date moved by the days of a subject; a label where it is not written in numbers.
    fn shifted(&self, value: &[u8], subject: &[u8]) -> Option<String> {
        let mut draw = Draw::of(self.reader(Entity::DateOfBirth, subject, 0));
        let bound = usize::try_from(2 * MOST_DAYS).unwrap_or(1);
        let drawn = i64::try_from(draw.below(bound)).unwrap_or(0) - MOST_DAYS;
        let days = if drawn >= 0 { drawn + 1 } else { drawn };
        let date = std::str::from_utf8(value).ok().and_then(|date| shift::shifted(date, days));
        date.or_else(|| self.make(Entity::DateOfBirth, Operator::Replace, value, subject))
    }

    /// A number of 128 bits that stands for a value, however it is written.
    fn number(&self, entity: Entity, value: &[u8]) -> u128 {
        let mut bytes = [0; 16];
        self.reader(entity, value, 0).fill(&mut bytes);
        u128::from_be_bytes(bytes)
    }

    /// As many bytes as wanted that stand for a value, however it is written.
    fn reader(&self, entity: Entity, value: &[u8], attempt: u8) -> blake3::OutputReader {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(entity.name().as_bytes()).update(&[attempt]);
        hasher.update(&one_way(entity, value)).finalize_xof()
    }
}

fn label(number: u128) -> String {
    (0..LABEL_DIGITS).map(|place| sign(DIGITS, number >> (5 * place), 32)).collect()
}

/// Hexadecimal, with a letter first: what has only digits would look like an account.
fn hash(number: u128) -> String {
    let first = sign(b"abcdef", number >> 64, 6);
    let rest = (1..HASH_DIGITS).map(|place| sign(b"0123456789abcdef", number >> (4 * place), 16));
    std::iter::once(first).chain(rest).collect()
}

fn sign(signs: &[u8], number: u128, count: u128) -> char {
    signs.get((number % count) as usize).copied().map_or('0', char::from)
}

/// Stars for letters and digits; of other signs those that mean nothing to any format stay.
fn mask(value: &str) -> String {
    value.chars().map(|sign| safe_sign(sign).unwrap_or('*')).collect()
}

/// A sign that separates parts of values and means nothing within a cell or a string of JSON.
pub(super) const fn safe_sign(sign: char) -> Option<char> {
    match sign {
        ' ' | '-' | '.' | '/' | '(' | ')' | '+' | ':' | '@' | '_' | ',' => Some(sign),
        _ => None,
    }
}

/// A value in one way of writing, so that its pseudonym does not depend on how it stands somewhere:
/// numbers without separators, addresses of mail in small letters, other words one blank apart.
fn one_way(entity: Entity, value: &[u8]) -> Cow<'_, [u8]> {
    let number = match entity.group() {
        Group::National | Group::Financial | Group::Health => entity != Entity::Crypto,
        Group::Device => !matches!(entity, Entity::Ip),
        Group::Contact => entity == Entity::Phone,
        Group::Person | Group::Secret => false,
    };
    if number {
        let signs = value.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte == b'+');
        return signs.map(u8::to_ascii_uppercase).collect::<Vec<_>>().into();
    }
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join(&b' ');
    match entity {
        Entity::Email => joined.to_ascii_lowercase().into(),
        _ if joined == value => value.into(),
        _ => joined.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn pseudonyms(seed: u8) -> Pseudonyms {
        Pseudonyms::of(&SecretKey::of([seed; 32]))
    }

    #[track_caller]
    fn made(operator: Operator, entity: Entity, value: &str) -> String {
        pseudonyms(1).make(entity, operator, value.as_bytes(), b"").unwrap()
    }

    #[test]
    fn a_value_has_one_pseudonym_however_it_is_written() {
        for (entity, one, other) in [
            (Entity::CreditCard, "4111 1111 1111 1111", "4111-1111-1111-1111"),
            (Entity::Iban, "DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
            (Entity::Phone, "+49 (30) 123456", "+4930123456"),
            (Entity::Email, "Ann@Example.org", "ann@example.org"),
            (Entity::Person, "Ann\n Young", "Ann Young"),
        ] {
            for operator in [Operator::Replace, Operator::Hash] {
                assert_eq!(made(operator, entity, one), made(operator, entity, other));
                assert_ne!(made(operator, entity, one), made(operator, entity, "else"));
                let foreign = pseudonyms(2).make(entity, operator, one.as_bytes(), b"").unwrap();
                assert_ne!(made(operator, entity, one), foreign);
            }
        }
        assert_ne!(
            made(Operator::Hash, Entity::Person, "Bob Lee"),
            made(Operator::Hash, Entity::Username, "Bob Lee")
        );
    }

    #[test]
    fn masks_keep_length_and_separators() {
        assert_eq!(made(Operator::Mask, Entity::Phone, "+49 (30) 12-34"), "+** (**) **-**");
        assert_eq!(made(Operator::Mask, Entity::Person, "José \"x\""), "**** ***");
        assert_eq!(made(Operator::Remove, Entity::Email, "a@example.org"), "[EMAIL]");
    }

    #[test]
    fn a_million_values_have_a_million_pseudonyms() {
        let pseudonyms = pseudonyms(3);
        for operator in [Operator::Replace, Operator::Hash] {
            let all: BTreeSet<String> = (0..1_000_000)
                .filter_map(|number| {
                    let value = format!("person{number}@example.org");
                    pseudonyms.make(Entity::Email, operator, value.as_bytes(), b"")
                })
                .collect();
            assert_eq!(all.len(), 1_000_000, "{operator}");
        }
    }
}
