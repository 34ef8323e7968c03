//! The record of a project as a signed log: heads that stand for all of it, whether it is what was signed,
//! and proofs of single entries for those who do not have it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nearside_ledger::{
    DecisionRow, DecisionWord, HeadRow, KeyRow, LedgerError, MovementRow, ProjectLedger, Recorded,
    merkle,
};
use nearside_policy::{Checkpoint, Class, Hash, Signer as _};
use nearside_privacy::key::{Key, Keyring};
use nearside_workload::HERE;

use super::certificates::Certificates;
use super::jobs::record;
use super::journal::{self, moment};
use super::project::Loaded;
use crate::error::{CommandError, Fault};

/// The log of a project.
pub(crate) struct Audit {
    file: PathBuf,
    origin: String,
    certificates: Certificates,
    /// Whether the project says that it has data about people: then runs sign.
    people: bool,
}

/// What a verification found.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Entries that there are.
    pub(crate) entries: u64,
    /// Signed heads that stand for them.
    pub(crate) heads: u64,
    /// Entries that no signed head stands for yet.
    pub(crate) unsigned: u64,
    /// The root of all entries.
    pub(crate) root: Option<Hash>,
    /// What is wrong.
    pub(crate) faults: Vec<String>,
}

impl Audit {
    pub(crate) fn of(loaded: &Loaded, rehearsal: bool) -> Result<Self, CommandError> {
        let record = record(loaded, rehearsal)?;
        let sign = |sign: char| if sign.is_whitespace() || sign == '+' { '-' } else { sign };
        let name: String = loaded.project.name.chars().map(sign).collect();
        Ok(Self {
            file: journal::file(&record),
            origin: format!("nearside/{name}"),
            certificates: Certificates::of(loaded, record)?,
            people: loaded.project.datasets.iter().any(|it| it.class >= Class::Personal),
        })
    }

    fn ledger(&self) -> Result<Option<ProjectLedger>, CommandError> {
        ProjectLedger::open_to_read(&self.file).map_err(|error| journal::failed(&error))
    }

    /// Signs a head that stands for all entries, and adds it; nothing where the newest entry is one.
    pub(crate) fn sign(&self) -> Result<Option<HeadRow>, CommandError> {
        let key = self.certificates.key()?;
        let known = self.certificates.keyring()?.keys().any(|(known, _)| known == key.public());
        let at = moment(SystemTime::now());
        let sign = |ledger: &mut ProjectLedger| {
            ledger.append(|to| {
                if !known {
                    to.add(&super::certificates::used(at, &key))?;
                }
                let tree = to.tree()?;
                let row = self.head(&key, &tree, at);
                to.add(&row).map(|_| row)
            })
        };
        let signed = ProjectLedger::open(&self.file).and_then(|mut ledger| {
            match newest_is_head(&ledger)? || ledger.head()?.is_none() {
                true => Ok(None),
                false => sign(&mut ledger).map(Some),
            }
        });
        signed.map_err(|error| journal::failed(&error))
    }

    fn head(&self, key: &Key, tree: &merkle::Tree, at: nearside_ledger::Timestamp) -> HeadRow {
        let (size, root) = (tree.size(), Hash(tree.root()));
        let note = Checkpoint { origin: self.origin.clone(), size, root }.seal(key);
        HeadRow { at, size, root: root.to_string(), public_key: key.public().to_string(), note }
    }

    /// The newest signed head.
    pub(crate) fn newest(&self) -> Result<Option<HeadRow>, CommandError> {
        let Some(ledger) = self.ledger()? else { return Ok(None) };
        let heads = ledger.all::<HeadRow>().map_err(|error| journal::failed(&error))?;
        Ok(heads.into_iter().next_back().map(|found| found.row))
    }

