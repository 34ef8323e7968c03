//! Which choices are in, and what do they weigh?
//!
//! A [`Model`] is a [`Problem`] under certain [`Terms`], compiled to whole numbers: per stage the
//! eligible candidates grouped by location, per edge the weight of every crossing. The solvers see
//! nothing else.
//!
//! A figure that is unknown, and that no goal and no limit needs, weighs more than all known
//! figures of its kind together: among equally good plans the one with the fewest unknown parts
//! wins, and unknown is never cheap.

use std::collections::BTreeMap;

use nearside_units::Known;

use crate::amount::Objective;
use crate::problem::{Choice, LocationId, Obstacle, Problem, Route, moved};

/// Axis: how many stages break a limit that was dropped.
pub(crate) const BREAKS: usize = 0;
/// Axis: micros per month.
pub(crate) const COST: usize = 1;
/// Axis: milligrams per month.
pub(crate) const CARBON: usize = 2;
/// Axis: milliseconds of one pass.
pub(crate) const TIME: usize = 3;
/// How many axes there are.
pub(crate) const AXES: usize = 4;
/// The axes that simply add up over stages and edges.
pub(crate) const ADDITIVE: [usize; 3] = [BREAKS, COST, CARBON];

/// One number per axis.
pub(crate) type Amounts = [u64; AXES];

/// The axis of an objective.
pub(crate) const fn axis(objective: Objective) -> usize {
    match objective {
        Objective::Cost => COST,
        Objective::Time => TIME,
        Objective::Carbon => CARBON,
    }
}

/// The objective of an axis, except of [`BREAKS`].
pub(crate) const fn objective(axis: usize) -> Option<Objective> {
    match axis {
        COST => Some(Objective::Cost),
        TIME => Some(Objective::Time),
        CARBON => Some(Objective::Carbon),
        _ => None,
    }
}

/// Under which limits, and towards which goals, a problem is solved.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Axes to make small, the most important first.
    pub(crate) goals: Vec<usize>,
    /// The most of each axis.
    pub(crate) limits: [Option<u64>; AXES],
    /// Figures without which a choice is out.
    pub(crate) needed: [bool; AXES],
    /// Named limits that may be broken.
    pub(crate) dropped: Vec<bool>,
    /// A stage and the site it must not use.
    pub(crate) banned: Option<(usize, String)>,
}

impl Terms {
    /// The terms the problem itself states.
    pub(crate) fn of(problem: &Problem) -> Self {
        let objectives = [Objective::Cost, Objective::Carbon, Objective::Time];
        let mut terms = Self {
            goals: vec![axis(problem.objective)],
            limits: [None; AXES],
            needed: [false; AXES],
            dropped: vec![false; problem.limits.named.len()],
            banned: None,
        };
        for objective in objectives {
            terms.limits[axis(objective)] = problem.limits.on(objective);
            terms.needed[axis(objective)] = problem.needs(objective);
        }
        let first = terms.goals[0];
        terms.goals.extend([COST, CARBON].into_iter().filter(|axis| *axis != first));
        terms
    }

    /// The same terms with fewest broken limits as the first goal.
    pub(crate) fn breaking(mut self, dropped: &[usize]) -> Self {
        for limit in dropped {
            self.dropped[*limit] = true;
        }
        self.goals.insert(0, BREAKS);
        self
    }
}

/// Why a choice is out before anything is compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Exclusion {
    /// It has obstacles that count.
    Obstacles(Vec<Obstacle>),
    /// A figure that is needed is unknown.
    Unknown(Objective, std::sync::Arc<str>),
}

