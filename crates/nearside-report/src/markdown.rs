//! A page as Markdown (CommonMark with tables), for wikis and repositories.

use crate::html::{Figure, Page, Section};

impl Page {
    /// The page as Markdown. Drawings are left out; of figures the caption and the numbers stay.
    ///
    /// ```
    /// use nearside_report::{Page, Section};
    /// let rows = vec![vec!["a|b".to_owned()]];
    /// let sections = vec![Section::Table(vec!["x".to_owned()], rows)];
    /// let page = Page { title: "T".to_owned(), foot: "made today".to_owned(), sections };
    /// assert_eq!(page.markdown(), "# T\n\n| x |\n|---|\n| a\\|b |\n\nmade today\n");
    /// ```
    #[must_use]
    pub fn markdown(&self) -> String {
        let sections = self.sections.iter().filter_map(section);
        let title = format!("# {}", line(&self.title));
        let parts: Vec<String> =
            std::iter::once(title).chain(sections).chain([line(&self.foot)]).collect();
        parts.join("\n\n") + "\n"
    }
}

fn section(section: &Section) -> Option<String> {
    Some(match section {
        Section::Heading(text) => format!("## {}", line(text)),
        Section::Lead(text) => format!("**{}**", line(text)),
        Section::Text(text) => line(text),
        Section::Code(text) => code(text),
        Section::List(lines) => {
            let items: Vec<String> = lines.iter().map(|text| format!("- {}", line(text))).collect();
            items.join("\n")
        }
        Section::Table(heads, rows) | Section::Numbers(heads, rows) => table(heads, rows),
        Section::Folded(title, heads, rows) => {
            format!("### {}\n\n{}", line(title), table(heads, rows))
        }
        Section::Drawing(_) => return None,
        Section::Figure(Figure { caption, heads, rows, .. }) => {
            format!("{}\n\n{}", line(caption), table(heads, rows))
        }
    })
}

/// A block of code behind a fence that is longer than any in it.
fn code(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

fn table(heads: &[String], rows: &[Vec<String>]) -> String {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|text| line(text)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = format!("|{}", "---|".repeat(heads.len()));
    let rows = rows.iter().map(|cells| row(cells));
    std::iter::once(row(heads)).chain([rule]).chain(rows).collect::<Vec<_>>().join("\n")
}

/// One line in which nothing but what is between backticks means anything.
fn line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let balanced = text.matches('`').count() % 2 == 0;
    let (mut escaped, mut in_code) = (String::with_capacity(text.len()), false);
    for letter in text.chars() {
        match letter {
            '`' if balanced => in_code = !in_code,
            // Cells end at a bar, in code too.
            '|' => escaped.push('\\'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' if !in_code => escaped.push('\\'),
            _ => {}
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_stays_text() {
        assert_eq!(line("<script> *a* [b](c)\n# d"), "\\<script\\> \\*a\\* \\[b\\](c) \\# d");
        assert_eq!(line("run `uv sync --locked`, a*b"), "run `uv sync --locked`, a\\*b");
        assert_eq!(line("an open ` tick <b>"), "an open \\` tick \\<b\\>");
        assert_eq!(code("a ``` b"), "````\na ``` b\n````");
    }
}
