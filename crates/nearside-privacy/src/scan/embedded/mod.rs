//! Tables within text: as Markdown and the clients of databases draw them, and as SQL states them.
//!
//! What a cell holds is announced by the head of its column, which may stand far before it: so what
//! is open where a segment begins is carried from segment to segment, in the order of the stream.

mod ruled;
mod sql;
mod words;

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};

use self::sql::{Copied, Values};
use super::cue::{self, Cues};
use super::segment::{RIGHT, Segment};
use super::table::TableCell;

/// What the heads of a table announce, column by column.
type Heads = Arc<[Cues]>;

/// The most bytes before a segment that the heads of a table are looked for in.
pub(super) const BEFORE: usize = 2048;
/// The most columns of a table whose heads are kept.
const MAX_COLUMNS: usize = 4096;
/// The most tables of which it is kept what their columns are.
const MAX_TABLES: usize = 4096;

/// What is known of tables where a segment begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    open: Open,
    /// The columns of tables that were created, by the name of the table in small letters.
    created: Arc<BTreeMap<Vec<u8>, Heads>>,
    /// The bytes of the next segment that were looked at already.
    skip: usize,
}

/// The table whose cells come next.
#[derive(Clone, Debug, Default)]
enum Open {
    #[default]
    None,
    /// Rows of cells between bars, under heads with a rule below.
    Ruled(Heads),
    /// The lines after `COPY ... FROM stdin`.
    Copied(Copied),
    /// The rows after `VALUES`.
    Values(Values),
}

/// Where the next segment of a stream may find a table.
///
/// Segments are to be given in order, each with what stands before it.
#[derive(Debug, Default)]
pub(super) struct Watch(Tables);

impl Watch {
    /// What is known where a segment begins, or nothing where no table touches it.
    pub(super) fn before(&mut self, text: &[u8], segment: Segment) -> Option<Tables> {
        let idle = matches!(self.0.open, Open::None) && self.0.skip == 0;
        if idle && marker(text, segment.start, segment.end).is_none() {
            return None;
        }
        let before = self.0.clone();
        self.0.pass(text, segment, &mut |_| {});
        Some(before)
    }
}

impl Tables {
    /// The cells of tables in a segment, in order. What they are is known by the text up to
    /// [`BEFORE`] before it and [`RIGHT`] after it.
    pub(super) fn cells(mut self, text: &[u8], segment: Segment) -> Vec<TableCell> {
        let mut cells = Vec::new();
        self.pass(text, segment, &mut |cell| cells.push(cell));
        cells
    }

    /// Goes over a segment: hands every cell out and keeps what is open at its end.
    fn pass(&mut self, text: &[u8], segment: Segment, each: &mut dyn FnMut(TableCell)) {
        let Segment { start, end } = segment;
        let seen = text.get(..(end + RIGHT).min(text.len())).unwrap_or(text);
        let within = seen.get(..end).unwrap_or(seen);
        let mut at = start + mem::take(&mut self.skip);
        while at < end {
            let (next, closed) = match &mut self.open {
                Open::None => (self.find(seen, at, segment), false),
                Open::Ruled(heads) => ruled::rows(within, at, heads, each),
                Open::Copied(copied) => copied.rows(within, at, each),
                Open::Values(values) => values.rows(within, at, each),
            };
            if closed {
                self.open = Open::None;
            }
            at = next;
        }
        self.skip = at - end;
    }

    /// Opens the next table whose heads a place of a segment begins; answers where to go on.
    fn find(&mut self, seen: &[u8], at: usize, segment: Segment) -> usize {
        let Some((place, mark)) = marker(seen, at, segment.end) else { return segment.end };
        let opened = match mark {
            Mark::Rule => {
                let floor = segment.start.saturating_sub(BEFORE);
                return match ruled::heads(seen, floor, place) {
                    Ok((heads, next)) => {
                        self.open = Open::Ruled(heads);
                        next
                    }
                    Err(next) => next,
                };
            }
            Mark::Insert => sql::insert(seen, place, &self.created)
                .map(|(values, next)| (Open::Values(values), next)),
            Mark::Copy => sql::copy(seen, place, &self.created)
                .map(|(copied, next)| (Open::Copied(copied), next)),
            Mark::Create => sql::create(seen, place).map(|(name, heads, next)| {
                if self.created.len() < MAX_TABLES || self.created.contains_key(&name) {
                    Arc::make_mut(&mut self.created).insert(name, heads);
                }
                (Open::None, next)
            }),
        };
        match opened {
            Some((open, next)) => {
                self.open = open;
                next
            }
            None => place + 1,
        }
    }
}

