//! `machine.db`: what holds for a machine whatever the project.

use std::path::Path;

use nearside_units::Date;
use rusqlite::types::Type;
use rusqlite::{Row, params};

use crate::error::LedgerError;
use crate::file::{Layout, LedgerFile, only_added};
use crate::row::{CeilingRow, Figures, ObservationRow};

/// The tables. These files have no application id of their own.
const LAYOUT: Layout = Layout { application_id: 0, migrations: &[FIRST] };

const FIRST: &str = concat!(
    "
CREATE TABLE ceilings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    low REAL NOT NULL,
    likely REAL NOT NULL,
    high REAL NOT NULL,
    measured_on TEXT NOT NULL,
    conditions TEXT NOT NULL,
    CHECK (low <= likely AND likely <= high)
) STRICT;
CREATE INDEX ceilings_of_a_machine ON ceilings (machine, name, id);
",
    only_added!("ceilings"),
    "
CREATE TABLE observations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    workload TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit TEXT NOT NULL,
    estimate_low REAL NOT NULL,
    estimate_likely REAL NOT NULL,
    estimate_high REAL NOT NULL,
    measured REAL NOT NULL,
    details TEXT NOT NULL,
    measured_on TEXT NOT NULL,
    CHECK (estimate_low <= estimate_likely AND estimate_likely <= estimate_high)
) STRICT;
CREATE INDEX observations_of_a_site ON observations (site, metric, id);
",
    only_added!("observations"),
);

/// The file of a machine: its ceilings and what was observed on it.
#[derive(Debug)]
pub struct MachineStore {
    file: LedgerFile,
}

impl MachineStore {
    /// Opens the file, and makes it when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made, the file is no such file, or it is of a newer version.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        LedgerFile::open(path, &LAYOUT).map(|file| Self { file })
    }

    /// Opens the file if there is one: who only reads makes none.
    ///
    /// # Errors
    /// When there is a file that cannot be used.
    pub fn open_existing(path: &Path) -> Result<Option<Self>, LedgerError> {
        if path.exists() { Self::open(path).map(Some) } else { Ok(None) }
    }

    /// Adds ceilings that were measured together: all of them or none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_ceilings(&mut self, rows: &[CeilingRow]) -> Result<(), LedgerError> {
        const INSERT: &str = "INSERT INTO ceilings \
            (machine, name, unit, low, likely, high, measured_on, conditions) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.file.write(|transaction| {
            let mut insert = transaction.prepare(INSERT)?;
            for row in rows {
                let (low, likely, high) = ends(row.figures);
                let date = row.measured_on.to_string();
                insert.execute(params![
                    row.machine,
                    row.name,
                    row.unit,
                    low,
                    likely,
                    high,
                    date,
                    row.conditions
                ])?;
            }
            Ok(())
        })
    }

    /// The newest ceiling of each name of a machine, by name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn newest_ceilings(&self, machine: &str) -> Result<Vec<CeilingRow>, LedgerError> {
        const SELECT: &str = "SELECT machine, name, unit, low, likely, high, measured_on, conditions \
            FROM ceilings WHERE id IN \
            (SELECT max(id) FROM ceilings WHERE machine = ?1 GROUP BY name) ORDER BY name";
        self.file.read(|connection| {
            let mut select = connection.prepare(SELECT)?;
            select.query_map([machine], ceiling)?.collect()
        })
    }

    /// Every ceiling that was measured on a machine, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn ceilings(&self, machine: &str) -> Result<Vec<CeilingRow>, LedgerError> {
        const SELECT: &str = "SELECT machine, name, unit, low, likely, high, measured_on, conditions \
            FROM ceilings WHERE machine = ?1 ORDER BY id";
        self.file.read(|connection| {
            let mut select = connection.prepare(SELECT)?;
            select.query_map([machine], ceiling)?.collect()
        })
    }

    /// Adds an observation.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_observation(&mut self, row: &ObservationRow) -> Result<(), LedgerError> {
        const INSERT: &str = "INSERT INTO observations (site, workload, metric, unit, estimate_low, \
            estimate_likely, estimate_high, measured, details, measured_on) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.file.write(|transaction| {
            let (low, likely, high) = ends(row.estimate);
            let date = row.measured_on.to_string();
            transaction.execute(
                INSERT,
                params![
                    row.site,
                    row.workload,
                    row.metric,
                    row.unit,
                    low,
                    likely,
                    high,
                    row.measured,
                    row.details,
                    date
                ],
            )?;
            Ok(())
        })
    }

    /// Every observation of a site, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn observations(&self, site: &str) -> Result<Vec<ObservationRow>, LedgerError> {
        const SELECT: &str = "SELECT site, workload, metric, unit, estimate_low, estimate_likely, \
            estimate_high, measured, details, measured_on FROM observations \
            WHERE site = ?1 ORDER BY id";
        self.file.read(|connection| {
            let mut select = connection.prepare(SELECT)?;
            select.query_map([site], observation)?.collect()
        })
    }
}

const fn ends(figures: Figures) -> (f64, f64, f64) {
    (figures.low(), figures.likely(), figures.high())
}