/// Whether a choice may be taken under the terms: its weights, or why not.
pub(crate) fn weigh(
    terms: &Terms,
    choice: &Choice,
    unknown: &Amounts,
) -> Result<Amounts, Exclusion> {
    let counts = |obstacle: &&Obstacle| match obstacle {
        Obstacle::Hard(_) => true,
        Obstacle::Limit { limit, .. } => !terms.dropped[limit.0],
    };
    let standing: Vec<_> = choice.obstacles.iter().filter(counts).cloned().collect();
    if !standing.is_empty() {
        return Err(Exclusion::Obstacles(standing));
    }
    let mut weights = [0; AXES];
    weights[BREAKS] = u64::from(!choice.obstacles.is_empty());
    for objective in [Objective::Cost, Objective::Time, Objective::Carbon] {
        let axis = axis(objective);
        weights[axis] = match choice.figures.count(objective) {
            Known::Value(count) => count,
            Known::Unknown(why) if terms.needed[axis] => {
                return Err(Exclusion::Unknown(objective, why));
            }
            Known::Unknown(_) => unknown[axis],
        };
    }
    Ok(weights)
}

/// An eligible choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its position among the stage's choices.
    pub(crate) choice: usize,
    /// The machine on which it waits for others.
    pub(crate) machine: Option<usize>,
    /// What it weighs.
    pub(crate) weights: Amounts,
}

/// The eligible choices of a stage in one location.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The location.
    pub(crate) location: usize,
    /// The candidates, in the order of the stage's choices.
    pub(crate) candidates: Vec<Candidate>,
}

/// An edge in plain numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// The producing stage.
    pub(crate) from: usize,
    /// The consuming stage.
    pub(crate) to: usize,
    pass: u64,
    monthly: u64,
}

/// The rates that some routes have in common, packed for the inner loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RouteKind {
    way: Way,
    /// Whether a rate is unknown: cost, carbon, time.
    unknown: [bool; 3],
    /// Per 10^9 bytes: cost, carbon, time.
    per_gb: [u64; 3],
    latency: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Within,
    Blocked,
    Open,
}

impl RouteKind {
    fn new(route: Option<&Route>) -> Self {
        let way = match route {
            None => Way::Within,
            Some(Route::Blocked(_)) => Way::Blocked,
            Some(Route::Open(_)) => Way::Open,
        };
        let mut kind = Self { way, unknown: [false; 3], per_gb: [0; 3], latency: 0 };
        if let Some(Route::Open(rates)) = route {
            kind.latency = rates.latency.get();
            for objective in [Objective::Cost, Objective::Carbon, Objective::Time] {
                let rate = rates.count(objective).value();
                kind.unknown[axis(objective) - COST] = rate.is_none();
                kind.per_gb[axis(objective) - COST] = rate.unwrap_or(0);
            }
        }
        kind
    }
}

/// One rate of every kind of route, side by side.
#[derive(Clone, Debug)]
struct Column {
    per_gb: Vec<u64>,
    largest: u64,
}

impl Column {
    fn new(kinds: &[RouteKind], place: usize) -> Self {
        let per_gb: Vec<u64> = kinds.iter().map(|kind| kind.per_gb[place]).collect();
        let largest = per_gb.iter().max().copied().unwrap_or(0);
        Self { per_gb, largest }
    }

    /// Adds what moving the bytes comes to at each rate from `first` on, times a multiplier.
    fn add_moved(&self, first: usize, bytes: u64, multiplier: u128, sums: &mut [u128]) {
        let small = self.largest.checked_mul(bytes).is_some_and(|most| most < u64::MAX - GB);
        for (sum, rate) in sums.iter_mut().zip(&self.per_gb[first..]) {
            let amount = match small {
                true => rate.wrapping_mul(bytes).div_ceil(GB),
                false => moved(*rate, bytes) as u64,
            };
            *sum += multiplier * u128::from(amount);
        }
    }
}

fn special(kinds: &[RouteKind]) -> Vec<usize> {
    let plain = |kind: &RouteKind| kind.way == Way::Open && !kind.unknown.contains(&true);
    (0..kinds.len()).filter(|index| !plain(&kinds[*index])).collect()
}

/// How many kinds are weighed at a time, so that their sums stay in the nearest cache.
const BLOCK: usize = 1024;

/// Bytes in a gigabyte.
const GB: u64 = 1_000_000_000;

/// What is taken at one stage: a group, and a candidate within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    /// Position of the group.
    pub(crate) group: usize,
    /// Position of the candidate in it.
    pub(crate) candidate: usize,
}

