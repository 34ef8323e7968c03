//! `ledger.db`: what a project planned, ran, spent, moved and made, kept for good.
//!
//! Every row is an entry of one hash chain over all tables (see [`Head`] for what that shows and
//! what it cannot). Rows are only added, each call in one transaction, by as many programs at once
//! as there are; who reads sees the file as it is at one moment and keeps nobody from writing.

mod chain;
mod clock;
mod export;
mod proof;
mod query;
mod rows;
mod schema;
mod table;
mod verify;

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params, params_from_iter};

pub use chain::Head;
pub use clock::ClockStep;
pub use proof::{CellValue, Record};
pub use query::{Recorded, RunDetails, RunFilter};
pub use rows::{
    ArtifactRow, CertificateRow, ChargeCategory, DecisionRow, DecisionWord, ErasureEvent,
    ErasureRow, HeadRow, KeyEvent, KeyRow, MovementRow, Outcome, PlanRow, ReleaseRow, ReleaseWord,
    RunRow, SampleRow, SpendBasis, SpendRow,
};
pub use table::Table;
pub use verify::{Fault, Verification};

use crate::column::Cells;
use crate::error::{At as _, LedgerError};
use crate::file::LedgerFile;
use crate::merkle;
use schema::LAYOUT;

/// A row type of a project's ledger.
pub trait Row: Cells {}
impl<T: Cells> Row for T {}

/// The ledger of a project.
#[derive(Debug)]
pub struct ProjectLedger {
    file: LedgerFile,
}

impl ProjectLedger {
    /// Opens the file to add to it, and makes it and its folder when they are not there.
    ///
    /// # Errors
    /// When it cannot be made or written, is no ledger, is damaged, or is of a newer version.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        LedgerFile::open(path, &LAYOUT).map(|file| Self { file })
    }

    /// Opens the file to read it, if there is one; leave to write is not needed.
    ///
    /// # Errors
    /// When there is a file that cannot be read, is no ledger, or is of a newer version.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, LedgerError> {
        Ok(LedgerFile::open_to_read(path, &LAYOUT)?.map(|file| Self { file }))
    }

    /// Adds a row and gives the number of its entry.
    ///
    /// # Errors
    /// When the row cannot be kept or the file not be written; nothing was added then.
    pub fn add(&mut self, row: &impl Row) -> Result<u64, LedgerError> {
        self.append(|to| to.add(row))
    }

    /// Adds rows that belong together: all of them, or none when one cannot be added.
    ///
    /// Other programs wait meanwhile, so what takes time is better done before.
    ///
    /// # Errors
    /// Those of `rows`, or that the file cannot be written; nothing was added then.
    pub fn append<T>(
        &mut self,
        rows: impl FnOnce(&mut Appender<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let path = self.file.path().to_path_buf();
        let turn = self.file.turn()?;
        let head = newest(&turn).map_err(|error| error.at(&path))?.unwrap_or(Head::NONE);
        let mut appender = Appender { connection: &turn, path: &path, head, refused: false };
        let value = rows(&mut appender)?;
        if appender.refused {
            return Err(LedgerError::Abandoned { path });
        }
        turn.commit().map_err(|error| error.at(&path))?;
        Ok(value)
    }

    /// The newest entry, or nothing when there is none yet.
    ///
    /// Noted elsewhere, it lets [`ProjectLedger::verify`] find what a chain alone cannot show.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn head(&self) -> Result<Option<Head>, LedgerError> {
        self.file.read(newest)
    }
}

/// What rows are added with; see [`ProjectLedger::append`].
#[derive(Debug)]
pub struct Appender<'a> {
    connection: &'a Connection,
    path: &'a Path,
    head: Head,
    /// Whether a row was refused: part of it may be there, so nothing of this may stay.
    refused: bool,
}

