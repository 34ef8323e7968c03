//! What is wrong with a file: the fact, where it stands, and what to do about it.

use std::ops::Range;

use thiserror::Error;

/// One thing that is wrong with a project file or a site file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ProjectError {
    /// What is wrong, with the facts.
    pub message: String,
    /// The bytes of the text that it is about, where they are known.
    pub span: Option<Range<usize>>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ProjectError {
    /// Line and column of the first offending character, both from 1, counted in characters.
    ///
    /// ```
    /// use nearside_workload::Project;
    /// let text = "version = 1\ntitle = \"x\"\n";
    /// let errors = Project::parse(text).unwrap_err();
    /// assert_eq!(errors[0].message, "unknown key \"title\"");
    /// assert_eq!(errors[0].line_and_column(text), Some((2, 1)));
    /// ```
    #[must_use]
    pub fn line_and_column(&self, text: &str) -> Option<(usize, usize)> {
        let before = text.get(..self.span.as_ref()?.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Some((line, before.get(line_start..)?.chars().count() + 1))
    }
}
