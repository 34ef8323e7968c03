//! A file or folder looked into: its digests, what is in it, and what could not be judged.
//!
//! It fails closed. What cannot be read, is left out, or is no text counts as not judged; so does all of
//! it where its content is another one after it was read than before.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nearside_policy::{Class, Digests, Inspect, Inspection};

use crate::inspection::{Event, inspect};
use crate::listing::{self, ListingError};
use crate::rules;
use crate::scan::{Entity, Finding, Group, Options};
use crate::source::{self, Limits};

/// Findings, and contents that were not judged, that are kept with their place; the others are counted.
const MOST_PLACES: usize = 100;

/// Something that may be certified, or sent.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called in what is said of it.
    pub name: String,
    /// How far it is opened.
    pub limits: Limits,
}

/// What an artifact is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// Its content.
    pub digests: Digests,
    /// How much was found of each kind.
    pub counts: BTreeMap<Entity, u64>,
    /// The first findings, in the order of their place.
    pub places: Vec<Place>,
    /// Contents that were not judged.
    pub unreadable: u64,
    /// The first of them, each with why.
    pub not_judged: Vec<(String, String)>,
}

/// Where something was found; never what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The content that it is in: `build/a.zip!people.csv`.
    pub name: String,
    /// What it is, and where.
    pub finding: Finding,
}

impl Artifact {
    /// An artifact of which everything is opened: folders that a search would leave out, too. What has to be
    /// unpacked first is, in `spool`.
    #[must_use]
    pub fn new(path: PathBuf, name: String, spool: Option<PathBuf>) -> Self {
        let limits =
            Limits { skipped_folders: Vec::new(), spool_folder: spool, ..Limits::default() };
        Self { path, name, limits }
    }

    /// Looks into it.
    ///
    /// # Errors
    /// When it is not there, or cannot be read in full.
    pub fn examine(&self) -> Result<Examined, ListingError> {
        let digests = listing::digests(&self.path)?;
        let mut look = Look {
            artifact: self,
            examined: Examined {
                digests,
                counts: BTreeMap::new(),
                places: Vec::new(),
                unreadable: 0,
                not_judged: Vec::new(),
            },
        };
        match source::files(&[&self.path], &self.limits) {
            Ok(entries) => {
                let options = Options::default();
                inspect(&entries, &self.limits, options, &mut |event| look.take(&event));
            }
            Err(error) => look.unreadable(&self.path.to_string_lossy(), &error.to_string()),
        }
        if listing::digests(&self.path)? != digests {
            look.unreadable(&self.path.to_string_lossy(), "changed while it was read");
        }
        Ok(look.examined)
    }
}

impl Examined {
    /// The highest class of what was found; public where nothing was.
    #[must_use]
    pub fn class(&self) -> Class {
        self.counts.keys().map(|entity| entity.class()).max().unwrap_or(Class::Public)
    }

    /// How much was found that is above a class.
    #[must_use]
    pub fn above(&self, class: Class) -> u64 {
        self.counts
            .iter()
            .filter(|(entity, _)| entity.class() > class)
            .map(|(_, count)| count)
            .sum()
    }

    /// How many secrets are in it.
    #[must_use]
    pub fn secrets(&self) -> u64 {
        let secret = |(entity, _): &(&Entity, &u64)| entity.group() == Group::Secret;
        self.counts.iter().filter(secret).map(|(_, count)| count).sum()
    }

    /// Whether all of it was judged, and nothing in it is above a class.
    #[must_use]
    pub fn is_clean(&self, class: Class) -> bool {
        self.unreadable == 0 && self.above(class) == 0
    }
}

impl Inspect for Artifact {
    fn inspect(&self) -> Result<Inspection, String> {
        let examined = self.examine().map_err(|error| error.to_string())?;
        Ok(Inspection {
            digests: examined.digests,
            found: examined.class(),
            secrets: examined.secrets(),
            unreadable: examined.unreadable,
            rules: rules::digest(),
        })
    }
}

/// A look that is under way.
struct Look<'a> {
    artifact: &'a Artifact,
    examined: Examined,
}

impl Look<'_> {
    /// What a content is called: the artifact's name in place of its path.
    fn called(&self, name: &str) -> String {
        let path = self.artifact.path.to_string_lossy();
        match name.strip_prefix(&*path) {
            Some(rest) => format!("{}{rest}", self.artifact.name),
            None => name.to_owned(),
        }
    }

    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Opened(..) => {}
            Event::Found(name, finding) => self.found(name, *finding),
            Event::Looked(..) => {}
            Event::Unreadable(name, why) => self.unreadable(name, why),
            Event::Skipped(name, what) => self.unreadable(name, &what.to_string()),
        }
    }

    fn found(&mut self, name: &str, finding: Finding) {
        *self.examined.counts.entry(finding.entity).or_default() += 1;
        if self.examined.places.len() < MOST_PLACES {
            let name = self.called(name);
            self.examined.places.push(Place { name, finding });
        }
    }

    fn unreadable(&mut self, name: &str, why: &str) {
        self.examined.unreadable += 1;
        if self.examined.not_judged.len() < MOST_PLACES {
            let called = self.called(name);
            self.examined.not_judged.push((called, why.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn artifact(folder: &Path, name: &str) -> Artifact {
        Artifact::new(folder.join(name), name.to_owned(), None)
    }

    #[test]
    fn findings_have_a_place_and_no_value() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("build")).unwrap();
        let table = "id,mail\n1,none\n2,anna.roth@mail.example.org\n";
        fs::write(folder.path().join("build/people.csv"), table).unwrap();
        let found = artifact(folder.path(), "build").examine().unwrap();
        assert_eq!(found.counts, BTreeMap::from([(Entity::Email, 1)]));
        let [Place { name, finding }] = &found.places[..] else { panic!("{found:?}") };
        assert_eq!((name.as_str(), finding.line, finding.column), ("build/people.csv", 3, Some(1)));
        assert!(!format!("{found:?}").contains("anna"));
        assert_eq!((found.class(), found.above(Class::Internal)), (Class::Personal, 1));
        assert!(!found.is_clean(Class::Internal) && found.is_clean(Class::Personal));
    }

    #[test]
    fn what_was_not_judged_is_not_clean() {
        let folder = tempfile::tempdir().unwrap();
        let build = folder.path().join("build");
        fs::create_dir_all(build.join(".git")).unwrap();
        fs::write(build.join("a.txt"), "nothing about anybody\n").unwrap();
        let examined = || artifact(folder.path(), "build").examine().unwrap();
        assert!(examined().is_clean(Class::Public));
        fs::write(build.join(".git/config"), "mail = anna.roth@mail.example.org\n").unwrap();
        assert!(!examined().is_clean(Class::Internal));
        fs::remove_dir_all(build.join(".git")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", build.join("link")).unwrap();
        let outside = examined();
        assert_eq!((outside.unreadable, outside.is_clean(Class::Special)), (1, false));
        assert!(outside.not_judged[0].0.starts_with("build/"), "{outside:?}");
    }

    #[test]
    fn what_is_sent_is_what_was_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "password = hunter2xQ9!\n").unwrap();
        let inspection = artifact(folder.path(), "a").inspect().unwrap();
        assert_eq!(inspection.digests, listing::digests(&folder.path().join("a")).unwrap());
        assert_eq!((inspection.secrets, inspection.found), (1, Class::Special));
        assert_eq!(inspection.rules, rules::digest());
        assert!(artifact(folder.path(), "none").inspect().is_err());
    }
}
