//! What the process finds around it: folders of the person, today's date, environment variables.
//! The only file that asks.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nearside_units::Date;

/// The person's configuration folder: `$NEARSIDE_CONFIG_DIR`, or `nearside` below
/// `$XDG_CONFIG_HOME`, or `~/.config/nearside`.
pub(crate) fn config_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let below = |base: PathBuf| base.join("nearside");
    set("NEARSIDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CONFIG_HOME").map(PathBuf::from).map(below))
        .or_else(|| set("HOME").map(|home| below(PathBuf::from(home).join(".config"))))
}

/// Today, in UTC; `NEARSIDE_TODAY` stands in for it in tests and reproductions.
pub(crate) fn today() -> Date {
    let stated = std::env::var("NEARSIDE_TODAY").ok().and_then(|date| date.parse().ok());
    stated.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Date::from_unix_days(u32::try_from(since.as_secs() / 86_400).unwrap_or(0))
    })
}
