//! Windows of a text: which tokens a model sees together, and which of them it is scored on.

use std::ops::Range;

/// How a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// How many tokens of the text are seen together, at least 2.
    pub length: usize,
    /// How much further each begins than the one before; no more than `length`.
    pub stride: usize,
    /// The token that begins a text, which every window has before it.
    pub begin: Option<u32>,
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// What the model reads.
    pub tokens: Vec<u32>,
    /// Places in `tokens` whose token is scored, by what comes before it.
    pub scored: Range<usize>,
}

impl Windows {
    /// Tokens that a model has to have room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.length.max(1) + usize::from(self.begin.is_some())
    }

    /// The windows of a text. Every token is scored once, but the first where nothing is before it.
    pub(super) fn of<'a>(&self, text: &'a [u32]) -> impl Iterator<Item = Window> + 'a {
        let Self { length, stride, begin } = *self;
        let before = usize::from(begin.is_some());
        let stride = stride.clamp(1, length.max(2) - 1);
        let mut first = 0;
        // The first token that is still to be scored.
        let mut next = 1 - before;
        std::iter::from_fn(move || {
            (next < text.len()).then(|| {
                let end = (first + length.max(2)).min(text.len());
                let tokens = begin.into_iter().chain(text[first..end].iter().copied()).collect();
                let scored = next - first + before..end - first + before;
                (first, next) = (first + stride, end);
                Window { tokens, scored }
            })
        })
    }

    /// The longest sequence that a model sees.
    pub(super) fn longest(&self) -> usize {
        self.length.max(2) + usize::from(self.begin.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(windows: Windows, text: &[u32], expect: &[(&[u32], Range<usize>)]) {
        let expect = expect
            .iter()
            .map(|(tokens, scored)| Window { tokens: tokens.to_vec(), scored: scored.clone() });
        assert_eq!(windows.of(text).collect::<Vec<_>>(), expect.collect::<Vec<_>>());
    }

    #[test]
    fn every_token_is_scored_once() {
        let windows = Windows { length: 4, stride: 2, begin: None };
        check(
            windows,
            &[1, 2, 3, 4, 5, 6, 7],
            &[(&[1, 2, 3, 4], 1..4), (&[3, 4, 5, 6], 2..4), (&[5, 6, 7], 2..3)],
        );
        check(
            Windows { begin: Some(0), ..windows },
            &[1, 2, 3, 4, 5],
            &[(&[0, 1, 2, 3, 4], 1..5), (&[0, 3, 4, 5], 3..4)],
        );
        check(windows, &[1], &[]);
        check(windows, &[], &[]);
    }

    #[test]
    fn windows_that_would_leave_tokens_out_overlap() {
        let windows = Windows { length: 2, stride: 9, begin: None };
        check(windows, &[1, 2, 3], &[(&[1, 2], 1..2), (&[2, 3], 1..2)]);
    }
}
