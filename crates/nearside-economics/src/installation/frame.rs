//! What a machine is built as of which little more than the accelerators is known: a desktop, servers of the
//! catalog, or servers of which only the modules or cards are known.
//!
//! A module (SXM, OAM) is sold in whole servers only, which draw far more than a desktop with as many cards
//! would: for processors, network, switches between modules, and fans. What of that is assumed is told.
//!
//! Sources: data sheets of the catalog's systems; Latif et al., Single-Node Power Demand During AI Training
//! (IEEE Access 13, 2025): 8.4 kW at most of the 10.2 kW that the maker states; Newkirk et al.,
//! arXiv 2506.14551: 76 % of it under intensive work.

use std::sync::Arc;

use nearside_catalog::{
    Accelerators, Catalog, Device, DeviceKind, Form, Machine, PartKind, System,
};
use nearside_units::{Basis, Sourced, Span, Watts};

use super::parts::Wall;

/// Cards that a server takes at the most.
const CARDS_OF_A_SERVER: u32 = 10;
/// Mean power of a server of modules at work over the most that it draws: the measured 0.76 and 0.82 of one with
/// eight H100; less where modules wait.
const AT_WORK: [f64; 3] = [0.5, 0.76, 0.82];
/// The same at rest, with fans that never stop. Nobody measured it that we know of.
const AT_REST: [f64; 3] = [0.15, 0.22, 0.35];

/// What a machine is built as.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// One board with a supply that is sold for desktops.
    Desktop,
    /// So many chips, each of which is a machine of its own.
    Chips(u32),
    /// So many servers for more cards than any board of the catalog takes.
    Servers(u32),
    /// So many of a system of the catalog.
    Systems(Box<System>, u32),
    /// Servers for modules that no system of the catalog has: so many times the power of their modules.
    Modules(Span<f64>),
}

/// What is assumed of a board and of what is on it, in watts and gigabytes, and why.
pub(super) struct Assumed {
    pub(super) processor: ([f64; 3], &'static str),
    pub(super) gigabytes: ([f64; 3], &'static str),
    pub(super) rest: [[f64; 3]; 2],
    pub(super) why_rest: &'static str,
}

const DESKTOP: Assumed = Assumed {
    processor: ([65.0, 170.0, 350.0], "a desktop of 65 W to a workstation of 350 W"),
    gigabytes: ([32.0, 64.0, 256.0], "32 to 256 GB of memory"),
    rest: [[10.0, 30.0, 60.0], [20.0, 50.0, 150.0]],
    why_rest: "20 W of a small board to the 150 W of the example in Intel's ATX 3.0 guide",
};
const SERVER: Assumed = Assumed {
    processor: ([120.0, 400.0, 800.0], "one processor of 120 W to two of 400 W"),
    gigabytes: ([64.0, 256.0, 1024.0], "64 to 1024 GB of memory"),
    rest: [[30.0, 80.0, 300.0], [50.0, 200.0, 800.0]],
    why_rest: "50 W of a workstation to 800 W of fans, network and disks of a server for ten cards",
};

impl Frame {
    /// What so many accelerators are put into.
    #[must_use]
    pub fn of(accelerators: Option<&Accelerators>, catalog: &Catalog) -> Self {
        let Some(Accelerators { device, count }) = accelerators else { return Self::Desktop };
        let servers = || Self::Servers(count.div_ceil(CARDS_OF_A_SERVER));
        match (device.form, device.kind) {
            (Form::Module, _) => in_system(device, *count, catalog)
                .or_else(|| modules_of(catalog).map(Self::Modules))
                .unwrap_or_else(servers),
            (Form::Slot, DeviceKind::Soc) if *count > 1 => Self::Chips(*count),
            (Form::Slot, DeviceKind::Soc) => Self::Desktop,
            (Form::Slot, _) => match most_on_a_board(catalog) {
                Some(most) if *count > most => servers(),
                _ => Self::Desktop,
            },
        }
    }

    /// Boards with what is on them.
    pub(super) const fn boards(&self) -> u32 {
        match self {
            Self::Chips(count) | Self::Servers(count) => *count,
            Self::Desktop | Self::Systems(..) | Self::Modules(_) => 1,
        }
    }

    /// What is assumed of each board.
    pub(super) const fn assumed(&self) -> &'static Assumed {
        match self {
            Self::Servers(_) => &SERVER,
            _ => &DESKTOP,
        }
    }

    /// Why nobody asks which supply it needs, where it brings its own.
    pub(super) fn own_supplies(&self) -> Option<Arc<str>> {
        match self {
            Self::Systems(system, _) => {
                Some(format!("{} brings its own supplies", system.title).into())
            }
            Self::Modules(_) => Some("servers of modules bring their own supplies".into()),
            Self::Chips(_) | Self::Servers(2..) => {
                Some("each of several machines has its own supply".into())
            }
            Self::Servers(_) | Self::Desktop => None,
        }
    }

    /// What whole servers draw at the wall, where that is known better than what their parts draw.
    pub(super) fn wall(&self, accelerators: Option<&Accelerators>) -> Wall {
        let full = accelerators.and_then(|found| match self {
            Self::Systems(system, count) => of_systems(system, *count, found),
            Self::Modules(times) => of_modules(*times, found),
            _ => None,
        });
        let share = |shares: [f64; 3], why: &'static str| {
            let shares = ordered(shares);
            let full = full.as_ref()?.value;
            let of_full = full.combine(shares, |watts, share| watts * share);
            Some(Sourced::new(of_full, Basis::assumed(why)))
        };
        let work = "50-82 % of the most that servers draw: measured on one with eight H100 (IEEE Access 13, 2025; arXiv 2506.14551)";
        let rest = "15-35 % of the most that servers draw";
        Wall { idle: share(AT_REST, rest), working: share(AT_WORK, work), full }
    }

