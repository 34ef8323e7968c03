//! What a control group leaves of the machine: the limits that containers and batch systems set.
//!
//! A limit holds for every group below it, so the smallest one on the way up to the mount counts.
//! Version 1 mounts each controller by itself, version 2 all together; on hybrid systems a
//! controller is where version 1 mounts it.
//! Source: Linux `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`,
//! `scheduler/sched-bwc.rst`, `filesystems/proc.rst` (mountinfo).

use nearside_units::{Bytes, Known};

use crate::root::Root;

/// Version 1 says "no limit" with the largest count of pages there is.
const NO_LIMIT_V1: u64 = 1 << 62;

/// Processors that the group may use, as a fraction of time: 2.5 is two and a half of them.
/// No value means no limit.
pub(crate) fn processor_limit(root: Root<'_>) -> Known<Option<f64>> {
    processor_limit_of(root, "self")
}

/// The same for another process, by its number.
pub(crate) fn processor_limit_of(root: Root<'_>, process: &str) -> Known<Option<f64>> {
    smallest(root, process, Controller::Processor, |group, version| match version {
        Version::One => {
            let quota = root.value::<i64>(&format!("{group}/cpu.cfs_quota_us"));
            let period = root.value::<i64>(&format!("{group}/cpu.cfs_period_us"));
            quota.zip(period).map(|(quota, period)| share(quota, period))
        }
        Version::Two => {
            let file = format!("{group}/cpu.max");
            root.text(&file).and_then(|text| match text.trim().split_once(' ') {
                Some(("max", _period)) => Known::Value(None),
                Some((quota, period)) => Known::from_option(
                    quota.parse().ok().zip(period.parse().ok()),
                    format!("/{file}: {text:?} not expected"),
                )
                .map(|(quota, period)| share(quota, period)),
                None => Known::unknown(format!("/{file}: {text:?} not expected")),
            })
        }
    })
}

/// Memory that the group may use. No value means no limit.
pub(crate) fn memory_limit(root: Root<'_>) -> Known<Option<Bytes>> {
    smallest(root, "self", Controller::Memory, |group, version| match version {
        Version::One => root
            .value::<u64>(&format!("{group}/memory.limit_in_bytes"))
            .map(|limit| (limit < NO_LIMIT_V1).then(|| Bytes::new(limit))),
        Version::Two => {
            let file = format!("{group}/memory.max");
            root.text(&file).and_then(|text| match text.trim() {
                "max" => Known::Value(None),
                limit => Known::from_option(
                    limit.parse().ok().map(|limit| Some(Bytes::new(limit))),
                    format!("/{file}: {limit:?} not expected"),
                ),
            })
        }
    })
}

/// `quota` microseconds of processor time per `period` microseconds; a quota of -1 is no limit.
fn share(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

#[derive(Clone, Copy)]
pub(crate) enum Controller {
    Processor,
    Memory,
}

impl Controller {
    const fn name(self) -> &'static str {
        match self {
            Self::Processor => "cpu",
            Self::Memory => "memory",
        }
    }

    /// The file that every group with a limit has; the group at the very top has none.
    const fn limit_file(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Processor, Version::One) => "cpu.cfs_quota_us",
            (Self::Processor, Version::Two) => "cpu.max",
            (Self::Memory, Version::One) => "memory.limit_in_bytes",
            (Self::Memory, Version::Two) => "memory.max",
        }
    }
}

/// The smallest limit on the way from a process's group up to the mount.
fn smallest<T: PartialOrd>(
    root: Root<'_>,
    process: &str,
    controller: Controller,
    read: impl Fn(&str, Version) -> Known<Option<T>>,
) -> Known<Option<T>> {
    groups(root, process, controller).and_then(|(version, groups)| {
        let file = controller.limit_file(version);
        let limits = groups
            .iter()
            .filter(|group| root.has(&format!("{group}/{file}")))
            .map(|group| read(group, version));
        limits.fold(Known::Value(None), |least, limit| {
            least.zip(limit).map(|pair| match pair {
                (Some(least), Some(limit)) if limit < least => Some(limit),
                (None, limit) => limit,
                (least, _) => least,
            })
        })
    })
}

