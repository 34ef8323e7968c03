//! The cheapest machine of a shelf that is enough.
//!
//! Which work can be done depends on accelerators, cores and main memory alone; disk, supply, case and
//! cooler only have to be large enough for the rest, and cost what they cost. So accelerators, processor,
//! board and memory are tried in every combination, and for each the cheapest of everything else: that is
//! what trying every combination of all parts would find.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_catalog::{Accelerators, Board, DeviceKind, Part, PartKind, System};
use nearside_estimate::calibration::PowerUse;
use nearside_units::{Basis, Bytes, Duration, HOURS_PER_MONTH, Known, Money, Sourced, Span, Watts};

use super::machine::{Bought, Done, Found, Machine, Role};
use super::need::Need;
use super::shelf::{Compute, Seller, Shelf};
use super::{Margin, Question};
use crate::installation::{
    PartName, Parts, Standard, SupplyNeeded, Waits, by_design, supply_needed,
};

/// Main memory that is taken before any work begins.
pub(super) const TAKEN: Bytes = Bytes::gib(4);
/// At most so many kits of memory are put into one board.
const KITS: u32 = 2;
/// At most so many disks of a kind: every board on the shelf takes two.
const DISKS: u32 = 2;
/// A month.
pub(super) const MONTH: Duration = Duration::hours(HOURS_PER_MONTH);
/// So many of the smallest machines are named where no price is known.
const SMALLEST: usize = 12;

/// The cheapest machine that is enough for the question with a margin, among all that can be bought.
///
/// Of machines with equal prices the first of the shelf.
#[must_use]
pub fn cheapest(
    question: &Question,
    margin: &Margin,
    shelf: &Shelf,
    computes: &[Compute],
    power: &PowerUse,
) -> Found {
    let search = Search { question, margin, shelf, power };
    let mut best: Option<(Money, Machine)> = None;
    let mut unpriced = Vec::new();
    for machine in computes.iter().flat_map(|compute| search.machines(compute)) {
        match machine.price() {
            Some(price) => {
                let better = best
                    .as_ref()
                    .is_none_or(|(least, _)| price.partial_cmp(least) == Some(Ordering::Less));
                if better {
                    best = Some((price, machine));
                }
            }
            None => unpriced.push(machine),
        }
    }
    match best {
        Some((_, machine)) => Found::Cheapest(Box::new(machine)),
        None if unpriced.is_empty() => Found::Nothing(search.why_nothing(computes)),
        None => Found::Unpriced(smallest(unpriced)),
    }
}

/// What is tried, and against what.
struct Search<'a> {
    question: &'a Question,
    margin: &'a Margin,
    shelf: &'a Shelf,
    power: &'a PowerUse,
}

/// A machine as far as work can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Platform {
    cores: u32,
    memory: Bytes,
    /// Whether accelerators share that memory.
    shared: bool,
}

/// How all work is done.
struct Plan {
    done: Vec<Done>,
    machines: u32,
}

type Priced<'a> = (&'a Part, &'a Known<Sourced<Money>>);

