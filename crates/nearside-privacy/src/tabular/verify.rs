//! What a table keeps, told from the table alone. With what made it it shares how rows are read (`blocks.rs`, which is
//! held to the `csv` library), and nothing else.

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZero;

use super::TabularError;
use super::blocks::{self, Blocks, Dialect};
use super::requirement::{Diversity, Requirement};

/// What a table keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Its rows.
    pub rows: u64,
    /// Classes of rows whose quasi-identifiers are equal.
    pub classes: u64,
    /// The rows of the smallest class, or of a population the fewest that a class is among; 0 where there is none.
    pub k: u64,
    /// The chance to recognise a row by its quasi-identifiers: the mean over all rows of one over the rows of their
    /// class, or over those of a population that it is among; 0 where there are no rows.
    pub risk: f64,
    /// What its sensitive column keeps, where one was named.
    pub sensitive: Option<Kept>,
    /// The sum of the squares of the classes' sizes.
    pub squares: u128,
}

/// What a sensitive column keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The fewest different values of a class.
    pub distinct: u64,
    /// The least exponential of the entropy of a class's values.
    pub entropy: f64,
    /// The largest distance of a class's distribution from the table's, from 0 to 1: the earth mover's,
    /// with ordered distances where all values are numbers, else with equal ones.
    pub distance: f64,
    /// Counts of each class's values, most frequent first, each sort of class once.
    counts: Vec<Vec<u64>>,
}

/// What is to be verified of a table.
#[derive(Clone, Copy, Debug)]
pub struct Verification<'n> {
    /// How it is written.
    pub dialect: Dialect,
    /// Its quasi-identifiers.
    pub quasi: &'n [String],
    /// Its sensitive column.
    pub sensitive: Option<&'n str>,
    /// Threads that read.
    pub threads: NonZero<usize>,
}

/// Rows of each sensitive value, by the cells of the quasi-identifiers.
type Classes = BTreeMap<Vec<u8>, BTreeMap<String, u64>>;

impl Verification<'_> {
    /// Reads a table with a row of heads and tells what it keeps.
    ///
    /// # Errors
    /// When it cannot be read or a column is missing.
    pub fn table(&self, text: impl Read + Send) -> Result<Verified, TabularError> {
        let classes = self.classes(text)?;
        let size = |class: &BTreeMap<String, u64>| class.values().sum::<u64>();
        let crowds = classes.values().map(|class| (size(class), size(class))).collect();
        Ok(self.verified(&classes, crowds))
    }

    /// As [`Self::table`], but `k` is of a population that is told alike: the fewest of its rows that have the
    /// quasi-identifiers of a row of the table.
    ///
    /// # Errors
    /// As [`Self::table`], of either.
    pub fn table_in_population(
        &self,
        text: impl Read + Send,
        (population, dialect): (impl Read + Send, Dialect),
    ) -> Result<Verified, TabularError> {
        let classes = self.classes(text)?;
        let people = Self { sensitive: None, dialect, ..*self }.classes(population)?;
        let size = |class: &BTreeMap<String, u64>| class.values().sum::<u64>();
        let crowds =
            classes.iter().map(|(key, class)| (size(class), people.get(key).map_or(0, size)));
        let crowds = crowds.collect();
        Ok(self.verified(&classes, crowds))
    }

    /// `crowds` are the rows of each class, and how many they hide among.
    fn verified(&self, classes: &Classes, crowds: Vec<(u64, u64)>) -> Verified {
        let sizes = || crowds.iter().map(|(size, _)| *size);
        let rows: u64 = sizes().sum();
        let risk: f64 = crowds.iter().map(|(size, crowd)| *size as f64 / *crowd as f64).sum();
        Verified {
            rows,
            classes: classes.len() as u64,
            k: crowds.iter().map(|(_, crowd)| *crowd).min().unwrap_or(0),
            risk: if rows > 0 { risk / rows as f64 } else { 0.0 },
            sensitive: self.sensitive.map(|_| kept(classes)),
            squares: sizes().map(|size| u128::from(size).pow(2)).sum(),
        }
    }

    fn classes(&self, text: impl Read + Send) -> Result<Classes, TabularError> {
        let (blocks, heads) = Blocks::open(text, self.dialect)?;
        let at = heads.places(self.quasi)?;
        let sensitive = self.sensitive.map(|name| heads.places([&name.to_owned()])).transpose()?;
        let sensitive = sensitive.and_then(|places| places.first().copied());
        let parts = blocks::work(blocks, self.threads, Classes::new, |classes, block| {
            let mut class = Vec::new();
            block.rows(|record| {
                class.clear();
                for at in &at {
                    // No cell has the byte between cells: it is none of UTF-8.
                    class.extend_from_slice(block.cell(record, *at)?.as_bytes());
                    class.push(0xff);
                }
                let value = sensitive.map(|at| block.cell(record, at)).transpose()?.unwrap_or("");
                add(classes, &class, value, 1);
                Ok(())
            })
        })?;
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        for (class, values) in parts.flatten() {
            values.iter().for_each(|(value, rows)| add(&mut all, &class, value, *rows));
        }
        Ok(all)
    }
}

