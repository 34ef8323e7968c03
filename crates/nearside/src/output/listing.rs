//! A JSON answer whose list is written as it comes, so that it may be longer than memory.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use nearside_units::Date;
use serde::Serialize;

use super::Output;

/// An answer whose data begin with a list.
pub(crate) struct Listing<'o, W: Write> {
    to: W,
    items: u64,
    failed: Option<io::Error>,
    output: &'o Output,
}

/// What stands before the fields of the data, and before an item of its list.
const FIELD: &str = "    ";
const ITEM: &str = "      ";

impl Output {
    /// Begins an answer on stdout: its schema, and the name of the list.
    pub(crate) fn listing(
        &self,
        schema: &str,
        list: &str,
        today: Date,
    ) -> Listing<'_, BufWriter<StdoutLock<'static>>> {
        self.erase();
        Listing::new(BufWriter::new(io::stdout().lock()), self, (schema, list), today)
    }
}

impl<'o, W: Write> Listing<'o, W> {
    fn new(to: W, output: &'o Output, (schema, list): (&str, &str), today: Date) -> Self {
        let mut listing = Self { to, items: 0, failed: None, output };
        listing.write(|to| {
            let head = format!("  \"schema\": \"{schema}\",\n  \"as_of\": \"{today}\",\n");
            write!(to, "{{\n{head}  \"data\": {{\n{FIELD}\"{list}\": [")
        });
        listing
    }

    /// Adds an item to the list.
    pub(crate) fn item(&mut self, item: &impl Serialize) {
        let first = self.items == 0;
        self.items += 1;
        self.write(|to| {
            write!(to, "{}\n{ITEM}", if first { "" } else { "," })?;
            indented(to, item, ITEM)
        });
    }

    /// Ends the answer with the other fields of its data, which are an object with at least one.
    pub(crate) fn end(mut self, data: &impl Serialize) {
        let close = if self.items == 0 { "],\n" } else { "\n    ],\n" };
        self.write(|to| {
            to.write_all(close.as_bytes())?;
            let fields = serde_json::to_string_pretty(data)?;
            for line in fields.lines().skip(1) {
                // The last line closes the object.
                writeln!(to, "  {line}{}", if line == "}" { "," } else { "" })?;
            }
            writeln!(to, "  \"warnings\": [],\n  \"sources\": []\n}}")?;
            to.flush()
        });
        if let Some(error) = self.failed.filter(|error| error.kind() != ErrorKind::BrokenPipe) {
            self.output.note("error", &format!("cannot write the answer: {error}"));
            self.output.lost.set(true);
        }
    }

    /// Writes something, unless something could not be written.
    fn write(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.to).err();
        }
    }
}

/// A value as JSON, each line but the first after some blanks.
fn indented(to: &mut impl Write, value: &impl Serialize, blanks: &str) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    to.write_all(text.replace('\n', &format!("\n{blanks}")).as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Answer;
    use super::*;
    use crate::cli::{Color, Shared};

    #[test]
    fn it_is_written_as_a_whole_answer_is() {
        let today = Date::from_unix_days(20_784);
        let (json, color) = (true, Color::Never);
        let shared = Shared { json, explain: false, quiet: true, no_progress: true, color };
        let output = Output::new(&shared);
        for count in [0, 1, 3] {
            let items: Vec<_> = (0..count).map(|n| json!({"n": n, "of": ["a\nb", {}]})).collect();
            let mut written = Vec::new();
            let mut listing = Listing::new(&mut written, &output, ("nearside/x/1", "items"), today);
            items.iter().for_each(|item| listing.item(item));
            listing.end(&json!({"zs": [{"k": 1}], "zz": {}}));
            let data = json!({"items": items, "zs": [{"k": 1}], "zz": {}});
            let whole = Answer { schema: "nearside/x/1", data, warnings: &[], sources: &[] };
            let whole = whole.json(today).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), format!("{whole}\n"));
        }
    }
}
