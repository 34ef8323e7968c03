//! Namespaces of a command's own, in which there is no network but its own loopback device.
//!
//! A process that enters has no way to the network, to abstract unix sockets and to shared memory of
//! System V of others, nor has anything that it starts. It keeps its user and its files: where the
//! system does not let it have namespaces as it is, it takes a user namespace too, in which only its
//! own user and group exist, under the same numbers. Files are not cut off: a unix socket that lies
//! in a folder (that of a container engine, of a name service) still leads out.
//!
//! Entering cannot be undone and needs a process with one thread, so it is done by the process that
//! becomes the guard or a person's shell ([`run`]), and tried out by one that does nothing else.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use thiserror::Error;

/// The first argument of an executable that is to enter the sandbox and become another program;
/// without one it only tries.
pub const ARGUMENT: &str = "__sandbox";
/// What shells answer when a program is there and cannot be started.
pub(crate) const REFUSED: u8 = 126;

/// Something that the system did not let us do.
#[derive(Debug, Error)]
#[error("the system refuses {step} ({error})")]
pub(crate) struct Refused {
    step: &'static str,
    error: io::Error,
}

impl Refused {
    fn at(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { step, error }
    }
}

/// Enters the sandbox and becomes a program, the first argument; the answer is that of a shell whose
/// program cannot be started. Without a program it tells whether the sandbox can be entered.
#[must_use]
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    if let Err(refused) = enter() {
        complain(&refused.to_string());
        return REFUSED;
    }
    let Some(program) = arguments.next() else { return 0 };
    let error = replace(Command::new(&program).args(arguments));
    complain(&format!("{}: {error}", program.display()));
    REFUSED
}

/// Says to the person or the log why there is no command.
pub(crate) fn complain(why: &str) {
    // Where nobody listens, the exit code has to do.
    let _ = writeln!(io::stderr(), "nearside: {why}");
}

/// Whether a sandbox can be entered here; if not, why. The program is our executable.
pub(crate) fn probe(program: &Path) -> Result<(), String> {
    let mut probe = Command::new(program);
    let tried = probe.arg(ARGUMENT).stdin(Stdio::null()).output();
    let tried = tried.map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    if tried.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&tried.stderr);
    let said = said.trim();
    Err(said.strip_prefix("nearside: ").unwrap_or(said).to_owned())
}

/// What a person can do where the sandbox is refused, by what the system's settings say.
#[must_use]
pub fn remedy() -> &'static str {
    let is = |setting: &str, value: &str| {
        std::fs::read_to_string(setting).is_ok_and(|found| found.trim() == value)
    };
    if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "allow it: sudo sysctl kernel.unprivileged_userns_clone=1"
    } else if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "allow it: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "allow it: sudo sysctl user.max_user_namespaces=10000"
    } else if cfg!(target_os = "linux") {
        "in a container, allow it CAP_SYS_ADMIN or user namespaces"
    } else {
        "run it on Linux"
    }
}

/// Cuts this process off, and all that it starts from now on.
#[cfg(target_os = "linux")]
pub(crate) fn enter() -> Result<(), Refused> {
    use nix::sched::{CloneFlags, unshare};
    let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    match unshare(own) {
        Ok(()) => lock_in()?,
        Err(_not_privileged) => {
            let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
            let refused = Refused::at("a network namespace of its own");
            unshare(own | CloneFlags::CLONE_NEWUSER)
                .map_err(|error| refused(io::Error::from_raw_os_error(error as i32)))?;
            map(user.as_raw(), group.as_raw()).map_err(Refused::at("its user there"))?;
        }
    }
    crate::loopback::switch_on().map_err(Refused::at("a loopback device"))
}

/// There is nothing to enter.
#[cfg(not(target_os = "linux"))]
pub(crate) fn enter() -> Result<(), Refused> {
    Err(Refused::at("a network namespace, which only Linux has")(io::ErrorKind::Unsupported.into()))
}

/// Makes the user and the group of this process exist in its new user namespace, as the same ones.
#[cfg(target_os = "linux")]
fn map(user: u32, group: u32) -> io::Result<()> {
    use std::fs::write;
    // Or groups cannot be mapped without privileges.
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    write("/proc/self/gid_map", format!("{group} {group} 1"))
}

/// A privileged user's programs could join the namespaces of other processes: not what we start.
#[cfg(target_os = "linux")]
fn lock_in() -> Result<(), Refused> {
    use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
    for capability in [CapabilitySet::SYS_ADMIN, CapabilitySet::SYS_PTRACE] {
        remove_capability_from_bounding_set(capability)
            .map_err(|error| Refused::at("to give up privileges")(error.into()))?;
    }
    Ok(())
}

/// Becomes that program; the answer is why not.
#[cfg(unix)]
fn replace(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

#[cfg(not(unix))]
fn replace(_command: &mut Command) -> io::Error {
    io::ErrorKind::Unsupported.into()
}
