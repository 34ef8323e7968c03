//! Content of a person, or of a dataset, taken out everywhere that nearside put it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nearside_ledger::{ErasureEvent, ErasureRow, MovementRow, ProjectLedger};
use nearside_policy::Class;
use nearside_privacy::listing;
use nearside_privacy::source::{self, Limits};
use nearside_privacy::subject::{Seen, Subject};
use nearside_privacy::vault::{self, Vault};
use nearside_run::{Holding, Runner};
use nearside_store::sealed::Identity;
use nearside_store::{Digest, atomic};
use nearside_workload::{Dataset, HERE, Input, Stage};

use super::certificates::{Certificates, closed};
use super::jobs::{failed, folder, record, shown};
use super::journal::{self, moment};
use super::project::Loaded;
use crate::environment;
use crate::error::{CommandError, Fault};

/// What is to be erased.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// All that was made of a dataset.
    Dataset(&'a Dataset),
    /// All that holds a person.
    Subject(&'a Subject),
}

/// The vault of the project, and its key.
pub(crate) struct Sealed {
    pub(crate) vault: Vault,
    pub(crate) identity: Option<Identity>,
}

/// What is to go, what stays, and where it went.
#[derive(Debug, Default)]
pub(crate) struct Erasure {
    pub(crate) items: Vec<Item>,
    /// What stays, and why.
    pub(crate) stays: Vec<(String, String)>,
    /// What could not be looked into, and why.
    pub(crate) unreadable: Vec<(String, String)>,
    /// What was sent elsewhere: what, where to, when.
    pub(crate) sent: Vec<MovementRow>,
    results: BTreeSet<Digest>,
    logs: BTreeSet<String>,
    outputs: Vec<PathBuf>,
    vault_values: u64,
    rehearsal: bool,
}

/// Something that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) what: What,
    /// Where it is.
    pub(crate) place: String,
    /// The stage that made it.
    pub(crate) stage: Option<String>,
    /// How often a person is in it; nothing of a dataset.
    pub(crate) found: Option<u64>,
    /// The digest of its content.
    pub(crate) digest: Option<String>,
}

/// What kind of thing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// A result in the cache.
    Result,
    /// An output in the project's folder.
    Output,
    /// What a stage printed.
    Log,
    /// Values in the vault.
    Vault,
    /// The copy of the project that was rehearsed.
    Rehearsal,
}

impl What {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Output => "output",
            Self::Log => "log",
            Self::Vault => "vault",
            Self::Rehearsal => "rehearsal",
        }
    }
}

/// Looks for what is to go.
pub(crate) fn find(
    loaded: &Loaded,
    runner: &Runner,
    scope: Scope<'_>,
    sealed: &Sealed,
) -> Result<Erasure, CommandError> {
    let mut erasure = Erasure::default();
    match scope {
        Scope::Dataset(dataset) => of_dataset(loaded, runner, dataset, &mut erasure)?,
        Scope::Subject(subject) => of_subject(loaded, runner, subject, &mut erasure)?,
    }
    in_vault(loaded, scope, sealed, &mut erasure)?;
    sent(loaded, scope, &mut erasure)?;
    Ok(erasure)
}

/// The stages that read a dataset, or what has its class still; their outputs of that class go, and those
/// that are proven to be lower stay.
fn of_dataset(
    loaded: &Loaded,
    runner: &Runner,
    dataset: &Dataset,
    erasure: &mut Erasure,
) -> Result<(), CommandError> {
    let project = &loaded.project;
    let certificates = Certificates::of(loaded, record(loaded, false)?)?;
    let (mut stages, mut lost) = (BTreeSet::new(), BTreeSet::new());
    for place in &project.graph.order {
        let stage = &project.stages[*place];
        let upstream = project.graph.ancestors(*place);
        let reads = match &stage.inputs {
            Some(inputs) => inputs.iter().any(|input| match input {
                Input::Dataset(name) => *name == dataset.name.value,
                Input::Output { output, .. } => lost.contains(output),
            }),
            None => upstream.iter().any(|place| {
                project.stages[*place].outputs.iter().any(|output| lost.contains(&output.path))
            }),
        };
        if !reads {
            continue;
        }
        stages.insert(stage.name.value.clone());
        for output in &stage.outputs {
            let lower = output.class < dataset.class;
            match lower && is_proven(&certificates, loaded, &output.path, output.class)? {
                true => {
                    let why = format!("a certificate says that it is {}", output.class);
                    erasure.stays.push((output.path.clone(), why));
                }
                false => drop(lost.insert(output.path.clone())),
            }
        }
    }
    let of_stage = |stage: &str| stages.contains(stage);
    for holding in runner.holdings().into_iter().filter(|holding| of_stage(&holding.stage)) {
        erasure.result(&holding, None);
    }
    for path in &lost {
        erasure.output(loaded, project_stage(loaded, path), path, None)?;
    }
    for job in runner.jobs.jobs.iter().filter(|job| of_stage(&job.name)) {
        if let Some(file) = runner.log_file(job) {
            erasure.log(&job.name, &file, None);
        }
    }
    let own = "it is yours: remove it where you keep it".to_owned();
    erasure.stays.push((dataset.path.clone(), own));
    erasure.rehearse(loaded, None)
}

