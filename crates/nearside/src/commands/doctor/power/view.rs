//! The answer of `nearside doctor --power` as data: what text and JSON both show.

use nearside_economics::installation::{
    Circuit, Draw, Enough, Excursion, Installation, OnCircuit, Part, Parts, Standard, Supplied,
    SupplyNeeded, Year, machines_on, named_circuits, size_sold,
};
use nearside_units::{BtuPerHour, GramsCo2e, Joules, Span, Watts};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Power;
use crate::view::{Figure, InputView, MoneyRange, Range};

/// The answer of `nearside doctor --power`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PowerAnswer {
    /// The machine that is meant.
    pub(super) machine: String,
    /// What its parts draw, each of them.
    pub(super) parts: Vec<PartView>,
    /// What it draws at the wall.
    pub(super) wall: DrawView,
    /// The power supply.
    pub(super) supply: Figure<SupplyView>,
    /// The circuit that it hangs on, where that is known.
    pub(super) circuit: Option<CircuitView>,
    /// How many such machines usual circuits bear.
    pub(super) circuits: Vec<NamedCircuitView>,
    /// Heat and air.
    pub(super) heat: HeatView,
    /// The battery of an uninterruptible supply, where one is stated.
    pub(super) battery: Option<BatteryView>,
    /// A year of it.
    pub(super) year: YearView,
    /// What the figures were computed from.
    pub(crate) inputs: Vec<InputView>,
}

/// Power at rest, at work and at the most, in watts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct DrawView {
    /// On and waiting.
    pub(super) idle_watts: Range,
    /// On average at work.
    pub(super) working_watts: Range,
    /// The most that it draws for hours.
    pub(super) full_watts: Range,
}

/// So many parts of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PartView {
    /// Which.
    pub(super) name: String,
    /// How many.
    pub(super) count: u32,
    /// What one draws.
    pub(super) one: Figure<DrawView>,
}

/// What a supply must be rated for, and whether the one that is there is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SupplyView {
    /// The rating that one by ATX 3.x needs.
    pub(super) needed_atx3_watts: Range,
    /// The smallest of those that are sold; none where several must share.
    pub(super) size_atx3_watts: Option<f64>,
    /// The rating that one by ATX 2.x needs.
    pub(super) needed_atx2_watts: Range,
    /// The smallest of those that are sold; none where several must share.
    pub(super) size_atx2_watts: Option<f64>,
    /// The one that is stated.
    pub(super) stated: Option<SuppliedView>,
}

/// A supply held against what is asked of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SuppliedView {
    /// What it is rated for.
    pub(super) rating_watts: f64,
    /// ATX 2.x or ATX 3.x.
    pub(super) standard: String,
    /// enough, uncertain, too small.
    pub(super) verdict: String,
    /// Moments in which cards draw more.
    pub(super) moments: Vec<MomentView>,
}

/// A moment in which cards draw more than they are said to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct MomentView {
    /// How long it lasts at the most.
    pub(super) seconds: f64,
    /// What is drawn meanwhile.
    pub(super) watts: Range,
    /// What the supply bears meanwhile.
    pub(super) borne_watts: Figure<f64>,
}

/// A circuit held against what is asked of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct CircuitView {
    /// Its breaker and its tension.
    pub(super) circuit: String,
    /// What it bears for hours.
    pub(super) continuous_watts: f64,
    /// enough, uncertain, too small.
    pub(super) verdict: String,
    /// How many such machines it bears.
    pub(super) machines: CountRange,
    /// Who says that it is this circuit.
    pub(super) basis: String,
}

/// A usual circuit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct NamedCircuitView {
    /// Its breaker and its tension.
    pub(super) circuit: String,
    /// What it bears for hours.
    pub(super) continuous_watts: f64,
    /// How many such machines it bears.
    pub(super) machines: CountRange,
}

/// A range of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CountRange {
    /// Low end.
    pub(super) low: u32,
    /// What is most likely.
    pub(super) likely: u32,
    /// High end.
    pub(super) high: u32,
}

/// Heat and air at full load.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct HeatView {
    /// Heat: all that the wall gives.
    pub(super) watts: Range,
    /// The same in BTU an hour.
    pub(super) btu_per_hour: Range,
    /// The same in tons of cooling.
    pub(super) tons: Range,
    /// Air that has to go through the room.
    pub(super) air_m3_per_hour: Range,
    /// How much warmer it leaves.
    pub(super) warmer_kelvin: f64,
    /// The volume of the room, where it is stated.
    pub(super) room_m3: Option<f64>,
    /// How fast its air gets warmer at first with doors and windows closed.
    pub(super) warming_kelvin_per_minute: Option<Range>,
}

/// A battery.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct BatteryView {
    /// What it is said to hold.
    pub(super) holds_wh: f64,
    /// How long it lasts at full load.
    pub(super) minutes: Range,
}

/// A year.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct YearView {
    /// Share of the time at work; it waits for the rest.
    pub(super) share_at_work: f64,
    /// Energy at the meter.
    pub(super) energy_kwh: Range,
    /// What that costs.
    pub(super) cost: Figure<MoneyRange>,
    /// What that emits, by the average of the place.
    pub(super) carbon_kg: Figure<Range>,
}

