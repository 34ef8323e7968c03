//! One page of HTML that needs nothing else: no script, no font, no address to fetch from.

use std::fmt::Write as _;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// What stands at its end: what made it, and when.
    pub foot: String,
    /// What stands on it, in order.
    pub sections: Vec<Section>,
}

/// A part of a page. Texts are escaped; only [`Section::Drawing`] is taken as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section {
    /// A heading.
    Heading(String),
    /// The sentence that matters.
    Lead(String),
    /// A paragraph.
    Text(String),
    /// A command or a file, as it is written.
    Code(String),
    /// Lines of a list.
    List(Vec<String>),
    /// A table: heads, then rows.
    Table(Vec<String>, Vec<Vec<String>>),
    /// An SVG that this crate drew.
    Drawing(String),
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--quiet:#5c5c5c;--line:#d9d9d9;--paper:#ffffff}\
@media(prefers-color-scheme:dark){:root{--ink:#eaeaea;--quiet:#a6a6a6;--line:#3d3d3d;--paper:#161616}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);\
max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
.lead{font-size:1.2rem;margin:1rem 0}\
code{font:14px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.25rem 1rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:600;color:var(--quiet)}\
footer{margin-top:3rem;color:var(--quiet);font-size:.85rem}\
svg{width:100%;height:auto}";

/// Text as it may stand in HTML.
///
/// ```
/// assert_eq!(nearside_report::escaped("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
/// ```
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}

impl Page {
    /// The page as HTML.
    #[must_use]
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        );
        self.sections.iter().for_each(|section| section.write(&mut html));
        let _ = write!(html, "<footer>{}</footer>\n</body>\n</html>\n", escaped(&self.foot));
        html
    }
}

impl Section {
    fn write(&self, html: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Heading(text) => writeln!(html, "<h2>{}</h2>", escaped(text)),
            Self::Lead(text) => writeln!(html, "<p class=\"lead\">{}</p>", escaped(text)),
            Self::Text(text) => writeln!(html, "<p>{}</p>", escaped(text)),
            Self::Code(text) => writeln!(html, "<p><code>{}</code></p>", escaped(text)),
            Self::List(lines) => {
                let lines = lines.iter().map(|line| format!("<li>{}</li>\n", escaped(line)));
                writeln!(html, "<ul>\n{}</ul>", lines.collect::<String>())
            }
            Self::Table(heads, rows) => {
                let head = cells("th scope=\"col\"", "th", heads);
                let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", cells("td", "td", row));
                let rows: String = rows.iter().map(row).collect();
                writeln!(
                    html,
                    "<div class=\"wide\"><table>\n<thead><tr>{head}</tr></thead>\n\
                     <tbody>\n{rows}</tbody>\n</table></div>"
                )
            }
            Self::Drawing(svg) => writeln!(html, "{svg}"),
        };
    }
}

fn cells(open: &str, close: &str, texts: &[String]) -> String {
    texts.iter().map(|text| format!("<{open}>{}</{close}>", escaped(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_stays_text() {
        let page = Page {
            title: "<script>".to_owned(),
            foot: String::new(),
            sections: vec![
                Section::Code("a && b".to_owned()),
                Section::Table(vec!["x".to_owned()], vec![vec!["<b>".to_owned()]]),
                Section::List(vec!["'q'".to_owned()]),
            ],
        };
        let html = page.html();
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
        assert!(html.contains("a &amp;&amp; b") && html.contains("&#39;q&#39;"), "{html}");
        assert!(!html.contains("http"), "a page fetches nothing");
    }
}
