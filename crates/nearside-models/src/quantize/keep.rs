//! Types that are stated for single tensors: `NAME=TYPE`, where `*` in the name stands for anything.

use std::fmt;
use std::str::FromStr;

use nearside_architecture::Dtype;

use crate::block;

/// A type for tensors of some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Their names, `*` for anything.
    pub pattern: String,
    /// The type.
    pub dtype: Dtype,
}

/// Why a text states no type for any tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// It is no pair.
    #[error("\"{0}\" is not NAME=TYPE, as in output.weight=q8_0")]
    NoPair(String),
    /// The type is none that is written.
    #[error("\"{0}\" is no type that tensors are written in")]
    NoType(String),
}

impl Keep {
    /// Whether a tensor is one of those.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let parts: Vec<_> = parts.collect();
        let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
        let mut rest = rest;
        for part in between {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl FromStr for Keep {
    type Err = KeepError;

    fn from_str(text: &str) -> Result<Self, KeepError> {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (pattern, dtype) = pair.ok_or_else(|| KeepError::NoPair(text.to_owned()))?;
        let found = dtype.parse().ok().filter(|dtype| block::is_written(*dtype));
        let dtype = found.ok_or_else(|| KeepError::NoType(dtype.to_owned()))?;
        Ok(Self { pattern: pattern.to_owned(), dtype })
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.pattern, self.dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let check = |pattern: &str, name: &str, expect: bool| {
            let keep = Keep { pattern: pattern.to_owned(), dtype: Dtype::F16 };
            assert_eq!(keep.is_for(name), expect, "{pattern} {name}");
        };
        check("output.weight", "output.weight", true);
        check("output", "output.weight", false);
        check("*.ffn_down.*", "blk.0.ffn_down.weight", true);
        check("*ffn_down*", "blk.0.ffn_up.weight", false);
        check("blk.1.*", "blk.11.attn_q.weight", false);
        check("*a*a", "aa", true);
        check("a*a", "a", false);
        check("*", "", true);
    }

    #[test]
    fn what_is_no_pair_of_name_and_type_is_told() {
        assert_eq!(
            "a*=q8_0".parse::<Keep>().map(|keep| keep.to_string()),
            Ok("a*=q8_0".to_owned())
        );
        assert_eq!("=q8_0".parse::<Keep>(), Err(KeepError::NoPair("=q8_0".to_owned())));
        assert_eq!("a=iq1_s".parse::<Keep>(), Err(KeepError::NoType("iq1_s".to_owned())));
    }
}
