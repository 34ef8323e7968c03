//! Where the heat goes: all power that the wall gives ends in the air of the room.
//!
//! Source: 1 W is 3.412 BTU/h; air of 20 C at sea level weighs 1.2 kg/m3 and takes 1005 J/(kg K).

use nearside_units::{
    BtuPerHour, CubicMeters, CubicMetersPerHour, Kelvins, KelvinsPerMinute, Watts,
};

/// BTU/h of a watt.
const BTU_PER_HOUR: f64 = 3.412;
/// Joules that warm a cubic metre of air by a kelvin.
const JOULES_PER_CUBIC_METER: f64 = 1206.0;

/// Heat of so much power: `W x 3.412`.
///
/// ```
/// use nearside_economics::installation::heat;
/// use nearside_units::Watts;
/// let heat = heat(Watts::constant(1000.0));
/// assert_eq!(heat.to_string(), "3410 BTU/h");
/// assert_eq!((heat.as_tons() * 1000.0).round(), 284.0);
/// ```
#[must_use]
pub fn heat(power: Watts) -> BtuPerHour {
    BtuPerHour::from_btu_per_hour(power.as_watts() * BTU_PER_HOUR).unwrap_or(BtuPerHour::ZERO)
}

/// Air that carries so much power away when it leaves so much warmer than it came:
/// `m3/h = W x 3600 / (1206 x K)`.
///
/// ```
/// use nearside_economics::installation::airflow;
/// use nearside_units::{Kelvins, Watts};
/// assert_eq!(airflow(Watts::constant(1000.0), Kelvins::constant(10.0)).to_string(), "299 m3/h");
/// ```
#[must_use]
pub fn airflow(power: Watts, warmer: Kelvins) -> CubicMetersPerHour {
    let flow = power.as_watts() * 3600.0 / (JOULES_PER_CUBIC_METER * warmer.as_kelvins());
    CubicMetersPerHour::from_cubic_meters_per_hour(flow)
        .unwrap_or(CubicMetersPerHour::constant(0.0))
}

/// How fast the air of a closed room gets warmer, were there nothing but air: `K/min = W x 60 / (1206 x m3)`.
/// Walls and furniture slow it down after minutes.
///
/// ```
/// use nearside_economics::installation::warming;
/// use nearside_units::{CubicMeters, Watts};
/// assert_eq!(warming(Watts::constant(1000.0), CubicMeters::constant(30.0)).to_string(), "1.66 K/min");
/// ```
#[must_use]
pub fn warming(power: Watts, room: CubicMeters) -> KelvinsPerMinute {
    let rate = power.as_watts() * 60.0 / (JOULES_PER_CUBIC_METER * room.as_cubic_meters());
    KelvinsPerMinute::from_kelvins_per_minute(rate).unwrap_or(KelvinsPerMinute::constant(0.0))
}
