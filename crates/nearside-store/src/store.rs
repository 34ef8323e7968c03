//! Keeps content by its digest, and puts it back in one step.
//!
//! Files lie under `objects/`, two digits of their digest first, and are never changed: a file that
//! is there is whole. Copies share blocks with the original where the file system can (reflinks).

use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::sealed::{Identity, Opened, SealError, Sealer};
use crate::{Content, Digest, Entry, Kind, Memo, Reader, StoreError, atomic};

/// What the names of sealed objects end with.
pub(crate) const SEALED: &str = ".age";

/// A folder of content, each file by its digest.
#[derive(Clone)]
pub struct Store {
    pub(crate) objects: PathBuf,
    keys: Option<Keys>,
}

/// Where the key comes from that opens what is sealed; it is asked for when it is needed, and says why
/// there is none.
pub type Keys = Arc<dyn Fn() -> Result<Identity, String> + Send + Sync>;

/// How something that is kept lies on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtRest {
    /// As it is.
    #[default]
    Plain,
    /// Sealed: whoever gets hold of the disk reads nothing without the key.
    Sealed,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Store({})", self.objects.display())
    }
}

impl Store {
    /// The store in a folder, which is made when something is first kept.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { objects: folder.join("objects"), keys: None }
    }

    /// The same store, with the key for what is sealed.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// The key for what is sealed.
    ///
    /// # Errors
    /// When there is none.
    pub fn key(&self) -> Result<Identity, StoreError> {
        let found = self.keys.as_ref().map_or(Err("nobody has one".to_owned()), |keys| keys());
        found.map_err(StoreError::Key)
    }

    pub(crate) fn object(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (shard, rest) = name.split_at(2);
        self.objects.join(shard).join(rest)
    }

    pub(crate) fn sealed_object(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (shard, rest) = name.split_at(2);
        self.objects.join(shard).join(format!("{rest}{SEALED}"))
    }

    fn is_kept(&self, digest: &Digest) -> bool {
        self.object(digest).is_file() || self.sealed_object(digest).is_file()
    }

    /// Whether all files of some content are kept.
    #[must_use]
    pub fn has(&self, content: &Content) -> bool {
        let kept = |entry: &Entry| match &entry.kind {
            Kind::File { digest, .. } => self.is_kept(digest),
            Kind::Link(_) | Kind::Folder => true,
        };
        content.entries.iter().all(kept)
    }

    /// Keeps what a path holds, and makes sure that it is on the disk. What is sealed already stays so;
    /// what is to be sealed lies there in no other way afterwards.
    ///
    /// # Errors
    /// When a file cannot be copied, is no longer what `content` says, or there is no key to seal it with.
    pub fn keep(&self, path: &Path, content: &Content, at_rest: AtRest) -> Result<(), StoreError> {
        let key = match at_rest {
            AtRest::Plain => None,
            AtRest::Sealed => Some(self.key()?),
        };
        content.entries.par_iter().try_for_each(|entry| match &entry.kind {
            Kind::File { digest, .. } => {
                self.keep_file(&below(path, &entry.path), digest, key.as_ref())
            }
            Kind::Link(_) | Kind::Folder => Ok(()),
        })?;
        self.flush()?;
        if key.is_none() {
            return Ok(());
        }
        content.entries.iter().try_for_each(|entry| match &entry.kind {
            Kind::File { digest, .. } => atomic::remove(&self.object(digest)),
            Kind::Link(_) | Kind::Folder => Ok(()),
        })
    }

    /// Seals what is kept of some content and lies open.
    ///
    /// # Errors
    /// When there is no key, or a file cannot be read or written.
    pub fn seal_kept(&self, content: &Content) -> Result<(), StoreError> {
        for entry in &content.entries {
            let Kind::File { digest, .. } = &entry.kind else { continue };
            let object = self.object(digest);
            if object.is_file() {
                self.keep_file(&object, digest, Some(&self.key()?))?;
                self.flush()?;
                atomic::remove(&object)?;
            }
        }
        Ok(())
    }

    fn keep_file(
        &self,
        path: &Path,
        digest: &Digest,
        key: Option<&Identity>,
    ) -> Result<(), StoreError> {
        let sealed = self.sealed_object(digest);
        let object = if key.is_some() { sealed.clone() } else { self.object(digest) };
        let is_open = match key {
            // What is sealed for a key that is gone is of no use.
            Some(_) => {
                sealed.is_file() && !matches!(self.unseal(&sealed), Err(StoreError::Locked { .. }))
            }
            None => object.is_file() || sealed.is_file(),
        };
        if is_open {
            return Ok(());
        }
        if let Some(shard) = object.parent() {
            fs::create_dir_all(shard).map_err(StoreError::io("make folder", shard))?;
        }
        let temporary = atomic::beside(&object);
        let copied = || match key {
            None => copy(path, &temporary).and_then(|()| crate::content::read(&temporary)),
            Some(key) => seal(path, &temporary, key),
        };
        let kept = copied().and_then(|found| {
            if found != *digest {
                let expected = digest.to_string();
                return Err(StoreError::Damaged { path: path.to_path_buf(), expected });
            }
            set_mode(&temporary, if key.is_some() { 0o400 } else { 0o444 })?;
            fs::rename(&temporary, &object).map_err(StoreError::io("keep", path))
        });
        if kept.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        kept
    }

    #[cfg(target_os = "linux")]
    fn flush(&self) -> Result<(), StoreError> {
        match File::open(&self.objects) {
            Ok(folder) => rustix::fs::syncfs(&folder)
                .map_err(|error| StoreError::io("flush", &self.objects)(error.into())),
            // Nothing but links was kept.
            Err(_) => Ok(()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Puts content where it belongs, in one step: it is put together beside its place, read once more
    /// and only then moved there.
    ///
    /// # Errors
    /// When something is not kept or damaged (what is damaged is then thrown away), or the place
    /// cannot be written. What is there stays as it was.
    pub fn restore(&self, content: &Content, path: &Path) -> Result<(), StoreError> {
        let staged = atomic::beside(path);
        let restored = self
            .put_together(content, &staged)
            .and_then(|()| self.check(content, &staged, path))
            .and_then(|()| atomic::replace(&staged, path));
        if restored.is_err() {
            let _ = atomic::remove(&staged);
        }
        restored
    }

    fn put_together(&self, content: &Content, staged: &Path) -> Result<(), StoreError> {
        content.entries.par_iter().try_for_each(|entry| {
            let path = below(staged, &entry.path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
            }
            match &entry.kind {
                Kind::File { digest, executable } => {
                    self.take_out(digest, &path)?;
                    set_mode(&path, if *executable { 0o755 } else { 0o644 })
                }
                Kind::Link(target) => link(target, &path),
                Kind::Folder => {
                    fs::create_dir_all(&path).map_err(StoreError::io("make folder", &path))
                }
            }
        })
    }

    /// Copies a kept file to a path, opened where it is sealed.
    fn take_out(&self, digest: &Digest, to: &Path) -> Result<(), StoreError> {
        let (object, sealed) = (self.object(digest), self.sealed_object(digest));
        match object.is_file() || !sealed.is_file() {
            true => copy(&object, to),
            false => {
                let mut opened = self.unseal(&sealed)?;
                let copied = private(to).and_then(|mut file| io::copy(&mut opened, &mut file));
                copied.map(drop).map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidData => {
                        let _ = fs::remove_file(&sealed);
                        let expected = digest.to_string();
                        StoreError::Damaged { path: to.to_path_buf(), expected }
                    }
                    _ => StoreError::io("open", &sealed)(error),
                })
            }
        }
    }

    /// Hands a kept file to somebody, opened where it is sealed.
    ///
    /// # Errors
    /// When it is not kept or cannot be opened.
    pub fn open(&self, digest: &Digest) -> Result<Box<dyn io::Read + Send>, StoreError> {
        let (object, sealed) = (self.object(digest), self.sealed_object(digest));
        if object.is_file() || !sealed.is_file() {
            return Ok(Box::new(File::open(&object).map_err(StoreError::io("read", &object))?));
        }
        self.unseal(&sealed)
    }

    /// Writes a file sealed to another place, for this store's key.
    ///
    /// # Errors
    /// When there is no key, or it cannot be read or written.
    pub fn seal(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let key = self.key()?;
        let temporary = atomic::beside(to);
        let sealed = seal(from, &temporary, &key).and_then(|_| atomic::replace(&temporary, to));
        if sealed.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        sealed
    }

    /// What a file holds that is sealed for this store's key.
    ///
    /// # Errors
    /// When there is no key, or it cannot be read or opened.
    pub fn unseal(&self, path: &Path) -> Result<Box<dyn io::Read + Send>, StoreError> {
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        match Opened::new(&self.key()?, BufReader::new(file)) {
            Ok(opened) => Ok(Box::new(opened)),
            Err(SealError::OtherKey) => Err(StoreError::Locked { path: path.to_path_buf() }),
            Err(error) => Err(StoreError::io("open", path)(error.into())),
        }
    }

    /// Reads what was put together; objects that are not what they were are thrown away.
    fn check(&self, content: &Content, staged: &Path, path: &Path) -> Result<(), StoreError> {
        let memo = Memo::default();
        let found = Reader::new(&memo).content(staged)?;
        if found == *content {
            return Ok(());
        }
        for (entry, expected) in found.entries.iter().zip(&content.entries) {
            if let (true, Kind::File { digest, .. }) = (entry != expected, &expected.kind) {
                let _ = self.remove(digest);
            }
        }
        let expected = content.digest.to_string();
        Err(StoreError::Damaged { path: path.to_path_buf(), expected })
    }

    /// Removes what killed processes left in it.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn tidy(&self) -> Result<(), StoreError> {
        if !self.objects.is_dir() {
            return Ok(());
        }
        let list = |folder: &Path| -> Result<Vec<PathBuf>, StoreError> {
            let entries = fs::read_dir(folder).map_err(StoreError::io("read", folder))?;
            Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        };
        for shard in list(&self.objects)? {
            for object in list(&shard)? {
                let name = object.file_name().unwrap_or_default().to_string_lossy();
                if atomic::is_left_over(&name) {
                    atomic::remove(&object)?;
                }
            }
        }
        Ok(())
    }
}

