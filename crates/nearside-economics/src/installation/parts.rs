//! What the parts of a machine draw, each with its basis; what somebody knows of the whole at the wall wins.
//!
//! Parts draw their nominal power at the most (TDP, board power, or the limit that the driver keeps). Average
//! work draws less: the shares are those of every estimate (`nearside_estimate::calibration`).

use std::fmt;
use std::sync::Arc;

use nearside_catalog::{Accelerators, DeviceKind, Machine};
use nearside_estimate::Input;
use nearside_estimate::calibration::PowerUse;
use nearside_units::{Basis, Known, Sourced, Span, Watts};

use super::draw::{Draw, at_wall, efficiency};
use super::frame::{Assumed, Frame};
use super::supply::Loads;

/// Up to so many hardware threads a processor is one of a desktop, which draws more for each.
const DESKTOP_THREADS: u32 = 32;

/// The parts of a machine, and what is known of it as a whole.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Everything that hangs on the supply.
    pub list: Vec<Part>,
    /// What is stated or measured at the wall.
    pub wall: Wall,
    /// Why nobody asks which supply it needs, where its supplies come with it.
    pub own_supplies: Option<Arc<str>>,
}

/// So many parts of a kind.
#[derive(Clone, Debug)]
pub struct Part {
    /// Which.
    pub name: PartName,
    /// How many.
    pub count: u32,
    /// What one draws.
    pub one: Known<Sourced<Draw>>,
}

/// A kind of part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartName {
    /// Cards, modules or chips that compute.
    Accelerator,
    /// All processors together.
    Processor,
    /// All main memory.
    Memory,
    /// Board, disks and fans.
    Rest,
}

impl PartName {
    /// In words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Accelerator => "accelerator",
            Self::Processor => "processor",
            Self::Memory => "memory",
            Self::Rest => "board, disks, fans",
        }
    }

    /// What it draws at the most, as an input of an answer.
    const fn input(self) -> &'static str {
        match self {
            Self::Accelerator => "most that an accelerator draws",
            Self::Processor => "most that the processor draws",
            Self::Memory => "most that memory draws",
            Self::Rest => "most that board, disks and fans draw",
        }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.title())
    }
}

/// What a processor does while work goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// It works itself.
    ForNothing,
    /// It mostly waits for accelerators.
    ForAccelerators,
}

impl Waits {
    /// Of a machine with or without accelerators.
    #[must_use]
    pub const fn of(machine: &Machine) -> Self {
        if machine.accelerators.is_some() { Self::ForAccelerators } else { Self::ForNothing }
    }
}

/// What is known of a whole machine at the wall; it beats what its parts come to.
#[derive(Clone, Debug, Default)]
pub struct Wall {
    /// On and waiting.
    pub idle: Option<Sourced<Span<Watts>>>,
    /// On average at work.
    pub working: Option<Sourced<Span<Watts>>>,
    /// At full load.
    pub full: Option<Sourced<Span<Watts>>>,
}

impl Parts {
    /// The parts of a desktop. What it does not state is assumed, and says so.
    #[must_use]
    pub fn of(machine: &Machine, power: &PowerUse) -> Self {
        Self::in_frame(machine, &Frame::Desktop, power)
    }

    /// The parts of a machine that is built as this. Servers of modules are known as a whole.
    #[must_use]
    pub fn in_frame(machine: &Machine, frame: &Frame, power: &PowerUse) -> Self {
        let mut list = Vec::new();
        if let Some(Accelerators { device, count }) = &machine.accelerators {
            let one = device.power().map(|nominal| nominal.map(|watts| card(watts, power)));
            list.push(Part { name: PartName::Accelerator, count: *count, one });
        }
        let (wall, own_supplies) =
            (frame.wall(machine.accelerators.as_ref()), frame.own_supplies());
        if matches!(frame, Frame::Systems(..) | Frame::Modules(_)) {
            return Self { list, wall, own_supplies };
        }
        let boards = |name, one| Part { name, count: frame.boards(), one: Known::Value(one) };
        let chip = machine.accelerators.as_ref().map(|found| found.device.kind);
        if chip != Some(DeviceKind::Soc) {
            list.push(boards(PartName::Processor, processor(machine, frame, power)));
            list.push(boards(PartName::Memory, memory(machine, frame, power)));
        }
        list.push(boards(PartName::Rest, rest(frame)));
        Self { list, wall, own_supplies }
    }

    /// A machine of which nothing is known but what it draws at the wall.
    #[must_use]
    pub fn at_the_wall(draw: Sourced<Draw>) -> Self {
        let known = |span| Some(Sourced::new(span, draw.basis.clone()));
        let Draw { idle, working, full } = draw.value;
        let wall = Wall { idle: known(idle), working: known(working), full: known(full) };
        Self { list: Vec::new(), wall, own_supplies: None }
    }

