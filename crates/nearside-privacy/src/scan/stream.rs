//! A stream of any length, scanned in bounded memory on several threads.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::{Mutex, mpsc};
use std::thread;

use super::cue::Cues;
use super::embedded::{self, Tables, Watch};
use super::entity::{Locale, Votes};
use super::finding::{Finding, Hit, resolve};
use super::scanner::{self, Found};
use super::segment::{self, Segment};
use super::table::{Belief, Column, Dialect, Head, TableCell};
use super::unescape::Unescaped;
use super::view::View;
use crate::source::Form;

/// The bytes at the start of a stream that say how it is laid out and which country it speaks of.
const HEAD: usize = 64 * 1024;
/// What UTF-8 may begin with; it is no part of the text.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// The bytes before a segment that may announce what is in it.
const CONTEXT: usize = 2 * embedded::BEFORE;
/// The bytes that one thread scans at a time, unless stated.
const BLOCK: usize = 1 << 20;

/// How a stream is scanned.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads that scan.
    pub threads: NonZero<usize>,
    /// Bytes that one thread scans at a time: at least 1, at most a gigabyte. What is found does not
    /// depend on it.
    pub block: NonZero<usize>,
}

impl Default for Options {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Self { threads, block: NonZero::new(BLOCK).unwrap_or(NonZero::<usize>::MIN) }
    }
}

/// What a stream was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Bytes read.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// How it is laid out.
    pub form: Option<Form>,
    /// What separates cells, where it is a table.
    pub separator: Option<u8>,
    /// Its columns, where it is a table with heads.
    pub columns: Vec<Column>,
}

/// What the start of a stream says of the whole.
#[derive(Clone, Debug)]
struct Layout {
    form: Form,
    dialect: Option<Dialect>,
    home: Option<Locale>,
}

/// Text to be scanned, with what stands before and after it.
struct Block<'t> {
    number: u64,
    text: Cow<'t, [u8]>,
    pieces: Vec<Piece>,
    /// Where the text begins in the stream.
    offset: u64,
    /// The line that its first segment begins in.
    line: u64,
}

/// A segment, and what is known where it begins of tables that touch it.
#[derive(Clone, Debug)]
struct Piece {
    segment: Segment,
    tables: Option<Tables>,
}

/// Some text, and where it begins in the stream.
#[derive(Clone, Copy, Debug)]
struct Place<'t> {
    text: &'t [u8],
    offset: u64,
}

/// Scans a stream and hands every finding on, in order of place.
///
/// # Errors
/// What reading the stream gave; findings before it were handed on.
pub fn scan(
    form: Option<Form>,
    text: &mut dyn Read,
    options: Options,
    each: &mut dyn FnMut(Finding),
) -> io::Result<Scanned> {
    scan_under_heads(form, text, options, &mut |_| {}, each)
}

/// As [`scan`]; the columns of a table are handed on before anything that is found in them.
///
/// # Errors
/// As [`scan`].
pub fn scan_under_heads(
    form: Option<Form>,
    text: &mut dyn Read,
    options: Options,
    heads: &mut dyn FnMut(&[Column]),
    each: &mut dyn FnMut(Finding),
) -> io::Result<Scanned> {
    let mut first = Vec::new();
    let whole = text.take(HEAD as u64).read_to_end(&mut first)? < HEAD;
    // One mark says that it is UTF-8; any other is part of the text.
    let mark = if first.starts_with(MARK) { MARK.len() } else { 0 };
    first.drain(..mark);
    let moved = mark as u64;
    let mut each = |finding: Finding| {
        let (start, end) = (finding.start + moved, finding.end + moved);
        each(Finding { start, end, ..finding });
    };
    let (form, dialect) = Layout::form(form, Head { text: &first, complete: whole });
    if let Some(dialect) = &dialect {
        heads(&dialect.columns);
    }
    let rest = io::Cursor::new(first).chain(text);
    let laid_out = (form, dialect);
    let mut scanned = match form {
        Form::Text | Form::Delimited => {
            scan_laid_out(laid_out, &mut { rest }, options, &mut |told| {
                if let Told::Found(finding) = told {
                    each(finding);
                }
            })?
        }
        Form::Json => {
            let (mut text, places) = Unescaped::new(rest);
            let mut scanned =
                scan_laid_out(laid_out, &mut text, options, &mut |told| match told {
                    Told::Found(mut finding) => {
                        (finding.start, finding.end) = places.in_file(finding.start, finding.end);
                        each(finding);
                    }
                    Told::Passed(end) => places.forget(end),
                })?;
            scanned.bytes += places.total();
            scanned
        }
    };
    scanned.bytes += moved;
    Ok(scanned)
}

