//! Sums of money that are exact whatever the order: whole numbers of 10^-18 of a currency's unit.
//!
//! A decimal type rounds when a sum needs more digits than it has, and then the order of rows would
//! show. Clouds write up to 17 decimals, our own ledger 18; what is finer is rounded when it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::{AtLeast, Currency, ExchangeRates, Known, Money};
use rust_decimal::Decimal;

/// Decimals that are kept.
const DECIMALS: u32 = 18;

/// Currencies that one sum keeps apart at most; a bill has one or two.
const MOST_CURRENCIES: usize = 64;

/// An exact sum per currency, and how many parts of it could not be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    amounts: BTreeMap<Currency, i128>,
    missing: u64,
}

impl Sum {
    /// Puts an amount in; one that cannot be counted is remembered as missing.
    pub(crate) fn add(&mut self, money: Money) {
        let known =
            self.amounts.len() < MOST_CURRENCIES || self.amounts.contains_key(&money.currency());
        let sum = counted(money.amount()).filter(|_| known).and_then(|amount| {
            let before = self.amounts.get(&money.currency()).copied().unwrap_or(0);
            before.checked_add(amount)
        });
        match sum {
            Some(sum) => {
                self.amounts.insert(money.currency(), sum);
            }
            None => self.missing += 1,
        }
    }

    /// Puts an amount in that may not be known.
    pub(crate) fn add_known(&mut self, money: Option<Money>) {
        match money {
            Some(money) => self.add(money),
            None => self.missing += 1,
        }
    }

    /// Puts another sum in.
    pub fn merge(&mut self, other: &Self) {
        for (currency, amount) in &other.amounts {
            let before = self.amounts.get(currency).copied().unwrap_or(0);
            match before.checked_add(*amount) {
                Some(sum) => {
                    self.amounts.insert(*currency, sum);
                }
                None => self.missing += 1,
            }
        }
        self.missing += other.missing;
    }

    /// Parts that could not be counted.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// Whether nothing was put in that is not zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.missing == 0 && self.amounts.values().all(|amount| *amount == 0)
    }

    /// The currencies in it.
    pub fn currencies(&self) -> impl Iterator<Item = Currency> {
        self.amounts.keys().copied()
    }

    /// All of it in the currency of the rates. What has no rate, and what could not be counted, is
    /// missing and named.
    #[must_use]
    pub fn converted(&self, rates: &ExchangeRates) -> AtLeast<Money> {
        let mut total = AtLeast::new(Money::zero(rates.currency()));
        for (currency, amount) in &self.amounts {
            if *amount != 0 {
                total.add(part(*currency, *amount, rates), |sum, part| {
                    sum.checked_add(part).unwrap_or(*sum)
                });
            }
        }
        if self.missing > 0 {
            total.missing.push(Arc::from("amounts that are missing or no numbers"));
        }
        total
    }
}

fn part(currency: Currency, amount: i128, rates: &ExchangeRates) -> Known<Money> {
    let money = Money::new(decimal(amount).normalize(), currency);
    match rates.convert(money) {
        Ok(money) => Known::Value(money),
        Err(_no_rate) => Known::unknown(format!("{money}, for which there is no exchange rate")),
    }
}

/// As a decimal, which has 28 digits: of a sum of 10^10 and more, fewer than all decimals.
fn decimal(mut amount: i128) -> Decimal {
    for scale in (0..=DECIMALS).rev() {
        if let Ok(decimal) = Decimal::try_from_i128_with_scale(amount, scale) {
            return decimal;
        }
        amount /= 10;
    }
    Decimal::MAX
}

/// An amount in whole 10^-18; nothing where it is far out of range.
fn counted(amount: Decimal) -> Option<i128> {
    // Above what `Money` itself takes as a sum, no amount of a bill is meant.
    if amount.abs() > Decimal::from(1_000_000_000_000_u64) {
        return None;
    }
    let rounded = if amount.scale() > DECIMALS { amount.round_dp(DECIMALS) } else { amount };
    let factor = 10_i128.checked_pow(DECIMALS.checked_sub(rounded.scale())?)?;
    rounded.mantissa().checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn dollars() -> ExchangeRates {
        ExchangeRates::new(Currency::USD, BTreeMap::new())
    }

    #[test]
    fn a_currency_without_a_rate_is_named_and_not_converted() {
        let mut sum = Sum::default();
        sum.add(money("1.25 USD"));
        sum.add(money("3 CHF"));
        let total = sum.converted(&dollars());
        assert_eq!(total.total, money("1.25 USD"));
        assert_eq!(&*total.missing[0], "3.00 CHF, for which there is no exchange rate");
    }

    #[test]
    fn an_unknown_amount_makes_it_at_least() {
        let mut sum = Sum::default();
        sum.add_known(Some(money("2 USD")));
        sum.add_known(None);
        assert!(!sum.converted(&dollars()).is_complete());
        assert_eq!(sum.missing(), 1);
    }

    #[test]
    fn a_large_sum_keeps_the_digits_that_a_decimal_has() {
        let mut sum = Sum::default();
        for _ in 0..1_000 {
            sum.add(money("999999999.123456789012345678 USD"));
        }
        let total = sum.converted(&dollars()).total;
        assert_eq!(format!("{total:#}"), "999999999123.456789012345678 USD");
    }

    proptest! {
        #[test]
        fn the_order_does_not_show(
            mut parts in proptest::collection::vec((-1_000_000_000_000_i64..1_000_000_000_000, 0_u32..22), 0..40)
        ) {
            let sum = |parts: &[(i64, u32)]| {
                let mut sum = Sum::default();
                for (mantissa, scale) in parts {
                    sum.add(Money::new(Decimal::new(*mantissa, *scale), Currency::EUR));
                }
                sum
            };
            let one = sum(&parts);
            parts.reverse();
            prop_assert_eq!(one, sum(&parts));
        }
    }
}
