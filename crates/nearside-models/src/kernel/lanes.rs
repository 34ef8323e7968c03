//! Sixteen numbers at a time: what kernels are written with, once for every processor.
//!
//! A kernel is generic over [`Lanes`]. Each set of instructions is one implementation, chosen at run time by
//! [`run`]; the plain one is [`Scalar`], which says what the others have to compute. All of them give the same
//! bits: sums of whole numbers are exact, every sum of floating-point numbers has sixteen parts that are added up
//! in one order ([`Lanes::total`]), and products are added without rounding in between.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use scalar::Scalar;

/// What proves that a processor has instructions.
#[cfg(target_arch = "x86_64")]
pub(crate) mod proof {
    pub(crate) use super::avx2::Token as Avx2;
    pub(crate) use super::avx512::Token as Avx512;
}

use std::fmt;
use std::sync::OnceLock;

/// Operations on sixteen numbers of 32 bits, or on the 64 bytes that they take.
pub(crate) trait Lanes: Copy + Send + Sync {
    /// Sixteen floating-point numbers.
    type Floats: Copy;
    /// 64 bytes, or sixteen whole numbers.
    type Words: Copy;

    /// Calls a kernel so that the compiler may use the instructions.
    fn within<K: Kernel>(self, kernel: K) -> K::Output;

    /// Asks for the 64 bytes that stand `ahead` bytes behind the beginning of others, which will be wanted soon. A
    /// hint: where there is nothing, nothing happens.
    fn ask_for(self, bytes: &[u8], ahead: usize);
    fn floats(self, values: &[f32; 16]) -> Self::Floats;
    fn store(self, floats: Self::Floats) -> [f32; 16];
    fn splat(self, value: f32) -> Self::Floats;
    fn add(self, left: Self::Floats, right: Self::Floats) -> Self::Floats;
    fn multiply(self, left: Self::Floats, right: Self::Floats) -> Self::Floats;
    /// Without the sign.
    fn size(self, floats: Self::Floats) -> Self::Floats;
    /// The left one where it is larger, else the right one: also where the left one is no number.
    fn larger(self, left: Self::Floats, right: Self::Floats) -> Self::Floats;
    /// The largest lane; of numbers.
    fn largest(self, floats: Self::Floats) -> f32;
    /// The last eight bits of what [`nearest`] gives.
    fn nearest_bytes(self, floats: Self::Floats) -> [i8; 16];
    /// `left * right + sum`, rounded once.
    fn fused(self, left: Self::Floats, right: Self::Floats, sum: Self::Floats) -> Self::Floats;
    /// Each of four neighbours, from `4 * quarter`, four times.
    fn by_fours(self, floats: Self::Floats, quarter: usize) -> Self::Floats;
    /// Lane `first` eight times, then lane `second` eight times.
    fn by_eights(self, floats: Self::Floats, first: usize, second: usize) -> Self::Floats;
    /// Sixteen half-precision numbers, in 32 bits.
    fn halves(self, values: &[u8; 32]) -> Self::Floats;
    /// Two half-precision numbers, in the first two lanes; zeros behind them.
    fn two_halves(self, values: [u8; 4]) -> Self::Floats;
    /// Sixteen numbers of bfloat16, in 32 bits.
    fn brains(self, values: &[u8; 32]) -> Self::Floats;

