//! Shares of a whole over time. No band is told by its colour alone: the legend is in the order of the bands,
//! from below.

use std::fmt::Write as _;

use super::step;
use crate::html::escaped;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;
/// Room for labels: left of the drawing, and below it.
const LEFT: f64 = 48.0;
const BELOW: f64 = 28.0;
const TOP: f64 = 8.0;
const LEGEND_ROW: f64 = 20.0;
const LEGEND_COLUMN: f64 = 290.0;

/// Bands lie on each other, so that all of these are told apart.
const COLOURS: [&str; 9] = [
    "#0072b2", "#56b4e9", "#d55e00", "#cc79a7", "#009e73", "#bbbbbb", "#f0e442", "#e69f00",
    "#777777",
];

/// Shares of a whole over time, one band on top of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Stacked {
    /// What the chart shows, for those who cannot see it.
    pub title: String,
    /// What each band is called, from below; colours repeat after nine.
    pub bands: Vec<String>,
    /// Stretches of time in seconds, oldest first, and the share of each band, 0 to 1.
    pub stretches: Vec<(f64, Vec<f64>)>,
}

impl Stacked {
    /// The chart. Bands that never had a hundredth of any stretch are left out.
    #[must_use]
    pub fn svg(&self) -> String {
        let total: f64 = self.stretches.iter().map(|(seconds, _)| seconds).sum();
        let shown: Vec<usize> =
            (0..self.bands.len()).filter(|band| self.most(*band) >= 0.01).collect();
        let columns = ((WIDTH - LEFT) / LEGEND_COLUMN).floor().max(1.0);
        let legend = (shown.len() as f64 / columns).ceil() * LEGEND_ROW;
        let height = TOP + HEIGHT + BELOW + legend;
        let mut svg = format!(
            "<svg class=\"dense\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" font-family=\"system-ui,sans-serif\" \
             font-size=\"12\" xmlns=\"http://www.w3.org/2000/svg\"><title>{}</title>\n",
            escaped(&self.title)
        );
        let mut below = vec![0.0; self.stretches.len()];
        for (place, band) in shown.iter().enumerate() {
            let colour = COLOURS[band % COLOURS.len()];
            let area = self.area(*band, total, &mut below);
            let _ = writeln!(svg, "<path d=\"{area}\" fill=\"{colour}\"/>");
            let column = (place as f64) % columns;
            let row = ((place as f64) / columns).floor();
            let (x, y) = (LEFT + column * LEGEND_COLUMN, TOP + HEIGHT + BELOW + row * LEGEND_ROW);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
                 <text x=\"{}\" y=\"{}\" fill=\"currentColor\">{}</text>",
                x + 18.0,
                y + 10.0,
                escaped(&self.bands[*band])
            );
        }
        svg.push_str(&axes(total));
        svg.push_str("</svg>");
        svg
    }

    fn most(&self, band: usize) -> f64 {
        let share = |(_, shares): &(f64, Vec<f64>)| shares.get(band).copied().unwrap_or(0.0);
        self.stretches.iter().map(share).fold(0.0, f64::max)
    }

    /// The outline of a band: along its upper edge, and back along its lower one.
    fn area(&self, band: usize, total: f64, below: &mut [f64]) -> String {
        let x = |seconds: f64| LEFT + (WIDTH - LEFT) * seconds / total.max(1e-9);
        let y = |share: f64| TOP + HEIGHT * (1.0 - share.clamp(0.0, 1.0));
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let mut at = 0.0;
        for ((seconds, shares), below) in self.stretches.iter().zip(below) {
            let (from, to) = (x(at), x(at + seconds));
            lower.push(format!("{to:.1},{:.1}", y(*below)));
            lower.push(format!("{from:.1},{:.1}", y(*below)));
            *below += shares.get(band).copied().unwrap_or(0.0);
            upper.push(format!("{from:.1},{:.1}", y(*below)));
            upper.push(format!("{to:.1},{:.1}", y(*below)));
            at += seconds;
        }
        // Each stretch's lower edge runs from its end to its beginning, and the last one comes first.
        let lower = lower.chunks(2).rev().flatten().cloned();
        let points: Vec<String> = upper.into_iter().chain(lower).collect();
        format!("M{}Z", points.join("L"))
    }
}

/// Shares to the left, seconds below.
fn axes(total: f64) -> String {
    let mut svg = String::new();
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = TOP + HEIGHT * (1.0 - share);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\" stroke=\"currentColor\" \
             stroke-opacity=\".15\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\" \
             fill=\"currentColor\">{:.0} %</text>",
            LEFT - 6.0,
            y + 4.0,
            share * 100.0
        );
    }
    let step = step(total);
    // No more than eleven by the choice of the step.
    for mark in 0..=(total / step) as u32 {
        let seconds = f64::from(mark) * step;
        let x = LEFT + (WIDTH - LEFT) * seconds / total.max(1e-9);
        let anchor = if x > WIDTH - 20.0 { "end" } else { "middle" };
        let label = (seconds * 1000.0).round() / 1000.0;
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"currentColor\">{label} s</text>",
            TOP + HEIGHT + 16.0
        );
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacked() -> Stacked {
        Stacked {
            title: "time of <it>".to_owned(),
            bands: vec!["running".to_owned(), "never".to_owned(), "disk & co".to_owned()],
            stretches: vec![(1.0, vec![0.5, 0.0, 0.5]), (3.0, vec![1.0, 0.0, 0.0])],
        }
    }

    #[test]
    fn bands_lie_on_each_other_and_fill_their_time() {
        let svg = stacked().svg();
        // The first is half as high for a quarter of the width, and all of it for the rest.
        let x = LEFT + (WIDTH - LEFT) / 4.0;
        let (half, bottom) = (TOP + HEIGHT / 2.0, TOP + HEIGHT);
        let first = format!(
            "M{LEFT:.1},{half:.1}L{x:.1},{half:.1}L{x:.1},{TOP:.1}L{WIDTH:.1},{TOP:.1}\
             L{WIDTH:.1},{bottom:.1}L{x:.1},{bottom:.1}L{x:.1},{bottom:.1}L{LEFT:.1},{bottom:.1}Z"
        );
        assert!(svg.contains(&first), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2);
        assert!(!svg.contains("never") && svg.contains("disk &amp; co"), "{svg}");
        assert!(svg.contains("time of &lt;it&gt;"));
    }

    #[test]
    fn nothing_seen_draws_nothing() {
        let empty = Stacked { title: String::new(), bands: Vec::new(), stretches: Vec::new() };
        assert!(empty.svg().ends_with("</svg>"));
    }
}
