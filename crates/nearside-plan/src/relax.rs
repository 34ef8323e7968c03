//! No plan keeps to all limits: which change would help, and which is the least?
//!
//! - For each numeric limit: the least value that works with all other limits as they are. Figures
//!   that the limit needs must still be known.
//! - For each named limit: the fewest stages that must break it, then the best objective.
//! - If no single limit helps: one smallest set. Within it the fewest stages break named limits,
//!   then the numeric ones are raised as little as possible: deadline, then budget, then carbon.
//! - If nothing helps: where it is stuck.

use std::sync::Arc;

use crate::amount::{Amount, Objective};
use crate::placement::{Proof, proof};
use crate::problem::{LimitId, Obstacle, Problem};
use crate::reason::{Loss, Why};
use crate::schedule::{Schedule, Totals, Transfer};
use crate::search::{Answer, Solution, solve};
use crate::weights::{AXES, CARBON, COST, Exclusion, TIME, Terms, objective, weigh};

/// The most sets of limits tried.
const SETS: usize = 4096;

/// What is known about a problem without a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Infeasible {
    /// What would help: each with one change, or a single one with a smallest set of changes.
    pub relaxations: Vec<Relaxation>,
    /// If nothing helps: where it is stuck even without limits.
    pub stuck: Vec<Stuck>,
    /// Whether everything was tried; if not, other or smaller changes may exist.
    pub complete: bool,
}

/// Changes after which a plan exists.
#[derive(Clone, Debug, PartialEq)]
pub struct Relaxation {
    /// The changes, all of which are needed.
    pub changes: Vec<Change>,
    /// The position of the choice at each stage in the best plan after the changes.
    pub choices: Vec<usize>,
    /// What that plan comes to.
    pub totals: Totals,
    /// Whether the change is the least, and the plan the best.
    pub proof: Proof,
}

/// A change to one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The deadline, the budget or the carbon budget must be at least this.
    Raise {
        /// The least value that works.
        to: Amount,
    },
    /// A named limit must be broken by these stages.
    Break {
        /// The limit.
        limit: LimitId,
        /// The positions of the stages; their sites are in [`Relaxation::choices`].
        stages: Vec<usize>,
    },
}

/// Where a problem is stuck even if every limit were dropped.
#[derive(Clone, Debug, PartialEq)]
pub enum Stuck {
    /// A stage with no choice.
    Stage {
        /// Its position.
        stage: usize,
        /// Why each of its choices is out.
        choices: Vec<Loss>,
    },
    /// An edge whose data cannot move between any two choices of its stages.
    Edge {
        /// Its position.
        edge: usize,
        /// The reasons, without repeats.
        why: Vec<Arc<str>>,
    },
}

/// A limit that could be relaxed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Numeric(usize),
    Named(usize),
}

/// What would make a plan possible.
pub(crate) fn relax(problem: &Problem, terms: &Terms) -> Infeasible {
    let limits = limits(problem, terms);
    let mut complete = true;
    let mut attempt = |set: &[Limit]| match attempt(problem, terms, set) {
        Answer::Best(solution) => relaxation(problem, set, &solution),
        Answer::Infeasible => None,
        Answer::Capped => {
            complete = false;
            None
        }
    };
    let mut relaxations: Vec<_> =
        limits.iter().filter_map(|limit| attempt(std::slice::from_ref(limit))).collect();
    let mut tried = 0;
    if relaxations.is_empty() && attempt(&limits).is_some() {
        relaxations.extend((2..=limits.len()).find_map(|size| {
            let sets = Subsets::new(limits.len(), size).take_while(|_| {
                tried += 1;
                tried <= SETS
            });
            let sets = sets.map(|set| set.into_iter().map(|index| limits[index]).collect());
            sets.into_iter().find_map(|set: Vec<Limit>| attempt(&set))
        }));
    }
    let complete = complete && tried <= SETS;
    let nothing = relaxations.is_empty() && complete;
    let stuck = if nothing { stuck(problem, terms, &limits) } else { vec![] };
    Infeasible { relaxations, stuck, complete }
}

