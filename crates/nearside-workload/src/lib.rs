//! The project file and what it means: datasets, models, stages, sites, money, team, policy,
//! objective.

mod recipe;
mod task;

pub use recipe::{AttentionKernel, Checkpointing, Optimizer, Recipe};
pub use task::{
    Adapter, AdapterTargets, Batch, Custom, CustomDevice, ModelRef, Preparation, Serving, Task,
    Training, Workload,
};
