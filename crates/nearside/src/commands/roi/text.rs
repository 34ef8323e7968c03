//! The answer of `nearside roi` as text.

use std::fmt::Write as _;

use nearside_units::significant;

use super::view::{
    AgainstView, Answered, AssumptionView, HereView, InputView, InputsAnswer, RoiAnswer, Table,
    is_assumed, shown,
};
use crate::output::{Align, Detail, table};

pub(super) fn of(answer: &RoiAnswer, detail: Detail) -> String {
    let mut text = lead(answer);
    let _ = write!(text, "\n{}\n\n{}", machine(answer), costs(answer));
    if answer.left_out > 0 {
        let _ = write!(text, "\n{} more, which cost more: --all", answer.left_out);
    }
    let _ = write!(text, "\n\n{}", gains(answer));
    if let Some(paybacks) = &answer.table {
        let _ = write!(text, "\n\n{}", of_hours(paybacks, &answer.currency));
    }
    if let Some(first) = answer.against.first() {
        let _ = write!(text, "\n\n{}", odds(first, answer));
    }
    for claim in &answer.claims {
        let _ = write!(text, "\n\nclaim: {}", claim.says);
    }
    if detail == Detail::Explained {
        let _ = write!(text, "\n\n{}", inputs_of(&answer.inputs));
    }
    text
}

/// Amounts of a hundred or more need no cents.
fn money(amount: f64) -> String {
    if amount.abs() >= 99.995 { format!("{amount:.0}") } else { format!("{amount:.2}") }
}

fn months(answered: &Answered) -> String {
    match answered {
        Answered::Number(months) if *months > 1200.0 => ">1200".to_owned(),
        Answered::Number(months) if *months >= 99.95 => format!("{months:.0}"),
        Answered::Number(months) => format!("{months:.1}"),
        Answered::Word(word) => word.clone(),
    }
}

fn amount(answered: &Answered) -> String {
    match answered {
        Answered::Number(number) => money(*number),
        Answered::Word(word) => word.clone(),
    }
}

/// The sentence that matters.
pub(super) fn lead(answer: &RoiAnswer) -> String {
    let (here, currency) = (&answer.here, &answer.currency);
    let Some(first) = answer.against.first() else {
        return format!("{}: nothing to hold a machine against", answer.title);
    };
    let machine = format!("{}: a machine for {} {currency}", answer.title, money(here.price));
    let verdict = match &first.payback_months {
        Answered::Word(_) => "never pays back".to_owned(),
        Answered::Number(months) if *months > here.years * 12.0 => {
            format!(
                "pays back only after its life, in {} months",
                self::months(&first.payback_months)
            )
        }
        Answered::Number(_) => {
            format!("pays back in {} months", self::months(&first.payback_months))
        }
    };
    format!(
        "{machine} {verdict}\nagainst {}: {} {currency}/month there, {} in cash on one's own",
        first.name,
        money(first.cash_per_month),
        money(here.cash_per_month)
    )
}

fn machine(answer: &RoiAnswer) -> String {
    let HereView { hours_per_month, used_hours_per_month, utilisation, .. } = answer.here;
    let mut text = format!(
        "{} machine-hours of work a month, {:.0} % of all hours",
        significant(used_hours_per_month),
        utilisation * 100.0
    );
    if hours_per_month > used_hours_per_month {
        let _ = write!(
            text,
            "; {} more have no room on it and stay rented",
            significant(hours_per_month - used_hours_per_month)
        );
    }
    text
}

