//! The scale of a group of values, and the level of each: what makes the weighted squared error least among some
//! tries.
//!
//! Levels are whole numbers `l`, a value is `scale * l`. Several scales are tried that round the values differently;
//! for each, the best scale for those levels is that of least squares, `Σ w x l / Σ w l²`. The tries do not depend on
//! each other: they are computed side by side, each adding up in the order of the values.

/// Tries that are computed side by side.
const LANES: usize = 8;
/// A group whose values are all below this is one of zeros.
pub(super) const NOTHING: f32 = 1e-15;
/// How often levels are looked at again, one after the other.
const PASSES: usize = 5;

type Lanes = [f32; LANES];

/// The nearest whole number, ties to even; of what is beyond 22 bits some whole number.
#[inline]
pub(super) fn nearest(value: f32) -> i32 {
    const LAST_PLACE_IS_ONE: f32 = 12_582_912.0;
    ((value + LAST_PLACE_IS_ONE).to_bits() & 0x007f_ffff).cast_signed().wrapping_sub(0x0040_0000)
}

/// The nearest whole number within bounds.
#[inline]
pub(super) fn level(value: f32, low: f32, high: f32) -> f32 {
    let nearest = nearest(value) as f32;
    let nearest = if nearest < low { low } else { nearest };
    if nearest > high { high } else { nearest }
}

/// Each of some values made something else; unlike `map` of an array it is computed several at once.
#[inline]
pub(super) fn each<const N: usize, T: Copy + Default>(
    values: &[f32; N],
    one: impl Fn(f32) -> T,
) -> [T; N] {
    let mut all = [T::default(); N];
    all.iter_mut().zip(values).for_each(|(target, value)| *target = one(*value));
    all
}

/// A sum in the order of its terms, from 0.
pub(super) fn sum(terms: impl Iterator<Item = f32>) -> f32 {
    terms.fold(0.0, |sum, term| sum + term)
}

/// The inverse, or 0 of 0.
pub(super) fn inverse_or_zero(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { 1.0 / value }
}

/// The greatest distance from 0.
pub(super) fn greatest(values: &[f32]) -> f32 {
    // Eight at once: the greatest does not depend on the order.
    let (eights, rest) = values.as_chunks::<8>();
    let mut most = [0.0f32; 8];
    for eight in eights {
        for (most, value) in most.iter_mut().zip(eight) {
            *most = if value.abs() > *most { value.abs() } else { *most };
        }
    }
    let longer = |most: f32, value: &f32| if value.abs() > most { value.abs() } else { most };
    most.iter().chain(rest).fold(0.0, longer)
}

/// The value that is farthest from 0, the first of those.
#[inline]
pub(super) fn farthest(values: &[f32]) -> f32 {
    let greatest = greatest(values);
    values.iter().find(|value| value.abs() >= greatest).copied().unwrap_or(0.0)
}

/// How important columns are weighed with the size of their values: by the root of the mean square plus the square.
pub(super) fn weighed<const N: usize>(
    columns: &[f32; N],
    values: &[f32; N],
    power: f32,
) -> [f32; N] {
    let mut weights = each(values, |value| (power + value * value).sqrt());
    weights.iter_mut().zip(columns).for_each(|(weight, column)| *weight *= column);
    weights
}

/// A scale and levels: counted from 0 where the lowest level of the symmetric ones is.
pub(super) struct Symmetric<const N: usize> {
    pub(super) scale: f32,
    pub(super) levels: [u8; N],
}

/// Which levels there are, and how ggml adds up what speaks for a scale.
pub(super) trait Levels {
    /// The level nearest to a scaled value.
    fn nearest(&self, scaled: f32) -> f32;
    /// `w x l`, multiplied in one order or the other.
    fn product(weight: f32, value: f32, level: f32) -> f32;
    /// The scale of the first try.
    fn first(product: f32, square: f32) -> f32;
}

/// Levels from `-bound` to `bound - 1`, one apart.
struct Even {
    bound: f32,
}

impl Levels for Even {
    #[inline]
    fn nearest(&self, scaled: f32) -> f32 {
        level(scaled, -self.bound, self.bound - 1.0)
    }

    #[inline]
    fn product(weight: f32, value: f32, level: f32) -> f32 {
        weight * value * level
    }

    fn first(product: f32, square: f32) -> f32 {
        if square == 0.0 { 0.0 } else { product / square }
    }
}

/// Levels from `-bound` to `bound - 1`: the value farthest from 0 is tried at `-bound`, and at up to 0.9 beside it.
pub(super) fn symmetric<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    bound: f32,
) -> Symmetric<N> {
    let far = farthest(values);
    if far.abs() < NOTHING {
        return Symmetric { scale: 0.0, levels: [0; N] };
    }
    let tries: [f32; 19] = std::array::from_fn(|at| match at {
        0 => -bound / far,
        _ => -(bound + 0.1 * beside(at, 9)) / far,
    });
    let even = Even { bound };
    let (scale, inverse) = best(values, weights, &tries, &even);
    let levels = each(values, |value| (even.nearest(inverse * value) + bound) as u8);
    Symmetric { scale, levels }
}

/// The whole numbers from `-most` to `most` without 0, counted from 1.
fn beside(at: usize, most: usize) -> f32 {
    let offset = at as f32 - most as f32;
    if at <= most { offset - 1.0 } else { offset }
}

