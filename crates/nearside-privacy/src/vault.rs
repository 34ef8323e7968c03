//! The vault: what stood where labels stand now, for those who hold its key.
//!
//! A folder of sealed files ([`nearside_store::sealed`], the format of age), one for each run that put
//! labels in the place of values: a line of JSON for each, with label, kind, value and the file that it was in.
//! A file is there whole or not at all, runs do not wait for each other, and a vault copied without
//! its key says nothing. Erasing somebody writes the files without them; then nothing that exists
//! leads from their labels back to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use nearside_store::sealed::{Identity, Opened, Recipient, SealError, Sealer, rewrap_file};
use nearside_store::{StoreError, atomic};
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::scan::Entity;

/// What the names of its files end with.
const ENDING: &str = "age";
/// The longest line that is read.
const MOST: usize = 1 << 20;

/// Why a vault cannot be used.
#[derive(Debug, Error)]
pub enum VaultError {
    /// One of its files cannot be read or written.
    #[error("cannot {what} the vault {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// One of its files cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SealError,
    },
    /// A line of a file is none of a vault.
    #[error("{}: line {line} is none of a vault", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
    },
    /// A file cannot be put where it belongs.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A value and the label that stands for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The label, with its brackets.
    pub label: String,
    /// What the value is.
    pub kind: Entity,
    /// The value, in the way of writing in which it was found first.
    pub value: Zeroizing<String>,
    /// Whether it was a number or word of JSON, without quotes.
    pub bare: bool,
    /// The file that it was in.
    pub source: String,
}

/// Entries by their labels.
pub type Values = BTreeMap<String, Entry>;

impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Entry({} from {})", self.label, self.source)
    }
}

/// A folder of sealed files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    folder: PathBuf,
}

/// What was taken out of a vault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Values.
    pub values: u64,
    /// Files that held them.
    pub files: u64,
}

impl Vault {
    /// The vault in a folder, which is made when something is first put into it.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins to put values into it; nothing is in it before [`Deposit::store`].
    ///
    /// # Errors
    /// When its folder cannot be made or written to.
    pub fn deposit(&self, recipient: &Recipient) -> Result<Deposit, VaultError> {
        fs::create_dir_all(&self.folder).map_err(failed("make", &self.folder))?;
        let part = self.folder.join("part");
        let path = atomic::beside(&part);
        let sealer = private(&path)
            .map_err(SealError::Io)
            .and_then(|file| Sealer::new(&[*recipient], BufWriter::new(file)))
            .map_err(|source| VaultError::Sealed { path: path.clone(), source })?;
        let folder = self.folder.clone();
        Ok(Deposit { folder, path, sealer: Some(sealer), labels: BTreeSet::new() })
    }

    /// Hands every value to somebody, in the order of the files' names.
    ///
    /// # Errors
    /// A file that cannot be read, is sealed for another key, is damaged, or holds something else.
    pub fn read(&self, identity: &Identity, take: &mut dyn FnMut(Entry)) -> Result<(), VaultError> {
        self.files()?.iter().try_for_each(|path| read_file(path, identity, take))
    }

    /// The values of some labels: of those that it holds.
    ///
    /// # Errors
    /// As [`Vault::read`].
    pub fn values(
        &self,
        identity: &Identity,
        labels: &BTreeSet<String>,
    ) -> Result<Values, VaultError> {
        let mut values = Values::new();
        self.read(identity, &mut |entry| {
            if labels.contains(&entry.label) {
                values.entry(entry.label.clone()).or_insert(entry);
            }
        })?;
        Ok(values)
    }

    /// Takes out the values that are not to stay.
    ///
    /// # Errors
    /// As [`Vault::read`], or when a file cannot be written anew; what was not done yet is as it was.
    pub fn erase(
        &self,
        identity: &Identity,
        goes: &dyn Fn(&Entry) -> bool,
    ) -> Result<Erased, VaultError> {
        let mut erased = Erased::default();
        for path in self.files()? {
            let (mut stay, mut gone) = (Vec::new(), 0);
            read_file(&path, identity, &mut |entry| match goes(&entry) {
                true => gone += 1,
                false => stay.push(entry),
            })?;
            if gone == 0 {
                continue;
            }
            if !stay.is_empty() {
                let mut deposit = self.deposit(&identity.recipient())?;
                stay.iter().try_for_each(|entry| deposit.add(entry))?;
                deposit.store()?;
            }
            atomic::remove(&path)?;
            erased.values += gone;
            erased.files += 1;
        }
        Ok(erased)
    }

