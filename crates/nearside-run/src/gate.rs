//! Who holds stages to what they promise: asked after a stage has ended well and before any other stage
//! reads what it made.

use std::fmt;

use crate::Job;

/// Looks at what a job made. It is asked on a thread of its own, so that others go on meanwhile.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Whether there is anything to look at.
    fn guards(&self, job: &Job) -> bool;

    /// Lets others read what a job made.
    ///
    /// # Errors
    /// Why they may not.
    fn pass(&self, job: &Job) -> Result<(), Refused>;
}

/// Why what a job made may not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// In a line.
    pub why: String,
    /// Each thing that speaks against it.
    pub lines: Vec<String>,
}
