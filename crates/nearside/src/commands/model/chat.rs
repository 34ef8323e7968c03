//! `nearside model chat`: a conversation with a model, line by line. What was said is not read again.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nearside_models::serving::{
    Done, Event, Finish, Limits, Request, Rule, Serving, Task, WantedScores, Writing,
};
use nearside_models::{SkipSpecial, Tokenizer};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::ModelChat;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire::local_model;

/// How long it takes at most until an answer is stopped.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of a line that is read.
const MOST_LINE: usize = 16 << 20;
const HELP: &str = "\
/clear       begin anew
/undo        forget the last question and its answer
/save FILE   write the conversation down, as JSON
/bye         end, as Ctrl-D does
Ctrl-C ends an answer. A line that ends with \\ goes on in the next one.
";

/// The answer of `nearside model chat`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ChatAnswer {
    /// Where the model lies.
    model: String,
    /// What was said, in order.
    messages: Vec<Message>,
    /// Tokens that were read, those that were known already left out.
    read_tokens: usize,
    /// Tokens that were written.
    new_tokens: usize,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Message {
    /// `system`, `user` or `assistant`.
    role: String,
    /// What.
    content: String,
}

/// A conversation.
struct Conversation<'a> {
    arguments: &'a ModelChat,
    output: &'a Output,
    tokenizer: Arc<Tokenizer>,
    serving: Serving,
    messages: Vec<Message>,
    read_tokens: usize,
    new_tokens: usize,
    /// Becomes true when an answer is to end.
    interrupted: Arc<AtomicBool>,
    /// Whether nothing is being answered: then an interruption ends the command.
    at_rest: Arc<AtomicBool>,
}

pub(super) fn run(arguments: &ModelChat, output: &Output) -> Result<Outcome, CommandError> {
    let path = local_model::find(&arguments.model)?;
    let stored = local_model::open(&path)?;
    let tokenizer = local_model::tokenizer(&stored)?;
    if tokenizer.special().templates.is_empty() {
        return Err(untaught());
    }
    let adapter = local_model::adapter(arguments.adapter.as_deref(), &stored)?;
    let (model, context) =
        local_model::for_sequences(&stored, adapter.as_ref(), arguments.context, 1, output)?;
    let pool = local_model::threads(arguments.threads)?;
    let (model, tokenizer) = (Arc::new(model), Arc::new(tokenizer));
    let limits = Limits { slots: 1, context, waiting: 1 };
    let serving = Serving::start(model, Arc::clone(&tokenizer), pool, limits);
    let serving =
        serving.map_err(|error| CommandError::new(Fault::World, format!("no thread: {error}")))?;
    let (interrupted, at_rest) = environment::interrupted_at_work();
    let mut conversation = Conversation {
        arguments,
        output,
        tokenizer,
        serving,
        messages: Vec::new(),
        read_tokens: 0,
        new_tokens: 0,
        interrupted,
        at_rest,
    };
    conversation.begin();
    if std::io::stdin().is_terminal() {
        output.progress(&format!("up to {context} tokens; /help says what there is besides"));
    }
    while let Some(line) = line()? {
        if !conversation.hear(&line)? {
            break;
        }
    }
    if output.form == Form::Json {
        let Conversation { messages, read_tokens, new_tokens, .. } = conversation;
        let model = path.display().to_string();
        let told = ChatAnswer { model, messages, read_tokens, new_tokens };
        let answer =
            Answer { schema: "nearside/model-chat/1", data: &told, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
    }
    Ok(Outcome::Done)
}

/// What is told of a model without a chat template.
fn untaught() -> CommandError {
    let message = "the model has no chat template: it was not made for conversations";
    CommandError::new(Fault::Input, message)
        .hint("nearside model generate MODEL --raw TEXT writes a text on")
}

/// What a person says next; `None` at the end.
fn line() -> Result<Option<String>, CommandError> {
    let stdin = std::io::stdin();
    let mut said = String::new();
    loop {
        if stdin.is_terminal() {
            eprint_prompt(if said.is_empty() { "> " } else { ". " });
        }
        let mut part = String::new();
        let read = stdin.lock().take(MOST_LINE as u64 + 1).read_line(&mut part);
        let read = read.map_err(|error| {
            CommandError::new(Fault::Input, format!("what was said cannot be read: {error}"))
        })?;
        if read == 0 && said.is_empty() {
            return Ok(None);
        }
        said.push_str(part.trim_end_matches(['\n', '\r']));
        if said.len() > MOST_LINE {
            return Err(CommandError::new(Fault::Input, "a line is longer than 16 MiB"));
        }
        if read == 0 || !said.ends_with('\\') {
            return Ok(Some(said));
        }
        said.pop();
        said.push('\n');
    }
}

/// Asks a person to write; the answer stays alone on stdout.
fn eprint_prompt(prompt: &str) {
    use std::io::Write as _;
    let mut stderr = std::io::stderr();
    // A prompt that is not seen harms nobody.
    let _ = stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush());
}

