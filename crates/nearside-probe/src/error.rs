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
    /// What should be measured is not there, or shows nothing.
    #[error("cannot measure {subject}: {why}")]
    Subject {
        /// The process or the control group.
        subject: String,
        /// Why not.
        why: String,
    },
    /// The meter's thread could not be started.
    #[error("cannot start a thread for the meter")]
    Meter {
        /// What the operating system said.
        source: io::Error,
    },
    /// The process that is measured could not be waited for.
    #[error("cannot wait for the process that is measured")]
    Wait {
        /// What the operating system said.
        source: io::Error,
    },
    /// The meter's thread has ended by itself.
    #[error("the meter's thread has died: this is a fault of nearside")]
    MeterDied,
}
