//! The one error type of the command: what went wrong, where, and what to do about it.

use std::ops::Range;
use std::process::ExitCode;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// Problems of one file that are shown; more than that and it is another kind of file.
const MOST_SHOWN: usize = 20;

/// Whose fault it is, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The command line.
    Usage = 2,
    /// A project, configuration or input file.
    Input = 3,
    /// The world outside: disk, driver, network.
    World = 4,
    /// Ours.
    Bug = 70,
}

/// One thing that went wrong.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// What, with the facts.
    pub(crate) message: String,
    /// Where in the file.
    pub(crate) span: Option<Range<usize>>,
    /// What to do, preferably a command.
    pub(crate) hint: Option<String>,
}

/// Everything that went wrong.
#[derive(Clone, Debug)]
pub(crate) struct CommandError {
    pub(crate) fault: Fault,
    /// The file it is about: its name and text.
    pub(crate) file: Option<(String, String)>,
    pub(crate) problems: Vec<Problem>,
}

impl CommandError {
    /// What it says, without hints.
    pub(crate) fn message(&self) -> String {
        let messages: Vec<_> =
            self.problems.iter().map(|problem| problem.message.as_str()).collect();
        messages.join("; ")
    }

    /// An error with a message and a hint.
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        let problem = Problem { message: message.into(), span: None, hint: None };
        Self { fault, file: None, problems: vec![problem] }
    }

    /// Adds a hint to the last problem.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(problem) = self.problems.last_mut() {
            problem.hint = Some(hint.into());
        }
        self
    }

    /// Several problems in one file.
    pub(crate) fn in_file(name: String, text: &str, problems: Vec<Problem>) -> Self {
        Self { fault: Fault::Input, file: Some((name, text.to_owned())), problems }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.fault as u8)
    }

    /// The whole text: a block with a caret per problem, then its hint.
    pub(crate) fn render(&self, renderer: &Renderer) -> String {
        let shown = self.problems.iter().take(MOST_SHOWN);
        let mut blocks: Vec<_> = shown.map(|problem| self.block(problem, renderer)).collect();
        if let more @ 1.. = self.problems.len().saturating_sub(MOST_SHOWN) {
            blocks.push(format!("error: and {more} more; is this the right file?"));
        }
        blocks.join("\n\n")
    }

    fn block(&self, problem: &Problem, renderer: &Renderer) -> String {
        let no_elements: [annotate_snippets::Element<'_>; 0] = [];
        let title = Level::ERROR.primary_title(problem.message.as_str());
        let mut group = title.elements(no_elements);
        if let Some((name, text)) = &self.file {
            group = match &problem.span {
                Some(span) => group.element(
                    Snippet::source(text.as_str())
                        .path(name.as_str())
                        .annotation(AnnotationKind::Primary.span(within(span, text))),
                ),
                None => group.element(annotate_snippets::Origin::path(name.as_str())),
            };
        }
        let mut block = renderer.render(&[group]);
        if let Some(hint) = &problem.hint {
            block.push_str("\n\nhint: ");
            block.push_str(hint);
        }
        block
    }
}

/// A span that is surely inside the text and on character borders.
fn within(span: &Range<usize>, text: &str) -> Range<usize> {
    let border = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = border(span.start);
    start..border(span.end).max(start)
}

impl From<nearside_catalog::CatalogError> for CommandError {
    fn from(error: nearside_catalog::CatalogError) -> Self {
        Self::new(Fault::Input, error.to_string())
    }
}