    /// What is assumed of a machine, in words; nothing where it states everything that counts.
    #[must_use]
    pub fn assumption(&self, machine: &Machine) -> Option<String> {
        let Accelerators { device, count } = machine.accelerators.as_ref()?;
        let assumed = self.assumed();
        let (processor, memory) = (assumed.processor.1, assumed.gigabytes.1);
        let title = &device.title;
        Some(match self {
            Self::Systems(system, systems) => {
                let power = shown(system.power);
                let (name, slots) = (&system.title, systems * system.devices);
                let lacks = match slots - count {
                    0 => String::new(),
                    lacks => format!(", without {lacks} of {slots}"),
                };
                format!(
                    "{title} is a module of servers: {systems}x {name}, of {power} at most, is assumed{lacks}"
                )
            }
            Self::Modules(times) => format!(
                "{title} is a module of servers, and the catalog has no server with it: {:.2}-{:.2} times the \
                 power of the modules is assumed, as servers of the catalog draw",
                times.low(),
                times.high(),
            ),
            Self::Servers(servers) => {
                let servers = match servers {
                    1 => "a workstation or server is".to_owned(),
                    more => format!("{more} servers are"),
                };
                format!(
                    "{count} cards are more than a desktop's board takes: where nothing is stated, {servers} \
                     assumed, with {processor} and {memory}",
                )
            }
            Self::Chips(machines) => {
                format!(
                    "each {title} is a machine of its own: {machines} of them are counted together"
                )
            }
            Self::Desktop if device.kind == DeviceKind::Soc => return None,
            Self::Desktop if machine.threads.why().is_none() => return None,
            Self::Desktop => format!(
                "nothing is stated but the accelerators: the rest is assumed as {processor}, with {memory}; \
                 --processor or --site FILE states more",
            ),
        })
    }
}

/// The system of the catalog that holds so many modules: the smallest that takes all of them, else several of the
/// largest.
fn in_system(device: &Device, count: u32, catalog: &Catalog) -> Option<Frame> {
    let holds = |system: &&System| {
        system.device == device.name && system.power.is_some() && system.devices > 0
    };
    let systems = || catalog.systems().filter(holds);
    let takes = systems().filter(|system| system.devices >= count);
    let system = takes.min_by_key(|system| system.devices);
    let system = system.or_else(|| systems().max_by_key(|system| system.devices))?;
    Some(Frame::Systems(Box::new(system.clone()), count.div_ceil(system.devices)))
}

/// Power of the catalog's servers of modules over the power of their modules.
fn modules_of(catalog: &Catalog) -> Option<Span<f64>> {
    let ratio = |system: &System| {
        let device = catalog.device(&system.device).ok().filter(|it| it.form == Form::Module)?;
        let modules = device.power().value()?.value * f64::from(system.devices);
        Some(system.power? / modules)
    };
    let ratios: Vec<f64> =
        catalog.systems().filter_map(ratio).filter(|it| it.is_finite()).collect();
    let ends = |pick: fn(f64, f64) -> f64| ratios.iter().copied().reduce(pick);
    let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
    Span::new(ends(f64::min)?, mean, ends(f64::max)?).ok()
}

