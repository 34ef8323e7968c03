//! What values of a column may be told as: at each level fewer, larger groups of them.

use std::collections::BTreeMap;

use super::TabularError;
use super::dictionary::Dictionary;

/// What stands for any value.
pub const ANY: &str = "*";

/// The levels of a column, from the values themselves to one label for all.
#[derive(Clone, Debug, PartialEq)]
pub struct Hierarchy {
    levels: Vec<Level>,
}

/// What the values of a column are told as at one level.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The labels.
    pub labels: Vec<String>,
    /// The label of each value, by the code of the value.
    pub of: Vec<u32>,
    /// The part of the column's domain that each label stands for, above 0, at most 1.
    pub shares: Vec<f64>,
}

impl Level {
    /// The label of a value, by a code of the dictionary that the hierarchy was made for.
    #[must_use]
    pub fn label_of(&self, code: u32) -> u32 {
        self.of.get(code as usize).copied().unwrap_or(0)
    }

    /// The part of the domain that a value is told as, by its code.
    #[must_use]
    pub fn share_of(&self, code: u32) -> f64 {
        self.shares.get(self.label_of(code) as usize).copied().unwrap_or(1.0)
    }
}

impl Hierarchy {
    /// A hierarchy in ARX's form: a line for each value of the domain, with the labels of its levels behind
    /// it. The domain may have values that the table has not.
    ///
    /// # Errors
    /// When lines differ in length, a value stands twice with different labels, two values that are one at
    /// a level are two at a higher one, or a value of the table is not named.
    pub fn read(
        text: &[u8],
        separator: u8,
        column: &str,
        values: &Dictionary,
    ) -> Result<Self, TabularError> {
        let none = |why: String| TabularError::Hierarchy { column: column.to_owned(), why };
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).delimiter(separator);
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for record in reader.from_reader(text).records() {
            let record = record.map_err(|error| none(error.to_string()))?;
            let labels: Vec<String> = record.iter().map(|label| label.trim().to_owned()).collect();
            let value = labels.first().cloned().unwrap_or_default();
            match lines.insert(value.clone(), labels.clone()) {
                Some(other) if other != labels => {
                    return Err(none(format!("{value:?} stands in it twice")));
                }
                _ => {}
            }
        }
        Self::of_levels(column, &lines, values)
    }

    /// A hierarchy of lines as [`Self::read`] takes them, each a value and its labels.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_lines(
        column: &str,
        lines: Vec<Vec<String>>,
        values: &Dictionary,
    ) -> Result<Self, TabularError> {
        let lines = lines.into_iter().filter_map(|line| Some((line.first()?.clone(), line)));
        Self::of_levels(column, &lines.collect(), values)
    }

    fn of_levels(
        column: &str,
        lines: &BTreeMap<String, Vec<String>>,
        values: &Dictionary,
    ) -> Result<Self, TabularError> {
        let none = |why: String| TabularError::Hierarchy { column: column.to_owned(), why };
        let depth = lines.values().next().map_or(0, Vec::len);
        if depth == 0 {
            return Err(none("it is empty".to_owned()));
        }
        let unknown = values.values().iter().find(|value| !lines.contains_key(*value));
        if let Some(value) = unknown {
            let (column, value) = (column.to_owned(), value.clone());
            return Err(TabularError::Unknown { column, value });
        }
        let mut levels: Vec<Level> = (0..depth).map(|depth| level(lines, values, depth)).collect();
        if let Some(why) = split(lines, depth) {
            return Err(none(why));
        }
        if levels.last().is_some_and(|top| top.labels.len() > 1) {
            levels.push(top(values));
        }
        Ok(Self { levels })
    }

    /// The values as they are, or none of them.
    #[must_use]
    pub fn of_values(values: &Dictionary) -> Self {
        let lines = values.values().iter().map(|value| (value.clone(), vec![value.clone()]));
        let lines: BTreeMap<_, _> = lines.collect();
        let mut levels = vec![level(&lines, values, 0)];
        if values.values().len() > 1 {
            levels.push(top(values));
        }
        Self { levels }
    }

    /// The levels; there is at least one.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }
}

fn level(lines: &BTreeMap<String, Vec<String>>, values: &Dictionary, depth: usize) -> Level {
    let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut labels, mut leaves): (Vec<String>, Vec<u32>) = (Vec::new(), Vec::new());
    for line in lines.values() {
        let label = line.get(depth).map_or(ANY, String::as_str);
        let code = *codes.entry(label).or_insert_with(|| {
            labels.push(label.to_owned());
            leaves.push(0);
            u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(leaves) = leaves.get_mut(code as usize) {
            *leaves += 1;
        }
    }
    let of = values.values().iter().map(|value| {
        let label = lines.get(value).and_then(|line| line.get(depth)).map_or(ANY, String::as_str);
        codes.get(label).copied().unwrap_or(0)
    });
    let of = of.collect();
    let domain = lines.len() as f64;
    let shares = leaves.iter().map(|leaves| f64::from(*leaves) / domain).collect();
    Level { labels, of, shares }
}

fn top(values: &Dictionary) -> Level {
    Level { labels: vec![ANY.to_owned()], of: vec![0; values.values().len()], shares: vec![1.0] }
}

/// Two values that are one at a level and two at the next, if there are any.
fn split(lines: &BTreeMap<String, Vec<String>>, depth: usize) -> Option<String> {
    (1..depth).find_map(|level| {
        let mut above: BTreeMap<&str, &str> = BTreeMap::new();
        lines.values().find_map(|line| {
            let (low, high) = (line.get(level - 1)?, line.get(level)?);
            let other = above.insert(low, high).filter(|other| *other != high)?;
            Some(format!("{low:?} is part of {other:?} and of {high:?}"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Dictionary {
        let mut values = Dictionary::default();
        text.lines().for_each(|value| _ = values.add(value));
        values
    }

    #[test]
    fn levels_are_read_with_their_shares() {
        let text = b"1;0-4;0-9\n2;0-4;0-9\n7;5-9;0-9\n12;10-14;10-19\n";
        let found = Hierarchy::read(text, b';', "age", &values("7\n1\n2\n")).unwrap();
        let labels = |level: usize| -> Vec<&str> {
            let level = &found.levels()[level];
            level.of.iter().map(|code| level.labels[*code as usize].as_str()).collect()
        };
        assert_eq!(labels(0), ["7", "1", "2"]);
        assert_eq!(labels(1), ["5-9", "0-4", "0-4"]);
        assert_eq!((labels(3), found.levels().len()), (vec!["*"; 3], 4));
        let level = &found.levels()[1];
        assert!((level.shares[level.of[1] as usize] - 0.5).abs() < 1e-12);
        let alone = Hierarchy::of_values(&values("7\n"));
        assert_eq!(alone.levels().len(), 1);
    }

    #[test]
    fn what_is_none_is_refused() {
        let read = |text: &[u8]| Hierarchy::read(text, b';', "age", &values("1\n2\n"));
        assert!(matches!(read(b"1;*\n"), Err(TabularError::Unknown { value, .. }) if value == "2"));
        for text in [&b""[..], b"1;a;b\n2;a\n", b"1;a;x\n2;a;y\n", b"1;a\n1;b\n2;a\n"] {
            assert!(matches!(read(text), Err(TabularError::Hierarchy { .. })), "{text:?}");
        }
    }
}
