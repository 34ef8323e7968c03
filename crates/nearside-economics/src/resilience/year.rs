//! Years at random: events come at stated rates, each time for a random while; how many days does the work
//! stand still, and what does it cost more?
//!
//! Events of one kind come independently of each other (Poisson); how long one lasts is drawn from an
//! exponential distribution around its mean. Two events at once count one after the other.

use nearside_units::Duration;

use super::Drilled;
use crate::random::Random;
use crate::sheet::Sample;

/// How often an event happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// Times a year.
    pub per_year: f64,
    /// How long it lasts on average.
    pub mean: Duration,
}

/// What happened in one year: days that stood still, and money in the currency of the plan.
#[derive(Default)]
struct Year {
    lost_days: f64,
    extra_cost: f64,
}

/// Many years.
#[derive(Clone, Debug, PartialEq)]
pub struct Years {
    /// Days of a year that stood still: a day in which half of the stages stop counts a half.
    pub lost_days: Sample,
    /// More money a year than planned, in the currency of the plan; of years with an event whose cost is not
    /// known there is no number.
    pub extra_cost: Sample,
    /// Years in which nothing stood still, as a share of all.
    pub untouched: f64,
}

/// Draws so many years from a seed. The events are those of the drills, each at its rate.
#[must_use]
pub fn years(drills: &[(Drilled, Rate)], count: u32, seed: u64) -> Years {
    let mut random = Random::of(seed, 0);
    let drawn: Vec<Year> = (0..count.max(1)).map(|_| year(drills, &mut random)).collect();
    let untouched = drawn.iter().filter(|year| year.lost_days <= 0.0).count();
    Years {
        lost_days: Sample::of(drawn.iter().map(|year| year.lost_days).collect()),
        extra_cost: Sample::of(drawn.iter().map(|year| year.extra_cost).collect()),
        untouched: untouched as f64 / drawn.len() as f64,
    }
}

/// Days of a year, and of a month, as money a month is told.
const DAYS_OF_A_YEAR: f64 = 365.0;
const DAYS_OF_A_MONTH: f64 = DAYS_OF_A_YEAR / 12.0;

fn year(drills: &[(Drilled, Rate)], random: &mut Random) -> Year {
    let mut year = Year::default();
    for (drilled, rate) in drills {
        // Waiting times between events are exponential, so events in a year are Poisson.
        let mut at = exponential(random) / rate.per_year;
        while at < 1.0 {
            // What begins in this year and goes on is the next year's matter.
            let days = (exponential(random) * rate.mean.as_hours() / 24.0)
                .min((1.0 - at) * DAYS_OF_A_YEAR);
            year.lost_days += days * drilled.stopped_share();
            let extra = drilled.extra_cost().map_or(f64::NAN, |micros| micros as f64 / 1e6);
            year.extra_cost += extra * days / DAYS_OF_A_MONTH;
            at += exponential(random) / rate.per_year;
        }
    }
    // Two events at once stop no more than everything.
    year.lost_days = year.lost_days.min(DAYS_OF_A_YEAR);
    year
}

/// A number from an exponential distribution of mean 1.
fn exponential(random: &mut Random) -> f64 {
    -(1.0 - random.share()).ln()
}
