//! When to start: the mean intensity of every window of a series of hours,
//! `mean(start, length) = sum of intensity x time in the hour / length`, at an even power.
//!
//! A series speaks of its own hours alone: no pattern of a day is carried on to another day.

use std::sync::Arc;

use nearside_units::{Duration, GramsPerKwh, Known};

use super::moment::Moment;

/// What a kilowatt-hour emits in each hour of a series without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct HourlySeries {
    first: Moment,
    intensities: Vec<GramsPerKwh>,
}

/// Why rows are no series, and which row is the first that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesError {
    /// The row, from zero.
    pub row: usize,
    /// What is wrong with it.
    pub why: Arc<str>,
}

/// A start, and the mean intensity from then on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartHour {
    /// When.
    pub at: Moment,
    /// The mean over the work.
    pub mean: GramsPerKwh,
}

/// The starts that a piece of work has in a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// The one that emits least.
    pub best: StartHour,
    /// The one that emits most.
    pub worst: StartHour,
    /// The mean over all starts.
    pub average: GramsPerKwh,
    /// How many starts there are.
    pub starts: usize,
}

impl Window {
    /// Share of the emissions that the best start saves against the average start, 0 to 1.
    #[must_use]
    pub fn saved_against_average(&self) -> f64 {
        saved(self.best.mean, self.average)
    }

    /// The same against the worst start.
    #[must_use]
    pub fn saved_against_worst(&self) -> f64 {
        saved(self.best.mean, self.worst.mean)
    }
}

fn saved(best: GramsPerKwh, other: GramsPerKwh) -> f64 {
    let other = other.as_grams_per_kwh();
    if other > 0.0 { 1.0 - best.as_grams_per_kwh() / other } else { 0.0 }
}

impl HourlySeries {
    /// Of rows in the order of time, one for each hour.
    ///
    /// # Errors
    /// The first row that is not one hour after the one before, or that there are none.
    pub fn new(rows: &[(Moment, GramsPerKwh)]) -> Result<Self, SeriesError> {
        let Some((first, _)) = rows.first() else {
            return Err(SeriesError { row: 0, why: "there are no hours".into() });
        };
        for (at, pair) in rows.windows(2).enumerate() {
            let [(before, _), (after, _)] = pair else { continue };
            let why = match before.minutes_until(*after) {
                60 => continue,
                0 => format!("{after} stands there twice"),
                minutes if minutes < 0 => {
                    format!("{after} comes after {before}: not in order of time")
                }
                minutes if minutes < 60 => {
                    format!(
                        "{after} is {minutes} minutes after {before}: one row an hour is needed"
                    )
                }
                minutes if minutes % 60 == 0 => {
                    let (missing, next) = (minutes / 60 - 1, before.plus_hours(1));
                    let hours = if missing == 1 { "hour is" } else { "hours are" };
                    format!("{missing} {hours} missing before {after}, from {next} on")
                }
                minutes => format!("{after} is {minutes} minutes after {before}, not an hour"),
            };
            return Err(SeriesError { row: at + 1, why: why.into() });
        }
        Ok(Self { first: *first, intensities: rows.iter().map(|(_, value)| *value).collect() })
    }

    /// Its first hour.
    #[must_use]
    pub const fn first(&self) -> Moment {
        self.first
    }

    /// The end of its last hour.
    #[must_use]
    pub const fn end(&self) -> Moment {
        self.first.plus_hours(self.intensities.len())
    }

    /// How many hours it has.
    #[must_use]
    pub const fn hours(&self) -> usize {
        self.intensities.len()
    }

