//! Weights that are plain numbers, of 16 or 32 bits, and activations as they are.

use super::{ask_ahead, part};
use crate::kernel::lanes::Lanes;

/// Numbers that are taken at once: four registers' worth, so that additions need not wait for each other.
const STRIDE: usize = 64;

/// How a number is stored.
pub(super) trait Number {
    /// Its bytes.
    const BYTES: usize;
    /// Sixteen of them.
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats;
}

/// Half precision.
pub(super) struct F16;

impl Number for F16 {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats {
        lanes.halves(part(bytes, 0))
    }
}

/// The upper half of a number of 32 bits.
pub(super) struct Bf16;

impl Number for Bf16 {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats {
        lanes.brains(part(bytes, 0))
    }
}

/// 32 bits.
pub(super) struct F32;

impl Number for F32 {
    const BYTES: usize = 4;

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, bytes: &[u8]) -> L::Floats {
        lanes.floats(&pulp::bytemuck::cast(*part::<64>(bytes, 0)))
    }
}

#[inline(always)]
pub(super) fn product<L: Lanes, N: Number>(lanes: L, row: &[u8], values: &[f32]) -> f32 {
    let mut sums = [lanes.splat(0.0); 4];
    let (whole, left) = values.as_chunks::<STRIDE>();
    let stride = STRIDE * N::BYTES;
    for (index, values) in whole.iter().enumerate() {
        let bytes = row.get(index * stride..(index + 1) * stride).unwrap_or_default();
        ask_ahead(lanes, part::<{ 2 * STRIDE }>(bytes, 0));
        if N::BYTES == 4 {
            ask_ahead(lanes, part::<{ 2 * STRIDE }>(bytes, 2 * STRIDE));
        }
        add::<L, N>(lanes, bytes, values, &mut sums);
    }
    let rest = row.get(whole.len() * stride..).unwrap_or_default();
    if !rest.is_empty() {
        let (mut bytes, mut values) = ([0; 4 * STRIDE], [0.0; STRIDE]);
        bytes[..rest.len()].copy_from_slice(rest);
        values[..left.len()].copy_from_slice(left);
        add::<L, N>(lanes, &bytes, &values, &mut sums);
    }
    let [first, second, third, fourth] = sums;
    lanes.total(lanes.add(lanes.add(first, third), lanes.add(second, fourth)))
}

/// Adds the products of a stride.
#[inline(always)]
fn add<L: Lanes, N: Number>(
    lanes: L,
    bytes: &[u8],
    values: &[f32; STRIDE],
    sums: &mut [L::Floats; 4],
) {
    let (values, _) = values.as_chunks::<16>();
    for part in 0..4 {
        let weights = N::load(lanes, bytes.get(16 * part * N::BYTES..).unwrap_or_default());
        sums[part] = lanes.fused(weights, lanes.floats(&values[part]), sums[part]);
    }
}
