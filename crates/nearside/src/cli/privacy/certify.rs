//! `nearside privacy certify`: its arguments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nearside_policy::Class;

use super::Required;

/// `nearside privacy certify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy certify build/tickets.clean.csv
  nearside privacy certify build/tickets.clean.csv --verify
  nearside privacy certify build/census.csv --k 10 --quasi age,zip,sex
  nearside privacy certify build/novel.txt --expert --reason 'people of a novel' --approver 'A. Roth'
  nearside privacy certify --list

An artifact is looked into to its end. Where nothing in it is above the class, a signed certificate for
exactly this content goes into the ledger; else kind and place of what speaks against it are listed, never
the values, and the exit code is 1. Your key is in your configuration folder and never leaves it.")]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent switch of the command line"
)]
pub(crate) struct Certify {
    /// The file or folder
    #[arg(required_unless_present_any = ["list", "rotate", "revoke"])]
    pub(crate) artifact: Option<PathBuf>,
    /// The class that it is to have
    #[arg(long, value_enum, default_value_t = ClassName::Internal)]
    pub(crate) class: ClassName,
    /// By a person's decision, whatever a scan finds; secrets excepted
    #[arg(long, requires_all = ["reason", "approver"], conflicts_with = "k")]
    pub(crate) expert: bool,
    /// Why it was decided, or why a key is revoked
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: Option<String>,
    /// Who decided
    #[arg(long, value_name = "NAME", requires = "expert", value_parser = said)]
    pub(crate) approver: Option<String>,
    #[command(flatten)]
    pub(crate) required: Required,
    /// Is there a certificate, and does it still hold? Exits with 1 where not
    #[arg(long, requires = "artifact", conflicts_with = "expert")]
    pub(crate) verify: bool,
    /// Every certificate and key of the project
    #[arg(long, conflicts_with_all = ["artifact", "rotate", "revoke"])]
    pub(crate) list: bool,
    /// Sign with a new key from now on; what was signed stays valid
    #[arg(long, conflicts_with_all = ["artifact", "revoke"])]
    pub(crate) rotate: bool,
    /// Believe nothing that this key signed any more
    #[arg(long, value_name = "KEY", requires = "reason", conflicts_with = "artifact")]
    pub(crate) revoke: Option<String>,
    /// Project folder or file
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
    /// Of rehearsals
    #[arg(long)]
    pub(crate) rehearsal: bool,
}

/// A text that says something.
fn said(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it says nothing".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A class of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassName {
    /// Anyone may see it
    Public,
    /// Ours, about nobody in particular
    Internal,
    /// About people
    Personal,
}

impl From<ClassName> for Class {
    fn from(class: ClassName) -> Self {
        match class {
            ClassName::Public => Self::Public,
            ClassName::Internal => Self::Internal,
            ClassName::Personal => Self::Personal,
        }
    }
}
