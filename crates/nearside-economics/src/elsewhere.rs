//! The same loop on a far site: what it would have waited, what it would have cost, and what having the
//! machine here cuts from a cycle.
//!
//! With `W` of work in a cycle, `n` of waiting here and `f` there, the machine here cuts
//! `1 - (W + n) / (W + f)` from the cycle, which is the share of waiting there, `f / (W + f)`, times the
//! share of that waiting which goes, `1 - n / f`. "A third shorter" holds only where the wait there
//! is long beside the work: [`wait_for_cut`].

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::{AtLeast, Currency, Duration, Known, Money, MoneyError};

use crate::iteration::{Execution, Iteration, sum};

/// A figure with the data kept on the far site, and with all of it moved there for each run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between<T> {
    /// With the data kept there.
    pub kept: T,
    /// With the data moved there each time.
    pub moved: T,
}

/// A site that the loop might have run on.
#[derive(Clone, Debug, PartialEq)]
pub struct FarSite {
    /// Its name.
    pub name: String,
    /// The price of an hour.
    pub per_hour: Known<Money>,
    /// What each stage would take there; or why it cannot be there, or is not known.
    pub stages: BTreeMap<String, Known<FarStage>>,
}

/// A stage on a far site, once.
#[derive(Clone, Debug, PartialEq)]
pub struct FarStage {
    /// Moving all that it reads there.
    pub upload: Duration,
    /// Waiting for a machine, and until it is ready.
    pub startup: Duration,
    /// The work; none where there is no estimate for both sides, and taken to last as long as here.
    pub work: Option<FarWork>,
}

/// What the work of a stage is estimated to take. What it took here was measured, so of the estimates
/// only their ratio counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FarWork {
    /// There.
    pub there: Duration,
    /// Here.
    pub here: Duration,
}

impl FarWork {
    /// How long there what took so long here.
    fn of(self, measured: Duration) -> Duration {
        if self.here > Duration::ZERO { self.there * (measured / self.here) } else { self.there }
    }
}

/// The loop on a far site.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// Its name.
    pub site: String,
    /// Waiting in one iteration, on average.
    pub wait: Between<Duration>,
    /// Of that, waiting for machines and until they are ready.
    pub startup: Duration,
    /// Share of the cycle there that is waiting, 0 to 1.
    pub wait_share: Between<f64>,
    /// What having the machine here cuts from the cycle, as a share of the cycle there; less than
    /// nothing where the far site is faster.
    pub cut: Between<f64>,
    /// What all iterations would have cost, paid from the moment that a machine is asked for; moving data
    /// is not in it.
    pub cost: AtLeast<Money>,
    /// Stages whose work is taken to last as long as here.
    pub as_here: Vec<String>,
    /// Stages that cannot be there and stay here, and why.
    pub stays: BTreeMap<String, Arc<str>>,
}

/// The wait in a cycle elsewhere from which on having the machine here cuts at least this share of the
/// cycle: `f = (W + n) / (1 - cut) - W`.
///
/// ```
/// use nearside_economics::wait_for_cut;
/// use nearside_units::Duration;
/// let minutes = |minutes: f64| Duration::constant(60.0 * minutes);
/// // Five minutes of work and one of waiting here: a third shorter takes four of waiting there.
/// let wait = wait_for_cut(1.0 / 3.0, minutes(5.0), minutes(1.0));
/// assert!((wait.as_seconds() - 240.0).abs() < 1e-9);
/// ```
#[must_use]
pub fn wait_for_cut(cut: f64, worked: Duration, waited: Duration) -> Duration {
    let cycle = (worked + waited) * (1.0 / (1.0 - cut.clamp(0.0, 0.99)));
    cycle.checked_sub(worked).unwrap_or(Duration::ZERO)
}

