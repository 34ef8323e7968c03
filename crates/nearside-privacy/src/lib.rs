//! Personal data and secrets: where they are, and what may be done with them.
//!
//! [`source`] opens what a path holds, archives and databases too, as streams of text. [`scan`] finds
//! what is in them, [`anonymize`] takes it out.
//!
//! [`artifact`] looks into one file or folder to the end, and fails closed; [`key`] signs what it
//! turned out to be, and [`rules`] says by what it was judged.
//!
//! [`tabular`] makes tables fit to travel, [`release`] answers about them with noise, and [`accountant`] says what
//! training with noise spends.

pub mod accountant;
pub mod anonymize;
pub mod artifact;
pub mod inspection;
pub mod key;
pub mod listing;
pub mod release;
pub mod rules;
pub mod scan;
pub mod sealing_key;
mod secret_file;
pub mod source;
pub mod subject;
pub mod tabular;
pub mod vault;
