//! Which plans are not beaten in cost, time and carbon at once?
//!
//! The same labels as for a single optimum ([`crate::frontier`]), compared in every axis asked
//! for; unsupported points, which no weighted sum finds, are included. Plans found by weighted sums
//! are known beforehand, and labels that cannot come below all of them are dropped.

use crate::amount::Objective;
use crate::bound::Remaining;
use crate::dominance::{self, Rows};
use crate::elimination::{Found, INFINITE, Timed, Weighing, minimum};
use crate::error::ProblemError;
use crate::frontier::{self, Answers, Capped, LABELS, Promise, Question, Respects};
use crate::problem::Problem;
use crate::schedule::{Schedule, Totals};
use crate::search::keeps;
use crate::weights::{ADDITIVE, AXES, Amounts, COST, Model, Pick, TIME, Terms, axis};

/// The steps into which the weights of the sums are divided.
const STEPS: u128 = 8;
/// What the weights of one sum add up to, before each is divided by the range of its axis.
const SCALE: u128 = 1 << 60;

/// The plans that no other plan matches or beats in every axis asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Front {
    /// The plans, ordered by the axes asked for, the first one first.
    pub points: Vec<FrontPoint>,
    /// Whether these are all.
    pub proof: FrontProof,
    /// The most partial plans held after one stage.
    pub labels: usize,
}

/// One plan of the front; of plans with equal totals one is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontPoint {
    /// The position of the choice at each stage.
    pub choices: Vec<usize>,
    /// What the plan comes to.
    pub totals: Totals,
}

/// Whether a front is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontProof {
    /// Every plan that is not beaten is there.
    Exact,
    /// The cap on partial plans was reached: all points are real plans, and none beats another,
    /// but points between them may be missing and some may be beaten by plans not found.
    Capped,
}

/// The whole front of a problem under its limits, along one to three axes.
///
/// A choice without a figure along one of the axes is out. An empty exact front means that no plan
/// keeps to the limits.
///
/// # Errors
/// When the problem is not sound, see [`Problem::check`], or no axis is given.
pub fn pareto(problem: &Problem, axes: &[Objective]) -> Result<Front, ProblemError> {
    pareto_within(problem, axes, LABELS)
}

fn pareto_within(
    problem: &Problem,
    axes: &[Objective],
    labels: usize,
) -> Result<Front, ProblemError> {
    problem.check()?;
    let first = axes.first().ok_or(ProblemError::NoAxes)?;
    let problem = &Problem { objective: *first, ..problem.clone() };
    let mut terms = Terms::of(problem);
    axes.iter().for_each(|objective| terms.needed[axis(*objective)] = true);
    let mut model = Model::new(problem, &terms);
    if model.without_candidates() {
        return Ok(Front { points: vec![], proof: FrontProof::Exact, labels: 0 });
    }
    let respects = respects(axes, &terms.limits);
    dominance::reduce(&mut model, respects.width(), |one| respects.row(&one.weights).collect());
    let known = seeds(&model, axes, &terms.limits);
    let Some(answers) = answers(&model, &respects, &terms.limits, (&known, labels)) else {
        return Ok(Front { points: vec![], proof: FrontProof::Exact, labels: 0 });
    };
    Ok(front(problem, &model, (axes, &respects), answers, known))
}

/// Plans are compared along the axes asked for, and along limited ones on the way.
fn respects(axes: &[Objective], limits: &[Option<u64>; AXES]) -> Respects {
    let matters = |one: &usize| {
        limits[*one].is_some() || axes.iter().any(|objective| axis(*objective) == *one)
    };
    let sums = ADDITIVE.into_iter().filter(matters).collect();
    Respects { ordered: None, axes: sums, timed: matters(&TIME) }
}

fn answers(
    model: &Model,
    respects: &Respects,
    limits: &[Option<u64>; AXES],
    (known, labels): (&[(Vec<Pick>, Amounts)], usize),
) -> Option<Answers> {
    let mut caps = vec![];
    for axis in &respects.axes {
        let remaining = Remaining::new(model, Weighing::only(*axis));
        if remaining.least >= INFINITE {
            return None;
        }
        caps.push(Capped { remaining, cap: limits[*axis].map_or(INFINITE - 1, u128::from) });
    }
    let known = known.iter().map(|(_, totals)| respects.row(totals).collect()).collect();
    let respects = respects.clone();
    let (latest, promise) = (limits[TIME], Promise::Spread);
    let question = Question { model, respects, caps, latest, promise, known, labels };
    Some(frontier::search(&question))
}