/// Runs the loop on a far site on paper; stages that cannot be there stay here. `worked` is the work
/// between two iterations; nothing where there was none. The reason is given where no stage can be there.
///
/// # Errors
/// When amounts of money cannot be added up: they must all be of that currency.
pub fn elsewhere(
    runs: &[Iteration],
    worked: Option<Duration>,
    site: &FarSite,
    currency: Currency,
) -> Result<Known<Elsewhere>, MoneyError> {
    let working: Vec<&Iteration> =
        runs.iter().filter(|run| run.executed().next().is_some()).collect();
    if working.is_empty() {
        return Ok(Known::unknown("nothing was executed"));
    }
    let mut sums = Sums::default();
    for run in &working {
        sums.add(run, site);
    }
    if sums.moved_stages == 0 {
        let why = sums.stays.iter().next().map(|(stage, why)| format!("{stage}: {why}"));
        return Ok(Known::unknown(why.unwrap_or_default()));
    }
    let Sums { work, startup, upload, at_home, as_here, stays, .. } = sums;
    let mut cost = AtLeast::new(Money::zero(currency));
    match &site.per_hour {
        Known::Value(price) => cost.total = price.scaled((startup + work).as_hours())?,
        Known::Unknown(why) => cost.missing.push(Arc::clone(why)),
    }
    let kept = startup + work + at_home;
    let mean = |time: Duration| time * (1.0 / working.len() as f64);
    let near = mean(sum(working.iter().map(|run| run.waited())));
    let worked = worked.unwrap_or(Duration::ZERO);
    let wait = Between { kept: mean(kept), moved: mean(kept + upload) };
    let share = |far: Duration| part(far, worked + far);
    let cut = |far: Duration| 1.0 - part(worked + near, worked + far);
    Ok(Known::Value(Elsewhere {
        site: site.name.clone(),
        wait,
        startup: mean(startup),
        wait_share: wait.map(share),
        cut: wait.map(cut),
        cost,
        as_here,
        stays,
    }))
}

/// What all iterations come to.
struct Sums {
    work: Duration,
    startup: Duration,
    upload: Duration,
    at_home: Duration,
    moved_stages: usize,
    as_here: Vec<String>,
    stays: BTreeMap<String, Arc<str>>,
}

impl Default for Sums {
    fn default() -> Self {
        let [work, startup, upload, at_home] = [Duration::ZERO; 4];
        let (as_here, stays) = (Vec::new(), BTreeMap::new());
        Self { work, startup, upload, at_home, moved_stages: 0, as_here, stays }
    }
}

impl Sums {
    /// One iteration: its stages use one machine, which is there when the slowest of them can begin.
    fn add(&mut self, run: &Iteration, site: &FarSite) {
        let mut startup = Duration::ZERO;
        for execution in run.executed() {
            let stage = match site.stages.get(&execution.stage) {
                Some(Known::Value(stage)) => stage,
                Some(Known::Unknown(why)) => {
                    self.stay(execution, Arc::clone(why));
                    continue;
                }
                None => {
                    self.stay(execution, "it is no stage of the project any more".into());
                    continue;
                }
            };
            self.moved_stages += 1;
            self.work += match stage.work {
                Some(estimated) => estimated.of(execution.run),
                None => here(execution, &mut self.as_here),
            };
            self.upload += stage.upload;
            startup = startup.max(stage.startup);
        }
        self.startup += startup;
    }

    fn stay(&mut self, execution: &Execution, why: Arc<str>) {
        self.stays.insert(execution.stage.clone(), why);
        self.at_home += execution.time();
    }
}

impl<T: Copy> Between<T> {
    fn map<U>(self, function: impl Fn(T) -> U) -> Between<U> {
        Between { kept: function(self.kept), moved: function(self.moved) }
    }
}

/// A part of a time; all of it where there is none.
fn part(part: Duration, whole: Duration) -> f64 {
    if whole > Duration::ZERO { part / whole } else { 1.0 }
}

