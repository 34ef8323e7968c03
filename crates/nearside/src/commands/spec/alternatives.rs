//! What else could be done than buying the least machine: more cards or fewer, used parts, the stage that
//! makes it large on a rented machine.

use std::collections::BTreeMap;

use nearside_catalog::{Accelerators, Catalog};
use nearside_economics::requirements::{Comfort, Compute, Found, Machine, Question, Role, Seller};
use nearside_estimate::Period;
use nearside_units::Money;

use super::Market;
use crate::error::CommandError;
use crate::wire::placement::{Caution, Posed, pose};
use crate::wire::project::Loaded;
use crate::wire::requirements::Wanted;

/// Months that a machine may last: ten years.
const MACHINE_MONTHS: f64 = 120.0;

/// One of them.
pub(super) struct Alternative {
    pub(super) name: String,
    /// The question that its machine answers.
    pub(super) wanted: Wanted,
    pub(super) machine: Option<Machine>,
    pub(super) sentence: String,
    /// The stage that is done elsewhere.
    pub(super) rented: Option<String>,
}

/// Every alternative to the least machine.
pub(super) fn of(
    wanted: &Wanted,
    least: &Found,
    market: &Market,
    (projects, catalog): (&[Loaded], &Catalog),
) -> Result<Vec<Alternative>, CommandError> {
    let mut found = Vec::new();
    if let Some(machine) = least.cheapest() {
        found.extend(other_count(wanted, machine, market));
    }
    found.extend(used(wanted, least.cheapest(), market));
    found.extend(rented_peak(wanted, least.cheapest(), market, (projects, catalog))?);
    Ok(found)
}

fn least(
    question: &Question,
    market: &Market,
    changed: impl Fn(Vec<Compute>) -> Vec<Compute>,
) -> Option<Machine> {
    market.least(question, Comfort::Minimum, &market.shelf, changed).cheapest().cloned()
}

/// How much cheaper or dearer one is than another, in words.
fn against(machine: &Machine, least: Option<&Machine>) -> String {
    let (Some(price), Some(had)) = (machine.price(), least.and_then(Machine::price)) else {
        return String::new();
    };
    let more = price.as_f64() - had.as_f64();
    let amount = super::view::whole(&more.abs().to_string());
    let currency = price.currency();
    match more {
        more if more.abs() < 0.5 => "as dear as the least".to_owned(),
        more if more > 0.0 => format!("{amount} {currency} dearer than the least"),
        _ => format!("{amount} {currency} cheaper than the least"),
    }
}

/// One bigger card in place of two, or two smaller ones in place of one.
fn other_count(wanted: &Wanted, machine: &Machine, market: &Market) -> Option<Alternative> {
    let own = machine.accelerators.as_ref()?;
    let cards = machine.parts.iter().any(|part| part.role == Role::Accelerator);
    let memory = |it: &Accelerators| it.device.memory().value().map(|memory| memory.value);
    let other = |compute: &Compute| {
        let found = compute.accelerators.as_ref();
        let fits = |found: &Accelerators| match own.count {
            1 => found.count == 2 && memory(found) < memory(own),
            _ => found.count == 1 && memory(found) > memory(own),
        };
        matches!(compute.seller, Seller::Card { .. }) && found.is_some_and(fits)
    };
    let found = cards.then(|| {
        least(&wanted.question, market, |mut computes| {
            computes.retain(&other);
            computes
        })
    })??;
    Some(Alternative {
        name: if own.count > 1 { "one bigger card" } else { "two smaller cards" }.to_owned(),
        sentence: against(&found, Some(machine)),
        wanted: wanted.clone(),
        machine: Some(found),
        rented: None,
    })
}

/// Used parts, where they make a machine cheaper.
fn used(wanted: &Wanted, had: Option<&Machine>, market: &Market) -> Option<Alternative> {
    let found = market.least(&wanted.question, Comfort::Minimum, &market.all, |computes| computes);
    let machine = found.cheapest()?.clone();
    let cheaper = match (machine.price(), had.and_then(Machine::price)) {
        (Some(price), Some(had)) => price < had,
        (price, _) => price.is_some(),
    };
    let sentence = against(&machine, had);
    cheaper.then(|| Alternative {
        name: "with used parts".to_owned(),
        wanted: wanted.clone(),
        machine: Some(machine),
        sentence,
        rented: None,
    })
}

