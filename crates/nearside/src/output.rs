//! The streams: stdout is the answer, stderr is warnings, hints and errors, and on a terminal a picture of
//! what goes on, which gives way to whatever else is written. One JSON envelope.

pub(crate) mod document;
mod listing;
mod picture;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use annotate_snippets::Renderer;
use anstream::{AutoStream, ColorChoice};
use comfy_table::{Cell, CellAlignment, Table};
use nearside_units::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::{Color, Shared};
use crate::error::{CommandError, Fault};
pub(crate) use listing::Listing;
use picture::Picture;
pub(crate) use picture::{Size, cut};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done.
    Done,
    /// The answer is no.
    Negative,
    /// Only a part was done: something failed, or it was interrupted.
    Partly,
    /// What a command of the person answered.
    Code(u8),
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Negative => ExitCode::from(1),
            Self::Partly => ExitCode::from(5),
            Self::Code(code) => ExitCode::from(code),
        }
    }
}

/// Where answers, warnings and errors go, and in which form.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) form: Form,
    pub(crate) detail: Detail,
    noise: Noise,
    progress: Noise,
    /// Whether an answer could not be written, for another reason than a closed pipe.
    lost: std::cell::Cell<bool>,
    /// What is drawn on the terminal of stderr.
    picture: std::cell::RefCell<Picture>,
    color: ColorChoice,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Tables and sentences.
    Text,
    /// One JSON object.
    Json,
}

/// How much an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The answer.
    Plain,
    /// The answer and the basis of every figure.
    Explained,
}

/// What is said besides the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noise {
    Normal,
    Quiet,
}

/// Data of a command that has no answer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NoAnswer {
    /// Why there is none.
    unknown: String,
}

/// The one JSON object that a command prints.
#[derive(Serialize)]
struct Envelope<'a, T> {
    schema: &'a str,
    as_of: String,
    data: T,
    warnings: &'a [String],
    sources: &'a [String],
}

/// An answer as JSON: its schema's name and version, its data, what to beware of, where it is from.
pub(crate) struct Answer<'a, T> {
    pub(crate) schema: &'a str,
    pub(crate) data: T,
    pub(crate) warnings: &'a [String],
    pub(crate) sources: &'a [String],
}

impl<T: Serialize> Answer<'_, T> {
    /// The one JSON object.
    pub(crate) fn json(&self, today: Date) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&Envelope {
            schema: self.schema,
            as_of: today.to_string(),
            data: &self.data,
            warnings: self.warnings,
            sources: self.sources,
        })
    }
}

