//! What a table holds of its quasi-identifiers: distinct combinations of values, and how many rows have
//! each. A table of any size is read in one pass; memory grows with the distinct combinations only.

use std::io::Read;
use std::num::NonZero;

use super::TabularError;
use super::blocks::{self, Block, Blocks, Dialect};
use super::dictionary::{Combinations, Dictionary, MOST};

/// Distinct combinations of quasi-identifiers, and of the attributes beside them, in the order of their codes.
#[derive(Clone, Debug)]
pub struct Tuples {
    /// Quasi-identifiers, by name.
    pub names: Vec<String>,
    /// The values of each, in their order as text.
    pub dictionaries: Vec<Dictionary>,
    /// Codes: a column of them for each quasi-identifier.
    pub columns: Vec<Vec<u32>>,
    /// The column that nobody is to learn of a person.
    pub sensitive: Option<Attribute>,
    /// The column that a model is to foretell.
    pub target: Option<Attribute>,
    /// How many rows have each combination.
    pub counts: Vec<u64>,
    /// How many people of the population have each, where one was read.
    pub population: Option<Vec<u64>>,
    /// Rows of the table.
    pub rows: u64,
}

/// A column beside the quasi-identifiers.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its values, in their order as text.
    pub dictionary: Dictionary,
    /// The code of its value in each combination.
    pub codes: Vec<u32>,
}

impl Attribute {
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

/// Which columns of a table are read, and how.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'n> {
    /// How the table is written.
    pub dialect: Dialect,
    /// Its quasi-identifiers.
    pub quasi: &'n [String],
    /// The column that nobody is to learn of a person.
    pub sensitive: Option<&'n str>,
    /// The column that a model is to foretell; it may be the sensitive one.
    pub target: Option<&'n str>,
    /// Threads that read.
    pub threads: NonZero<usize>,
}

