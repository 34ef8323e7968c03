//! Rows of cells: which separator, which heads, and where the cells of a row are.

use super::cue::{self, Cues};

/// One cell of a row: its text, without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableCell {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) column: u32,
    /// What the head of its column announces.
    pub(super) cues: Cues,
}

/// A column, by its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its head, or nothing where the table has none.
    pub name: String,
    /// What the head announces.
    pub(super) cues: Cues,
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    pub(super) columns: Vec<Column>,
    /// Where the row of heads begins, or the first row: what stands before it are titles and remarks.
    pub(super) first: u64,
}

/// The start of a text, as far as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'t> {
    pub(super) text: &'t [u8],
    /// Whether it is all of it.
    pub(super) complete: bool,
}

/// Whether a text is known to be a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belief {
    Stated,
    Open,
}

const SEPARATORS: [u8; 4] = [b';', b'\t', b'|', b','];
/// The most rows that are looked at to tell how a table is written.
const SAMPLE_ROWS: usize = 50;
/// The most rows of titles before the heads.
const MAX_TITLES: usize = 5;
/// The most bytes of a head that are kept.
const MAX_HEAD: usize = 256;
/// The most columns whose heads are kept.
const MAX_COLUMNS: usize = 16_384;

impl Dialect {
    /// How the table that a text begins with is written. Unless it is known to be one it
    /// needs rows of equally many cells under heads of which one announces something.
    pub(super) fn of(head: Head<'_>, belief: Belief) -> Option<Self> {
        let Head { text, complete } = head;
        let mut rows = records(text);
        if !complete && rows.len() > 1 {
            rows.pop();
        }
        let stated = rows.iter().find(|row| !row.text.is_empty()).and_then(stated_separator);
        rows.retain(|row| !row.text.is_empty() && !row.text.starts_with(b"#"));
        rows.retain(|row| stated_separator(row).is_none());
        rows.truncate(SAMPLE_ROWS);
        let sample = SEPARATORS
            .into_iter()
            .filter(|separator| stated.is_none_or(|stated| stated == *separator))
            .filter_map(|separator| Sample::of(&rows, separator))
            .max_by_key(|sample| {
                (if sample.width > 1 { sample.alike } else { 0 }, sample.width.min(64))
            })?;
        let Sample { separator, first, width, .. } = sample;
        let columns: Vec<Column> = cells(first.text, 0, separator, &[])
            .iter()
            .take(MAX_COLUMNS)
            .map(|cell| head_of(first.text.get(cell.start..cell.end).unwrap_or(&[])))
            .collect();
        let announced = columns.iter().any(|column| !column.cues.is_empty());
        // Commas of prose have a blank after them.
        let prose = separator == b',' && first.text.windows(2).any(|two| two == b", ");
        let regular = width > 2 && sample.rows > 1 && sample.alike == sample.rows && !prose;
        let headed = columns.iter().all(|column| is_head(&column.name));
        if belief == Belief::Open && !(regular && announced && headed) {
            return None;
        }
        let columns = if headed || announced { columns } else { Vec::new() };
        Some(Self { separator, columns, first: first.start as u64 })
    }

    /// The cells of the row of heads: nothing announces what is in them.
    pub(super) fn heads(&self, text: &[u8], start: usize) -> Vec<TableCell> {
        cells(text, start, self.separator, &[])
    }

    /// The cells of a row that begins at a place of a text and ends with it.
    pub(super) fn cells(&self, text: &[u8], start: usize) -> Vec<TableCell> {
        cells(text, start, self.separator, &self.columns)
    }
}

/// A row, and where it begins.
#[derive(Clone, Copy, Debug)]
struct Row<'t> {
    start: usize,
    text: &'t [u8],
}

/// The rows at the start of a text, cut at one separator.
struct Sample<'t> {
    separator: u8,
    /// The row of heads: the first one that has cells.
    first: Row<'t>,
    /// How many cells it has.
    width: usize,
    /// How many rows there are from it on, and how many of them have as many cells.
    rows: usize,
    alike: usize,
}

impl<'t> Sample<'t> {
    fn of(rows: &[Row<'t>], separator: u8) -> Option<Self> {
        let count = |row: &Row<'_>| cells(row.text, 0, separator, &[]).len();
        let titles = rows.iter().take(MAX_TITLES + 1).position(|row| count(row) > 1).unwrap_or(0);
        let rows = rows.get(titles..)?;
        let first = *rows.first()?;
        let width = count(&first);
        let alike = rows.iter().filter(|row| count(row) == width).count();
        Some(Self { separator, first, width, rows: rows.len(), alike })
    }
}

/// What a first row of spreadsheet programs says: `sep=;`.
fn stated_separator(row: &Row<'_>) -> Option<u8> {
    match row.text.trim_ascii_end() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator] => Some(*separator),
        _ => None,
    }
}

fn head_of(name: &[u8]) -> Column {
    let name = name.get(..name.len().min(MAX_HEAD)).unwrap_or(name);
    Column { cues: cue::of_name(name), name: String::from_utf8_lossy(name).trim().to_owned() }
}

