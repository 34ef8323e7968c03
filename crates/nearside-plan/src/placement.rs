//! Where does every stage go, why, and what is the next best?
//!
//! Guaranteed order of plans: the objective first, then cost, then carbon (unknown parts, where
//! they are allowed, count as more than anything known). Plans equal in all three are equally good
//! to the planner; which of them is returned is fixed but otherwise unspecified.

use crate::amount::{Amount, Milliseconds, Objective};
use crate::error::ProblemError;
use crate::frontier::LABELS;
use crate::problem::{Choice, Problem};
use crate::reason::{Loss, Reason, Why};
use crate::relax::{Infeasible, relax};
use crate::schedule::{NoWay, Schedule, Slot, Totals, Transfer};
use crate::search::{Answer, Solution, solve, solve_within};
use crate::weights::{AXES, Exclusion, Terms, axis, objective, weigh};

/// The most additions that seeking all runners-up by elimination may take.
const RUNNER_UP_WORK: u128 = 1 << 31;
/// The most labels that seeking all runners-up may hold, one after the other.
const RUNNER_UP_LABELS: usize = 1 << 18;

/// What placing a problem led to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A plan.
    Placed(Plan),
    /// Proof that no plan keeps to all limits, and what would help.
    Infeasible(Infeasible),
}

/// Whether a plan is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// No plan is better: objective, then cost, then carbon.
    Exact,
    /// The cap on the search was reached; no plan comes to less than this.
    Gap {
        /// A bound on the first figure in doubt: the objective, or a tie-break after it.
        lower_bound: Amount,
    },
}

/// Where every stage goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Per stage.
    pub placements: Vec<Placement>,
    /// Per edge, what moving its data takes.
    pub transfers: Vec<Transfer>,
    /// What the plan comes to.
    pub totals: Totals,
    /// Whether it is the best.
    pub proof: Proof,
    /// The most partial plans held after one stage; 0 when sums alone decided.
    pub labels: usize,
}

/// Where one stage goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The position of its choice.
    pub choice: usize,
    /// When it runs.
    pub slot: Slot,
    /// Why there.
    pub reason: Reason,
    /// The best plan with this stage at another site.
    pub runner_up: RunnerUp,
    /// Why each other choice was not taken, everything else held fixed.
    pub others: Vec<Loss>,
}

/// The best plan with a stage at another site than the chosen one, everything else re-optimised.
#[derive(Clone, Debug, PartialEq)]
pub enum RunnerUp {
    /// That plan.
    Found(Alternative),
    /// With this stage elsewhere there is no plan.
    None,
    /// The problem is too large to solve once per stage, or the search was cut short.
    NotSought,
}

/// A whole plan beside the chosen one.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// The choice of the stage in question.
    pub choice: usize,
    /// The choices of all stages.
    pub choices: Vec<usize>,
    /// How much more it comes to than the chosen plan.
    pub extra: Extra,
    /// Whether it is the best of its kind.
    pub proof: Proof,
}

/// How much more one plan comes to than another; negative when it is less. Known parts only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Micros per month.
    pub cost: i64,
    /// Milligrams per month.
    pub carbon: i64,
    /// Milliseconds of one pass.
    pub time: i64,
}

impl Extra {
    fn between(plan: &Totals, other: &Totals) -> Self {
        let more = |axis| other.count(axis).cast_signed() - plan.count(axis).cast_signed();
        Self {
            cost: more(Objective::Cost),
            carbon: more(Objective::Carbon),
            time: more(Objective::Time),
        }
    }

    /// One of the three.
    #[must_use]
    pub const fn of(&self, objective: Objective) -> i64 {
        match objective {
            Objective::Cost => self.cost,
            Objective::Time => self.time,
            Objective::Carbon => self.carbon,
        }
    }
}

/// The best placement of every stage, or what stands in the way.
///
/// # Errors
/// When the problem is not sound, see [`Problem::check`]; or when the search reached its cap
/// without finding a plan or proving that there is none.
pub fn place(problem: &Problem) -> Result<Outcome, ProblemError> {
    problem.check()?;
    let terms = Terms::of(problem);
    match solve(problem, &terms) {
        Answer::Best(solution) => plan(problem, &terms, &solution).map(Outcome::Placed),
        Answer::Infeasible => Ok(Outcome::Infeasible(relax(problem, &terms))),
        Answer::Capped => Err(ProblemError::SearchCapped { labels: LABELS }),
    }
}

/// The proof that goes with a solution.
pub(crate) fn proof(solution: &Solution) -> Proof {
    let bound = solution.gap.and_then(|(axis, least)| Some(objective(axis)?.amount(least)));
    bound.map_or(Proof::Exact, |lower_bound| Proof::Gap { lower_bound })
}

