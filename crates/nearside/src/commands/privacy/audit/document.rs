//! Documents made of facts: what the project file says, what is recorded, what a scan finds in the project's
//! data. What nobody stated is said to be so, and no document says that a law is kept.

mod gdpr;
mod identifiers;

use std::collections::{BTreeMap, BTreeSet};

use nearside_ledger::{
    CertificateRow, DecisionRow, ErasureEvent, ErasureRow, MovementRow, ProjectLedger, Recorded,
};
use nearside_privacy::artifact::Examined;
use nearside_workload::{HERE, ProcessingRecord};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::{AuditDocument, DocumentName};
use crate::environment;
use crate::error::CommandError;
use crate::output::{Form, Outcome, Output};
use crate::wire;
use crate::wire::certificates::{Certificates, closed};
use crate::wire::journal;
use crate::wire::project::Loaded;

/// The answer of `nearside privacy audit document`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AuditDocumentAnswer {
    /// Which document.
    document: &'static str,
    /// What it is called.
    title: String,
    /// Where what it has to hold is written down.
    source: &'static str,
    /// Its parts.
    sections: Vec<Section>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Section {
    /// What it is called.
    title: String,
    /// What was found, in words: `found`, `not found`, `cannot tell` or `stated`, `not stated`, `recorded`.
    finding: Option<&'static str>,
    /// What there is to say, a line each.
    lines: Vec<String>,
}

impl Section {
    fn new(title: &str, lines: Vec<String>) -> Self {
        Self { title: title.to_owned(), finding: None, lines }
    }

    /// What a person has to state, and where.
    fn stated(title: &str, stated: &[String], key: &str) -> Self {
        match stated {
            [] => Self {
                title: title.to_owned(),
                finding: Some("not stated"),
                lines: vec![format!("not stated: write policy.record.{key} into nearside.toml")],
            },
            lines => {
                Self { title: title.to_owned(), finding: Some("stated"), lines: lines.to_vec() }
            }
        }
    }
}

/// What was looked at, by what the project calls it, and what was not there.
#[derive(Default)]
struct Scanned {
    found: BTreeMap<String, Examined>,
    missing: BTreeSet<String>,
}

impl Scanned {
    /// Why what was not found may be there all the same.
    fn unseen(&self) -> Vec<String> {
        let unreadable: u64 = self.found.values().map(|examined| examined.unreadable).sum();
        let mut why = Vec::new();
        if unreadable > 0 {
            why.push(format!("{unreadable} contents could not be judged"));
        }
        if !self.missing.is_empty() {
            let names = self.missing.iter().cloned().collect::<Vec<_>>().join(", ");
            why.push(format!("not there, and not looked at: {names}"));
        }
        if self.found.is_empty() {
            why.push("nothing was looked at".to_owned());
        }
        why
    }
}

/// What is known of a project.
struct Facts {
    loaded: Loaded,
    movements: Vec<MovementRow>,
    decisions: Vec<DecisionRow>,
    certificates: Vec<CertificateRow>,
    erasures: Vec<ErasureRow>,
}

impl Facts {
    fn of(loaded: Loaded, rehearsal: bool) -> Result<Self, CommandError> {
        let file = journal::file(&wire::jobs::record(&loaded, rehearsal)?);
        let failed = |error| journal::failed(&error);
        let mut facts = Self {
            loaded,
            movements: Vec::new(),
            decisions: Vec::new(),
            certificates: Vec::new(),
            erasures: Vec::new(),
        };
        if let Some(ledger) = ProjectLedger::open_to_read(&file).map_err(failed)? {
            facts.movements = rows(ledger.all()).map_err(failed)?;
            facts.decisions = rows(ledger.all()).map_err(failed)?;
            facts.certificates = rows(ledger.all()).map_err(failed)?;
            facts.erasures = rows(ledger.all()).map_err(failed)?;
            facts.erasures.retain(|row: &ErasureRow| row.event == ErasureEvent::Done);
        }
        Ok(facts)
    }

    fn record(&self) -> &ProcessingRecord {
        &self.loaded.project.policy.record
    }

    /// What went to other sites.
    fn sent(&self) -> impl Iterator<Item = &MovementRow> {
        self.movements.iter().filter(|row| row.to_site != HERE)
    }

    /// What a scan finds in the datasets and outputs that are there.
    fn scanned(&self, rehearsal: bool) -> Result<Scanned, CommandError> {
        let record = wire::jobs::record(&self.loaded, rehearsal)?;
        let folder = match rehearsal {
            true => record.join("project"),
            false => wire::jobs::folder(&self.loaded)?,
        };
        let certificates = Certificates::of(&self.loaded, record)?;
        let project = &self.loaded.project;
        let datasets = project.datasets.iter().map(|dataset| dataset.path.clone());
        let outputs = project.stages.iter().flat_map(|stage| &stage.outputs);
        let mut scanned = Scanned::default();
        let names: BTreeSet<_> =
            datasets.chain(outputs.map(|output| output.path.clone())).collect();
        for name in names {
            let path = folder.join(&name);
            if path.exists() {
                let examined = certificates.artifact(path, &name).examine();
                scanned.found.insert(name, examined.map_err(|error| closed(&error))?);
            } else {
                scanned.missing.insert(name);
            }
        }
        Ok(scanned)
    }
}

fn rows<R>(
    found: Result<Vec<Recorded<R>>, nearside_ledger::LedgerError>,
) -> Result<Vec<R>, nearside_ledger::LedgerError> {
    found.map(|rows| rows.into_iter().map(|found| found.row).collect())
}

pub(super) fn run(arguments: &AuditDocument, output: &Output) -> Result<Outcome, CommandError> {
    let rehearsal = arguments.of.rehearsal;
    let facts = Facts::of(wire::project::load(&arguments.of.project, &[])?, rehearsal)?;
    let answer = match arguments.document {
        DocumentName::Gdpr30 => gdpr::record(&facts),
        DocumentName::Gdpr35 => gdpr::assessment(&facts, &facts.scanned(rehearsal)?),
        DocumentName::Hipaa => identifiers::hipaa(&facts, &facts.scanned(rehearsal)?),
        DocumentName::Pci => identifiers::pci(&facts, &facts.scanned(rehearsal)?),
    };
    let text = answer.markdown(&environment::today().to_string());
    super::write(arguments.output.as_deref(), &text, output)?;
    if arguments.output.is_none() || output.form == Form::Json {
        super::show(&answer, "nearside/privacy-audit-document/1", &text, output);
    }
    Ok(Outcome::Done)
}

impl AuditDocumentAnswer {
    fn markdown(&self, today: &str) -> String {
        let mut text = format!(
            "# {}\n\nMade of facts on {today} by nearside {}; what it has to hold: {}.\n",
            self.title,
            env!("CARGO_PKG_VERSION"),
            self.source
        );
        for Section { title, finding, lines } in &self.sections {
            let finding = finding.map_or(String::new(), |finding| format!(": {finding}"));
            text.push_str(&format!("\n## {title}{finding}\n\n"));
            for line in lines {
                text.push_str(&format!("- {line}\n"));
            }
        }
        text
    }
}
