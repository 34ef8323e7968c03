//! One event: which stages stop, which move, and what the rest costs and takes.

use std::collections::BTreeSet;

use nearside_plan::{
    Choice, Edge, Limits, Micros, Milliseconds, Objective, Obstacle, Outcome, Plan, Problem,
    ProblemError, place,
};
use nearside_units::Duration;

use super::{Event, Totals};

/// What an event does to a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Drilled {
    /// What happens.
    pub event: Event,
    /// Stages, datasets among them not counted.
    pub stages: usize,
    /// Stages that can be nowhere meanwhile.
    pub stopped: Vec<StoppedStage>,
    /// Stages that wait for one that stopped.
    pub waiting: Vec<String>,
    /// Stages that are done elsewhere.
    pub moved: Vec<MovedStage>,
    /// What the stages that go on came to before, and come to now; nothing where none goes on.
    pub totals: Option<[Totals; 2]>,
    /// Limits that they no longer keep to.
    pub breaks: Vec<&'static str>,
    /// Every stage that goes on has a place, but there is no plan for all of them together: what one makes cannot
    /// get to where another would be.
    pub no_plan: bool,
}

/// A stage that can be nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedStage {
    /// Its name.
    pub stage: String,
    /// Where it was, and why it cannot be elsewhere.
    pub was: String,
    /// Why it can be at no other site, the most frequent reason.
    pub why: String,
}

/// A stage that is done elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedStage {
    /// Its name.
    pub stage: String,
    /// Where it was.
    pub from: String,
    /// Where it is now.
    pub to: String,
}

impl Drilled {
    /// The share of stages that stop or wait, 0 to 1.
    #[must_use]
    pub fn stopped_share(&self) -> f64 {
        let still = self.stopped.len() + self.waiting.len();
        if self.no_plan {
            return 1.0;
        }
        if self.stages == 0 { 0.0 } else { still as f64 / self.stages as f64 }
    }

    /// The share of stages that go on, 0 to 1; half of it where they break a limit.
    #[must_use]
    pub fn goes_on(&self) -> f64 {
        if self.no_plan {
            return 0.0;
        }
        let share = 1.0 - self.stopped_share();
        if self.breaks.is_empty() { share } else { share / 2.0 }
    }

    /// How much later a pass is done that begins with the event: what stops waits until it is over.
    #[must_use]
    pub fn delay(&self) -> Duration {
        if !self.stopped.is_empty() || self.no_plan {
            return self.event.lasts;
        }
        let Some([before, now]) = self.totals else { return Duration::ZERO };
        let more = now.time.get().saturating_sub(before.time.get());
        Duration::from_seconds(more as f64 / 1e3).unwrap_or(Duration::ZERO)
    }

    /// How much more money a month the stages that go on cost, in micros; less than nothing where it is less,
    /// nothing where no stage goes on. Not known where a part of it is not.
    #[must_use]
    pub fn extra_cost(&self) -> Option<i64> {
        let Some([before, now]) = self.totals else { return Some(0) };
        Some(now.cost?.get().cast_signed() - before.cost?.get().cast_signed())
    }
}

/// Plays an event on a problem whose plan is known. The first `given` stages of the problem are data that is
/// where it is: they never stop.
///
/// # Errors
/// When the problem cannot be planned at all, as its plan could.
pub fn drill(
    problem: &Problem,
    plan: &Plan,
    given: usize,
    event: &Event,
) -> Result<Drilled, ProblemError> {
    let struck = struck(problem, given, event);
    let chosen = |stage: usize| &problem.stages[stage].choices[plan.placements[stage].choice].site;
    let mut out: BTreeSet<usize> = (given..struck.stages.len())
        .filter(|stage| struck.stages[*stage].choices.iter().all(|it| !it.obstacles.is_empty()))
        .collect();
    let stopped: Vec<StoppedStage> = out
        .iter()
        .map(|stage| StoppedStage {
            stage: problem.stages[*stage].name.clone(),
            was: chosen(*stage).clone(),
            why: match event.stops.contains(&problem.stages[*stage].name) {
                true => "it needs what is gone".to_owned(),
                false => reason(problem, *stage, event),
            },
        })
        .collect();
    // Edges go forward, so one look at them in order finds all that waits.
    let mut edges: Vec<&Edge> = problem.edges.iter().collect();
    edges.sort_by_key(|edge| edge.from);
    for edge in edges {
        if out.contains(&edge.from) {
            out.insert(edge.to);
        }
    }
    let names: BTreeSet<&str> = stopped.iter().map(|stopped| stopped.stage.as_str()).collect();
    let waiting = out.iter().map(|stage| problem.stages[*stage].name.clone());
    let waiting: Vec<String> = waiting.filter(|name| !names.contains(name.as_str())).collect();
    let kept: Vec<usize> = (0..problem.stages.len()).filter(|it| !out.contains(it)).collect();
    let mut drilled = Drilled {
        event: event.clone(),
        stages: problem.stages.len() - given,
        stopped,
        waiting,
        moved: Vec::new(),
        totals: None,
        breaks: Vec::new(),
        no_plan: false,
    };
    if kept.len() <= given {
        return Ok(drilled);
    }
    let Some((now, breaks)) = planned(&part(&struck, &kept))? else {
        drilled.no_plan = true;
        return Ok(drilled);
    };
    let before =
        if out.is_empty() { Some(plan.clone()) } else { held(&part(problem, &kept), &kept, plan)? };
    drilled.breaks = breaks;
    drilled.totals = before.map(|before| [totals(&before), totals(&now)]);
    for (place, stage) in kept.iter().enumerate().skip(given) {
        let to = &struck.stages[*stage].choices[now.placements[place].choice].site;
        if to != chosen(*stage) {
            drilled.moved.push(MovedStage {
                stage: problem.stages[*stage].name.clone(),
                from: chosen(*stage).clone(),
                to: to.clone(),
            });
        }
    }
    Ok(drilled)
}

