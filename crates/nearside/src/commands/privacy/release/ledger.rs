//! What was spent of a dataset's privacy: read from the record, and added to it in one step with the decision.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nearside_ledger::{LedgerError, ProjectLedger, Recorded, ReleaseRow, ReleaseWord};
use nearside_privacy::release::{Amount, Budget, Exceeded, Left, Privacy};

use crate::error::CommandError;
use crate::wire::journal;

/// The record of what answers about a dataset spent.
pub(super) struct Spending {
    file: PathBuf,
    dataset: String,
    /// The digest of its content.
    blake3: String,
    budget: Budget,
}

/// A question to be decided.
pub(super) struct Wanted<'a> {
    /// What is asked, as JSON.
    pub(super) query_json: String,
    pub(super) privacy: &'a Privacy,
}

impl Spending {
    pub(super) fn of(record: &Path, dataset: &str, blake3: String, budget: Budget) -> Self {
        Self { file: journal::file(record), dataset: dataset.to_owned(), blake3, budget }
    }

    /// Everything that was asked so far.
    pub(super) fn past(&self) -> Result<Vec<ReleaseRow>, CommandError> {
        let ledger = ProjectLedger::open_to_read(&self.file);
        let rows = ledger.and_then(|ledger| match ledger {
            Some(ledger) => ledger.all(),
            None => Ok(Vec::new()),
        });
        rows.map(|rows| self.own(rows)).map_err(|error| journal::failed(&error))
    }

    /// What was asked of the dataset, whatever it held, and of its content, whatever it was called.
    fn own(&self, rows: Vec<Recorded<ReleaseRow>>) -> Vec<ReleaseRow> {
        let rows = rows.into_iter().map(|recorded| recorded.row);
        rows.filter(|row| row.dataset == self.dataset || row.blake3 == self.blake3).collect()
    }

    /// What is left after what was asked so far, and one more.
    pub(super) fn left(
        &self,
        past: &[ReleaseRow],
        more: Option<Privacy>,
    ) -> Result<Left, Exceeded> {
        let released = past.iter().filter(|row| row.decision == ReleaseWord::Released);
        let spent: Vec<Privacy> = released.map(spent).chain(more).collect();
        self.budget.spend(&spent)
    }

    /// Decides on a question and writes that down, so that no other one can be decided between.
    pub(super) fn decide(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<Result<Left, Exceeded>, CommandError> {
        let at = journal::moment(SystemTime::now());
        let decide = |ledger: &mut ProjectLedger| {
            ledger.append(|to| {
                let past = self.own(to.all()?);
                let left = self.left(&past, Some(*wanted.privacy));
                let (epsilon, rho) = match wanted.privacy {
                    Privacy::Pure { epsilon } => (Some(epsilon.value()), None),
                    Privacy::Concentrated { rho } => (None, Some(rho.value())),
                };
                to.add(&ReleaseRow {
                    at,
                    dataset: self.dataset.clone(),
                    blake3: self.blake3.clone(),
                    query_json: wanted.query_json.clone(),
                    decision: match left {
                        Ok(_) => ReleaseWord::Released,
                        Err(_) => ReleaseWord::Refused,
                    },
                    epsilon,
                    rho,
                    reason: match &left {
                        Ok(left) => left_text(*left),
                        Err(exceeded) => exceeded.to_string(),
                    },
                })?;
                Ok(left)
            })
        };
        let decided: Result<_, LedgerError> =
            ProjectLedger::open(&self.file).and_then(|mut ledger| decide(&mut ledger));
        decided.map_err(|error| journal::failed(&error))
    }
}

/// What a row of the record spent; one that cannot be understood spent more than any budget has.
fn spent(row: &ReleaseRow) -> Privacy {
    let privacy = match (row.epsilon, row.rho) {
        (Some(epsilon), _) => Privacy::pure(epsilon),
        (None, Some(rho)) => Privacy::concentrated(rho),
        (None, None) => Privacy::pure(f64::NAN),
    };
    privacy.unwrap_or(Privacy::Pure { epsilon: Amount::of_parts(u64::MAX) })
}

/// What is left, in words.
pub(super) fn left_text(left: Left) -> String {
    match left.rho.value() > 0.0 {
        true => format!("epsilon = {} or rho = {} is left", left.epsilon, left.rho),
        false => format!("epsilon = {} is left", left.epsilon),
    }
}
