//! Who may use a file: its mode and owner, and whether this process can open it.
//!
//! On this machine the system is asked (`access(2)`, which knows access lists). A recorded machine
//! keeps owners in `nodes.txt`, lines of `PATH MODE USER GROUP`, because a copy of a tree loses
//! them; there mode and groups decide.

use nearside_units::Known;

use super::process::Process;
use crate::root::Root;

/// Lines of `nodes.txt` that are read.
const MAX_LINES: usize = 4096;

/// A file with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The permission bits.
    pub(super) mode: u32,
    /// The user who owns it.
    pub(super) user: u32,
    /// Its group.
    pub(super) group: u32,
}

impl Node {
    /// The group's bits and everybody's, as in `rw-r-----`.
    pub(super) const fn others_read(self) -> bool {
        self.mode & 0o004 != 0
    }

    pub(super) const fn others_write(self) -> bool {
        self.mode & 0o002 != 0
    }

    pub(super) const fn others_pass(self) -> bool {
        self.mode & 0o001 != 0
    }

    /// Whether a process may read and write it, by its mode.
    fn opens_for(self, user: u32, groups: &[u32]) -> bool {
        let bits = match (user == self.user, groups.contains(&self.group)) {
            (true, _) => self.mode >> 6,
            (false, true) => self.mode >> 3,
            (false, false) => self.mode,
        };
        user == 0 || bits & 0o6 == 0o6
    }
}

/// The owner and mode of a file, if it is there.
pub(super) fn node(root: Root<'_>, path: &str) -> Option<Node> {
    let path = path.trim_start_matches('/');
    recorded(root, path).or_else(|| own(root, path))
}

#[cfg(unix)]
fn own(root: Root<'_>, path: &str) -> Option<Node> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(root.place(path)).ok()?;
    Some(Node { mode: metadata.mode() & 0o7777, user: metadata.uid(), group: metadata.gid() })
}

#[cfg(not(unix))]
fn own(_root: Root<'_>, _path: &str) -> Option<Node> {
    None
}

fn recorded(root: Root<'_>, path: &str) -> Option<Node> {
    if root.is_this_machine() {
        return None;
    }
    let text = root.text("nodes.txt").value()?;
    text.lines().take(MAX_LINES).find_map(|line| {
        let mut cells = line.split_whitespace();
        if cells.next()?.trim_start_matches('/') != path {
            return None;
        }
        let mode = u32::from_str_radix(cells.next()?, 8).ok()?;
        Some(Node { mode, user: cells.next()?.parse().ok()?, group: cells.next()?.parse().ok()? })
    })
}

/// Names of a folder, those of `nodes.txt` with them: copies of a tree lose devices too.
pub(super) fn names(root: Root<'_>, folder: &str) -> Vec<String> {
    let mut names = root.entries(folder).value().unwrap_or_default();
    if !root.is_this_machine() {
        let text = root.text("nodes.txt").value().unwrap_or_default();
        let prefix = format!("{}/", folder.trim_matches('/'));
        names.extend(text.lines().take(MAX_LINES).filter_map(|line| {
            let path = line.split_whitespace().next()?.trim_start_matches('/');
            let name = path.strip_prefix(&prefix)?;
            (!name.contains('/')).then(|| name.to_owned())
        }));
        names.sort();
        names.dedup();
    }
    names
}

/// Whether a folder has such a file; unknown where nothing of the folder was recorded.
pub(super) fn listed(root: Root<'_>, folder: &str, name: &str) -> Known<bool> {
    let all = names(root, folder);
    match all.is_empty() {
        true => root.recorded(folder).map(|()| false),
        false => Known::Value(all.iter().any(|one| one == name)),
    }
}

/// Whether the process may read and write a file.
pub(super) fn opens(root: Root<'_>, path: &str, process: &Process) -> Known<bool> {
    if root.is_this_machine() {
        return accessible(root, path);
    }
    let Some(node) = node(root, path) else {
        return Known::unknown(format!("{path} is not there"));
    };
    let identity = process.user.clone().zip(process.groups.clone());
    identity.map(|(user, groups)| node.opens_for(user, &groups))
}

#[cfg(unix)]
fn accessible(root: Root<'_>, path: &str) -> Known<bool> {
    use rustix::fs::{Access, access};
    match access(root.place(path), Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Known::Value(true),
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => Known::Value(false),
        Err(error) => Known::unknown(format!("{path}: {error}")),
    }
}

#[cfg(not(unix))]
fn accessible(_root: Root<'_>, path: &str) -> Known<bool> {
    Known::unknown(format!("{path}: asked on Unix systems only"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_groups_decide() {
        let node = Node { mode: 0o660, user: 0, group: 109 };
        assert!(node.opens_for(1000, &[1000, 109]));
        assert!(!node.opens_for(1000, &[1000, 27]));
        assert!(node.opens_for(0, &[]));
        assert!(!Node { mode: 0o060, user: 5, group: 5 }.opens_for(5, &[5]));
        assert!(Node { mode: 0o666, user: 0, group: 0 }.opens_for(1000, &[]));
    }
}
