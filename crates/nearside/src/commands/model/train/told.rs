//! What went wrong, whose fault it is, and what to do about it.

use nearside_models::file::WriteError;
use nearside_models::train::TrainError;

use crate::error::{CommandError, Fault};

/// The error as this program tells it.
pub(super) fn told(error: &TrainError) -> CommandError {
    let fault = match error {
        TrainError::File { .. } | TrainError::Write(WriteError::Io(_) | WriteError::Store(_)) => {
            Fault::World
        }
        TrainError::Asked { .. } => Fault::Usage,
        TrainError::NoGradient { .. } | TrainError::Product { .. } | TrainError::Batch { .. } => {
            Fault::Bug
        }
        _ => Fault::Input,
    };
    let told = CommandError::new(fault, error.to_string());
    match error {
        TrainError::TooShort { .. } => {
            told.hint("more text, or a smaller --context; the last tenth of every text is held out")
        }
        TrainError::NotFinite { .. } => told.hint("a smaller --learning-rate"),
        _ => told,
    }
}
