//! What others could see: disks without encryption, files that everybody may read, what libraries
//! report. Most of it matters only where a project says that its data is personal.

use nearside_units::Known;

use super::check::{Check, Rule, Section};
use super::command::quoted;
use super::disk::model_cache;
use super::mounts::{Mount, devices_below, is_virtual, mount_of};
use super::nodes::node;
use super::process::{Limit, Process};
use super::{DataKind, Facts, Reference};
use crate::root::Root;

const ENCRYPTION: Rule = Rule {
    id: "disk-encryption",
    section: Section::Privacy,
    says: "personal data lies on an encrypted disk",
    source: "GDPR, article 32 (1) a; /sys/block/*/dm/uuid begins with CRYPT-",
};
const SWAP: Rule = Rule {
    id: "swap-encryption",
    section: Section::Privacy,
    says: "with personal data, swap is encrypted: memory is written to it as it is",
    source: "crypttab(5); /proc/swaps",
};
const TOKENS: Rule = Rule {
    id: "secret-files",
    section: Section::Privacy,
    says: "tokens and .env files are readable by their owner alone",
    source: "our rule; chmod(1)",
};
const CACHES: Rule = Rule {
    id: "cache-writable",
    section: Section::Privacy,
    says: "nobody else may write to the model cache: pickled weights run code when they are loaded",
    source: "PyTorch, torch.load: untrusted files",
};
const TELEMETRY: Rule = Rule {
    id: "telemetry",
    section: Section::Privacy,
    says: "with personal data, libraries report nothing",
    source: "Hugging Face Hub (HF_HUB_DISABLE_TELEMETRY), consoledonottrack.com (DO_NOT_TRACK)",
};
const CORES: Rule = Rule {
    id: "core-dumps",
    section: Section::Privacy,
    says: "with personal data, a crash writes no memory to disk",
    source: "core(5): RLIMIT_CORE, /proc/sys/kernel/core_pattern",
};

pub(super) const RULES: &[&Rule] = &[&ENCRYPTION, &SWAP, &TOKENS, &CACHES, &TELEMETRY, &CORES];

/// Files of a project that hold secrets.
const SECRETS: [&str; 4] = [".env", ".env.local", ".netrc", "credentials.json"];

/// What is read of it.
#[derive(Clone, Debug)]
pub(super) struct PrivacyFacts {
    /// Whether the disk of the project is encrypted, and the devices that say so.
    encrypted: Known<(bool, String)>,
    /// Swap in use.
    swap: Known<Vec<SwapPart>>,
    /// Files with secrets that others may read.
    open_files: Vec<String>,
    /// The model cache, if everybody may write to it.
    open_cache: Option<String>,
    core_pattern: Known<String>,
}

impl PrivacyFacts {
    pub(super) fn read(
        root: Root<'_>,
        project: Option<&str>,
        process: &Process,
        mounts: &Known<Vec<Mount>>,
    ) -> Self {
        let home = process.home();
        let data = project.or(home).unwrap_or("/");
        let mount = mounts.clone().and_then(|mounts| {
            Known::from_option(mount_of(&mounts, data).cloned(), format!("no mount above {data}"))
        });
        let mut secrets: Vec<String> = home
            .into_iter()
            .flat_map(|home| {
                [
                    ".cache/huggingface/token",
                    ".huggingface/token",
                    ".netrc",
                    ".kaggle/kaggle.json",
                    ".config/wandb/settings",
                ]
                .map(|name| format!("{home}/{name}"))
            })
            .collect();
        if let Some(home) = process.variable("HF_HOME") {
            secrets.push(format!("{home}/token"));
        }
        secrets.extend(
            project.into_iter().flat_map(|project| SECRETS.map(|name| format!("{project}/{name}"))),
        );
        secrets.sort();
        secrets.dedup();
        Self {
            encrypted: mount.and_then(|mount| encrypted(root, &mount)),
            swap: swap_parts(root, mounts),
            open_files: secrets.into_iter().filter(|path| readable_by_others(root, path)).collect(),
            open_cache: model_cache(process).filter(|path| {
                node(root, path).is_some_and(|node| node.others_write() && node.mode & 0o1000 == 0)
            }),
            core_pattern: root.value("proc/sys/kernel/core_pattern"),
        }
    }
}

