//! Models of a hub: what they are called, what a repository has, and a cache of what was fetched.
//!
//! The hub is that of Hugging Face or one that answers as it does; the cache has the layout of its
//! `huggingface_hub`, so that what one program fetched is there for all. The caller says where everything is and
//! which variables are set: this module reads no environment.
//!
//! - [`ModelReference`] is what a person writes: `org/name`, `org/name@v2`, `org/name:Q4_K_M`.
//! - [`Endpoint`] is the hub, with a token where there is one.
//! - [`Cache`] is the folder of what was fetched.
//! - [`pull`] makes a model be there, whole and checked.
//!
//! Source of layout, names of variables and answers: `huggingface_hub` 2.4.0 (`file_download.py`, `constants.py`,
//! `utils/_cache_manager.py`, `utils/_http.py`).

mod cache;
mod endpoint;
mod error;
mod index;
mod listing;
mod names;
mod pull;
mod reference;
mod selection;

pub use cache::{Cache, CachedModel, CachedRevision, Format, Locations, Snapshot, SnapshotFile};
pub use endpoint::{Endpoint, PUBLIC_HUB};
pub use error::{GgufChoice, HubError};
pub use listing::{Listing, RemoteFile};
pub use names::{Commit, NameError, RepoPath, Repository, Revision};
pub use pull::{PlannedFile, Pull, PullProgress, Pulled, PulledFile, State, plan, pull};
pub use reference::{Choice, ModelReference, ReferenceError};
pub(crate) use selection::is_pickle;
