//! Is the ledger what was recorded? Pages, tables, rows and the chain, and which entry is wrong.
//!
//! What it cannot find without a noted [`Head`]: that the newest entries are gone, and that somebody
//! with leave to write made the whole chain anew.

use std::sync::OnceLock;

use rusqlite::{Connection, OptionalExtension as _, params};
use thiserror::Error;

use crate::error::{At as _, LedgerError};
use crate::project::chain::{self, Hash, Head};
use crate::project::clock::{self, ClockStep};
use crate::project::schema::LAYOUT;
use crate::project::{ProjectLedger, Table, newest};

/// Faults that are listed; the others are counted.
const MOST_FAULTS: usize = 100;

/// Something that is not as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// SQLite finds the file itself damaged, or part of it cannot be read.
    #[error("the file is damaged: {what}")]
    Damaged {
        /// What SQLite says.
        what: String,
    },
    /// A table, an index or a guard against changes is not as this program makes it.
    #[error("{name} is missing or was altered: it is part of how the tables are made")]
    Structure {
        /// Its name.
        name: String,
    },
    /// The row is not the one that was recorded.
    #[error("entry {entry}: its row in {table} was altered")]
    Altered {
        /// The entry.
        entry: u64,
        /// Its table.
        table: &'static str,
    },
    /// The row of another entry stands in its place.
    #[error("entry {entry}: the row of entry {from} stands in its place in {table}")]
    Moved {
        /// The entry.
        entry: u64,
        /// Its table.
        table: &'static str,
        /// The entry whose row it is.
        from: u64,
    },
    /// The row is gone.
    #[error("entry {entry}: its row in {table} is missing")]
    RowMissing {
        /// The entry.
        entry: u64,
        /// Its table.
        table: String,
    },
    /// Numbers that no entry has.
    #[error("entries {first} to {last} are missing")]
    EntriesMissing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The hash does not continue the entry before.
    #[error("entry {entry} does not follow from the one before: altered, put in or reordered")]
    Unlinked {
        /// The entry.
        entry: u64,
    },
    /// A row that no entry stands for.
    #[error("row {entry} of {table} was put there without an entry")]
    Stray {
        /// Its number.
        entry: u64,
        /// Its table.
        table: &'static str,
    },
    /// A head that was noted is not in the chain.
    #[error("entry {} is not the one that was noted: cut off or written anew", noted.number())]
    Rewritten {
        /// What was noted.
        noted: Head,
    },
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Entries that were read.
    pub entries: u64,
    /// The newest entry, to be noted elsewhere.
    pub head: Option<Head>,
    /// What is wrong, in the order of finding; nothing if all is as it was recorded.
    pub faults: Vec<Fault>,
    /// Faults beyond those that are listed.
    pub more_faults: u64,
    /// Where the clock went back, which is no fault; no more than can be listed.
    pub clock_steps: Vec<ClockStep>,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

impl ProjectLedger {
    /// Reads all of the file and says what is not as it was recorded.
    ///
    /// `noted` is a head of this ledger that was kept elsewhere; with it, entries that were cut off
    /// the end and a chain that was made anew are found too.
    ///
    /// # Errors
    /// When the file cannot be read at all; what is damaged in it is a fault, not an error.
    pub fn verify(&self, noted: Option<&Head>) -> Result<Verification, LedgerError> {
        let moment = self.file.moment()?;
        let expected = structure_as_made().map_err(|error| error.at(self.file.path()))?;
        let found = Verification {
            entries: 0,
            head: None,
            faults: Vec::new(),
            more_faults: 0,
            clock_steps: Vec::new(),
        };
        let mut check = Check { connection: &moment, found };
        check.all(expected, noted);
        Ok(check.found)
    }
}

/// Name and SQL of a table, an index or a trigger.
type Structure = Vec<(String, String)>;

/// What the tables look like when this program makes them.
fn structure_as_made() -> rusqlite::Result<&'static Structure> {
    static MADE: OnceLock<Structure> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made);
    }
    let connection = Connection::open_in_memory()?;
    for migration in LAYOUT.migrations {
        connection.execute_batch(migration)?;
    }
    let made = structure(&connection)?;
    Ok(MADE.get_or_init(|| made))
}