/// Whether one of the devices below a mount encrypts.
fn encrypted(root: Root<'_>, mount: &Mount) -> Known<(bool, String)> {
    if mount.is_network() {
        return Known::unknown(format!("{} is on another machine", mount.point));
    }
    if mount.is_memory() {
        return Known::Value((true, format!("{} is in memory", mount.point)));
    }
    let devices = devices_below(root, mount);
    if !devices.iter().any(|device| root.has(&format!("sys/class/block/{device}"))) {
        return Known::unknown(format!("{}: no block device is known", mount.source));
    }
    let crypts = devices.iter().find(|device| is_crypt(root, device));
    let host = devices.iter().find(|device| is_virtual(device));
    if let (None, Some(device)) = (crypts, host) {
        let why =
            format!("{device} is a virtual disk: only who runs the host knows what is below it");
        return Known::unknown(why);
    }
    Known::Value(match crypts {
        Some(device) => (true, format!("/sys/class/block/{device}/dm/uuid: CRYPT-")),
        None => (false, format!("/sys/class/block: {} (no CRYPT- among them)", devices.join(", "))),
    })
}

fn is_crypt(root: Root<'_>, device: &str) -> bool {
    let uuid = root.value::<String>(&format!("sys/class/block/{device}/dm/uuid"));
    uuid.value().is_some_and(|uuid| uuid.starts_with("CRYPT-"))
}

/// A part of swap.
#[derive(Clone, Debug)]
struct SwapPart {
    /// Its device or file.
    name: String,
    encrypted: Known<bool>,
}

/// Swap in use; what is in compressed memory is on no disk, and a file is as safe as its own disk.
fn swap_parts(root: Root<'_>, mounts: &Known<Vec<Mount>>) -> Known<Vec<SwapPart>> {
    let part = |name: &str| {
        let encrypted = match name.strip_prefix("/dev/") {
            Some(device) => Known::Value(device.starts_with("zram") || is_crypt_below(root, name)),
            None => mounts.as_ref().and_then(|mounts| {
                let mount = Known::from_option(mount_of(mounts, name), "no mount above it");
                mount.and_then(|mount| encrypted(root, mount)).map(|(encrypted, _)| encrypted)
            }),
        };
        SwapPart { name: name.to_owned(), encrypted }
    };
    root.text("proc/swaps").map(|text| {
        let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        names.map(part).collect()
    })
}

/// Whether a device of swap, or one below it, encrypts.
fn is_crypt_below(root: Root<'_>, name: &str) -> bool {
    let mount = Mount {
        point: String::new(),
        kind: String::new(),
        source: name.to_owned(),
        options: String::new(),
        device: "none".to_owned(),
    };
    devices_below(root, &mount).iter().any(|device| is_crypt(root, device))
}

/// Whether everybody may read a file: it and all folders above it let them.
fn readable_by_others(root: Root<'_>, path: &str) -> bool {
    if !node(root, path).is_some_and(|node| node.others_read()) || root.has_folder(path) {
        return false;
    }
    let above = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]);
    above.into_iter().all(|folder| node(root, folder).is_none_or(|node| node.others_pass()))
}

pub(super) fn checks(
    facts: &Facts,
    privacy: &PrivacyFacts,
    reference: &Reference<'_>,
) -> Vec<Check> {
    let data = reference.data;
    vec![
        encryption(privacy, data),
        swap(privacy, data),
        tokens(privacy),
        cache(privacy),
        telemetry(facts, data),
        cores(facts, privacy, data),
    ]
}

/// A warning where data is personal, else a remark.
fn matters(rule: &'static Rule, data: DataKind, title: &str) -> Check {
    match data {
        DataKind::Personal => rule.warning(title),
        DataKind::Other => rule.ok(format!("{title}; no data here is said to be personal")),
    }
}

