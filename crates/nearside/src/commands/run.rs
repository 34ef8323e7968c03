//! `nearside run`: executes the stages whose results are not there yet.

mod follow;
mod live;
mod planned;
mod rehearse;
mod report;
mod shell;
mod text;
mod view;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use nearside_policy::Class;
use nearside_run::{Event, Ran, Runner, Standing, Summary, Wanted};
use nearside_workload::Dataset;

use live::Live;
use rehearse::view::RehearsalView;
use report::Report;
pub(crate) use view::RunAnswer;
use view::StageRun;
use watch::Watched;

use crate::cli::Run;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::audit::Audit;
use crate::wire::jobs::failed;
use crate::wire::journal::Journal;
use crate::wire::project::Loaded;

pub(super) fn run(arguments: &Run, output: &Output) -> Result<Outcome, CommandError> {
    if let Some(stage) = &arguments.shell {
        let (_, runner, _) = prepared(arguments, output)?;
        return shell::open(&runner, stage, output);
    }
    if arguments.dry_run {
        let (_, runner, rehearsal) = prepared(arguments, output)?;
        let stages = would(&runner, &places(arguments, &runner)?, arguments.force)?;
        print(&RunAnswer { dry_run: true, stages, rehearsal }, output);
        return Ok(Outcome::Done);
    }
    let interrupted = environment::interrupted();
    loop {
        let ended = once(arguments, &interrupted, output);
        let (outcome, watched) = match ended {
            // The person mends what they wrote while we wait.
            Err(error) if arguments.watch && error.fault == Fault::Input => {
                output.error(&error);
                (Outcome::Partly, Watched::file(wire::project::file(&arguments.path)))
            }
            ended => ended?,
        };
        if !arguments.watch || interrupted.load(Ordering::Relaxed) {
            return Ok(outcome);
        }
        output.watched("waiting for changes; Ctrl-C ends");
        if !watched.changes(&interrupted) {
            return Ok(outcome);
        }
    }
}

/// The project, what runs its stages, and what is rehearsed, if it is.
fn prepared(
    arguments: &Run,
    output: &Output,
) -> Result<(Loaded, Runner, Option<RehearsalView>), CommandError> {
    let loaded = wire::project::load(&arguments.path, &[])?;
    let (runner, rehearsal) = match arguments.rehearse {
        true => rehearse::set_up(&loaded, arguments.sample, output)?,
        false => (wire::jobs::runner(&loaded)?, None),
    };
    Ok((loaded, runner, rehearsal))
}

/// A record about people's data ends with a signed head: what is cut off or written anew later is found.
fn sign(loaded: &Loaded, rehearsal: bool, output: &Output) {
    let people = |dataset: &Dataset| dataset.class >= Class::Personal;
    if !loaded.project.datasets.iter().any(people) {
        return;
    }
    let signed = Audit::of(loaded, rehearsal).and_then(|audit| audit.sign());
    if let Err(error) = signed {
        for problem in error.problems {
            output.warning(&format!("the record is not signed: {}", problem.message));
        }
    }
}

