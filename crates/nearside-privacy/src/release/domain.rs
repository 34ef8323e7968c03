//! What values a column may have, said without a look at the table: that a value is in it tells of a person.
//!
//! Values that the table has and the domain has not count as [`OTHER`]; so does a cell that is no UTF-8.

use std::collections::BTreeMap;

use super::{Decimal, ReleaseError};

/// What stands for every value that the domain has not.
pub const OTHER: &str = "(other)";
/// The most labels of a domain.
const MOST: usize = 1 << 16;

/// A column with a domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Categorical {
    name: String,
    labels: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// The label of each value.
    Values(BTreeMap<String, u32>),
    /// Where ranges begin, and where the last one ends.
    Edges(Vec<f64>),
}

impl Categorical {
    /// A column whose values are labels.
    ///
    /// # Errors
    /// When there are none or more than 65,536, or one stands twice or is [`OTHER`].
    pub fn labels(
        name: impl Into<String>,
        labels: impl IntoIterator<Item = String>,
    ) -> Result<Self, ReleaseError> {
        let name = name.into();
        let labels: Vec<String> = labels.into_iter().collect();
        let mut codes = BTreeMap::new();
        for (code, label) in (0..).zip(&labels) {
            if codes.insert(label.clone(), code).is_some() {
                return Err(none(&name, format!("{label:?} stands in it twice")));
            }
        }
        Self::checked(name, labels, Kind::Values(codes))
    }

    /// A column whose values are told in groups: pairs of a value and its group, the groups in the order in which
    /// they come first.
    ///
    /// # Errors
    /// As [`Self::labels`].
    pub fn groups(
        name: impl Into<String>,
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ReleaseError> {
        let name = name.into();
        let (mut labels, mut known, mut codes) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        for (value, group) in pairs {
            let code = *known.entry(group).or_insert_with_key(|group| {
                labels.push(group.clone());
                u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
            });
            match codes.insert(value, code) {
                Some(other) if other != code => {
                    return Err(none(&name, "a value stands in two groups of it".to_owned()));
                }
                _ => {}
            }
        }
        Self::checked(name, labels, Kind::Values(codes))
    }

    /// A column whose values are told at a level of a hierarchy in ARX's form: a line for each value of the domain, with
    /// the labels of its levels behind it. Level 0 are the values themselves.
    ///
    /// # Errors
    /// When a line has no such level or is no CSV, and as [`Self::labels`].
    pub fn hierarchy(
        name: impl Into<String>,
        text: &[u8],
        separator: u8,
        level: usize,
    ) -> Result<Self, ReleaseError> {
        let name = name.into();
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).delimiter(separator).from_reader(text);
        let pairs = reader.records().map(|line| {
            let line = line.map_err(|error| none(&name, error.to_string()))?;
            let (Some(value), Some(label)) = (line.get(0), line.get(level)) else {
                return Err(none(&name, format!("a line of its hierarchy has no level {level}")));
            };
            Ok((value.trim().to_owned(), label.trim().to_owned()))
        });
        let pairs: Vec<(String, String)> = pairs.collect::<Result<_, _>>()?;
        Self::groups(name, pairs)
    }

    /// A column of numbers, told as ranges from each edge up to the next, that one left out but for the last.
    ///
    /// # Errors
    /// When there are fewer than two edges, or one is not above that before it.
    pub fn ranges(name: impl Into<String>, edges: &[Decimal]) -> Result<Self, ReleaseError> {
        let name = name.into();
        let numbers: Vec<f64> = edges.iter().map(|edge| edge.value()).collect();
        if numbers.iter().zip(numbers.iter().skip(1)).any(|(one, next)| one >= next) {
            return Err(none(&name, "its edges do not rise".to_owned()));
        }
        let pairs = edges.iter().zip(edges.iter().skip(1)).enumerate();
        let labels = pairs.map(|(at, (from, to))| {
            let end = if at + 2 == edges.len() { ']' } else { ')' };
            format!("[{from}, {to}{end}")
        });
        Self::checked(name, labels.collect(), Kind::Edges(numbers))
    }

