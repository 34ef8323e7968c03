//! `nearside privacy`: keeping personal data at home.

pub(crate) mod anonymize;

use crate::cli::Privacy;
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Privacy, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Privacy::Anonymize(arguments) => anonymize::run(arguments, output),
    }
}
