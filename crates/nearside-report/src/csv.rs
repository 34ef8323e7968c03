//! Every number of the calculation as a table of text, for other programs.

use nearside_economics::{Content, Group, Value};

use crate::findings::{Findings, one_line};

const HEADS: &str = "group,name,label,value,low,high,unit,kind,source,as_of\n";

/// All inputs and results, a line each. Words stand where there is no number, and no text is taken for a
/// formula by a spreadsheet.
#[must_use]
pub fn csv(findings: &Findings) -> String {
    let (sheet, names) = (&findings.roi.sheet, findings.alternatives());
    let values = sheet.values();
    let mut csv = HEADS.to_owned();
    for (id, cell) in sheet.cells() {
        let group = match cell.group {
            Group::Near => "own machine",
            Group::Far(place) => names.get(place).map_or("", String::as_str),
        };
        let value = match values.of(id) {
            Value::Number(number) => format!("{number}"),
            Value::Nothing(word) => text(word),
        };
        let (low, high, kind, source, as_of) = match &cell.content {
            Content::Input(input) => (
                input.span.low().to_string(),
                input.span.high().to_string(),
                input.basis.kind.to_string(),
                one_line(&input.basis.source),
                input.basis.as_of.map(|date| date.to_string()).unwrap_or_default(),
            ),
            Content::Formula(_) => {
                let nothing = String::new;
                (nothing(), nothing(), "derived".to_owned(), nothing(), nothing())
            }
        };
        let label = match cell.year {
            Some(year) => format!("{}, year {year}", cell.label),
            None => cell.label.clone(),
        };
        let unit = unit(cell.unit.symbol(findings.currency.code()));
        let texts = [group, &cell.name, &label].map(text);
        let others = [unit.as_str(), &kind, &source, &as_of].map(text);
        let line = [texts.join(","), value, low, high, others.join(",")].join(",");
        csv.push_str(&line);
        csv.push('\n');
    }
    csv
}

/// Shares are written as parts of one.
fn unit(symbol: String) -> String {
    if symbol == "%" { "share".to_owned() } else { symbol }
}

/// Text as a cell: quoted where it has to be, and never the beginning of a formula.
fn text(text: &str) -> String {
    let begins = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let harmless = if begins { format!("'{text}") } else { text.to_owned() };
    match harmless.contains([',', '"', '\n', '\r', '\'']) {
        true => format!("\"{}\"", harmless.replace('"', "\"\"")),
        false => harmless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(text("plain"), "plain");
        assert_eq!(text("=1+1"), "\"'=1+1\"");
        assert_eq!(text("@x"), "\"'@x\"");
        assert_eq!(text("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
