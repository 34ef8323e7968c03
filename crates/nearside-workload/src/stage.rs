//! `[stage.NAME]`: one step, with what it reads and writes and every trial of it.

use nearside_policy::Class;
use nearside_units::{Bytes, Frequency, Known};

use crate::named::named;
use crate::sites::SitePattern;
use crate::{Located, Network, Stop, WorkloadSpec};

/// One step of the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Its name, and where it stands in the file.
    pub name: Located<String>,
    /// The lifecycle phase it belongs to.
    pub phase: Phase,
    /// What it reads; `None` where the file does not say, and then it is taken to read everything
    /// upstream of it.
    pub inputs: Option<Vec<Input>>,
    /// What it writes.
    pub outputs: Vec<Output>,
    /// Stages that it waits for, inputs aside.
    pub after: Vec<String>,
    /// How often it runs.
    pub repeat: Frequency,
    /// Every trial; one where there is no matrix.
    pub trials: Vec<Trial>,
    /// When its trials need not all be run.
    pub stop: Option<Stop>,
    /// The only sites it may run on, where stated.
    pub sites: Option<Vec<SitePattern>>,
    /// The container image it runs in.
    pub image: Option<String>,
    /// What its commands reach, where stated; see [`Stage::network_in_force`].
    pub network: Option<Network>,
    /// The highest class of what it reads.
    pub reads: Class,
    /// The promises that `reads` rests on: without their certificates it would be higher.
    pub relies_on: Vec<Reliance>,
}

impl Stage {
    /// An output by its path.
    #[must_use]
    pub fn output(&self, path: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.path == path)
    }
}

/// The eight phases of a machine-learning project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Look at the data.
    Explore,
    /// Clean it.
    Prepare,
    /// Make features of it.
    Features,
    /// Try model architectures.
    Architecture,
    /// Try hyperparameters.
    Tuning,
    /// Train.
    Train,
    /// Score.
    Evaluate,
    /// Serve.
    Deploy,
}

impl Phase {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Explore, "explore"),
        (Self::Prepare, "prepare"),
        (Self::Features, "features"),
        (Self::Architecture, "architecture"),
        (Self::Tuning, "tuning"),
        (Self::Train, "train"),
        (Self::Evaluate, "evaluate"),
        (Self::Deploy, "deploy"),
    ];
}
named!(Phase, "phase");

/// Something that a stage reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A dataset, by its name.
    Dataset(String),
    /// An output of another stage, or something within it.
    Output {
        /// The stage that writes it.
        stage: String,
        /// The output as that stage declares it.
        output: String,
        /// What is read: the output itself or a path within it.
        path: String,
    },
}

/// Something that a stage writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// File or folder, relative to the project.
    pub path: String,
    /// How large it is expected to be.
    pub size: Known<Bytes>,
    /// The class that the stage promises, where it does.
    pub promised: Option<Class>,
    /// Its class: the promised one, else the highest of what the stage reads.
    pub class: Class,
}

/// A promise that a plan rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reliance {
    /// The stage that promises.
    pub stage: String,
    /// The output that it is about.
    pub output: String,
    /// The class promised.
    pub class: Class,
}

/// One combination of values of a stage's matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Each axis with its value, in the order of the file; empty without a matrix.
    pub values: Vec<(String, String)>,
    /// The command with its placeholders filled in.
    pub run: Option<String>,
    /// What it computes.
    pub workload: Option<WorkloadSpec>,
    /// The file that it writes the figure to which trials are stopped by.
    pub metric: Option<String>,
}