impl Output {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            form: if shared.json { Form::Json } else { Form::Text },
            detail: if shared.explain { Detail::Explained } else { Detail::Plain },
            noise: if shared.quiet { Noise::Quiet } else { Noise::Normal },
            progress: match shared.quiet || shared.no_progress {
                true => Noise::Quiet,
                false => Noise::Normal,
            },
            lost: std::cell::Cell::new(false),
            picture: std::cell::RefCell::default(),
            color: match shared.color {
                Color::Auto => ColorChoice::Auto,
                Color::Always => ColorChoice::Always,
                Color::Never => ColorChoice::Never,
            },
        }
    }

    /// Prints text on stdout. A closed pipe ends the output quietly.
    pub(crate) fn text(&self, text: &str) {
        self.erase();
        let mut stdout = AutoStream::new(std::io::stdout().lock(), self.color);
        let written = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.note("error", &format!("cannot write the answer: {error}"));
            self.lost.set(true);
        }
    }

    /// Prints a part of an answer as it comes; on a terminal without what that would obey, for a model may write anything.
    /// A closed pipe ends the output quietly.
    pub(crate) fn piece(&self, text: &str) {
        self.erase();
        let mut stdout = std::io::stdout().lock();
        let harmless = |sign: &char| !sign.is_control() || matches!(sign, '\n' | '\t');
        let shown: String = match stdout.is_terminal() {
            true => text.chars().filter(harmless).collect(),
            false => text.to_owned(),
        };
        let written = stdout.write_all(shown.as_bytes()).and_then(|()| stdout.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
            && !self.lost.replace(true)
        {
            self.note("error", &format!("cannot write the answer: {error}"));
        }
    }

    /// Copies an answer to stdout as it is. A closed pipe ends it quietly.
    pub(crate) fn copy(&self, from: &mut dyn std::io::Read) -> Result<(), CommandError> {
        self.erase();
        let mut stdout = std::io::stdout().lock();
        match std::io::copy(from, &mut stdout).and_then(|_| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let message = format!("cannot write the answer: {error}");
                Err(CommandError::new(Fault::World, message))
            }
            _ => Ok(()),
        }
    }

    /// Whether an answer could not be written, for another reason than a closed pipe.
    pub(crate) const fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// Prints an answer as JSON.
    pub(crate) fn json<T: Serialize>(&self, answer: &Answer<'_, T>, today: Date) {
        match answer.json(today) {
            Ok(text) => self.text(&text),
            Err(error) => self.note("error", &format!("cannot write JSON: {error}")),
        }
    }

    /// Says why there is no answer, in the form that is asked for, and to people what to do next.
    pub(crate) fn none(&self, why: &str, hint: &str, today: Date) {
        match self.form {
            Form::Text => {
                self.text(why);
                self.hint(hint);
            }
            Form::Json => {
                let data = NoAnswer { unknown: why.to_owned() };
                let answer =
                    Answer { schema: "nearside/unknown/1", data, warnings: &[], sources: &[] };
                self.json(&answer, today);
            }
        }
    }

    /// Says something to beware of.
    pub(crate) fn warning(&self, text: &str) {
        self.aside("warning", text);
    }

    /// Says what could be done next.
    pub(crate) fn hint(&self, text: &str) {
        self.aside("hint", text);
    }

    /// Says what is being done.
    pub(crate) fn progress(&self, text: &str) {
        if self.progress == Noise::Normal {
            self.note("progress", text);
        }
    }

    /// Says what is being done to those who watch: in a pipe nothing is said.
    pub(crate) fn watched(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            self.progress(text);
        }
    }

    /// Whether a picture can be drawn: stderr is a terminal that is told to show colours, and so
    /// understands where the cursor is to go. Some builders show colours on any terminal: one that
    /// calls itself dumb shows no picture all the same.
    pub(crate) fn draws(&self) -> bool {
        let stderr = std::io::stderr();
        self.progress == Noise::Normal
            && stderr.is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            && self.color != ColorChoice::Never
            && AutoStream::choice(&stderr) != ColorChoice::Never
    }

    /// Whether the answer appears on a terminal, as the picture does.
    pub(crate) fn answers_here(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Draws lines in the place of those that were drawn before.
    pub(crate) fn draw(&self, lines: impl FnOnce(Size) -> Vec<String>) {
        let size = size();
        let drawn = self.picture.borrow_mut().drawn(&lines(size), size);
        show(&drawn);
    }

    /// Whether a picture is to be seen.
    pub(crate) fn is_drawn(&self) -> bool {
        self.picture.borrow().is_drawn()
    }

    /// Removes the picture, if there is one.
    pub(crate) fn erase(&self) {
        if self.is_drawn() {
            let erased = self.picture.borrow_mut().erased(size());
            show(&erased);
        }
    }

    /// What is drawn stays, and what is written next comes below it.
    pub(crate) fn leave(&self) {
        self.picture.borrow_mut().leave();
    }

    fn aside(&self, kind: &str, text: &str) {
        if self.noise == Noise::Normal {
            self.note(kind, text);
        }
    }

    fn note(&self, kind: &str, text: &str) {
        self.erase();
        let mut stderr = AutoStream::new(std::io::stderr().lock(), self.color);
        let _closed_pipe = writeln!(stderr, "{kind}: {text}");
    }

    /// Prints what went wrong.
    pub(crate) fn error(&self, error: &CommandError) {
        self.erase();
        let mut stderr = AutoStream::new(std::io::stderr().lock(), self.color);
        let colored = stderr.current_choice() != ColorChoice::Never;
        let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
        let _closed_pipe = writeln!(stderr, "{}", error.render(&renderer));
    }
}

/// How large the terminal of stderr is; where it does not say, as terminals always were.
fn size() -> Size {
    let found = terminal_size::terminal_size_of(std::io::stderr());
    let found = found.map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    // A terminal that nobody has told its size says zero.
    let (columns, lines) = found.filter(|size| size.0 > 0 && size.1 > 0).unwrap_or((80, 24));
    Size { columns, lines }
}

/// Writes to the terminal of stderr in one go.
fn show(drawn: &str) {
    let mut stderr = AutoStream::always_ansi(std::io::stderr().lock());
    let _closed = stderr.write_all(drawn.as_bytes());
}

/// A plain table: no borders, two spaces between columns, columns of figures to the right.
pub(crate) fn table(heads: &[(&str, Align)], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    let align = |align: &Align| match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    };
    let cell = |text: String, at: usize| {
        let side = heads.get(at).map_or(CellAlignment::Left, |(_, side)| align(side));
        Cell::new(text).set_alignment(side)
    };
    let head = heads.iter().enumerate().map(|(at, (head, _))| cell((*head).to_owned(), at));
    table.set_header(head.collect::<Vec<_>>());
    for row in rows {
        table.add_row(row.into_iter().enumerate().map(|(at, text)| cell(text, at)));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    let indent = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let cut = |line: &String| line.get(indent..).unwrap_or("").to_owned();
    lines.iter().map(cut).collect::<Vec<_>>().join("\n")
}

/// To which side a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}