/// A plan as it is being explained.
struct Explained<'a> {
    problem: &'a Problem,
    terms: &'a Terms,
    choices: &'a [usize],
    totals: &'a Totals,
    /// Per stage the edges that touch it.
    touching: Vec<Vec<usize>>,
}

fn plan(problem: &Problem, terms: &Terms, solution: &Solution) -> Result<Plan, ProblemError> {
    let choices = &solution.choices;
    let Ok(Schedule { slots, transfers, totals }) = Schedule::new(problem, choices) else {
        // Not reachable: every plan the solvers return was measured.
        return Err(ProblemError::SearchCapped { labels: solution.labels });
    };
    let mut touching = vec![vec![]; choices.len()];
    for (index, edge) in problem.edges.iter().enumerate() {
        touching[edge.from].push(index);
        touching[edge.to].push(index);
    }
    let explained = Explained { problem, terms, choices, totals: &totals, touching };
    let sought = affordable(solution);
    let placements = slots.iter().enumerate().map(|(stage, slot)| {
        let runner_up = if sought { explained.runner_up(stage) } else { RunnerUp::NotSought };
        let others = explained.others(stage);
        let reason = explained.reason(stage, &others, &runner_up);
        Placement { choice: choices[stage], slot: *slot, reason, runner_up, others }
    });
    let placements = placements.collect();
    Ok(Plan { placements, transfers, totals, proof: proof(solution), labels: solution.labels })
}

/// Whether solving once more per stage stays within the caps.
fn affordable(solution: &Solution) -> bool {
    let stages = solution.choices.len();
    let labels = solution.labels.saturating_mul(stages);
    labels <= RUNNER_UP_LABELS && solution.work.saturating_mul(stages as u128) <= RUNNER_UP_WORK
}

