//! What was found: where, how sure, by which rule and why. Never the value itself.

use std::ops::Range;

use super::cue::Cues;
use super::entity::{Entity, Locale};

/// What speaks for a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its form alone, which little else has.
    Form,
    /// A check digit or checksum.
    Checked,
    /// A word beside it, the head of its column or its key.
    Labelled,
    /// A list of names.
    Listed,
}

impl Proof {
    /// It, in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Form => "its form",
            Self::Checked => "its check digits",
            Self::Labelled => "what stands beside it",
            Self::Listed => "names it contains",
        }
    }
}

/// One finding in a stream of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub entity: Entity,
    /// First byte in the stream.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Its column of a table, from 0.
    pub column: Option<u32>,
    /// How sure, in hundredths, 50 to 99.
    pub score: u8,
    /// The rule that found it.
    pub rule: &'static str,
    /// What speaks for it.
    pub proof: Proof,
    /// The words that announced it.
    pub cues: Cues,
}

/// A finding of a rule, in the bytes that it looks at, before overlaps are resolved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) entity: Entity,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) score: u8,
    pub(super) rule: &'static str,
    pub(super) proof: Proof,
    pub(super) cues: Cues,
    /// The country it would come from: where the text speaks of that one, it is surer.
    pub(super) country: Option<Locale>,
}

impl Hit {
    /// What its form alone speaks for.
    pub(super) const fn new(
        entity: Entity,
        place: Range<usize>,
        score: u8,
        rule: &'static str,
    ) -> Self {
        let (start, end) = (place.start, place.end);
        let (proof, cues, country) = (Proof::Form, Cues::NONE, None);
        Self { entity, start, end, score, rule, proof, cues, country }
    }

    /// The same, with what speaks for it and the words that announced it.
    pub(super) const fn because(self, proof: Proof, cues: Cues) -> Self {
        Self { proof, cues, ..self }
    }

    /// The same, as it would come from a country.
    pub(super) const fn of(self, country: Option<Locale>) -> Self {
        Self { country, ..self }
    }
}

/// What a hit gains where the text speaks of its country.
const HOME: u8 = 8;

/// The score from which on a hit is a finding.
pub(super) const SURE: u8 = 50;

/// Where entities overlap, the surer one stays; of equally sure ones the one whose kind comes
/// first here, then the longer, then the earlier one.
///
/// Secrets go before everything, checked numbers before numbers of contact, those before names.
const fn priority(entity: Entity) -> u8 {
    match entity {
        Entity::PrivateKey => 0,
        Entity::Jwt | Entity::AwsAccessKey | Entity::GithubToken | Entity::SlackToken => 1,
        Entity::ApiKey => 2,
        Entity::Email => 3,
        Entity::Iban | Entity::Crypto | Entity::Mac | Entity::Ip => 4,
        Entity::Address => 6,
        Entity::Postcode => 7,
        Entity::Phone => 8,
        Entity::Password => 9,
        Entity::Person => 10,
        Entity::Username | Entity::Mrn | Entity::BankAccount | Entity::LicencePlate => 11,
        _ => 5,
    }
}

/// Leaves of overlapping hits the one that holds, in order of place. `home` is the country that the
/// text speaks of.
pub(super) fn resolve(hits: &mut Vec<Hit>, home: Option<Locale>) {
    for hit in hits.iter_mut().filter(|hit| home.is_some() && hit.country == home) {
        // A number that nothing speaks for does not become one by its country alone.
        hit.score = hit.score.saturating_add(if hit.score >= SURE - 15 { HOME } else { 0 }).min(99);
    }
    hits.retain(|hit| hit.score >= SURE && hit.start < hit.end);
    if hits.len() < 2 {
        return;
    }
    let order = |hit: &Hit| {
        // A secret holds against anything that looks like part of it.
        let secret = priority(hit.entity) > 2;
        let length = hit.end - hit.start;
        (secret, u8::MAX - hit.score, priority(hit.entity), usize::MAX - length, hit.start)
    };
    hits.sort_by_key(order);
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits.drain(..) {
        let after = kept.partition_point(|other| other.start < hit.end);
        let clear = after.checked_sub(1).and_then(|index| kept.get(index));
        if clear.is_none_or(|other| other.end <= hit.start) {
            kept.insert(after, hit);
        }
    }
    *hits = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(entity: Entity, start: usize, end: usize, score: u8) -> Hit {
        Hit::new(entity, start..end, score, "test")
    }

    #[test]
    fn the_surer_one_stays_and_what_is_apart_too() {
        let mut hits = vec![
            hit(Entity::Phone, 0, 10, 60),
            hit(Entity::UkNhs, 2, 12, 80),
            hit(Entity::Email, 20, 30, 90),
            hit(Entity::Person, 15, 20, 55),
            hit(Entity::Person, 40, 45, 30),
        ];
        resolve(&mut hits, None);
        let left: Vec<_> = hits.iter().map(|hit| (hit.entity, hit.start)).collect();
        assert_eq!(left, [(Entity::UkNhs, 2), (Entity::Person, 15), (Entity::Email, 20)]);
    }
}