/// A process's group for a controller and the groups above it, as folders below the root; the
/// group itself is the last.
pub(crate) fn groups(
    root: Root<'_>,
    process: &str,
    controller: Controller,
) -> Known<(Version, Vec<String>)> {
    let membership = root.text(&format!("proc/{process}/cgroup"));
    let texts = root.text("proc/self/mountinfo").zip(membership);
    texts.and_then(|(mounts, membership)| {
        let mounted = |version| {
            let mount = mounts.lines().find_map(|line| Mount::parse(line, controller, version))?;
            let group = membership.lines().find_map(|line| member(line, controller, version))?;
            Some((version, mount.folders(group)))
        };
        Known::from_option(
            mounted(Version::One).or_else(|| mounted(Version::Two)),
            format!("/proc/self/mountinfo: no control groups mounted for {}", controller.name()),
        )
    })
}

/// The group in a line of `/proc/self/cgroup` (`4:memory:/jobs/17`), if it is the right one.
fn member(line: &str, controller: Controller, version: Version) -> Option<&str> {
    let mut fields = line.splitn(3, ':');
    let (_hierarchy, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
    let right = match version {
        Version::One => controllers.split(',').any(|name| name == controller.name()),
        Version::Two => controllers.is_empty(),
    };
    right.then_some(group)
}

/// A mounted hierarchy: which group is at its top and where it is.
struct Mount<'a> {
    top: &'a str,
    point: &'a str,
}

impl<'a> Mount<'a> {
    /// From a line of `mountinfo`: `35 31 0:32 /top /point rw - cgroup cgroup rw,memory`.
    fn parse(line: &'a str, controller: Controller, version: Version) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let right = match version {
            Version::One => {
                kind.next() == Some("cgroup")
                    && kind.nth(1)?.split(',').any(|name| name == controller.name())
            }
            Version::Two => kind.next() == Some("cgroup2"),
        };
        let mut place = place.split(' ').skip(3);
        let (top, point) = (place.next()?, place.next()?);
        right.then_some(Self { top, point: point.trim_start_matches('/') })
    }

    /// The folder of a group and of those above it, as far as they are mounted.
    fn folders(&self, group: &str) -> Vec<String> {
        let below = match self.top {
            "/" => group,
            top => group.strip_prefix(top).unwrap_or(""),
        };
        // A group outside of this namespace is shown as `/../..`: only the mount itself is seen.
        let below = if below.contains("..") { "" } else { below.trim_end_matches('/') };
        let ends = below.char_indices().filter(|(_, sign)| *sign == '/').map(|(at, _)| at);
        let mut folders: Vec<String> = ends
            .chain([below.len()])
            .map(|end| format!("{}{}", self.point, &below[..end]))
            .collect();
        folders.dedup();
        folders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_lead_from_the_mount_down_to_the_group() {
        let check = |top, group, expect: &[&str]| {
            assert_eq!(Mount { top, point: "cg" }.folders(group), expect, "{top} {group}");
        };
        check("/", "/", &["cg"]);
        check("/", "/jobs/17", &["cg", "cg/jobs", "cg/jobs/17"]);
        check("/jobs", "/jobs/17", &["cg", "cg/17"]);
        check("/", "/../../17", &["cg"]);
        check("/other", "/jobs/17", &["cg"]);
    }

    #[test]
    fn a_quota_of_minus_one_is_no_limit() {
        assert_eq!(share(-1, 100_000), None);
        assert_eq!(share(250_000, 100_000), Some(2.5));
        assert_eq!(share(250_000, 0), None);
    }

    #[test]
    fn controllers_are_whole_words() {
        assert_eq!(member("2:cpuacct:/a", Controller::Processor, Version::One), None);
        assert_eq!(member("1:cpu,cpuacct:/a", Controller::Processor, Version::One), Some("/a"));
        assert_eq!(member("0::/a:b", Controller::Memory, Version::Two), Some("/a:b"));
    }
}
