//! What the result of a stage is worth: its key now, and the results that are kept.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nearside_store::{Digest, Keys, Memo, Reader, Store, StoreError, atomic};
use nearside_units::Bytes;

use crate::code;
use crate::container::Engine;
use crate::image::Images;
use crate::record::{Made, Outcome, Output, Record, Tried};
use crate::shell;
use crate::tool::Tools;
use crate::workspace::Workspace;
use crate::{Changed, Gate, Job, Jobs, Key, Network, Part, Reach, RunError, Trial, sandbox};

/// Runs the stages of one project.
#[derive(Debug)]
pub struct Runner {
    /// The stages.
    pub jobs: Jobs,
    pub(crate) project: PathBuf,
    pub(crate) record: Record,
    pub(crate) store: Store,
    pub(crate) memo: Memo,
    pub(crate) program: PathBuf,
    pub(crate) path: OsString,
    /// Whether this machine can cut commands off; asked once, where it matters.
    pub(crate) sandbox: OnceLock<Result<(), String>>,
    pub(crate) images: Images,
    /// Who looks at what stages made.
    pub(crate) gate: Option<Arc<dyn Gate>>,
    /// What containers see.
    pub(crate) around: PathBuf,
    tools: Mutex<Tools>,
    pub(crate) variables: Vec<(String, String)>,
    /// What is written down of the environment, made once.
    locked: Option<Part>,
}

/// What the result of a stage is worth.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It is there, as it was made from what is there now.
    Current,
    /// It was made before, and can be put back.
    Kept,
    /// It has to be made; what changed since it last was, nothing if it never was.
    Stale(Vec<Changed>),
}

/// Where a runner works: everything that it may not ask the system itself.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The project's folder.
    pub project: PathBuf,
    /// The folder of the record.
    pub record: PathBuf,
    /// A folder that holds both and what links of the project lead to: containers see it.
    pub around: PathBuf,
    /// The executable that becomes the guard of a command.
    pub program: PathBuf,
    /// The folders that programs are looked for in.
    pub path: OsString,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// What is written down of the environment, a fact in a line: every result depends on it.
    pub locked: Option<String>,
}

impl Runner {
    /// A runner of these stages. Nothing is written before something is run.
    ///
    /// # Errors
    /// When a stage cannot be executed: it has no command, or writes outside the project.
    pub fn new(jobs: Jobs, surroundings: Surroundings) -> Result<Self, RunError> {
        let Surroundings { project, record, around, program, path, variables, locked } =
            surroundings;
        jobs.jobs.iter().try_for_each(Job::check)?;
        Ok(Self {
            jobs,
            store: Store::at(&record.join("cache")),
            memo: Memo::open(&record.join("cache/memo")),
            tools: Mutex::new(Tools::in_path(&path)),
            sandbox: OnceLock::new(),
            gate: None,
            images: Images::of(Engine::in_path(&path)),
            around,
            record: Record { folder: record },
            project,
            program,
            path,
            variables,
            locked: locked.map(|facts| Part::text("environment".to_owned(), &facts)),
        })
    }

    /// The same runner with somebody who looks at what stages made before others read it.
    #[must_use]
    pub fn guarded_by(self, gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// The same runner with the key that people's data is sealed with where it is kept.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { store: self.store.with_keys(keys), ..self }
    }