/// What each option costs.
fn costs(answer: &RoiAnswer) -> String {
    let currency = &answer.currency;
    let head = |per: &str| format!("{currency}/{per}");
    let years = format!("{currency} in {} years", answer.here.years);
    let emits = answer.here.kg_co2e_per_year.is_some()
        || answer.against.iter().any(|against| against.kg_co2e_per_year.is_some());
    let (month, hour) = (head("month cash"), head("accelerator-h"));
    let mut heads = vec![
        ("option", Align::Left),
        (month.as_str(), Align::Right),
        (years.as_str(), Align::Right),
        (hour.as_str(), Align::Right),
    ];
    if emits {
        heads.push(("kgCO2e/year", Align::Right));
    }
    let emitted = |grams: Option<f64>| grams.map_or("unknown".to_owned(), significant);
    let own = |name: &str, here: &HereView| {
        vec![
            name.to_owned(),
            money(here.cash_per_month),
            money(here.total),
            amount(&here.per_device_hour),
            emitted(here.kg_co2e_per_year),
        ]
    };
    let mut rows = vec![own("own machine", &answer.here)];
    rows.extend(answer.colocated.iter().map(|there| own("own machine, colocated", there)));
    rows.extend(answer.against.iter().map(|against| {
        vec![
            against.name.clone(),
            money(against.cash_per_month),
            money(against.total),
            amount(&against.per_device_hour),
            emitted(against.kg_co2e_per_year),
        ]
    }));
    if !emits {
        rows.iter_mut().for_each(|row| row.truncate(4));
    }
    table(&heads, rows)
}

/// What owning brings against each option.
fn gains(answer: &RoiAnswer) -> String {
    let worth = format!("worth today, {}", answer.currency);
    let heads = [
        ("owning, against", Align::Left),
        ("months to pay back", Align::Right),
        ("with interest", Align::Right),
        (worth.as_str(), Align::Right),
        ("return/year", Align::Right),
        ("pays from, h/month", Align::Right),
    ];
    let rate = |rate: &Answered| match rate {
        Answered::Number(rate) => format!("{:.0} %", rate * 100.0),
        Answered::Word(word) => word.clone(),
    };
    let from = |hours: &Answered| match hours {
        Answered::Number(hours) => format!("{hours:.0}"),
        Answered::Word(word) => word.clone(),
    };
    let row = |against: &AgainstView| {
        vec![
            against.name.clone(),
            months(&against.payback_months),
            months(&against.payback_discounted_months),
            money(against.net_present_value),
            rate(&against.rate_of_return),
            from(&against.break_even_hours_per_month),
        ]
    };
    let mut text = table(&heads, answer.against.iter().map(row).collect());
    if let Some(line) = frontier(answer) {
        let _ = write!(text, "\n{line}");
    }
    let timed = answer.here.time_value_per_month.abs() > 0.0;
    if let Some(first) = answer.against.first().filter(|_| timed) {
        let _ = write!(
            text,
            "\nwith the team's waiting counted ({} {}/month): payback {}, worth today {}",
            money(answer.here.time_value_per_month),
            answer.currency,
            match &first.payback_with_time_months {
                Answered::Word(word) => word.clone(),
                time => format!("{} months", months(time)),
            },
            money(first.net_present_value_with_time)
        );
    }
    text
}

/// Where buying wins against the first alternative, and how much of the work that is.
fn frontier(answer: &RoiAnswer) -> Option<String> {
    let first = answer.against.first()?;
    let points = answer.frontier.iter().map(|point| {
        let from = match &point.from_hours_per_month {
            Answered::Number(hours) => format!("{hours:.0}"),
            Answered::Word(word) => word.clone(),
        };
        format!("{from} at {}", significant(point.price_per_hour))
    });
    let points: Vec<String> = points.collect();
    if points.is_empty() {
        return None;
    }
    let mut line = format!(
        "owning costs less than {} from these h/month on, by {}/h there: {}",
        first.name,
        answer.currency,
        points.join(", ")
    );
    if let Some(split) = answer.split.as_ref().filter(|split| split.own_machines > 1.0) {
        let _ = write!(
            line,
            "\nfor this work {} machines pay, {} h/month stay rented",
            split.own_machines,
            significant(split.rented_hours_per_month)
        );
    }
    Some(line)
}

