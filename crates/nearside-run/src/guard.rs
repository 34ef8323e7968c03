//! The process between a run and the command of a stage: it ends the whole process tree when the
//! command has ended, when it is told to, and when the run dies in whatever way.
//!
//! The executable of the run starts itself as the guard. The guard goes into the control group
//! and the sandbox that it is ordered into, and starts a shell in a process group of its own; whatever
//! that starts and abandons becomes a child of the guard (Linux), so that nothing escapes. Its standard input is a pipe that the run holds open: its end is the word to stop.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::group;
use crate::orders::{Contained, Orders, Place};
use crate::process::exit_code;
use crate::sandbox;

/// The first argument of an executable that is to be a guard; the others are its orders.
pub const ARGUMENT: &str = "__guard";
/// How long processes may take to end when they are asked to.
const GRACE: Duration = Duration::from_secs(3);
/// What a shell answers when a command cannot be started.
const NOT_STARTED: u8 = 127;

/// What a guard started.
struct Tree {
    /// The shell, which leads a process group.
    #[cfg_attr(target_os = "linux", expect(dead_code, reason = "its children are known there"))]
    shell: u32,
    /// The control group that all of it is in.
    group: Option<PathBuf>,
}

/// What the guard waits for.
enum Word {
    /// The shell has ended with that code.
    Ended(u8),
    /// The run wants an end, or is gone.
    Stop,
}

/// Runs a command until it ends or is to end. The answer is its exit code; one that was ended by a
/// signal answers 128 and the number of the signal, as shells do.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let Some(mut orders) = Orders::read(arguments) else { return NOT_STARTED };
    // Where that is refused the tree is ended without one.
    orders.group = orders.group.filter(|group| group::enter(group));
    // Now, while there is only one thread.
    if orders.place == Place::Sandbox
        && let Err(refused) = sandbox::enter()
    {
        sandbox::complain(&refused.to_string());
        return sandbox::REFUSED;
    }
    watch(&orders)
}

fn watch(orders: &Orders) -> u8 {
    tree::adopt();
    let mut command = Command::new(&orders.program);
    command.args(&orders.arguments).stdin(Stdio::null());
    in_group(&mut command);
    let Ok(mut child) = command.spawn() else { return NOT_STARTED };
    let tree = Tree { shell: child.id(), group: orders.group.clone() };
    let (sender, words) = channel();
    let ended = sender.clone();
    std::thread::spawn(move || {
        let code = child.wait().map_or(NOT_STARTED, exit_code);
        let _ = ended.send(Word::Ended(code));
    });
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = sender.send(Word::Stop);
    });
    let contained = orders.contained.as_ref();
    match words.recv() {
        Ok(Word::Ended(code)) => {
            if contained.is_some() {
                // What the engine left behind to tidy up is not part of the command.
                tree::settle(GRACE);
            }
            tree::end(&tree, Duration::from_millis(300));
            code
        }
        Ok(Word::Stop) | Err(_) => {
            let code = stop(&tree, contained, &words);
            // Nobody else does where the run was killed.
            tree.group.as_deref().map(group::clear);
            code
        }
    }
}

/// Asks the tree to end, and ends it when it does not.
fn stop(tree: &Tree, contained: Option<&Contained>, words: &Receiver<Word>) -> u8 {
    if let Some(contained) = contained {
        // An engine may keep its containers where we cannot reach them.
        tell(contained, &["stop", "--time", "2"]);
        tree::settle(Duration::from_secs(1));
    }
    tree::ask(tree);
    let code = match words.recv_timeout(GRACE) {
        Ok(Word::Ended(code)) => code,
        Ok(Word::Stop) | Err(_) => 137,
    };
    tree::end(tree, Duration::from_millis(300));
    if let Some(contained) = contained {
        tell(contained, &["rm", "--force"]);
        tree::end(tree, Duration::from_millis(300));
    }
    code
}

