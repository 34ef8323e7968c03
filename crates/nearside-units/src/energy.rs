//! Power and energy.

use std::ops::{Div, Mul};

use crate::Duration;
use crate::quantity::{additive, quantity};

quantity! {
    /// Power drawn.
    Watts, "power", checked, from_watts, as_watts,
    units: [("mW", 1e-3), ("W", 1.0), ("kW", 1e3), ("MW", 1e6)],
    shown: ["mW", "W", "kW", "MW"]
}
additive!(Watts);

quantity! {
    /// Energy used.
    ///
    /// ```
    /// use nearside_units::{Duration, Watts};
    /// let energy = Watts::constant(550.0) * Duration::hours(2.0);
    /// assert_eq!(energy.to_string(), "1.10 kWh");
    /// ```
    Joules, "energy", checked, from_joules, as_joules,
    units: [("J", 1.0), ("Wh", 3600.0), ("kWh", 3.6e6), ("MWh", 3.6e9), ("GWh", 3.6e12)],
    shown: ["J", "Wh", "kWh", "MWh", "GWh"]
}
additive!(Joules);

impl Joules {
    /// In kilowatt-hours.
    #[must_use]
    pub fn as_kwh(self) -> f64 {
        self.as_joules() / 3.6e6
    }
}

impl Mul<Duration> for Watts {
    type Output = Joules;
    fn mul(self, time: Duration) -> Joules {
        Joules::ZERO + Joules(self.as_watts() * time.as_seconds())
    }
}

impl Div<Duration> for Joules {
    type Output = Option<Watts>;
    /// Mean power; `None` over no time at all.
    fn div(self, time: Duration) -> Option<Watts> {
        Watts::from_watts(self.as_joules() / time.as_seconds()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_power_over_no_time_is_unknown() {
        let energy = "1 kWh".parse::<Joules>().unwrap();
        assert_eq!(energy / Duration::ZERO, None);
        let power = (energy / Duration::hours(1.0)).unwrap();
        assert!((power.as_watts() - 1000.0).abs() < 1e-9);
    }
}
