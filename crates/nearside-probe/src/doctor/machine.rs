//! Limits, memory and clock of a machine.

use nearside_units::{Bytes, Known};

use super::Facts;
use super::check::{Check, Rule, Section};
use super::mounts::{Mount, Room, mount_of, room};
use super::process::Limit;
use super::surroundings::System;
use crate::memory::memory;
use crate::root::Root;

const OPEN_FILES: Rule = Rule {
    id: "open-files",
    section: Section::Machine,
    says: "a process may open at least 1024 files, as systems start with: workers of a loader share tensors through files",
    source: "setrlimit(2); PyTorch, torch.multiprocessing (file_descriptor strategy)",
};
const LOCKED_MEMORY: Rule = Rule {
    id: "locked-memory",
    section: Section::Machine,
    says: "memory may be locked without limit where an InfiniBand adapter moves data",
    source: "NCCL troubleshooting: `ulimit -l`",
};
const INOTIFY: Rule = Rule {
    id: "inotify-watches",
    section: Section::Machine,
    says: "at least 65536 files can be watched: editors, notebooks and file watchers share them",
    source: "inotify(7), /proc/sys/fs/inotify/max_user_watches",
};
const SWAP: Rule = Rule {
    id: "swap",
    section: Section::Machine,
    says: "a machine with less than 32 GiB of memory has swap: loading a checkpoint needs twice its size for moments",
    source: "our rule; proc(5), /proc/meminfo",
};
const MEMORY: Rule = Rule {
    id: "memory-available",
    section: Section::Machine,
    says: "at least a twentieth of the memory is available",
    source: "our rule; proc(5), /proc/meminfo",
};
const CLOCK: Rule = Rule {
    id: "clock",
    section: Section::Machine,
    says: "a service keeps the clock right: certificates, tokens and caches compare times",
    source: "systemd-timesyncd(8), chronyd(8), ntpd(8)",
};
const GOVERNOR: Rule = Rule {
    id: "processor-governor",
    section: Section::Machine,
    says: "on mains, processors are not held at their lowest clock",
    source: "Linux Documentation/admin-guide/pm/cpufreq.rst (powersave of any driver but intel_pstate and amd-pstate)",
};
const BATTERY: Rule = Rule {
    id: "battery",
    section: Section::Machine,
    says: "a laptop that works hard is plugged in: on its battery it is held back",
    source: "Linux Documentation/ABI/testing/sysfs-class-power",
};

pub(super) const RULES: &[&Rule] =
    &[&OPEN_FILES, &LOCKED_MEMORY, &INOTIFY, &SWAP, &MEMORY, &CLOCK, &GOVERNOR, &BATTERY];

const FEWEST_FILES: u64 = 1024;
const FEWEST_WATCHES: u64 = 65_536;
const ENOUGH_WITHOUT_SWAP: Bytes = Bytes::gib(32);
const MOST_SWAP_GIB: u64 = 16;

/// What is read of a machine.
#[derive(Clone, Debug)]
pub(super) struct MachineFacts {
    total: Known<Bytes>,
    available: Known<Bytes>,
    swap: Known<Bytes>,
    /// File system and room of `/`, where a swap file would be.
    base_kind: Known<String>,
    base_room: Known<Room>,
    watches: Known<u64>,
    /// A service that keeps the clock, and where it shows.
    clock: Known<Option<&'static str>>,
    /// Driver and governor of the first processor's clock.
    governor: Option<(String, String)>,
    /// Batteries that are being emptied.
    emptied: Vec<String>,
    infiniband: bool,
}

impl MachineFacts {
    pub(super) fn read(root: Root<'_>, mounts: &Known<Vec<Mount>>) -> Self {
        let memory = memory(root);
        let clock =
            |name| root.value::<String>(&format!("sys/devices/system/cpu/cpu0/cpufreq/{name}"));
        let supplies = root.entries("sys/class/power_supply").value().unwrap_or_default();
        let emptied = supplies.into_iter().filter(|supply| {
            let file = |name: &str| {
                root.value::<String>(&format!("sys/class/power_supply/{supply}/{name}"))
            };
            // Mice and keyboards have batteries too.
            file("type").value().as_deref() == Some("Battery")
                && file("scope").value().as_deref() != Some("Device")
                && file("status").value().as_deref() == Some("Discharging")
        });
        Self {
            total: memory.usable(),
            available: memory.available,
            swap: swap(root),
            base_kind: mounts.as_ref().and_then(|mounts| {
                let kind = mount_of(mounts, "/").map(|mount| mount.kind.clone());
                Known::from_option(kind, "/proc/self/mountinfo: nothing at /")
            }),
            base_room: room(root, "/"),
            watches: root.value("proc/sys/fs/inotify/max_user_watches"),
            clock: clock_service(root),
            governor: clock("scaling_driver").zip(clock("scaling_governor")).value(),
            emptied: emptied.collect(),
            infiniband: !root
                .entries("sys/class/infiniband")
                .value()
                .unwrap_or_default()
                .is_empty(),
        }
    }
}

