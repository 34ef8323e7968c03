//! Sequences that are read together: tokens one after the other, and what is to be predicted after each.

use std::ops::Range;

use super::TrainError;

/// Sequences that do not see each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    tokens: Vec<u32>,
    /// The token that should follow; `None` where nothing is learned.
    targets: Vec<Option<u32>>,
    /// Where each sequence lies.
    sequences: Vec<Range<usize>>,
    /// The place of each token in its sequence.
    positions: Vec<usize>,
}

impl Batch {
    /// Sequences of these lengths, one after the other.
    ///
    /// # Errors
    /// When there are not as many targets as tokens, the lengths do not add up to them, or a sequence has none.
    pub fn new(
        tokens: Vec<u32>,
        targets: Vec<Option<u32>>,
        lengths: &[usize],
    ) -> Result<Self, TrainError> {
        let mut sequences = Vec::with_capacity(lengths.len());
        let mut end = 0_usize;
        for length in lengths {
            let first = end;
            end = end.saturating_add(*length);
            sequences.push(first..end);
        }
        let some_empty = lengths.contains(&0) || tokens.is_empty();
        if tokens.len() != targets.len() || tokens.len() != end || some_empty {
            let (tokens, targets) = (tokens.len(), targets.len());
            return Err(TrainError::Batch { tokens, targets, lengths: end });
        }
        let positions = sequences.iter().flat_map(|sequence| 0..sequence.len()).collect();
        Ok(Self { tokens, targets, sequences, positions })
    }

    /// Windows of one text each: every token but the last is read, every one but the first predicted.
    ///
    /// # Errors
    /// When there is no window of two tokens or more.
    pub fn of_windows<'a>(windows: impl Iterator<Item = &'a [u32]>) -> Result<Self, TrainError> {
        let (mut tokens, mut targets, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for window in windows {
            if let [read @ .., _last] = window
                && let [_first, predicted @ ..] = window
                && !read.is_empty()
            {
                tokens.extend_from_slice(read);
                targets.extend(predicted.iter().copied().map(Some));
                lengths.push(read.len());
            }
        }
        Self::new(tokens, targets, &lengths)
    }

    /// The tokens.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// What should follow each of them.
    #[must_use]
    pub fn targets(&self) -> &[Option<u32>] {
        &self.targets
    }

    /// Tokens that are predicted.
    #[must_use]
    pub fn predicted(&self) -> usize {
        self.targets.iter().flatten().count()
    }

    pub(super) fn sequences(&self) -> &[Range<usize>] {
        &self.sequences
    }

    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The longest sequence.
    pub(super) fn longest(&self) -> usize {
        self.sequences.iter().map(Range::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_predict_the_next_token_each_by_itself() {
        let batch = Batch::of_windows([&[1, 2, 3][..], &[7, 8], &[9]].into_iter()).unwrap();
        assert_eq!(batch.tokens(), [1, 2, 7]);
        assert_eq!(batch.targets(), [Some(2), Some(3), Some(8)]);
        assert_eq!((batch.sequences(), batch.positions()), (&[0..2, 2..3][..], &[0, 1, 0][..]));
        assert_eq!((batch.longest(), batch.predicted()), (2, 3));
    }

    #[test]
    fn parts_that_do_not_fit_together_are_an_error() {
        for (tokens, targets, lengths) in [
            (2, 1, vec![2]),
            (2, 2, vec![3]),
            (2, 2, vec![0, 2]),
            (0, 0, vec![]),
            (2, 2, vec![usize::MAX, 3]),
        ] {
            let batch = Batch::new(vec![0; tokens], vec![None; targets], &lengths);
            assert!(matches!(batch, Err(TrainError::Batch { .. })));
        }
    }
}