    /// Seals it for other keys instead, and says how many files it was and how many are sealed for others.
    ///
    /// # Errors
    /// A file that cannot be read or written; those before it are handed over.
    pub fn rewrap(
        &self,
        identity: &Identity,
        recipients: &[Recipient],
    ) -> Result<(u64, u64), VaultError> {
        let (mut handed, mut left) = (0, 0);
        for path in self.files()? {
            match rewrap_file(&path, identity, recipients)? {
                true => handed += 1,
                false => left += 1,
            }
        }
        Ok((handed, left))
    }

    fn files(&self) -> Result<Vec<PathBuf>, VaultError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("read", &self.folder))?,
        };
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        let hidden = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        };
        files.retain(|path| path.extension().is_some_and(|end| end == ENDING) && !hidden(path));
        files.sort();
        Ok(files)
    }
}

/// Values on their way into a vault.
pub struct Deposit {
    folder: PathBuf,
    path: PathBuf,
    sealer: Option<Sealer<BufWriter<File>>>,
    labels: BTreeSet<String>,
}

impl std::fmt::Debug for Deposit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Deposit({} values)", self.labels.len())
    }
}

impl Deposit {
    /// Adds a value; one whose label was added is in it already.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, entry: &Entry) -> Result<(), VaultError> {
        if !self.labels.insert(entry.label.clone()) {
            return Ok(());
        }
        let line = json!({
            "label": entry.label,
            "kind": entry.kind.name(),
            "value": entry.value.as_str(),
            "bare": entry.bare,
            "source": entry.source,
        });
        let line = Zeroizing::new(format!("{line}\n"));
        let Some(sealer) = &mut self.sealer else { return Ok(()) };
        sealer.write_all(line.as_bytes()).map_err(failed("write to", &self.folder))
    }

    /// How many values were added.
    #[must_use]
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Puts them into the vault.
    ///
    /// # Errors
    /// When they cannot be written; then none of them is in it.
    pub fn store(mut self) -> Result<(), VaultError> {
        let Some(sealer) = self.sealer.take().filter(|_| !self.labels.is_empty()) else {
            return Ok(());
        };
        let written = sealer.finish().and_then(|to| to.into_inner()?.sync_all());
        written.map_err(failed("write to", &self.folder))?;
        // The digest of what is sealed names it: no two files have the same.
        let mut digest = blake3::Hasher::new();
        let sealed =
            File::open(&self.path).and_then(|file| Ok(digest.update_reader(file)?.finalize()));
        let name = sealed.map_err(failed("write to", &self.folder))?.to_hex();
        let name = name.get(..32).unwrap_or_default();
        Ok(atomic::replace(&self.path, &self.folder.join(format!("{name}.{ENDING}")))?)
    }
}

impl Drop for Deposit {
    /// What was not stored goes.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn read_file(
    path: &Path,
    identity: &Identity,
    take: &mut dyn FnMut(Entry),
) -> Result<(), VaultError> {
    let file = File::open(path).map_err(failed("read", path))?;
    let opened = Opened::new(identity, BufReader::new(file));
    let opened =
        opened.map_err(|source| VaultError::Sealed { path: path.to_path_buf(), source })?;
    let mut lines = BufReader::new(opened);
    for number in 1.. {
        let mut line = Zeroizing::new(Vec::new());
        let limited = &mut io::Read::take(&mut lines, MOST as u64);
        if limited.read_until(b'\n', &mut line).map_err(failed("read", path))? == 0 {
            break;
        }
        let damaged = || VaultError::Line { path: path.to_path_buf(), line: number };
        take(entry(&line).ok_or_else(damaged)?);
    }
    Ok(())
}

