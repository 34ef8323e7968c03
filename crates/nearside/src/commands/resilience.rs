//! `nearside resilience`: what outages, price rises and missing sites would do to a plan.

mod text;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use nearside_economics::{Drilled, Rate, drill, years};
use nearside_plan::{Outcome as Planned, Plan, place};
use nearside_policy::Country;
use nearside_units::{Duration, Known, Percent};

pub(crate) use view::ResilienceAnswer;

use crate::cli::Resilience;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire;
use crate::wire::events::{self, Happening, KINDS, Severity};
use crate::wire::placement::{Caution, Posed, pose};

pub(super) fn run(arguments: &Resilience, output: &Output) -> Result<Outcome, CommandError> {
    let severity = severity(arguments)?;
    let rates = rates(&arguments.rate)?;
    let catalog = wire::catalog(output)?;
    let loaded = wire::project::load(&arguments.path, &[])?;
    let posed = pose(&loaded, &catalog, Caution::Likely, &BTreeMap::new())?;
    let plan = match place(&posed.problem).map_err(|error| bug(&error))? {
        Planned::Placed(plan) => plan,
        Planned::Infeasible(_) => {
            let hint = "`nearside plan` tells what would make one possible";
            output.none("there is no plan to try events on", hint, environment::today());
            return Ok(Outcome::Negative);
        }
    };
    let used = used(&posed, &plan);
    nowhere(&posed, &severity)?;
    let drilled = drills(&events::of(&loaded.project, &posed, &used, &severity), &posed, &plan)?;
    let drawn = arguments.random.map(|count| {
        let at_rate = |(kind, drilled): &(&'static str, Drilled)| {
            (drilled.clone(), rates.get(kind).cloned().unwrap_or_else(|| usual(kind)))
        };
        years(&drilled.iter().map(at_rate).collect::<Vec<_>>(), count, arguments.seed)
    });
    let mut answer = ResilienceAnswer::of(&loaded.project, &drilled);
    if let Some(drawn) = drawn {
        answer.years = Some(view::YearsView::of(&drawn, &drilled, &rates));
    }
    if output.form == Form::Json {
        let answer = Answer {
            schema: "nearside/resilience/1",
            data: &answer,
            warnings: &posed.notes,
            sources: &[],
        };
        output.json(&answer, environment::today());
    } else {
        output.text(&text::of(&answer));
        posed.notes.iter().for_each(|note| output.warning(note));
    }
    Ok(if answer.holds() { Outcome::Done } else { Outcome::Negative })
}

fn bug(error: &nearside_plan::ProblemError) -> CommandError {
    CommandError::new(Fault::Bug, error.to_string())
}

/// A ban of a country in which no rented site is would be an event without effect.
fn nowhere(posed: &Posed, severity: &Severity) -> Result<(), CommandError> {
    let is_there = |country: &Country| {
        let mut rented = posed.sites.iter().filter(|site| !site.is_near());
        rented.any(|site| site.place.country == Known::Value(*country))
    };
    match severity.banned.iter().find(|country| !is_there(country)) {
        None => Ok(()),
        Some(country) => Err(CommandError::new(
            Fault::Usage,
            format!("--ban: no rented site of the project is in {country}"),
        )
        .hint("`nearside config show` lists the sites")),
    }
}

/// Names of the sites that a plan uses.
fn used<'a>(posed: &'a Posed, plan: &Plan) -> BTreeSet<&'a str> {
    let stages = posed.problem.stages.iter().zip(&plan.placements);
    stages.map(|(stage, placement)| stage.choices[placement.choice].site.as_str()).collect()
}

fn drills(
    happenings: &[Happening],
    posed: &Posed,
    plan: &Plan,
) -> Result<Vec<(&'static str, Drilled)>, CommandError> {
    let one = |happening: &Happening| {
        let drilled = drill(&posed.problem, plan, posed.datasets, &happening.event);
        drilled.map(|drilled| (happening.kind.name, drilled)).map_err(|error| bug(&error))
    };
    happenings.iter().map(one).collect()
}

/// The rate of a kind that nobody states.
fn usual(kind: &str) -> Rate {
    let kind = KINDS.iter().find(|known| known.name == kind);
    kind.map_or(Rate { per_year: 0.0, mean: Duration::ZERO }, events::Kind::rate)
}

fn severity(arguments: &Resilience) -> Result<Severity, CommandError> {
    let usage = |flag: &str, error: &dyn std::fmt::Display| {
        CommandError::new(Fault::Usage, format!("{flag}: {error}"))
    };
    let lasts: Duration = arguments
        .lasts
        .parse()
        .map_err(|error| usage("--lasts", &error).hint("--lasts '3 days'"))?;
    let rise: Percent = arguments
        .price_rise
        .parse()
        .map_err(|error| usage("--price-rise", &error).hint("--price-rise '30 %'"))?;
    let banned = arguments.ban.iter().map(|code| {
        code.trim().parse().map_err(|error| usage("--ban", &error).hint("--ban US,CN"))
    });
    Ok(Severity {
        lasts,
        dearer: 1.0 + rise.fraction(),
        quota: arguments.quota,
        banned: banned.collect::<Result<_, CommandError>>()?,
    })
}

/// Rates as they are stated: `network=12 x 2 h`.
fn rates(stated: &[String]) -> Result<BTreeMap<&'static str, Rate>, CommandError> {
    let usage = |message: String| {
        CommandError::new(Fault::Usage, format!("--rate: {message}"))
            .hint("--rate 'network=12 x 2 h': twelve times a year, two hours on average")
    };
    let one = |text: &String| {
        let (kind, rate) =
            text.split_once('=').ok_or_else(|| usage(format!("\"{text}\" is no KIND=RATE")))?;
        let known = KINDS.iter().find(|known| known.name == kind.trim()).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            usage(format!("there is no kind \"{kind}\": use one of {}", names.join(", ")))
        })?;
        let (times, mean) =
            rate.split_once('x').ok_or_else(|| usage(format!("\"{rate}\" is no TIMES x TIME")))?;
        let per_year: f64 =
            times
                .trim()
                .parse()
                .ok()
                .filter(|it: &f64| *it >= 0.0 && *it <= 1e4)
                .ok_or_else(|| usage(format!("\"{times}\" is no number of times a year")))?;
        let mean = mean.trim().parse().map_err(|error| usage(format!("{error}")))?;
        Ok((known.name, Rate { per_year, mean }))
    };
    stated.iter().map(one).collect()
}
