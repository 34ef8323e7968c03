//! Other programs that compute models and answer over HTTP on this machine: Ollama, llama-server, vLLM, LM Studio, and what
//! else speaks as OpenAI's API does.
//!
//! [`Engine::at`] finds out who answers at an address and which models it has, [`Engine::answer`] lets it write, and
//! [`parity()`] holds what it wrote against what a model computes here. Only this machine is asked.

mod answer;
mod error;
mod identify;
mod parity;
mod question;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use nearside_fetch::{FetchError, LocalAnswer, Patience, Secret, ask_here, is_here};

pub use answer::{Ended, ScoredToken, Written};
pub use error::EngineError;
pub use parity::{NoParity, PROMPTS, Parity, parity};
pub use question::{Asked, Question};

/// How long a program is waited for that may not be there.
const GLANCE: Patience = Patience {
    connect: Duration::from_millis(500),
    silence: Duration::from_secs(3),
    whole: Some(Duration::from_secs(6)),
};
/// How long an answer is waited for: a model may have to be loaded first, and a long prompt be read.
const LONG: Patience =
    Patience { connect: Duration::from_secs(2), silence: Duration::from_secs(900), whole: None };
/// How long it takes at most until it is asked whether to go on.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of a description.
const MOST_DESCRIBED: u64 = 16 << 20;
/// Pieces that wait to be shown.
const WAITING: usize = 64;
/// Bytes of an answer, with all that is said beside its text.
const MOST_ANSWERED: u64 = 1 << 30;

/// A program that computes models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// Ollama.
    Ollama,
    /// llama.cpp's server.
    LlamaServer,
    /// vLLM.
    Vllm,
    /// LM Studio.
    LmStudio,
    /// `nearside model serve`.
    Nearside,
    /// One that speaks as OpenAI's API does.
    Other,
}

impl Program {
    /// All that are known by name.
    pub const KNOWN: [Self; 5] =
        [Self::Ollama, Self::LlamaServer, Self::Vllm, Self::LmStudio, Self::Nearside];

    /// What it is called on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ollama => "ollama",
            Self::LlamaServer => "llama-server",
            Self::Vllm => "vllm",
            Self::LmStudio => "lm-studio",
            Self::Nearside => "nearside",
            Self::Other => "other",
        }
    }

    /// Where it listens unless told otherwise.
    #[must_use]
    pub const fn usual_address(self) -> &'static str {
        match self {
            Self::Ollama => "http://127.0.0.1:11434",
            Self::LlamaServer | Self::Nearside | Self::Other => "http://127.0.0.1:8080",
            Self::Vllm => "http://127.0.0.1:8000",
            Self::LmStudio => "http://127.0.0.1:1234",
        }
    }

    /// The command that starts it; `MODEL` stands for one where it serves only one.
    #[must_use]
    pub const fn started_by(self) -> &'static str {
        match self {
            Self::Ollama => "ollama serve",
            Self::LlamaServer => "llama-server -m MODEL.gguf",
            Self::Vllm => "vllm serve MODEL",
            Self::LmStudio => "lms server start",
            Self::Nearside | Self::Other => "nearside model serve MODEL",
        }
    }
}

/// A program that answers at an address of this machine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Which one.
    pub program: Program,
    /// Where: `http://HOST:PORT`.
    pub address: String,
    /// Its version, where it says so.
    pub version: Option<String>,
    /// The models that it has.
    pub models: Vec<EngineModel>,
    token: Option<Secret>,
}

/// A model of another program, as far as it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineModel {
    /// What it is asked for by.
    pub name: String,
    /// How its weights are stored.
    pub stored_as: Option<String>,
    /// Bytes of its weights.
    pub bytes: Option<u64>,
    /// Tokens of a context that it is served with.
    pub context: Option<u64>,
    /// Whether it is in memory; the first question waits otherwise.
    pub is_loaded: Option<bool>,
    /// Who computes it, where that is not this machine.
    pub remote: Option<String>,
}