fn structure(connection: &Connection) -> rusqlite::Result<Structure> {
    const NAMED: &str = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let mut select = connection.prepare(NAMED)?;
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// An entry as it stands in the file.
struct Entry {
    number: u64,
    held_in: String,
    content: Hash,
    link: Hash,
}

/// A verification that is under way.
struct Check<'a> {
    connection: &'a Connection,
    found: Verification,
}

impl Check<'_> {
    fn all(&mut self, expected: &Structure, noted: Option<&Head>) {
        for step in [self.pages(), self.structure(expected), self.entries(), self.strays()] {
            self.settled(step);
        }
        if let Some(noted) = noted {
            let step = self.noted(noted);
            self.settled(step);
        }
        match newest(self.connection) {
            Ok(head) => self.found.head = head,
            Err(error) => self.note(Fault::Damaged { what: error.to_string() }),
        }
        // What cannot be read is among the faults already.
        self.found.clock_steps = clock::steps(self.connection).unwrap_or_default();
        self.found.clock_steps.truncate(MOST_FAULTS);
    }

    /// A step that could not be taken to its end is a fault of the file.
    fn settled(&mut self, step: rusqlite::Result<()>) {
        if let Err(error) = step {
            self.note(Fault::Damaged { what: error.to_string() });
        }
    }

    fn note(&mut self, fault: Fault) {
        // Damage is met again by each step that reads the same page.
        if self.found.faults.contains(&fault) {
            return;
        }
        match self.found.faults.len() < MOST_FAULTS {
            true => self.found.faults.push(fault),
            false => self.found.more_faults += 1,
        }
    }

    /// SQLite's own check of pages, indexes and the rules of tables.
    fn pages(&mut self) -> rusqlite::Result<()> {
        let mut check = self.connection.prepare("PRAGMA integrity_check")?;
        let mut lines = check.query([])?;
        while let Some(line) = lines.next()? {
            let what: String = line.get(0)?;
            if what != "ok" {
                self.note(Fault::Damaged { what });
            }
        }
        Ok(())
    }

    /// Everything that the migrations made is still there as they made it.
    fn structure(&mut self, expected: &Structure) -> rusqlite::Result<()> {
        let found = structure(self.connection)?;
        for part in expected.iter().filter(|part| !found.contains(part)) {
            self.note(Fault::Structure { name: part.0.clone() });
        }
        Ok(())
    }

    /// Every entry follows from the one before and stands for its row.
    fn entries(&mut self) -> rusqlite::Result<()> {
        const ALL: &str = "SELECT number, held_in, content, link FROM entries ORDER BY number";
        let mut select = self.connection.prepare(ALL)?;
        let mut rows = select.query([])?;
        let mut previous = Head::NONE;
        while let Some(row) = rows.next()? {
            let entry = entry(row)?;
            self.found.entries += 1;
            self.link(&previous, &entry);
            self.row(&entry);
            // What was stored, not what it should have been: one fault does not follow another.
            previous = Head { number: entry.number, link: entry.link };
        }
        Ok(())
    }

    fn link(&mut self, previous: &Head, entry: &Entry) {
        let expected = previous.then(&entry.content);
        if entry.number != expected.number {
            let (first, last) = (expected.number, entry.number.saturating_sub(1));
            self.note(Fault::EntriesMissing { first, last });
        } else if entry.link != expected.link {
            self.note(Fault::Unlinked { entry: entry.number });
        }
    }

    fn row(&mut self, entry: &Entry) {
        let number = entry.number;
        let Some(table) = Table::named(&entry.held_in) else {
            return self.note(Fault::RowMissing { entry: number, table: entry.held_in.clone() });
        };
        match content(self.connection, table, number) {
            Ok(Some(content)) if content == entry.content => {}
            Ok(Some(content)) => {
                let fault = self.difference(number, table, &content);
                self.note(fault);
            }
            Ok(None) => {
                self.note(Fault::RowMissing { entry: number, table: table.name().to_owned() });
            }
            Err(error) => {
                let what = format!("entry {number}, {}: {error}", table.name());
                self.note(Fault::Damaged { what });
            }
        }
    }

    /// Whether a wrong row is that of another entry.
    fn difference(&self, entry: u64, table: Table, content: &Hash) -> Fault {
        const OF_CONTENT: &str = "SELECT number FROM entries WHERE content = ?1 AND held_in = ?2";
        let table = table.name();
        let of_content = params![content, table];
        let from = self.connection.query_row(OF_CONTENT, of_content, |row| super::number(row, 0));
        match from {
            Ok(from) => Fault::Moved { entry, table, from },
            Err(_none_or_unreadable) => Fault::Altered { entry, table },
        }
    }

    /// Every row has an entry.
    fn strays(&mut self) -> rusqlite::Result<()> {
        for table in Table::ALL {
            let table = table.name();
            let stray = format!(
                "SELECT entry FROM {table} WHERE NOT EXISTS (SELECT 1 FROM entries \
                 WHERE number = entry AND held_in = ?1)"
            );
            let mut select = self.connection.prepare(&stray)?;
            let mut rows = select.query([table])?;
            while let Some(row) = rows.next()? {
                let entry = super::number(row, 0)?;
                self.note(Fault::Stray { entry, table });
            }
        }
        Ok(())
    }

    fn noted(&mut self, noted: &Head) -> rusqlite::Result<()> {
        const LINK: &str = "SELECT link FROM entries WHERE number = ?1";
        let number = i64::try_from(noted.number).unwrap_or(-1);
        let link: Option<Hash> =
            self.connection.query_row(LINK, [number], |row| row.get(0)).optional()?;
        if link != Some(noted.link) {
            self.note(Fault::Rewritten { noted: *noted });
        }
        Ok(())
    }
}

fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        number: super::number(row, 0)?,
        held_in: row.get(1)?,
        content: row.get(2)?,
        link: row.get(3)?,
    })
}

/// The hash of the row that stands for an entry, as it is now.
fn content(connection: &Connection, table: Table, entry: u64) -> rusqlite::Result<Option<Hash>> {
    let mut select = connection.prepare_cached(&table.select("WHERE entry = ?1"))?;
    let mut rows = select.query([entry as i64])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut cells = Vec::with_capacity(table.columns().len());
    for (at, column) in table.columns().iter().enumerate() {
        cells.push((column.name, row.get_ref(at + 1)?));
    }
    Ok(Some(chain::content(table.name(), cells)))
}

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Cells, Column, Kind};
    use crate::example::{FILLED, Place, fill, movement, put_filled, tamper};
    use crate::project::rows::{
        ArtifactRow, CertificateRow, DecisionRow, ErasureRow, HeadRow, KeyRow, MovementRow,
        PlanRow, ReleaseRow, RunRow, SampleRow, SpendRow,
    };
    use proptest::prelude::*;
    use rusqlite::types::Value;
    use std::path::Path;

    /// What is found after a filled ledger was changed behind its back.
    fn faults(name: &str, change: &str) -> Vec<Fault> {
        let place = Place::new(&format!("verify-{name}"));
        put_filled(&place.file());
        tamper(&place.file(), |file| file.execute_batch(change).unwrap());
        place.ledger().verify(None).unwrap().faults
    }

    #[test]
    fn what_was_recorded_is_sound() {
        let place = Place::new("verify-sound");
        let mut ledger = place.ledger();
        let nothing = ledger.verify(None).unwrap();
        assert!(nothing.is_sound());
        assert_eq!((nothing.entries, nothing.head), (0, None));
        fill(&mut ledger);
        let found = ledger.verify(None).unwrap();
        assert_eq!((found.entries, found.faults, found.more_faults), (FILLED, vec![], 0));
        assert_eq!(found.head, ledger.head().unwrap());
    }

    #[test]
    fn each_fault_names_its_entry() {
        let altered = |entry, table| vec![Fault::Altered { entry, table }];
        let unlinked = |entry| Fault::Unlinked { entry };
        let swapped = "UPDATE samples SET entry = -1 WHERE entry = 4;
            UPDATE samples SET entry = 4 WHERE entry = 6;
            UPDATE samples SET entry = 6 WHERE entry = -1;";
        let moved = |entry, from| Fault::Moved { entry, table: "samples", from };
        let reordered = "UPDATE entries SET number = -1 WHERE number = 9;
            UPDATE entries SET number = 9 WHERE number = 10;
            UPDATE entries SET number = 10 WHERE number = -1;
            UPDATE spend SET entry = -1 WHERE entry = 9;
            UPDATE spend SET entry = 9 WHERE entry = 10;
            UPDATE spend SET entry = 10 WHERE entry = -1;";
        let gone = "DELETE FROM entries WHERE number IN (3, 4);
            DELETE FROM samples WHERE entry IN (3, 4);";
        let missing = |entry, table: &str| Fault::RowMissing { entry, table: table.to_owned() };
        for (name, change, expected) in [
            ("row", "UPDATE spend SET billed_amount = '0.5' WHERE entry = 9", altered(9, "spend")),
            ("null", "UPDATE runs SET plan = NULL WHERE entry = 2", altered(2, "runs")),
            ("swap", swapped, vec![moved(4, 6), moved(6, 4)]),
            ("reorder", reordered, vec![unlinked(9), unlinked(10), unlinked(11)]),
            ("deleted", "DELETE FROM movements", vec![missing(8, "movements")]),
            ("gone", gone, vec![Fault::EntriesMissing { first: 3, last: 4 }]),
            (
                "other table",
                "UPDATE entries SET held_in = 'plans' WHERE number = 8",
                vec![missing(8, "plans"), Fault::Stray { entry: 8, table: "movements" }],
            ),
            (
                "content",
                "UPDATE entries SET content = zeroblob(32) WHERE number = 5",
                vec![unlinked(5), Fault::Altered { entry: 5, table: "samples" }],
            ),
            (
                "link",
                "UPDATE entries SET link = zeroblob(32) WHERE number = 5",
                vec![unlinked(5), unlinked(6)],
            ),
            (
                "stray",
                "INSERT INTO plans SELECT 99, id, at, project, objective, plan_json FROM plans
                 WHERE entry = 1",
                vec![Fault::Stray { entry: 99, table: "plans" }],
            ),
            (
                "unguarded",
                "DROP INDEX runs_of_a_stage",
                vec![Fault::Structure { name: "runs_of_a_stage".to_owned() }],
            ),
        ] {
            assert_eq!(faults(name, change), expected, "{name}");
        }
    }

    #[test]
    fn a_guard_that_was_taken_away_is_found() {
        let place = Place::new("verify-guard");
        fill(&mut place.ledger());
        let connection = Connection::open(place.file()).unwrap();
        connection.execute_batch("DROP TRIGGER runs_stay").unwrap();
        let found = place.ledger().verify(None).unwrap();
        assert_eq!(found.faults, [Fault::Structure { name: "runs_stay".to_owned() }]);
        assert_eq!(found.entries, FILLED);
    }

    #[test]
    fn only_a_noted_head_shows_a_cut_or_another_chain() {
        let place = Place::new("verify-noted");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        let early = ledger.head().unwrap().unwrap();
        ledger.add(&movement("late")).unwrap();
        let late = ledger.head().unwrap().unwrap();
        for noted in [early, late] {
            assert!(ledger.verify(Some(&noted)).unwrap().is_sound());
        }
        drop(ledger);
        tamper(&place.file(), |file| {
            let last = FILLED + 1;
            file.execute_batch(&format!(
                "DELETE FROM entries WHERE number = {last}; DELETE FROM movements WHERE entry = {last}"
            ))
            .unwrap();
        });
        let mut ledger = place.ledger();
        assert!(ledger.verify(None).unwrap().is_sound());
        assert!(ledger.verify(Some(&early)).unwrap().is_sound());
        let cut = [Fault::Rewritten { noted: late }];
        assert_eq!(ledger.verify(Some(&late)).unwrap().faults, cut);
        // Written anew from the cut on: the chain holds, but it is another one.
        ledger.add(&movement("later")).unwrap();
        assert!(ledger.verify(None).unwrap().is_sound());
        assert_eq!(ledger.verify(Some(&late)).unwrap().faults, cut);
    }

    #[test]
    fn more_faults_than_anybody_reads_are_counted() {
        let place = Place::new("verify-many");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        let many = 150;
        ledger
            .append(|to| (0..many).try_for_each(|at| to.add(&movement(&at.to_string())).map(drop)))
            .unwrap();
        tamper(&place.file(), |file| {
            let change = format!("UPDATE movements SET class = 'public' WHERE entry > {FILLED}");
            file.execute_batch(&change).unwrap();
        });
        let found = ledger.verify(None).unwrap();
        assert_eq!(found.faults.len(), MOST_FAULTS);
        assert_eq!(found.more_faults, many - MOST_FAULTS as u64);
        assert_eq!(found.faults[0], Fault::Altered { entry: FILLED + 1, table: "movements" });
    }

    /// A value of that kind which is not the one there: one byte or the least part of it differs.
    fn other(value: &Value, column: &Column, at: usize) -> Value {
        match value {
            // Null becomes the least value: that nothing is known is not the same as zero.
            Value::Null => match column.kind {
                Kind::Text | Kind::Moment => Value::Text(String::new()),
                Kind::Integer => Value::Integer(0),
                Kind::Real => Value::Real(0.0),
            },
            Value::Integer(number) => Value::Integer(number ^ (1 << (at % 62))),
            Value::Real(number) => Value::Real(f64::from_bits(number.to_bits() ^ 1)),
            Value::Text(text) => {
                let mut bytes = text.clone().into_bytes();
                match bytes.len() {
                    0 => bytes.push(b'a'),
                    length => bytes[at % length] ^= 1,
                }
                Value::Text(String::from_utf8(bytes).unwrap())
            }
            Value::Blob(_) => unreachable!("no column holds any"),
        }
    }

    /// The nth cell of all that a filled ledger holds: its table, entry, column and value.
    fn cell(file: &Connection, nth: usize) -> (Table, u64, &'static Column, Value) {
        let mut cells = Vec::new();
        for table in Table::ALL {
            let mut select = file.prepare(&table.select("ORDER BY entry")).unwrap();
            let mut rows = select.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for (at, column) in table.columns().iter().enumerate() {
                    let entry = super::super::number(row, 0).unwrap();
                    cells.push((table, entry, column, row.get(at + 1).unwrap()));
                }
            }
        }
        let nth = nth % cells.len();
        cells.swap_remove(nth)
    }

    /// Everything that can be read, or nothing if something cannot.
    fn all_rows(path: &Path) -> Option<String> {
        fn rows<R: Cells + std::fmt::Debug>(ledger: &ProjectLedger) -> Option<String> {
            ledger.all::<R>().ok().map(|rows| format!("{rows:?}"))
        }
        let ledger = ProjectLedger::open(path).ok()?;
        let tables = [
            rows::<PlanRow>(&ledger)?,
            rows::<RunRow>(&ledger)?,
            rows::<SampleRow>(&ledger)?,
            rows::<SpendRow>(&ledger)?,
            rows::<MovementRow>(&ledger)?,
            rows::<ArtifactRow>(&ledger)?,
            rows::<KeyRow>(&ledger)?,
            rows::<CertificateRow>(&ledger)?,
            rows::<ErasureRow>(&ledger)?,
            rows::<DecisionRow>(&ledger)?,
            rows::<HeadRow>(&ledger)?,
            rows::<ReleaseRow>(&ledger)?,
        ];
        Some(tables.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn any_change_of_any_cell_is_found_where_it_is(nth in any::<usize>(), at in 0..1000_usize) {
            let place = Place::new("verify-any-cell");
            put_filled(&place.file());
            let mut changed = None;
            tamper(&place.file(), |file| {
                let (table, entry, column, value) = cell(file, nth);
                let other = other(&value, column, at);
                let update = format!(
                    "UPDATE {} SET {} = ?1 WHERE entry = ?2", table.name(), column.name
                );
                file.execute(&update, params![other, entry as i64]).unwrap();
                changed = Some(Fault::Altered { entry, table: table.name() });
            });
            let faults = place.ledger().verify(None).unwrap().faults;
            prop_assert!(faults.contains(&changed.unwrap()), "{faults:?}");
            let elsewhere = |fault: &Fault| matches!(fault, Fault::Altered { .. });
            prop_assert_eq!(faults.iter().filter(|fault| elsewhere(fault)).count(), 1);
        }

        #[test]
        fn any_byte_of_the_file_that_matters_is_found(at in any::<usize>(), bit in 0..8_u32) {
            let place = Place::new("verify-any-byte");
            put_filled(&place.file());
            let before = all_rows(&place.file());
            prop_assert!(before.is_some());
            let mut bytes = std::fs::read(place.file()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            std::fs::write(place.file(), &bytes).unwrap();
            // Either it is an error or a fault, or nothing of what was recorded differs.
            let sound = ProjectLedger::open(&place.file())
                .and_then(|ledger| ledger.verify(None))
                .is_ok_and(|found| found.is_sound());
            if sound {
                prop_assert_eq!(all_rows(&place.file()), before, "byte {}", at);
            }
        }
    }
}