fn project_stage<'a>(loaded: &'a Loaded, path: &str) -> Option<&'a Stage> {
    loaded.project.stages.iter().find(|stage| stage.output(path).is_some())
}

fn is_proven(
    certificates: &Certificates,
    loaded: &Loaded,
    output: &str,
    class: Class,
) -> Result<bool, CommandError> {
    let path = folder(loaded)?.join(output);
    if !path.exists() {
        return Ok(false);
    }
    let digests = listing::digests(&path).map_err(|error| closed(&error))?;
    let held = certificates.of_content(digests.blake3)?;
    Ok(held.iter().any(|held| held.holds(&digests, class).is_ok()))
}

/// Everything that holds a person.
fn of_subject(
    loaded: &Loaded,
    runner: &Runner,
    subject: &Subject,
    erasure: &mut Erasure,
) -> Result<(), CommandError> {
    let limits = limits();
    for holding in runner.holdings() {
        let mut found = 0;
        for file in &holding.files {
            let seen = match runner.read_held(&file.digest) {
                Ok(None) => continue,
                Ok(Some(mut content)) => look(subject, &file.path, &mut content, &limits),
                Err(error) => Err(error.to_string()),
            };
            found += erasure.seen(&format!("the kept {}", file.path), seen);
        }
        if found > 0 {
            erasure.result(&holding, Some(found));
        }
    }
    let project = folder(loaded)?;
    for stage in &loaded.project.stages {
        for output in &stage.outputs {
            let found = erasure.look_below(subject, &project.join(&output.path), &limits);
            if found > 0 {
                erasure.output(loaded, Some(stage), &output.path, Some(found))?;
            }
        }
    }
    for job in &runner.jobs.jobs {
        let seen = match runner.log(job) {
            Ok(None) => continue,
            Ok(Some(mut log)) => look(subject, "log.txt", &mut log, &limits),
            Err(error) => Err(error.to_string()),
        };
        let found = erasure.seen(&format!("the log of {}", job.name), seen);
        if let Some(file) = runner.log_file(job).filter(|_| found > 0) {
            erasure.log(&job.name, &file, Some(found));
        }
    }
    for dataset in &loaded.project.datasets {
        let found = erasure.look_below(subject, &project.join(&dataset.path), &limits);
        if found > 0 {
            let why = format!("it is yours, and holds them in {found} places");
            erasure.stays.push((dataset.path.clone(), why));
        }
    }
    rehearsed(loaded, subject, &limits, erasure)
}

/// A rehearsal goes where the person is in it, and in doubt: it is made again at any time.
fn rehearsed(
    loaded: &Loaded,
    subject: &Subject,
    limits: &Limits,
    erasure: &mut Erasure,
) -> Result<(), CommandError> {
    let rehearsal = record(loaded, true)?;
    let below = ["project", "logs", "vault", "cache/objects"].map(|name| rehearsal.join(name));
    let mut aside = Erasure::default();
    let found = below.iter().map(|path| aside.look_below(subject, path, limits)).sum();
    match found > 0 || !aside.unreadable.is_empty() {
        true => erasure.rehearse(loaded, Some(found)),
        false => Ok(()),
    }
}

fn limits() -> Limits {
    let spool_folder = Some(environment::temporary_folder());
    Limits { skipped_folders: Vec::new(), spool_folder, ..Limits::default() }
}

