//! Main memory: what is installed, what is free, and what a control group allows.
//!
//! Source: Linux `Documentation/filesystems/proc.rst` (meminfo; its `kB` are 1024 bytes).

use nearside_units::{Bytes, Known};

use crate::cgroup;
use crate::root::Root;

/// Main memory of the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    /// What the system has to give out: installed, less what firmware and kernel keep.
    pub total: Known<Bytes>,
    /// What a new program could get without swapping, at the time of asking, on the whole machine.
    pub available: Known<Bytes>,
    /// What the control group allows; no value means no limit.
    pub limit: Known<Option<Bytes>>,
}

impl Memory {
    /// What programs may use together: the total, or the limit if that is smaller. An unknown limit
    /// leaves the total.
    #[must_use]
    pub fn usable(&self) -> Known<Bytes> {
        let limit = self.limit.clone().value().flatten();
        self.total.clone().map(|total| limit.map_or(total, |limit| limit.min(total)))
    }
}

/// Reads memory and its limit.
pub(crate) fn memory(root: Root<'_>) -> Memory {
    let meminfo = root.text("proc/meminfo");
    let entry = |key| meminfo.clone().and_then(|text| kibibytes(&text, key));
    Memory {
        total: entry("MemTotal"),
        available: entry("MemAvailable"),
        limit: cgroup::memory_limit(root),
    }
}

/// An entry of `/proc/meminfo`: `MemTotal:       24684096 kB`.
fn kibibytes(meminfo: &str, key: &str) -> Known<Bytes> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let bytes = value
        .and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024))
        .map(Bytes::new);
    Known::from_option(bytes, format!("/proc/meminfo: no {key} in kB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(total: u64, limit: Known<Option<Bytes>>) -> Memory {
        Memory { total: Known::Value(Bytes::gib(total)), available: Known::unknown("-"), limit }
    }

    #[test]
    fn a_limit_above_the_total_changes_nothing() {
        let usable = |total, limit| memory(total, limit).usable().value();
        assert_eq!(usable(64, Known::Value(Some(Bytes::gib(16)))), Some(Bytes::gib(16)));
        assert_eq!(usable(8, Known::Value(Some(Bytes::gib(16)))), Some(Bytes::gib(8)));
        assert_eq!(usable(8, Known::Value(None)), Some(Bytes::gib(8)));
        assert_eq!(usable(8, Known::unknown("no control groups")), Some(Bytes::gib(8)));
    }

    #[test]
    fn keys_are_whole_and_values_have_their_unit() {
        let text = "MemTotalX:  1 kB\nMemTotal:       1024 kB\nMemAvailable: lots\n";
        assert_eq!(kibibytes(text, "MemTotal").value(), Some(Bytes::mib(1)));
        assert_eq!(
            kibibytes(text, "MemAvailable").why(),
            Some("/proc/meminfo: no MemAvailable in kB")
        );
    }
}
