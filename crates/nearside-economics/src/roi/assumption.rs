//! Every input of the question whether a machine pays: its name, what it may be, and what is assumed where
//! nobody states it. One row each; a number that nobody can assume has to be stated.
//!
//! What is assumed follows the base case of published comparisons: list prices, no staff, nothing left of
//! the machine at its end. Ranges say what is usual; the random draws take from them.

use std::collections::BTreeMap;

use nearside_units::{Basis, ExchangeRates, Span};

use crate::sheet::{Input, Unit};

/// Inputs that are stated, by their names.
pub type Given = BTreeMap<&'static str, Input>;

/// An input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumption {
    /// What files and flags call it.
    pub name: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// The least and the most that it can be.
    pub within: (f64, f64),
    /// Low, likely and high where nobody states it; none where it has to be stated.
    pub usual: Option<(f64, f64, f64)>,
    /// Why that is assumed; of what cannot be assumed, what it is needed for, or nothing where for all.
    pub why: &'static str,
}

/// More than any amount of money, hours or things in this question.
const MANY: f64 = 1e12;

const fn row(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    within: (f64, f64),
    usual: Option<(f64, f64, f64)>,
    why: &'static str,
) -> Assumption {
    Assumption { name, label, unit, within, usual, why }
}

const fn same(value: f64) -> Option<(f64, f64, f64)> {
    Some((value, value, value))
}

/// Inputs of the own machine and of the team. Emissions are computed where all that they need is stated.
#[rustfmt::skip]
pub const NEAR: &[Assumption] = &[
    row("machines", "Machines", Unit::Count, (1.0, 1e4), same(1.0), "one machine"),
    row("machine_price", "Price of a machine", Unit::Money, (0.0, MANY), None, ""),
    row("overhead", "Overhead on the price", Unit::Share, (0.0, 10.0), same(0.0), "the price is all that comes with it"),
    row("installation", "Installation", Unit::Money, (0.0, MANY), same(0.0), "it is set up by those who use it"),
    row("devices", "Accelerators in a machine", Unit::Count, (1.0, 1e4), same(1.0), "one accelerator"),
    row("life", "Years in use", Unit::Years, (1.0, 10.0), Some((3.0, 4.0, 6.0)), "usual life of a workstation or server"),
    row("yearly_loss", "Value lost a year", Unit::Share, (0.0, 1.0), Some((0.25, 1.0, 1.0)), "nothing is left in the base case; consumer cards have kept more"),
    row("discount_rate", "Discount rate a year", Unit::Share, (0.0, 1.0), Some((0.04, 0.08, 0.12)), "usual cost of capital"),
    row("tax_rate", "Tax on profit", Unit::Share, (0.0, 0.9), same(0.0), "before tax"),
    row("depreciation", "Depreciation method (1-5)", Unit::Count, (1.0, 5.0), same(1.0), "1 straight line, 2 declining balance, 3 MACRS half-year, 4 MACRS mid-quarter Q1, 5 MACRS mid-quarter Q4"),
    row("declining_factor", "Factor of declining balance", Unit::Factor, (1.0, 3.0), same(2.0), "double declining balance"),
    row("financed", "Share that is financed", Unit::Share, (0.0, 1.0), same(0.0), "paid at once"),
    row("loan_rate", "Interest of the loan a year", Unit::Share, (0.0, 1.0), same(0.07), "no loan unless one is stated"),
    row("loan_years", "Years of the loan", Unit::Years, (1.0, 10.0), same(3.0), "no loan unless one is stated"),
    row("hours", "Machine-hours of work a month", Unit::HoursPerMonth, (0.0, 7.3e6), None, ""),
    row("load", "Power at the wall at work", Unit::Watts, (0.0, 1e6), None, ""),
    row("idle", "Power at the wall when idle", Unit::Watts, (0.0, 1e6), None, ""),
    row("idle_on", "Share of idle hours that it is on", Unit::Share, (0.0, 1.0), Some((0.3, 1.0, 1.0)), "nobody switches it off"),
    row("pue", "Power usage effectiveness, cooling included", Unit::Factor, (1.0, 3.0), Some((1.0, 1.0, 1.33)), "an office without cooling of its own; with one, 1 + 1/3"),
    row("tariff", "Price of electricity", Unit::MoneyPerKwh, (0.0, 10.0), None, ""),
    row("night_tariff", "Price of electricity at low times (0: the same)", Unit::MoneyPerKwh, (0.0, 10.0), same(0.0), "one tariff at all times"),
    row("night_share", "Share of energy used at low times", Unit::Share, (0.0, 1.0), same(0.0), "one tariff at all times"),
    row("tariff_change", "Change of electricity prices a year", Unit::Share, (-0.5, 1.0), Some((-0.02, 0.0, 0.05)), "prices stay"),
    row("maintenance", "Maintenance a year, of the price", Unit::Share, (0.0, 1.0), Some((0.03, 0.05, 0.10)), "usual share of parts and warranty"),
    row("staff_hours", "Hours of administration a month", Unit::HoursPerMonth, (0.0, 730.0), same(0.0), "whoever uses it looks after it; state what it takes"),
    row("wage", "Cost of an hour of staff", Unit::MoneyPerHour, (0.0, 1e5), same(60.0), "counts only with hours of administration or of waiting"),
    row("room", "Rack and floor", Unit::MoneyPerMonth, (0.0, MANY), same(0.0), "it stands in an office"),
    row("network", "Network", Unit::MoneyPerMonth, (0.0, MANY), same(0.0), "the network is there"),
    row("people", "People in the team", Unit::Count, (0.0, 1e5), same(0.0), "waiting is not counted unless it is stated or measured"),
    row("waits", "Waits a person and day", Unit::Count, (0.0, 1e4), same(0.0), "waiting is not counted unless it is stated or measured"),
    row("wait_here", "Length of a wait here", Unit::Minutes, (0.0, 1e5), same(0.0), "waiting is not counted unless it is stated or measured"),
    row("wait_there", "Length of a wait elsewhere", Unit::Minutes, (0.0, 1e5), same(0.0), "waiting is not counted unless it is stated or measured"),
    row("working_days", "Working days a month", Unit::Count, (0.0, 31.0), same(21.0), "usual"),
    row("lost_share", "Share of waiting that is lost", Unit::Share, (0.0, 1.0), Some((0.2, 0.5, 0.8)), "people do something else meanwhile; no study says how much"),
    row("intensity", "Emissions of electricity", Unit::GramsPerKwh, (0.0, 2e3), None, "emissions are computed where all that they need is stated"),
    row("embodied", "Emissions of making a machine", Unit::Kilograms, (0.0, 1e7), None, "emissions are computed where all that they need is stated"),
];