    /// Whether everything is as it was recorded and signed; `noted` are heads that were kept elsewhere.
    pub(crate) fn verify(&self, noted: &[(PathBuf, String)]) -> Result<Verified, CommandError> {
        let mut found = Verified::default();
        let Some(ledger) = self.ledger()? else {
            if !noted.is_empty() {
                found.faults.push("there is no record, and heads of one were kept".to_owned());
            }
            return Ok(found);
        };
        let failed = |error: LedgerError| journal::failed(&error);
        let chain = ledger.verify(None).map_err(failed)?;
        found.entries = chain.entries;
        found.faults.extend(chain.faults.iter().map(ToString::to_string));
        if chain.more_faults > 0 {
            found.faults.push(format!("and {} more", chain.more_faults));
        }
        let leaves = ledger.leaves().map_err(failed)?;
        found.root = Some(Hash(merkle::root(&leaves)));
        let ring = ever_used(&ledger).map_err(failed)?;
        let heads = ledger.all::<HeadRow>().map_err(failed)?;
        if heads.is_empty() && found.entries > 0 && self.people {
            let why = "no head is signed, though runs on people's data end with one: they were removed, \
                       or no run has signed yet (nearside privacy audit head)";
            found.faults.push(why.to_owned());
        }
        self.heads(&heads, &leaves, &ring, &mut found);
        let signed = heads.last().map_or(0, |head| head.entry);
        found.unsigned = found.entries.saturating_sub(signed);
        for (path, note) in noted {
            self.noted(path, note, &leaves, &ring, &mut found);
        }
        moved_without_leave(&ledger, &mut found).map_err(failed)?;
        Ok(found)
    }

    /// Every head stands for the entries before it.
    fn heads(
        &self,
        heads: &[Recorded<HeadRow>],
        leaves: &[merkle::Hash],
        ring: &Keyring,
        found: &mut Verified,
    ) {
        let (mut tree, mut left) = (merkle::Tree::default(), leaves.iter());
        for Recorded { entry, row } in heads {
            while tree.size() < row.size {
                let Some(leaf) = left.next() else { break };
                tree.push(*leaf);
            }
            let root = Hash(tree.root());
            let wrong = match self.opened(&row.note, &row.public_key, ring) {
                Err(why) => Some(why),
                Ok(said) if said.size != tree.size() || said.root != root => {
                    Some("it stands for other entries than these".to_owned())
                }
                Ok(said) if (said.size, said.root.to_string()) != (row.size, row.root.clone()) => {
                    Some("its note says something else than its row".to_owned())
                }
                Ok(_) => None,
            };
            match wrong {
                Some(why) => found.faults.push(format!("the signed head of entry {entry}: {why}")),
                None => found.heads += 1,
            }
        }
    }

    fn opened(&self, note: &str, key: &str, ring: &Keyring) -> Result<Checkpoint, String> {
        let key: Hash = key.parse().map_err(|_none| "it names no key".to_owned())?;
        let opened = Checkpoint::open(note, key, ring).map_err(|error| error.to_string())?;
        match opened.origin == self.origin {
            true => Ok(opened),
            false => Err(format!("it is one of {}", opened.origin)),
        }
    }

    /// A head that was kept elsewhere is the beginning of what is here.
    fn noted(
        &self,
        path: &Path,
        note: &str,
        leaves: &[merkle::Hash],
        ring: &Keyring,
        found: &mut Verified,
    ) {
        let opened = ring.keys().find_map(|(key, _)| Checkpoint::open(note, key, ring).ok());
        let size = |said: &Checkpoint| usize::try_from(said.size).unwrap_or(usize::MAX);
        let wrong = match &opened {
            None => Some("no key of this project signed it".to_owned()),
            Some(said) if said.origin != self.origin => {
                Some(format!("it is one of {}", said.origin))
            }
            Some(said) => match leaves.get(..size(said)) {
                None => Some(format!(
                    "it stands for {} entries, and there are {}: the newest are gone",
                    said.size,
                    leaves.len()
                )),
                Some(first) if Hash(merkle::root(first)) != said.root => {
                    Some("the entries that it stands for were written anew".to_owned())
                }
                Some(_) => None,
            },
        };
        if let Some(why) = wrong {
            found.faults.push(format!("{}: {why}", path.display()));
        }
    }

