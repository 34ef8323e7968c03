//! What is wrong with a machine: facts, read from its files and its drivers, held against rules.
//!
//! Facts are gathered below a root, each kind in a thread of its own with a time limit; rules are
//! pure and turn them, the table of what runs on what and a date into [`Check`]s. One file for each
//! [`Section`] holds its facts and its rules. No network is touched and nothing needs root.

mod accelerators;
mod branch;
mod check;
mod command;
mod containers;
mod cuda_start;
mod disk;
mod driver;
mod environments;
mod kernel_log;
pub(crate) mod limit;
mod machine;
pub(crate) mod mounts;
mod network;
mod nodes;
mod nvidia;
pub(crate) mod pci;
mod power;
mod privacy;
mod process;
mod surroundings;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nearside_catalog::{Catalog, TorchChoice, TorchWheel};
use nearside_units::{Date, Known};

use crate::python::{PythonEnvironment, environments};
use crate::root::{OwnedRoot, Root};
use accelerators::{AcceleratorFacts, WslFacts};
use containers::ContainerFacts;
use disk::DiskFacts;
use driver::DriverFacts;
use environments::{Fits, ToolkitFacts};
use limit::{DRIVER, FILES, Pending, within};
use machine::MachineFacts;
use mounts::{Mount, mounts};
use network::NetworkFacts;
use nvidia::Nvidia;
use privacy::PrivacyFacts;
use process::Process;
use surroundings::Surroundings;

pub use check::{Check, Rule, Section, Status};
pub use process::Variables;

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The root: `/`, a mounted disk or a recorded machine.
    pub root: &'a Path,
    /// The project, as the machine itself names it.
    pub project: Option<&'a Path>,
    /// Variables in place of those in `proc/self/environ`.
    pub variables: Option<Variables>,
}

/// What facts are held against.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// What runs on what.
    pub catalog: &'a Catalog,
    /// The day.
    pub today: Date,
    /// What the project says of its data.
    pub data: DataKind,
}

/// What a project says of its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Some of it is personal.
    Personal,
    /// None of it is said to be.
    Other,
}

/// Who asks, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The person's folder.
    pub home: Option<String>,
    /// The person's name on the machine.
    pub user: Option<String>,
    /// The machine's name.
    pub host: Option<String>,
}

/// The facts of a machine.
#[derive(Clone, Debug)]
pub struct Facts {
    process: Process,
    surroundings: Surroundings,
    machine: Known<MachineFacts>,
    accelerators: Known<AcceleratorFacts>,
    wsl: Known<WslFacts>,
    driver: Known<DriverFacts>,
    nvidia: Known<Nvidia>,
    cuda_start: Known<i32>,
    environments: Known<Vec<PythonEnvironment>>,
    toolkit: Known<ToolkitFacts>,
    containers: Known<ContainerFacts>,
    disk: Known<DiskFacts>,
    network: Known<NetworkFacts>,
    privacy: Known<PrivacyFacts>,
}

/// Folders of which every system has some.
const SYSTEM: [&str; 5] = ["etc", "proc", "sys", "usr", "System"];

/// Whether a folder may be the root of a system, mounted or recorded.
#[must_use]
pub fn is_system(root: &Path) -> bool {
    SYSTEM.iter().any(|folder| Root(root).has_folder(folder))
}

/// Gathers the facts of a machine. Whatever does not answer in time is unknown.
#[must_use]
pub fn facts(place: &Place<'_>) -> Facts {
    let root = OwnedRoot::new(place.root);
    let variables = place.variables.clone();
    let base = root.clone();
    let base = within(FILES, "process and system", move || {
        let root = base.borrowed();
        let process = Process::read(root, variables);
        let surroundings = Surroundings::read(root, &process);
        (process, surroundings, mounts(root))
    });
    let (process, surroundings, mounts) = match base.wait() {
        Known::Value(found) => found,
        // Such a root is read no further than its first file.
        Known::Unknown(why) => {
            let empty = OwnedRoot::new(Path::new("/nonexistent"));
            let process = Process::read(empty.borrowed(), Some(Variables::new()));
            let surroundings = Surroundings::read(empty.borrowed(), &process);
            (process, surroundings, Known::Unknown(why))
        }
    };
    let look = Look {
        root,
        project: place.project.map(|path| path.to_string_lossy().into_owned()),
        process,
        surroundings,
        mounts,
    };
    let look = Arc::new(look);
    Asked::of(&look).facts(&look)
}