    /// What a stage depends on now.
    ///
    /// # Errors
    /// When an input is not there or cannot be read.
    pub fn key(&self, job: &Job) -> Result<Key, RunError> {
        // The name is in the environment of the commands.
        let mut parts = vec![Part::text("stage".to_owned(), &job.name)];
        parts.push(Part::text("outputs".to_owned(), &job.outputs.join("\n")));
        if job.network == Network::Cut {
            // What is stated is kept or nothing runs, so that it is true of every result.
            parts.push(Part::text("network".to_owned(), "none"));
        }
        if let Some(stop) = &job.stop {
            parts.push(Part::text("stop".to_owned(), &stop.text()));
        }
        let mut named = shell::Named::default();
        for trial in &job.trials {
            let name = if trial.name.is_empty() { "command" } else { trial.name.as_str() };
            parts.push(Part::text(name.to_owned(), &trial.command));
            if let Some(metric) = &trial.metric {
                parts.push(Part::text(format!("{name} metric"), metric));
            }
            let found = shell::named(&trial.command);
            named.programs.extend(found.programs);
            named.words.extend(found.words);
            named.variables.extend(found.variables);
        }
        for input in &job.inputs {
            parts.push(self.content(job, "input", Path::new(input))?);
        }
        let data: Vec<_> = job.inputs.iter().chain(&job.outputs).map(PathBuf::from).collect();
        let is_data =
            |path: &Path| data.iter().any(|data| path.starts_with(data) || data.starts_with(path));
        // A script that is called by its path is code, too.
        let words: Vec<_> = named.programs.iter().chain(&named.words).cloned().collect();
        for path in code::of(&self.project, &words, is_data) {
            parts.push(self.content(job, "code", &path)?);
        }
        match self.image(job)? {
            None => parts.extend(self.tools(&named.programs)),
            // Its programs are in the image.
            Some((_, digest)) => parts.push(Part::text("image".to_owned(), &digest)),
        }
        let variable =
            |(name, value): &(String, String)| Part::text(format!("variable {name}"), value);
        parts.extend(job.variables.iter().map(variable));
        let variables: BTreeSet<_> = named.variables.iter().collect();
        let values = variables.into_iter().filter_map(|name| {
            let is_named = |known: &&(String, String)| known.0 == *name;
            let own = job.variables.iter().any(|known| known.0 == *name);
            self.variables.iter().find(is_named).filter(|_| !own)
        });
        parts.extend(values.map(variable));
        parts.extend(self.locked.clone());
        Ok(Key::of(parts))
    }

