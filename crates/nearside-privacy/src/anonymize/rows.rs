//! Rows of a table, read ahead so that the subject of a row is known before its first cell is written.

use std::io::{self, ErrorKind};

use super::layout::{Kind, Layout, Lexer};
use super::rewrite::Rewriter;

/// The most bytes of a row.
const MAX_ROW: usize = 16 << 20;

/// Rows, handed on one by one.
pub(super) struct Rows {
    lexer: Lexer,
    /// The column of subjects.
    column: Option<usize>,
    row: Vec<u8>,
    subject: Vec<u8>,
}

impl Rows {
    pub(super) const fn new(layout: Layout, column: Option<usize>) -> Self {
        Self { lexer: Lexer::new(layout), column, row: Vec::new(), subject: Vec::new() }
    }

    /// Takes the next bytes of a table.
    pub(super) fn feed(&mut self, bytes: &[u8], rewriter: &mut Rewriter<'_>) -> io::Result<()> {
        for byte in bytes {
            let (row, column) = (self.lexer.row, self.lexer.column);
            let kind = self.lexer.step(*byte);
            self.row.push(*byte);
            if kind == Kind::Content && Some(column) == self.column {
                self.subject.push(*byte);
            }
            if self.lexer.row != row {
                self.finish(rewriter)?;
            }
            if self.row.len() > MAX_ROW {
                return Err(io::Error::new(ErrorKind::InvalidData, "a row of more than 16 MiB"));
            }
        }
        Ok(())
    }

    /// Hands on the row that is there.
    pub(super) fn finish(&mut self, rewriter: &mut Rewriter<'_>) -> io::Result<()> {
        if self.column.is_some() {
            rewriter.set_subject(self.subject.trim_ascii());
        }
        rewriter.feed(&self.row)?;
        self.row.clear();
        self.subject.clear();
        Ok(())
    }
}
