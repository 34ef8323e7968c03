//! Causal attention of tokens to those before them in their sequence, with fewer heads of keys than of queries where the
//! model has it so (grouped-query attention), a window, and a cap of scores.
//!
//! ```text
//! c = cap tanh(scale q k / cap),  p = e^(c - ln(sum of e^c)),  o = sum of p v
//! dv += p do,  dp = do v,  dc = p (dp - do o),  ds = dc (1 - (c / cap)^2),  dq = scale ds k,  dk += scale ds q
//! ```
//!
//! As in FlashAttention (Dao, arXiv 2205.14135 and 2307.08691), only the logarithms of sums are kept: scores are made
//! again, for some queries at a time. A head of keys of a sequence is one piece of work, whose queries, keys and values are
//! copied together.

use std::cell::Cell;
use std::mem;
use std::ops::Range;

use rayon::prelude::*;

use super::sums::{dot, largest, total};
use crate::kernel::lanes::{self, Kernel, Lanes};
use crate::kernel::{Heads, by_rows, capped, exponential};
use crate::train::TrainError;
use crate::train::product::{Factor, Onto, product};

/// Queries whose scores are in memory at once.
const QUERIES: usize = 64;

/// Attention within sequences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention<'a> {
    /// Sizes and rules.
    pub(crate) heads: &'a Heads,
    /// Where sequences lie in a batch.
    pub(crate) sequences: &'a [Range<usize>],
}

/// Queries, keys and values, token by token and in each head by head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) queries: &'a [f32],
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}

/// What was made forward, and how the loss changes with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outputs<'a> {
    pub(crate) attended: &'a [f32],
    pub(crate) log_sums: &'a [f32],
    pub(crate) attended_gradient: &'a [f32],
}

/// Where the gradients of queries, keys and values go.
#[derive(Debug)]
pub(crate) struct Gradients<'a> {
    pub(crate) queries: &'a mut Vec<f32>,
    pub(crate) keys: &'a mut Vec<f32>,
    pub(crate) values: &'a mut Vec<f32>,
}

/// Results head by head, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct AttentionMemory {
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl AttentionMemory {
    pub(crate) fn bytes(&self) -> usize {
        [&self.queries, &self.keys, &self.values].map(Vec::capacity).iter().sum::<usize>() * 4
    }
}

/// What one piece of work is about, and where its results go.
struct Piece<'a, const N: usize> {
    sequence: Range<usize>,
    /// The head of keys.
    head: usize,
    results: [&'a mut [f32]; N],
}

/// Memory of a thread: one head of one sequence.
#[derive(Default)]
struct Scratch {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    attended: Vec<f32>,
    attended_gradient: Vec<f32>,
    scores: Vec<f32>,
    score_gradients: Vec<f32>,
}

