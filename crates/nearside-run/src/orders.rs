//! What a guard is told: arguments of a program, written by the run and read by the guard.

use std::ffi::OsString;
use std::path::PathBuf;

/// What a guard starts, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) place: Place,
    /// The control group that it goes into.
    pub(crate) group: Option<PathBuf>,
    /// The container that the program runs.
    pub(crate) contained: Option<Contained>,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// A container that has to end with its command, though its engine may keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contained {
    pub(crate) engine: OsString,
    pub(crate) name: String,
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
        let arguments = vec!["-c".into(), line.into()];
        Self { place, group: None, contained: None, program: "/bin/sh".into(), arguments }
    }

    /// As arguments.
    pub(crate) fn written(&self) -> Vec<OsString> {
        let (engine, name) = match &self.contained {
            None => (OsString::new(), OsString::new()),
            Some(contained) => (contained.engine.clone(), contained.name.clone().into()),
        };
        let group = self.group.clone().unwrap_or_default().into_os_string();
        let head = [self.place.name().into(), group, engine, name, self.program.clone()];
        head.into_iter().chain(self.arguments.iter().cloned()).collect()
    }

    /// From arguments; nothing from those that nobody wrote as above.
    pub(crate) fn read(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let place = Place::named(&arguments.next()?)?;
        let group = Some(arguments.next()?).filter(|group| !group.is_empty()).map(PathBuf::from);
        let (engine, name) = (arguments.next()?, arguments.next()?.into_string().ok()?);
        let contained = (!name.is_empty()).then_some(Contained { engine, name });
        let program = arguments.next()?;
        Some(Self { place, group, contained, program, arguments: arguments.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for place in [Place::Open, Place::Sandbox] {
            let orders = Orders::shell(place, "echo \"a b\"; true");
            assert_eq!(Orders::read(orders.written().into_iter()), Some(orders.clone()));
            let contained = Some(Contained { engine: "/bin/podman".into(), name: "n".to_owned() });
            let group = Some("/sys/fs/cgroup/a b/1".into());
            let orders = Orders { contained, group, ..orders };
            assert_eq!(Orders::read(orders.written().into_iter()), Some(orders));
        }
        let read = |words: &[&str]| Orders::read(words.iter().map(OsString::from));
        assert_eq!(
            (read(&[]), read(&["elsewhere", "sh"]), read(&["open", "", "", ""])),
            (None, None, None)
        );
    }
}
