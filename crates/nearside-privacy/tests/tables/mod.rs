//! Tables made small, and Adult, for the searches to be held to.

#![allow(dead_code, reason = "each test uses a part")]

use std::fs;
use std::num::NonZero;
use std::path::Path;

use nearside_privacy::tabular::recode::{Recoding, Which};
use nearside_privacy::tabular::verify::{Verification, Verified};
use nearside_privacy::tabular::{
    Dialect, Diversity, Hierarchy, Problem, Reading, Requirement, Taxonomy, Told, Tuples,
};
use proptest::prelude::*;

pub(crate) const DIALECT: Dialect = Dialect { separator: b';' };
pub(crate) const TWO: NonZero<usize> = NonZero::<usize>::MIN.saturating_add(1);

pub(crate) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A table, read, and the hierarchies of its columns.
pub(crate) struct Made {
    pub(crate) text: String,
    pub(crate) population: Option<String>,
    pub(crate) tuples: Tuples,
    pub(crate) hierarchies: Vec<Hierarchy>,
    pub(crate) taxonomies: Vec<Taxonomy>,
    pub(crate) weights: Vec<f64>,
}

impl Made {
    pub(crate) fn new(text: String, tuples: Tuples, hierarchies: Vec<Hierarchy>) -> Self {
        let columns = tuples.dictionaries.iter().zip(&hierarchies);
        let taxonomies = columns.map(|(values, it)| Taxonomy::of(values, it)).collect();
        let weights = vec![1.0; hierarchies.len()];
        Self { text, population: None, tuples, hierarchies, taxonomies, weights }
    }

    pub(crate) fn problem(
        &self,
        requirement: Requirement,
        suppression: f64,
        threads: usize,
    ) -> Problem<'_> {
        Problem {
            tuples: &self.tuples,
            hierarchies: &self.hierarchies,
            taxonomies: &self.taxonomies,
            requirement,
            suppression,
            weights: &self.weights,
            threads: NonZero::new(threads).unwrap(),
        }
    }

    fn recoded(&self, told: &Told, text: &str, which: Which<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let recoding = Recoding { dialect: DIALECT, tuples: &self.tuples, told, threads: TWO };
        recoding.write(text.as_bytes(), &mut out, which).unwrap();
        out
    }

    /// What a table keeps that is told so.
    pub(crate) fn verified(&self, told: &Told) -> Verified {
        let sensitive = self.tuples.sensitive.as_ref().map(|sensitive| sensitive.name.as_str());
        let quasi = &self.tuples.names;
        let verification = Verification { dialect: DIALECT, quasi, sensitive, threads: TWO };
        let table = self.recoded(told, &self.text, Which::TableWithout(&[]));
        match &self.population {
            None => verification.table(table.as_slice()).unwrap(),
            Some(people) => {
                let people = self.recoded(told, people, Which::Population);
                let people = (people.as_slice(), DIALECT);
                verification.table_in_population(table.as_slice(), people).unwrap()
            }
        }
    }
}

/// A small table: an age, a code, a colour, an illness by name or, in half of the tables, by number.
pub(crate) fn table(rows: &[(u8, u8, u8, u8)]) -> Made {
    made(rows, None)
}

/// As [`table`], of some people of a population.
pub(crate) fn table_of(rows: &[(u8, u8, u8, u8)], people: &[(u8, u8, u8, u8)]) -> Made {
    made(rows, Some(people))
}

fn text_of(rows: &[(u8, u8, u8, u8)]) -> String {
    let mut text = "age;zip;colour;ill\n".to_owned();
    let mark = if rows.first().is_some_and(|row| row.0 % 2 == 0) { "" } else { "i" };
    for (age, zip, colour, ill) in rows {
        let area = char::from(b'a' + zip / 4 % 3);
        text.push_str(&format!("{};{area}{};c{colour};{mark}{ill}\n", age % 40, zip % 4));
    }
    text
}