fn ceiling(row: &Row<'_>) -> rusqlite::Result<CeilingRow> {
    Ok(CeilingRow {
        machine: row.get(0)?,
        name: row.get(1)?,
        unit: row.get(2)?,
        figures: figures(row, 3)?,
        measured_on: date(row, 6)?,
        conditions: row.get(7)?,
    })
}

fn observation(row: &Row<'_>) -> rusqlite::Result<ObservationRow> {
    Ok(ObservationRow {
        site: row.get(0)?,
        workload: row.get(1)?,
        metric: row.get(2)?,
        unit: row.get(3)?,
        estimate: figures(row, 4)?,
        measured: row.get(7)?,
        details: row.get(8)?,
        measured_on: date(row, 9)?,
    })
}

/// Three columns from `first` on.
fn figures(row: &Row<'_>, first: usize) -> rusqlite::Result<Figures> {
    Figures::new(row.get(first)?, row.get(first + 1)?, row.get(first + 2)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(first, Type::Real, Box::new(error))
    })
}

fn date(row: &Row<'_>, column: usize) -> rusqlite::Result<Date> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: nearside_units::ParseError| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Place;

    impl Place {
        fn store(&self) -> MachineStore {
            MachineStore::open(&self.file()).unwrap()
        }
    }

    fn row(machine: &str, name: &str, likely: f64) -> CeilingRow {
        CeilingRow {
            machine: machine.to_owned(),
            name: name.to_owned(),
            unit: "B/s".to_owned(),
            figures: Figures::new(likely / 2.0, likely, likely * 2.0).unwrap(),
            measured_on: "2026-11-23".parse().unwrap(),
            conditions: "{}".to_owned(),
        }
    }

    #[test]
    fn the_newest_of_each_name_is_read() {
        let place = Place::new("newest");
        let mut store = place.store();
        store.add_ceilings(&[row("a", "read", 1.0), row("a", "copy", 2.0)]).unwrap();
        store.add_ceilings(&[row("b", "read", 9.0)]).unwrap();
        store.add_ceilings(&[row("a", "read", 3.0)]).unwrap();
        drop(store);
        let store = place.store();
        let found = store.newest_ceilings("a").unwrap();
        assert_eq!(found, [row("a", "copy", 2.0), row("a", "read", 3.0)]);
        assert_eq!(store.newest_ceilings("c").unwrap(), []);
        let all = store.ceilings("a").unwrap();
        assert_eq!(all, [row("a", "read", 1.0), row("a", "copy", 2.0), row("a", "read", 3.0)]);
    }

    #[test]
    fn who_only_reads_makes_no_file() {
        let place = Place::new("absent");
        assert!(MachineStore::open_existing(&place.file()).unwrap().is_none());
        assert!(!place.0.exists());
        drop(place.store());
        assert!(MachineStore::open_existing(&place.file()).unwrap().is_some());
    }

    #[test]
    fn observations_come_back_in_order() {
        let place = Place::new("observations");
        let mut store = place.store();
        let of = |site: &str, measured: f64| ObservationRow {
            site: site.to_owned(),
            workload: "llama".to_owned(),
            metric: "decode".to_owned(),
            unit: "s".to_owned(),
            estimate: Figures::new(1.0, 2.0, 3.0).unwrap(),
            measured,
            details: "{\"bytes\":5}".to_owned(),
            measured_on: "2026-11-23".parse().unwrap(),
        };
        for row in [of("here", 2.5), of("lab", 7.0), of("here", 2.0)] {
            store.add_observation(&row).unwrap();
        }
        assert_eq!(store.observations("here").unwrap(), [of("here", 2.5), of("here", 2.0)]);
    }

    #[test]
    fn rows_are_only_added() {
        let place = Place::new("only-added");
        let mut store = place.store();
        store.add_ceilings(&[row("a", "read", 1.0)]).unwrap();
        for change in ["UPDATE ceilings SET likely = 2", "DELETE FROM ceilings"] {
            let error = store.file.write(|to| to.execute(change, [])).unwrap_err().to_string();
            assert!(error.contains("ceilings are only added"), "{change}: {error}");
        }
        assert_eq!(store.newest_ceilings("a").unwrap().len(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing() {
        let place = Place::new("all-or-nothing");
        let mut store = place.store();
        let failed: Result<(), _> = store.file.write(|to| {
            to.execute(
                "INSERT INTO ceilings (machine, name, unit, low, likely, high, measured_on, \
                 conditions) VALUES ('a', 'x', 'u', 1, 1, 1, '2026', '{}')",
                [],
            )?;
            to.execute("INSERT INTO ceilings (machine) VALUES ('a')", []).map(drop)
        });
        assert!(failed.is_err());
        assert_eq!(store.newest_ceilings("a").unwrap(), []);
    }

    #[test]
    fn a_newer_file_and_a_file_of_another_kind_are_told() {
        let place = Place::new("newer");
        drop(place.store());
        let connection = rusqlite::Connection::open(place.file()).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = MachineStore::open(&place.file()).unwrap_err();
        assert!(matches!(error, LedgerError::Newer { found: 99, known: 1, .. }), "{error}");
        let other = place.0.join("other.db");
        std::fs::write(&other, "not a database, but longer than its header would be".repeat(9))
            .unwrap();
        let error = MachineStore::open(&other).unwrap_err().to_string();
        assert!(error.contains("other.db"), "{error}");
    }
}
