//! A SQLite file with tables that only grow: opening, migrating, waiting for others.
//!
//! The journal is a write-ahead log with full synchronisation, so what was committed stays whatever
//! happens to the program or the power, and who reads never keeps another from writing. The log
//! needs memory that programs share: one file is for the programs of one machine at a time.
//! `PRAGMA user_version` counts the migrations that a file has seen; each is applied once, in one
//! transaction. A file of another kind is told from ours before anything is written to it.
//! Source: SQLite, "Write-Ahead Logging" and "PRAGMA Statements".

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{At as _, LedgerError};

/// How long one program waits for another that writes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits before it asks again, where SQLite does not wait by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// What a kind of file is told by, and how its tables came to be.
#[derive(Debug)]
pub(crate) struct Layout {
    /// `PRAGMA application_id` of such files; the first migration sets it.
    pub(crate) application_id: i32,
    /// What each version added. A migration that was released never changes.
    pub(crate) migrations: &'static [&'static str],
}

/// The SQL of triggers that keep the rows of a table from being changed or removed.
macro_rules! only_added {
    ($table:literal) => {
        concat!(
            "CREATE TRIGGER ",
            $table,
            "_stay BEFORE UPDATE ON ",
            $table,
            " BEGIN SELECT RAISE(ABORT, '",
            $table,
            " are only added'); END;\n",
            "CREATE TRIGGER ",
            $table,
            "_are_kept BEFORE DELETE ON ",
            $table,
            " BEGIN SELECT RAISE(ABORT, '",
            $table,
            " are only added'); END;\n",
        )
    };
}
pub(crate) use only_added;

/// An open file.
#[derive(Debug)]
pub(crate) struct LedgerFile {
    path: PathBuf,
    connection: Connection,
}

/// What a file says about itself.
struct Identity {
    version: usize,
    application_id: i32,
    has_tables: bool,
}

