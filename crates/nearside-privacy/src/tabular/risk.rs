//! Which columns of a table, taken together, tell who a row is about: uniqueness analysis.
//!
//! Columns are added one by one, each time the one that makes most rows the only one of their kind. Those that add
//! nothing more follow, unless one column says all that they say: once the others are told less exactly, they count. Of a large table a sample of its rows is looked at, drawn evenly from all of it (Vitter's
//! algorithm R, 1985, with fixed seeds): fewer rows share their values there than in the whole, so a risk is told too
//! high rather than too low.

use std::io::Read;
use std::num::NonZero;

use super::TabularError;
use super::blocks::{self, Block, Blocks, Dialect};
use super::chance::Chance;
use super::classes::Numbering;
use super::dictionary::Dictionary;

/// The most rows that are looked at.
const MOST_ROWS: usize = 200_000;
/// The most columns that are suggested.
const MOST_SUGGESTED: usize = 12;
/// From this part of the rows on that a column makes unique, it tells by itself whose they are.
const IDENTIFIES: f64 = 0.9;
/// A column of longer values than these, in bytes on average, is text.
const LONG: f64 = 40.0;
/// A column that makes a smaller part of the rows unique is not suggested.
const LEAST_GAIN: f64 = 0.001;

/// What is known of a table's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Rows of the table.
    pub rows: u64,
    /// Rows that were looked at.
    pub sampled: u64,
    /// Its columns, in their order.
    pub columns: Vec<ColumnRisk>,
    /// Those that should be taken for quasi-identifiers, in the order in which they tell most.
    pub suggested: Vec<Suggested>,
}

/// What is known of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnRisk {
    /// Its name.
    pub name: String,
    /// Different values.
    pub values: usize,
    /// The part of the rows whose value no other row has.
    pub unique: f64,
    /// What it is.
    pub kind: ColumnKind,
}

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// One value in all rows: tells nothing.
    Constant,
    /// Nearly every row has a value of its own: tells by itself whose it is.
    Identifier,
    /// Running text.
    Text,
    /// May tell whose a row is, with others.
    Attribute,
}

/// A column that should be taken for a quasi-identifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggested {
    /// Its name.
    pub name: String,
    /// How the rows hide from who knows it and those before it.
    pub hiding: Hiding,
}

/// How rows hide from who knows some columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hiding {
    /// The part of the rows that nobody shares these columns with.
    pub unique: f64,
    /// The part of the rows whose class has fewer than five.
    pub below_five: f64,
    /// The mean over all rows of one over the size of their class.
    pub mean: f64,
    /// Rows of the smallest class.
    pub smallest: u64,
}

/// Rows of a table, as codes.
#[derive(Clone, Debug)]
pub struct Sample {
    names: Vec<String>,
    rows: u64,
    /// By column: its values, their mean length, and the code of each row.
    columns: Vec<SampledColumn>,
}

#[derive(Clone, Debug)]
struct SampledColumn {
    values: usize,
    length: f64,
    codes: Vec<u32>,
}

impl Sample {
    /// Reads a table with a row of heads.
    ///
    /// # Errors
    /// When it cannot be read, a row has more or fewer cells than the heads, or there are no rows.
    pub fn read(text: impl Read + Send, dialect: Dialect) -> Result<Self, TabularError> {
        let (blocks, heads) = Blocks::open(text, dialect)?;
        let width = heads.names().len();
        // One thread, so that the same rows are drawn each time.
        let states = blocks::work(
            blocks,
            NonZero::<usize>::MIN,
            || Drawn::new(width),
            |drawn, block| drawn.add(&block),
        )?;
        let Some(drawn) = states.into_iter().next().filter(|drawn| drawn.seen > 0) else {
            return Err(TabularError::Empty);
        };
        let columns = (0..width).map(|column| drawn.column(column)).collect();
        Ok(Self { names: heads.names().to_vec(), rows: drawn.seen, columns })
    }

    fn sampled(&self) -> usize {
        self.columns.first().map_or(0, |column| column.codes.len())
    }

