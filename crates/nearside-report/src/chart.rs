//! Charts as SVG. What is drawn stands in words or in a table beside it, and nothing is told by its colour
//! alone: lines have dashes and marks of their own, areas have patterns, and legends are in the order of
//! what is drawn.
//!
//! Colours: Okabe and Ito, "Color universal design", which people who see few colours can tell apart.
//! Letters grow on narrow screens (see the style of the page), so there is room around each of them.

mod lines;
mod pairs;
mod stacked;
mod stacks;
mod tornado;

use std::fmt::Write as _;

pub(crate) use lines::{Axis, Line, Lines};
pub use pairs::Pairs;
pub use stacked::Stacked;
pub(crate) use stacks::Stacks;
pub(crate) use tornado::{Swung, Tornado};

use crate::html::escaped;

/// Colours of lines and areas on light and on dark paper; they repeat.
pub(crate) const COLOURS: [&str; 6] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Width of a drawing with its labels.
const WIDTH: f64 = 640.0;
/// Letters of a label that surely fit.
const MOST_LETTERS: usize = 40;
const LEGEND_ROW: f64 = 26.0;

/// What every chart has: a name of its own on its page, and what it shows, for those who cannot see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
}

impl Shown {
    /// The beginning of a drawing.
    fn open(&self, height: f64) -> String {
        let (id, title, description) = (self.id, escaped(&self.title), escaped(&self.description));
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{title}</title>\
             <desc id=\"{id}-desc\">{description}</desc>\n"
        )
    }
}

/// A text at a place; `anchor` is start, middle or end.
fn text(svg: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    text_of(svg, at, anchor, (text, MOST_LETTERS));
}

/// A text of at most so many letters.
fn text_of(svg: &mut String, (x, y): (f64, f64), anchor: &str, (text, most): (&str, usize)) {
    let text = escaped(&shortened(text, most));
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['\u{2026}']).collect(),
        false => text.to_owned(),
    }
}

/// A line that helps to read a chart; the one at zero is strong.
fn rule(svg: &mut String, from: (f64, f64), to: (f64, f64), is_strong: bool) {
    let class = if is_strong { "zero" } else { "grid" };
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// A round step that gives five to eleven marks.
fn step(total: f64) -> f64 {
    let total = total.max(1e-3);
    let power = 10f64.powf((total / 10.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    steps.into_iter().find(|step| total / step <= 10.0).unwrap_or(total)
}

/// Round marks from at most `low` to at least `high`, four to eight of them.
fn marks(low: f64, high: f64) -> Vec<f64> {
    let width = if high - low > 1e-9 { high - low } else { 1.0 };
    let step = step(width * 1.6);
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    let count = (last - first).clamp(1.0, 30.0) as u32;
    (0..=count).map(|mark| (first + f64::from(mark)) * step).collect()
}

/// Numbers beside an axis: as short as can be, with thousands set apart, millions as M.
fn label(number: f64) -> String {
    let (number, behind) = match number.abs() >= 1e6 {
        true => (number / 1e6, "M"),
        false => (number, ""),
    };
    let rounded = (number * 1e6).round() / 1e6;
    let text = format!("{}", if rounded == 0.0 { 0.0 } else { rounded });
    format!("{}{behind}", crate::figure::grouped(&text))
}

/// Of how many marks along a width one has a label, so that none runs into the next.
fn labelled(marks: &[f64], width: f64) -> usize {
    // A letter on a narrow screen, where letters are largest.
    const LETTER: f64 = 13.0;
    let longest = marks.iter().map(|mark| label(*mark).chars().count() + 1).max().unwrap_or(1);
    let each = width / (marks.len().max(2) - 1) as f64;
    (longest as f64 * LETTER / each).ceil().max(1.0) as usize
}

/// Where a number between two ends stands between two places.
fn between(number: f64, (low, high): (f64, f64), (from, to): (f64, f64)) -> f64 {
    let width = if high - low > 1e-12 { high - low } else { 1.0 };
    from + (to - from) * ((number - low) / width).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for total in [0.04, 0.7, 1.0, 9.9, 61.0, 3600.0, 1e6] {
            let marks = total / step(total);
            assert!((3.9..=10.0).contains(&marks), "{total}: {marks}");
        }
    }

    #[test]
    fn marks_hold_what_is_shown() {
        for (low, high) in [(0.0, 1.0), (-3500.0, 4437.0), (0.0, 0.0), (-1e9, -9e8), (5.0, 6.0)] {
            let marks = marks(low, high);
            assert!(marks[0] <= low + 1e-9 && marks[marks.len() - 1] >= high - 1e-9, "{marks:?}");
            assert!((2..=12).contains(&marks.len()), "{marks:?}");
        }
        assert_eq!(label(-3500.0), "-3,500");
        assert_eq!(label(0.1 + 0.2), "0.3");
        assert_eq!(label(-1_200_000.0), "-1.2M");
        assert_eq!(marks(0.0, 4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(marks(0.0, 100.0), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
    }
}
