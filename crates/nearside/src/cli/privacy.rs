//! `nearside privacy`: its arguments.

mod anonymize;
mod audit;
mod certify;
mod erase;
mod release;
mod risk;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use nearside_policy::Class;
use nearside_privacy::anonymize::{Operator, UnknownOperator};
use nearside_privacy::scan::Entity;
use nearside_privacy::scan::entity::UnknownEntity;

pub(crate) use anonymize::{Hiding, Method, Required};
pub(crate) use audit::{
    Audit, AuditCheck, AuditDocument, AuditHead, AuditList, AuditProve, AuditVerify, DocumentName,
    OfProject,
};
pub(crate) use certify::Certify;
pub(crate) use erase::Erase;
pub(crate) use release::{Question, Release};
pub(crate) use risk::{Account, Risk};

/// `nearside privacy`
#[derive(Debug, Subcommand)]
pub(crate) enum Privacy {
    /// What is personal or secret in these files? Exits with 1 where something is, or could not be read
    Scan(PrivacyScan),
    /// Take personal data and secrets out of text, tables and JSON
    Anonymize(Box<Anonymize>),
    /// Which columns of a table tell who a row is about?
    Risk(Risk),
    /// Answers about a dataset with noise, that tell little of any one person, while its budget lasts
    Release(Box<Release>),
    /// What does training with noise spend, or how much noise does it need?
    Account(Account),
    /// Put values back that are in the vault
    Reveal(Reveal),
    /// The signed record of decisions and movements, and documents made of it
    #[command(subcommand)]
    Audit(Audit),
    /// Take a person, or what was made of a dataset, out of all that is kept
    Erase(Erase),
    /// Prove that an artifact is of a lower class than what it was made from
    Certify(Box<Certify>),
}

/// `nearside privacy scan`
#[derive(Debug, Args)]
pub(crate) struct PrivacyScan {
    /// Files and folders; `-` is the standard input
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The class from which on a finding counts: personal or special. Special are numbers of health
    /// care and secrets; statements about health or belief in running text are not looked for
    #[arg(long, value_name = "CLASS", default_value_t = Class::Personal)]
    pub(crate) class: Class,
    /// Only these kinds, such as EMAIL,IBAN; a wrong one lists all
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = kind)]
    pub(crate) only: Vec<Entity>,
    /// Not these kinds
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = kind)]
    pub(crate) without: Vec<Entity>,
    /// How sure a finding has to be, from 0.5 to 0.99
    #[arg(long, default_value_t = 0.5, value_name = "SCORE")]
    pub(crate) score: f64,
    /// Folders below the paths that are not looked into, by name
    #[arg(long, value_name = "NAME")]
    pub(crate) skip_folder: Vec<String>,
    /// The most findings that are listed; all are counted [default: 20, with --json all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Threads [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZero<usize>>,
    /// Writes the findings as SARIF 2.1.0, which code hosts show beside the lines
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
}

/// `nearside privacy anonymize`
#[derive(Debug, Args)]
#[command(after_help = "\
Operators:
  replace    a label with a number of the value: [EMAIL_k7m2q9xw4tzb]
  vault      the label of replace, with the value kept sealed in the vault of the project: privacy reveal
  remove     a label, the same for every value of a kind: [EMAIL]
  mask       a star for every letter and digit; length and signs stay
  hash       sixteen hexadecimal digits, keyed
  surrogate  a value of the same form that belongs to nobody: cards, accounts and numbers of states with
             wrong check digits; telephone numbers, addresses and names look real, and a search finds them
  shift      dates of birth moved by as many days as all of their --subject; others as replace
  keep       the value stays

Examples:
  nearside privacy anonymize data/tickets.csv -o build/tickets.clean.csv
  nearside privacy anonymize chats/ -o chats.clean/ --with hash --for PERSON=replace,PHONE=mask
  nearside privacy anonymize people.csv --drop-column notes --keep-column city --dry-run
  nearside privacy anonymize visits.csv -o out.csv --with surrogate --for DOB=shift --subject patient
  nearside privacy anonymize census.csv -o out.csv --k 10 --quasi age,zip,sex --sensitive income --l 2

