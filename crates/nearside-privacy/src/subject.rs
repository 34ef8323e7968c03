//! Whether something holds a person: what is known of them, and the pseudonyms of that.
//!
//! What was stated is looked for as it is, in large and small letters alike, as whole words; its labels and
//! hashes ([`Pseudonyms`]) of every kind as well. A number in another way of writing, or a name in another
//! order, is only found through its pseudonym: whoever asks for an erasure states all ways that they know.

use std::collections::BTreeSet;
use std::io::{self, Read};

use memchr::memmem;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::anonymize::{HASH_DIGITS, Operator, Pseudonyms};
use crate::scan::Entity;
use crate::source::{self, Content, Limits, Skipped, Visitor};

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// The fewest letters and digits of something that is looked for.
const LEAST: usize = 4;
/// The longest thing that is looked for.
const MOST: usize = 4096;
/// The operators whose pseudonyms say which value they stand for.
const TELLING: [Operator; 2] = [Operator::Replace, Operator::Hash];

/// Why nobody can be looked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoSubject {
    /// Nothing was stated.
    #[error("nothing says whom to look for")]
    Nothing,
    /// A line would be found everywhere.
    #[error("line {0} has fewer than 4 letters and digits: it would be found everywhere")]
    Short(usize),
    /// A line is too long.
    #[error("line {0} is longer than 4 KiB")]
    Long(usize),
}

/// A person to look for.
#[derive(Clone)]
pub struct Subject {
    /// What was stated, in small letters.
    stated: Vec<Zeroizing<Vec<u8>>>,
    /// Its pseudonyms.
    marks: BTreeSet<String>,
    longest: usize,
}

impl std::fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Subject({} texts)", self.stated.len())
    }
}

/// What a look into something found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often the person is in it.
    pub found: u64,
    /// What in it could not be read, and why.
    pub unreadable: Vec<(String, String)>,
}

impl Subject {
    /// The person of whom a text states something in each line: a name, an address, a number.
    ///
    /// # Errors
    /// When it states nothing, or a line would be found everywhere.
    pub fn of(text: &str, pseudonyms: Option<&Pseudonyms>) -> Result<Self, NoSubject> {
        let mut subject = Self { stated: Vec::new(), marks: BTreeSet::new(), longest: 0 };
        for (place, line) in text.lines().enumerate() {
            let line = line.trim();
            match line.chars().filter(|sign| sign.is_alphanumeric()).count() {
                0 if line.is_empty() => continue,
                0..LEAST => return Err(NoSubject::Short(place + 1)),
                _ if line.len() > MOST => return Err(NoSubject::Long(place + 1)),
                _ => {}
            }
            subject.stated.push(Zeroizing::new(line.to_ascii_lowercase().into_bytes()));
            let made = |entity: &Entity, operator| {
                pseudonyms?.make(*entity, operator, line.as_bytes(), b"")
            };
            for entity in Entity::ALL {
                let marks = TELLING.into_iter().filter_map(|operator| made(entity, operator));
                subject.marks.extend(marks.map(|mark| mark.to_ascii_lowercase()));
            }
        }
        let marks = subject.marks.iter().map(String::len);
        let lengths = subject.stated.iter().map(|stated| stated.len()).chain(marks);
        subject.longest = lengths.max().ok_or(NoSubject::Nothing)?;
        Ok(subject)
    }

    /// What was stated, one text after the other, in an order that does not depend on how it was stated.
    #[must_use]
    pub fn in_order(&self) -> Zeroizing<Vec<u8>> {
        let mut stated: Vec<&[u8]> = self.stated.iter().map(|stated| stated.as_slice()).collect();
        stated.sort_unstable();
        Zeroizing::new(stated.join(&b'\n'))
    }