impl Reading<'_> {
    /// Reads a table with a row of heads.
    ///
    /// # Errors
    /// When it cannot be read, a row has more or fewer cells than the heads, a column is missing or named
    /// twice, or there are no rows.
    pub fn table(&self, text: impl Read + Send) -> Result<Tuples, TabularError> {
        let table = self.read(text, self.attributes(), Part::Table)?;
        self.merge(table)
    }

    /// As [`Self::table`], and counts the people of a population beside it: a table with the same
    /// quasi-identifiers, in which the people of the first are.
    ///
    /// # Errors
    /// As [`Self::table`], of either.
    pub fn table_and_population(
        &self,
        text: impl Read + Send,
        population: (impl Read + Send, Dialect),
    ) -> Result<Tuples, TabularError> {
        let mut parts = self.read(text, self.attributes(), Part::Table)?;
        let reading = Self { dialect: population.1, ..*self };
        parts.extend(reading.read(population.0, Vec::new(), Part::Population)?);
        self.merge(parts)
    }

    /// The attributes that are read, each once.
    fn attributes(&self) -> Vec<String> {
        let target = self.target.filter(|target| self.sensitive != Some(target));
        self.sensitive.into_iter().chain(target).map(str::to_owned).collect()
    }

    fn read(
        &self,
        text: impl Read + Send,
        attributes: Vec<String>,
        part: Part,
    ) -> Result<Vec<Counted>, TabularError> {
        let (blocks, heads) = Blocks::open(text, self.dialect)?;
        let places = heads.places(self.quasi.iter().chain(&attributes))?;
        let width = self.quasi.len() + self.attributes().len();
        blocks::work(
            blocks,
            self.threads,
            || Counted::new(width, part),
            |counted, block| counted.add(&block, &places),
        )
    }

    /// Puts together what threads counted; what comes of it does not depend on which counted what.
    fn merge(&self, parts: Vec<Counted>) -> Result<Tuples, TabularError> {
        let attributes = self.attributes();
        let width = self.quasi.len() + attributes.len();
        let mut dictionaries = vec![Dictionary::default(); width];
        for part in &parts {
            for (all, part) in dictionaries.iter_mut().zip(&part.dictionaries) {
                part.values().iter().for_each(|value| _ = all.add(value));
            }
        }
        dictionaries = dictionaries.iter().map(|values| values.sorted().0).collect();
        let mut all = Combinations::new(width);
        let (mut rows, mut people) = (Vec::new(), Vec::new());
        for part in &parts {
            let new = part.new_codes(&dictionaries);
            let mut combination = vec![0; width];
            for (number, count) in (0..).zip(&part.counts) {
                let codes = part.combinations.get(number).iter().zip(&new);
                for (code, (old, new)) in combination.iter_mut().zip(codes) {
                    *code = new.get(*old as usize).copied().unwrap_or(0);
                }
                let number = all.add(&combination) as usize;
                rows.resize(all.len(), 0);
                people.resize(all.len(), 0);
                let counts = if part.of == Part::Table { &mut rows } else { &mut people };
                if let Some(all) = counts.get_mut(number) {
                    *all += count;
                }
            }
        }
        if rows.iter().sum::<u64>() == 0 {
            return Err(TabularError::Empty);
        }
        let mut order: Vec<u32> = (0..all.len() as u32).collect();
        order.sort_unstable_by(|one, other| all.get(*one).cmp(all.get(*other)));
        let counts = |of: &[u64]| -> Vec<u64> {
            order.iter().map(|number| of.get(*number as usize).copied().unwrap_or(0)).collect()
        };
        let column = |place: usize| -> Vec<u32> {
            let code = |number: &u32| all.get(*number).get(place).copied().unwrap_or(0);
            order.iter().map(code).collect()
        };
        let mut beside = dictionaries.split_off(self.quasi.len()).into_iter();
        let mut attribute = |name: &String, place: usize| {
            let dictionary = beside.next().unwrap_or_default();
            Attribute { name: name.clone(), dictionary, codes: column(self.quasi.len() + place) }
        };
        let attributes: Vec<Attribute> =
            attributes.iter().enumerate().map(|(place, name)| attribute(name, place)).collect();
        let named = |name: Option<&str>| {
            attributes.iter().find(|attribute| Some(attribute.name.as_str()) == name).cloned()
        };
        Ok(Tuples {
            names: self.quasi.to_vec(),
            dictionaries,
            columns: (0..self.quasi.len()).map(column).collect(),
            sensitive: named(self.sensitive),
            target: named(self.target),
            population: parts
                .iter()
                .any(|part| part.of == Part::Population)
                .then(|| counts(&people)),
            rows: rows.iter().sum(),
            counts: counts(&rows),
        })
    }
}

/// Which of two tables rows are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Table,
    Population,
}

/// What one thread read.
struct Counted {
    of: Part,
    dictionaries: Vec<Dictionary>,
    combinations: Combinations,
    counts: Vec<u64>,
    combination: Vec<u32>,
}

impl Counted {
    fn new(width: usize, of: Part) -> Self {
        Self {
            of,
            // Attributes that a population has not are empty.
            dictionaries: vec![Dictionary::default(); width],
            combinations: Combinations::new(width),
            counts: Vec::new(),
            combination: vec![0; width],
        }
    }

    fn add(&mut self, block: &Block, places: &[usize]) -> Result<(), TabularError> {
        block.rows(|record| {
            let codes = self.combination.iter_mut().zip(&mut self.dictionaries).zip(places);
            for ((code, dictionary), place) in codes {
                *code = dictionary.add(block.cell(record, *place)?);
            }
            let number = self.combinations.add(&self.combination) as usize;
            match self.counts.get_mut(number) {
                Some(count) => *count += 1,
                None => self.counts.push(1),
            }
            Ok(())
        })?;
        let largest = self.dictionaries.iter().map(|values| values.values().len()).max();
        if self.combinations.len().max(largest.unwrap_or(0)) > MOST {
            return Err(TabularError::TooMany { most: MOST });
        }
        Ok(())
    }

