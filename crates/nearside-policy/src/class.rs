//! How sensitive data is, and how sensitive a place may hold.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Sensitivity of data, least first. Pseudonymised data is personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Anyone may see it.
    Public,
    /// Ours, about nobody in particular.
    Internal,
    /// About identified or identifiable people (GDPR article 4).
    Personal,
    /// Special categories: health, belief, origin and the like (GDPR article 9).
    Special,
}

impl Class {
    /// Every class, least sensitive first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Personal, Self::Special];

    /// Its name in project files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Personal => "personal",
            Self::Special => "special",
        }
    }
}

/// A name that is no class.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown class \"{0}\": use public, internal, personal or special")]
pub struct UnknownClass(pub String);

impl FromStr for Class {
    type Err = UnknownClass;
    fn from_str(text: &str) -> Result<Self, UnknownClass> {
        let found = Self::ALL.into_iter().find(|class| class.name() == text);
        found.ok_or_else(|| UnknownClass(text.to_owned()))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// The highest class that a place may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clearance(pub Class);

impl Clearance {
    /// Whether data of that class may be held.
    #[must_use]
    pub fn covers(self, class: Class) -> bool {
        class <= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ordered_and_named() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        assert!(Clearance(Class::Personal).covers(Class::Internal));
        assert!(!Clearance(Class::Internal).covers(Class::Personal));
        assert!("secret".parse::<Class>().is_err());
    }
}
