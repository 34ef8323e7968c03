//! The certificates of a project: made and signed, kept in its ledger, found again and held against what
//! is there.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nearside_ledger::{CertificateRow, KeyEvent, KeyRow, ProjectLedger, Recorded, Timestamp};
use nearside_policy::{
    Certificate, Class, EnvelopeError, Ground, Hash, Maker, Proven, Signer as _, Subject, Unfit,
};
use nearside_privacy::artifact::{Artifact, Examined, Place};
use nearside_privacy::key::{Key, KeyError, Keyring};
use nearside_privacy::listing::ListingError;
use nearside_privacy::rules;

use super::journal::{self, moment};
use super::keys::{self, Purpose};
use super::project::Loaded;
use crate::error::{CommandError, Fault};

/// Where the certificates of a project, or of its rehearsals, are, and what they are signed with.
#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    record: PathBuf,
    /// The person's key for this project; nothing where there is no folder of theirs.
    key: Option<PathBuf>,
}

/// What a certificate is to say.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) subject: Subject,
    /// The stage that made the artifact.
    pub(crate) stage: Option<String>,
    pub(crate) from: Class,
    pub(crate) to: Class,
    pub(crate) ground: Ground,
}

/// A certificate as it is in the ledger, and whether it is believed.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) entry: u64,
    pub(crate) row: CertificateRow,
    pub(crate) proven: Result<Proven, EnvelopeError>,
}

impl Certificates {
    /// Those of a project whose record is in a folder.
    pub(crate) fn of(loaded: &Loaded, record: PathBuf) -> Result<Self, CommandError> {
        Ok(Self { record, key: keys::file(loaded, Purpose::Signing)? })
    }

    /// An artifact of the project, called so.
    pub(crate) fn artifact(&self, path: PathBuf, name: &str) -> Artifact {
        let spool = self.record.join("work");
        let spool = std::fs::create_dir_all(&spool).is_ok().then_some(spool);
        Artifact::new(path, name.to_owned(), spool)
    }

    /// Makes a certificate: signs what is claimed and keeps it, with the key if that is new.
    pub(crate) fn certify(&self, claim: Claim) -> Result<Held, CommandError> {
        let key = self.key()?;
        let ring = self.keyring()?;
        let known = ring.keys().any(|(known, _)| known == key.public());
        if known && !ring.believes(key.public()) {
            return Err(CommandError::new(Fault::Input, "your key of this project was revoked")
                .hint("nearside privacy certify --rotate"));
        }
        let at = moment(SystemTime::now());
        let Claim { subject, stage, from, to, ground } = claim;
        let by = Maker { version: env!("CARGO_PKG_VERSION").to_owned(), rules: rules::digest() };
        let certificate = Certificate { subject, from, to, ground, made: at.to_string(), by };
        let (proven, envelope_json) = Proven::seal(certificate, &key);
        let row = row(&proven, at, stage, envelope_json);
        let entry = self.write(|ledger| {
            ledger.append(|to| {
                if !known {
                    to.add(&used(at, &key))?;
                }
                to.add(&row)
            })
        })?;
        Ok(Held { entry, row, proven: Ok(proven) })
    }

    /// Every certificate, in the order of making.
    pub(crate) fn all(&self) -> Result<Vec<Held>, CommandError> {
        self.read(ProjectLedger::all::<CertificateRow>)
    }

    /// The certificates of content, by its digest, the newest first.
    pub(crate) fn of_content(&self, blake3: Hash) -> Result<Vec<Held>, CommandError> {
        self.read(|ledger| ledger.certificates(&blake3.to_string()))
    }

    /// The public keys of the project.
    pub(crate) fn keyring(&self) -> Result<Keyring, CommandError> {
        let mut ring = Keyring::default();
        let rows = match self.ledger()? {
            Some(ledger) => ledger.all::<KeyRow>().map_err(|error| journal::failed(&error))?,
            None => Vec::new(),
        };
        for Recorded { row, .. } in rows {
            // One that is no key has signed nothing.
            let Ok(key) = row.public_key.parse() else { continue };
            match row.event {
                KeyEvent::Used => ring.add(key),
                KeyEvent::Revoked => ring.revoke(key, row.reason.unwrap_or_default()),
            }
        }
        Ok(ring)
    }

    /// Signs with a new key from now on; the old one stays believed.
    pub(crate) fn rotate(&self) -> Result<Hash, CommandError> {
        let key = Key::renew(self.key_file()?).map_err(|error| no_key(&error))?;
        let row = used(moment(SystemTime::now()), &key);
        self.write(|ledger| ledger.add(&row))?;
        Ok(key.public())
    }

    /// Believes nothing that a key signed any more.
    pub(crate) fn revoke(&self, key: Hash, reason: &str) -> Result<(), CommandError> {
        let at = moment(SystemTime::now());
        let (public_key, reason) = (key.to_string(), Some(reason.to_owned()));
        let row = KeyRow { at, public_key, event: KeyEvent::Revoked, reason };
        self.write(|ledger| ledger.add(&row)).map(drop)
    }

