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
    let address = match known {
        Some(program) => address(program)?,
        None => full(name),
    };
    let engine = Engine::at(&address, token.as_deref()).map_err(|error| {
        let told = told(&error);
        match (error, known) {
            (EngineError::Silent { .. }, Some(program)) => {
                told.hint(format!("{} starts it", program.started_by()))
            }
            (EngineError::Silent { .. }, None) => {
                told.hint("nearside model engines shows who answers")
            }
            _ => told,
        }
    })?;
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
pub(crate) fn found() -> (Vec<Engine>, Vec<CommandError>) {
    let (mut engines, mut errors, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
    for program in Program::KNOWN {
        match address(program) {
            Ok(address) => addresses.push(address),
            Err(error) => errors.push(error),
        }
    }
    addresses.sort();
    addresses.dedup();
    for address in addresses {
        match Engine::at(&address, None) {
            Ok(engine) => engines.push(engine),
            Err(EngineError::Silent { .. } | EngineError::Unknown { .. }) => {}
            Err(error) => errors.push(told(&error)),
        }
    }
    (engines, errors)
}

/// Where a program listens, as far as is known.
fn address(program: Program) -> Result<String, CommandError> {
    let host = environment::variable(OLLAMA).and_then(|host| host.into_string().ok());
    match host.filter(|host| program == Program::Ollama && !host.trim().is_empty()) {
        None => Ok(program.usual_address().to_owned()),
        Some(host) => ollama_address(&host).ok_or_else(|| {
            CommandError::new(Fault::Input, format!("{OLLAMA} is {host}, no address of this machine"))
                .hint("what is asked there would leave this machine: ssh -L 11434:localhost:11434 HOST, and no variable")
        }),
    }
}

/// The address that a value of Ollama's variable means: a scheme, a host and a port, each of which may be missing. Source:
/// Ollama's `envconfig`. `None` where it is not one of this machine.
fn ollama_address(value: &str) -> Option<String> {
    let value = value.trim().trim_matches(['"', '\'']);
    let (scheme, rest) = value.split_once("://").unwrap_or(("", value));
    let authority = rest.split('/').next().unwrap_or(rest);
    let usual = if scheme == "http" { "80" } else { OLLAMA_PORT };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, usual),
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    let here = ["127.0.0.1", "localhost", "0.0.0.0", "[::]", "[::1]"].contains(&host);
    (here && matches!(scheme, "" | "http")).then(|| format!("http://{host}:{port}"))
}

/// An address with what people leave out.
fn full(name: &str) -> String {
    if name.contains("://") { name.to_owned() } else { format!("http://{name}") }
}

/// The error as this program tells it.
pub(crate) fn told(error: &EngineError) -> CommandError {
    let fault = match error {
        EngineError::NotHere { .. }
        | EngineError::NoModel { .. }
        | EngineError::NoToken { .. }
        | EngineError::Remote { .. } => Fault::Input,
        _ => Fault::World,
    };
    let told = CommandError::new(fault, error.to_string());
    match error {
        EngineError::NotHere { .. } => told.hint(
            "a name (ollama, llama-server, vllm, lm-studio) or an address such as http://127.0.0.1:8080",
        ),
        EngineError::Token { given: false, .. } => told.hint("--engine-token FILE has it"),
        EngineError::NoModel { .. } => told.hint("nearside model engines lists the models"),
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_ollama_means_what_it_means_to_ollama() {
        let means = |value: &str| ollama_address(value).unwrap_or_default();
        assert_eq!(means("127.0.0.1"), "http://127.0.0.1:11434");
        assert_eq!(means(":8000"), "http://127.0.0.1:8000");
        assert_eq!(means("http://localhost"), "http://localhost:80");
        assert_eq!(means("'0.0.0.0:11435/'"), "http://0.0.0.0:11435");
        assert_eq!(means("[::1]"), "http://[::1]:11434");
        assert_eq!(means("https://127.0.0.1"), "");
        assert_eq!(means("gpu.example.org:11434"), "");
    }
}