/// Files that are there while a service keeps the clock.
const CLOCK_SERVICES: [(&str, &str); 6] = [
    ("run/systemd/timesync/synchronized", "systemd-timesyncd"),
    ("run/chrony/chronyd.pid", "chronyd"),
    ("run/chronyd.pid", "chronyd"),
    ("run/chrony/chronyd.sock", "chronyd"),
    ("run/ntpd.pid", "ntpd"),
    ("run/ntpd-rs/observe", "ntpd-rs"),
];

/// The service that keeps the clock, if one does; unknown where its files were not recorded.
fn clock_service(root: Root<'_>) -> Known<Option<&'static str>> {
    let found = CLOCK_SERVICES.iter().find(|(file, _)| root.has(file)).map(|(_, name)| *name);
    if found.is_some() { Known::Value(found) } else { root.recorded("run").map(|()| None) }
}

fn swap(root: Root<'_>) -> Known<Bytes> {
    root.text("proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("SwapTotal:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        let bytes = kibibytes.and_then(|count| count.checked_mul(1024)).map(Bytes::new);
        Known::from_option(bytes, "/proc/meminfo: no SwapTotal in kB")
    })
}

pub(super) fn checks(facts: &Facts, machine: &MachineFacts) -> Vec<Check> {
    vec![
        open_files(facts),
        locked_memory(facts, machine),
        inotify(facts, machine),
        available(machine),
        swap_check(facts, machine),
        clock(facts, machine),
        governor(machine),
        battery(machine),
    ]
}

fn open_files(facts: &Facts) -> Check {
    match &facts.process.open_files {
        Known::Unknown(why) => OPEN_FILES.unknown(&**why),
        Known::Value(limit) => {
            let seen = format!("/proc/self/limits: Max open files {limit}");
            match limit >= &Limit::At(FEWEST_FILES) {
                true => OPEN_FILES.ok(format!("{limit} files may be open")).seen(seen),
                false => OPEN_FILES
                    .warning(format!("only {limit} files may be open"))
                    .seen(seen)
                    .fix("ulimit -n 65536")
                    .fix("# for good: a line `* soft nofile 65536` in /etc/security/limits.conf"),
            }
        }
    }
}

fn locked_memory(facts: &Facts, machine: &MachineFacts) -> Check {
    if !machine.infiniband {
        return LOCKED_MEMORY.not_applicable("no InfiniBand adapter");
    }
    match &facts.process.locked_memory {
        Known::Unknown(why) => LOCKED_MEMORY.unknown(&**why),
        Known::Value(Limit::Unlimited) => LOCKED_MEMORY.ok("memory may be locked without limit"),
        Known::Value(limit) => LOCKED_MEMORY
            .warning(format!("only {limit} bytes may be locked, with an InfiniBand adapter"))
            .seen(format!("/proc/self/limits: Max locked memory {limit}"))
            .seen("/sys/class/infiniband: not empty")
            .fix("# lines `* soft memlock unlimited` and `* hard memlock unlimited` in /etc/security/limits.conf, then log in again"),
    }
}

fn inotify(facts: &Facts, machine: &MachineFacts) -> Check {
    if facts.surroundings.container.is_some() {
        return INOTIFY.not_applicable("in a container the machine outside decides");
    }
    match &machine.watches {
        Known::Unknown(why) => INOTIFY.unknown(&**why),
        Known::Value(count) if *count >= FEWEST_WATCHES => {
            INOTIFY.ok(format!("{count} files can be watched"))
        }
        Known::Value(count) => INOTIFY
            .warning(format!("only {count} files can be watched"))
            .seen(format!("/proc/sys/fs/inotify/max_user_watches: {count}"))
            .fix("echo fs.inotify.max_user_watches=524288 | sudo tee /etc/sysctl.d/60-inotify.conf")
            .fix("sudo sysctl --system"),
    }
}

fn available(machine: &MachineFacts) -> Check {
    match machine.total.clone().zip(machine.available.clone()) {
        Known::Unknown(why) => MEMORY.unknown(&*why),
        Known::Value((total, available)) => {
            let seen = format!("/proc/meminfo: {available} available of {total}");
            match available.get() >= total.get() / 20 {
                true => MEMORY.ok(format!("{available} of memory are available")).seen(seen),
                false => MEMORY
                    .warning(format!("only {available} of {total} are available"))
                    .seen(seen)
                    .fix("ps -eo rss,pid,args --sort=-rss | head  # what holds it"),
            }
        }
    }
}