    fn checked(name: String, labels: Vec<String>, kind: Kind) -> Result<Self, ReleaseError> {
        if labels.is_empty() || labels.len() > MOST {
            let why = format!("it has {} labels, not 1 to {MOST}", labels.len());
            return Err(none(&name, why));
        }
        if labels.iter().any(|label| label == OTHER) {
            return Err(none(&name, format!("{OTHER} stands for what it has not")));
        }
        Ok(Self { name, labels, kind })
    }

    /// The name of the column.
    #[must_use]
    pub fn name(&self) -> &String {
        &self.name
    }

    /// The labels, and [`OTHER`] behind them.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.labels.iter().cloned().chain([OTHER.to_owned()]).collect()
    }

    /// How many labels there are with [`OTHER`].
    pub(super) fn size(&self) -> usize {
        self.labels.len() + 1
    }

    /// The number of the label that a cell has.
    pub(super) fn code(&self, cell: Option<&str>) -> u32 {
        let other = u32::try_from(self.labels.len()).unwrap_or(u32::MAX);
        let code = cell.and_then(|cell| match &self.kind {
            Kind::Values(codes) => codes.get(cell).copied(),
            Kind::Edges(edges) => range_of(edges, cell.parse().ok()?),
        });
        code.unwrap_or(other)
    }
}

fn range_of(edges: &[f64], value: f64) -> Option<u32> {
    let (first, last) = (edges.first()?, edges.last()?);
    if !(value >= *first && value <= *last) {
        return None;
    }
    let begun = edges.partition_point(|edge| *edge <= value);
    u32::try_from(begun.min(edges.len() - 1).checked_sub(1)?).ok()
}

fn none(column: &str, why: String) -> ReleaseError {
    ReleaseError::Domain { column: column.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_the_domain_has_not_is_other() {
        let column = Categorical::labels("x", strings(&["a", "b", ""])).unwrap();
        let codes = ["b", "a", "c", ""].map(|cell| column.code(Some(cell)));
        assert_eq!((codes, column.code(None)), ([1, 0, 3, 2], 3));
        assert_eq!(column.told(), ["a", "b", "", OTHER]);
    }

    #[test]
    fn ranges_have_their_lower_edge() {
        let edges = ["0", "1.5", "10"].map(|edge| edge.parse().unwrap());
        let column = Categorical::ranges("x", &edges).unwrap();
        let cells = ["0", "1.49", "1.5", "10", "10.1", "-1", "x", "NaN"];
        assert_eq!(cells.map(|cell| column.code(Some(cell))), [0, 0, 1, 1, 2, 2, 2, 2]);
        assert_eq!(column.told(), ["[0, 1.5)", "[1.5, 10]", OTHER]);
        assert!(Categorical::ranges("x", &["1", "1"].map(|edge| edge.parse().unwrap())).is_err());
        assert!(Categorical::ranges("x", &["1".parse().unwrap()]).is_err());
    }

    #[test]
    fn groups_are_of_values() {
        let pair = |value: &str, group: &str| (value.to_owned(), group.to_owned());
        let pairs = [pair("1", "low"), pair("9", "high"), pair("2", "low")];
        let column = Categorical::groups("x", pairs).unwrap();
        assert_eq!(["2", "9", "5"].map(|cell| column.code(Some(cell))), [0, 1, 2]);
        assert!(Categorical::groups("x", [pair("1", "a"), pair("1", "b")]).is_err());
        let read =
            |level| Categorical::hierarchy("x", b"1;low;*\n9; high;*\n2;low;*\n", b';', level);
        assert_eq!(read(1).unwrap(), column);
        assert_eq!(read(0).unwrap().told(), ["1", "9", "2", OTHER]);
        assert_eq!(read(2).unwrap().told(), ["*", OTHER]);
        assert!(read(3).is_err());
        assert!(Categorical::labels("x", strings(&[])).is_err());
        assert!(Categorical::labels("x", strings(&["a", "a"])).is_err());
        assert!(Categorical::labels("x", strings(&[OTHER])).is_err());
    }
}