/// How many cards the largest board of the catalog takes.
fn most_on_a_board(catalog: &Catalog) -> Option<u32> {
    let cards = catalog.parts().filter_map(|part| match &part.kind {
        PartKind::Board(board) => Some(board.cards),
        _ => None,
    });
    cards.max()
}

/// What systems draw that lack some of their modules: at the most what those would draw less, at the least in
/// proportion, as a smaller server would.
fn of_systems(system: &System, count: u32, found: &Accelerators) -> Option<Sourced<Span<Watts>>> {
    let slots = count * system.devices;
    let whole = system.power? * f64::from(count);
    let basis = system.origin.basis();
    let absent = slots.saturating_sub(found.count);
    if absent == 0 {
        return Some(Sourced::new(Span::exact(whole), basis));
    }
    let low = whole * (f64::from(found.count) / f64::from(slots));
    let lacks = found.device.power().value().map(|power| power.value * f64::from(absent));
    let high = lacks
        .and_then(|lacks| whole.checked_sub(lacks))
        .filter(|high| *high >= low)
        .unwrap_or(whole);
    let middle = low + (high.checked_sub(low).unwrap_or(Watts::ZERO)) * 0.5;
    let span = Span::new(low, middle, high).ok()?;
    let why = format!("{}; {absent} of {slots} modules are not there", basis.source);
    Some(Sourced::new(span, Basis { as_of: basis.as_of, ..Basis::derived(why) }))
}

fn of_modules(times: Span<f64>, found: &Accelerators) -> Option<Sourced<Span<Watts>>> {
    let power = found.device.power().value()?.value * f64::from(found.count);
    let why =
        "power of the modules, times what servers of the catalog draw for each watt of theirs";
    Some(Sourced::new(times.map(|times| power * times), Basis::derived(why)))
}

fn ordered([low, likely, high]: [f64; 3]) -> Span<f64> {
    Span::new(low, likely, high).unwrap_or(Span::exact(likely))
}

fn shown(power: Option<Watts>) -> String {
    power.map_or_else(|| "an unknown power".to_owned(), |power| power.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(device: &str, count: u32) -> (Frame, Accelerators) {
        let catalog = Catalog::builtin().unwrap();
        let found =
            Accelerators { device: Arc::new(catalog.device(device).unwrap().clone()), count };
        (Frame::of(Some(&found), &catalog), found)
    }

    fn most(device: &str, count: u32) -> String {
        let (frame, found) = frame(device, count);
        frame.wall(Some(&found)).full.map_or_else(|| "-".into(), |full| full.value.to_string())
    }

    #[test]
    fn modules_are_in_servers_of_the_catalog() {
        assert_eq!(most("h100-sxm", 8), "10.2 kW");
        assert_eq!(most("h100-sxm", 16), "20.4 kW");
        // Half of 10.2 kW, to 10.2 kW without four times 700 W.
        assert_eq!(most("h100-sxm", 4), "5.10-7.40 kW");
        // No system of the catalog has it: 8 x 750 W x (14.3 / 8.0 to 6.5 / 3.2).
        assert_eq!(most("mi300x", 8), "10.7-12.2 kW");
        assert_eq!(
            frame("h100-sxm", 8).0.own_supplies().as_deref(),
            Some("NVIDIA DGX H100 brings its own supplies")
        );
    }

    #[test]
    fn cards_are_on_a_board_as_long_as_there_is_one() {
        assert_eq!(frame("rtx-4090", 2).0, Frame::Desktop);
        assert_eq!(frame("rtx-4090", 3).0, Frame::Servers(1));
        assert_eq!(frame("rtx-4090", 11).0, Frame::Servers(2));
        assert_eq!(frame("gb10", 1).0, Frame::Desktop);
        assert_eq!(frame("gb10", 3).0, Frame::Chips(3));
        assert_eq!(most("rtx-4090", 8), "-", "parts add up to it");
        assert_eq!(Frame::of(None, &Catalog::builtin().unwrap()), Frame::Desktop);
    }
}
