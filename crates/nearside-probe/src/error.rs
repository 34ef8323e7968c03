//! What keeps a machine from being asked at all; a single unreadable value is unknown, no error.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why nothing could be found out.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The root of the machine is not a folder that can be listed.
    #[error("cannot read the machine below {}", path.display())]
    Root {
        /// The root that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
