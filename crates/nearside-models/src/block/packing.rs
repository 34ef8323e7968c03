//! How levels and scales lie in bytes: several to a byte, and those of 6 bits split over two places.

/// Values of a block of the K formats.
pub(super) const BLOCK: usize = 256;

/// Levels of 4 bits, the second half of them in the upper bits.
pub(super) fn nibbles<const N: usize, const B: usize>(levels: &[u8; N]) -> [u8; B] {
    std::array::from_fn(|i| (levels[i] & 0xf) | (levels[i + B] << 4))
}

/// The lower 4 bits of `H` bytes, and the upper ones.
#[inline]
pub(super) fn unpack_nibbles<const H: usize>(bytes: &[u8]) -> [[u8; H]; 2] {
    let (mut low, mut high) = ([0; H], [0; H]);
    if let Some(bytes) = bytes.first_chunk::<H>() {
        low.iter_mut().zip(bytes).for_each(|(level, byte)| *level = byte & 0xf);
        high.iter_mut().zip(bytes).for_each(|(level, byte)| *level = byte >> 4);
    }
    [low, high]
}

/// Levels of 4 bits in order of their groups: 32 in the lower, the next 32 in the upper bits of 32 bytes.
pub(super) fn write_nibbles(levels: &[u8; BLOCK], bytes: &mut [u8]) {
    for (levels, bytes) in levels.as_chunks::<64>().0.iter().zip(bytes.as_chunks_mut::<32>().0) {
        *bytes = nibbles(levels);
    }
}

/// Levels of 2 bits: four times 32 of them in 32 bytes.
pub(super) fn write_pairs(levels: &[u8; BLOCK], bytes: &mut [u8]) {
    for (levels, bytes) in levels.as_chunks::<128>().0.iter().zip(bytes.as_chunks_mut::<32>().0) {
        *bytes = std::array::from_fn(|i| {
            (levels[i] & 3)
                | ((levels[i + 32] & 3) << 2)
                | ((levels[i + 64] & 3) << 4)
                | ((levels[i + 96] & 3) << 6)
        });
    }
}

/// The same back.
#[inline]
pub(super) fn unpack_pairs(bytes: &[u8]) -> [u8; BLOCK] {
    let mut levels = [0; BLOCK];
    let targets = levels.as_chunks_mut::<128>().0.iter_mut().zip(bytes.as_chunks::<32>().0);
    for (target, bytes) in targets {
        for (pair, target) in target.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (level, byte) in target.iter_mut().zip(bytes) {
                *level = (byte >> (2 * pair)) & 3;
            }
        }
    }
    levels
}

/// One bit of each level: that of the n-th 32 levels is the n-th of 32 bytes.
pub(super) fn write_bits(levels: &[u8; BLOCK], bit: u32, bytes: &mut [u8]) {
    bytes.fill(0);
    for (group, levels) in levels.as_chunks::<32>().0.iter().enumerate() {
        for (byte, level) in bytes.iter_mut().zip(levels) {
            *byte |= ((level >> bit) & 1) << group;
        }
    }
}

/// Eight scales and eight minima of 6 bits in 12 bytes: the upper 2 bits of the later four of each lie above the
/// earlier four.
pub(super) fn pack_scales_and_mins(scales: &[u8; 8], mins: &[u8; 8]) -> [u8; 12] {
    std::array::from_fn(|i| match i / 4 {
        0 => scales[i] | (scales[i + 4] >> 4 << 6),
        1 => mins[i - 4] | (mins[i] >> 4 << 6),
        _ => (scales[i - 4] & 0xf) | (mins[i - 4] << 4),
    })
}

/// The same back: the scales, then the minima. Four bytes at a time, as kernels need it.
#[inline(always)]
pub(crate) fn unpack_scales_and_mins(bytes: &[u8; 12]) -> [u8; 16] {
    let (words, _) = bytes.as_chunks();
    let [first, second, third] = [words[0], words[1], words[2]];
    let [first, second, third] =
        [u32::from_le_bytes(first), u32::from_le_bytes(second), u32::from_le_bytes(third)];
    let earlier = |word: u32| word & 0x3f3f_3f3f;
    let upper = |word: u32| (word >> 2) & 0x3030_3030;
    pulp::bytemuck::cast([
        earlier(first).to_le(),
        ((third & 0x0f0f_0f0f) | upper(first)).to_le(),
        earlier(second).to_le(),
        (((third >> 4) & 0x0f0f_0f0f) | upper(second)).to_le(),
    ])
}

/// Sixteen scales of 6 bits in 12 bytes: lower 4 bits of two in each of 8, upper 2 bits of four in each of 4.
pub(super) fn pack_scales(scales: &[u8; 16]) -> [u8; 12] {
    std::array::from_fn(|i| match i {
        0..8 => (scales[i] & 0xf) | (scales[i + 8] << 4),
        _ => (0..4).fold(0, |byte, j| byte | (((scales[i - 8 + 4 * j] >> 4) & 3) << (2 * j))),
    })
}

/// The same back.
pub(super) fn unpack_scales(bytes: &[u8]) -> [u8; 16] {
    std::array::from_fn(|i| {
        let low = bytes[i % 8] >> (4 * (i / 8)) & 0xf;
        low | ((bytes[8 + i % 4] >> (2 * (i / 4)) & 3) << 4)
    })
}

/// A little-endian number of 16 bits at a place.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_six_bits_read_back() {
        let scales: [u8; 16] = std::array::from_fn(|i| (i * 37 % 64) as u8);
        assert_eq!(unpack_scales(&pack_scales(&scales)), scales);
        let (first, second) = (*scales.first_chunk().unwrap(), *scales.last_chunk().unwrap());
        assert_eq!(unpack_scales_and_mins(&pack_scales_and_mins(&first, &second)), scales);
    }
}
