//! Open models: their files, and what they compute.

pub mod block;
mod bytes;
mod cache;
mod decoder;
mod error;
pub mod file;
pub mod kernel;
mod matrix;
mod numerics;
mod stored;
mod unchecked;

pub use bytes::Bytes;
pub use cache::Cache;
pub use decoder::{DecoderModel, Segment, Wanted};
pub use error::ModelError;
pub use kernel::Precision;
pub use matrix::Matrix;
pub use numerics::{Numerics, Pairs, Rope, Scaling};
pub use stored::{Naming, Part, StoredModel, StoredTensor};
