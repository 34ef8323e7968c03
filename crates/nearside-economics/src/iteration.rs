//! The loop of development: edit, run, look. How long from an edit to its result, how much of it is
//! waiting, and for what.
//!
//! An iteration is one run that executed something; the edit before it was over when it began. What lies
//! between the end of one run and the beginning of the next is work, unless it is longer than a break.
//! A cycle is that work and the wait after it: `share of wait = waited / (worked + waited)`.

use std::collections::BTreeMap;

use nearside_units::Duration;

use crate::quantile::Quantiles;

/// How the execution of a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ran, well or not: there was something to look at.
    Ran,
    /// Its result was there, or was put back.
    Reused,
}

/// One execution of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The stage.
    pub stage: String,
    /// Where it ran.
    pub site: String,
    /// When it began, since any moment that all have in common.
    pub began: Duration,
    /// Moving data there and back.
    pub transfer: Duration,
    /// Waiting for its turn.
    pub queue: Duration,
    /// Until the machine was ready.
    pub boot: Duration,
    /// The command itself.
    pub run: Duration,
    /// How it ended.
    pub ended: Ended,
}

impl Execution {
    /// All of it.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.transfer + self.queue + self.boot + self.run
    }

    fn end(&self) -> Duration {
        self.began + self.time()
    }
}

/// One run of a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Iteration {
    /// What it did with each stage.
    pub executions: Vec<Execution>,
}

impl Iteration {
    /// What it executed.
    pub(crate) fn executed(&self) -> impl Iterator<Item = &Execution> {
        self.executions.iter().filter(|execution| execution.ended == Ended::Ran)
    }

    fn began(&self) -> Duration {
        let moments = self.executions.iter().map(|execution| execution.began);
        moments.reduce(|one, other| if other < one { other } else { one }).unwrap_or(Duration::ZERO)
    }

    fn ended(&self) -> Duration {
        self.executions.iter().map(Execution::end).reduce(Duration::max).unwrap_or(Duration::ZERO)
    }

    /// From its beginning to its end.
    pub(crate) fn waited(&self) -> Duration {
        since(self.ended(), self.began())
    }
}

/// Clocks may have been put back in between: no time is less than nothing.
fn since(later: Duration, earlier: Duration) -> Duration {
    later.checked_sub(earlier).unwrap_or(Duration::ZERO)
}

/// The loop as it was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// Runs that executed something.
    pub iterations: usize,
    /// Runs that found everything done.
    pub without_work: usize,
    /// From the beginning of a run to its first new result.
    pub to_first_result: Option<Quantiles>,
    /// From the beginning of a run to its end.
    pub waited: Option<Quantiles>,
    /// From the end of a run to the beginning of the next, breaks left out.
    pub worked: Option<Quantiles>,
    /// Waiting in all cycles, over all of their time, 0 to 1; nothing where no run followed another.
    pub wait_share: Option<f64>,
    /// Cycles that this is of.
    pub cycles: usize,
    /// Waiting in a week; in less than one, all of it.
    pub waited_per_week: Duration,
    /// How long it was looked at, in weeks; one at least.
    pub weeks: f64,
    /// Executions that found their result, of all, 0 to 1.
    pub reused: Option<f64>,
    /// Stage by stage and site by site.
    pub stages: Vec<StageLoop>,
}

/// A stage on a site, in the runs that executed it.
#[derive(Clone, Debug, PartialEq)]
pub struct StageLoop {
    /// The stage.
    pub stage: String,
    /// Where.
    pub site: String,
    /// How often.
    pub runs: usize,
    /// From the beginning of the run to its result.
    pub to_result: Quantiles,
    /// Its own time.
    pub own: Quantiles,
    /// Means of its phases: moving data, waiting for its turn, until the machine was ready, its command.
    pub phases: [Duration; 4],
    /// Times that its result was there, of all times that it was looked at, 0 to 1.
    pub reused: f64,
}

