//! What each uncertain input does to an answer: a bar from the answer at its low end to that at its high
//! end, what matters most on top.

use std::fmt::Write as _;

use super::stacks::anchor;
use super::{COLOURS, Shown, WIDTH, between, label, labelled, marks, rule, text, text_of};

const LEFT: f64 = 12.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 40.0;
const BAR: f64 = 18.0;
/// A bar with its label above it.
const ROW: f64 = 48.0;

/// Bars around what is likely.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tornado {
    pub(crate) shown: Shown,
    pub(crate) unit: String,
    pub(crate) likely: f64,
    pub(crate) rows: Vec<Swung>,
}

/// One of them: the input with its two ends in words, and the answer at each.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Swung {
    pub(crate) input: String,
    pub(crate) ends: String,
    pub(crate) answers: [f64; 2],
}

impl Tornado {
    pub(crate) fn svg(&self) -> String {
        let bottom = TOP + self.rows.len() as f64 * ROW;
        let mut svg = self.shown.open(bottom + 56.0);
        let all = self.rows.iter().flat_map(|row| row.answers).chain([self.likely]);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| {
            (low.min(number), high.max(number))
        });
        let marks = marks(low, high);
        let ends = (marks[0], marks[marks.len() - 1]);
        let x = |number: f64| between(number, ends, (LEFT, RIGHT));
        let every = labelled(&marks, RIGHT - LEFT);
        for (place, mark) in marks.iter().enumerate() {
            rule(&mut svg, (x(*mark), TOP), (x(*mark), bottom), false);
            if place % every == 0 {
                text(&mut svg, (x(*mark), bottom + 22.0), anchor(*mark, ends), &label(*mark));
            }
        }
        rule(&mut svg, (x(self.likely), TOP), (x(self.likely), bottom), true);
        text(&mut svg, (RIGHT, bottom + 44.0), "end", &self.unit);
        self.legend(&mut svg);
        for (place, row) in self.rows.iter().enumerate() {
            let y = TOP + place as f64 * ROW;
            text_of(&mut svg, (LEFT + 4.0, y + 17.0), "start", (&row.input, 32));
            text_of(&mut svg, (RIGHT, y + 17.0), "end", (&row.ends, 24));
            for (end, answer) in row.answers.iter().enumerate() {
                let (from, to) = (x(self.likely.min(*answer)), x(self.likely.max(*answer)));
                bar(&mut svg, end, (from, y + 23.0), to - from);
            }
        }
        svg.push_str("</svg>");
        svg
    }

    /// The low end is a full bar, the high end an outlined one.
    fn legend(&self, svg: &mut String) {
        for (end, (x, words)) in
            [(LEFT, "at the low end"), (WIDTH / 2.0, "at the high end")].into_iter().enumerate()
        {
            bar(svg, end, (x, 6.0), 30.0);
            text(svg, (x + 40.0, 20.0), "start", words);
        }
    }
}

fn bar(svg: &mut String, end: usize, (x, y): (f64, f64), width: f64) {
    let fill = if end == 0 { 1.0 } else { 0.15 };
    let colour = COLOURS[end];
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\" \
         fill-opacity=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
    );
}
