//! Rows of a table and lines of JSON, read ahead: what a row is about, and which values are in it, is
//! known before its first cell is written.

use std::io::{self, ErrorKind};

use super::layout::{Kind, Layout, Lexer};
use super::rewrite::Rewriter;

/// The most bytes of a row that are read ahead; what comes after them is looked at alone.
const MAX_ROW: usize = 4 << 20;

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

    /// Takes the next bytes of the text.
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
            } else if self.row.len() >= MAX_ROW {
                if self.column.is_some() {
                    let why = "a row of more than 4 MiB: its subject cannot be told";
                    return Err(io::Error::new(ErrorKind::InvalidData, why));
                }
                self.finish(rewriter)?;
            }
        }
        Ok(())
    }

    /// Hands on the row that is there.
    pub(super) fn finish(&mut self, rewriter: &mut Rewriter<'_>) -> io::Result<()> {
        if self.column.is_some() {
            rewriter.set_subject(self.subject.trim_ascii());
        }
        rewriter.feed_row(&self.row)?;
        self.row.clear();
        self.subject.clear();
        Ok(())
    }
}
