//! Digests of files that have not changed since they were read.
//!
//! A file is taken to be unchanged while its size, its times of modification and of change, and its
//! number in the file system are what they were. That misses a change within the same tick of the
//! file system's clock as the last one before it was read, so a digest is remembered only of a file
//! whose last change was clearly over when it was read.
//!
//! Clocks go back: that of a file from the future may reach the moment of its last change once more,
//! and another change in it. Such a file is read every time, and what was remembered of it forgotten.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{Digest, StoreError, atomic};

/// The first bytes of the file, which name its form.
const HEAD: &[u8; 16] = b"nearside memo 1\n";
/// Longer than a tick of the clocks that file systems take times from (Linux: 1 to 10 ms).
const TICK: Duration = Duration::from_millis(25);
/// The same of file systems that keep whole seconds (FAT: every second one).
const COARSE_TICK: Duration = Duration::from_secs(2);
/// Nanoseconds of a second.
const SECOND: i128 = 1_000_000_000;

/// What is known, by path.
type Known = BTreeMap<OsString, (Look, Digest)>;

/// What a file looked like when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    size: u64,
    modified: i128,
    changed: i128,
    number: u64,
}

/// Remembers digests by path.
#[derive(Debug, Default)]
pub struct Memo {
    file: Option<PathBuf>,
    known: Mutex<Known>,
    grown: AtomicBool,
}

impl Memo {
    /// What is remembered in a file. One that is not there, or is no memo, or is damaged, remembers
    /// nothing: everything is read again.
    #[must_use]
    pub fn open(file: &Path) -> Self {
        let known = fs::read(file).ok().and_then(|bytes| parse(&bytes)).unwrap_or_default();
        Self { file: Some(file.to_path_buf()), known: Mutex::new(known), grown: false.into() }
    }

    /// Writes what is remembered, if there is anything new.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) if self.grown.swap(false, Ordering::Relaxed) => {
                atomic::write(file, &text(&self.lock()))
            }
            _ => Ok(()),
        }
    }

    /// The digest of a file that looks like that: remembered, or read now.
    pub(crate) fn digest(
        &self,
        path: &Path,
        metadata: &Metadata,
        read: impl FnOnce() -> Result<Digest, StoreError>,
    ) -> Result<Digest, StoreError> {
        let look = Look::of(metadata);
        if let Some(digest) = self.remembered(path, &look) {
            return Ok(digest);
        }
        let settled = look.settle();
        let digest = read()?;
        // It may have been written to while it was read.
        let same = fs::metadata(path).is_ok_and(|now| Look::of(&now) == look);
        if settled && same {
            self.lock().insert(path.as_os_str().to_owned(), (look, digest));
            self.grown.store(true, Ordering::Relaxed);
        }
        Ok(digest)
    }

    /// What is known of a file that looks like that.
    fn remembered(&self, path: &Path, look: &Look) -> Option<Digest> {
        let mut known = self.lock();
        let (seen, digest) = known.get(path.as_os_str())?;
        if seen != look {
            return None;
        }
        if look.is_of_the_future() {
            known.remove(path.as_os_str());
            self.grown.store(true, Ordering::Relaxed);
            return None;
        }
        Some(*digest)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Look {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let time =
            |seconds: i64, nanoseconds: i64| i128::from(seconds) * SECOND + i128::from(nanoseconds);
        Self {
            size: metadata.len(),
            modified: time(metadata.mtime(), metadata.mtime_nsec()),
            changed: time(metadata.ctime(), metadata.ctime_nsec()),
            number: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().map_or(i128::MAX, nanoseconds);
        Self { size: metadata.len(), modified, changed: modified, number: 0 }
    }

    /// Whether its last change is yet to come, by the clock as it is now.
    fn is_of_the_future(&self) -> bool {
        self.last() > nanoseconds(SystemTime::now())
    }

    fn last(&self) -> i128 {
        self.modified.max(self.changed)
    }

    /// How long its last change may have taken to be over.
    const fn tick(&self) -> Duration {
        let whole_seconds = self.modified % SECOND == 0 && self.changed % SECOND == 0;
        if whole_seconds { COARSE_TICK } else { TICK }
    }

    /// Waits until the last change is over, if it was a moment ago; whether it then is.
    fn settle(&self) -> bool {
        let tick = i128::try_from(self.tick().as_nanos()).unwrap_or(i128::MAX);
        let left = self.last().saturating_add(tick).saturating_sub(nanoseconds(SystemTime::now()));
        match u64::try_from(left) {
            Err(_) | Ok(0) => true,
            Ok(left) if Duration::from_nanos(left) <= TICK => {
                std::thread::sleep(Duration::from_nanos(left));
                true
            }
            Ok(_) => false,
        }
    }
}

fn nanoseconds(time: SystemTime) -> i128 {
    let since = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(before) => -since(before.duration()),
    }
}

