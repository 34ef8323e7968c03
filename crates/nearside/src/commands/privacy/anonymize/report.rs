//! What is said of a changed copy: the answer where stdout is free, beside a result on stdout a hint.

use serde::Serialize;

use super::super::output_path::{self, Ends};
use crate::environment;
use crate::output::{Answer, Form, Output};

/// What is said of a changed copy.
pub(super) trait Report: Serialize {
    /// The name and version of its schema.
    const SCHEMA: &'static str;

    /// All of it, for people.
    fn text(&self) -> String;

    /// One line of it.
    fn summary(&self) -> String;

    /// What to beware of.
    fn warnings(&self) -> Vec<String>;
}

/// Says it, in the form that is asked for.
pub(super) fn tell<R: Report>(ends: Ends<'_>, report: &R, output: &Output) {
    let warnings = report.warnings();
    if output.form == Form::Json {
        let answer = Answer { schema: R::SCHEMA, data: report, warnings: &warnings, sources: &[] };
        return output.json(&answer, environment::today());
    }
    match ends.dry_run || ends.target().is_some() {
        true => output.text(&report.text()),
        false => output.hint(&report.summary()),
    }
    for warning in &warnings {
        output.warning(warning);
    }
    if let Some(target) = ends.target().filter(|_| !ends.dry_run) {
        output_path::written(target, output);
    }
}
