//! AVX2 with FMA and F16C, as processors have it since 2013: sixteen lanes are two registers.

use std::arch::x86_64::{__m128, __m128i, __m256, __m256i, _MM_HINT_T0};

use pulp::bytemuck::cast;
use pulp::core_arch::x86::{Avx, Sse};

use super::{Kernel, Lanes, SHIFT};
use crate::unchecked::widen;

pulp::simd_type! {
    /// Proof that this processor has the instructions: only detecting them makes one.
    pub(crate) struct Token {
        pub(super) sse: "sse",
        pub(super) sse2: "sse2",
        pub(super) ssse3: "ssse3",
        pub(super) avx: "avx",
        pub(super) avx2: "avx2",
        pub(super) fma: "fma",
        pub(super) f16c: "f16c",
    }
}

/// Registers of 256 bits, two at a time.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(Token);

/// The first eight lanes and the other eight.
type Two<T> = [T; 2];

impl Avx2 {
    /// `None` where this processor lacks one of the instructions.
    pub(crate) fn new() -> Option<Self> {
        Token::try_new().map(Self)
    }

    /// The lower halves of sixteen words, whose upper ones are zero, in order.
    #[inline(always)]
    fn lower_halves(self, first: __m256i, second: __m256i) -> Two<__m128i> {
        // Quarters of both stand by turns at first.
        let mixed = self.0.avx2._mm256_packus_epi32(first, second);
        cast(self.0.avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(mixed))
    }

    /// Words of eight rows, column by column.
    #[inline(always)]
    fn eight_columns(self, first: usize, rows: &[&[u8; 32]; 16]) -> [__m256i; 8] {
        let (lower, upper) = (self.four_rows(first, rows), self.four_rows(first + 4, rows));
        let mut columns = [self.zero()[0]; 8];
        for column in 0..4 {
            let (first, second) = (lower[column], upper[column]);
            columns[column] = self.0.avx2._mm256_permute2x128_si256::<0x20>(first, second);
            columns[4 + column] = self.0.avx2._mm256_permute2x128_si256::<0x31>(first, second);
        }
        columns
    }

    /// Words of four rows: the first and the fifth of each, then the second and the sixth, and so on.
    #[inline(always)]
    fn four_rows(self, first: usize, rows: &[&[u8; 32]; 16]) -> [__m256i; 4] {
        let row = |index: usize| cast::<[u8; 32], __m256i>(*rows[first + index]);
        let avx2 = self.0.avx2;
        let low = avx2._mm256_unpacklo_epi32(row(0), row(1));
        let high = avx2._mm256_unpackhi_epi32(row(0), row(1));
        let other_low = avx2._mm256_unpacklo_epi32(row(2), row(3));
        let other_high = avx2._mm256_unpackhi_epi32(row(2), row(3));
        [
            avx2._mm256_unpacklo_epi64(low, other_low),
            avx2._mm256_unpackhi_epi64(low, other_low),
            avx2._mm256_unpacklo_epi64(high, other_high),
            avx2._mm256_unpackhi_epi64(high, other_high),
        ]
    }

    /// In each lane the sum of four products of a byte below 128 and a signed one: pairs fit 16 bits.
    #[inline(always)]
    fn products(self, unsigned: __m256i, signed: __m256i) -> __m256i {
        let pairs = self.0.avx2._mm256_maddubs_epi16(unsigned, signed);
        self.0.avx2._mm256_madd_epi16(pairs, cast([1i16; 16]))
    }
}

#[inline(always)]
fn both<T: Copy, U>(value: Two<T>, each: impl Fn(T) -> U) -> Two<U> {
    [each(value[0]), each(value[1])]
}

#[inline(always)]
fn by_pairs<T: Copy, U: Copy, V>(left: Two<T>, right: Two<U>, each: impl Fn(T, U) -> V) -> Two<V> {
    [each(left[0], right[0]), each(left[1], right[1])]
}

/// The largest of sixteen numbers.
#[inline(always)]
pub(super) fn largest(sse: Sse, avx: Avx, [low, high]: Two<__m256>) -> f32 {
    let [low, high]: Two<__m128> = cast(avx._mm256_max_ps(low, high));
    let four = sse._mm_max_ps(low, high);
    let [first, second, ..]: [f32; 4] = cast(sse._mm_max_ps(four, sse._mm_movehl_ps(four, four)));
    if first > second { first } else { second }
}

impl Lanes for Avx2 {
    type Floats = Two<__m256>;
    type Words = Two<__m256i>;

    #[inline(always)]
    fn within<K: Kernel>(self, kernel: K) -> K::Output {
        struct Inside<K>(K, Avx2);
        impl<K: Kernel> pulp::NullaryFnOnce for Inside<K> {
            type Output = K::Output;
            #[inline(always)]
            fn call(self) -> K::Output {
                self.0.run(self.1)
            }
        }
        self.0.vectorize(Inside(kernel, self))
    }

