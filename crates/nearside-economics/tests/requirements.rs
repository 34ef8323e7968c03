//! The cheapest machine, held against trying every combination of parts, and against harder questions.

use std::sync::Arc;

use nearside_catalog::{Accelerators, Catalog, Condition, DeviceKind, PartKind};
use nearside_economics::installation::{
    PartName, Parts, Standard, Waits, by_design, supply_needed,
};
use nearside_economics::requirements::{
    Comfort, Compute, Found, Margin, Need, Question, Seller, Shelf, Work, cheapest,
};
use nearside_estimate::{Calibration, Device};
use nearside_units::{
    Basis, Bytes, BytesPerSecond, Currency, Duration, ExchangeRates, Known, Money, Sourced, Span,
    Watts,
};
use proptest::prelude::*;

/// Memory that the system takes; stands in the search as well.
const TAKEN: Bytes = Bytes::gib(4);

fn shelf() -> &'static Shelf {
    static SHELF: std::sync::LazyLock<Shelf> = std::sync::LazyLock::new(|| {
        let catalog = Catalog::builtin().expect("the built-in catalog");
        let rates = ExchangeRates::new(Currency::USD, std::collections::BTreeMap::new());
        Shelf::of(&catalog, &[Condition::New, Condition::Used], &rates)
    });
    &SHELF
}

/// Which parts are on a small shelf, and what they cost.
#[derive(Clone, Debug)]
struct Picks {
    parts: Vec<(usize, Option<u32>)>,
    sellers: Vec<(usize, Option<u32>)>,
}

fn dollars(price: Option<u32>) -> Known<Sourced<Money>> {
    let money = price.map(|price| {
        let money = Money::from_micros(i64::from(price) * 1_000_000, Currency::USD);
        Sourced::new(money, Basis::assumed("a test"))
    });
    Known::from_option(money, "no price is known")
}

/// A shelf of a few parts of each kind, and accelerators with needs of every piece of work.
fn small(picks: &Picks, needs: &[Vec<Need>]) -> (Shelf, Vec<Compute>) {
    let mut shelf = shelf().clone();
    let all = std::mem::take(&mut shelf.parts);
    for (at, price) in &picks.parts {
        shelf.parts.push((all[at % all.len()].0.clone(), dollars(*price)));
    }
    // Whatever was picked, a machine can be built at all.
    let kinds: [fn(&PartKind) -> bool; 7] = [
        |kind| matches!(kind, PartKind::Processor { .. }),
        |kind| matches!(kind, PartKind::Board(_)),
        |kind| matches!(kind, PartKind::Memory { .. }),
        |kind| matches!(kind, PartKind::Disk { .. }),
        |kind| matches!(kind, PartKind::Supply { .. }),
        |kind| matches!(kind, PartKind::Case { .. }),
        |kind| matches!(kind, PartKind::Cooler),
    ];
    for kind in kinds {
        let sold = |it: &&Priced| kind(&it.0.kind) && it.1.as_ref().value().is_some();
        shelf.parts.extend(all.iter().find(sold).cloned());
    }
    let sellers = shelf.sellers.clone();
    let computes = picks.sellers.iter().map(|(at, price)| {
        let (accelerators, seller) = sellers[at % sellers.len()].clone();
        let seller = match seller {
            Seller::Nobody => Seller::Nobody,
            Seller::Card { title, condition, .. } => {
                Seller::Card { title, condition, price: dollars(*price) }
            }
            Seller::System(system, _) => Seller::System(system, dollars(*price)),
        };
        let needs = needs.iter().map(|ways| {
            let there = |need: &&Need| accelerators.is_some() || need.place == Device::Processor;
            let ways: Vec<Need> = ways.iter().filter(there).copied().collect();
            if ways.is_empty() { Err(Arc::from("no way")) } else { Ok(ways) }
        });
        Compute { needs: needs.collect(), accelerators, seller }
    });
    let computes = computes.collect();
    (shelf, computes)
}

