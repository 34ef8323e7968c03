//! `nearside privacy`: what is personal or secret, and keeping it at home.

mod account;
pub(crate) mod anonymize;
mod around;
mod audit;
mod certify;
mod erase;
mod output_path;
mod release;
mod reveal;
mod risk;
pub(crate) mod scan;
mod table;

pub(crate) use account::AccountAnswer;
pub(crate) use audit::{
    AuditCheckAnswer, AuditDocumentAnswer, AuditHeadAnswer, AuditListAnswer, AuditVerifyAnswer,
};
pub(crate) use certify::{CertificatesAnswer, CertifyAnswer, VerifyAnswer};
pub(crate) use erase::EraseAnswer;
pub(crate) use release::ReleaseAnswer;
pub(crate) use reveal::RevealAnswer;
pub(crate) use risk::RiskAnswer;
pub(crate) use scan::PrivacyScanAnswer;

use crate::cli::Privacy;
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Privacy, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Privacy::Scan(wanted) => scan::run(wanted, output),
        Privacy::Anonymize(arguments) => anonymize::run(arguments, output),
        Privacy::Risk(arguments) => risk::run(arguments, output),
        Privacy::Release(arguments) => release::run(arguments, output),
        Privacy::Account(arguments) => account::run(arguments, output),
        Privacy::Reveal(arguments) => reveal::run(arguments, output),
        Privacy::Audit(arguments) => audit::run(arguments, output),
        Privacy::Erase(arguments) => erase::run(arguments, output),
        Privacy::Certify(arguments) => certify::run(arguments, output),
    }
}
