//! `nearside privacy anonymize --k`: rows of a table that hide among others, searched, written, read again.

mod answer;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Seek as _};
use std::path::{Path, PathBuf};

use nearside_privacy::scan;
use nearside_privacy::tabular::derive::derived;
use nearside_privacy::tabular::lattice::Search;
use nearside_privacy::tabular::recode::{Recoding, recode};
use nearside_privacy::tabular::verify::verify;
use nearside_privacy::tabular::{Hierarchy, Requirement, TabularError, Tuples};

pub(crate) use answer::KAnonymityAnswer;

use super::super::output_path::Ends;
use super::super::table::{Table, failed, scratch};
use super::report;
use crate::cli::{Anonymize, Hiding, Required};
use crate::error::{CommandError, Fault};
use crate::output::document::Document;
use crate::output::{Outcome, Output};
use answer::{Found, Left};

pub(super) fn run(
    arguments: &Anonymize,
    requirement: Requirement,
    ends: Ends<'_>,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let Hiding { suppress, required: Required { quasi, sensitive, .. }, .. } = &arguments.hiding;
    let table = Table::open(&arguments.input, &ends.scratch())?;
    let sensitive = sensitive.as_deref();
    if let Some(name) = sensitive.filter(|name| quasi.iter().any(|other| other == name)) {
        return Err(failed(TabularError::Twice(name.to_owned())));
    }
    let started = std::time::Instant::now();
    output.progress(&format!("reading {}", arguments.input.display()));
    let tuples = Tuples::read(table.reader()?, table.dialect, quasi, sensitive).map_err(failed)?;
    let hierarchies = hierarchies(&arguments.hiding, &tuples)?;
    let weights = weights(&arguments.hiding)?;
    output.progress(&format!("{} combinations of quasi-identifiers: searching", tuples.len()));
    let search = Search {
        tuples: &tuples,
        hierarchies: &hierarchies,
        requirement,
        suppression: *suppress,
        weights: &weights,
        threads: scan::Options::default().threads,
    };
    let solution = search.run().map_err(failed)?;
    let mut written = scratch(&ends.scratch())?;
    let dropped = arguments.drop_column.as_slice();
    let recoding =
        Recoding { tuples: &tuples, hierarchies: &hierarchies, solution: &solution, dropped };
    recode(table.reader()?, BufWriter::new(&mut written), table.dialect, &recoding)
        .map_err(failed)?;
    let again = |file: &mut File| file.rewind().map_err(|error| failed(error.into()));
    again(&mut written)?;
    let verified =
        verify(BufReader::new(&mut written), table.dialect, quasi, sensitive).map_err(failed)?;
    if !verified.keeps(&requirement) {
        let message = format!("the result does not keep {requirement}: {verified:?}");
        return Err(CommandError::new(Fault::Bug, message));
    }
    again(&mut written)?;
    let left = Left::of(&mut written, arguments.class).map_err(|error| failed(error.into()))?;
    let found = Found { tuples: &tuples, hierarchies: &hierarchies, solution: &solution };
    let answer =
        KAnonymityAnswer::of(arguments, requirement, found, (&verified, left), started.elapsed());
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
    Ok(if answer.is_clean() { Outcome::Done } else { Outcome::Negative })
}

/// The hierarchies of the quasi-identifiers: of files where there are some, else of the values.
fn hierarchies(hiding: &Hiding, tuples: &Tuples) -> Result<Vec<Hierarchy>, CommandError> {
    let files = hiding.hierarchies.as_deref().map(listed).transpose()?.unwrap_or_default();
    let columns = tuples.names.iter().zip(&tuples.dictionaries);
    columns
        .map(|(name, values)| match files.iter().find(|file| is_of(file, name)) {
            None => derived(name, values).map_err(failed),
            Some(file) => {
                let text = fs::read(file).map_err(|error| {
                    let message = format!("cannot read {}: {error}", file.display());
                    CommandError::new(Fault::Input, message)
                })?;
                let separator = if text.contains(&b';') { b';' } else { b',' };
                Hierarchy::read(&text, separator, name, values).map_err(failed)
            }
        })
        .collect()
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let unreadable = |error: io::Error| {
        let message = format!("cannot read {}: {error}", folder.display());
        CommandError::new(Fault::Input, message)
    };
    let entries = fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut files = entries.map_err(unreadable)?;
    files.sort();
    Ok(files)
}

/// Whether a file is named after a column: `age.csv`, `adult_hierarchy_age.csv`.
fn is_of(file: &Path, column: &str) -> bool {
    let extension = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let before = stem.strip_suffix(column);
    extension && before.is_some_and(|before| before.is_empty() || before.ends_with(['_', '-']))
}

fn weights(hiding: &Hiding) -> Result<Vec<f64>, CommandError> {
    let stray = hiding.weight.iter().find(|(column, _)| !hiding.required.quasi.contains(column));
    if let Some((column, _)) = stray {
        let message = format!("--weight names {column:?}, which --quasi does not");
        return Err(CommandError::new(Fault::Usage, message));
    }
    let of = |name: &String| hiding.weight.iter().rev().find(|(column, _)| column == name);
    Ok(hiding
        .required
        .quasi
        .iter()
        .map(|name| of(name).map_or(1.0, |(_, weight)| *weight))
        .collect())
}
