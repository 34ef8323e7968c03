//! Lines over an axis of numbers.

use std::fmt::Write as _;

use super::{COLOURS, LEGEND_ROW, Shown, WIDTH, between, label, labelled, marks, rule, text};

const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 330.0;
const BELOW: f64 = 56.0;
/// Of lines, in their order.
const DASHES: [&str; 5] = ["", "10 5", "2 4", "14 4 2 4", "6 3"];

/// Numbers over numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) shown: Shown,
    pub(crate) across: Axis,
    pub(crate) up: Axis,
    pub(crate) lines: Vec<Line>,
}

/// An axis: what stands on it, and numbers that it must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) title: String,
    pub(crate) holds: (f64, f64),
}

/// A line with its points from left to right, in pieces where it is broken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Which colour, dash and mark it has, in every chart the same.
    pub(crate) style: usize,
    pub(crate) points: Vec<(f64, f64)>,
    /// A point that stands out, and does not stretch the axes: what holds today.
    pub(crate) here: Option<(f64, f64)>,
    /// A mark at every so many points.
    pub(crate) marked: usize,
}

impl Lines {
    pub(crate) fn svg(&self) -> String {
        let height = BOTTOM + BELOW + self.lines.len() as f64 * LEGEND_ROW;
        let mut svg = self.shown.open(height);
        let (across, up) = (self.ends(&self.across, |it| it.0), self.ends(&self.up, |it| it.1));
        self.axes(&mut svg, &across, &up);
        let ends = |marks: &[f64]| {
            (marks.first().copied().unwrap_or(0.0), marks.last().copied().unwrap_or(1.0))
        };
        let (across, up) = (ends(&across), ends(&up));
        let at =
            |(x, y): (f64, f64)| (between(x, across, (LEFT, RIGHT)), between(y, up, (BOTTOM, TOP)));
        for (place, line) in self.lines.iter().enumerate() {
            let points: Vec<(f64, f64)> = line.points.iter().map(|point| at(*point)).collect();
            stroke(&mut svg, line.style, &points);
            for point in points.iter().step_by(line.marked.max(1)) {
                mark(&mut svg, line.style, *point, 5.0);
            }
            if let Some((x, y)) = line.here.map(at) {
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"11\" class=\"here\" stroke=\"{}\"/>",
                    COLOURS[line.style % COLOURS.len()]
                );
                mark(&mut svg, line.style, (x, y), 6.0);
            }
            let y = BOTTOM + BELOW + 6.0 + place as f64 * LEGEND_ROW;
            stroke(&mut svg, line.style, &[(LEFT, y), (LEFT + 48.0, y)]);
            mark(&mut svg, line.style, (LEFT + 24.0, y), 5.0);
            text(&mut svg, (LEFT + 58.0, y + 5.0), "start", &line.name);
        }
        svg.push_str("</svg>");
        svg
    }

    /// Round marks that hold what an axis must hold and all that is drawn.
    fn ends(&self, axis: &Axis, part: impl Fn(&(f64, f64)) -> f64) -> Vec<f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let (low, high) = points
            .map(part)
            .fold(axis.holds, |(low, high), number| (low.min(number), high.max(number)));
        marks(low, high)
    }

    fn axes(&self, svg: &mut String, across: &[f64], up: &[f64]) {
        let ends = |marks: &[f64]| (marks[0], marks[marks.len() - 1]);
        for mark in up {
            let y = between(*mark, ends(up), (BOTTOM, TOP));
            rule(svg, (LEFT, y), (RIGHT, y), *mark == 0.0 && up[0] < 0.0);
            text(svg, (LEFT - 8.0, y + 5.0), "end", &label(*mark));
        }
        let every = labelled(across, RIGHT - LEFT);
        for (place, mark) in across.iter().enumerate() {
            let x = between(*mark, ends(across), (LEFT, RIGHT));
            rule(svg, (x, BOTTOM), (x, BOTTOM + 5.0), false);
            if place % every == 0 {
                text(svg, (x, BOTTOM + 22.0), "middle", &label(*mark));
            }
        }
        text(svg, (4.0, 20.0), "start", &self.up.title);
        text(svg, (RIGHT, BOTTOM + 44.0), "end", &self.across.title);
    }
}

fn stroke(svg: &mut String, style: usize, points: &[(f64, f64)]) {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let (colour, dash) = (COLOURS[style % COLOURS.len()], DASHES[style % DASHES.len()]);
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"3\" \
         stroke-dasharray=\"{dash}\" stroke-linejoin=\"round\"/>",
        points.join(" ")
    );
}

/// A circle, a square, a triangle, a diamond, a cross.
fn mark(svg: &mut String, style: usize, (x, y): (f64, f64), size: f64) {
    let colour = COLOURS[style % COLOURS.len()];
    let path = match style % 5 {
        0 => format!(
            "M{:.1},{y:.1}a{size},{size} 0 1 0 {:.1},0a{size},{size} 0 1 0 {:.1},0Z",
            x - size,
            size * 2.0,
            -size * 2.0
        ),
        1 => format!("M{:.1},{:.1}h{w}v{w}h-{w}Z", x - size, y - size, w = size * 2.0),
        2 => format!("M{x:.1},{:.1}l{size},{}h-{}Z", y - size, size * 2.0, size * 2.0),
        3 => format!("M{x:.1},{:.1}l{size},{size}l-{size},{size}l-{size},-{size}Z", y - size),
        _ => format!(
            "M{:.1},{:.1}h{size}v-{size}h{s}v{size}h{size}v{s}h-{size}v{size}h-{s}v-{size}h-{size}Z",
            x - size * 1.25,
            y - size / 4.0,
            s = size / 2.0
        ),
    };
    let _ = writeln!(svg, "<path d=\"{path}\" fill=\"{colour}\"/>");
}
