//! Bars made of parts, one below the other. Each part has a colour and a pattern of its own.

use std::fmt::Write as _;

use super::{COLOURS, LEGEND_ROW, Shown, WIDTH, between, label, labelled, marks, rule, text};
use crate::figure::short;

const LEFT: f64 = 12.0;
const RIGHT: f64 = WIDTH - 24.0;
const TOP: f64 = 16.0;
const BAR: f64 = 26.0;
/// A bar with its label above it.
const ROW: f64 = 62.0;
/// Patterns, from nothing to dots.
const PATTERNS: usize = 5;

/// Bars with their parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stacks {
    pub(crate) shown: Shown,
    /// What each part is called; colours and patterns follow this order.
    pub(crate) parts: Vec<String>,
    /// Each bar with its parts; a part below nothing is not drawn.
    pub(crate) bars: Vec<(String, Vec<f64>)>,
    pub(crate) unit: String,
}

impl Stacks {
    pub(crate) fn svg(&self) -> String {
        let shown: Vec<usize> = (0..self.parts.len()).filter(|part| self.is_seen(*part)).collect();
        let bottom = TOP + self.bars.len() as f64 * ROW;
        let legend = bottom + 62.0;
        let mut svg = self.shown.open(legend + shown.len() as f64 * LEGEND_ROW);
        self.patterns(&mut svg, &shown);
        let sum = |parts: &[f64]| parts.iter().map(|part| part.max(0.0)).sum::<f64>();
        let most = self.bars.iter().map(|(_, parts)| sum(parts)).fold(0.0, f64::max);
        let marks = marks(0.0, most);
        let ends = (0.0, marks[marks.len() - 1]);
        let every = labelled(&marks, RIGHT - LEFT);
        for (place, mark) in marks.iter().enumerate() {
            let x = between(*mark, ends, (LEFT, RIGHT));
            rule(&mut svg, (x, TOP), (x, bottom + 4.0), *mark == 0.0);
            if place % every == 0 {
                text(&mut svg, (x, bottom + 24.0), anchor(*mark, ends), &label(*mark));
            }
        }
        text(&mut svg, (RIGHT, bottom + 46.0), "end", &self.unit);
        for (place, (name, parts)) in self.bars.iter().enumerate() {
            let y = TOP + place as f64 * ROW;
            text(&mut svg, (LEFT + 4.0, y + 20.0), "start", name);
            let total = parts.iter().sum::<f64>();
            text(&mut svg, (RIGHT, y + 20.0), "end", &short(total));
            let mut begin = 0.0;
            for part in &shown {
                let size = parts.get(*part).copied().unwrap_or(0.0).max(0.0);
                let x = between(begin, ends, (LEFT, RIGHT));
                let width = between(begin + size, ends, (LEFT, RIGHT)) - x;
                if width > 0.0 {
                    self.area(&mut svg, *part, (x, y + 28.0), (width, BAR));
                }
                begin += size;
            }
        }
        for (place, part) in shown.iter().enumerate() {
            let y = legend + place as f64 * LEGEND_ROW;
            self.area(&mut svg, *part, (LEFT, y), (30.0, 16.0));
            text(&mut svg, (LEFT + 40.0, y + 13.0), "start", &self.parts[*part]);
        }
        svg.push_str("</svg>");
        svg
    }

    fn is_seen(&self, part: usize) -> bool {
        self.bars.iter().any(|(_, parts)| parts.get(part).is_some_and(|size| *size > 0.0))
    }

    /// Colours, and over them lines and dots in the colour of the paper.
    fn patterns(&self, svg: &mut String, parts: &[usize]) {
        svg.push_str("<defs>");
        for part in parts {
            let over = match part % PATTERNS {
                0 => "",
                1 => "<path d=\"M0,10L10,0M-2,2L2,-2M8,12L12,8\"/>",
                2 => "<path d=\"M0,5H10\"/>",
                3 => "<path d=\"M5,0V10\"/>",
                _ => "<circle cx=\"5\" cy=\"5\" r=\"1.5\"/>",
            };
            let _ = write!(
                svg,
                "<pattern id=\"{}-{part}\" width=\"10\" height=\"10\" \
                 patternUnits=\"userSpaceOnUse\"><rect width=\"10\" height=\"10\" fill=\"{}\"/>\
                 <g class=\"over\">{over}</g></pattern>",
                self.shown.id,
                COLOURS[part % COLOURS.len()]
            );
        }
        svg.push_str("</defs>\n");
    }

    fn area(&self, svg: &mut String, part: usize, (x, y): (f64, f64), size: (f64, f64)) {
        let _ = writeln!(
            svg,
            "<rect class=\"part\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             fill=\"url(#{}-{part})\"/>",
            size.0, size.1, self.shown.id
        );
    }
}

/// Labels at the ends of an axis stay on the drawing.
pub(super) fn anchor(mark: f64, (first, last): (f64, f64)) -> &'static str {
    let width = last - first;
    match mark {
        mark if mark - first < 1e-9 * width => "start",
        mark if last - mark < 1e-9 * width => "end",
        _ => "middle",
    }
}
