//! Keeps content by its digest, and puts it back in one step.
//!
//! Files lie under `objects/`, two digits of their digest first, and are never changed: a file that
//! is there is whole. Copies share blocks with the original where the file system can (reflinks).

use std::fs::{self, File, Permissions};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::{Content, Digest, Entry, Kind, Memo, Reader, StoreError, atomic};

/// A folder of content, each file by its digest.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) objects: PathBuf,
}

impl Store {
    /// The store in a folder, which is made when something is first kept.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { objects: folder.join("objects") }
    }

    pub(crate) fn object(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (shard, rest) = name.split_at(2);
        self.objects.join(shard).join(rest)
    }

    /// Whether all files of some content are kept.
    #[must_use]
    pub fn has(&self, content: &Content) -> bool {
        let kept = |entry: &Entry| match &entry.kind {
            Kind::File { digest, .. } => self.object(digest).is_file(),
            Kind::Link(_) | Kind::Folder => true,
        };
        content.entries.iter().all(kept)
    }

    /// Keeps what a path holds, and makes sure that it is on the disk.
    ///
    /// # Errors
    /// When a file cannot be copied, or is no longer what `content` says.
    pub fn keep(&self, path: &Path, content: &Content) -> Result<(), StoreError> {
        content.entries.par_iter().try_for_each(|entry| match &entry.kind {
            Kind::File { digest, .. } => self.keep_file(&below(path, &entry.path), digest),
            Kind::Link(_) | Kind::Folder => Ok(()),
        })?;
        self.flush()
    }

    fn keep_file(&self, path: &Path, digest: &Digest) -> Result<(), StoreError> {
        let object = self.object(digest);
        if object.is_file() {
            return Ok(());
        }
        if let Some(shard) = object.parent() {
            fs::create_dir_all(shard).map_err(StoreError::io("make folder", shard))?;
        }
        let temporary = atomic::beside(&object);
        let kept = copy(path, &temporary).and_then(|()| {
            let found = crate::content::read(&temporary)?;
            if found != *digest {
                let expected = digest.to_string();
                return Err(StoreError::Damaged { path: path.to_path_buf(), expected });
            }
            set_mode(&temporary, 0o444)?;
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
                    copy(&self.object(digest), &path)?;
                    set_mode(&path, if *executable { 0o755 } else { 0o644 })
                }
                Kind::Link(target) => link(target, &path),
                Kind::Folder => {
                    fs::create_dir_all(&path).map_err(StoreError::io("make folder", &path))
                }
            }
        })
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
                let _ = fs::remove_file(self.object(digest));
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
        store.keep(&tree, &before).unwrap();
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
        store.keep(&file, &one).unwrap();
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
        store.keep(&file, &before).unwrap();
        let Kind::File { digest, .. } = before.entries[0].kind else { panic!() };
        let object = store.object(&digest);
        set_mode(&object, 0o644).unwrap();
        fs::write(&object, "c0ntent").unwrap();
        let error = store.restore(&before, &file).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert!(!store.has(&before));
        store.keep(&file, &before).unwrap();
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
        assert!(store.keep(&file, &before).is_err());
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