fn look(
    subject: &Subject,
    name: &str,
    content: &mut dyn Read,
    limits: &Limits,
) -> Result<Seen, String> {
    subject.look(name, content, limits).map_err(|error| error.to_string())
}

/// Values of the vault: of the dataset's files, or of the person.
fn in_vault(
    loaded: &Loaded,
    scope: Scope<'_>,
    sealed: &Sealed,
    erasure: &mut Erasure,
) -> Result<(), CommandError> {
    let place = shown(sealed.vault.folder());
    let Some(identity) = &sealed.identity else {
        if sealed.vault.folder().is_dir() {
            erasure.unreadable.push((place, "its key is not here".to_owned()));
        }
        return Ok(());
    };
    let goes = goes(scope, folder(loaded)?);
    let mut count = 0;
    let read = sealed.vault.read(identity, &mut |entry| count += u64::from(goes(&entry)));
    if let Err(error) = read {
        erasure.unreadable.push((place, error.to_string()));
    } else if count > 0 {
        erasure.vault_values = count;
        let (stage, digest) = (None, None);
        erasure.items.push(Item { what: What::Vault, place, stage, found: Some(count), digest });
    }
    Ok(())
}

/// Which values of a vault go.
fn goes(scope: Scope<'_>, project: PathBuf) -> Box<dyn Fn(&vault::Entry) -> bool + '_> {
    match scope {
        Scope::Subject(subject) => {
            Box::new(|entry| subject.is_in(&entry.value) || subject.is_in(&entry.label))
        }
        Scope::Dataset(dataset) => Box::new(move |entry| {
            let source = Path::new(&entry.source);
            source.starts_with(&dataset.path) || source.starts_with(project.join(&dataset.path))
        }),
    }
}

/// Where the content went: others have it still.
fn sent(loaded: &Loaded, scope: Scope<'_>, erasure: &mut Erasure) -> Result<(), CommandError> {
    let file = journal::file(&record(loaded, false)?);
    let ledger = ProjectLedger::open_to_read(&file).map_err(|error| journal::failed(&error))?;
    let Some(ledger) = ledger else { return Ok(()) };
    let outputs = erasure.items.iter().filter(|item| item.what == What::Output);
    let mut paths: BTreeSet<String> = outputs.map(|item| item.place.clone()).collect();
    match scope {
        Scope::Dataset(dataset) => drop(paths.insert(dataset.path.clone())),
        Scope::Subject(_) => paths.extend(erasure.stays.iter().map(|(place, _)| place.clone())),
    }
    let digests: BTreeSet<&String> =
        erasure.items.iter().filter_map(|item| item.digest.as_ref()).collect();
    let moved = ledger.all::<MovementRow>().map_err(|error| journal::failed(&error))?;
    let of_it = |row: &MovementRow| {
        row.to_site != HERE && (paths.contains(&row.path) || digests.contains(&row.digest))
    };
    erasure.sent = moved.into_iter().map(|found| found.row).filter(of_it).collect();
    Ok(())
}

impl Erasure {
    fn result(&mut self, holding: &Holding, found: Option<u64>) {
        self.results.insert(holding.key);
        let stage = Some(holding.stage.clone());
        for file in &holding.files {
            let (place, stage) = (file.path.clone(), stage.clone());
            let digest = Some(file.digest.to_string());
            self.items.push(Item { what: What::Result, place, stage, found, digest });
        }
    }

    fn output(
        &mut self,
        loaded: &Loaded,
        stage: Option<&Stage>,
        path: &str,
        found: Option<u64>,
    ) -> Result<(), CommandError> {
        let at = folder(loaded)?.join(path);
        if fs::symlink_metadata(&at).is_err() {
            return Ok(());
        }
        let digest = listing::digests(&at).ok().map(|digests| digests.blake3.to_string());
        let stage = stage.map(|stage| stage.name.value.clone());
        self.items.push(Item { what: What::Output, place: path.to_owned(), stage, found, digest });
        self.outputs.push(at);
        Ok(())
    }

    fn log(&mut self, stage: &str, file: &Path, found: Option<u64>) {
        self.logs.insert(stage.to_owned());
        let (place, stage) = (shown(file), Some(stage.to_owned()));
        self.items.push(Item { what: What::Log, place, stage, found, digest: None });
    }

    fn rehearse(&mut self, loaded: &Loaded, found: Option<u64>) -> Result<(), CommandError> {
        let place = record(loaded, true)?;
        if place.is_dir() {
            self.rehearsal = true;
            let (place, stage, digest) = (shown(&place), None, None);
            self.items.push(Item { what: What::Rehearsal, place, stage, found, digest });
        }
        Ok(())
    }

    /// Notes what could not be read, and says how often the person is in it.
    fn seen(&mut self, what: &str, seen: Result<Seen, String>) -> u64 {
        match seen {
            Ok(seen) => {
                self.unreadable.extend(seen.unreadable);
                seen.found
            }
            Err(why) => {
                self.unreadable.push((what.to_owned(), why));
                0
            }
        }
    }

    /// How often the person is in a file, or in all of a folder.
    fn look_below(&mut self, subject: &Subject, path: &Path, limits: &Limits) -> u64 {
        if fs::symlink_metadata(path).is_err() {
            return 0;
        }
        let entries = match source::files(&[path], limits) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable.push((shown(path), error.to_string()));
                return 0;
            }
        };
        let mut found = 0;
        for entry in entries {
            match entry {
                source::Entry::File(file) => {
                    let name = shown(&file);
                    let seen = File::open(&file)
                        .map_err(|error| error.to_string())
                        .and_then(|mut open| look(subject, &name, &mut open, limits));
                    found += self.seen(&name, seen);
                }
                source::Entry::Unreadable(file, why) => {
                    self.unreadable.push((shown(&file), why));
                }
                source::Entry::Skipped(file, what) => {
                    self.unreadable.push((shown(&file), what.to_string()));
                }
            }
        }
        found
    }

    /// Removes it. What is to go is recorded before, and again when it is gone.
    pub(crate) fn carry_out(
        &self,
        loaded: &Loaded,
        runner: &Runner,
        scope: Scope<'_>,
        sealed: &Sealed,
        said: &Said,
    ) -> Result<(), CommandError> {
        let file = journal::file(&record(loaded, false)?);
        let mut ledger = ProjectLedger::open(&file).map_err(|error| journal::failed(&error))?;
        let mut add = |event| {
            let row = self.row(event, said);
            ledger.add(&row).map_err(|error| journal::failed(&error))
        };
        add(ErasureEvent::Begun)?;
        runner.forget(&self.results, &self.logs).map_err(failed)?;
        let removed = |path: &Path| {
            atomic::remove(path).map_err(|error| CommandError::new(Fault::World, error.to_string()))
        };
        self.outputs.iter().try_for_each(|path| removed(path))?;
        if self.rehearsal {
            let rehearsal = record(loaded, true)?;
            // Its ledger stays: it holds digests and figures alone.
            for name in ["project", "cache", "logs", "stages", "vault", "work"] {
                removed(&rehearsal.join(name))?;
            }
        }
        if let Some(identity) = sealed.identity.as_ref().filter(|_| self.vault_values > 0) {
            let erased = sealed.vault.erase(identity, &goes(scope, folder(loaded)?));
            erased.map_err(|error| CommandError::new(Fault::World, error.to_string()))?;
        }
        add(ErasureEvent::Done).map(drop)
    }

    fn row(&self, event: ErasureEvent, said: &Said) -> ErasureRow {
        let of = |what| self.items.iter().filter(|item| item.what == what).count() as u64;
        let digests: BTreeSet<&String> =
            self.items.iter().filter_map(|item| item.digest.as_ref()).collect();
        ErasureRow {
            at: moment(SystemTime::now()),
            event,
            scope: said.scope.to_owned(),
            name: said.name.clone(),
            reason: said.reason.clone(),
            results: self.results.len() as u64,
            outputs: of(What::Output),
            logs: of(What::Log),
            vault_values: self.vault_values,
            digests_json: serde_json::to_string(&digests).unwrap_or_default(),
        }
    }
}

/// What is said of an erasure in the record.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// `dataset` or `subject`.
    pub(crate) scope: &'static str,
    /// The dataset; of a person a keyed digest.
    pub(crate) name: String,
    pub(crate) reason: Option<String>,
}