impl LedgerFile {
    /// Opens a file, makes it and its folder when they are not there, and brings it up to date.
    pub(crate) fn open(path: &Path, layout: &Layout) -> Result<Self, LedgerError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| LedgerError::Folder { path: folder.to_path_buf(), source })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut file = Self::connect(path, path, flags)?;
        file.recognise(layout)?;
        file.read(writable)?;
        file.keep_log()?;
        file.migrate(layout)?;
        Ok(file)
    }

    /// Opens a file without changing it, if there is one.
    ///
    /// An older file is brought up to date first, which needs leave to write.
    pub(crate) fn open_to_read(path: &Path, layout: &Layout) -> Result<Option<Self>, LedgerError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let mut file = Self::connect(path, path, flags)?;
        let mut version = file.recognise(layout);
        if matches!(version, Err(LedgerError::Unwritable { .. })) && !log_of(path).exists() {
            // Readers share memory in a file beside this one. Where that cannot be made nobody
            // of this kind writes either, so that the file can be taken as it lies there.
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            file = Self::connect(path, Path::new(&unchanging(path)), flags)?;
            version = file.recognise(layout);
        }
        match version? < layout.migrations.len() {
            true => Self::open(path, layout).map(Some),
            false => Ok(Some(file)),
        }
    }

    fn connect(path: &Path, name: &Path, flags: OpenFlags) -> Result<Self, LedgerError> {
        let connected = || {
            let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "cell_size_check", true)?;
            Ok(connection)
        };
        let connection = connected().map_err(|error: rusqlite::Error| error.at(path))?;
        Ok(Self { path: path.to_path_buf(), connection })
    }

    /// The version of its tables, if it is a file of that kind or an empty one.
    fn recognise(&self, layout: &Layout) -> Result<usize, LedgerError> {
        let found = self.read(identity)?;
        let known = layout.migrations.len();
        let path = self.path.clone();
        match found.version {
            0 if found.has_tables => Err(LedgerError::NotALedger { path }),
            0 => Ok(0),
            _ if found.application_id != layout.application_id => {
                Err(LedgerError::NotALedger { path })
            }
            found if found > known => Err(LedgerError::Newer { path, found, known }),
            found => Ok(found),
        }
    }

    /// Keeps the journal as a write-ahead log, synchronised at every commit.
    fn keep_log(&self) -> Result<(), LedgerError> {
        let began = Instant::now();
        loop {
            match log_kept(&self.connection) {
                // SQLite does not wait by itself for others who open the file at this moment.
                Err(error) if is_busy(&error) && began.elapsed() < PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                kept => return kept.map_err(|error| error.at(&self.path)),
            }
        }
    }

    /// Applies the migrations that the file has not seen.
    fn migrate(&mut self, layout: &Layout) -> Result<(), LedgerError> {
        if self.recognise(layout)? == layout.migrations.len() {
            return Ok(());
        }
        self.write(|transaction| {
            // Asked again inside the transaction: another program may have migrated meanwhile.
            let seen = version(transaction)?;
            for migration in layout.migrations.get(seen..).unwrap_or_default() {
                transaction.execute_batch(migration)?;
            }
            let known = layout.migrations.len().max(seen);
            transaction.pragma_update(None, "user_version", known as i64)
        })?;
        self.recognise(layout).map(drop)
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A view of the file as it is at one moment, whatever others write meanwhile.
    pub(crate) fn moment(&self) -> Result<Transaction<'_>, LedgerError> {
        self.connection.unchecked_transaction().map_err(|error| error.at(&self.path))
    }

    /// A turn to write, after everyone who came before; what is not committed never was.
    pub(crate) fn turn(&mut self) -> Result<Transaction<'_>, LedgerError> {
        let begin = TransactionBehavior::Immediate;
        self.connection.transaction_with_behavior(begin).map_err(|error| error.at(&self.path))
    }

    /// Reads at one moment.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let moment = self.moment()?;
        read(&moment).map_err(|error| error.at(&self.path))
    }

    /// Writes everything or nothing.
    pub(crate) fn write<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let path = self.path.clone();
        let turn = self.turn()?;
        let all = || {
            let value = write(&turn)?;
            turn.commit()?;
            Ok(value)
        };
        all().map_err(|error: rusqlite::Error| error.at(&path))
    }
}

fn identity(connection: &Connection) -> rusqlite::Result<Identity> {
    const TABLES: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
    Ok(Identity {
        version: version(connection)?,
        application_id: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        has_tables: connection.query_row(TABLES, [], |row| row.get(0))?,
    })
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// SQLite opens a file that it may not write for reading only, without a word.
fn writable(connection: &Connection) -> rusqlite::Result<()> {
    match connection.is_readonly("main")? {
        true => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            None,
        )),
        false => Ok(()),
    }
}

fn log_kept(connection: &Connection) -> rusqlite::Result<()> {
    let kept: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if kept != "wal" {
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let busy = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked];
    error.sqlite_error_code().is_some_and(|code| busy.contains(&code))
}

