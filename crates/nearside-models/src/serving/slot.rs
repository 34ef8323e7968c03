//! Places for sequences, and what is kept of those that were there.

use crate::key_value_cache::KeyValueCache;

use super::sequence::Sequence;

/// Tokens that are not worth to be kept of another sequence.
const FEW: usize = 8;

/// Tokens that are worth waiting for, while another sequence reads them.
const MANY: usize = 32;

/// A place for a sequence.
pub(super) struct Slot<'a> {
    pub(super) cache: KeyValueCache,
    /// The tokens whose keys and values the cache has.
    pub(super) kept: Vec<u32>,
    /// When it was used last, counted in requests.
    used: u64,
    pub(super) sequence: Option<Sequence<'a>>,
}

impl Slot<'_> {
    pub(super) const fn new(cache: KeyValueCache) -> Self {
        Self { cache, kept: Vec::new(), used: 0, sequence: None }
    }

    /// How many tokens it has that a text begins with.
    fn shared(&self, tokens: &[u32]) -> usize {
        shared(&self.kept, tokens)
    }

    /// Whether it will soon have much more of what a text begins with, for its own sequence is being read.
    pub(super) fn promises(&self, tokens: &[u32]) -> bool {
        let reading = self.sequence.as_ref().filter(|sequence| !sequence.is_read());
        reading
            .is_some_and(|sequence| shared(&sequence.tokens, tokens) >= self.shared(tokens) + MANY)
    }
}

/// Makes a free slot ready for a text of which this may be kept, with as much of it as some slot has: its place and how
/// many tokens it has. `None` when no slot is free.
pub(super) fn prepare(
    slots: &mut [Slot<'_>],
    beginning: &[u32],
    now: u64,
) -> Option<(usize, usize)> {
    let shares = slots.iter().map(|slot| slot.shared(beginning));
    let best = shares.enumerate().max_by_key(|(at, share)| (*share, slots[*at].used));
    let (source, shared) = best.filter(|(_, share)| *share >= FEW).unwrap_or((0, 0));
    let is_free = |at: &usize| slots[*at].sequence.is_none();
    let oldest = (0..slots.len()).filter(is_free).min_by_key(|at| slots[*at].used)?;
    // It goes on in the same place unless more would be lost there than is used again.
    let in_place = shared > 0 && is_free(&source) && slots[source].kept.len() - shared <= shared;
    let target = if in_place { source } else { oldest };
    if let Ok([target, source]) = slots.get_disjoint_mut([target, source])
        && shared > 0
    {
        target.cache.copy_from(&source.cache, shared);
        target.kept.clear();
        target.kept.extend_from_slice(&source.kept[..shared]);
    }
    let slot = &mut slots[target];
    slot.cache.truncate(shared);
    slot.kept.truncate(shared);
    slot.used = now;
    Some((target, shared))
}

/// How many tokens two texts have in common at their beginnings.
fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Precision;

    fn slots(kept: &[&[u32]]) -> Vec<Slot<'static>> {
        let slot = |(used, kept): (usize, &&[u32])| {
            let mut slot = Slot::new(KeyValueCache::new(&[(1, 16)], 64, Precision::Half));
            for token in *kept {
                slot.cache.write(0, &[*token as f32; 16], &[1.0; 16]);
                slot.cache.advance(1);
            }
            slot.kept = kept.to_vec();
            slot.used = used as u64;
            slot
        };
        kept.iter().enumerate().map(slot).collect()
    }

    fn sequence(tokens: std::ops::Range<u32>) -> Vec<u32> {
        tokens.collect()
    }

    #[test]
    fn a_text_goes_on_where_its_beginning_is() {
        let (one, other) = (sequence(0..20), sequence(100..120));
        let mut slots = slots(&[&one, &other]);
        let longer = sequence(100..130);
        assert_eq!(prepare(&mut slots, &longer[..29], 9), Some((1, 20)));
        assert_eq!((slots[1].cache.length(), slots[1].used), (20, 9));
        // The last token is read again, for its scores are wanted.
        assert_eq!(prepare(&mut slots, &one[..19], 10), Some((0, 19)));
        assert_eq!(slots[0].kept, one[..19]);
    }

    #[test]
    fn a_short_beginning_is_copied_from_a_long_sequence() {
        let long = sequence(0..40);
        let mut slots = slots(&[&[7, 7, 7], &long]);
        let text: Vec<u32> = (0..10).chain(200..210).collect();
        assert_eq!(prepare(&mut slots, &text[..19], 5), Some((0, 10)));
        assert_eq!(slots[0].kept, text[..10]);
        assert_eq!(slots[0].cache.length(), 10);
        assert_eq!(slots[1].kept, long);
    }

    #[test]
    fn nothing_in_common_takes_the_oldest() {
        let mut slots = slots(&[&[1; 20], &[2; 20]]);
        slots[0].used = 8;
        assert_eq!(prepare(&mut slots, &[3; 19], 9), Some((1, 0)));
        assert_eq!(slots[1].cache.length(), 0);
        assert!(slots[1].kept.is_empty());
    }
}
