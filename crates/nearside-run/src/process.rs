//! A command under its guard, as the run sees it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use crate::guard;
use crate::orders::Orders;

/// How commands are started.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// The executable that becomes the guard.
    pub(crate) program: &'a Path,
    pub(crate) orders: Orders,
    pub(crate) folder: PathBuf,
    pub(crate) variables: Vec<(String, OsString)>,
    pub(crate) log: &'a File,
}

/// Keeps a command going; the command is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold(#[allow(dead_code, reason = "its end is what matters")] ChildStdin);

/// Starts a command; what it prints goes to the log.
pub(crate) fn start(start: &Start<'_>) -> std::io::Result<(Child, Hold)> {
    let mut guard = Command::new(start.program);
    guard.arg(guard::ARGUMENT).args(start.orders.written());
    guard.current_dir(&start.folder).envs(start.variables.iter().cloned());
    // A shell takes this as the place it is in, links and all.
    guard.env("PWD", &start.folder);
    guard.stdin(Stdio::piped()).stdout(start.log.try_clone()?).stderr(start.log.try_clone()?);
    apart(&mut guard);
    let mut child = guard.spawn()?;
    match child.stdin.take() {
        Some(pipe) => Ok((child, Hold(pipe))),
        None => Err(std::io::ErrorKind::BrokenPipe.into()),
    }
}

/// Waits until a child has ended, and leaves it in the system's tables.
#[cfg(unix)]
pub(crate) fn ended(child: u32) -> std::io::Result<()> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let none = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let child = i32::try_from(child).ok().and_then(Pid::from_raw).ok_or_else(none)?;
    loop {
        match waitid(WaitId::Pid(child), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            waited => return waited.map(drop).map_err(Into::into),
        }
    }
}

#[cfg(not(unix))]
pub(crate) fn ended(_child: u32) -> std::io::Result<()> {
    Ok(())
}

/// What a command answered, 0 to 255: its code, or 128 and the number of the signal that ended it, as
/// shells have it (POSIX, 2.8.2).
#[cfg(unix)]
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let signalled = status.signal().map(|signal| signal + 128);
    let code = status.code().or(signalled).unwrap_or(255);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// What a command answered, 0 to 255; more than that is 255.
#[cfg(not(unix))]
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    code(status)
}

/// What a guard answered, which passes on what its command did.
pub(crate) fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// A terminal's Ctrl-C reaches the run alone, which then ends what it started.
#[cfg(unix)]
fn apart(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn apart(_command: &mut Command) {}
