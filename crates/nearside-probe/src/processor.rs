//! The processor: what it is called, how many threads we may really use, and which instructions
//! speed up inference.
//!
//! Threads that we may use = min(threads, affinity mask, floor(quota of the control group)), at
//! least 1; [`std::thread::available_parallelism`] counts the same way.
//! Sources: Linux `arch/x86/kernel/cpu/proc.c` and `arch/arm64/kernel/cpuinfo.c` (names in
//! `/proc/cpuinfo`), util-linux `sys-utils/lscpu-arm.c` (Arm part numbers).

use std::collections::BTreeSet;
use std::fmt;

use nearside_units::Known;

use crate::cgroup;
use crate::root::Root;

/// The processors of the machine, all of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Processor {
    /// The name as the system says it.
    pub model: Known<String>,
    /// Who designed it.
    pub vendor: Known<String>,
    /// Physical cores in all sockets.
    pub cores: Known<u32>,
    /// Logical processors that are online.
    pub threads: Known<u32>,
    /// Logical processors that this process may use, at least 1.
    pub usable_threads: Known<u32>,
    /// Which of the instructions that matter here it has.
    pub features: Known<BTreeSet<Feature>>,
}

/// Instructions that decide how fast a model runs on a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// 256-bit integer vectors.
    Avx2,
    /// 512-bit vectors.
    Avx512f,
    /// 8-bit dot products on 512-bit vectors.
    Avx512Vnni,
    /// Matrix tiles in bfloat16.
    AmxBf16,
    /// Matrix tiles in 8-bit integers.
    AmxInt8,
    /// 128-bit vectors on Arm.
    Neon,
}

impl Feature {
    /// The feature, our name for it, and the kernel's flag (64-bit Arm calls NEON `asimd`).
    const NAMES: [(Self, &'static str, &'static str); 7] = [
        (Self::Avx2, "avx2", "avx2"),
        (Self::Avx512f, "avx512f", "avx512f"),
        (Self::Avx512Vnni, "avx512_vnni", "avx512_vnni"),
        (Self::AmxBf16, "amx_bf16", "amx_bf16"),
        (Self::AmxInt8, "amx_int8", "amx_int8"),
        (Self::Neon, "neon", "asimd"),
        (Self::Neon, "neon", "neon"),
    ];

    fn of_flags(flags: &str) -> BTreeSet<Self> {
        let of_flag = |flag| Self::NAMES.iter().find(|(_, _, known)| *known == flag);
        flags.split_whitespace().filter_map(of_flag).map(|(feature, _, _)| *feature).collect()
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(known, _, _)| known == self);
        formatter.pad(name.map_or("", |(_, name, _)| name))
    }
}

/// Designers, by the system's word or Arm's `CPU implementer`.
const VENDORS: [(&str, &str); 12] = [
    ("GenuineIntel", "Intel"),
    ("AuthenticAMD", "AMD"),
    ("HygonGenuine", "Hygon"),
    ("0x41", "Arm"),
    ("0x46", "Fujitsu"),
    ("0x48", "HiSilicon"),
    ("0x4e", "NVIDIA"),
    ("0x51", "Qualcomm"),
    ("0x61", "Apple"),
    ("0x6d", "Microsoft"),
    ("0x70", "Phytium"),
    ("0xc0", "Ampere"),
];

/// Arm cores by `CPU implementer` and `CPU part`, those found in servers and small computers.
const ARM_PARTS: [(&str, &str, &str); 13] = [
    ("0x41", "0xd07", "Cortex-A57"),
    ("0x41", "0xd08", "Cortex-A72"),
    ("0x41", "0xd0b", "Cortex-A76"),
    ("0x41", "0xd0c", "Neoverse-N1"),
    ("0x41", "0xd40", "Neoverse-V1"),
    ("0x41", "0xd42", "Cortex-A78AE"),
    ("0x41", "0xd49", "Neoverse-N2"),
    ("0x41", "0xd4f", "Neoverse-V2"),
    ("0x41", "0xd84", "Neoverse-V3"),
    ("0x41", "0xd85", "Cortex-X925"),
    ("0x41", "0xd8e", "Neoverse-N3"),
    ("0xc0", "0xac3", "Ampere-1"),
    ("0xc0", "0xac4", "Ampere-1a"),
];

/// Reads the processor and the share of it that we may use.
pub(crate) fn processor(root: Root<'_>) -> Processor {
    let cpuinfo = root.text("proc/cpuinfo");
    let known = |read: fn(&str) -> Known<String>| cpuinfo.clone().and_then(|text| read(&text));
    let threads = cpuinfo.clone().and_then(|text| {
        let count = fields(&text, "processor").count() as u32;
        Known::from_option((count > 0).then_some(count), "/proc/cpuinfo: no processor listed")
    });
    Processor {
        model: known(model),
        vendor: known(vendor),
        cores: cores(root, &cpuinfo),
        usable_threads: usable_threads(root, &threads),
        threads,
        features: cpuinfo.and_then(|text| {
            let flags = field(&text, "flags").or_else(|| field(&text, "Features"));
            Known::from_option(flags.map(Feature::of_flags), "/proc/cpuinfo: no flags listed")
        }),
    }
}

