//! Closed enums that are written by name in project files and on the command line.

use thiserror::Error;

use crate::suggest;

/// A word that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown {what} \"{name}\": use {}", .known.join(", "))]
pub struct UnknownName {
    what: &'static str,
    name: String,
    known: Vec<&'static str>,
}

impl UnknownName {
    /// Somebody wrote `name` for one of the `known`.
    #[must_use]
    pub fn new(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self { what, name: name.to_owned(), known: known.into_iter().collect() }
    }

    /// The name that was most likely meant.
    ///
    /// ```
    /// # use nearside_workload::AttentionKernel;
    /// let error = "eagre".parse::<AttentionKernel>().unwrap_err();
    /// assert_eq!(error.nearest(), Some("eager"));
    /// ```
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        suggest::nearest(&self.name, self.known.iter().copied())
    }
}

/// Gives an enum with a table `NAMES` its names, both ways. Where two names mean the same, the first
/// is shown; what a value holds besides its kind does not change its name.
macro_rules! named {
    ($type:ident, $what:literal) => {
        impl $type {
            /// Its name in project files.
            #[must_use]
            pub fn name(self) -> &'static str {
                let kind = std::mem::discriminant(&self);
                let found =
                    Self::NAMES.iter().find(|(named, _)| std::mem::discriminant(named) == kind);
                found.map_or("", |(_, name)| name)
            }

            /// Every name, in a fixed order.
            pub fn names() -> impl Iterator<Item = &'static str> {
                Self::NAMES.iter().map(|(_, name)| *name)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::UnknownName;
            fn from_str(text: &str) -> Result<Self, crate::UnknownName> {
                let found = Self::NAMES.iter().find(|(_, name)| *name == text);
                found
                    .map(|(value, _)| *value)
                    .ok_or_else(|| crate::UnknownName::new($what, text, Self::names()))
            }
        }
    };
}

pub(crate) use named;
