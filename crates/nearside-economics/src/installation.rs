//! What does a machine ask of the place that it stands in: of its power supply, of the circuit, of the air of
//! the room, of a battery, and over a year?
//!
//! One road: [`Parts`] draw direct current, the supply makes it of what the wall gives ([`at_wall`]), and all
//! that the wall gives ends as heat. [`of`] answers everything about one machine; each formula stands alone
//! beside it. What is asked of supply and circuit is the most that parts draw for hours; what a year costs
//! is the mean of work and rest.

mod battery;
mod circuit;
mod cooling;
mod draw;
mod enough;
mod frame;
mod parts;
mod supply;
mod year;

use nearside_estimate::Input;
use nearside_units::{
    BtuPerHour, CubicMeters, CubicMetersPerHour, Duration, GramsPerKwh, Joules, Kelvins,
    KelvinsPerMinute, Known, PerKwh, Sourced, Span, Watts,
};

pub use battery::{battery_time, usable_charge};
pub use circuit::{CONTINUOUS_SHARE, Circuit, machines_on, named_circuits, usual_in};
pub use cooling::{airflow, heat, warming};
pub use draw::{Draw, at_wall, efficiency};
pub use enough::{Enough, enough};
pub use frame::Frame;
pub use parts::{Part, PartName, Parts, Waits, Wall, by_design, card};
pub use supply::{
    Excursion, Loads, Standard, Supplied, Supply, SupplyNeeded, excursions, moments, size_sold,
    supply_needed,
};
pub use year::{Duty, Year, year};

/// Where a machine stands, and what it has there. What is `None` is not asked about.
#[derive(Clone, Debug)]
pub struct Room {
    /// The power supply that it has or shall get.
    pub supply: Option<Supply>,
    /// The circuit that it is plugged into.
    pub circuit: Option<Sourced<Circuit>>,
    /// Air of the room, with doors and windows closed.
    pub volume: Option<CubicMeters>,
    /// How much warmer the air may be that leaves the room than the air that comes in.
    pub warmer: Sourced<Kelvins>,
    /// What the battery of an uninterruptible supply holds.
    pub battery: Option<Joules>,
    /// How much of the time it works; the rest of the year it is on and waits.
    pub duty: Sourced<Duty>,
    /// Power of the building over power of its computers (PUE).
    pub overhead: Span<f64>,
    /// The electricity tariff.
    pub tariff: Known<Sourced<PerKwh>>,
    /// What a kilowatt-hour emits.
    pub intensity: Known<Sourced<GramsPerKwh>>,
}

/// What a machine asks of its place.
#[derive(Clone, Debug)]
pub struct Installation {
    /// What its parts draw of the supply, where all of them are known.
    pub direct: Known<Draw>,
    /// What it draws at the wall.
    pub wall: Draw,
    /// The supply that it needs, by either standard.
    pub supply: Known<SupplyNeeded>,
    /// Whether the supply that it has is enough.
    pub supplied: Option<Known<Supplied>>,
    /// Whether its circuit bears it.
    pub circuit: Option<OnCircuit>,
    /// The heat that it makes at full load.
    pub heat: Span<BtuPerHour>,
    /// How much warmer than it came the air leaves.
    pub warmer: Kelvins,
    /// Air that has to go through the room to carry that heat away.
    pub airflow: Span<CubicMetersPerHour>,
    /// How fast the air of the closed room gets warmer at first, were there nothing but air.
    pub warming: Option<Span<KelvinsPerMinute>>,
    /// How long the battery lasts at full load.
    pub battery: Option<Span<Duration>>,
    /// What a year comes to.
    pub year: Year,
    /// What all of that was computed from.
    pub inputs: Vec<Input>,
}

/// A circuit held against what is asked of it.
#[derive(Clone, Debug)]
pub struct OnCircuit {
    /// The circuit.
    pub circuit: Sourced<Circuit>,
    /// What it bears for hours.
    pub continuous: Watts,
    /// Whether that is enough for one such machine.
    pub enough: Enough,
    /// How many such machines it bears.
    pub machines: Span<u32>,
}