/// The work of a stage that is not estimated: taken to last as long as here.
fn here(execution: &Execution, as_here: &mut Vec<String>) -> Duration {
    if !as_here.contains(&execution.stage) {
        as_here.push(execution.stage.clone());
    }
    execution.run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iteration::Ended;

    fn seconds(seconds: f64) -> Duration {
        Duration::constant(seconds)
    }

    fn run(stage: &str, time: f64) -> Iteration {
        Iteration {
            executions: vec![Execution {
                stage: stage.to_owned(),
                site: "here".to_owned(),
                began: Duration::ZERO,
                transfer: Duration::ZERO,
                queue: Duration::ZERO,
                boot: Duration::ZERO,
                run: seconds(time),
                ended: Ended::Ran,
            }],
        }
    }

    fn euros(euros: f64) -> Money {
        Money::from_micros((euros * 1e6) as i64, Currency::EUR)
    }

    fn far(work: Option<f64>) -> FarSite {
        let stage = FarStage {
            upload: seconds(120.0),
            startup: seconds(180.0),
            work: work.map(|there| FarWork { there: seconds(there), here: seconds(60.0) }),
        };
        FarSite {
            name: "far".to_owned(),
            per_hour: Known::Value(euros(36.0)),
            stages: [("train".to_owned(), Known::Value(stage))].into(),
        }
    }

    #[test]
    fn a_short_loop_is_shorter_here() {
        let runs = [run("train", 60.0), run("train", 60.0)];
        let worked = Some(seconds(300.0));
        let found =
            elsewhere(&runs, worked, &far(Some(30.0)), Currency::EUR).unwrap().value().unwrap();
        // 180 s until a machine is there, 30 s of work; 120 s more where data has to move.
        assert_eq!(found.wait, Between { kept: seconds(210.0), moved: seconds(330.0) });
        assert!((found.cut.kept - (1.0 - 360.0 / 510.0)).abs() < 1e-12);
        assert!((found.cut.moved - (1.0 - 360.0 / 630.0)).abs() < 1e-12);
        // The share of waiting, times the share of it that goes.
        let by_parts = found.wait_share.kept * (1.0 - 60.0 / 210.0);
        assert!((found.cut.kept - by_parts).abs() < 1e-12);
        assert_eq!(found.cost.total.as_micros(), 4_200_000, "420 s of 36 EUR an hour");
        assert!(found.as_here.is_empty());
    }

    #[test]
    fn what_was_measured_here_is_scaled_by_the_estimates() {
        let mut site = far(Some(30.0));
        if let Some(Known::Value(stage)) = site.stages.get_mut("train")
            && let Some(work) = &mut stage.work
        {
            work.here = seconds(120.0);
        }
        // Half of what was estimated was measured, so half there, too.
        let found = elsewhere(&[run("train", 60.0)], None, &site, Currency::EUR).unwrap();
        let found = found.value().unwrap();
        assert_eq!(found.wait.kept, seconds(195.0));
    }

    #[test]
    fn stages_of_one_run_share_a_machine() {
        let mut both = run("train", 60.0);
        both.executions.extend(run("train", 60.0).executions);
        let found = elsewhere(&[both], None, &far(Some(30.0)), Currency::EUR).unwrap();
        assert_eq!(found.value().unwrap().wait.kept, seconds(180.0 + 30.0 + 30.0));
    }

    #[test]
    fn a_long_run_is_shorter_there() {
        let found = elsewhere(&[run("train", 36_000.0)], None, &far(Some(6.0)), Currency::EUR);
        let cut = found.unwrap().value().unwrap().cut;
        assert!(cut.kept < -8.0 && cut.moved > cut.kept, "{cut:?}");
    }

    #[test]
    fn what_is_not_estimated_takes_as_long_as_here_and_is_named() {
        let runs = [run("train", 60.0), run("train", 80.0)];
        let found = elsewhere(&runs, None, &far(None), Currency::EUR).unwrap().value().unwrap();
        assert_eq!(found.wait.kept, seconds(250.0));
        assert_eq!(found.as_here, ["train"]);
        assert_eq!(found.cost.total.as_micros(), 5_000_000, "500 s of 36 EUR an hour");
    }

    #[test]
    fn a_stage_that_may_not_be_there_stays_here() {
        let mut site = far(Some(30.0));
        site.stages.insert("clean".to_owned(), Known::unknown("personal data"));
        let runs = [run("train", 60.0), run("clean", 50.0)];
        let found = elsewhere(&runs, None, &site, Currency::EUR).unwrap().value().unwrap();
        assert_eq!(found.wait.kept, seconds(f64::midpoint(210.0, 50.0)));
        assert_eq!(found.stays.get("clean").map(AsRef::as_ref), Some("personal data"));
    }

    #[test]
    fn a_loop_of_which_nothing_can_be_there_has_a_reason() {
        let mut site = far(None);
        site.stages.insert("train".to_owned(), Known::unknown("personal data stays at home"));
        let found = elsewhere(&[run("train", 60.0)], None, &site, Currency::EUR).unwrap();
        assert_eq!(found.why(), Some("train: personal data stays at home"));
        let gone = elsewhere(&[run("gone", 60.0)], None, &site, Currency::EUR).unwrap();
        assert_eq!(gone.why(), Some("gone: it is no stage of the project any more"));
        assert_eq!(
            elsewhere(&[], None, &site, Currency::EUR).unwrap().why(),
            Some("nothing was executed")
        );
    }

    #[test]
    fn the_wait_that_a_cut_takes_gives_that_cut() {
        let (worked, waited) = (seconds(300.0), seconds(45.0));
        for cut in [0.1, 0.3, 0.4, 0.9] {
            let far = wait_for_cut(cut, worked, waited);
            let found = 1.0 - (worked + waited) / (worked + far);
            assert!((found - cut).abs() < 1e-12, "{cut}: {found}");
        }
    }
}
