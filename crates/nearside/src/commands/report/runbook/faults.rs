//! What failed, by the ledger.

use nearside_economics::fault::{Afterwards, Attempt, Ended, Fault, faults};
use nearside_ledger::{Outcome, Recorded, RunRow, Timestamp};
use nearside_units::Duration;

use super::view::FaultView;

pub(super) fn of(runs: &[Recorded<RunRow>]) -> Vec<FaultView> {
    let attempts: Vec<Attempt> = runs.iter().filter_map(|run| attempt(&run.row)).collect();
    faults(&attempts).iter().map(view).collect()
}

fn attempt(row: &RunRow) -> Option<Attempt> {
    let ended = match row.outcome {
        Outcome::Ran => Ended::Well,
        Outcome::Failed => Ended::Failed(said(row)),
        Outcome::Cached | Outcome::Restored | Outcome::Interrupted => return None,
    };
    Some(Attempt {
        stage: row.stage.clone(),
        key: row.cache_key.clone(),
        began: Duration::from_seconds(row.began.unix_millis() as f64 / 1e3).ok()?,
        ended,
    })
}

/// What was recorded of a failure; of earlier versions of the ledger only the exit code.
fn said(row: &RunRow) -> String {
    let code = row.exit_code.map(|code| format!("exit code {code}"));
    row.failure.clone().or(code).unwrap_or_else(|| "it could not be started".to_owned())
}

fn view(fault: &Fault) -> FaultView {
    let afterwards = match fault.afterwards {
        Afterwards::Nothing => "it has not ended well since",
        Afterwards::TheSame => "the very same ended well later: something passing",
        Afterwards::Changed => "it ended well after something that it depends on was changed",
    };
    let last = Timestamp::from_unix_millis((fault.last.as_seconds() * 1e3) as u64);
    FaultView {
        stage: fault.stage.clone(),
        said: fault.said.clone(),
        times: fault.times,
        last: last.map_or_else(String::new, day),
        afterwards: afterwards.to_owned(),
        remedy: fault.remedy.map(str::to_owned),
    }
}

/// The day of a moment, in UTC.
pub(super) fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}
