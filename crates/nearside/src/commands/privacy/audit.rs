//! `nearside privacy audit`: is the record what was signed, what does it say, and proofs and documents of it.

mod document;

use std::path::Path;

use nearside_ledger::{DecisionRow, MovementRow, ProjectLedger, Recorded, ReleaseRow};
use nearside_policy::{Class, Hash};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use document::AuditDocumentAnswer;

use crate::cli::{Audit, AuditCheck, AuditHead, AuditList, AuditProve, AuditVerify, OfProject};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire;
use crate::wire::audit;
use crate::wire::journal;

/// The answer of `nearside privacy audit verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AuditVerifyAnswer {
    /// Whether nothing is wrong.
    sound: bool,
    /// Entries that were read.
    entries: u64,
    /// Signed heads among them that are right.
    heads: u64,
    /// Entries that no signed head stands for yet.
    unsigned: u64,
    /// The root of the tree of all entries; nothing where there is no record.
    root: Option<String>,
    /// What is wrong.
    faults: Vec<String>,
}

/// The answer of `nearside privacy audit head`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AuditHeadAnswer {
    /// For how many entries it stands.
    size: u64,
    /// The root of their tree.
    root: String,
    /// The key that signed it.
    public_key: String,
    /// The signed note (C2SP `tlog-checkpoint`).
    note: String,
}

/// The answer of `nearside privacy audit list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AuditListAnswer {
    /// What was decided, and what moved, in the order of recording.
    events: Vec<EventView>,
}

/// A decision or a movement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct EventView {
    /// The number of the entry.
    entry: u64,
    /// When.
    at: String,
    /// `allow`, `transform`, `deny` or `moved`; of questions about a dataset `released` or `refused`.
    event: String,
    /// What, by its path in the project; of questions the dataset.
    path: String,
    /// Its class; of answers with noise none.
    class: String,
    /// Where to: a site, or `here` for the stages that read it.
    to: String,
    /// The stage that made it, where one did.
    stage: Option<String>,
    /// Why.
    reason: Option<String>,
    /// The digest of its content.
    digest: String,
}

/// The answer of `nearside privacy audit check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct AuditCheckAnswer {
    /// Whether the entry is among those that the head stands for.
    proven: bool,
    /// What is wrong with it otherwise.
    why: Option<String>,
    /// The number of the entry.
    entry: Option<u64>,
    /// The table that its row is in.
    table: Option<String>,
    /// Whose record it is.
    origin: Option<String>,
    /// For how many entries the head stands.
    size: Option<u64>,
    /// The key that signed it.
    public_key: Option<String>,
    /// The row.
    cells: Vec<CellView>,
}

/// A cell of the row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct CellView {
    column: String,
    value: String,
}

pub(super) fn run(arguments: &Audit, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Audit::Verify(arguments) => verify(arguments, output),
        Audit::Head(arguments) => head(arguments, output),
        Audit::List(arguments) => list(arguments, output),
        Audit::Prove(arguments) => prove(arguments, output),
        Audit::Check(arguments) => check(arguments, output),
        Audit::Document(arguments) => document::run(arguments, output),
    }
}

fn log(of: &OfProject) -> Result<audit::Audit, CommandError> {
    audit::Audit::of(&wire::project::load(&of.project, &[])?, of.rehearsal)
}

fn verify(arguments: &AuditVerify, output: &Output) -> Result<Outcome, CommandError> {
    let noted = audit::read_heads(&arguments.head)?;
    let found = log(&arguments.of)?.verify(&noted)?;
    let answer = AuditVerifyAnswer {
        sound: found.faults.is_empty(),
        entries: found.entries,
        heads: found.heads,
        unsigned: found.unsigned,
        root: found.root.map(|root| root.to_string()),
        faults: found.faults,
    };
    let heads = if answer.heads == 1 { "head stands" } else { "heads stand" };
    let mut text = answer.faults.join("\n");
    if answer.sound {
        text = format!(
            "{} entries are as they were recorded; {} signed {heads} for them; {} since the last",
            answer.entries, answer.heads, answer.unsigned
        );
    }
    show(&answer, "nearside/privacy-audit-verify/1", &text, output);
    if answer.sound && noted.is_empty() && output.form != Form::Json {
        output.hint("keep heads elsewhere, so that nobody can cut off the newest: nearside privacy audit head -o FILE");
    }
    Ok(if answer.sound { Outcome::Done } else { Outcome::Negative })
}

