//! What the file did not say and was assumed instead.

/// A value that nobody stated, and why it is a fair one. Shown by `--explain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The key it stands for, as in `site.here.life`.
    pub what: String,
    /// The value taken, as it could be written in the file.
    pub value: String,
    /// Why.
    pub why: String,
}
