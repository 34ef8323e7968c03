//! Which file system a path is on, and how full it is.
//!
//! On this machine the system is asked; of a recorded one `proc/self/mountinfo` and, for sizes,
//! `df.txt`: what `df -Pk` printed there.
//!
//! Source: `proc(5)` (`mountinfo`), POSIX `df -P`.

use std::path::PathBuf;

use nearside_units::{Bytes, Known};

use crate::root::Root;

/// Mounts that are read.
const MAX_MOUNTS: usize = 4096;
/// Devices below one another: a volume on an encrypted disk on a RAID.
const MAX_DEPTH: usize = 6;

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Where.
    pub(super) point: String,
    /// `ext4`, `nfs4`.
    pub(super) kind: String,
    /// `/dev/nvme0n1p2`, `server:/export`.
    pub(crate) source: String,
    /// Options of the mount and of the file system.
    pub(super) options: String,
    /// Number of the device, `259:2`.
    pub(super) device: String,
}

impl Mount {
    /// Whether the file system is on another machine.
    pub(super) fn is_network(&self) -> bool {
        const NETWORK: [&str; 12] = [
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "9p",
            "ceph",
            "glusterfs",
            "lustre",
            "beegfs",
            "fuse.sshfs",
            "fuse.s3fs",
        ];
        NETWORK.contains(&self.kind.as_str())
    }

    /// Whether the file system is in memory.
    pub(super) fn is_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs")
    }
}

/// Every mount, in the kernel's order.
pub(crate) fn mounts(root: Root<'_>) -> Known<Vec<Mount>> {
    root.text("proc/self/mountinfo")
        .map(|text| text.lines().take(MAX_MOUNTS).filter_map(mount).collect())
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let mut right = right.split(' ');
    let (kind, source) = (right.next()?, right.next()?);
    let options = format!("{},{}", left.get(5)?, right.next().unwrap_or_default());
    Some(Mount {
        point: left.get(4)?.replace("\\040", " "),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options,
        device: (*left.get(2)?).to_owned(),
    })
}

/// The mount that holds a path: the last one at the longest folder above it.
pub(crate) fn mount_of<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    let above = |point: &str| {
        let point = point.trim_end_matches('/');
        path.strip_prefix(point).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = mounts.iter().filter(|mount| above(&mount.point));
    found.max_by_key(|mount| mount.point.trim_end_matches('/').len())
}

/// How much a file system holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// All of it.
    pub(super) total: Bytes,
    /// What a person may still write.
    pub(super) free: Bytes,
}

/// The room on the file system that holds a path.
pub(super) fn room(root: Root<'_>, path: &str) -> Known<Room> {
    if root.is_this_machine() {
        let found = crate::disk(&PathBuf::from(path));
        return found.total.zip(found.free).map(|(total, free)| Room { total, free });
    }
    root.text("df.txt").and_then(|text| {
        let rows: Vec<(String, Room)> = text.lines().filter_map(row).collect();
        let mounts = rows.iter().map(|(point, _)| Mount {
            point: point.clone(),
            kind: String::new(),
            source: String::new(),
            options: String::new(),
            device: String::new(),
        });
        let mounts: Vec<Mount> = mounts.collect();
        let point = mount_of(&mounts, path).map(|mount| &mount.point);
        let found = rows.iter().find(|(own, _)| Some(own) == point);
        Known::from_option(found.map(|(_, room)| *room), format!("/df.txt: nothing above {path}"))
    })
}

/// `/dev/nvme0n1p2 959786032 412000000 498956172 46% /`
fn row(line: &str) -> Option<(String, Room)> {
    let cells: Vec<&str> = line.split_whitespace().collect();
    let kibibytes = |at: usize| cells.get(at)?.parse::<u64>().ok()?.checked_mul(1024);
    let room = Room { total: Bytes::new(kibibytes(1)?), free: Bytes::new(kibibytes(3)?) };
    Some((cells.get(5..)?.join(" "), room))
}

/// The block devices below a mount, the uppermost first: its own, what that one is made of, and so on.
pub(super) fn devices_below(root: Root<'_>, mount: &Mount) -> Vec<String> {
    let own = format!("sys/dev/block/{}", mount.device);
    let first = match root.followed(&own).value().filter(|path| root.has(path)) {
        Some(path) => path.rsplit('/').next().map(str::to_owned),
        // File systems over several devices have a number of their own.
        None => mount.source.strip_prefix("/dev/").map(|name| match root.link(&mount.source) {
            Known::Value(target) => target.rsplit('/').next().unwrap_or(name).to_owned(),
            Known::Unknown(_) => name.to_owned(),
        }),
    };
    let mut found: Vec<String> = Vec::new();
    let mut level: Vec<String> = first.into_iter().collect();
    for _ in 0..MAX_DEPTH {
        let below = level.iter().flat_map(|device| {
            root.entries(&format!("sys/class/block/{device}/slaves")).value().unwrap_or_default()
        });
        let below: Vec<String> = below.collect();
        found.append(&mut level);
        level = below;
    }
    found
}

/// Whether a block device is one that a host gives a virtual machine: what is below it only the host knows.
pub(super) fn is_virtual(device: &str) -> bool {
    ["vd", "xvd"].iter().any(|prefix| device.starts_with(prefix))
}

/// Whether a block device turns, as its disk or it itself says. Virtual disks say that they do and
/// know nothing of it.
pub(super) fn rotates(root: Root<'_>, device: &str) -> Known<bool> {
    if is_virtual(device) {
        return Known::unknown(format!("{device} is a virtual disk, which does not tell"));
    }
    let folder = root.followed(&format!("sys/class/block/{device}"));
    folder.and_then(|folder| {
        let own: Known<u8> = root.value(&format!("{folder}/queue/rotational"));
        let disk = || {
            let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
            root.value::<u8>(&format!("{above}/queue/rotational"))
        };
        let answer = if own.why().is_some() { disk() } else { own };
        answer.map(|turns| turns == 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let text = "22 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n\
            30 22 0:40 / /home rw,nosuid shared:1 - nfs4 store:/home rw,vers=4.2\n\
            31 22 0:50 / /dev/shm rw - tmpfs shm rw,size=65536k\n";
        let all: Vec<Mount> = text.lines().filter_map(mount).collect();
        assert_eq!(all.len(), 3);
        assert!(mount_of(&all, "/home/ada").unwrap().is_network());
        assert_eq!(mount_of(&all, "/homes").unwrap().point, "/");
        assert!(mount_of(&all, "/dev/shm").unwrap().options.ends_with("size=65536k"));
        assert_eq!(mount_of(&all[1..2], "/var"), None);
    }

    #[test]
    fn what_df_prints_is_read() {
        let line = "/dev/nvme0n1p2      959786032 412000000 498956172      46% /my disk";
        let (point, room) = row(line).unwrap();
        assert_eq!((point.as_str(), room.free), ("/my disk", Bytes::new(498_956_172 * 1024)));
        assert_eq!(row("Filesystem 1024-blocks Used Available Capacity Mounted on"), None);
    }
}