/// A problem under certain terms, in whole numbers.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Per stage its groups.
    pub(crate) stages: Vec<Vec<Group>>,
    /// The edges.
    pub(crate) links: Vec<Link>,
    /// Per stage the links that end there.
    pub(crate) incoming: Vec<Vec<usize>>,
    /// Per stage the links that start there.
    pub(crate) outgoing: Vec<Vec<usize>>,
    /// How many machines there are.
    pub(crate) machines: usize,
    /// Whether the time of one pass matters.
    pub(crate) timed: bool,
    /// The bits that hold any total of an axis.
    pub(crate) bits: [u32; AXES],
    locations: usize,
    kind_of: Vec<u32>,
    kinds: Vec<RouteKind>,
    rates: [Column; 3],
    /// Kinds that are not open with all rates known.
    special: Vec<usize>,
    needed: [bool; AXES],
    unknown: Amounts,
}

impl Model {
    /// Compiles a problem that has passed [`Problem::check`].
    pub(crate) fn new(problem: &Problem, terms: &Terms) -> Self {
        let (unknown, bits) = scales(problem);
        let mut machines = BTreeMap::new();
        let stages = (0..problem.stages.len())
            .map(|stage| groups(problem, terms, stage, &unknown, &mut machines))
            .collect();
        let links: Vec<_> = problem
            .edges
            .iter()
            .map(|edge| Link {
                from: edge.from,
                to: edge.to,
                pass: edge.pass.get(),
                monthly: edge.monthly.get(),
            })
            .collect();
        let at = |end: fn(&Link) -> usize| {
            let mut lists = vec![vec![]; problem.stages.len()];
            links.iter().enumerate().for_each(|(index, link)| lists[end(link)].push(index));
            lists
        };
        let (incoming, outgoing) = (at(|link| link.to), at(|link| link.from));
        let (kind_of, kinds) = route_kinds(problem);
        let mut model = Self {
            stages,
            links,
            incoming,
            outgoing,
            machines: machines.len(),
            timed: terms.needed[TIME],
            bits,
            locations: problem.routes.locations(),
            kind_of,
            special: special(&kinds),
            rates: [0, 1, 2].map(|place| Column::new(&kinds, place)),
            kinds,
            needed: terms.needed,
            unknown,
        };
        model.free_idle_machines();
        model
    }

    /// The first stage with no candidate at all.
    pub(crate) fn without_candidates(&self) -> bool {
        self.stages.iter().any(Vec::is_empty)
    }

    /// What is picked at a stage.
    pub(crate) fn candidate(&self, stage: usize, pick: Pick) -> &Candidate {
        &self.stages[stage][pick.group].candidates[pick.candidate]
    }

    /// The positions of the choices picked.
    pub(crate) fn choices(&self, picks: &[Pick]) -> Vec<usize> {
        let picks = picks.iter().enumerate();
        picks.map(|(stage, pick)| self.candidate(stage, *pick).choice).collect()
    }

    /// What moving a link's data weighs; `None` when it must not or cannot be moved.
    pub(crate) fn transfer(&self, link: &Link, from: usize, to: usize) -> Option<Amounts> {
        self.transfer_by_kind(link, self.route_kind(from, to))
    }

    /// How many kinds of route there are.
    pub(crate) fn route_kinds(&self) -> usize {
        self.kinds.len()
    }

    /// The kind of the route between two locations.
    pub(crate) fn route_kind(&self, from: usize, to: usize) -> usize {
        self.kind_of[from * self.locations + to] as usize
    }

    /// What moving a link's data over a kind of route weighs.
    fn transfer_by_kind(&self, link: &Link, kind: usize) -> Option<Amounts> {
        let mut amounts = [0; AXES];
        for axis in [COST, CARBON, TIME] {
            let mut multipliers = [0; AXES];
            multipliers[axis] = 1;
            amounts[axis] = self.transfer_sum(link, kind, &multipliers)? as u64;
        }
        Some(amounts)
    }

