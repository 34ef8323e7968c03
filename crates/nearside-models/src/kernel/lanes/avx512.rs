//! AVX-512 with VNNI, as server processors have it since 2019 and AMD's since 2022: sixteen lanes are one register.

use std::arch::x86_64::{__m512, __m512i, _MM_HINT_T0};

use pulp::bytemuck::cast;

use super::avx2::largest;
use super::{Kernel, Lanes, SHIFT};
use crate::unchecked::add_products;

pulp::simd_type! {
    /// Proof that this processor has the instructions: only detecting them makes one.
    pub(crate) struct Token {
        pub(super) sse: "sse",
        pub(super) sse2: "sse2",
        pub(super) avx: "avx",
        pub(super) avx2: "avx2",
        pub(super) fma: "fma",
        pub(super) f16c: "f16c",
        pub(super) avx512f: "avx512f",
        pub(super) avx512bw: "avx512bw",
        pub(super) avx512dq: "avx512dq",
        pub(super) avx512vl: "avx512vl",
        pub(super) avx512vnni: "avx512vnni",
    }
}

/// Registers of 512 bits.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(Token);

impl Avx512 {
    /// `None` where this processor lacks one of the instructions.
    pub(crate) fn new() -> Option<Self> {
        Token::try_new().map(Self)
    }

    /// Words of eight rows: the first and the fifth of four rows and of the four rows behind them, then the second and
    /// the sixth, and so on.
    #[inline(always)]
    fn four_by_two(self, first: usize, rows: &[&[u8; 32]; 16]) -> [__m512i; 4] {
        let mut pairs = [self.zero(); 4];
        for row in 0..4 {
            pairs[row] = self.pair(rows[first + row], rows[first + row + 4]);
        }
        let f = self.0.avx512f;
        let low = f._mm512_unpacklo_epi32(pairs[0], pairs[1]);
        let high = f._mm512_unpackhi_epi32(pairs[0], pairs[1]);
        let other_low = f._mm512_unpacklo_epi32(pairs[2], pairs[3]);
        let other_high = f._mm512_unpackhi_epi32(pairs[2], pairs[3]);
        [
            f._mm512_unpacklo_epi64(low, other_low),
            f._mm512_unpackhi_epi64(low, other_low),
            f._mm512_unpacklo_epi64(high, other_high),
            f._mm512_unpackhi_epi64(high, other_high),
        ]
    }
}

impl Lanes for Avx512 {
    type Floats = __m512;
    type Words = __m512i;