    /// With another figure for a part, where the machine has it: a limit that the driver keeps, a processor
    /// that somebody looked up.
    #[must_use]
    pub fn with(mut self, name: PartName, one: &Sourced<Draw>) -> Self {
        for part in self.list.iter_mut().filter(|part| part.name == name) {
            part.one = Known::Value(one.clone());
        }
        self
    }

    /// What all parts draw of the supply: the sum of all of them.
    #[must_use]
    pub fn direct(&self) -> Known<Draw> {
        if self.list.is_empty() {
            return Known::unknown("only what the machine draws at the wall is known");
        }
        let nothing = Known::Value(Draw::NOTHING);
        self.list.iter().fold(nothing, |sum, part| sum.zip(part.all()).map(|(sum, all)| sum + all))
    }

    /// What the machine draws at the wall: what is known of it there, else `direct / efficiency`.
    #[must_use]
    pub fn wall(&self) -> Known<Draw> {
        let shares = efficiency().value;
        let computed = self.direct();
        let end = |stated: &Option<Sourced<Span<Watts>>>, of: fn(&Draw) -> Span<Watts>| {
            stated.as_ref().map_or_else(
                || computed.as_ref().map(|draw| at_wall(of(draw), shares)),
                |stated| Known::Value(stated.value),
            )
        };
        let full = end(&self.wall.full, |draw| draw.full);
        let working = end(&self.wall.working, |draw| draw.working);
        let idle = end(&self.wall.idle, |draw| draw.idle);
        full.zip(working).zip(idle).map(|((full, working), idle)| {
            // Whatever is assumed of a part, it does not draw more at rest than it is known to draw at all.
            let within = |span: Span<Watts>| span.combine(full, least);
            Draw { idle: within(idle), working: within(working), full }
        })
    }

    /// What hangs on the supply at the most: cards, which leap, and all else.
    pub(super) fn loads(&self) -> Known<Loads> {
        let sum = |cards: bool| {
            let list =
                self.list.iter().filter(|part| cards == (part.name == PartName::Accelerator));
            let all = list.filter_map(|part| part.all().value());
            all.fold(Draw::NOTHING, |sum, all| sum + all).full
        };
        let loads = self.direct().map(|_all_known| Loads { cards: sum(true), others: sum(false) });
        loads.map(|loads| self.with_unseen(loads))
    }

    /// A machine that is known to draw more at the wall than its parts explain has parts that nobody named:
    /// they hang on the supply as well.
    fn with_unseen(&self, loads: Loads) -> Loads {
        let Some(stated) = &self.wall.full else { return loads };
        let direct = stated.value.combine(efficiency().value, |power, share| power * share);
        let rest = |direct: Watts, cards: Watts, others: Watts| {
            let unexplained = direct.as_watts() - cards.as_watts();
            others.as_watts().max(unexplained)
        };
        let Loads { cards, others } = loads;
        let low = rest(direct.low(), cards.low(), others.low());
        let likely = rest(direct.likely(), cards.likely(), others.likely()).max(low);
        let high = rest(direct.high(), cards.high(), others.high()).max(likely);
        let others = Span::new(low, likely, high)
            .map_or(others, |span| span.map(|watts| Watts::constant(1.0) * watts));
        Loads { cards, others }
    }

    /// What every part draws at the most, and what is known at the wall, with its basis.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let input = |what, value: Span<Watts>, basis: &Basis| Input {
            what,
            value: value.into(),
            basis: basis.clone(),
        };
        let of_part = |part: &Part| {
            let one = part.one.as_ref().value()?;
            Some(input(part.name.input(), one.value.full, &one.basis))
        };
        let Wall { idle, working, full } = &self.wall;
        let at_wall = [
            ("at the wall, waiting", idle),
            ("at the wall, at work", working),
            ("at the wall, at full load", full),
        ];
        let stated = at_wall.into_iter().filter_map(|(what, known)| {
            known.as_ref().map(|known| input(what, known.value, &known.basis))
        });
        let efficiency = efficiency();
        let supply = Input {
            what: "efficiency of the supply",
            value: efficiency.value.into(),
            basis: efficiency.basis,
        };
        // What whole servers draw is not made of parts.
        let adds_up = !self.list.is_empty() && (self.own_supplies.is_none() || full.is_none());
        let supply = adds_up.then_some(supply);
        self.list.iter().filter_map(of_part).chain(supply).chain(stated).collect()
    }
}

impl Part {
    /// What all of them draw.
    #[must_use]
    pub fn all(&self) -> Known<Draw> {
        self.one.as_ref().map(|one| one.value.times(self.count))
    }
}

