//! `nearside privacy erase`: its arguments.

use std::path::PathBuf;

use clap::Args;

/// `nearside privacy erase`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearside privacy erase --dataset tickets
  nearside privacy erase --subject request.txt --reason 'request of 2026-11-27' --yes
  printf 'Anna Roth\\nanna.roth@mail.example.org\\n' | nearside privacy erase --subject -

A person is stated line by line, in a file or on the standard input: names, addresses, numbers, in every way
of writing that may occur. Whatever holds one of them, or the pseudonym of one, goes: results in the cache, outputs, logs,
values in the vault, rehearsals. Of a dataset, everything goes that stages made of it and that has its class still; what a
certificate says to be lower stays. Your own datasets are left alone and named. The ledger keeps digests of what went, when and
why. Without --yes nothing is removed.")]
pub(crate) struct Erase {
    /// A dataset of the project
    #[arg(long, value_name = "NAME", required_unless_present = "subject")]
    pub(crate) dataset: Option<String>,
    /// A file that says who, a line each; `-` is the standard input
    #[arg(long, value_name = "FILE", conflicts_with = "dataset")]
    pub(crate) subject: Option<PathBuf>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Remove it
    #[arg(long)]
    pub(crate) yes: bool,
    /// Project folder or file
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}
