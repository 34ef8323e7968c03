//! The NVIDIA driver: its module, its library, and whether CUDA starts.

use nearside_catalog::Version;
use nearside_units::Known;

use super::branch::{BRANCH, GENERATION, branch, elsewhere, generations, there};
use super::check::{Check, Rule, Section};
use super::cuda_start::meaning;
use super::kernel_log::{self, HMM, XID, hmm, xid};
use super::nvidia::Nvidia;
use super::pci::Vendor;
use super::surroundings::System;
use super::{Facts, Reference};
use crate::root::Root;

const LIBRARY: Rule = Rule {
    id: "driver-library-match",
    section: Section::Driver,
    says: "the loaded module and the installed library have the same version",
    source: "NVIDIA driver README; NVML_ERROR_LIB_RM_VERSION_MISMATCH",
};
const SECURE_BOOT: Rule = Rule {
    id: "secure-boot",
    section: Section::Driver,
    says: "with Secure Boot the module is signed with an enrolled key",
    source: "mokutil(1); Ubuntu wiki, UEFI/SecureBoot",
};
const DKMS: Rule = Rule {
    id: "driver-module",
    section: Section::Driver,
    says: "the driver's module is built for the kernel that runs",
    source: "dkms(8): /var/lib/dkms; modprobe(8): /lib/modules",
};
const HEADERS: Rule = Rule {
    id: "kernel-headers",
    section: Section::Driver,
    says: "headers of the running kernel are installed where DKMS builds the module",
    source: "dkms(8)",
};
const SUSPEND: Rule = Rule {
    id: "suspend",
    section: Section::Driver,
    says: "a machine that sleeps keeps the device's memory: NVreg_PreserveVideoMemoryAllocations=1 and nvidia-suspend.service",
    source: "NVIDIA driver README, chapter 21 (power management)",
};
const STARTS: Rule = Rule {
    id: "cuda-starts",
    section: Section::Driver,
    says: "cuInit returns 0",
    source: "CUDA Driver API, cuInit",
};
const PERSISTENCE: Rule = Rule {
    id: "persistence",
    section: Section::Driver,
    says: "without a screen the driver stays loaded (persistence): else every program waits for the device to wake, and limits are lost",
    source: "NVIDIA, driver persistence",
};

pub(super) const RULES: &[&Rule] = &[
    &LIBRARY,
    &SECURE_BOOT,
    &DKMS,
    &HEADERS,
    &BRANCH,
    &GENERATION,
    &SUSPEND,
    &STARTS,
    &HMM,
    &XID,
    &PERSISTENCE,
];

/// Where distributions put libraries.
const LIBRARY_FOLDERS: [&str; 6] = [
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib/nvidia",
    "usr/local/nvidia/lib64",
];
/// The firmware's variable: four bytes of attributes, then 1 where Secure Boot is on.
const SECURE_BOOT_VARIABLE: &str =
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// What is read of the driver.
#[derive(Clone, Debug)]
pub(super) struct DriverFacts {
    /// Version of the loaded module.
    pub(super) loaded: Known<Version>,
    /// Version of the installed library, and where it lies.
    pub(super) library: Known<(Version, String)>,
    secure_boot: Known<bool>,
    /// Folders of `lib/modules` for the running kernel that hold a module.
    module: Known<Option<String>>,
    /// Whether DKMS knows the driver.
    dkms: bool,
    headers: Known<bool>,
    suspends: Known<u64>,
    preserves: Known<bool>,
    suspend_service: Known<bool>,
    hmm_off: bool,
    /// The kernel's log since the machine was started.
    log: Known<String>,
    screen: bool,
}

