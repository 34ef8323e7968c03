//! What every processor has, and what the other implementations have to compute.

use super::{Kernel, Lanes, nearest};
use crate::block::f16_to_f32;

/// Plain numbers.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

/// 64 bytes, which are sixteen whole numbers too.
#[derive(Clone, Copy)]
pub(crate) struct Words([u8; 64]);

/// A value for every lane or byte. In a loop: what the standard library has for it is too large to become part of a
/// kernel.
#[inline(always)]
fn lanes_by<T: Copy + Default, const COUNT: usize>(value: impl Fn(usize) -> T) -> [T; COUNT] {
    let mut values = [T::default(); COUNT];
    for (lane, place) in values.iter_mut().enumerate() {
        *place = value(lane);
    }
    values
}

impl Words {
    #[inline(always)]
    fn numbers(self) -> [i32; 16] {
        let (numbers, _) = self.0.as_chunks();
        lanes_by(|lane| i32::from_le_bytes(numbers[lane]))
    }

    #[inline(always)]
    fn of(numbers: [i32; 16]) -> Self {
        let mut bytes = [0; 64];
        for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        Self(bytes)
    }

    /// In each lane the sum of four products of bytes.
    #[inline(always)]
    fn products(self, other: Self, product: impl Fn(u8, u8) -> i32) -> [i32; 16] {
        lanes_by(|lane| {
            let bytes = 4 * lane..4 * lane + 4;
            bytes.map(|byte| product(self.0[byte], other.0[byte])).sum::<i32>()
        })
    }
}

impl Lanes for Scalar {
    type Floats = [f32; 16];
    type Words = Words;

    #[inline(always)]
    fn within<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn ask_for(self, _bytes: &[u8], _ahead: usize) {}

    #[inline(always)]
    fn floats(self, values: &[f32; 16]) -> [f32; 16] {
        *values
    }

