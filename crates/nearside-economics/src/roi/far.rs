//! What the machine is held against: a rented one, a service, or a place elsewhere for one's own machine; and
//! what buying brings against it.

use std::sync::Arc;

use super::RoiError;
use super::builder::{Builder, HORIZON, LEAST};
use super::carbon::Emissions;
use super::near::{Near, grown, per_use};
use crate::sheet::{Formula, Id, Unit};

/// Cells of one alternative.
#[derive(Clone, Debug, PartialEq)]
pub struct Far {
    /// What it is called.
    pub name: Arc<str>,
    /// Hours that are paid a month.
    pub hours: Id,
    /// Work that interruptions make again, as a share of all.
    pub rework: Id,
    /// Cash paid a month, for the hours that the own machine would do.
    pub month: Id,
    /// The parts of it: hours, support, storage, fetching data, fee.
    pub parts: [Id; 5],
    /// What the work costs that the own machine has no time for, a month: it is done here in any case.
    pub beyond: Id,
    /// All that is paid over the life of the own machine, not discounted.
    pub total: Id,
    /// What an accelerator-hour of the own machine's work costs here.
    pub per_device_hour: Id,
    /// What owning saves a month, in cash.
    pub saving: Id,
    /// Months until the purchase is paid back by cash; and with the team's waiting counted.
    pub payback: Id,
    /// See `payback`.
    pub payback_with_time: Id,
    /// Months until cash has come back for good, with prices as they change from year to year, within its life.
    pub payback_changing: Id,
    /// Months until it is paid back with interest, tax, the loan and what is left of it.
    pub payback_discounted: Id,
    /// All flows over its life, worth today.
    pub worth: Id,
    /// The same with the team's waiting counted.
    pub worth_with_time: Id,
    /// The internal rate of return a year.
    pub rate_of_return: Id,
    /// Hours of work a month from which on owning costs less, purchase included.
    pub break_even: Id,
    /// Emissions, where what they follow from is stated.
    pub emissions: Option<Emissions>,
    /// Flows of money by year, from today's on.
    pub flows: Vec<Id>,
    /// Their sum so far, worth today, by year.
    pub so_far: Vec<Id>,
}

/// What hours cost.
struct Hours {
    billed: Id,
    rework: Id,
    /// Money that an hour of the own machine's work costs here, support included.
    per_hour: Formula,
    /// Money that is paid each month whatever is done, support included.
    fixed: Formula,
    committed: Id,
    parts: [Id; 5],
}

pub(super) fn far(build: &mut Builder<'_>, name: Arc<str>, near: &Near) -> Result<Far, RoiError> {
    let hours = hours(build, near)?;
    let month = build.formula(
        "month",
        "Cash a month",
        Unit::MoneyPerMonth,
        hours.parts.iter().skip(1).fold(hours.parts[0].into(), |sum: Formula, part| sum + *part),
    );
    let beyond = build.formula(
        "beyond",
        "Work that the own machine has no time for",
        Unit::MoneyPerMonth,
        (near.hours - Formula::Cell(near.used)) * hours.per_hour.clone(),
    );
    let per_device_hour = build.formula(
        "per_device_hour",
        "Cost of an accelerator-hour of the own machine's work",
        Unit::MoneyPerHour,
        per_use(month, near.used, near.devices),
    );
    let saving = build.formula(
        "saving",
        "What owning saves",
        Unit::MoneyPerMonth,
        Formula::Cell(month) - near.month,
    );
    let payback = payback(build, near, ("payback", "Payback in cash"), saving.into());
    let payback_with_time = payback_with_time(build, near, saving);
    let flows = flows(build, near, month)?;
    let break_even = break_even(build, near, &hours);
    let emissions = Emissions::far(build, hours.billed)?;
    Ok(Far {
        name,
        hours: hours.billed,
        rework: hours.rework,
        month,
        parts: hours.parts,
        beyond,
        total: flows.total,
        per_device_hour,
        saving,
        payback,
        payback_with_time,
        payback_changing: flows.payback_changing,
        payback_discounted: flows.payback,
        worth: flows.worth,
        worth_with_time: flows.worth_with_time,
        rate_of_return: flows.rate_of_return,
        break_even,
        emissions,
        flows: flows.flows,
        so_far: flows.so_far,
    })
}