/// The limits in force: numeric ones, and named ones that stand in some choice's way.
fn limits(problem: &Problem, terms: &Terms) -> Vec<Limit> {
    let numeric = [TIME, COST, CARBON].into_iter().filter(|axis| terms.limits[*axis].is_some());
    let obstacles =
        || problem.stages.iter().flat_map(|stage| &stage.choices).flat_map(|one| &one.obstacles);
    let used = |id: &usize| {
        obstacles().any(|one| matches!(one, Obstacle::Limit { limit, .. } if limit.0 == *id))
    };
    let named = (0..problem.limits.named.len()).filter(used);
    numeric.map(Limit::Numeric).chain(named.map(Limit::Named)).collect()
}

/// The best plan when a set of limits may give way as little as possible.
fn attempt(problem: &Problem, terms: &Terms, set: &[Limit]) -> Answer {
    let (mut named, mut raised) = (vec![], vec![]);
    let mut relaxed = terms.clone();
    for limit in set {
        match limit {
            Limit::Named(id) => named.push(*id),
            Limit::Numeric(axis) => {
                raised.push(*axis);
                relaxed.limits[*axis] = None;
            }
        }
    }
    relaxed.goals.retain(|goal| !raised.contains(goal));
    relaxed.goals.splice(0..0, raised);
    if !named.is_empty() {
        relaxed = relaxed.breaking(&named);
    }
    solve(problem, &relaxed)
}

fn relaxation(problem: &Problem, set: &[Limit], solution: &Solution) -> Option<Relaxation> {
    let choices = solution.choices.clone();
    let totals = Schedule::new(problem, &choices).ok()?.totals;
    let breaks = |stage: usize, id: usize| {
        let obstacles = problem.stages[stage].choices[choices[stage]].obstacles.iter();
        obstacles
            .into_iter()
            .any(|one| matches!(one, Obstacle::Limit { limit, .. } if limit.0 == id))
    };
    let changes = set.iter().filter_map(|limit| match limit {
        Limit::Numeric(axis) => {
            let axis = objective(*axis)?;
            Some(Change::Raise { to: axis.amount(totals.count(axis)) })
        }
        Limit::Named(id) => {
            let stages = (0..choices.len()).filter(|stage| breaks(*stage, *id)).collect();
            Some(Change::Break { limit: LimitId(*id), stages })
        }
    });
    let changes = changes.collect();
    Some(Relaxation { changes, choices, totals, proof: proof(solution) })
}

/// Stages without a choice, else edges without a way, when every limit gives way.
fn stuck(problem: &Problem, terms: &Terms, limits: &[Limit]) -> Vec<Stuck> {
    let mut terms = terms.clone();
    for limit in limits {
        if let Limit::Named(id) = limit {
            terms.dropped[*id] = true;
        }
    }
    let out = |stage: usize, choice: usize| {
        weigh(&terms, &problem.stages[stage].choices[choice], &[0; AXES]).err()
    };
    let choices = |stage: usize| 0..problem.stages[stage].choices.len();
    let mut stuck = vec![];
    for stage in 0..problem.stages.len() {
        let losses = choices(stage).filter_map(|choice| {
            let why = match out(stage, choice)? {
                Exclusion::Obstacles(obstacles) => Why::Obstacles(obstacles),
                Exclusion::Unknown(figure, why) => Why::Unknown { figure, why },
            };
            Some(Loss { choice, why })
        });
        let losses: Vec<Loss> = losses.collect();
        if losses.len() == choices(stage).len() {
            stuck.push(Stuck::Stage { stage, choices: losses });
        }
    }
    if !stuck.is_empty() {
        return stuck;
    }
    let open = |stage: usize| choices(stage).filter(move |choice| out(stage, *choice).is_none());
    for (index, edge) in problem.edges.iter().enumerate() {
        let mut why: Vec<Arc<str>> = vec![];
        let mut pairs = open(edge.from).flat_map(|from| open(edge.to).map(move |to| (from, to)));
        let passable = pairs.any(|(from, to)| {
            let reason = no_way(problem, index, from, to);
            let new = reason.iter().find(|reason| !why.contains(reason)).cloned();
            why.extend(new);
            reason.is_none()
        });
        if !passable {
            stuck.push(Stuck::Edge { edge: index, why });
        }
    }
    stuck
}

