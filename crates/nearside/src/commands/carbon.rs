//! `nearside carbon`: what a project emits, as planned and as recorded; per unit of work, on other sites,
//! at other hours; and, beside it, what is known by other accounts and what was offset.

mod accounts;
mod basis;
mod compare;
mod hours;
mod offsets;
mod planned;
mod recorded;
mod scores;
mod text;
mod view;

use std::collections::BTreeMap;

use nearside_catalog::{Catalog, Site};
use nearside_economics::carbon::{Footprint, Offset};
use nearside_units::{Date, Known};
use nearside_workload::{HERE, SitePattern};

pub(crate) use view::CarbonAnswer;

use crate::cli::Carbon;
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Detail, Form, Outcome, Output};
use crate::view::Figure;
use crate::wire;
use crate::wire::placement::{Caution, Posed, pose};
use crate::wire::project::Loaded;
use accounts::Stated;
use hours::Asked;
use planned::{PlannedStage, Uses};
use recorded::Recorded;

/// What the person gave besides the project.
struct Given {
    stated: Stated,
    hourly: Option<Asked>,
    offsets: Option<Vec<Offset>>,
}

/// What every part of the answer is made from.
struct World<'a> {
    loaded: &'a Loaded,
    catalog: &'a Catalog,
    arguments: &'a Carbon,
    uses: Uses,
    today: Date,
}

pub(super) fn run(arguments: &Carbon, output: &Output) -> Result<Outcome, CommandError> {
    let given = Given {
        stated: Stated::of(arguments)?,
        hourly: arguments.hourly.as_deref().map(Asked::of).transpose()?,
        offsets: arguments.offsets.as_deref().map(wire::offsets::read).transpose()?,
    };
    let loaded = wire::project::load(&arguments.path, &[])?;
    let catalog = wire::catalog(output)?;
    let today = environment::today();
    let rows = recorded::rows(&loaded)?;
    let uses = Uses::of(&rows, today);
    let world = World { loaded: &loaded, catalog: &catalog, arguments, uses, today };
    let recorded = Recorded::of(rows, &world)?;
    let posed = pose(&loaded, &catalog, Caution::Likely, &BTreeMap::new());
    let (posed, no_plan) = match (posed, recorded.is_some()) {
        (Ok(posed), _) => (Some(posed), None),
        (Err(error), false) => return Err(error),
        // What was recorded stands, whatever can be said of a plan.
        (Err(error), true) => (None, error.problems.into_iter().next()),
    };
    let planned = match (&posed, no_plan) {
        (Some(posed), _) => planned::stages(posed, &world)?,
        (None, problem) => Known::unknown(problem.map_or(String::new(), |found| found.message)),
    };
    // What was assumed of sites matters where they are in the answer.
    let mut warnings = match (&posed, &planned, &recorded) {
        (Some(posed), Known::Value(_), _) => posed.notes.clone(),
        (_, _, Some(recorded)) => recorded.notes.clone(),
        _ => Vec::new(),
    };
    warnings.extend(strangers(&given, posed.as_ref()));
    warnings.extend(basis::warnings(&planned, recorded.as_ref(), today));
    warnings.sort();
    warnings.dedup();
    let answer = answer(&world, posed.as_ref(), &planned, recorded.as_ref(), given);
    let outcome = match (&planned, &recorded) {
        (Known::Unknown(_), None) => Outcome::Negative,
        _ => Outcome::Done,
    };
    print(&answer, arguments, &warnings, output);
    if output.form == Form::Text {
        hints(&answer, output).iter().for_each(|hint| output.hint(hint));
    }
    Ok(outcome)
}

fn answer(
    world: &World<'_>,
    posed: Option<&Posed>,
    planned: &Known<Vec<PlannedStage<'_>>>,
    recorded: Option<&Recorded>,
    given: Given,
) -> CarbonAnswer {
    let stages = planned.as_ref().value().map_or(&[][..], Vec::as_slice);
    let used = used_sites(stages, recorded);
    let monthly: Vec<Footprint> =
        stages.iter().map(|stage| stage.once.times(stage.monthly)).collect();
    let sites = match (world.arguments.compare, posed) {
        (true, Some(posed)) => Some(compare::sites(posed, world)),
        _ => None,
    };
    let sum = nearside_economics::carbon::Tally::of(&monthly);
    let gross = match recorded {
        Some(recorded) => offsets::gross("recorded so far", &recorded.tally()),
        None => offsets::gross("a month as planned", &sum),
    };
    CarbonAnswer {
        project: world.loaded.project.name.clone(),
        planned: view::PlannedView::of(planned, &sum),
        recorded: recorded.map(Recorded::view),
        in_use: world.uses.said(),
        accounts: accounts::of(&used, stages, &given.stated, world),
        boundary: scores::boundary(world.arguments.boundary.as_deref()),
        scores: scores::of(stages, recorded, world),
        sites,
        hours: given.hourly.map(|asked| asked.advice(stages, world.today)),
        offsets: given.offsets.map(|bought| offsets::view(gross, &bought, world.today)),
        basis: basis::of(&used, stages, recorded, world),
    }
}

/// Names that no site in use has.
fn strangers(given: &Given, posed: Option<&Posed>) -> Vec<String> {
    let sites = posed.map_or(&[][..], |posed| &posed.sites);
    let known = |pattern: &SitePattern| {
        pattern.matches(HERE) || sites.iter().any(|site| pattern.matches(&site.name))
    };
    let hourly = given.hourly.iter().map(|asked| ("--hourly", &asked.sites));
    let stated = given.stated.patterns().chain(hourly).filter(|(_, pattern)| !known(pattern));
    stated
        .map(|(option, pattern)| format!("{option}: no site in use is called {}", pattern.text))
        .collect()
}

/// The sites that the plan uses, and this machine where something was recorded; each once.
fn used_sites<'a>(stages: &[PlannedStage<'a>], recorded: Option<&'a Recorded>) -> Vec<&'a Site> {
    let mut sites: Vec<&Site> = Vec::new();
    for site in recorded
        .map(|recorded| &recorded.site)
        .into_iter()
        .chain(stages.iter().map(|stage| stage.site))
    {
        if !sites.iter().any(|known| known.name == site.name) {
            sites.push(site);
        }
    }
    sites
}

/// What could be done next.
fn hints(answer: &CarbonAnswer, output: &Output) -> Vec<String> {
    let mut hints = Vec::new();
    if matches!(answer.planned, Figure::Unknown { .. }) && answer.recorded.is_none() {
        hints.push(
            "`nearside run` records what stages use; a `workload` has them planned".to_owned(),
        );
    }
    let unmeasured = |recorded: &view::RecordedView| !recorded.total.energy_kwh.lacks.is_empty();
    if answer.recorded.as_ref().is_some_and(unmeasured) {
        hints.push(
            "where no counter measures it, runs have energy once [site.here] states what it draws: \
             power = { load = \"120 W\", idle = \"40 W\" }"
                .to_owned(),
        );
    }
    if output.detail == Detail::Plain {
        hints.push(
            "--explain shows the source of every figure and what makes it unsure; --compare other sites"
                .to_owned(),
        );
    }
    hints
}

fn print(answer: &CarbonAnswer, arguments: &Carbon, warnings: &[String], output: &Output) {
    if output.form == Form::Json {
        let sources = answer.sources();
        let answer =
            Answer { schema: "nearside/carbon/1", data: answer, warnings, sources: &sources };
        return output.json(&answer, environment::today());
    }
    output.text(&text::of(answer, arguments, output.detail));
    warnings.iter().for_each(|warning| output.warning(warning));
}