impl Engine {
    /// Who answers at an address, `http://HOST:PORT` with or without `/v1`, and which models it has.
    ///
    /// # Errors
    /// When the address is not one of this machine, nobody answers there, or it is no program that computes models.
    pub fn at(address: &str, token: Option<&str>) -> Result<Self, EngineError> {
        let address = address.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches('/');
        // Who listens to everybody listens here too; a name may be anybody's.
        let mut address = address.to_owned();
        for name in ["0.0.0.0", "[::]", "localhost"] {
            address = address.replacen(&format!("http://{name}"), "http://127.0.0.1", 1);
        }
        let is_place = !address.trim_start_matches("http://").contains(['/', '@', '?', '#', '\\']);
        if !is_place || !is_here(&address) {
            return Err(EngineError::NotHere { address });
        }
        let token = token.map(|token| Secret::new(token, &address)).transpose();
        let token = token.map_err(|_no_token| EngineError::NoToken { address: address.clone() })?;
        identify::identify(address, token)
    }

    /// The model of that name.
    ///
    /// # Errors
    /// When it has none of that name, with those it has; or when somebody else computes that one.
    pub fn model(&self, name: &str) -> Result<&EngineModel, EngineError> {
        // Ollama calls the usual variant `latest`.
        let same = |model: &&EngineModel| {
            model.name == name || model.name.strip_suffix(":latest") == Some(name)
        };
        let address = self.address.clone();
        match self.models.iter().find(same) {
            Some(EngineModel { name, remote: Some(host), .. }) => {
                Err(EngineError::Remote { address, name: name.clone(), host: host.clone() })
            }
            Some(model) => Ok(model),
            None => Err(EngineError::NoModel {
                address,
                name: name.to_owned(),
                there: self.models.iter().map(|model| model.name.clone()).collect(),
            }),
        }
    }

    /// Lets a model write. `each` is given every piece of text as it comes, and says whether to go on; while nothing comes
    /// it is asked so with an empty one, many times in a second. Who wants no more is not kept waiting; the program is hung
    /// up on with the next thing that it says, or when this one ends.
    ///
    /// # Errors
    /// When the program refuses, does not answer, or answers what cannot be read.
    pub fn answer(
        &self,
        question: &Question<'_>,
        each: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Written, EngineError> {
        let (path, body) = question.to(self.program);
        let (address, token) = (self.address.clone(), self.token.clone());
        let (start, mut first) = (Instant::now(), None);
        let how = (question.is_streamed(), start);
        let (sender, parts) = sync_channel(WAITING);
        let unwanted = Arc::new(AtomicBool::new(false));
        let hung_up = Arc::clone(&unwanted);
        let reading = move || {
            let answer = ask(&address, path, token.as_ref(), Some(&body.to_string()), LONG)?;
            let mut send = |piece: &str| {
                let said = piece.is_empty() || sender.send(piece.to_owned()).is_ok();
                said && !hung_up.load(Ordering::Relaxed)
            };
            answer::read(&address, answer, how, &mut send)
        };
        let started = thread::Builder::new().name("engine".to_owned()).spawn(reading);
        let reading = started.map_err(|error| EngineError::Unread {
            address: self.address.clone(),
            reason: error.to_string(),
        })?;
        let mut text = String::new();
        loop {
            let piece = match parts.recv_timeout(LOOK) {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Timeout) => String::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if !piece.is_empty() {
                first.get_or_insert_with(Instant::now);
                text.push_str(&piece);
            }
            if !each(&piece) {
                unwanted.store(true, Ordering::Relaxed);
                let first = first.unwrap_or_else(Instant::now);
                let (reading, writing) = (first - start, first.elapsed());
                let ended = Ended::Interrupted;
                return Ok(Written { text, ended, reading, writing, ..Written::default() });
            }
        }
        reading.join().unwrap_or_else(|_panicked| {
            let reason = "it was not read to its end".to_owned();
            Err(EngineError::Unread { address: self.address.clone(), reason })
        })
    }
}

/// Asks, and takes what is no refusal.
fn ask(
    address: &str,
    path: &str,
    token: Option<&Secret>,
    json: Option<&str>,
    patience: Patience,
) -> Result<LocalAnswer, EngineError> {
    let most = if json.is_some() { MOST_ANSWERED } else { MOST_DESCRIBED };
    let answer = ask_here(&format!("{address}{path}"), token, json, patience, most);
    let answer = answer.map_err(|error| {
        let reason = match error {
            FetchError::Unreachable { reason, .. } => reason,
            other => other.to_string(),
        };
        let address = address.to_owned();
        match json {
            None => EngineError::Silent { address, reason },
            Some(_) => EngineError::Unread { address, reason },
        }
    })?;
    match answer.status {
        200 => Ok(answer),
        401 | 403 => {
            Err(EngineError::Token { address: address.to_owned(), given: token.is_some() })
        }
        _ => Err(answer::refused(address, answer)),
    }
}
