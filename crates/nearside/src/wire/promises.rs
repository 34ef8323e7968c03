//! Holds the stages of a project to their promises: what was made is certified, or nobody reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nearside_policy::{Class, Ground, Subject};
use nearside_privacy::{listing, rules};
use nearside_run::{Gate, Job, Refused};

use super::certificates::{Certificates, Claim, against};
use super::project::Loaded;
use crate::error::CommandError;

/// The promises of a project.
#[derive(Debug)]
pub(super) struct Promises {
    certificates: Certificates,
    /// The folder that outputs are in.
    folder: PathBuf,
    /// By stage.
    promises: BTreeMap<String, Vec<Promise>>,
}

/// A promise that lowers a class.
#[derive(Clone, Debug)]
struct Promise {
    output: String,
    from: Class,
    to: Class,
}

impl Promises {
    /// Those of a project whose outputs are below a folder, with its record in another.
    pub(super) fn of(
        loaded: &Loaded,
        folder: PathBuf,
        record: PathBuf,
    ) -> Result<Self, CommandError> {
        let mut promises: BTreeMap<String, Vec<Promise>> = BTreeMap::new();
        for condition in loaded.project.conditions() {
            let stage = loaded.project.stage(&condition.stage);
            let from = stage.map_or(Class::Special, |stage| stage.reads);
            let (output, to) = (condition.output, condition.class);
            promises.entry(condition.stage).or_default().push(Promise { output, from, to });
        }
        Ok(Self { certificates: Certificates::of(loaded, record)?, folder, promises })
    }

    /// A certificate that still holds is enough; else the output is looked into, and certified.
    fn keep(&self, stage: &str, promise: &Promise) -> Result<(), Refused> {
        let Promise { output, from, to } = promise;
        let path = self.folder.join(output);
        if !path.exists() {
            // Nobody can read it: who wants to is told.
            return Ok(());
        }
        let digests = listing::digests(&path).map_err(|error| refused(promise, &error))?;
        let held = self.certificates.of_content(digests.blake3);
        let held = held.map_err(|error| said(promise, &error))?;
        if held.iter().any(|held| held.holds(&digests, *to).is_ok()) {
            return Ok(());
        }
        let examined = self.certificates.artifact(path, output).examine();
        let examined = examined.map_err(|error| refused(promise, &error))?;
        if !examined.is_clean(*to) {
            let (found, unread) = (examined.above(*to), examined.unreadable);
            let why = format!(
                "stopped at the gate: {output} is promised to be {to}, and {}",
                match (found, unread) {
                    (0, unread) => format!("{unread} contents of it cannot be judged"),
                    (1, _) => "1 thing in it is not".to_owned(),
                    (found, _) => format!("{found} things in it are not"),
                }
            );
            return Err(Refused { why, lines: against(&examined, *to) });
        }
        let claim = Claim {
            subject: Subject { name: output.clone(), digests: examined.digests },
            stage: Some(stage.to_owned()),
            from: *from,
            to: *to,
            ground: Ground::ScanClean(rules::scan()),
        };
        self.certificates.certify(claim).map(drop).map_err(|error| said(promise, &error))
    }
}

impl Gate for Promises {
    fn guards(&self, job: &Job) -> bool {
        self.promises.contains_key(&job.name)
    }

    fn pass(&self, job: &Job) -> Result<(), Refused> {
        let promises = self.promises.get(&job.name).into_iter().flatten();
        promises.into_iter().try_for_each(|promise| self.keep(&job.name, promise))
    }
}

fn refused(promise: &Promise, error: &dyn std::fmt::Display) -> Refused {
    let why = format!("stopped at the gate: {} cannot be certified: {error}", promise.output);
    Refused { why, lines: Vec::new() }
}

fn said(promise: &Promise, error: &CommandError) -> Refused {
    let messages = error.problems.iter().map(|problem| problem.message.as_str());
    let hints = error.problems.iter().filter_map(|problem| problem.hint.as_ref());
    let lines = hints.map(|hint| format!("hint: {hint}")).collect();
    Refused { lines, ..refused(promise, &messages.collect::<Vec<_>>().join("; ")) }
}
