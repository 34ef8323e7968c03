//! Attention of tokens to the keys and values of those before them, which a cache keeps.
//!
//! Queries that share keys (grouped-query attention) are computed together, so that keys and values are read once for
//! all of them and never repeated. A token and a head of keys are one piece of work.
//!
//! Keys stand by sixteen positions, number by number, so that the scores of sixteen positions are made at once; values
//! stand position by position ([`crate::KeyValueCache`] writes both).

use std::cell::RefCell;

use rayon::prelude::*;

use super::lanes::{self, Kernel, Lanes};
use super::pointwise::{capped, exponential};

/// Products of a query and a key from which on pieces are worth more than one core.
const WORTH_SHARING: usize = 1 << 14;
/// The widest head that is computed.
pub const MAX_HEAD: usize = 256;
/// Positions whose keys stand together.
pub const TOGETHER: usize = 16;
/// Numbers of a head that share a scale, where they are bytes.
pub const SHARED: usize = 32;
/// Heads of queries that are computed at once: as many as registers hold sums for.
const HEADS: usize = 4;

/// How a cache keeps numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// In 16 bits.
    Half,
    /// In 32 bits.
    Single,
    /// In 8 bits, with a scale for each [`SHARED`] numbers of a head.
    Byte,
}

impl Precision {
    /// Bytes of a number, without its share of a scale.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Half => 2,
            Self::Single => 4,
        }
    }

    /// Scales of a head so wide.
    #[must_use]
    pub const fn scales(self, width: usize) -> usize {
        match self {
            Self::Byte => width.div_ceil(SHARED),
            Self::Half | Self::Single => 0,
        }
    }
}

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

/// Keys and values of a sequence in one layer, head by head.
#[derive(Clone, Copy, Debug)]
pub struct KeysAndValues<'a> {
    /// Keys of all heads.
    pub keys: &'a [u8],
    /// Values of all heads.
    pub values: &'a [u8],
    /// Scales of keys, by sixteen positions and group by group; none where numbers are no bytes.
    pub key_scales: &'a [f32],
    /// Scales of values, position by position; none where numbers are no bytes.
    pub value_scales: &'a [f32],
    /// Positions that there is room for in each head: a multiple of [`TOGETHER`].
    pub capacity: usize,
    /// How numbers are kept.
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
        let position = position + token;
        SCORES.with_borrow_mut(|scores| {
            Piece { heads, queries, position, head, of, attended, scores }.compute();
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

impl Piece<'_> {
    /// Computes with as many heads of queries at once as there are.
    fn compute(self) {
        let Self { heads: Heads { width, window, scale, cap, .. }, of, .. } = self;
        let end = self.position + 1;
        let start = window.map_or(0, |window| end.saturating_sub(window));
        // Positions before the first one are in the first sixteen as well, and count for nothing.
        let first = start / TOGETHER * TOGETHER;
        let count = (end - first).next_multiple_of(TOGETHER);
        self.scores.resize(count * HEADS, 0.0);
        let place = self.head * of.capacity + first;
        let range = |each: usize| each * place..each * (place + count);
        let bytes = range(of.precision.bytes() * width);
        let scales = range(of.precision.scales(*width));
        let at_once = HEADS * width;
        for (queries, attended) in
            self.queries.chunks(at_once).zip(self.attended.chunks_mut(at_once))
        {
            lanes::run(HeadsAtOnce {
                width: *width,
                queries,
                keys: of.keys.get(bytes.clone()).unwrap_or_default(),
                values: of.values.get(bytes.clone()).unwrap_or_default(),
                key_scales: of.key_scales.get(scales.clone()).unwrap_or_default(),
                value_scales: of.value_scales.get(scales.clone()).unwrap_or_default(),
                precision: of.precision,
                seen: (start - first, end - first),
                scale: *scale,
                cap: *cap,
                scores: self.scores,
                attended,
            });
        }
    }
}

/// Up to four heads of queries that share keys.
struct HeadsAtOnce<'a> {
    width: usize,
    queries: &'a [f32],
    keys: &'a [u8],
    values: &'a [u8],
    key_scales: &'a [f32],
    value_scales: &'a [f32],
    precision: Precision,
    /// The first position that is seen, and the one after the last.
    seen: (usize, usize),
    scale: f32,
    cap: Option<f32>,
    /// Room for scores of all positions, head by head.
    scores: &'a mut [f32],
    attended: &'a mut [f32],
}

/// A number of a cache.
trait Number {
    const BYTES: usize;
    /// Whether groups of them have scales.
    const SCALED: bool = false;
    /// Sixteen of them.
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats;
}

struct Half;

impl Number for Half {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats {
        lanes.halves(bytes.first_chunk().unwrap_or(&[0; 32]))
    }
}

struct Single;

impl Number for Single {
    const BYTES: usize = 4;

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats {
        lanes.floats(&pulp::bytemuck::cast(*bytes.first_chunk::<64>().unwrap_or(&[0; 64])))
    }
}

struct Byte;

impl Number for Byte {
    const BYTES: usize = 1;
    const SCALED: bool = true;

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats {
        lanes.signed_bytes(*bytes.first_chunk().unwrap_or(&[0; 16]))
    }
}

