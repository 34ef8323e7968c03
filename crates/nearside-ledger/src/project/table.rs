//! The tables of a project's ledger, and the statements that all of them share.

use crate::column::{Cells as _, Column};
use crate::project::rows::{
    ArtifactRow, CertificateRow, DecisionRow, ErasureRow, HeadRow, KeyRow, MovementRow, PlanRow,
    ReleaseRow, RunRow, SampleRow, SpendRow,
};

/// A table of a project's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Plans.
    Plans,
    /// Executions of stages and trials.
    Runs,
    /// Readings while something ran.
    Samples,
    /// Charges of providers.
    Spend,
    /// Data that went from one site to another.
    Movements,
    /// Files that runs made.
    Artifacts,
    /// Public keys that sign certificates.
    Keys,
    /// What lowers the class of artifacts.
    Certificates,
    /// Content that was taken out for good.
    Erasures,
    /// What was decided about data that was to go somewhere.
    Decisions,
    /// Signed hashes of all entries so far.
    Heads,
    /// Questions about people, and what answers spent.
    Releases,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 12] = [
        Self::Plans,
        Self::Runs,
        Self::Samples,
        Self::Spend,
        Self::Movements,
        Self::Artifacts,
        Self::Keys,
        Self::Certificates,
        Self::Erasures,
        Self::Decisions,
        Self::Heads,
        Self::Releases,
    ];

    /// Its name, in the file and in exports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plans => "plans",
            Self::Runs => "runs",
            Self::Samples => "samples",
            Self::Spend => "spend",
            Self::Movements => "movements",
            Self::Artifacts => "artifacts",
            Self::Keys => "keys",
            Self::Certificates => "certificates",
            Self::Erasures => "erasures",
            Self::Decisions => "decisions",
            Self::Heads => "heads",
            Self::Releases => "releases",
        }
    }

    /// The table of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns, in order, after the number of the entry.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Plans => PlanRow::COLUMNS,
            Self::Runs => RunRow::COLUMNS,
            Self::Samples => SampleRow::COLUMNS,
            Self::Spend => SpendRow::COLUMNS,
            Self::Movements => MovementRow::COLUMNS,
            Self::Artifacts => ArtifactRow::COLUMNS,
            Self::Keys => KeyRow::COLUMNS,
            Self::Certificates => CertificateRow::COLUMNS,
            Self::Erasures => ErasureRow::COLUMNS,
            Self::Decisions => DecisionRow::COLUMNS,
            Self::Heads => HeadRow::COLUMNS,
            Self::Releases => ReleaseRow::COLUMNS,
        }
    }

    /// Takes the number of the entry and every column.
    pub(crate) fn insert(self) -> String {
        let names = self.names();
        let places = ", ?".repeat(self.columns().len());
        format!("INSERT INTO {} (entry, {names}) VALUES (?{places})", self.name())
    }

    /// Gives the number of the entry and every column; `rest` says of which rows, in which order.
    pub(crate) fn select(self, rest: &str) -> String {
        format!("SELECT entry, {} FROM {} {rest}", self.names(), self.name())
    }

    fn names(self) -> String {
        let names: Vec<&str> = self.columns().iter().map(|column| column.name).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_follow_the_columns() {
        let insert = "INSERT INTO artifacts (entry, run_entry, path, digest, bytes, class) \
                      VALUES (?, ?, ?, ?, ?, ?)";
        assert_eq!(Table::Artifacts.insert(), insert);
        let select = "SELECT entry, run_entry, seconds, name, unit, value FROM samples \
                      WHERE entry = ?1";
        assert_eq!(Table::Samples.select("WHERE entry = ?1"), select);
    }

    #[test]
    fn names_are_found_again() {
        for table in Table::ALL {
            assert_eq!(Table::named(table.name()), Some(table));
        }
        assert_eq!(Table::named("entries"), None);
    }
}
