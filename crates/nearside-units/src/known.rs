//! What we may not know. Unknown is not zero.

use std::sync::Arc;

/// A value, or why there is none.
///
/// ```
/// use nearside_units::Known;
/// let price: Known<u32> = Known::unknown("no price published");
/// assert_eq!(price.map(|price| price * 2).value(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// It is known.
    Value(T),
    /// It is not, for this reason.
    Unknown(Arc<str>),
}

impl<T> Known<T> {
    /// Not known, for a reason that reads well after "unknown: ".
    pub fn unknown(why: impl Into<Arc<str>>) -> Self {
        Self::Unknown(why.into())
    }

    /// The value, or unknown for that reason.
    pub fn from_option(value: Option<T>, why: impl Into<Arc<str>>) -> Self {
        value.map_or_else(|| Self::unknown(why), Self::Value)
    }

    /// The value if there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// Borrows what is inside.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Value(value) => Known::Value(value),
            Self::Unknown(why) => Known::Unknown(Arc::clone(why)),
        }
    }

    /// Why it is not known.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Value(_) => None,
            Self::Unknown(why) => Some(why),
        }
    }

    /// Applies a function to the value.
    pub fn map<U>(self, function: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Value(value) => Known::Value(function(value)),
            Self::Unknown(why) => Known::Unknown(why),
        }
    }

    /// Applies a function that may not know either.
    pub fn and_then<U>(self, function: impl FnOnce(T) -> Known<U>) -> Known<U> {
        match self {
            Self::Value(value) => function(value),
            Self::Unknown(why) => Known::Unknown(why),
        }
    }

    /// Both values, or the first reason.
    pub fn zip<U>(self, other: Known<U>) -> Known<(T, U)> {
        self.and_then(|left| other.map(|right| (left, right)))
    }
}

/// A total of which some parts may be unknown: what is known, and what is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct AtLeast<T> {
    /// The sum of the known parts.
    pub total: T,
    /// Why each missing part is missing, without repeats.
    pub missing: Vec<Arc<str>>,
}

impl<T> AtLeast<T> {
    /// A total of nothing yet.
    pub const fn new(zero: T) -> Self {
        Self { total: zero, missing: Vec::new() }
    }

    /// Puts another part in.
    pub fn add(&mut self, part: Known<T>, sum: impl FnOnce(&T, T) -> T) {
        match part {
            Known::Value(value) => self.total = sum(&self.total, value),
            Known::Unknown(why) if self.missing.contains(&why) => {}
            Known::Unknown(why) => self.missing.push(why),
        }
    }

    /// Whether every part was known.
    pub const fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_with_an_unknown_part_says_so() {
        let mut total = AtLeast::new(0);
        total.add(Known::Value(2), |sum, part| sum + part);
        total.add(Known::unknown("no price"), |sum, part| sum + part);
        total.add(Known::unknown("no price"), |sum, part| sum + part);
        assert_eq!((total.total, total.missing.len()), (2, 1));
        assert!(!total.is_complete());
    }
}
