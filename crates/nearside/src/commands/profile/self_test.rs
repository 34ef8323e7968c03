//! `nearside profile --self-test`: the verdict on programs whose bottleneck is known.

use nearside_probe::self_test::{Program, Trials, Tried, try_one};
use nearside_probe::verdict::Confidence;

use crate::cli::Profile;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Outcome, Output, table};

pub(super) fn run(
    names: &[String],
    arguments: &Profile,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let programs = programs(names)?;
    let executable = std::env::current_exe().map_err(|error| {
        CommandError::new(Fault::World, format!("cannot find the running program: {error}"))
    })?;
    let folder = std::path::absolute(&arguments.folder).map_err(|error| {
        CommandError::new(Fault::Input, format!("{}: {error}", arguments.folder.display()))
    })?;
    let (seconds, hogs) = (arguments.seconds, arguments.hogs);
    let trials = Trials { executable: &executable, folder: &folder, seconds, hogs };
    let mut tried = Vec::new();
    for program in programs {
        output.progress(&format!("{program} for {seconds} s"));
        tried.push(try_one(program, &trials));
    }
    output.text(&table(
        &[
            ("program", Align::Left),
            ("held back by", Align::Left),
            ("found", Align::Left),
            ("confidence", Align::Left),
            ("judged", Align::Left),
            ("because", Align::Left),
        ],
        tried.iter().map(row).collect(),
    ));
    let is_wrong = |tried: &Tried| is_wrong(tried, hogs);
    Ok(if tried.iter().any(is_wrong) { Outcome::Negative } else { Outcome::Done })
}

fn programs(names: &[String]) -> Result<Vec<Program>, CommandError> {
    if names.is_empty() {
        return Ok(Program::ALL.to_vec());
    }
    let named = |name: &String| {
        Program::named(name).ok_or_else(|| {
            let all: Vec<_> = Program::ALL.into_iter().map(Program::key).collect();
            CommandError::new(Fault::Usage, format!("there is no program \"{name}\""))
                .hint(format!("the programs are {}", all.join(", ")))
        })
    };
    names.iter().map(named).collect()
}

/// With the machine to itself every verdict has to be right; beside others, the sure ones.
fn is_wrong(tried: &Tried, hogs: usize) -> bool {
    let Ok(verdict) = &tried.verdict else { return false };
    let is_sure = hogs == 0 || verdict.confidence == Confidence::High;
    verdict.bottleneck != tried.truth && is_sure
}

fn row(tried: &Tried) -> Vec<String> {
    let mut cells = vec![tried.program.to_string(), tried.truth.key().to_owned()];
    cells.extend(match &tried.verdict {
        Ok(verdict) => {
            let is_right = verdict.bottleneck == tried.truth;
            [
                verdict.bottleneck.key().to_owned(),
                verdict.confidence.to_string(),
                if is_right { "right" } else { "WRONG" }.to_owned(),
                verdict.because.join("; "),
            ]
        }
        Err(why) => ["-".to_owned(), "-".to_owned(), "skipped".to_owned(), why.clone()],
    });
    cells
}
