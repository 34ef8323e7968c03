//! `nearside privacy erase`: a person, or all that was made of a dataset, taken out for good.

use std::io::Read as _;
use std::path::Path;

use nearside_ledger::MovementRow;
use nearside_privacy::anonymize::Pseudonyms;
use nearside_privacy::subject::Subject;
use schemars::JsonSchema;
use serde::Serialize;

use super::around::Around;
use crate::cli::Erase;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Align, Answer, Form, Outcome, Output, table};
use crate::wire;
use crate::wire::erasure::{self, Erasure, Item, Said, Scope, Sealed};

/// The most that a description of a person may hold.
const MOST: u64 = 1 << 20;

/// The answer of `nearside privacy erase`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct EraseAnswer {
    /// Whether it was removed, and not only said.
    erased: bool,
    /// `dataset` or `subject`.
    scope: &'static str,
    /// The dataset; of a person a keyed digest of what was looked for, as in the ledger.
    name: String,
    /// What goes.
    items: Vec<ItemView>,
    /// What stays.
    stays: Vec<StayView>,
    /// What could not be looked into.
    unreadable: Vec<StayView>,
    /// What was sent elsewhere, where somebody else has to erase it.
    sent: Vec<SentView>,
}

/// Something that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct ItemView {
    /// `result`, `output`, `log`, `vault` or `rehearsal`.
    what: &'static str,
    /// Where it is, or belongs.
    place: String,
    /// The stage that made it.
    stage: Option<String>,
    /// How often the person is in it; in the vault, how many values go.
    found: Option<u64>,
    /// The digest of its content, which the ledger keeps.
    digest: Option<String>,
}

/// Something that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct StayView {
    /// Where it is.
    place: String,
    /// Why.
    why: String,
}

/// Something that went to another site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct SentView {
    /// What.
    path: String,
    /// Where to.
    site: String,
    /// When.
    at: String,
}

pub(super) fn run(arguments: &Erase, output: &Output) -> Result<Outcome, CommandError> {
    let loaded = wire::project::load(&arguments.path, &[])?;
    let runner = wire::jobs::runner(&loaded)?;
    let around = Around::of(&loaded)?;
    let secret = around.secret_if_there()?;
    let sealed = Sealed { vault: around.vault(None)?, identity: around.identity_if_there()? };
    let subject = arguments.subject.as_deref().map(|from| {
        let pseudonyms = secret.as_ref().map(Pseudonyms::of);
        Subject::of(&stated(from)?, pseudonyms.as_ref())
            .map_err(|error| CommandError::new(Fault::Input, error.to_string()))
    });
    let subject = subject.transpose()?;
    let (scope, name) = match (&subject, &arguments.dataset) {
        (Some(subject), _) => {
            // Without a key a digest of a name could be guessed.
            let name = match &secret {
                Some(secret) => secret.digest_of(&subject.in_order()),
                None => String::new(),
            };
            (Scope::Subject(subject), name)
        }
        (None, stated) => {
            let name = stated.clone().unwrap_or_default();
            let dataset = loaded.project.dataset(&name).ok_or_else(|| unknown(&loaded, &name))?;
            (Scope::Dataset(dataset), name)
        }
    };
    let kind = if subject.is_some() { "subject" } else { "dataset" };
    let said = Said { scope: kind, name, reason: arguments.reason.clone() };
    let found = erasure::find(&loaded, &runner, scope, &sealed)?;
    let erased = arguments.yes && !found.items.is_empty();
    if erased {
        found.carry_out(&loaded, &runner, scope, &sealed, &said)?;
    }
    let answer = EraseAnswer::of(&found, said, erased);
    report(&answer, output);
    Ok(if answer.unreadable.is_empty() { Outcome::Done } else { Outcome::Partly })
}

/// What is said of a person.
fn stated(from: &Path) -> Result<String, CommandError> {
    let failed = |error: std::io::Error| {
        let fault = match error.kind() {
            std::io::ErrorKind::InvalidData => Fault::Input,
            _ => Fault::World,
        };
        CommandError::new(fault, format!("cannot read {}: {error}", from.display()))
    };
    let mut text = String::new();
    let read = match from == Path::new("-") {
        true => std::io::stdin().lock().take(MOST).read_to_string(&mut text),
        false => {
            std::fs::File::open(from).and_then(|file| file.take(MOST).read_to_string(&mut text))
        }
    };
    read.map_err(failed)?;
    Ok(text)
}

pub(super) fn unknown(loaded: &wire::project::Loaded, name: &str) -> CommandError {
    let names = loaded.project.datasets.iter().map(|dataset| dataset.name.value.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    CommandError::new(Fault::Usage, format!("the project has no dataset \"{name}\""))
        .hint(format!("it has: {names}"))
}

fn report(answer: &EraseAnswer, output: &Output) {
    let warnings = answer.warnings();
    if output.form == Form::Json {
        let schema = "nearside/privacy-erase/1";
        let answer = Answer { schema, data: answer, warnings: &warnings, sources: &[] };
        return output.json(&answer, environment::today());
    }
    output.text(&answer.text());
    warnings.iter().for_each(|warning| output.warning(warning));
    if !answer.erased && !answer.items.is_empty() {
        output.hint("nothing was removed: add --yes");
    }
}

impl EraseAnswer {
    fn of(found: &Erasure, said: Said, erased: bool) -> Self {
        let item = |item: &Item| ItemView {
            what: item.what.name(),
            place: item.place.clone(),
            stage: item.stage.clone(),
            found: item.found,
            digest: item.digest.clone(),
        };
        let stay = |(place, why): &(String, String)| {
            let (place, why) = (place.clone(), why.clone());
            StayView { place, why }
        };
        let sent = |row: &MovementRow| {
            let (path, site, at) = (row.path.clone(), row.to_site.clone(), row.at.to_string());
            SentView { path, site, at }
        };
        Self {
            erased,
            scope: said.scope,
            name: said.name,
            items: found.items.iter().map(item).collect(),
            stays: found.stays.iter().map(stay).collect(),
            unreadable: found.unreadable.iter().map(stay).collect(),
            sent: found.sent.iter().map(sent).collect(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let sent = self.sent.iter().map(|sent| {
            format!("{} went to {} at {}: have it erased there", sent.path, sent.site, sent.at)
        });
        let unreadable = self
            .unreadable
            .iter()
            .map(|file| format!("{} could not be looked into: {}", file.place, file.why));
        sent.chain(unreadable).collect()
    }

    fn text(&self) -> String {
        let heads = [
            ("what", Align::Left),
            ("stage", Align::Left),
            ("found", Align::Right),
            ("place", Align::Left),
        ];
        let row = |item: &ItemView| {
            vec![
                item.what.to_owned(),
                item.stage.clone().unwrap_or_else(|| "-".to_owned()),
                item.found.map_or_else(|| "-".to_owned(), |found| found.to_string()),
                item.place.clone(),
            ]
        };
        let mut text = match (self.items.len(), self.erased) {
            (0, _) => "nothing of it is kept here".to_owned(),
            (_, true) => {
                let rows = self.items.iter().map(row).collect();
                format!(
                    "{}\n\nall of this was removed; the ledger has its digests",
                    table(&heads, rows)
                )
            }
            (_, false) => table(&heads, self.items.iter().map(row).collect()),
        };
        for stay in &self.stays {
            text.push_str(&format!("\n{} stays: {}", stay.place, stay.why));
        }
        text
    }
}
