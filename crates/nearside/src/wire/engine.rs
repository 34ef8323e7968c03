//! Other programs that compute models on this machine, as this person names them.

use std::path::Path;

use nearside_models::engine::{Engine, EngineError, Program};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Elsewhere;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::wire;

/// The variable by which Ollama and its clients know where it listens.
const OLLAMA: &str = "OLLAMA_HOST";
/// The port of an address of Ollama that names none.
const OLLAMA_PORT: &str = "11434";

/// A program that computed instead of this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct EngineView {
    /// `ollama`, `llama-server`, `vllm`, `lm-studio`, `nearside`, or `other`.
    pub(crate) program: String,
    /// Where it answers.
    pub(crate) address: String,
    /// Its version, where it says so.
    pub(crate) version: Option<String>,
}

impl EngineView {
    pub(crate) fn of(engine: &Engine) -> Self {
        Self {
            program: engine.program.name().to_owned(),
            address: engine.address.clone(),
            version: engine.version.clone(),
        }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version} at {}", self.program, self.address),
            None => format!("{} at {}", self.program, self.address),
        }
    }
}

/// The program that is to compute, if it is not this one.
pub(crate) fn instead(elsewhere: &Elsewhere) -> Result<Option<Engine>, CommandError> {
    let engine = elsewhere.engine.as_deref();
    engine.map(|engine| open(engine, elsewhere.engine_token.as_deref())).transpose()
}

/// The program of a name or an address.
pub(crate) fn open(name: &str, token: Option<&Path>) -> Result<Engine, CommandError> {
    let token = token.map(wire::read_text).transpose()?;
    let known = Program::KNOWN.into_iter().find(|program| program.name() == name);
    let address = known.map_or_else(|| full(name), address);
    let engine = Engine::at(&address, token.as_deref()).map_err(|error| told(&error))?;
    match known.filter(|known| *known != engine.program) {
        None => Ok(engine),
        Some(known) => {
            let message = format!("no {} but {}", known.name(), EngineView::of(&engine).text());
            Err(CommandError::new(Fault::World, message)
                .hint("nearside model engines shows who answers; name its address instead"))
        }
    }
}

/// Those that answer where programs listen unless told otherwise, and errors of those that do but cannot be used.
pub(crate) fn found() -> (Vec<Engine>, Vec<EngineError>) {
    let mut addresses: Vec<_> = Program::KNOWN.into_iter().map(address).collect();
    addresses.sort();
    addresses.dedup();
    let (mut engines, mut errors) = (Vec::new(), Vec::new());
    for address in addresses {
        match Engine::at(&address, None) {
            Ok(engine) => engines.push(engine),
            Err(EngineError::Silent { .. } | EngineError::Unknown { .. }) => {}
            Err(error) => errors.push(error),
        }
    }
    (engines, errors)
}

/// Where a program listens, as far as is known.
fn address(program: Program) -> String {
    let host = environment::variable(OLLAMA).and_then(|host| host.into_string().ok());
    match host.filter(|host| program == Program::Ollama && !host.is_empty()) {
        None => program.usual_address().to_owned(),
        Some(host) => {
            let address = full(&host);
            let authority = address.trim_start_matches("http://");
            match authority.contains(':') {
                true => address,
                false => format!("{address}:{OLLAMA_PORT}"),
            }
        }
    }
}

/// An address with what people leave out.
fn full(name: &str) -> String {
    if name.contains("://") { name.to_owned() } else { format!("http://{name}") }
}

/// The error as this program tells it.
pub(crate) fn told(error: &EngineError) -> CommandError {
    let fault = match error {
        EngineError::NotHere { .. } | EngineError::NoModel { .. } => Fault::Input,
        _ => Fault::World,
    };
    let told = CommandError::new(fault, error.to_string());
    match error {
        EngineError::NotHere { .. } => told.hint(
            "a name (ollama, llama-server, vllm, lm-studio) or an address such as http://127.0.0.1:8080",
        ),
        EngineError::Silent { address, .. } => {
            let started = Program::KNOWN.into_iter().find(|known| known.usual_address() == address);
            told.hint(match started {
                Some(program) => format!("{} starts it", program.started_by()),
                None => "nearside model engines shows who answers".to_owned(),
            })
        }
        EngineError::Token { .. } => told.hint("--engine-token FILE has it"),
        EngineError::NoModel { .. } => told.hint("nearside model engines lists the models"),
        _ => told,
    }
}
