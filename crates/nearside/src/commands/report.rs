//! `nearside report`: whether a machine pays, written down in every form that people hand on.

use crate::cli::{Report, Roi, RoiTerms};
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Report, output: &Output) -> Result<Outcome, CommandError> {
    let file = |name: &str| Some(arguments.output.join(name));
    let question = Roi {
        paths: arguments.paths.clone(),
        set: arguments.set.clone(),
        draws: arguments.draws,
        seed: arguments.seed,
        html: file("report.html"),
        xlsx: file("report.xlsx"),
        csv: file("report.csv"),
        against: Vec::new(),
        bill: Vec::new(),
        machine: None,
        recorded: false,
        terms: RoiTerms::OnDemand,
        colocate: None,
        outsource: None,
        claim: Vec::new(),
        hours: Vec::new(),
        cases: None,
        currency: "USD".to_owned(),
        rate: Vec::new(),
        template: None,
        inputs: false,
        all: false,
    };
    super::roi::written(&question, &arguments.output.join("report.json"), output)
}
