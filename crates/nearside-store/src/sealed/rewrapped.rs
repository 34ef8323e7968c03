//! A sealed file handed to other keys, in one step.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::Path;

use super::{Identity, Recipient, SealError, rewrap};
use crate::{StoreError, atomic};

/// Seals a file for other recipients instead, and says whether it was: one that is sealed for others, or is no
/// sealed file, stays as it is. Others see it sealed for the one or for the other.
///
/// # Errors
/// When it cannot be read or written.
pub fn rewrap_file(
    path: &Path,
    identity: &Identity,
    recipients: &[Recipient],
) -> Result<bool, StoreError> {
    let temporary = atomic::beside(path);
    let wrapped = || -> Result<(), SealError> {
        let mut from = BufReader::new(File::open(path)?);
        let mut options = File::options();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut to = BufWriter::new(options.write(true).create_new(true).open(&temporary)?);
        rewrap(identity, recipients, &mut from, &mut to)?;
        to.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_data()?;
        Ok(())
    };
    let done = match wrapped() {
        Ok(()) => atomic::replace(&temporary, path).map(|()| true),
        Err(SealError::OtherKey | SealError::Header(_)) => Ok(false),
        Err(error) => Err(StoreError::io("seal", path)(error.into())),
    };
    let _ = fs::remove_file(&temporary);
    done
}