    #[inline(always)]
    fn within<K: Kernel>(self, kernel: K) -> K::Output {
        struct Inside<K>(K, Avx512);
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
    fn floats(self, values: &[f32; 16]) -> __m512 {
        cast(*values)
    }

    #[inline(always)]
    fn store(self, floats: __m512) -> [f32; 16] {
        cast(floats)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        self.0.avx512f._mm512_set1_ps(value)
    }

    #[inline(always)]
    fn add(self, left: __m512, right: __m512) -> __m512 {
        self.0.avx512f._mm512_add_ps(left, right)
    }

    #[inline(always)]
    fn multiply(self, left: __m512, right: __m512) -> __m512 {
        self.0.avx512f._mm512_mul_ps(left, right)
    }

    #[inline(always)]
    fn size(self, floats: __m512) -> __m512 {
        self.0.avx512f._mm512_abs_ps(floats)
    }

    #[inline(always)]
    fn larger(self, left: __m512, right: __m512) -> __m512 {
        self.0.avx512f._mm512_max_ps(left, right)
    }

    #[inline(always)]
    fn largest(self, floats: __m512) -> f32 {
        largest(self.0.sse, self.0.avx, cast(floats))
    }

    #[inline(always)]
    fn nearest_bytes(self, floats: __m512) -> [i8; 16] {
        let shifted = cast(self.add(floats, self.splat(SHIFT)));
        let shift = cast([SHIFT; 16]);
        let whole = self.0.avx512f._mm512_sub_epi32(shifted, shift);
        cast(self.0.avx512f._mm512_cvtepi32_epi8(whole))
    }

    #[inline(always)]
    fn fused(self, left: __m512, right: __m512, sum: __m512) -> __m512 {
        self.0.avx512f._mm512_fmadd_ps(left, right, sum)
    }

    #[inline(always)]
    fn by_fours(self, floats: __m512, quarter: usize) -> __m512 {
        let first = 4 * quarter as u32;
        let places = [[first; 4], [first + 1; 4], [first + 2; 4], [first + 3; 4]];
        self.0.avx512f._mm512_permutexvar_ps(cast(places), floats)
    }

    #[inline(always)]
    fn by_eights(self, floats: __m512, first: usize, second: usize) -> __m512 {
        let places = [[first as u32; 8], [second as u32; 8]];
        self.0.avx512f._mm512_permutexvar_ps(cast(places), floats)
    }

    #[inline(always)]
    fn halves(self, values: &[u8; 32]) -> __m512 {
        self.0.avx512f._mm512_cvtph_ps(cast(*values))
    }

    #[inline(always)]
    fn two_halves(self, values: [u8; 4]) -> __m512 {
        self.0.avx512f._mm512_cvtph_ps(cast([u32::from_ne_bytes(values), 0, 0, 0, 0, 0, 0, 0]))
    }

    #[inline(always)]
    fn brains(self, values: &[u8; 32]) -> __m512 {
        let wide = self.0.avx512f._mm512_cvtepu16_epi32(cast(*values));
        cast(self.0.avx512f._mm512_slli_epi32::<16>(wide))
    }

    #[inline(always)]
    fn bytes(self, values: &[u8; 64]) -> __m512i {
        cast(*values)
    }

    #[inline(always)]
    fn stored(self, words: __m512i) -> [u8; 64] {
        cast(words)
    }

    #[inline(always)]
    fn columns(self, rows: [&[u8; 32]; 16]) -> [__m512i; 8] {
        // Two rows to a register, four rows apart, so that in the end all stand in order.
        let (lower, upper) = (self.four_by_two(0, &rows), self.four_by_two(8, &rows));
        let mut columns = [self.zero(); 8];
        for column in 0..4 {
            let (first, second) = (lower[column], upper[column]);
            columns[column] = self.0.avx512f._mm512_shuffle_i64x2::<0x88>(first, second);
            columns[4 + column] = self.0.avx512f._mm512_shuffle_i64x2::<0xdd>(first, second);
        }
        columns
    }

    #[inline(always)]
    fn pair(self, low: &[u8; 32], high: &[u8; 32]) -> __m512i {
        let low = self.0.avx512f._mm512_castsi256_si512(cast(*low));
        self.0.avx512f._mm512_inserti64x4::<1>(low, cast(*high))
    }

    #[inline(always)]
    fn and(self, words: __m512i, mask: u8) -> __m512i {
        self.0.avx512f._mm512_and_si512(words, cast([mask; 64]))
    }

    #[inline(always)]
    fn or(self, left: __m512i, right: __m512i) -> __m512i {
        self.0.avx512f._mm512_or_si512(left, right)
    }

    #[inline(always)]
    fn flip(self, words: __m512i, bits: u8) -> __m512i {
        self.0.avx512f._mm512_xor_si512(words, cast([bits; 64]))
    }

    #[inline(always)]
    fn down(self, words: __m512i, low: u32, high: u32) -> __m512i {
        let counts = [[low as u16; 16], [high as u16; 16]];
        let masks = [[0xff_u8 >> low; 32], [0xff >> high; 32]];
        let moved = self.0.avx512bw._mm512_srlv_epi16(words, cast(counts));
        self.0.avx512f._mm512_and_si512(moved, cast(masks))
    }

    #[inline(always)]
    fn up<const BITS: u32>(self, words: __m512i) -> __m512i {
        self.0.avx512bw._mm512_slli_epi16::<BITS>(words)
    }

    #[inline(always)]
    fn dot(self, unsigned: __m512i, signed: __m512i) -> __m512i {
        add_products(self.0, self.zero(), unsigned, signed)
    }

    #[inline(always)]
    fn signed_dot(self, left: __m512i, right: __m512i) -> __m512i {
        // One side has to be unsigned: `(right + 128) left - 128 left`.
        let offset = cast([128u8; 64]);
        let raised = self.0.avx512f._mm512_xor_si512(right, offset);
        let products = add_products(self.0, self.zero(), raised, left);
        let excess = add_products(self.0, self.zero(), offset, left);
        self.0.avx512f._mm512_sub_epi32(products, excess)
    }

    #[inline(always)]
    fn spread_dot(self, sum: __m512i, unsigned: __m512i, signed: [i8; 4]) -> __m512i {
        let spread = self.0.avx512f._mm512_set1_epi32(cast(signed));
        add_products(self.0, sum, unsigned, spread)
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        cast([0u8; 64])
    }

    #[inline(always)]
    fn to_floats(self, words: __m512i) -> __m512 {
        self.0.avx512f._mm512_cvtepi32_ps(words)
    }

    #[inline(always)]
    fn half_of(self, words: __m512i, half: usize) -> __m512 {
        let count = [16 * half as u64, 0];
        let moved = self.0.avx512f._mm512_srl_epi32(words, cast(count));
        self.0.avx512f._mm512_cvtph_ps(self.0.avx512f._mm512_cvtepi32_epi16(moved))
    }

    #[inline(always)]
    fn unsigned_byte_of(self, words: __m512i, byte: usize) -> __m512 {
        let moved = self.0.avx512f._mm512_srl_epi32(words, cast([8 * byte as u64, 0]));
        self.to_floats(self.0.avx512f._mm512_and_si512(moved, cast([0xff_u32; 16])))
    }

    #[inline(always)]
    fn signed_byte_of(self, words: __m512i, byte: usize) -> __m512 {
        let moved = self.0.avx512f._mm512_sll_epi32(words, cast([24 - 8 * byte as u64, 0]));
        self.to_floats(self.0.avx512f._mm512_srai_epi32::<24>(moved))
    }

    #[inline(always)]
    fn unsigned_bytes(self, values: [u8; 16]) -> __m512 {
        self.to_floats(self.0.avx512f._mm512_cvtepu8_epi32(cast(values)))
    }

    #[inline(always)]
    fn signed_bytes(self, values: [u8; 16]) -> __m512 {
        self.to_floats(self.0.avx512f._mm512_cvtepi8_epi32(cast(values)))
    }
}
