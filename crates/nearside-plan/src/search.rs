//! How is one question about a problem answered, start to end?
//!
//! Goals are met one after the other: the best value of the first becomes a limit for the next.
//! For each goal
//!
//! 1. the optimum without limits is tried first (elimination); if it keeps all limits, it is it;
//! 2. each limit is compared with the least its axis can come to: that may prove there is no plan;
//! 3. otherwise Lagrangian prices give a bound and a good plan, and label setting decides.

use crate::bound::{self, Remaining};
use crate::dominance;
use crate::elimination::{self, Assignment, Found, INFINITE, Weighing, minimum};
use crate::frontier::{self, Capped, LABELS, Promise, Question, Respects};
use crate::lagrange::{Incumbent, Prices};
use crate::problem::Problem;
use crate::weights::{ADDITIVE, AXES, Amounts, BREAKS, Model, Pick, TIME, Terms};

/// The best plan under some terms.
#[derive(Clone, Debug)]
pub(crate) struct Solution {
    /// The position of the choice at each stage.
    pub(crate) choices: Vec<usize>,
    /// Where optimality is not proven: the first goal in doubt, and the least it could come to.
    pub(crate) gap: Option<(usize, u64)>,
    /// The most labels held at once.
    pub(crate) labels: usize,
    /// About how many additions one elimination takes.
    pub(crate) work: u128,
}

/// What solving led to.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A plan.
    Best(Solution),
    /// Proof that there is none.
    Infeasible,
    /// Neither, within the caps.
    Capped,
}

/// One goal, or several that add up and are compared one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Sums, the first one first.
    Sums(Vec<usize>),
    /// The time of the pass.
    Time,
}

/// What one goal led to.
enum Step {
    Best { choices: Vec<usize>, totals: Amounts, bound: u128, labels: usize },
    Infeasible,
    Capped,
}

/// The best plan for a problem under the terms.
pub(crate) fn solve(problem: &Problem, terms: &Terms) -> Answer {
    solve_within(problem, terms, LABELS)
}

/// The same with another cap on labels.
pub(crate) fn solve_within(problem: &Problem, terms: &Terms, labels: usize) -> Answer {
    let model = Model::new(problem, terms);
    if model.without_candidates() {
        return Answer::Infeasible;
    }
    let (mut limits, work) = (terms.limits, elimination::work(&model));
    let mut answer: Option<Solution> = None;
    for goal in goals(&terms.goals) {
        let step = reach(&model, &goal, &limits, labels);
        let (choices, totals, bound, held) = match step {
            Step::Best { choices, totals, bound, labels } => (choices, totals, bound, labels),
            // A later goal can only fail to improve on what an earlier one found.
            _ if answer.is_some() => continue,
            Step::Infeasible => return Answer::Infeasible,
            Step::Capped => return Answer::Capped,
        };
        let before = answer.take();
        let gap = before.as_ref().and_then(|before| before.gap);
        let gap = gap.or_else(|| shortfall(&model, &goal, &totals, bound));
        let held = before.map_or(0, |before| before.labels).max(held);
        answer = Some(Solution { choices, gap, labels: held, work });
        match &goal {
            Goal::Time => limits[TIME] = Some(totals[TIME]),
            Goal::Sums(axes) => axes.iter().for_each(|axis| limits[*axis] = Some(totals[*axis])),
        }
    }
    answer.map_or(Answer::Infeasible, Answer::Best)
}

/// Goals in order; sums that follow one another are met together, broken limits by themselves.
fn goals(axes: &[usize]) -> Vec<Goal> {
    let alone = |axis: usize| axis == TIME || axis == BREAKS;
    let runs = axes.chunk_by(|left, right| !alone(*left) && !alone(*right));
    runs.map(|run| if run == [TIME] { Goal::Time } else { Goal::Sums(run.to_vec()) }).collect()
}

/// The first axis in doubt and its bound, when a goal was not met provably.
fn shortfall(model: &Model, goal: &Goal, totals: &Amounts, bound: u128) -> Option<(usize, u64)> {
    match goal {
        Goal::Time => (bound < u128::from(totals[TIME])).then_some((TIME, bound as u64)),
        Goal::Sums(axes) => {
            let weighing = Weighing::lexicographic(model, axes);
            let mut left = bound;
            for axis in axes {
                let least = (left / weighing.multipliers[*axis]) as u64;
                if least < totals[*axis] {
                    return Some((*axis, least));
                }
                left %= weighing.multipliers[*axis];
            }
            None
        }
    }
}

