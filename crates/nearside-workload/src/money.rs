//! `[money]` and `[team]`: the currency of the project, what others are worth in it, and wages.

use std::collections::BTreeMap;

use nearside_units::{Currency, Date, ExchangeRates, Known, Money, PerHour};

use crate::Located;
use crate::project_file::{MoneyTable, TeamTable, in_file_order};
use crate::reader::Reader;

/// The currency of the project, and what others are worth in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates {
    /// Converts into the project's currency.
    pub exchange: ExchangeRates,
    /// The day of the rates.
    pub as_of: Known<Date>,
}

/// Who works on the project.
#[derive(Clone, Debug, PartialEq)]
pub struct Team {
    /// How many people.
    pub people: u64,
    /// What an hour of one costs.
    pub wage: Known<PerHour>,
}

/// Reads `[team]`.
pub(crate) fn read_team(reader: &mut Reader, table: &TeamTable) -> Team {
    let mut section = reader.section("team");
    let people = section.count("people", table.people.as_ref(), 1..=1_000_000);
    let wage = section.price("wage", table.wage.as_ref(), "60 EUR/h");
    Team {
        people: section.or_assume("people", people, 1, "nobody else is mentioned"),
        wage: Known::from_option(wage, "team.wage is not stated"),
    }
}

/// Reads `[money]`, and checks that every currency in the rest of the file can be converted. Comes
/// after everything that is stated in money.
pub(crate) fn read(reader: &mut Reader, table: &MoneyTable) -> Rates {
    let currency = currency(reader, table.currency.as_ref());
    let mut rates = BTreeMap::new();
    for (code, field) in in_file_order(&table.rates) {
        let mut section = reader.section("money");
        let key = format!("rates.{}", code.value);
        let example = format!("0.92 {currency}");
        let rate: Option<Money> = section.quantity(&key, Some(field), &example);
        let (Some(rate), Some(from)) = (rate, code_of(reader, code)) else { continue };
        let mut section = reader.section("money");
        if from == currency {
            let fact = format!("{currency} is the project's own currency");
            section.error(&code.span, &key, &fact, "remove this rate");
        } else if rate.currency() != currency {
            let fact = format!("{rate:#} is not in the project's currency, {currency}");
            section.error(&field.span, &key, &fact, &format!("as in {from} = \"{example}\""));
        } else if rate.amount() <= Money::zero(currency).amount() {
            let fact = format!("{rate:#} is not more than nothing");
            section.error(&field.span, &key, &fact, &format!("as in {from} = \"{example}\""));
        } else {
            rates.insert(from, rate.amount());
        }
    }
    let mut section = reader.section("money");
    let as_of = section.quantity("as_of", table.as_of.as_ref(), "2026-07-20");
    let exchange = ExchangeRates::new(currency, rates);
    check_convertible(reader, &exchange);
    Rates { exchange, as_of: Known::from_option(as_of, "money.as_of is not stated") }
}

/// The project's currency: the stated one, else the first one in the file, else dollars.
fn currency(reader: &mut Reader, stated: Option<&Located<String>>) -> Currency {
    if let Some(currency) = stated.and_then(|code| code_of(reader, code)) {
        return currency;
    }
    let first = reader.currencies().iter().min_by_key(|mention| mention.span.start);
    let (currency, why) = match first {
        Some(first) => (first.value, "the first currency in the file"),
        None => (Currency::USD, "most offers are priced in it"),
    };
    reader.section("money").or_assume("currency", None, currency, why)
}

fn code_of(reader: &mut Reader, code: &Located<String>) -> Option<Currency> {
    let currency = code.value.parse::<Currency>();
    if let Err(error) = &currency {
        reader.report(&code.span, error.to_string(), Some("three capital letters".to_owned()));
    }
    currency.ok()
}

/// Each currency that cannot be converted is named where it first stands.
fn check_convertible(reader: &mut Reader, exchange: &ExchangeRates) {
    let mut first = BTreeMap::new();
    for mention in reader.currencies() {
        if exchange.convert(Money::zero(mention.value)).is_err() {
            let span = first.entry(mention.value).or_insert_with(|| mention.span.clone());
            if mention.span.start < span.start {
                *span = mention.span.clone();
            }
        }
    }
    let into = exchange.currency();
    for (currency, span) in first {
        let message = format!("an amount in {currency}, but no rate from {currency} to {into}");
        let hint = format!("add to [money]: rates = {{ {currency} = \"... {into}\" }}");
        reader.report(&span, message, Some(hint));
    }
}