/// Has the engine do something about a container, which may be gone, and waits for that a while.
fn tell(contained: &Contained, what: &[&str]) {
    const BEAT: Duration = Duration::from_millis(20);
    const LONGEST: u32 = 500;
    let mut engine = Command::new(&contained.engine);
    engine.args(what).arg(&contained.name);
    engine.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut engine) = engine.spawn() else { return };
    for _ in 0..LONGEST {
        if !matches!(engine.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(BEAT);
    }
    let _ = engine.kill();
    let _ = engine.wait();
}

#[cfg(unix)]
fn in_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn in_group(_command: &mut Command) {}

#[cfg(target_os = "linux")]
mod tree {
    //! The tree below this process, by its entries in `/proc`.

    use std::collections::BTreeMap;
    use std::fs;
    use std::time::{Duration, Instant};

    use super::{Tree, group};

    use rustix::process::{
        Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait,
    };

    /// What descendants abandon becomes our child.
    pub(super) fn adopt() {
        let _ = set_child_subreaper(Some(getpid()));
    }

    /// Asks everything below us to end.
    pub(super) fn ask(_tree: &Tree) {
        signal(Signal::TERM);
    }

    /// Waits a while until nothing is below us.
    pub(super) fn settle(patience: Duration) {
        let began = Instant::now();
        while !below().is_empty() && began.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends everything below us: asks, waits so long, then leaves no choice.
    pub(super) fn end(tree: &Tree, patience: Duration) {
        let began = Instant::now();
        let mut asked = false;
        loop {
            while wait(WaitOptions::NOHANG).is_ok_and(|ended| ended.is_some()) {}
            let group = tree.group.as_deref();
            // Who starts another and ends is not seen in a list of processes, but in the group.
            if below().is_empty() && !group.is_some_and(group::has_others) {
                return;
            }
            match (asked, began.elapsed() > patience) {
                (false, _) => signal(Signal::TERM),
                (true, true) if group.is_some_and(group::kill_others) => {}
                (true, true) => signal(Signal::KILL),
                (true, false) => {}
            }
            asked = true;
            if began.elapsed() > patience + Duration::from_secs(10) {
                // What cannot be ended waits for a device.
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(signal: Signal) {
        for process in below() {
            let _ = kill_process(process, signal);
        }
    }

    /// Every process below this one.
    fn below() -> Vec<Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let parents: BTreeMap<i32, i32> =
            numbers.filter_map(|number| Some((number, parent(number)?))).collect();
        let own = getpid().as_raw_nonzero().get();
        let is_below = |number: i32| {
            let mut at = number;
            // No chain of parents is longer than the number of processes.
            for _ in 0..=parents.len() {
                match parents.get(&at) {
                    Some(parent) if *parent == own => return true,
                    Some(parent) => at = *parent,
                    None => return false,
                }
            }
            false
        };
        let numbers = parents.keys().copied().filter(|number| is_below(*number));
        numbers.filter_map(Pid::from_raw).collect()
    }

    /// The parent of a process that has not ended: what stands behind its name in brackets.
    fn parent(number: i32) -> Option<i32> {
        let text = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        (state != "Z").then_some(parent)
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod tree {
    //! The process group of the shell, which is all that can be reached here.

    use std::time::Duration;

    use super::Tree;

    use rustix::process::{Pid, Signal, kill_process_group};

    pub(super) fn adopt() {}

    fn signal(group: u32, signal: Signal) -> bool {
        let group = i32::try_from(group).ok().and_then(Pid::from_raw);
        group.is_some_and(|group| kill_process_group(group, signal).is_ok())
    }

    pub(super) fn settle(_patience: Duration) {}

    pub(super) fn ask(tree: &Tree) {
        signal(tree.shell, Signal::TERM);
    }

    pub(super) fn end(tree: &Tree, patience: Duration) {
        if signal(tree.shell, Signal::TERM) {
            std::thread::sleep(patience);
            signal(tree.shell, Signal::KILL);
        }
    }
}

#[cfg(not(unix))]
mod tree {
    //! Nothing can be reached here.

    use std::time::Duration;

    use super::Tree;

    pub(super) fn adopt() {}
    pub(super) fn settle(_patience: Duration) {}
    pub(super) fn ask(_tree: &Tree) {}
    pub(super) fn end(_tree: &Tree, _patience: Duration) {}
}
