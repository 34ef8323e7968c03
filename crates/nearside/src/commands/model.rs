//! `nearside model`: open models, from fetching them to answering with them. One file per verb.

mod fault;
mod list;
mod pull;
mod quantize;

pub(crate) use list::ListAnswer;
pub(crate) use pull::PullAnswer;
pub(crate) use quantize::QuantizeAnswer;

use crate::cli::Model;
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Model, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Model::Pull(arguments) => pull::run(arguments, output),
        Model::List => list::run(output),
        Model::Quantize(arguments) => quantize::run(arguments, output),
    }
}
