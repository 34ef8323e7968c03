//! What is told of a command that failed: how it ended, what it said last, and whether there was room
//! for it to say anything.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use nearside_units::Bytes;

/// With less than this a disk is full: programs write in parts of so much.
const NO_ROOM: u64 = 64 << 10;

/// An exit code in words.
pub(crate) fn ending(code: u8) -> String {
    match code {
        127 => "127: no such program".to_owned(),
        129..=192 => format!("signal {}", code - 128),
        code => format!("exit code {code}"),
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> Vec<String> {
    const MOST: u64 = 8 << 10;
    const LINES: usize = 12;
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let text = read.unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

/// That the disk of a folder is full, in words; nothing where it is not, or nobody knows.
///
/// A command that meets a full disk can often not even say so: its log lies there too.
pub(crate) fn full_disk(folder: &Path) -> Option<String> {
    let left = left(folder)?;
    (left.get() < NO_ROOM)
        .then(|| format!("the disk of {} is full ({left} left)", folder.display()))
}

/// Room that is left to us on the disk of a folder.
#[cfg(unix)]
fn left(folder: &Path) -> Option<Bytes> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize).map(Bytes::new)
}

#[cfg(not(unix))]
fn left(_folder: &Path) -> Option<Bytes> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_in_words() {
        assert_eq!(ending(3), "exit code 3");
        assert_eq!(ending(137), "signal 9");
        assert_eq!(ending(127), "127: no such program");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_with_room_is_not_full() {
        // This one has no blocks at all, free or not.
        assert!(
            full_disk(Path::new("/proc")).is_some_and(|why| why.ends_with("is full (0 B left)"))
        );
        assert_eq!(full_disk(Path::new("/nowhere")), None);
        assert_eq!(full_disk(&std::env::temp_dir()), None);
    }
}