impl Search<'_> {
    /// Every machine around these accelerators that is enough, each with the cheapest of all parts that
    /// work cannot tell apart.
    fn machines(&self, compute: &Compute) -> Vec<Machine> {
        if !compute.needs.iter().all(Result::is_ok) {
            return Vec::new();
        }
        match &compute.seller {
            Seller::System(system, price) => {
                self.system(compute, system, price).into_iter().collect()
            }
            Seller::Nobody | Seller::Card { .. } => self.built(compute),
        }
    }

    fn system(
        &self,
        compute: &Compute,
        system: &System,
        price: &Known<Sourced<Money>>,
    ) -> Option<Machine> {
        // What is not known is not enough.
        if system.network.is_none_or(|network| network < self.question.network) {
            return None;
        }
        let soc = compute.accelerators.as_ref().is_some_and(|it| it.device.kind == DeviceKind::Soc);
        let platform = Platform { cores: system.cores, memory: system.memory, shared: soc };
        let plan = self.plan(compute, platform)?;
        let whole = Bought {
            role: Role::System,
            title: Arc::clone(&system.title),
            count: 1,
            condition: system.condition,
            price: price.clone(),
        };
        let wanted = self.question.disk.scaled(self.margin.disk);
        let (disk, more) = match system.disk {
            Some(disk) if disk >= wanted => (disk, None),
            // What is soldered or sealed cannot be added to.
            Some(_) if soc => return None,
            _ => {
                let (disk, bought) = self.disk(wanted)?;
                (disk, Some(bought))
            }
        };
        Some(Machine {
            accelerators: compute.accelerators.clone(),
            cores: platform.cores,
            memory: platform.memory,
            shared: soc,
            disk,
            supply: None,
            network: system.network,
            parts: std::iter::once(whole).chain(more).collect(),
            count: plan.machines,
            done: plan.done,
        })
    }

    fn built(&self, compute: &Compute) -> Vec<Machine> {
        let mut found = Vec::new();
        let mut plans: BTreeMap<Platform, Option<Plan>> = BTreeMap::new();
        let count = compute.accelerators.as_ref().map_or(0, |it| it.count);
        for (board, board_price) in self.of_kind(|kind| matches!(kind, PartKind::Board(_))) {
            let PartKind::Board(takes) = &board.kind else { continue };
            if takes.cards < count || takes.network < self.question.network {
                continue;
            }
            for (memory, kits, size) in self.memories(takes) {
                for (processor, processor_price) in self.processors(&takes.socket) {
                    let PartKind::Processor { cores, .. } = processor.kind else { continue };
                    let platform = Platform { cores, memory: size, shared: false };
                    let plan =
                        plans.entry(platform).or_insert_with(|| self.plan(compute, platform));
                    let Some(plan) = plan else { continue };
                    let chosen = [
                        bought(Role::Processor, (processor, processor_price), 1),
                        bought(Role::Board, (board, board_price), 1),
                        bought(Role::Memory, memory, kits),
                    ];
                    found.extend(self.completed(
                        compute,
                        platform,
                        (processor, takes),
                        chosen,
                        plan,
                    ));
                }
            }
        }
        found
    }

    /// With the cheapest disk, supply, case and cooler that are large enough.
    fn completed(
        &self,
        compute: &Compute,
        platform: Platform,
        (processor, board): (&Part, &Board),
        chosen: [Bought; 3],
        plan: &Plan,
    ) -> Option<Machine> {
        let (disk, disk_bought) = self.disk(self.question.disk.scaled(self.margin.disk))?;
        let needed = self.supply_needed(compute, platform, processor);
        let ((supply, must), supply_bought) = self.supply(&needed)?;
        let many = compute.accelerators.as_ref().is_some_and(|it| it.count > 1);
        let roomy = many || board.extended;
        let case = self.least(Role::Case, |kind| match kind {
            PartKind::Case { large } => *large || !roomy,
            _ => false,
        })?;
        let cooler = self.least(Role::Cooler, |kind| matches!(kind, PartKind::Cooler))?;
        let cards = match (&compute.seller, &compute.accelerators) {
            (Seller::Card { title, condition, price }, Some(accelerators)) => Some(Bought {
                role: Role::Accelerator,
                title: Arc::clone(title),
                count: accelerators.count,
                condition: *condition,
                price: price.clone(),
            }),
            _ => None,
        };
        let rest = [disk_bought, supply_bought, case, cooler];
        Some(Machine {
            accelerators: compute.accelerators.clone(),
            cores: platform.cores,
            memory: platform.memory,
            shared: false,
            disk,
            supply: Some((supply, must)),
            network: Some(board.network),
            parts: cards.into_iter().chain(chosen).chain(rest).collect(),
            count: plan.machines,
            done: plan.done.clone(),
        })
    }

    fn of_kind(&self, kind: impl Fn(&PartKind) -> bool) -> impl Iterator<Item = Priced<'_>> {
        let parts = self.shelf.parts.iter().map(|(part, price)| (part, price));
        parts.filter(move |(part, _)| kind(&part.kind))
    }

    fn processors(&self, socket: &str) -> impl Iterator<Item = Priced<'_>> {
        self.of_kind(move |kind| match kind {
            PartKind::Processor { socket: own, .. } => &**own == socket,
            _ => false,
        })
    }

    /// Every amount of memory that a board takes: kits of one kind.
    fn memories(&self, board: &Board) -> Vec<(Priced<'_>, u32, Bytes)> {
        let mut found = Vec::new();
        for (part, price) in self.of_kind(|kind| matches!(kind, PartKind::Memory { .. })) {
            let PartKind::Memory { generation, capacity, modules } = &part.kind else { continue };
            let sizes = (1..=KITS).map(|kits| (kits, capacity.scaled(f64::from(kits))));
            let fits = sizes.filter(|(kits, size)| {
                *generation == board.generation
                    && kits * modules <= board.memory_slots
                    && *size <= board.most_memory
            });
            found.extend(fits.map(|(kits, size)| ((part, price), kits, size)));
        }
        found
    }

    /// The cheapest disk, or disks of a kind, with so much space.
    fn disk(&self, wanted: Bytes) -> Option<(Bytes, Bought)> {
        let sizes = |part: Priced<'_>| match part.0.kind {
            PartKind::Disk { capacity, solid_state: true } => (1..=DISKS)
                .map(|count| (capacity.scaled(f64::from(count)), bought(Role::Disk, part, count)))
                .find(|(size, _)| *size >= wanted),
            _ => None,
        };
        self.of_kind(|_| true)
            .filter_map(sizes)
            .min_by(|(_, one), (_, other)| cheaper(&one.cost(), &other.cost()))
    }

    /// The cheapest supply that is likely large enough by a rule that has its reserve, what it gives, and what
    /// it must. None where nobody knows what the parts draw.
    fn supply(&self, needed: &Known<SupplyNeeded>) -> Option<((Watts, Watts), Bought)> {
        let needed = needed.as_ref().value()?;
        let must = |atx: f64| needed.by(standard(atx)).likely();
        let large = |kind: &PartKind| match kind {
            PartKind::Supply { power, atx } => *power >= must(*atx),
            _ => false,
        };
        let (part, price) = least(self.of_kind(large))?;
        let PartKind::Supply { power, atx } = part.kind else { return None };
        let supply = bought(Role::Supply, (part, price), 1);
        Some(((power, must(atx)), supply))
    }

    fn supply_needed(
        &self,
        compute: &Compute,
        platform: Platform,
        processor: &Part,
    ) -> Known<SupplyNeeded> {
        let PartKind::Processor { power: watts, .. } = processor.kind else {
            return Known::unknown(format!("{} is no processor", processor.title));
        };
        let asked = || Basis::assumed("what is tried");
        let machine = nearside_catalog::Machine {
            processor: Known::Value(Arc::clone(&processor.title)),
            threads: Known::Value(Sourced::new(platform.cores, asked())),
            memory: Known::Value(Sourced::new(platform.memory, asked())),
            disk: Known::unknown("not asked about"),
            accelerators: compute.accelerators.clone(),
            embodied: Known::unknown("not asked about"),
        };
        let waits = match compute.accelerators {
            Some(_) => Waits::ForAccelerators,
            None => Waits::ForNothing,
        };
        let draw = by_design(Span::exact(watts), waits, self.power);
        let draw = Sourced::new(draw, processor.origin.basis());
        supply_needed(&Parts::of(&machine, self.power).with(PartName::Processor, &draw))
    }

    fn least(&self, role: Role, kind: impl Fn(&PartKind) -> bool) -> Option<Bought> {
        least(self.of_kind(kind)).map(|part| bought(role, part, 1))
    }

    /// How all work is done on machines of one kind; `None` where they are not enough.
    fn plan(&self, compute: &Compute, platform: Platform) -> Option<Plan> {
        let possible: Option<Vec<Vec<&Need>>> = compute
            .needs
            .iter()
            .zip(&self.question.works)
            .map(|(needs, work)| {
                let needs = needs.as_ref().ok()?.iter();
                let fits = |need: &&Need| self.fits(need, platform, work.slowest);
                let possible: Vec<_> = needs.filter(fits).collect();
                (!possible.is_empty()).then_some(possible)
            })
            .collect();
        let possible = possible?;
        let fastest =
            self.planned(&possible, |one, other| seconds(one).total_cmp(&seconds(other)))?;
        let mildest = self.planned(&possible, |one, other| {
            one.rung.cmp(&other.rung).then(seconds(one).total_cmp(&seconds(other)))
        });
        Some(mildest.filter(|plan| plan.machines == fastest.machines).unwrap_or(fastest))
    }

    fn fits(&self, need: &Need, platform: Platform, slowest: Option<Duration>) -> bool {
        let Margin { memory, speed, .. } = *self.margin;
        let accelerator = need.accelerator.scaled(memory);
        let both = if platform.shared { accelerator } else { Bytes::ZERO };
        let main = [need.memory.scaled(memory), both, TAKEN];
        let main = main.iter().try_fold(Bytes::ZERO, |sum, part| sum.checked_add(*part));
        accelerator <= need.available
            && main.is_some_and(|main| main <= platform.memory)
            && need.cores <= platform.cores
            && slowest.is_none_or(|slowest| need.work * speed <= slowest)
    }

    /// Every piece of work in the best of its possible ways; `None` where one pass takes too long.
    fn planned(
        &self,
        possible: &[Vec<&Need>],
        order: impl Fn(&Need, &Need) -> Ordering,
    ) -> Option<Plan> {
        let Question { works, deadline, hours, .. } = self.question;
        let mut pass = Duration::ZERO;
        let (mut working, mut up) = (Duration::ZERO, Duration::ZERO);
        let mut done = Vec::new();
        for (at, (ways, work)) in possible.iter().zip(works).enumerate() {
            let need = **ways.iter().min_by(|one, other| order(one, other))?;
            let busy = need.run * work.monthly;
            pass += need.run * work.pass;
            working += busy * self.margin.speed;
            up += work.up;
            done.push(Done { work: at, need, month: busy + work.up });
        }
        let late = deadline.is_some_and(|deadline| pass * self.margin.speed > deadline);
        // Nothing else is done while a service is up, which is as long on a faster machine; a service may be
        // up all the time.
        let machines = machines(working, *hours).max(machines(working + up, MONTH));
        let possible = !late && machines <= f64::from(u16::MAX);
        possible.then_some(Plan { done, machines: machines as u32 })
    }

    /// For each piece of work that fits nothing, why not what has most memory; else what is not enough.
    fn why_nothing(&self, computes: &[Compute]) -> Vec<(Option<usize>, Arc<str>)> {
        let memory = |compute: &&Compute| {
            compute.accelerators.as_ref().map_or(0, |Accelerators { device, count }| {
                let each = device.memory().value().map_or(0, |memory| memory.value.get());
                each.saturating_mul(u64::from(*count))
            })
        };
        let largest = computes.iter().max_by_key(memory);
        let works = 0..self.question.works.len();
        let fits_nothing = works.filter(|work| {
            computes.iter().all(|compute| compute.needs.get(*work).is_none_or(Result::is_err))
        });
        let why = |work: usize| match largest.and_then(|compute| compute.needs.get(work)) {
            Some(Err(why)) => (Some(work), Arc::clone(why)),
            _ => (Some(work), "it fits nothing".into()),
        };
        let mut found: Vec<_> = fits_nothing.map(why).collect();
        let kept = self.question.disk.scaled(self.margin.disk);
        if self.disk(kept).is_none() {
            let why = format!("{} are to be kept, more than any {DISKS} disks hold", kept.si());
            found.push((None, why.into()));
        }
        match found.is_empty() {
            false => found,
            true => {
                let why = "each fits something, but no machine has all the memory, speed and disk that \
                           are asked for";
                vec![(None, why.into())]
            }
        }
    }
}

