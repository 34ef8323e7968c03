//! Documents that a command writes beside its answer.

use std::path::Path;

use super::Output;
use crate::error::{CommandError, Fault};

/// Writes a file whole or not at all, and says so.
pub(crate) fn put(file: &Path, bytes: &[u8], output: &Output) -> Result<(), CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        CommandError::new(Fault::World, format!("cannot write {}: {error}", file.display()))
    };
    // A link stays one, and a device is written to, not replaced.
    let target = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let device = std::fs::metadata(&target).is_ok_and(|it| !it.is_file() && !it.is_dir());
    match device {
        true => std::fs::write(&target, bytes).map_err(|error| failed(&error))?,
        false => nearside_store::atomic::write(&target, bytes).map_err(|error| failed(&error))?,
    }
    output.hint(&format!("{} is written", file.display()));
    Ok(())
}
