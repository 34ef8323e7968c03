//! Which rows were seen before, in bounded memory: digests of 64 bits in a table of open places.
//!
//! Of `n` different rows two share a digest by chance with a probability of about `n^2 / 2^65`: of the
//! 16 million that are remembered at most, once in 130,000 bills.

/// Rows that are remembered at most: 256 MiB of digests.
pub const MOST_REMEMBERED: usize = 1 << 24;

/// Digests that were seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Zero is an open place; a power of two of them.
    places: Vec<u64>,
    count: usize,
    most: usize,
    beyond: bool,
}

impl Seen {
    pub(crate) fn new(most: usize) -> Self {
        Self { places: vec![0; 1 << 10], count: 0, most, beyond: false }
    }

    /// Remembers a digest; whether it was there before. Beyond the bound nothing new is remembered.
    pub(crate) fn was_seen(&mut self, digest: u64) -> bool {
        let digest = digest.max(1);
        if self.places.get(self.place_of(digest)).is_some_and(|held| *held == digest) {
            return true;
        }
        if self.count >= self.most {
            self.beyond = true;
            return false;
        }
        if (self.count + 1) * 2 > self.places.len() {
            self.grow();
        }
        self.put(digest);
        self.count += 1;
        false
    }

    /// Whether there were more rows than are remembered.
    pub(crate) const fn is_beyond(&self) -> bool {
        self.beyond
    }

    /// Where a digest is, or would be.
    fn place_of(&self, digest: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut at = (digest as usize) & mask;
        // Half of the places are open, so one is found.
        while self.places.get(at).is_some_and(|held| *held != 0 && *held != digest) {
            at = (at + 1) & mask;
        }
        at
    }

    fn put(&mut self, digest: u64) {
        let at = self.place_of(digest);
        if let Some(place) = self.places.get_mut(at) {
            *place = digest;
        }
    }

    fn grow(&mut self) {
        let wider = vec![0; self.places.len() * 2];
        let old = std::mem::replace(&mut self.places, wider);
        old.into_iter().filter(|held| *held != 0).for_each(|held| self.put(held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    #[test]
    fn beyond_the_bound_it_says_so() {
        let mut seen = Seen::new(2);
        assert!([1, 2, 3].iter().all(|digest| !seen.was_seen(*digest)));
        assert!(seen.is_beyond());
        assert!(seen.was_seen(1) && !seen.was_seen(3));
    }

    proptest! {
        #[test]
        fn it_remembers_as_a_set_does(digests in proptest::collection::vec(1_u64..3000, 0..4000)) {
            let (mut seen, mut set) = (Seen::new(MOST_REMEMBERED), BTreeSet::new());
            for digest in digests {
                prop_assert_eq!(seen.was_seen(digest), !set.insert(digest));
            }
        }
    }
}
