//! Personal data and secrets: where they are, and what may be done with them.
//!
//! [`source`] opens what a path holds, archives and databases too, as streams of text. [`scan`] finds
//! what is in them, [`anonymize`] takes it out.

pub mod anonymize;
pub mod inspection;
pub mod scan;
pub mod source;