/// Measures the loop. Runs are in the order in which they were made; a pause longer than `pause` is a
/// break, not work.
#[must_use]
pub fn iteration(runs: &[Iteration], pause: Duration) -> Loop {
    let working: Vec<&Iteration> =
        runs.iter().filter(|run| run.executed().next().is_some()).collect();
    let waited: Vec<Duration> = working.iter().map(|run| run.waited()).collect();
    let first = |run: &&Iteration| {
        let ends = run.executed().map(Execution::end);
        let first = ends.reduce(|one, other| if other < one { other } else { one });
        first.map(|first| since(first, run.began()))
    };
    let to_first: Vec<Duration> = working.iter().filter_map(first).collect();
    let cycles = cycles(runs, pause);
    let worked: Vec<Duration> = cycles.iter().map(|cycle| cycle.worked).collect();
    let total: Duration = sum(waited.iter().copied());
    let weeks = weeks(runs);
    let all = runs.iter().flat_map(|run| &run.executions);
    let (reused, count) = all.fold((0, 0_usize), |(reused, count), execution| {
        (reused + usize::from(execution.ended == Ended::Reused), count + 1)
    });
    Loop {
        iterations: working.len(),
        without_work: runs.len() - working.len(),
        to_first_result: Quantiles::of(&to_first),
        waited: Quantiles::of(&waited),
        worked: Quantiles::of(&worked),
        wait_share: wait_share(&cycles),
        cycles: cycles.len(),
        waited_per_week: total * (1.0 / weeks),
        weeks,
        reused: (count > 0).then(|| reused as f64 / count as f64),
        stages: stages(runs),
    }
}

/// Work, and the wait after it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cycle {
    worked: Duration,
    waited: Duration,
}

/// Runs that executed something and followed another run within a pause.
fn cycles(runs: &[Iteration], pause: Duration) -> Vec<Cycle> {
    let cycle = |pair: &[Iteration]| {
        let [before, after] = pair else { return None };
        let worked = after.began().checked_sub(before.ended())?;
        let counts = worked <= pause && after.executed().next().is_some();
        counts.then(|| Cycle { worked, waited: after.waited() })
    };
    runs.windows(2).filter_map(cycle).collect()
}

fn wait_share(cycles: &[Cycle]) -> Option<f64> {
    let waited: Duration = sum(cycles.iter().map(|cycle| cycle.waited));
    let worked: Duration = sum(cycles.iter().map(|cycle| cycle.worked));
    let all = waited + worked;
    (all > Duration::ZERO).then(|| waited / all)
}

fn weeks(runs: &[Iteration]) -> f64 {
    const WEEK: Duration = Duration::hours(7.0 * 24.0);
    let begin = runs.first().map_or(Duration::ZERO, Iteration::began);
    let end = runs.iter().map(Iteration::ended).reduce(Duration::max).unwrap_or(Duration::ZERO);
    (since(end, begin) / WEEK).max(1.0)
}

pub(crate) fn sum(times: impl Iterator<Item = Duration>) -> Duration {
    times.fold(Duration::ZERO, |sum, time| sum + time)
}

struct Gathered {
    to_result: Vec<Duration>,
    own: Vec<Duration>,
    phases: [Duration; 4],
    reused: usize,
}