/// Values of a key of `/proc/cpuinfo`, one per logical processor.
fn fields<'a>(cpuinfo: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    cpuinfo.lines().filter_map(move |line| {
        let (name, value) = line.split_once(':')?;
        (name.trim_end() == key).then_some(value.trim())
    })
}

fn field<'a>(cpuinfo: &'a str, key: &str) -> Option<&'a str> {
    fields(cpuinfo, key).find(|value| !value.is_empty())
}

fn model(cpuinfo: &str) -> Known<String> {
    let arm = || {
        let (designer, part) = (field(cpuinfo, "CPU implementer")?, field(cpuinfo, "CPU part")?);
        let named = ARM_PARTS.iter().find(|row| (row.0, row.1) == (designer, part));
        Some(named.map_or_else(|| format!("Arm part {designer}:{part}"), |row| row.2.to_owned()))
    };
    let said = field(cpuinfo, "model name").map(str::to_owned);
    Known::from_option(said.or_else(arm), "/proc/cpuinfo: neither model name nor CPU part")
}

fn vendor(cpuinfo: &str) -> Known<String> {
    let said = field(cpuinfo, "vendor_id").or_else(|| field(cpuinfo, "CPU implementer"));
    let named =
        |said: &str| VENDORS.iter().find(|row| row.0 == said).map_or(said, |row| row.1).to_owned();
    Known::from_option(said.map(named), "/proc/cpuinfo: neither vendor_id nor CPU implementer")
}

/// Physical cores: distinct sets of sibling threads, or distinct pairs of socket and core.
fn cores(root: Root<'_>, cpuinfo: &Known<String>) -> Known<u32> {
    const FOLDER: &str = "sys/devices/system/cpu";
    let siblings: BTreeSet<String> = root
        .numbered(FOLDER, "cpu")
        .iter()
        .filter_map(|cpu| {
            root.value(&format!("{FOLDER}/{cpu}/topology/thread_siblings_list")).value()
        })
        .collect();
    if !siblings.is_empty() {
        return Known::Value(siblings.len() as u32);
    }
    cpuinfo.clone().and_then(|text| {
        let sockets = fields(&text, "physical id");
        let pairs: BTreeSet<_> = sockets.zip(fields(&text, "core id")).collect();
        let count = (!pairs.is_empty()).then_some(pairs.len() as u32);
        Known::from_option(count, "neither /sys nor /proc/cpuinfo tells which threads share a core")
    })
}

/// Threads that the affinity mask and the control group leave us. An unknown quota limits nothing.
fn usable_threads(root: Root<'_>, threads: &Known<u32>) -> Known<u32> {
    let affinity = root.text("proc/self/status").and_then(|status| {
        let list = field(&status, "Cpus_allowed_list").and_then(count_in_list);
        Known::from_option(list, "/proc/self/status: no Cpus_allowed_list")
    });
    let allowed = match (affinity.as_ref().value(), threads.as_ref().value()) {
        (Some(allowed), Some(threads)) => Known::Value(*allowed.min(threads)),
        (None, Some(threads)) => Known::Value(*threads),
        _ => affinity,
    };
    let quota = cgroup::processor_limit(root).value().flatten();
    // A quota beyond u32 saturates, and then the mask is the smaller one.
    allowed.map(|allowed| quota.map_or(allowed, |quota| allowed.min(quota as u32)).max(1))
}

/// How many numbers a kernel list such as `0-3,8` names; none when it is malformed or names none.
pub(crate) fn count_in_list(list: &str) -> Option<u32> {
    let counts = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    });
    counts.reduce(|sum, count| sum?.checked_add(count?))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_kernel_are_counted() {
        let check = |list, expect| assert_eq!(count_in_list(list), expect, "{list:?}");
        check("0", Some(1));
        check("0-3,8", Some(5));
        check("0-15", Some(16));
        check("", None);
        check("3-1", None);
        check("0-3,many", None);
        check("0-4294967295", None);
    }

    #[test]
    fn flags_are_whole_words() {
        let features = Feature::of_flags("avx avx512fx avx2 asimd asimdhp");
        assert_eq!(features, BTreeSet::from([Feature::Avx2, Feature::Neon]));
        assert_eq!(Feature::Neon.to_string(), "neon");
        assert_eq!(Feature::Avx512Vnni.to_string(), "avx512_vnni");
    }

    #[test]
    fn an_unlisted_arm_part_keeps_its_number() {
        let cpuinfo = "CPU implementer\t: 0x41\nCPU part\t: 0xfff\n";
        assert_eq!(model(cpuinfo).value().as_deref(), Some("Arm part 0x41:0xfff"));
        assert_eq!(vendor(cpuinfo).value().as_deref(), Some("Arm"));
    }
}
