//! Floats of 16 bits and of 8: IEEE 754 binary16, bfloat16, and scales that are an exponent only (E8M0) or have
//! no sign (UE4M3).
//!
//! Rounded to nearest, ties to even.

/// A binary16 as a float; exact.
#[must_use]
pub fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let rest = u32::from(half & 0x7fff);
    let magnitude = match rest >> 10 {
        // The last place of 0.5 is 2^-24, as it is of a binary16 below its normal range.
        0 => (f32::from_bits(rest | (126 << 23)) - 0.5).to_bits(),
        // Not a number stays that, and becomes a quiet one.
        0x1f if rest > 0x7c00 => (rest << 13) | 0x7fc0_0000,
        0x1f => 0x7f80_0000,
        _ => (rest << 13) + (112 << 23),
    };
    f32::from_bits(sign | magnitude)
}

/// The binary16 that is nearest to a float; what is too large becomes infinite.
#[must_use]
pub fn f16_from_f32(value: f32) -> u16 {
    const LEAST_NORMAL: u32 = 113 << 23;
    const OVERFLOW: u32 = 143 << 23;
    let sign = (value.to_bits() >> 16) as u16 & 0x8000;
    let rest = value.to_bits() & 0x7fff_ffff;
    let magnitude = if rest > 0x7f80_0000 {
        0x7e00
    } else if rest >= OVERFLOW {
        0x7c00
    } else if rest < LEAST_NORMAL {
        // Adding 0.5 rounds to its last place, 2^-24.
        ((f32::from_bits(rest) + 0.5).to_bits() - (126 << 23)) as u16
    } else {
        let rounded = rest + 0xfff + ((rest >> 13) & 1);
        ((rounded >> 13) - (112 << 10)) as u16
    };
    sign | magnitude
}

/// A bfloat16 as a float; exact.
#[must_use]
pub fn bf16_to_f32(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// The bfloat16 that is nearest to a float; what is too large becomes infinite.
#[must_use]
pub fn bf16_from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// Half of the power of two that an E8M0 scale is: levels of 4-bit floats are stored doubled.
pub(super) fn half_e8m0_to_f32(scale: u8) -> f32 {
    match scale {
        0 | 1 => f32::from_bits(0x0020_0000 << scale),
        _ => f32::from_bits(u32::from(scale - 1) << 23),
    }
}

/// Half of what a UE4M3 scale is: levels of 4-bit floats are stored doubled.
pub(super) fn half_ue4m3_to_f32(scale: u8) -> f32 {
    let (exponent, mantissa) = ((scale >> 3) & 0xf, f32::from(scale & 7));
    match (scale, exponent) {
        (0 | 0x7f, _) => 0.0,
        (_, 0) => mantissa * (1.0 / 1024.0),
        // 2^(exponent - 8), as bits.
        _ => (1.0 + mantissa / 8.0) * f32::from_bits((u32::from(exponent) + 119) << 23),
    }
}

/// The UE4M3 for a float; mantissas are rounded by their first bit that is lost, ties away from 0.
pub(super) fn ue4m3_from_f32(value: f32) -> u8 {
    const MOST: u8 = 0x7e;
    if value.is_nan() || value <= 0.0 {
        return 0;
    }
    let bits = value.min(448.0).to_bits();
    let exponent = (bits >> 23) as i32 - 127 + 7;
    if exponent <= 0 {
        return ((value * 512.0 + 0.5) as u8).min(7);
    }
    let mantissa = ((bits >> 20) & 7) + ((bits >> 19) & 1);
    let (exponent, mantissa) = if mantissa > 7 { (exponent + 1, 0) } else { (exponent, mantissa) };
    if exponent >= 15 { MOST } else { ((exponent as u8) << 3) | mantissa as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_reads_back_and_its_neighbours_round_to_it() {
        for half in 0..=u16::MAX {
            let value = f16_to_f32(half);
            if value.is_nan() {
                assert!(f16_to_f32(f16_from_f32(value)).is_nan());
                continue;
            }
            assert_eq!(f16_from_f32(value), half);
            if value.is_finite() && value != 0.0 {
                let near = f32::from_bits(value.to_bits() + 1);
                assert_eq!(f16_from_f32(near), half, "{near:e}");
            }
            let short = bf16_to_f32(half);
            assert!(short.is_nan() || bf16_from_f32(short) == half);
        }
    }

    #[test]
    fn ties_go_to_even_and_too_much_is_infinite() {
        assert_eq!(f16_from_f32(1.0 + 1.0 / 2048.0), 0x3c00);
        assert_eq!(f16_from_f32(1.0 + 3.0 / 2048.0), 0x3c02);
        assert_eq!((f16_from_f32(65_519.0), f16_from_f32(65_520.0)), (0x7bff, 0x7c00));
        assert_eq!((f16_from_f32(3e-8), f16_from_f32(2.9e-8)), (1, 0));
        assert_eq!(f16_from_f32(f32::NEG_INFINITY), 0xfc00);
        assert_eq!((bf16_from_f32(f32::MAX), bf16_from_f32(1.0 + 1.0 / 256.0)), (0x7f80, 0x3f80));
    }
}
