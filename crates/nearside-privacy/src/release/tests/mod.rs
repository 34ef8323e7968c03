//! Releases with random numbers of a seed: the samplers against their exact distributions, an audit of what is spent,
//! and how far off answers are.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod accuracy;
mod audit;
mod reading;
mod samplers;
mod statistics;

use std::num::NonZeroU32;

use crate::tabular::Dialect;

use super::exact::Exact;
use super::{Answer, Categorical, Grid, Numeric, Plan, Privacy, Query, Reading, Source};

/// Rows of a person, as many as there may be.
fn reading(contributions: u32) -> Reading {
    let contributions = NonZeroU32::new(contributions).unwrap();
    Reading { dialect: Dialect { separator: b',' }, contributions, person: None }
}

fn numeric(lower: &str, upper: &str, step: &str) -> Numeric {
    let [lower, upper, step] = [lower, upper, step].map(|text| text.parse().unwrap());
    Numeric::new("x", Grid::new(lower, upper, step).unwrap())
}

fn labels(name: &str, labels: &[&str]) -> Categorical {
    Categorical::labels(name, labels.iter().map(|label| (*label).to_owned())).unwrap()
}

fn read(query: &Query, table: &str, reading: &Reading) -> Exact {
    Exact::read(query, table.as_bytes(), reading).unwrap()
}

fn pure(epsilon: f64) -> Privacy {
    Privacy::pure(epsilon).unwrap()
}

fn concentrated(rho: f64) -> Privacy {
    Privacy::concentrated(rho).unwrap()
}

/// Answers to a question about one table, over and over.
fn answers(
    query: &Query,
    (table, reading): (&str, &Reading),
    (privacy, seed, times): (Privacy, u64, usize),
) -> Vec<Answer> {
    let plan = Plan::new(query, reading, privacy).unwrap();
    let exact = read(query, table, reading);
    let mut source = Source::seeded(seed);
    (0..times).map(|_| plan.release(exact.clone(), &mut source).unwrap().answer).collect()
}
