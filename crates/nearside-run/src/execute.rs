//! Executes what has to be executed, in order, and keeps what comes out of it.

mod gate;
mod keep;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use nearside_store::{Digest, atomic};

use crate::failure::{ending, full_disk, tail};
use crate::gate::Refused;
use crate::group::{Group, Groups};
use crate::lock::Lock;
use crate::orders::Orders;
use crate::process::{self, Hold, Start};
use crate::trials::Trials;
use crate::workspace::{Workspace, symlink};
use crate::{Changed, Job, Key, Reach, RunError, Runner, Standing, Wanted, sandbox};

use gate::AtGate;

/// How often a run looks whether it is to end.
const BEAT: Duration = Duration::from_millis(50);

/// What happens during a run.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A stage begins; why, and where what it prints goes.
    Began {
        /// The stage.
        job: &'a Job,
        /// What changed since it last ended well.
        changed: &'a [Changed],
        /// The file that what it prints goes to.
        log: &'a Path,
        /// What its commands reach.
        reach: &'a Reach,
    },
    /// A command of a stage was started.
    Started {
        /// The stage.
        job: &'a Job,
        /// The number of its process, which what it starts descends from.
        process: u32,
        /// The folder of the control group that all of it is in, where there is one.
        group: Option<&'a Path>,
    },
    /// That command has ended. Its process is still in the system's tables, with what it used.
    Stopped {
        /// The stage.
        job: &'a Job,
    },
    /// Nothing more is to be done about a stage.
    Ended {
        /// The stage.
        job: &'a Job,
        /// How it ended.
        ran: &'a Ran,
        /// What was attempted; nothing where it did not come to that.
        attempt: Option<&'a Attempt>,
    },
    /// Something that a person should know about a stage.
    Note {
        /// The stage.
        job: &'a Job,
        /// What.
        text: String,
    },
    /// Nothing, for as long as a run waits before it looks around again; for those who show how long
    /// things take.
    Beat,
}

/// The result that a stage was to have, and how long it was worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The key of the result.
    pub key: Digest,
    /// When it began.
    pub began: SystemTime,
    /// How long its commands ran, whatever came of it; nothing where none was started.
    pub took: Option<Duration>,
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ran {
    /// Its result was there.
    Current,
    /// Its result was put back.
    Restored,
    /// It ran, for so long.
    Done(Duration),
    /// It failed: why, its exit code where it had one, and the last lines that it printed.
    Failed {
        /// Why.
        why: String,
        /// Its exit code.
        code: Option<u8>,
        /// The last lines that it printed.
        tail: Vec<String>,
    },
    /// It ended well, and what it made may not be read by others.
    Refused(Refused),
    /// A stage that it waits for did not end well.
    Skipped(String),
    /// The run was ended before it could end.
    Interrupted,
}

impl Ran {
    /// Whether stages that wait for it may go on.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Current | Self::Restored | Self::Done(_))
    }
}

/// How every stage ended, by its place.
pub type Summary = BTreeMap<usize, Ran>;

/// A stage that is going on.
struct Going {
    hold: Option<Hold>,
    /// The command that is going on, and what it is in.
    child: Option<Child>,
    group: Option<Group>,
    key: Key,
    workspace: Workspace,
    began: (Instant, SystemTime),
    /// Until its latest command ended.
    took: Option<Duration>,
    log: PathBuf,
    reach: Reach,
    trials: Trials,
}

impl Going {
    /// Where its commands work: in the project itself if it writes nothing.
    fn folder(&self, runner: &Runner, job: &Job) -> PathBuf {
        match job.outputs.is_empty() {
            true => runner.project.clone(),
            false => self.workspace.folder.clone(),
        }
    }

    const fn attempt(&self) -> Attempt {
        Attempt { key: self.key.digest, began: self.began.1, took: self.took }
    }
}

/// Whether it is known that all that may still come can be run here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// Nothing had to be started yet.
    NotLooked,
    Looked,
}

/// What came to its end about a job.
enum Ended {
    /// A command of it, or it could not be started.
    Command(std::io::Result<()>),
    /// The look at what it made.
    Looked(Result<(), Refused>),
}

