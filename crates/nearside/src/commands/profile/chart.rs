//! Shares over time in a terminal: a line for each, and a column for each step of time.

use nearside_probe::verdict::Share;
use nearside_report::{bars, columns, time_axis};

use super::view::{Found, Stretch};

/// The chart; shares that never had a hundredth of a column are left out.
pub(super) fn of(found: &Found) -> String {
    let stretches: Vec<_> =
        found.over_time.iter().map(|stretch| (stretch.seconds, stretch.shares)).collect();
    let columns = columns(&stretches);
    let line = |share: Share| {
        let parts: Vec<f64> = columns.iter().map(|shares| shares[share as usize]).collect();
        let most = parts.iter().copied().fold(0.0, f64::max);
        (most >= 0.01).then(|| {
            let all = share_of(found, share);
            format!("{:30} {} {all:>4.0} %", share.title(), bars(parts))
        })
    };
    let lines: Vec<String> = Share::ALL.into_iter().filter_map(line).collect();
    let axis = time_axis(columns.len(), &crate::view::seconds(found.wall_seconds));
    format!("{}\n{:30} {axis}", lines.join("\n"), "")
}

fn share_of(found: &Found, share: Share) -> f64 {
    let seconds: f64 = found.over_time.iter().map(|stretch| stretch.seconds).sum();
    let part = |stretch: &Stretch| stretch.seconds * stretch.shares[share as usize];
    100.0 * found.over_time.iter().map(part).sum::<f64>() / seconds.max(1e-9)
}
