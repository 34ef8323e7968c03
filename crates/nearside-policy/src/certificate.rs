//! A certificate: the proof that one artifact is of a lower class than what it was made from.
//!
//! It holds for the content that it names and for nothing else: one changed byte and there is none.
//! How it is written down is in `statement`, how it is signed in `envelope`.

use std::collections::BTreeMap;

use crate::{Class, Digests, Hash, Subject};

/// What lowers the class of one artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// Which artifact.
    pub subject: Subject,
    /// The class it would have without this.
    pub from: Class,
    /// The class it has by this.
    pub to: Class,
    /// On which ground.
    pub ground: Ground,
    /// When it was made, as in `2026-11-23T10:00:00Z`.
    pub made: String,
    /// By what.
    pub by: Maker,
}

/// The program that made a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// Its version.
    pub version: String,
    /// The digest of all that its scanner goes by.
    pub rules: Hash,
}

/// Why a class may be lowered. Each kind of proof is a variant; what it has to show is in it.
#[derive(Clone, Debug, PartialEq)]
pub enum Ground {
    /// Everything was read, and nothing in it was found to be above the class.
    ScanClean(Scan),
    /// The same, and every row of a table hides among others.
    Hidden(Hidden),
    /// A person who knows the data decided it.
    Expert(Expert),
}

/// A scan that read everything and found nothing above the class. One that found something, or could
/// not read everything, cannot be written down as this.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// What was looked for, by the names of reports.
    pub looked_for: Vec<String>,
    /// How much of that is found, as far as it was measured.
    pub recall: Recall,
}

/// A table in which every row shares its quasi-identifiers with others, told from the table alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    /// The scan that found nothing else in it.
    pub scan: Scan,
    /// The columns that together could tell who a row is about.
    pub quasi: Vec<String>,
    /// The column that nobody is to learn of a person, where one was named.
    pub sensitive: Option<String>,
    /// What every class of equal rows keeps, in words: `k = 10, l = 2`.
    pub keeps: String,
    /// Rows of the smallest class.
    pub k: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Classes of equal rows.
    pub classes: u64,
}

/// The share of what is there that a scan finds, as measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// What was found.
    pub found: u64,
    /// Of so much that was there.
    pub of: u64,
    /// On what it was measured, and what that does not tell.
    pub source: String,
}

/// A decision of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expert {
    /// Why.
    pub reason: String,
    /// Who.
    pub approver: String,
    /// What a scan found all the same, counted by kind: known when it was decided.
    pub despite: BTreeMap<String, u64>,
    /// Contents that a scan could not judge: known when it was decided.
    pub unreadable: u64,
}

/// Why a certificate is of no use for something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is about other content.
    #[error("it is about other content: the artifact has changed since, or is another one")]
    Content,
    /// It does not lower the class far enough.
    #[error("it lowers the class to {has}, and {wanted} is wanted")]
    Class {
        /// What it lowers to.
        has: Class,
        /// What is wanted.
        wanted: Class,
    },
    /// The scanner goes by other rules today.
    #[error("it was scanned by other rules than those of today")]
    Rules,
}

impl Certificate {
    /// Whether content of these digests is of that class by this, for a program whose scanner goes by
    /// these rules today. A decision of a person holds whatever the rules are.
    ///
    /// # Errors
    /// Why not.
    pub fn fits(&self, digests: &Digests, wanted: Class, rules: Hash) -> Result<(), Unfit> {
        if self.subject.digests != *digests {
            return Err(Unfit::Content);
        }
        if self.to > wanted {
            return Err(Unfit::Class { has: self.to, wanted });
        }
        match self.ground {
            Ground::ScanClean(_) | Ground::Hidden(_) if self.by.rules != rules => Err(Unfit::Rules),
            _ => Ok(()),
        }
    }
}

impl Ground {
    /// Its name where certificates are written down.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ScanClean(_) => "scan-clean",
            Self::Hidden(_) => "hidden-rows",
            Self::Expert(_) => "expert",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn certificate() -> Certificate {
        let hash = |byte| Hash([byte; 32]);
        let digests = Digests { blake3: hash(1), sha256: hash(2) };
        Certificate {
            subject: Subject { name: "build/tickets.clean.csv".to_owned(), digests },
            from: Class::Personal,
            to: Class::Internal,
            ground: Ground::ScanClean(Scan {
                looked_for: vec!["PERSON".to_owned(), "EMAIL".to_owned()],
                recall: Recall { found: 99, of: 100, source: "a set of texts".to_owned() },
            }),
            made: "2026-11-23T10:00:00Z".to_owned(),
            by: Maker { version: "0.1.0".to_owned(), rules: hash(3) },
        }
    }

    pub(crate) fn expert() -> Certificate {
        let despite = [("PERSON".to_owned(), 2)].into();
        let (reason, approver) = ("names of fictional people".to_owned(), "A. Roth".to_owned());
        let expert = Expert { reason, approver, despite, unreadable: 1 };
        Certificate { ground: Ground::Expert(expert), ..certificate() }
    }

    pub(crate) fn hidden() -> Certificate {
        let Ground::ScanClean(scan) = certificate().ground else { return certificate() };
        let (quasi, sensitive) = (vec!["age".to_owned(), "zip".to_owned()], Some("ill".to_owned()));
        let keeps = "k = 5, l = 2".to_owned();
        let hidden = Hidden { scan, quasi, sensitive, keeps, k: 7, rows: 90, classes: 9 };
        Certificate { ground: Ground::Hidden(hidden), ..certificate() }
    }

    #[test]
    fn it_holds_for_its_content_its_class_and_its_rules() {
        let certificate = certificate();
        let (digests, rules) = (certificate.subject.digests, certificate.by.rules);
        assert_eq!(certificate.fits(&digests, Class::Internal, rules), Ok(()));
        assert_eq!(certificate.fits(&digests, Class::Personal, rules), Ok(()));
        let (has, wanted) = (Class::Internal, Class::Public);
        assert_eq!(certificate.fits(&digests, wanted, rules), Err(Unfit::Class { has, wanted }));
        let half = Digests { sha256: Hash([9; 32]), ..digests };
        assert_eq!(certificate.fits(&half, Class::Internal, rules), Err(Unfit::Content));
        let other = Hash([9; 32]);
        assert_eq!(certificate.fits(&digests, Class::Internal, other), Err(Unfit::Rules));
        assert_eq!(hidden().fits(&digests, Class::Internal, other), Err(Unfit::Rules));
        assert_eq!(expert().fits(&digests, Class::Internal, other), Ok(()));
    }
}
