//! `nearside doctor --power`: does the place bear the machine, this one or one that is only described?

mod text;
mod view;

use std::path::Path;

use nearside_catalog::{Catalog, Economics};
use nearside_economics::installation::{
    self, Duty, Enough, Frame, Installation, Part, PartName, Parts, Room, Supply, Waits, Wall,
    by_design, card, usual_in,
};
use nearside_estimate::Calibration;
use nearside_estimate::calibration::PowerUse;
use nearside_probe::{DetectedAccelerator, confinement};
use nearside_units::{Basis, Kelvins, Kind, Known, Sourced, Span, Watts};

pub(crate) use view::PowerAnswer;

use crate::cli::{Doctor, Power};
use crate::environment;
use crate::error::CommandError;
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::sources;
use crate::wire;
use crate::wire::project::{Loaded, file, load};
use crate::wire::sites::{Own, Whose};

/// How much warmer air may leave a room than it came, where nobody says: what is still bearable.
const WARMER: Kelvins = Kelvins::constant(10.0);

pub(super) fn run(arguments: &Doctor, output: &Output) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    let asked = &arguments.power;
    let described = asked.on.is_some() || asked.site.is_some();
    let is_project = !described && file(arguments.project()).is_file();
    let loaded = is_project.then(|| load(arguments.project(), &[])).transpose()?;
    let device = asked.on.as_deref().map(|device| (device, asked.count));
    let own = wire::sites::chosen(device, asked.site.as_deref(), loaded.as_ref(), &catalog)?;
    let power = Calibration::default().power;
    let mut notes = own.notes.clone();
    let parts = parts(&own, asked, loaded.as_ref(), &catalog, &power, &mut notes)?;
    match installation::of(&parts, &room(&own, asked)) {
        Known::Value(found) => {
            let answer = PowerAnswer::of(name(&own), &parts, &found, asked);
            print(&answer, &notes, output);
            Ok(outcome(&found, asked))
        }
        Known::Unknown(why) => {
            let hint = "state [site.here] power = { load = \"550 W\", idle = \"100 W\" }, as a meter at the outlet shows";
            output.none(&why, hint, environment::today());
            Ok(Outcome::Negative)
        }
    }
}

/// The machine in words.
fn name(own: &Own) -> &str {
    match own.machine {
        Whose::ThisMachine => "this machine",
        Whose::Another => &own.site.name,
    }
}

/// No where something is too small; what may be too small is no yes either.
fn outcome(found: &Installation, asked: &Power) -> Outcome {
    let circuit = found.circuit.as_ref().map(|circuit| circuit.enough);
    let supply = found.supplied.as_ref().map(|supplied| match supplied {
        Known::Value(supplied) => supplied.enough,
        Known::Unknown(_) => Enough::Uncertain,
    });
    let worst = [circuit, supply].into_iter().flatten().max();
    match worst {
        Some(Enough::No) => Outcome::Negative,
        Some(Enough::Uncertain) if !asked.accept_uncertain => Outcome::Negative,
        _ => Outcome::Done,
    }
}

/// What the machine is made of, with what this machine's drivers and its ledger know better.
fn parts(
    own: &Own,
    asked: &Power,
    loaded: Option<&Loaded>,
    catalog: &Catalog,
    power: &PowerUse,
    notes: &mut Vec<String>,
) -> Result<Parts, CommandError> {
    let machine = &own.site.machine;
    let frame = Frame::of(machine.accelerators.as_ref(), catalog);
    let mut parts = Parts::in_frame(machine, &frame, power);
    let stated = stated(own, power);
    if stated.full.is_none() {
        notes.extend(frame.assumption(machine));
        notes.extend((own.machine == Whose::ThisMachine).then(share_of_host).flatten());
    }
    parts.wall = stated.clone().or(parts.wall);
    if let (Some(why), Some(_)) = (&parts.own_supplies, asked.supply) {
        notes.push(format!("--supply is held against nothing: {why}"));
    }
    if own.machine == Whose::ThisMachine {
        let found = wire::machine::detected()?.accelerators;
        if !found.is_empty() {
            parts.list.retain(|part| part.name != PartName::Accelerator);
            parts.list.insert(0, cards(&found, catalog, power));
        }
        let measured = loaded.map(wire::wall_power::at_work).transpose()?.flatten();
        notes.extend(contradiction(&stated, measured.as_ref()));
        parts.wall.working = measured.or(parts.wall.working);
    }
    Ok(match asked.processor {
        None => parts,
        Some(_) if !parts.list.iter().any(|part| part.name == PartName::Processor) => {
            notes.push("--processor changes nothing: no processor is counted by itself".to_owned());
            parts
        }
        Some(design) => {
            let draw = by_design(Span::exact(design), Waits::of(&own.site.machine), power);
            parts.with(PartName::Processor, &Sourced::new(draw, typed()))
        }
    })
}

