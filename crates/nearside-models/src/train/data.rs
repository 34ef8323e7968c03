//! Tokens of a text as batches: windows that lie side by side, in an order of chance that follows from a seed.
//!
//! Every epoch begins at another place of the first window, so that windows are cut otherwise, and sees all of them once.

use super::TrainError;
use super::batch::Batch;
use crate::random::Random;

/// Windows of a text, again and again.
#[derive(Clone, Debug)]
pub struct Windows<'a> {
    text: &'a [u32],
    /// Tokens that are read of each.
    length: usize,
    random: Random,
    /// Where the windows begin that are still to come in this epoch.
    left: Vec<usize>,
}

impl<'a> Windows<'a> {
    /// Windows of which so many tokens are read, and one more is predicted.
    ///
    /// # Errors
    /// When the text is shorter than one.
    pub fn new(text: &'a [u32], length: usize, seed: u64) -> Result<Self, TrainError> {
        if length == 0 || text.len() <= length {
            return Err(TrainError::TooShort { found: text.len(), needed: length.max(1) + 1 });
        }
        Ok(Self { text, length, random: Random::new(seed), left: Vec::new() })
    }

    /// The next windows, as many as a batch has.
    ///
    /// # Errors
    /// When it has none.
    pub fn batch(&mut self, windows: usize) -> Result<Batch, TrainError> {
        let mut chosen = Vec::with_capacity(windows);
        for _ in 0..windows {
            if self.left.is_empty() {
                self.begin_epoch();
            }
            let window =
                self.left.pop().and_then(|first| self.text.get(first..=first + self.length));
            chosen.extend(window);
        }
        Batch::of_windows(chosen.into_iter())
    }

    fn begin_epoch(&mut self) {
        let spare = (self.text.len() - 1 - self.length).min(self.length - 1);
        let first = self.random.below(spare + 1);
        let last = self.text.len() - 1 - self.length;
        self.left = (first..=last).step_by(self.length).collect();
        for end in (1..self.left.len()).rev() {
            self.left.swap(end, self.random.below(end + 1));
        }
    }
}

/// Windows that lie evenly over a text, at most so many of them, in batches of `together`.
///
/// # Errors
/// When the text is shorter than one.
pub fn spread(
    text: &[u32],
    length: usize,
    most: usize,
    together: usize,
) -> Result<Vec<Batch>, TrainError> {
    if length == 0 || text.len() <= length {
        return Err(TrainError::TooShort { found: text.len(), needed: length.max(1) + 1 });
    }
    let all = (text.len() - 1) / length;
    let count = all.min(most.max(1));
    let window = |index: usize| text.get(index * all / count * length..)?.get(..=length);
    let windows: Vec<&[u32]> = (0..count).filter_map(window).collect();
    windows.chunks(together.max(1)).map(|part| Batch::of_windows(part.iter().copied())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_epoch_predicts_nearly_every_token_once() {
        let text: Vec<u32> = (0..1000).collect();
        let mut windows = Windows::new(&text, 7, 3).unwrap();
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        for _ in 0..10 {
            loop {
                let batch = windows.batch(1).unwrap();
                for (token, target) in batch.tokens().iter().zip(batch.targets()) {
                    assert_eq!(*target, Some(token + 1));
                    *seen.entry(token + 1).or_default() += 1;
                }
                if windows.left.is_empty() {
                    break;
                }
            }
        }
        assert!(seen.values().all(|times| *times <= 10));
        assert!((20..980).all(|token| seen.get(&token) == Some(&10)));
    }

    #[test]
    fn the_same_seed_has_the_same_order_and_another_one_has_not() {
        let text: Vec<u32> = (0..1000).collect();
        let draw = |seed| {
            let mut windows = Windows::new(&text, 7, seed).unwrap();
            (0..30).map(|_| windows.batch(4).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn the_shortest_text_is_one_window() {
        let mut windows = Windows::new(&[1, 2, 3], 2, 0).unwrap();
        assert_eq!(windows.batch(2).unwrap().tokens(), [1, 2, 1, 2]);
        for short in [Windows::new(&[1, 2], 2, 0), Windows::new(&[1], 0, 0)] {
            assert!(matches!(short, Err(TrainError::TooShort { .. })));
        }
    }

    #[test]
    fn windows_that_are_spread_do_not_overlap() {
        let text: Vec<u32> = (0..100).collect();
        let batches = spread(&text, 9, 4, 3).unwrap();
        let firsts: Vec<u32> =
            batches.iter().flat_map(|batch| batch.tokens().chunks(9).map(|row| row[0])).collect();
        assert_eq!(firsts, [0, 18, 45, 72]);
        assert_eq!(spread(&text, 9, 99, 4).unwrap().len(), 3);
        assert!(matches!(spread(&text, 100, 4, 1), Err(TrainError::TooShort { .. })));
    }
}
