//! How the machine was while it was measured: threads, load, clock and governor.
//!
//! Source: `proc_loadavg(5)`; Linux `Documentation/admin-guide/pm/cpufreq.rst`.

use std::path::Path;

use nearside_units::Known;

use crate::doctor::mounts::{mount_of, mounts};
use crate::root::Root;

/// Share of the threads that others may keep busy before the machine counts as busy.
pub const QUIET_SHARE: f64 = 0.25;

/// How the machine was.
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// Threads that measurements used.
    pub threads: usize,
    /// Processes that wanted to run, averaged over the minute before.
    pub load: Known<f64>,
    /// How the clock is governed, `performance` or `schedutil`.
    pub governor: Known<String>,
    /// Clock of the first processor before measuring, in MHz as the system says it.
    pub clock: Known<String>,
    /// The disk that was measured, as mounts name it: `/dev/nvme0n1p2`, `server:/export`.
    pub disk: Known<String>,
}

impl Conditions {
    /// How the machine below a root is now, and what a folder of it lies on.
    pub(crate) fn now(root: &Path, folder: &Path) -> Self {
        let root = Root(root);
        let load = root.text("proc/loadavg").and_then(|text| {
            let first = text.split_whitespace().next().and_then(|first| first.parse().ok());
            Known::from_option(first, "/proc/loadavg: no number")
        });
        let clock = root.text("proc/cpuinfo").and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("cpu MHz"));
            let value = line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
            Known::from_option(value, "/proc/cpuinfo: no cpu MHz")
        });
        Self {
            threads: super::threads(),
            load,
            governor: root.value("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock,
            disk: disk(root, folder),
        }
    }

    /// Whether others kept the machine busy, so that the ceilings may be too low.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let load = self.load.as_ref().value();
        load.is_some_and(|load| *load > QUIET_SHARE * self.threads as f64)
    }
}

/// The disk of this machine that holds a folder, as mounts name it.
#[must_use]
pub fn disk_of(folder: &Path) -> Known<String> {
    disk(Root(Path::new("/")), folder)
}

fn disk(root: Root<'_>, folder: &Path) -> Known<String> {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    mounts(root).and_then(|mounts| {
        let mount = mount_of(&mounts, &absolute.to_string_lossy());
        let source = mount.map(|mount| mount.source.clone());
        Known::from_option(source, "no mount holds the folder")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_machine_is_busy() {
        let with = |load| Conditions {
            threads: 4,
            load,
            governor: Known::unknown("-"),
            clock: Known::unknown("-"),
            disk: Known::unknown("-"),
        };
        assert!(with(Known::Value(1.5)).is_busy());
        assert!(!with(Known::Value(0.3)).is_busy());
        assert!(!with(Known::unknown("no /proc")).is_busy());
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nowhere = Conditions::now(Path::new("/nonexistent"), Path::new("/"));
        assert!(nowhere.disk.why().is_some());
        assert_eq!(nowhere.load.why(), Some("/proc/loadavg: entity not found"));
        assert!(nowhere.threads > 0);
    }

    #[test]
    fn a_folder_is_on_the_disk_of_its_mount() {
        let root = std::env::temp_dir().join(format!("nearside-disk-{}", std::process::id()));
        std::fs::create_dir_all(root.join("proc/self")).unwrap();
        let mounts =
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:17 / /nowhere rw - xfs /dev/sdb1 rw\n";
        std::fs::write(root.join("proc/self/mountinfo"), mounts).unwrap();
        let disk = |folder: &str| Conditions::now(&root, Path::new(folder)).disk.value();
        let found = (disk("/nowhere/data"), disk("/elsewhere"));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, (Some("/dev/sdb1".to_owned()), Some("/dev/sda1".to_owned())));
    }
}