fn head(arguments: &AuditHead, output: &Output) -> Result<Outcome, CommandError> {
    let log = log(&arguments.of)?;
    log.sign()?;
    let Some(row) = log.newest()? else {
        let why = "nothing is recorded yet";
        return Err(CommandError::new(Fault::Input, why).hint("nearside run"));
    };
    let (size, root, public_key, note) = (row.size, row.root, row.public_key, row.note);
    let answer = AuditHeadAnswer { size, root, public_key, note };
    write(arguments.output.as_deref(), &answer.note, output)?;
    match &arguments.output {
        Some(_) if output.form != Form::Json => {}
        _ => show(&answer, "nearside/privacy-audit-head/1", answer.note.trim_end(), output),
    }
    Ok(Outcome::Done)
}

fn list(arguments: &AuditList, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(&arguments.of.project, &[])?;
    let file = journal::file(&wire::jobs::record(&loaded, arguments.of.rehearsal)?);
    let ledger = ProjectLedger::open_to_read(&file).map_err(|error| journal::failed(&error))?;
    let mut events = match &ledger {
        Some(ledger) => events(ledger).map_err(|error| journal::failed(&error))?,
        None => Vec::new(),
    };
    let least = arguments.class.unwrap_or(Class::Public);
    events.retain(|event| {
        // What has no class that is known is shown rather than hidden.
        let class = event.class.parse::<Class>().map_or(true, |class| class >= least);
        let stage =
            arguments.stage.as_ref().is_none_or(|stage| event.stage.as_ref() == Some(stage));
        class && stage && arguments.to.as_ref().is_none_or(|to| event.to == *to)
    });
    let answer = AuditListAnswer { events };
    let heads = [
        ("entry", Align::Right),
        ("at", Align::Left),
        ("event", Align::Left),
        ("class", Align::Left),
        ("to", Align::Left),
        ("what", Align::Left),
        ("why", Align::Left),
    ];
    let row = |event: &EventView| {
        vec![
            event.entry.to_string(),
            event.at.clone(),
            event.event.clone(),
            event.class.clone(),
            event.to.clone(),
            event.path.clone(),
            event.reason.clone().unwrap_or_default(),
        ]
    };
    let text = match answer.events.is_empty() {
        true => "nothing was decided and nothing moved".to_owned(),
        false => table(&heads, answer.events.iter().map(row).collect()),
    };
    show(&answer, "nearside/privacy-audit-list/1", &text, output);
    Ok(Outcome::Done)
}

fn events(ledger: &ProjectLedger) -> Result<Vec<EventView>, nearside_ledger::LedgerError> {
    let decision = |Recorded { entry, row }: Recorded<DecisionRow>| EventView {
        entry,
        at: row.at.to_string(),
        event: row.decision.to_string(),
        path: row.path,
        class: row.class,
        to: row.destination,
        stage: row.stage,
        reason: Some(row.reason),
        digest: row.blake3,
    };
    let movement = |Recorded { entry, row }: Recorded<MovementRow>| EventView {
        entry,
        at: row.at.to_string(),
        event: "moved".to_owned(),
        path: row.path,
        class: row.class,
        to: row.to_site,
        stage: None,
        reason: row.certificate.map(|certificate| format!("certificate {certificate}")),
        digest: row.digest,
    };
    let release = |Recorded { entry, row }: Recorded<ReleaseRow>| EventView {
        entry,
        at: row.at.to_string(),
        event: row.decision.to_string(),
        path: row.dataset,
        // What an answer with noise tells of anybody is bounded, not of a class.
        class: String::new(),
        to: "anybody".to_owned(),
        stage: None,
        reason: Some(format!("{}: {}", row.query_json, row.reason)),
        digest: row.blake3,
    };
    let mut events: Vec<_> = ledger.all()?.into_iter().map(decision).collect();
    events.extend(ledger.all()?.into_iter().map(release));
    events.extend(ledger.all()?.into_iter().map(movement));
    events.sort_by_key(|event| event.entry);
    Ok(events)
}