    /// By column, the new code of each of its values; 0 for what it has none of.
    fn new_codes(&self, dictionaries: &[Dictionary]) -> Vec<Vec<u32>> {
        let columns = self.dictionaries.iter().zip(dictionaries);
        columns
            .map(|(old, new)| {
                let code = |value: &String| new.code(value).unwrap_or(0);
                old.values().iter().map(code).collect()
            })
            .collect()
    }
}

impl Tuples {
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

    /// How many rows or people each combination hides among: those of the population where there is one.
    #[must_use]
    pub fn crowd(&self) -> &[u64] {
        self.population.as_deref().unwrap_or(&self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, quasi: &[&str], sensitive: Option<&str>) -> Result<Tuples, TabularError> {
        let quasi: Vec<_> = quasi.iter().map(|name| (*name).to_owned()).collect();
        reading(&quasi, sensitive, 2).table(text.as_bytes())
    }

    fn reading<'n>(quasi: &'n [String], sensitive: Option<&'n str>, threads: usize) -> Reading<'n> {
        let (dialect, threads) = (Dialect { separator: b';' }, NonZero::new(threads).unwrap());
        Reading { dialect, quasi, sensitive, target: sensitive, threads }
    }

    #[test]
    fn equal_rows_are_counted() {
        let tuples =
            read("a;b;c\n2; x;p\n2;x;q\n1;\"x\";p\n2;x;p\n", &["b", "a"], Some("c")).unwrap();
        assert_eq!((tuples.rows, tuples.len()), (4, 3));
        assert_eq!(tuples.counts, [1, 2, 1]);
        assert_eq!(tuples.dictionaries[1].values(), ["1", "2"]);
        assert_eq!(tuples.sensitive.unwrap().codes, [0, 0, 1]);
        assert_eq!(tuples.target.unwrap().codes, [0, 0, 1]);
    }

    #[test]
    fn threads_change_nothing() {
        let mut text = "a;b;c\n".to_owned();
        for number in 0..400_000_u64 {
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            text.push_str(&format!("{};{};{}\n", number % 71, number % 13, number % 3));
        }
        let quasi = ["a".to_owned(), "b".to_owned()];
        let [one, four] = [1, 4]
            .map(|threads| reading(&quasi, Some("c"), threads).table(text.as_bytes()).unwrap());
        assert_eq!((&one.columns, &one.counts), (&four.columns, &four.counts));
        assert_eq!(one.dictionaries[0].values(), four.dictionaries[0].values());
        assert_eq!(one.counts.iter().sum::<u64>(), 400_000);
    }

    #[test]
    fn people_of_a_population_are_counted_beside() {
        let quasi = ["a".to_owned()];
        let people = ("x,a\n,1\n,2\n,2\n,3\n".as_bytes(), Dialect { separator: b',' });
        let reading = reading(&quasi, Some("c"), 1);
        let tuples = reading.table_and_population("a;c\n1;p\n2;q\n".as_bytes(), people).unwrap();
        assert_eq!((tuples.rows, tuples.counts.iter().sum::<u64>()), (2, 2));
        assert_eq!(tuples.crowd().iter().sum::<u64>(), 4);
        assert_eq!(tuples.dictionaries[0].values(), ["1", "2", "3"]);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let told = |text, quasi: &[&str]| read(text, quasi, None).unwrap_err().to_string();
        assert_eq!(told("a;b\n", &["a"]), "the table has no rows");
        assert!(told("a;b\n1;2\n", &["c"]).contains("\"c\": the table has a, b"));
        assert!(told("a;b\n1;2\n", &["a", "a"]).contains("more than once"));
        assert_eq!(told("a;b\n1;2\n1\n", &["a"]), "line 3 has 1 cells where the heads are 2");
    }
}
