//! Money: decimal amounts that carry their currency, and prices per hour, kWh and GB.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive as _, ToPrimitive as _};
use thiserror::Error;

use crate::{Bytes, Duration, Joules, ParseError, Span};

/// An ISO 4217 currency code, such as `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// United States dollar.
    pub const USD: Self = Self(*b"USD");
    /// Euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                Ok(Self([*a, *b, *c]))
            }
            _ => Err(ParseError::Malformed {
                text: text.to_owned(),
                expected: "a currency code, as in \"EUR\"",
            }),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// Amounts are below this many units of their currency, so that millionths of them can be counted.
const LARGEST: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);

/// Why two amounts cannot be put together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Two currencies in one sum.
    #[error("cannot add {right} to {left} without an exchange rate")]
    Mixed {
        /// The currency on the left.
        left: Currency,
        /// The currency on the right.
        right: Currency,
    },
    /// A conversion without a rate.
    #[error("no exchange rate from {from} to {to}")]
    NoRate {
        /// The currency we have.
        from: Currency,
        /// The currency we need.
        to: Currency,
    },
    /// Too large for a decimal amount.
    #[error("amount of money out of range")]
    OutOfRange,
}

/// An amount of money.
///
/// ```
/// use nearside_units::Money;
/// let price: Money = "3500 EUR".parse().unwrap();
/// let other: Money = "100 USD".parse().unwrap();
/// assert!(price.checked_add(other).is_err());
/// assert_eq!(price.to_string(), "3500 EUR");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// From a decimal amount, which may be negative (a refund).
    #[must_use]
    pub const fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in that currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { amount: Decimal::ZERO, currency }
    }

    /// The decimal amount.
    #[must_use]
    pub const fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// As a float, for sampling and display only.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.amount.to_f64().unwrap_or(f64::MAX)
    }

    /// The same amount if it is not too large to be counted in millionths (10^12 units).
    fn checked(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        match amount.abs() <= LARGEST {
            true => Ok(Self { amount, currency }),
            false => Err(MoneyError::OutOfRange),
        }
    }

    /// In millionths of the currency, rounded to nearest; what the planner adds up exactly.
    #[must_use]
    pub fn as_micros(self) -> i64 {
        let micros = self.amount.checked_mul(Decimal::from(1_000_000));
        let most = if self.amount.is_sign_negative() { i64::MIN } else { i64::MAX };
        micros.and_then(|micros| micros.round().to_i64()).unwrap_or(most)
    }

    /// From millionths of the currency.
    #[must_use]
    pub fn from_micros(micros: i64, currency: Currency) -> Self {
        Self { amount: Decimal::new(micros, 6), currency }
    }

    /// The sum.
    ///
    /// # Errors
    /// When the currencies differ.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed { left: self.currency, right: other.currency });
        }
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::OutOfRange)?;
        Self::checked(amount, self.currency)
    }

    /// Scaled by a finite factor.
    ///
    /// # Errors
    /// When the product is out of range.
    pub fn scaled(self, factor: f64) -> Result<Self, MoneyError> {
        let factor = Decimal::from_f64(factor).ok_or(MoneyError::OutOfRange)?;
        let amount = self.amount.checked_mul(factor).ok_or(MoneyError::OutOfRange)?;
        Self::checked(amount, self.currency)
    }
}

impl FromStr for Money {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || ParseError::Malformed {
            text: text.to_owned(),
            expected: "an amount of money, as in \"3500 EUR\"",
        };
        let (amount, currency) = text.trim().split_once(' ').ok_or_else(malformed)?;
        let amount = Decimal::from_str(amount.trim()).map_err(|_reason| malformed())?;
        let currency = currency.trim().parse()?;
        Self::checked(amount, currency).map_err(|_too_large| ParseError::Malformed {
            text: text.to_owned(),
            expected: "an amount of money below 10^12",
        })
    }
}

impl fmt::Display for Money {
    /// Cents where they matter, otherwise three significant digits; `{:#}` writes every digit.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if formatter.alternate() {
            return write!(formatter, "{} {}", self.amount.normalize(), self.currency);
        }
        write!(formatter, "{} {}", shown_amount(self.as_f64()), self.currency)
    }
}

/// An amount as people write it: no cents from 1,000 up, cents from 1 up, else significant digits.
pub(crate) fn shown_amount(amount: f64) -> String {
    match amount.abs() {
        size if size >= 1000.0 => format!("{amount:.0}"),
        size if size >= 1.0 || size == 0.0 => format!("{amount:.2}"),
        _ => crate::significant(amount),
    }
}

impl Span<Money> {
    /// Each value scaled by a finite, non-negative factor.
    ///
    /// # Errors
    /// When a product is out of range.
    pub fn scaled(self, factor: f64) -> Result<Self, MoneyError> {
        self.try_map(|money| money.scaled(factor))
    }

    /// Low with low, likely with likely, high with high.
    ///
    /// # Errors
    /// When the currencies differ.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        let low = self.low().checked_add(other.low())?;
        let likely = self.likely().checked_add(other.likely())?;
        let high = self.high().checked_add(other.high())?;
        Ok(Self::new(low, likely, high).unwrap_or(Self::exact(likely)))
    }
}