/// Whether totals keep to all limits.
pub(crate) fn keeps(totals: &Amounts, limits: &[Option<u64>; AXES]) -> bool {
    totals.iter().zip(limits).all(|(total, limit)| limit.is_none_or(|limit| *total <= limit))
}

/// Meets one goal.
fn reach(model: &Model, goal: &Goal, limits: &[Option<u64>; AXES], labels: usize) -> Step {
    if let Goal::Sums(axes) = goal {
        let weighing = Weighing::lexicographic_then_time(model, axes);
        match minimum(model, &weighing) {
            Found::Nothing => return Step::Infeasible,
            Found::Best(best) => {
                if let Some(step) = unlimited(model, axes, limits, best) {
                    return step;
                }
            }
            Found::Capped => {}
        }
    }
    for axis in ADDITIVE.into_iter().filter(|axis| limits[*axis].is_some()) {
        match minimum(model, &Weighing::only(axis)) {
            Found::Nothing => return Step::Infeasible,
            Found::Best(best) if limits[axis].is_some_and(|limit| best.bound > limit.into()) => {
                return Step::Infeasible;
            }
            _ => {}
        }
    }
    label(model, goal, limits, labels)
}

/// The optimum without limits, if it keeps them all the same.
fn unlimited(
    model: &Model,
    axes: &[usize],
    limits: &[Option<u64>; AXES],
    best: Assignment,
) -> Option<Step> {
    let totals = model.measure(&best.picks)?;
    if !keeps(&totals, limits) {
        return None;
    }
    let weighing = Weighing::lexicographic(model, axes);
    // The sum may end with the sum of all times, which is no part of the bound.
    let bound = match best.bound == best.sum {
        true => weighing.additive(&totals),
        false => {
            let with_time = Weighing::lexicographic_then_time(model, axes);
            best.bound >> with_time.multipliers[*axes.last()?].trailing_zeros()
        }
    };
    Some(Step::Best { choices: model.choices(&best.picks), totals, bound, labels: 0 })
}

/// Label setting, with prices first.
fn label(model: &Model, goal: &Goal, limits: &[Option<u64>; AXES], labels: usize) -> Step {
    let respects = respects(model, goal, limits);
    let mut model = model.clone();
    dominance::reduce(&mut model, respects.width(), |one| respects.row(&one.weights).collect());
    if let Some(latest) = limits[TIME].filter(|_| respects.timed) {
        bound::in_time(&mut model, latest);
        if model.without_candidates() {
            return Step::Infeasible;
        }
    }
    let mut incumbent = Incumbent::new(&model, goal, *limits);
    let Some(prices) = Prices::find(&model, goal, limits, &mut incumbent) else {
        return Step::Infeasible;
    };
    incumbent.improve();
    let known = incumbent.best.take();
    let question = question(&model, goal, limits, (respects, labels), (prices, known.as_ref()));
    let answers = frontier::search(&question);
    let value = |totals: &Amounts| match goal {
        Goal::Time => u128::from(totals[TIME]),
        Goal::Sums(axes) => Weighing::lexicographic(&model, axes).additive(totals),
    };
    let plans = answers.plans.into_iter().chain(known);
    match plans.min_by_key(|(_, totals)| value(totals)) {
        Some((picks, totals)) => {
            let own = value(&totals);
            let bound = answers.set_aside.map_or(own, |least| least.min(own));
            Step::Best { choices: model.choices(&picks), totals, bound, labels: answers.peak }
        }
        None if answers.set_aside.is_some() => Step::Capped,
        None => Step::Infeasible,
    }
}

fn respects(model: &Model, goal: &Goal, limits: &[Option<u64>; AXES]) -> Respects {
    let limited = |axis: &usize| limits[*axis].is_some();
    let (ordered, first) = match goal {
        Goal::Time => (None, None),
        Goal::Sums(axes) => (Some(Weighing::lexicographic(model, axes)), axes.first().copied()),
    };
    let axes = ADDITIVE.into_iter().filter(limited).filter(|axis| Some(*axis) != first).collect();
    let timed = model.timed && (*goal == Goal::Time || limits[TIME].is_some());
    Respects { ordered, axes, timed }
}

