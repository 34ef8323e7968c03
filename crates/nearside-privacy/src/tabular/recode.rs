//! Rows written as a search chose.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use super::TabularError;
use super::hierarchy::Hierarchy;
use super::lattice::Solution;
use super::tuples::{Dialect, Tuples, places};

/// What a table is written again as.
#[derive(Clone, Copy, Debug)]
pub struct Recoding<'t> {
    /// Its combinations, read from the same text.
    pub tuples: &'t Tuples,
    /// The hierarchy of each quasi-identifier.
    pub hierarchies: &'t [Hierarchy],
    /// What a search chose.
    pub solution: &'t Solution,
    /// Columns that are left out.
    pub dropped: &'t [String],
}

/// Writes a table again: quasi-identifiers told at the levels of a solution, rows that are left out not at
/// all, everything else as it is.
///
/// # Errors
/// When it cannot be read or written, has changed since it was read, or a column is not there.
pub fn recode(
    from: impl Read,
    to: impl Write,
    dialect: Dialect,
    recoding: &Recoding<'_>,
) -> Result<(), TabularError> {
    let Recoding { tuples, hierarchies, solution, .. } = *recoding;
    let levels: Vec<_> = hierarchies
        .iter()
        .zip(&solution.levels)
        .filter_map(|(hierarchy, level)| hierarchy.levels().get(usize::from(*level)))
        .collect();
    let label = |place: usize, code: u32| levels.get(place).map_or(0, |level| level.label_of(code));
    let told = |index: usize| -> Box<[u32]> {
        let codes = tuples.columns.iter().enumerate();
        let codes = codes.map(|(place, column)| (place, column.get(index).copied().unwrap_or(0)));
        codes.map(|(place, code)| label(place, code)).collect()
    };
    let kept = solution.kept.iter().enumerate().filter(|(_, kept)| **kept);
    let kept: BTreeSet<Box<[u32]>> = kept.map(|(index, _)| told(index)).collect();
    let mut reader = dialect.reader(from);
    let heads = reader.headers()?.clone();
    let places = places(&heads, &tuples.names)?;
    let mut writer = csv::WriterBuilder::new().delimiter(dialect.separator).from_writer(to);
    let dropped = super::tuples::places(&heads, recoding.dropped)?;
    let left = |at: &usize| !dropped.contains(at);
    let heads = heads.iter().enumerate().filter(|(at, _)| left(at)).map(|(_, head)| head);
    writer.write_record(heads)?;
    let (mut record, mut labels) = (csv::StringRecord::new(), vec![0; places.len()]);
    let mut rows = 0;
    while reader.read_record(&mut record)? {
        rows += 1;
        for ((place, at), into) in places.iter().enumerate().zip(&mut labels) {
            let value = record.get(*at).unwrap_or("").trim();
            let code = tuples.dictionaries.get(place).and_then(|values| values.code(value));
            *into = label(place, code.ok_or_else(changed)?);
        }
        if !kept.contains(labels.as_slice()) {
            continue;
        }
        for (at, cell) in record.iter().enumerate().filter(|(at, _)| left(at)) {
            let told = places.iter().position(|place| *place == at).and_then(|place| {
                let level = levels.get(place)?;
                level.labels.get(*labels.get(place)? as usize)
            });
            writer.write_field(told.map_or(cell, String::as_str))?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    if rows != tuples.rows {
        return Err(changed());
    }
    writer.flush()?;
    Ok(())
}

fn changed() -> TabularError {
    std::io::Error::other("the table changed while it was read").into()
}
