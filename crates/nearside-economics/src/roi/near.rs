//! The own machine: what it costs at once, every month, every year, and in full for an hour of use.
//!
//! Cash is what leaves the account; purchase is in it once, at the beginning. Spread over the life it is
//! counted only in figures "in full", never in what a payback is computed from.

use nearside_units::HOURS_PER_MONTH;

use super::RoiError;
use super::builder::{Builder, HORIZON, LEAST};
use super::carbon::Emissions;
use super::depreciation;
use crate::sheet::{Formula, Id, Unit};

/// Cells of the own machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// Machine-hours of work a month.
    pub hours: Id,
    /// The part of it that the machine can do.
    pub used: Id,
    /// Hours that there are in a month.
    pub available: Id,
    /// All that is paid at the beginning.
    pub price: Id,
    /// Accelerators of a machine.
    pub devices: Id,
    /// Years in use.
    pub life: Id,
    /// Cash paid a month.
    pub month: Id,
    /// The parts of it: electricity, maintenance, staff, room, network.
    pub parts: [Id; 5],
    /// What it would cost a month without any work, in full.
    pub month_idle: Id,
    /// What an hour of work adds.
    pub per_hour: Id,
    /// All costs over its life, not discounted, less what is left of it.
    pub total: Id,
    /// All costs a month, purchase spread over its life with interest.
    pub month_full: Id,
    /// All costs of an accelerator-hour at the use that it really has.
    pub per_device_hour: Id,
    /// Share of all hours in which it works.
    pub utilisation: Id,
    /// Electricity a month.
    pub energy: Id,
    /// Emissions, where what they follow from is stated.
    pub emissions: Option<Emissions>,
    /// What waiting elsewhere beyond the waiting here costs the team, a month.
    pub time_value: Id,
    /// Cash by year, from the first on.
    pub costs: Vec<Id>,
    /// What is left of it, by year, after tax; in the last year of its life only.
    pub left: Vec<Id>,
    pub(super) money: Capital,
}

/// What it costs to pay for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Capital {
    pub(super) rate: Id,
    pub(super) tax: Id,
    pub(super) financed: Id,
    /// Payments of the loan, interest in them, and depreciation, by year from the first on.
    pub(super) payments: Vec<Id>,
    pub(super) interest: Vec<Id>,
    pub(super) depreciation: Vec<Id>,
    /// What is left at the end, after tax, by year.
    left: Vec<Id>,
    /// The same before tax.
    left_before_tax: Id,
}

/// `then` in the years of a life, and nothing after.
pub(super) fn while_it_lasts(year: usize, life: Id, then: impl Into<Formula>) -> Formula {
    Formula::Number(year as f64).at_most(life, then, 0.0)
}

/// `(1 + change) ^ (year - 1)`: what a yearly change makes of a price by some year.
pub(super) fn grown(change: Id, year: usize) -> Formula {
    (Formula::Number(1.0) + change).power(year as f64 - 1.0)
}

/// A cost a month over the accelerator-hours of work in it.
pub(super) fn per_use(month: Id, used: Id, devices: Id) -> Formula {
    let cost = Formula::Cell(month) / (used * devices);
    Formula::Cell(used).at_most(0.0, Formula::Nothing("no use"), cost)
}

pub(super) fn near(build: &mut Builder<'_>) -> Result<Near, RoiError> {
    let machines = build.input("machines")?;
    let each = build.input("machine_price")?;
    let (overhead, installation) = (build.input("overhead")?, build.input("installation")?);
    let (devices, life) = (build.input("devices")?, whole_years(build)?);
    let price = build.formula(
        "price",
        "Paid at the beginning",
        Unit::Money,
        machines * each * (Formula::Number(1.0) + overhead) + installation,
    );
    let work = work(build, machines)?;
    let power = electricity(build, &work)?;
    let parts = monthly(build, power.month, price)?;
    let others = parts[1] + parts[2] + parts[3] + parts[4];
    let cash = Formula::Cell(parts[0]) + others.clone();
    let month = build.formula("month", "Cash a month", Unit::MoneyPerMonth, cash);
    let capital = capital(build, price, life)?;
    let change = build.input("tariff_change")?;
    let costs = build.yearly("costs", "Cash for running it", 1..=HORIZON, |year, _| {
        let year_of = (parts[0] * grown(change, year) + others.clone()) * 12.0;
        while_it_lasts(year, life, year_of)
    });
    let full = in_full(build, &capital, price, life, &costs);
    let month_idle = build.formula(
        "month_idle",
        "All costs a month without any work",
        Unit::MoneyPerMonth,
        full.month - power.per_hour * work.used,
    );
    let per_device_hour = build.formula(
        "per_device_hour",
        "All costs of an accelerator-hour in use",
        Unit::MoneyPerHour,
        per_use(full.month, work.used, devices),
    );
    let time_value = time_value(build)?;
    let emissions = Emissions::near(build, [machines, power.energy, life])?;
    Ok(Near {
        hours: work.hours,
        used: work.used,
        available: work.available,
        utilisation: work.utilisation,
        price,
        devices,
        life,
        month,
        parts,
        month_idle,
        per_hour: power.per_hour,
        total: full.total,
        month_full: full.month,
        per_device_hour,
        energy: power.energy,
        emissions,
        time_value,
        costs,
        left: capital.left.clone(),
        money: capital,
    })
}

