//! What is known of one accelerator before the catalog is asked what it can do.

use std::fmt;

use nearside_units::{Bytes, Known, Watts};

/// One accelerator, in the words of its driver.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectedAccelerator {
    /// Whose driver spoke.
    pub vendor: AcceleratorVendor,
    /// The name as the driver says it, `NVIDIA GeForce RTX 4090`.
    pub name: Known<String>,
    /// Memory installed on the device.
    pub memory_total: Known<Bytes>,
    /// Memory that nobody used at the time of asking.
    pub memory_free: Known<Bytes>,
    /// The power limit in force, which the owner may have lowered.
    pub power_limit: Known<Watts>,
    /// Version of the driver, `570.86.15`.
    pub driver_version: Known<String>,
    /// Which instructions the device has; an NVIDIA notion.
    pub compute_capability: Known<ComputeCapability>,
    /// What tells this very device from its twins.
    pub uuid: Known<String>,
}

/// Accelerators that were found, and what could not be found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accelerators {
    /// In the driver's order.
    pub found: Vec<DetectedAccelerator>,
    /// Why something is missing.
    pub notes: Vec<String>,
}

/// Whose driver reported an accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AcceleratorVendor {
    /// NVIDIA, through NVML.
    Nvidia,
    /// AMD, through the files of the `amdgpu` driver.
    Amd,
}

impl fmt::Display for AcceleratorVendor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Nvidia => "NVIDIA",
            Self::Amd => "AMD",
        })
    }
}

/// NVIDIA's number for the instructions of a device: 8.9 is Ada, 9.0 Hopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComputeCapability {
    /// The generation.
    pub major: u32,
    /// The variant within it.
    pub minor: u32,
}

impl fmt::Display for ComputeCapability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// Whether a driver of an accelerator is at work here, without asking it.
#[must_use]
pub fn has_accelerator(root: &std::path::Path) -> bool {
    ["dev/nvidia0", "dev/nvidiactl", "dev/kfd"].iter().any(|device| root.join(device).exists())
}
