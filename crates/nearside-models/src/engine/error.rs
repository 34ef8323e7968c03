//! Why another program does not answer.

use thiserror::Error;

/// Why there is no answer of another program.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The address is not one of this machine.
    #[error("{address} is no address of this machine: what is asked would leave it")]
    NotHere {
        /// The address.
        address: String,
    },
    /// Nobody answers.
    #[error("nobody answers at {address}: {reason}")]
    Silent {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
    /// It wants a token, or another one.
    #[error("{address} lets nobody in without its token{}", if *given { ", and it is another one" } else { "" })]
    Token {
        /// The address.
        address: String,
        /// Whether one was given.
        given: bool,
    },
    /// What was given is no token.
    #[error(
        "what is to be told to {address} is no token: it is empty, or has signs that no token has"
    )]
    NoToken {
        /// The address.
        address: String,
    },
    /// The model is computed by somebody else.
    #[error("{address} has {name} not here but at {host}: what is asked would leave this machine")]
    Remote {
        /// The address.
        address: String,
        /// The model.
        name: String,
        /// Who computes it.
        host: String,
    },
    /// Somebody answers who computes no models.
    #[error("what answers at {address} is no server of models that is known here")]
    Unknown {
        /// The address.
        address: String,
    },
    /// There is no such model.
    #[error("{address} has no model {name}: {}", those(there))]
    NoModel {
        /// The address.
        address: String,
        /// The model.
        name: String,
        /// Those that are there.
        there: Vec<String>,
    },
    /// It says no.
    #[error("{address} answers {status}: {told}")]
    Refused {
        /// The address.
        address: String,
        /// Its code, such as 400.
        status: u16,
        /// What it says.
        told: String,
    },
    /// The answer ends in the middle, or is none.
    #[error("the answer of {address} cannot be read: {reason}")]
    Unread {
        /// The address.
        address: String,
        /// Why.
        reason: String,
    },
}

fn those(names: &[String]) -> String {
    match names {
        [] => "it has none".to_owned(),
        names => format!("it has {}", names.join(", ")),
    }
}
