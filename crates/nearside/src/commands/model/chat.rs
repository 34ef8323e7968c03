//! `nearside model chat`: a conversation with a model, line by line. What was said is not read again.

mod partner;

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use schemars::JsonSchema;
use serde::Serialize;

use self::partner::{Partner, Reply};
use super::pace::rate;
use crate::cli::ModelChat;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire::engine::{self, EngineView};

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
    /// Where the model lies, or what the other program calls it.
    model: String,
    /// The other program that computed, if one did.
    engine: Option<EngineView>,
    /// What was said, in order.
    messages: Vec<Message>,
    /// Tokens that were read, those that were known already left out; absent where that is not known of an answer, because
    /// another program does not say or somebody ended it.
    read_tokens: Option<usize>,
    /// Tokens that were written; absent as those.
    new_tokens: Option<usize>,
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
    partner: Partner<'a>,
    messages: Vec<Message>,
    read_tokens: Option<usize>,
    new_tokens: Option<usize>,
    /// Questions that were not answered.
    failed: usize,
    /// Becomes true when an answer is to end.
    interrupted: Arc<AtomicBool>,
    /// Whether nothing is being answered: then an interruption ends the command.
    at_rest: Arc<AtomicBool>,
}

pub(super) fn run(arguments: &ModelChat, output: &Output) -> Result<Outcome, CommandError> {
    let engine = engine::instead(&arguments.elsewhere)?;
    let partner = match &engine {
        None => Partner::here(arguments, output)?,
        Some(engine) => Partner::elsewhere(arguments, engine)?,
    };
    let (interrupted, at_rest) = environment::interrupted_at_work();
    let mut conversation = Conversation {
        arguments,
        output,
        partner,
        messages: Vec::new(),
        read_tokens: Some(0),
        new_tokens: Some(0),
        failed: 0,
        interrupted,
        at_rest,
    };
    conversation.begin();
    if std::io::stdin().is_terminal() {
        let with = conversation.partner.introduced();
        output.progress(&format!("{with}; /help says what there is besides"));
    }
    while let Some(line) = line()? {
        if !conversation.hear(&line)? {
            break;
        }
    }
    let outcome = if conversation.failed > 0 { Outcome::Partly } else { Outcome::Done };
    if output.form == Form::Json {
        let Conversation { partner, messages, read_tokens, new_tokens, .. } = conversation;
        let engine = engine.as_ref().map(EngineView::of);
        let model = partner.model().to_owned();
        let told = ChatAnswer { model, engine, messages, read_tokens, new_tokens };
        let answer =
            Answer { schema: "nearside/model-chat/1", data: &told, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
    }
    Ok(outcome)
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
        self.interrupted.store(false, Ordering::Relaxed);
        self.at_rest.store(false, Ordering::Relaxed);
        let (output, interrupted) = (self.output, &self.interrupted);
        let mut show = |piece: &str| {
            if output.form == Form::Text {
                output.piece(piece);
            }
        };
        let said: Vec<_> = self.messages.iter().map(Message::pair).collect();
        let reply = self.partner.answer(&said, &mut show, interrupted);
        self.at_rest.store(true, Ordering::Relaxed);
        let reply = match (reply, &self.partner) {
            // Another program may answer the next one.
            (Err(error), Partner::Elsewhere { .. }) => {
                self.messages.pop();
                self.output.warning(&error.message());
                self.failed += 1;
                return Ok(());
            }
            (reply, _) => reply?,
        };
        match reply {
            Reply::NoRoom { tokens, context } => {
                self.messages.pop();
                self.output.warning(&format!(
                    "the conversation has {tokens} tokens, there is room for {context}: /clear begins anew, \
                     and --context makes more room"
                ));
                return Ok(());
            }
            Reply::Said { text, told } => {
                show("\n");
                self.messages.push(message("assistant", &text));
                let Some(told) = told else {
                    (self.read_tokens, self.new_tokens) = (None, None);
                    self.output.progress("(ended)");
                    return Ok(());
                };
                let sum = |sum: Option<usize>, more: Option<usize>| Some(sum? + more?);
                self.read_tokens = sum(self.read_tokens, told.read);
                self.new_tokens = sum(self.new_tokens, told.written);
                self.output.watched(&format!(
                    "read {}, wrote {}{}",
                    rate(told.read, 0, told.reading, 0),
                    rate(told.written, 1, told.writing, 1),
                    self.why(told.is_cut),
                ));
            }
        }
        Ok(())
    }

    /// Why there is no more of an answer.
    const fn why(&self, is_cut: bool) -> &'static str {
        match (is_cut, self.arguments.tokens) {
            (false, _) => "",
            (true, Some(_)) => "; --tokens ended it",
            (true, None) => "; there is no room for more: /clear begins anew",
        }
    }
}

impl Message {
    fn pair(&self) -> (&str, &str) {
        (&self.role, &self.content)
    }
}

fn message(role: &str, content: &str) -> Message {
    Message { role: role.to_owned(), content: content.to_owned() }
}