fn below(top: &Path, path: &str) -> PathBuf {
    if path.is_empty() { top.to_path_buf() } else { top.join(path) }
}

/// Writes a file sealed, and says what was in it.
fn seal(from: &Path, to: &Path, key: &Identity) -> Result<Digest, StoreError> {
    let sealed = || -> io::Result<Digest> {
        let mut hasher = blake3::Hasher::new();
        let file = BufWriter::with_capacity(1 << 20, private(to)?);
        let mut sealer = Sealer::new(&[key.recipient()], file)?;
        let mut source = File::open(from)?;
        let mut piece = zeroize::Zeroizing::new(vec![0; 64 << 10]);
        loop {
            match io::Read::read(&mut source, &mut piece)? {
                0 => break,
                count => {
                    let read = piece.get(..count).unwrap_or(&[]);
                    hasher.update(read);
                    io::Write::write_all(&mut sealer, read)?;
                }
            }
        }
        sealer.finish()?.into_inner()?.sync_data()?;
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    };
    sealed().map_err(StoreError::io("seal", from))
}

/// A new file that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Copies a file, sharing its blocks where the file system can.
fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    if reflink(from, to) {
        return Ok(());
    }
    fs::copy(from, to).map(|_| ()).map_err(StoreError::io("copy", from))
}