impl Explained<'_> {
    fn chosen(&self, stage: usize) -> &Choice {
        &self.problem.stages[stage].choices[self.choices[stage]]
    }

    fn runner_up(&self, stage: usize) -> RunnerUp {
        let mut terms = self.terms.clone();
        terms.banned = Some((stage, self.chosen(stage).site.clone()));
        let labels = RUNNER_UP_LABELS / self.choices.len();
        let solution = match solve_within(self.problem, &terms, labels.min(LABELS)) {
            Answer::Best(solution) => solution,
            Answer::Infeasible => return RunnerUp::None,
            Answer::Capped => return RunnerUp::NotSought,
        };
        let Ok(schedule) = Schedule::new(self.problem, &solution.choices) else {
            return RunnerUp::NotSought;
        };
        RunnerUp::Found(Alternative {
            choice: solution.choices[stage],
            extra: Extra::between(self.totals, &schedule.totals),
            proof: proof(&solution),
            choices: solution.choices,
        })
    }

    fn others(&self, stage: usize) -> Vec<Loss> {
        let count = self.problem.stages[stage].choices.len();
        let others = (0..count).filter(|choice| *choice != self.choices[stage]);
        let old = self.around(stage, self.choices[stage]);
        others.map(|choice| Loss { choice, why: self.why_not(stage, choice, &old) }).collect()
    }

    fn why_not(&self, stage: usize, choice: usize, old: &Result<[u64; AXES], NoWay>) -> Why {
        match weigh(self.terms, &self.problem.stages[stage].choices[choice], &[0; AXES]) {
            Err(Exclusion::Obstacles(obstacles)) => return Why::Obstacles(obstacles),
            Err(Exclusion::Unknown(figure, why)) => return Why::Unknown { figure, why },
            Ok(_) => {}
        }
        let counts = match self.swapped(stage, choice, old) {
            Ok(counts) => counts,
            Err(NoWay::Blocked(why)) => return Why::Blocked(why),
            Err(NoWay::Unknown(figure, why)) => return Why::Unknown { figure, why },
        };
        for figure in [Objective::Time, Objective::Cost, Objective::Carbon] {
            let limit = self.problem.limits.on(figure).unwrap_or(u64::MAX);
            if counts[axis(figure)] > limit {
                return Why::Breaks { by: figure.amount(counts[axis(figure)] - limit) };
            }
        }
        let objective = self.problem.objective;
        let (new, old) = (counts[axis(objective)], self.totals.count(objective));
        match new.cmp(&old) {
            std::cmp::Ordering::Greater => Why::Worse { by: objective.amount(new - old) },
            std::cmp::Ordering::Equal => Why::Tie,
            std::cmp::Ordering::Less => Why::Better { by: objective.amount(old - new) },
        }
    }

    /// What the plan comes to with another choice for one stage; the time only where it matters.
    fn swapped(
        &self,
        stage: usize,
        choice: usize,
        old: &Result<[u64; AXES], NoWay>,
    ) -> Result<[u64; AXES], NoWay> {
        let mut choices = vec![];
        let mut counts = [0; AXES];
        let old = old.clone()?;
        let new = self.around(stage, choice)?;
        for figure in [Objective::Cost, Objective::Carbon] {
            let place = axis(figure);
            counts[place] = (self.totals.count(figure) + new[place]).saturating_sub(old[place]);
        }
        if self.problem.needs(Objective::Time) {
            choices.extend_from_slice(self.choices);
            choices[stage] = choice;
            let totals = Schedule::new(self.problem, &choices)?.totals;
            counts[axis(Objective::Time)] = totals.count(Objective::Time);
        }
        Ok(counts)
    }

    /// The known sums that one choice of a stage brings: its own and those of its transfers.
    fn around(&self, stage: usize, choice: usize) -> Result<[u64; AXES], NoWay> {
        let place = &self.problem.stages[stage].choices[choice];
        let mut counts = [0; AXES];
        for figure in [Objective::Cost, Objective::Carbon] {
            counts[axis(figure)] = place.figures.count(figure).value().unwrap_or(0);
        }
        for edge in self.touching[stage].iter().map(|edge| &self.problem.edges[*edge]) {
            let (from, to) = match edge.from == stage {
                true => (place.location, self.chosen(edge.to).location),
                false => (self.chosen(edge.from).location, place.location),
            };
            let transfer =
                Transfer::between(self.problem, edge, from, to).map_err(NoWay::Blocked)?;
            if let Some((figure, why)) = transfer.missing(self.problem) {
                return Err(NoWay::Unknown(figure, why));
            }
            counts[axis(Objective::Cost)] += transfer.cost.value().map_or(0, |cost| cost.get());
            counts[axis(Objective::Carbon)] +=
                transfer.carbon.value().map_or(0, |carbon| carbon.get());
        }
        Ok(counts)
    }

    fn reason(&self, stage: usize, others: &[Loss], runner_up: &RunnerUp) -> Reason {
        let objective = self.problem.objective;
        let choices = &self.problem.stages[stage].choices;
        let own = |choice: usize| choices[choice].figures.count(objective).value();
        let eligible: Vec<&Loss> = others
            .iter()
            .filter(|loss| weigh(self.terms, &choices[loss.choice], &[0; AXES]).is_ok())
            .collect();
        if eligible.is_empty() {
            return Reason::OnlyEligible;
        }
        let mine = own(self.choices[stage]).unwrap_or(0);
        let smaller = eligible.iter().filter_map(|loss| Some((own(loss.choice)?, loss)));
        let tempting =
            smaller.filter(|(figure, _)| *figure < mine).min_by_key(|(figure, _)| *figure);
        if let Some((figure, loss)) = tempting
            && let Some(reason) = tempted(loss, objective.amount(mine - figure))
        {
            return reason;
        }
        let tie = eligible.iter().find(|loss| loss.why == Why::Tie);
        let by = match runner_up {
            RunnerUp::None => return Reason::OnlySite,
            RunnerUp::NotSought => None,
            RunnerUp::Found(other) => u64::try_from(other.extra.of(objective)).ok(),
        };
        match (tie, by) {
            (Some(loss), None | Some(0)) => Reason::Tie { with: loss.choice },
            (None, Some(0)) => match runner_up {
                RunnerUp::Found(other) => Reason::Tie { with: other.choice },
                RunnerUp::None | RunnerUp::NotSought => Reason::Best { objective, by: None },
            },
            (_, by) => Reason::Best { objective, by: by.map(|by| objective.amount(by)) },
        }
    }
}

/// Why a choice with a smaller figure of its own was not taken.
fn tempted(loss: &Loss, alone: Amount) -> Option<Reason> {
    let instead_of = loss.choice;
    match &loss.why {
        Why::Worse { by } => Some(Reason::AvoidsTransfer { instead_of, alone, together: *by }),
        Why::Breaks { by } => Some(Reason::MeetsLimit { instead_of, by: *by }),
        Why::Blocked(why) => Some(Reason::KeepsDataMoving { instead_of, why: why.clone() }),
        Why::Tie => Some(Reason::Tie { with: instead_of }),
        Why::Unknown { .. } | Why::Obstacles(_) | Why::Better { .. } => None,
    }
}