/// The question whose answers are better than the best plan known.
fn question<'a>(
    model: &'a Model,
    goal: &Goal,
    limits: &[Option<u64>; AXES],
    (respects, labels): (Respects, usize),
    (prices, known): (Prices, Option<&(Vec<Pick>, Amounts)>),
) -> Question<'a> {
    let mut caps = vec![];
    let mut add = |weighing, cap| {
        let remaining = Remaining::new(model, weighing);
        caps.push(Capped { remaining, cap });
    };
    let mut latest = limits[TIME].filter(|_| respects.timed);
    let promise = match goal {
        Goal::Sums(axes) => {
            let weighing = Weighing::lexicographic(model, axes);
            let cap = known
                .map_or(INFINITE - 1, |(_, totals)| weighing.additive(totals).saturating_sub(1));
            add(weighing, cap);
            Promise::Sum(0)
        }
        Goal::Time => {
            let better = known.map(|(_, totals)| totals[TIME].saturating_sub(1));
            latest = better.or(latest);
            Promise::Time
        }
    };
    for axis in ADDITIVE {
        if let Some(limit) = limits[axis] {
            add(Weighing::only(axis), limit.into());
        }
    }
    if let Some(weighing) = prices.weighing
        && let Some((_, totals)) = known
    {
        let cap = (0..AXES).map(|axis| {
            let most = if axis == prices.goal { Some(totals[axis]) } else { limits[axis] };
            weighing.multipliers[axis] * u128::from(most.unwrap_or(0))
        });
        let cap = cap.sum();
        add(weighing, cap);
    }
    Question { model, respects, caps, latest, promise, known: vec![], labels }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::{Micros, Milliseconds, Objective};
    use crate::sample;
    use crate::schedule::Schedule;

    fn cost(problem: &Problem, solution: &Solution) -> u64 {
        let schedule = Schedule::new(problem, &solution.choices).unwrap();
        assert!(schedule.totals.time.total <= problem.limits.deadline.unwrap());
        schedule.totals.cost.total.get()
    }

    #[test]
    fn goals_that_add_up_are_met_together() {
        use crate::weights::{CARBON, COST};
        let sums = |axes: &[usize]| Goal::Sums(axes.to_vec());
        assert_eq!(goals(&[TIME, COST, CARBON]), [Goal::Time, sums(&[COST, CARBON])]);
        assert_eq!(goals(&[BREAKS, COST, CARBON]), [sums(&[BREAKS]), sums(&[COST, CARBON])]);
    }

    /// A cap on labels costs proof or optimality, never honesty.
    #[test]
    fn a_capped_search_states_a_true_bound() {
        let mut gaps = 0;
        for seed in 0..40 {
            let mut problem = sample::random(seed, 8, 5, 2);
            problem.objective = Objective::Time;
            let Answer::Best(fastest) = solve(&problem, &Terms::of(&problem)) else {
                panic!("feasible")
            };
            let fastest = Schedule::new(&problem, &fastest.choices).unwrap().totals.time.total;
            problem.objective = Objective::Cost;
            problem.limits.deadline = Some(Milliseconds::new(fastest.get() * 13 / 10));
            let terms = Terms::of(&problem);
            let Answer::Best(exact) = solve(&problem, &terms) else { panic!("feasible") };
            assert_eq!(exact.gap, None);
            for labels in [1, 2, 5] {
                let Answer::Best(capped) = solve_within(&problem, &terms, labels) else { continue };
                let (found, best) = (cost(&problem, &capped), cost(&problem, &exact));
                let bound = capped.gap.map_or(best, |(_, bound)| bound);
                gaps += usize::from(capped.gap.is_some());
                match capped.gap {
                    None => assert_eq!(found, best),
                    Some((crate::weights::COST, _)) => assert!(bound <= best && best <= found),
                    Some(_) => assert!(best <= found),
                }
            }
        }
        assert!(gaps > 0);
    }

    #[test]
    fn a_budget_below_the_cheapest_plan_is_infeasible() {
        let mut problem = sample::random(1, 6, 4, 2);
        problem.objective = Objective::Carbon;
        problem.limits.budget = Some(Micros::ZERO);
        assert!(matches!(solve(&problem, &Terms::of(&problem)), Answer::Infeasible));
    }
}
