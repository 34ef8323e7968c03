//! Entries as leaves of a tree, and one of them with all that its hash is made of.
//!
//! The leaf of an entry is its number, eight bytes, the most significant first, and the hash of its row:
//! whoever has the row computes it without the ledger.

use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use crate::error::{At as _, LedgerError};
use crate::merkle;
use crate::project::chain::{self, Hash};
use crate::project::{ProjectLedger, Table};

/// An entry with its row, cell by cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number.
    pub number: u64,
    /// The table that its row is in.
    pub table: String,
    /// Columns that are not null, in their order.
    pub cells: Vec<(String, CellValue)>,
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum CellValue {
    /// A whole number.
    Integer(i64),
    /// A number.
    Real(f64),
    /// A text.
    Text(String),
}

impl Record {
    /// The hash of the leaf that stands for it.
    #[must_use]
    pub fn leaf(&self) -> merkle::Hash {
        let cells = self.cells.iter().map(|(column, value)| {
            let value = match value {
                CellValue::Integer(number) => ValueRef::Integer(*number),
                CellValue::Real(number) => ValueRef::Real(*number),
                CellValue::Text(text) => ValueRef::Text(text.as_bytes()),
            };
            (column.as_str(), value)
        });
        leaf(self.number, &chain::content(&self.table, cells))
    }
}

fn leaf(number: u64, content: &Hash) -> merkle::Hash {
    merkle::leaf(&[&number.to_be_bytes()[..], content].concat())
}

/// Hands over the leaf of every entry, in order.
pub(super) fn each_leaf(
    connection: &Connection,
    take: &mut dyn FnMut(merkle::Hash),
) -> rusqlite::Result<()> {
    let mut select = connection.prepare("SELECT number, content FROM entries ORDER BY number")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        take(leaf(super::number(row, 0)?, &row.get(1)?));
    }
    Ok(())
}

impl ProjectLedger {
    /// The leaf of every entry, in order: 32 bytes each.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn leaves(&self) -> Result<Vec<merkle::Hash>, LedgerError> {
        let moment = self.file.moment()?;
        let mut leaves = Vec::new();
        each_leaf(&moment, &mut |leaf| leaves.push(leaf))
            .map_err(|error| error.at(self.file.path()))?;
        Ok(leaves)
    }

    /// An entry with its row; nothing where there is none, or its row is missing.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn record(&self, number: u64) -> Result<Option<Record>, LedgerError> {
        let moment = self.file.moment()?;
        record(&moment, number).map_err(|error| error.at(self.file.path()))
    }
}

fn record(connection: &Connection, number: u64) -> rusqlite::Result<Option<Record>> {
    let key = i64::try_from(number).unwrap_or(-1);
    let mut of_entry = connection.prepare("SELECT held_in FROM entries WHERE number = ?1")?;
    let mut found = of_entry.query([key])?;
    let Some(entry) = found.next()? else { return Ok(None) };
    let held_in: String = entry.get(0)?;
    let Some(table) = Table::named(&held_in) else { return Ok(None) };
    let mut select = connection.prepare(&table.select("WHERE entry = ?1"))?;
    let mut rows = select.query([key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut cells = Vec::new();
    for (place, column) in table.columns().iter().enumerate() {
        let value = match row.get::<_, Value>(place + 1)? {
            Value::Null | Value::Blob(_) => continue,
            Value::Integer(number) => CellValue::Integer(number),
            Value::Real(number) => CellValue::Real(number),
            Value::Text(text) => CellValue::Text(text),
        };
        cells.push((column.name.to_owned(), value));
    }
    Ok(Some(Record { number, table: held_in, cells }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Place, fill};

    #[test]
    fn every_entry_is_the_leaf_of_its_row() {
        let place = Place::new("proof");
        let mut ledger = place.ledger();
        fill(&mut ledger);
        let leaves = ledger.leaves().unwrap();
        for (place, leaf) in leaves.iter().enumerate() {
            let record = ledger.record(place as u64 + 1).unwrap().unwrap();
            assert_eq!(record.leaf(), *leaf, "{record:?}");
        }
        assert_eq!(ledger.record(leaves.len() as u64 + 1).unwrap(), None);
        assert_eq!(ledger.record(u64::MAX).unwrap(), None);
        let root = ledger.append(|to| Ok((to.size(), to.tree()?.root()))).unwrap();
        assert_eq!(root, (leaves.len() as u64, merkle::root(&leaves)));
    }
}