    /// The weighed sum of moving a link's data over a kind of route.
    pub(crate) fn transfer_sum(
        &self,
        link: &Link,
        kind: usize,
        multipliers: &[u128; AXES],
    ) -> Option<u128> {
        let kind = &self.kinds[kind];
        match kind.way {
            Way::Within => return Some(0),
            _ if link.pass == 0 && link.monthly == 0 => return Some(0),
            Way::Blocked => return None,
            Way::Open => {}
        }
        let mut sum = 0;
        for (axis, bytes, first) in
            [(COST, link.monthly, 0), (CARBON, link.monthly, 0), (TIME, link.pass, kind.latency)]
        {
            let unknown = kind.unknown[axis - COST];
            if bytes > 0 && unknown && self.needed[axis] {
                return None;
            }
            if bytes > 0 && multipliers[axis] > 0 {
                let amount = match unknown {
                    true => self.unknown[axis],
                    false => moved_quickly(kind.per_gb[axis - COST], bytes),
                };
                sum += multipliers[axis] * u128::from(amount + first);
            }
        }
        Some(sum)
    }

    /// [`Model::transfer_sum`] for every kind of route; `blocked` where data cannot move.
    pub(crate) fn transfer_sums(
        &self,
        link: &Link,
        multipliers: &[u128; AXES],
        blocked: u128,
        sums: &mut Vec<u128>,
    ) {
        sums.clear();
        sums.resize(self.kinds.len(), 0);
        let amounts = [(COST, link.monthly), (CARBON, link.monthly), (TIME, link.pass)];
        for (block, sums) in sums.chunks_mut(BLOCK).enumerate() {
            let first = block * BLOCK;
            for (axis, bytes) in amounts {
                if bytes > 0 && multipliers[axis] > 0 {
                    self.rates[axis - COST].add_moved(first, bytes, multipliers[axis], sums);
                }
            }
        }
        if link.pass > 0 && multipliers[TIME] > 0 {
            for (sum, kind) in sums.iter_mut().zip(&self.kinds) {
                *sum += multipliers[TIME] * u128::from(kind.latency);
            }
        }
        for kind in &self.special {
            sums[*kind] = self.transfer_sum(link, *kind, multipliers).unwrap_or(blocked);
        }
    }

    /// The totals of a complete assignment; `None` when a transfer is blocked.
    ///
    /// The time is the makespan when time matters, else zero.
    pub(crate) fn measure(&self, picks: &[Pick]) -> Option<Amounts> {
        let mut totals = [0; AXES];
        let mut ends = vec![0; picks.len()];
        let mut free = vec![0; self.machines];
        for (stage, pick) in picks.iter().enumerate() {
            let here = self.stages[stage][pick.group].location;
            let candidate = self.candidate(stage, *pick);
            let mut start = candidate.machine.map_or(0, |machine| free[machine]);
            for link in self.incoming[stage].iter().map(|link| &self.links[*link]) {
                let there = self.stages[link.from][picks[link.from].group].location;
                let transfer = self.transfer(link, there, here)?;
                ADDITIVE.iter().for_each(|axis| totals[*axis] += transfer[*axis]);
                start = start.max(ends[link.from] + transfer[TIME]);
            }
            ADDITIVE.iter().for_each(|axis| totals[*axis] += candidate.weights[*axis]);
            ends[stage] = start + candidate.weights[TIME];
            candidate.machine.into_iter().for_each(|machine| free[machine] = ends[stage]);
        }
        if self.timed {
            totals[TIME] = ends.into_iter().max().unwrap_or(0);
        }
        Some(totals)
    }

    /// Per stage, whether each later stage must wait for it.
    pub(crate) fn followers(&self) -> Vec<Vec<bool>> {
        let count = self.stages.len();
        let mut reach = vec![vec![false; count]; count];
        for stage in (0..count).rev() {
            for link in &self.outgoing[stage] {
                let to = self.links[*link].to;
                let (head, tail) = reach.split_at_mut(to);
                head[stage][to] = true;
                head[stage].iter_mut().zip(&tail[0]).for_each(|(reached, next)| *reached |= next);
            }
        }
        reach
    }

