//! Which families have a GGUF form here, and how it differs from that of the others.
//!
//! Source: the classes of llama.cpp's `conversion/`, and what `src/models/` there reads.

use super::super::error::QuantizeError;
use super::unconvertible;

/// A family as GGUF has it.
#[derive(Debug)]
pub(super) struct Family {
    /// What `config.json` calls it.
    model_types: &'static [&'static str],
    /// What GGUF files call it.
    pub(super) gguf: &'static str,
    /// How pairs of queries and keys are to lie.
    pub(super) pairs: Turned,
    /// What is said of windows.
    pub(super) windows: Windows,
    /// Keys that files of this family have, whether they say something or not.
    pub(super) sizes: Sizes,
}

/// How what is turned together lies in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// As transformers has it: the first half with the second one.
    Halves,
    /// Side by side.
    Neighbours,
}

/// What files of a family say of layers that see only a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Windows {
    /// Nothing: all layers see everything.
    Unsaid,
    /// How wide it is; 0 for none. All layers have it.
    Width,
    /// The same, of all layers but each `every`-th, if nothing else is said.
    AllBut {
        /// How many layers make a group.
        every: usize,
    },
}

/// Sizes that files of a family state though they follow from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sizes {
    /// None.
    Fewest,
    /// How many elements of a head are turned.
    Rotary,
    /// The same, how wide a head is, and how many words there are.
    RotaryAndVocabulary,
}

const PLAIN: Family = Family {
    model_types: &[],
    gguf: "",
    pairs: Turned::Halves,
    windows: Windows::Unsaid,
    sizes: Sizes::Fewest,
};

const TABLE: &[Family] = &[
    Family {
        model_types: &["llama", "mistral", "mixtral"],
        gguf: "llama",
        pairs: Turned::Neighbours,
        sizes: Sizes::RotaryAndVocabulary,
        ..PLAIN
    },
    Family { model_types: &["qwen2"], gguf: "qwen2", ..PLAIN },
    Family { model_types: &["qwen2_moe"], gguf: "qwen2moe", ..PLAIN },
    Family { model_types: &["qwen3"], gguf: "qwen3", ..PLAIN },
    Family { model_types: &["qwen3_moe"], gguf: "qwen3moe", ..PLAIN },
    Family { model_types: &["gemma"], gguf: "gemma", ..PLAIN },
    Family {
        model_types: &["gemma2"],
        gguf: "gemma2",
        windows: Windows::AllBut { every: 2 },
        ..PLAIN
    },
    Family {
        model_types: &["gemma3", "gemma3_text"],
        gguf: "gemma3",
        windows: Windows::AllBut { every: 6 },
        ..PLAIN
    },
    Family {
        model_types: &["phi3"],
        gguf: "phi3",
        windows: Windows::Width,
        sizes: Sizes::Rotary,
        ..PLAIN
    },
];

impl Family {
    /// The family that `config.json` calls so.
    pub(super) fn of(name: &str) -> Result<&'static Self, QuantizeError> {
        TABLE.iter().find(|family| family.model_types.contains(&name)).ok_or_else(|| {
            let known: Vec<_> =
                TABLE.iter().flat_map(|family| family.model_types).copied().collect();
            unconvertible(format!(
                "its family is \"{name}\"; these are converted: {}",
                known.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_without_a_form_is_told_with_those_that_have_one() {
        let told = Family::of("bert").unwrap_err().to_string();
        assert!(told.contains("\"bert\"") && told.contains("qwen3_moe"), "{told}");
        assert_eq!(Family::of("mixtral").unwrap().gguf, "llama");
    }
}
