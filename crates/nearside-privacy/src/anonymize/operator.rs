//! What is done with a finding, and which finding gets what.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::rewrite::Columns;
use crate::scan::{Entity, Group};

macro_rules! operators {
    ($($variant:ident $name:literal $what:literal,)+) => {
        /// What takes the place of a value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operator {
            $(#[doc = $what] $variant,)+
        }

        impl Operator {
            /// Every operator, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name on the command line and in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does, in words.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }
        }
    };
}

operators! {
    Remove "remove" "a label without number, the same for every value of a kind: `[EMAIL]`",
    Replace "replace" "a label with a number of the value: `[EMAIL_k7m2q9xw4tzb]`",
    Vault "vault" "a label as of `replace`, with the value kept in the vault of the project",
    Mask "mask" "a star for every letter and digit; length and signs stay",
    Hash "hash" "sixteen hexadecimal digits, keyed",
    Surrogate "surrogate" "a value of the same form that belongs to nobody",
    Shift "shift" "a date moved by as many days as all of its subject; other values as `replace`",
    Keep "keep" "the value itself",
}

impl Operator {
    /// Whether what it writes may look like what was there, so that a scan finds it again.
    #[must_use]
    pub const fn looks_real(self) -> bool {
        matches!(self, Self::Surrogate | Self::Shift | Self::Keep)
    }

    /// Whether what it writes depends on the key of the project.
    #[must_use]
    pub const fn is_keyed(self) -> bool {
        matches!(self, Self::Replace | Self::Vault | Self::Hash | Self::Surrogate | Self::Shift)
    }

    /// Whether what it writes is about somebody still.
    #[must_use]
    pub const fn is_real(self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// A word that is no operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown operator \"{0}\"")]
pub struct UnknownOperator(pub String);

impl FromStr for Operator {
    type Err = UnknownOperator;
    fn from_str(text: &str) -> Result<Self, UnknownOperator> {
        let found = Self::ALL.iter().find(|operator| operator.name() == text);
        found.copied().ok_or_else(|| UnknownOperator(text.to_owned()))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Which finding gets which operator, and which columns go or stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// What is done with every kind that nothing else is said of.
    pub default: Operator,
    /// What is done with single kinds.
    pub of: BTreeMap<Entity, Operator>,
    /// The only kinds that are looked at; all, where it is empty. Secrets are looked at always.
    pub only: BTreeSet<Entity>,
    /// Heads of columns that are left out.
    pub dropped_columns: BTreeSet<String>,
    /// Heads of columns that stay as they are, but for secrets.
    pub kept_columns: BTreeSet<String>,
    /// The head of the column that says whose dates those of a row are; without one, those of a file
    /// are one subject's.
    pub subject: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            default: Operator::Replace,
            of: BTreeMap::new(),
            only: BTreeSet::new(),
            dropped_columns: BTreeSet::new(),
            kept_columns: BTreeSet::new(),
            subject: None,
        }
    }
}

impl Rules {
    /// What is done with a kind. A secret is removed, whatever is chosen.
    #[must_use]
    pub fn operator(&self, entity: Entity) -> Operator {
        if entity.group() == Group::Secret {
            return Operator::Remove;
        }
        if !self.only.is_empty() && !self.only.contains(&entity) {
            return Operator::Keep;
        }
        self.of.get(&entity).copied().unwrap_or(self.default)
    }

    /// Whether the result depends on the key of the project.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        Entity::ALL.iter().any(|entity| self.operator(*entity).is_keyed())
    }

    /// Whether values are put into the vault.
    #[must_use]
    pub fn needs_vault(&self) -> bool {
        Entity::ALL.iter().any(|entity| self.operator(*entity) == Operator::Vault)
    }

    /// The columns that are spoken of.
    pub(super) fn named_columns(&self) -> impl Iterator<Item = &String> {
        self.dropped_columns.iter().chain(&self.kept_columns).chain(&self.subject)
    }

    /// The places of the columns that are spoken of, in a table with these heads.
    pub(super) fn columns(&self, heads: &[String]) -> Columns {
        let places = |names: &BTreeSet<String>| {
            let named = heads.iter().enumerate().filter(|(_, head)| names.contains(*head));
            named.map(|(place, _)| place).collect()
        };
        let subject = self.subject.as_ref();
        Columns {
            dropped: places(&self.dropped_columns),
            kept: places(&self.kept_columns),
            subject: subject.and_then(|name| heads.iter().position(|head| head == name)),
        }
    }

    /// What is done with a kind that a look at the result finds: its value is part of other text or
    /// looks like something since its surroundings went. Only labels are sure to be found by nothing.
    pub(super) fn operator_again(&self, entity: Entity) -> Operator {
        match self.operator(entity) {
            same @ (Operator::Keep | Operator::Vault) => same,
            keyed if keyed.is_keyed() => Operator::Replace,
            _ => Operator::Remove,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_removed_whatever_is_chosen() {
        let mut rules = Rules { default: Operator::Keep, ..Rules::default() };
        rules.of.insert(Entity::Password, Operator::Keep);
        rules.only.insert(Entity::Email);
        for entity in Entity::ALL.iter().filter(|entity| entity.group() == Group::Secret) {
            assert_eq!(rules.operator(*entity), Operator::Remove);
        }
        assert_eq!(rules.operator(Entity::Email), Operator::Keep);
        assert!(!rules.is_keyed());
        rules.of.insert(Entity::Email, Operator::Hash);
        assert!(rules.is_keyed());
    }

    #[test]
    fn what_is_said_of_a_kind_goes_before_what_is_said_of_all() {
        let mut rules = Rules { default: Operator::Hash, ..Rules::default() };
        rules.of.insert(Entity::Phone, Operator::Mask);
        assert_eq!(rules.operator(Entity::Phone), Operator::Mask);
        assert_eq!(rules.operator(Entity::Email), Operator::Hash);
        rules.only.insert(Entity::Phone);
        assert_eq!(rules.operator(Entity::Email), Operator::Keep);
        for operator in Operator::ALL {
            assert_eq!(operator.name().parse(), Ok(*operator));
        }
    }
}