thread_local! {
    /// Taken while it is used: a thread that waits for a product may begin another piece.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

impl Attention<'_> {
    const fn group(&self) -> usize {
        self.heads.queries / self.heads.keys
    }

    /// Makes what comes out, and for each query the logarithm of its sum, which backward needs.
    pub(crate) fn forward(
        &self,
        inputs: Inputs<'_>,
        attended: &mut Vec<f32>,
        log_sums: &mut Vec<f32>,
        memory: &mut AttentionMemory,
    ) -> Result<(), TrainError> {
        let by_head = &mut memory.queries;
        by_head.resize(inputs.queries.len(), 0.0);
        log_sums.resize(inputs.queries.len() / self.heads.width, 0.0);
        let (group, width) = (self.group(), self.heads.width);
        let pieces = self.pieces([(by_head, group * width), (log_sums, group)]);
        pieces.into_par_iter().try_for_each(|piece| {
            let mut scratch = SCRATCH.take();
            let made = self.head_forward(inputs, piece, &mut scratch);
            SCRATCH.set(scratch);
            made
        })?;
        self.by_token(by_head, self.heads.queries, attended);
        Ok(())
    }

    /// Makes the gradients of queries, keys and values.
    pub(crate) fn backward(
        &self,
        inputs: Inputs<'_>,
        outputs: Outputs<'_>,
        gradients: Gradients<'_>,
        memory: &mut AttentionMemory,
    ) -> Result<(), TrainError> {
        let AttentionMemory { queries, keys, values } = memory;
        queries.resize(inputs.queries.len(), 0.0);
        keys.clear();
        keys.resize(inputs.keys.len(), 0.0);
        values.clear();
        values.resize(inputs.values.len(), 0.0);
        let width = self.heads.width;
        let pieces =
            [(&mut *queries, self.group() * width), (&mut *keys, width), (&mut *values, width)];
        self.pieces(pieces).into_par_iter().try_for_each(|piece| {
            let mut scratch = SCRATCH.take();
            let made = self.head_backward(inputs, outputs, piece, &mut scratch);
            SCRATCH.set(scratch);
            made
        })?;
        self.by_token(queries, self.heads.queries, gradients.queries);
        self.by_token(keys, self.heads.keys, gradients.keys);
        self.by_token(values, self.heads.keys, gradients.values);
        Ok(())
    }

    /// The pieces of work, each with its part of results that have so many numbers for each token and head of keys.
    fn pieces<'a, const N: usize>(
        &self,
        results: [(&'a mut Vec<f32>, usize); N],
    ) -> Vec<Piece<'a, N>> {
        let each = results.each_ref().map(|(_, each)| *each);
        let mut left = results.map(|(all, _)| all.as_mut_slice());
        let mut pieces = Vec::with_capacity(self.sequences.len() * self.heads.keys);
        for sequence in self.sequences {
            for head in 0..self.heads.keys {
                let mut sizes = each.iter();
                let results = left.each_mut().map(|left| {
                    let size = sizes.next().map_or(0, |each| each * sequence.len());
                    let (part, rest) = mem::take(left).split_at_mut(size);
                    *left = rest;
                    part
                });
                pieces.push(Piece { sequence: sequence.clone(), head, results });
            }
        }
        pieces
    }

    /// What lies head by head in each sequence, token by token.
    fn by_token(&self, by_head: &[f32], heads: usize, by_token: &mut Vec<f32>) {
        by_token.resize(by_head.len(), 0.0);
        let (head, row) = (self.heads.width, heads * self.heads.width);
        for sequence in self.sequences {
            let all = sequence.start * row..sequence.end * row;
            let from = &by_head[all.clone()];
            let length = sequence.len();
            by_rows(&mut by_token[all], row, |token, row| {
                for (index, numbers) in row.chunks_exact_mut(head).enumerate() {
                    let first = (index * length + token) * head;
                    numbers.copy_from_slice(&from[first..first + head]);
                }
            });
        }
    }

    /// The keys that some queries of a sequence see.
    fn keys_of(&self, queries: &Range<usize>) -> Range<usize> {
        let first =
            self.heads.window.map_or(0, |window| (queries.start + 1).saturating_sub(window));
        first..queries.end
    }

    fn head_forward(
        &self,
        inputs: Inputs<'_>,
        piece: Piece<'_, 2>,
        scratch: &mut Scratch,
    ) -> Result<(), TrainError> {
        let Piece { sequence, head, results: [attended, log_sums] } = piece;
        let (width, length) = (self.heads.width, sequence.len());
        let Scratch { query, key, value, scores, .. } = scratch;
        let of_keys = Head { sequence: &sequence, index: head, heads: self.heads.keys, width };
        of_keys.copy(inputs.keys, key);
        of_keys.copy(inputs.values, value);
        let each = attended.chunks_exact_mut(length * width).zip(log_sums.chunks_exact_mut(length));
        for (index, (attended, log_sums)) in each.enumerate() {
            let index = head * self.group() + index;
            let heads = self.heads.queries;
            Head { sequence: &sequence, index, heads, width }.copy(inputs.queries, query);
            for queries in blocks(length) {
                let keys = self.keys_of(&queries);
                self.scores(&query[..], &key[..], [&queries, &keys], scores)?;
                let rows = scores.chunks_exact_mut(keys.len()).zip(&mut log_sums[queries.clone()]);
                for (index, (scores, log_sum)) in rows.enumerate() {
                    let seen = self.seen(queries.start + index, &keys);
                    *log_sum = lanes::run(Softmax { scores, seen, cap: self.heads.cap });
                }
                let scores = Factor::rows(scores, keys.len());
                let of_queries = queries.start * width..queries.end * width;
                let values = Factor::rows(&value[keys.start * width..keys.end * width], width);
                product(scores, values, 1.0, &mut attended[of_queries], Onto::Replace)?;
            }
        }
        Ok(())
    }

    fn head_backward(
        &self,
        inputs: Inputs<'_>,
        outputs: Outputs<'_>,
        piece: Piece<'_, 3>,
        scratch: &mut Scratch,
    ) -> Result<(), TrainError> {
        let Piece { sequence, head, results: [of_queries, of_keys, of_values] } = piece;
        let (width, length, heads) = (self.heads.width, sequence.len(), self.heads.queries);
        let of_head = Head { sequence: &sequence, index: head, heads: self.heads.keys, width };
        of_head.copy(inputs.keys, &mut scratch.key);
        of_head.copy(inputs.values, &mut scratch.value);
        for (index, of_query) in of_queries.chunks_exact_mut(length * width).enumerate() {
            let index = head * self.group() + index;
            let of_head = Head { sequence: &sequence, index, heads, width };
            of_head.copy(inputs.queries, &mut scratch.query);
            of_head.copy(outputs.attended, &mut scratch.attended);
            of_head.copy(outputs.attended_gradient, &mut scratch.attended_gradient);
            let first = sequence.start * heads + index * length;
            let log_sums = &outputs.log_sums[first..first + length];
            for queries in blocks(length) {
                let keys = self.keys_of(&queries);
                self.block_gradients(scratch, log_sums, [&queries, &keys])?;
                let Scratch { query, key, attended_gradient, scores, score_gradients, .. } =
                    scratch;
                let part = |numbers: &Range<usize>| numbers.start * width..numbers.end * width;
                let (by_query, by_key) = (part(&queries), part(&keys));
                let chances = Factor::rows(scores, keys.len()).transposed();
                let above = Factor::rows(&attended_gradient[by_query.clone()], width);
                product(chances, above, 1.0, &mut of_values[by_key.clone()], Onto::Add)?;
                let (gradients, scale) =
                    (Factor::rows(score_gradients, keys.len()), self.heads.scale);
                let key = Factor::rows(&key[by_key.clone()], width);
                product(gradients, key, scale, &mut of_query[by_query.clone()], Onto::Replace)?;
                let (query, of_key) = (Factor::rows(&query[by_query], width), &mut of_keys[by_key]);
                product(gradients.transposed(), query, scale, of_key, Onto::Add)?;
            }
        }
        Ok(())
    }

    /// Makes the probabilities of a block, and the gradients of its scores.
    fn block_gradients(
        &self,
        scratch: &mut Scratch,
        log_sums: &[f32],
        [queries, keys]: [&Range<usize>; 2],
    ) -> Result<(), TrainError> {
        let Scratch { query, key, value, attended, attended_gradient, scores, score_gradients } =
            scratch;
        let width = self.heads.width;
        self.scores(query, key, [queries, keys], scores)?;
        score_gradients.resize(scores.len(), 0.0);
        let by_query = queries.start * width..queries.end * width;
        let above = Factor::rows(&attended_gradient[by_query.clone()], width);
        let values = Factor::rows(&value[keys.start * width..keys.end * width], width);
        product(above, values.transposed(), 1.0, score_gradients, Onto::Replace)?;
        let rows = scores.chunks_exact_mut(keys.len());
        let rows = rows.zip(score_gradients.chunks_exact_mut(keys.len()));
        let made = attended[by_query.clone()].chunks_exact(width);
        let made = made.zip(attended_gradient[by_query].chunks_exact(width));
        let rows = rows.zip(made).zip(&log_sums[queries.clone()]);
        for (index, (((scores, gradients), (made, above)), log_sum)) in rows.enumerate() {
            let seen = self.seen(queries.start + index, keys);
            let (log_sum, cap) = (*log_sum, self.heads.cap);
            lanes::run(SoftmaxBack { scores, gradients, seen, made, above, log_sum, cap });
        }
        Ok(())
    }

    fn scores(
        &self,
        query: &[f32],
        key: &[f32],
        [queries, keys]: [&Range<usize>; 2],
        scores: &mut Vec<f32>,
    ) -> Result<(), TrainError> {
        let width = self.heads.width;
        scores.resize(queries.len() * keys.len(), 0.0);
        let queries = Factor::rows(&query[queries.start * width..queries.end * width], width);
        let keys = Factor::rows(&key[keys.start * width..keys.end * width], width).transposed();
        product(queries, keys, self.heads.scale, scores, Onto::Replace)
    }

    /// Which of some keys a query sees.
    fn seen(&self, query: usize, keys: &Range<usize>) -> Range<usize> {
        let first = self.heads.window.map_or(0, |window| (query + 1).saturating_sub(window));
        first.saturating_sub(keys.start)..query + 1 - keys.start
    }
}

