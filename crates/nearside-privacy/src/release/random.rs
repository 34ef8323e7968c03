//! Random bits, and what is drawn from them exactly: whole numbers, and events of a rational probability.
//!
//! Bits come from the operating system, in buffers. Nothing is rounded: a whole number below `n` is as many bits as
//! `n - 1` has, drawn again until they are below `n`; an event of probability `p / q` is such a number below `q`
//! that is below `p`.

use std::fmt;

use super::ReleaseError;

/// Bytes that are drawn at a time.
const BUFFER: usize = 1 << 12;

/// Where random bits come from: the operating system.
///
/// There is no way to give a release bits that are known beforehand; what could be drawn again is no noise.
pub struct Source {
    origin: Origin,
    buffer: Vec<u8>,
    used: usize,
}

enum Origin {
    System,
    #[cfg(test)]
    Seeded(Box<blake3::OutputReader>),
}

impl fmt::Debug for Source {
    /// Nothing of the bits: they are noise that is still to come.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    /// The operating system's bits.
    #[must_use]
    pub const fn system() -> Self {
        Self { origin: Origin::System, buffer: Vec::new(), used: 0 }
    }

    /// The same bits every time, for tests.
    #[cfg(test)]
    pub(super) fn seeded(seed: u64) -> Self {
        let bits = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
        Self { origin: Origin::Seeded(Box::new(bits)), buffer: Vec::new(), used: 0 }
    }

    fn byte(&mut self) -> Result<u8, ReleaseError> {
        if let Some(byte) = self.buffer.get(self.used) {
            self.used += 1;
            return Ok(*byte);
        }
        self.buffer.resize(BUFFER, 0);
        match &mut self.origin {
            Origin::System => getrandom::fill(&mut self.buffer).map_err(ReleaseError::Random)?,
            #[cfg(test)]
            Origin::Seeded(bits) => bits.fill(&mut self.buffer),
        }
        self.used = 1;
        Ok(self.buffer.first().copied().unwrap_or(0))
    }

    /// A whole number from 0 to `most`, each as likely.
    pub(super) fn up_to(&mut self, most: u128) -> Result<u128, ReleaseError> {
        let bits = u128::BITS - most.leading_zeros();
        let mask = if bits == 0 { 0 } else { u128::MAX >> (u128::BITS - bits) };
        loop {
            let mut drawn = 0;
            for _ in 0..bits.div_ceil(8) {
                drawn = (drawn << 8) | u128::from(self.byte()?);
            }
            if drawn & mask <= most {
                return Ok(drawn & mask);
            }
        }
    }

    /// A place in something so long, each as likely; 0 where it is empty.
    pub(super) fn place(&mut self, length: usize) -> Result<usize, ReleaseError> {
        Ok(self.up_to(length.saturating_sub(1) as u128)? as usize)
    }

    /// An event of probability `part / whole`; certain where `part` is not below `whole`.
    pub(super) fn event(&mut self, part: u128, whole: u128) -> Result<bool, ReleaseError> {
        Ok(part >= whole || self.up_to(whole.saturating_sub(1))? < part)
    }
}
