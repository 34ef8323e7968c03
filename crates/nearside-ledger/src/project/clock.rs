//! Where the clock of a project's machine went back: a run that began before the one that was
//! recorded before it.
//!
//! That is no fault of the ledger: entries are numbered in the order of recording, and durations are
//! not taken from this clock. It only says which moments cannot be compared. Stages of one run are not
//! held against each other, because a stage may begin before another that ends first.

use std::fmt;

use rusqlite::Connection;

use crate::error::{At as _, LedgerError};
use crate::project::ProjectLedger;
use crate::timestamp::Timestamp;

/// A run that began before the one that was recorded before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// The first entry after the step.
    pub entry: u64,
    /// The last moment before it.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

impl fmt::Display for ClockStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, from, to } = self;
        write!(formatter, "the clock went back before entry {entry}: from {from} to {to}")
    }
}

impl ProjectLedger {
    /// Where the clock went back, the oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn clock_steps(&self) -> Result<Vec<ClockStep>, LedgerError> {
        steps(&*self.file.moment()?).map_err(|error| error.at(self.file.path()))
    }
}

/// The same, of what a connection sees. Moments that are none are passed over: they are faults.
pub(crate) fn steps(connection: &Connection) -> rusqlite::Result<Vec<ClockStep>> {
    let mut select = connection.prepare("SELECT entry, run, began FROM runs ORDER BY entry")?;
    let mut rows = select.query([])?;
    let (mut found, mut last) = (Vec::new(), Latest::default());
    while let Some(row) = rows.next()? {
        let entry = super::number(row, 0)?;
        let (run, began): (String, String) = (row.get(1)?, row.get(2)?);
        if let Ok(began) = began.parse() {
            found.extend(last.step(entry, run, began));
        }
    }
    Ok(found)
}

/// The run that is being read, and the latest moment in it.
#[derive(Default)]
struct Latest {
    run: String,
    began: Option<Timestamp>,
}

impl Latest {
    fn step(&mut self, entry: u64, run: String, began: Timestamp) -> Option<ClockStep> {
        if run == self.run {
            self.began = self.began.max(Some(began));
            return None;
        }
        self.run = run;
        let from = self.began.replace(began).filter(|from| began < *from)?;
        Some(ClockStep { entry, from, to: began })
    }
}

#[cfg(test)]
mod tests {
    use crate::example::{Place, moment, run};
    use crate::project::{Outcome, RunFilter, RunRow};

    #[test]
    fn a_clock_that_goes_back_is_a_note_and_no_fault() {
        let place = Place::new("clock");
        let mut ledger = place.ledger();
        for (name, began) in [
            ("r1", "2026-11-24T10:00:00Z"),
            // Beside the first, and ended after it.
            ("r1", "2026-11-24T09:59:00Z"),
            ("r2", "2026-11-24T11:00:00Z"),
            ("r3", "2026-11-23T11:00:00Z"),
            ("r4", "2026-11-23T11:00:00Z"),
            ("r5", "1970-01-01T00:00:09Z"),
        ] {
            let row =
                RunRow { run: name.to_owned(), began: moment(began), ..run("tune", Outcome::Ran) };
            ledger.add(&row).unwrap();
        }
        let steps: Vec<String> =
            ledger.clock_steps().unwrap().iter().map(ToString::to_string).collect();
        let expected = [
            "the clock went back before entry 4: from 2026-11-24T11:00:00.000Z to \
             2026-11-23T11:00:00.000Z",
            "the clock went back before entry 6: from 2026-11-23T11:00:00.000Z to \
             1970-01-01T00:00:09.000Z",
        ];
        assert_eq!(steps, expected);
        let found = ledger.verify(None).unwrap();
        assert!(found.is_sound(), "{:?}", found.faults);
        assert_eq!(found.clock_steps, ledger.clock_steps().unwrap());
        // The newest are those that were recorded last, whatever their clocks said.
        let newest = ledger.runs(&RunFilter { limit: Some(2), ..RunFilter::default() }).unwrap();
        assert_eq!(newest.iter().map(|run| run.entry).collect::<Vec<_>>(), [6, 5]);
    }
}
