//! Files by their content: digests that are remembered, writes that happen whole or not at all, and
//! a store that keeps what was made once.
//!
//! - [`Digest`] names content; [`Fields`] makes one of several values that cannot run together.
//! - [`Content`] is what a file or folder holds, entry by entry.
//! - [`Memo`] remembers digests of files that have not changed since, so that unchanged data is not
//!   read again.
//! - [`Store`] keeps content by its digest and puts it back in one step.
//! - [`sealed`] files are read by the holder of a key alone.
//! - [`atomic`] writes a file so that others see the old one or the new one.
//!
//! The caller says where everything is: this crate reads no environment.

pub mod atomic;
mod content;
mod digest;
mod error;
mod memo;
pub mod sealed;
mod store;
mod sweep;

pub use content::{Content, Entry, Kind, Reader};
pub use digest::{Digest, Fields, NoDigest};
pub use error::StoreError;
pub use memo::Memo;
pub use store::{AtRest, Keys, Store};
pub use sweep::Object;