fn swap_check(facts: &Facts, machine: &MachineFacts) -> Check {
    if facts.surroundings.container.is_some() {
        return SWAP.not_applicable("in a container the machine outside decides");
    }
    match machine.swap.clone().zip(machine.total.clone()) {
        Known::Unknown(why) => SWAP.unknown(&*why),
        Known::Value((swap, total)) if swap > Bytes::ZERO => {
            SWAP.ok(format!("{swap} of swap beside {total} of memory"))
        }
        Known::Value((_, total)) if total >= ENOUGH_WITHOUT_SWAP => {
            SWAP.ok(format!("no swap, and {total} of memory do without"))
        }
        Known::Value((_, total)) => SWAP
            .warning(format!("no swap beside {total} of memory"))
            .seen("/proc/meminfo: SwapTotal 0 kB")
            .fixes(swap_file(machine)),
    }
}

/// The commands that make a swap file: of a quarter of the room on `/`, of 16 GiB at most.
///
/// Source: `swapon(8)` (files with holes or copies on write), `btrfs-filesystem(8)` (`mkswapfile`).
fn swap_file(machine: &MachineFacts) -> Vec<String> {
    let (kind, free) = match machine.base_kind.as_ref().zip(machine.base_room.as_ref()) {
        Known::Value((kind, room)) => (kind.as_str(), room.free),
        Known::Unknown(why) => return vec![format!("# room for a swap file is not known: {why}")],
    };
    let gibibytes = (free.get() / 4 / Bytes::gib(1).get()).min(MOST_SWAP_GIB);
    if gibibytes == 0 {
        return vec![format!("# / has only {free} free: make room for a swap file first")];
    }
    let mut all = match kind {
        "ext4" | "xfs" => vec![
            format!("sudo fallocate -l {gibibytes}G /swapfile && sudo chmod 600 /swapfile"),
            "sudo mkswap /swapfile && sudo swapon /swapfile".to_owned(),
        ],
        "btrfs" => vec![format!(
            "sudo btrfs filesystem mkswapfile --size {gibibytes}g /swapfile && sudo swapon /swapfile"
        )],
        other => return vec![format!("# {other} may hold no swap file: use a partition for swap")],
    };
    all.push("echo '/swapfile none swap sw 0 0' | sudo tee -a /etc/fstab".to_owned());
    all
}

fn clock(facts: &Facts, machine: &MachineFacts) -> Check {
    if !facts.surroundings.is_plain_linux() {
        return CLOCK.not_applicable("another system keeps the clock");
    }
    match &machine.clock {
        Known::Unknown(why) => CLOCK.unknown(&**why),
        Known::Value(Some(service)) => CLOCK.ok(format!("{service} keeps the clock")),
        Known::Value(None) => CLOCK
            .warning("no service keeps the clock")
            .seen("/run: no sign of systemd-timesyncd, chronyd or ntpd")
            .fix("sudo timedatectl set-ntp true"),
    }
}

fn governor(machine: &MachineFacts) -> Check {
    match &machine.governor {
        None => GOVERNOR.not_applicable("the clock of processors is not governed here"),
        Some((driver, governor)) => {
            let seen = format!("/sys/devices/system/cpu/cpu0/cpufreq: {driver}, {governor}");
            // There the name says how clocks are chosen, not that they stay low.
            let chooses = driver.starts_with("intel_pstate") || driver.starts_with("amd-pstate");
            match governor == "powersave" && !chooses && machine.emptied.is_empty() {
                true => GOVERNOR
                    .warning("processors are held at their lowest clock")
                    .seen(seen)
                    .fix("sudo cpupower frequency-set -g schedutil"),
                false => GOVERNOR.ok(format!("{governor} of {driver} chooses clocks")).seen(seen),
            }
        }
    }
}

fn battery(machine: &MachineFacts) -> Check {
    match machine.emptied.first() {
        None => BATTERY.ok("no battery is being emptied"),
        Some(battery) => BATTERY
            .warning("this laptop runs on its battery")
            .seen(format!("/sys/class/power_supply/{battery}/status: Discharging"))
            .fix("# plug it in before work that takes long"),
    }
}

/// Of macOS: the version, whose older ones have no Metal for PyTorch.
pub(super) const MACOS: Rule = Rule {
    id: "macos-version",
    section: Section::Machine,
    says: "macOS is 12.3 or newer: PyTorch computes on Apple's devices from there on",
    source: "Apple developer, \"Accelerated PyTorch training on Mac\"",
};

pub(super) fn macos(system: &System) -> Vec<Check> {
    let System::MacOs(version) = system else { return Vec::new() };
    let parsed = version.parse::<nearside_catalog::Version>();
    let least = "12.3".parse::<nearside_catalog::Version>();
    let check = match (parsed, least) {
        (Ok(found), Ok(least)) if found < least => MACOS
            .fault(format!("macOS {version} is too old for Apple's devices"))
            .seen("/System/Library/CoreServices/SystemVersion.plist")
            .fix("softwareupdate --list"),
        (Ok(_), _) => MACOS.ok(format!("macOS {version}")),
        (Err(_), _) => MACOS.unknown("SystemVersion.plist: no ProductVersion"),
    };
    vec![check]
}
