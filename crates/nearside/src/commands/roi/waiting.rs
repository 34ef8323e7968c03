//! What a team waits for, as far as the ledger of a project measured it: how often a person waits, how long
//! here, and how long it would be on the far site where it is shortest.

use nearside_economics::{Given, Input, elsewhere, iteration};
use nearside_ledger::RunRow;
use nearside_units::{Basis, Currency, Duration, Kind, Known, Span};

use crate::commands::{iteration as runs_of, ledger};
use crate::wire::project::Loaded;
use crate::wire::shared_work::SharedWork;

/// A longer time between two runs is a break.
const PAUSE: Duration = Duration::constant(30.0 * 60.0);
/// Working days of a week.
const DAYS: f64 = 5.0;

/// Waiting as it was measured; nothing where no run is recorded.
pub(super) fn measured(loaded: &Loaded, work: &SharedWork, currency: Currency) -> Option<Given> {
    let ledger = ledger::open(&loaded.file, false).ok()?;
    let rows = ledger.all::<RunRow>().ok()?;
    let (runs, _) = runs_of::runs(rows.into_iter().map(|recorded| recorded.row));
    let found = iteration(&runs, PAUSE);
    let here = found.waited?.p50;
    let worked = found.worked.map(|worked| worked.p50);
    let there = work.loops.iter().filter_map(|site| {
        match elsewhere(&runs, worked, site, currency).ok()? {
            Known::Value(there) => Some(there.wait.kept),
            Known::Unknown(_) => None,
        }
    });
    let there = there.reduce(|one, other| if other < one { other } else { one })?;
    let basis = || Basis {
        kind: Kind::Measured,
        source: format!("{} iterations in the ledger", found.iterations).into(),
        as_of: None,
    };
    let input = |value: f64| Input { span: Span::exact(value), basis: basis() };
    let minutes = |time: Duration| input(time.as_seconds() / 60.0);
    let often = found.iterations as f64 / found.weeks / DAYS;
    Some(Given::from([
        ("waits", input(often)),
        ("wait_here", minutes(here)),
        ("wait_there", minutes(there)),
    ]))
}
