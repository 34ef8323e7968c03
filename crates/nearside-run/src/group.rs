//! Control groups (version 2) of commands: whatever a command starts stays in its group, however it
//! detaches itself, is ended as one and counted as one by the kernel.
//!
//! A run has a group below the one that it is in itself, and in it one for each of its commands, which
//! the guard enters before there is a command. Nothing is limited, no controller is asked for. Where the
//! system has no such groups, or does not let us make one, there are none, and the guard has to do.
//!
//! The run's group is named after the lock that the run holds, and noted beside it: whoever holds the
//! lock next knows that what is left of that group belongs to nobody any more.
//! Source: Linux `Documentation/admin-guide/cgroup-v2.rst` (`cgroup.procs`, `cgroup.kill`,
//! `cgroup.events`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where a run notes its group, in the folder of the record.
const NOTE: &str = "group";
/// How often and how many times we look whether a group that was ended is empty: ten seconds.
const BEAT: Duration = Duration::from_millis(2);
const LOOKS: u32 = 5000;
/// How often we move ahead of a command: for a fifth of a second.
const MOVES: u32 = 100;

/// The groups of a run.
#[derive(Debug)]
pub(crate) struct Groups {
    record: PathBuf,
    own: Own,
    /// Commands that had one so far.
    commands: u64,
    /// How often we still move to where we are.
    moves_left: Arc<AtomicU32>,
}

/// The group of the run itself.
#[derive(Debug)]
enum Own {
    /// A run without anything to run needs none.
    NotMade,
    At(PathBuf),
    /// The system has none for us.
    Never,
}

/// The group of a command.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) folder: PathBuf,
}

impl Groups {
    /// Of the run that holds the lock of a record. What a run that was killed left is ended and removed.
    pub(crate) fn of(record: &Path) -> Self {
        let note = record.join(NOTE);
        if let Ok(noted) = fs::read_to_string(&note) {
            let left = PathBuf::from(noted.trim());
            if left.file_name().is_some() && left.file_name() == name(record).as_deref() {
                end(&left);
            }
            let _ = fs::remove_file(note);
        }
        Self {
            record: record.to_path_buf(),
            own: Own::NotMade,
            commands: 0,
            moves_left: Arc::default(),
        }
    }

    /// A group for a command; nothing where none can be had.
    pub(crate) fn make(&mut self) -> Option<Group> {
        let folder = self.own()?.to_path_buf();
        self.commands += 1;
        let folder = folder.join(self.commands.to_string());
        fs::create_dir(&folder).ok()?;
        Some(Group { folder })
    }

    /// Says that a command is soon to go into a group, so that it will not have to wait for that.
    ///
    /// Who moves between groups waits until every processor has passed through the scheduler (6 ms and
    /// more), but not who does so right after another. So we move first, to where we are already, and
    /// again and again for a while.
    pub(crate) fn get_ready(&mut self) {
        let moves_left = Arc::clone(&self.moves_left);
        let Some(above) = self.own().and_then(Path::parent).map(Path::to_path_buf) else { return };
        if moves_left.swap(MOVES, Ordering::Relaxed) > 0 {
            // Somebody does it already.
            return;
        }
        std::thread::spawn(move || {
            while moves_left.load(Ordering::Relaxed) > 0 && enter(&above) {
                std::thread::sleep(BEAT);
                moves_left.fetch_sub(1, Ordering::Relaxed);
            }
            moves_left.store(0, Ordering::Relaxed);
        });
    }

    /// The same after a command, if others are likely to follow it.
    pub(crate) fn stay_ready(&mut self) {
        if matches!(self.own, Own::At(_)) {
            self.get_ready();
        }
    }

    /// The group of the run, which is made when it is first asked for.
    fn own(&mut self) -> Option<&Path> {
        if matches!(self.own, Own::NotMade) {
            self.own = self.make_own().map_or(Own::Never, Own::At);
        }
        match &self.own {
            Own::At(own) => Some(own),
            Own::NotMade | Own::Never => None,
        }
    }

    fn make_own(&self) -> Option<PathBuf> {
        let read = |file: &str| fs::read_to_string(file).ok();
        let above = own(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?)?;
        let folder = above.join(name(&self.record)?);
        // Noted first: what is not noted is never removed.
        let note = self.record.join(NOTE);
        fs::write(&note, folder.to_str()?).ok()?;
        if fs::create_dir(&folder).is_err() {
            let _ = fs::remove_file(note);
            return None;
        }
        Some(folder)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let Own::At(own) = &self.own else { return };
        // What is still in it is being ended by its guard; the note stays for who comes next.
        if remove(own).is_ok() {
            let _ = fs::remove_file(self.record.join(NOTE));
        }
    }
}

