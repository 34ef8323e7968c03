//! A file made of what stands at an address: it goes on where an earlier attempt ended, and is there whole and
//! checked or not at all.
//!
//! Bytes go into `FILE.incomplete` beside the file. What is there already is read for its digest, and the rest is
//! asked for by `Range`. An answer is taken as the rest only if it says so itself: status 206, a `Content-Range` that
//! begins where ours ends and names the whole length. Anything else starts over. Length and digest are checked
//! before the file gets its name; what fails is deleted.
//!
//! Source: RFC 9110, sections 14 (range requests) and 15.3.7 (206).

mod content_range;
mod lock;
mod partial_file;
mod room;
mod transfer;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::digest::FileDigest;
use crate::error::FetchError;
use crate::secret::Secret;
use lock::Lock;
use partial_file::PartialFile;
pub use room::left as room_left;

/// Where the bytes are.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The address.
    pub url: &'a str,
    /// What lets us in there.
    pub token: Option<&'a Secret>,
}

/// Where the file is to be.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The file; its folder must be there.
    pub file: &'a Path,
    /// The file whose lock is held meanwhile; its folder must be there. Others who want the same file wait.
    pub lock: &'a Path,
}

/// What the file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its bytes.
    pub length: u64,
    /// Their digest.
    pub digest: FileDigest,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub doing: Doing,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes of the whole.
    pub total: u64,
}

/// What a download does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Somebody else makes the same file.
    Waiting,
    /// What is there from before is read.
    Checking,
    /// Bytes come.
    Transferring,
    /// The connection was lost, and is tried again in a moment.
    Retrying,
}

/// How the file came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Bytes that came over the network, those that had to be thrown away included.
    pub transferred: u64,
    /// Bytes that were there from an earlier attempt.
    pub resumed: u64,
}

/// What is told how far it is, and says whether to go on.
pub(crate) type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// The file that bytes are gathered in.
#[must_use]
pub fn partial(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".incomplete");
    PathBuf::from(name)
}

/// Makes the file, unless it is there: a file of that name and length was checked when it got its name.
///
/// `progress` is told often how far it is; when it breaks, what came so far stays for the next time.
///
/// # Errors
///
/// When the address cannot be read, the disk is too small or says no, the bytes are not those that were expected,
/// or `progress` wants an end.
pub fn download(
    source: &Source<'_>,
    target: &Target<'_>,
    expected: &Expected,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Downloaded, FetchError> {
    let _held = Lock::wait(target.lock, &mut || {
        go_on(source, progress, Progress { doing: Doing::Waiting, done: 0, total: expected.length })
    })?;
    let there = fs::metadata(target.file).is_ok_and(|it| it.len() == expected.length);
    if there {
        return Ok(Downloaded { transferred: 0, resumed: 0 });
    }
    let gathered = partial(target.file);
    let before = fs::metadata(&gathered).map_or(0, |it| it.len()).min(expected.length);
    room::check(&gathered, expected.length - before)?;
    let mut downloaded = attempt(source, target.file, expected, progress);
    // What an earlier attempt left may have been broken by a fall of the power: once more from the beginning.
    if before > 0 && matches!(downloaded, Err(FetchError::Digest { .. })) {
        downloaded = attempt(source, target.file, expected, progress);
    }
    downloaded
}

/// Gathers what is missing and checks the whole.
fn attempt(
    source: &Source<'_>,
    file: &Path,
    expected: &Expected,
    progress: &mut Watch<'_>,
) -> Result<Downloaded, FetchError> {
    let mut partial = PartialFile::open(&partial(file), expected)?;
    partial.read_again(&mut |done| {
        go_on(source, progress, Progress { doing: Doing::Checking, done, total: expected.length })
    })?;
    let resumed = partial.length();
    let transferred = match transfer::rest(source, &mut partial, expected, progress) {
        Ok(transferred) => transferred,
        Err(error) => {
            if matches!(error, FetchError::Length { .. }) {
                partial.remove();
            }
            return Err(error);
        }
    };
    let found = partial.digest();
    if found != expected.digest {
        partial.remove();
        return Err(FetchError::Digest {
            url: crate::address::shown(source.url).to_owned(),
            expected: expected.digest.to_string(),
            found: found.to_string(),
        });
    }
    partial.become_file(file)?;
    Ok(Downloaded { transferred, resumed })
}

/// Says how far it is; an error where the caller wants an end.
fn go_on(source: &Source<'_>, progress: &mut Watch<'_>, now: Progress) -> Result<(), FetchError> {
    match progress(now) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(FetchError::Interrupted { url: crate::address::shown(source.url).to_owned() })
        }
    }
}
