//! Holds the stages of a project to their promises: what was made is certified, or nobody reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use nearside_ledger::{DecisionRow, DecisionWord};
use nearside_policy::{Class, Digests, Ground, Subject};
use nearside_privacy::artifact::Examined;
use nearside_privacy::{listing, rules};
use nearside_run::{Gate, Job, Refused};
use nearside_store::Fields;
use nearside_workload::{HERE, ProjectPolicy};

use super::audit;
use super::certificates::{Certificates, Claim, against};
use super::journal::moment;
use super::project::Loaded;
use crate::error::CommandError;

/// The promises of a project.
#[derive(Debug)]
pub(super) struct Promises {
    certificates: Certificates,
    /// The folder that outputs are in, and that of the record.
    folder: PathBuf,
    folder_of_record: PathBuf,
    /// Of the policy in force.
    policy: String,
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

/// What is decided about a promise, and what was found.
struct Verdict<'a> {
    word: DecisionWord,
    reason: String,
    digests: Digests,
    found: Option<&'a Examined>,
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
        let certificates = Certificates::of(loaded, record.clone())?;
        let policy = policy_digest(&loaded.project.policy);
        Ok(Self { certificates, folder, folder_of_record: record, policy, promises })
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
        if let Some(held) = held.iter().find(|held| held.holds(&digests, *to).is_ok()) {
            let reason = format!("the certificate of entry {} holds", held.entry);
            let verdict = Verdict { word: DecisionWord::Allow, reason, digests, found: None };
            return self.record(stage, promise, verdict);
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
            let lines = against(&examined, *to);
            let (word, reason, digests) = (DecisionWord::Deny, why.clone(), examined.digests);
            let verdict = Verdict { word, reason, digests, found: Some(&examined) };
            self.record(stage, promise, verdict)?;
            return Err(Refused { why, lines });
        }
        let claim = Claim {
            subject: Subject { name: output.clone(), digests: examined.digests },
            stage: Some(stage.to_owned()),
            from: *from,
            to: *to,
            ground: Ground::ScanClean(rules::scan()),
        };
        let held = self.certificates.certify(claim).map_err(|error| said(promise, &error))?;
        let reason =
            format!("a scan finds nothing above it: the certificate of entry {}", held.entry);
        let (word, digests) = (DecisionWord::Allow, examined.digests);
        let verdict = Verdict { word, reason, digests, found: Some(&examined) };
        self.record(stage, promise, verdict)
    }

    /// Records what was decided, unless it was the last that was decided about this content.
    fn record(&self, stage: &str, promise: &Promise, verdict: Verdict<'_>) -> Result<(), Refused> {
        let Verdict { word, reason, digests, found } = verdict;
        let counts = found.map(|examined| {
            let counts = examined.counts.iter().map(|(kind, count)| (kind.name(), *count));
            counts.collect::<BTreeMap<_, _>>()
        });
        let class = if word == DecisionWord::Allow { promise.to } else { promise.from };
        let row = DecisionRow {
            at: moment(SystemTime::now()),
            stage: Some(stage.to_owned()),
            path: promise.output.clone(),
            blake3: digests.blake3.to_string(),
            class: class.to_string(),
            destination: HERE.to_owned(),
            decision: word,
            reason,
            policy_digest: self.policy.clone(),
            findings_json: serde_json::to_string(&counts.unwrap_or_default()).unwrap_or_default(),
        };
        audit::decide(&self.folder_of_record, &row).map_err(|error| said(promise, &error))
    }
}

/// What tells one policy from another: what sites may hold, and where data has to stay.
fn policy_digest(policy: &ProjectPolicy) -> String {
    let lists = Class::ALL.into_iter().fold(Fields::default(), |fields, class| {
        fields.text(&format!("{class} {:?}", policy.list(class)))
    });
    let rest = format!("{:?} {:?}", policy.rules.jurisdiction, policy.sandbox);
    lists.text(&rest).digest().to_string()
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
    let hints = error.problems.iter().filter_map(|problem| problem.hint.as_ref());
    let lines = hints.map(|hint| format!("hint: {hint}")).collect();
    Refused { lines, ..refused(promise, &error.message()) }
}