/// Queries of a sequence that are computed together.
fn blocks(length: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length).step_by(QUERIES).map(move |first| first..(first + QUERIES).min(length))
}

/// One of so many heads of a sequence.
struct Head<'a> {
    sequence: &'a Range<usize>,
    index: usize,
    heads: usize,
    width: usize,
}

impl Head<'_> {
    fn copy(&self, by_token: &[f32], head: &mut Vec<f32>) {
        let row = self.heads * self.width;
        head.clear();
        let tokens = &by_token[self.sequence.start * row..self.sequence.end * row];
        for token in tokens.chunks_exact(row) {
            head.extend_from_slice(&token[self.index * self.width..(self.index + 1) * self.width]);
        }
    }
}

/// Makes probabilities of the scores that are seen, zeros of the others, and the logarithm of their sum.
struct Softmax<'a> {
    scores: &'a mut [f32],
    seen: Range<usize>,
    cap: Option<f32>,
}

impl Kernel for Softmax<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let Self { scores, seen, cap } = self;
        scores[..seen.start].fill(0.0);
        scores[seen.end..].fill(0.0);
        let scores = &mut scores[seen];
        if let Some(cap) = cap {
            for index in 0..scores.len() {
                scores[index] = capped(scores[index], cap);
            }
        }
        let largest = largest(scores);
        for index in 0..scores.len() {
            scores[index] = exponential(scores[index] - largest);
        }
        let sum = total(lanes, scores);
        let inverse = 1.0 / sum;
        for index in 0..scores.len() {
            scores[index] *= inverse;
        }
        largest + sum.ln()
    }
}

