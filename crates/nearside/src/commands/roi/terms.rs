//! On which terms a machine is rented, and what else the work could be handed to: flags that stand for several
//! inputs.

use std::sync::Arc;

use nearside_economics::{Assumption, Case, FAR, Given, Input};
use nearside_units::{Basis, ExchangeRates, HOURS_PER_MONTH, Span};

use super::TYPED;
use crate::cli::{Roi, RoiTerms};
use crate::error::{CommandError, Fault};

/// Whether some machine is only taken to be as fast as the own one.
pub(super) fn as_fast(case: &Case) -> Option<String> {
    let count = case.far.iter().filter(|(_, given)| !given.contains_key("speed")).count();
    (count > 0).then(|| {
        format!(
            "{count} of the rented machines are taken to be as fast as the own one: state far.speed, the \
             hours there for an hour here"
        )
    })
}

/// What has to be stated on some terms, wherever it is stated.
pub(super) fn check_terms(terms: RoiTerms, case: &Case) -> Result<(), CommandError> {
    let lacks = |name: &str| case.far.iter().any(|(_, given)| !given.contains_key(name));
    let usage =
        |message: &str, hint: &str| Err(CommandError::new(Fault::Usage, message).hint(hint));
    match terms {
        RoiTerms::Spot if lacks("interruptions") => usage(
            "how often interruptible machines are taken away is not stated",
            "--set far.interruptions='0.02..0.05..0.2' an hour; no public figure is safe",
        ),
        RoiTerms::Committed if lacks("discount") => usage(
            "what a commitment saves is not stated",
            "--set far.discount='35..45 %': without, all hours are paid at the list price",
        ),
        _ => Ok(()),
    }
}

/// A commitment pays all hours of as many machines.
pub(super) fn commit(terms: RoiTerms, far: &mut [(Arc<str>, Given)], near: &Given) {
    if terms != RoiTerms::Committed {
        return;
    }
    let machines = near.get("machines").map_or(1.0, |machines| machines.span.likely());
    for (_, given) in far {
        given.entry("committed").or_insert_with(|| Input {
            span: Span::exact(machines * HOURS_PER_MONTH),
            basis: Basis::derived("a commitment pays all hours"),
        });
    }
}

/// An input of a table that is written as a flag of its own.
pub(super) fn flag(
    inputs: &'static [Assumption],
    name: &'static str,
    text: &str,
    exchange: &ExchangeRates,
) -> Result<Input, String> {
    let input = inputs.iter().find(|input| input.name == name);
    let input = input.ok_or_else(|| format!("there is no input {name}"))?;
    input.read(text, exchange, Basis::published(TYPED, None))
}

/// A service that does the work.
pub(super) fn outsourced(
    arguments: &Roi,
    exchange: &ExchangeRates,
) -> Result<Option<(Arc<str>, Given)>, CommandError> {
    let Some(text) = &arguments.outsource else { return Ok(None) };
    let hourly = text.trim_end().ends_with("/h");
    let name = if hourly { "price" } else { "fee" };
    let input = flag(FAR, name, text, exchange)
        .map_err(|error| CommandError::new(Fault::Usage, format!("--outsource: {error}")))?;
    let free = Input { span: Span::exact(0.0), basis: Basis::derived("the fee covers it") };
    let mut given = Given::from([("price", free)]);
    given.insert(name, input);
    Ok(Some((Arc::from("outsourced"), given)))
}