fn stages(runs: &[Iteration]) -> Vec<StageLoop> {
    let mut gathered: BTreeMap<(&str, &str), Gathered> = BTreeMap::new();
    for run in runs {
        for execution in &run.executions {
            let key = (execution.stage.as_str(), execution.site.as_str());
            let stage = gathered.entry(key).or_insert_with(|| Gathered {
                to_result: Vec::new(),
                own: Vec::new(),
                phases: [Duration::ZERO; 4],
                reused: 0,
            });
            if execution.ended == Ended::Reused {
                stage.reused += 1;
                continue;
            }
            stage.to_result.push(since(execution.end(), run.began()));
            stage.own.push(execution.time());
            let Execution { transfer, queue, boot, run, .. } = execution;
            let phases = [transfer, queue, boot, run];
            stage.phases.iter_mut().zip(phases).for_each(|(sum, phase)| *sum += *phase);
        }
    }
    let stage = |((stage, site), found): ((&str, &str), Gathered)| {
        let runs = found.own.len();
        Some(StageLoop {
            stage: stage.to_owned(),
            site: site.to_owned(),
            runs,
            to_result: Quantiles::of(&found.to_result)?,
            own: Quantiles::of(&found.own)?,
            phases: found.phases.map(|sum| sum * (1.0 / runs as f64)),
            reused: found.reused as f64 / (found.reused + runs) as f64,
        })
    };
    gathered.into_iter().filter_map(stage).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::constant(seconds)
    }

    fn ran(stage: &str, began: f64, run: f64) -> Execution {
        Execution {
            stage: stage.to_owned(),
            site: "here".to_owned(),
            began: seconds(began),
            transfer: Duration::ZERO,
            queue: Duration::ZERO,
            boot: Duration::ZERO,
            run: seconds(run),
            ended: Ended::Ran,
        }
    }

    fn reused(stage: &str, began: f64) -> Execution {
        Execution { ended: Ended::Reused, ..ran(stage, began, 0.0) }
    }

    fn run(executions: Vec<Execution>) -> Iteration {
        Iteration { executions }
    }

    const PAUSE: Duration = Duration::constant(1800.0);

    #[test]
    fn work_and_waiting_take_turns() {
        let runs = [
            run(vec![ran("prepare", 0.0, 10.0), ran("train", 10.0, 20.0)]),
            // Four minutes and a half of work, then half a minute of waiting.
            run(vec![reused("prepare", 300.0), ran("train", 300.0, 30.0)]),
            run(vec![reused("prepare", 400.0), reused("train", 400.0)]),
            // After lunch: a break, so no cycle.
            run(vec![reused("prepare", 9000.0), ran("train", 9000.0, 60.0)]),
        ];
        let found = iteration(&runs, PAUSE);
        assert_eq!((found.iterations, found.without_work, found.cycles), (3, 1, 1));
        assert_eq!(found.wait_share, Some(0.1));
        assert_eq!(found.reused, Some(0.5));
        assert_eq!(found.to_first_result.map(|time| time.p50), Some(seconds(30.0)));
        assert_eq!(found.waited.map(|time| time.p95), Some(seconds(60.0)));
        assert_eq!(found.waited_per_week, seconds(120.0));
        let [prepare, train] = found.stages.as_slice() else { panic!("two stages: {found:?}") };
        assert_eq!((prepare.runs, train.runs), (1, 3));
        assert_eq!(train.to_result.p50, seconds(30.0));
        assert_eq!(train.own.p50, seconds(30.0));
        assert!((prepare.reused - 0.75).abs() < 1e-12);
    }

    #[test]
    fn phases_are_told_apart() {
        let far = Execution {
            site: "far".to_owned(),
            transfer: seconds(3.0),
            queue: seconds(60.0),
            boot: seconds(90.0),
            ..ran("train", 0.0, 30.0)
        };
        let found = iteration(&[run(vec![far])], PAUSE);
        assert_eq!(found.stages[0].phases, [3.0, 60.0, 90.0, 30.0].map(seconds));
        assert_eq!(found.stages[0].to_result.p50, seconds(183.0));
        assert_eq!(found.wait_share, None);
    }

    #[test]
    fn a_clock_that_was_put_back_makes_no_cycle() {
        let runs = [run(vec![ran("a", 1000.0, 5.0)]), run(vec![ran("a", 100.0, 5.0)])];
        let found = iteration(&runs, PAUSE);
        assert_eq!((found.iterations, found.cycles), (2, 0));
        assert_eq!(found.waited_per_week, seconds(10.0));
    }

    #[test]
    fn nothing_ran() {
        let found = iteration(&[], PAUSE);
        assert_eq!((found.iterations, found.reused, found.to_first_result), (0, None, None));
        assert_eq!(found.waited_per_week, Duration::ZERO);
    }

    proptest! {
        #[test]
        fn shares_are_shares(times in proptest::collection::vec((0.0..5000.0, 0.0..500.0), 0..20)) {
            let mut at = 0.0;
            let runs: Vec<Iteration> = times.iter().map(|(pause, time)| {
                at += pause;
                let began = at;
                at += time;
                run(vec![ran("a", began, *time)])
            }).collect();
            let found = iteration(&runs, PAUSE);
            prop_assert!(found.wait_share.is_none_or(|share| (0.0..=1.0).contains(&share)));
            prop_assert!(found.cycles < runs.len().max(1));
            let waited: f64 = times.iter().map(|(_, time)| time).sum();
            let told = found.waited_per_week.as_seconds() * found.weeks;
            prop_assert!((told - waited).abs() < 1e-6 * waited.max(1.0));
        }
    }
}