/// Why an edge's data cannot move between two choices.
fn no_way(problem: &Problem, edge: usize, from: usize, to: usize) -> Option<Arc<str>> {
    let edge = &problem.edges[edge];
    let from = problem.stages[edge.from].choices[from].location;
    let to = problem.stages[edge.to].choices[to].location;
    match Transfer::between(problem, edge, from, to) {
        Err(why) => Some(why),
        Ok(transfer) => {
            let (figure, why): (Objective, Arc<str>) = transfer.missing(problem)?;
            Some(format!("{figure} of the transfer unknown: {why}").into())
        }
    }
}

/// All subsets of one size, as ascending positions, in lexicographic order.
struct Subsets {
    count: usize,
    next: Option<Vec<usize>>,
}

impl Subsets {
    fn new(count: usize, size: usize) -> Self {
        Self { count, next: (size <= count).then(|| (0..size).collect()) }
    }
}

impl Iterator for Subsets {
    type Item = Vec<usize>;
    fn next(&mut self) -> Option<Vec<usize>> {
        let current = self.next.take()?;
        let size = current.len();
        let movable = (0..size).rposition(|place| current[place] < self.count - size + place);
        self.next = movable.map(|place| {
            let mut following = current.clone();
            following[place] += 1;
            for later in place + 1..size {
                following[later] = following[later - 1] + 1;
            }
            following
        });
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::{Micros, Milliseconds};
    use crate::placement::{Outcome, place};
    use crate::problem::NamedLimit;
    use crate::sample::{choice, project};

    fn infeasible(problem: &Problem) -> Infeasible {
        match place(problem).unwrap() {
            Outcome::Infeasible(infeasible) => infeasible,
            Outcome::Placed(plan) => panic!("{plan:?}"),
        }
    }

    fn changes(problem: &Problem) -> Vec<Vec<Change>> {
        infeasible(problem).relaxations.into_iter().map(|one| one.changes).collect()
    }

    /// A cheap slow choice, and a dear fast one that is not cleared.
    fn tight() -> Problem {
        let mut far = choice(1, (50, 0, 10));
        let limit = LimitId(0);
        far.obstacles.push(Obstacle::Limit { limit, why: "personal data".to_owned() });
        let mut problem = project(vec![vec![choice(0, (5, 0, 100)), far]], vec![]);
        problem.limits.named.push(NamedLimit { name: "clearance".to_owned() });
        problem.limits.deadline = Some(Milliseconds::new(60));
        problem
    }

    #[test]
    fn each_single_limit_that_helps_is_named() {
        let raise = Change::Raise { to: Amount::Time(Milliseconds::new(100)) };
        let clear = Change::Break { limit: LimitId(0), stages: vec![0] };
        assert_eq!(changes(&tight()), [vec![raise.clone()], vec![clear]]);
        let mut problem = tight();
        problem.limits.budget = Some(Micros::new(20));
        assert_eq!(changes(&problem), [[raise]]);
    }

    #[test]
    fn limits_that_only_help_together_come_as_a_set() {
        let mut problem = tight();
        problem.limits.budget = Some(Micros::new(4));
        let deadline = Change::Raise { to: Amount::Time(Milliseconds::new(100)) };
        let budget = Change::Raise { to: Amount::Cost(Micros::new(5)) };
        assert_eq!(changes(&problem), [[deadline, budget]]);
    }

    #[test]
    fn a_stage_that_fits_nowhere_is_stuck() {
        let mut problem = tight();
        for choice in &mut problem.stages[0].choices {
            choice.obstacles.push(Obstacle::Hard("does not fit".to_owned()));
        }
        let infeasible = infeasible(&problem);
        assert!(infeasible.relaxations.is_empty() && infeasible.complete);
        let [Stuck::Stage { stage: 0, choices }] = &infeasible.stuck[..] else {
            panic!("{infeasible:?}")
        };
        assert_eq!(choices.len(), 2);
        assert_eq!(choices[1].why.to_string(), "does not fit");
    }

    #[test]
    fn subsets_come_in_order() {
        let all: Vec<_> = Subsets::new(4, 2).collect();
        assert_eq!(all, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(Subsets::new(1, 2).count(), 0);
    }
}