fn add(classes: &mut Classes, class: &[u8], value: &str, rows: u64) {
    let values = match classes.get_mut(class) {
        Some(values) => values,
        None => classes.entry(class.to_owned()).or_default(),
    };
    match values.get_mut(value) {
        Some(count) => *count += rows,
        None => _ = values.insert(value.to_owned(), rows),
    }
}

fn kept(classes: &Classes) -> Kept {
    let mut table: BTreeMap<&String, u64> = BTreeMap::new();
    for (value, count) in classes.values().flatten() {
        *table.entry(value).or_default() += count;
    }
    let rows: u64 = table.values().sum();
    let number = |value: &str| value.parse::<f64>().ok().filter(|number| number.is_finite());
    let numbers = table.keys().all(|value| number(value).is_some());
    let mut ordered: Vec<(&String, u64)> =
        table.iter().map(|(value, count)| (*value, *count)).collect();
    if numbers {
        let key = |value: &str| number(value).unwrap_or(0.0);
        ordered.sort_by(|one, other| key(one.0).total_cmp(&key(other.0)));
    }
    let mut kept =
        Kept { distinct: u64::MAX, entropy: f64::INFINITY, distance: 0.0, counts: Vec::new() };
    for class in classes.values() {
        let size: u64 = class.values().sum();
        let of = |count: u64, all: u64| count as f64 / all as f64;
        let entropy: f64 =
            class.values().map(|count| of(*count, size)).map(|part| -part * part.ln()).sum();
        let mut moved = 0.0;
        let (mut away, mut past) = (0.0, 0.0);
        for (value, all) in &ordered {
            let apart = of(class.get(*value).copied().unwrap_or(0), size) - of(*all, rows);
            moved += apart;
            past += f64::abs(moved);
            away += apart.abs();
        }
        let away = match numbers {
            true if ordered.len() > 1 => 2.0 * past / (ordered.len() - 1) as f64,
            _ => away,
        };
        kept.distinct = kept.distinct.min(class.len() as u64);
        kept.entropy = kept.entropy.min(entropy.exp());
        kept.distance = kept.distance.max(away / 2.0);
        let mut counts: Vec<u64> = class.values().copied().collect();
        counts.sort_unstable();
        counts.reverse();
        kept.counts.push(counts);
    }
    kept.counts.sort_unstable();
    kept.counts.dedup();
    if classes.is_empty() {
        (kept.distinct, kept.entropy) = (0, 0.0);
    }
    kept
}

impl Verified {
    /// Whether it keeps a requirement; a table without rows keeps every one.
    #[must_use]
    pub fn keeps(&self, requirement: &Requirement) -> bool {
        let Requirement { k, diversity, closeness } = *requirement;
        let values = |keeps: &dyn Fn(&Kept) -> bool| self.sensitive.as_ref().is_some_and(keeps);
        let diverse = match diversity {
            None => true,
            Some(Diversity::Distinct(l)) => values(&|kept| kept.distinct >= l),
            Some(Diversity::Entropy(l)) => values(&|kept| kept.entropy >= l - 1e-9),
            Some(Diversity::Recursive { c, l }) => values(&|kept| {
                kept.counts.iter().all(|counts| {
                    let rest: u64 = counts.iter().skip(l as usize - 1).sum();
                    counts.first().is_some_and(|first| (*first as f64) < c * rest as f64)
                })
            }),
        };
        let close = closeness.is_none_or(|t| values(&|kept| kept.distance <= t + 1e-9));
        self.rows == 0 || (self.k >= k && diverse && close)
    }
}