fn encryption(privacy: &PrivacyFacts, data: DataKind) -> Check {
    match &privacy.encrypted {
        Known::Unknown(why) => ENCRYPTION.unknown(&**why),
        Known::Value((true, seen)) => ENCRYPTION.ok("the disk is encrypted").seen(seen.clone()),
        Known::Value((false, seen)) => matters(&ENCRYPTION, data, "the disk is not encrypted")
            .seen(seen.clone())
            .fix("# keep the data in an encrypted folder (fscrypt, gocryptfs) or on an encrypted second disk"),
    }
}

fn swap(privacy: &PrivacyFacts, data: DataKind) -> Check {
    let parts = match &privacy.swap {
        Known::Value(parts) => parts,
        Known::Unknown(why) => return SWAP.unknown(&**why),
    };
    let plain: Vec<&str> = parts
        .iter()
        .filter(|part| part.encrypted == Known::Value(false))
        .map(|part| part.name.as_str())
        .collect();
    if !plain.is_empty() {
        let check = matters(&SWAP, data, "swap is not encrypted");
        let check =
            plain.iter().fold(check, |check, name| check.seen(format!("/proc/swaps: {name}")));
        return check
            .fixes(plain.iter().map(|name| format!("sudo swapoff {}", quoted(name))))
            .fix("# for good: a line `swap /dev/DEVICE /dev/urandom swap,cipher=aes-xts-plain64` in /etc/crypttab");
    }
    match parts.iter().find_map(|part| Some((&part.name, part.encrypted.why()?))) {
        Some((name, why)) => SWAP.unknown(format!("whether swap {name} is encrypted: {why}")),
        None => SWAP.ok("no swap, or only encrypted"),
    }
}

fn tokens(privacy: &PrivacyFacts) -> Check {
    if privacy.open_files.is_empty() {
        return TOKENS.ok("no file with secrets is open to others");
    }
    let count = privacy.open_files.len();
    let check = TOKENS.warning(format!("{count} files with secrets can be read by everybody here"));
    let check = privacy.open_files.iter().fold(check, |check, file| check.seen(file.clone()));
    privacy
        .open_files
        .iter()
        .fold(check, |check, file| check.fix(format!("chmod 600 {}", quoted(file))))
}

fn cache(privacy: &PrivacyFacts) -> Check {
    match &privacy.open_cache {
        None => CACHES.ok("nobody else may write to the model cache"),
        Some(path) => CACHES
            .warning("everybody here may write to the model cache")
            .seen(path.clone())
            .fix(format!("chmod -R o-w {}", quoted(path))),
    }
}

fn telemetry(facts: &Facts, data: DataKind) -> Check {
    let off = |name: &&str| facts.process.variable(name).is_some_and(|value| value != "0");
    let names = ["HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE"];
    match names.iter().find(|name| off(name)) {
        Some(name) => TELEMETRY.ok(format!("{name} is set")),
        None if facts.process.all_variables.why().is_some() => {
            TELEMETRY.unknown(facts.process.all_variables.why().unwrap_or_default())
        }
        None => matters(&TELEMETRY, data, "libraries may report what they are used for")
            .fix("export HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1"),
    }
}

fn cores(facts: &Facts, privacy: &PrivacyFacts, data: DataKind) -> Check {
    match &facts.process.core_bytes {
        Known::Unknown(why) => CORES.unknown(&**why),
        Known::Value(Limit::At(0)) => CORES.ok("a crash writes no memory to disk"),
        Known::Value(limit) => {
            let pattern = privacy.core_pattern.as_ref().value().map_or("unknown", String::as_str);
            matters(&CORES, data, "a crash writes the memory of the program to disk")
                .seen(format!("/proc/self/limits: Max core file size {limit}"))
                .seen(format!("/proc/sys/kernel/core_pattern: {pattern}"))
                .fix("ulimit -c 0")
        }
    }
}