/// What every question needs.
struct Look {
    root: OwnedRoot,
    project: Option<String>,
    process: Process,
    surroundings: Surroundings,
    mounts: Known<Vec<Mount>>,
}

impl Look {
    fn root(&self) -> Root<'_> {
        self.root.borrowed()
    }

    fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }
}

/// Asks a question in a thread of its own.
fn ask<T: Send + 'static>(
    look: &Arc<Look>,
    limit: Duration,
    what: &'static str,
    question: fn(&Look) -> T,
) -> Pending<T> {
    let look = Arc::clone(look);
    within(limit, what, move || question(&look))
}

/// Everything that is being asked at the same time.
struct Asked {
    machine: Pending<MachineFacts>,
    accelerators: Pending<AcceleratorFacts>,
    wsl: Pending<WslFacts>,
    driver: Pending<DriverFacts>,
    nvidia: Pending<Nvidia>,
    cuda_start: Pending<Known<i32>>,
    environments: Pending<Vec<PythonEnvironment>>,
    toolkit: Pending<ToolkitFacts>,
    containers: Pending<ContainerFacts>,
    disk: Pending<DiskFacts>,
    network: Pending<NetworkFacts>,
    privacy: Pending<PrivacyFacts>,
}

impl Asked {
    fn of(look: &Arc<Look>) -> Self {
        Self {
            machine: ask(look, FILES, "machine", |look| {
                MachineFacts::read(look.root(), &look.mounts)
            }),
            accelerators: ask(look, FILES, "accelerators", |look| {
                AcceleratorFacts::read(look.root(), &look.process)
            }),
            wsl: ask(look, FILES, "WSL", |look| WslFacts::read(look.root())),
            driver: ask(look, FILES, "driver", |look| {
                DriverFacts::read(look.root(), &look.surroundings.kernel)
            }),
            nvidia: ask(look, DRIVER, "NVIDIA driver", |look| {
                match look.root().is_this_machine() {
                    true => nvidia::asked(),
                    false => nvidia::from_files(look.root()),
                }
            }),
            cuda_start: ask(look, cuda_start::LIMIT, "cuInit", |look| cuda(look.root())),
            environments: ask(look, FILES, "Python environments", |look| {
                let project = look.project().map(Path::new);
                environments(look.root.path(), project, &look.process.variables)
            }),
            toolkit: ask(look, FILES, "CUDA toolkit", |look| {
                ToolkitFacts::read(look.root(), &look.process.variables)
            }),
            containers: ask(look, FILES, "containers", |look| {
                ContainerFacts::read(look.root(), &look.process, &look.mounts)
            }),
            // It waits for questions of its own that have the same limit.
            disk: ask(look, 2 * FILES, "disk", |look| {
                DiskFacts::read(&look.root, look.project(), &look.process, &look.mounts)
            }),
            network: ask(look, FILES, "network", |look| {
                NetworkFacts::read(look.root(), &look.process)
            }),
            privacy: ask(look, FILES, "privacy", |look| {
                PrivacyFacts::read(look.root(), look.project(), &look.process, &look.mounts)
            }),
        }
    }

    fn facts(self, look: &Look) -> Facts {
        Facts {
            process: look.process.clone(),
            surroundings: look.surroundings.clone(),
            machine: self.machine.wait(),
            accelerators: self.accelerators.wait(),
            wsl: self.wsl.wait(),
            driver: self.driver.wait(),
            nvidia: self.nvidia.wait(),
            cuda_start: self.cuda_start.wait().and_then(|found| found),
            environments: self.environments.wait(),
            toolkit: self.toolkit.wait(),
            containers: self.containers.wait(),
            disk: self.disk.wait(),
            network: self.network.wait(),
            privacy: self.privacy.wait(),
        }
    }
}

/// What `cuInit` answers: asked on this machine where a device of NVIDIA is, written down elsewhere.
fn cuda(root: Root<'_>) -> Known<i32> {
    if !root.is_this_machine() {
        return root.value("cuinit.txt");
    }
    let device = ["dev/nvidiactl", "dev/nvidia0", "dev/dxg"].iter().any(|path| root.has(path));
    match device {
        true => cuda_start::ask(OsStr::new("python3"), None, cuda_start::LIMIT),
        false => Known::unknown("no NVIDIA device"),
    }
}

