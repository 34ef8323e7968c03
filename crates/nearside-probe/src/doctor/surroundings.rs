//! Where a process is: on which system, in a container, below Windows.

use nearside_catalog::Platform;
use nearside_units::Known;

use super::process::Process;
use crate::binary::{HEAD_BYTES, InstructionSet, instruction_sets};
use crate::container_image::container;
use crate::root::Root;

const MACOS: &str = "System/Library/CoreServices/SystemVersion.plist";
/// Rosetta's own folder: there is one on Apple's own processors only.
const ROSETTA: &str = "Library/Apple/usr/libexec/oah";

/// Where a process is.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// The system.
    pub(super) system: System,
    /// Release of the kernel.
    pub(super) kernel: Known<String>,
    /// Whether a driver that does not show is known not to be loaded.
    pub(super) modules: Known<()>,
    /// The machine's name in the network.
    pub(super) host: Option<String>,
    /// What says that this is a container.
    pub(super) container: Option<String>,
    /// For which processors wheels have to be built.
    pub(super) platform: Known<Platform>,
    /// Whether programs of Intel's Macs can be run here: only on Apple's own processors.
    pub(super) rosetta: bool,
}

/// An operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// Linux on a machine of its own, or a virtual one.
    Linux,
    /// Linux below Windows.
    Wsl,
    /// macOS, with its version.
    MacOs(String),
    /// A disk that is not running, or another system.
    Unknown,
}

impl Surroundings {
    pub(super) fn read(root: Root<'_>, process: &Process) -> Self {
        let kernel: Known<String> = root.value("proc/sys/kernel/osrelease");
        Self {
            system: system(root, &kernel),
            host: root.value("proc/sys/kernel/hostname").value(),
            container: container(root, &process.variables),
            platform: platform(root),
            rosetta: root.has(ROSETTA),
            modules: match root.has("proc/modules") {
                true => Known::Value(()),
                false => root.recorded("sys/module"),
            },
            kernel,
        }
    }

    /// Whether the machine's own kernel modules and services can be seen and changed from here.
    pub(super) fn is_plain_linux(&self) -> bool {
        self.system == System::Linux && self.container.is_none()
    }
}

fn system(root: Root<'_>, kernel: &Known<String>) -> System {
    if let Known::Value(text) = root.text(MACOS) {
        let after = text.split("<key>ProductVersion</key>").nth(1);
        let version = after.and_then(|text| text.split("<string>").nth(1)?.split('<').next());
        return System::MacOs(version.unwrap_or_default().trim().to_owned());
    }
    match kernel {
        Known::Value(kernel) if kernel.to_lowercase().contains("microsoft") => System::Wsl,
        Known::Value(_) => System::Linux,
        Known::Unknown(_) => System::Unknown,
    }
}

/// Wheels of PyTorch know two platforms of Linux.
fn platform(root: Root<'_>) -> Known<Platform> {
    let programs = ["usr/bin/env", "bin/sh", "usr/bin/python3"];
    let sets = programs.iter().map(|path| root.head(path, HEAD_BYTES));
    let of = |set: &InstructionSet| match set {
        InstructionSet::X86_64 => Some(Platform::X86_64),
        InstructionSet::Aarch64 => Some(Platform::Aarch64),
        _ => None,
    };
    let found = sets
        .filter_map(|head| instruction_sets(&head.value()?).value())
        .find_map(|sets| sets.iter().find_map(of));
    let kernel = || root.value("proc/sys/kernel/arch").value();
    Known::from_option(found.or_else(kernel), "the processor's kind: no program tells")
}