/// Hours of work.
struct Work {
    hours: Id,
    available: Id,
    used: Id,
    utilisation: Id,
}

/// What is asked for, as far as there are hours for it.
fn work(build: &mut Builder<'_>, machines: Id) -> Result<Work, RoiError> {
    let hours = build.input("hours")?;
    let available = build.formula(
        "available",
        "Hours that there are in a month",
        Unit::HoursPerMonth,
        machines * HOURS_PER_MONTH,
    );
    let used = build.formula(
        "used",
        "Hours of work that it does",
        Unit::HoursPerMonth,
        Formula::Cell(hours).least(available),
    );
    let share = used / available;
    let utilisation = build.formula("utilisation", "Share of hours at work", Unit::Share, share);
    Ok(Work { hours, available, used, utilisation })
}

/// The life in whole years, which flows of money are counted in.
fn whole_years(build: &mut Builder<'_>) -> Result<Id, RoiError> {
    let life = build.input("life")?;
    let years = (2..=HORIZON).fold(Formula::Number(1.0), |found, year| {
        let year = year as f64;
        Formula::Number(year).at_most(life + 0.5, year, found)
    });
    Ok(build.formula("years", "Whole years in use", Unit::Years, years))
}

/// Electricity: kilowatt-hours a month, what they cost, what an hour of work adds.
struct Power {
    energy: Id,
    month: Id,
    per_hour: Id,
}

/// `(load x used + idle x share on x unused) x PUE x tariff`.
fn electricity(build: &mut Builder<'_>, work: &Work) -> Result<Power, RoiError> {
    let (load, idle, on) = (build.input("load")?, build.input("idle")?, build.input("idle_on")?);
    let pue = build.input("pue")?;
    let (tariff, night) = (build.input("tariff")?, build.input("night_tariff")?);
    let at_night = build.input("night_share")?;
    let mean = build.formula(
        "tariff_mean",
        "Mean price of electricity",
        Unit::MoneyPerKwh,
        tariff * (Formula::Number(1.0) - at_night)
            + Formula::Cell(night).at_most(0.0, tariff, night) * at_night,
    );
    let idle_hours = (Formula::Cell(work.available) - work.used) * on;
    let energy = build.formula(
        "energy",
        "Electricity a month",
        Unit::KwhPerMonth,
        (load * work.used + idle * idle_hours) * pue / 1000.0,
    );
    let month = build.formula("power_month", "Electricity", Unit::MoneyPerMonth, energy * mean);
    let per_hour = build.formula(
        "power_hour",
        "Electricity that an hour of work adds",
        Unit::MoneyPerHour,
        (Formula::Cell(load) - idle * on) * pue / 1000.0 * mean,
    );
    Ok(Power { energy, month, per_hour })
}

/// Cash a month by its parts.
fn monthly(build: &mut Builder<'_>, power: Id, price: Id) -> Result<[Id; 5], RoiError> {
    let share = build.input("maintenance")?;
    let (hours, wage) = (build.input("staff_hours")?, build.input("wage")?);
    let maintenance = build.formula(
        "maintenance_month",
        "Maintenance",
        Unit::MoneyPerMonth,
        price * share / 12.0,
    );
    let staff = build.formula("staff_month", "Staff", Unit::MoneyPerMonth, hours * wage);
    Ok([power, maintenance, staff, build.input("room")?, build.input("network")?])
}

