//! Rows as they are stored: text, and numbers with their unit beside them.

use nearside_units::Date;
use thiserror::Error;

/// A low, a likely and a high number, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    low: f64,
    likely: f64,
    high: f64,
}

/// Why numbers cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RowError {
    /// They are not in order, or one is no number.
    #[error("figures need finite numbers with low <= likely <= high")]
    Disorder,
}

impl Figures {
    /// Three numbers.
    ///
    /// # Errors
    /// When one is not finite or they are not in order.
    pub fn new(low: f64, likely: f64, high: f64) -> Result<Self, RowError> {
        let finite = [low, likely, high].iter().all(|number| number.is_finite());
        (finite && low <= likely && likely <= high)
            .then_some(Self { low, likely, high })
            .ok_or(RowError::Disorder)
    }

    /// The low number.
    #[must_use]
    pub const fn low(self) -> f64 {
        self.low
    }

    /// The likely number.
    #[must_use]
    pub const fn likely(self) -> f64 {
        self.likely
    }

    /// The high number.
    #[must_use]
    pub const fn high(self) -> f64 {
        self.high
    }
}

/// A measured ceiling of a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct CeilingRow {
    /// Which machine, in words that tell it from others.
    pub machine: String,
    /// What was measured.
    pub name: String,
    /// The unit of its figures.
    pub unit: String,
    /// What it came to.
    pub figures: Figures,
    /// The day of measuring.
    pub measured_on: Date,
    /// How the machine was and how it was measured, as JSON.
    pub conditions: String,
}

/// A run beside the estimate that sent it where it ran.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationRow {
    /// The site, by the name of its machine or offer.
    pub site: String,
    /// Fingerprint of what ran.
    pub workload: String,
    /// What was measured of it.
    pub metric: String,
    /// The unit of estimate and measurement.
    pub unit: String,
    /// What had been estimated.
    pub estimate: Figures,
    /// What was measured.
    pub measured: f64,
    /// More that the metric needs to be judged, as JSON.
    pub details: String,
    /// The day of measuring.
    pub measured_on: Date,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_order_is_refused() {
        assert!(Figures::new(1.0, 2.0, 3.0).is_ok());
        assert_eq!(Figures::new(2.0, 1.0, 3.0), Err(RowError::Disorder));
        assert_eq!(Figures::new(1.0, f64::NAN, 3.0), Err(RowError::Disorder));
        assert_eq!(Figures::new(1.0, 2.0, f64::INFINITY), Err(RowError::Disorder));
    }
}
