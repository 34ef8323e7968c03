//! Personal data taken out of texts and tables, secrets always.
//!
//! What the scan finds is replaced by what an [`Operator`] writes ([`Pseudonyms`]), in any text, in the
//! cells of a table and in the values of JSON, which stay a table and JSON. A [`Job`] reads its files
//! twice, in bounded memory, and writes nothing unless all of them could be read; then it searches
//! what it wrote. [`Reveal`] puts values back that are in a vault.

mod echo;
mod error;
mod job;
mod layout;
mod operator;
mod placed;
mod pseudonym;
mod reveal;
mod rewrite;
mod rows;
mod secret_key;
mod shift;
mod spool;
mod surrogate;
#[cfg(test)]
mod tests;
mod text;

pub use error::{AnonymizeError, Unreadable};
pub use job::{Anonymized, AnonymizedFile, Job, Unread};
pub use operator::{Operator, Rules, UnknownOperator};
pub(crate) use pseudonym::HASH_DIGITS;
pub use pseudonym::Pseudonyms;
pub use reveal::{Reveal, Revealed, RevealedFile};
pub use secret_key::SecretKey;
