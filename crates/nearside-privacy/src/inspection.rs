//! Everything below some paths, looked through on all cores: what was found where, what could not
//! be read, and what was not looked at.

use std::io;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::scan::{Finding, Options, Scanned, scan};
use crate::source::{Content, Entry, Limits, Skipped, Visitor, visit_entry};

/// Something that came up, in the order of paths and places.
#[derive(Clone, Debug)]
pub enum Event<'a> {
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
const LARGE: u64 = 16 << 20;
/// The most files that are looked through before what was found in them is told.
const BATCH: usize = 256;

/// Looks through entries and tells each event, in the order of the entries.
pub fn inspect(
    entries: &[Entry],
    limits: &Limits,
    options: Options,
    each: &mut dyn FnMut(Event<'_>),
) {
    let mut rest = entries;
    while let Some((first, _)) = rest.split_first() {
        if is_large(first) {
            visit_entry(first, limits, &mut Looking { options, each });
            rest = rest.get(1..).unwrap_or(&[]);
            continue;
        }
        let count = rest.iter().take(BATCH).take_while(|entry| !is_large(entry)).count();
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
    crate::source::open(name, stream, limits, &mut Looking { options, each });
}

fn is_large(entry: &Entry) -> bool {
    match entry {
        Entry::File(path) => path.metadata().is_ok_and(|metadata| metadata.len() > LARGE),
        Entry::Unreadable(..) | Entry::Skipped(..) => false,
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
            let mut events = Vec::new();
            let mut keep = |event: Event<'_>| events.push(Kept::of(&event));
            visit_entry(entry, limits, &mut Looking { options: alone, each: &mut keep });
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
    Found(String, Finding),
    Looked(String, Scanned),
    Unreadable(String, String),
    Skipped(String, Skipped),
}

impl Kept {
    fn of(event: &Event<'_>) -> Self {
        match event {
            Event::Found(name, finding) => Self::Found((*name).to_owned(), *finding),
            Event::Looked(name, scanned) => Self::Looked((*name).to_owned(), scanned.clone()),
            Event::Unreadable(name, why) => Self::Unreadable((*name).to_owned(), (*why).to_owned()),
            Event::Skipped(name, what) => Self::Skipped((*name).to_owned(), *what),
        }
    }

    fn borrowed(&self) -> Event<'_> {
        match self {
            Self::Found(name, finding) => Event::Found(name, *finding),
            Self::Looked(name, scanned) => Event::Looked(name, scanned.clone()),
            Self::Unreadable(name, why) => Event::Unreadable(name, why),
            Self::Skipped(name, what) => Event::Skipped(name, *what),
        }
    }
}

/// Scans every content that it is shown.
struct Looking<'e> {
    options: Options,
    each: &'e mut dyn FnMut(Event<'_>),
}

impl Visitor for Looking<'_> {
    fn content(&mut self, content: Content<'_>) -> io::Result<()> {
        let Content { name, form, text } = content;
        let each = &mut *self.each;
        let scanned =
            scan(form, text, self.options, &mut |finding| each(Event::Found(name, finding)))?;
        each(Event::Looked(name, scanned));
        Ok(())
    }

    fn unreadable(&mut self, name: &str, why: &str) {
        (self.each)(Event::Unreadable(name, why));
    }

    fn skipped(&mut self, name: &str, what: Skipped) {
        (self.each)(Event::Skipped(name, what));
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