/// One run.
struct Run<'a> {
    runner: &'a Runner,
    wanted: &'a Wanted,
    report: &'a mut dyn FnMut(Event<'_>),
    interrupted: &'a AtomicBool,
    ahead: Ahead,
    summary: Summary,
    going: BTreeMap<usize, Going>,
    at_gate: BTreeMap<usize, AtGate>,
    /// What is not wanted, was made earlier, and may be read.
    passed_outside: BTreeSet<usize>,
    sender: Sender<(usize, Ended)>,
    groups: Groups,
}

impl Runner {
    /// Executes what is wanted and is not there yet. A stage that fails is told in the summary.
    /// When `interrupted` becomes true, what is going on is ended and the run ends.
    ///
    /// # Errors
    /// When somebody else runs the project, or the record cannot be written.
    pub fn run(
        &self,
        wanted: &Wanted,
        interrupted: &AtomicBool,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Result<Summary, RunError> {
        let _lock = Lock::take(&self.record.folder)?;
        self.prepare()?;
        let (sender, ended) = channel();
        let mut run = Run {
            runner: self,
            wanted,
            report,
            interrupted,
            ahead: Ahead::NotLooked,
            summary: Summary::new(),
            going: BTreeMap::new(),
            at_gate: BTreeMap::new(),
            passed_outside: BTreeSet::new(),
            sender,
            groups: Groups::of(&self.record.folder),
        };
        let finished = run.all(&ended);
        // Remembered even if the run ended early.
        let saved = self.save();
        finished?;
        saved?;
        Ok(run.summary)
    }

    /// Removes what a killed run left, and makes the folders of this one.
    fn prepare(&self) -> Result<(), RunError> {
        let folder = &self.record.folder;
        atomic::remove(&folder.join("work"))?;
        if folder.join("cache/objects").is_dir() && folder.join("cache/unclean").exists() {
            self.store.tidy()?;
        }
        for name in ["bin", "logs", "cache"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(RunError::io("make folder", &path))?;
        }
        atomic::write(&folder.join(".gitignore"), b"*\n")?;
        self.seal_what_is_open()?;
        let own = folder.join("bin/nearside");
        if fs::read_link(&own).ok().as_deref() != Some(self.program.as_path()) {
            atomic::remove(&own)?;
            let made = symlink(&self.program, &own);
            made.or_else(|_no_links| fs::copy(&self.program, &own).map(drop))
                .map_err(RunError::io("link", &own))?;
        }
        Ok(())
    }
}

impl Run<'_> {
    fn all(&mut self, ended: &Receiver<(usize, Ended)>) -> Result<(), RunError> {
        self.look_outside();
        loop {
            let stopped = self.interrupted.load(Ordering::Relaxed);
            if stopped {
                self.going.values_mut().for_each(|going| going.hold = None);
            } else {
                self.start_what_is_ready()?;
            }
            if self.going.is_empty() && (stopped || self.at_gate.is_empty()) {
                break;
            }
            self.end_what_fell_behind();
            match ended.recv_timeout(BEAT) {
                Ok((place, Ended::Command(ended))) => self.command_ended(place, ended)?,
                Ok((place, Ended::Looked(decision))) => self.decided(place, decision),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    (self.report)(Event::Beat);
                }
            }
        }
        self.at_gate.clear();
        for place in self.open() {
            self.end(place, Ran::Interrupted, None);
        }
        Ok(())
    }

    /// Ends trials that a rule does not let run to their end.
    fn end_what_fell_behind(&mut self) {
        for (place, going) in &mut self.going {
            let job = &self.runner.jobs.jobs[*place];
            let folder = going.folder(self.runner, job);
            if going.hold.is_some() && going.trials.falls_behind(job, &folder) {
                going.hold = None;
            }
        }
    }

    /// Places that nothing has been decided about.
    fn open(&self) -> Vec<usize> {
        let open = |place: &usize| {
            let under_way = self.going.contains_key(place) || self.at_gate.contains_key(place);
            !under_way && !self.summary.contains_key(place)
        };
        self.wanted.places.iter().copied().filter(open).collect()
    }

    fn start_what_is_ready(&mut self) -> Result<(), RunError> {
        for place in self.open() {
            if self.going.len() >= self.wanted.at_once.max(1) {
                return Ok(());
            }
            let runner = self.runner;
            let job = &runner.jobs.jobs[place];
            let before = self.before(place);
            if let Some(bad) = before.iter().find_map(|before| self.went_wrong(*before)) {
                self.end(place, Ran::Skipped(bad), None);
                continue;
            }
            if before.iter().any(|before| !self.is_over(*before)) {
                continue;
            }
            let bad = |ran: &Ran| matches!(ran, Ran::Failed { .. } | Ran::Refused(_));
            let failed = self.summary.values().any(bad);
            if failed && !self.wanted.keep_going {
                self.end(place, Ran::Skipped("another stage failed".to_owned()), None);
                continue;
            }
            if !self.wanted.fits_beside(place, self.going.keys()) {
                continue;
            }
            self.begin(place, job)?;
            if self.interrupted.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Before the first command: what cannot be run at all is said now, and not when others have run.
    fn look_ahead(&mut self) -> Result<(), RunError> {
        if self.ahead == Ahead::NotLooked {
            self.ahead = Ahead::Looked;
            let mut open = self.open().into_iter();
            open.try_for_each(|place| self.runner.can_run(&self.runner.jobs.jobs[place]))?;
        }
        Ok(())
    }

    fn went_wrong(&self, place: usize) -> Option<String> {
        let ran = self.summary.get(&place)?;
        let name = &self.runner.jobs.jobs[place].name;
        (!ran.is_good()).then(|| format!("\"{name}\" did not end well"))
    }

    /// Takes the result of a stage from what is kept, or starts it.
    fn begin(&mut self, place: usize, job: &Job) -> Result<(), RunError> {
        let runner = self.runner;
        let (key, standing) = match runner.standing(job) {
            Ok(found) => found,
            Err(error) if error.is_of_this_machine() => return Err(error),
            Err(error) => {
                self.fail(place, error.to_string(), None, None);
                return Ok(());
            }
        };
        let attempt = Attempt { key: key.digest, began: SystemTime::now(), took: None };
        match standing {
            Standing::Current if !self.wanted.force => {
                self.remember(job, &key)?;
                self.good(place, Ran::Current, attempt);
                return Ok(());
            }
            Standing::Kept if !self.wanted.force => match runner.put_back(&key.digest) {
                Ok(true) => {
                    self.remember(job, &key)?;
                    self.good(place, Ran::Restored, attempt);
                    return Ok(());
                }
                Ok(false) => {}
                // What is damaged, or cannot be opened, is made anew.
                Err(error) if error.is_of_no_use() => {
                    (self.report)(Event::Note { job, text: error.to_string() });
                }
                Err(error) => {
                    self.fail(place, error.to_string(), None, None);
                    return Ok(());
                }
            },
            _ => {}
        }
        self.groups.get_ready();
        self.look_ahead()?;
        let reach = runner.reach(job)?;
        let changed = runner.changed(job, &key);
        let log = runner.record.log_file(&job.name);
        (self.report)(Event::Began { job, changed: &changed, log: &log, reach: &reach });
        if let Reach::NotCut(why) = &reach {
            let text = format!("its network is NOT cut: {why}; {}", sandbox::remedy());
            (self.report)(Event::Note { job, text });
        }
        let work = runner.record.work_folder(&job.name);
        let workspace = match Workspace::make(&runner.project, &work, &job.outputs) {
            Ok(workspace) => workspace,
            Err(error) => {
                self.fail(place, error.to_string(), None, None);
                return Ok(());
            }
        };
        runner.begin_log(job)?;
        let began = (Instant::now(), SystemTime::now());
        let going = Going {
            hold: None,
            child: None,
            group: None,
            key,
            workspace,
            began,
            took: None,
            log,
            reach,
            trials: Trials::default(),
        };
        self.going.insert(place, going);
        self.start_trial(place, job);
        Ok(())
    }

    /// Starts the next command of a stage.
    fn start_trial(&mut self, place: usize, job: &Job) {
        let Some(going) = self.going.get_mut(&place) else { return };
        let Some(trial) = job.trials.get(going.trials.now) else { return };
        let runner = self.runner;
        let folder = going.folder(runner, job);
        let mut options = File::options();
        let log = options.append(true).create(true).open(&going.log);
        let orders = runner.orders(job, trial, &going.reach, &folder);
        let orders = orders.map_err(|error| std::io::Error::other(error.to_string()));
        let group = orders.as_ref().is_ok_and(|orders| orders.contained.is_none());
        going.group = group.then(|| self.groups.make()).flatten();
        let folder_of = |group: &Group| group.folder.clone();
        let group = going.group.as_ref().map(folder_of);
        let orders = orders.map(|orders| Orders { group: group.clone(), ..orders });
        let started = log.and_then(|log| {
            process::start(&Start {
                program: &runner.program,
                orders: orders?,
                folder,
                variables: runner.environment(job, Some(trial)),
                log: &log,
            })
        });
        match started {
            Ok((child, hold)) => {
                let process = child.id();
                (going.hold, going.child) = (Some(hold), Some(child));
                (self.report)(Event::Started { job, process, group: group.as_deref() });
                let sender = self.sender.clone();
                std::thread::spawn(move || {
                    let _ = sender.send((place, Ended::Command(process::ended(process))));
                });
            }
            Err(error) => {
                let _ = self.sender.send((place, Ended::Command(Err(error))));
            }
        }
    }

    fn command_ended(&mut self, place: usize, ended: std::io::Result<()>) -> Result<(), RunError> {
        let runner = self.runner;
        let job = &runner.jobs.jobs[place];
        let more = job.trials.len() > 1 || !self.open().is_empty();
        more.then(|| self.groups.stay_ready());
        let child = self.going.get_mut(&place).and_then(|going| {
            going.took = Some(going.began.0.elapsed());
            going.child.take()
        });
        if child.is_some() {
            (self.report)(Event::Stopped { job });
        }
        let code = match (ended, child) {
            (Ok(()), Some(mut child)) => child.wait().map(process::code),
            (ended, _) => ended.map(|()| u8::MAX),
        };
        // Even if its guard could not end all of it.
        let group = self.going.get_mut(&place).and_then(|going| going.group.take());
        group.into_iter().for_each(Group::end);
        let stopped = self.interrupted.load(Ordering::Relaxed);
        // A trial that was ended by the rule has not failed.
        let was_ended = |going: &Going| going.trials.ending;
        let ended = code.is_ok() && self.going.get(&place).is_some_and(was_ended);
        match code {
            Ok(code) if !stopped && (code == 0 || ended) => self.trial_ended(place, job),
            _ if stopped => {
                let going = self.going.remove(&place);
                self.end(place, Ran::Interrupted, going.as_ref().map(Going::attempt));
                Ok(())
            }
            Ok(code) => {
                let going = self.going.remove(&place);
                let trial = going.as_ref().and_then(|going| job.trials.get(going.trials.now));
                let which = trial.filter(|trial| !trial.name.is_empty());
                let which = which.map_or(String::new(), |trial| format!(" ({})", trial.name));
                let cut = going.as_ref().filter(|going| going.reach == Reach::Cut);
                let cut = cut.map_or("", |_| " (it had no network)");
                let full = full_disk(&runner.record.folder);
                let full = full.map_or(String::new(), |full| format!("; {full}"));
                let why = format!("its command{which} ended with {}{cut}{full}", ending(code));
                self.fail(place, why, Some(code), going);
                Ok(())
            }
            Err(error) => {
                let going = self.going.remove(&place);
                self.fail(place, format!("its command could not be started: {error}"), None, going);
                Ok(())
            }
        }
    }

    /// A trial has ended well: the next one is started, or the stage is over.
    fn trial_ended(&mut self, place: usize, job: &Job) -> Result<(), RunError> {
        let Some(mut going) = self.going.remove(&place) else { return Ok(()) };
        match going.trials.next(job, &going.folder(self.runner, job)) {
            Ok(true) => {
                self.going.insert(place, going);
                self.start_trial(place, job);
                Ok(())
            }
            Ok(false) => self.keep(place, job, going),
            Err(why) => {
                self.fail(place, why, None, Some(going));
                Ok(())
            }
        }
    }

    fn fail(&mut self, place: usize, why: String, code: Option<u8>, going: Option<Going>) {
        let attempt = going.as_ref().map(Going::attempt);
        let tail = going.map_or_else(Vec::new, |going| {
            let _ = atomic::remove(&going.workspace.folder);
            tail(&going.log)
        });
        self.end(place, Ran::Failed { why, code, tail }, attempt);
    }

    fn end(&mut self, place: usize, ran: Ran, attempt: Option<Attempt>) {
        let job = &self.runner.jobs.jobs[place];
        (self.report)(Event::Ended { job, ran: &ran, attempt: attempt.as_ref() });
        if let Some(text) = self.runner.seal_log(job) {
            (self.report)(Event::Note { job, text });
        }
        self.summary.insert(place, ran);
    }
}
