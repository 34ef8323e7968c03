//! Devices that compute: whether a driver has them, who may use them, which of them are shown, and
//! whether they are whole.

use nearside_units::Known;

use super::Facts;
use super::check::{Check, Rule, Section};
use super::nodes::{listed, names, node, opens};
use super::nvidia::{Nvidia, NvidiaDevice};
use super::pci::{PciDevice, Vendor, devices};
use super::process::Process;
use super::surroundings::System;
use crate::root::Root;

const NOUVEAU: Rule = Rule {
    id: "nouveau",
    section: Section::Accelerators,
    says: "an NVIDIA device is driven by NVIDIA's driver: nouveau runs no CUDA",
    source: "NVIDIA driver README, chapter 8 (interaction with the nouveau driver)",
};
const DRIVER_BOUND: Rule = Rule {
    id: "accelerator-driver",
    section: Section::Accelerators,
    says: "every device that computes has a driver",
    source: "Linux Documentation/ABI/testing/sysfs-bus-pci (driver)",
};
const PERMISSION: Rule = Rule {
    id: "device-permission",
    section: Section::Accelerators,
    says: "the person may read and write the files of the devices",
    source: "ROCm installation, \"Configuring permissions for GPU access\" (groups render and video); NVIDIA driver README (/dev/nvidia*)",
};
const VISIBLE: Rule = Rule {
    id: "visible-devices",
    section: Section::Accelerators,
    says: "CUDA_VISIBLE_DEVICES names devices that are there, each once",
    source: "CUDA C Programming Guide, CUDA environment variables: what follows an invalid name is hidden",
};
const ORDER: Rule = Rule {
    id: "device-order",
    section: Section::Accelerators,
    says: "with devices of several kinds CUDA_DEVICE_ORDER=PCI_BUS_ID holds: else CUDA counts the fastest first and nvidia-smi does not",
    source: "CUDA C Programming Guide, CUDA environment variables",
};
const GFX: Rule = Rule {
    id: "rocm-override",
    section: Section::Accelerators,
    says: "no HSA_OVERRIDE_GFX_VERSION: AMD supports no device that it pretends to be another",
    source: "ROCm documentation, environment variables",
};
const ECC: Rule = Rule {
    id: "memory-errors",
    section: Section::Accelerators,
    says: "the device's memory has no errors that could not be corrected, and no rows that wait for a reset",
    source: "NVIDIA GPU memory error management (row remapping)",
};
const LINK: Rule = Rule {
    id: "pcie-link",
    section: Section::Accelerators,
    says: "the link has as many lanes as device and slot could both use",
    source: "NVML reference (current and maximum PCIe link width)",
};
const LOST: Rule = Rule {
    id: "device-lost",
    section: Section::Accelerators,
    says: "the driver reaches every device that it counts",
    source: "NVML reference (NVML_ERROR_GPU_IS_LOST)",
};

pub(super) const RULES: &[&Rule] =
    &[&NOUVEAU, &DRIVER_BOUND, &PERMISSION, &VISIBLE, &ORDER, &GFX, &ECC, &LINK, &LOST];

/// What is read of devices.
#[derive(Clone, Debug)]
pub(super) struct AcceleratorFacts {
    /// Display and processing devices on the bus.
    pub(super) bus: Vec<PciDevice>,
    /// Whether the module nouveau is loaded.
    nouveau: bool,
    /// Files of devices, whether the person may use each.
    nodes: Vec<(String, Known<bool>, Option<u32>)>,
    /// Whether the kernel's side of ROCm is there.
    pub(super) kfd: bool,
    /// What AMD's devices call themselves, `gfx1100`.
    pub(super) gfx: Vec<String>,
}

