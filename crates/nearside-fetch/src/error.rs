//! What can go wrong on the way from an address to a file.

use std::path::PathBuf;

use thiserror::Error;

/// Why nothing was read, or no file made. No message holds a token, nor the part of an address that may be a
/// signature.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The address is none, or not one that is spoken to.
    #[error("{url}: only https addresses are read, and http of this machine itself")]
    Address {
        /// The address.
        url: String,
    },
    /// The address is not one of this machine.
    #[error("{url}: only addresses of this machine are spoken to, such as http://127.0.0.1:8080")]
    NotHere {
        /// The address.
        url: String,
    },
    /// The server says no.
    #[error("{url}: the server answers {status}")]
    Status {
        /// The address.
        url: String,
        /// Its code, such as 404.
        status: u16,
        /// The server's own word for it (`X-Error-Code`), where it has one.
        word: Option<String>,
    },
    /// It cannot be reached.
    #[error("{url}: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// What came has another length than it should have.
    #[error("{url}: has {found} bytes instead of {expected}: nothing of it is kept")]
    Length {
        /// The address.
        url: String,
        /// Bytes that it should have.
        expected: u64,
        /// Bytes that came or were announced.
        found: u64,
    },
    /// What came has another digest than it should have.
    #[error("{url}: what came has the digest {found} instead of {expected}: nothing of it is kept")]
    Digest {
        /// The address.
        url: String,
        /// The digest that it should have.
        expected: String,
        /// The one it has.
        found: String,
    },
    /// The disk is too small.
    #[error("{}: {needed} bytes are needed and {left} are free", folder.display())]
    Room {
        /// The folder on that disk.
        folder: PathBuf,
        /// Bytes that are still to come.
        needed: u64,
        /// Bytes that are free.
        left: u64,
    },
    /// The disk says no.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The caller wanted an end. What came so far stays, and the next download goes on from there.
    #[error("{url}: interrupted")]
    Interrupted {
        /// The address.
        url: String,
    },
}
