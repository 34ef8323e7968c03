//! How far estimates are from published and measured figures, as the reference tests print it.

use crate::shell::{self, Outcome};

/// Runs the tests of the estimator that hold reference figures, those under its `tests/`, and
/// shows what they print.
pub(crate) fn accuracy() -> Outcome {
    let arguments = ["test", "--package", "nearside-estimate", "--locked", "--test", "*"];
    shell::run(shell::program("cargo").args(arguments).args(["--", "--nocapture"]))
}
