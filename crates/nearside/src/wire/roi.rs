//! From projects, offers and what is stated to the question whether a machine pays.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_catalog::{Economics, Offer, Site, Terms};
use nearside_economics::{Case, FAR, Given, Input, NEAR};
use nearside_estimate::Calibration;
use nearside_units::{Basis, Duration, ExchangeRates, Known, PerHour, Sourced, Span};
use nearside_workload::Team;

use super::project::Loaded;
use super::shared_work::{Hours, SharedWork};
use crate::error::{CommandError, Fault};

/// The name of the alternative in which every stage is where it costs least.
pub(crate) const CHEAPEST: &str = "cheapest for each stage";

/// An input that is stated.
fn stated(value: f64, basis: Basis) -> Input {
    Input { span: Span::exact(value), basis }
}

fn known<T>(known: &Known<Sourced<T>>, value: impl Fn(&T) -> Option<f64>) -> Option<Input> {
    let sourced = known.as_ref().value()?;
    Some(stated(value(&sourced.value)?, sourced.basis.clone()))
}

/// A shorter time says little about a month: a week.
const LEAST_HOURS: f64 = 7.0 * 24.0;

/// Hours of work a month, from so many within so many hours of the calendar; and what to say of a time that is
/// too short to tell.
pub(crate) fn per_month(worked: f64, within: f64, whose: &str) -> (f64, Option<String>) {
    let short = (within < LEAST_HOURS).then(|| {
        format!(
            "{whose} has {} hours: a week is taken, which says little about a month",
            nearside_units::significant(within)
        )
    });
    (worked / within.max(LEAST_HOURS) * nearside_units::HOURS_PER_MONTH, short)
}

/// What is known of the own machine of a project.
pub(crate) fn machine(here: &Site, exchange: &ExchangeRates) -> Given {
    let mut given = Given::new();
    let mut put = |name: &'static str, input: Option<Input>| {
        if let Some(input) = input {
            given.insert(name, input);
        }
    };
    let Economics::Owned(owned) = &here.economics else { return Given::new() };
    let money = |money| exchange.convert(money).ok().map(nearside_units::Money::as_f64);
    put("machine_price", known(&owned.price, |price| money(*price)));
    put("tariff", known(&owned.tariff, |tariff| money(tariff.money())));
    put("load", known(&owned.load, |watts| Some(watts.as_watts())));
    put("idle", known(&owned.idle, |watts| Some(watts.as_watts())));
    let years = owned.life.value.as_hours() / nearside_units::HOURS_PER_YEAR;
    // An assumed life keeps the range of what is usual.
    if owned.life.basis.kind != nearside_units::Kind::Assumed {
        put("life", Some(stated(years, owned.life.basis.clone())));
    }
    let devices = here.machine.accelerators.as_ref().map_or(1, |devices| devices.count);
    put("devices", Some(stated(f64::from(devices), Basis::derived("the machine of the project"))));
    let pue = &here.place.pue;
    put("pue", Some(Input { span: pue.value, basis: pue.basis.clone() }));
    put("intensity", known(&here.place.intensity, |grams| Some(grams.as_grams_per_kwh())));
    let embodied = here.machine.embodied.as_ref().value().map(|embodied| Input {
        span: embodied.value.map(|grams| grams.as_grams() / 1000.0),
        basis: embodied.basis.clone(),
    });
    put("embodied", embodied);
    given
}

/// What a question is about: the case, and how the work of projects got into it.
pub(crate) struct Question {
    pub(crate) case: Case,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
}