#[cfg(target_os = "linux")]
fn reflink(from: &Path, to: &Path) -> bool {
    let cloned = (|| {
        let source = File::open(from).ok()?;
        let target = File::create(to).ok()?;
        rustix::fs::ioctl_ficlone(&target, &source).ok()
    })();
    cloned.is_some()
}

#[cfg(not(target_os = "linux"))]
fn reflink(_from: &Path, _to: &Path) -> bool {
    false
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StoreError::io("set up", path))
}

#[cfg(not(unix))]
fn set_mode(_path: &Path, _mode: u32) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> Result<(), StoreError> {
    std::os::unix::fs::symlink(target, path).map_err(StoreError::io("link", path))
}

#[cfg(not(unix))]
fn link(_target: &str, path: &Path) -> Result<(), StoreError> {
    Err(StoreError::Special { path: path.to_path_buf() })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An empty folder of that name for one test.
    pub(crate) fn scratch(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("nearside-store-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn content(path: &Path) -> Content {
        Reader::new(&Memo::default()).content(path).unwrap()
    }

    #[test]
    fn what_is_sealed_lies_there_in_no_other_way_and_comes_back() {
        let folder = scratch("sealed");
        let key = Identity::new().unwrap();
        let keys: Keys = Arc::new(move || Ok(key.clone()));
        let without = Store::at(&folder.join("store"));
        let store = without.clone().with_keys(keys);
        let file = folder.join("people.csv");
        fs::write(&file, "name\nAnna Roth\n".repeat(9_000)).unwrap();
        let content = Reader::new(&Memo::default()).content(&file).unwrap();
        assert!(matches!(without.keep(&file, &content, AtRest::Sealed), Err(StoreError::Key(_))));
        assert!(!store.has(&content));
        store.keep(&file, &content, AtRest::Plain).unwrap();
        store.keep(&file, &content, AtRest::Sealed).unwrap();
        store.keep(&file, &content, AtRest::Plain).unwrap();
        let [object] = store.list().unwrap()[..] else { panic!("more than one object") };
        let sealed = store.sealed_object(&object.digest);
        let bytes = fs::read(&sealed).unwrap();
        assert!(!bytes.windows(4).any(|part| part == b"Anna"));
        assert!(store.has(&content) && !store.object(&object.digest).exists());
        let mut text = String::new();
        store.open(&object.digest).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, fs::read_to_string(&file).unwrap());
        let place = folder.join("back.csv");
        assert!(matches!(without.restore(&content, &place), Err(StoreError::Key(_))));
        store.restore(&content, &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), fs::read(&file).unwrap());
        // One that was changed is told from one that is whole, and thrown away.
        set_mode(&sealed, 0o600).unwrap();
        fs::write(&sealed, &bytes[..bytes.len() - 1]).unwrap();
        assert!(store.restore(&content, &place).is_err());
        store.remove(&object.digest).unwrap();
        assert!(!store.has(&content));
    }

    #[test]
    fn what_was_kept_comes_back_as_it_was() {
        let folder = scratch("back");
        let tree = folder.join("tree");
        fs::create_dir_all(tree.join("a/empty")).unwrap();
        fs::write(tree.join("a/file"), "text").unwrap();
        fs::write(tree.join("run.sh"), "#!/bin/sh\n").unwrap();
        set_mode(&tree.join("run.sh"), 0o755).unwrap();
        link("a/file", &tree.join("link")).unwrap();
        let before = content(&tree);
        let store = Store::at(&folder.join("store"));
        assert!(!store.has(&before));
        store.keep(&tree, &before, AtRest::Plain).unwrap();
        assert!(store.has(&before));
        atomic::remove(&tree).unwrap();
        store.restore(&before, &tree).unwrap();
        assert_eq!(content(&tree), before);
        // Over something else, too.
        fs::write(tree.join("a/other"), "more").unwrap();
        assert_ne!(content(&tree).digest, before.digest);
        store.restore(&before, &tree).unwrap();
        assert_eq!(content(&tree), before);
        let file = folder.join("file");
        fs::write(&file, "one file").unwrap();
        let one = content(&file);
        store.keep(&file, &one, AtRest::Plain).unwrap();
        store.restore(&one, &tree).unwrap();
        assert_eq!(fs::read_to_string(&tree).unwrap(), "one file");
    }

    #[test]
    fn damage_is_found_and_thrown_away() {
        let folder = scratch("damage");
        let file = folder.join("file");
        fs::write(&file, "content").unwrap();
        let before = content(&file);
        let store = Store::at(&folder.join("store"));
        store.keep(&file, &before, AtRest::Plain).unwrap();
        let Kind::File { digest, .. } = before.entries[0].kind else { panic!() };
        let object = store.object(&digest);
        set_mode(&object, 0o644).unwrap();
        fs::write(&object, "c0ntent").unwrap();
        let error = store.restore(&before, &file).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert!(!store.has(&before));
        store.keep(&file, &before, AtRest::Plain).unwrap();
        assert!(store.has(&before));
    }

    #[test]
    fn a_file_that_changed_since_is_not_kept() {
        let folder = scratch("changed");
        let file = folder.join("file");
        fs::write(&file, "content").unwrap();
        let before = content(&file);
        fs::write(&file, "another").unwrap();
        let store = Store::at(&folder.join("store"));
        assert!(store.keep(&file, &before, AtRest::Plain).is_err());
        assert!(!store.has(&before));
        fs::write(store.objects.join("00.x"), "").unwrap();
        store.tidy().unwrap_or(());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn digests_tell_trees_apart(names in prop::collection::btree_map("[a-c]{1,2}", "[xy]{0,2}", 1..4)) {
            let folder = scratch("apart");
            for (name, text) in &names {
                fs::write(folder.join(name), text).unwrap();
            }
            let one = content(&folder);
            prop_assert_eq!(one.entries.len(), names.len());
            let (name, text) = names.iter().next().unwrap();
            fs::write(folder.join(name), format!("{text}z")).unwrap();
            prop_assert_ne!(content(&folder).digest, one.digest);
            fs::write(folder.join(name), text).unwrap();
            prop_assert_eq!(content(&folder).digest, one.digest);
            fs::rename(folder.join(name), folder.join("renamed")).unwrap();
            prop_assert_ne!(content(&folder).digest, one.digest);
        }
    }
}
