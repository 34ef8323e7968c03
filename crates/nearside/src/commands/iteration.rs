//! `nearside iteration`: how long the loop from an edit to its result is, what it waits for, and what it
//! would be elsewhere.

mod text;
mod view;

use std::collections::BTreeMap;

use nearside_economics::{Ended, Execution, Iteration as Run, elsewhere, iteration};
use nearside_ledger::{Outcome as Recorded, RunRow};
use nearside_units::{Duration, Known};

pub(crate) use view::IterationAnswer;
use view::{FarView, LoopView, NotThere};

use crate::cli::Iteration;
use crate::commands::ledger;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::journal::failed;
use crate::wire::placement::{Caution, pose};
use crate::wire::project::Loaded;

/// Far sites that are shown unless all are asked for.
const SHOWN: usize = 5;

pub(super) fn run(arguments: &Iteration, output: &Output) -> Result<Outcome, CommandError> {
    let pause: Duration = arguments.pause.parse().map_err(|error| {
        CommandError::new(Fault::Usage, format!("--pause: {error}")).hint("--pause '30 min'")
    })?;
    let ledger = ledger::open(&arguments.path, false)?;
    let rows = ledger.all::<RunRow>().map_err(|error| failed(&error))?;
    let (runs, left_out) = runs(rows.into_iter().map(|recorded| recorded.row));
    let found = iteration(&runs, pause);
    let loaded = wire::project::load(&arguments.path, &[])?;
    let mut warnings = Vec::new();
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} runs are left out: a stage of theirs failed or was ended, and earlier versions \
             did not record how long that took"
        ));
    }
    let worked = found.worked.map(|worked| worked.p50);
    let (far, not_there) = match far(&loaded, &runs, worked, output) {
        Ok(far) => far,
        // The loop here was measured, whatever can be said of others.
        Err(error) => {
            let why = error.problems.first().map_or("", |problem| problem.message.as_str());
            warnings.push(format!("the loop elsewhere is not known: {why}"));
            (Vec::new(), Vec::new())
        }
    };
    let answer = IterationAnswer {
        pause_seconds: pause.as_seconds(),
        here: LoopView::of(&found),
        far,
        not_there,
    };
    print(&answer, arguments, &warnings, output);
    Ok(Outcome::Done)
}

/// Executions of the ledger, run by run, in the order in which they were recorded, and how many runs
/// are left out because an execution of theirs has no time.
pub(super) fn runs(rows: impl Iterator<Item = RunRow>) -> (Vec<Run>, usize) {
    let mut order: Vec<String> = Vec::new();
    let mut runs: BTreeMap<String, Option<Run>> = BTreeMap::new();
    for row in rows {
        if !runs.contains_key(&row.run) {
            order.push(row.run.clone());
        }
        let run = runs.entry(row.run.clone()).or_insert(Some(Run { executions: Vec::new() }));
        match (execution(row), run.as_mut()) {
            (Some(execution), Some(run)) => run.executions.push(execution),
            _ => *run = None,
        }
    }
    let left_out = runs.values().filter(|run| run.is_none()).count();
    (order.iter().filter_map(|name| runs.remove(name).flatten()).collect(), left_out)
}

/// What a row says of an execution; nothing where it does not say how long it took.
fn execution(row: RunRow) -> Option<Execution> {
    let ended = match row.outcome {
        Recorded::Cached | Recorded::Restored => Ended::Reused,
        Recorded::Ran | Recorded::Failed | Recorded::Interrupted => Ended::Ran,
    };
    // What was reused took no time, and a phase that is not recorded did not take place.
    let seconds = |seconds: Option<f64>| Duration::from_seconds(seconds.unwrap_or(0.0)).ok();
    let run = match ended {
        Ended::Reused => Duration::ZERO,
        Ended::Ran => Duration::from_seconds(row.run_seconds?).ok()?,
    };
    Some(Execution {
        stage: row.stage,
        site: row.site,
        began: Duration::from_seconds(row.began.unix_millis() as f64 / 1e3).ok()?,
        transfer: seconds(row.transfer_seconds)?,
        queue: seconds(row.queue_seconds)?,
        boot: seconds(row.boot_seconds)?,
        run,
        ended,
    })
}