impl Appender<'_> {
    /// How many entries there are, with those that were added.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.head.number
    }

    /// The tree of all entries, with those that were added.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tree(&self) -> Result<merkle::Tree, LedgerError> {
        let mut tree = merkle::Tree::default();
        proof::each_leaf(self.connection, &mut |leaf| tree.push(leaf))
            .map_err(|error| error.at(self.path))?;
        Ok(tree)
    }

    /// Adds a row and gives the number of its entry, by which later rows can refer to it.
    ///
    /// # Errors
    /// When the row cannot be kept or the file not be written.
    pub fn add<R: Row>(&mut self, row: &R) -> Result<u64, LedgerError> {
        let added = self.entry(row);
        self.refused |= added.is_err();
        added
    }

    fn entry<R: Row>(&mut self, row: &R) -> Result<u64, LedgerError> {
        let table = R::TABLE;
        let cells = row.put().map_err(|(column, source)| LedgerError::Cell {
            table: table.name(),
            column,
            source,
        })?;
        let names = R::COLUMNS.iter().map(|column| column.name);
        let content = chain::content(table.name(), names.zip(cells.iter().map(ValueRef::from)));
        let head = self.head.then(&content);
        let number = head.number as i64;
        let insert = || {
            self.connection
                .prepare_cached(
                    "INSERT INTO entries (number, held_in, content, link) VALUES (?, ?, ?, ?)",
                )?
                .execute(params![number, table.name(), content, head.link])?;
            let mut insert = self.connection.prepare_cached(&table.insert())?;
            insert.execute(params_from_iter(std::iter::once(number.into()).chain(cells)))
        };
        insert().map_err(|error| self.reason(error, table))?;
        self.head = head;
        Ok(head.number)
    }

    fn reason(&self, error: rusqlite::Error, table: Table) -> LedgerError {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => LedgerError::Rule {
                path: self.path.to_path_buf(),
                table: table.name(),
                rule: error.to_string(),
            },
            _ => error.at(self.path),
        }
    }
}

/// The newest entry.
fn newest(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    const NEWEST: &str = "SELECT number, link FROM entries ORDER BY number DESC LIMIT 1";
    let mut select = connection.prepare_cached(NEWEST)?;
    select.query_row([], |row| Ok(Head { number: number(row, 0)?, link: row.get(1)? })).optional()
}

