//! One run of a project at a time.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::RunError;

/// Held while a project is run; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock of a record.
    pub(crate) fn take(folder: &Path) -> Result<Self, RunError> {
        fs::create_dir_all(folder).map_err(RunError::io("make folder", folder))?;
        let path = folder.join("run.lock");
        let refused = |error| RunError::io("lock", &path)(error);
        let mut options = File::options();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut process = String::new();
                let _ = file.read_to_string(&mut process);
                return Err(RunError::Busy { process: process.trim().to_owned() });
            }
            Err(fs::TryLockError::Error(error)) => return Err(refused(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(refused)?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}