impl Plan {
    /// The position of the choice at each stage.
    #[must_use]
    pub fn choices(&self) -> Vec<usize> {
        self.placements.iter().map(|placement| placement.choice).collect()
    }

    /// By how much the plan ends before the deadline; `None` without one.
    #[must_use]
    pub fn slack(&self, problem: &Problem) -> Option<Milliseconds> {
        let deadline = problem.limits.deadline?.get();
        Some(Milliseconds::new(deadline.saturating_sub(self.totals.time.total.get())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Micros;
    use crate::problem::{Figures, MachineId, Obstacle};
    use crate::sample::{choice, edge, project};
    use nearside_units::Known;

    fn placed(problem: &Problem) -> Plan {
        match place(problem).unwrap() {
            Outcome::Placed(plan) => plan,
            Outcome::Infeasible(why) => panic!("{why:?}"),
        }
    }

    const fn money(micros: u64) -> Amount {
        Amount::Cost(Micros::new(micros))
    }

    #[test]
    fn data_keeps_a_stage_near() {
        // Alone the far side is 5 cheaper, but moving 2 GB costs 20.
        let near = || choice(0, (15, 0, 10));
        let problem = project(
            vec![vec![choice(0, (1, 0, 1))], vec![near(), choice(1, (10, 0, 10))]],
            vec![edge(0, 1, 2)],
        );
        let plan = placed(&problem);
        assert_eq!(plan.choices(), [0, 0]);
        assert_eq!(plan.placements[0].reason, Reason::OnlyEligible);
        let reason = &plan.placements[1].reason;
        let (alone, together) = (money(5), money(15));
        assert_eq!(*reason, Reason::AvoidsTransfer { instead_of: 1, alone, together });
        let RunnerUp::Found(other) = &plan.placements[1].runner_up else { panic!("there is one") };
        assert_eq!(other.extra, Extra { cost: 15, carbon: 2, time: 10 });
        assert_eq!(
            plan.placements[1].others,
            [Loss { choice: 1, why: Why::Worse { by: together } }]
        );
        assert_eq!(plan.placements[1].runner_up.clone(), RunnerUp::Found(other.clone()));
    }

    #[test]
    fn a_deadline_moves_a_stage_away() {
        let choices = vec![choice(0, (1, 0, 100)), choice(1, (9, 0, 10))];
        let mut problem = project(vec![choices], vec![]);
        problem.limits.deadline = Some(Milliseconds::new(60));
        let plan = placed(&problem);
        let by = Amount::Time(Milliseconds::new(40));
        assert_eq!(plan.placements[0].reason, Reason::MeetsLimit { instead_of: 0, by });
        assert_eq!(plan.placements[0].runner_up, RunnerUp::None);
        assert_eq!(plan.slack(&problem), Some(Milliseconds::new(50)));
        problem.limits.deadline = None;
        let reason = placed(&problem).placements[0].reason.clone();
        assert_eq!(reason, Reason::Best { objective: Objective::Cost, by: Some(money(8)) });
    }

    #[test]
    fn stages_on_one_machine_wait_for_each_other() {
        let mut here = choice(0, (1, 0, 10));
        here.machine = Some(MachineId(7));
        let mut problem =
            project(vec![vec![here.clone()], vec![here, choice(1, (5, 0, 12))]], vec![]);
        problem.objective = Objective::Time;
        let plan = placed(&problem);
        assert_eq!((plan.choices(), plan.totals.time.total), (vec![0, 1], Milliseconds::new(12)));
        problem.objective = Objective::Cost;
        let plan = placed(&problem);
        assert_eq!(plan.placements[1].slot.start, Milliseconds::new(10));
        assert_eq!(plan.totals.time.total, Milliseconds::new(20));
    }

    #[test]
    fn unknown_is_not_zero() {
        let unknown = Figures { cost: Known::unknown("no price"), ..Figures::known(0, 5, 1) };
        let mut priceless = choice(0, (0, 5, 1));
        priceless.figures = unknown;
        let mut problem = project(vec![vec![priceless, choice(1, (90, 5, 1))]], vec![]);
        let plan = placed(&problem);
        let why = Why::Unknown { figure: Objective::Cost, why: "no price".into() };
        assert_eq!(plan.placements[0].others, [Loss { choice: 0, why }]);
        problem.objective = Objective::Carbon;
        assert_eq!(placed(&problem).choices(), [1]);
        problem.stages[0].choices[1].obstacles.push(Obstacle::Hard("does not fit".into()));
        let totals = placed(&problem).totals;
        assert!(!totals.cost.is_complete() && totals.carbon.is_complete());
    }
}