/// What may open a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Rule,
    Insert,
    Copy,
    Create,
}

/// The first place of a text, from one on, that may open a table.
fn marker(text: &[u8], start: usize, end: usize) -> Option<(usize, Mark)> {
    const MARKS: [(&str, Mark); 9] = [
        ("---", Mark::Rule),
        ("INSERT ", Mark::Insert),
        ("insert ", Mark::Insert),
        ("REPLACE INTO ", Mark::Insert),
        ("replace into ", Mark::Insert),
        ("COPY ", Mark::Copy),
        ("copy ", Mark::Copy),
        ("CREATE ", Mark::Create),
        ("create ", Mark::Create),
    ];
    static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
        // Of this kind because it looks at many bytes at a time.
        let kind = MatchKind::LeftmostFirst;
        AhoCorasick::builder().match_kind(kind).build(MARKS.map(|(text, _)| text)).ok()
    });
    // A mark begins before the end and may go over it.
    let window = text.get(start..(end + 16).min(text.len()))?;
    let found = SEARCH.as_ref()?.find(window)?;
    let (_, mark) = MARKS.get(found.pattern().as_usize())?;
    let place = start + found.start();
    (place < end).then_some((place, *mark))
}

/// What heads announce; nothing where none of them announces anything.
fn heads<'n>(names: impl Iterator<Item = &'n [u8]>) -> Option<Heads> {
    let heads: Vec<Cues> = names.take(MAX_COLUMNS).map(cue::of_name).collect();
    heads.iter().any(|cues| !cues.is_empty()).then(|| heads.into())
}

/// A cell of a column, without the blanks around it.
fn cell(text: &[u8], start: usize, end: usize, column: usize, heads: &Heads) -> TableCell {
    let inner = text.get(start..end).unwrap_or(&[]);
    let from = start + (inner.len() - inner.trim_ascii_start().len());
    let to = from + inner.trim_ascii().len();
    let cues = heads.get(column).copied().unwrap_or(Cues::NONE);
    TableCell { start: from, end: to, column: u32::try_from(column).unwrap_or(u32::MAX), cues }
}

#[cfg(test)]
mod tests {
    use super::super::cue::Cue;
    use super::super::segment;
    use super::*;
    use crate::source::Form;

    /// The cells that something announces, with what does.
    fn announced(text: &str) -> Vec<(String, Cues)> {
        let (mut watch, mut found, mut start) = (Watch::default(), Vec::new(), 0);
        while let Some(segment) = segment::next(text.as_bytes(), start, Form::Text, true) {
            if let Some(tables) = watch.before(text.as_bytes(), segment) {
                let cells = tables.cells(text.as_bytes(), segment);
                assert!(cells.is_sorted_by_key(|cell| cell.start));
                found.extend(
                    cells
                        .iter()
                        .filter(|cell| !cell.cues.is_empty())
                        .map(|cell| (text[cell.start..cell.end].to_owned(), cell.cues)),
                );
            }
            start = segment.end;
        }
        found
    }

    fn ssns(text: &str) -> Vec<String> {
        let ssn = |(text, cues): (String, Cues)| cues.has(Cue::Ssn).then_some(text);
        announced(text).into_iter().filter_map(ssn).collect()
    }

