//! Rows of cells between bars, under heads with a rule below: tables of Markdown, of
//! reStructuredText, of `psql` and `mysql`.

use super::super::table::TableCell;
use super::{Heads, cell};

/// What the line above a rule announces, and where the line below it begins; or, where a place is
/// not in the rule of a table, where to go on.
pub(super) fn heads(text: &[u8], floor: usize, place: usize) -> Result<(Heads, usize), usize> {
    let start = line_start(text, floor, place);
    let end = line_end(text, place);
    let over = || {
        let dashes = text.get(place..end).unwrap_or(&[]);
        place + dashes.iter().take_while(|byte| **byte == b'-').count()
    };
    let rule = text.get(start..end).unwrap_or(&[]);
    if !is_rule(rule) || start <= floor {
        return Err(over());
    }
    let line = text.get(line_start(text, floor, start - 1)..start - 1).unwrap_or(&[]);
    let bars = bars(line).count();
    let crosses = rule.iter().filter(|byte| matches!(byte, b'|' | b'+')).count();
    if bars == 0 || bars != crosses || is_rule(line) {
        return Err(over());
    }
    let names = pieces(line).map(|(from, to)| line.get(from..to).unwrap_or(&[]).trim_ascii());
    super::heads(names).map(|heads| (heads, end + 1)).ok_or(end + 1)
}

/// Hands out the cells of the rows from a place on; answers where they end, and whether the table
/// does.
pub(super) fn rows(
    text: &[u8],
    mut at: usize,
    heads: &Heads,
    each: &mut dyn FnMut(TableCell),
) -> (usize, bool) {
    while at < text.len() {
        let end = line_end(text, at);
        let line = text.get(at..end).unwrap_or(&[]);
        let cut = end == text.len() && text.last() != Some(&b'\n');
        if !is_rule(line) {
            let bars = bars(line).count();
            if bars == 0 {
                return (at, true);
            }
            if bars + 1 == heads.len() {
                for (column, (from, to)) in pieces(line).enumerate() {
                    let (from, to) = plain(text, at + from, at + to);
                    each(cell(text, from, to, column, heads));
                }
            }
        }
        at = end + 1;
        if cut {
            return (text.len(), true);
        }
    }
    (text.len(), false)
}

/// Whether a line is nothing but dashes with bars or crosses between.
fn is_rule(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"> ").or(line.strip_prefix(b"# ")).unwrap_or(line);
    let line = line.strip_prefix(b"// ").or(line.strip_prefix(b"* ")).unwrap_or(line);
    line.iter().all(|byte| matches!(byte, b'-' | b'|' | b'+' | b':' | b'=' | b' ' | b'\t'))
        && line.iter().any(|byte| matches!(byte, b'|' | b'+'))
        && line.windows(3).any(|three| three == b"---" || three == b"===")
}

/// Where the bars of a line are, without those after a backslash.
fn bars(line: &[u8]) -> impl Iterator<Item = usize> {
    let escaped = |at: usize| at > 0 && line.get(at - 1) == Some(&b'\\');
    memchr::memchr_iter(b'|', line).filter(move |at| !escaped(*at))
}

/// What stands between the bars of a line, before the first and after the last too.
fn pieces(line: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    bars(line).chain([line.len()]).map(move |bar| {
        let piece = (start, bar);
        start = bar + 1;
        piece
    })
}

/// A cell without blanks and the pair of signs that makes it bold or code.
fn plain(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let cell = text.get(start..end).unwrap_or(&[]);
    let from = start + (cell.len() - cell.trim_ascii_start().len());
    let inner = cell.trim_ascii();
    let signs = [&b"**"[..], b"`"].into_iter().find(|signs| {
        inner.len() > 2 * signs.len() && inner.starts_with(signs) && inner.ends_with(signs)
    });
    let signs = signs.map_or(0, <[u8]>::len);
    (from + signs, from + inner.len() - signs)
}

fn line_start(text: &[u8], floor: usize, at: usize) -> usize {
    let before = text.get(floor..at).unwrap_or(&[]);
    memchr::memrchr(b'\n', before).map_or(floor, |back| floor + back + 1)
}

fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or(&[]);
    memchr::memchr(b'\n', rest).map_or(text.len(), |length| at + length)
}
