//! Attention of tokens to the keys and values of those before them, which a cache keeps.
//!
//! Queries that share keys (grouped-query attention) are computed together, so that keys and values are read once for
//! all of them and never repeated. A token and a head of keys are one piece of work.

use std::cell::RefCell;
use std::marker::PhantomData;

use rayon::prelude::*;

use super::lanes::{self, Kernel, Lanes};
use super::pointwise::{capped, exponential};

/// Products of a query and a key from which on pieces are worth more than one core.
const WORTH_SHARING: usize = 1 << 14;
/// The widest head that is computed.
pub const MAX_HEAD: usize = 256;

/// Sizes and rules of a layer's attention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// Heads of queries.
    pub queries: usize,
    /// Heads of keys and values, a divisor of that.
    pub keys: usize,
    /// Width of a head: a multiple of 16, at most [`MAX_HEAD`].
    pub width: usize,
    /// Tokens back that a token sees, itself included; `None` for all.
    pub window: Option<usize>,
    /// What scores are multiplied with.
    pub scale: f32,
    /// The cap of scores.
    pub cap: Option<f32>,
}

/// How numbers of keys and values are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// In 16 bits, which is enough for every model in use.
    #[default]
    Half,
    /// In 32 bits, as they were computed.
    Single,
}

impl Precision {
    /// Bytes of a number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Half => Half::BYTES,
            Self::Single => Single::BYTES,
        }
    }
}

/// Keys and values of a sequence in one layer: by head, then by position.
#[derive(Clone, Copy, Debug)]
pub struct KeysAndValues<'a> {
    /// Keys of all heads.
    pub keys: &'a [u8],
    /// Values of all heads.
    pub values: &'a [u8],
    /// Positions that there is room for in each head.
    pub capacity: usize,
    /// How they are kept.
    pub precision: Precision,
}

/// Attends with the queries of tokens that follow each other, of which the first one stands at `position`; what comes
/// of it has the same places as the queries.
pub fn attend(
    heads: &Heads,
    queries: &[f32],
    position: usize,
    of: KeysAndValues<'_>,
    attended: &mut [f32],
) {
    let together = heads.queries / heads.keys.max(1) * heads.width;
    let piece = |(index, attended): (usize, &mut [f32])| {
        let (token, head) = (index / heads.keys, index % heads.keys);
        let Some(queries) = queries.get(index * together..(index + 1) * together) else { return };
        SCORES.with_borrow_mut(|scores| {
            let position = position + token;
            let piece = Piece { heads, queries, position, head, of, attended, scores };
            match of.precision {
                Precision::Half => lanes::run(Of::<Half>(piece, PhantomData)),
                Precision::Single => lanes::run(Of::<Single>(piece, PhantomData)),
            }
        });
    };
    let pieces = attended.len() / together.max(1);
    match pieces * (position + pieces / heads.keys.max(1)) < WORTH_SHARING {
        true => attended.chunks_exact_mut(together).enumerate().for_each(piece),
        false => attended.par_chunks_exact_mut(together).enumerate().for_each(piece),
    }
}

thread_local! {
    static SCORES: RefCell<Vec<f32>> = RefCell::default();
}

/// A token and a head of keys.
struct Piece<'a> {
    heads: &'a Heads,
    queries: &'a [f32],
    position: usize,
    head: usize,
    of: KeysAndValues<'a>,
    attended: &'a mut [f32],
    scores: &'a mut Vec<f32>,
}

/// A kept number.
trait Kept {
    /// Its bytes.
    const BYTES: usize;
    /// Sixteen of them.
    type Sixteen;
    fn sixteens(bytes: &[u8]) -> &[Self::Sixteen];
    fn load<L: Lanes>(lanes: L, sixteen: &Self::Sixteen) -> L::Floats;
}

struct Half;

impl Kept for Half {
    const BYTES: usize = 2;
    type Sixteen = [u8; 32];