/// What is told of a stream, in order of place.
enum Told {
    Found(Finding),
    /// Everything before a place was told.
    Passed(u64),
}

/// Scans a stream of which it is known how it is laid out.
fn scan_laid_out(
    (form, dialect): (Form, Option<Dialect>),
    text: &mut dyn Read,
    options: Options,
    tell: &mut dyn FnMut(Told),
) -> io::Result<Scanned> {
    let mut source = Source::new(text, options.block.get());
    source.fill(HEAD)?;
    let mut layout = Layout { form, dialect, home: None };
    let mut order = Order { next: 0, waiting: BTreeMap::new(), end: 0 };
    let length = source.buffer.len();
    let one_block = source.complete && length <= options.block.get();
    let result = match options.threads.get() {
        _ if one_block && length <= HEAD => {
            alone(&mut source, &layout, &mut order, &look_at_whole, tell)
        }
        threads => {
            let head = source.buffer.get(..length.min(HEAD)).unwrap_or(&[]);
            layout.home = layout.country(head, source.complete && length <= HEAD);
            if threads == 1 || one_block {
                alone(&mut source, &layout, &mut order, &look, tell)
            } else {
                together(&mut source, &layout, threads, &mut order, tell)
            }
        }
    };
    result?;
    let form = Some(layout.form);
    let (separator, columns) = match layout.dialect {
        Some(dialect) => (Some(dialect.separator), dialect.columns),
        None => (None, Vec::new()),
    };
    Ok(Scanned { bytes: source.offset, lines: source.line, form, separator, columns })
}