impl Wall {
    /// This, and where it says nothing, the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            idle: self.idle.or(other.idle),
            working: self.working.or(other.working),
            full: self.full.or(other.full),
        }
    }

    /// What the owner of a machine states of it; work comes close to the stated load.
    #[must_use]
    pub fn stated(
        load: Option<Sourced<Watts>>,
        idle: Option<Sourced<Watts>>,
        power: &PowerUse,
    ) -> Self {
        let share = power.stated_load_share.value;
        Self {
            idle: idle.map(|idle| idle.map(Span::exact)),
            working: load.clone().map(|load| load.map(|load| share.map(|share| load * share))),
            full: load.map(|load| load.map(Span::exact)),
        }
    }
}

/// What an accelerator of this nominal power draws.
///
/// ```
/// use nearside_economics::installation::card;
/// use nearside_estimate::Calibration;
/// use nearside_units::Watts;
/// let draw = card(Watts::constant(450.0), &Calibration::default().power);
/// assert_eq!(draw.full.to_string(), "450 W");
/// assert_eq!(draw.working.likely().to_string(), "338 W");
/// ```
#[must_use]
pub fn card(nominal: Watts, power: &PowerUse) -> Draw {
    let share = |share: Span<f64>| share.map(|share| nominal * share);
    Draw {
        idle: share(power.idle_share.value),
        working: share(power.busy_share.value),
        full: Span::exact(nominal),
    }
}

/// What a processor of this thermal design power (TDP) draws: at rest 10 to 15 % of it (SPECpower), at work all
/// of it, or a quarter where it mostly waits for accelerators.
///
/// ```
/// use nearside_economics::installation::{Waits, by_design};
/// use nearside_estimate::Calibration;
/// use nearside_units::{Span, Watts};
/// let draw = by_design(Span::exact(Watts::constant(200.0)), Waits::ForAccelerators, &Calibration::default().power);
/// assert_eq!((draw.full.to_string(), draw.working.to_string()), ("200 W".into(), "40.0-60.0 W".into()));
/// ```
#[must_use]
pub fn by_design(design: Span<Watts>, waits: Waits, power: &PowerUse) -> Draw {
    let idle = Span::new(0.10, 0.125, 0.15).unwrap_or(Span::exact(0.125));
    let share = |share: Span<f64>| design.combine(share, |watts, share| watts * share);
    let working = match waits {
        Waits::ForAccelerators => share(power.resting_share.value),
        Waits::ForNothing => design,
    };
    Draw { idle: share(idle), working, full: design }
}

/// The processor of a machine that states nothing of it.
fn processor(machine: &Machine, frame: &Frame, power: &PowerUse) -> Sourced<Draw> {
    let waits = Waits::of(machine);
    let Known::Value(threads) = &machine.threads else {
        let (design, why) = frame.assumed().processor;
        return Sourced::new(by_design(span(design), waits, power), Basis::assumed(why));
    };
    let count = f64::from(threads.value);
    let (each, why) = match threads.value {
        ..=DESKTOP_THREADS => ([2.0, 5.0, 10.0], "2-10 W for each thread of a desktop or laptop"),
        _ => ([1.7, 3.5, 5.5], "1.7-5.5 W for each thread of a large processor (SPECpower)"),
    };
    let draw = by_design(span(each.map(|watts| watts * count)), waits, power);
    Sourced::new(draw, Basis::assumed(format!("{why}, {} threads", threads.value)))
}

/// Memory: so many watts for each gigabyte, whatever goes on.
fn memory(machine: &Machine, frame: &Frame, power: &PowerUse) -> Sourced<Draw> {
    let each = &power.memory_watts;
    let watts = |size: Span<f64>| {
        size.combine(each.value, |gigabytes, watts| Watts::constant(1.0) * (gigabytes * watts))
    };
    let always = |all: Span<Watts>| Draw { idle: all, working: all, full: all };
    match &machine.memory {
        Known::Value(memory) => {
            let all = watts(Span::exact(memory.value.as_gb()));
            Sourced::new(always(all), each.basis.clone())
        }
        Known::Unknown(_) => {
            let ([low, likely, high], sizes) = frame.assumed().gigabytes;
            let why = format!("{sizes}; {}", each.basis.source);
            let sizes = Span::new(low, likely, high).unwrap_or(Span::exact(likely));
            Sourced::new(always(watts(sizes)), Basis::assumed(why))
        }
    }
}

/// Board, disks and fans.
fn rest(frame: &Frame) -> Sourced<Draw> {
    let Assumed { rest: [idle, full], why_rest, .. } = frame.assumed();
    let (idle, full) = (span(*idle), span(*full));
    Sourced::new(Draw { idle, working: full, full }, Basis::assumed(*why_rest))
}

/// Three numbers of ours in watts.
fn span([low, likely, high]: [f64; 3]) -> Span<Watts> {
    let watts = Span::new(low, likely, high).unwrap_or(Span::exact(likely));
    watts.map(|watts| Watts::constant(1.0) * watts)
}

