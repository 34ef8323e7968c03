//! One check: what must hold, what was seen, and the commands that repair it.

use std::fmt;

/// A part of a machine that checks are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Limits, memory, clock.
    Machine,
    /// Devices and who may use them.
    Accelerators,
    /// The driver and CUDA.
    Driver,
    /// Python environments.
    Python,
    /// Docker, Podman and being in a container.
    Containers,
    /// Disks and caches.
    Disk,
    /// Proxies and package indices.
    Network,
    /// Temperatures, throttling, power limits.
    Power,
    /// What others could see.
    Privacy,
}

impl Section {
    /// Every section, in the order they are shown.
    pub const ALL: [Self; 9] = [
        Self::Machine,
        Self::Accelerators,
        Self::Driver,
        Self::Python,
        Self::Containers,
        Self::Disk,
        Self::Network,
        Self::Power,
        Self::Privacy,
    ];
}

impl fmt::Display for Section {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Machine => "machine",
            Self::Accelerators => "accelerators",
            Self::Driver => "driver and runtime",
            Self::Python => "Python environments",
            Self::Containers => "containers",
            Self::Disk => "disk and caches",
            Self::Network => "network",
            Self::Power => "power and heat",
            Self::Privacy => "privacy posture",
        })
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// There is nothing here that it could be about.
    NotApplicable,
    /// What must hold holds.
    Ok,
    /// It could not be found out.
    Unknown,
    /// Work runs, but slower, later or less safely than it could.
    Warning,
    /// Work fails, or will.
    Fault,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ok => "ok",
            Self::NotApplicable => "not applicable",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Fault => "fault",
        })
    }
}

/// What a check is about and which rule it holds a machine to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name of the check; it stays the same in every version.
    pub id: &'static str,
    /// Where it is shown.
    pub section: Section,
    /// What must hold.
    pub says: &'static str,
    /// Who says so.
    pub source: &'static str,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The rule.
    pub rule: &'static Rule,
    /// Which of several things of its kind: a device, an environment.
    pub about: Option<String>,
    /// How it ended.
    pub status: Status,
    /// What was found, in a sentence without a full stop.
    pub title: String,
    /// What was read, and where.
    pub evidence: Vec<String>,
    /// Commands that repair it, in their order; a line that begins with `#` explains.
    pub fix: Vec<String>,
}

impl Rule {
    fn check(&'static self, status: Status, title: impl Into<String>) -> Check {
        let title = title.into();
        Check { rule: self, about: None, status, title, evidence: Vec::new(), fix: Vec::new() }
    }

    pub(super) fn ok(&'static self, title: impl Into<String>) -> Check {
        self.check(Status::Ok, title)
    }

    pub(super) fn warning(&'static self, title: impl Into<String>) -> Check {
        self.check(Status::Warning, title)
    }

    pub(super) fn fault(&'static self, title: impl Into<String>) -> Check {
        self.check(Status::Fault, title)
    }

    pub(super) fn not_applicable(&'static self, why: impl Into<String>) -> Check {
        self.check(Status::NotApplicable, why)
    }

    pub(super) fn unknown(&'static self, why: impl Into<String>) -> Check {
        self.check(Status::Unknown, why)
    }
}

impl Check {
    /// Adds what was read, and where.
    pub(super) fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    /// Adds a command that repairs it.
    pub(super) fn fix(mut self, command: impl Into<String>) -> Self {
        self.fix.push(command.into());
        self
    }

    /// Adds commands that repair it, in their order.
    pub(super) fn fixes(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.fix.extend(commands);
        self
    }

    /// Says which of several things it is about.
    pub(super) fn about(mut self, what: impl Into<String>) -> Self {
        self.about = Some(what.into());
        self
    }
}