    fn content(&self, job: &Job, what: &str, path: &Path) -> Result<Part, RunError> {
        let name = format!("{what} {}", path.display());
        match Reader::new(&self.memo).content(&self.project.join(path)) {
            Ok(content) => Ok(Part::of(name, &content.digest)),
            Err(error) if error.is_missing() => {
                Err(RunError::NoInput { stage: job.name.clone(), path: path.display().to_string() })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn tools(&self, programs: &[String]) -> Vec<Part> {
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let programs: BTreeSet<_> = programs.iter().collect();
        let part = |name: &String| {
            // Inside a run, `nearside` is the running executable.
            if name == "nearside" {
                return Some(Part::text("tool nearside".to_owned(), env!("CARGO_PKG_VERSION")));
            }
            let tool = tools.find(name)?;
            let name = format!("tool {name} ({})", tool.file.display());
            Some(Part::of(name, &tool.digest))
        };
        programs.into_iter().filter_map(part).collect()
    }

    /// The folder of the record.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.record.folder
    }

    /// What the result of a stage is worth, and what it depends on now.
    ///
    /// # Errors
    /// When an input is not there, or something cannot be read.
    pub fn standing(&self, job: &Job) -> Result<(Key, Standing), RunError> {
        let key = self.key(job)?;
        let standing = match self.record.result(&key.digest) {
            Some(outcome) if self.is_there(&outcome)? => Standing::Current,
            Some(outcome) if self.can_be_put_back(&outcome) => Standing::Kept,
            // It was made from the same, but is lost.
            _ => Standing::Stale(self.changed(job, &key)),
        };
        Ok((key, standing))
    }

    /// What changed since a stage last ended well; nothing if it never did.
    #[must_use]
    pub fn changed(&self, job: &Job, key: &Key) -> Vec<Changed> {
        let last = self.record.last(&job.name);
        last.map_or_else(Vec::new, |last| key.changed_since(&last.parts))
    }

    /// Whether a stage has ever ended well.
    #[must_use]
    pub fn has_run(&self, job: &Job) -> bool {
        self.record.last(&job.name).is_some()
    }

    /// How long the commands of a stage ran when it last ended well.
    #[must_use]
    pub fn took(&self, job: &Job) -> Option<Duration> {
        let last = self.record.last(&job.name)?;
        let outcome = self.record.result(&last.key.parse().ok()?)?;
        Duration::try_from_secs_f64(outcome.seconds).ok()
    }

    /// What became of the trials of a stage under a key, where a rule decides about them.
    #[must_use]
    pub fn tried(&self, key: &Digest) -> Vec<Tried> {
        self.record.result(key).map(|outcome| outcome.trials).unwrap_or_default()
    }

    /// What a result is made of; nothing where there is no such result.
    #[must_use]
    pub fn made(&self, key: &Digest) -> Vec<Made> {
        let outcome = self.record.result(key);
        outcome.iter().flat_map(|outcome| &outcome.outputs).filter_map(Output::made).collect()
    }

    /// Opens a shell in a working folder of a stage, with what the stage finds in its environment, and
    /// gives the shell's exit code; that of the image where the stage has one. It reaches what the stage reaches. What is written to outputs there is
    /// thrown away at the end.
    ///
    /// # Errors
    /// When the folder cannot be made or the shell not be started, or not be cut off though it must be.
    pub fn shell(&self, job: &Job, shell: &OsStr) -> Result<u8, RunError> {
        let folder = self.record.folder.join(format!("shell-{}", std::process::id()));
        let mut command = match self.container_shell(job, &folder)? {
            Some(container) => container,
            None => self.shell_command(job, shell)?,
        };
        let workspace = Workspace::make(&self.project, &folder, &job.outputs)?;
        let started = command
            .current_dir(&workspace.folder)
            .env("PWD", &workspace.folder)
            .envs(self.environment(job, job.trials.first()))
            .status();
        atomic::remove(&workspace.folder)?;
        let status = started.map_err(RunError::io("start", Path::new(shell)))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }

    fn shell_command(&self, job: &Job, shell: &OsStr) -> Result<Command, RunError> {
        match self.reach(job)? {
            Reach::Open | Reach::NotCut(_) => Ok(Command::new(shell)),
            Reach::Cut => {
                let mut command = Command::new(&self.program);
                command.arg(sandbox::ARGUMENT).arg(shell);
                Ok(command)
            }
        }
    }

    /// What a command finds in its environment besides what everything finds there.
    pub(crate) fn environment(&self, job: &Job, trial: Option<&Trial>) -> Vec<(String, OsString)> {
        let trial = trial.map(|trial| trial.name.clone()).unwrap_or_default();
        let own = [
            ("PATH".to_owned(), self.search_path()),
            ("NEARSIDE_STAGE".to_owned(), job.name.clone().into()),
            ("NEARSIDE_RECORD".to_owned(), self.record.folder.clone().into()),
            ("NEARSIDE_TRIAL".to_owned(), trial.into()),
        ];
        let stated = job.variables.iter().map(|(name, value)| (name.clone(), value.into()));
        own.into_iter().chain(stated).collect()
    }

    /// The size of everything that a stage reads.
    ///
    /// # Errors
    /// When an input is not there or cannot be read.
    pub fn reads(&self, job: &Job) -> Result<Bytes, RunError> {
        let size = |input: &String| {
            let content = Reader::new(&self.memo).content(&self.project.join(input))?;
            Ok(content.bytes())
        };
        job.inputs.iter().map(size).sum()
    }

    fn is_there(&self, outcome: &Outcome) -> Result<bool, StoreError> {
        for output in &outcome.outputs {
            let found = Reader::new(&self.memo).content(&self.project.join(&output.path));
            match (found, output.content()) {
                (Ok(found), Some(made)) if found.digest == made.digest => {}
                (Err(error), _) if !error.is_missing() => return Err(error),
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn can_be_put_back(&self, outcome: &Outcome) -> bool {
        let kept =
            |output: &Output| output.content().is_some_and(|content| self.store.has(&content));
        outcome.outputs.iter().all(kept)
    }

    /// Puts the result of a key back where it belongs.
    pub(crate) fn put_back(&self, key: &Digest) -> Result<bool, StoreError> {
        let Some(outcome) = self.record.result(key) else { return Ok(false) };
        for output in &outcome.outputs {
            let Some(content) = output.content() else { return Ok(false) };
            self.store.restore(&content, &self.project.join(&output.path))?;
        }
        Ok(true)
    }

    /// The folders that a command's programs are looked for in: ours first, where `nearside` is the
    /// running executable.
    pub(crate) fn search_path(&self) -> OsString {
        let own = self.record.folder.join("bin");
        let folders = std::iter::once(own).chain(std::env::split_paths(&self.path));
        std::env::join_paths(folders).unwrap_or_else(|_| self.path.clone())
    }

    /// Remembers what was read.
    ///
    /// # Errors
    /// When the memo cannot be written.
    pub fn save(&self) -> Result<(), RunError> {
        Ok(self.memo.save()?)
    }
}