fn least(one: Watts, other: Watts) -> Watts {
    if other < one { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wall_shows_hangs_on_the_supply() {
        let stated = Sourced::new(Span::exact(Watts::constant(450.0)), Basis::assumed("a meter"));
        let part = Part {
            name: PartName::Rest,
            count: 1,
            one: Known::Value(Sourced::new(
                Draw { full: Span::exact(Watts::constant(60.0)), ..Draw::NOTHING },
                Basis::assumed("a test"),
            )),
        };
        let loads = |full| {
            let wall = Wall { idle: None, working: None, full };
            Parts { list: vec![part.clone()], wall, own_supplies: None }.loads().value().unwrap()
        };
        assert_eq!(loads(None).others.likely(), Watts::constant(60.0));
        let seen = loads(Some(stated));
        assert_eq!(seen.cards.high(), Watts::ZERO);
        // 450 W at the wall are 0.85 to 0.94 of that on the other side of the supply.
        assert_eq!(seen.others.map(Watts::as_watts).likely().round() as u32, 405);
        assert!(seen.others.low().as_watts() > 380.0 && seen.others.high().as_watts() < 424.0);
    }
    use nearside_catalog::Catalog;
    use nearside_estimate::Calibration;
    use nearside_units::Bytes;

    /// A machine with so many of a device of the catalog; threads and memory where they are stated.
    fn machine(device: &str, count: u32, threads: Option<u32>) -> Machine {
        let device = Catalog::builtin().unwrap().device(device).unwrap().clone();
        let stated = |value| Sourced::new(value, Basis::assumed("a test"));
        Machine {
            processor: Known::unknown("not stated"),
            threads: Known::from_option(threads.map(stated), "not stated"),
            memory: Known::Value(Sourced::new(Bytes::gib(64), Basis::assumed("a test"))),
            disk: Known::unknown("not stated"),
            accelerators: Some(Accelerators { device: Arc::new(device), count }),
            embodied: Known::unknown("not stated"),
        }
    }

    fn parts(device: &str, count: u32, threads: Option<u32>) -> Parts {
        Parts::of(&machine(device, count, threads), &Calibration::default().power)
    }

    #[test]
    fn parts_add_up_and_the_supply_takes_its_share() {
        let parts = parts("rtx-4090", 2, Some(32));
        let direct = parts.direct().value().unwrap();
        // 2 x 450 W, 32 threads of 5 W, 68.7 GB of 0.3725 W, 50 W of the rest.
        assert!((direct.full.likely().as_watts() - 1135.6).abs() < 0.1, "{}", direct.full.likely());
        let wall = parts.wall().value().unwrap();
        assert!((wall.full.likely() / direct.full.likely() - 1.0 / 0.9).abs() < 1e-9);
        assert!(wall.idle.high() < wall.working.low());
    }

    #[test]
    fn a_chip_that_is_everything_has_no_processor_beside_it() {
        let names =
            |device| parts(device, 1, Some(8)).list.iter().map(|it| it.name).collect::<Vec<_>>();
        assert_eq!(names("gb10"), [PartName::Accelerator, PartName::Rest]);
        assert_eq!(names("l4").len(), 4);
    }

    #[test]
    fn what_is_stated_at_the_wall_wins() {
        let power = Calibration::default().power;
        let says = |watts| Some(Sourced::new(Watts::constant(watts), Basis::assumed("a test")));
        let mut parts = parts("rtx-4090", 1, None);
        parts.wall = Wall::stated(says(550.0), says(100.0), &power);
        let wall = parts.wall().value().unwrap();
        assert_eq!(
            (wall.full.to_string(), wall.idle.to_string()),
            ("550 W".into(), "100 W".into())
        );
        assert_eq!(wall.working.to_string(), "440-550 W");
        // What is assumed of the parts at rest is more than all of a small machine draws.
        parts.wall = Wall::stated(says(40.0), None, &power);
        let wall = parts.wall().value().unwrap();
        assert_eq!(wall.idle.high(), Watts::constant(40.0));
    }

    #[test]
    fn an_unknown_part_makes_the_whole_unknown() {
        let mut parts = parts("rtx-4090", 1, None);
        parts.list[0].one = Known::unknown("nobody publishes it");
        assert_eq!(parts.direct().why(), Some("nobody publishes it"));
        assert_eq!(parts.wall().value(), None);
        let says = |watts| Some(Sourced::new(Watts::constant(watts), Basis::assumed("a test")));
        parts.wall = Wall::stated(says(550.0), says(100.0), &Calibration::default().power);
        assert!(parts.wall().value().is_some(), "the wall is known all the same");
        assert!(parts.loads().value().is_none());
    }
}