    #[inline(always)]
    fn store(self, floats: [f32; 16]) -> [f32; 16] {
        floats
    }

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 16] {
        [value; 16]
    }

    #[inline(always)]
    fn add(self, left: [f32; 16], right: [f32; 16]) -> [f32; 16] {
        lanes_by(|lane| left[lane] + right[lane])
    }

    #[inline(always)]
    fn multiply(self, left: [f32; 16], right: [f32; 16]) -> [f32; 16] {
        lanes_by(|lane| left[lane] * right[lane])
    }

    #[inline(always)]
    fn size(self, floats: [f32; 16]) -> [f32; 16] {
        lanes_by(|lane| floats[lane].abs())
    }

    #[inline(always)]
    fn larger(self, left: [f32; 16], right: [f32; 16]) -> [f32; 16] {
        lanes_by(|lane| if left[lane] > right[lane] { left[lane] } else { right[lane] })
    }

    #[inline(always)]
    fn largest(self, floats: [f32; 16]) -> f32 {
        let mut largest = floats[0];
        for number in floats {
            largest = if number > largest { number } else { largest };
        }
        largest
    }

    #[inline(always)]
    fn nearest_bytes(self, floats: [f32; 16]) -> [i8; 16] {
        lanes_by(|lane| nearest(floats[lane]) as i8)
    }

    #[inline(always)]
    fn fused(self, left: [f32; 16], right: [f32; 16], sum: [f32; 16]) -> [f32; 16] {
        lanes_by(|lane| left[lane].mul_add(right[lane], sum[lane]))
    }

    #[inline(always)]
    fn by_fours(self, floats: [f32; 16], quarter: usize) -> [f32; 16] {
        lanes_by(|lane| floats[4 * quarter + lane / 4])
    }

    #[inline(always)]
    fn by_eights(self, floats: [f32; 16], first: usize, second: usize) -> [f32; 16] {
        lanes_by(|lane| floats[if lane < 8 { first } else { second }])
    }

    #[inline(always)]
    fn halves(self, values: &[u8; 32]) -> [f32; 16] {
        let (values, _) = values.as_chunks();
        lanes_by(|lane| f16_to_f32(u16::from_le_bytes(values[lane])))
    }

    #[inline(always)]
    fn two_halves(self, [a, b, c, d]: [u8; 4]) -> [f32; 16] {
        let mut lanes = [0.0; 16];
        lanes[0] = f16_to_f32(u16::from_le_bytes([a, b]));
        lanes[1] = f16_to_f32(u16::from_le_bytes([c, d]));
        lanes
    }

    #[inline(always)]
    fn brains(self, values: &[u8; 32]) -> [f32; 16] {
        let (values, _) = values.as_chunks();
        lanes_by(|lane| f32::from_bits(u32::from(u16::from_le_bytes(values[lane])) << 16))
    }

    #[inline(always)]
    fn bytes(self, values: &[u8; 64]) -> Words {
        Words(*values)
    }

    #[inline(always)]
    fn stored(self, words: Words) -> [u8; 64] {
        words.0
    }

    #[inline(always)]
    fn columns(self, rows: [&[u8; 32]; 16]) -> [Words; 8] {
        let mut columns = [self.zero(); 8];
        for (column, place) in columns.iter_mut().enumerate() {
            *place = Words(lanes_by(|byte| rows[byte / 4][4 * column + byte % 4]));
        }
        columns
    }

    #[inline(always)]
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> Words {
        Words(lanes_by(|byte| if byte < 32 { low[byte] } else { high[byte - 32] }))
    }

    #[inline(always)]
    fn and(self, words: Words, mask: u8) -> Words {
        Words(lanes_by(|byte| words.0[byte] & mask))
    }

    #[inline(always)]
    fn or(self, left: Words, right: Words) -> Words {
        Words(lanes_by(|byte| left.0[byte] | right.0[byte]))
    }

    #[inline(always)]
    fn flip(self, words: Words, bits: u8) -> Words {
        Words(lanes_by(|byte| words.0[byte] ^ bits))
    }

    #[inline(always)]
    fn down(self, words: Words, low: u32, high: u32) -> Words {
        Words(lanes_by(|byte| words.0[byte] >> if byte < 32 { low } else { high }))
    }

    #[inline(always)]
    fn up<const BITS: u32>(self, words: Words) -> Words {
        Words(lanes_by(|byte| words.0[byte] << BITS))
    }

    #[inline(always)]
    fn dot(self, unsigned: Words, signed: Words) -> Words {
        Words::of(unsigned.products(signed, |left, right| {
            i32::from(left) * i32::from(i8::from_ne_bytes([right]))
        }))
    }

    #[inline(always)]
    fn signed_dot(self, left: Words, right: Words) -> Words {
        Words::of(left.products(right, |left, right| {
            i32::from(i8::from_ne_bytes([left])) * i32::from(i8::from_ne_bytes([right]))
        }))
    }

    #[inline(always)]
    fn spread_dot(self, sum: Words, unsigned: Words, signed: [i8; 4]) -> Words {
        let sum = sum.numbers();
        Words::of(lanes_by(|lane| {
            let products =
                (0..4).map(|byte| i32::from(unsigned.0[4 * lane + byte]) * i32::from(signed[byte]));
            sum[lane] + products.sum::<i32>()
        }))
    }

    #[inline(always)]
    fn zero(self) -> Words {
        Words([0; 64])
    }

    #[inline(always)]
    fn to_floats(self, words: Words) -> [f32; 16] {
        let numbers = words.numbers();
        lanes_by(|lane| numbers[lane] as f32)
    }

    #[inline(always)]
    fn half_of(self, Words(bytes): Words, half: usize) -> [f32; 16] {
        lanes_by(|lane| {
            let first = 4 * lane + 2 * half;
            f16_to_f32(u16::from_le_bytes([bytes[first], bytes[first + 1]]))
        })
    }

    #[inline(always)]
    fn unsigned_byte_of(self, Words(bytes): Words, byte: usize) -> [f32; 16] {
        lanes_by(|lane| f32::from(bytes[4 * lane + byte]))
    }

    #[inline(always)]
    fn signed_byte_of(self, Words(bytes): Words, byte: usize) -> [f32; 16] {
        lanes_by(|lane| f32::from(i8::from_ne_bytes([bytes[4 * lane + byte]])))
    }

    #[inline(always)]
    fn unsigned_bytes(self, values: [u8; 16]) -> [f32; 16] {
        lanes_by(|lane| f32::from(values[lane]))
    }

    #[inline(always)]
    fn signed_bytes(self, values: [u8; 16]) -> [f32; 16] {
        lanes_by(|lane| f32::from(i8::from_ne_bytes([values[lane]])))
    }
}
