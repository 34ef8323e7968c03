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

/// The routes that have the same rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RouteClass {
    Within,
    Blocked,
    Open { per_gb: [Option<u64>; AXES], latency: u64 },
}

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
    class_of: Vec<u32>,
    classes: Vec<RouteClass>,
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
        let (class_of, classes) = route_classes(problem);
        let mut model = Self {
            stages,
            links,
            incoming,
            outgoing,
            machines: machines.len(),
            timed: terms.needed[TIME],
            bits,
            locations: problem.routes.locations(),
            class_of,
            classes,
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

    /// What moving a link's data weighs; `None` when it must not or cannot be moved.
    pub(crate) fn transfer(&self, link: &Link, from: usize, to: usize) -> Option<Amounts> {
        let class = self.class_of[from * self.locations + to];
        self.transfer_by_class(link, class as usize)
    }

    /// How many kinds of route there are.
    pub(crate) fn route_kinds(&self) -> usize {
        self.classes.len()
    }

    /// The kind of the route between two locations.
    pub(crate) fn route_kind(&self, from: usize, to: usize) -> usize {
        self.class_of[from * self.locations + to] as usize
    }

    /// What moving a link's data over a kind of route weighs.
    pub(crate) fn transfer_by_class(&self, link: &Link, class: usize) -> Option<Amounts> {
        let (per_gb, latency) = match &self.classes[class] {
            RouteClass::Within => return Some([0; AXES]),
            _ if link.pass == 0 && link.monthly == 0 => return Some([0; AXES]),
            RouteClass::Blocked => return None,
            RouteClass::Open { per_gb, latency } => (per_gb, *latency),
        };
        let mut amounts = [0; AXES];
        for (axis, bytes) in [(COST, link.monthly), (CARBON, link.monthly), (TIME, link.pass)] {
            amounts[axis] = match per_gb[axis] {
                _ if bytes == 0 => 0,
                Some(rate) => moved_quickly(rate, bytes),
                None if self.needed[axis] => return None,
                None => self.unknown[axis],
            };
        }
        if link.pass > 0 {
            amounts[TIME] += latency;
        }
        Some(amounts)
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

/// Numbers the different kinds of route, and says which kind joins each pair of locations.
fn route_classes(problem: &Problem) -> (Vec<u32>, Vec<RouteClass>) {
    let locations = problem.routes.locations();
    let mut numbers = BTreeMap::new();
    let mut classes = vec![];
    let mut class_of = Vec::with_capacity(locations * locations);
    for from in 0..locations {
        for to in 0..locations {
            let class = match problem.routes.between(LocationId(from), LocationId(to)) {
                None => RouteClass::Within,
                Some(Route::Blocked(_)) => RouteClass::Blocked,
                Some(Route::Open(rates)) => {
                    let mut per_gb = [Some(0); AXES];
                    for objective in [Objective::Cost, Objective::Time, Objective::Carbon] {
                        per_gb[axis(objective)] = rates.count(objective).value();
                    }
                    RouteClass::Open { per_gb, latency: rates.latency.get() }
                }
            };
            class_of.push(*numbers.entry(class).or_insert_with(|| {
                classes.push(class);
                classes.len() as u32 - 1
            }));
        }
    }
    (class_of, classes)
}

/// [`moved`] without 128-bit division where 64 bits are enough, for the inner loops.
fn moved_quickly(rate: u64, bytes: u64) -> u64 {
    match rate.checked_mul(bytes) {
        Some(product) => product.div_ceil(1_000_000_000),
        None => moved(rate, bytes) as u64,
    }
}
