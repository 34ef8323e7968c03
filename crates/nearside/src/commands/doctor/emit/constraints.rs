//! `constraints.txt`: the versions that were found, beside a `pyproject.toml` that is a person's and
//! stays as it is.
//!
//! Sources: pip's user guide, "Constraints Files"; uv's reference, `uv pip install --constraints` (uv
//! reads `constraint-dependencies` of a project from its `pyproject.toml` alone).

use super::{Emission, pyproject};

/// How uv installs a project with them.
pub(super) const WITH_UV: &str =
    "uv pip install --constraints constraints.txt --requirements pyproject.toml";

/// The file.
pub(super) fn rendered(emission: &Emission) -> String {
    let pins: String = pyproject::pins(emission).iter().map(|pin| format!("{pin}\n")).collect();
    format!(
        "# Written by `nearside doctor --emit`: the versions that were found here. Either installs the project\n\
         # with them:\n\
         #   {WITH_UV}\n\
         #   pip install --constraint constraints.txt .\n{pins}"
    )
}