    /// Forgets machines on which no stage can ever wait for another: those that a single stage may
    /// use, and those whose stages wait for one another anyway.
    fn free_idle_machines(&mut self) {
        if !self.timed {
            self.machines = 0;
        }
        let mut users = vec![vec![]; self.machines];
        for (stage, groups) in self.stages.iter().enumerate().filter(|_| self.machines > 0) {
            for candidate in groups.iter().flat_map(|group| &group.candidates) {
                match candidate.machine {
                    Some(machine) if users[machine].last() != Some(&stage) => {
                        users[machine].push(stage);
                    }
                    _ => {}
                }
            }
        }
        let reach = if self.machines > 0 { self.followers() } else { vec![] };
        let mut kept = 0;
        let renamed: Vec<Option<usize>> = users
            .iter()
            .map(|users| match users.windows(2).all(|pair| reach[pair[0]][pair[1]]) {
                true => None,
                false => {
                    kept += 1;
                    Some(kept - 1)
                }
            })
            .collect();
        self.machines = kept;
        for candidate in self.stages.iter_mut().flatten().flat_map(|group| &mut group.candidates) {
            candidate.machine =
                candidate.machine.and_then(|machine| renamed.get(machine).copied().flatten());
        }
    }
}

/// Per axis the weight of an unknown part, and the bits that hold any total.
fn scales(problem: &Problem) -> (Amounts, [u32; AXES]) {
    let (mut unknown, mut bits) = ([0; AXES], [0; AXES]);
    bits[BREAKS] = u64::BITS - (problem.stages.len() as u64).leading_zeros();
    for objective in [Objective::Cost, Objective::Time, Objective::Carbon] {
        let (unknowns, ceiling) = problem.unknowns_and_ceiling(objective);
        let weight = ceiling as u64 + 1;
        unknown[axis(objective)] = weight;
        bits[axis(objective)] = u128::BITS - ((unknowns + 1) * u128::from(weight)).leading_zeros();
    }
    (unknown, bits)
}

/// The eligible choices of a stage by location, locations in the order of the choices.
fn groups(
    problem: &Problem,
    terms: &Terms,
    stage: usize,
    unknown: &Amounts,
    machines: &mut BTreeMap<usize, usize>,
) -> Vec<Group> {
    let mut groups: Vec<Group> = vec![];
    let mut group_at = BTreeMap::new();
    let banned = terms.banned.as_ref().filter(|(banned, _)| *banned == stage);
    for (index, choice) in problem.stages[stage].choices.iter().enumerate() {
        let Ok(weights) = weigh(terms, choice, unknown) else { continue };
        if banned.is_some_and(|(_, site)| *site == choice.site) {
            continue;
        }
        let next = machines.len();
        let machine = choice.machine.map(|machine| *machines.entry(machine.0).or_insert(next));
        let location = choice.location.0;
        let group = *group_at.entry(location).or_insert_with(|| {
            groups.push(Group { location, candidates: vec![] });
            groups.len() - 1
        });
        groups[group].candidates.push(Candidate { choice: index, machine, weights });
    }
    groups
}

/// Says which kind of route joins each pair of locations, and lists the kinds.
fn route_kinds(problem: &Problem) -> (Vec<u32>, Vec<RouteKind>) {
    let locations = problem.routes.locations();
    let mut numbers = BTreeMap::new();
    let mut kinds = vec![];
    let mut kind_of = Vec::with_capacity(locations * locations);
    for from in 0..locations {
        for to in 0..locations {
            let kind = RouteKind::new(problem.routes.between(LocationId(from), LocationId(to)));
            kind_of.push(*numbers.entry(kind).or_insert_with(|| {
                kinds.push(kind);
                kinds.len() as u32 - 1
            }));
        }
    }
    (kind_of, kinds)
}

/// [`moved`] without 128-bit division where 64 bits are enough, for the inner loops.
#[inline]
fn moved_quickly(rate: u64, bytes: u64) -> u64 {
    match rate.checked_mul(bytes) {
        Some(product) => product.div_ceil(GB),
        None => moved(rate, bytes) as u64,
    }
}