fn alone(
    source: &mut Source<'_>,
    layout: &Layout,
    order: &mut Order,
    look: &dyn Fn(&Block<'_>, &Layout) -> Looked,
    tell: &mut dyn FnMut(Told),
) -> io::Result<()> {
    while let Some(block) = source.block(layout.form)? {
        order.add(block.number, look(&block, layout), tell);
    }
    Ok(())
}

fn together(
    source: &mut Source<'_>,
    layout: &Layout,
    threads: usize,
    order: &mut Order,
    tell: &mut dyn FnMut(Told),
) -> io::Result<()> {
    let most = threads + 2;
    let (to_workers, blocks) = mpsc::sync_channel::<Block<'static>>(most);
    let (to_us, findings) = mpsc::channel();
    let blocks = Mutex::new(blocks);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (to_us, blocks) = (to_us.clone(), &blocks);
            scope.spawn(move || {
                loop {
                    let block = blocks.lock().map(|blocks| blocks.recv());
                    let Ok(Ok(block)) = block else { break };
                    if to_us.send((block.number, look(&block, layout))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(to_us);
        let mut flying = 0;
        let mut read = Ok(());
        loop {
            match source.block(layout.form) {
                Ok(Some(block)) => {
                    flying += 1;
                    if to_workers.send(block.owned()).is_err() {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    read = Err(error);
                    break;
                }
            }
            while flying >= most {
                let Ok((number, found)) = findings.recv() else { break };
                order.add(number, found, tell);
                flying -= 1;
            }
        }
        drop(to_workers);
        for (number, found) in findings {
            order.add(number, found, tell);
        }
        read
    })
}

/// The findings of a block, and where it ends.
struct Looked {
    found: Vec<Finding>,
    end: u64,
}

/// Findings of blocks, put into the order of the stream.
struct Order {
    next: u64,
    waiting: BTreeMap<u64, Looked>,
    /// Where the last finding ends: what begins before it is part of it.
    end: u64,
}

impl Order {
    fn add(&mut self, number: u64, looked: Looked, tell: &mut dyn FnMut(Told)) {
        self.waiting.insert(number, looked);
        while let Some(looked) = self.waiting.remove(&self.next) {
            for finding in looked.found {
                if finding.start >= self.end {
                    self.end = finding.end;
                    tell(Told::Found(finding));
                }
            }
            tell(Told::Passed(looked.end));
            self.next += 1;
        }
    }
}

/// The stream, read in blocks of whole segments.
struct Source<'r> {
    reader: &'r mut dyn Read,
    /// What is read and not yet given out, with what stands before it.
    buffer: Vec<u8>,
    /// Where in the buffer the next segment begins.
    start: usize,
    /// Where that is in the stream.
    offset: u64,
    line: u64,
    number: u64,
    complete: bool,
    block: usize,
    watch: Watch,
}

impl<'r> Source<'r> {
    fn new(reader: &'r mut dyn Read, block: usize) -> Self {
        let (buffer, start, offset, line, number, complete) = (Vec::new(), 0, 0, 1, 0, false);
        let watch = Watch::default();
        Self { reader, buffer, start, offset, line, number, complete, block, watch }
    }

    /// Reads until so many bytes from the next segment on are there, or no more come.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        let there = self.buffer.len() - self.start;
        if !self.complete && there < wanted {
            let more = (wanted - there) as u64;
            let read = (&mut *self.reader).take(more).read_to_end(&mut self.buffer)?;
            self.complete = (read as u64) < more;
        }
        Ok(())
    }

    /// The next block of whole segments. What stays in the buffer begins with it until the next one
    /// is asked for.
    fn block(&mut self, form: Form) -> io::Result<Option<Block<'_>>> {
        self.buffer.drain(..self.start.saturating_sub(CONTEXT));
        self.start = self.start.min(CONTEXT);
        self.fill(self.block.max(1) + segment::MAX + segment::RIGHT)?;
        let mut pieces = Vec::new();
        let begin = self.start;
        while self.start - begin < self.block {
            let next = segment::next(&self.buffer, self.start, form, self.complete);
            let Some(segment) = next else { break };
            self.start = segment.end;
            pieces.push(Piece::of(segment, &self.buffer, form, &mut self.watch));
        }
        let (offset, line) = (self.offset - begin as u64, self.line);
        let given = self.buffer.get(begin..self.start).unwrap_or(&[]);
        self.line += memchr::memchr_iter(b'\n', given).count() as u64;
        self.offset += given.len() as u64;
        let number = self.number;
        self.number += 1;
        let end = (self.start + segment::RIGHT).min(self.buffer.len());
        let text = Cow::Borrowed(self.buffer.get(..end).unwrap_or(&[]));
        Ok((!pieces.is_empty()).then_some(Block { number, text, pieces, offset, line }))
    }
}

impl Piece {
    fn of(segment: Segment, text: &[u8], form: Form, watch: &mut Watch) -> Self {
        let tables = match form {
            Form::Text | Form::Json => watch.before(text, segment),
            Form::Delimited => None,
        };
        Self { segment, tables }
    }
}

impl Block<'_> {
    /// The block with a text of its own, for another thread.
    fn owned(self) -> Block<'static> {
        let Block { number, text, pieces, offset, line } = self;
        Block { number, text: Cow::Owned(text.into_owned()), pieces, offset, line }
    }
}

impl Layout {
    /// How a stream is laid out, by its start.
    fn form(form: Option<Form>, start: Head<'_>) -> (Form, Option<Dialect>) {
        let belief = match form {
            Some(Form::Delimited) => Belief::Stated,
            _ => Belief::Open,
        };
        let head = start.text;
        let dialect = match form {
            Some(Form::Json) => None,
            Some(Form::Text | Form::Delimited) | None => Dialect::of(start, belief),
        };
        let form = match (&dialect, form) {
            (Some(_), _) => Form::Delimited,
            (None, Some(Form::Json)) => Form::Json,
            (None, None) if begins_json(head) => Form::Json,
            _ => Form::Text,
        };
        (form, dialect)
    }

    /// The country that the start of a stream speaks of.
    fn country(&self, head: &[u8], complete: bool) -> Option<Locale> {
        let mut all = Votes::default();
        let (mut start, mut watch) = (0, Watch::default());
        while let Some(segment) = segment::next(head, start, self.form, complete) {
            start = segment.end;
            let place = Place { text: head, offset: 0 };
            let piece = Piece::of(segment, head, self.form, &mut watch);
            self.scan(place, piece, &mut |_, votes| all.merge(votes));
        }
        all.leading()
    }

