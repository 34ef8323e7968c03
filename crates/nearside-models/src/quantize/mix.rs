//! Mixes: a type for most matrices, and rules for those that need more bits.
//!
//! A mix is called as llama.cpp calls it, and has its number in `general.file_type` (`enum llama_ftype` in `llama.h`).

use std::fmt;
use std::str::FromStr;

use nearside_architecture::Dtype;

/// How the tensors of a file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the field's own")]
pub enum Mix {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q2KS,
    Q3KS,
    Q3KM,
    Q3KL,
    Q4KS,
    Q4KM,
    Q5KS,
    Q5KM,
    Q6K,
    Iq2Xxs,
    Iq2Xs,
    Iq2S,
    Iq2M,
    Iq3Xxs,
    Iq3Xs,
    Iq3S,
    Iq3M,
    Iq4Nl,
    Iq4Xs,
    Tq1_0,
    Tq2_0,
    Mxfp4Experts,
}

/// Names that are read and are no mix's own.
const ALIASES: [(&str, Mix); 5] = [
    ("Q3_K", Mix::Q3KM),
    ("Q4_K", Mix::Q4KM),
    ("Q5_K", Mix::Q5KM),
    ("FP16", Mix::F16),
    ("FP32", Mix::F32),
];

impl Mix {
    /// Every mix: its name, its number, the type of most of its matrices.
    const TABLE: &'static [(Self, &'static str, u32, Dtype)] = &[
        (Self::F32, "F32", 0, Dtype::F32),
        (Self::F16, "F16", 1, Dtype::F16),
        (Self::Bf16, "BF16", 32, Dtype::Bf16),
        (Self::Q8_0, "Q8_0", 7, Dtype::Q8_0),
        (Self::Q6K, "Q6_K", 18, Dtype::Q6K),
        (Self::Q5KM, "Q5_K_M", 17, Dtype::Q5K),
        (Self::Q5KS, "Q5_K_S", 16, Dtype::Q5K),
        (Self::Q5_1, "Q5_1", 9, Dtype::Q5_1),
        (Self::Q5_0, "Q5_0", 8, Dtype::Q5_0),
        (Self::Q4KM, "Q4_K_M", 15, Dtype::Q4K),
        (Self::Q4KS, "Q4_K_S", 14, Dtype::Q4K),
        (Self::Q4_1, "Q4_1", 3, Dtype::Q4_1),
        (Self::Q4_0, "Q4_0", 2, Dtype::Q4_0),
        (Self::Iq4Nl, "IQ4_NL", 25, Dtype::Iq4Nl),
        (Self::Iq4Xs, "IQ4_XS", 30, Dtype::Iq4Xs),
        (Self::Mxfp4Experts, "MXFP4_MOE", 38, Dtype::Mxfp4),
        (Self::Q3KL, "Q3_K_L", 13, Dtype::Q3K),
        (Self::Q3KM, "Q3_K_M", 12, Dtype::Q3K),
        (Self::Q3KS, "Q3_K_S", 11, Dtype::Q3K),
        (Self::Iq3M, "IQ3_M", 27, Dtype::Iq3S),
        (Self::Iq3S, "IQ3_S", 26, Dtype::Iq3S),
        (Self::Iq3Xs, "IQ3_XS", 22, Dtype::Iq3S),
        (Self::Iq3Xxs, "IQ3_XXS", 23, Dtype::Iq3Xxs),
        (Self::Q2K, "Q2_K", 10, Dtype::Q2K),
        (Self::Q2KS, "Q2_K_S", 21, Dtype::Q2K),
        (Self::Iq2M, "IQ2_M", 29, Dtype::Iq2S),
        (Self::Iq2S, "IQ2_S", 28, Dtype::Iq2Xs),
        (Self::Iq2Xs, "IQ2_XS", 20, Dtype::Iq2Xs),
        (Self::Iq2Xxs, "IQ2_XXS", 19, Dtype::Iq2Xxs),
        (Self::Tq2_0, "TQ2_0", 37, Dtype::Tq2_0),
        (Self::Tq1_0, "TQ1_0", 36, Dtype::Tq1_0),
    ];

    /// Every mix, the largest files first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.iter().map(|(mix, ..)| *mix)
    }

    fn row(self) -> (&'static str, u32, Dtype) {
        let row = Self::TABLE.iter().find(|(mix, ..)| *mix == self);
        row.map_or(("", 0, Dtype::F32), |(_, name, number, dtype)| (name, *number, *dtype))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Its number in `general.file_type`.
    #[must_use]
    pub fn file_type(self) -> u32 {
        self.row().1
    }

    /// The type of most of its matrices.
    #[must_use]
    pub fn dtype(self) -> Dtype {
        self.row().2
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that no mix has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no type \"{0}\" that models are quantized to")]
pub struct UnknownMix(pub String);

impl FromStr for Mix {
    type Err = UnknownMix;

    /// Reads a name, whatever its case; hyphens and underscores do not count.
    fn from_str(text: &str) -> Result<Self, UnknownMix> {
        let plain = |name: &str| name.trim().replace(['_', '-'], "").to_ascii_uppercase();
        let own = Self::TABLE.iter().map(|(mix, name, ..)| (*name, *mix));
        own.chain(ALIASES)
            .find(|(name, _)| plain(name) == plain(text))
            .map(|(_, mix)| mix)
            .ok_or_else(|| UnknownMix(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block;

    #[test]
    fn every_mix_reads_its_name_back_and_its_type_is_written() {
        for mix in Mix::all() {
            assert_eq!(mix.name().parse(), Ok(mix));
            assert!(block::is_written(mix.dtype()), "{mix}");
        }
        assert_eq!(Mix::all().count(), 31);
        assert_eq!("q4-k-m".parse(), Ok(Mix::Q4KM));
        assert_eq!("q4_k".parse(), Ok(Mix::Q4KM));
        assert_eq!("Q9_K".parse::<Mix>(), Err(UnknownMix("Q9_K".to_owned())));
    }
}
