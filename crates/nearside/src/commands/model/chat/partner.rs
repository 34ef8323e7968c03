//! Who answers in a conversation: a model here, or one of another program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nearside_models::engine::{Asked, Ended, Engine, Question};
use nearside_models::serving::{
    Done, Event, Finish, Limits, Request, Rule, Serving, Task, WantedScores, Writing,
};
use nearside_models::{SkipSpecial, Tokenizer};

use crate::cli::ModelChat;
use crate::error::{CommandError, Fault};
use crate::output::Output;
use crate::wire::engine::{EngineView, told};
use crate::wire::local_model::{self, Room};

/// How long it takes at most until an answer is stopped.
const LOOK: Duration = Duration::from_millis(50);

/// Roles, and what they said.
type Said<'a> = [(&'a str, &'a str)];

/// Who answers.
pub(super) enum Partner<'a> {
    /// A model that is computed here.
    Here {
        arguments: &'a ModelChat,
        path: String,
        tokenizer: Arc<Tokenizer>,
        serving: Box<Serving>,
    },
    /// One that another program computes.
    Elsewhere { arguments: &'a ModelChat, engine: &'a Engine, model: &'a str },
}

/// What comes of a question.
pub(super) enum Reply {
    /// The conversation is longer than there is room for.
    NoRoom { tokens: usize, context: usize },
    /// What was said, and how that went, unless somebody ended it.
    Said { text: String, told: Option<Told> },
}

/// How an answer went; numbers as far as they are known.
pub(super) struct Told {
    /// Tokens that were read, without those known already.
    pub(super) read: Option<usize>,
    pub(super) written: Option<usize>,
    pub(super) reading: Duration,
    pub(super) writing: Duration,
    /// Whether there would have been more.
    pub(super) is_cut: bool,
}

impl<'a> Partner<'a> {
    /// A model of this machine, ready to answer.
    pub(super) fn here(arguments: &'a ModelChat, output: &Output) -> Result<Self, CommandError> {
        let path = local_model::find(&arguments.model)?;
        let stored = local_model::open(&path)?;
        let tokenizer = local_model::tokenizer(&stored)?;
        if tokenizer.special().templates.is_empty() {
            return Err(untaught());
        }
        let adapter = local_model::adapter(arguments.adapter.as_deref(), &stored)?;
        let precision = arguments.cache_type.precision();
        let room = Room { asked: arguments.context, sequences: 1, precision };
        let (model, context) =
            local_model::for_sequences(&stored, adapter.as_ref(), &room, output)?;
        let pool = local_model::threads(arguments.threads)?;
        let tokenizer = Arc::new(tokenizer);
        let limits = Limits { slots: 1, context, waiting: 1, precision };
        let serving = Serving::start(Arc::new(model), Arc::clone(&tokenizer), pool, limits);
        let no_thread = |error| CommandError::new(Fault::World, format!("no thread: {error}"));
        let serving = Box::new(serving.map_err(no_thread)?);
        Ok(Self::Here { arguments, path: path.display().to_string(), tokenizer, serving })
    }

    /// A model of another program.
    pub(super) fn elsewhere(
        arguments: &'a ModelChat,
        engine: &'a Engine,
    ) -> Result<Self, CommandError> {
        let model = engine.model(&arguments.model).map_err(|error| told(&error))?;
        Ok(Self::Elsewhere { arguments, engine, model: &model.name })
    }

    /// What it is called.
    pub(super) fn model(&self) -> &str {
        match self {
            Self::Here { path, .. } => path,
            Self::Elsewhere { model, .. } => model,
        }
    }

    /// What a person is told of it.
    pub(super) fn introduced(&self) -> String {
        match self {
            Self::Here { serving, .. } => format!("up to {} tokens", serving.limits().context),
            Self::Elsewhere { engine, .. } => EngineView::of(engine).text(),
        }
    }

