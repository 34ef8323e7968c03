//! Everything below some paths, looked through on all cores: what was found where, what could not
//! be read, and what was not looked at.

use std::cell::RefCell;
use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::scan::{Column, Finding, Options, Scanned, scan_under_heads};
use crate::source::{Content, Entry, Limits, Skipped, Visitor, visit_entry};

/// Something that came up, in the order of paths and places.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A table was opened, and these are its columns.
    Opened(&'a str, &'a [Column]),
    /// Something was found in a content.
    Found(&'a str, Finding),
    /// A content was looked through to its end.
    Looked(&'a str, Scanned),
    /// Something could not be read, or not in full: it counts as not looked through.
    Unreadable(&'a str, &'a str),
    /// Something that no text can be told of was left out.
    Skipped(&'a str, Skipped),
}

/// Files above this size are shared out among cores by themselves; smaller ones one to a core.
const LARGE: u64 = 4 << 20;
/// The most files that are looked through before what was found in them is told, and the most bytes.
const BATCH: usize = 256;
const BATCH_BYTES: u64 = 16 << 20;
/// Why something was not read in full.
pub const STOPPED: &str = "it was interrupted";

/// Looks through entries and tells each event, in the order of the entries.
pub fn inspect(
    entries: &[Entry],
    limits: &Limits,
    options: Options,
    each: &mut dyn FnMut(Event<'_>),
) {
    let mut rest = entries;
    while let Some((first, others)) = rest.split_first()
        && !limits.is_stopped()
    {
        if size(first) > LARGE {
            visit_entry(first, limits, &mut Looking { limits, options, each });
            rest = others;
            continue;
        }
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += size(entry);
            size(entry) <= LARGE && bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(BATCH).take_while(fits).count();
        let (batch, after) = rest.split_at(count);
        for events in together(batch, limits, options) {
            for event in events {
                each(event.borrowed());
            }
        }
        rest = after;
    }
}

/// Looks through one stream, such as the standard input.
pub fn inspect_stream(
    name: &str,
    stream: &mut dyn io::Read,
    limits: &Limits,
    options: Options,
    each: &mut dyn FnMut(Event<'_>),
) {
    crate::source::open(name, stream, limits, &mut Looking { limits, options, each });
}

fn size(entry: &Entry) -> u64 {
    match entry {
        Entry::File(path) => path.metadata().map_or(0, |metadata| metadata.len()),
        Entry::Unreadable(..) | Entry::Skipped(..) => 0,
    }
}

/// The events of every entry of a batch, one entry to a thread at a time.
fn together(batch: &[Entry], limits: &Limits, options: Options) -> Vec<Vec<Kept>> {
    let next = AtomicUsize::new(0);
    let kept: Vec<Mutex<Vec<Kept>>> = batch.iter().map(|_| Mutex::new(Vec::new())).collect();
    let alone = Options { threads: NonZero::<usize>::MIN, ..options };
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let (Some(entry), Some(place)) = (batch.get(index), kept.get(index)) else { break };
            let (mut events, mut last) = (Vec::new(), Arc::from(""));
            let mut keep = |event: Event<'_>| events.push(Kept::of(&event, &mut last));
            visit_entry(entry, limits, &mut Looking { limits, options: alone, each: &mut keep });
            *place.lock().unwrap_or_else(PoisonError::into_inner) = events;
        }
    };
    let helpers = options.threads.get().min(batch.len()).saturating_sub(1);
    thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(work);
        }
        work();
    });
    kept.into_iter()
        .map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// An event that outlives what it speaks of.
#[derive(Clone, Debug)]
enum Kept {
    Opened(Arc<str>, Vec<Column>),
    Found(Arc<str>, Finding),
    Looked(Arc<str>, Scanned),
    Unreadable(Arc<str>, String),
    Skipped(Arc<str>, Skipped),
}

