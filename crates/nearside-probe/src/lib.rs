//! This machine as facts: processor, memory, disk and accelerators, each known or unknown with the
//! reason why.
//!
//! Every file is read below a root folder, so a recorded tree stands in for a machine in tests and
//! `/` is nothing special. The NVIDIA driver is asked through its own library, which is loaded at
//! run time: a machine without one is a fact that is noted, not an error. What a device is worth by
//! its data sheet is not read here: the catalog knows that by name. What this machine really reaches
//! is measured ([`ceiling`]), and so is what a piece of work uses of it ([`meter`]).

mod accelerator;
mod address;
mod amd;
mod binary;
mod c_library;
pub mod ceiling;
mod cgroup;
mod child;
mod confinement;
mod container_image;
mod cuda_toolkit;
mod detect;
mod disk;
pub mod doctor;
mod error;
mod memory;
pub mod meter;
mod nvidia;
mod processor;
pub mod python;
mod root;
pub mod self_test;
pub mod verdict;
pub mod wear;

pub use accelerator::{
    AcceleratorVendor, Accelerators, ComputeCapability, DetectedAccelerator, has_accelerator,
};
pub use binary::InstructionSet;
pub use c_library::c_library;
pub use confinement::confinement;
pub use container_image::container_image;
pub use cuda_toolkit::cuda_toolkit;
pub use detect::{Detected, OperatingSystem, probe, this_machine};
pub use disk::{Disk, disk};
pub use error::ProbeError;
pub use memory::Memory;
pub use nvidia::accelerators;
pub use processor::{Feature, Processor};
