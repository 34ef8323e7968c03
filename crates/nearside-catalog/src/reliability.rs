//! How often a rented machine is taken away, with how much notice, and how long a start takes.
//!
//! Most rows are published bands or claims of vendors: none is a promise. Providers publish the
//! share `p` of machines interrupted in a month; as a constant hourly rate that is
//! `rate = -ln(1 - p) / 730`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::{Duration, HOURS_PER_MONTH, Known, ParseError, Sourced};

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, Origin};

/// What a row measures, and in which unit its numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Share of spot machines interrupted in a month, in percent.
    Interruption,
    /// Spot machines lost, per hour, in a trace that also counts short gaps.
    LossRate,
    /// Spot machines taken away, per hour, in a trace of real machines.
    PreemptionRate,
    /// Interruptions that come within three minutes of another in one zone, in percent.
    CoInterruption,
    /// Warning before a spot machine is taken away, in seconds.
    Notice,
    /// From the order to a machine that can be logged in to, in seconds.
    Provisioning,
    /// From the request to a serverless worker that runs, in seconds.
    ColdStart,
    /// Between failures of a job on a large cluster, in hours.
    MeanTimeToInterrupt,
}

impl Metric {
    const NAMES: [(Self, &'static str, &'static str); 8] = [
        (Self::Interruption, "interruption", "%/month"),
        (Self::LossRate, "loss_rate", "/h"),
        (Self::PreemptionRate, "preemption_rate", "/h"),
        (Self::CoInterruption, "co_interruption", "%"),
        (Self::Notice, "notice", "s"),
        (Self::Provisioning, "provisioning", "s"),
        (Self::ColdStart, "cold_start", "s"),
        (Self::MeanTimeToInterrupt, "mean_time_to_interrupt", "h"),
    ];

    /// Its unit in the table.
    #[must_use]
    pub fn unit(self) -> &'static str {
        Self::NAMES.iter().find(|(metric, ..)| *metric == self).map_or("", |(_, _, unit)| unit)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(metric, ..)| metric == self).map_or("", |row| row.1);
        formatter.write_str(name)
    }
}

impl FromStr for Metric {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::NAMES.iter().find(|(_, name, _)| *name == text);
        found.map(|(metric, ..)| *metric).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "interruption, loss_rate, preemption_rate, co_interruption, notice, \
                       provisioning, cold_start or mean_time_to_interrupt",
        })
    }
}

/// A rate of events, per hour.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct HourlyRate(f64);

impl HourlyRate {
    /// Events per hour.
    #[must_use]
    pub const fn per_hour(self) -> f64 {
        self.0
    }

    /// The constant rate at which that share of machines, in percent, is hit in a month.
    ///
    /// ```
    /// use nearside_catalog::HourlyRate;
    /// let rate = HourlyRate::from_percent_per_month(20.0).unwrap(); // -ln(0.8) / 730
    /// assert!((rate.per_hour() - 3.057e-4).abs() < 1e-7);
    /// assert!(HourlyRate::from_percent_per_month(100.0).is_none());
    /// ```
    #[must_use]
    pub fn from_percent_per_month(percent: f64) -> Option<Self> {
        let possible = (0.0..100.0).contains(&percent);
        possible.then(|| Self(-(1.0 - percent / 100.0).ln() / HOURS_PER_MONTH))
    }
}

/// How often spot machines are interrupted, as the provider publishes it: a band.
#[derive(Clone, Debug, PartialEq)]
pub struct InterruptionBand {
    /// At least this often.
    pub low: HourlyRate,
    /// At most this often; unknown for the open band (more than 20 % a month).
    pub high: Known<HourlyRate>,
}

/// A row: some of low, likely and high, in the unit of its metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Reliability {
    /// Who, or `*` for anybody.
    pub provider: Arc<str>,
    /// Which machine, or `*`.
    pub instance: Arc<str>,
    /// Where, or `*`; measured rates name the zone.
    pub region: Arc<str>,
    /// What is measured.
    pub metric: Metric,
    /// Where the numbers came from.
    pub origin: Origin,
    low: Option<f64>,
    likely: Option<f64>,
    high: Option<f64>,
}

impl Reliability {
    /// The numbers with their unit, for people, such as `15-20 %/month`.
    #[must_use]
    pub fn shown(&self) -> String {
        let unit = self.metric.unit();
        match (self.low, self.likely, self.high) {
            (_, Some(likely), Some(high)) => format!("{likely} (up to {high}) {unit}"),
            (_, Some(likely), None) => format!("{likely} {unit}"),
            (Some(low), None, Some(high)) => format!("{low}-{high} {unit}"),
            (Some(low), None, None) => format!("over {low} {unit}"),
            (None, None, Some(high)) => format!("up to {high} {unit}"),
            (None, None, None) => "unknown".to_owned(),
        }
    }

    /// The best single number: likely, else the middle of the band, else its only end.
    fn middle(&self) -> Option<f64> {
        let band = self.low.zip(self.high).map(|(low, high)| f64::midpoint(low, high));
        self.likely.or(band).or(self.low).or(self.high)
    }

    /// The best single number as a time, for metrics in seconds or hours.
    fn time(&self) -> Known<Sourced<Duration>> {
        let seconds_each = match self.metric.unit() {
            "s" => 1.0,
            "h" => 3600.0,
            _ => return Known::unknown(format!("{} is not a time", self.metric)),
        };
        let time = self.middle().and_then(|time| Duration::from_seconds(time * seconds_each).ok());
        let sourced = time.map(|time| match self.likely {
            Some(_) => self.origin.sourced(time),
            None => self.origin.derived(time, &format!("middle of {}", self.shown())),
        });
        Known::from_option(sourced, format!("{} of {} is empty", self.metric, self.label()))
    }
}