/// How many machines it takes for so much time in a month, of which each has `hours`.
fn machines(time: Duration, hours: Duration) -> f64 {
    // A rounding error buys no second machine.
    (time.as_seconds() / hours.as_seconds() - 1e-9).ceil().max(1.0)
}

const fn standard(atx: f64) -> Standard {
    if atx >= 3.0 { Standard::Atx3 } else { Standard::Atx2 }
}

fn seconds(need: &Need) -> f64 {
    need.run.as_seconds()
}

fn bought(role: Role, (part, price): Priced<'_>, count: u32) -> Bought {
    Bought {
        role,
        title: Arc::clone(&part.title),
        count,
        condition: part.condition,
        price: price.clone(),
    }
}

/// The part with the least price; one without a price only where none has one.
fn least<'a>(parts: impl Iterator<Item = Priced<'a>>) -> Option<Priced<'a>> {
    let money = |price: &Known<Sourced<Money>>| price.as_ref().map(|price| price.value);
    parts.min_by(|(_, one), (_, other)| cheaper(&money(one), &money(other)))
}

/// The order of prices of one shelf; what is not known comes last.
fn cheaper(one: &Known<Money>, other: &Known<Money>) -> Ordering {
    let amount = |price: &Known<Money>| price.as_ref().value().map(|price| price.amount());
    match (amount(one), amount(other)) {
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// Those of which none other has no more of everything: accelerator memory, accelerators, cores, main
/// memory, and no more machines.
fn smallest(machines: Vec<Machine>) -> Vec<Machine> {
    let size = |machine: &Machine| {
        let accelerators = machine.accelerators.as_ref();
        let memory = accelerators.and_then(|it| it.device.memory().value());
        let count = accelerators.map_or(0, |it| it.count);
        [
            u64::from(machine.count),
            memory.map_or(0, |memory| memory.value.get().saturating_mul(u64::from(count))),
            u64::from(count),
            u64::from(machine.cores),
            machine.memory.get(),
        ]
    };
    let sizes: Vec<_> = machines.iter().map(size).collect();
    let no_more = |one: &[u64; 5], other: &[u64; 5]| one.iter().zip(other).all(|(a, b)| a <= b);
    let kept = |at: usize| {
        let dominated = |other: usize| {
            other != at
                && no_more(&sizes[other], &sizes[at])
                && (sizes[other] != sizes[at] || other < at)
        };
        !(0..sizes.len()).any(dominated)
    };
    let mut found: Vec<_> =
        machines.iter().enumerate().filter(|(at, _)| kept(*at)).map(|(_, it)| it.clone()).collect();
    found.sort_by_key(size);
    found.truncate(SMALLEST);
    found
}