impl Facts {
    fn nvidia_devices(&self) -> &[nvidia::NvidiaDevice] {
        self.nvidia.as_ref().value().map_or(&[], |nvidia| nvidia.devices.as_slice())
    }

    /// What AMD's devices call themselves.
    fn gfx(&self) -> &[String] {
        self.accelerators.as_ref().value().map_or(&[], |found| found.gfx.as_slice())
    }

    /// Who and where somebody is: what a report leaves out.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let variable = |name| self.process.variable(name).map(str::to_owned);
        Identity {
            home: variable("HOME"),
            user: variable("USER").or_else(|| variable("LOGNAME")),
            host: self.surroundings.host.clone(),
        }
    }

    /// Whether the kernel's side of ROCm is here.
    #[must_use]
    pub fn has_rocm(&self) -> bool {
        self.accelerators.as_ref().value().is_some_and(|found| found.kfd || !found.gfx.is_empty())
    }

    /// The Python environments that were found.
    #[must_use]
    pub fn environments(&self) -> &[PythonEnvironment] {
        self.environments.as_ref().value().map_or(&[], Vec::as_slice)
    }

    /// The build of PyTorch that fits the NVIDIA devices and the driver here.
    #[must_use]
    pub fn torch_that_fits(&self, catalog: &Catalog) -> Known<TorchChoice> {
        match self.nvidia_devices().is_empty() {
            true => Known::unknown("no NVIDIA device that a driver shows"),
            false => Fits::of(self, catalog).choice,
        }
    }

    /// The build of PyTorch that fits the AMD devices here.
    #[must_use]
    pub fn rocm_that_fits(&self, catalog: &Catalog) -> Known<TorchWheel> {
        Fits::of(self, catalog).rocm
    }
}

/// Holds facts against every rule; sorted by section, then in the order of the rules.
#[must_use]
pub fn checks(facts: &Facts, reference: &Reference<'_>) -> Vec<Check> {
    let nothing = Nvidia::default();
    let nvidia = facts.nvidia.as_ref().value().unwrap_or(&nothing);
    let mut all = machine::macos(&facts.surroundings.system);
    all.extend(of(&facts.machine, machine::RULES, |found| machine::checks(facts, found)));
    all.extend(of(&facts.accelerators, accelerators::RULES, |found| {
        accelerators::checks(facts, found, nvidia)
    }));
    all.extend(of(&facts.wsl, accelerators::WSL_RULES, |found| {
        accelerators::wsl_checks(facts, found)
    }));
    all.extend(of(&facts.driver, driver::RULES, |found| {
        driver::checks(facts, found, nvidia, reference)
    }));
    let python = facts.environments.as_ref().zip(facts.toolkit.as_ref());
    all.extend(of(&python, environments::RULES, |(found, toolkit)| {
        environments::checks(facts, found, toolkit, reference)
    }));
    all.extend(of(&facts.containers, containers::RULES, |found| containers::checks(facts, found)));
    all.extend(of(&facts.disk, disk::RULES, disk::checks));
    all.extend(of(&facts.network, network::RULES, |found| network::checks(facts, found)));
    all.extend(of(&facts.nvidia, power::RULES, power::checks));
    all.extend(of(&facts.privacy, privacy::RULES, |found| {
        privacy::checks(facts, found, reference)
    }));
    all.sort_by_key(|check| check.rule.section);
    all
}

/// The checks of what was read; where it was not, each rule is unknown with the reason.
fn of<T>(
    facts: &Known<T>,
    rules: &[&'static Rule],
    checks: impl FnOnce(&T) -> Vec<Check>,
) -> Vec<Check> {
    match facts {
        Known::Value(found) => checks(found),
        Known::Unknown(why) => rules.iter().map(|rule| rule.unknown(&**why)).collect(),
    }
}

/// Every rule there is.
#[must_use]
pub fn rules() -> Vec<&'static Rule> {
    let mut all: Vec<&'static Rule> = vec![&machine::MACOS];
    for rules in [
        machine::RULES,
        accelerators::RULES,
        accelerators::WSL_RULES,
        driver::RULES,
        environments::RULES,
        containers::RULES,
        disk::RULES,
        network::RULES,
        power::RULES,
        privacy::RULES,
    ] {
        all.extend(rules);
    }
    all
}
