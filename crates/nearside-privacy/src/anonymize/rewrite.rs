//! A text written anew with pseudonyms in the places of values, in one pass and bounded memory.
//!
//! Values are replaced content by content: what is found across cells of a table or values of JSON is
//! replaced in each, and what holds them apart stays. A number or word of JSON without quotes is
//! replaced as a whole, by a string. An escape of JSON that begins before a value stays whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};

use super::echo;
use super::layout::{Kind, Layout, Lexer};
use super::operator::Operator;
use super::pseudonym::Pseudonyms;
use super::spool::{Item, Items, Spool};
use super::text::{Depositing, Work};
use crate::scan::{Entity, Group};

/// The most bytes of a number or word of JSON that are taken for one.
const MAX_BARE: usize = 4096;

/// How often each operator was used on each kind.
pub(super) type Counts = BTreeMap<(Entity, Operator), u64>;

/// Columns, by their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// Those that are left out.
    pub(super) dropped: BTreeSet<usize>,
    /// Those whose values stay, but for secrets.
    pub(super) kept: BTreeSet<usize>,
    /// The one that says whose dates those of a row are.
    pub(super) subject: Option<usize>,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) counts: Counts,
    /// Where values were written that may look like what was there.
    pub(super) marks: Spool,
    pub(super) bytes: u64,
}

