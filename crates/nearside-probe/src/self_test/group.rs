//! A control group with a limit of memory, where this process may make one.

use std::fs;
use std::path::{Path, PathBuf};

/// A group; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Group(PathBuf);

/// Where memory is limited: version 1, then version 2 with the controller handed down.
const MOUNTS: [(&str, &str); 2] =
    [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];

impl Group {
    /// A new group that may hold so many bytes.
    pub(super) fn with_memory(bytes: u64) -> Result<Self, String> {
        let mut why = "no control group limits memory here".to_owned();
        for (mount, file) in MOUNTS {
            let folder = Path::new(mount).join(format!("nearside-{}", std::process::id()));
            if let Err(error) = fs::create_dir(&folder) {
                why = format!("{}: {error}", folder.display());
                continue;
            }
            let group = Self(folder);
            let limit = group.0.join(file);
            // Without the controller the file is not there, and must not be made.
            match fs::OpenOptions::new().write(true).open(&limit) {
                Ok(_) => match fs::write(&limit, bytes.to_string()) {
                    Ok(()) => return Ok(group),
                    Err(error) => why = format!("{}: {error}", limit.display()),
                },
                Err(error) => why = format!("{}: {error}", limit.display()),
            }
        }
        Err(why)
    }

    /// Takes a process in.
    pub(super) fn take(&self, process: u32) -> Result<(), String> {
        let file = self.0.join("cgroup.procs");
        fs::write(&file, process.to_string())
            .map_err(|error| format!("{}: {error}", file.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The process has ended, but the kernel may still be putting it away.
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