/// The question of projects: their work that can be both here and elsewhere, here and on each far site
/// that can do all of it, and with every stage where it costs least.
///
/// Not known, with the reason, where no stage can be both here and elsewhere.
pub(crate) fn of_projects(
    work: &SharedWork,
    team: &Team,
    exchange: &ExchangeRates,
) -> Known<Question> {
    let mut near = machine(&work.here, exchange);
    let times: Vec<Span<Duration>> = work.movable().map(|(_, here)| here.time).collect();
    let time = times.into_iter().reduce(|one, other| one + other);
    let hours = time.map_or(0.0, |time| time.likely().as_hours());
    let Some(time) = time.filter(|_| hours > 0.0) else {
        let none = "no stage has an estimate on both";
        let why = work.bound().map(|(_, why)| why).find(|why| !why.is_empty()).unwrap_or(none);
        return Known::unknown(format!("no stage can run both here and elsewhere: {why}"));
    };
    let estimates = || Basis::derived("estimates of the stages");
    near.insert("hours", Input { span: time.map(Duration::as_hours), basis: estimates() });
    let wage = team.wage.as_ref().value().and_then(|wage| exchange.convert(wage.money()).ok());
    let project = || Basis::published("the project file", None);
    near.extend(wage.map(|wage| ("wage", stated(wage.as_f64(), project()))));
    near.insert("people", stated(team.people as f64, project()));
    let mut notes = bound(work);
    notes.extend(work.notes.iter().cloned());
    let mut far: Vec<(Arc<str>, Given)> = Vec::new();
    far.extend(cheapest(work, hours, exchange).map(|given| (Arc::from(CHEAPEST), given)));
    let mut unpriced = Vec::new();
    for name in work.whole() {
        let site = &work.sites[name];
        let there = work.movable().filter_map(|(stage, _)| stage.far[name].as_ref().ok());
        let there: Vec<Hours> = there.copied().collect();
        let Some(mut given) = rented(site, exchange) else {
            unpriced.push(&**name);
            continue;
        };
        let there_hours: f64 = there.iter().map(Hours::likely).sum();
        given.insert("speed", stated(there_hours / hours, estimates()));
        emissions(&mut given, site, &there, there_hours);
        far.push((Arc::clone(name), given));
    }
    if !unpriced.is_empty() {
        let names = unpriced.join(", ");
        notes.push(format!(
            "left out, as their price or how often they are taken is not known: {names}"
        ));
    }
    Known::Value(Question { case: Case { near, far }, notes })
}

/// Work that nothing but the own machine can do: it needs one in any case.
fn bound(work: &SharedWork) -> Vec<String> {
    let mut reasons: BTreeMap<&str, (Vec<&str>, f64)> = BTreeMap::new();
    for (stage, why) in work.bound() {
        let of = reasons.entry(why).or_default();
        of.0.push(&stage.name);
        of.1 += stage.here.as_ref().map_or(0.0, Hours::likely);
    }
    let note = |(why, (stages, hours)): (&str, (Vec<&str>, f64))| {
        format!(
            "{} can only be done here ({} h/month, which are not counted): {why}",
            stages.join(", "),
            nearside_units::significant(hours)
        )
    };
    reasons.into_iter().map(note).collect()
}

/// What a rented machine costs, where that is known, and on which terms.
fn price(site: &Site) -> Option<(&Sourced<PerHour>, Terms)> {
    let Economics::Rented { price, terms, .. } = &site.economics else { return None };
    Some((price.as_ref().value()?, *terms))
}

/// What is known of a rented machine; nothing where its price is not.
fn rented(site: &Site, exchange: &ExchangeRates) -> Option<Given> {
    let Economics::Rented { price, terms, interruptions } = &site.economics else { return None };
    let price = price.as_ref().value()?;
    let money = exchange.convert(price.value.money()).ok()?;
    let mut given = Given::from([("price", stated(money.as_f64(), price.basis.clone()))]);
    if *terms == Terms::Spot {
        let often = interruptions.as_ref().value()?;
        given.insert("interruptions", Input { span: often.value, basis: often.basis.clone() });
    }
    Some(given)
}

/// Power and emissions of the work there, as far as its energy is known. Energy is at the wall of the
/// building already.
fn emissions(given: &mut Given, site: &Site, there: &[Hours], hours: f64) {
    let energy: Option<f64> =
        there.iter().map(|hours| hours.energy.map(|energy| energy.as_kwh())).sum();
    let Some(watts) = energy.map(|energy| energy * 1000.0 / hours) else { return };
    let Some(intensity) = known(&site.place.intensity, |grams| Some(grams.as_grams_per_kwh()))
    else {
        return;
    };
    let pue = site.place.pue.value.likely();
    given.insert("power", stated(watts / pue, Basis::derived("estimates of the stages")));
    given.insert("pue", stated(pue, site.place.pue.basis.clone()));
    given.insert("intensity", intensity);
    let embodied = site.machine.embodied.as_ref().value().map(|embodied| {
        let machine = Calibration::default().machine;
        let life = machine.rented_life.value.as_hours();
        let hours = machine.rented_use.value.map(|share| share * life);
        let grams = embodied.value.map(|grams| grams.as_grams());
        let span = grams.combine_inverse(hours, |grams, hours| grams / hours);
        let how = format!(
            "{}; over {:.0} hours of use, assumed of a rented machine",
            embodied.basis.source,
            hours.likely()
        );
        Input { span, basis: Basis::derived(how) }
    });
    given.extend(embodied.map(|input| ("embodied_hour", input)));
}