impl AcceleratorFacts {
    pub(super) fn read(root: Root<'_>, process: &Process) -> Self {
        let wanted = |name: &String| {
            let numbered =
                name.strip_prefix("nvidia").is_some_and(|rest| rest.parse::<u32>().is_ok());
            numbered || matches!(name.as_str(), "nvidiactl" | "nvidia-uvm" | "kfd")
        };
        let mut files: Vec<String> = names(root, "dev")
            .into_iter()
            .filter(wanted)
            .map(|name| format!("dev/{name}"))
            .collect();
        let kfd = files.iter().any(|file| file == "dev/kfd");
        if kfd {
            let render =
                names(root, "dev/dri").into_iter().filter(|name| name.starts_with("renderD"));
            files.extend(render.map(|name| format!("dev/dri/{name}")));
        }
        let state = |file: String| {
            let group = node(root, &file).map(|node| node.group);
            (format!("/{file}"), opens(root, &file, process), group)
        };
        Self {
            bus: devices(root),
            nouveau: root.has("sys/module/nouveau"),
            nodes: files.into_iter().map(state).collect(),
            kfd,
            gfx: gfx(root),
        }
    }

    /// Whether the bus shows a device of a maker.
    pub(super) fn has(&self, vendor: Vendor) -> bool {
        self.bus.iter().any(|device| device.vendor == vendor)
    }
}

/// The names of AMD's devices: `gfx_target_version 110000` is gfx1100, 90010 is gfx90a.
///
/// Source: Linux `drivers/gpu/drm/amd/amdkfd/kfd_topology.c`; major, minor and stepping have two
/// digits each, the last two of the name are hexadecimal.
fn gfx(root: Root<'_>) -> Vec<String> {
    const NODES: &str = "sys/class/kfd/kfd/topology/nodes";
    let nodes = root.numbered(NODES, "");
    let version = |node: String| {
        let text = root.text(&format!("{NODES}/{node}/properties")).value()?;
        let line = text.lines().find_map(|line| line.strip_prefix("gfx_target_version "))?;
        line.trim().parse::<u32>().ok().filter(|version| *version > 0)
    };
    nodes.into_iter().filter_map(version).map(gfx_name).collect()
}

fn gfx_name(version: u32) -> String {
    format!("gfx{}{:x}{:x}", version / 10_000, version / 100 % 100, version % 100)
}

pub(super) fn checks(
    facts: &Facts,
    accelerators: &AcceleratorFacts,
    nvidia: &Nvidia,
) -> Vec<Check> {
    let mut all = vec![
        nouveau(facts, accelerators),
        bound(facts, accelerators),
        permission(facts, accelerators),
        visible(facts, nvidia),
        order(facts, nvidia),
        override_check(facts, accelerators),
    ];
    all.extend(nvidia.notes.iter().filter(|note| note.starts_with("GPU ")).map(|note| {
        LOST.fault(note.clone()).seen("NVML").fix("sudo dmesg | grep -i xid").fix("sudo reboot")
    }));
    for device in &nvidia.devices {
        all.push(memory_errors(device).about(device.label()));
        all.push(link(device).about(device.label()));
    }
    all
}

fn nouveau(facts: &Facts, accelerators: &AcceleratorFacts) -> Check {
    let held = accelerators.bus.iter().find(|device| {
        device.vendor == Vendor::Nvidia && device.driver.as_deref() == Some("nouveau")
    });
    match held {
        Some(device) => NOUVEAU
            .fault("nouveau holds the NVIDIA device")
            .seen(format!("/sys/bus/pci/devices/{}/driver: nouveau", device.address))
            .fix("# Ubuntu:")
            .fix("sudo ubuntu-drivers install && sudo reboot")
            .fix("# elsewhere, after NVIDIA's driver is installed:")
            .fix("printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' | sudo tee /etc/modprobe.d/blacklist-nouveau.conf")
            .fix("sudo update-initramfs -u && sudo reboot"),
        None if accelerators.has(Vendor::Nvidia) || !facts.nvidia_devices().is_empty() => {
            let loaded = if accelerators.nouveau { ", though it is loaded" } else { "" };
            NOUVEAU.ok(format!("nouveau holds no NVIDIA device{loaded}"))
        }
        None => NOUVEAU.not_applicable("no NVIDIA device"),
    }
}

