//! Number types that weights, activations and caches are stored in.

use std::fmt;
use std::str::FromStr;

use nearside_units::Bytes;

/// A storage type. Block-quantized types store `block` elements in `bytes`, scales included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    F8,
    F4,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
    /// 4-bit normal float as bitsandbytes stores it by default: 64-element blocks with a 32-bit
    /// scale each.
    Nf4,
    /// The same with double quantization: an 8-bit scale per block, and one 32-bit scale per 256
    /// blocks (QLoRA, arXiv 2305.14314, section 3).
    Nf4Double,
    /// 8-bit integers with one 32-bit scale per row (LLM.int8).
    Int8,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Q8K,
    Iq2Xxs,
    Iq2Xs,
    Iq2S,
    Iq3Xxs,
    Iq3S,
    Iq1S,
    Iq1M,
    Iq4Nl,
    Iq4Xs,
    Tq1_0,
    Tq2_0,
    Mxfp4,
    Nvfp4,
}

impl Dtype {
    /// Every type: name as written by people, elements per block, bytes per block.
    /// GGUF block sizes follow ggml's block structures (`ggml-common.h`).
    const TABLE: &'static [(Self, &'static str, u64, u64)] = &[
        (Self::F64, "f64", 1, 8),
        (Self::F32, "f32", 1, 4),
        (Self::F16, "f16", 1, 2),
        (Self::Bf16, "bf16", 1, 2),
        (Self::F8, "f8", 1, 1),
        (Self::F4, "f4", 2, 1),
        (Self::I64, "i64", 1, 8),
        (Self::I32, "i32", 1, 4),
        (Self::I16, "i16", 1, 2),
        (Self::I8, "i8", 1, 1),
        (Self::U8, "u8", 1, 1),
        (Self::Bool, "bool", 1, 1),
        (Self::Nf4, "nf4", 64, 36),
        (Self::Nf4Double, "nf4-double", 16_384, 8_452),
        (Self::Int8, "int8", 1, 1),
        (Self::Q4_0, "q4_0", 32, 18),
        (Self::Q4_1, "q4_1", 32, 20),
        (Self::Q5_0, "q5_0", 32, 22),
        (Self::Q5_1, "q5_1", 32, 24),
        (Self::Q8_0, "q8_0", 32, 34),
        (Self::Q8_1, "q8_1", 32, 36),
        (Self::Q2K, "q2_k", 256, 84),
        (Self::Q3K, "q3_k", 256, 110),
        (Self::Q4K, "q4_k", 256, 144),
        (Self::Q5K, "q5_k", 256, 176),
        (Self::Q6K, "q6_k", 256, 210),
        (Self::Q8K, "q8_k", 256, 292),
        (Self::Iq2Xxs, "iq2_xxs", 256, 66),
        (Self::Iq2Xs, "iq2_xs", 256, 74),
        (Self::Iq2S, "iq2_s", 256, 82),
        (Self::Iq3Xxs, "iq3_xxs", 256, 98),
        (Self::Iq3S, "iq3_s", 256, 110),
        (Self::Iq1S, "iq1_s", 256, 50),
        (Self::Iq1M, "iq1_m", 256, 56),
        (Self::Iq4Nl, "iq4_nl", 32, 18),
        (Self::Iq4Xs, "iq4_xs", 256, 136),
        (Self::Tq1_0, "tq1_0", 256, 54),
        (Self::Tq2_0, "tq2_0", 256, 66),
        (Self::Mxfp4, "mxfp4", 32, 17),
        (Self::Nvfp4, "nvfp4", 64, 36),
    ];

    fn row(self) -> (&'static str, u64, u64) {
        Self::TABLE
            .iter()
            .find(|(dtype, ..)| *dtype == self)
            .map_or(("", 1, 1), |(_, name, elements, bytes)| (name, *elements, *bytes))
    }

    /// Its name, as in `bf16` or `q4_k`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Elements and bytes of one block.
    #[must_use]
    pub fn block(self) -> (u64, u64) {
        let (_, elements, bytes) = self.row();
        (elements, bytes)
    }

    /// Bits per element, scales included.
    #[must_use]
    pub fn bits(self) -> f64 {
        let (elements, bytes) = self.block();
        bytes as f64 * 8.0 / elements as f64
    }

    /// Bytes of that many elements; a last partial block counts in proportion, rounded up.
    #[must_use]
    pub fn bytes(self, elements: u64) -> Bytes {
        let (per_block, bytes) = self.block();
        let total = u128::from(elements) * u128::from(bytes);
        Bytes::new(u64::try_from(total.div_ceil(u128::from(per_block))).unwrap_or(u64::MAX))
    }

    /// Whether gradients can be of this type.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16)
    }

    /// Whether it is a 4-bit normal float.
    #[must_use]
    pub const fn is_normal_float(self) -> bool {
        matches!(self, Self::Nf4 | Self::Nf4Double)
    }

    /// Every type, in a fixed order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.iter().map(|(dtype, ..)| *dtype)
    }
}

impl FromStr for Dtype {
    type Err = String;
    /// Reads a name, or a framework's name for it (`bfloat16`, `float32`, `torch.float16`), or that of
    /// llama.cpp's usual mix of it (`Q4_K_M`); hyphens and underscores do not count.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().trim_start_matches("torch.").to_ascii_lowercase();
        let name = match name.as_str() {
            "float64" | "double" => "f64",
            "float32" | "float" | "fp32" => "f32",
            "float16" | "half" | "fp16" => "f16",
            "bfloat16" => "bf16",
            "fp8" | "f8_e4m3" | "f8_e5m2" | "float8_e4m3fn" | "float8_e5m2" => "f8",
            // The mixes of llama.cpp that most files of these types are of.
            "q4_k_m" | "q4km" => "q4_k",
            "q5_k_m" | "q5km" => "q5_k",
            other => other,
        };
        let plain = |name: &str| name.replace(['_', '-'], "");
        let found = Self::TABLE.iter().find(|(_, known, ..)| plain(known) == plain(name));
        found.map(|(dtype, ..)| *dtype).ok_or_else(|| format!("unknown number type \"{text}\""))
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_every_type_has_a_row() {
        for dtype in Dtype::all() {
            assert_eq!(dtype.name().parse(), Ok(dtype));
            assert!(dtype.bits() > 0.0 && dtype.bits() <= 64.0, "{dtype}");
        }
        assert_eq!("torch.bfloat16".parse(), Ok(Dtype::Bf16));
        assert_eq!(
            ["Q4_K_M", "q5km", "q4-0"].map(str::parse),
            [Dtype::Q4K, Dtype::Q5K, Dtype::Q4_0].map(Ok)
        );
        assert!("f17".parse::<Dtype>().is_err());
    }

    #[test]
    fn block_types_count_their_scales() {
        assert_eq!(Dtype::Q4K.bytes(4096 * 4096), Bytes::new(4096 * 4096 / 256 * 144));
        assert!((Dtype::Nf4Double.bits() - 4.127).abs() < 1e-3);
        assert_eq!(Dtype::F4.bytes(3), Bytes::new(2));
    }
}
