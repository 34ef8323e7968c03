//! NVIDIA accelerators, asked through NVML.
//!
//! The library comes with the driver and is loaded at run time, so a build needs no CUDA and a
//! machine without a driver still answers everything else. Containers and WSL often have only
//! `libnvidia-ml.so.1`, so that name is tried before the bare one.
//! Source: NVML reference (memory in bytes, power in milliwatts).

use std::ffi::OsStr;
use std::path::Path;

use nearside_units::{Bytes, Known, Watts};
use nvml_wrapper::Nvml;
use nvml_wrapper::error::NvmlError;

use crate::accelerator::{AcceleratorVendor, Accelerators, ComputeCapability, DetectedAccelerator};
use crate::doctor::pci::{self, Vendor};
use crate::root::Root;

/// More devices than any machine holds.
pub(crate) const MAX_DEVICES: u32 = 256;

#[cfg(windows)]
const LIBRARIES: [&str; 1] = ["nvml.dll"];
#[cfg(not(windows))]
const LIBRARIES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// Every NVIDIA device that the driver shows, in its order. Without a driver there is none, and a
/// note says so where there is a device that could have one.
#[must_use]
pub fn accelerators() -> Accelerators {
    let shown = match load() {
        Ok(library) => read(&Loaded(library)),
        Err(note) => Accelerators { found: Vec::new(), notes: vec![note] },
    };
    match shown.found.is_empty() && !is_there(Root(Path::new("/"))) {
        true => Accelerators::default(),
        false => shown,
    }
}

/// Whether a machine has a device of NVIDIA, with or without a driver: on its bus, among the files of a
/// container, or behind Windows with NVIDIA's driver.
fn is_there(root: Root<'_>) -> bool {
    ["dev/nvidiactl", "dev/nvidia0", "usr/lib/wsl/lib/libnvidia-ml.so.1"]
        .iter()
        .any(|path| root.has(path))
        || pci::devices(root).iter().any(|device| device.vendor == Vendor::Nvidia)
}

/// Loads the library under its first name that works.
pub(crate) fn load() -> Result<Nvml, String> {
    let mut refusals = Vec::new();
    for name in LIBRARIES {
        match Nvml::builder().lib_path(OsStr::new(name)).init() {
            Ok(library) => return Ok(library),
            Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound) => {
                refusals.push(format!("{name} not found"));
            }
            Err(error) => {
                return Err(format!("NVIDIA driver found, but it does not work: {error}"));
            }
        }
    }
    Err(format!("no NVIDIA driver found ({})", refusals.join(", ")))
}

/// What we ask a driver: the real one, or one that was recorded.
trait Driver {
    fn version(&self) -> Result<String, NvmlError>;
    fn device_count(&self) -> Result<u32, NvmlError>;
    fn device(&self, index: u32) -> Result<Answers, NvmlError>;
}

/// A driver's answers about one device, in its units.
struct Answers {
    name: Result<String, NvmlError>,
    memory_bytes: Result<MemoryBytes, NvmlError>,
    power_limit_milliwatts: Result<u32, NvmlError>,
    compute_capability: Result<ComputeCapability, NvmlError>,
    uuid: Result<String, NvmlError>,
}

struct MemoryBytes {
    total: u64,
    free: u64,
}

/// The driver of this machine.
struct Loaded(Nvml);

impl Driver for Loaded {
    fn version(&self) -> Result<String, NvmlError> {
        self.0.sys_driver_version()
    }

    fn device_count(&self) -> Result<u32, NvmlError> {
        self.0.device_count()
    }

    fn device(&self, index: u32) -> Result<Answers, NvmlError> {
        let device = self.0.device_by_index(index)?;
        Ok(Answers {
            name: device.name(),
            memory_bytes: device
                .memory_info()
                .map(|memory| MemoryBytes { total: memory.total, free: memory.free }),
            power_limit_milliwatts: device.enforced_power_limit(),
            compute_capability: device.cuda_compute_capability().and_then(|capability| {
                let part = |part: i32| u32::try_from(part).map_err(|_negative| NvmlError::Unknown);
                let (major, minor) = (part(capability.major)?, part(capability.minor)?);
                Ok(ComputeCapability { major, minor })
            }),
            uuid: device.uuid(),
        })
    }
}

fn read(driver: &impl Driver) -> Accelerators {
    let count = match driver.device_count() {
        Ok(count) => count.min(MAX_DEVICES),
        Err(error) => {
            let note = format!("the NVIDIA driver does not count its devices: {error}");
            return Accelerators { found: Vec::new(), notes: vec![note] };
        }
    };
    let version = known("driver version", driver.version());
    let mut accelerators = Accelerators::default();
    if count == 0 {
        accelerators.notes.push("the NVIDIA driver shows no device".to_owned());
    }
    for index in 0..count {
        match driver.device(index) {
            Ok(answers) => accelerators.found.push(accelerator(answers, version.clone())),
            Err(error) => accelerators.notes.push(format!("NVIDIA device {index}: {error}")),
        }
    }
    accelerators
}