/// Whether every piece of work can be done, and by how many machines; written apart from the search, by
/// trying every combination of ways.
fn machines(
    question: &Question,
    margin: &Margin,
    compute: &Compute,
    (cores, memory): (u32, Bytes),
    shared: bool,
) -> Option<u32> {
    let mut sums: Vec<(f64, f64, f64)> = vec![(0.0, 0.0, 0.0)];
    for (work, needs) in question.works.iter().zip(&compute.needs) {
        let mut next = Vec::new();
        for need in needs.as_ref().ok()? {
            let accelerator = (need.accelerator.get() as f64 * margin.memory).round();
            let mut main = (need.memory.get() as f64 * margin.memory).round();
            main += TAKEN.get() as f64 + if shared { accelerator } else { 0.0 };
            let slow = work.slowest.is_some_and(|slowest| {
                need.work.as_seconds() * margin.speed > slowest.as_seconds()
            });
            let fits = accelerator <= need.available.get() as f64
                && main <= memory.get() as f64
                && need.cores <= cores
                && !slow;
            if fits {
                for (pass, working, up) in &sums {
                    next.push((
                        pass + need.run.as_seconds() * work.pass,
                        working + need.run.as_seconds() * work.monthly * margin.speed,
                        up + work.up.as_seconds(),
                    ));
                }
            }
        }
        sums = next;
    }
    let deadline = question.deadline.map_or(f64::INFINITY, |time| time.as_seconds());
    let in_time = sums.iter().filter(|(pass, ..)| pass * margin.speed <= deadline);
    let count = |(_, working, up): &(f64, f64, f64)| {
        let whole = |time: f64, hours: f64| (time / hours - 1e-9).ceil().max(1.0) as u32;
        let month = nearside_units::HOURS_PER_MONTH * 3600.0;
        whole(*working, question.hours.as_seconds()).max(whole(working + up, month))
    };
    in_time.map(count).min()
}

/// The least price by trying every combination of all parts; `None` where none is enough and priced.
fn brute(question: &Question, margin: &Margin, shelf: &Shelf, computes: &[Compute]) -> Option<f64> {
    let of = |compute: &Compute| match &compute.seller {
        Seller::System(system, price) => {
            whole(question, margin, shelf, compute, (system.as_ref(), price))
        }
        _ => built(question, margin, shelf, compute),
    };
    computes.iter().filter_map(of).reduce(f64::min)
}

fn price(known: &Known<Sourced<Money>>) -> Option<f64> {
    known.as_ref().value().map(|price| price.value.as_f64())
}

/// Disk space that is asked for, as the search rounds it.
fn disk_needed(question: &Question, margin: &Margin) -> f64 {
    (question.disk.get() as f64 * margin.disk).round()
}

/// A machine that is sold as one, with every disk that may be added.
fn whole(
    question: &Question,
    margin: &Margin,
    shelf: &Shelf,
    compute: &Compute,
    (system, own): (&nearside_catalog::System, &Known<Sourced<Money>>),
) -> Option<f64> {
    if system.network? < question.network {
        return None;
    }
    let soc = compute.accelerators.as_ref()?.device.kind == DeviceKind::Soc;
    let count = machines(question, margin, compute, (system.cores, system.memory), soc)?;
    let needed = disk_needed(question, margin);
    let each = if system.disk.is_some_and(|disk| disk.get() as f64 >= needed) {
        price(own)
    } else if soc && system.disk.is_some() {
        None
    } else {
        let disks = shelf.parts.iter().flat_map(|disk| [(disk, 1.0), (disk, 2.0)]);
        let disk = |((part, cost), count): (&Priced, f64)| match part.kind {
            PartKind::Disk { capacity, solid_state: true }
                if capacity.get() as f64 * count >= needed =>
            {
                Some(price(own)? + price(cost)? * count)
            }
            _ => None,
        };
        disks.filter_map(disk).reduce(f64::min)
    };
    each.map(|each| each * f64::from(count))
}

/// Every board with every processor, every amount of memory and all the rest.
fn built(question: &Question, margin: &Margin, shelf: &Shelf, compute: &Compute) -> Option<f64> {
    let mut best: Option<f64> = None;
    for board in &shelf.parts {
        for processor in &shelf.parts {
            for memory in &shelf.parts {
                for kits in 1..=2u32 {
                    let found = of_parts(
                        question,
                        margin,
                        shelf,
                        compute,
                        ([board, processor, memory], kits),
                    );
                    best = found.into_iter().chain(best).reduce(f64::min);
                }
            }
        }
    }
    best
}