    /// Whether a text is about the person.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.count(&Zeroizing::new(text.to_ascii_lowercase().into_bytes()), 0, text.len()) > 0
    }

    /// Looks for the person in all that something holds: archives, tables, databases are opened.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(&self, name: &str, from: &mut dyn Read, limits: &Limits) -> io::Result<Seen> {
        let mut look = Look { subject: self, seen: Seen::default() };
        let mut raw = Failing { from, error: None };
        source::open(name, &mut raw, limits, &mut look);
        match raw.error {
            Some(error) => Err(error),
            None => Ok(look.seen),
        }
    }

    fn look_at(&self, text: &mut dyn Read) -> io::Result<u64> {
        let (mut window, mut found) = (Zeroizing::new(Vec::<u8>::new()), 0);
        // Where in the window begins what was not counted yet; the sign before it is held, too.
        let mut first = 0;
        loop {
            let held = window.len();
            let read = text.take(PIECE as u64).read_to_end(&mut window)?;
            window.iter_mut().skip(held).for_each(|byte| byte.make_ascii_lowercase());
            // What begins so late that it may go on is counted with what follows.
            let certain = match read {
                0 => window.len(),
                _ => window.len().saturating_sub(self.longest + 1),
            };
            found += self.count(&window, first, certain);
            if read == 0 {
                return Ok(found);
            }
            if certain > first {
                window.drain(..certain - 1);
                first = 1;
            }
        }
    }

    /// How often the person begins from one place to another, in a text of small letters.
    fn count(&self, text: &[u8], first: usize, end: usize) -> u64 {
        let begins = |at: &usize| (first..end).contains(at);
        let stated = self.stated.iter().map(|stated| {
            let whole = |at: &usize| is_whole(text, *at, at + stated.len());
            memmem::find_iter(text, stated.as_slice()).filter(begins).filter(whole).count()
        });
        stated.sum::<usize>() as u64 + self.count_marks(text, first, end)
    }

    /// How many of its labels and hashes begin from one place to another.
    fn count_marks(&self, text: &[u8], first: usize, end: usize) -> u64 {
        let is_mark =
            |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| self.marks.contains(text));
        let label = |at: &usize| {
            let window = text.get(*at..text.len().min(at + self.longest)).unwrap_or(&[]);
            let close = memchr::memchr(b']', window);
            close.and_then(|close| window.get(..=close)).is_some_and(is_mark)
        };
        let begins = |at: &usize| (first..end).contains(at);
        let labels = memchr::memchr_iter(b'[', text).filter(begins).filter(label).count();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric();
        let mut at = 0;
        let words = text.chunk_by(|one, other| is_word(*one) == is_word(*other)).filter(|word| {
            let start = at;
            at += word.len();
            begins(&start) && word.len() == HASH_DIGITS && is_mark(word)
        });
        (labels + words.count()) as u64
    }
}

/// Whether what stands there is no part of a longer word.
fn is_whole(text: &[u8], start: usize, end: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    let before = start.checked_sub(1).and_then(|before| text.get(before));
    !before.is_some_and(is_word) && !text.get(end).is_some_and(is_word)
}

/// Remembers why reading failed.
struct Failing<'r> {
    from: &'r mut dyn Read,
    error: Option<io::Error>,
}

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.error = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }
}

struct Look<'a> {
    subject: &'a Subject,
    seen: Seen,
}

impl Visitor for Look<'_> {
    fn content(&mut self, content: Content<'_>) -> io::Result<()> {
        self.seen.found += self.subject.look_at(content.text)?;
        Ok(())
    }

    fn unreadable(&mut self, name: &str, why: &str) {
        self.seen.unreadable.push((name.to_owned(), why.to_owned()));
    }

    fn skipped(&mut self, name: &str, what: Skipped) {
        self.seen.unreadable.push((name.to_owned(), what.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anonymize::SecretKey;

    fn subject(text: &str) -> Subject {
        Subject::of(text, Some(&Pseudonyms::of(&SecretKey::of([5; 32])))).unwrap()
    }

    /// A reader that gives a few bytes at a time.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    #[test]
    fn a_person_is_found_by_what_is_known_and_by_its_pseudonyms() {
        let anna = subject("Anna Roth\n\nanna.roth@mail.example.org\n");
        let other = subject("Bob Stone");
        let pseudonyms = Pseudonyms::of(&SecretKey::of([5; 32]));
        let mark = |operator| pseudonyms.make(Entity::Person, operator, b"Anna Roth", b"").unwrap();
        for text in [
            "ANNA ROTH wrote",
            "to:anna.roth@mail.example.org",
            &mark(Operator::Replace),
            &format!("id,{}", mark(Operator::Hash)),
        ] {
            assert!(anna.is_in(text) && !other.is_in(text), "{text}");
        }
        for text in ["Joanna Roth", "Anna Rother", "anna", "[PERSON_k7m2q9xw4tzb]", ""] {
            assert!(!anna.is_in(text), "{text}");
        }
    }

    #[test]
    fn a_person_is_counted_once_wherever_pieces_end() {
        let anna = subject("Anna Roth");
        for offset in PIECE - 20..PIECE + 3 {
            let text = format!("{} Anna Roth, Anna Roth\n", "x".repeat(offset));
            assert_eq!(anna.look_at(&mut text.as_bytes()).unwrap(), 2, "{offset}");
        }
        let text = "Anna Roth Anna Roth xAnna Roth";
        assert_eq!(anna.look_at(&mut Slow(text.as_bytes(), 3)).unwrap(), 2);
    }

    #[test]
    fn what_is_packed_is_opened() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, b"name\nAnna Roth\n").unwrap();
        let packed = packed.finish().unwrap();
        let limits = Limits::default();
        let seen = subject("Anna Roth").look("a.csv.gz", &mut packed.as_slice(), &limits).unwrap();
        assert_eq!(seen, Seen { found: 1, unreadable: Vec::new() });
    }

    #[test]
    fn who_would_be_found_everywhere_is_refused() {
        let none = |text: &str| Subject::of(text, None).unwrap_err();
        assert_eq!(none(" \n"), NoSubject::Nothing);
        assert_eq!(none("Anna Roth\nA.B"), NoSubject::Short(2));
        assert_eq!(none(&"x".repeat(5000)), NoSubject::Long(1));
    }
}