/// How sure it is, and what it hangs on.
fn odds(first: &AgainstView, answer: &RoiAnswer) -> String {
    let odds = first
        .odds
        .iter()
        .map(|odds| format!("{:.0} months {:.0} %", odds.within_months, odds.share * 100.0));
    let mut text = format!("how sure: paid back within {}", odds.collect::<Vec<_>>().join(", "));
    if let Some([low, middle, high]) = first.net_present_value_drawn {
        let _ = write!(
            text,
            "\nworth today {} to {} {} in nine of ten draws, {} in the middle",
            money(low),
            money(high),
            answer.currency,
            money(middle)
        );
    }
    let heads = [
        ("what it hangs on most", Align::Left),
        ("low", Align::Right),
        ("high", Align::Right),
        ("worth at low", Align::Right),
        ("at high", Align::Right),
    ];
    let input = |name: &str| answer.inputs.iter().find(|input| input.name == name);
    let row = |swing: &super::view::SwingView| {
        let ends =
            input(&swing.input).map(|input| (figure(input, input.low), figure(input, input.high)));
        let (low, high) = ends.unwrap_or_default();
        vec![swing.label.clone(), low, high, amount(&swing.at_low), amount(&swing.at_high)]
    };
    let _ = write!(text, "\n\n{}", table(&heads, first.swings.iter().map(row).collect()));
    text
}

fn figure(input: &InputView, value: f64) -> String {
    let number = significant(shown(value, &input.unit));
    format!("{number} {}", input.unit).trim().to_owned()
}

/// Paybacks over hours of work.
pub(super) fn of_hours(paybacks: &Table, currency: &str) -> String {
    let price = format!("{currency}/h");
    let hours: Vec<String> =
        paybacks.hours_per_month.iter().map(|hours| format!("{hours} h/month")).collect();
    let mut heads =
        vec![("payback in months, against", Align::Left), (price.as_str(), Align::Right)];
    heads.extend(hours.iter().map(|hours| (hours.as_str(), Align::Right)));
    let rows = paybacks.rows.iter().map(|row| {
        let mut cells = vec![row.name.clone(), significant(row.price_per_hour)];
        cells.extend(row.payback_months.iter().map(months));
        cells
    });
    table(&heads, rows.collect())
}

/// What the answer was computed from: stated inputs first.
fn inputs_of(inputs: &[InputView]) -> String {
    let heads = [
        ("input", Align::Left),
        ("value", Align::Right),
        ("kind", Align::Left),
        ("source", Align::Left),
    ];
    let row = |input: &InputView| {
        let value = match input.low < input.high {
            true => format!(
                "{} ({}-{})",
                figure(input, input.likely),
                significant(shown(input.low, &input.unit)),
                significant(shown(input.high, &input.unit))
            ),
            false => figure(input, input.likely),
        };
        let day = input.as_of.as_ref().map_or(String::new(), |day| format!(", {day}"));
        let source = format!("{}{day}", input.source);
        vec![input.name.clone(), value, input.kind.clone(), source]
    };
    let (assumed, stated): (Vec<_>, Vec<_>) = inputs.iter().partition(|input| is_assumed(input));
    table(&heads, stated.into_iter().chain(assumed).map(row).collect())
}

/// Every input that can be stated.
pub(super) fn inputs(answer: &InputsAnswer) -> String {
    let heads = [
        ("input", Align::Left),
        ("unit", Align::Left),
        ("assumed", Align::Right),
        ("meaning", Align::Left),
    ];
    let row = |prefix: &str, input: &AssumptionView| {
        let number = |value: f64| significant(shown(value, &input.unit));
        let usual = match input.usual {
            None => "-".to_owned(),
            Some([low, likely, high]) if low < high => {
                format!("{} ({}-{})", number(likely), number(low), number(high))
            }
            Some([_, likely, _]) => number(likely),
        };
        let meaning = match input.why.as_str() {
            "" => input.label.clone(),
            why => format!("{}: {why}", input.label),
        };
        vec![format!("{prefix}{}", input.name), input.unit.clone(), usual, meaning]
    };
    let near = answer.near.iter().map(|input| row("", input));
    let far = answer.far.iter().map(|input| row("far.", input));
    table(&heads, near.chain(far).collect())
}