impl Group {
    /// The command has ended: what is left of it ends now.
    pub(crate) fn end(self) {
        end(&self.folder);
    }
}

/// What the group of the run that holds a record's lock is called: after that lock, of which there is
/// one on this machine.
#[cfg(unix)]
fn name(record: &Path) -> Option<std::ffi::OsString> {
    use std::os::unix::fs::MetadataExt as _;
    let lock = fs::metadata(record.join("run.lock")).ok()?;
    Some(format!("nearside-{:x}-{:x}", lock.dev(), lock.ino()).into())
}

#[cfg(not(unix))]
fn name(_record: &Path) -> Option<std::ffi::OsString> {
    None
}

/// The folder of the group that a process is in, from its `cgroup` and its `mountinfo`.
fn own(membership: &str, mounts: &str) -> Option<PathBuf> {
    let group = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (top, point) = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        kind.starts_with("cgroup2 ").then_some((place.next()?, place.next()?))
    })?;
    // A group that is not below what is mounted here is shown as `/../..`, or not below its top.
    let below = Path::new(group).strip_prefix(top).ok()?;
    let is_below = !below.components().any(|part| part == std::path::Component::ParentDir);
    is_below.then(|| Path::new(point).join(below))
}

/// Goes into a group; all that this process starts from now on will be in it.
pub(crate) fn enter(folder: &Path) -> bool {
    fs::write(folder.join("cgroup.procs"), "0").is_ok()
}

/// Goes back to where the run is, out of the group of a command.
fn leave(folder: &Path) -> bool {
    let above = folder.parent().and_then(Path::parent);
    above.is_some_and(enter)
}

/// Whether anybody but this process is in a group, or in one below it.
pub(crate) fn has_others(folder: &Path) -> bool {
    let own = std::process::id().to_string();
    let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    members.lines().any(|member| member != own) || below(folder).iter().any(|at| is_populated(at))
}

fn is_populated(folder: &Path) -> bool {
    let events = fs::read_to_string(folder.join("cgroup.events")).unwrap_or_default();
    events.lines().any(|line| line == "populated 1")
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Leaves a group and kills whoever is in it, all at once: nobody gets around to starting another.
/// Whether that was done.
pub(crate) fn kill_others(folder: &Path) -> bool {
    leave(folder) && kill(folder)
}

fn kill(folder: &Path) -> bool {
    fs::write(folder.join("cgroup.kill"), "1").is_ok()
}

/// Leaves the group of a command and removes it, and with the last one that of its run: for a guard
/// whose run may be gone.
pub(crate) fn clear(folder: &Path) {
    if leave(folder) {
        end(folder);
        let _ = folder.parent().map(fs::remove_dir);
    }
}

/// Ends what is in a group and removes it, with the groups below it.
fn end(folder: &Path) {
    for _ in 0..LOOKS {
        match remove(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {}
            _ => return,
        }
        // Before Linux 5.14 groups cannot be killed.
        if !kill(folder) {
            return;
        }
        std::thread::sleep(BEAT);
    }
}

/// Removes a group in which nobody is, with those below it.
fn remove(folder: &Path) -> io::Result<()> {
    for below in below(folder) {
        remove(&below)?;
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_below_its_mount() {
        let found = |group: &str, mount: &str| {
            let mounts = format!("22 1 8:1 / / rw - ext4 /dev/vda rw\n{mount}");
            own(&format!("4:memory:/jobs\n0::{group}\n"), &mounts)
        };
        let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let at = |path: &str| Some(PathBuf::from(path));
        assert_eq!(found("/", unified), at("/sys/fs/cgroup/unified/"));
        assert_eq!(found("/user/1", unified), at("/sys/fs/cgroup/unified/user/1"));
        assert_eq!(found("/../../17", unified), None);
        let part = "41 31 0:38 /jobs /sys/fs/cgroup rw shared:9 - cgroup2 none rw";
        assert_eq!(found("/jobs/17", part), at("/sys/fs/cgroup/17"));
        assert_eq!(found("/other", part), None);
        let old = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        assert_eq!(found("/", old), None);
        assert_eq!(own("4:memory:/jobs\n", unified), None);
    }
}
