//! `nearside privacy`: keeping personal data at home.

mod certify;

pub(crate) use certify::{CertificatesAnswer, CertifyAnswer, VerifyAnswer};

use crate::cli::Privacy;
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Privacy, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Privacy::Certify(arguments) => certify::run(arguments, output),
    }
}