/// The number of an entry.
fn number(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number)
        .map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CellError;
    use crate::example::{
        FILLED, Place, artifact, certificate, fill, key, movement, plan, run, sample, spend,
    };
    use proptest::prelude::*;
    use rusqlite::types::Value;

    #[test]
    fn rows_come_back_as_they_were_added() {
        let place = Place::new("come-back");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        drop(ledger);
        let ledger = ProjectLedger::open_to_read(&place.file()).unwrap().unwrap();
        const fn recorded<R>(entry: u64, row: R) -> Recorded<R> {
            Recorded { entry, row }
        }
        assert_eq!(ledger.all().unwrap(), [recorded(1, plan("p1")), recorded(FILLED, plan("p2"))]);
        let runs = [("tune", Outcome::Ran, 2), ("evaluate", Outcome::Failed, 11)];
        let runs = runs.map(|(stage, outcome, entry)| recorded(entry, run(stage, outcome)));
        assert_eq!(ledger.all().unwrap(), runs);
        let samples = [0.0, 1.0, 2.0, 3.0].map(|at| recorded(3 + at as u64, sample(2, at)));
        assert_eq!(ledger.all().unwrap(), samples);
        assert_eq!(ledger.all().unwrap(), [recorded(7, artifact(2, "model.gguf"))]);
        assert_eq!(ledger.all().unwrap(), [recorded(8, movement("build/tickets.clean.csv"))]);
        assert_eq!(
            ledger.all().unwrap(),
            [recorded(9, spend("1.50")), recorded(10, spend("-0.25"))]
        );
        assert_eq!(ledger.all().unwrap(), [recorded(12, key())]);
        assert_eq!(ledger.all().unwrap(), [recorded(13, certificate("ab"))]);
        assert_eq!(ledger.certificates("ab").unwrap(), [recorded(13, certificate("ab"))]);
        assert_eq!(ledger.certificates("cd").unwrap(), []);
    }

    #[test]
    fn rows_that_belong_together_are_added_together_or_not() {
        let place = Place::new("together");
        let mut ledger = place.ledger();
        let failed = ledger.append(|to| {
            let entry = to.add(&run("tune", Outcome::Ran))?;
            to.add(&sample(entry, f64::NAN))
        });
        let error = failed.unwrap_err();
        assert_eq!(error.to_string(), "samples.seconds: not a finite number");
        assert!(matches!(error, LedgerError::Cell { source: CellError::NotFinite, .. }));
        // Not even when the refusal is overlooked.
        let overlooked = ledger.append(|to| {
            to.add(&plan("p0"))?;
            let _refused = to.add(&sample(99, 0.0));
            Ok(())
        });
        assert!(matches!(overlooked, Err(LedgerError::Abandoned { .. })));
        assert_eq!(ledger.head().unwrap(), None);
        // The next entry takes the number that was not used.
        assert_eq!(ledger.add(&plan("p1")).unwrap(), 1);
        assert!(ledger.verify(None).unwrap().is_sound());
    }

    #[test]
    fn a_row_that_breaks_a_rule_is_refused_by_its_name() {
        let place = Place::new("rules");
        let mut ledger = place.ledger();
        let of = |change: fn(&mut RunRow)| {
            let mut row = run("tune", Outcome::Ran);
            change(&mut row);
            row
        };
        let broken = [
            (of(|row| row.energy_method = None), "energy_has_a_method"),
            (of(|row| row.energy_at_least_joules = Some(1.0)), "energy_is_all_or_at_least"),
            (
                of(|row| row.energy_known_parts = Some("processor measured".to_owned())),
                "partial_energy_names_its_parts",
            ),
            (of(|row| row.cost_currency = None), "cost_has_a_currency"),
            (of(|row| row.failure = Some("x".to_owned())), "only_what_failed_has_a_failure"),
            (of(|row| row.predicted_low_seconds = None), "predicted_seconds_are_all_or_none"),
            (of(|row| row.predicted_low_seconds = Some(8e9)), "predicted_seconds_are_in_order"),
            (of(|row| row.run_seconds = Some(-1.0)), "no_phase_takes_less_than_no_time"),
        ];
        for (row, rule) in broken {
            let error = ledger.add(&row).unwrap_err().to_string();
            assert!(error.contains("takes no such row in runs"), "{error}");
            assert!(error.contains(rule), "{error}");
        }
        let error = ledger.add(&sample(7, 0.0)).unwrap_err().to_string();
        assert!(error.contains("FOREIGN KEY"), "{error}");
        let mut backwards = spend("1");
        std::mem::swap(&mut backwards.charge_period_start, &mut backwards.charge_period_end);
        let error = ledger.add(&backwards).unwrap_err().to_string();
        assert!(error.contains("periods_do_not_end_before_they_begin"), "{error}");
        assert_eq!(ledger.head().unwrap(), None);
    }

    #[test]
    fn nothing_is_changed_removed_or_replaced() {
        let place = Place::new("guards");
        fill(&mut place.ledger());
        let connection = Connection::open(place.file()).unwrap();
        for table in Table::ALL {
            let (name, column) = (table.name(), table.columns()[0].name);
            for change in [
                format!("UPDATE {name} SET {column} = {column}"),
                format!("DELETE FROM {name}"),
                format!("INSERT OR REPLACE INTO {name} SELECT * FROM {name}"),
            ] {
                let error = connection.execute(&change, []).unwrap_err().to_string();
                assert!(error.contains(&format!("{name} are only added")), "{change}: {error}");
            }
        }
        for change in [
            "UPDATE entries SET held_in = held_in",
            "DELETE FROM entries",
            "INSERT OR REPLACE INTO entries SELECT * FROM entries",
        ] {
            assert!(connection.execute(change, []).is_err(), "{change}");
        }
        assert!(place.ledger().verify(None).unwrap().is_sound());
    }

    #[test]
    fn the_head_stands_for_everything_up_to_it() {
        let (one, other) = (Place::new("head-one"), Place::new("head-other"));
        let (mut first, mut second) = (one.ledger(), other.ledger());
        assert_eq!(first.head().unwrap(), None);
        fill(&mut first);
        fill(&mut second);
        let head = first.head().unwrap().unwrap();
        assert_eq!(head.number(), FILLED);
        assert_eq!(second.head().unwrap(), Some(head));
        second.add(&movement("a")).unwrap();
        first.add(&movement("b")).unwrap();
        assert_ne!(first.head().unwrap(), second.head().unwrap());
    }

    #[test]
    fn two_writers_at_once_keep_one_chain() {
        const APPENDS: u64 = 100;
        const TOGETHER: u64 = 5;
        let place = Place::new("two-writers");
        let write = |name: &str| {
            let mut ledger = place.ledger();
            for at in 0..APPENDS {
                let paths = (0..TOGETHER).map(|part| format!("{name}/{at}/{part}"));
                let rows: Vec<_> = paths.map(|path| movement(&path)).collect();
                ledger.append(|to| rows.iter().try_for_each(|row| to.add(row).map(drop))).unwrap();
            }
        };
        std::thread::scope(|scope| {
            let writers = ["a", "b"].map(|name| scope.spawn(move || write(name)));
            let reader = ProjectLedger::open(&place.file()).unwrap();
            while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let found = reader.verify(None).unwrap();
                assert!(found.is_sound(), "{:?}", found.faults);
                assert_eq!(found.entries % TOGETHER, 0, "part of an append was seen");
            }
        });
        let ledger = place.ledger();
        let found = ledger.verify(None).unwrap();
        assert!(found.is_sound(), "{:?}", found.faults);
        assert_eq!(found.entries, 2 * APPENDS * TOGETHER);
        // Each writer's rows are there once, and in the order that it wrote them.
        for name in ["a", "b"] {
            let own = ledger.all::<MovementRow>().unwrap().into_iter().map(|found| found.row.path);
            let own = own.filter(|path| path.starts_with(name));
            let written = (0..APPENDS * TOGETHER)
                .map(|at| format!("{name}/{}/{}", at / TOGETHER, at % TOGETHER));
            assert!(own.eq(written), "{name}");
        }
    }

    #[test]
    fn readers_and_a_writer_do_not_wait_for_each_other() {
        let place = Place::new("no-waiting");
        let mut writer = place.ledger();
        writer.add(&plan("p1")).unwrap();
        let reader = ProjectLedger::open_to_read(&place.file()).unwrap().unwrap();
        writer
            .append(|to| {
                to.add(&plan("p2"))?;
                // What is not committed is not seen, and reading it does not wait.
                assert_eq!(reader.all::<PlanRow>()?.len(), 1);
                assert!(reader.verify(None)?.is_sound());
                Ok(())
            })
            .unwrap();
        assert_eq!(reader.all::<PlanRow>().unwrap().len(), 2);
        let moment = reader.file.moment().unwrap();
        let seen = newest(&moment).unwrap();
        writer.add(&plan("p3")).unwrap();
        assert_eq!(newest(&moment).unwrap(), seen, "a moment stays what it is");
        drop(moment);
        assert_eq!(reader.all::<PlanRow>().unwrap().len(), 3);
    }

    #[test]
    fn who_reads_cannot_add_and_who_waits_too_long_is_told() {
        let place = Place::new("told");
        let mut writer = place.ledger();
        let mut reader = ProjectLedger::open_to_read(&place.file()).unwrap().unwrap();
        let error = reader.add(&plan("p1")).unwrap_err();
        assert!(matches!(error, LedgerError::Unwritable { .. }), "{error}");
        let mut second = place.ledger();
        let impatient = std::time::Duration::from_millis(1);
        second.file.read(|connection| connection.busy_timeout(impatient)).unwrap();
        let turn = writer.file.turn().unwrap();
        let error = second.add(&plan("p1")).unwrap_err();
        assert!(matches!(error, LedgerError::Busy { .. }), "{error}");
        drop(turn);
        assert_eq!(second.add(&plan("p1")).unwrap(), 1);
    }

    #[test]
    fn a_full_disk_takes_nothing_and_loses_nothing() {
        let place = Place::new("full");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        let head = ledger.head().unwrap();
        // SQLite says the same as on a disk without room when the file has as many pages as it may.
        ledger.file.read(|connection| connection.pragma_update(None, "max_page_count", 1)).unwrap();
        let large = PlanRow { plan_json: "x".repeat(100_000), ..plan("large") };
        let error = ledger.add(&large).unwrap_err();
        assert!(matches!(error, LedgerError::Full { .. }), "{error}");
        assert_eq!(ledger.head().unwrap(), head);
        drop(ledger);
        let mut ledger = place.ledger();
        assert_eq!(ledger.add(&large).unwrap(), FILLED + 1);
        assert!(ledger.verify(head.as_ref()).unwrap().is_sound());
    }

    /// Anything that a cell of that kind may hold.
    fn some(kind: crate::column::Kind) -> BoxedStrategy<Value> {
        use crate::column::Kind;
        match kind {
            Kind::Text | Kind::Moment => any::<String>().prop_map(Value::Text).boxed(),
            Kind::Integer => (0..=i64::MAX).prop_map(Value::Integer).boxed(),
            Kind::Real => any::<f64>()
                .prop_filter("kept", |number| number.is_finite())
                .prop_map(|number| Value::Real(number + 0.0))
                .boxed(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_in_a_row_comes_back_and_verifies(
            values in SampleRow::COLUMNS.iter().map(|column| some(column.kind)).collect::<Vec<_>>(),
        ) {
            let place = Place::new("anything");
            let mut ledger = place.ledger();
            let entry = ledger.add(&run("tune", Outcome::Ran)).unwrap();
            let mut row = SampleRow::take(values).unwrap();
            row.run_entry = entry;
            ledger.add(&row).unwrap();
            prop_assert_eq!(&ledger.all::<SampleRow>().unwrap()[0].row, &row);
            prop_assert!(ledger.verify(None).unwrap().is_sound());
        }
    }
}