    /// A proof of an entry, as JSON that [`check`] reads without the ledger; nothing where there is no such
    /// entry, or no signed head stands for it.
    pub(crate) fn prove(&self, entry: u64) -> Result<Option<serde_json::Value>, CommandError> {
        let Some(ledger) = self.ledger()? else { return Ok(None) };
        let failed = |error: LedgerError| journal::failed(&error);
        let (record, leaves) =
            (ledger.record(entry).map_err(failed)?, ledger.leaves().map_err(failed)?);
        let heads = ledger.all::<HeadRow>().map_err(failed)?;
        let head = heads.into_iter().map(|head| head.row).find(|head| head.size >= entry);
        let (Some(record), Some(head)) = (record, head) else { return Ok(None) };
        let size = usize::try_from(head.size).unwrap_or(usize::MAX);
        let index = usize::try_from(entry.saturating_sub(1)).unwrap_or(usize::MAX);
        let path = leaves.get(..size).and_then(|leaves| merkle::inclusion(leaves, index));
        let Some(path) = path else { return Ok(None) };
        Ok(Some(proof::write(&record, &path, &head)))
    }
}

/// What a proof shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) entry: u64,
    pub(crate) table: String,
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) key: Hash,
    pub(crate) cells: Vec<(String, String)>,
}

/// Checks a proof; a key that is stated has to be the one that signed.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(text: &str, stated: Option<Hash>) -> Result<Shown, String> {
    let proof = proof::read(text)?;
    let key = stated.unwrap_or(proof.key);
    let mut ring = Keyring::default();
    ring.add(key);
    let said = Checkpoint::open(&proof.note, key, &ring).map_err(|error| error.to_string())?;
    let index = proof.record.number.checked_sub(1).ok_or("entries are numbered from 1")?;
    let root = merkle::root_of_inclusion(proof.record.leaf(), index, said.size, &proof.path);
    if root.map(Hash) != Some(said.root) {
        return Err("the entry is not among those that the head stands for, or was altered".into());
    }
    let cells = proof.record.cells.iter();
    let cells = cells.map(|(column, value)| (column.clone(), proof::shown(value))).collect();
    let (entry, table) = (proof.record.number, proof.record.table.clone());
    Ok(Shown { entry, table, origin: said.origin, size: said.size, key, cells })
}

/// Every key that the project ever used: a head stays what it is when its key is revoked later.
fn ever_used(ledger: &ProjectLedger) -> Result<Keyring, LedgerError> {
    let mut ring = Keyring::default();
    for Recorded { row, .. } in ledger.all::<KeyRow>()? {
        if let Ok(key) = row.public_key.parse() {
            ring.add(key);
        }
    }
    Ok(ring)
}

fn newest_is_head(ledger: &ProjectLedger) -> Result<bool, LedgerError> {
    let newest = ledger.head()?.map(|head| head.number());
    Ok(ledger.all::<HeadRow>()?.last().map(|head| head.entry) == newest)
}

/// Data that went elsewhere without a decision that let exactly this content go.
fn moved_without_leave(ledger: &ProjectLedger, found: &mut Verified) -> Result<(), LedgerError> {
    let allowed: BTreeSet<(String, String)> = ledger
        .all::<DecisionRow>()?
        .into_iter()
        .filter(|found| found.row.decision == DecisionWord::Allow)
        .map(|found| (found.row.blake3, found.row.destination))
        .collect();
    for Recorded { entry, row } in ledger.all::<MovementRow>()? {
        let left = row.to_site != HERE && row.class != "public";
        if left && !allowed.contains(&(row.digest.clone(), row.to_site.clone())) {
            found.faults.push(format!(
                "entry {entry}: {} went to {}, and nothing says that it might",
                row.path, row.to_site
            ));
        }
    }
    Ok(())
}

/// A decision that is not the same as the last one about the same content is recorded.
pub(crate) fn decide(record: &Path, row: &DecisionRow) -> Result<(), CommandError> {
    let file = journal::file(record);
    let failed = |error: LedgerError| journal::failed(&error);
    let mut ledger = ProjectLedger::open(&file).map_err(failed)?;
    let last = ledger.decisions_about(&row.blake3).map_err(failed)?.into_iter().next();
    let same = last.is_some_and(|last| DecisionRow { at: row.at, ..last.row } == *row);
    match same {
        true => Ok(()),
        false => ledger.add(row).map(drop).map_err(failed),
    }
}

/// The heads that files hold.
pub(crate) fn read_heads(files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, CommandError> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| {
            CommandError::new(Fault::Input, format!("cannot read {}: {error}", path.display()))
        })?;
        Ok((path.clone(), text))
    };
    files.iter().map(read).collect()
}

mod proof;