impl PowerAnswer {
    pub(super) fn of(machine: &str, parts: &Parts, found: &Installation, asked: &Power) -> Self {
        let full = found.wall.full;
        let supplied = found.supplied.as_ref().and_then(|known| known.as_ref().value());
        let named = |circuit: Circuit| NamedCircuitView {
            circuit: circuit.to_string(),
            continuous_watts: circuit.continuous().as_watts(),
            machines: CountRange::of(machines_on(circuit, full)),
        };
        let inputs: Vec<InputView> = found.inputs.iter().map(InputView::of).collect();
        Self {
            machine: machine.to_owned(),
            parts: parts.list.iter().map(PartView::of).collect(),
            wall: DrawView::of(&found.wall),
            supply: Figure::of(&found.supply, |needed| SupplyView::of(needed, supplied)),
            circuit: found.circuit.as_ref().map(CircuitView::of),
            circuits: named_circuits().into_iter().map(named).collect(),
            heat: HeatView::of(found, asked),
            battery: asked.battery.zip(found.battery).map(|(holds, lasts)| BatteryView {
                holds_wh: holds.as_kwh() * 1e3,
                minutes: Range::of(lasts, |time| time.as_hours() * 60.0),
            }),
            year: YearView::of(&found.year),
            inputs,
        }
    }

    /// Whether somebody has looked at a meter, or a sensor has.
    pub(super) fn is_measured(&self) -> bool {
        let known = |input: &InputView| !["assumed", "derived"].contains(&input.kind.as_str());
        self.inputs.iter().any(|input| input.what.starts_with("at the wall") && known(input))
    }
}

/// A verdict in a word.
fn verdict(enough: Enough) -> String {
    let word = match enough {
        Enough::Yes => "enough",
        Enough::Uncertain => "uncertain",
        Enough::No => "too small",
    };
    word.to_owned()
}

fn watts(span: Span<Watts>) -> Range {
    Range::of(span, Watts::as_watts)
}

impl DrawView {
    fn of(draw: &Draw) -> Self {
        Self {
            idle_watts: watts(draw.idle),
            working_watts: watts(draw.working),
            full_watts: watts(draw.full),
        }
    }
}

impl PartView {
    fn of(part: &Part) -> Self {
        let one = Figure::of(&part.one, |one| DrawView::of(&one.value));
        Self { name: part.name.to_string(), count: part.count, one }
    }
}

impl SupplyView {
    fn of(needed: &SupplyNeeded, supplied: Option<&Supplied>) -> Self {
        // Who buys one buys it for the high end.
        let size = |needed: Span<Watts>| size_sold(needed.high()).map(Watts::as_watts);
        Self {
            needed_atx3_watts: watts(needed.atx3),
            size_atx3_watts: size(needed.atx3),
            needed_atx2_watts: watts(needed.atx2),
            size_atx2_watts: size(needed.atx2),
            stated: supplied.map(SuppliedView::of),
        }
    }
}

impl SuppliedView {
    fn of(supplied: &Supplied) -> Self {
        let standard = match supplied.supply.standard {
            Standard::Atx2 => "ATX 2.x",
            Standard::Atx3 => "ATX 3.x",
        };
        Self {
            rating_watts: supplied.supply.rating.as_watts(),
            standard: standard.to_owned(),
            verdict: verdict(supplied.enough),
            moments: supplied.excursions.iter().map(MomentView::of).collect(),
        }
    }
}

impl MomentView {
    fn of(excursion: &Excursion) -> Self {
        Self {
            seconds: excursion.lasts.as_seconds(),
            watts: watts(excursion.power),
            borne_watts: Figure::of(&excursion.borne, |borne| borne.as_watts()),
        }
    }
}

impl CircuitView {
    fn of(on: &OnCircuit) -> Self {
        Self {
            circuit: on.circuit.value.to_string(),
            continuous_watts: on.continuous.as_watts(),
            verdict: verdict(on.enough),
            machines: CountRange::of(on.machines),
            basis: on.circuit.basis.to_string(),
        }
    }
}

impl CountRange {
    fn of(span: Span<u32>) -> Self {
        Self { low: span.low(), likely: span.likely(), high: span.high() }
    }
}

impl HeatView {
    fn of(found: &Installation, asked: &Power) -> Self {
        let per_minute =
            |span| Range::of(span, nearside_units::KelvinsPerMinute::as_kelvins_per_minute);
        let air = nearside_units::CubicMetersPerHour::as_cubic_meters_per_hour;
        Self {
            watts: watts(found.wall.full),
            btu_per_hour: Range::of(found.heat, BtuPerHour::as_btu_per_hour),
            tons: Range::of(found.heat, BtuPerHour::as_tons),
            air_m3_per_hour: Range::of(found.airflow, air),
            warmer_kelvin: found.warmer.as_kelvins(),
            room_m3: asked.room.map(|room| room.as_cubic_meters()),
            warming_kelvin_per_minute: found.warming.map(per_minute),
        }
    }
}

impl YearView {
    fn of(year: &Year) -> Self {
        Self {
            share_at_work: year.duty.fraction(),
            energy_kwh: Range::of(year.energy, Joules::as_kwh),
            cost: Figure::of(&year.cost, |cost| MoneyRange::of(*cost)),
            carbon_kg: Figure::of(&year.carbon, |carbon| {
                Range::of(*carbon, |grams: GramsCo2e| grams.as_grams() / 1e3)
            }),
        }
    }
}
