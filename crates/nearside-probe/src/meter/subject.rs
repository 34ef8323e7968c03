//! What is measured: a process with everything it starts, or a control group.

use std::fmt;

/// What a meter measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A process that the caller has just started, with all its descendants. Everything it has used
    /// since its birth counts.
    Spawned(u32),
    /// The same, where a control group was made for it and for all that it starts: what ends unseen
    /// between two looks is in the group's count.
    Confined {
        /// The process.
        process: u32,
        /// The folder of the group below the root.
        group: String,
    },
    /// A process that has been running for a while, with all its descendants. What they have used
    /// before the meter started does not count.
    Running(u32),
    /// A control group: its folder below the root, `sys/fs/cgroup/jobs/17` (version 2) or
    /// `sys/fs/cgroup/cpuacct/jobs/17` (version 1), with the groups below it. What was used before
    /// the meter started does not count.
    Group(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawned(id) | Self::Running(id) | Self::Confined { process: id, .. } => {
                write!(formatter, "process {id}")
            }
            Self::Group(folder) => write!(formatter, "control group /{}", folder.trim_matches('/')),
        }
    }
}
