//! stub
use crate::cli::Plan;
use crate::error::CommandError;
use crate::output::{Outcome, Output};
pub(super) fn run(_arguments: &Plan, _output: &Output) -> Result<Outcome, CommandError> {
    Ok(Outcome::Done)
}