fn accelerator(answers: Answers, driver_version: Known<String>) -> DetectedAccelerator {
    let memory = known("memory", answers.memory_bytes);
    let watts = |milliwatts| Watts::from_watts(f64::from(milliwatts) / 1e3);
    DetectedAccelerator {
        vendor: AcceleratorVendor::Nvidia,
        name: known("name", answers.name),
        memory_total: memory.as_ref().map(|memory| Bytes::new(memory.total)),
        memory_free: memory.map(|memory| Bytes::new(memory.free)),
        power_limit: known("power limit", answers.power_limit_milliwatts).and_then(|limit| {
            watts(limit).map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
        }),
        driver_version,
        compute_capability: known("compute capability", answers.compute_capability),
        uuid: known("UUID", answers.uuid),
    }
}

/// An answer, or what the driver said instead of it.
pub(crate) fn known<T>(what: &str, answer: Result<T, NvmlError>) -> Known<T> {
    answer.map_or_else(|error| Known::unknown(format!("NVML, {what}: {error}")), Known::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A driver's answers as lines of `key value`; a blank line before each device.
    struct Recorded(Vec<BTreeMap<String, String>>);

    impl Recorded {
        fn load(machine: &str) -> Self {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
            let text = std::fs::read_to_string(format!("{folder}/{machine}/nvml.txt")).unwrap();
            let pairs = |block: &str| {
                let lines = block.lines().filter(|line| !line.starts_with('#'));
                lines
                    .filter_map(|line| line.split_once(' '))
                    .map(|(key, value)| (key.into(), value.into()))
                    .collect()
            };
            Self(text.split("\n\n").map(pairs).collect())
        }

        fn answer(&self, block: usize, key: &str) -> Result<String, NvmlError> {
            let value = self.0.get(block).and_then(|block| block.get(key)).unwrap();
            match value.as_str() {
                "NOT_SUPPORTED" => Err(NvmlError::NotSupported),
                value => Ok(value.to_owned()),
            }
        }

        fn number(&self, block: usize, key: &str) -> Result<u64, NvmlError> {
            self.answer(block, key).map(|value| value.parse().unwrap())
        }
    }

    impl Driver for Recorded {
        fn version(&self) -> Result<String, NvmlError> {
            self.answer(0, "driver_version")
        }

        fn device_count(&self) -> Result<u32, NvmlError> {
            Ok(self.0.len() as u32 - 1)
        }

        fn device(&self, index: u32) -> Result<Answers, NvmlError> {
            let block = index as usize + 1;
            if self.0[block].contains_key("GPU_IS_LOST") {
                return Err(NvmlError::GpuLost);
            }
            Ok(Answers {
                name: self.answer(block, "name"),
                memory_bytes: self.number(block, "memory_total").and_then(|total| {
                    Ok(MemoryBytes { total, free: self.number(block, "memory_free")? })
                }),
                power_limit_milliwatts: self.number(block, "power_limit").map(|limit| limit as u32),
                compute_capability: self.answer(block, "compute_capability").map(|value| {
                    let (major, minor) = value.split_once('.').unwrap();
                    ComputeCapability {
                        major: major.parse().unwrap(),
                        minor: minor.parse().unwrap(),
                    }
                }),
                uuid: self.answer(block, "uuid"),
            })
        }
    }

    #[test]
    fn a_device_keeps_the_words_of_its_driver() {
        let accelerators = read(&Recorded::load("workstation"));
        let device = &accelerators.found[0];
        assert_eq!(device.name.clone().value().as_deref(), Some("NVIDIA GeForce RTX 4090"));
        assert_eq!(device.memory_total.clone().value(), Some(Bytes::mib(24_564)));
        assert_eq!(device.power_limit.clone().value(), Some(Watts::constant(400.0)));
        assert_eq!(device.driver_version.clone().value().as_deref(), Some("570.86.15"));
        let capability = device.compute_capability.clone().value().unwrap();
        assert_eq!(capability.to_string(), "8.9");
        assert!(capability < ComputeCapability { major: 9, minor: 0 });
    }

    #[test]
    fn a_lost_device_is_a_note_and_not_a_hole() {
        let accelerators = read(&Recorded::load("workstation"));
        assert_eq!(accelerators.found.len(), 1);
        let note = &accelerators.notes[0];
        assert!(note.starts_with("NVIDIA device 1: device fell off the bus"), "{note}");
    }

    #[test]
    fn memory_shared_with_the_processor_is_unknown_not_zero() {
        let accelerators = read(&Recorded::load("arm-server"));
        let device = &accelerators.found[0];
        let why = "NVML, memory: the requested operation is not available on the target device";
        assert_eq!(device.memory_total.why(), Some(why));
        assert_eq!(device.memory_free.why(), Some(why));
        assert_eq!(device.name.clone().value().as_deref(), Some("NVIDIA GB10"));
    }

    #[test]
    fn a_driver_is_missed_only_where_there_is_a_device() {
        let missed = accelerators().notes;
        assert!(missed.is_empty() || is_there(Root(Path::new("/"))), "{missed:?}");
        let root = std::env::temp_dir().join(format!("nearside-bus-{}", std::process::id()));
        let device = root.join("sys/bus/pci/devices/0000:01:00.0");
        std::fs::create_dir_all(&device).unwrap();
        std::fs::write(device.join("class"), "0x030000\n").unwrap();
        for (vendor, expect) in [("0x8086\n", false), ("0x10de\n", true)] {
            std::fs::write(device.join("vendor"), vendor).unwrap();
            assert_eq!(is_there(Root(&root)), expect, "{vendor}");
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
