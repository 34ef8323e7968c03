//! What each measured ceiling is called wherever it is stored or shown.

use std::fmt;
use std::str::FromStr;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CeilingName {
    /// Products of large matrices of 32-bit floats, on all threads.
    MatrixFloat32,
    /// Products of large matrices of 8-bit integers, on all threads.
    MatrixInt8,
    /// Reading memory, on all threads.
    MemoryRead,
    /// Copying memory, on all threads; bytes read and written both count.
    MemoryCopy,
    /// `a = b + s c` over memory, on all threads; bytes read and written all count.
    MemoryTriad,
    /// Writing a file from end to end.
    DiskWrite,
    /// Reading a file from end to end.
    DiskRead,
    /// Sending to oneself over TCP.
    LoopbackRate,
    /// A message to oneself over TCP and back.
    LoopbackLatency,
}

/// Names in storage, which must never change, and in words.
const NAMES: [(CeilingName, &str, &str); 9] = [
    (CeilingName::MatrixFloat32, "matrix-f32", "32-bit matrix products"),
    (CeilingName::MatrixInt8, "matrix-int8", "8-bit matrix products"),
    (CeilingName::MemoryRead, "memory-read", "memory read"),
    (CeilingName::MemoryCopy, "memory-copy", "memory copy"),
    (CeilingName::MemoryTriad, "memory-triad", "memory triad (a = b + s c)"),
    (CeilingName::DiskWrite, "disk-write", "disk write"),
    (CeilingName::DiskRead, "disk-read", "disk read"),
    (CeilingName::LoopbackRate, "loopback-rate", "loopback TCP throughput"),
    (CeilingName::LoopbackLatency, "loopback-latency", "loopback TCP round trip"),
];

impl CeilingName {
    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        NAMES.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }

    /// Whether it is a ceiling of one disk of several that a machine may have.
    #[must_use]
    pub const fn is_of_disk(self) -> bool {
        matches!(self, Self::DiskWrite | Self::DiskRead)
    }
}

impl fmt::Display for CeilingName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(NAMES.iter().find(|row| row.0 == *self).map_or("", |row| row.1))
    }
}

impl FromStr for CeilingName {
    type Err = UnknownCeiling;
    fn from_str(text: &str) -> Result<Self, UnknownCeiling> {
        let named = NAMES.iter().find(|row| row.1 == text).map(|row| row.0);
        named.ok_or_else(|| UnknownCeiling(text.to_owned()))
    }
}

/// A name that this version does not measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no ceiling is called {0:?}")]
pub struct UnknownCeiling(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for (name, text, _) in NAMES {
            assert_eq!(name.to_string(), text);
            assert_eq!(text.parse(), Ok(name));
        }
        assert!("matrix-f128".parse::<CeilingName>().is_err());
    }
}
