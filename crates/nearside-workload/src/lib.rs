//! The project file and what it means: datasets, models, stages, sites, money, team, policy,
//! objective.
//!
//! [`Project::parse`] takes the text of `nearside.toml` and gives a [`Project`] in which every name
//! resolves, every quantity is in range and the stages are in order, or every error with its place
//! and a hint. Values that nobody stated are kept as [`Assumption`]s. What belongs to the catalog
//! (devices, offers, published models) stays a name, with its place in the file. A [`SiteFile`] is
//! one machine written down; [`init`] writes a first project file from what a folder holds;
//! [`environment_lock`] is what makes the environment of a stage.

mod assumption;
mod class_flow;
mod dataset;
mod draft;
mod dvc;
pub mod environment_lock;
mod error;
mod folder;
mod graph;
mod located;
mod money;
mod named;
mod network;
mod objective;
mod parallelism;
mod paths;
mod policy;
mod project;
mod project_file;
mod reader;
mod recipe;
mod roi;
mod scalar;
mod schema;
mod site;
mod site_file;
mod sites;
mod stage;
mod stage_table;
mod stop;
mod structure;
mod suggest;
mod task;
mod template;
mod trial;
mod workload_fields;
mod workload_spec;
mod yaml;

pub use assumption::Assumption;
pub use dataset::{Dataset, Model, PrivacyBudget};
pub use dvc::{DvcPipeline, tracked as tracked_by_dvc};
pub use environment_lock::EnvironmentLock;
pub use error::ProjectError;
pub use folder::{DataFile, FolderFacts, MachineFacts};
pub use graph::{Edge, StageGraph};
pub use located::Located;
pub use money::{Rates, Team};
pub use named::UnknownName;
pub use network::Network;
pub use objective::{Goal, Objective};
pub use parallelism::{Choice, Offload, Parallelism, Sharding, Stream};
pub use policy::{ProcessingRecord, ProjectPolicy, Sandbox};
pub use project::Project;
pub use recipe::{AttentionKernel, Checkpointing, Optimizer, Recipe, VocabularyLoss};
pub use roi::StatedInputs;
pub use schema::schema;
pub use site::{
    Accelerators, HERE, Launcher, Machine, MachineSource, Ownership, Power, Site, SiteLocation,
    Tenure,
};
pub use site_file::SiteFile;
pub use sites::{SitePattern, Sites, Spot};
pub use stage::{Input, Output, Phase, Reliance, Stage, Trial};
pub use stop::{Aim, Stop};
pub use suggest::nearest;
pub use task::{
    Adapter, AdapterMethod, AdapterTargets, Batch, Custom, CustomDevice, ModelRef, Preparation,
    Serving, Stored, Task, Training, Workload,
};
pub use template::init;
pub use workload_spec::WorkloadSpec;

/// The version of the project file and the machine file that this build reads.
pub const FORMAT_VERSION: i64 = 1;

/// The names of the classes of data, least sensitive first.
fn classes() -> [&'static str; 4] {
    nearside_policy::Class::ALL.map(nearside_policy::Class::name)
}