fn bound(facts: &Facts, accelerators: &AcceleratorFacts) -> Check {
    let computing = |device: &&PciDevice| device.vendor != Vendor::Intel;
    let mut devices = accelerators.bus.iter().filter(computing).peekable();
    if devices.peek().is_none() {
        return DRIVER_BOUND.not_applicable("no NVIDIA or AMD device on the bus");
    }
    if facts.surroundings.container.is_some() {
        return DRIVER_BOUND.not_applicable("in a container the machine outside drives devices");
    }
    match devices.find(|device| device.driver.is_none()) {
        None => DRIVER_BOUND.ok("every device has a driver"),
        Some(device) => {
            if let Some(why) = facts.surroundings.modules.why() {
                return DRIVER_BOUND.unknown(why);
            }
            let name = match device.vendor {
                Vendor::Nvidia => "NVIDIA",
                Vendor::Amd => "AMD",
                Vendor::Intel => "Intel",
            };
            let check = DRIVER_BOUND
                .fault(format!("no driver has the {name} device at {}", device.address))
                .seen(format!("/sys/bus/pci/devices/{}: no driver", device.address));
            match device.vendor {
                Vendor::Nvidia => check
                    .fix("sudo ubuntu-drivers install  # Ubuntu; Fedora: sudo dnf install akmod-nvidia")
                    .fix("sudo reboot"),
                _ => check.fix("sudo modprobe amdgpu"),
            }
        }
    }
}

fn permission(facts: &Facts, accelerators: &AcceleratorFacts) -> Check {
    if accelerators.nodes.is_empty() {
        return PERMISSION.not_applicable("no files of devices");
    }
    let closed: Vec<_> =
        accelerators.nodes.iter().filter(|(_, opens, _)| *opens == Known::Value(false)).collect();
    if let Some((first, _, group)) = closed.first() {
        let amd = closed.iter().any(|(file, _, _)| !file.contains("nvidia"));
        let mut check = PERMISSION.fault(format!("this person may not use {first}"));
        for (file, _, group) in &closed {
            let group = group.map_or_else(String::new, |group| format!(", its group is {group}"));
            check = check.seen(format!("{file} cannot be opened{group}"));
        }
        if let Known::Value(groups) = &facts.process.groups {
            let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
            check = check.seen(format!("/proc/self/status: groups {}", groups.join(" ")));
        }
        return match (amd, group) {
            (true, _) => {
                check.fix("sudo usermod -aG render,video \"$USER\"").fix("# then log in again")
            }
            (false, Some(0) | None) => check
                .fix("sudo nvidia-modprobe -u -c 0")
                .fix("# in a container: start it with --gpus all"),
            (false, Some(group)) => check
                .fix(format!(
                    "sudo usermod -aG \"$(getent group {group} | cut -d: -f1)\" \"$USER\""
                ))
                .fix("# then log in again"),
        };
    }
    let why = accelerators.nodes.iter().find_map(|(_, opens, _)| opens.why());
    match why {
        Some(why) => PERMISSION.unknown(why),
        None => {
            PERMISSION.ok(format!("{} files of devices can be opened", accelerators.nodes.len()))
        }
    }
}