/// The problem while the event lasts. Data of a machine that is gone is read from a copy of it.
fn struck(problem: &Problem, given: usize, event: &Event) -> Problem {
    let mut struck = problem.clone();
    let choices = struck.stages.iter_mut().skip(given).flat_map(|stage| {
        let stops = event.stops.contains(&stage.name);
        stage.choices.iter_mut().map(move |choice| (stops, choice))
    });
    for (stops, choice) in choices {
        if stops || event.without.contains(&choice.site) {
            choice.obstacles.push(Obstacle::Hard(event.name.to_string()));
        }
        if let Some((sites, times)) = &event.dearer
            && sites.contains(&choice.site)
        {
            let dearer = |cost: Micros| Micros::new((cost.get() as f64 * times).round() as u64);
            choice.figures.cost = choice.figures.cost.clone().map(dearer);
        }
    }
    struck
}

/// Why a stage can be at none of the sites that are left: what most of them say.
fn reason(problem: &Problem, stage: usize, event: &Event) -> String {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    let left = |choice: &&Choice| !event.without.contains(&choice.site);
    for choice in problem.stages[stage].choices.iter().filter(left) {
        for obstacle in choice.obstacles.iter().take(1) {
            let (Obstacle::Hard(why) | Obstacle::Limit { why, .. }) = obstacle;
            match reasons.iter_mut().find(|(other, _)| other == why) {
                Some((_, times)) => *times += 1,
                None => reasons.push((why, 1)),
            }
        }
    }
    let most = reasons.iter().max_by_key(|(_, times)| *times);
    most.map_or_else(|| "there is no other site".to_owned(), |(why, _)| (*why).to_owned())
}

/// The problem of some stages alone.
fn part(problem: &Problem, kept: &[usize]) -> Problem {
    let at = |stage: usize| kept.binary_search(&stage).ok();
    let edges = problem
        .edges
        .iter()
        .filter_map(|edge| Some(Edge { from: at(edge.from)?, to: at(edge.to)?, ..*edge }));
    Problem {
        stages: kept.iter().map(|stage| problem.stages[*stage].clone()).collect(),
        edges: edges.collect(),
        ..problem.clone()
    }
}

/// The best plan within the limits; else the best without deadline and budget, with what it breaks.
fn planned(problem: &Problem) -> Result<Option<(Plan, Vec<&'static str>)>, ProblemError> {
    if let Outcome::Placed(plan) = place(problem)? {
        return Ok(Some((plan, Vec::new())));
    }
    let limits = &problem.limits;
    let free = Limits { deadline: None, budget: None, carbon: None, named: limits.named.clone() };
    let freed = Problem { limits: free, ..problem.clone() };
    let Outcome::Placed(plan) = place(&freed)? else { return Ok(None) };
    let over = |limit: Option<u64>, axis| limit.is_some_and(|most| plan.totals.count(axis) > most);
    let breaks = [
        ("deadline", over(limits.deadline.map(Milliseconds::get), Objective::Time)),
        ("budget", over(limits.budget.map(Micros::get), Objective::Cost)),
        ("carbon", over(limits.carbon.map(nearside_plan::Milligrams::get), Objective::Carbon)),
    ];
    let breaks = breaks.into_iter().filter_map(|(name, broken)| broken.then_some(name)).collect();
    Ok(Some((plan, breaks)))
}

/// What the stages that go on came to where they were.
fn held(part: &Problem, kept: &[usize], plan: &Plan) -> Result<Option<Plan>, ProblemError> {
    let mut held = part.clone();
    held.limits.deadline = None;
    held.limits.budget = None;
    held.limits.carbon = None;
    for (stage, place) in held.stages.iter_mut().zip(kept) {
        let choice = stage.choices[plan.placements[*place].choice].clone();
        stage.choices = vec![choice];
    }
    Ok(match place(&held)? {
        Outcome::Placed(plan) => Some(plan),
        Outcome::Infeasible(_) => None,
    })
}

fn totals(plan: &Plan) -> Totals {
    let cost = &plan.totals.cost;
    Totals { cost: cost.is_complete().then_some(cost.total), time: plan.totals.time.total }
}