A value gets the same pseudonym in every file and run of a project: its key is in the folder of your
configuration, made when it is first needed. Whoever has the key can test guesses, so what comes out
is pseudonymised, not anonymous in the sense of GDPR, until the key is gone. Secrets are always removed.
What comes out is searched again: exit code 1 says that something is left in it.

With --k, a table is made of which every row looks like at least N of them to who knows the quasi-identifiers:
each of these columns is told at one level of its hierarchy, the choice with the least loss of all. Other
columns stay: leave out what names people with --drop-column.")]
pub(crate) struct Anonymize {
    /// A file, or a folder of files: text, CSV, JSON, JSON lines, notebooks
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The result, a folder for a folder; `-` and nothing are stdout
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// What takes the place of values
    #[arg(long, value_name = "OPERATOR", default_value_t = Operator::Replace, value_parser = operator)]
    pub(crate) with: Operator,
    /// What takes the place of values of single kinds, as EMAIL=mask,PERSON=hash
    #[arg(long = "for", value_name = "KIND=OPERATOR", value_delimiter = ',', value_parser = choice)]
    pub(crate) choices: Vec<(Entity, Operator)>,
    /// Only these kinds, and secrets
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub(crate) only: Vec<Entity>,
    /// Leave these kinds as they are
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub(crate) keep: Vec<Entity>,
    /// Leave out columns of a table
    #[arg(long, value_name = "NAME")]
    pub(crate) drop_column: Vec<String>,
    /// Leave the values of columns as they are, but for secrets
    #[arg(long, value_name = "NAME")]
    pub(crate) keep_column: Vec<String>,
    /// The column that says whose dates those of a row are, for shift; else all of a file are moved alike
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// Exit with 1 when something of this class or higher is left: internal, personal, special
    #[arg(long, value_name = "CLASS", default_value_t = Class::Personal)]
    pub(crate) class: Class,
    /// Leave out files that are no plain text, and say which; else nothing is written
    #[arg(long)]
    pub(crate) skip_unreadable: bool,
    /// Whose key makes the pseudonyms: the name of a project, instead of the one around this folder
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// The vault that --with vault fills [default: of the project, .nearside/vault]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) vault: Option<PathBuf>,
    /// Say what would be replaced, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) hiding: Hiding,
}

/// `nearside privacy reveal`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy anonymize tickets.csv -o tickets.masked.csv --with vault
  nearside privacy reveal tickets.masked.csv -o tickets.again.csv

A value comes back in the way of writing in which it was found first. The vault is sealed in the format of
age with a key in the folder of your configuration: without it nobody has anything back. Labels that the
vault does not know stay, and the exit code is 1.")]
pub(crate) struct Reveal {
    /// A file with labels, or a folder of files
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The result, a folder for a folder; `-` and nothing are stdout
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// Whose vault it is: the name of a project, instead of the one around this folder
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// The vault [default: of the project, .nearside/vault]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) vault: Option<PathBuf>,
}

fn operator(text: &str) -> Result<Operator, String> {
    text.parse().map_err(|error: UnknownOperator| {
        let names = Operator::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        format!("{error}: use one of {names}")
    })
}

fn kind(text: &str) -> Result<Entity, String> {
    text.parse().map_err(|error: UnknownEntity| {
        let names = Entity::ALL.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        format!("{error}: kinds are {names}")
    })
}

fn choice(text: &str) -> Result<(Entity, Operator), String> {
    let (name, chosen) =
        text.split_once('=').ok_or_else(|| "write KIND=OPERATOR, as EMAIL=mask".to_owned())?;
    Ok((kind(name.trim())?, operator(chosen.trim())?))
}