/// The loan, depreciation, and what is left.
fn capital(build: &mut Builder<'_>, price: Id, life: Id) -> Result<Capital, RoiError> {
    let (rate, tax) = (build.input("discount_rate")?, build.input("tax_rate")?);
    let (share, interest_rate) = (build.input("financed")?, build.input("loan_rate")?);
    let (years, loss) = (build.input("loan_years")?, build.input("yearly_loss")?);
    let financed = build.formula("loan", "Loan", Unit::Money, price * share);
    let growth = || (Formula::Number(1.0) + interest_rate).power(years);
    // financed x rate x (1 + rate)^n / ((1 + rate)^n - 1); without interest, in equal parts.
    let annuity = build.formula(
        "loan_year",
        "Payment of the loan a year",
        Unit::Money,
        Formula::Cell(interest_rate).at_most(
            0.0,
            financed / years,
            // A rate of nothing is divided by nothing nowhere.
            financed * interest_rate * growth() / (growth() - 1.0).most(LEAST),
        ),
    );
    let with_interest = |owed: Id| owed * (Formula::Number(1.0) + interest_rate);
    let owed =
        build.yearly(
            "owed",
            "Owed at the end of the year",
            0..=HORIZON,
            |year, before| match year {
                0 => financed.into(),
                year => (with_interest(before[year - 1]) - annuity).most(0.0),
            },
        );
    // The last payment is what is still owed.
    let payments = build.yearly("payment", "Payment of the loan", 1..=HORIZON, |year, _| {
        Formula::Cell(annuity).least(with_interest(owed[year - 1]))
    });
    let interest = build.yearly("interest", "Interest in it", 1..=HORIZON, |year, _| {
        owed[year - 1] * interest_rate
    });
    let left_before_tax = build.formula(
        "left",
        "Worth at the end of its life",
        Unit::Money,
        price * (Formula::Number(1.0) - loss).power(life),
    );
    let depreciation = depreciation::schedule(build, price, left_before_tax, life)?;
    let left = build.yearly("left_after_tax", "What is left, after tax", 1..=HORIZON, |year, _| {
        // What it is worth beyond what the books say is profit.
        let book = Formula::Cell(price) - Formula::Total(depreciation.clone());
        let after = left_before_tax - (Formula::Cell(left_before_tax) - book) * tax;
        let not_before = Formula::Number(year as f64 + 1.0).at_most(life, 0.0, after);
        while_it_lasts(year, life, not_before)
    });
    Ok(Capital { rate, tax, financed, payments, interest, depreciation, left, left_before_tax })
}

/// All costs, purchase included.
struct Full {
    month: Id,
    total: Id,
}

/// Over its life, and a month as one annuity: `PV x r / (1 - (1 + r)^-n) / 12` with `PV` of purchase, of running it,
/// and of what is left, before tax.
fn in_full(build: &mut Builder<'_>, capital: &Capital, price: Id, life: Id, costs: &[Id]) -> Full {
    let rate = capital.rate;
    let discounted = build.yearly("costs_now", "The same, worth today", 1..=HORIZON, |year, _| {
        costs[year - 1] / (Formula::Number(1.0) + rate).power(year as f64)
    });
    let left_now = capital.left_before_tax / (Formula::Number(1.0) + rate).power(life);
    let present = price + Formula::Total(discounted) - left_now;
    let factor = rate
        / (Formula::Number(1.0) - (Formula::Number(1.0) + rate).power(life * -1.0)).most(LEAST);
    let factor = build.formula(
        "annuity",
        "Share of the worth today that is paid each year",
        Unit::Factor,
        Formula::Cell(rate).at_most(0.0, Formula::Number(1.0) / life, factor),
    );
    let month = present * factor / 12.0;
    Full {
        month: build.formula("month_full", "All costs a month", Unit::MoneyPerMonth, month),
        total: build.formula(
            "total",
            "All costs over its life",
            Unit::Money,
            price + Formula::Total(costs.to_vec()) + Formula::Total(capital.interest.clone())
                - capital.left_before_tax,
        ),
    }
}

/// `people x waits x days x (there - here) / 60 x wage x share lost`.
fn time_value(build: &mut Builder<'_>) -> Result<Id, RoiError> {
    let (people, waits) = (build.input("people")?, build.input("waits")?);
    let (here, there) = (build.input("wait_here")?, build.input("wait_there")?);
    let (days, lost) = (build.input("working_days")?, build.input("lost_share")?);
    let wage = build.id("wage")?;
    Ok(build.formula(
        "time_value",
        "Waiting saved by working here",
        Unit::MoneyPerMonth,
        people * waits * days * (Formula::Cell(there) - here) / 60.0 * wage * lost,
    ))
}