impl Conversation<'_> {
    fn begin(&mut self) {
        let system = self.arguments.system.iter();
        self.messages = system.map(|system| message("system", system)).collect();
    }

    /// Does what a line says; whether the conversation goes on.
    fn hear(&mut self, line: &str) -> Result<bool, CommandError> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, rest.trim()) {
            ("", "") => {}
            ("/bye" | "/exit" | "/quit", "") => return Ok(false),
            ("/help" | "/?", "") => self.output.progress(HELP.trim_end()),
            ("/clear", "") => self.begin(),
            ("/undo", "") => {
                let last = self.messages.iter().rposition(|message| message.role == "user");
                last.into_iter().for_each(|last| self.messages.truncate(last));
            }
            ("/save", file) if !file.is_empty() => self.save(Path::new(file)),
            (word, _) if word.starts_with('/') => {
                self.output.warning(&format!("{word} is nothing here; /help says what there is"));
            }
            _ => self.ask(line)?,
        }
        Ok(true)
    }

    fn save(&self, path: &Path) {
        let text = serde_json::to_string_pretty(&self.messages).unwrap_or_default();
        match std::fs::write(path, text + "\n") {
            Ok(()) => self.output.progress(&format!("written: {}", path.display())),
            Err(error) => self.output.warning(&format!("{}: {error}", path.display())),
        }
    }

    /// Asks, and shows the answer as it is written.
    fn ask(&mut self, question: &str) -> Result<(), CommandError> {
        self.messages.push(message("user", question));
        let prompt = self.prompt()?;
        let context = self.serving.limits().context;
        if prompt.len() >= context {
            self.messages.pop();
            self.output.warning(&format!(
                "the conversation has {} tokens, there is room for {context}: /clear begins anew, \
                 and --context makes more room",
                prompt.len()
            ));
            return Ok(());
        }
        let room = context - prompt.len();
        let new_tokens = self.arguments.tokens.map_or(room, |tokens| tokens.min(room));
        let (text, done) = self.written(prompt, new_tokens)?;
        self.messages.push(message("assistant", &text));
        if let Some(done) = done {
            self.read_tokens += done.prompt - done.cached;
            self.new_tokens += done.written;
            let why = match done.finish {
                Finish::Stop => "",
                Finish::Length if self.arguments.tokens.is_some() => "; --tokens ended it",
                Finish::Length => "; there is no room for more: /clear begins anew",
            };
            let rate = |tokens: usize, time: Duration| tokens as f64 / time.as_secs_f64().max(1e-9);
            self.output.watched(&format!(
                "read {} tokens at {:.0}/s, wrote {} at {:.1}/s{why}",
                done.prompt - done.cached,
                rate(done.prompt - done.cached, done.reading),
                done.written,
                rate(done.written.saturating_sub(1), done.writing),
            ));
        } else {
            self.output.progress("(ended)");
        }
        Ok(())
    }

    /// The conversation in the model's chat template.
    fn prompt(&self) -> Result<Vec<u32>, CommandError> {
        let said = self.messages.iter();
        let said: Vec<_> = said.map(|Message { role, content }| (&**role, &**content)).collect();
        local_model::asked(&self.tokenizer, &said)?.ok_or_else(untaught)
    }

    /// What the model writes; how it ended, unless somebody stopped it.
    fn written(
        &self,
        prompt: Vec<u32>,
        new_tokens: usize,
    ) -> Result<(String, Option<Done>), CommandError> {
        let writing = Writing {
            new_tokens,
            sampling: self.arguments.choosing.sampling(),
            bias: Vec::new(),
            stops: self.arguments.choosing.stop.clone(),
            skip: SkipSpecial::Skip,
            ends: true,
            rule: Rule::Free,
            scores: WantedScores::default(),
        };
        let (sender, events) = channel();
        // Nobody listens any more to what was stopped.
        let listener = Box::new(move |event| drop(sender.send(event)));
        self.interrupted.store(false, Ordering::Relaxed);
        self.at_rest.store(false, Ordering::Relaxed);
        let request = Request { prompt, task: Task::Write(Box::new(writing)) };
        let tickets = self.serving.submit(vec![(request, listener)]);
        let _tickets = tickets.map_err(|refused| {
            CommandError::new(Fault::Input, format!("the question is not taken: {refused}"))
        })?;
        let mut text = String::new();
        let done = loop {
            match events.recv_timeout(LOOK) {
                Ok(Event::Written { text: piece, .. }) => self.show(&mut text, &piece),
                Ok(Event::Done(done)) => {
                    self.show(&mut text, &done.text);
                    break Some(done);
                }
                Ok(Event::Failed(why)) => return Err(CommandError::new(Fault::Input, why)),
                Ok(Event::Prompt(_) | Event::Embedding(_)) => {}
                Err(RecvTimeoutError::Timeout) if !self.interrupted.load(Ordering::Relaxed) => {}
                Err(RecvTimeoutError::Timeout) => break None,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(CommandError::new(Fault::Bug, "the engine has ended"));
                }
            }
            if self.interrupted.load(Ordering::Relaxed) {
                break None;
            }
        };
        self.at_rest.store(true, Ordering::Relaxed);
        if self.output.form == Form::Text {
            self.output.piece("\n");
        }
        Ok((text, done))
    }

    fn show(&self, text: &mut String, piece: &str) {
        text.push_str(piece);
        if self.output.form == Form::Text {
            self.output.piece(piece);
        }
    }
}

fn message(role: &str, content: &str) -> Message {
    Message { role: role.to_owned(), content: content.to_owned() }
}
