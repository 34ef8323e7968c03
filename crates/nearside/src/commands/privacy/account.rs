//! `nearside privacy account`: what steps with noise spend, or how much noise keeps a target.

use nearside_privacy::accountant::{
    AccountantError, SubsampledGaussian, calibrate, epsilon, rdp_epsilon,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Account;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};

/// The answer of `nearside privacy account`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct AccountAnswer {
    /// The noise multiplier.
    sigma: f64,
    /// The probability of a record to be in a step.
    rate: f64,
    /// Steps.
    steps: u64,
    /// The probability that the bound may fail with.
    delta: f64,
    /// An upper bound of what is spent.
    epsilon: f64,
    /// How it was found.
    method: String,
    /// The bound of Rényi privacy; nothing where it is not finite.
    rdp_epsilon: Option<f64>,
}

pub(super) fn run(arguments: &Account, output: &Output) -> Result<Outcome, CommandError> {
    let answer = answer(arguments).map_err(|error| {
        let unreachable = matches!(error, AccountantError::Unreachable { .. });
        let fault = if unreachable { Fault::Input } else { Fault::Usage };
        CommandError::new(fault, error.to_string())
    })?;
    if output.form == Form::Json {
        let schema = "nearside/privacy-account/1";
        let answer = Answer { schema, data: &answer, warnings: &[], sources: &[] };
        output.json(&answer, environment::today());
        return Ok(Outcome::Done);
    }
    output.text(&text(&answer, arguments.sigma.is_none()));
    Ok(Outcome::Done)
}

fn answer(arguments: &Account) -> Result<AccountAnswer, AccountantError> {
    let Account { rate, steps, delta, .. } = *arguments;
    let sigma = match (arguments.sigma, arguments.epsilon) {
        (None, Some(target)) => calibrate(&[], (rate, steps), target, delta)?,
        (sigma, _) => sigma.unwrap_or(f64::NAN),
    };
    let mechanism = [SubsampledGaussian::new(sigma, rate, steps)?];
    let bound = epsilon(&mechanism, delta)?;
    Ok(AccountAnswer {
        sigma,
        rate,
        steps,
        delta,
        epsilon: bound.value,
        method: bound.method.to_string(),
        rdp_epsilon: rdp_epsilon(&mechanism, delta).ok(),
    })
}

fn text(answer: &AccountAnswer, calibrated: bool) -> String {
    let AccountAnswer { sigma, rate, steps, delta, epsilon, method, rdp_epsilon } = answer;
    let first = match calibrated {
        true => format!("sigma = {sigma}: the least noise, of four digits\n"),
        false => String::new(),
    };
    // What is a bound is rounded up.
    let up = |bound: f64| (bound * 1e4).ceil() / 1e4;
    let (epsilon, rdp_epsilon) = (up(*epsilon), rdp_epsilon.map(up));
    let looser = rdp_epsilon.map_or_else(String::new, |it| format!("; by RDP {it:.4}"));
    format!(
        "{first}{steps} steps at rate {rate} with sigma {sigma} spend epsilon = {epsilon:.4} at delta = {delta} (by \
         {method}{looser})\n"
    )
}
