//! What events do to a plan, on problems small enough to see.

use std::sync::Arc;

use nearside_economics::{Event, Rate, drill, score, years};
use nearside_plan::{
    Choice, Edge, Figures, Limits, LocationId, MachineId, Micros, Objective, Obstacle, Outcome,
    Plan, Problem, Route, Routes, Stage, place,
};
use nearside_units::{Bytes, Duration, Known};
use proptest::prelude::*;

/// A choice at a site: micros a month, milliseconds a pass.
fn at(site: &str, cost: u64, time: u64, obstacles: Vec<Obstacle>) -> Choice {
    Choice {
        site: site.to_owned(),
        location: LocationId(0),
        machine: (site == "here").then_some(MachineId(0)),
        figures: Figures::known(cost, 0, time),
        obstacles,
    }
}

fn hard(why: &str) -> Vec<Obstacle> {
    vec![Obstacle::Hard(why.to_owned())]
}

/// Data, then a stage that can only be here, one that can be anywhere, one that only `aws` can do.
fn problem() -> Problem {
    let stage = |name: &str, choices| Stage { name: name.to_owned(), choices };
    let edge = |from, to| Edge { from, to, pass: Bytes::ZERO, monthly: Bytes::ZERO };
    let route = Route::Blocked("nothing moves".into());
    Problem {
        stages: vec![
            stage("dataset", vec![at("here", 0, 0, Vec::new())]),
            stage(
                "clean",
                vec![
                    at("here", 10, 1000, Vec::new()),
                    at("aws", 5, 500, hard("personal")),
                    at("gcp", 5, 500, hard("personal")),
                ],
            ),
            stage(
                "train",
                vec![
                    at("here", 100, 9000, Vec::new()),
                    at("aws", 50, 2000, Vec::new()),
                    at("gcp", 60, 2500, Vec::new()),
                ],
            ),
            stage(
                "render",
                vec![at("here", 1, 1, hard("too small")), at("aws", 7, 100, Vec::new())],
            ),
        ],
        edges: vec![edge(0, 1), edge(1, 2)],
        routes: Routes::new(1, vec![route]).expect("a table of one"),
        limits: Limits::default(),
        objective: Objective::Cost,
    }
}

fn planned(problem: &Problem) -> Plan {
    match place(problem).expect("a problem") {
        Outcome::Placed(plan) => plan,
        Outcome::Infeasible(infeasible) => unreachable!("{infeasible:?}"),
    }
}

fn event(name: &str, without: &[&str]) -> Event {
    Event {
        name: Arc::from(name),
        lasts: Duration::hours(24.0),
        without: without.iter().map(|site| (*site).to_owned()).collect(),
        stops: Vec::new(),
        dearer: None,
    }
}

#[test]
fn stages_move_stop_and_wait() {
    let problem = problem();
    let plan = planned(&problem);
    let drilled = |event: &Event| drill(&problem, &plan, 1, event).expect("a plan");
    let aws = drilled(&event("aws is down", &["aws"]));
    let moved: Vec<_> = aws.moved.iter().map(|it| (it.stage.as_str(), it.to.as_str())).collect();
    assert_eq!(moved, [("train", "gcp")]);
    let stopped: Vec<_> = aws.stopped.iter().map(|it| (it.stage.as_str(), &*it.why)).collect();
    assert_eq!(stopped, [("render", "too small")]);
    // Of the stages that go on: 10 + 50 before, 10 + 60 now.
    assert_eq!(aws.extra_cost(), Some(10));
    assert_eq!(aws.delay(), Duration::hours(24.0), "what stops waits until it is over");
    assert!((aws.goes_on() - 2.0 / 3.0).abs() < 1e-12);

    let here = drilled(&event("the own machine is broken", &["here"]));
    assert!(!here.no_plan, "data of the broken machine is read from a copy");
    let stopped: Vec<_> = here.stopped.iter().map(|it| it.stage.as_str()).collect();
    assert_eq!((stopped, here.waiting.as_slice()), (vec!["clean"], &["train".to_owned()][..]));
    assert_eq!(here.stopped[0].why, "personal");

    let all = drilled(&event("the network is down", &["aws", "gcp"]));
    assert_eq!(all.moved.len(), 1, "training comes home");
    let mut needed = event("the network is down", &[]);
    needed.stops.push("clean".to_owned());
    let needed = drilled(&needed);
    assert_eq!((needed.stopped.len(), needed.waiting.len()), (1, 1), "wherever it might be");
    let calm = drilled(&event("nothing", &[]));
    assert!(
        (calm.goes_on() - 1.0).abs() < 1e-12
            && calm.extra_cost() == Some(0)
            && calm.moved.is_empty()
    );
    let score = score(&[aws, here, all, calm]).expect("drills");
    assert!((score - (2.0 / 3.0 + 1.0 / 3.0 + 2.0 / 3.0 + 1.0) / 4.0).abs() < 1e-12, "{score}");
}

