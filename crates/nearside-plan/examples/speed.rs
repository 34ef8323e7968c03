//! How fast is the planner? Prints instance sizes, times and the most labels held.
//!
//! `cargo run --release -p nearside-plan --example speed`

#![allow(clippy::print_stdout, reason = "a benchmark prints its answer")]

use std::error::Error;
use std::time::Instant;

use nearside_plan::*;
use nearside_units::{Bytes, Known};

/// A small linear congruential generator: the same instances on every machine.
struct Random(u64);

impl Random {
    const fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A project where every choice trades money for time, and every route has rates of its own.
fn project(
    stages: usize,
    locations: usize,
    choices: usize,
    parents: usize,
) -> Result<Problem, ProblemError> {
    let mut random = Random(42);
    let mut stage = |index: usize| {
        let mut choice = |place: usize| {
            let speed = 10 + random.below(90);
            let time = 3_600_000 / speed;
            let cost = speed * (5_000 + random.below(20_000));
            let carbon = speed * (1_000 + random.below(20_000));
            Choice {
                site: format!("site {place}"),
                location: LocationId(place % locations),
                machine: None,
                figures: Figures::known(cost, carbon, time),
                obstacles: vec![],
            }
        };
        let choices = (0..choices).map(&mut choice).collect();
        Stage { name: format!("stage {index}"), choices }
    };
    let stages: Vec<Stage> = (0..stages).map(&mut stage).collect();
    let mut edges = vec![];
    for to in 1..stages.len() {
        for from in to.saturating_sub(parents)..to {
            let bytes = Bytes::new(random.below(20_000_000_000));
            edges.push(Edge { from, to, pass: bytes, monthly: bytes });
        }
    }
    let table = (0..locations * locations).map(|_| {
        Route::Open(Rates {
            cost_per_gb: Known::Value(Micros::new(random.below(120_000))),
            carbon_per_gb: Known::Value(Milligrams::new(random.below(60_000))),
            time_per_gb: Known::Value(Milliseconds::new(800 + random.below(8_000))),
            latency: Milliseconds::new(random.below(200)),
        })
    });
    let routes = Routes::new(locations, table.collect())?;
    let (limits, objective) = (Limits::default(), Objective::Cost);
    Ok(Problem { stages, edges, routes, limits, objective })
}

fn show(what: &str, problem: &Problem) -> Result<Option<Plan>, ProblemError> {
    let start = Instant::now();
    let outcome = place(problem)?;
    let elapsed = start.elapsed();
    let Outcome::Placed(plan) = outcome else {
        println!("{what:<44} {elapsed:>10.2?}  infeasible");
        return Ok(None);
    };
    let sought = plan.placements.iter().filter(|one| one.runner_up != RunnerUp::NotSought).count();
    println!(
        "{what:<44} {elapsed:>10.2?}  {:?}, {} labels, {sought} runners-up, cost {}, time {}",
        plan.proof, plan.labels, plan.totals.cost.total, plan.totals.time.total,
    );
    Ok(Some(plan))
}

fn show_front(what: &str, problem: &Problem, axes: &[Objective]) -> Result<(), ProblemError> {
    let start = Instant::now();
    let front = pareto(problem, axes)?;
    let elapsed = start.elapsed();
    let points = front.points.len();
    println!(
        "{what:<44} {elapsed:>10.2?}  {:?}, {} labels, {points} points",
        front.proof, front.labels
    );
    Ok(())
}

/// A stage, many that need it, and one that needs them all; with a machine that a fifth share.
fn fan(parallel: usize, near: bool) -> Result<Problem, ProblemError> {
    let mut problem = project(parallel + 2, 20, 20, 1)?;
    let bytes = Bytes::new(3_000_000_000);
    let edge = |from, to| Edge { from, to, pass: bytes, monthly: bytes };
    let last = parallel + 1;
    problem.edges = (1..last).flat_map(|stage| [edge(0, stage), edge(stage, last)]).collect();
    for choice in problem.stages.iter_mut().flat_map(|stage| &mut stage.choices) {
        choice.machine = (near && choice.location.0 < 4).then_some(MachineId(0));
    }
    Ok(problem)
}

/// A deadline of a share of the way from the fastest plan to the cheapest.
fn with_deadline(mut problem: Problem, percent: u64) -> Result<Problem, ProblemError> {
    let mut time = |objective| -> Result<u64, ProblemError> {
        problem.objective = objective;
        let Outcome::Placed(plan) = place(&problem)? else { return Ok(0) };
        Ok(plan.totals.time.total.get())
    };
    let (fastest, cheapest) = (time(Objective::Time)?, time(Objective::Cost)?);
    let deadline = fastest + cheapest.saturating_sub(fastest) * percent / 100;
    problem.limits.deadline = Some(Milliseconds::new(deadline));
    Ok(problem)
}

fn main() -> Result<(), Box<dyn Error>> {
    show("chain, 1000 stages x 300 locations, cost", &project(1000, 300, 300, 1)?)?;
    show("width 2, 200 stages x 100 locations, cost", &project(200, 100, 100, 2)?)?;
    show(
        "chain, 20 stages x 40 locations, time",
        &Problem { objective: Objective::Time, ..project(20, 40, 40, 1)? },
    )?;
    for percent in [10, 50, 90] {
        let problem = with_deadline(project(20, 40, 40, 1)?, percent)?;
        show(&format!("chain, 20 x 40, cost, deadline at {percent} %"), &problem)?;
    }
    for percent in [10, 50, 90] {
        let problem = with_deadline(project(12, 20, 20, 2)?, percent)?;
        show(&format!("width 2, 12 x 20, cost, deadline at {percent} %"), &problem)?;
    }
    for (parallel, near) in [(6, false), (10, false), (10, true)] {
        let problem = with_deadline(fan(parallel, near)?, 50)?;
        let what = if near { "one near machine" } else { "no machine" };
        show(&format!("fan, {parallel} + 2 stages x 20, {what}, deadline"), &problem)?;
    }
    let small = project(8, 10, 30, 1)?;
    show_front(
        "chain, 8 stages x 30 choices, cost x time",
        &small,
        &[Objective::Cost, Objective::Time],
    )?;
    let all = [Objective::Cost, Objective::Time, Objective::Carbon];
    show_front("chain, 8 stages x 30 choices, all three", &small, &all)?;
    Ok(())
}