    #[inline(always)]
    fn ask_for(self, bytes: &[u8], ahead: usize) {
        let wanted = bytes.as_ptr().wrapping_add(ahead).cast();
        self.0.sse._mm_prefetch::<_MM_HINT_T0>(wanted);
    }

    #[inline(always)]
    fn floats(self, values: &[f32; 16]) -> Two<__m256> {
        cast(*values)
    }

    #[inline(always)]
    fn store(self, floats: Two<__m256>) -> [f32; 16] {
        cast(floats)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Two<__m256> {
        [self.0.avx._mm256_set1_ps(value); 2]
    }

    #[inline(always)]
    fn add(self, left: Two<__m256>, right: Two<__m256>) -> Two<__m256> {
        by_pairs(left, right, |left, right| self.0.avx._mm256_add_ps(left, right))
    }

    #[inline(always)]
    fn multiply(self, left: Two<__m256>, right: Two<__m256>) -> Two<__m256> {
        by_pairs(left, right, |left, right| self.0.avx._mm256_mul_ps(left, right))
    }

    #[inline(always)]
    fn size(self, floats: Two<__m256>) -> Two<__m256> {
        let sign = self.0.avx._mm256_set1_ps(-0.0);
        both(floats, |floats| self.0.avx._mm256_andnot_ps(sign, floats))
    }

    #[inline(always)]
    fn larger(self, left: Two<__m256>, right: Two<__m256>) -> Two<__m256> {
        by_pairs(left, right, |left, right| self.0.avx._mm256_max_ps(left, right))
    }

    #[inline(always)]
    fn largest(self, floats: Two<__m256>) -> f32 {
        largest(self.0.sse, self.0.avx, floats)
    }

    #[inline(always)]
    fn nearest_bytes(self, floats: Two<__m256>) -> [i8; 16] {
        let [first, second] = both(self.add(floats, self.splat(SHIFT)), |shifted| {
            let whole = self.0.avx2._mm256_sub_epi32(cast(shifted), cast([SHIFT; 8]));
            self.0.avx2._mm256_and_si256(whole, cast([0xff_u32; 8]))
        });
        let [low, high] = self.lower_halves(first, second);
        cast(self.0.sse2._mm_packus_epi16(low, high))
    }

    #[inline(always)]
    fn fused(self, left: Two<__m256>, right: Two<__m256>, sum: Two<__m256>) -> Two<__m256> {
        let fused = |half: usize| self.0.fma._mm256_fmadd_ps(left[half], right[half], sum[half]);
        [fused(0), fused(1)]
    }

    #[inline(always)]
    fn by_fours(self, floats: Two<__m256>, quarter: usize) -> Two<__m256> {
        let first = 4 * (quarter % 2) as i32;
        both([first, first + 2], |first| {
            let places = [[first; 4], [first + 1; 4]];
            self.0.avx2._mm256_permutevar8x32_ps(floats[quarter / 2], cast(places))
        })
    }

    #[inline(always)]
    fn by_eights(self, floats: Two<__m256>, first: usize, second: usize) -> Two<__m256> {
        both([first, second], |lane| {
            let places = [(lane % 8) as i32; 8];
            self.0.avx2._mm256_permutevar8x32_ps(floats[lane / 8], cast(places))
        })
    }

    #[inline(always)]
    fn halves(self, values: &[u8; 32]) -> Two<__m256> {
        both(cast::<[u8; 32], Two<__m128i>>(*values), |values| widen(self.0, values))
    }

    #[inline(always)]
    fn two_halves(self, values: [u8; 4]) -> Two<__m256> {
        let first = widen(self.0, cast([u32::from_ne_bytes(values), 0, 0, 0]));
        [first, self.0.avx._mm256_setzero_ps()]
    }

    #[inline(always)]
    fn brains(self, values: &[u8; 32]) -> Two<__m256> {
        both(cast::<[u8; 32], Two<__m128i>>(*values), |values| {
            let wide = self.0.avx2._mm256_cvtepu16_epi32(values);
            cast(self.0.avx2._mm256_slli_epi32::<16>(wide))
        })
    }

    #[inline(always)]
    fn bytes(self, values: &[u8; 64]) -> Two<__m256i> {
        cast(*values)
    }

    #[inline(always)]
    fn stored(self, words: Two<__m256i>) -> [u8; 64] {
        cast(words)
    }

    #[inline(always)]
    fn columns(self, rows: [&[u8; 32]; 16]) -> [Two<__m256i>; 8] {
        let (lower, upper) = (self.eight_columns(0, &rows), self.eight_columns(8, &rows));
        let mut columns = [self.zero(); 8];
        for column in 0..8 {
            columns[column] = [lower[column], upper[column]];
        }
        columns
    }

    #[inline(always)]
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> Two<__m256i> {
        [cast(*low), cast(*high)]
    }

    #[inline(always)]
    fn and(self, words: Two<__m256i>, mask: u8) -> Two<__m256i> {
        both(words, |words| self.0.avx2._mm256_and_si256(words, cast([mask; 32])))
    }

    #[inline(always)]
    fn or(self, left: Two<__m256i>, right: Two<__m256i>) -> Two<__m256i> {
        by_pairs(left, right, |left, right| self.0.avx2._mm256_or_si256(left, right))
    }

    #[inline(always)]
    fn flip(self, words: Two<__m256i>, bits: u8) -> Two<__m256i> {
        both(words, |words| self.0.avx2._mm256_xor_si256(words, cast([bits; 32])))
    }

    #[inline(always)]
    fn down(self, words: Two<__m256i>, low: u32, high: u32) -> Two<__m256i> {
        by_pairs(words, [low, high], |words, count| {
            let count_in_register = [u64::from(count), 0];
            let moved = self.0.avx2._mm256_srl_epi16(words, cast(count_in_register));
            self.0.avx2._mm256_and_si256(moved, cast([0xffu8 >> count; 32]))
        })
    }

    #[inline(always)]
    fn up<const BITS: u32>(self, words: Two<__m256i>) -> Two<__m256i> {
        let count = [u64::from(BITS), 0];
        both(words, |words| self.0.avx2._mm256_sll_epi16(words, cast(count)))
    }

    #[inline(always)]
    fn dot(self, unsigned: Two<__m256i>, signed: Two<__m256i>) -> Two<__m256i> {
        by_pairs(unsigned, signed, |unsigned, signed| self.products(unsigned, signed))
    }

    #[inline(always)]
    fn signed_dot(self, left: Two<__m256i>, right: Two<__m256i>) -> Two<__m256i> {
        by_pairs(left, right, |left, right| {
            // `|left| (right with the sign of left)`; |-128| is 128, and two products still fit 16 bits.
            let magnitude = self.0.avx2._mm256_abs_epi8(left);
            self.products(magnitude, self.0.avx2._mm256_sign_epi8(right, left))
        })
    }

    #[inline(always)]
    fn spread_dot(
        self,
        sum: Two<__m256i>,
        unsigned: Two<__m256i>,
        signed: [i8; 4],
    ) -> Two<__m256i> {
        let signed: __m256i = self.0.avx._mm256_set1_epi32(cast(signed));
        by_pairs(sum, unsigned, |sum, unsigned| {
            // Products of larger bytes would not fit 16 bits in pairs: `(u mod 128) s + 128 (u / 128) s`.
            let low = self.0.avx2._mm256_and_si256(unsigned, cast([127u8; 32]));
            let high = self.0.avx2._mm256_srl_epi16(unsigned, cast([7u64, 0]));
            let high = self.0.avx2._mm256_and_si256(high, cast([1u8; 32]));
            let high = self.0.avx2._mm256_slli_epi32::<7>(self.products(high, signed));
            let both = self.0.avx2._mm256_add_epi32(self.products(low, signed), high);
            self.0.avx2._mm256_add_epi32(sum, both)
        })
    }

    #[inline(always)]
    fn zero(self) -> Two<__m256i> {
        cast([0u8; 64])
    }

    #[inline(always)]
    fn to_floats(self, words: Two<__m256i>) -> Two<__m256> {
        both(words, |words| self.0.avx._mm256_cvtepi32_ps(words))
    }

    #[inline(always)]
    fn half_of(self, words: Two<__m256i>, half: usize) -> Two<__m256> {
        let [first, second] = both(words, |words| {
            let moved = self.0.avx2._mm256_srl_epi32(words, cast([16 * half as u64, 0]));
            self.0.avx2._mm256_and_si256(moved, cast([0xffff_u32; 8]))
        });
        both(self.lower_halves(first, second), |values| widen(self.0, values))
    }

    #[inline(always)]
    fn unsigned_byte_of(self, words: Two<__m256i>, byte: usize) -> Two<__m256> {
        self.to_floats(both(words, |words| {
            let moved = self.0.avx2._mm256_srl_epi32(words, cast([8 * byte as u64, 0]));
            self.0.avx2._mm256_and_si256(moved, cast([0xff_u32; 8]))
        }))
    }

    #[inline(always)]
    fn signed_byte_of(self, words: Two<__m256i>, byte: usize) -> Two<__m256> {
        self.to_floats(both(words, |words| {
            let moved = self.0.avx2._mm256_sll_epi32(words, cast([24 - 8 * byte as u64, 0]));
            self.0.avx2._mm256_srai_epi32::<24>(moved)
        }))
    }

    #[inline(always)]
    fn unsigned_bytes(self, values: [u8; 16]) -> Two<__m256> {
        let [low, high]: Two<u64> = cast(values);
        let wide = |half: u64| self.0.avx2._mm256_cvtepu8_epi32(cast([half, 0]));
        self.to_floats(both([low, high], wide))
    }

    #[inline(always)]
    fn signed_bytes(self, values: [u8; 16]) -> Two<__m256> {
        let [low, high]: Two<u64> = cast(values);
        let wide = |half: u64| self.0.avx2._mm256_cvtepi8_epi32(cast([half, 0]));
        self.to_floats(both([low, high], wide))
    }
}