    /// The starts on the hour of work so long that ends within the series.
    ///
    /// ```
    /// use nearside_economics::carbon::HourlySeries;
    /// use nearside_units::{Duration, GramsPerKwh};
    /// let hour = |hour: u32| format!("2026-11-23T{hour:02}:00Z").parse().unwrap();
    /// let rows = [400.0, 100.0, 200.0, 300.0].map(GramsPerKwh::constant);
    /// let rows: Vec<_> = (0..).map(hour).zip(rows).collect();
    /// let series = HourlySeries::new(&rows).unwrap();
    /// // An hour and a half from one o'clock: (100 + 200 / 2) / 1.5.
    /// let window = series.starts(Duration::hours(1.5)).value().unwrap();
    /// assert_eq!(window.best.at, hour(1));
    /// assert!((window.best.mean.as_grams_per_kwh() - 400.0 / 3.0).abs() < 1e-9);
    /// assert!(series.starts(Duration::hours(4.5)).value().is_none());
    /// ```
    #[must_use]
    pub fn starts(&self, length: Duration) -> Known<Window> {
        // Work of no length is over in its hour.
        let hours = length.as_hours().max(1e-3);
        // A millionth of an hour more is not another hour.
        let near = hours.round();
        let hours = if near > 0.0 && (hours - near).abs() < 1e-6 { near } else { hours };
        let (whole, rest) = (hours.floor() as usize, hours.fract());
        let needed = hours.ceil() as usize;
        let count = self.intensities.len();
        if needed > count {
            return Known::unknown(format!(
                "it takes {length}, and the series ends after {count} h"
            ));
        }
        let value = |at: usize| self.intensities[at].as_grams_per_kwh();
        let mut sums = Vec::with_capacity(count + 1);
        sums.push(0.0);
        for at in 0..count {
            sums.push(sums[at] + value(at));
        }
        let mean = |start: usize| {
            let part = if rest > 0.0 { rest * value(start + whole) } else { 0.0 };
            (sums[start + whole] - sums[start] + part).max(0.0) / hours
        };
        let means: Vec<f64> = (0..=count - needed).map(mean).collect();
        let (low, high) = means
            .iter()
            .fold((f64::MAX, 0.0_f64), |(low, high), mean| (low.min(*mean), high.max(*mean)));
        // Of starts that are as good but for rounding, the first.
        let rounding = high * 1e-9;
        let intensity = |mean: f64| GramsPerKwh::from_grams_per_kwh(mean);
        let hour = |at: Option<usize>| {
            let at = at?;
            Some(StartHour { at: self.first.plus_hours(at), mean: intensity(means[at]).ok()? })
        };
        let average = means.iter().sum::<f64>() / means.len() as f64;
        let window = || {
            Some(Window {
                best: hour(means.iter().position(|mean| *mean <= low + rounding))?,
                worst: hour(means.iter().position(|mean| *mean >= high - rounding))?,
                average: intensity(average).ok()?,
                starts: means.len(),
            })
        };
        Known::from_option(window(), "its figures cannot be added up")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hour(at: usize) -> Moment {
        "2026-11-23T00:00Z".parse::<Moment>().unwrap().plus_hours(at)
    }

    fn series(values: &[f64]) -> Vec<(Moment, GramsPerKwh)> {
        let values = values.iter().map(|value| GramsPerKwh::constant(*value));
        values.enumerate().map(|(at, value)| (hour(at), value)).collect()
    }

    #[test]
    fn rows_that_are_no_series_say_why() {
        let good = series(&[1.0, 2.0, 3.0]);
        let check = |rows: &[(Moment, GramsPerKwh)], row: usize, why: &str| {
            let error = HourlySeries::new(rows).unwrap_err();
            assert!(error.row == row && error.why.contains(why), "{error:?}");
        };
        check(&[], 0, "no hours");
        check(&[good[0], good[0]], 1, "stands there twice");
        check(&[good[1], good[0]], 1, "not in order of time");
        check(&[good[0], good[2]], 1, "1 hour is missing before");
        let half = ("2026-11-23T00:30Z".parse().unwrap(), good[0].1);
        check(&[good[0], half], 1, "one row an hour");
        assert_eq!(HourlySeries::new(&good).unwrap().end(), hour(3));
    }

    #[test]
    fn work_as_long_as_the_series_has_one_start() {
        let series = HourlySeries::new(&series(&[1.0, 2.0, 3.0])).unwrap();
        for hours in [3.0, 3.0 + 1e-9, 3.0 - 1e-9] {
            let window = series.starts(Duration::hours(hours)).value().unwrap();
            assert_eq!((window.starts, window.best.at), (1, hour(0)), "{hours}");
        }
        assert!(series.starts(Duration::hours(3.1)).value().is_none());
        let days = [300.1, 100.7, 200.3].repeat(20);
        let days = HourlySeries::new(&super::tests::series(&days)).unwrap();
        let first = days.starts(Duration::hours(1.7)).value().unwrap();
        assert_eq!((first.best.at, first.worst.at), (hour(1), hour(2)), "the first of many alike");
        assert_eq!(series.starts(Duration::ZERO).value().unwrap().best.at, hour(0));
    }

    proptest! {
        #[test]
        fn the_best_start_is_the_best_of_all(
            values in proptest::collection::vec(0.0..900.0, 1..40), length in 0.01..12.0,
        ) {
            let series = HourlySeries::new(&series(&values)).unwrap();
            let Known::Value(window) = series.starts(Duration::hours(length)) else {
                prop_assert!(length.ceil() as usize > values.len());
                return Ok(());
            };
            // Added up hour by hour.
            let mean = |start: usize| {
                let mut left = length;
                let mut sum = 0.0;
                for value in &values[start..] {
                    let part = left.clamp(0.0, 1.0);
                    sum += part * value;
                    left -= part;
                }
                sum / length
            };
            let starts = values.len() - length.ceil() as usize;
            let least = (0..=starts).map(mean).fold(f64::MAX, f64::min);
            prop_assert!((window.best.mean.as_grams_per_kwh() - least).abs() < 1e-6);
            prop_assert!(window.best.mean <= window.average || window.saved_against_average() > -1e-9);
            prop_assert!(window.saved_against_worst() >= -1e-9);
            prop_assert_eq!(window.starts, starts + 1);
        }
    }
}
