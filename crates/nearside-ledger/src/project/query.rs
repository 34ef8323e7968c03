//! Asking the ledger: runs, one run with what belongs to it, every row of a kind.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Params, params};

use crate::error::{At as _, LedgerError};
use crate::project::{
    Appender, ArtifactRow, CertificateRow, DecisionRow, Outcome, PlanRow, ProjectLedger, Row,
    RunRow, SampleRow, Table, number,
};
use crate::timestamp::Timestamp;

/// A row with the number of its entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<R> {
    /// The number of its entry.
    pub entry: u64,
    /// The row.
    pub row: R,
}

/// Which runs are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this execution of the project.
    pub run: Option<String>,
    /// Of this stage.
    pub stage: Option<String>,
    /// That began then or later.
    pub since: Option<Timestamp>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// No more than so many, the newest.
    pub limit: Option<u32>,
}

/// A run with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunDetails {
    /// The run.
    pub run: Recorded<RunRow>,
    /// Its readings, in the order of recording.
    pub samples: Vec<Recorded<SampleRow>>,
    /// The files that it made, in the order of recording.
    pub artifacts: Vec<Recorded<ArtifactRow>>,
}

impl ProjectLedger {
    /// The runs that a filter lets through, the newest entry first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<Recorded<RunRow>>, LedgerError> {
        const CHOSEN: &str = "WHERE (?1 IS NULL OR run = ?1) AND (?2 IS NULL OR stage = ?2) \
            AND (?3 IS NULL OR began >= ?3) AND (?4 IS NULL OR outcome = ?4) \
            ORDER BY entry DESC LIMIT ?5";
        let limit = filter.limit.map_or(-1, i64::from);
        let since = filter.since.map(|since| since.to_string());
        let outcome = filter.outcome.map(Outcome::word);
        self.some(CHOSEN, params![filter.run, filter.stage, since, outcome, limit])
    }

    /// The run of that entry, with what belongs to it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn show(&self, entry: u64) -> Result<Option<RunDetails>, LedgerError> {
        const OF_RUN: &str = "WHERE run_entry = ?1 ORDER BY entry";
        let moment = self.file.moment()?;
        // What is beyond SQLite's whole numbers is no entry either.
        let entry = i64::try_from(entry).unwrap_or(-1);
        let Some(run) = self.at(&moment, "WHERE entry = ?1", [entry])?.pop() else {
            return Ok(None);
        };
        let samples = self.at(&moment, OF_RUN, [entry])?;
        let artifacts = self.at(&moment, OF_RUN, [entry])?;
        Ok(Some(RunDetails { run, samples, artifacts }))
    }

    /// The newest run of a stage that ran to its end, so that its measurements count; `trial` is
    /// empty for a stage without trials.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last_finished(
        &self,
        stage: &str,
        trial: &str,
    ) -> Result<Option<Recorded<RunRow>>, LedgerError> {
        const LAST: &str = "WHERE stage = ?1 AND trial = ?2 AND outcome = ?3 \
            ORDER BY entry DESC LIMIT 1";
        Ok(self.some(LAST, params![stage, trial, Outcome::Ran.word()])?.pop())
    }

    /// The newest plan with that id.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn plan(&self, id: &str) -> Result<Option<Recorded<PlanRow>>, LedgerError> {
        Ok(self.some("WHERE id = ?1 ORDER BY entry DESC LIMIT 1", [id])?.pop())
    }

    /// The certificates of an artifact by the BLAKE3 digest of its content, the newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn certificates(&self, blake3: &str) -> Result<Vec<Recorded<CertificateRow>>, LedgerError> {
        self.some("WHERE blake3 = ?1 ORDER BY entry DESC", [blake3])
    }

    /// What was decided about content, by its BLAKE3 digest, the newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn decisions_about(&self, blake3: &str) -> Result<Vec<Recorded<DecisionRow>>, LedgerError> {
        self.some("WHERE blake3 = ?1 ORDER BY entry DESC", [blake3])
    }

    /// Every row of a kind, in the order of recording.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn all<R: Row>(&self) -> Result<Vec<Recorded<R>>, LedgerError> {
        self.some("ORDER BY entry", [])
    }

    fn some<R: Row>(&self, rest: &str, of: impl Params) -> Result<Vec<Recorded<R>>, LedgerError> {
        self.at(&*self.file.moment()?, rest, of)
    }

    fn at<R: Row>(
        &self,
        moment: &Connection,
        rest: &str,
        of: impl Params,
    ) -> Result<Vec<Recorded<R>>, LedgerError> {
        let mut rows = Vec::new();
        self.each(moment, rest, of, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Hands over one row after the other, so that a ledger of any length can be read.
    pub(crate) fn each<R: Row>(
        &self,
        moment: &Connection,
        rest: &str,
        of: impl Params,
        visit: impl FnMut(Recorded<R>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        each((moment, self.file.path()), rest, of, visit)
    }
}

impl Appender<'_> {
    /// Every row of a kind, with those that were added, in the order of recording.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn all<R: Row>(&self) -> Result<Vec<Recorded<R>>, LedgerError> {
        let mut rows = Vec::new();
        each((self.connection, self.path), "ORDER BY entry", [], |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }
}

/// Hands over one row of a file after the other.
fn each<R: Row>(
    (file, path): (&Connection, &Path),
    rest: &str,
    of: impl Params,
    mut visit: impl FnMut(Recorded<R>) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let sqlite = |error: rusqlite::Error| error.at(path);
    let mut select = file.prepare(&R::TABLE.select(rest)).map_err(sqlite)?;
    let mut rows = select.query(of).map_err(sqlite)?;
    while let Some(found) = rows.next().map_err(sqlite)? {
        let (entry, cells) = cells(R::TABLE, found).map_err(sqlite)?;
        let row = R::take(cells).map_err(|(column, error)| LedgerError::Damaged {
            path: path.to_path_buf(),
            what: format!("entry {entry}, {}.{column}: {error}", R::TABLE.name()),
        })?;
        visit(Recorded { entry, row })?;
    }
    Ok(())
}

/// The number of the entry and the cells of a row that [`Table::select`] found.
pub(crate) fn cells(table: Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, Vec<Value>)> {
    let cells = (1..=table.columns().len()).map(|at| row.get(at));
    Ok((number(row, 0)?, cells.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Place, artifact, fill, moment, run, sample};

    /// Runs of entries 1 to 6.
    fn some_runs(ledger: &mut ProjectLedger) {
        for (name, stage, trial, outcome, began) in [
            ("r1", "tune", "8", Outcome::Ran, "2026-11-23T10:00:00Z"),
            ("r1", "tune", "16", Outcome::Failed, "2026-11-23T11:00:00Z"),
            ("r1", "evaluate", "", Outcome::Ran, "2026-11-23T11:00:00.001Z"),
            ("r2", "tune", "8", Outcome::Cached, "2026-11-24T10:00:00Z"),
            ("r2", "tune", "16", Outcome::Ran, "2026-11-24T10:00:00Z"),
            // A clock that went backwards.
            ("r3", "tune", "16", Outcome::Interrupted, "2026-11-22T10:00:00Z"),
        ] {
            let (run_name, trial, began) = (name.to_owned(), trial.to_owned(), moment(began));
            let row = RunRow { run: run_name, trial, began, ..run(stage, outcome) };
            ledger.add(&row).unwrap();
        }
    }

    #[test]
    fn a_filter_lets_the_wanted_runs_through_newest_first() {
        let place = Place::new("filter");
        let mut ledger = place.ledger();
        some_runs(&mut ledger);
        let all = RunFilter::default();
        let check = |filter: RunFilter, expected: &[u64]| {
            let found = ledger.runs(&filter).unwrap();
            let found: Vec<u64> = found.into_iter().map(|run| run.entry).collect();
            assert_eq!(found, expected, "{filter:?}");
        };
        let stage = |name: &str| Some(name.to_owned());
        check(all.clone(), &[6, 5, 4, 3, 2, 1]);
        check(RunFilter { stage: stage("tune"), ..all.clone() }, &[6, 5, 4, 2, 1]);
        check(RunFilter { stage: stage("tun_"), ..all.clone() }, &[]);
        check(RunFilter { run: Some("r2".to_owned()), ..all.clone() }, &[5, 4]);
        check(RunFilter { outcome: Some(Outcome::Ran), ..all.clone() }, &[5, 3, 1]);
        check(RunFilter { limit: Some(2), ..all.clone() }, &[6, 5]);
        check(RunFilter { limit: Some(0), ..all.clone() }, &[]);
        let since = Some(moment("2026-11-23T11:00:00Z"));
        check(RunFilter { since, ..all.clone() }, &[5, 4, 3, 2]);
        let outcome = Some(Outcome::Ran);
        check(RunFilter { since, outcome, stage: stage("tune"), ..all }, &[5]);
    }

    #[test]
    fn the_last_finished_run_is_of_that_stage_and_trial() {
        let place = Place::new("last-finished");
        let mut ledger = place.ledger();
        some_runs(&mut ledger);
        for (stage, trial, expected) in [
            ("tune", "8", Some(1)),
            ("tune", "16", Some(5)),
            ("tune", "", None),
            ("evaluate", "", Some(3)),
            ("deploy", "", None),
        ] {
            let found = ledger.last_finished(stage, trial).unwrap().map(|run| run.entry);
            assert_eq!(found, expected, "{stage} {trial}");
        }
    }

    #[test]
    fn a_plan_is_found_by_its_id() {
        let place = Place::new("plan");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        assert_eq!(ledger.plan("p1").unwrap().unwrap().entry, 1);
        let again = PlanRow { objective: "time".to_owned(), ..crate::example::plan("p1") };
        ledger.add(&again).unwrap();
        assert_eq!(ledger.plan("p1").unwrap().unwrap().row, again);
        assert_eq!(ledger.plan("p3").unwrap(), None);
    }

    #[test]
    fn a_run_is_shown_with_what_belongs_to_it() {
        let place = Place::new("show");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        let details = ledger.show(2).unwrap().unwrap();
        assert_eq!(details.run.row, run("tune", Outcome::Ran));
        let samples: Vec<_> = details.samples.into_iter().map(|sample| sample.row).collect();
        assert_eq!(samples, [0.0, 1.0, 2.0, 3.0].map(|seconds| sample(2, seconds)));
        assert_eq!(details.artifacts[0].row, artifact(2, "model.gguf"));
        // An entry of another kind, none, and one that there cannot be.
        for entry in [1, 0, 99, u64::MAX] {
            assert_eq!(ledger.show(entry).unwrap(), None);
        }
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_damage_and_says_where() {
        let place = Place::new("meant");
        fill(&mut place.ledger());
        crate::example::tamper(&place.file(), |file| {
            file.execute("UPDATE runs SET outcome = 'rann' WHERE entry = 11", []).unwrap();
        });
        let ledger = place.ledger();
        let error = ledger.runs(&RunFilter::default()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("entry 11, runs.outcome: \"rann\" is not ran, "), "{message}");
        assert!(error.hint().unwrap().contains("copy"), "{error}");
    }
}