fn prove(arguments: &AuditProve, output: &Output) -> Result<Outcome, CommandError> {
    let Some(proof) = log(&arguments.of)?.prove(arguments.entry)? else {
        let message =
            format!("no signed head stands for an entry {}, or its row is gone", arguments.entry);
        return Err(CommandError::new(Fault::Input, message).hint("nearside privacy audit head"));
    };
    let text = format!("{proof:#}");
    match &arguments.output {
        Some(path) => write(Some(path), &format!("{text}\n"), output)?,
        None => output.text(&text),
    }
    Ok(Outcome::Done)
}

fn check(arguments: &AuditCheck, output: &Output) -> Result<Outcome, CommandError> {
    let text = std::fs::read_to_string(&arguments.proof).map_err(|error| {
        let message = format!("cannot read {}: {error}", arguments.proof.display());
        CommandError::new(Fault::Input, message)
    })?;
    let key = arguments.key.as_deref().map(|key| {
        key.parse::<Hash>().map_err(|_none| {
            CommandError::new(Fault::Usage, format!("\"{key}\" is no key"))
                .hint("nearside privacy certify --list")
        })
    });
    let answer = match audit::check(&text, key.transpose()?) {
        Ok(shown) => AuditCheckAnswer {
            proven: true,
            why: None,
            entry: Some(shown.entry),
            table: Some(shown.table),
            origin: Some(shown.origin),
            size: Some(shown.size),
            public_key: Some(shown.key.to_string()),
            cells: shown
                .cells
                .into_iter()
                .map(|(column, value)| CellView { column, value })
                .collect(),
        },
        Err(why) => AuditCheckAnswer {
            proven: false,
            why: Some(why),
            entry: None,
            table: None,
            origin: None,
            size: None,
            public_key: None,
            cells: Vec::new(),
        },
    };
    show(&answer, "nearside/privacy-audit-check/1", &answer.text(), output);
    if answer.proven && arguments.key.is_none() && output.form != Form::Json {
        output.hint("the proof names its own key: state the one that you know with --key");
    }
    Ok(if answer.proven { Outcome::Done } else { Outcome::Negative })
}

impl AuditCheckAnswer {
    fn text(&self) -> String {
        let (Some(entry), Some(table), Some(size)) = (self.entry, &self.table, self.size) else {
            return self.why.clone().unwrap_or_default();
        };
        let (origin, key) = (self.origin.as_deref(), self.public_key.as_deref());
        let mut text = format!(
            "entry {entry} ({table}) is one of the {size} of {} that {} signed",
            origin.unwrap_or_default(),
            key.unwrap_or_default()
        );
        for cell in &self.cells {
            text.push_str(&format!("\n  {}: {}", cell.column, cell.value));
        }
        text
    }
}

/// Writes a text to a file, where one is stated.
fn write(path: Option<&Path>, text: &str, output: &Output) -> Result<(), CommandError> {
    let Some(path) = path else { return Ok(()) };
    nearside_store::atomic::write(path, text.as_bytes())
        .map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
    super::output_path::written(path, output);
    Ok(())
}

fn show<T: Serialize>(answer: &T, schema: &'static str, text: &str, output: &Output) {
    match output.form {
        Form::Json => {
            let answer = Answer { schema, data: answer, warnings: &[], sources: &[] };
            output.json(&answer, environment::today());
        }
        _ => output.text(text),
    }
}