impl fmt::Display for Span<Money> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (shown_amount(self.low().as_f64()), shown_amount(self.high().as_f64()));
        match low == high {
            true => write!(formatter, "{}", self.likely()),
            false => write!(formatter, "{low}-{high} {}", self.likely().currency()),
        }
    }
}

impl PartialOrd for Money {
    /// Amounts in different currencies do not compare.
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (self.currency == other.currency).then(|| self.amount.cmp(&other.amount))
    }
}

/// What one unit of each currency is worth in the project's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRates {
    to: Currency,
    rates: BTreeMap<Currency, Decimal>,
}

impl ExchangeRates {
    /// Rates into `to`; a currency not in `rates` cannot be converted.
    #[must_use]
    pub const fn new(to: Currency, rates: BTreeMap<Currency, Decimal>) -> Self {
        Self { to, rates }
    }

    /// Whether anything but that currency can be converted.
    #[must_use]
    pub fn converts(&self) -> bool {
        !self.rates.is_empty()
    }

    /// The currency that everything is converted into.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.to
    }

    /// An amount in the project's currency.
    ///
    /// # Errors
    /// When there is no rate for its currency.
    pub fn convert(&self, money: Money) -> Result<Money, MoneyError> {
        if money.currency == self.to {
            return Ok(money);
        }
        let rate = self.rates.get(&money.currency);
        let rate = rate.ok_or(MoneyError::NoRate { from: money.currency, to: self.to })?;
        let amount = money.amount.checked_mul(*rate).ok_or(MoneyError::OutOfRange)?;
        Money::checked(amount, self.to)
    }
}

/// Defines a price: money per unit of something, written as in `0.31 EUR/kWh`.
macro_rules! price {
    ($(#[$doc:meta])* $name:ident, $suffix:literal, $quantity:ty, $amount:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub struct $name(Money);

        impl $name {
            /// From the money per unit.
            #[must_use]
            pub const fn new(money: Money) -> Self {
                Self(money)
            }

            /// The money per unit.
            #[must_use]
            pub const fn money(self) -> Money {
                self.0
            }

            /// What that much costs.
            ///
            /// # Errors
            /// When the product is out of range.
            pub fn times(self, quantity: $quantity) -> Result<Money, MoneyError> {
                self.0.scaled(quantity.$amount())
            }
        }

        impl FromStr for $name {
            type Err = ParseError;
            fn from_str(text: &str) -> Result<Self, ParseError> {
                let money = text.trim().strip_suffix($suffix).ok_or_else(|| ParseError::Malformed {
                    text: text.to_owned(),
                    expected: concat!("a price, as in \"0.31 EUR", $suffix, "\""),
                })?;
                money.parse().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, formatter)?;
                formatter.write_str($suffix)
            }
        }
    };
}

price! {
    /// Price of an hour, as in `0.526 USD/h`.
    PerHour, "/h", Duration, as_hours
}
price! {
    /// Price of a kilowatt-hour, as in `0.31 EUR/kWh`.
    PerKwh, "/kWh", Joules, as_kwh
}
price! {
    /// Price of a gigabyte (10^9 bytes), as in `0.09 USD/GB`.
    PerGb, "/GB", Bytes, as_gb
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn an_hourly_price_times_hours_is_money() {
        let price: PerHour = "0.526 USD/h".parse().unwrap();
        assert_eq!(price.times(Duration::hours(10.0)).unwrap(), money("5.26 USD"));
        assert_eq!(price.to_string(), "0.526 USD/h");
    }

    #[test]
    fn amounts_beyond_counting_are_errors() {
        assert_eq!(LARGEST, Decimal::from(1_000_000_000_000u64));
        assert_eq!(money("1000000000000 EUR").scaled(2.0), Err(MoneyError::OutOfRange));
        assert_eq!(money("1000000000000 EUR").as_micros(), 1_000_000_000_000_000_000);
    }

    #[test]
    fn conversion_needs_a_rate() {
        let rates = BTreeMap::from([(Currency::USD, Decimal::new(92, 2))]);
        let rates = ExchangeRates::new(Currency::EUR, rates);
        assert_eq!(rates.convert(money("10 USD")).unwrap(), money("9.20 EUR"));
        let error = rates.convert(money("10 CHF")).unwrap_err();
        assert_eq!(error.to_string(), "no exchange rate from CHF to EUR");
    }

    #[test]
    fn malformed_money_is_refused() {
        for text in [
            "3500",
            "EUR",
            "x EUR",
            "1 eur",
            "1 EURO",
            "NaN EUR",
            "inf USD",
            "7922816251426433759354395033 EUR",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn exact_form_parses_back(micros in -1_000_000_000_000i64..1_000_000_000_000) {
            let money = Money::from_micros(micros, Currency::USD);
            prop_assert_eq!(format!("{money:#}").parse::<Money>().unwrap(), money);
            prop_assert_eq!(money.as_micros(), micros);
        }

        #[test]
        fn sums_are_exact(a in 0i64..1 << 40, b in 0i64..1 << 40) {
            let sum = Money::from_micros(a, Currency::EUR)
                .checked_add(Money::from_micros(b, Currency::EUR)).unwrap();
            prop_assert_eq!(sum.as_micros(), a + b);
        }
    }
}
