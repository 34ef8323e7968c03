//! What holds for the process that asks, and so for what the person starts beside it: user, groups,
//! limits, variables. All of it stands below `proc/self`, so a recorded machine tells it too.
//!
//! Source: `proc(5)` (`status`, `limits`, `environ`).

use std::collections::BTreeMap;

use nearside_units::Known;

use crate::root::Root;

/// Bytes of variables that are read.
const MAX_VARIABLES: u64 = 1 << 20;

/// Environment variables by name.
pub type Variables = BTreeMap<String, String>;

/// The process that asks.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Its user; 0 is root.
    pub(super) user: Known<u32>,
    /// Its groups, the first one too.
    pub(super) groups: Known<Vec<u32>>,
    /// Files it may open.
    pub(super) open_files: Known<Limit>,
    /// Bytes it may lock into memory.
    pub(super) locked_memory: Known<Limit>,
    /// Bytes of a core dump.
    pub(super) core_bytes: Known<Limit>,
    /// Its variables.
    pub(super) variables: Variables,
    /// Whether a variable that is not among them is known not to be set.
    pub(super) all_variables: Known<()>,
}

/// A limit of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// So much and no more.
    At(u64),
    /// As much as there is.
    Unlimited,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(limit) => write!(formatter, "{limit}"),
            Self::Unlimited => formatter.write_str("unlimited"),
        }
    }
}

impl Process {
    /// Reads it; variables that are passed count in place of the recorded ones.
    pub(super) fn read(root: Root<'_>, variables: Option<Variables>) -> Self {
        let status = root.text("proc/self/status");
        let limits = root.text("proc/self/limits");
        let recorded = root.head("proc/self/environ", MAX_VARIABLES);
        let all_variables = match variables {
            Some(_) => Known::Value(()),
            None => recorded.as_ref().map(|_bytes| ()),
        };
        let limit = |name: &str| limits.clone().and_then(|text| soft_limit(&text, name));
        Self {
            user: status.clone().and_then(|text| identity(&text, "Uid:")),
            groups: status.and_then(|text| groups(&text)),
            open_files: limit("Max open files"),
            locked_memory: limit("Max locked memory"),
            core_bytes: limit("Max core file size"),
            variables: variables
                .unwrap_or_else(|| named_values(&recorded.value().unwrap_or_default())),
            all_variables,
        }
    }

    /// A variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The person's folder.
    pub(super) fn home(&self) -> Option<&str> {
        self.variable("HOME").filter(|home| home.starts_with('/') && home.len() > 1)
    }
}

/// Variables as the kernel shows them: `NAME=VALUE`, a zero behind each.
fn named_values(bytes: &[u8]) -> Variables {
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
        let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// The effective number in `Uid:  real  effective  saved  file system`.
fn identity(status: &str, key: &str) -> Known<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    Known::from_option(number, format!("/proc/self/status: no {key}"))
}

fn groups(status: &str) -> Known<Vec<u32>> {
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    let more = line.into_iter().flat_map(str::split_whitespace).filter_map(|one| one.parse().ok());
    identity(status, "Gid:").map(|first| [first].into_iter().chain(more).collect())
}

/// The soft limit in `Max open files   1024   1048576   files`.
fn soft_limit(limits: &str, name: &str) -> Known<Limit> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name));
    let limit = line.and_then(|line| match line.split_whitespace().next()? {
        "unlimited" => Some(Limit::Unlimited),
        number => number.parse().ok().map(Limit::At),
    });
    Known::from_option(limit, format!("/proc/self/limits: no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_groups_are_read() {
        let limits = "Max open files            1024      1048576    files\n\
            Max locked memory         unlimited unlimited  bytes\n";
        assert_eq!(soft_limit(limits, "Max open files"), Known::Value(Limit::At(1024)));
        assert_eq!(soft_limit(limits, "Max locked memory"), Known::Value(Limit::Unlimited));
        assert!(soft_limit(limits, "Max cpu time").why().is_some());
        let status = "Uid:\t1000\t1001\t1000\t1000\nGid:\t100\t100\t100\t100\nGroups:\t4 44\n";
        assert_eq!(identity(status, "Uid:"), Known::Value(1001));
        assert_eq!(groups(status), Known::Value(vec![100, 4, 44]));
    }
}