/// What a machine asks of its place; unknown where nobody knows what some part of it draws, nor what the
/// whole does.
///
/// ```
/// use nearside_economics::installation::{self, Draw, Duty, Enough, Parts, Room};
/// use nearside_units::{Basis, Known, Sourced, Span, Watts};
/// let says = || Basis::assumed("an example");
/// let room = Room {
///     supply: None,
///     circuit: Some(Sourced::new("15 A/120 V".parse().unwrap(), says())),
///     volume: Some("30 m3".parse().unwrap()),
///     warmer: Sourced::new("10 K".parse().unwrap(), says()),
///     battery: Some("1500 Wh".parse().unwrap()),
///     duty: Sourced::new("12 h/day".parse().unwrap(), says()),
///     overhead: Span::exact(1.0),
///     tariff: Known::Value(Sourced::new("0.30 EUR/kWh".parse().unwrap(), says())),
///     intensity: Known::unknown("no place"),
/// };
/// // 1000 W at the wall at work, 100 W at rest: half of the year each.
/// let (idle, full) = (Span::exact(Watts::constant(100.0)), Span::exact(Watts::constant(1000.0)));
/// let draw = Draw { idle, working: full, full };
/// let parts = Parts::at_the_wall(Sourced::new(draw, says()));
/// let asked = installation::of(&parts, &room).value().unwrap();
/// assert_eq!(asked.heat.to_string(), "3410 BTU/h");
/// assert_eq!(asked.airflow.to_string(), "299 m3/h");
/// assert_eq!(asked.warming.unwrap().to_string(), "1.66 K/min");
/// assert_eq!(asked.battery.unwrap().likely().to_string(), "1.35 h");
/// assert_eq!(asked.circuit.unwrap().enough, Enough::Yes);
/// assert_eq!(asked.year.energy.to_string(), "4.82 MWh");
/// assert_eq!(asked.year.cost.value().unwrap().to_string(), "1445 EUR");
/// ```
#[must_use]
pub fn of(parts: &Parts, room: &Room) -> Known<Installation> {
    let direct = parts.direct();
    parts.wall().map(|wall| {
        let supply = supply_needed(parts);
        let supplied = room.supply.map(|has| {
            supply.clone().zip(parts.loads()).map(|(needed, loads)| has.held(&needed, loads))
        });
        Installation {
            supplied,
            circuit: room.circuit.clone().map(|circuit| on_circuit(circuit, wall.full)),
            heat: wall.full.map(heat),
            warmer: room.warmer.value,
            airflow: wall.full.map(|power| airflow(power, room.warmer.value)),
            warming: room.volume.map(|volume| wall.full.map(|power| warming(power, volume))),
            battery: room.battery.map(|holds| battery_time(holds, wall.full)),
            year: year(wall, room),
            inputs: inputs(parts, room),
            direct,
            wall,
            supply,
        }
    })
}

fn on_circuit(circuit: Sourced<Circuit>, full: Span<Watts>) -> OnCircuit {
    let continuous = circuit.value.continuous();
    OnCircuit {
        continuous,
        enough: enough(full, continuous),
        machines: machines_on(circuit.value, full),
        circuit,
    }
}

/// What is assumed and stated, with its basis.
fn inputs(parts: &Parts, room: &Room) -> Vec<Input> {
    let mut inputs = parts.inputs();
    let asked_of_supply = parts.own_supplies.is_none() && parts.loads().value().is_some();
    if asked_of_supply {
        inputs.extend(supply::reserves());
    }
    let share = |what, sourced: Sourced<Span<f64>>| Input {
        what,
        value: sourced.value.into(),
        basis: sourced.basis,
    };
    let duty = Input {
        what: "time at work",
        value: Span::exact(room.duty.value.fraction()).into(),
        basis: room.duty.basis.clone(),
    };
    inputs.push(duty);
    if let Some(circuit) = &room.circuit {
        let value = circuit.value.continuous();
        let basis = circuit.basis.clone();
        inputs.push(Input { what: "circuit, for hours", value: Span::exact(value).into(), basis });
        inputs.push(share("share of the breaker, for hours", circuit::continuous_share()));
    }
    if asked_of_supply && room.supply.is_some() {
        inputs.push(share("power of cards in moments", moments()));
    }
    if room.battery.is_some() {
        inputs.push(share("usable charge of the battery", usable_charge()));
    }
    if let Known::Value(tariff) = &room.tariff {
        let (value, basis) = (tariff.value.into(), tariff.basis.clone());
        inputs.push(Input { what: "electricity tariff", value, basis });
    }
    if let Known::Value(intensity) = &room.intensity {
        let (value, basis) = (intensity.value.into(), intensity.basis.clone());
        inputs.push(Input { what: "grid intensity", value, basis });
    }
    inputs
}
