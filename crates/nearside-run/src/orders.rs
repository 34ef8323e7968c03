//! What a guard is told: arguments of a program, written by the run and read by the guard.

use std::ffi::OsString;

/// What a guard starts, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) place: Place,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// Where a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As a process like others.
    Open,
    /// In a sandbox, without a network.
    Sandbox,
}

impl Place {
    const NAMES: [(Self, &'static str); 2] = [(Self::Open, "open"), (Self::Sandbox, "sandbox")];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(place, _)| *place == self).map_or("", |(_, name)| name)
    }

    fn named(name: &OsString) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| name == known).map(|(place, _)| *place)
    }
}

impl Orders {
    /// A line for a shell.
    pub(crate) fn shell(place: Place, line: &str) -> Self {
        Self { place, program: "/bin/sh".into(), arguments: vec!["-c".into(), line.into()] }
    }

    /// As arguments.
    pub(crate) fn written(&self) -> Vec<OsString> {
        let head = [self.place.name().into(), self.program.clone()];
        head.into_iter().chain(self.arguments.iter().cloned()).collect()
    }

    /// From arguments; nothing from those that nobody wrote as above.
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let place = Place::named(&arguments.next()?)?;
        Some(Self { place, program: arguments.next()?, arguments: arguments.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for place in [Place::Open, Place::Sandbox] {
            let orders = Orders::shell(place, "echo \"a b\"; true");
            assert_eq!(Orders::read(orders.written().into_iter()), Some(orders));
        }
        let read = |words: &[&str]| Orders::read(words.iter().map(OsString::from));
        assert_eq!((read(&[]), read(&["elsewhere", "sh"]), read(&["open"])), (None, None, None));
    }
}
