//! Greenhouse gas, in grams of CO2 equivalent.

use std::ops::Mul;

use crate::Joules;
use crate::quantity::{additive, quantity};

quantity! {
    /// An amount of greenhouse gas.
    GramsCo2e, "emissions", checked, from_grams, as_grams,
    units: [("gCO2e", 1.0), ("kgCO2e", 1e3), ("tCO2e", 1e6), ("g", 1.0), ("kg", 1e3), ("t", 1e6)],
    shown: ["gCO2e", "kgCO2e", "tCO2e"]
}
additive!(GramsCo2e);

quantity! {
    /// What a kilowatt-hour from the grid emits.
    GramsPerKwh, "carbon intensity", checked, from_grams_per_kwh, as_grams_per_kwh,
    units: [("g/kWh", 1.0), ("gCO2e/kWh", 1.0), ("kg/kWh", 1e3)],
    shown: ["g/kWh"]
}

impl Mul<GramsPerKwh> for Joules {
    type Output = GramsCo2e;
    /// ```
    /// use nearside_units::{GramsPerKwh, Joules};
    /// let run: Joules = "73.728 MWh".parse().unwrap(); // Llama 2 7B: 184,320 h at 400 W
    /// assert_eq!((run * GramsPerKwh::constant(423.5)).to_string(), "31.2 tCO2e");
    /// ```
    fn mul(self, intensity: GramsPerKwh) -> GramsCo2e {
        GramsCo2e(self.as_kwh() * intensity.as_grams_per_kwh())
    }
}
