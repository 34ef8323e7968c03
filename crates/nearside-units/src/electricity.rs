//! What an outlet gives: volts, amperes, and the power of both together.

use std::ops::Mul;

use crate::Watts;
use crate::quantity::quantity;

quantity! {
    /// Tension of a circuit.
    Volts, "tension", checked_rate, from_volts, as_volts,
    units: [("V", 1.0), ("kV", 1e3)],
    shown: ["V", "kV"]
}

quantity! {
    /// Current that a circuit carries.
    Amperes, "current", checked_rate, from_amperes, as_amperes,
    units: [("mA", 1e-3), ("A", 1.0)],
    shown: ["mA", "A"]
}

impl Mul<Volts> for Amperes {
    type Output = Watts;
    /// ```
    /// use nearside_units::{Amperes, Volts};
    /// assert_eq!((Amperes::constant(16.0) * Volts::constant(230.0)).to_string(), "3.68 kW");
    /// ```
    fn mul(self, tension: Volts) -> Watts {
        Watts::ZERO + Watts::constant(1.0) * (self.as_amperes() * tension.as_volts())
    }
}