    /// How rows hide from who knows these columns.
    ///
    /// # Errors
    /// When one is not there.
    pub fn hiding(&self, names: &[String]) -> Result<Hiding, TabularError> {
        let mut known = Known::nothing(self.sampled());
        for name in names {
            let place = self.names.iter().position(|other| other == name);
            let column = place.and_then(|place| self.columns.get(place)).ok_or_else(|| {
                TabularError::NoColumn { name: name.clone(), there: self.names.join(", ") }
            })?;
            known = known.and(column);
        }
        Ok(known.hiding())
    }

    /// What its columns are, and which together tell most.
    #[must_use]
    pub fn columns(&self) -> Columns {
        let nothing = Known::nothing(self.sampled());
        let columns = self.names.iter().zip(&self.columns);
        let risks: Vec<ColumnRisk> = columns
            .map(|(name, column)| {
                let unique = nothing.and(column).hiding().unique;
                let kind = match () {
                    () if column.values <= 1 => ColumnKind::Constant,
                    () if column.length > LONG => ColumnKind::Text,
                    () if unique >= IDENTIFIES => ColumnKind::Identifier,
                    () => ColumnKind::Attribute,
                };
                ColumnRisk { name: name.clone(), values: column.values, unique, kind }
            })
            .collect();
        let mut left: Vec<usize> = (0..risks.len())
            .filter(|at| risks.get(*at).is_some_and(|it| it.kind == ColumnKind::Attribute))
            .collect();
        let (mut known, mut before, mut suggested) = (nothing, 0.0, Vec::new());
        while suggested.len() < MOST_SUGGESTED {
            let with = |at: &usize| Some((*at, known.and(self.columns.get(*at)?)));
            // Before anybody is unique, more classes are what comes closest.
            let told = |known: &Known| (known.hiding().unique, known.sizes.len());
            let best = left.iter().filter_map(with).max_by(|one, other| {
                let ((unique, classes), (best, most)) = (told(&one.1), told(&other.1));
                unique.total_cmp(&best).then(classes.cmp(&most)).then(other.0.cmp(&one.0))
            });
            let Some((at, next)) = best else { break };
            let hiding = next.hiding();
            let more = next.sizes.len() > known.sizes.len();
            let early = hiding.unique < LEAST_GAIN && more;
            if !early && hiding.unique - before < LEAST_GAIN {
                break;
            }
            (known, before) = (next, hiding.unique);
            left.retain(|other| *other != at);
            suggested.push((at, hiding));
        }
        for at in left {
            let Some(column) = self.columns.get(at) else { continue };
            let says_as_much = |(other, _): &(usize, Hiding)| {
                let alone =
                    self.columns.get(*other).map(|other| Known::nothing(self.sampled()).and(other));
                alone.is_some_and(|alone| alone.and(column).sizes.len() == alone.sizes.len())
            };
            if suggested.len() < MOST_SUGGESTED && !suggested.iter().any(says_as_much) {
                known = known.and(column);
                suggested.push((at, known.hiding()));
            }
        }
        let name = |at: usize| self.names.get(at).cloned().unwrap_or_default();
        let suggested =
            suggested.into_iter().map(|(at, hiding)| Suggested { name: name(at), hiding });
        let suggested = suggested.collect();
        let sampled = self.sampled() as u64;
        Columns { rows: self.rows, sampled, columns: risks, suggested }
    }
}

/// Rows that were drawn of those that came.
struct Drawn {
    seen: u64,
    drawn: u64,
    chance: Chance,
    dictionaries: Vec<Dictionary>,
    lengths: Vec<u64>,
    /// Row after row.
    codes: Vec<u32>,
}

impl Drawn {
    fn new(width: usize) -> Self {
        let dictionaries = vec![Dictionary::default(); width];
        Self {
            seen: 0,
            drawn: 0,
            chance: Chance::default(),
            dictionaries,
            lengths: vec![0; width],
            codes: Vec::new(),
        }
    }