/// The scale of least squares of the best of some inverse scales, and that inverse. The first counts as it is,
/// later ones if they explain more.
pub(super) fn best<const N: usize, L: Levels>(
    values: &[f32; N],
    weights: &[f32; N],
    tries: &[f32],
    levels: &L,
) -> (f32, f32) {
    let (mut scale, mut explained, mut winner) = (0.0, 0.0, 0.0);
    for (share, tried) in tries.chunks(LANES).enumerate() {
        let mut inverse = [0.0; LANES];
        inverse[..tried.len()].copy_from_slice(tried);
        let (products, squares) = correlate(values, weights, &inverse, levels);
        for lane in 0..tried.len() {
            let (product, square) = (products[lane], squares[lane]);
            if share == 0 && lane == 0 {
                scale = L::first(product, square);
            } else if square > 0.0 && product * product > explained * square {
                scale = product / square;
            } else {
                continue;
            }
            explained = scale * product;
            winner = inverse[lane];
        }
    }
    (scale, winner)
}

/// `Σ w x l` and `Σ w l²` for each of several inverse scales.
#[inline]
fn correlate<const N: usize, L: Levels>(
    values: &[f32; N],
    weights: &[f32; N],
    inverse: &Lanes,
    levels: &L,
) -> (Lanes, Lanes) {
    let (mut products, mut squares) = ([0.0; LANES], [0.0; LANES]);
    for (value, weight) in values.iter().zip(weights) {
        for lane in 0..LANES {
            let level = levels.nearest(inverse[lane] * value);
            products[lane] += L::product(*weight, *value, level);
            squares[lane] += weight * level * level;
        }
    }
    (products, squares)
}

/// Levels from 0 to `top` of values that are not negative, such as scales themselves.
pub(super) fn positive<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    top: f32,
) -> Symmetric<N> {
    let most = values.iter().fold(0.0f32, |most, value| if *value > most { *value } else { most });
    if most < NOTHING {
        return Symmetric { scale: 0.0, levels: [0; N] };
    }
    let rounded = |inverse: f32| {
        values.map(|value| {
            let nearest = nearest(inverse * value) as f32;
            if nearest > top { top } else { nearest }
        })
    };
    let error = |inverse: f32, levels: [f32; N]| {
        let scale = 1.0 / inverse;
        sum((0..N).map(|i| {
            let difference = values[i] - scale * levels[i];
            weights[i] * difference * difference
        }))
    };
    let mut winner = top / most;
    let mut least = error(winner, rounded(winner).map(in_a_byte));
    for at in 1..=8 {
        let inverse = (0.1 * beside(at, 4) + top) / most;
        let tried = error(inverse, rounded(inverse));
        if tried < least {
            (least, winner) = (tried, inverse);
        }
    }
    let bounds = Bounds { low: f32::MIN, high: top, unsigned: true };
    let (scale, levels) = refined(values, weights, rounded(winner), &bounds);
    Symmetric { scale, levels: levels.map(|level| level as u8) }
}

/// Levels from `-bound` to `bound - 1` of values that weigh their square, each looked at again.
pub(super) fn alternating<const N: usize>(values: &[f32; N], bound: f32) -> Symmetric<N> {
    let far = farthest(values);
    if far.abs() < NOTHING {
        return Symmetric { scale: 0.0, levels: [0; N] };
    }
    let inverse = -bound / far;
    let levels = values.map(|value| level(inverse * value, -bound, bound - 1.0));
    let weights = values.map(|value| value * value);
    let bounds = Bounds { low: -bound, high: bound - 1.0, unsigned: false };
    let (scale, levels) = refined(values, &weights, levels, &bounds);
    Symmetric { scale, levels: levels.map(|level| (level + bound) as u8) }
}

/// The levels that there are. Those without a sign are looked at again only where the others alone have a scale, and
/// are kept in a byte.
struct Bounds {
    low: f32,
    high: f32,
    unsigned: bool,
}

/// What ggml keeps of a level in a byte: below 0 it is 256 more. That happens where a value was given the wrong sign.
fn in_a_byte(level: f32) -> f32 {
    f32::from(level as i32 as u8)
}

/// Changes one level at a time to what suits the others best, while that explains more of the values.
fn refined<const N: usize>(
    values: &[f32; N],
    weights: &[f32; N],
    mut levels: [f32; N],
    bounds: &Bounds,
) -> (f32, [f32; N]) {
    let mut product = sum((0..N).map(|i| weights[i] * values[i] * levels[i]));
    let mut square = sum((0..N).map(|i| weights[i] * levels[i] * levels[i]));
    let kept = |level: f32| if bounds.unsigned { in_a_byte(level) } else { level };
    levels = levels.map(kept);
    for _ in 0..PASSES {
        let mut changed = false;
        for i in 0..N {
            let (value, weight) = (values[i], weights[i]);
            let mut other_product = product - weight * value * levels[i];
            let mut other_square = square - weight * levels[i] * levels[i];
            if !(other_product > 0.0 && (other_square > 0.0 || !bounds.unsigned)) {
                continue;
            }
            let other = level(value * other_square / other_product, bounds.low, bounds.high);
            if (other - levels[i]).abs() < 0.5 {
                continue;
            }
            other_product += weight * value * other;
            other_square += weight * other * other;
            let explains_more =
                other_product * other_product * square > product * product * other_square;
            if other_square > 0.0 && explains_more {
                levels[i] = kept(other);
                (product, square) = (other_product, other_square);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    (if square > 0.0 { product / square } else { 0.0 }, levels)
}
