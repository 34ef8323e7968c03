//! Executes the stages of a project: what has been computed before is not computed again, what is
//! computed appears whole or not at all, and nothing that a stage starts outlives it.
//!
//! - [`Job`] is a stage as it is executed; [`Jobs`] are those of a project.
//! - [`Key`] is what a result depends on, part by part: commands, contents of inputs and code, tools,
//!   variables. [`Runner::standing`] tells what a stage's result is worth, [`Changed`] why it is not
//!   worth anything any more.
//! - [`Runner::run`] executes what has to be, each stage in a working folder of its own
//!   (`workspace`), under a guard that ends the whole process tree (`guard`), and where it is wanted
//!   without a network ([`Network`], [`sandbox`]) or in a container (`container`, `image`).
//!
//! - A [`Gate`] holds stages to what they promise before others read what they made.
//! - [`Runner::holdings`] says what is kept, [`Runner::forget`] takes some of it out for good.
//! - [`Rehearsal`] makes a project of its own to try the stages in: samples in place of the datasets.
//!
//! Everything that has to last lies in one folder, `.nearside` by convention: `cache/` (results by
//! key, files by content), `stages/` (what each stage last depended on), `logs/`, `work/`.

mod cache;
mod code;
mod container;
mod error;
mod execute;
mod failure;
mod forget;
mod gate;
mod group;
pub mod guard;
mod image;
mod job;
mod key;
mod lock;
mod log;
#[cfg(target_os = "linux")]
mod loopback;
mod metric;
mod network;
mod orders;
mod process;
mod record;
mod rehearsal;
mod runner;
mod sample;
pub mod sandbox;
mod shell;
mod stop;
mod tool;
mod trials;
mod wanted;
mod workspace;

pub use cache::{Cache, Fate, Keep, KeptResult, Leftover};
pub use error::RunError;
pub use execute::{Attempt, Event, Ran, Summary};
pub use forget::{HeldFile, Holding};
pub use gate::{Gate, Refused};
pub use job::{Job, Jobs, Trial};
pub use key::{Changed, How, Key, Part};
pub use network::{Network, Reach};
pub use process::exit_code;
pub use record::{Made, Tried};
pub use rehearsal::Rehearsal;
pub use runner::{Runner, Standing, Surroundings};
pub use sample::Taken;
pub use stop::{Aim, Stop};
pub use wanted::{Load, Wanted};
