//! Shares before and after, as two bars for each name, the earlier one on top.

use std::fmt::Write as _;

use super::{COLOURS, LEGEND_ROW, WIDTH, between, marks, rule, text, text_of};
use crate::html::escaped;

/// Room for names.
const LEFT: f64 = 210.0;
const RIGHT: f64 = WIDTH - 60.0;
const TOP: f64 = 8.0;
const BAR: f64 = 11.0;
const ROW: f64 = 32.0;
const MOST_LETTERS: usize = 24;
/// Before, after.
const FILLS: [&str; 2] = ["#999999", COLOURS[0]];

/// Shares before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// What the chart shows, for those who cannot see it.
    pub title: String,
    /// What the first and the second bar of each name are.
    pub legend: [String; 2],
    /// Each name with its two shares, from 0 to 1.
    pub rows: Vec<(String, [f64; 2])>,
}

impl Pairs {
    /// The chart.
    #[must_use]
    pub fn svg(&self) -> String {
        let bottom = TOP + self.rows.len() as f64 * ROW;
        let height = bottom + 36.0 + 2.0 * LEGEND_ROW;
        let mut svg = format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\"><title>{}</title>\n",
            escaped(&self.title)
        );
        let most = self.rows.iter().flat_map(|(_, shares)| *shares).fold(0.0, f64::max);
        let marks = marks(0.0, 100.0 * most);
        let ends = (0.0, marks.last().copied().unwrap_or(100.0));
        let place = |percent: f64| between(percent, ends, (LEFT, RIGHT));
        for mark in &marks {
            rule(&mut svg, (place(*mark), TOP), (place(*mark), bottom), *mark <= 0.0);
        }
        for end in [marks.first(), marks.last()].into_iter().flatten() {
            text(&mut svg, (place(*end), bottom + 20.0), "middle", &format!("{end} %"));
        }
        for (row, (name, shares)) in self.rows.iter().enumerate() {
            let y = TOP + row as f64 * ROW + 3.0;
            text_of(&mut svg, (LEFT - 8.0, y + 17.0), "end", (name, MOST_LETTERS));
            for (bar, share) in shares.iter().enumerate() {
                let y = y + bar as f64 * (BAR + 2.0);
                rectangle(&mut svg, bar, (LEFT, y), place(100.0 * share) - LEFT);
            }
        }
        for (bar, legend) in self.legend.iter().enumerate() {
            let y = bottom + 34.0 + bar as f64 * LEGEND_ROW;
            rectangle(&mut svg, bar, (LEFT, y), 30.0);
            text(&mut svg, (LEFT + 40.0, y + BAR), "start", legend);
        }
        svg.push_str("</svg>");
        svg
    }
}

fn rectangle(svg: &mut String, bar: usize, (x, y): (f64, f64), width: f64) {
    let fill = FILLS.get(bar).copied().unwrap_or(COLOURS[1]);
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{fill}\"/>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_shares() {
        let chart = Pairs {
            title: "a < b".to_owned(),
            legend: ["before".to_owned(), "after".to_owned()],
            rows: vec![("x".to_owned(), [0.5, 0.25]), ("y & z".to_owned(), [0.5, 0.75])],
        };
        let svg = chart.svg();
        let width = |share: f64| format!("width=\"{:.1}\"", (RIGHT - LEFT) * share / 0.8);
        assert!(svg.contains(&width(0.25)) && svg.contains(&width(0.75)), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("y &amp; z"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 6);
    }
}