/// Every stage on the far site that does it for the least money: a price for an hour of work here.
fn cheapest(work: &SharedWork, hours: f64, exchange: &ExchangeRates) -> Option<Given> {
    let per_hour = |site: &Site| {
        let (price, terms) = price(site)?;
        let on_demand = terms == Terms::OnDemand;
        let money = exchange.convert(price.value.money()).ok()?;
        on_demand.then(|| money.as_f64())
    };
    let cost = |name: &Arc<str>, there: &Hours| Some(per_hour(&work.sites[name])? * there.likely());
    let least = |far: &BTreeMap<Arc<str>, Result<Hours, String>>| {
        let costs = far
            .iter()
            .filter_map(|(name, there)| Some((name.clone(), cost(name, there.as_ref().ok()?)?)));
        costs.min_by(|one, other| one.1.total_cmp(&other.1))
    };
    let chosen: Vec<(Arc<str>, f64)> =
        work.movable().map(|(stage, _)| least(&stage.far)).collect::<Option<_>>()?;
    let total: f64 = chosen.iter().map(|(_, cost)| cost).sum();
    let mut names: Vec<&str> = chosen.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.dedup();
    let basis = Basis::derived(format!("hours and prices of {}", names.join(", ")));
    let speed = stated(1.0, Basis::derived("the price is one of an hour here"));
    Some(Given::from([("price", stated(total / hours, basis)), ("speed", speed)]))
}

/// What is known of an offer of the catalog.
pub(crate) fn offer(
    offer: &Offer,
    terms: Terms,
    exchange: &ExchangeRates,
) -> Result<(Arc<str>, Given), CommandError> {
    let price = match offer.price(terms) {
        Known::Value(price) => price,
        Known::Unknown(why) => return Err(CommandError::new(Fault::Input, why.to_string())),
    };
    let there = price.value.money();
    let money = exchange.convert(there).map_err(|error| {
        let hint = format!(
            "what is 1 {from} worth? --rate {from}='... {to}', or [money] rates of a project",
            from = there.currency(),
            to = exchange.currency()
        );
        CommandError::new(Fault::Input, format!("{}: {error}", offer.key)).hint(hint)
    })?;
    let name = match terms {
        Terms::OnDemand => offer.key.to_string(),
        Terms::Spot => format!("{} spot", offer.key),
    };
    Ok((name.into(), Given::from([("price", stated(money.as_f64(), price.basis.clone()))])))
}

/// Lays what somebody states over what is known: `NAME=VALUE` of the own machine, `far.NAME=VALUE` of
/// everything that it is held against.
pub(crate) fn lay(
    case: &mut Case,
    changes: &[String],
    exchange: &ExchangeRates,
    says: &str,
) -> Result<(), CommandError> {
    for change in changes {
        let usage = |message: String| CommandError::new(Fault::Usage, message);
        let (name, text) = change.split_once('=').ok_or_else(|| {
            usage(format!("\"{change}\" is no NAME=VALUE")).hint("--set machine_price='3500 EUR'")
        })?;
        lay_one(case, (name.trim(), text.trim()), exchange, says)?;
    }
    Ok(())
}

/// Whether a project file states anything of the question.
pub(crate) fn states(loaded: &Loaded) -> bool {
    !loaded.project.roi.here.is_empty() || !loaded.project.roi.far.is_empty()
}

/// Lays what a project file states over what is known; errors are shown at their places.
pub(crate) fn lay_project(case: &mut Case, loaded: &Loaded) -> Result<(), CommandError> {
    let project = &loaded.project;
    for (prefix, stated) in [("", &project.roi.here), ("far.", &project.roi.far)] {
        for (name, value) in stated {
            let full = format!("{prefix}{}", name.value);
            let exchange = &project.money.exchange;
            let laid = lay_one(case, (&full, value), exchange, "the project file");
            laid.map_err(|error| loaded.at(&name.span, error))?;
        }
    }
    Ok(())
}

fn lay_one(
    case: &mut Case,
    (full, text): (&str, &str),
    exchange: &ExchangeRates,
    says: &str,
) -> Result<(), CommandError> {
    let usage = |message: String| CommandError::new(Fault::Usage, message);
    let (table, name) = match full.strip_prefix("far.") {
        Some(name) => (FAR, name),
        None => (NEAR, full),
    };
    let prefix = &full[..full.len() - name.len()];
    let assumption = table.iter().find(|input| input.name == name).ok_or_else(|| {
        let near = nearside_workload::nearest(name, table.iter().map(|input| input.name));
        let hint = near.map_or_else(
            || "`nearside roi --inputs` lists them".to_owned(),
            |near| format!("did you mean {prefix}{near}?"),
        );
        usage(format!("there is no input {full}")).hint(hint)
    })?;
    let input = assumption
        .read(text, exchange, Basis::published(says, None))
        .map_err(|error| usage(format!("{full}: {error}")))?;
    if prefix.is_empty() {
        case.near.insert(assumption.name, input);
        return Ok(());
    }
    for (_, given) in &mut case.far {
        given.insert(assumption.name, input.clone());
    }
    Ok(())
}
