//! What the process finds around it: folders of the person, today's date, environment variables.
//! The only file that asks.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use nearside_units::Date;

/// How a command ends that was interrupted.
const INTERRUPTED: i32 = 5;

/// The person's configuration folder: `$NEARSIDE_CONFIG_DIR`, or `nearside` below
/// `$XDG_CONFIG_HOME`, or `~/.config/nearside`.
pub(crate) fn config_folder() -> Option<PathBuf> {
    folder("NEARSIDE_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")
}

/// The file of what holds for this machine: `machine.db` in `$NEARSIDE_DATA_DIR`, or in `nearside`
/// below `$XDG_DATA_HOME`, or in `~/.local/share/nearside`.
pub(crate) fn machine_file() -> Option<PathBuf> {
    let folder = folder("NEARSIDE_DATA_DIR", "XDG_DATA_HOME", ".local/share")?;
    Some(folder.join("machine.db"))
}

/// A folder of ours: named outright, or below the person's base folder for such things.
fn folder(own: &str, base: &str, in_home: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let below = |base: PathBuf| base.join("nearside");
    set(own)
        .map(PathBuf::from)
        .or_else(|| set(base).map(PathBuf::from).map(below))
        .or_else(|| set("HOME").map(|home| below(PathBuf::from(home).join(in_home))))
}

/// The record of the project that runs this process as part of a stage.
pub(crate) fn record() -> Option<PathBuf> {
    std::env::var_os("NEARSIDE_RECORD").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where files are made that are needed for a while only.
pub(crate) fn temporary_folder() -> PathBuf {
    std::env::temp_dir()
}

/// The folders that programs are looked for in.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The person's shell.
pub(crate) fn shell() -> OsString {
    let stated = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    stated.unwrap_or_else(|| "sh".into())
}

/// A variable, if it is set to something.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Every variable whose name and value are texts.
pub(crate) fn variables() -> Vec<(String, String)> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Becomes true when the person or the system wants an end: Ctrl-C, a closed terminal, `kill`.
pub(crate) fn interrupted() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // Where it cannot be asked for, the system ends us at once.
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}

/// The same, for work of which little is lost when it is ended: the second time, it is ended at once.
pub(crate) fn interrupted_once() -> Arc<AtomicBool> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // The first of the two looks at the flag before the second sets it.
        let _ = signal_hook::flag::register_conditional_shutdown(
            signal,
            INTERRUPTED,
            Arc::clone(&flag),
        );
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}

/// The same, for a command that waits for a person between its works: the first flag becomes true when work is to end;
/// while the second one is true, which it is at first, the process ends at once.
pub(crate) fn interrupted_at_work() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let (flag, at_rest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        let _ = signal_hook::flag::register_conditional_shutdown(
            signal,
            INTERRUPTED,
            Arc::clone(&at_rest),
        );
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    (flag, at_rest)
}

/// Leaves Ctrl-C to the commands that this program has started and waits for: they are of the same
/// terminal and get it as well.
pub(crate) fn outlive_ctrl_c() {
    let flag = Arc::new(AtomicBool::new(false));
    // Where it cannot be asked for, the system ends us at once.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, flag);
}

/// Whether a person reads what is printed.
pub(crate) fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout())
}

/// A number that nobody knows beforehand.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

/// Now, in seconds after the beginning of 1970; the beginning of the day that `NEARSIDE_TODAY` names.
pub(crate) fn now() -> i64 {
    match std::env::var("NEARSIDE_TODAY").ok().and_then(|date| date.parse::<Date>().ok()) {
        Some(date) => Date::from_unix_days(0).days_until(date) * 86_400,
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        }
    }
}

/// Today, in UTC; `NEARSIDE_TODAY` stands in for it in tests and reproductions.
pub(crate) fn today() -> Date {
    let stated = std::env::var("NEARSIDE_TODAY").ok().and_then(|date| date.parse().ok());
    stated.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Date::from_unix_days(u32::try_from(since.as_secs() / 86_400).unwrap_or(0))
    })
}
