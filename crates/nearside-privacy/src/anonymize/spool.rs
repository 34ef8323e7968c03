//! What was found, in order of place, until it is written: places only, never values; in memory as
//! long as it is little, then in a file without a name.

use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::Path;

use tempfile::{SpooledTempFile, spooled_tempfile_in};

use super::operator::Operator;
use crate::scan::Entity;

/// Bytes that stay in memory.
const MEMORY: usize = 4 << 20;
/// Bytes of one item.
const ITEM: usize = 18;

/// A place in a text, and what is to be done with what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) entity: Entity,
    pub(super) operator: Operator,
    /// Whether what stands there is the answer already, and is only carried along.
    pub(super) done: bool,
}

/// Items that are being collected.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<SpooledTempFile>,
    /// Why the last item could not be written.
    failed: Option<io::Error>,
}

impl Spool {
    pub(super) fn new(folder: &Path) -> Self {
        Self { file: BufWriter::new(spooled_tempfile_in(MEMORY, folder)), failed: None }
    }

    /// Adds an item; what goes wrong is said by [`Self::items`].
    pub(super) fn push(&mut self, item: Item) {
        let mut bytes = [0; ITEM];
        let (start, rest) = bytes.split_at_mut(8);
        let (end, kinds) = rest.split_at_mut(8);
        start.copy_from_slice(&item.start.to_le_bytes());
        end.copy_from_slice(&item.end.to_le_bytes());
        let place = |found: Option<usize>| u8::try_from(found.unwrap_or(0)).unwrap_or(0);
        let entity = place(Entity::ALL.iter().position(|entity| *entity == item.entity));
        let operator = place(Operator::ALL.iter().position(|one| *one == item.operator));
        kinds.copy_from_slice(&[entity, operator | u8::from(item.done) << 7]);
        if self.failed.is_none() {
            self.failed = self.file.write_all(&bytes).err();
        }
    }

    /// All items, in their order.
    pub(super) fn items(self) -> io::Result<Items> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Items(BufReader::new(file)))
    }
}

/// Items in their order.
#[derive(Debug)]
pub(super) struct Items(BufReader<SpooledTempFile>);

impl Items {
    /// The next one.
    pub(super) fn next(&mut self) -> io::Result<Option<Item>> {
        let mut bytes = [0; ITEM];
        match self.0.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let number = |from: usize| {
            bytes.iter().skip(from).take(8).rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let [.., entity, operator] = bytes;
        let unknown = || io::Error::from(io::ErrorKind::InvalidData);
        Ok(Some(Item {
            start: number(0),
            end: number(8),
            entity: Entity::ALL.get(usize::from(entity)).copied().ok_or_else(unknown)?,
            operator: Operator::ALL
                .get(usize::from(operator & 0x7f))
                .copied()
                .ok_or_else(unknown)?,
            done: operator >> 7 == 1,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path());
        let item = |number: u64| Item {
            start: number * 3,
            end: number * 3 + 2,
            entity: Entity::ALL[number as usize % Entity::ALL.len()],
            operator: Operator::ALL[number as usize % Operator::ALL.len()],
            done: number.is_multiple_of(2),
        };
        let count = 2 * (MEMORY / ITEM) as u64;
        (0..count).for_each(|number| spool.push(item(number)));
        let mut items = spool.items().unwrap();
        for number in 0..count {
            assert_eq!(items.next().unwrap(), Some(item(number)));
        }
        assert_eq!(items.next().unwrap(), None);
    }
}
