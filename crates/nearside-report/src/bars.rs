//! Values over time as a line of bars, for a terminal: a column for each step of time.

/// Columns of time at most.
const MOST_COLUMNS: usize = 60;
/// Eighths of a column's height.
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar for each part, 0 to 1. What is there at all is seen.
///
/// ```
/// assert_eq!(nearside_report::bars([0.0, 0.02, 0.5, 1.0]), " ▁▄█");
/// ```
#[must_use]
pub fn bars(parts: impl IntoIterator<Item = f64>) -> String {
    parts.into_iter().map(bar).collect()
}

fn bar(part: f64) -> char {
    let eighths = (part * 8.0).round() as usize;
    HEIGHTS[if part >= 0.01 { eighths.clamp(1, 8) } else { 0 }]
}

/// Means of several values in equal columns of time, from stretches of time in seconds with the values
/// in each; a stretch that lies in two columns counts for both, by its parts. There are never more
/// columns than stretches.
///
/// ```
/// let stretches = [(3.0, [1.0]), (1.0, [0.0])];
/// assert_eq!(nearside_report::columns(&stretches), [[1.0], [0.5]]);
/// ```
#[must_use]
pub fn columns<const VALUES: usize>(stretches: &[(f64, [f64; VALUES])]) -> Vec<[f64; VALUES]> {
    let total: f64 = stretches.iter().map(|(seconds, _)| seconds).sum();
    let count = MOST_COLUMNS.min(stretches.len()).max(1);
    let width = (total / count as f64).max(1e-9);
    let mut columns = vec![[0.0; VALUES]; count];
    let mut at = 0.0;
    for (seconds, values) in stretches {
        let (from, to) = (at, at + seconds);
        let first = ((from / width) as usize).min(count - 1);
        let last = ((to / width) as usize).min(count - 1);
        for (place, column) in columns.iter_mut().enumerate().take(last + 1).skip(first) {
            let (begin, end) = (place as f64 * width, (place + 1) as f64 * width);
            let inside = (to.min(end) - from.max(begin)).max(0.0) / width;
            column.iter_mut().zip(values).for_each(|(sum, value)| *sum += inside * value);
        }
        at = to;
    }
    columns
}

/// What stands below so many columns: where time begins and where it ends.
///
/// ```
/// assert_eq!(nearside_report::time_axis(12, "1.5 s"), "0 s    1.5 s");
/// assert_eq!(nearside_report::time_axis(3, "1.5 s"), "0 s 1.5 s");
/// ```
#[must_use]
pub fn time_axis(columns: usize, end: &str) -> String {
    let begin = "0 s ";
    format!("{begin}{end:>width$}", width = columns.saturating_sub(begin.len()))
}
