//! `nearside privacy audit`: its arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use nearside_policy::Class;

/// `nearside privacy audit`
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Is the record what was recorded and signed? Exits with 1 where not
    Verify(AuditVerify),
    /// Sign a head that stands for everything recorded so far, and print it
    Head(AuditHead),
    /// What was decided about data, and where it went
    List(AuditList),
    /// Prove one entry to somebody who does not have the record
    Prove(AuditProve),
    /// Check such a proof; no record is needed
    Check(AuditCheck),
    /// A document made of facts: what is recorded, what the project file says, what a scan finds
    Document(AuditDocument),
}

/// `nearside privacy audit verify`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy audit verify
  nearside privacy audit verify --head kept/2026-11-01.head

A record cannot show by itself that its newest entries are gone, nor that somebody who may write it made all of it anew,
with keys of their own. For that a head has to be kept elsewhere: in a commit, a mail, at a second site.")]
pub(crate) struct AuditVerify {
    /// Heads that were kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) of: OfProject,
}

/// `nearside privacy audit head`
#[derive(Debug, Args)]
pub(crate) struct AuditHead {
    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) of: OfProject,
}

/// `nearside privacy audit list`
#[derive(Debug, Args)]
pub(crate) struct AuditList {
    /// Of this class or a higher one: internal, personal, special
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: Option<Class>,
    /// Of this stage
    #[arg(long, value_name = "NAME")]
    pub(crate) stage: Option<String>,
    /// To this site
    #[arg(long, value_name = "SITE")]
    pub(crate) to: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfProject,
}

/// `nearside privacy audit prove`
#[derive(Debug, Args)]
pub(crate) struct AuditProve {
    /// The number of the entry
    pub(crate) entry: u64,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) of: OfProject,
}

/// `nearside privacy audit check`
#[derive(Debug, Args)]
pub(crate) struct AuditCheck {
    /// The proof
    pub(crate) proof: PathBuf,
    /// The key that has to have signed, as hexadecimal digits [default: the one that the proof names]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// `nearside privacy audit document`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy audit document gdpr-30
  nearside privacy audit document hipaa -o hipaa.md
  nearside privacy audit document pci --json

What nobody stated is said to be so: purposes, retention and the like belong into [policy.record] of
nearside.toml. These documents are material for those who decide; none of them says that a law is kept.")]
pub(crate) struct AuditDocument {
    /// Which
    #[arg(value_enum)]
    pub(crate) document: DocumentName,
    /// Write it to a file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) of: OfProject,
}

/// Which project, or which of its records.
#[derive(Debug, Args)]
pub(crate) struct OfProject {
    /// Project folder or file
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub(crate) project: PathBuf,
    /// Of rehearsals
    #[arg(long)]
    pub(crate) rehearsal: bool,
}

/// A document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentName {
    /// The record of processing activities, GDPR article 30 (1)
    #[value(name = "gdpr-30")]
    Gdpr30,
    /// What an impact assessment needs, GDPR article 35 (7)
    #[value(name = "gdpr-35")]
    Gdpr35,
    /// The 18 identifiers of HIPAA Safe Harbor, 45 CFR 164.514 (b)(2)
    #[value(name = "hipaa")]
    Hipaa,
    /// Where payment card numbers lie, PCI DSS requirement 3
    #[value(name = "pci")]
    Pci,
}