    fn key_file(&self) -> Result<&Path, CommandError> {
        self.key.as_deref().ok_or_else(|| {
            CommandError::new(Fault::World, "there is no folder of yours to keep a key in")
                .hint("set HOME or NEARSIDE_CONFIG_DIR")
        })
    }

    pub(super) fn key(&self) -> Result<Key, CommandError> {
        Key::open(self.key_file()?).map_err(|error| no_key(&error))
    }

    fn ledger(&self) -> Result<Option<ProjectLedger>, CommandError> {
        let file = journal::file(&self.record);
        ProjectLedger::open_to_read(&file).map_err(|error| journal::failed(&error))
    }

    fn read(
        &self,
        rows: impl FnOnce(
            &ProjectLedger,
        )
            -> Result<Vec<Recorded<CertificateRow>>, nearside_ledger::LedgerError>,
    ) -> Result<Vec<Held>, CommandError> {
        let Some(ledger) = self.ledger()? else { return Ok(Vec::new()) };
        let ring = self.keyring()?;
        let rows = rows(&ledger).map_err(|error| journal::failed(&error))?;
        let held = |Recorded { entry, row }: Recorded<CertificateRow>| {
            let proven = Proven::open(&row.envelope_json, &ring);
            Held { entry, row, proven }
        };
        Ok(rows.into_iter().map(held).collect())
    }

    fn write(
        &self,
        add: impl FnOnce(&mut ProjectLedger) -> Result<u64, nearside_ledger::LedgerError>,
    ) -> Result<u64, CommandError> {
        let file = journal::file(&self.record);
        let added = ProjectLedger::open(&file).and_then(|mut ledger| add(&mut ledger));
        added.map_err(|error| journal::failed(&error))
    }
}

impl Held {
    /// Whether content is of a class by this, today.
    pub(crate) fn holds(
        &self,
        digests: &nearside_policy::Digests,
        class: Class,
    ) -> Result<&Proven, String> {
        let proven = self.proven.as_ref().map_err(ToString::to_string)?;
        let fits = proven.certificate().fits(digests, class, rules::digest());
        fits.map(|()| proven).map_err(|unfit: Unfit| unfit.to_string())
    }
}

fn row(proven: &Proven, at: Timestamp, stage: Option<String>, envelope: String) -> CertificateRow {
    let certificate = proven.certificate();
    CertificateRow {
        at,
        stage,
        path: certificate.subject.name.clone(),
        blake3: certificate.subject.digests.blake3.to_string(),
        sha256: certificate.subject.digests.sha256.to_string(),
        from_class: certificate.from.to_string(),
        to_class: certificate.to.to_string(),
        ground: certificate.ground.name().to_owned(),
        rules_digest: certificate.by.rules.to_string(),
        public_key: proven.key().to_string(),
        envelope_json: envelope,
    }
}

pub(super) fn used(at: Timestamp, key: &Key) -> KeyRow {
    KeyRow { at, public_key: key.public().to_string(), event: KeyEvent::Used, reason: None }
}

pub(crate) fn no_key(error: &KeyError) -> CommandError {
    let refused = CommandError::new(Fault::World, error.to_string());
    match error {
        KeyError::OpenToOthers { path, .. } => refused.hint(format!(
            "chmod 600 {}; if somebody may have read it: nearside privacy certify --rotate",
            path.display()
        )),
        KeyError::NoKey { .. } => refused.hint("nearside privacy certify --rotate makes a new one"),
        _ => refused,
    }
}

/// An artifact that cannot be looked into.
pub(crate) fn closed(error: &ListingError) -> CommandError {
    let fault = match error {
        ListingError::Io { source, .. } if source.kind() != std::io::ErrorKind::NotFound => {
            Fault::World
        }
        _ => Fault::Input,
    };
    CommandError::new(fault, error.to_string())
}

/// Where something was found, and what kind of thing; never the thing.
pub(crate) fn place(found: &Place) -> String {
    let Place { name, finding } = found;
    let column = finding.column.map_or(String::new(), |column| format!(", column {}", column + 1));
    format!("{name}:{}{column}: {} ({})", finding.line, finding.entity, finding.entity.what())
}

/// What speaks against a class, a line each: no more of them than anybody reads.
pub(crate) fn against(examined: &Examined, class: Class) -> Vec<String> {
    const MOST: usize = 10;
    let found = examined.places.iter().filter(|place| place.finding.entity.class() > class);
    let unread = examined.not_judged.iter().map(|(name, why)| format!("{name}: {why}"));
    let mut lines: Vec<_> = found.map(place).chain(unread).take(MOST).collect();
    let all = examined.above(class) + examined.unreadable;
    let more = all.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