    #[test]
    fn heads_with_a_rule_below_speak_for_their_columns() {
        for text in [
            "| name | ssn |\n|---|---|\n| Ann | 1 |\n| Bo | 2 |\n\n| no | 3 |\n",
            "x\n  name | SSN\n  :--- | ---:\n  Ann | 1\nBo|2\ntext\nno|3\n",
            " name | ssn\n------+-----\n Ann  | 1\n Bo   | 2\n(2 rows)\n",
            "+------+-----+\n| name | ssn |\n+------+-----+\n| Ann  | 1 |\n+------+-----+\n| Bo | 2 |\n+------+-----+\n\n| x | 3 |",
            "> | name \\| x | ssn |\n> | --- | --- |\n> | Ann | 1 |\n> | B\\|o | `2` |\n",
            "| name | ssn |\r\n|---|---|\r\n| Ann | 1 |\r\n| Bo | **2** |\r\n\r\n",
        ] {
            assert_eq!(ssns(text), ["1", "2"], "{text}");
        }
        for text in [
            "| name | ssn |\n| Ann | 1 |\n",
            "name ssn\n---\n1 | 2\n",
            "| name | ssn | x |\n|---|---|\n| Ann | 1 |\n",
        ] {
            assert_eq!(ssns(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn columns_of_statements_speak_for_their_values() {
        for text in [
            "INSERT INTO people (name, ssn) VALUES ('Ann', '1'), ('O''Neil', 2);\nx, '3')",
            "insert into \"a\".people (\"name\", `ssn`)\nvalues\n  ('A, (b', 1),\n  (f(1, 2), '2')\n",
            "INSERT IGNORE INTO p(name,[ssn])VALUES(\"x\\\"y\",1),('it\\'s',2) ON DUPLICATE KEY",
            "CREATE TABLE IF NOT EXISTS p (\n `id` int(11) DEFAULT '1,2',\n `ssn` text,\n KEY (`id`)\n);\nINSERT INTO `p` VALUES (7,'1'),(8,'2');\n",
            "create table s.p(id numeric(3,2), ssn text);\nINSERT INTO P VALUES(7,1);\nINSERT INTO p VALUES(7,2);",
            "COPY public.p (id, ssn) FROM stdin;\n7\t1\n8\t2\n\\.\nx\t3\n",
            "CREATE TABLE p (id int, ssn text);\nCOPY p FROM STDIN WITH (FORMAT csv);\n7,1\n8,2\n\\.\n9,3\n",
            "cur.execute(\"INSERT INTO p (name, ssn) \"\n  \"VALUES ('a', '1')\")\nq(\"INSERT INTO p (id, ssn) VALUES (?, '2')\", (1, 3))",
            "REPLACE INTO p (id, ssn) VALUES ROW(1, 1), ROW(2, N'2'); insert x (3, 4)",
        ] {
            let found: Vec<_> = ssns(text);
            assert_eq!(found, ["1", "2"], "{text}");
        }
        for text in [
            "INSERT INTO p (id, ssn) SELECT 1, 2 FROM q;",
            "insert the card into the slot (name, ssn) 1",
            "INSERT INTO q VALUES (1, 2);",
            "copy the ssn from stdin\n1\t2\n",
        ] {
            assert_eq!(ssns(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn heads_reach_over_segments() {
        let rows: Vec<String> = (0..9_000).map(|row| format!("'{row:09}'")).collect();
        let joined = |before: &str, between: &str, after: &str| {
            rows.iter().fold(String::new(), |mut all, row| {
                for part in [before, row, between, row, after] {
                    all.push_str(part);
                }
                all
            })
        };
        let of_ruled = joined("| ", " | ", " |\n");
        let of_values = joined("(", ",", "),");
        let of_lines = joined("(", ", ", "),\n");
        let of_copied = joined("", "\t", "\n");
        for text in [
            format!("| id | ssn |\n|---|---|\n{of_ruled}"),
            format!("INSERT INTO p (id, ssn) VALUES {of_values}"),
            format!("{}INSERT INTO p (id, ssn) VALUES\n{of_lines}", "x\n".repeat(16_370)),
            format!("COPY p (id, ssn) FROM stdin;\n{of_copied}"),
        ] {
            assert!(text.len() > 4 * segment::MAX);
            assert_eq!(ssns(&text).len(), rows.len());
        }
    }
}