/// Writes a text anew.
pub(super) struct Rewriter<'a> {
    out: &'a mut dyn Write,
    pseudonyms: &'a Pseudonyms,
    columns: &'a Columns,
    vault: Option<Depositing<'a>>,
    lexer: Lexer,
    items: Items,
    /// Items that come before all others.
    queue: VecDeque<Item>,
    /// The next place where something is found, or the one that the text is at.
    item: Option<Item>,
    /// Where in the text it is.
    position: u64,
    /// The value so far, and where in the output it would stand.
    value: Vec<u8>,
    mark_start: Option<u64>,
    /// Where the item begins that was counted last.
    counted: Option<u64>,
    /// A number or word of JSON so far, and what was found in it.
    bare: Vec<u8>,
    bare_item: Option<Item>,
    /// The cell that is being written.
    row: u64,
    column: usize,
    /// Whether this row has a cell already.
    has_cell: bool,
    /// Whose dates these are.
    subject: Vec<u8>,
    written: Written,
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(
        layout: Layout,
        mut items: Items,
        marks: Spool,
        columns: &'a Columns,
        work: Work<'a>,
        out: &'a mut dyn Write,
    ) -> io::Result<Self> {
        let item = items.next()?;
        Ok(Self {
            out,
            pseudonyms: work.pseudonyms,
            columns,
            vault: work.vault,
            lexer: Lexer::new(layout),
            items,
            queue: VecDeque::new(),
            item,
            position: 0,
            value: Vec::new(),
            mark_start: None,
            counted: None,
            bare: Vec::new(),
            bare_item: None,
            row: 0,
            column: 0,
            has_cell: !columns.dropped.contains(&0),
            subject: Vec::new(),
            written: Written { counts: Counts::new(), marks, bytes: 0 },
        })
    }

    /// Says whose dates the next ones are.
    pub(super) fn set_subject(&mut self, subject: &[u8]) {
        self.subject.clear();
        self.subject.extend_from_slice(subject);
    }

    /// Takes a row: a value that is found in one cell is replaced in all.
    pub(super) fn feed_row(&mut self, row: &[u8]) -> io::Result<()> {
        let end = self.position + row.len() as u64;
        let mut items = Vec::new();
        while let Some(item) = self.item.filter(|item| item.start < end) {
            items.push(item);
            self.item = self.following()?;
        }
        echo::add(&mut items, row, self.position);
        self.queue = items.into_iter().chain(self.item).chain(self.queue.drain(..)).collect();
        self.item = self.following()?;
        self.feed(row)
    }

    fn following(&mut self) -> io::Result<Option<Item>> {
        match self.queue.pop_front() {
            Some(item) => Ok(Some(item)),
            None => self.items.next(),
        }
    }

    /// Takes the next bytes of the text.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((first, rest)) = bytes.split_first() {
            let plain = self.plain(bytes.len());
            if plain > 0 {
                let (copied, after) = bytes.split_at(plain);
                self.write(copied)?;
                self.position += plain as u64;
                bytes = after;
                continue;
            }
            self.pass(*first)?;
            bytes = rest;
        }
        Ok(())
    }

    /// How many bytes can be copied without a look at them: of plain text, up to the next item.
    fn plain(&self, there: usize) -> usize {
        if self.lexer.layout() != Layout::Text {
            return 0;
        }
        match &self.item {
            None => there,
            Some(item) => {
                let before = item.start.saturating_sub(self.position);
                usize::try_from(before).unwrap_or(usize::MAX).min(there)
            }
        }
    }

    /// Writes what is still held back.
    pub(super) fn finish(mut self) -> io::Result<Written> {
        self.close_value()?;
        self.close_bare()?;
        self.out.flush()?;
        Ok(self.written)
    }

    fn pass(&mut self, byte: u8) -> io::Result<()> {
        let escaping = self.lexer.is_within_escape();
        let kind = self.lexer.step(byte);
        let at = self.position;
        self.position += 1;
        let item = self.item.filter(|item| item.start <= at);
        match kind {
            Kind::Bare => {
                self.bare.push(byte);
                self.bare_item = self.bare_item.or(item);
                if self.bare.len() > MAX_BARE {
                    self.close_bare()?;
                }
            }
            Kind::Structure => {
                self.close_value()?;
                self.close_bare()?;
                self.structure(byte)?;
            }
            Kind::Content => match item {
                // The escape began before the value, and so is none of it.
                Some(_) if escaping && self.value.is_empty() && self.mark_start.is_none() => {
                    self.write(&[byte])?;
                }
                Some(item) if self.stays(&item) => {
                    self.mark_start = self.mark_start.or(Some(self.written.bytes));
                    self.write(&[byte])?;
                }
                Some(_) => self.value.push(byte),
                None => self.write(&[byte])?,
            },
        }
        if item.is_some_and(|item| self.position >= item.end) && !self.lexer.is_within_escape() {
            self.next_item()?;
        }
        Ok(())
    }

    fn next_item(&mut self) -> io::Result<()> {
        self.close_value()?;
        // What an escape or a whole number took along is passed already.
        while self.item.is_some_and(|item| item.end <= self.position) {
            self.item = self.following()?;
        }
        Ok(())
    }

    /// A separator goes with the cell after it; where that is left out, so is the separator.
    fn structure(&mut self, byte: u8) -> io::Result<()> {
        let (row, column) = (self.lexer.row, self.lexer.column);
        if row != self.row || byte == b'\r' {
            self.put(&[byte])?;
            (self.row, self.column) = (row, column);
            self.has_cell = !self.is_dropped();
            return Ok(());
        }
        let separator = std::mem::replace(&mut self.column, column) != column;
        match separator && !self.is_dropped() && !std::mem::replace(&mut self.has_cell, true) {
            true => Ok(()),
            false => self.write(&[byte]),
        }
    }

    fn is_dropped(&self) -> bool {
        self.columns.dropped.contains(&self.column)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.is_dropped() { Ok(()) } else { self.put(bytes) }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// The operator of an item here, where its column may be one that stays.
    fn operator(&self, item: &Item) -> Operator {
        let secret = item.entity.group() == Group::Secret;
        let kept = !secret && self.columns.kept.contains(&self.column);
        if kept { Operator::Keep } else { item.operator }
    }

    fn stays(&self, item: &Item) -> bool {
        item.done || self.operator(item) == Operator::Keep
    }

    /// Ends a value, or the part of it that one content holds.
    fn close_value(&mut self) -> io::Result<()> {
        let Some(item) = self.item else { return Ok(()) };
        if let Some(start) = self.mark_start.take() {
            let operator = if item.done { item.operator } else { self.operator(&item) };
            self.mark(&item, operator, start);
            self.count(&item, operator);
        }
        if self.value.is_empty() {
            return Ok(());
        }
        let value = std::mem::take(&mut self.value);
        self.replace(&item, &value, "")
    }

    /// Ends a number or word of JSON.
    fn close_bare(&mut self) -> io::Result<()> {
        let bare = std::mem::take(&mut self.bare);
        match self.bare_item.take() {
            Some(item) if self.stays(&item) => {
                let (start, operator) = (self.written.bytes, self.operator(&item));
                self.write(&bare)?;
                self.mark(&item, operator, start);
                self.count(&item, operator);
                Ok(())
            }
            Some(item) => self.replace(&item, &bare, "\""),
            None => self.write(&bare),
        }
    }

    fn replace(&mut self, item: &Item, value: &[u8], quote: &str) -> io::Result<()> {
        let operator = self.operator(item);
        let value = match self.lexer.layout() {
            Layout::Json => unescaped(value),
            Layout::Text | Layout::Delimited(_) => Cow::Borrowed(value),
        };
        let made = self.pseudonyms.make(item.entity, operator, &value, &self.subject);
        let made = made.unwrap_or_else(|| format!("[{}]", item.entity));
        if let (Operator::Vault, Some(vault)) = (operator, self.vault) {
            vault.add(item.entity, &made, &value, !quote.is_empty())?;
        }
        self.write(quote.as_bytes())?;
        let start = self.written.bytes;
        self.write(made.as_bytes())?;
        if operator.looks_real() {
            self.mark(item, operator, start);
        }
        self.count(item, operator);
        self.write(quote.as_bytes())
    }

    fn mark(&mut self, item: &Item, operator: Operator, start: u64) {
        let end = self.written.bytes;
        if end > start {
            let entity = item.entity;
            self.written.marks.push(Item { start, end, entity, operator, done: true });
        }
    }

    /// Counts an item once, in however many parts it is written; not what is only carried along.
    fn count(&mut self, item: &Item, operator: Operator) {
        if !item.done && self.counted.replace(item.start) != Some(item.start) {
            *self.written.counts.entry((item.entity, operator)).or_default() += 1;
        }
    }
}

/// What a part of a string of JSON says.
fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return Cow::Borrowed(value);
    }
    let string = [b"\"", value, b"\""].concat();
    match serde_json::from_slice::<String>(&string) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(value),
    }
}