    /// Everything in a segment that the rules know, told line by line or as a record.
    fn scan(&self, place: Place<'_>, piece: Piece, tell: &mut dyn FnMut(&mut Vec<Hit>, Votes)) {
        let Place { text, offset } = place;
        let Piece { segment, tables } = piece;
        // Nothing goes over the end of a record.
        let seen = match self.dialect {
            Some(_) => segment.end,
            None => segment.end + segment::RIGHT,
        };
        let text = text.get(..seen.min(text.len())).unwrap_or(text);
        let cells: Vec<TableCell> = match &self.dialect {
            Some(dialect)
                if offset + segment.start as u64 <= dialect.first
                    && !dialect.columns.is_empty() =>
            {
                dialect.heads(text, segment.start)
            }
            Some(dialect) => dialect.cells(text, segment.start),
            None => tables.map_or_else(Vec::new, |tables| tables.cells(text, segment)),
        };
        let known = Cell::new((usize::MAX, Cues::NONE));
        let (form, cells) = (self.form, cells.as_slice());
        let view = View { text, start: segment.start, end: segment.end, form, cells, known };
        scanner::scan(&view, &mut Found::new(tell));
    }
}

fn begins_json(head: &[u8]) -> bool {
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    match bytes.next() {
        Some(b'{') => matches!(bytes.next(), Some(b'"' | b'}')),
        Some(b'[') => matches!(bytes.next(), Some(b'{' | b'"' | b'[' | b']')),
        _ => false,
    }
}

/// What may be in a block, line by line, before it is told what of it stays.
struct Gathered {
    hits: Vec<Hit>,
    lines: Vec<Line>,
}

/// What a line or record held.
struct Line {
    /// Where its segment begins, and where that ends.
    segment: Segment,
    /// The hits up to its last one.
    hits: usize,
    votes: Votes,
}

impl Gathered {
    fn of(block: &Block<'_>, layout: &Layout) -> Self {
        let (mut hits, mut lines) = (Vec::new(), Vec::new());
        for piece in &block.pieces {
            let segment = piece.segment;
            let place = Place { text: &block.text, offset: block.offset };
            layout.scan(place, piece.clone(), &mut |found, votes| {
                hits.append(found);
                lines.push(Line { segment, hits: hits.len(), votes });
            });
        }
        Self { hits, lines }
    }

    /// The country that all lines together speak of.
    fn country(&self) -> Option<Locale> {
        let mut all = Votes::default();
        for line in &self.lines {
            all.merge(line.votes);
        }
        all.leading()
    }

    /// The findings, in order of place.
    fn settle(self, block: &Block<'_>, layout: &Layout, home: Option<Locale>) -> Looked {
        let mut found = Vec::new();
        // Lines are counted up to what is found, not segment by segment.
        let (mut line, mut counted) =
            (block.line, block.pieces.first().map_or(0, |first| first.segment.start));
        let (mut hits, mut all, mut taken) = (Vec::new(), self.hits.into_iter(), 0);
        for Line { segment, hits: last, votes } in self.lines {
            hits.extend(all.by_ref().take(last - taken));
            taken = last;
            // What a row says of its country goes before what the file says.
            resolve(&mut hits, votes.leading().or(home));
            let cells = match (&layout.dialect, block.text.get(..segment.end)) {
                (Some(dialect), Some(text)) => dialect.cells(text, segment.start),
                _ => Vec::new(),
            };
            for hit in hits.drain(..) {
                let between = block.text.get(counted..hit.start).unwrap_or(&[]);
                line += memchr::memchr_iter(b'\n', between).count() as u64;
                counted = counted.max(hit.start);
                let column = cells.iter().rev().find(|cell| cell.start <= hit.start);
                found.push(Finding {
                    entity: hit.entity,
                    start: block.offset + hit.start as u64,
                    end: block.offset + hit.end as u64,
                    line,
                    column: column.map(|cell| cell.column),
                    score: hit.score,
                    rule: hit.rule,
                    proof: hit.proof,
                    cues: hit.cues,
                });
            }
        }
        let end = block.pieces.last().map_or(0, |last| last.segment.end);
        Looked { found, end: block.offset + end as u64 }
    }
}

/// The findings of a stream that is one block, and says itself which country it speaks of.
fn look_at_whole(block: &Block<'_>, layout: &Layout) -> Looked {
    let gathered = Gathered::of(block, layout);
    let home = gathered.country();
    gathered.settle(block, layout, home)
}

/// The findings of a block, in order of place.
fn look(block: &Block<'_>, layout: &Layout) -> Looked {
    Gathered::of(block, layout).settle(block, layout, layout.home)
}