    /// Answers what was said last, piece by piece, until somebody wants no more.
    pub(super) fn answer(
        &self,
        said: &Said<'_>,
        show: &mut dyn FnMut(&str),
        interrupted: &AtomicBool,
    ) -> Result<Reply, CommandError> {
        match self {
            Self::Here { arguments, tokenizer, serving, .. } => {
                let prompt = local_model::asked(tokenizer, said)?.ok_or_else(untaught)?;
                let (tokens, context) = (prompt.len(), serving.limits().context);
                if tokens >= context {
                    return Ok(Reply::NoRoom { tokens, context });
                }
                let room = context - tokens;
                let writing = writing(arguments, room);
                let (text, done) = written(serving, prompt, writing, show, interrupted)?;
                let told = done.map(|done| Told {
                    read: Some(done.prompt - done.cached),
                    written: Some(done.written),
                    reading: done.reading,
                    writing: done.writing,
                    is_cut: done.finish == Finish::Length,
                });
                Ok(Reply::Said { text, told })
            }
            Self::Elsewhere { arguments, engine, model } => {
                let question = Question {
                    model,
                    asked: Asked::Chat(said.to_vec()),
                    tokens: arguments.tokens,
                    sampling: arguments.choosing.sampling(),
                    stops: &arguments.choosing.stop,
                    context: arguments.context,
                    scores: false,
                    ignores_ends: false,
                };
                let written = engine.answer(&question, &mut |piece| {
                    show(piece);
                    !interrupted.load(Ordering::Relaxed)
                });
                let written = written.map_err(|error| told(&error))?;
                let count =
                    |tokens: Option<u64>| tokens.and_then(|tokens| usize::try_from(tokens).ok());
                let known = written.cached_tokens.unwrap_or(0);
                let is_whole = written.ended != Ended::Interrupted;
                let told = is_whole.then(|| Told {
                    read: count(written.prompt_tokens.map(|read| read.saturating_sub(known))),
                    written: count(written.new_tokens),
                    reading: written.reading,
                    writing: written.writing,
                    is_cut: written.ended == Ended::Length,
                });
                Ok(Reply::Said { text: written.text, told })
            }
        }
    }
}

/// What is told of a model without a chat template.
fn untaught() -> CommandError {
    let message = "the model has no chat template: it was not made for conversations";
    CommandError::new(Fault::Input, message)
        .hint("nearside model generate MODEL --raw TEXT writes a text on")
}

fn writing(arguments: &ModelChat, room: usize) -> Writing {
    Writing {
        new_tokens: arguments.tokens.map_or(room, |tokens| tokens.min(room)),
        sampling: arguments.choosing.sampling(),
        bias: Vec::new(),
        stops: arguments.choosing.stop.clone(),
        skip: SkipSpecial::Skip,
        ends: true,
        rule: Rule::Free,
        scores: WantedScores::default(),
    }
}

/// What the model writes; how it ended, unless somebody stopped it.
fn written(
    serving: &Serving,
    prompt: Vec<u32>,
    writing: Writing,
    show: &mut dyn FnMut(&str),
    interrupted: &AtomicBool,
) -> Result<(String, Option<Done>), CommandError> {
    let (sender, events) = channel();
    // Nobody listens any more to what was stopped.
    let listener = Box::new(move |event| drop(sender.send(event)));
    let request = Request { prompt, task: Task::Write(Box::new(writing)) };
    let tickets = serving.submit(vec![(request, listener)]);
    let _tickets = tickets.map_err(|refused| {
        CommandError::new(Fault::Input, format!("the question is not taken: {refused}"))
    })?;
    let mut text = String::new();
    let mut add = |piece: &str| {
        text.push_str(piece);
        show(piece);
    };
    let done = loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Written { text: piece, .. }) => add(&piece),
            Ok(Event::Done(done)) => {
                add(&done.text);
                break Some(done);
            }
            Ok(Event::Failed(why)) => return Err(CommandError::new(Fault::Input, why)),
            Ok(Event::Prompt(_) | Event::Embedding(_)) => {}
            Err(RecvTimeoutError::Timeout) if !interrupted.load(Ordering::Relaxed) => {}
            Err(RecvTimeoutError::Timeout) => break None,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(CommandError::new(Fault::Bug, "the engine has ended"));
            }
        }
        if interrupted.load(Ordering::Relaxed) {
            break None;
        }
    };
    Ok((text, done))
}
