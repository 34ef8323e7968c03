//! All that the compiler has to take our word for: a file in memory, and two instructions that the library of vector
//! instructions has no name for. Each with its argument; unsafe code anywhere else in this crate is an error.
#![allow(unsafe_code, reason = "this is the one module that may have it")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a file for reading.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private to this process, and is read as plain bytes, for which every bit
    // pattern is a value. What remains is a file that is changed meanwhile: bytes may then change under a reader, which
    // gives wrong numbers, and pages of a file that was cut end the process. Both are the contract of
    // `Bytes::map`, and that of every program that maps models; nearside's own files are replaced, never changed.
    unsafe { Mmap::map(file) }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use instructions::{add_products, widen};

#[cfg(target_arch = "x86_64")]
mod instructions {
    use std::arch::x86_64::{__m128i, __m256, __m512i, _mm256_cvtph_ps, _mm512_dpbusd_epi32};

    use crate::kernel::proof;

    /// `sum` plus, in each lane, the sum of four products of an unsigned and a signed byte.
    #[inline(always)]
    pub(crate) fn add_products(
        _proof: proof::Avx512,
        sum: __m512i,
        unsigned: __m512i,
        signed: __m512i,
    ) -> __m512i {
        // SAFETY: the instruction needs AVX-512F and VNNI and nothing else; the proof is only made where the processor
        // was found to have both.
        unsafe { _mm512_dpbusd_epi32(sum, unsigned, signed) }
    }

    /// Eight half-precision numbers in 32 bits.
    #[inline(always)]
    pub(crate) fn widen(_proof: proof::Avx2, values: __m128i) -> __m256 {
        // SAFETY: the instruction needs F16C, and AVX for its register, and nothing else; the proof is only made where
        // the processor was found to have both.
        unsafe { _mm256_cvtph_ps(values) }
    }
}
