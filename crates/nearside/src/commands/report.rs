//! `nearside report`: whether a machine pays, written down in every form that people hand on; with
//! `--runbook` what whoever takes over must know.

mod runbook;

use crate::cli::{Report, Roi};
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(crate) use runbook::RunbookAnswer;

pub(super) fn run(arguments: &Report, output: &Output) -> Result<Outcome, CommandError> {
    if arguments.runbook {
        return runbook::run(arguments, output);
    }
    let file = |name: &str| Some(arguments.output.join(name));
    let question = Roi {
        paths: arguments.paths.clone(),
        set: arguments.set.clone(),
        draws: arguments.draws,
        seed: arguments.seed,
        html: file("report.html"),
        xlsx: file("report.xlsx"),
        csv: file("report.csv"),
        ..Roi::default()
    };
    super::roi::written(&question, &arguments.output.join("report.json"), output)
}