/// One run, and what it looked at.
fn once(
    arguments: &Run,
    interrupted: &AtomicBool,
    output: &Output,
) -> Result<(Outcome, Watched), CommandError> {
    let (loaded, runner, mut rehearsal) = prepared(arguments, output)?;
    let journal = Journal::open(&loaded, runner.folder())?;
    let mut report = Report::new(journal, arguments.follow, output);
    if arguments.rehearse {
        // Their small models are not what is to be estimated.
        report.journal.without_estimates();
    }
    let mut wanted = Wanted {
        places: places(arguments, &runner)?,
        force: arguments.force,
        keep_going: arguments.keep_going,
        at_once: usize::from(arguments.jobs),
        loads: BTreeMap::new(),
    };
    // Stages that run beside each other must not take each other's memory.
    if wanted.at_once > 1 {
        report.prepare();
        wanted.loads = report.journal.loads(&runner);
    }
    if !arguments.follow && output.draws() {
        report.live = Some(Live::of(&runner, &wanted.places));
    }
    let mut event = |event: Event<'_>| report.event(&runner, &event);
    let mut summary = runner.run(&wanted, interrupted, &mut event).map_err(failed)?;
    report.end();
    let stage = |(place, ran): (&usize, &Ran)| report.stage(&runner.jobs.jobs[*place].name, ran);
    // Also those that were not wanted, but stopped others at the gate.
    let in_order = runner.jobs.order.iter().filter_map(|place| summary.get_key_value(place));
    let stages = in_order.map(stage).collect();
    let mut full_run = Ok(());
    if let Some(rehearsal) = rehearsal.as_mut().filter(|_| summary.values().all(Ran::is_good)) {
        full_run = rehearse::full_run(&loaded, &runner, output)
            .map(|full_run| rehearsal.full_run = Some(full_run));
    }
    print(&RunAnswer { dry_run: false, stages, rehearsal }, output);
    report.journal.close()?;
    sign(&loaded, arguments.rehearse, output);
    // What was rehearsed is done, whatever can be said of the full run.
    if let Err(error) = full_run {
        let problems = error.problems.iter().map(|problem| problem.message.as_str());
        let why = problems.collect::<Vec<_>>().join("; ");
        output.warning(&format!("the full run cannot be planned: {why}"));
    }
    let outcome = outcome(arguments, &summary);
    summary.retain(|place, _| wanted.places.contains(place));
    let watched = Watched::project(&loaded, runner, &summary, &report.attempts);
    Ok((outcome, watched))
}

/// The stages to look at, in order: those that have something to execute.
fn places(arguments: &Run, runner: &Runner) -> Result<Vec<usize>, CommandError> {
    let jobs = &runner.jobs;
    let named = |name: &String| jobs.place(name).ok_or_else(|| unknown(name, runner));
    let places = match (&arguments.only, &arguments.from) {
        (Some(only), _) => vec![named(only)?],
        (None, Some(from)) => jobs.from(named(from)?),
        (None, None) => jobs.order.clone(),
    };
    let executes = |place: &usize| !jobs.jobs[*place].trials.is_empty();
    Ok(places.into_iter().filter(executes).collect())
}

/// A stage that is not there.
pub(super) fn unknown(name: &str, runner: &Runner) -> CommandError {
    let names: Vec<_> = runner.jobs.jobs.iter().map(|job| job.name.as_str()).collect();
    CommandError::new(Fault::Usage, format!("there is no stage \"{name}\""))
        .hint(format!("the stages are {}", names.join(", ")))
}

/// What would be done.
fn would(runner: &Runner, places: &[usize], force: bool) -> Result<Vec<StageRun>, CommandError> {
    let mut stages = Vec::new();
    let mut made_anew: Vec<usize> = Vec::new();
    for place in places {
        let job = &runner.jobs.jobs[*place];
        if job.waits_for.iter().any(|before| made_anew.contains(before)) {
            made_anew.push(*place);
            stages.push(StageRun::named(&job.name, "undecided"));
            continue;
        }
        let (key, standing) = runner.standing(job).map_err(failed)?;
        let standing = match force {
            true => Standing::Stale(runner.changed(job, &key)),
            false => standing,
        };
        if standing != Standing::Current {
            made_anew.push(*place);
        }
        stages.push(StageRun::standing(&job.name, &standing));
    }
    Ok(stages)
}

fn print(answer: &RunAnswer, output: &Output) {
    if output.form == Form::Json {
        let answer = Answer { schema: "nearside/run/1", data: answer, warnings: &[], sources: &[] };
        return output.json(&answer, environment::today());
    }
    output.text(&text::of(answer));
}

/// Of one stage alone its command's code is passed on.
fn outcome(arguments: &Run, summary: &Summary) -> Outcome {
    let failed = summary.values().find_map(|ran| match ran {
        Ran::Failed { code, .. } => Some(*code),
        _ => None,
    });
    match failed {
        Some(Some(code)) if arguments.only.is_some() => Outcome::Code(code),
        _ if summary.values().all(Ran::is_good) => Outcome::Done,
        _ => Outcome::Partly,
    }
}