/// The least price with these parts, by trying every disk, supply, case and cooler.
fn of_parts(
    question: &Question,
    margin: &Margin,
    shelf: &Shelf,
    compute: &Compute,
    ([board, processor, memory], kits): ([&Priced; 3], u32),
) -> Option<f64> {
    let PartKind::Board(takes) = &board.0.kind else { return None };
    let PartKind::Processor { socket, cores, .. } = &processor.0.kind else { return None };
    let PartKind::Memory { generation, capacity, modules } = &memory.0.kind else { return None };
    let cards = compute.accelerators.as_ref().map_or(0, |it| it.count);
    let size = Bytes::new(capacity.get() * u64::from(kits));
    let possible = *socket == takes.socket
        && *generation == takes.generation
        && kits * modules <= takes.memory_slots
        && size <= takes.most_memory
        && takes.cards >= cards
        && takes.network >= question.network;
    let count = possible.then(|| machines(question, margin, compute, (*cores, size), false))??;
    let rating = rating(compute, &processor.0, size)?;
    let card = match &compute.seller {
        Seller::Card { price: card, .. } => price(card)? * f64::from(cards),
        _ => 0.0,
    };
    let chosen =
        card + price(&board.1)? + price(&processor.1)? + price(&memory.1)? * f64::from(kits);
    let pairs = combinations(shelf).into_iter().flat_map(|rest| [(rest, 1.0), (rest, 2.0)]);
    let rest = pairs.filter_map(|([disk, supply, case, cooler], disks)| {
        let PartKind::Disk { capacity, solid_state: true } = disk.0.kind else { return None };
        let PartKind::Supply { power, atx } = supply.0.kind else { return None };
        let PartKind::Case { large } = case.0.kind else { return None };
        let standard = if atx >= 3.0 { Standard::Atx3 } else { Standard::Atx2 };
        let fits = capacity.get() as f64 * disks >= disk_needed(question, margin)
            && power >= rating.by(standard).likely()
            && (large || (cards < 2 && !takes.extended));
        let cost =
            price(&disk.1)? * disks + price(&supply.1)? + price(&case.1)? + price(&cooler.1)?;
        fits.then_some(cost)
    });
    rest.reduce(f64::min).map(|rest| (chosen + rest) * f64::from(count))
}

/// What a supply must give.
fn rating(
    compute: &Compute,
    processor: &nearside_catalog::Part,
    memory: Bytes,
) -> Option<nearside_economics::installation::SupplyNeeded> {
    let PartKind::Processor { cores, power: watts, .. } = processor.kind else { return None };
    let says = || Basis::assumed("a test");
    let machine = nearside_catalog::Machine {
        processor: Known::unknown("not asked"),
        threads: Known::Value(Sourced::new(cores, says())),
        memory: Known::Value(Sourced::new(memory, says())),
        disk: Known::unknown("not asked"),
        accelerators: compute.accelerators.clone(),
        embodied: Known::unknown("not asked"),
    };
    let waits = match compute.accelerators {
        Some(_) => Waits::ForAccelerators,
        None => Waits::ForNothing,
    };
    let power = Calibration::default().power;
    let draw = Sourced::new(by_design(Span::exact(watts), waits, &power), says());
    supply_needed(&Parts::of(&machine, &power).with(PartName::Processor, &draw)).value()
}

type Priced = (nearside_catalog::Part, Known<Sourced<Money>>);