/// Good plans to start with: the optima of weighted sums.
fn seeds(
    model: &Model,
    axes: &[Objective],
    limits: &[Option<u64>; AXES],
) -> Vec<(Vec<Pick>, Amounts)> {
    let mut plans: Vec<(Vec<Pick>, Amounts)> = vec![];
    let mut offer = |weighing: &Weighing| {
        if let Found::Best(found) = minimum(model, weighing) {
            plans.extend(model.measure(&found.picks).map(|totals| (found.picks, totals)));
        }
        plans.iter().map(|(_, totals)| *totals).collect::<Vec<_>>()
    };
    let axes: Vec<usize> = axes.iter().map(|objective| axis(*objective)).collect();
    let mut extremes = vec![];
    for axis in &axes {
        extremes = offer(&Weighing::only(*axis));
    }
    let range = |axis: usize| {
        let values = || extremes.iter().map(|totals| totals[axis]);
        u128::from(values().max().unwrap_or(0) - values().min().unwrap_or(0)) + 1
    };
    for first in 0..=STEPS {
        for second in 0..=STEPS - first {
            let shares = [first, second, STEPS - first - second];
            let mut multipliers = [0; AXES];
            for (axis, share) in axes.iter().zip(shares) {
                multipliers[*axis] += (share * (SCALE / STEPS) / range(*axis)).max(1);
            }
            offer(&Weighing { multipliers, timed: Timed::Everything });
        }
    }
    plans.retain(|(_, totals)| keeps(totals, limits));
    let mut rows = Rows::new(axes.len());
    plans.iter().for_each(|(_, totals)| rows.push(axes.iter().map(|axis| totals[*axis].into())));
    let kept = if plans.is_empty() { vec![] } else { rows.nondominated() };
    kept.into_iter().map(|index| plans[index].clone()).collect()
}

fn front(
    problem: &Problem,
    model: &Model,
    (axes, respects): (&[Objective], &Respects),
    answers: Answers,
    known: Vec<(Vec<Pick>, Amounts)>,
) -> Front {
    debug_assert!(respects.axes.iter().all(|axis| *axis >= COST));
    let axes: Vec<usize> = axes.iter().map(|objective| axis(*objective)).collect();
    let value = |totals: &Amounts| axes.iter().map(|axis| totals[*axis]).collect::<Vec<_>>();
    let mut plans: Vec<_> = known.into_iter().chain(answers.plans).collect();
    plans.sort_by_cached_key(|(_, totals)| value(totals));
    let mut rows = Rows::new(axes.len());
    plans.iter().for_each(|(_, totals)| rows.push(value(totals).into_iter().map(u128::from)));
    let kept = if plans.is_empty() { vec![] } else { rows.nondominated() };
    let points = kept.into_iter().filter_map(|index| {
        let choices = model.choices(&plans[index].0);
        let totals = Schedule::new(problem, &choices).ok()?.totals;
        Some(FrontPoint { choices, totals })
    });
    let proof = match answers.set_aside {
        None => FrontProof::Exact,
        Some(_) => FrontProof::Capped,
    };
    Front { points: points.collect(), proof, labels: answers.peak }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{choice, project, random};

    #[test]
    fn points_that_no_weighted_sum_finds_are_there() {
        // (6, 6) lies above the line from (0, 10) to (10, 0).
        let choices = [(0, 0, 10), (6, 0, 6), (10, 0, 0), (10, 0, 7)];
        let problem = project(vec![choices.map(|figures| choice(0, figures)).to_vec()], vec![]);
        let front = pareto(&problem, &[Objective::Cost, Objective::Time]).unwrap();
        let points: Vec<_> = front.points.iter().map(|point| point.choices[0]).collect();
        assert_eq!((points, front.proof), (vec![0, 1, 2], FrontProof::Exact));
    }

    #[test]
    fn a_capped_front_says_so() {
        let problem = random(3, 8, 5, 1);
        let axes = [Objective::Cost, Objective::Time, Objective::Carbon];
        let front = pareto_within(&problem, &axes, 20).unwrap();
        assert_eq!(front.proof, FrontProof::Capped);
        assert!(!front.points.is_empty() && front.labels <= 20);
        assert_eq!(pareto(&problem, &axes).unwrap().proof, FrontProof::Exact);
        assert_eq!(pareto(&problem, &[]), Err(ProblemError::NoAxes));
    }
}