/// Hours that are paid: work there takes `speed` times as long, interruptions make a part of it again
/// (Young 1974: with `l` interruptions an hour, `c` to write a checkpoint and `r` to start again, writing one
/// every `t = sqrt(2 c / l)` costs the share `l (t / 2 + r) + c / t`), some hours nobody uses, and what is
/// committed is paid in any case.
fn hours(build: &mut Builder<'_>, near: &Near) -> Result<Hours, RoiError> {
    let (price, speed) = (build.input("price")?, build.input("speed")?);
    let (discount, committed) = (build.input("discount")?, build.input("committed")?);
    let interruptions = build.input("interruptions")?;
    let (checkpoint, restart) = (build.input("checkpoint")?, build.input("restart")?);
    let between = (checkpoint / 60.0 * 2.0 / Formula::Cell(interruptions).most(LEAST)).power(0.5);
    let rework = build.formula(
        "rework",
        "Work lost to interruptions and checkpoints",
        Unit::Share,
        Formula::Cell(interruptions).at_most(
            0.0,
            0.0,
            interruptions * (between.clone() / 2.0 + restart / 60.0) + checkpoint / 60.0 / between,
        ),
    );
    let forgotten = build.input("forgotten")?;
    let of_one = speed * (Formula::Number(1.0) + rework);
    let billed = build.formula(
        "billed",
        "Hours that are paid",
        Unit::HoursPerMonth,
        (near.used * of_one.clone() + forgotten).most(committed),
    );
    let paid = price * (Formula::Number(1.0) - discount);
    let compute = build.formula("compute", "Hours", Unit::MoneyPerMonth, billed * paid.clone());
    let support = build.input("support")?;
    let supported =
        build.formula("support_month", "Support", Unit::MoneyPerMonth, compute * support);
    let (storage, storage_price) = (build.input("storage")?, build.input("storage_price")?);
    let kept =
        build.formula("storage_month", "Data kept", Unit::MoneyPerMonth, storage * storage_price);
    let (egress, egress_price) = (build.input("egress")?, build.input("egress_price")?);
    let fetched =
        build.formula("egress_month", "Data fetched", Unit::MoneyPerMonth, egress * egress_price);
    let fee = build.input("fee")?;
    let with_support = paid * (Formula::Number(1.0) + support);
    Ok(Hours {
        billed,
        rework,
        per_hour: with_support.clone() * of_one,
        fixed: with_support * forgotten + kept + fetched + fee,
        committed,
        parts: [compute, supported, kept, fetched, fee],
    })
}

/// `price / saving`: months until cash has come back. What the machine loses in worth is not in it:
/// that would count the purchase twice.
fn payback(
    build: &mut Builder<'_>,
    near: &Near,
    (name, label): (&str, &str),
    saving: Formula,
) -> Id {
    let never = Formula::Nothing("never");
    let months = Formula::Cell(near.price) / saving.clone();
    build.formula(name, label, Unit::Months, saving.at_most(0.0, never, months))
}

fn payback_with_time(build: &mut Builder<'_>, near: &Near, saving: Id) -> Id {
    let all = saving + near.time_value;
    payback(build, near, ("payback_with_time", "Payback with the team's time"), all)
}

/// What flows bring.
struct Flows {
    flows: Vec<Id>,
    so_far: Vec<Id>,
    total: Id,
    worth: Id,
    worth_with_time: Id,
    rate_of_return: Id,
    payback: Id,
    payback_changing: Id,
}

/// `CF[0] = loan - price`, `CF[t] = far - near - loan - tax (far - near - depreciation - interest) + left`.
fn flows(build: &mut Builder<'_>, near: &Near, month: Id) -> Result<Flows, RoiError> {
    let money = &near.money;
    let change = build.input("price_change")?;
    let costs = build.yearly("costs", "Cash for it", 1..=HORIZON, |year, _| {
        super::near::while_it_lasts(year, near.life, month * 12.0 * grown(change, year))
    });
    let total = build.formula(
        "total",
        "All costs over the life of the own machine",
        Unit::Money,
        Formula::Total(costs.clone()),
    );
    let flows = build.yearly("flow", "What owning brings", 0..=HORIZON, |year, _| {
        if year == 0 {
            return money.financed - Formula::Cell(near.price);
        }
        let year = year - 1;
        let saved = || costs[year] - Formula::Cell(near.costs[year]);
        let taxed = (saved() - money.depreciation[year] - money.interest[year]) * money.tax;
        saved() - money.payments[year] - taxed + near.left[year]
    });
    let now = build.yearly("now", "The same, worth today", 0..=HORIZON, |year, _| {
        flows[year] / (Formula::Number(1.0) + money.rate).power(year as f64)
    });
    let so_far = build.yearly("so_far", "Sum of it", 0..=HORIZON, |year, before| match year {
        0 => now[0].into(),
        year => before[year - 1] + now[year],
    });
    let worth =
        build.formula("worth", "Net present value", Unit::Money, Formula::Total(now.clone()));
    let worth_with_time = worth_with_time(build, near, worth);
    let discounted = ("payback_discounted", "Payback with interest and tax");
    let payback = stays_paid(build, discounted, &now, &so_far);
    let payback_changing = payback_changing(build, near, &costs);
    let rate_of_return = rate_of_return(build, &flows);
    Ok(Flows {
        flows,
        so_far,
        total,
        worth,
        worth_with_time,
        rate_of_return,
        payback,
        payback_changing,
    })
}

