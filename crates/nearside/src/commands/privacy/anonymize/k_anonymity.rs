//! `nearside privacy anonymize --k`: rows of a table that hide among others, searched, written, read again.

mod answer;
mod columns;
mod page;
mod text;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _};
use std::time::Instant;

use nearside_privacy::tabular::auc::auc;
use nearside_privacy::tabular::lattice::Solution;
use nearside_privacy::tabular::recode::{Recoding, Which};
use nearside_privacy::tabular::verify::{Verification, Verified};
use nearside_privacy::tabular::{
    Problem, Reading, Requirement, TabularError, Taxonomy, Told, Tuples,
};

pub(crate) use answer::KAnonymityAnswer;

use super::super::output_path::Ends;
use super::super::table::{Left, Table, failed, scratch, threads};
use super::report;
use crate::cli::{Anonymize, Hiding, Method, Required};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::document::{Document, put};
use crate::output::{Outcome, Output};
use answer::Found;
use columns::{hierarchies, weights};

pub(super) fn run(
    arguments: &Anonymize,
    requirement: Requirement,
    ends: Ends<'_>,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let started = Instant::now();
    let hiding = &arguments.hiding;
    let source = Source::open(arguments, &ends)?;
    output.progress(&format!("reading {}", arguments.input.display()));
    let tuples = source.tuples(hiding)?;
    let hierarchies = hierarchies(hiding, &tuples)?;
    let columns = tuples.dictionaries.iter().zip(&hierarchies);
    let taxonomies: Vec<Taxonomy> = columns.map(|(values, it)| Taxonomy::of(values, it)).collect();
    let weights = weights(hiding)?;
    output.progress(&format!("{} combinations of quasi-identifiers: searching", tuples.len()));
    let problem = Problem {
        tuples: &tuples,
        hierarchies: &hierarchies,
        taxonomies: &taxonomies,
        requirement,
        suppression: hiding.suppress,
        weights: &weights,
        threads: threads(),
    };
    let (chosen, other) = choose(&problem, hiding.method).map_err(failed)?;
    output.progress("writing, and reading again");
    let (mut written, verified) = source.write(arguments, &tuples, chosen.told(), &ends)?;
    if !verified.keeps(&requirement) {
        let message = format!("the result does not keep {requirement}: {verified:?}");
        return Err(CommandError::new(Fault::Bug, message));
    }
    let left = Left::beside(&tuples.names, &mut written, arguments.class)
        .map_err(|error| failed(error.into()))?;
    let auc = auc(&tuples, &taxonomies, chosen.told()).map_err(failed)?;
    let found = Found { problem: &problem, chosen: &chosen, other: other.as_ref(), auc };
    let answer = KAnonymityAnswer::of(arguments, found, (&verified, left), started.elapsed());
    again(&mut written)?;
    match ends.target() {
        _ if ends.dry_run => {}
        None => output.copy(&mut written)?,
        Some(target) => {
            let mut document = Document::new(target)?;
            document.add(|mut to| io::copy(&mut written, &mut to).map(|_| ()))?;
            document.finish_quietly()?;
        }
    }
    report::tell(ends, &answer, output);
    if let Some(file) = &hiding.html {
        let name = arguments.input.file_name().unwrap_or(arguments.input.as_os_str());
        let name = name.to_string_lossy();
        put(file, page::of(&answer, &name, environment::today()).as_bytes(), output)?;
    }
    Ok(if answer.is_clean() { Outcome::Done } else { Outcome::Negative })
}

fn again(file: &mut File) -> Result<(), CommandError> {
    file.rewind().map_err(|error| failed(error.into()))
}

/// What a search chose.
enum Chosen {
    Lattice(Solution),
    Mondrian(Told),
}

impl Chosen {
    const fn told(&self) -> &Told {
        match self {
            Self::Lattice(solution) => &solution.told,
            Self::Mondrian(told) => told,
        }
    }
}

/// Combinations up to which it is also said what neighbours would make of them: of more that takes long.
const MOST_FOR_OTHER: usize = 500_000;

/// What the method that was asked for finds; beside one level for each column, what neighbours would make of it.
fn choose(problem: &Problem<'_>, method: Method) -> Result<(Chosen, Option<Told>), TabularError> {
    Ok(match method {
        Method::Mondrian => (Chosen::Mondrian(problem.mondrian()?), None),
        Method::Lattice => {
            let few = problem.tuples.len() <= MOST_FOR_OTHER;
            let other = few.then(|| problem.mondrian().ok()).flatten();
            (Chosen::Lattice(problem.lattice()?), other)
        }
    })
}

/// The table, and the population in which its rows are to hide.
struct Source {
    table: Table,
    population: Option<Table>,
}

impl Source {
    fn open(arguments: &Anonymize, ends: &Ends<'_>) -> Result<Self, CommandError> {
        let table = Table::open(&arguments.input, &ends.scratch())?;
        let population = arguments.hiding.population.as_deref();
        let population = population.map(|path| Table::open(path, &ends.scratch())).transpose()?;
        Ok(Self { table, population })
    }

    fn tuples(&self, hiding: &Hiding) -> Result<Tuples, CommandError> {
        let Required { quasi, sensitive, .. } = &hiding.required;
        let (sensitive, target) = (sensitive.as_deref(), hiding.target.as_deref());
        let twice = quasi.iter().find(|name| [sensitive, target].contains(&Some(name.as_str())));
        if let Some(name) = twice {
            return Err(failed(TabularError::Twice(name.clone())));
        }
        let dialect = self.table.dialect;
        let reading = Reading { dialect, quasi, sensitive, target, threads: threads() };
        let tuples = match &self.population {
            None => reading.table(self.table.reader()?),
            Some(population) => {
                let people = (population.reader()?, population.dialect);
                reading.table_and_population(self.table.reader()?, people)
            }
        };
        tuples.map_err(failed)
    }

    /// Writes the table as it is told, and reads it again for what it keeps.
    fn write(
        &self,
        arguments: &Anonymize,
        tuples: &Tuples,
        told: &Told,
        ends: &Ends<'_>,
    ) -> Result<(File, Verified), CommandError> {
        let written = |table: &Table, which: Which<'_>| -> Result<File, CommandError> {
            let mut file = scratch(&ends.scratch())?;
            let recoding = Recoding { dialect: table.dialect, tuples, told, threads: threads() };
            recoding.write(table.reader()?, BufWriter::new(&mut file), which).map_err(failed)?;
            again(&mut file)?;
            Ok(file)
        };
        let dropped = arguments.drop_column.as_slice();
        let mut table = written(&self.table, Which::TableWithout(dropped))?;
        let Required { quasi, sensitive, .. } = &arguments.hiding.required;
        let dialect = self.table.dialect;
        let sensitive = sensitive.as_deref();
        let verification = Verification { dialect, quasi, sensitive, threads: threads() };
        let verified = match &self.population {
            None => verification.table(BufReader::new(&mut table)),
            Some(population) => {
                let people = written(population, Which::Population)?;
                let people = (BufReader::new(people), population.dialect);
                verification.table_in_population(BufReader::new(&mut table), people)
            }
        };
        let verified = verified.map_err(failed)?;
        again(&mut table)?;
        Ok((table, verified))
    }
}
