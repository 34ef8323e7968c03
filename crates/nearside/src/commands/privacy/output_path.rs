//! Where a changed copy of files comes from and goes to, and what speaks against it.

use std::path::{Path, PathBuf};

use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Form, Output};

/// Where a copy comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends<'a> {
    /// A file, or a folder of files.
    pub(super) input: &'a Path,
    /// What was stated.
    pub(super) output: Option<&'a Path>,
    /// Whether nothing is to be written.
    pub(super) dry_run: bool,
}

impl<'a> Ends<'a> {
    /// The file or folder that the result goes to; [`None`] is stdout.
    pub(super) fn target(&self) -> Option<&'a Path> {
        self.output.filter(|output| *output != Path::new("-"))
    }

    /// Complains about ends that do not go together.
    pub(super) fn check(&self, output: &Output) -> Result<(), CommandError> {
        let usage =
            |message: &str, hint: &str| Err(CommandError::new(Fault::Usage, message).hint(hint));
        let Some(target) = self.target() else {
            if self.dry_run {
                return Ok(());
            }
            if self.input.is_dir() {
                return usage("a folder needs a folder for the result", "add -o FOLDER");
            }
            if output.form == Form::Json {
                return usage("stdout cannot hold the result and the report", "add -o FILE");
            }
            return Ok(());
        };
        let real = |path: &Path| path.canonicalize().ok();
        let input = real(self.input);
        if input.is_some() && input == real(target) {
            return usage("the result would take the place of the input", "name another -o");
        }
        let around =
            target.ancestors().skip(1).find_map(|folder| match folder.as_os_str().is_empty() {
                true => real(Path::new(".")),
                false => real(folder),
            });
        match (input, around) {
            (Some(input), Some(around)) if input.is_dir() && around.starts_with(&input) => {
                usage("the result would be part of the input", "name an -o outside of it")
            }
            _ => Ok(()),
        }
    }

    /// Where files without a name are made: on the disk of the result, where there is a result.
    pub(super) fn scratch(&self) -> PathBuf {
        let target = self.target().filter(|_| !self.dry_run);
        let around =
            target.into_iter().flat_map(|target| target.ancestors().skip(1)).find_map(|folder| {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                folder.is_dir().then(|| folder.to_path_buf())
            });
        around.unwrap_or_else(environment::temporary_folder)
    }
}

/// Says that a result is there.
pub(super) fn written(target: &Path, output: &Output) {
    output.hint(&format!("{} is written", target.display()));
}
