//! Whether a process sees a whole machine, or a share of one: a container or a virtual machine.
//!
//! Source: a hypervisor sets bit 31 of CPUID leaf 1, which Linux shows as the flag `hypervisor`; where there is
//! no such bit, the firmware names the machine (`/sys/class/dmi/id`, the device tree), as systemd-detect-virt
//! reads it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::container_image::container;
use crate::root::Root;

/// What firmware calls virtual machines, in part.
const VIRTUAL: [&str; 9] = [
    "QEMU",
    "KVM",
    "VMware",
    "VirtualBox",
    "Xen",
    "Bochs",
    "Parallels",
    "Virtual Machine",
    "Compute Engine",
];
/// Where firmware says so.
const FIRMWARE: [&str; 4] = [
    "sys/class/dmi/id/product_name",
    "sys/class/dmi/id/sys_vendor",
    "sys/firmware/devicetree/base/model",
    "sys/firmware/devicetree/base/compatible",
];

/// What shuts a process off from the rest of its machine, with what says so; nothing where nothing says so.
#[must_use]
pub fn confinement(root: &Path, variables: &BTreeMap<String, String>) -> Option<String> {
    let root = Root(root);
    let container = container(root, variables).map(|sign| format!("a container ({sign})"));
    let machine = virtual_machine(root).map(|sign| format!("a virtual machine ({sign})"));
    let both: Vec<_> = [container, machine].into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join(" in "))
}

fn virtual_machine(root: Root<'_>) -> Option<String> {
    let processors = root.text("proc/cpuinfo").value().unwrap_or_default();
    let of_processor = |line: &str| {
        let (name, flags) = line.split_once(':')?;
        (name.trim() == "flags").then(|| flags.split_whitespace().any(|flag| flag == "hypervisor"))
    };
    if let Some(is_set) = processors.lines().find_map(of_processor) {
        return is_set.then(|| "the processor's flag hypervisor is set".to_owned());
    }
    FIRMWARE.iter().find_map(|file| {
        let text = root.text(file).value()?;
        let name = VIRTUAL.iter().find(|name| text.contains(**name))?;
        Some(format!("/{file} says {name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a root with this file.
    #[track_caller]
    fn check(name: &str, file: Option<(&str, &str)>, expected: Option<&str>) {
        let folder = format!("nearside-confinement-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        if let Some((path, text)) = file {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        assert_eq!(confinement(&folder, &BTreeMap::new()).as_deref(), expected, "{name}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_says_that_this_is_a_share_is_told() {
        check("whole", None, None);
        check("plain", Some(("proc/cpuinfo", "flags\t\t: fpu sse2\n")), None);
        let said = "a virtual machine (the processor's flag hypervisor is set)";
        check("flag", Some(("proc/cpuinfo", "flags\t\t: fpu hypervisor\n")), Some(said));
        let said = "a virtual machine (/sys/class/dmi/id/product_name says KVM)";
        let firmware = ("sys/class/dmi/id/product_name", "KVM Virtual Machine\n");
        check("firmware", Some(firmware), Some(said));
        check("board", Some(("sys/class/dmi/id/product_name", "PRO WS WRX90E\n")), None);
        check("docker", Some((".dockerenv", "")), Some("a container (/.dockerenv is there)"));
    }
}