/// The least machine without one stage, and that stage rented: of all stages the one that saves most.
fn rented_peak(
    wanted: &Wanted,
    had: Option<&Machine>,
    market: &Market,
    (projects, catalog): (&[Loaded], &Catalog),
) -> Result<Option<Alternative>, CommandError> {
    let [loaded] = projects else { return Ok(None) };
    let without = |stage: &str| {
        let (question, computes) = without(&wanted.question, stage);
        let machine = least(&question, market, computes)?;
        Some((Wanted { question, ..wanted.clone() }, machine))
    };
    let mut stages: Vec<&str> = wanted.question.works.iter().map(|work| &*work.stage).collect();
    stages.dedup();
    if stages.len() < 2 {
        return Ok(None);
    }
    let priced = stages.iter().filter_map(|stage| {
        let (wanted, machine) = without(stage)?;
        let price = machine.price()?.as_f64();
        Some((price, *stage, wanted, machine))
    });
    let Some((price, stage, other, machine)) = priced.min_by(|one, two| one.0.total_cmp(&two.0))
    else {
        return Ok(None);
    };
    let saved = had.and_then(Machine::price).map(|had| had.as_f64() - price);
    if saved.is_some_and(|saved| saved < 0.5) {
        return Ok(None);
    }
    let posed = pose(loaded, catalog, Caution::Likely, &BTreeMap::new())?;
    let rent = cheapest_rent(loaded, &posed, stage, wanted.people);
    let currency = market.shelf.currency();
    let sentence = sentence(saved, rent, currency.code());
    Ok(Some(Alternative {
        name: format!("{stage} on a rented machine"),
        wanted: other,
        machine: Some(machine),
        sentence,
        rented: Some(stage.to_owned()),
    }))
}

/// The question without a stage, and what that leaves of what all work needs.
pub(super) fn without(
    question: &Question,
    stage: &str,
) -> (Question, impl Fn(Vec<Compute>) -> Vec<Compute> + use<>) {
    let works = question.works.iter().enumerate();
    let kept: Vec<usize> =
        works.filter(|(_, work)| &*work.stage != stage).map(|(at, _)| at).collect();
    let works = kept.iter().map(|at| question.works[*at].clone()).collect();
    let computes = move |computes: Vec<Compute>| {
        let without = |compute: Compute| Compute {
            needs: kept.iter().map(|at| compute.needs[*at].clone()).collect(),
            ..compute
        };
        computes.into_iter().map(without).collect()
    };
    (Question { works, ..question.clone() }, computes)
}

/// The cheapest rented site where a stage may run, and what a month there costs for so many people.
fn cheapest_rent(
    loaded: &Loaded,
    posed: &Posed,
    stage: &str,
    people: u64,
) -> Option<(String, Money)> {
    let index = loaded.project.stages.iter().position(|it| it.name.value == stage)?;
    let at = posed.stages.iter().position(|it| it.index == index)? + posed.datasets;
    let choices = posed.problem.stages.get(at)?.choices.iter().zip(&posed.sites);
    let possible = choices.filter(|(choice, site)| choice.obstacles.is_empty() && !site.is_near());
    let currency = loaded.project.money.exchange.currency();
    let service = posed.stages.iter().filter(|it| it.index == index).any(|it| {
        it.estimates.iter().any(|estimate| matches!(estimate.period, Period::Month { .. }))
    });
    // Who uses a service is not the team.
    let more = if service { 1.0 } else { people as f64 / loaded.project.team.people.max(1) as f64 };
    let priced = possible.filter_map(|(choice, _)| {
        let cost = choice.figures.cost.as_ref().value()?;
        let cost = Money::from_micros(cost.get().try_into().ok()?, currency).scaled(more).ok()?;
        Some((choice.site.clone(), cost))
    });
    priced.min_by(|one, other| one.1.amount().cmp(&other.1.amount()))
}

fn sentence(saved: Option<f64>, rent: Option<(String, Money)>, currency: &str) -> String {
    let whole = |amount: f64| super::view::whole(&amount.to_string());
    let saves = match saved {
        Some(saved) => format!("saves {} {currency} of the purchase", whole(saved)),
        None => "then a machine that is enough can be bought".to_owned(),
    };
    match (rent, saved) {
        (None, _) => format!("{saves}, but no rented site of the project may or can run it"),
        (Some((site, cost)), Some(saved)) if cost.as_f64() * MACHINE_MONTHS < saved => format!(
            "{saves} and costs {cost} a month at {site}, without moving its data: less than that for as \
             long as a machine lasts"
        ),
        (Some((site, cost)), Some(saved)) if cost.as_f64() > 0.0 => {
            let months = nearside_units::significant(saved / cost.as_f64());
            format!(
                "{saves} and costs {cost} a month at {site}, without moving its data: as much after \
                 {months} months"
            )
        }
        (Some((site, cost)), _) => {
            format!("{saves}; the stage costs {cost} a month at {site}, without moving its data")
        }
    }
}
