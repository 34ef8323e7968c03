//! The whole machine in one answer, and a list of what it could not tell.

use std::path::Path;

use nearside_units::Known;

use crate::accelerator::{Accelerators, DetectedAccelerator};
use crate::disk::{Disk, disk};
use crate::error::ProbeError;
use crate::memory::{Memory, memory};
use crate::processor::{Processor, processor};
use crate::root::Root;
use crate::{amd, cgroup, nvidia};

/// A file that every macOS has.
const MACOS: &str = "System/Library/CoreServices/SystemVersion.plist";

/// This machine as facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Detected {
    /// What runs on it.
    pub operating_system: OperatingSystem,
    /// Its processors.
    pub processor: Processor,
    /// Its main memory.
    pub memory: Memory,
    /// The disk that holds the root.
    pub disk: Disk,
    /// Its accelerators, NVIDIA's first.
    pub accelerators: Vec<DetectedAccelerator>,
    /// What could not be determined and why, and what holds the machine back.
    pub notes: Vec<String>,
}

/// The operating system.
#[derive(Clone, Debug, PartialEq)]
pub struct OperatingSystem {
    /// Name and version, `Debian GNU/Linux 12 (bookworm)`.
    pub name: Known<String>,
    /// Release of the kernel, `6.1.0-28-amd64`.
    pub kernel: Known<String>,
}

/// The machine that runs this program: its files below `/`, and its NVIDIA driver.
///
/// # Errors
/// When `/` cannot be listed.
pub fn this_machine() -> Result<Detected, ProbeError> {
    let detected = probe(Path::new("/"))?;
    let Accelerators { mut found, mut notes } = nvidia::accelerators();
    found.extend(detected.accelerators);
    notes.extend(detected.notes);
    Ok(Detected { accelerators: found, notes, ..detected })
}

/// What the files below `root` tell of a machine. The NVIDIA driver is no file: see
/// [`accelerators`](crate::accelerators).
///
/// # Errors
/// When `root` is not a folder that can be listed.
pub fn probe(root: &Path) -> Result<Detected, ProbeError> {
    root.read_dir().map_err(|source| ProbeError::Root { path: root.to_path_buf(), source })?;
    let disk = disk(root);
    let root = Root(root);
    let (processor, memory) = (processor(root), memory(root));
    let operating_system = OperatingSystem {
        name: system_name(root),
        kernel: root.value("proc/sys/kernel/osrelease"),
    };
    let Accelerators { found, mut notes } = amd::accelerators(root);
    if root.has(MACOS) {
        notes.push("macOS: of an Apple machine only the disk is read so far".to_owned());
    }
    notes.extend(unknowns(&operating_system, &processor, &memory, &disk));
    notes.extend(
        cgroup::processor_limit(root).why().map(|why| format!("quota of processors: {why}")),
    );
    notes.extend(held_back(&processor, &memory));
    Ok(Detected { operating_system, processor, memory, disk, accelerators: found, notes })
}

/// The system's own name for itself.
///
/// Source: `os-release(5)`: `/etc/os-release`, else `/usr/lib/os-release`.
fn system_name(root: Root<'_>) -> Known<String> {
    let text = match root.text("etc/os-release") {
        Known::Value(text) => Known::Value(text),
        Known::Unknown(_) => root.text("usr/lib/os-release"),
    };
    text.and_then(|text| {
        let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let name = name.map(|name| name.trim_matches(['"', '\'']).to_owned());
        Known::from_option(name, "os-release: no PRETTY_NAME")
    })
}

/// One note for each fact that could not be read.
fn unknowns(
    system: &OperatingSystem,
    processor: &Processor,
    memory: &Memory,
    disk: &Disk,
) -> Vec<String> {
    let whys = [
        ("operating system", system.name.why()),
        ("kernel", system.kernel.why()),
        ("processor model", processor.model.why()),
        ("processor vendor", processor.vendor.why()),
        ("physical cores", processor.cores.why()),
        ("threads", processor.threads.why()),
        ("usable threads", processor.usable_threads.why()),
        ("processor features", processor.features.why()),
        ("memory", memory.total.why()),
        ("available memory", memory.available.why()),
        ("memory limit", memory.limit.why()),
        ("disk", disk.total.why()),
    ];
    whys.iter().filter_map(|(what, why)| Some(format!("{what}: {}", (*why)?))).collect()
}

/// One note for each limit below what the machine has.
fn held_back(processor: &Processor, memory: &Memory) -> Vec<String> {
    let mut notes = Vec::new();
    let usable = processor.usable_threads.as_ref().zip(processor.threads.as_ref());
    if let Known::Value((usable, threads)) = usable
        && usable < threads
    {
        notes.push(format!(
            "{usable} of {threads} threads may be used (affinity mask or quota of the control group)"
        ));
    }
    if let (Known::Value(usable), Known::Value(total)) = (memory.usable(), &memory.total)
        && usable < *total
    {
        notes.push(format!("{usable} of {total} memory may be used (limit of the control group)"));
    }
    notes
}