impl Kept {
    /// `last` is the name of the event before: most are of the same content.
    fn of(event: &Event<'_>, last: &mut Arc<str>) -> Self {
        let mut kept = |name: &str| {
            if **last != *name {
                *last = name.into();
            }
            Arc::clone(last)
        };
        match event {
            Event::Opened(name, columns) => Self::Opened(kept(name), columns.to_vec()),
            Event::Found(name, finding) => Self::Found(kept(name), *finding),
            Event::Looked(name, scanned) => Self::Looked(kept(name), scanned.clone()),
            Event::Unreadable(name, why) => Self::Unreadable(kept(name), (*why).to_owned()),
            Event::Skipped(name, what) => Self::Skipped(kept(name), *what),
        }
    }

    fn borrowed(&self) -> Event<'_> {
        match self {
            Self::Opened(name, columns) => Event::Opened(name, columns),
            Self::Found(name, finding) => Event::Found(name, *finding),
            Self::Looked(name, scanned) => Event::Looked(name, scanned.clone()),
            Self::Unreadable(name, why) => Event::Unreadable(name, why),
            Self::Skipped(name, what) => Event::Skipped(name, *what),
        }
    }
}

/// Scans every content that it is shown.
struct Looking<'e> {
    limits: &'e Limits,
    options: Options,
    each: &'e mut dyn FnMut(Event<'_>),
}

impl Visitor for Looking<'_> {
    fn content(&mut self, content: Content<'_>) -> io::Result<()> {
        let Content { name, form, text } = content;
        let each = RefCell::new(&mut *self.each);
        let tell = |event: Event<'_>| (each.borrow_mut())(event);
        let mut text = Stoppable { inner: text, limits: self.limits };
        let heads = &mut |columns: &[Column]| tell(Event::Opened(name, columns));
        let found = &mut |finding| tell(Event::Found(name, finding));
        let scanned = scan_under_heads(form, &mut text, self.options, heads, found)?;
        tell(Event::Looked(name, scanned));
        Ok(())
    }

    fn unreadable(&mut self, name: &str, why: &str) {
        (self.each)(Event::Unreadable(name, why));
    }

    fn skipped(&mut self, name: &str, what: Skipped) {
        (self.each)(Event::Skipped(name, what));
    }
}

/// A reader that fails once nothing more is to be read.
struct Stoppable<'s> {
    inner: &'s mut dyn io::Read,
    limits: &'s Limits,
}

impl io::Read for Stoppable<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.limits.is_stopped() {
            true => Err(io::Error::other(STOPPED)),
            false => self.inner.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::files;

    fn told(entries: &[Entry], threads: usize) -> Vec<String> {
        let mut told = Vec::new();
        let threads = NonZero::new(threads).unwrap();
        let options = Options { threads, ..Options::default() };
        inspect(entries, &Limits::default(), options, &mut |event| {
            told.push(match event {
                Event::Opened(name, columns) => format!("{name} {}", columns.len()),
                Event::Found(name, finding) => {
                    format!("{name} {} {}", finding.entity, finding.start)
                }
                Event::Looked(name, scanned) => format!("{name} {}", scanned.bytes),
                Event::Unreadable(name, why) => format!("{name} {why}"),
                Event::Skipped(name, what) => format!("{name} {what}"),
            });
        });
        told
    }

    #[test]
    fn what_is_told_does_not_depend_on_threads() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..40 {
            let text = format!("line\nmail ann{number}@acme.org and +49 30 123456{number:02}\n");
            fs::write(folder.path().join(format!("{number:02}.txt")), text).unwrap();
        }
        fs::write(folder.path().join("z.7z"), b"7z\xbc\xaf\x27\x1c rest").unwrap();
        let entries = files(&[folder.path()], &Limits::default()).unwrap();
        let alone = told(&entries, 1);
        assert_eq!(alone, told(&entries, 4));
        assert_eq!(alone.iter().filter(|line| line.contains("EMAIL")).count(), 40);
        assert!(alone.last().unwrap().contains("z.7z"));
    }
}