impl Kernel for HeadsAtOnce<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        match (self.precision, self.queries.len() / self.width) {
            (Precision::Half, 1) => self.heads::<L, Half, 1>(lanes),
            (Precision::Half, 2) => self.heads::<L, Half, 2>(lanes),
            (Precision::Half, 3) => self.heads::<L, Half, 3>(lanes),
            (Precision::Half, _) => self.heads::<L, Half, HEADS>(lanes),
            (Precision::Single, 1) => self.heads::<L, Single, 1>(lanes),
            (Precision::Single, 2) => self.heads::<L, Single, 2>(lanes),
            (Precision::Single, 3) => self.heads::<L, Single, 3>(lanes),
            (Precision::Single, _) => self.heads::<L, Single, HEADS>(lanes),
            (Precision::Byte, 1) => self.heads::<L, Byte, 1>(lanes),
            (Precision::Byte, 2) => self.heads::<L, Byte, 2>(lanes),
            (Precision::Byte, 3) => self.heads::<L, Byte, 3>(lanes),
            (Precision::Byte, _) => self.heads::<L, Byte, HEADS>(lanes),
        }
    }
}

impl HeadsAtOnce<'_> {
    #[inline(always)]
    fn heads<L: Lanes, N: Number, const H: usize>(self, lanes: L) {
        let Self { width, queries, seen, scale, cap, scores, attended, .. } = self;
        let (keys, values) = ((self.keys, self.key_scales), (self.values, self.value_scales));
        let count = scores.len() / HEADS;
        make_scores::<L, N, H>(lanes, queries, keys, width, scores);
        let mut totals = [0.0; H];
        for head in 0..H {
            let scores = &mut scores[head * count..(head + 1) * count];
            for score in scores.iter_mut() {
                *score *= scale;
            }
            if let Some(cap) = cap {
                for score in scores.iter_mut() {
                    *score = capped(*score, cap);
                }
            }
            scores[..seen.0].fill(f32::NEG_INFINITY);
            scores[seen.1..].fill(f32::NEG_INFINITY);
            totals[head] = softmax(scores);
        }
        weigh::<L, N, H>(lanes, scores, values, &totals, attended);
    }
}

/// Products of queries with the keys of all positions.
#[inline(always)]
fn make_scores<L: Lanes, N: Number, const H: usize>(
    lanes: L,
    queries: &[f32],
    (keys, scales): (&[u8], &[f32]),
    width: usize,
    scores: &mut [f32],
) {
    let count = scores.len() / HEADS;
    let (queries, keys) = (&queries[..H * width], &keys[..count * width * N::BYTES]);
    // Numbers that are added up before they are scaled, if they are.
    let (shared, groups) = if N::SCALED { (SHARED, width.div_ceil(SHARED)) } else { (width, 1) };
    let (scales, _) = scales.as_chunks::<TOGETHER>();
    for sixteen in 0..count / TOGETHER {
        let keys = &keys
            [sixteen * TOGETHER * width * N::BYTES..(sixteen + 1) * TOGETHER * width * N::BYTES];
        let mut sums = [lanes.splat(0.0); H];
        for group in 0..groups {
            let mut part = [lanes.splat(0.0); H];
            for number in group * shared..((group + 1) * shared).min(width) {
                let keys = N::load(
                    lanes,
                    &keys[number * TOGETHER * N::BYTES..(number + 1) * TOGETHER * N::BYTES],
                );
                for head in 0..H {
                    let query = lanes.splat(queries[head * width + number]);
                    part[head] = lanes.fused(keys, query, part[head]);
                }
            }
            for head in 0..H {
                sums[head] = match N::SCALED {
                    true => {
                        let scales = lanes.floats(&scales[sixteen * groups + group]);
                        lanes.fused(part[head], scales, sums[head])
                    }
                    false => part[head],
                };
            }
        }
        for head in 0..H {
            let from = head * count + sixteen * TOGETHER;
            scores[from..from + TOGETHER].copy_from_slice(&lanes.store(sums[head]));
        }
    }
}

/// Makes scores to weights that are the exponentials of their distances to the largest; the sum of them.
#[inline(always)]
fn softmax(scores: &mut [f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; TOGETHER];
    let (sixteens, _) = scores.as_chunks_mut::<TOGETHER>();
    for scores in sixteens.iter() {
        for lane in 0..TOGETHER {
            largest[lane] = if scores[lane] > largest[lane] { scores[lane] } else { largest[lane] };
        }
    }
    let mut most = f32::NEG_INFINITY;
    for value in largest {
        most = most.max(value);
    }
    let mut totals = [0.0; TOGETHER];
    for scores in sixteens.iter_mut() {
        for lane in 0..TOGETHER {
            let weight = exponential(scores[lane] - most);
            // The exponential is bounded below; what is not seen weighs nothing.
            let weight = if scores[lane] > f32::MIN { weight } else { 0.0 };
            scores[lane] = weight;
            totals[lane] += weight;
        }
    }
    let mut total = 0.0;
    for value in totals {
        total += value;
    }
    total
}

