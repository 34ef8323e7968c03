//! Air of rooms: how much there is, how much goes through, and how warm it gets.

use crate::quantity::{additive, quantity};

quantity! {
    /// A volume, as of a room.
    CubicMeters, "volume", checked_rate, from_cubic_meters, as_cubic_meters,
    units: [("l", 1e-3), ("m3", 1.0), ("m³", 1.0)],
    shown: ["l", "m3"]
}

quantity! {
    /// Air that goes through a room.
    CubicMetersPerHour, "flow of air", checked, from_cubic_meters_per_hour, as_cubic_meters_per_hour,
    units: [("m3/h", 1.0), ("m³/h", 1.0)],
    shown: ["m3/h"]
}

quantity! {
    /// How much warmer something is than something else.
    Kelvins, "difference of temperature", checked_rate, from_kelvins, as_kelvins,
    units: [("K", 1.0), ("C", 1.0), ("°C", 1.0)],
    shown: ["K"]
}

quantity! {
    /// How fast something gets warmer.
    KelvinsPerMinute, "warming", checked, from_kelvins_per_minute, as_kelvins_per_minute,
    units: [("K/min", 1.0)],
    shown: ["K/min"]
}

quantity! {
    /// Heat to be carried away, as coolers are sold by: 12,000 BTU/h are a ton.
    ///
    /// ```
    /// use nearside_units::BtuPerHour;
    /// let cooler: BtuPerHour = "1.5 tons".parse().unwrap();
    /// assert_eq!(cooler.as_btu_per_hour(), 18_000.0);
    /// ```
    BtuPerHour, "heat", checked, from_btu_per_hour, as_btu_per_hour,
    units: [("BTU/h", 1.0), ("ton", 12_000.0), ("tons", 12_000.0)],
    shown: ["BTU/h"]
}
additive!(BtuPerHour);

impl BtuPerHour {
    /// In tons of cooling.
    #[must_use]
    pub const fn as_tons(self) -> f64 {
        self.as_btu_per_hour() / 12_000.0
    }
}
