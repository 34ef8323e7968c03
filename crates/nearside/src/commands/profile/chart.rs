//! Shares over time in a terminal: a line for each, and a column for each step of time.

use nearside_probe::verdict::Share;

use super::view::{Found, Stretch};

/// Columns of time.
const COLUMNS: usize = 60;
/// Eighths of a column's height.
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The chart; shares that never had a hundredth of a column are left out.
pub(super) fn of(found: &Found) -> String {
    let columns = columns(&found.over_time);
    let line = |share: Share| {
        let parts: Vec<f64> = columns.iter().map(|shares| shares[share as usize]).collect();
        let most = parts.iter().copied().fold(0.0, f64::max);
        (most >= 0.01).then(|| {
            let bars: String = parts.iter().map(|part| bar(*part)).collect();
            let all = share_of(found, share);
            format!("{:30} {bars} {all:>4.0} %", share.title())
        })
    };
    let lines: Vec<String> = Share::ALL.into_iter().filter_map(line).collect();
    let end = crate::view::seconds(found.wall_seconds);
    format!("{}\n{:30} 0 s{end:>width$}", lines.join("\n"), "", width = columns.len().max(9) - 3)
}

fn share_of(found: &Found, share: Share) -> f64 {
    let seconds: f64 = found.over_time.iter().map(|stretch| stretch.seconds).sum();
    let part = |stretch: &Stretch| stretch.seconds * stretch.shares[share as usize];
    100.0 * found.over_time.iter().map(part).sum::<f64>() / seconds.max(1e-9)
}

/// What is there at all is seen.
fn bar(part: f64) -> char {
    let eighths = (part * 8.0).round() as usize;
    HEIGHTS[if part >= 0.01 { eighths.clamp(1, 8) } else { 0 }]
}

/// Mean shares of each column; a stretch of time that lies in two counts for both, by its parts.
fn columns(over_time: &[Stretch]) -> Vec<[f64; Share::ALL.len()]> {
    let total: f64 = over_time.iter().map(|stretch| stretch.seconds).sum();
    let count = COLUMNS.min(over_time.len()).max(1);
    let width = (total / count as f64).max(1e-9);
    let mut columns = vec![[0.0; Share::ALL.len()]; count];
    let mut at = 0.0;
    for stretch in over_time {
        let (from, to) = (at, at + stretch.seconds);
        let first = ((from / width) as usize).min(count - 1);
        let last = ((to / width) as usize).min(count - 1);
        for (place, column) in columns.iter_mut().enumerate().take(last + 1).skip(first) {
            let (begin, end) = (place as f64 * width, (place + 1) as f64 * width);
            let inside = (to.min(end) - from.max(begin)).max(0.0) / width;
            column.iter_mut().zip(stretch.shares).for_each(|(sum, share)| *sum += inside * share);
        }
        at = to;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_what_is_there() {
        assert_eq!([0.0, 0.02, 0.5, 1.0].map(bar), [' ', '▁', '▄', '█']);
    }

    #[test]
    fn a_stretch_in_two_columns_counts_for_both() {
        let mut shares = [0.0; Share::ALL.len()];
        shares[0] = 1.0;
        let none = [0.0; Share::ALL.len()];
        let stretch = |seconds, shares| Stretch { seconds, shares };
        let columns = columns(&[stretch(3.0, shares), stretch(1.0, none)]);
        let columns: Vec<f64> = columns.iter().map(|column| column[0]).collect();
        assert_eq!(columns, [1.0, 0.5]);
    }
}