    fn bytes(self, values: &[u8; 64]) -> Self::Words;
    fn stored(self, words: Self::Words) -> [u8; 64];
    /// Words of 32 bits change places: lane `r` of the `n`-th has the `n`-th word of row `r`.
    fn columns(self, rows: [&[u8; 32]; 16]) -> [Self::Words; 8];
    /// Two halves side by side.
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> Self::Words;
    fn and(self, words: Self::Words, mask: u8) -> Self::Words;
    fn or(self, left: Self::Words, right: Self::Words) -> Self::Words;
    /// Every byte with these of its bits turned.
    fn flip(self, words: Self::Words, bits: u8) -> Self::Words;
    /// Every byte's bits moved down, zeros behind them: by `low` in the first 32 bytes, by `high` in the others.
    /// Below 8.
    fn down(self, words: Self::Words, low: u32, high: u32) -> Self::Words;
    /// Every byte's bits moved up by so many, below 8; what leaves a byte must be zero.
    fn up<const BITS: u32>(self, words: Self::Words) -> Self::Words;
    /// In each lane the sum of four products of a byte from 0 to 127 and a signed one.
    fn dot(self, unsigned: Self::Words, signed: Self::Words) -> Self::Words;
    /// In each lane the sum of four products of signed bytes, of which the right ones are not -128.
    fn signed_dot(self, left: Self::Words, right: Self::Words) -> Self::Words;
    /// `sum` plus, in each lane, the products of four bytes from 0 to 255 with the same four signed ones.
    fn spread_dot(self, sum: Self::Words, unsigned: Self::Words, signed: [i8; 4]) -> Self::Words;
    fn zero(self) -> Self::Words;
    /// Whole numbers as floating-point ones.
    fn to_floats(self, words: Self::Words) -> Self::Floats;
    /// In each lane the half-precision number in the lower (0) or the upper (1) half of a word, in 32 bits.
    fn half_of(self, words: Self::Words, half: usize) -> Self::Floats;
    /// In each lane one of the four bytes, from 0 to 255, as a floating-point number.
    fn unsigned_byte_of(self, words: Self::Words, byte: usize) -> Self::Floats;
    /// In each lane one of the four bytes, signed, as a floating-point number.
    fn signed_byte_of(self, words: Self::Words, byte: usize) -> Self::Floats;
    /// Sixteen bytes from 0 to 255 as floating-point numbers.
    fn unsigned_bytes(self, values: [u8; 16]) -> Self::Floats;
    /// Sixteen signed bytes as floating-point numbers.
    fn signed_bytes(self, values: [u8; 16]) -> Self::Floats;

    /// The sum of all lanes: halves onto each other until one is left.
    #[inline(always)]
    fn total(self, floats: Self::Floats) -> f32 {
        let mut parts = self.store(floats);
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                parts[lane] += parts[lane + half];
            }
        }
        parts[0]
    }
}

/// Work that can be done with any of the sets of instructions. Its `run` has to be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What comes of it.
    type Output;
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// The instructions that kernels use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// AVX-512 with its products of bytes (VNNI).
    Avx512,
    /// AVX2 with fused multiplication and half precision.
    Avx2,
    /// What every processor has.
    Plain,
}

impl Instructions {
    /// The best that this processor has.
    #[must_use]
    pub fn detected() -> Self {
        static DETECTED: OnceLock<Instructions> = OnceLock::new();
        *DETECTED.get_or_init(|| {
            let known = [Self::Avx512, Self::Avx2];
            known.into_iter().find(|known| known.are_here()).unwrap_or(Self::Plain)
        })
    }

    /// Whether this processor has them.
    #[must_use]
    pub fn are_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Plain => true,
        }
    }
}

impl fmt::Display for Instructions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Avx512 => "AVX-512 VNNI",
            Self::Avx2 => "AVX2",
            Self::Plain => "plain",
        })
    }
}

/// What leaves no digits behind the point when it is added.
const SHIFT: f32 = 12_582_912.0;

/// The whole number nearest to one below 2^22, ties to even. A conversion with its checks would be done number by
/// number.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> i32 {
    ((value + SHIFT).to_bits() as i32).wrapping_sub(SHIFT.to_bits() as i32)
}

/// Runs a kernel with the best instructions that are here.
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match chosen() {
        Instructions::Avx512 => {
            if let Some(lanes) = Avx512::new() {
                return lanes.within(kernel);
            }
        }
        Instructions::Avx2 => {
            if let Some(lanes) = Avx2::new() {
                return lanes.within(kernel);
            }
        }
        Instructions::Plain => {}
    }
    Scalar.within(kernel)
}

#[cfg(all(target_arch = "x86_64", not(test)))]
fn chosen() -> Instructions {
    Instructions::detected()
}

#[cfg(all(target_arch = "x86_64", test))]
fn chosen() -> Instructions {
    CHOSEN.get()
}

#[cfg(all(target_arch = "x86_64", test))]
thread_local! {
    /// What kernels of this thread use: tests compare one with the other.
    pub(super) static CHOSEN: std::cell::Cell<Instructions> =
        std::cell::Cell::new(Instructions::detected());
}
