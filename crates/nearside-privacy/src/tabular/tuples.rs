//! What a table holds of its quasi-identifiers: distinct combinations of values, and how many rows have
//! each. A table of any size is read in one pass; memory grows with the distinct combinations only.

use std::collections::BTreeMap;
use std::io::Read;

use super::TabularError;

/// Values of a column, each once, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    values: Vec<String>,
    codes: BTreeMap<String, u32>,
}

impl Dictionary {
    /// The code of a value, a new one where it came for the first time.
    fn add(&mut self, value: &str) -> u32 {
        if let Some(code) = self.codes.get(value) {
            return *code;
        }
        let code = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value.to_owned());
        self.codes.insert(value.to_owned(), code);
        code
    }

    /// The code of a value that came.
    #[must_use]
    pub fn code(&self, value: &str) -> Option<u32> {
        self.codes.get(value).copied()
    }

    /// The values, by code.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }
}

/// Distinct combinations of quasi-identifiers, and of the sensitive value where there is one.
#[derive(Clone, Debug)]
pub struct Tuples {
    /// Quasi-identifiers, by name.
    pub names: Vec<String>,
    /// The values of each.
    pub dictionaries: Vec<Dictionary>,
    /// Codes: a column of them for each quasi-identifier.
    pub columns: Vec<Vec<u32>>,
    /// The sensitive column.
    pub sensitive: Option<Sensitive>,
    /// How many rows have each combination.
    pub counts: Vec<u64>,
    /// Rows of the table.
    pub rows: u64,
}

/// The sensitive column of a table.
#[derive(Clone, Debug)]
pub struct Sensitive {
    /// Its name.
    pub name: String,
    /// Its values.
    pub dictionary: Dictionary,
    /// The code of its value in each combination.
    pub codes: Vec<u32>,
}

impl Sensitive {
    /// The codes of its values from the least on, where all of them are numbers.
    pub(super) fn order(&self) -> Option<Vec<usize>> {
        let number = |value: &String| value.parse::<f64>().ok().filter(|it| it.is_finite());
        let values = self.dictionary.values().iter().map(number);
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let mut order: Vec<(f64, usize)> =
            values.into_iter().enumerate().map(|(code, value)| (value, code)).collect();
        order.sort_by(|one, other| one.0.total_cmp(&other.0));
        Some(order.into_iter().map(|(_, code)| code).collect())
    }
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates cells.
    pub separator: u8,
}

impl Dialect {
    /// A reader of rows as wide as the heads.
    pub fn reader<R: Read>(self, text: R) -> csv::Reader<R> {
        csv::ReaderBuilder::new().delimiter(self.separator).from_reader(text)
    }
}

/// Where the named columns stand.
///
/// # Errors
/// When one is not there, or is named twice.
pub fn places(heads: &csv::StringRecord, names: &[String]) -> Result<Vec<usize>, TabularError> {
    let mut places = Vec::with_capacity(names.len());
    for name in names {
        let place = heads.iter().position(|head| head.trim() == name).ok_or_else(|| {
            let there = heads.iter().map(str::trim).collect::<Vec<_>>().join(", ");
            TabularError::NoColumn { name: name.clone(), there }
        })?;
        if places.contains(&place) {
            return Err(TabularError::Twice(name.clone()));
        }
        places.push(place);
    }
    Ok(places)
}

impl Tuples {
    /// Reads a table with a row of heads.
    ///
    /// # Errors
    /// When it cannot be read, a row has more or fewer cells than the heads, a column is missing, or there
    /// are no rows.
    pub fn read(
        text: impl Read,
        dialect: Dialect,
        quasi: &[String],
        sensitive: Option<&str>,
    ) -> Result<Self, TabularError> {
        let mut reader = dialect.reader(text);
        let names: Vec<String> =
            quasi.iter().cloned().chain(sensitive.map(str::to_owned)).collect();
        let places = places(reader.headers()?, &names)?;
        let mut dictionaries = vec![Dictionary::default(); names.len()];
        let mut counts: BTreeMap<Box<[u32]>, u64> = BTreeMap::new();
        let mut rows = 0;
        let (mut record, mut tuple) = (csv::StringRecord::new(), vec![0; names.len()]);
        while reader.read_record(&mut record)? {
            rows += 1;
            for ((code, dictionary), place) in tuple.iter_mut().zip(&mut dictionaries).zip(&places)
            {
                *code = dictionary.add(record.get(*place).unwrap_or("").trim());
            }
            match counts.get_mut(tuple.as_slice()) {
                Some(count) => *count += 1,
                None => _ = counts.insert(tuple.clone().into(), 1),
            }
        }
        if rows == 0 {
            return Err(TabularError::Empty);
        }
        let column = |place: usize| -> Vec<u32> {
            counts.keys().map(|tuple| tuple.get(place).copied().unwrap_or(0)).collect()
        };
        let columns = (0..quasi.len()).map(column).collect();
        let sensitive = sensitive.and_then(|name| {
            let codes = column(quasi.len());
            Some(Sensitive { name: name.to_owned(), dictionary: dictionaries.pop()?, codes })
        });
        let counts = counts.into_values().collect();
        Ok(Self { names: quasi.to_vec(), dictionaries, columns, sensitive, counts, rows })
    }

    /// How many distinct combinations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is none: never, a table without rows is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, quasi: &[&str], sensitive: Option<&str>) -> Result<Tuples, TabularError> {
        let quasi: Vec<_> = quasi.iter().map(|name| (*name).to_owned()).collect();
        Tuples::read(text.as_bytes(), Dialect { separator: b';' }, &quasi, sensitive)
    }

    #[test]
    fn equal_rows_are_counted() {
        let tuples =
            read("a;b;c\n1; x;p\n1;x;q\n2;\"x\";p\n1;x;p\n", &["b", "a"], Some("c")).unwrap();
        assert_eq!((tuples.rows, tuples.len()), (4, 3));
        assert_eq!(tuples.counts, [2, 1, 1]);
        assert_eq!(tuples.dictionaries[1].values(), ["1", "2"]);
        assert_eq!(tuples.sensitive.unwrap().codes, [0, 1, 0]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let told = |text, quasi: &[&str]| read(text, quasi, None).unwrap_err().to_string();
        assert_eq!(told("a;b\n", &["a"]), "the table has no rows");
        assert!(told("a;b\n1;2\n", &["c"]).contains("\"c\": the table has a, b"));
        assert!(told("a;b\n1;2\n", &["a", "a"]).contains("more than once"));
        assert!(told("a;b\n1;2\n1\n", &["a"]).contains("line: 3"));
    }
}