impl DriverFacts {
    pub(super) fn read(root: Root<'_>, kernel: &Known<String>) -> Self {
        Self {
            loaded: loaded(root),
            library: library(root),
            secure_boot: root
                .head(SECURE_BOOT_VARIABLE, 5)
                .and_then(|bytes| Known::from_option(bytes.get(4).map(|on| *on == 1), "too short")),
            module: kernel.clone().and_then(|kernel| module(root, &kernel)),
            dkms: !root.entries("var/lib/dkms/nvidia").value().unwrap_or_default().is_empty(),
            headers: kernel
                .clone()
                .and_then(|kernel| root.lists(&format!("lib/modules/{kernel}"), "build")),
            suspends: root.value("sys/power/suspend_stats/success"),
            preserves: root.text("proc/driver/nvidia/params").and_then(|text| {
                let key = "PreserveVideoMemoryAllocations:";
                let line = text.lines().find_map(|line| line.strip_prefix(key));
                Known::from_option(line.map(|value| value.trim() == "1"), format!("no {key}"))
            }),
            suspend_service: suspend_service(root),
            hmm_off: root
                .value::<String>("sys/module/nvidia_uvm/parameters/uvm_disable_hmm")
                .value()
                .is_some_and(|value| matches!(value.as_str(), "Y" | "1")),
            log: kernel_log::log(root),
            screen: screen(root),
        }
    }
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23 ...`: the first word that
/// is a version of two points at least, or two numbers.
fn loaded(root: Root<'_>) -> Known<Version> {
    const FILE: &str = "proc/driver/nvidia/version";
    let text = match root.text(FILE) {
        Known::Value(text) => text,
        Known::Unknown(why) => {
            let plain: Known<Version> = root.value("sys/module/nvidia/version");
            return if plain.why().is_none() { plain } else { Known::Unknown(why) };
        }
    };
    let line = text.lines().find(|line| line.starts_with("NVRM version:"));
    let version = line.and_then(|line| {
        line.split_whitespace().find(|word| is_version(word)).and_then(|word| word.parse().ok())
    });
    Known::from_option(version, format!("/{FILE}: no version"))
}

fn is_version(word: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|sign| sign.is_ascii_digit());
    word.contains('.') && word.split('.').all(digits)
}

/// The version at the end of what `libnvidia-ml.so.1` leads to.
fn library(root: Root<'_>) -> Known<(Version, String)> {
    let names = LIBRARY_FOLDERS.iter().map(|folder| format!("{folder}/libnvidia-ml.so.1"));
    let found = names.filter(|path| root.has(path) || root.link(path).why().is_none());
    let version = |path: String| {
        let target = root.followed(&path).value()?;
        let (_, version) = target.rsplit_once(".so.")?;
        Some((version.parse().ok().filter(|_| is_version(version))?, format!("/{target}")))
    };
    let found = found.filter_map(version).next();
    Known::from_option(found, "no libnvidia-ml.so.1 that leads to a version")
}

/// Whether the driver's own service is asked before the machine sleeps.
fn suspend_service(root: Root<'_>) -> Known<bool> {
    const UNITS: &str = "etc/systemd/system";
    let asked = ["wants", "requires"].iter().any(|kind| {
        let link = format!("{UNITS}/systemd-suspend.service.{kind}/nvidia-suspend.service");
        root.link(&link).why().is_none() || root.has(&link)
    });
    if asked { Known::Value(true) } else { root.recorded(UNITS).map(|()| false) }
}

/// The module for a kernel, where distributions put one; unknown where modules were not recorded.
fn module(root: Root<'_>, kernel: &str) -> Known<Option<String>> {
    let base = format!("lib/modules/{kernel}");
    let mut folders: Vec<String> = [
        "updates/dkms",
        "updates",
        "extra",
        "extra/nvidia",
        "kernel/drivers/video",
        "kernel/drivers/video/nvidia",
        "kernel/drivers/char/drm",
    ]
    .map(|folder| format!("{base}/{folder}"))
    .into();
    let prebuilt = root.entries(&format!("{base}/kernel")).value().unwrap_or_default();
    let prebuilt = prebuilt.iter().filter(|name| name.starts_with("nvidia"));
    folders.extend(prebuilt.map(|name| format!("{base}/kernel/{name}")));
    let found = folders.into_iter().find_map(|folder| {
        let names = root.entries(&folder).value()?;
        let module = names.into_iter().find(|name| name.starts_with("nvidia.ko"))?;
        Some(format!("/{folder}/{module}"))
    });
    root.recorded(&base).map(|()| found)
}

/// Whether a screen is attached to any card.
fn screen(root: Root<'_>) -> bool {
    let outputs = root.entries("sys/class/drm").value().unwrap_or_default();
    outputs.iter().filter(|name| name.contains('-')).any(|name| {
        let status = root.value::<String>(&format!("sys/class/drm/{name}/status"));
        status.value().as_deref() == Some("connected")
    })
}

pub(super) fn checks(
    facts: &Facts,
    driver: &DriverFacts,
    nvidia: &Nvidia,
    reference: &Reference<'_>,
) -> Vec<Check> {
    if !facts.has_nvidia() {
        return RULES.iter().map(|rule| rule.not_applicable("no NVIDIA device")).collect();
    }
    let mut all = vec![
        library_match(facts, driver),
        module_check(facts, driver),
        secure_boot(facts, driver),
        headers(facts, driver),
        branch(facts, driver, reference),
        suspend(facts, driver),
        starts(facts),
        if driver.hmm_off { HMM.ok("HMM is off: uvm_disable_hmm") } else { hmm(&driver.log) },
        xid(&driver.log),
        persistence(facts, driver, nvidia),
    ];
    all.extend(generations(facts, driver, nvidia, reference.catalog));
    all
}

fn library_match(facts: &Facts, driver: &DriverFacts) -> Check {
    if facts.surroundings.system == System::Wsl {
        return LIBRARY.not_applicable("in WSL the driver is that of Windows");
    }
    match driver.loaded.clone().zip(driver.library.clone()) {
        Known::Unknown(why) => LIBRARY.unknown(&*why),
        Known::Value((loaded, (library, path))) => {
            let check = match loaded == library {
                true => LIBRARY.ok(format!("driver {loaded} and its library agree")),
                false => LIBRARY
                    .fault(format!("driver {loaded} is loaded, its library is {library}"))
                    .fix(there(
                        facts,
                        "sudo reboot  # loads the module that was installed with the library",
                    ))
                    .fix(match facts.surroundings.container {
                        Some(_) => {
                            "# then start this container anew: it is given the library from outside"
                        }
                        None => "# against the next surprise: sudo apt-mark hold 'nvidia-*'",
                    }),
            };
            check.seen(format!("/proc/driver/nvidia/version: {loaded}")).seen(path)
        }
    }
}

fn module_check(facts: &Facts, driver: &DriverFacts) -> Check {
    if let Some(why) = elsewhere(facts) {
        return DKMS.not_applicable(why);
    }
    if let Known::Value(version) = &driver.loaded {
        return DKMS.ok(format!("the module of driver {version} is loaded"));
    }
    let kernel = facts.surroundings.kernel.clone().value().unwrap_or_default();
    if let Some(why) = facts.surroundings.modules.why() {
        return DKMS.unknown(why);
    }
    match &driver.module {
        Known::Unknown(why) => DKMS.unknown(&**why),
        Known::Value(Some(module)) => DKMS
            .fault("the module is built for this kernel and not loaded")
            .seen(format!("{module} is there, /proc/driver/nvidia/version is not"))
            .fix("sudo modprobe nvidia  # says why, and so does: sudo dmesg | grep -i nvidia"),
        Known::Value(None) if driver.dkms => DKMS
            .fault(format!("DKMS has not built the module for kernel {kernel}"))
            .seen("/var/lib/dkms/nvidia is there")
            .seen(format!("/lib/modules/{kernel}: no nvidia.ko"))
            .fix("sudo apt install \"linux-headers-$(uname -r)\"")
            .fix("sudo dkms autoinstall -k \"$(uname -r)\" && sudo modprobe nvidia"),
        Known::Value(None) => DKMS
            .fault("NVIDIA's driver is not installed")
            .seen(format!("/lib/modules/{kernel}: no nvidia.ko"))
            .fix("sudo ubuntu-drivers install && sudo reboot  # Ubuntu; Fedora: sudo dnf install akmod-nvidia"),
    }
}

fn secure_boot(facts: &Facts, driver: &DriverFacts) -> Check {
    if let Some(why) = elsewhere(facts) {
        return SECURE_BOOT.not_applicable(why);
    }
    match &driver.secure_boot {
        Known::Value(true) => {}
        Known::Value(false) => return SECURE_BOOT.ok("Secure Boot is off"),
        Known::Unknown(_) => {
            return SECURE_BOOT.not_applicable("the firmware shows no Secure Boot");
        }
    }
    let installed = matches!(driver.module, Known::Value(Some(_)));
    if driver.loaded.why().is_none() || !installed {
        return SECURE_BOOT.ok("Secure Boot is on and lets the module be");
    }
    let log = match &driver.log {
        Known::Value(log) => log,
        Known::Unknown(why) => return SECURE_BOOT.unknown(format!("{MAYBE}: {why}")),
    };
    match (log.lines().rev().find(|line| is_refusal(line)), other_driver(facts)) {
        (Some(line), _) => SECURE_BOOT
            .fault("Secure Boot is on and keeps the module from being loaded")
            .seen("SecureBoot of the firmware: 1")
            .seen("the module is installed and not loaded")
            .seen(line.trim().to_owned())
            .fix("sudo mokutil --import /var/lib/shim-signed/mok/MOK.der  # then reboot and enroll it")
            .fix("sudo reboot"),
        (None, Some(other)) => {
            SECURE_BOOT.ok(format!("Secure Boot is on, and it is {other} that holds the device"))
        }
        (None, None) => {
            SECURE_BOOT.unknown(format!("{MAYBE}: the kernel's log tells of no refusal"))
        }
    }
}

const MAYBE: &str = "Secure Boot is on and may keep the module from being loaded";

/// What the kernel says when it loads no module that is not signed with an enrolled key.
///
/// Source: Linux `kernel/module/signing.c` (`EKEYREJECTED`) and `module_sig_check`.
fn is_refusal(line: &str) -> bool {
    let says = ["Key was rejected by service", "unsigned module is rejected"];
    line.contains("nvidia") && says.iter().any(|words| line.contains(words))
}

/// The driver of another maker that has an NVIDIA device.
fn other_driver(facts: &Facts) -> Option<&str> {
    let found = facts.accelerators.as_ref().value()?;
    let own = found.bus.iter().filter(|device| device.vendor == Vendor::Nvidia);
    own.filter_map(|device| device.driver.as_deref()).find(|driver| *driver != "nvidia")
}

fn headers(facts: &Facts, driver: &DriverFacts) -> Check {
    if let Some(why) = elsewhere(facts) {
        return HEADERS.not_applicable(why);
    }
    if !driver.dkms {
        return HEADERS.not_applicable("DKMS builds no driver here");
    }
    match driver.headers {
        Known::Unknown(ref why) => HEADERS.unknown(&**why),
        Known::Value(true) => HEADERS.ok("headers of the running kernel are there"),
        Known::Value(false) => HEADERS
            .warning("DKMS has no headers of the running kernel: the next build fails")
            .seen("/lib/modules/$(uname -r)/build is not there")
            .fix("sudo apt install \"linux-headers-$(uname -r)\""),
    }
}

fn suspend(facts: &Facts, driver: &DriverFacts) -> Check {
    if let Some(why) = elsewhere(facts) {
        return SUSPEND.not_applicable(why);
    }
    match (&driver.suspends, &driver.preserves) {
        (Known::Value(0), _) => SUSPEND.ok("it has not slept since it was started"),
        (Known::Unknown(why), _) => SUSPEND.unknown(&**why),
        (Known::Value(_), Known::Unknown(why)) => SUSPEND.unknown(&**why),
        (Known::Value(count), Known::Value(preserves)) => {
            let service = match (preserves, &driver.suspend_service) {
                (true, Known::Value(true)) => {
                    let kept = format!("it slept {count} times and kept the device's memory");
                    return SUSPEND.ok(kept);
                }
                (true, Known::Unknown(why)) => return SUSPEND.unknown(&**why),
                (false, Known::Value(true)) => "enabled",
                (_, Known::Value(false)) => "not enabled",
                (false, Known::Unknown(_)) => "not recorded",
            };
            let parameter = u8::from(*preserves);
            SUSPEND
                .warning(format!("it slept {count} times, and the device's memory is not kept: CUDA may be gone"))
                .seen(format!("/sys/power/suspend_stats/success: {count}"))
                .seen(format!("/proc/driver/nvidia/params: PreserveVideoMemoryAllocations {parameter}"))
                .seen(format!("nvidia-suspend.service is {service}"))
                .fix("sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm  # now")
                .fix("echo 'options nvidia NVreg_PreserveVideoMemoryAllocations=1 NVreg_TemporaryFilePath=/var/tmp' | sudo tee /etc/modprobe.d/nvidia-suspend.conf")
                .fix("sudo systemctl enable nvidia-suspend.service nvidia-resume.service nvidia-hibernate.service")
        }
    }
}

fn starts(facts: &Facts) -> Check {
    match &facts.cuda_start {
        Known::Unknown(why) => STARTS.unknown(&**why),
        Known::Value(0) => STARTS.ok("CUDA starts"),
        Known::Value(number) => {
            let check = STARTS
                .fault(format!(
                    "CUDA does not start: cuInit returns {number}, {}",
                    meaning(*number)
                ))
                .seen("cuInit(0) in a process of its own");
            match number {
                999 => check.fix(there(facts, "sudo modprobe nvidia-uvm")).fix(there(
                    facts,
                    "sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm  # after a suspend",
                )),
                802 => check.fix(there(facts, "sudo systemctl start nvidia-fabricmanager")),
                803 => check.fix(there(facts, "sudo reboot")),
                -1 => check
                    .fix("sudo ldconfig -p | grep libcuda  # is the driver's library installed?"),
                _ => check.fix(there(facts, "sudo dmesg | grep -iE 'nvrm|nvidia' | tail")),
            }
        }
    }
}

fn persistence(facts: &Facts, driver: &DriverFacts, nvidia: &Nvidia) -> Check {
    if let Some(why) = elsewhere(facts) {
        return PERSISTENCE.not_applicable(why);
    }
    if driver.screen {
        return PERSISTENCE.not_applicable("a screen keeps the driver loaded");
    }
    let off = nvidia.devices.iter().find(|device| device.persistence == Known::Value(false));
    let asked = nvidia.devices.iter().any(|device| device.persistence.why().is_none());
    match (off, asked) {
        (Some(device), _) => PERSISTENCE
            .warning("the driver is unloaded whenever nobody uses the devices")
            .seen(format!("NVML: persistence of {} is off", device.label()))
            .fix("sudo systemctl enable --now nvidia-persistenced"),
        (None, true) => PERSISTENCE.ok("the driver stays loaded"),
        (None, false) => PERSISTENCE.unknown("NVML was not asked"),
    }
}

impl Facts {
    /// Whether an NVIDIA device is here, with or without a driver.
    pub(super) fn has_nvidia(&self) -> bool {
        let on_bus = |found: &super::AcceleratorFacts| found.has(Vendor::Nvidia);
        let loaded = |driver: &DriverFacts| driver.loaded.why().is_none();
        !self.nvidia_devices().is_empty()
            || self.accelerators.as_ref().value().is_some_and(on_bus)
            || self.driver.as_ref().value().is_some_and(loaded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_from_other_words() {
        for (word, expected) in
            [("580.95.05", true), ("x86_64", false), ("12:30", false), ("GCC", false)]
        {
            assert_eq!(is_version(word), expected, "{word}");
        }
    }
}