/// Makes probabilities of scores again, and gradients of scores of those of probabilities.
struct SoftmaxBack<'a> {
    scores: &'a mut [f32],
    gradients: &'a mut [f32],
    seen: Range<usize>,
    made: &'a [f32],
    above: &'a [f32],
    log_sum: f32,
    cap: Option<f32>,
}

impl Kernel for SoftmaxBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { scores, gradients, seen, made, above, log_sum, cap } = self;
        let mean = dot(lanes, made, above);
        for numbers in [&mut *scores, &mut *gradients] {
            numbers[..seen.start].fill(0.0);
            numbers[seen.end..].fill(0.0);
        }
        let (scores, gradients) = (&mut scores[seen.clone()], &mut gradients[seen]);
        let count = scores.len().min(gradients.len());
        let (scores, gradients) = (&mut scores[..count], &mut gradients[..count]);
        match cap {
            Some(cap) => {
                let inverse = 1.0 / cap;
                for index in 0..count {
                    let score = capped(scores[index], cap);
                    let part = score * inverse;
                    let chance = exponential(score - log_sum);
                    let slope = (-part).mul_add(part, 1.0);
                    gradients[index] = chance * (gradients[index] - mean) * slope;
                    scores[index] = chance;
                }
            }
            None => {
                for index in 0..count {
                    let chance = exponential(scores[index] - log_sum);
                    gradients[index] = chance * (gradients[index] - mean);
                    scores[index] = chance;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::operator::differences::{Check, numbers};
    use crate::train::parameter::Parameters;

    fn check(heads: Heads, lengths: &[usize]) {
        let mut end = 0;
        let sequences: Vec<_> = lengths
            .iter()
            .map(|length| {
                end += length;
                end - length..end
            })
            .collect();
        let attention = Attention { heads: &heads, sequences: &sequences };
        let (wide, narrow) = (heads.queries * heads.width * end, heads.keys * heads.width * end);
        let of = |inputs: &[Vec<f32>]| {
            let (mut attended, mut log_sums) = (Vec::new(), Vec::new());
            let [queries, keys, values] = [&inputs[0], &inputs[1], &inputs[2]];
            let inputs = Inputs { queries, keys, values };
            let memory = &mut AttentionMemory::default();
            attention.forward(inputs, &mut attended, &mut log_sums, memory).unwrap();
            (attended, log_sums)
        };
        Check {
            parameters: Parameters::default(),
            inputs: vec![numbers(wide, 1), numbers(narrow, 2), numbers(narrow, 3)],
            forward: &|_, inputs| of(inputs).0,
            backward: &|_, inputs, attended_gradient| {
                let (attended, log_sums) = of(inputs);
                let mut all = [vec![9.0; 3], vec![9.0; 3], vec![9.0; 3]];
                let [queries, keys, values] = &mut all;
                let gradients = Gradients { queries, keys, values };
                let [queries, keys, values] = [&inputs[0], &inputs[1], &inputs[2]];
                let inputs = Inputs { queries, keys, values };
                let (attended, log_sums) = (&attended[..], &log_sums[..]);
                let outputs = Outputs { attended, log_sums, attended_gradient };
                let memory = &mut AttentionMemory::default();
                attention.backward(inputs, outputs, gradients, memory).unwrap();
                all.to_vec()
            },
        }
        .run();
    }

    const HEADS: Heads =
        Heads { queries: 4, keys: 2, width: 4, window: None, scale: 1.5, cap: None };

    #[test]
    fn gradients_are_differences_for_groups_caps_and_windows_in_every_sequence() {
        check(HEADS, &[5, 1, 3]);
        check(Heads { cap: Some(1.2), ..HEADS }, &[4, 3]);
        check(Heads { window: Some(2), ..HEADS }, &[6]);
        check(Heads { queries: 2, window: Some(3), cap: Some(2.0), ..HEADS }, &[7, 2]);
    }

    #[test]
    fn gradients_are_differences_across_blocks_of_queries() {
        let heads = Heads { queries: 1, keys: 1, width: 2, window: Some(40), ..HEADS };
        check(heads, &[QUERIES + 3]);
        check(Heads { window: None, ..heads }, &[2 * QUERIES + 1]);
    }

    #[test]
    fn nobody_sees_what_comes_after_or_is_out_of_sight() {
        let heads = Heads { window: Some(2), ..HEADS };
        let sequences = [0..4, 4..6];
        let attention = Attention { heads: &heads, sequences: &sequences };
        let of = |values: &[f32]| {
            let (queries, keys) = (numbers(96, 1), numbers(48, 2));
            let inputs = Inputs { queries: &queries, keys: &keys, values };
            let (mut attended, mut log_sums) = (Vec::new(), Vec::new());
            let memory = &mut AttentionMemory::default();
            attention.forward(inputs, &mut attended, &mut log_sums, memory).unwrap();
            attended
        };
        let values = numbers(48, 3);
        let before = of(&values);
        // The value of token 1 reaches tokens 1 and 2 alone.
        let mut changed = values;
        changed[8..16].fill(7.0);
        let after = of(&changed);
        for token in 0..6 {
            let row = token * 16..(token + 1) * 16;
            assert_eq!(before[row.clone()] != after[row], matches!(token, 1 | 2), "{token}");
        }
    }
}