fn visible(facts: &Facts, nvidia: &Nvidia) -> Check {
    let Some(value) = facts.process.variables.get("CUDA_VISIBLE_DEVICES") else {
        return VISIBLE.ok("CUDA_VISIBLE_DEVICES is not set: every device is visible");
    };
    let seen = format!("CUDA_VISIBLE_DEVICES={value:?}");
    let names: Vec<&str> = value.split(',').map(str::trim).collect();
    let unset = "unset CUDA_VISIBLE_DEVICES";
    if nvidia.devices.is_empty() {
        return VISIBLE.not_applicable("no NVIDIA device").seen(seen);
    }
    if value.trim().is_empty() || names.first() == Some(&"-1") {
        return VISIBLE.warning("CUDA_VISIBLE_DEVICES hides every device").seen(seen).fix(unset);
    }
    let count = nvidia.devices.len();
    let wrong = |name: &&&str| match name.parse::<usize>() {
        Ok(number) => number >= count,
        Err(_) => !["GPU-", "MIG-"].iter().any(|prefix| name.starts_with(prefix)),
    };
    if let Some(name) = names.iter().find(wrong) {
        return VISIBLE
            .fault(format!("CUDA_VISIBLE_DEVICES names {name:?}, and {count} devices are there"))
            .seen(seen)
            .fix(format!("export CUDA_VISIBLE_DEVICES=0  # up to {}", count - 1))
            .fix("nvidia-smi -L  # names that do not change: GPU-...");
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    match sorted.len() < names.len() {
        true => VISIBLE.fault("CUDA_VISIBLE_DEVICES names a device twice").seen(seen).fix(unset),
        false => {
            VISIBLE.ok(format!("CUDA_VISIBLE_DEVICES shows {} of {count}", names.len())).seen(seen)
        }
    }
}

fn order(facts: &Facts, nvidia: &Nvidia) -> Check {
    let mut kinds: Vec<_> =
        nvidia.devices.iter().filter_map(|it| it.name.as_ref().value()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() < 2 {
        return ORDER.not_applicable("no devices of several kinds");
    }
    let stated = facts.process.variable("CUDA_DEVICE_ORDER");
    match stated == Some("PCI_BUS_ID") {
        true => ORDER.ok("CUDA counts devices as nvidia-smi does"),
        false => ORDER
            .warning("CUDA may count devices in another order than nvidia-smi")
            .seen(format!("{} kinds of devices", kinds.len()))
            .seen(format!("CUDA_DEVICE_ORDER={}", stated.unwrap_or("(not set)")))
            .fix("export CUDA_DEVICE_ORDER=PCI_BUS_ID"),
    }
}

fn override_check(facts: &Facts, accelerators: &AcceleratorFacts) -> Check {
    if !accelerators.kfd && accelerators.gfx.is_empty() {
        return GFX.not_applicable("no ROCm device");
    }
    match facts.process.variable("HSA_OVERRIDE_GFX_VERSION") {
        None => GFX.ok(format!("devices answer as what they are: {}", accelerators.gfx.join(" "))),
        Some(value) => GFX
            .warning(format!("devices pretend to be {value}"))
            .seen(format!("HSA_OVERRIDE_GFX_VERSION={value}"))
            .seen(format!("/sys/class/kfd: {}", accelerators.gfx.join(" ")))
            .fix("unset HSA_OVERRIDE_GFX_VERSION"),
    }
}

fn memory_errors(device: &NvidiaDevice) -> Check {
    let errors = device.uncorrected_errors.clone().value();
    if device.remap_failure == Known::Value(true) {
        return ECC
            .fault("rows of its memory could not be replaced")
            .seen("NVML: row remapping failed")
            .fix("# ask for a replacement: nvidia-smi -q -d ROW_REMAPPER is what support wants to see");
    }
    if device.remap_pending == Known::Value(true) {
        return ECC
            .warning("rows of its memory wait for a reset to be replaced")
            .seen("NVML: row remapping pending")
            .fix(format!("sudo nvidia-smi --gpu-reset -i {}", device.index));
    }
    match errors {
        Some(count @ 1..) => ECC
            .fault(format!("{count} errors of its memory could not be corrected"))
            .seen(format!("NVML: {count} uncorrected errors since start"))
            .fix(format!("sudo nvidia-smi --gpu-reset -i {}", device.index)),
        Some(0) => match device.ecc {
            Known::Value(false) => ECC.ok("no memory errors are known: ECC is off"),
            _ => ECC.ok("no memory errors"),
        },
        None => ECC.not_applicable("it does not count memory errors"),
    }
}

fn link(device: &NvidiaDevice) -> Check {
    match device.link_width.clone().zip(device.link_width_most.clone()) {
        Known::Unknown(why) => LINK.unknown(&*why),
        Known::Value((now, most)) => {
            let seen = format!("NVML: {now} of {most} lanes");
            match now < most {
                false => LINK.ok(format!("{now} lanes")).seen(seen),
                // A device at rest may let lanes sleep.
                true if device.throttle.as_ref().value().is_some_and(|why| why.at_rest()) => LINK
                    .ok(format!("{now} of {most} lanes at rest; under load all should be there"))
                    .seen(seen),
                true => LINK
                    .warning(format!("its link has {now} lanes, it could have {most}"))
                    .seen(seen)
                    .fix("# seat the card anew, in the slot next to the processor; look for shared lanes in the board's manual")
                    .fix(format!("nvidia-smi -q -i {} -d PCIE  # again, under load", device.index)),
            }
        }
    }
}

/// What WSL needs: the library of the Windows driver, and no driver of its own.
const WSL: Rule = Rule {
    id: "wsl-driver",
    section: Section::Accelerators,
    says: "in WSL libcuda comes from the Windows driver (/usr/lib/wsl/lib), and no Linux driver is installed",
    source: "NVIDIA, CUDA on WSL User Guide: \"do not install any Linux display driver in WSL\"",
};

pub(super) const WSL_RULES: &[&Rule] = &[&WSL];

/// Where the two kinds of libraries lie.
#[derive(Clone, Debug)]
pub(super) struct WslFacts {
    bridge: Known<bool>,
    windows_library: Known<bool>,
    linux_library: Option<String>,
}

impl WslFacts {
    pub(super) fn read(root: Root<'_>) -> Self {
        let places = ["usr/lib/x86_64-linux-gnu", "usr/lib64", "usr/lib/aarch64-linux-gnu"];
        let places = places.map(|folder| format!("{folder}/libcuda.so.1"));
        let real = |path: &&String| {
            let followed = root.followed(path).value().unwrap_or_default();
            root.has(path) && !followed.starts_with("usr/lib/wsl/")
        };
        Self {
            bridge: listed(root, "dev", "dxg"),
            windows_library: match root.has("usr/lib/wsl/lib/libcuda.so.1") {
                true => Known::Value(true),
                false => root.recorded("usr/lib").map(|()| false),
            },
            linux_library: places.iter().find(real).map(|path| format!("/{path}")),
        }
    }
}

pub(super) fn wsl_checks(facts: &Facts, wsl: &WslFacts) -> Vec<Check> {
    if facts.surroundings.system != System::Wsl {
        return vec![WSL.not_applicable("not below Windows")];
    }
    if let Some(library) = &wsl.linux_library {
        let check = WSL
            .fault("a Linux driver is installed inside of WSL and hides that of Windows")
            .seen(format!("{library} is there"))
            .fix("sudo apt purge 'libnvidia-*' 'nvidia-driver-*' 'cuda-drivers*'")
            .fix("wsl.exe --shutdown  # then start it again");
        return vec![check];
    }
    let (library, bridge) = match wsl.windows_library.clone().zip(wsl.bridge.clone()) {
        Known::Value(found) => found,
        Known::Unknown(why) => return vec![WSL.unknown(&*why)],
    };
    let check = match (library, bridge) {
        (true, true) => WSL.ok("libcuda is that of the Windows driver"),
        (true, false) => WSL
            .fault("WSL shows no device: this is WSL 1, or its kernel is old")
            .seen("/dev/dxg is not there")
            .fix("wsl.exe --update && wsl.exe --set-version Ubuntu 2"),
        (false, _) => WSL
            .warning("the Windows driver brings no libcuda to WSL")
            .seen("/usr/lib/wsl/lib/libcuda.so.1 is not there")
            .fix("# where the PC has an NVIDIA device: install its driver in Windows, then wsl.exe --shutdown"),
    };
    vec![check]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gfx_versions_become_names() {
        let cases = [
            (110_000, "gfx1100"),
            (90_010, "gfx90a"),
            (90_402, "gfx942"),
            (100_300, "gfx1030"),
            (110_501, "gfx1151"),
        ];
        for (version, name) in cases {
            assert_eq!(gfx_name(version), name);
        }
    }
}