fn made(rows: &[(u8, u8, u8, u8)], people: Option<&[(u8, u8, u8, u8)]>) -> Made {
    let (text, population) = (text_of(rows), people.map(text_of));
    let quasi = names(&["age", "zip", "colour"]);
    let sensitive = Some("ill");
    let reading =
        Reading { dialect: DIALECT, quasi: &quasi, sensitive, target: None, threads: TWO };
    let tuples = match &population {
        None => reading.table(text.as_bytes()).unwrap(),
        Some(people) => {
            reading.table_and_population(text.as_bytes(), (people.as_bytes(), DIALECT)).unwrap()
        }
    };
    let ages: String =
        (0..40).map(|age| format!("{age};{}-;{}+;*\n", age / 5 * 5, age / 20 * 20)).collect();
    let zips: String = (0..3)
        .flat_map(|first| (0..4).map(move |second| (char::from(b'a' + first), second)))
        .map(|(first, second)| format!("{first}{second};{first}_;*\n"))
        .collect();
    let hierarchies = vec![
        Hierarchy::read(ages.as_bytes(), b';', "age", &tuples.dictionaries[0]).unwrap(),
        Hierarchy::read(zips.as_bytes(), b';', "zip", &tuples.dictionaries[1]).unwrap(),
        Hierarchy::of_values(&tuples.dictionaries[2]),
    ];
    Made { population, ..Made::new(text, tuples, hierarchies) }
}

/// Rows, of which one value may stand in all of a column, and one row may be unlike any other.
pub(crate) fn rows(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(u8, u8, u8, u8)>> {
    let row = (any::<u8>(), any::<u8>(), 0_u8..3, 0_u8..4);
    let planted = (any::<bool>(), any::<bool>());
    (prop::collection::vec(row, count), planted).prop_map(|(mut rows, (constant, odd))| {
        if constant {
            rows.iter_mut().for_each(|row| row.2 = 0);
        }
        if odd {
            rows.push((39, 11, 9, 9));
        }
        rows
    })
}

pub(crate) fn requirements() -> impl Strategy<Value = Requirement> {
    let diversity = prop_oneof![
        3 => Just(None),
        1 => (1_u64..4).prop_map(|l| Some(Diversity::Distinct(l))),
        1 => (1.0..3.0).prop_map(|l| Some(Diversity::Entropy(l))),
        1 => (0.5..3.0, 1_u64..4).prop_map(|(c, l)| Some(Diversity::Recursive { c, l })),
    ];
    let closeness = prop_oneof![2 => Just(None), 1 => (0.05..0.9).prop_map(Some)];
    (1_u64..8, diversity, closeness).prop_map(|(k, diversity, closeness)| Requirement {
        k,
        diversity,
        closeness,
    })
}

/// The quasi-identifiers of Adult.
pub(crate) const ADULT: [&str; 8] = [
    "sex",
    "age",
    "race",
    "marital-status",
    "education",
    "native-country",
    "workclass",
    "occupation",
];

/// The rows of Adult, nothing where it is not there.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
pub(crate) fn adult() -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/adult");
    let text = fs::read_to_string(folder.join("adult.csv")).ok();
    if text.is_none() {
        let folder = folder.display();
        eprintln!("SKIPPED: {folder} is not there; it holds Adult and ARX's hierarchies");
    }
    text
}

/// A table of rows like Adult's, with ARX's hierarchies.
pub(crate) fn like_adult(text: String) -> Made {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/adult");
    let quasi = names(&ADULT);
    let target = Some("salary-class");
    let reading =
        Reading { dialect: DIALECT, quasi: &quasi, sensitive: None, target, threads: TWO };
    let tuples = reading.table(text.as_bytes()).unwrap();
    let hierarchies = quasi.iter().zip(&tuples.dictionaries).map(|(name, values)| {
        let text = fs::read(folder.join(format!("adult_hierarchy_{name}.csv"))).unwrap();
        Hierarchy::read(&text, b';', name, values).unwrap()
    });
    let hierarchies = hierarchies.collect();
    Made::new(text, tuples, hierarchies)
}
