//! A SQLite file with tables that only grow: opening, migrating, waiting for others.
//!
//! The journal is a write-ahead log with full synchronisation, so what was committed stays whatever
//! happens to the program or the power. `PRAGMA user_version` counts the migrations that a file has
//! seen; each is applied once, in its own transaction.
//! Source: SQLite, "Write-Ahead Logging" and "PRAGMA Statements".

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::LedgerError;

/// How long one program waits for another that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open file.
#[derive(Debug)]
pub(crate) struct LedgerFile {
    path: PathBuf,
    connection: Connection,
}

impl LedgerFile {
    /// Opens a file, makes it and its folder when they are not there, and brings it up to date.
    pub(crate) fn open(path: &Path, migrations: &[&str]) -> Result<Self, LedgerError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| LedgerError::Folder { path: folder.to_path_buf(), source })?;
        }
        let connection = prepared(path)
            .map_err(|source| LedgerError::Sqlite { path: path.to_path_buf(), source })?;
        let mut file = Self { path: path.to_path_buf(), connection };
        file.migrate(migrations)?;
        Ok(file)
    }

    /// Applies the migrations that the file has not seen.
    fn migrate(&mut self, migrations: &[&str]) -> Result<(), LedgerError> {
        let found = version(&self.connection).map_err(|source| self.refused(source))?;
        if found == migrations.len() {
            return Ok(());
        }
        // Asked again inside the transaction: another program may have migrated meanwhile.
        let known = migrations.len();
        let migrated = self.write(|transaction| {
            let found = version(transaction)?;
            for migration in migrations.get(found..).unwrap_or_default() {
                transaction.execute_batch(migration)?;
            }
            if found < known {
                transaction.pragma_update(None, "user_version", known as i64)?;
            }
            Ok(found)
        })?;
        let path = self.path.clone();
        (migrated <= known).then_some(()).ok_or(LedgerError::Newer { path, found: migrated, known })
    }

    /// Reads.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        read(&self.connection).map_err(|source| self.refused(source))
    }

    /// Writes everything or nothing.
    pub(crate) fn write<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let path = self.path.clone();
        let all = |connection: &mut Connection| {
            let begin = TransactionBehavior::Immediate;
            let transaction = connection.transaction_with_behavior(begin)?;
            let value = write(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        all(&mut self.connection).map_err(|source| LedgerError::Sqlite { path, source })
    }

    fn refused(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::Sqlite { path: self.path.clone(), source }
    }
}

fn prepared(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}