fn entry(line: &[u8]) -> Option<Entry> {
    let Value::Object(mut row) = serde_json::from_slice(line).ok()? else { return None };
    let bare = row.get("bare")?.as_bool()?;
    let mut text = |name: &str| match row.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    Some(Entry {
        label: text("label")?,
        kind: text("kind")?.parse().ok()?,
        value: Zeroizing::new(text("value")?),
        bare,
        source: text("source")?,
    })
}

/// A new file that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_path_buf();
    move |source| VaultError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(label: &str, value: &str, source: &str) -> Entry {
        let (label, source) = (label.to_owned(), source.to_owned());
        let value = Zeroizing::new(value.to_owned());
        Entry { label, kind: Entity::Email, value, bare: false, source }
    }

    fn filled(vault: &Vault, identity: &Identity, entries: &[Entry]) {
        let mut deposit = vault.deposit(&identity.recipient()).unwrap();
        entries.iter().for_each(|entry| deposit.add(entry).unwrap());
        deposit.store().unwrap();
    }

    fn all(vault: &Vault, identity: &Identity) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut take =
            |entry: Entry| found.push((entry.label.clone(), entry.value.as_str().to_owned()));
        vault.read(identity, &mut take).unwrap();
        found.sort();
        found
    }

    #[test]
    fn values_are_found_by_their_labels_with_the_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path().join("vault"));
        let identity = Identity::new().unwrap();
        assert_eq!(all(&vault, &identity), []);
        let value = "anna \"x\"\n@example.org";
        filled(&vault, &identity, &[entry("[EMAIL_1]", value, "a"), entry("[EMAIL_1]", "b", "a")]);
        filled(&vault, &identity, &[entry("[EMAIL_2]", "bob", "b")]);
        filled(&vault, &identity, &[]);
        let pair = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        assert_eq!(all(&vault, &identity), [pair("[EMAIL_1]", value), pair("[EMAIL_2]", "bob")]);
        let labels = BTreeSet::from(["[EMAIL_2]".to_owned(), "[EMAIL_9]".to_owned()]);
        let values = vault.values(&identity, &labels).unwrap();
        assert_eq!(values.len(), 1);
        assert_eq!(values["[EMAIL_2]"].value.as_str(), "bob");
        let files = vault.files().unwrap();
        assert_eq!(files.len(), 2);
        for file in files {
            let bytes = fs::read(file).unwrap();
            assert!(!bytes.windows(4).any(|part| part == b"anna" || part == b"EMAI"));
        }
        let stranger = Identity::new().unwrap();
        assert!(matches!(vault.read(&stranger, &mut drop), Err(VaultError::Sealed { .. })));
    }

    #[test]
    fn what_is_not_stored_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path().to_path_buf());
        let mut deposit = vault.deposit(&Identity::new().unwrap().recipient()).unwrap();
        deposit.add(&entry("[EMAIL_1]", "anna", "a")).unwrap();
        drop(deposit);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn who_is_erased_is_in_no_file_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path().to_path_buf());
        let identity = Identity::new().unwrap();
        let (anna, bob) = (entry("[EMAIL_1]", "anna", "a"), entry("[EMAIL_2]", "bob", "a"));
        filled(&vault, &identity, &[anna.clone(), bob.clone()]);
        filled(&vault, &identity, &[anna]);
        filled(&vault, &identity, &[bob]);
        let goes = |entry: &Entry| entry.value.as_str() == "anna";
        assert_eq!(vault.erase(&identity, &goes).unwrap(), Erased { values: 2, files: 2 });
        assert_eq!(vault.erase(&identity, &goes).unwrap(), Erased::default());
        let left = all(&vault, &identity);
        assert!(left.iter().all(|(_, value)| value == "bob") && left.len() == 2, "{left:?}");
    }

    #[test]
    fn another_key_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::at(folder.path().to_path_buf());
        let (old, new) = (Identity::new().unwrap(), Identity::new().unwrap());
        filled(&vault, &old, &[entry("[EMAIL_1]", "anna", "a")]);
        assert_eq!(vault.rewrap(&old, &[new.recipient()]).unwrap(), (1, 0));
        assert_eq!(vault.rewrap(&old, &[old.recipient()]).unwrap(), (0, 1));
        assert_eq!(all(&vault, &new).len(), 1);
        assert!(vault.read(&old, &mut drop).is_err());
    }
}
