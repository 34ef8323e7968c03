//! Who says so, when, and on which line of which table: what every row carries.

use std::fmt;
use std::sync::Arc;

use nearside_units::{Basis, Date, Kind, Sourced};

use crate::overlay::TABLES;

/// A line of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPlace {
    /// The file as the caller names it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u64,
}

impl RowPlace {
    /// The table that the row is of: its file has its name; lists of providers and of SkyPilot hold offers.
    #[must_use]
    pub fn table(&self) -> &str {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        match TABLES.contains(&name) {
            true => name.trim_end_matches(".csv"),
            false => "offers",
        }
    }
}

impl fmt::Display for RowPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// Where a row came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who says so.
    pub source: Arc<str>,
    /// Who else says so.
    pub second_source: Option<Arc<str>>,
    /// When it was true.
    pub as_of: Date,
    /// What kind of knowledge it is (column `evidence`).
    pub kind: Kind,
    /// What a reader should know before using the row.
    pub note: Option<Arc<str>>,
    /// Where the row is written.
    pub place: RowPlace,
}

impl Origin {
    /// The basis of a value of this row.
    #[must_use]
    pub fn basis(&self) -> Basis {
        Basis { kind: self.kind, source: Arc::clone(&self.source), as_of: Some(self.as_of) }
    }

    /// A value of this row.
    #[must_use]
    pub fn sourced<T>(&self, value: T) -> Sourced<T> {
        Sourced::new(value, self.basis())
    }

    /// A value that follows from this row in a way that has to be told.
    #[must_use]
    pub fn derived<T>(&self, value: T, how: &str) -> Sourced<T> {
        let basis = Basis {
            kind: self.kind.max(Kind::Derived),
            source: format!("{}; {how}", self.source).into(),
            as_of: Some(self.as_of),
        };
        Sourced::new(value, basis)
    }
}
