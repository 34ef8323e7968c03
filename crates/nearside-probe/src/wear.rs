//! How worn the disks of this machine are.
//!
//! Flash that the system looks after itself tells in a file (eMMC, `life_time`: tenths of its life). Others tell
//! `smartctl`, which mostly may ask as root only: then it is unknown, with the command that tells.
//! Source: Linux `Documentation/ABI/testing/sysfs-bus-mmc` and JEDEC JESD84-B51; NVM Express base
//! specification 2.0, SMART log, "percentage used"; `smartctl(8)` of smartmontools 7.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nearside_units::Known;
use serde_json::Value;

use crate::child::{Silence, printed};
use crate::doctor::limit::within;
use crate::root::OwnedRoot;

/// Disks that are looked at, at most.
const MOST_DISKS: usize = 64;
/// A disk that does not answer within this is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Devices that are no disks of their own.
const NO_DISKS: [&str; 8] = ["loop", "zram", "ram", "dm-", "md", "sr", "fd", "nbd"];

/// A disk.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskWear {
    /// Its name in the system, `nvme0n1`.
    pub name: String,
    /// What it calls itself.
    pub model: Known<String>,
    /// Share of its life that is used up: 1 is what its maker promises, more is possible.
    pub used: Known<f64>,
}

/// The disks below a root, all asked at the same time; `ask` gives what `smartctl` says of one, as
/// JSON.
pub fn disks(root: &Path, ask: fn(&str) -> Known<String>) -> Vec<DiskWear> {
    let entries = root.join("sys/block").read_dir().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| !NO_DISKS.iter().any(|no| name.starts_with(no))).collect();
    names.sort();
    names.truncate(MOST_DISKS);
    let root = OwnedRoot::new(root);
    let asked = names.into_iter().map(|name| {
        let (root, disk) = (root.clone(), name.clone());
        let found = within(2 * PATIENCE, "wear of a disk", move || wear(&root, &disk, ask));
        (name, found)
    });
    let asked: Vec<_> = asked.collect();
    let found = asked.into_iter().map(|(name, found)| match found.wait() {
        Known::Value((model, used)) => DiskWear { name, model, used },
        Known::Unknown(why) => {
            DiskWear { name, model: Known::Unknown(why.clone()), used: Known::Unknown(why) }
        }
    });
    found.collect()
}

/// The model of a disk, and how much of its life is used.
fn wear(
    root: &OwnedRoot,
    name: &str,
    ask: fn(&str) -> Known<String>,
) -> (Known<String>, Known<f64>) {
    let files = root.borrowed();
    let model = files.value(&format!("sys/block/{name}/device/model"));
    let used = match files.text(&format!("sys/block/{name}/device/life_time")) {
        Known::Value(text) => life_time(&text),
        Known::Unknown(_) => ask(name).and_then(|json| used(&json)),
    };
    (model, used)
}

/// Asks `smartctl` of this machine about a disk.
#[must_use]
pub fn ask_smartctl(disk: &str) -> Known<String> {
    let device = format!("/dev/{disk}");
    let mut command = Command::new("smartctl");
    command.args(["--json", "--attributes", "--", &device]);
    match printed(&mut command, PATIENCE) {
        Ok(text) => Known::Value(text),
        Err(Silence::NotStarted(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            Known::unknown("smartctl is not there (package smartmontools)")
        }
        Err(Silence::NotStarted(error)) => Known::unknown(format!("smartctl: {error}")),
        Err(Silence::TooLong) => Known::unknown(format!("smartctl does not answer about {device}")),
    }
}

/// The share of its life that flash says it has used: the higher of its two kinds of memory, in tenths.
fn life_time(text: &str) -> Known<f64> {
    let tenths = text.split_whitespace().filter_map(|word| {
        u8::from_str_radix(word.trim_start_matches("0x"), 16)
            .ok()
            .filter(|it| (1..=11).contains(it))
    });
    Known::from_option(
        tenths.max().map(|tenths| f64::from(tenths) / 10.0),
        "the disk does not say how much of its life is used",
    )
}

/// The share of its life that a disk has used, by `smartctl --json`.
fn used(json: &str) -> Known<f64> {
    let Ok(found) = serde_json::from_str::<Value>(json) else {
        return Known::unknown("smartctl answers without JSON (older than 7.0)");
    };
    let percent = |value: &Value| value.as_f64().map(|percent| percent / 100.0);
    let places =
        ["/endurance_used/current_percent", "/nvme_smart_health_information_log/percentage_used"];
    if let Some(used) = places.iter().find_map(|place| percent(found.pointer(place)?)) {
        return Known::Value(used);
    }
    if found.pointer("/rotation_rate").and_then(Value::as_u64).is_some_and(|rate| rate > 0) {
        return Known::unknown("it rotates: it wears by age, not by writing");
    }
    let said = found.pointer("/smartctl/messages/0/string").and_then(Value::as_str);
    let why = said.unwrap_or("the disk tells no wear");
    Known::unknown(format!("{why}; sudo smartctl -a tells more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str, files: &[(&str, &str)]) -> std::path::PathBuf {
        let root =
            std::env::temp_dir().join(format!("nearside-wear-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn every_kind_of_disk_tells_in_its_own_way() {
        let root = tree(
            "kinds",
            &[
                ("sys/block/loop0/size", "0"),
                ("sys/block/mmcblk0/device/life_time", "0x01 0x03\n"),
                ("sys/block/nvme0n1/device/model", "Samsung SSD 990 PRO 2TB     \n"),
                ("sys/block/sda/device/model", "ST4000VN008"),
            ],
        );
        let ask = |name: &str| match name {
            "nvme0n1" => Known::Value(
                r#"{"nvme_smart_health_information_log":{"percentage_used":7}}"#.to_owned(),
            ),
            "sda" => Known::Value(r#"{"rotation_rate":5980}"#.to_owned()),
            _ => Known::unknown("not asked"),
        };
        let found = disks(&root, ask);
        let names: Vec<_> = found.iter().map(|disk| &*disk.name).collect();
        assert_eq!(names, ["mmcblk0", "nvme0n1", "sda"]);
        assert_eq!(found[0].used, Known::Value(0.3));
        assert_eq!(found[1].used, Known::Value(0.07));
        assert_eq!(found[1].model, Known::Value("Samsung SSD 990 PRO 2TB".to_owned()));
        assert!(found[2].used.why().is_some_and(|why| why.contains("rotates")));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn disks_that_answer_late_are_waited_for_side_by_side() {
        let names: Vec<String> =
            (0..8).map(|disk| format!("sys/block/sd{disk}/device/model")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a disk")).collect();
        let root = tree("late", &files);
        let started = std::time::Instant::now();
        let found = disks(&root, |_| {
            std::thread::sleep(Duration::from_millis(700));
            Known::unknown("late")
        });
        // One after another they would take 5.6 s.
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        assert_eq!(found.len(), 8);
        assert!(found.iter().all(|disk| disk.used.why() == Some("late")), "{found:?}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_smartctl_refuses_is_told() {
        let refused = r#"{"smartctl":{"messages":[{"string":"/dev/nvme0: Permission denied"}]}}"#;
        assert!(used(refused).why().is_some_and(|why| why.contains("Permission denied; sudo")));
        assert!(used("not JSON").why().is_some_and(|why| why.contains("7.0")));
        assert_eq!(used(r#"{"endurance_used":{"current_percent":112}}"#), Known::Value(1.12));
        assert_eq!(life_time("0x00 0x00").value(), None);
        assert!(disks(Path::new("/nonexistent"), |_| Known::unknown("-")).is_empty());
    }
}
