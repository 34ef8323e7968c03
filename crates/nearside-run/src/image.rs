//! Jobs that run in the image of a container: which image that is now, and what is started for them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::container::{Container, Engine, Input, NoImage, Wire, mounts, name};
use crate::orders::{Contained, Orders, Place};
use crate::shell;
use crate::{Job, Network, Reach, RunError, Runner, Trial};

/// The engine of this machine and the images that were looked at, each once.
#[derive(Debug)]
pub(crate) struct Images {
    engine: Option<Engine>,
    known: Mutex<BTreeMap<String, Result<String, NoImage>>>,
}

/// Variables that an image sets for itself, or that mean nothing in it.
const OF_THE_IMAGE: [&str; 7] = ["PATH", "HOME", "PWD", "OLDPWD", "SHELL", "HOSTNAME", "USER"];

impl Images {
    pub(crate) const fn of(engine: Option<Engine>) -> Self {
        Self { engine, known: Mutex::new(BTreeMap::new()) }
    }

    fn look(&self, engine: &Engine, image: &str) -> Result<String, NoImage> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(image) {
            return found.clone();
        }
        let found = engine.image(image);
        known.insert(image.to_owned(), found.clone());
        found
    }
}

impl Runner {
    /// The engine and the digest of the image that a job runs in; nothing for one that runs as a process.
    ///
    /// # Errors
    /// When there is no engine or no such image here.
    pub(crate) fn image(&self, job: &Job) -> Result<Option<(&Engine, String)>, RunError> {
        let Some(image) = &job.image else { return Ok(None) };
        let (stage, image) = (job.name.clone(), image.clone());
        let Some(engine) = &self.images.engine else {
            return Err(RunError::NoEngine { stage, image });
        };
        let name = engine.name();
        match self.images.look(engine, &image) {
            Ok(digest) => Ok(Some((engine, digest))),
            Err(NoImage::Missing) => Err(RunError::NoImage { stage, image, engine: name }),
            Err(NoImage::Unknown(said)) => Err(RunError::Engine { stage, engine: name, said }),
        }
    }

    /// What a guard is to start for a command of a job.
    pub(crate) fn orders(
        &self,
        job: &Job,
        trial: &Trial,
        reach: &Reach,
        folder: &Path,
    ) -> Result<Orders, RunError> {
        let Some((engine, image)) = self.image(job)? else {
            let place = match reach {
                Reach::Open | Reach::NotCut(_) => Place::Open,
                Reach::Cut => Place::Sandbox,
            };
            return Ok(Orders::shell(place, &trial.command));
        };
        let arguments = vec!["-c".into(), trial.command.clone().into()];
        let container = Container { arguments, ..self.container(job, image, folder) };
        let program: OsString = engine.program.clone().into();
        Ok(Orders {
            place: Place::Open,
            // Engines have groups of their own for their containers.
            group: None,
            arguments: engine.run(&container),
            contained: Some(Contained { engine: program.clone(), name: container.name }),
            program,
        })
    }

    /// A container for a person: its shell reads what they type.
    pub(crate) fn container_shell(
        &self,
        job: &Job,
        folder: &Path,
    ) -> Result<Option<std::process::Command>, RunError> {
        let Some((engine, image)) = self.image(job)? else { return Ok(None) };
        let input = match std::io::stdin().is_terminal() {
            true => Input::Terminal,
            false => Input::Pipe,
        };
        let container = Container { input, ..self.container(job, image, folder) };
        let mut command = std::process::Command::new(&engine.program);
        command.args(engine.run(&container));
        Ok(Some(command))
    }

    /// A container for a job that works in a folder, without a command.
    fn container(&self, job: &Job, image: String, folder: &Path) -> Container {
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let inputs = job.inputs.iter().map(|input| self.project.join(input));
        Container {
            name: name(&job.name, std::process::id(), moment.as_nanos()),
            image,
            network: match job.network {
                Network::Open => Wire::Host,
                Network::Cut | Network::CutIfPossible => Wire::None,
            },
            folder: folder.to_path_buf(),
            mounts: mounts(&self.around, inputs),
            variables: self.passed_on(job),
            user: user(),
            input: Input::None,
            arguments: Vec::new(),
        }
    }

    /// Names of the variables that a container finds: ours, the job's, and what its commands read of the
    /// person's.
    fn passed_on(&self, job: &Job) -> Vec<String> {
        let own = ["NEARSIDE_STAGE", "NEARSIDE_TRIAL", "NEARSIDE_RECORD"].map(str::to_owned);
        let stated = job.variables.iter().map(|(name, _)| name.clone());
        let read = job.trials.iter().flat_map(|trial| shell::named(&trial.command).variables);
        let is_set = |name: &String| self.variables.iter().any(|(known, _)| known == name);
        let read = read.filter(|name| is_set(name) && !OF_THE_IMAGE.contains(&name.as_str()));
        let mut names: Vec<_> = own.into_iter().chain(stated).chain(read).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Who we are.
#[cfg(unix)]
fn user() -> (u32, u32) {
    (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
}

#[cfg(not(unix))]
fn user() -> (u32, u32) {
    (0, 0)
}
