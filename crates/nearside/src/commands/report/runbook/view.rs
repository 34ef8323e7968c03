//! The runbook as data: what Markdown, the page and JSON show.

use schemars::JsonSchema;
use serde::Serialize;

use crate::view::{Figure, Range};

/// The answer of `nearside report --runbook`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct RunbookAnswer {
    /// The project.
    pub(super) project: String,
    /// The day of writing.
    pub(super) written_on: String,
    /// Machines that the project has, and those that its plan rents.
    pub(super) machines: Vec<MachineView>,
    /// How to rebuild what stages run in.
    pub(super) environments: Vec<EnvironmentView>,
    /// Stages in the order they run.
    pub(super) stages: Vec<StageView>,
    /// Why there is no plan, where there is none.
    pub(super) no_plan: Option<String>,
    /// What failed, the most frequent first.
    pub(super) faults: Vec<FaultView>,
    /// What has to be looked at, and when.
    pub(super) maintenance: Vec<MaintenanceView>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct MachineView {
    /// The site's name.
    pub(super) name: String,
    /// here (the machine that wrote this), own, or rented.
    pub(super) whose: String,
    /// Accelerators, threads, memory.
    pub(super) what: String,
    /// Its country, where it is known.
    pub(super) country: Option<String>,
    /// The highest class of data that it may hold.
    pub(super) holds_up_to: String,
    /// Stages that the plan puts there.
    pub(super) stages: Vec<String>,
}

/// Something that an environment is rebuilt from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct EnvironmentView {
    /// The file in the project, or the image that stages name.
    pub(super) from: String,
    /// What it is.
    pub(super) what: String,
    /// The command that rebuilds.
    pub(super) command: String,
}

/// A stage.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct StageView {
    /// Its name.
    pub(super) stage: String,
    /// Its phase of the lifecycle.
    pub(super) phase: String,
    /// Where the plan puts it.
    pub(super) site: Figure<String>,
    /// Its command.
    pub(super) command: Option<String>,
    /// What it reads.
    pub(super) inputs: Vec<String>,
    /// What it writes.
    pub(super) outputs: Vec<String>,
    /// The class of what it reads.
    pub(super) reads: String,
    /// Runs per month.
    pub(super) runs_per_month: f64,
    /// Memory at the peak where the plan puts it, and whether it fits.
    pub(super) needs: Figure<String>,
    /// What a run takes there, in hours.
    pub(super) hours: Figure<Range>,
    /// When it last ended well, by the ledger.
    pub(super) last_ended_well: Option<String>,
}

/// A failure that happened once or more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FaultView {
    /// The stage.
    pub(super) stage: String,
    /// What it said the last time.
    pub(super) said: String,
    /// How often.
    pub(super) times: usize,
    /// The day of the last time, in UTC.
    pub(super) last: String,
    /// What came after it.
    pub(super) afterwards: String,
    /// What is worth trying, where what it said tells.
    pub(super) remedy: Option<String>,
}

/// Something to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct MaintenanceView {
    /// What.
    pub(super) what: String,
    /// How it stands.
    pub(super) state: Figure<String>,
    /// What to do, and when.
    pub(super) action: String,
    /// fine, due, unknown.
    pub(super) status: String,
}