/// A head, then every path with its length, its look and its digest; at the end a digest of all.
fn text(known: &Known) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    for (path, (look, digest)) in known {
        let path = path.as_encoded_bytes();
        let Ok(length) = u32::try_from(path.len()) else { continue };
        bytes.extend(length.to_le_bytes());
        bytes.extend(path);
        bytes.extend(look.size.to_le_bytes());
        bytes.extend(look.modified.to_le_bytes());
        bytes.extend(look.changed.to_le_bytes());
        bytes.extend(look.number.to_le_bytes());
        bytes.extend(digest.as_bytes());
    }
    let sum = Digest::of(&bytes);
    bytes.extend(sum.as_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Option<Known> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    let mut rest = body.strip_prefix(HEAD)?;
    if Digest::of(body).as_bytes() != sum {
        return None;
    }
    let mut known = Known::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(take(&mut rest)?);
        let (path, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        rest = after;
        let look = Look {
            size: u64::from_le_bytes(take(&mut rest)?),
            modified: i128::from_le_bytes(take(&mut rest)?),
            changed: i128::from_le_bytes(take(&mut rest)?),
            number: u64::from_le_bytes(take(&mut rest)?),
        };
        let digest = Digest::from_bytes(take(&mut rest)?);
        known.insert(path_of(path)?, (look, digest));
    }
    Some(known)
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(OsStr::from_bytes(bytes).to_owned())
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> Option<OsString> {
    std::str::from_utf8(bytes).ok().map(OsString::from)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;
    use crate::store::tests::scratch;

    fn digest(memo: &Memo, path: &Path) -> Digest {
        Reader::new(memo).content(path).unwrap().digest
    }

    #[test]
    fn a_change_is_seen_however_soon_it_follows() {
        let folder = scratch("soon");
        let (file, memo) = (folder.join("data"), Memo::default());
        let mut last = None;
        for round in 0..40u32 {
            // The same size every time.
            fs::write(&file, round.to_le_bytes()).unwrap();
            let now = digest(&memo, &file);
            assert_ne!(Some(now), last, "round {round}");
            assert_eq!(now, digest(&Memo::default(), &file));
            last = Some(now);
        }
    }

    #[test]
    fn what_is_remembered_is_not_read_again() {
        let folder = scratch("remembered");
        let (data, file) = (folder.join("data"), folder.join("memo"));
        fs::write(&data, "content").unwrap();
        let memo = Memo::open(&file);
        let first = digest(&memo, &data);
        memo.save().unwrap();
        let again = Memo::open(&file);
        let metadata = fs::metadata(&data).unwrap();
        let never = || -> Result<Digest, StoreError> { panic!("read again") };
        again.digest(&data, &metadata, never).unwrap();
        assert_eq!(digest(&again, &data), first);
    }

    #[test]
    fn a_file_of_the_future_is_read_every_time() {
        let folder = scratch("future");
        let data = folder.join("data");
        fs::write(&data, "content").unwrap();
        let late = SystemTime::now() + Duration::from_secs(3600);
        fs::File::options().write(true).open(&data).unwrap().set_modified(late).unwrap();
        let memo = Memo::default();
        digest(&memo, &data);
        assert!(memo.lock().is_empty());
    }

    #[test]
    fn what_is_remembered_is_not_believed_once_the_clock_is_back_before_it() {
        let folder = scratch("clock-back");
        let (data, file) = (folder.join("data"), folder.join("memo"));
        fs::write(&data, "content").unwrap();
        let set = |time: SystemTime| {
            fs::File::options().write(true).open(&data).unwrap().set_modified(time).unwrap();
        };
        set(SystemTime::now() + Duration::from_secs(24 * 3600));
        // As it was remembered a day from now, before the clock was set back and the file rewritten
        // when the clock came to the same moment again.
        let memo = Memo::open(&file);
        let look = Look::of(&fs::metadata(&data).unwrap());
        let wrong = Digest::of(b"what it was");
        memo.lock().insert(data.clone().into_os_string(), (look, wrong));
        let right = digest(&Memo::default(), &data);
        assert_eq!(digest(&memo, &data), right);
        memo.save().unwrap();
        assert!(Memo::open(&file).lock().is_empty(), "forgotten for good");
        // An older file is another file, not an unchanged one.
        set(SystemTime::now() - Duration::from_secs(24 * 3600));
        assert_eq!(digest(&memo, &data), right);
        assert_ne!(memo.lock().get(data.as_os_str()).map(|(_, digest)| *digest), Some(wrong));
    }

    #[test]
    fn times_in_whole_seconds_take_longer_to_be_over() {
        let now = nanoseconds(SystemTime::now()) / SECOND * SECOND;
        let look = |modified, changed| Look { size: 1, modified, changed, number: 1 };
        assert!(!look(now, now).settle());
        assert!(look(now - 3 * SECOND, now - 3 * SECOND).settle());
        assert_eq!(look(now, now + 1).tick(), TICK);
    }

    #[test]
    fn a_damaged_memo_remembers_nothing() {
        let folder = scratch("damaged");
        let (data, file) = (folder.join("data"), folder.join("memo"));
        fs::write(&data, "content").unwrap();
        let memo = Memo::open(&file);
        digest(&memo, &data);
        memo.save().unwrap();
        let whole = fs::read(&file).unwrap();
        assert_eq!(parse(&whole).unwrap().len(), 1);
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            assert!(parse(&bytes).is_none(), "byte {place}");
            assert!(parse(&whole[..place]).is_none(), "{place} bytes");
        }
    }
}