/// Sums of values by the weights of every head, over the totals.
#[inline(always)]
fn weigh<L: Lanes, N: Number, const H: usize>(
    lanes: L,
    weights: &[f32],
    (values, scales): (&[u8], &[f32]),
    totals: &[f32; H],
    attended: &mut [f32],
) {
    let count = weights.len() / HEADS;
    let width = attended.len() / H;
    let row = width * N::BYTES;
    let (values, weights) = (&values[..count * row], &weights[..H * count]);
    // Four parts of a row at once: their sums stay in registers.
    for from in (0..width).step_by(4 * TOGETHER) {
        let parts = ((width - from) / TOGETHER).min(4);
        let mut sums = [[lanes.splat(0.0); 4]; H];
        for position in 0..count {
            let values = &values[position * row + from * N::BYTES..(position + 1) * row];
            for part in 0..4 {
                // A head that is no multiple of 64 reads its last part again.
                let place = part.min(parts - 1) * TOGETHER * N::BYTES;
                let mut value = N::load(lanes, &values[place..]);
                if N::SCALED {
                    let group = (from + part.min(parts - 1) * TOGETHER) / SHARED;
                    let scale = lanes.splat(scales[position * width.div_ceil(SHARED) + group]);
                    value = lanes.multiply(value, scale);
                }
                for head in 0..H {
                    let weight = lanes.splat(weights[head * count + position]);
                    sums[head][part] = lanes.fused(value, weight, sums[head][part]);
                }
            }
        }
        for head in 0..H {
            let share = lanes.splat(1.0 / totals[head]);
            for part in 0..parts {
                let place = head * width + from + part * TOGETHER;
                let made = lanes.store(lanes.multiply(sums[head][part], share));
                attended[place..place + TOGETHER].copy_from_slice(&made);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::KeyValueCache;

    /// Attention as it is defined, with numbers in 64 bits.
    fn defined(
        heads: &Heads,
        queries: &[f32],
        keys: &[f32],
        values: &[f32],
        position: usize,
    ) -> Vec<f64> {
        let share = heads.queries / heads.keys;
        let start = heads.window.map_or(0, |window| (position + 1).saturating_sub(window));
        let row = |all: &[f32], at: usize, head: usize| -> Vec<f64> {
            let from = (at * heads.keys + head) * heads.width;
            all[from..from + heads.width].iter().map(|number| f64::from(*number)).collect()
        };
        let mut attended = Vec::new();
        for (head, query) in queries.chunks_exact(heads.width).enumerate() {
            let score = |at: usize| {
                let key = row(keys, at, head / share);
                let score: f64 =
                    query.iter().zip(key).map(|(query, key)| f64::from(*query) * key).sum();
                let score = score * f64::from(heads.scale);
                let cap = heads.cap.map(f64::from);
                cap.map_or(score, |cap| cap * (score / cap).tanh()).exp()
            };
            let weights: Vec<f64> = (start..=position).map(score).collect();
            let total: f64 = weights.iter().sum();
            let mut sums = vec![0.0; heads.width];
            for (at, weight) in (start..=position).zip(weights) {
                let value = row(values, at, head / share);
                sums.iter_mut().zip(value).for_each(|(sum, value)| *sum += weight / total * value);
            }
            attended.extend(sums);
        }
        attended
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn it_is_what_its_definition_says(
            (keys, share, sixteens) in (1_usize..4, 1_usize..9, 1_usize..9),
            tokens in 1_usize..70,
            window in proptest::option::of(1_usize..80),
            cap in proptest::option::of(1.0_f32..50.0),
            precision in prop_oneof![Just(Precision::Half), Just(Precision::Single), Just(Precision::Byte)],
            seed in any::<u64>(),
        ) {
            let width = 16 * sixteens;
            let heads = Heads { queries: keys * share, keys, width, window, scale: 0.2, cap };
            let mut random = seed;
            let mut numbers = |count: usize| -> Vec<f32> {
                (0..count).map(|_| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    // Whole halves: exact in half precision.
                    ((random >> 40) % 9) as f32 / 2.0 - 2.0
                }).collect()
            };
            let (all_keys, all_values) = (numbers(tokens * keys * width), numbers(tokens * keys * width));
            let queries = numbers(tokens * keys * share * width);
            let mut cache = KeyValueCache::new(&[(keys, width)], tokens, precision);
            cache.write(0, &all_keys, &all_values);
            let mut attended = vec![0.0; queries.len()];
            attend(&heads, &queries, 0, cache.layer(0).unwrap(), &mut attended);
            let row = heads.queries * width;
            for (position, (queries, attended)) in queries.chunks_exact(row).zip(attended.chunks_exact(row)).enumerate() {
                let exact = defined(&heads, queries, &all_keys, &all_values, position);
                // Keys of up to 2 in steps of 2/127 change scores, and values of that size what comes of them.
                let tolerance = if precision == Precision::Byte { 0.5 } else { 1e-4 };
                for (made, exact) in attended.iter().zip(exact) {
                    prop_assert!((f64::from(*made) - exact).abs() < tolerance, "{made} {exact}");
                }
            }
        }
    }
}