/// The loop on every far site, the one that takes most of it first, and why it cannot be on the others.
fn far(
    loaded: &Loaded,
    runs: &[Run],
    worked: Option<Duration>,
    output: &Output,
) -> Result<(Vec<FarView>, Vec<NotThere>), CommandError> {
    let catalog = wire::catalog(output)?;
    let posed = pose(loaded, &catalog, Caution::Likely, &BTreeMap::new())?;
    let (mut found, mut not_there) = (Vec::new(), Vec::new());
    let currency = loaded.project.money.exchange.currency();
    for site in wire::far::sites(loaded, &posed) {
        let money =
            |error: nearside_units::MoneyError| CommandError::new(Fault::Input, error.to_string());
        match elsewhere(runs, worked, &site, currency).map_err(money)? {
            Known::Value(there) => found.push(FarView::of(&there)),
            Known::Unknown(why) => {
                not_there.push(NotThere { site: site.name, why: why.to_string() });
            }
        }
    }
    // Where most of the loop can be, then where it waits least.
    found.sort_by(|one, other| {
        let waits = one.wait_seconds.kept.total_cmp(&other.wait_seconds.kept);
        one.stays.len().cmp(&other.stays.len()).then(waits)
    });
    Ok((found, not_there))
}

fn print(answer: &IterationAnswer, arguments: &Iteration, warnings: &[String], output: &Output) {
    if output.form == Form::Json {
        let answer =
            Answer { schema: "nearside/iteration/1", data: answer, warnings, sources: &[] };
        return output.json(&answer, environment::today());
    }
    let shown = if arguments.all { usize::MAX } else { SHOWN };
    output.text(&text::of(answer, shown));
    warnings.iter().for_each(|warning| output.warning(warning));
}

#[cfg(test)]
mod tests {
    use nearside_ledger::Timestamp;

    use super::*;

    fn row(run: &str, outcome: Recorded, run_seconds: Option<f64>) -> RunRow {
        RunRow {
            run: run.to_owned(),
            project: String::new(),
            plan: None,
            stage: "stage".to_owned(),
            trial: String::new(),
            site: "here".to_owned(),
            cache_key: String::new(),
            outcome,
            exit_code: None,
            began: Timestamp::EPOCH,
            transfer_seconds: None,
            queue_seconds: None,
            boot_seconds: None,
            run_seconds,
            predicted_low_seconds: None,
            predicted_likely_seconds: None,
            predicted_high_seconds: None,
            peak_memory_bytes: None,
            predicted_memory_bytes: None,
            energy_joules: None,
            energy_method: None,
            cost_amount: None,
            cost_currency: None,
            operational_grams_co2e: None,
            embodied_grams_co2e: None,
            energy_at_least_joules: None,
            energy_known_parts: None,
            failure: None,
        }
    }

    #[test]
    fn what_failed_counts_where_its_time_is_recorded() {
        let rows = [
            row("a", Recorded::Ran, Some(1.0)),
            row("a", Recorded::Failed, Some(2.0)),
            row("b", Recorded::Interrupted, Some(3.0)),
            row("c", Recorded::Ran, Some(4.0)),
            // As it was recorded once.
            row("c", Recorded::Failed, None),
            row("d", Recorded::Cached, None),
        ];
        let (runs, left_out) = runs(rows.into_iter());
        let times = |run: &Run| {
            run.executions.iter().map(|done| (done.run.as_seconds(), done.ended)).collect()
        };
        let found: Vec<Vec<_>> = runs.iter().map(times).collect();
        let (ran, reused) = (Ended::Ran, Ended::Reused);
        assert_eq!(
            (found, left_out),
            (vec![vec![(1.0, ran), (2.0, ran)], vec![(3.0, ran)], vec![(0.0, reused)]], 1)
        );
    }
}
