//! Reading what stands on the network: an address in, bytes out. Nothing but the address is sent, and a token
//! where the caller has one for that host.
//!
//! Only `https` is spoken, and `http` with this machine itself. Certificates are checked against those that
//! the operating system trusts; proxies are those of the environment (`HTTPS_PROXY`). What comes is read as
//! a stream, no further than a stated number of bytes.
//!
//! - [`get`] reads what stands at an address.
//! - [`head`] asks what would come, without reading it.
//! - [`download`] makes a file of it: goes on where an earlier attempt ended, and checks every byte.
//! - [`ask_here`] talks with a server on this machine itself, which may be told more.
//! - [`Secret`] is a token, which never leaves for another host than its own.

mod address;
mod agent;
mod digest;
mod download;
mod error;
mod get;
mod head;
mod local;
mod secret;

pub use address::{host, is_address, is_here};
pub use digest::{FileDigest, NoFileDigest};
pub use download::{
    Doing, Downloaded, Expected, Progress, Source, Target, download, partial, room_left,
};
pub use error::FetchError;
pub use get::{get, get_with};
pub use head::{Head, head};
pub use local::{LocalAnswer, Patience, ask_here};
pub use secret::{NoSecret, Secret};