/// The payback in cash with prices as they change from year to year: what random draws are asked about.
fn payback_changing(build: &mut Builder<'_>, near: &Near, costs: &[Id]) -> Id {
    let cash = build.yearly("cash", "Cash that owning saves", 0..=HORIZON, |year, _| match year {
        0 => Formula::Number(0.0) - near.price,
        year => costs[year - 1] - Formula::Cell(near.costs[year - 1]),
    });
    let so_far =
        build.yearly("cash_so_far", "Sum of cash", 0..=HORIZON, |year, before| match year {
            0 => cash[0].into(),
            year => before[year - 1] + cash[year],
        });
    let name = ("payback_changing", "Payback in cash, prices changing");
    stays_paid(build, name, &cash, &so_far)
}

/// The value of time is the team's and is not taxed here.
fn worth_with_time(build: &mut Builder<'_>, near: &Near, worth: Id) -> Id {
    let growth = || Formula::Number(1.0) + near.money.rate;
    let years = (1..=HORIZON).fold(Formula::Number(0.0), |sum, year| {
        let factor = Formula::Number(1.0) / growth().power(year as f64);
        sum + super::near::while_it_lasts(year, near.life, factor)
    });
    build.formula(
        "worth_with_time",
        "Net present value with the team's time",
        Unit::Money,
        worth + near.time_value * 12.0 * years,
    )
}

/// The month from which on the sum stays at nothing or more, each year's flow taken to come evenly.
fn stays_paid(
    build: &mut Builder<'_>,
    (name, label): (&str, &str),
    flows: &[Id],
    so_far: &[Id],
) -> Id {
    let if_paid = |year: usize, then: Formula, otherwise: Formula| {
        Formula::Number(0.0).at_most(so_far[year], then, otherwise)
    };
    let months = (1..=HORIZON).fold(Formula::Number(0.0), |earlier, year| {
        // What is missing when the year begins, of what the year brings.
        let missing = Formula::Number(0.0) - so_far[year - 1];
        let share = missing / Formula::Cell(flows[year]).most(LEAST);
        if_paid(year - 1, earlier, (share + (year as f64 - 1.0)) * 12.0)
    });
    let months = if_paid(HORIZON, months, Formula::Nothing("never"));
    build.formula(name, label, Unit::Months, months)
}

/// Flows that change their sign once have one rate at most; with none or several it says so.
fn rate_of_return(build: &mut Builder<'_>, flows: &[Id]) -> Id {
    let mut last: Option<Id> = None;
    let mut changes = Vec::new();
    for (year, flow) in flows.iter().enumerate() {
        let zero = || Formula::Number(0.0);
        let before = last.map_or(zero(), Formula::Cell);
        let at_least_zero = zero().at_most(*flow, 1.0, -1.0);
        // The sign of the last flow that was one.
        let sign =
            Formula::Cell(*flow).at_most(0.0, zero().at_most(*flow, before, -1.0), at_least_zero);
        let sign = build.formula(&format!("sign_{year}"), "Sign of the flow", Unit::Count, sign);
        if let Some(before) = last {
            let product = before * sign;
            let change = zero().at_most(product, 0.0, 1.0);
            changes.push(build.formula(
                &format!("turn_{year}"),
                "The sign changes",
                Unit::Count,
                change,
            ));
        }
        last = Some(sign);
    }
    let turns = build.formula("turns", "Changes of sign", Unit::Count, Formula::Total(changes));
    let guess = Formula::Cell(flows[1]) / (Formula::Number(0.0) - flows[0]).most(1.0);
    let rate = Formula::RateOfReturn(flows.to_vec(), Box::new(guess.most(-0.9).least(100.0)));
    let several = Formula::Cell(turns).at_most(1.0, rate, Formula::Nothing("several"));
    let once = Formula::Cell(turns).at_most(0.0, Formula::Nothing("none"), several);
    // Money that comes first and is paid later is a loan: its rate is no return.
    build.formula(
        "rate_of_return",
        "Internal rate of return",
        Unit::Share,
        Formula::Number(0.0).at_most(flows[0], Formula::Nothing("none"), once),
    )
}

/// `(what owning costs without work - what is paid here without work) / (an hour here - an hour there)`.
fn break_even(build: &mut Builder<'_>, near: &Near, hours: &Hours) -> Id {
    let gained = || hours.per_hour.clone() - near.per_hour;
    let missing = near.month_idle - hours.fixed.clone();
    let found = missing.most(0.0) / gained().most(LEAST);
    let within = found.clone().at_most(near.available, found, Formula::Nothing("never"));
    let gains = gained().at_most(0.0, Formula::Nothing("never"), within);
    build.formula(
        "break_even",
        "Hours a month from which on owning costs less",
        Unit::HoursPerMonth,
        Formula::Cell(hours.committed).at_most(0.0, gains, Formula::Nothing("all hours are paid")),
    )
}