#[test]
fn dearer_hours_cost_more_unless_there_is_something_cheaper() {
    let problem = problem();
    let plan = planned(&problem);
    let mut dearer = event("aws costs 30 % more", &[]);
    dearer.dearer = Some((vec!["aws".to_owned()], 1.3));
    let drilled = drill(&problem, &plan, 1, &dearer).expect("a plan");
    // Training at 65 moves to gcp for 60, rendering has to pay 9 for 7.
    assert_eq!((drilled.extra_cost(), drilled.moved.len()), (Some(12), 1));
    assert_eq!(drilled.delay(), Duration::from_seconds(0.5).expect("a time"));
}

#[test]
fn limits_that_break_are_named_and_count_half() {
    let mut problem = problem();
    problem.limits.budget = Some(Micros::new(75));
    let plan = planned(&problem);
    let drilled =
        drill(&problem, &plan, 1, &event("aws and gcp", &["gcp", "aws"])).expect("a plan");
    assert_eq!(drilled.breaks, ["budget"]);
    assert!((drilled.goes_on() - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn what_can_be_elsewhere_moves_when_the_own_machine_breaks() {
    let mut problem = problem();
    for choice in &mut problem.stages[1].choices {
        choice.obstacles.clear();
        choice.figures = Figures::known(if choice.site == "here" { 1 } else { 9 }, 0, 10);
    }
    problem.stages[2].choices[0].figures = Figures::known(2, 0, 10);
    let plan = planned(&problem);
    let drilled = drill(&problem, &plan, 1, &event("broken", &["here"])).expect("a plan");
    assert_eq!((drilled.stopped.len(), drilled.moved.len(), drilled.no_plan), (0, 2, false));
    // 1 + 2 here before, 9 and 50 elsewhere now.
    assert_eq!(drilled.extra_cost(), Some(9 + 50 - 3));
    assert!((drilled.goes_on() - 1.0).abs() < 1e-12);
}

#[test]
fn unknown_figures_stay_unknown() {
    let mut problem = problem();
    problem.stages[2].choices[1].figures.cost = Known::unknown("no price");
    let plan = planned(&problem);
    let mut dearer = event("aws costs more", &[]);
    dearer.dearer = Some((vec!["aws".to_owned()], 2.0));
    assert!(drill(&problem, &plan, 1, &dearer).is_ok());
    // By time the stage goes where nobody knows what it costs, and by what is not known nothing is added up.
    problem.objective = Objective::Time;
    let plan = planned(&problem);
    let calm = drill(&problem, &plan, 1, &event("nothing", &[])).expect("a plan");
    assert_eq!(calm.extra_cost(), None);
    let rate = Rate { per_year: 50.0, mean: Duration::hours(1.0) };
    assert_eq!(years(&[(calm, rate)], 100, 1).extra_cost.mean(), None);
}

#[test]
fn years_at_random_come_to_what_is_expected() {
    let problem = problem();
    let plan = planned(&problem);
    let aws = drill(&problem, &plan, 1, &event("aws is down", &["aws"])).expect("a plan");
    let rate = Rate { per_year: 3.0, mean: Duration::hours(48.0) };
    let drills = [(aws, rate)];
    let drawn = years(&drills, 20_000, 1);
    // Three times a year two days, in which one stage of three stops.
    let mean = drawn.lost_days.mean().expect("years");
    assert!((mean - 2.0).abs() < 0.05, "{mean}");
    // No event with the probability e^-3.
    assert!((drawn.untouched - (-3.0f64).exp()).abs() < 0.01, "{}", drawn.untouched);
    let extra = drawn.extra_cost.mean().expect("years");
    let expected = 10e-6 * 6.0 / (365.0 / 12.0);
    assert!((extra - expected).abs() < 0.03 * expected, "{extra}");
    assert_eq!(drawn, years(&drills, 20_000, 1));
    assert_ne!(drawn, years(&drills, 20_000, 2));
}

proptest! {
    #[test]
    fn taking_more_away_never_helps(costs in prop::collection::vec(1u64..1000, 6)) {
        let mut problem = problem();
        for (choice, cost) in problem.stages.iter_mut().flat_map(|it| &mut it.choices).zip(&costs) {
            choice.figures.cost = Known::Value(Micros::new(*cost));
        }
        let plan = planned(&problem);
        let goes_on = |without: &[&str]| {
            let drilled = drill(&problem, &plan, 1, &event("gone", without)).expect("a plan");
            if drilled.stopped.is_empty() {
                prop_assert!(drilled.extra_cost() >= Some(0));
            }
            Ok(drilled.goes_on())
        };
        let (one, both) = (goes_on(&["aws"])?, goes_on(&["aws", "gcp"])?);
        prop_assert!(both <= one && goes_on(&[])? >= one);
    }
}
