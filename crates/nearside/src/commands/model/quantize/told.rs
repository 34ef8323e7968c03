//! What went wrong, whose fault it is, and what to do about it.

use nearside_models::ModelError;
use nearside_models::file::WriteError;
use nearside_models::quantize::QuantizeError;

use crate::error::{CommandError, Fault};

/// The error as this program tells it.
pub(super) fn told(error: &QuantizeError) -> CommandError {
    let fault = match error {
        QuantizeError::Write(WriteError::Io(_) | WriteError::Store(_)) => Fault::World,
        QuantizeError::Model(ModelError::Read { error, .. })
        | QuantizeError::File { error, .. }
            if error.kind() != std::io::ErrorKind::NotFound =>
        {
            Fault::World
        }
        QuantizeError::KeepsNothing { .. } => Fault::Usage,
        _ => Fault::Input,
    };
    let told = CommandError::new(fault, error.to_string());
    match hint(error) {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

fn hint(error: &QuantizeError) -> Option<String> {
    Some(match error {
        QuantizeError::Requantized { .. } => {
            "take the model in F16, BF16 or Q8_0; --allow-requantize does it all the same"
                .to_owned()
        }
        QuantizeError::Unweighted { .. } => {
            "--importance-from TEXT finds weights, --importance FILE takes those of a file"
                .to_owned()
        }
        QuantizeError::KeepsNothing { .. } => {
            "names are those of GGUF, as in blk.0.ffn_down.weight; * stands for anything".to_owned()
        }
        QuantizeError::Model(ModelError::NoModel { .. }) => {
            "a .gguf file, or a folder with config.json and safetensors".to_owned()
        }
        QuantizeError::Unconvertible { .. } => {
            "convert_hf_to_gguf.py of llama.cpp knows other families; what it writes is quantized here"
                .to_owned()
        }
        _ => return None,
    })
}
