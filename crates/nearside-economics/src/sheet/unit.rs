//! What the numbers of a sheet are measured in, and reading them as people write them.

use nearside_units::{Duration, ExchangeRates, GramsPerKwh, HOURS_PER_MONTH, Money, Span, Watts};

/// The unit of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// An amount.
    Money,
    /// Money an hour.
    MoneyPerHour,
    /// Money a month.
    MoneyPerMonth,
    /// Money a kilowatt-hour.
    MoneyPerKwh,
    /// Money a gigabyte (and month, where it is kept).
    MoneyPerGb,
    /// Watts.
    Watts,
    /// Kilowatt-hours a month.
    KwhPerMonth,
    /// Hours.
    Hours,
    /// Hours a month.
    HoursPerMonth,
    /// Minutes.
    Minutes,
    /// Months.
    Months,
    /// Years.
    Years,
    /// A part of a whole: 0.05 is 5 %.
    Share,
    /// How many times.
    Factor,
    /// Events an hour.
    PerHour,
    /// Things that are counted.
    Count,
    /// Gigabytes.
    Gigabytes,
    /// Kilograms of CO2 equivalent.
    Kilograms,
    /// Grams of CO2 equivalent a kilowatt-hour.
    GramsPerKwh,
    /// Grams of CO2 equivalent an hour.
    GramsPerHour,
}

impl Unit {
    /// How it is written behind a figure; the currency stands for money.
    #[must_use]
    pub fn symbol(self, currency: &str) -> String {
        let money = |rest: &str| format!("{currency}{rest}");
        match self {
            Self::Money => money(""),
            Self::MoneyPerHour => money("/h"),
            Self::MoneyPerMonth => money("/month"),
            Self::MoneyPerKwh => money("/kWh"),
            Self::MoneyPerGb => money("/GB"),
            Self::Watts => "W".to_owned(),
            Self::KwhPerMonth => "kWh/month".to_owned(),
            Self::Hours => "h".to_owned(),
            Self::HoursPerMonth => "h/month".to_owned(),
            Self::Minutes => "min".to_owned(),
            Self::Months => "months".to_owned(),
            Self::Years => "years".to_owned(),
            Self::Share => "%".to_owned(),
            Self::Factor => "x".to_owned(),
            Self::PerHour => "/h".to_owned(),
            Self::Count => String::new(),
            Self::Gigabytes => "GB".to_owned(),
            Self::Kilograms => "kgCO2e".to_owned(),
            Self::GramsPerKwh => "g/kWh".to_owned(),
            Self::GramsPerHour => "g/h".to_owned(),
        }
    }

    /// A value as somebody may write it.
    #[must_use]
    pub fn example(self, currency: &str) -> String {
        let number = match self {
            Self::Money => "3500",
            Self::MoneyPerHour => "1.20",
            Self::MoneyPerKwh => "0.30",
            Self::Watts => "500",
            Self::HoursPerMonth => "240",
            _ => "1",
        };
        format!("{number} {}", self.symbol(currency)).trim().to_owned()
    }

    /// Reads `value`, `low..high` or `low..likely..high`, where the unit need be written once only, behind
    /// the last value. Between two values the middle is likely.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(self, text: &str, exchange: &ExchangeRates) -> Result<Span<f64>, String> {
        let parts: Vec<&str> = text.split("..").map(str::trim).collect();
        let last = parts.last().copied().unwrap_or("");
        let start = last.find(|sign: char| !is_number(sign)).unwrap_or(last.len());
        let value = |part: &&str| {
            let bare = part.chars().all(is_number);
            let whole =
                if bare { format!("{part} {}", &last[start..]) } else { (*part).to_owned() };
            self.read_one(whole.trim(), exchange)
        };
        let values: Vec<f64> = parts.iter().map(value).collect::<Result<_, _>>()?;
        let span = match values[..] {
            [value] => Span::new(value, value, value),
            [low, high] => Span::new(low, f64::midpoint(low, high), high),
            [low, likely, high] => Span::new(low, likely, high),
            _ => return Err(format!("\"{text}\" is more than low..likely..high")),
        };
        span.map_err(|error| format!("\"{text}\": {error}"))
    }

    fn read_one(self, text: &str, exchange: &ExchangeRates) -> Result<f64, String> {
        let says = |error: &dyn std::fmt::Display| error.to_string();
        let money = |per: &str| {
            let amount = match per {
                "" => Some(text),
                per => text.strip_suffix(per).map(str::trim),
            };
            let amount = amount.ok_or_else(|| {
                format!("\"{text}\" is no price, as in \"100 {}{per}\"", exchange.currency().code())
            })?;
            let money: Money = amount.parse().map_err(|error| says(&error))?;
            Ok(exchange.convert(money).map_err(|error| says(&error))?.as_f64())
        };
        let time = || text.parse::<Duration>().map_err(|error| says(&error));
        let suffixed =
            |suffix: &str| plain(text.strip_suffix(suffix).unwrap_or(text).trim(), text, suffix);
        match self {
            Self::Money => money(""),
            Self::MoneyPerHour => money("/h"),
            Self::MoneyPerMonth => match text.strip_suffix("/year") {
                Some(yearly) => Self::Money.read_one(yearly.trim(), exchange).map(|it| it / 12.0),
                None => money("/month"),
            },
            Self::MoneyPerKwh => money("/kWh"),
            Self::MoneyPerGb => money("/GB"),
            Self::Watts => text.parse::<Watts>().map(Watts::as_watts).map_err(|error| says(&error)),
            Self::Hours => time().map(Duration::as_hours),
            Self::Minutes => time().map(|time| time.as_seconds() / 60.0),
            Self::Months => time().map(|time| time.as_hours() / HOURS_PER_MONTH),
            Self::Years => time().map(|time| time.as_hours() / HOURS_PER_MONTH / 12.0),
            Self::HoursPerMonth => suffixed("h/month"),
            Self::KwhPerMonth => suffixed("kWh/month"),
            Self::Share => share(text),
            Self::Factor => suffixed("x"),
            Self::PerHour => suffixed("/h"),
            Self::Count => suffixed(""),
            Self::Gigabytes => suffixed("GB"),
            Self::Kilograms => suffixed("kg"),
            Self::GramsPerKwh => text
                .parse::<GramsPerKwh>()
                .map(GramsPerKwh::as_grams_per_kwh)
                .map_err(|error| says(&error)),
            Self::GramsPerHour => suffixed("g/h"),
        }
    }
}

const fn is_number(sign: char) -> bool {
    sign.is_ascii_digit() || matches!(sign, '.' | '-' | '+' | '_' | ' ')
}

fn plain(number: &str, text: &str, unit: &str) -> Result<f64, String> {
    let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
    value
        .ok_or_else(|| format!("\"{text}\" is no number, as in \"12 {unit}\"").replace(" \"", "\""))
}

/// A share is written as `0.05` or `5 %`; changes may be negative.
fn share(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%') {
        Some(percent) => Ok(plain(percent.trim(), text, "%")? / 100.0),
        None => plain(text, text, "%"),
    }
}