    fn add(&mut self, block: &Block) -> Result<(), TabularError> {
        let width = self.dictionaries.len();
        block.rows(|record| {
            self.seen += 1;
            let place = match self.seen > MOST_ROWS as u64 {
                false => self.codes.len() / width.max(1),
                true => usize::try_from(self.chance.below(self.seen)).unwrap_or(usize::MAX),
            };
            if place >= MOST_ROWS {
                return Ok(());
            }
            self.drawn += 1;
            if place * width >= self.codes.len() {
                self.codes.resize((place + 1) * width, 0);
            }
            for at in 0..width {
                let cell = block.cell(record, at)?;
                let code = self.dictionaries.get_mut(at).map_or(0, |values| values.add(cell));
                if let Some(slot) = self.codes.get_mut(place * width + at) {
                    *slot = code;
                }
                if let Some(length) = self.lengths.get_mut(at) {
                    *length += cell.len() as u64;
                }
            }
            Ok(())
        })
    }

    fn column(&self, column: usize) -> SampledColumn {
        let width = self.dictionaries.len().max(1);
        let codes: Vec<u32> = self.codes.iter().skip(column).step_by(width).copied().collect();
        let mut there = codes.clone();
        there.sort_unstable();
        there.dedup();
        let length = self.lengths.get(column).copied().unwrap_or(0) as f64;
        let length = length / self.drawn.max(1) as f64;
        SampledColumn { values: there.len(), length, codes }
    }
}

/// The classes of rows for who knows some columns.
struct Known {
    of: Vec<u32>,
    sizes: Vec<u64>,
}

impl Known {
    fn nothing(rows: usize) -> Self {
        Self { of: vec![0; rows], sizes: vec![rows as u64] }
    }

    fn and(&self, column: &SampledColumn) -> Self {
        let mut numbering = Numbering::default();
        let pairs = self.of.iter().zip(&column.codes);
        let keys = pairs.map(|(class, code)| u64::from(*class) << 32 | u64::from(*code));
        let classes = numbering.number(keys);
        let mut sizes = vec![0; classes];
        for class in &numbering.of {
            sizes.get_mut(*class as usize).into_iter().for_each(|size| *size += 1);
        }
        Self { of: numbering.of, sizes }
    }

    fn hiding(&self) -> Hiding {
        let rows = self.of.len().max(1) as f64;
        let below = |most: u64| self.sizes.iter().filter(|size| **size < most).sum::<u64>() as f64;
        Hiding {
            unique: below(2) / rows,
            below_five: below(5) / rows,
            mean: self.sizes.len() as f64 / rows,
            smallest: self.sizes.iter().min().copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: u64) -> Sample {
        let mut text = "id,age,sex,land,note,both\n".to_owned();
        for row in 0..rows {
            let mixed = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let (age, sex) = (mixed % 70, mixed / 70 % 2);
            let note = format!("{row:0>50}");
            text.push_str(&format!("u{row},{age},{sex},de,{note},{age}-{sex}\n"));
        }
        Sample::read(text.as_bytes(), Dialect { separator: b',' }).unwrap()
    }

    #[test]
    fn columns_that_tell_together_are_suggested() {
        let sample = sample(300);
        let found = sample.columns();
        let kinds: Vec<_> = found.columns.iter().map(|column| column.kind).collect();
        use ColumnKind::{Attribute, Constant, Identifier, Text};
        assert_eq!(kinds, [Identifier, Attribute, Attribute, Constant, Text, Attribute]);
        // One column says what two others do; nothing is left for them to tell.
        let names: Vec<_> = found.suggested.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["both"]);
        let both = ["age".to_owned(), "sex".to_owned()];
        assert_eq!(sample.hiding(&both).unwrap(), found.suggested[0].hiding);
        assert!(sample.hiding(&["none".to_owned()]).is_err());
    }

    #[test]
    fn of_large_tables_a_sample_is_drawn() {
        let found = sample(MOST_ROWS as u64 + 50_000).columns();
        assert_eq!((found.rows, found.sampled), (250_000, 200_000));
        assert_eq!(found.columns[0].kind, ColumnKind::Identifier);
        assert!(found.columns[4].kind == ColumnKind::Text && found.columns[1].values == 70);
    }
}
