//! Which combinations are equal once their values are told at some levels.

use super::hierarchy::Hierarchy;
use super::tuples::Tuples;

/// The classes of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Classes {
    numbering: Numbering,
    /// How many rows each has.
    pub(super) sizes: Vec<u64>,
    /// How many people of a population, where there is one.
    people: Option<Vec<u64>>,
    keys: Vec<u64>,
}

/// Numbers for equal keys, from 0 in the order in which they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbering {
    /// The number of each key.
    pub(super) of: Vec<u32>,
    /// A hash table of numbers by key; kept, so that nothing is made anew for each choice of levels.
    slots: Vec<(u64, u32)>,
}

/// No class.
const FREE: u32 = u32::MAX;

impl Classes {
    /// Groups the combinations at a level of each column.
    pub(super) fn group(&mut self, tuples: &Tuples, hierarchies: &[Hierarchy], levels: &[u8]) {
        let count = tuples.len();
        self.keys.clear();
        self.keys.resize(count, 0);
        // Codes are put one behind another as digits of a number; before it would be too large, equal
        // ones get the number of their class instead.
        let mut range: u64 = 1;
        for ((hierarchy, column), level) in hierarchies.iter().zip(&tuples.columns).zip(levels) {
            let Some(level) = hierarchy.levels().get(usize::from(*level)) else { continue };
            let labels = level.labels.len() as u64;
            if labels == 1 {
                continue;
            }
            if range.checked_mul(labels).is_none() {
                self.numbering.number(self.keys.iter().copied());
                for (key, class) in self.keys.iter_mut().zip(&self.numbering.of) {
                    *key = u64::from(*class);
                }
                range = count as u64;
            }
            range = range.saturating_mul(labels);
            for (key, code) in self.keys.iter_mut().zip(column) {
                *key = key.wrapping_mul(labels).wrapping_add(u64::from(level.label_of(*code)));
            }
        }
        let classes = self.numbering.number(self.keys.iter().copied());
        let of = &self.numbering.of;
        sum(&mut self.sizes, classes, of, &tuples.counts);
        if let Some(population) = &tuples.population {
            sum(self.people.get_or_insert_default(), classes, of, population);
        }
    }

    /// The class of each combination.
    pub(super) fn of(&self) -> &[u32] {
        &self.numbering.of
    }

    /// How many rows or people the rows of each class hide among.
    pub(super) fn crowds(&self) -> &[u64] {
        self.people.as_ref().unwrap_or(&self.sizes)
    }
}

impl Numbering {
    /// Gives equal keys one number; answers how many there are.
    pub(super) fn number(&mut self, keys: impl ExactSizeIterator<Item = u64>) -> usize {
        let size = (keys.len() * 2).next_power_of_two().max(16);
        let shift = 64 - size.trailing_zeros();
        self.slots.clear();
        self.slots.resize(size, (0, FREE));
        self.of.clear();
        let mut classes = 0;
        for key in keys {
            // Fibonacci hashing (Knuth, volume 3, 6.4).
            let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize;
            let class = loop {
                match self.slots.get_mut(at) {
                    Some((_, class)) if *class == FREE => {
                        self.slots[at] = (key, classes);
                        classes += 1;
                        break classes - 1;
                    }
                    Some((other, class)) if *other == key => break *class,
                    _ => at = (at + 1) & (size - 1),
                }
            };
            self.of.push(class);
        }
        classes as usize
    }
}

/// How much there is of each class.
fn sum(sums: &mut Vec<u64>, classes: usize, of: &[u32], counts: &[u64]) {
    sums.clear();
    sums.resize(classes, 0);
    for (class, count) in of.iter().zip(counts) {
        if let Some(sum) = sums.get_mut(*class as usize) {
            *sum += count;
        }
    }
}
