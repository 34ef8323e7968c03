//! What the process finds around it: folders of the person, today's date, environment variables.
//! The only file that asks.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nearside_units::Date;

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

/// Today, in UTC; `NEARSIDE_TODAY` stands in for it in tests and reproductions.
pub(crate) fn today() -> Date {
    let stated = std::env::var("NEARSIDE_TODAY").ok().and_then(|date| date.parse().ok());
    stated.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Date::from_unix_days(u32::try_from(since.as_secs() / 86_400).unwrap_or(0))
    })
}