/// The write-ahead log of a file.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// The name of a file that is said not to change, as a URI.
fn unchanging(path: &Path) -> String {
    let plain = path.to_string_lossy();
    let escaped = plain.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}?immutable=1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Place;

    const OLD: Layout = Layout { application_id: 7, migrations: &[FIRST] };
    const NEW: Layout = Layout { application_id: 7, migrations: &[FIRST, SECOND] };
    const FIRST: &str = "PRAGMA application_id = 7; CREATE TABLE words (word TEXT) STRICT;";
    const SECOND: &str = "ALTER TABLE words ADD COLUMN meaning TEXT;";

    fn words(file: &LedgerFile) -> Vec<(String, Option<String>)> {
        let read = |connection: &Connection| {
            let mut select = connection.prepare("SELECT word, meaning FROM words ORDER BY word")?;
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        file.read(read).unwrap()
    }

    fn add(file: &mut LedgerFile, word: &str) {
        file.write(|turn| turn.execute("INSERT INTO words (word) VALUES (?1)", [word])).unwrap();
    }

    #[test]
    fn an_older_file_is_brought_up_to_date_and_keeps_its_rows() {
        let place = Place::new("migrate");
        add(&mut LedgerFile::open(&place.file(), &OLD).unwrap(), "a");
        let mut file = LedgerFile::open(&place.file(), &NEW).unwrap();
        add(&mut file, "b");
        assert_eq!(words(&file), [("a".to_owned(), None), ("b".to_owned(), None)]);
        // Who had it open goes on; who opens it with the older program is told.
        let error = LedgerFile::open(&place.file(), &OLD).unwrap_err();
        assert!(matches!(error, LedgerError::Newer { found: 2, known: 1, .. }), "{error}");
    }

    #[test]
    fn who_only_reads_an_older_file_brings_it_up_to_date_too() {
        let place = Place::new("migrate-reader");
        add(&mut LedgerFile::open(&place.file(), &OLD).unwrap(), "a");
        let file = LedgerFile::open_to_read(&place.file(), &NEW).unwrap().unwrap();
        assert_eq!(words(&file), [("a".to_owned(), None)]);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        const BROKEN: Layout =
            Layout { application_id: 7, migrations: &[FIRST, SECOND, "CREATE TABLE words (x);"] };
        let place = Place::new("migrate-broken");
        add(&mut LedgerFile::open(&place.file(), &OLD).unwrap(), "a");
        assert!(LedgerFile::open(&place.file(), &BROKEN).is_err());
        assert_eq!(LedgerFile::open(&place.file(), &OLD).unwrap().recognise(&OLD).unwrap(), 1);
    }

    #[test]
    fn many_may_make_and_migrate_a_file_at_once() {
        let place = Place::new("at-once");
        for layout in [&OLD, &NEW] {
            std::thread::scope(|scope| {
                let open = || drop(LedgerFile::open(&place.file(), layout).unwrap());
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            });
        }
        assert_eq!(words(&LedgerFile::open(&place.file(), &NEW).unwrap()), []);
    }

    #[test]
    fn a_file_of_another_kind_is_not_touched() {
        let place = Place::new("another-kind");
        std::fs::create_dir_all(&place.0).unwrap();
        let check = |name: &str, make: fn(&Path)| {
            let path = place.0.join(name);
            make(&path);
            let before = std::fs::read(&path).unwrap();
            for opened in
                [LedgerFile::open(&path, &OLD).map(Some), LedgerFile::open_to_read(&path, &OLD)]
            {
                let error = opened.unwrap_err();
                assert!(matches!(error, LedgerError::NotALedger { .. }), "{name}: {error}");
                assert!(error.to_string().contains(name), "{error}");
            }
            assert!(std::fs::read(&path).unwrap() == before, "{name} was changed");
        };
        check("notes.txt", |path| std::fs::write(path, "a page of notes ".repeat(99)).unwrap());
        check("short", |path| std::fs::write(path, "notes").unwrap());
        check("another.db", |path| {
            let other = Connection::open(path).unwrap();
            other.execute_batch("CREATE TABLE words (word TEXT)").unwrap();
        });
        check("numbered.db", |path| {
            let other = Connection::open(path).unwrap();
            other.execute_batch("CREATE TABLE words (word TEXT); PRAGMA user_version = 1").unwrap();
        });
    }

    #[test]
    fn a_path_with_signs_of_a_uri_is_a_path() {
        assert_eq!(unchanging(Path::new("/a?b#c%d.db")), "file:/a%3fb%23c%25d.db?immutable=1");
        let place = Place::new("odd?mode=ro#%41");
        add(&mut LedgerFile::open(&place.file(), &OLD).unwrap(), "a");
        assert!(place.file().exists());
    }
}