/// Every disk with every supply, case and cooler.
fn combinations(shelf: &Shelf) -> Vec<[&Priced; 4]> {
    let of = |kind: fn(&PartKind) -> bool| {
        shelf.parts.iter().filter(move |(part, _)| kind(&part.kind)).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for disk in of(|kind| matches!(kind, PartKind::Disk { .. })) {
        for supply in of(|kind| matches!(kind, PartKind::Supply { .. })) {
            for case in of(|kind| matches!(kind, PartKind::Case { .. })) {
                for cooler in of(|kind| matches!(kind, PartKind::Cooler)) {
                    all.push([disk, supply, case, cooler]);
                }
            }
        }
    }
    all
}

prop_compose! {
    fn a_need()(
        on_processor in any::<bool>(),
        rung in 0usize..3,
        accelerator in 1u64..40,
        spare in 0u64..30,
        memory in 0u64..70,
        cores in prop::sample::select(vec![6u32, 6, 6, 8, 16]),
        work in 1u64..40,
        run in 1u64..40,
    ) -> Need {
        Need {
            rung,
            place: if on_processor { Device::Processor } else { Device::Accelerator },
            accelerator: if on_processor { Bytes::ZERO } else { Bytes::gib(accelerator) },
            available: Bytes::gib(if on_processor { 0 } else { accelerator + spare }),
            memory: Bytes::gib(memory),
            cores: if on_processor { cores } else { 0 },
            work: Duration::hours(work as f64),
            run: Duration::hours(run as f64),
        }
    }
}

prop_compose! {
    fn a_question()(
        works in prop::collection::vec(
            (1u32..6, 1u32..3, prop::option::weighted(0.2, 20u64..300), prop::sample::select(vec![0u32, 0, 90, 400])),
            1..4,
        ),
        disk in 100u64..9000,
        network in prop::sample::select(vec![0.5e9, 0.5e9, 2e9, 9e9]),
        deadline in prop::option::weighted(0.3, 60u64..600),
        hours in 50u64..600,
    ) -> Question {
        let work = |(monthly, pass, slowest, up): &(u32, u32, Option<u64>, u32)| Work {
            stage: "stage".into(),
            rungs: Vec::new(),
            monthly: f64::from(*monthly),
            pass: f64::from(*pass),
            up: Duration::hours(f64::from(*up)),
            slowest: slowest.map(|hours| Duration::hours(hours as f64)),
        };
        Question {
            works: works.iter().map(work).collect(),
            disk: Bytes::new(disk * 1_000_000_000),
            network: BytesPerSecond::constant(network / 8.0),
            deadline: deadline.map(|hours| Duration::hours(hours as f64)),
            hours: Duration::hours(hours as f64),
        }
    }
}

fn a_price() -> impl Strategy<Value = Option<u32>> {
    prop::option::weighted(0.85, 10u32..5000)
}

prop_compose! {
    fn picks()(
        parts in prop::collection::vec((0usize..400, a_price()), 0..12),
        sellers in prop::collection::vec((0usize..400, a_price()), 2..9),
    ) -> Picks {
        Picks { parts, sellers }
    }
}

fn comfort() -> impl Strategy<Value = Comfort> {
    prop::sample::select(Comfort::ALL.to_vec())
}

fn least(question: &Question, margin: &Margin, shelf: &Shelf, computes: &[Compute]) -> Found {
    cheapest(question, margin, shelf, computes, &Calibration::default().power)
}

fn amount(found: &Found) -> Option<f64> {
    found.cheapest().and_then(|machine| machine.price()).map(Money::as_f64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn the_cheapest_machine_is_that_of_trying_everything(
        picks in picks(), question in a_question(), comfort in comfort(),
        needs in prop::collection::vec(prop::collection::vec(a_need(), 1..4), 3),
    ) {
        let needs = &needs[..question.works.len()];
        let (shelf, computes) = small(&picks, needs);
        let found = least(&question, &comfort.margin(), &shelf, &computes);
        let expected = brute(&question, &comfort.margin(), &shelf, &computes);
        match (amount(&found), expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-6),
            (found, expected) => prop_assert!(false, "{found:?}, by trying everything {expected:?}"),
        }
    }

    /// More bytes, more work, less time or more to keep never makes a machine cheaper.
    #[test]
    fn a_harder_question_is_never_cheaper(
        picks in picks(), question in a_question(), comfort in comfort(),
        needs in prop::collection::vec(prop::collection::vec(a_need(), 1..4), 3),
        bytes in 1.0f64..2.0, work in 1.0f64..3.0, often in 1.0f64..3.0, disk in 1.0f64..2.0,
    ) {
        let needs = &needs[..question.works.len()];
        let (shelf, computes) = small(&picks, needs);
        let easier = least(&question, &comfort.margin(), &shelf, &computes);
        let harder: Vec<Vec<Need>> = needs.iter().map(|ways| ways.iter().map(|need| Need {
            accelerator: need.accelerator.scaled(bytes),
            memory: need.memory.scaled(bytes),
            work: need.work * work,
            run: need.run * work,
            ..*need
        }).collect()).collect();
        let mut asked = question.clone();
        asked.disk = asked.disk.scaled(disk);
        asked.works.iter_mut().for_each(|work| work.monthly *= often);
        let (_, harder) = small(&picks, &harder);
        let harder = least(&asked, &comfort.margin(), &shelf, &harder);
        match (amount(&easier), amount(&harder)) {
            (Some(easier), Some(harder)) => prop_assert!(harder >= easier - 1e-6),
            (None, Some(_)) => prop_assert!(false, "what was not enough is enough for more"),
            _ => {}
        }
        let next = Comfort::ALL.into_iter().find(|other| *other > comfort);
        if let Some(next) = next {
            let more = least(&question, &next.margin(), &shelf, &computes);
            let dearer = amount(&more).is_none_or(|more| {
                amount(&easier).is_some_and(|least| more >= least - 1e-6)
            });
            prop_assert!(dearer);
        }
    }

    /// Every machine that is named without a price is enough, and none of them is larger than another.
    #[test]
    fn where_no_price_is_known_the_smallest_are_named(
        sellers in prop::collection::vec(0usize..400, 1..6),
        question in a_question(),
        needs in prop::collection::vec(prop::collection::vec(a_need(), 1..4), 3),
    ) {
        let needs = &needs[..question.works.len()];
        let sellers = sellers.into_iter().map(|at| (at, None)).collect();
        let (mut shelf, computes) = small(&Picks { parts: Vec::new(), sellers }, needs);
        shelf.parts.iter_mut().for_each(|(_, price)| *price = dollars(None));
        let margin = Comfort::Minimum.margin();
        let found = least(&question, &margin, &shelf, &computes);
        prop_assert!(amount(&found).is_none());
        if let Found::Unpriced(machines) = found {
            prop_assert!(!machines.is_empty());
            for machine in &machines {
                prop_assert!(machine.price().is_none() && !machine.total().missing.is_empty());
                prop_assert!(machine.memory >= TAKEN && machine.count >= 1);
                let smaller = machines.iter().filter(|other| {
                    let devices = |it: &nearside_economics::requirements::Machine| {
                        let of = |it: &Accelerators| {
                            let memory = it.device.memory().value().map_or(0, |it| it.value.get());
                            (memory * u64::from(it.count), it.count)
                        };
                        it.accelerators.as_ref().map_or((0, 0), of)
                    };
                    let (one, two) = (devices(other), devices(machine));
                    *other != machine && one.0 <= two.0 && one.1 <= two.1
                        && other.cores <= machine.cores && other.memory <= machine.memory
                        && other.count <= machine.count
                });
                prop_assert_eq!(smaller.count(), 0);
            }
        }
    }
}

#[test]
fn every_watt_of_a_supply_is_asked_for() {
    let need = Need {
        rung: 0,
        place: Device::Accelerator,
        accelerator: Bytes::gib(20),
        available: Bytes::gib(23),
        memory: Bytes::gib(8),
        cores: 0,
        work: Duration::hours(1.0),
        run: Duration::hours(1.0),
    };
    let shelf = shelf();
    let card = |name: &str| {
        let found = shelf.sellers.iter().find(|(accelerators, seller)| {
            matches!(seller, Seller::Card { .. })
                && accelerators.as_ref().is_some_and(|it| &*it.device.name == name && it.count == 2)
        });
        let (accelerators, seller) = found.unwrap().clone();
        Compute { accelerators, seller, needs: vec![Ok(vec![need])] }
    };
    let question = Question {
        works: vec![Work {
            stage: "train".into(),
            rungs: Vec::new(),
            monthly: 1.0,
            pass: 1.0,
            up: Duration::ZERO,
            slowest: None,
        }],
        disk: Bytes::new(1_000_000_000),
        network: BytesPerSecond::from_bytes_per_second(1e8).unwrap(),
        deadline: None,
        hours: Duration::hours(500.0),
    };
    let margin = Comfort::Minimum.margin();
    let supply = |name| {
        let found = least(&question, &margin, shelf, &[card(name)]);
        found.cheapest().map(|machine| machine.supply.unwrap())
    };
    let (has, must) = supply("rtx-4090").unwrap();
    assert!(has >= must && must > Watts::constant(1000.0), "{has} of {must}");
    // Two cards of 575 W ask for more than any supply on the shelf gives.
    assert_eq!(supply("rtx-5090"), None);
}
