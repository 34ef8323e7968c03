//! `nearside model`: open models, from fetching them to answering with them. One file per verb.

mod bench;
mod chat;
mod engines;
mod generate;
mod inspect;
mod list;
mod pace;
mod parity;
mod pull;
mod quantize;
mod serve;
mod train;

pub(crate) use bench::{BenchAnswer, BenchElsewhereAnswer};
pub(crate) use chat::ChatAnswer;
pub(crate) use engines::EnginesAnswer;
pub(crate) use generate::GenerateAnswer;
pub(crate) use inspect::InspectAnswer;
pub(crate) use list::ListAnswer;
pub(crate) use parity::ParityAnswer;
pub(crate) use pull::PullAnswer;
pub(crate) use quantize::QuantizeAnswer;
pub(crate) use serve::ServeAnswer;
pub(crate) use train::TrainAnswer;

use crate::cli::Model;
use crate::error::CommandError;
use crate::output::{Outcome, Output};

pub(super) fn run(arguments: &Model, output: &Output) -> Result<Outcome, CommandError> {
    match arguments {
        Model::Pull(arguments) => pull::run(arguments, output),
        Model::List => list::run(output),
        Model::Inspect(arguments) => inspect::run(arguments, output),
        Model::Generate(arguments) => generate::run(arguments, output),
        Model::Chat(arguments) => chat::run(arguments, output),
        Model::Serve(arguments) => serve::run(arguments, output),
        Model::Bench(arguments) => bench::run(arguments, output),
        Model::Engines(arguments) => engines::run(arguments, output),
        Model::Parity(arguments) => parity::run(arguments, output),
        Model::Quantize(arguments) => quantize::run(arguments, output),
        Model::Train(arguments) => train::run(arguments, output),
    }
}
