//! `nearside model serve`: a model answers over HTTP, as OpenAI's API does.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use nearside_models::serving::{self, Limits, Serving};
use nearside_probe::meter::{Meter, Settings, Subject};
use nearside_units::{Bytes, Duration, significant};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::{ModelServe, Pooling};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::server::openai::{Served, router};
use crate::server::{self, Guard, Metrics, Secret, Totals};
use crate::wire;
use crate::wire::local_model::{self, Room};

/// The variable with the token that clients have to send.
const TOKEN: &str = "NEARSIDE_SERVE_TOKEN";

/// The answer of `nearside model serve`, told when it begins.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ServeAnswer {
    /// Where clients are to be pointed at.
    url: String,
    /// Where the model lies.
    model: String,
    /// What it is called.
    names: Vec<String>,
    /// Tokens of a sequence, prompt and answer.
    context: usize,
    /// Sequences that are written at once.
    parallel: usize,
    /// What keys and values of all of them take when they are full, in bytes.
    cache_bytes: u64,
    /// Whether clients have to send a token.
    token: bool,
}

pub(super) fn run(arguments: &ModelServe, output: &Output) -> Result<Outcome, CommandError> {
    let secret = secret(arguments)?;
    if secret.is_none() && !arguments.listen.ip().is_loopback() && !arguments.open {
        let message = format!("whoever reaches {} could ask the model", arguments.listen);
        return Err(CommandError::new(Fault::Usage, message)
            .hint(format!("set {TOKEN}, or say --token-file, or let everybody in with --open")));
    }
    let path = local_model::find(&arguments.model)?;
    let stored = local_model::open(&path)?;
    let tokenizer = local_model::tokenizer(&stored)?;
    let slots = usize::from(arguments.parallel);
    let adapter = local_model::adapter(arguments.adapter.as_deref(), &stored)?;
    let precision = arguments.cache_type.precision();
    let room = Room { asked: arguments.context, sequences: slots, precision };
    let (model, context) = local_model::for_sequences(&stored, adapter.as_ref(), &room, output)?;
    let listener = listen(arguments)?;
    let address = listener.local_addr().map_err(|error| unreachable_address(arguments, &error))?;
    let names = names(arguments, &path);
    let told = ServeAnswer {
        url: format!("http://{address}/v1"),
        model: path.display().to_string(),
        names: names.clone(),
        context,
        parallel: slots,
        cache_bytes: local_model::cache_bytes(&model, context, precision) * slots as u64,
        token: secret.is_some(),
    };
    let (model, tokenizer) = (Arc::new(model), Arc::new(tokenizer));
    let pool = local_model::threads(arguments.threads)?;
    let limits = Limits { slots, context, waiting: arguments.queue, precision };
    let hidden = model.hidden();
    let serving = Serving::start(model, Arc::clone(&tokenizer), pool, limits);
    let serving =
        serving.map_err(|error| CommandError::new(Fault::World, format!("no thread: {error}")))?;
    let served = Arc::new(Served {
        names,
        serving,
        tokenizer,
        hidden,
        pooling: match arguments.pooling {
            Pooling::Mean => serving::Pooling::Mean,
            Pooling::Last => serving::Pooling::Last,
        },
        overflow: arguments.overflow,
        guard: Guard { secret, address, origins: arguments.origin.clone() },
        metrics: Metrics::new(meter()),
        grammars: OnceLock::new(),
        since: environment::now(),
        answers: AtomicU64::new(0),
    });
    let ending = environment::interrupted_once();
    tell(&told, output);
    server::serve(listener, router(Arc::clone(&served)), arguments.connections, &ending)
        .map_err(|error| CommandError::new(Fault::World, format!("serving: {error}")))?;
    output.progress(&summary(served.metrics.totals()));
    Ok(Outcome::Done)
}

/// What clients have to send.
fn secret(arguments: &ModelServe) -> Result<Option<Secret>, CommandError> {
    let (text, place) = match &arguments.token_file {
        Some(path) => (wire::read_text(path)?, path.display().to_string()),
        None => match environment::variable(TOKEN).map(std::ffi::OsString::into_string) {
            None => return Ok(None),
            Some(Ok(text)) => (text, TOKEN.to_owned()),
            Some(Err(_bytes)) => (String::new(), TOKEN.to_owned()),
        },
    };
    let secret = Secret::new(&text).ok_or_else(|| {
        let message = format!("{place} has no token: letters, digits and signs without spaces");
        CommandError::new(Fault::Input, message)
    });
    secret.map(Some)
}

fn listen(arguments: &ModelServe) -> Result<TcpListener, CommandError> {
    TcpListener::bind(arguments.listen).map_err(|error| unreachable_address(arguments, &error))
}

fn unreachable_address(arguments: &ModelServe, error: &std::io::Error) -> CommandError {
    let told = CommandError::new(Fault::World, format!("{}: {error}", arguments.listen));
    match error.kind() {
        std::io::ErrorKind::AddrInUse => told.hint("--listen 127.0.0.1:0 takes a free port"),
        _ => told,
    }
}

/// What the model is called: what was said, or its file's name.
fn names(arguments: &ModelServe, path: &Path) -> Vec<String> {
    if !arguments.name.is_empty() {
        return arguments.name.clone();
    }
    let file = path.file_stem().filter(|_stem| path.is_file()).or_else(|| path.file_name());
    let file = file.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut names = vec![file, arguments.model.clone()];
    names.dedup();
    names
}

/// What this process uses from now on.
fn meter() -> Option<Meter> {
    let settings =
        Settings { period: Duration::constant(1.0), most_samples: 10, ..Settings::default() };
    Meter::start(Path::new("/"), Subject::Running(std::process::id()), settings).ok()
}

fn tell(told: &ServeAnswer, output: &Output) {
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/model-serve/1", data: told, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
        return;
    }
    output.text(&told.url);
    output.progress(&format!(
        "serving {} to {} at once, each up to {} tokens (their keys and values: {}); Ctrl-C ends it",
        told.names.first().map_or("", String::as_str),
        told.parallel,
        told.context,
        Bytes::new(told.cache_bytes),
    ));
}

fn summary(totals: Totals) -> String {
    let Totals { requests, prompt, cached, written, energy } = totals;
    let energy = match energy {
        Some(energy) if written > 0 => {
            let each = energy.as_joules() * 1000.0 / written as f64;
            format!("; {energy}, {} J for 1,000 tokens", significant(each))
        }
        _ => String::new(),
    };
    format!(
        "{requests} requests: {prompt} tokens of prompts, {cached} of them known already, {written} written{energy}"
    )
}
