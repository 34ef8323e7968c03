//! Solves one problem read from a file, for cost alone; `bench/skypilot.py` compares the answer.
//!
//! `cargo run --release -p nearside-plan --example solve -- FILE`
//!
//! One fact per line, names without spaces; empty lines and those that begin with `#` are skipped:
//!
//! ```text
//! locations COUNT
//! route     FROM TO COST          locations; micros per 10^9 bytes; free where not listed
//! stage     NAME                  the choices that follow are its own
//! choice    SITE LOCATION COST    micros
//! edge      FROM TO BYTES         positions of stages
//! ```
//!
//! Printed: the objective in micros, its proof, the position of every stage's choice, and the
//! microseconds that [`place`] took, reasons and runners-up included.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its answer")]

use std::error::Error;
use std::num::ParseIntError;
use std::process::ExitCode;
use std::time::Instant;

use nearside_plan::*;
use nearside_units::{Bytes, Known};

/// The most locations that are taken: their routes are a dense table.
const LOCATIONS: usize = 4_096;

/// Why a file is not a problem.
#[derive(Debug, thiserror::Error)]
enum Mistake {
    #[error("line {line}: {what}")]
    Line { line: usize, what: Fault },
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

/// What is wrong with one line.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no such fact, or not the right number of words after it")]
    Unknown,
    #[error("{word:?} is not a whole number: {source}")]
    Number { word: String, source: ParseIntError },
    #[error("a choice before the first stage")]
    Homeless,
    #[error("location {0} does not exist")]
    Location(usize),
    #[error("more than {LOCATIONS} locations")]
    TooMany,
}

/// A problem as it is being read.
#[derive(Default)]
struct Reading {
    locations: usize,
    table: Vec<Route>,
    stages: Vec<Stage>,
    edges: Vec<Edge>,
}

fn number<T: std::str::FromStr<Err = ParseIntError>>(word: &str) -> Result<T, Fault> {
    word.parse().map_err(|source| Fault::Number { word: word.to_owned(), source })
}

/// A route that costs money only.
const fn route(cost: u64) -> Route {
    Route::Open(Rates {
        cost_per_gb: Known::Value(Micros::new(cost)),
        carbon_per_gb: Known::Value(Milligrams::ZERO),
        time_per_gb: Known::Value(Milliseconds::ZERO),
        latency: Milliseconds::ZERO,
    })
}

impl Reading {
    fn take(&mut self, line: &str) -> Result<(), Fault> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["locations", count] => self.make_room(number(count)?)?,
            ["route", from, to, cost] => {
                let (from, to) = (self.location(from)?, self.location(to)?);
                self.table[from * self.locations + to] = route(number(cost)?);
            }
            ["stage", name] => {
                self.stages.push(Stage { name: (*name).to_owned(), choices: vec![] });
            }
            ["choice", site, location, cost] => {
                let choice = Choice {
                    site: (*site).to_owned(),
                    location: LocationId(self.location(location)?),
                    machine: None,
                    figures: Figures::known(number(cost)?, 0, 0),
                    obstacles: vec![],
                };
                self.stages.last_mut().ok_or(Fault::Homeless)?.choices.push(choice);
            }
            ["edge", from, to, bytes] => {
                let bytes = Bytes::new(number(bytes)?);
                let (from, to) = (number(from)?, number(to)?);
                self.edges.push(Edge { from, to, pass: bytes, monthly: bytes });
            }
            _ => return Err(Fault::Unknown),
        }
        Ok(())
    }

    fn make_room(&mut self, count: usize) -> Result<(), Fault> {
        if count > LOCATIONS {
            return Err(Fault::TooMany);
        }
        self.locations = count;
        self.table = vec![route(0); count * count];
        Ok(())
    }

    fn location(&self, word: &str) -> Result<usize, Fault> {
        let location = number(word)?;
        match location < self.locations {
            true => Ok(location),
            false => Err(Fault::Location(location)),
        }
    }
}

fn read(text: &str) -> Result<Problem, Mistake> {
    let mut reading = Reading::default();
    for (index, line) in text.lines().enumerate() {
        reading.take(line).map_err(|what| Mistake::Line { line: index + 1, what })?;
    }
    let Reading { locations, table, stages, edges } = reading;
    let routes = Routes::new(locations, table)?;
    Ok(Problem { stages, edges, routes, limits: Limits::default(), objective: Objective::Cost })
}

fn main() -> ExitCode {
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn answer() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("which file? Usage: solve FILE")?;
    let problem = read(&std::fs::read_to_string(path)?)?;
    let start = Instant::now();
    let outcome = place(&problem)?;
    let elapsed = start.elapsed();
    let Outcome::Placed(plan) = outcome else {
        return Err("no plan keeps to the limits".into());
    };
    let choices: Vec<String> = plan.choices().iter().map(ToString::to_string).collect();
    println!("objective {}", plan.totals.cost.total.get());
    println!("proof {:?}", plan.proof);
    println!("choices {}", choices.join(" "));
    println!("microseconds {:.1}", elapsed.as_secs_f64() * 1e6);
    Ok(())
}