/// Whether a cell may be a head: short, not empty, no number, no address.
fn is_head(name: &str) -> bool {
    let letters = name.chars().filter(|letter| letter.is_alphabetic()).count();
    let digits = name.chars().filter(char::is_ascii_digit).count();
    (1..=48).contains(&name.len()) && letters > digits && !name.contains('@')
}

/// The records of a text: lines, but a line break between quotes ends none.
fn records(text: &[u8]) -> Vec<Row<'_>> {
    let mut records = Vec::new();
    let row = |start: usize, end: usize| Row {
        start,
        text: trimmed(text.get(start..end).unwrap_or(&[])),
    };
    let (mut start, mut quoted) = (0, false);
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => {
                records.push(row(start, index));
                start = index + 1;
            }
            _ => {}
        }
    }
    records.push(row(start, text.len()));
    records
}

fn trimmed(row: &[u8]) -> &[u8] {
    row.strip_suffix(b"\r").unwrap_or(row)
}

fn cells(text: &[u8], start: usize, separator: u8, columns: &[Column]) -> Vec<TableCell> {
    let mut cells = Vec::with_capacity(columns.len().max(4));
    let (mut open, mut quoted) = (start, false);
    let mut end_cell = |open: usize, end: usize| {
        let column = cells.len();
        let (start, end) = unquoted(text, open, end);
        let cues = columns.get(column).map_or(Cues::NONE, |column| column.cues);
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        cells.push(TableCell { start, end, column, cues });
    };
    for (index, byte) in text.iter().enumerate().skip(start) {
        if *byte == b'"' {
            quoted = !quoted;
        } else if *byte == separator && !quoted {
            end_cell(open, index);
            open = index + 1;
        }
    }
    end_cell(open, text.len());
    cells
}

/// A cell without blanks, line break and quotes around it.
fn unquoted(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let inner = text.get(start..end).unwrap_or(&[]);
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\r' | b'\n');
    let from = inner.iter().take_while(blank).count();
    let to = inner.iter().skip(from).rev().take_while(blank).count();
    let (start, end) = (start + from, end - to);
    let quotes =
        text.get(start) == Some(&b'"') && end > start + 1 && text.get(end - 1) == Some(&b'"');
    if quotes { (start + 1, end - 1) } else { (start, end) }
}

#[cfg(test)]
mod tests {
    use super::super::cue::Cue;
    use super::*;

    fn table(text: &[u8], belief: Belief) -> Option<Dialect> {
        Dialect::of(Head { text, complete: true }, belief)
    }

    #[test]
    fn separators_and_heads_are_told() {
        let dialect = table(b"name;phone;dob\nA, B;1;2\nC;3;4\n", Belief::Open).unwrap();
        assert_eq!(dialect.separator, b';');
        assert!(dialect.columns[1].cues.has(Cue::Phone));
        assert_eq!(table(b"Dear Ann, the name, of\na thing, is, long\n", Belief::Open), None);
        assert_eq!(table(b"fn main() {\n    x, y, z\n", Belief::Open), None);
        let headless = table(b"1,2,3\n4,5,6\n", Belief::Stated).unwrap();
        assert_eq!((headless.separator, headless.columns.len()), (b',', 0));
        assert_eq!(table(b"", Belief::Stated).map(|table| table.columns.len()), None);
    }

    #[test]
    fn titles_and_remarks_before_the_heads_are_none() {
        for before in
            ["", "sep=;\n", "# made today\n\n", "Customers of May\n", "sep=;\nCustomers\n#x\n"]
        {
            let text = format!("{before}name;phone;dob\nA, B;1;2\nC;3;4\n");
            let found = table(text.as_bytes(), Belief::Stated).unwrap();
            assert_eq!((found.separator, found.first), (b';', before.len() as u64), "{before}");
            assert!(found.columns[1].cues.has(Cue::Phone), "{before}");
            assert_eq!(table(text.as_bytes(), Belief::Open), Some(found), "{before}");
        }
    }

    #[test]
    fn separators_are_told() {
        let separator = |text: &[u8]| table(text, Belief::Stated).map(|dialect| dialect.separator);
        assert_eq!(separator(b"a;b,c\n1;2\n3;4,5,6\n"), Some(b';'));
        assert_eq!(separator(b"a,b\n\"1;2\",3\n"), Some(b','));
        assert_eq!(separator(b"a\tb"), Some(b'\t'));
        assert_eq!(separator(b"one"), Some(b','));
    }

    #[test]
    fn cells_keep_what_stands_between_quotes() {
        let dialect = table(b"name,note\n", Belief::Stated).unwrap();
        let row = b"\"Doe, \"\"J\"\"\", x \r\n";
        let cells = dialect.cells(row, 0);
        let texts: Vec<_> = cells.iter().map(|cell| &row[cell.start..cell.end]).collect();
        assert_eq!(texts, [&b"Doe, \"\"J\"\""[..], b"x"]);
        assert!(cells[0].cues.has(Cue::Name));
    }
}
