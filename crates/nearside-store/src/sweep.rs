//! What a store holds, and taking things out of it.

use std::fs;

use nearside_units::Bytes;

use crate::sealed::{Identity, Recipient, rewrap_file};
use crate::store::SEALED;
use crate::{Digest, Store, StoreError, atomic};

/// A file that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: Bytes,
}

impl Store {
    /// Every file that is kept, in the order of the digests. What a killed process left half written is
    /// no file that is kept.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn list(&self) -> Result<Vec<Object>, StoreError> {
        let mut found = Vec::new();
        if !self.objects.is_dir() {
            return Ok(found);
        }
        let shards = fs::read_dir(&self.objects);
        for shard in shards.map_err(StoreError::io("read", &self.objects))?.flatten() {
            let (name, path) = (shard.file_name(), shard.path());
            if !path.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&path).map_err(StoreError::io("read", &path))?.flatten() {
                let (first, rest) = (name.to_string_lossy(), entry.file_name());
                let rest = rest.to_string_lossy();
                let rest = rest.strip_suffix(SEALED).unwrap_or(&rest);
                let digest = format!("{first}{rest}").parse().ok();
                if let (Some(digest), Ok(metadata)) = (digest, entry.metadata()) {
                    found.push(Object { digest, bytes: Bytes::new(metadata.len()) });
                }
            }
        }
        found.sort_by_key(|object| object.digest.to_string());
        Ok(found)
    }

    /// Hands everything that is sealed to other recipients, and says how many files it was and how many are
    /// sealed for others.
    ///
    /// # Errors
    /// When a file cannot be read or written; those before it are handed over.
    pub fn rewrap(
        &self,
        identity: &Identity,
        recipients: &[Recipient],
    ) -> Result<(u64, u64), StoreError> {
        let (mut handed, mut left) = (0, 0);
        for object in self.list()? {
            let sealed = self.sealed_object(&object.digest);
            if sealed.is_file() {
                match rewrap_file(&sealed, identity, recipients)? {
                    true => handed += 1,
                    false => left += 1,
                }
            }
        }
        Ok((handed, left))
    }

    /// Removes a file; one that is not there is fine.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        atomic::remove(&self.object(digest))?;
        atomic::remove(&self.sealed_object(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AtRest, Memo, Reader};

    #[test]
    fn what_is_kept_is_listed_and_can_be_removed() {
        let folder = crate::store::tests::scratch("sweep");
        let store = Store::at(&folder.join("store"));
        assert_eq!(store.list().unwrap(), []);
        let keep = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            let content = Reader::new(&Memo::default()).content(&path).unwrap();
            store.keep(&path, &content, AtRest::Plain).unwrap();
            content
        };
        let (one, other) = (keep("one", "1"), keep("other", "22"));
        let objects = folder.join("store/objects");
        fs::create_dir_all(objects.join("aa")).unwrap();
        fs::write(atomic::beside(&objects.join("aa/half")), "half").unwrap();
        fs::write(objects.join("no shard"), "").unwrap();
        let objects = store.list().unwrap();
        assert_eq!(objects.iter().map(|object| object.bytes.get()).sum::<u64>(), 3);
        let small = objects.iter().find(|object| object.bytes.get() == 1).unwrap();
        store.remove(&small.digest).unwrap();
        store.remove(&small.digest).unwrap();
        assert!(!store.has(&one) && store.has(&other));
    }
}
