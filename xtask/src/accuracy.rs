//! How far estimates are from published and measured figures: the example `accuracy` of the estimator.

use crate::shell::{self, Outcome, root};

/// Scores the project's own rows and writes `docs/accuracy.md`; with `--rows FILE` those of a file.
pub(crate) fn accuracy(arguments: &[&str]) -> Outcome {
    let example = ["--package", "nearside-estimate", "--example", "accuracy"];
    let build = ["run", "--release", "--quiet", "--locked"];
    let mut command = shell::program("cargo");
    // Files are named from where the developer stands, and programs run in the root.
    let here = std::env::current_dir().unwrap_or_else(|_| root().to_owned());
    let mut names_file = false;
    let words = arguments.iter().map(|word| {
        let path = std::mem::replace(&mut names_file, *word == "--rows");
        if path { here.join(word).into_os_string() } else { (*word).into() }
    });
    shell::run(command.args(build).args(example).arg("--").args(words))
}
