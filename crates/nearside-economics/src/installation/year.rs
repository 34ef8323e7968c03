//! A year of a machine: energy, and what it costs and emits.

use std::fmt;
use std::str::FromStr;

use nearside_units::{
    Duration, GramsCo2e, HOURS_PER_YEAR, Joules, Known, Money, ParseError, Span, significant,
};

use super::{Draw, Room};

/// How much of the time a machine works, as in `8 h/day`.
///
/// ```
/// use nearside_economics::installation::Duty;
/// let duty: Duty = "8 h/day".parse().unwrap();
/// assert_eq!((duty.fraction() * 300.0).round(), 100.0);
/// assert_eq!(duty.to_string(), "8.00 h/day");
/// assert!("25 h/day".parse::<Duty>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Duty(f64);

impl Duty {
    /// Half of a working day, five days a week.
    pub const ASSUMED: Self = Self(20.0 / 168.0);

    /// As a share of all time, from 0 to 1.
    #[must_use]
    pub const fn fraction(self) -> f64 {
        self.0
    }
}

impl FromStr for Duty {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = |expected| ParseError::Malformed { text: text.to_owned(), expected };
        let (time, period) =
            text.split_once('/').ok_or_else(|| malformed("a time at work, as in \"8 h/day\""))?;
        let time: Duration = time.parse()?;
        let period: Duration = format!("1 {}", period.trim()).parse()?;
        match time <= period {
            true => Ok(Self(time / period)),
            false => Err(malformed("a time that its period has, as in \"8 h/day\"")),
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} h/day", significant(self.0 * 24.0))
    }
}

/// What a year comes to.
#[derive(Clone, Debug)]
pub struct Year {
    /// How much of it the machine works.
    pub duty: Duty,
    /// Energy at the meter.
    pub energy: Span<Joules>,
    /// What it costs.
    pub cost: Known<Span<Money>>,
    /// What it emits, by location average.
    pub carbon: Known<Span<GramsCo2e>>,
}

/// A year: `E = PUE x (working x share + idle x (1 - share)) x 8760 h`, times tariff, times grid intensity.
#[must_use]
pub fn year(wall: Draw, room: &Room) -> Year {
    let share = room.duty.value.fraction();
    let mean = wall.working.map(|watts| watts * share) + wall.idle.map(|it| it * (1.0 - share));
    let whole = Duration::hours(HOURS_PER_YEAR);
    let energy = mean.combine(room.overhead, |watts, overhead| watts * overhead * whole);
    let cost = room.tariff.as_ref().and_then(|tariff| {
        let cost = energy.try_map(|energy| tariff.value.times(energy));
        cost.map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
    });
    let carbon = room.intensity.as_ref().map(|it| energy.map(|energy| energy * it.value));
    Year { duty: room.duty.value, energy, cost, carbon }
}