/// What the owner states of the whole.
fn stated(own: &Own, power: &PowerUse) -> Wall {
    match &own.site.economics {
        Economics::Owned(owned) => {
            Wall::stated(owned.load.clone().value(), owned.idle.clone().value(), power)
        }
        Economics::Rented { .. } => Wall::default(),
    }
}

/// The cards of this machine: each may draw what the driver lets it; all count as the hungriest.
fn cards(found: &[DetectedAccelerator], catalog: &Catalog, power: &PowerUse) -> Part {
    let limit = |card: &DetectedAccelerator| match &card.power_limit {
        Known::Value(limit) => Known::Value(Sourced::new(
            *limit,
            Basis {
                kind: Kind::Measured,
                source: "the limit that the driver keeps".into(),
                as_of: None,
            },
        )),
        Known::Unknown(why) => {
            let device = card.name.as_ref().value().and_then(|name| catalog.device(name).ok());
            device.map_or_else(|| Known::Unknown(why.clone()), |device| device.power())
        }
    };
    let most = found.iter().map(limit).reduce(|one, other| {
        one.zip(other).map(|(one, other)| if other.value > one.value { other } else { one })
    });
    let most = most.unwrap_or_else(|| Known::unknown("no accelerator"));
    Part {
        name: PartName::Accelerator,
        count: u32::try_from(found.len()).unwrap_or(u32::MAX),
        one: most.map(|most| most.map(|watts| card(watts, power))),
    }
}

/// What this program sees may be a share of the machine that circuit and room have to bear.
fn share_of_host() -> Option<String> {
    let variables = environment::variables().into_iter().collect();
    let place = confinement(Path::new("/"), &variables)?;
    Some(format!(
        "this is {place}: what is counted is its share of the host, and circuit, supply and room have to bear the \
         whole host; ask there, or describe it with --site FILE"
    ))
}

/// More was measured than is stated: then the circuit is held against too little.
fn contradiction(wall: &Wall, measured: Option<&Sourced<Span<Watts>>>) -> Option<String> {
    let (stated, seen) = (wall.full.as_ref()?.value.high(), measured?.value.high());
    (seen > stated).then(|| {
        format!("runs drew up to {seen}, more than the stated load of {stated}: state what a meter shows")
    })
}

fn typed() -> Basis {
    Basis::stated("the command line")
}

/// The place as far as it is stated.
fn room(own: &Own, asked: &Power) -> Room {
    let place = &own.site.place;
    let usual = || usual_in(place.country.clone().value()?);
    let supply = asked.supply.map(|rating| Supply { rating, standard: asked.atx.standard() });
    let tariff = match (asked.tariff, &own.site.economics) {
        (Some(tariff), _) => Known::Value(Sourced::new(tariff, typed())),
        (None, Economics::Owned(owned)) => owned.tariff.clone(),
        (None, Economics::Rented { .. }) => Known::unknown("who rents it out pays for it"),
    };
    Room {
        supply,
        circuit: asked.circuit.map(|circuit| Sourced::new(circuit, typed())).or_else(usual),
        volume: asked.room,
        warmer: asked.warmer.map_or_else(
            || Sourced::new(WARMER, Basis::assumed("what people still bear")),
            |warmer| Sourced::new(warmer, typed()),
        ),
        battery: asked.battery,
        duty: asked.hours.map_or_else(
            || Sourced::new(Duty::ASSUMED, Basis::assumed("20 hours a week at work")),
            |duty| Sourced::new(duty, typed()),
        ),
        overhead: place.pue.value,
        tariff,
        intensity: place.intensity.clone(),
    }
}

fn print(answer: &PowerAnswer, notes: &[String], output: &Output) {
    if output.form == Form::Json {
        let sources = sources(&answer.inputs);
        let answer = Answer {
            schema: "nearside/doctor-power/1",
            data: answer,
            warnings: notes,
            sources: &sources,
        };
        return output.json(&answer, environment::today());
    }
    output.text(&text::of(answer, output.detail));
    notes.iter().for_each(|note| output.warning(note));
    if !answer.is_measured() {
        output.hint("a meter at the outlet knows: state what it shows as [site.here] power = { load = \"550 W\", idle = \"100 W\" }");
    }
}