impl Row for Reliability {
    type Key = (Arc<str>, Arc<str>, Arc<str>, Metric, Arc<str>);
    const COLUMNS: &'static [&'static str] =
        &["provider", "instance", "region", "metric", "low", "likely", "high", "unit"];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let metric: Metric = cells.required("metric")?;
        if cells.cell("unit") != metric.unit() {
            return Err(cells.wrong("unit", &format!("{metric} is given in {}", metric.unit())));
        }
        Ok(Self {
            provider: cells.required_text("provider")?,
            instance: cells.required_text("instance")?,
            region: cells.required_text("region")?,
            metric,
            low: number(cells, "low")?,
            likely: number(cells, "likely")?,
            high: number(cells, "high")?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Self::Key {
        let text = Arc::clone;
        let date = self.origin.as_of.to_string().into();
        (text(&self.provider), text(&self.instance), text(&self.region), self.metric, date)
    }

    fn label(&self) -> String {
        format!("{} {} {} {}", self.provider, self.instance, self.region, self.metric)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// A number that may be missing and is never negative or infinite.
fn number(cells: &Cells<'_>, column: &str) -> Result<Option<f64>, CatalogError> {
    match cells.optional::<f64>(column)? {
        Some(number) if !number.is_finite() || number < 0.0 => {
            Err(cells.wrong(column, &"must be a number from zero up"))
        }
        number => Ok(number),
    }
}

impl Catalog {
    /// The row of one metric that is nearest to a machine: this machine here, this machine anywhere,
    /// this provider, anybody.
    pub fn reliability(
        &self,
        metric: Metric,
        provider: &str,
        instance: &str,
        region: &str,
    ) -> Known<&Reliability> {
        let steps = [
            (provider, instance, region),
            (provider, instance, "*"),
            (provider, "*", "*"),
            ("*", "*", "*"),
        ];
        let found = steps.iter().find_map(|(provider, instance, region)| {
            self.reliabilities().rev().find(|row| {
                row.metric == metric
                    && &*row.provider == *provider
                    && &*row.instance == *instance
                    && &*row.region == *region
            })
        });
        Known::from_option(found, format!("no {metric} of {provider}/{instance} is known"))
    }

    /// How often a spot machine is interrupted.
    pub fn interruptions(
        &self,
        provider: &str,
        instance: &str,
        region: &str,
    ) -> Known<Sourced<InterruptionBand>> {
        let row = self.reliability(Metric::Interruption, provider, instance, region);
        row.and_then(|row| {
            let low = HourlyRate::from_percent_per_month(row.low.unwrap_or(0.0));
            let high = row.high.and_then(HourlyRate::from_percent_per_month);
            let high = Known::from_option(high, format!("{} has no upper end", row.shown()));
            let band = low.map(|low| InterruptionBand { low, high });
            let how = format!("{} as a constant hourly rate", row.shown());
            let band = band.map(|band| row.origin.derived(band, &how));
            Known::from_option(band, format!("{} is not a share", row.shown()))
        })
    }

    /// How much warning a spot machine gives before it is taken away.
    pub fn notice(&self, provider: &str) -> Known<Sourced<Duration>> {
        self.reliability(Metric::Notice, provider, "*", "*").and_then(Reliability::time)
    }

    /// How long a machine takes to start.
    pub fn provisioning(&self, provider: &str, instance: &str) -> Known<Sourced<Duration>> {
        self.reliability(Metric::Provisioning, provider, instance, "*").and_then(Reliability::time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_become_rates_and_the_open_band_stays_open() {
        let catalog = Catalog::builtin().unwrap();
        let band = catalog.interruptions("aws", "g4dn.xlarge", "us-east-1").value().unwrap();
        assert!((band.value.low.per_hour() - 2.226e-4).abs() < 1e-6);
        assert!((band.value.high.value().unwrap().per_hour() - 3.057e-4).abs() < 1e-6);
        assert!(band.basis.source.contains("15-20 %/month as a constant hourly rate"));
        let open = catalog.interruptions("aws", "g5.xlarge", "us-east-1").value().unwrap();
        assert_eq!(open.value.high.why(), Some("over 20 %/month has no upper end"));
    }

    #[test]
    fn notice_and_start_are_times() {
        let catalog = Catalog::builtin().unwrap();
        assert_eq!(catalog.notice("aws").value().unwrap().value, Duration::constant(120.0));
        let start = catalog.provisioning("aws", "g5.xlarge").value().unwrap();
        assert_eq!(start.value, Duration::constant(600.0));
        assert!(start.basis.source.contains("middle of 300-900 s"));
        assert!(catalog.notice("lambda").value().is_none());
    }

    fn refused(cells: &str) -> String {
        let text = format!("provider,instance,region,metric,likely,unit\naws,*,*,notice,{cells}\n");
        let overlay = crate::Overlay::new("reliability.csv", &text, "2026".parse().unwrap());
        Catalog::builtin().unwrap().with_overlay(&overlay).unwrap_err().to_string()
    }

    #[test]
    fn a_unit_that_does_not_fit_and_impossible_numbers_are_refused() {
        assert!(refused("2,min").contains("notice is given in s"));
        for cells in ["NaN,s", "inf,s", "-3,s", "two,s"] {
            assert!(refused(cells).contains("column \"likely\""), "{cells}");
        }
    }
}