/// Inputs of what the machine is held against. Emissions are computed where all that they need is stated.
#[rustfmt::skip]
pub const FAR: &[Assumption] = &[
    row("price", "Price of a machine-hour", Unit::MoneyPerHour, (0.0, 1e6), None, ""),
    row("speed", "Hours there for an hour here", Unit::Factor, (1e-6, 1e6), same(1.0), "it takes as long there"),
    row("discount", "Discount", Unit::Share, (0.0, 1.0), same(0.0), "the listed price"),
    row("committed", "Hours paid whether used or not", Unit::HoursPerMonth, (0.0, 7.3e6), same(0.0), "nothing is committed"),
    row("interruptions", "Interruptions an hour", Unit::PerHour, (0.0, 60.0), same(0.0), "it is not taken away"),
    row("checkpoint", "Time to write a checkpoint", Unit::Minutes, (0.01, 600.0), Some((0.5, 2.0, 10.0)), "counts only where work is interrupted"),
    row("restart", "Time to start again", Unit::Minutes, (0.0, 600.0), Some((2.0, 5.0, 20.0)), "counts only where work is interrupted"),
    row("storage", "Data kept there", Unit::Gigabytes, (0.0, MANY), same(0.0), "nothing is kept there"),
    row("storage_price", "Price of keeping a gigabyte a month", Unit::MoneyPerGb, (0.0, 100.0), same(0.0), "nothing is kept there"),
    row("egress", "Data fetched from there a month", Unit::Gigabytes, (0.0, MANY), same(0.0), "nothing is fetched"),
    row("egress_price", "Price of fetching a gigabyte", Unit::MoneyPerGb, (0.0, 100.0), same(0.0), "nothing is fetched"),
    row("forgotten", "Hours a month that it is left on idle", Unit::HoursPerMonth, (0.0, 7.3e6), same(0.0), "nobody forgets it; bills often show that somebody does"),
    row("support", "Support, of the bill", Unit::Share, (0.0, 1.0), same(0.0), "no support plan"),
    row("fee", "Fee a month", Unit::MoneyPerMonth, (0.0, MANY), same(0.0), "nothing but hours is paid"),
    row("price_change", "Change of prices a year", Unit::Share, (-0.9, 1.0), Some((-0.25, 0.0, 0.05)), "prices stay; hyperscalers cut them by a third in 2025"),
    row("power", "Power at work", Unit::Watts, (0.0, 1e6), None, "emissions are computed where all that they need is stated"),
    row("pue", "Power usage effectiveness", Unit::Factor, (1.0, 3.0), None, "emissions are computed where all that they need is stated"),
    row("intensity", "Emissions of electricity", Unit::GramsPerKwh, (0.0, 2e3), None, "emissions are computed where all that they need is stated"),
    row("embodied_hour", "Emissions of making it, an hour of use", Unit::GramsPerHour, (0.0, 1e6), None, "emissions are computed where all that they need is stated"),
];

impl Assumption {
    /// Whether there is no question without it: nobody can assume it, and it says of nothing that it can be
    /// left out.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.usual.is_none() && self.why.is_empty()
    }

    /// What is stated for it, what is assumed otherwise, or nothing.
    pub(super) fn input(&self, given: &Given) -> Option<Input> {
        if let Some(input) = given.get(self.name) {
            return Some(input.clone());
        }
        let (low, likely, high) = self.usual?;
        let span = Span::new(low, likely, high).ok()?;
        Some(Input { span, basis: Basis::assumed(self.why) })
    }

    /// Reads what somebody states for it, as in `3500 EUR` or `0.03..0.05..0.10`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(
        &self,
        text: &str,
        exchange: &ExchangeRates,
        basis: Basis,
    ) -> Result<Input, String> {
        let span = self.unit.read(text, exchange)?;
        let (least, most) = self.within;
        match span.low() >= least && span.high() <= most {
            true => Ok(Input { span, basis }),
            false => Err(format!(
                "{} must be between {least} and {most} ({}), not {text}",
                self.name,
                self.unit.symbol(exchange.currency().code()),
            )),
        }
    }
}
