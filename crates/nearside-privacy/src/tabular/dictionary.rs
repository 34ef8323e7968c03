//! Numbers for values, and for combinations of them: each once.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// The most different values of a column, and the most combinations of them.
pub(crate) const MOST: usize = 1 << 27;

/// Values of a column, each once.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    values: Vec<String>,
    codes: HashTable<u32>,
    seed: RandomState,
}

impl Dictionary {
    /// The code of a value, a new one where it came for the first time.
    pub(crate) fn add(&mut self, value: &str) -> u32 {
        let Self { values, codes, seed } = self;
        let known = |code: &u32| values.get(*code as usize).is_some_and(|other| other == value);
        if let Some(code) = codes.find(seed.hash_one(value), known) {
            return *code;
        }
        let code = number(values.len());
        values.push(value.to_owned());
        codes.insert_unique(seed.hash_one(value), code, |code| {
            seed.hash_one(values.get(*code as usize).map_or("", String::as_str))
        });
        code
    }

    /// The code of a value that came.
    #[must_use]
    pub fn code(&self, value: &str) -> Option<u32> {
        let known = |code: &u32| self.values.get(*code as usize).is_some_and(|it| it == value);
        self.codes.find(self.seed.hash_one(value), known).copied()
    }

    /// The values, by code.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Its values in their order as text, and the new code of each by its old one.
    pub(super) fn sorted(&self) -> (Self, Vec<u32>) {
        let mut values: Vec<(&String, usize)> =
            self.values.iter().enumerate().map(|(code, value)| (value, code)).collect();
        values.sort_unstable();
        let (mut sorted, mut codes) = (Self::default(), vec![0; values.len()]);
        for (value, code) in values {
            if let Some(new) = codes.get_mut(code) {
                *new = sorted.add(value);
            }
        }
        (sorted, codes)
    }
}

/// Combinations of as many codes, each once.
#[derive(Clone, Debug)]
pub(super) struct Combinations {
    width: usize,
    codes: Vec<u32>,
    numbers: HashTable<u32>,
    seed: RandomState,
}

impl Combinations {
    /// None yet, of so many codes each.
    pub(super) fn new(width: usize) -> Self {
        let (codes, numbers, seed) = (Vec::new(), HashTable::new(), RandomState::default());
        Self { width, codes, numbers, seed }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The codes of one.
    pub(super) fn get(&self, number: u32) -> &[u32] {
        get(&self.codes, self.width, number)
    }

    /// The number of a combination, a new one where it came for the first time.
    pub(super) fn add(&mut self, combination: &[u32]) -> u32 {
        if let Some(number) = self.find(combination) {
            return number;
        }
        let Self { width, codes, numbers, seed } = self;
        let new = number(numbers.len());
        codes.extend_from_slice(combination);
        let hash = |number: &u32| seed.hash_one(get(codes, *width, *number));
        numbers.insert_unique(seed.hash_one(combination), new, hash);
        new
    }

    /// The number of a combination that came.
    pub(super) fn find(&self, combination: &[u32]) -> Option<u32> {
        let known = |number: &u32| self.get(*number) == combination;
        self.numbers.find(self.seed.hash_one(combination), known).copied()
    }
}

fn get(codes: &[u32], width: usize, number: u32) -> &[u32] {
    let start = number as usize * width;
    codes.get(start..start + width).unwrap_or(&[])
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_number() {
        let mut values = Dictionary::default();
        let codes: Vec<u32> = ["b", "a", "b", ""].iter().map(|value| values.add(value)).collect();
        assert_eq!((codes, values.code("c")), (vec![0, 1, 0, 2], None));
        let (sorted, new) = values.sorted();
        assert_eq!((sorted.values(), new), (&["", "a", "b"].map(str::to_owned)[..], vec![2, 1, 0]));

        let mut all = Combinations::new(2);
        for number in 0..5000 {
            assert_eq!(all.add(&[number % 100, number / 100]), number);
        }
        assert_eq!((all.add(&[7, 3]), all.find(&[7, 50]), all.len()), (307, None, 5000));
        assert_eq!(all.get(307), [7, 3]);
    }
}