    #[inline(always)]
    fn sixteens(bytes: &[u8]) -> &[[u8; 32]] {
        bytes.as_chunks().0
    }

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, sixteen: &[u8; 32]) -> L::Floats {
        lanes.halves(sixteen)
    }
}

struct Single;

impl Kept for Single {
    const BYTES: usize = 4;
    type Sixteen = [u8; 64];

    #[inline(always)]
    fn sixteens(bytes: &[u8]) -> &[[u8; 64]] {
        bytes.as_chunks().0
    }

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, sixteen: &[u8; 64]) -> L::Floats {
        lanes.floats(&pulp::bytemuck::cast(*sixteen))
    }
}

/// A piece, with numbers that are kept so.
struct Of<'a, K>(Piece<'a>, PhantomData<K>);

impl<K: Kept> Kernel for Of<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Piece { heads, queries, position, head, of, attended, scores } = self.0;
        let Heads { width, window, scale, cap, .. } = *heads;
        let end = position + 1;
        let start = window.map_or(0, |window| end.saturating_sub(window));
        let row = K::BYTES * width;
        let seen = |all: &'_ [u8]| {
            let from = head * of.capacity;
            (row * (from + start), row * (from + end)).0.min(all.len())
                ..(row * (from + end)).min(all.len())
        };
        let keys = &of.keys[seen(of.keys)];
        let values = &of.values[seen(of.values)];
        let count = end - start;
        scores.resize(count, 0.0);
        let heads = queries.chunks_exact(width).zip(attended.chunks_exact_mut(width));
        for (query, attended) in heads {
            for (score, key) in scores.iter_mut().zip(keys.chunks_exact(row)) {
                *score = scale * product::<L, K>(lanes, query, key);
            }
            if let Some(cap) = cap {
                for score in scores.iter_mut() {
                    *score = capped(*score, cap);
                }
            }
            let total = softmax(scores);
            weigh::<L, K>(lanes, scores, values, attended, 1.0 / total);
        }
    }
}

/// A query times a key.
#[inline(always)]
fn product<L: Lanes, K: Kept>(lanes: L, query: &[f32], key: &[u8]) -> f32 {
    let mut sum = lanes.splat(0.0);
    let (query, _) = query.as_chunks::<16>();
    let key = K::sixteens(key);
    for index in 0..query.len().min(key.len()) {
        sum = lanes.fused(K::load(lanes, &key[index]), lanes.floats(&query[index]), sum);
    }
    lanes.total(sum)
}

/// Makes scores to weights that are the exponentials of their distances to the largest; the sum of them.
#[inline(always)]
fn softmax(scores: &mut [f32]) -> f32 {
    let mut largest = f32::NEG_INFINITY;
    for score in scores.iter() {
        largest = largest.max(*score);
    }
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = exponential(*score - largest);
    }
    for score in scores.iter() {
        total += *score;
    }
    total
}

/// The sum of values by their weights, times a number.
#[inline(always)]
fn weigh<L: Lanes, K: Kept>(
    lanes: L,
    weights: &[f32],
    values: &[u8],
    sums: &mut [f32],
    times: f32,
) {
    let (sums, _) = sums.as_chunks_mut::<16>();
    let sixteen = 16 * K::BYTES;
    let row = sixteen * sums.len();
    // Four parts of a row at once: their sums stay in registers.
    for (four, sums) in sums.chunks_mut(4).enumerate() {
        let mut parts = [lanes.splat(0.0); 4];
        for index in 0..weights.len() {
            let weight = lanes.splat(weights[index]);
            let from = index * row + 4 * sixteen * four;
            let value = values.get(from..from + sixteen * sums.len()).unwrap_or_default();
            let value = K::sixteens(value);
            for part in 0..value.len().min(4) {
                parts[part] = lanes.fused(K::load(lanes, &value[part]), weight, parts[part]);
            }
        }
        for part in 0..sums.len() {
            sums[part] = lanes.store(lanes.multiply(parts[part], lanes.splat(times)));
        }
    }
}
