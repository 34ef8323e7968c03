//! What can be wrong with a table or with a question about one, with the facts to repair it.

use thiserror::Error;

/// Why a table could not be read or a name could not be found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogError {
    /// The file is not CSV (RFC 4180) at all.
    #[error("{file}:{line}: not a CSV table: {reason}")]
    NotCsv {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What the CSV reader says.
        reason: String,
    },
    /// The file is no price list of that provider, or breaks off.
    #[error("{file}: not a price list of {of}: {reason}")]
    NotAPriceList {
        /// The file or address.
        file: String,
        /// Whose list was expected.
        of: &'static str,
        /// What the JSON reader says.
        reason: String,
    },
    /// A column that has to be there is not.
    #[error("{file}:1: column \"{column}\" is missing")]
    MissingColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// A column that this table does not have.
    #[error("{file}:1: unknown column \"{column}\"{}", did_you_mean(.near))]
    UnknownColumn {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The nearest columns that exist.
        near: Vec<String>,
    },
    /// A cell that cannot be read.
    #[error("{file}:{line}: column \"{column}\": {reason} (found \"{value}\")")]
    Cell {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What the cell holds.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such name.
    #[error("no {what} is called \"{name}\"{}", did_you_mean(.near))]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// The nearest names that exist.
        near: Vec<String>,
    },
    /// The table of models cannot be read.
    #[error(transparent)]
    Models(#[from] crate::ModelsError),
    /// A name that several rows answer to.
    #[error("\"{name}\" may be {}", .candidates.join(" or "))]
    Ambiguous {
        /// The name that was asked for.
        name: String,
        /// The names that are not ambiguous.
        candidates: Vec<String>,
    },
}

fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(": did you mean {}?", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_carry_place_and_cell() {
        let error = CatalogError::Cell {
            file: "offers.csv".into(),
            line: 12,
            column: "memory".into(),
            value: "16".into(),
            reason: "needs a unit".into(),
        };
        let text = "offers.csv:12: column \"memory\": needs a unit (found \"16\")";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn a_wrong_name_suggests_and_no_suggestion_says_nothing() {
        let not_found = |near: &[&str]| CatalogError::NotFound {
            what: "device",
            name: "rtx-490".into(),
            near: near.iter().map(|name| (*name).to_owned()).collect(),
        };
        let text = "no device is called \"rtx-490\": did you mean rtx-4090?";
        assert_eq!(not_found(&["rtx-4090"]).to_string(), text);
        assert_eq!(not_found(&[]).to_string(), "no device is called \"rtx-490\"");
    }
}
