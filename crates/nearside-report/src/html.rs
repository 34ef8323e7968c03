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

/// A part of a page. Texts are escaped, and what stands between backticks is code; only
/// [`Section::Drawing`] is taken as it is.
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
    /// A table of numbers: words in the first column, numbers in the others.
    Numbers(Vec<String>, Vec<Vec<String>>),
    /// A table that unfolds: its title, heads, then rows.
    Folded(String, Vec<String>, Vec<Vec<String>>),
    /// An SVG that this crate drew.
    Drawing(String),
    /// An SVG that this crate drew, with what it says and the same as a table.
    Figure(Figure),
}

/// A drawing with what it says, and the same numbers as a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The SVG.
    pub svg: String,
    /// What it says.
    pub caption: String,
    /// Heads of the table.
    pub heads: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--quiet:#5c5c5c;--line:#d9d9d9;--paper:#ffffff}\
@media(prefers-color-scheme:dark){:root{--ink:#eaeaea;--quiet:#a6a6a6;--line:#3d3d3d;--paper:#161616}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);\
max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:break-word}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
.lead{font-size:1.2rem;margin:1rem 0}\
code{font:14px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.25rem 1rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:600;color:var(--quiet)}\
.numbers th:nth-child(n+2),.numbers td:nth-child(n+2){text-align:right}\
.numbers th:first-child,.numbers td:first-child{min-width:9rem;position:sticky;left:0;background:var(--paper)}\
footer{margin-top:3rem;color:var(--quiet);font-size:.85rem}\
details{margin:.5rem 0}summary{cursor:pointer;color:var(--quiet)}\
figure{margin:1rem 0 1.5rem}figcaption{color:var(--quiet);max-width:48rem}\
svg{width:100%;height:auto}svg.dense{min-width:44rem}\
svg.chart{display:block;max-width:48rem;font:14px system-ui,sans-serif}\
svg text{fill:currentColor}\
svg.chart text{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}\
svg .grid{stroke:var(--line)}svg .zero{stroke:currentColor;stroke-width:1.5}\
svg .over{stroke:var(--paper);stroke-width:1.5;fill:var(--paper)}\
svg .part{stroke:var(--paper)}svg .here{fill:none;stroke-width:2}\
@media(max-width:600px){svg.chart{font-size:20px}th,td{padding-right:.75rem}}\
@media print{:root{color-scheme:light;--ink:#000000;--quiet:#444444;--line:#bbbbbb;--paper:#ffffff}\
body{max-width:none;margin:0;padding:0;font-size:10pt}.wide{overflow:visible}\
figure,tr{break-inside:avoid}h2,summary{break-after:avoid}svg.chart{max-width:34rem}\
details::details-content{content-visibility:visible;display:block}\
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}";

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
            Self::Text(text) => writeln!(html, "<p>{}</p>", marked(text)),
            Self::Code(text) => writeln!(html, "<p><code>{}</code></p>", escaped(text)),
            Self::List(lines) => {
                let lines = lines.iter().map(|line| format!("<li>{}</li>\n", marked(line)));
                writeln!(html, "<ul>\n{}</ul>", lines.collect::<String>())
            }
            Self::Table(heads, rows) => writeln!(html, "{}", table("", heads, rows)),
            Self::Numbers(heads, rows) => {
                writeln!(html, "{}", table(" class=\"numbers\"", heads, rows))
            }
            Self::Folded(title, heads, rows) => writeln!(
                html,
                "<details><summary>{}</summary>\n{}</details>",
                escaped(title),
                table("", heads, rows)
            ),
            Self::Figure(figure) => writeln!(
                html,
                "<figure>\n{}\n<figcaption>{}</figcaption>\n<details><summary>The same as a table\
                 </summary>\n{}</details>\n</figure>",
                figure.svg,
                escaped(&figure.caption),
                table(" class=\"numbers\"", &figure.heads, &figure.rows)
            ),
            Self::Drawing(svg) => writeln!(html, "<div class=\"wide\">{svg}</div>"),
        };
    }
}

/// A table that scrolls by itself where it is wider than the page.
fn table(class: &str, heads: &[String], rows: &[Vec<String>]) -> String {
    let head = cells("th scope=\"col\"", "th", heads);
    let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", cells("td", "td", row));
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<div class=\"wide\" tabindex=\"0\"><table{class}>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table></div>"
    )
}

fn cells(open: &str, close: &str, texts: &[String]) -> String {
    texts.iter().map(|text| format!("<{open}>{}</{close}>", marked(text))).collect()
}

/// Text with what stands between backticks as code; as it is where one of them stands alone.
fn marked(text: &str) -> String {
    let safe = escaped(text);
    let parts: Vec<&str> = safe.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return safe;
    }
    let part = |(at, part): (usize, &&str)| match at % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
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

    #[test]
    fn what_stands_between_backticks_is_code() {
        assert_eq!(marked("run `a <b>` now"), "run <code>a &lt;b&gt;</code> now");
        assert_eq!(marked("one ` alone"), "one ` alone");
        assert_eq!(marked("`a` and `b`"), "<code>a</code> and <code>b</code>");
    }
}
