//! Is the planner's answer exactly what trying every plan finds?
//!
//! The evaluator below shares no code with the planner: it is written from the definitions in
//! DESIGN.md section 6, over the public types only.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use nearside_plan::*;
use nearside_units::{Bytes, Known};
use proptest::prelude::*;

/// Totals in the order cost, carbon, time. `None` is an unknown part that nobody needs.
type Value = [(u64, u64); 3];

const AXES: [Objective; 3] = [Objective::Cost, Objective::Carbon, Objective::Time];

/// What the reference solver is asked.
#[derive(Clone)]
struct Ask<'a> {
    problem: &'a Problem,
    /// Per axis: deadline and budgets in force.
    limits: [Option<u64>; 3],
    /// Per axis: whether an unknown figure rules a choice out.
    needed: [bool; 3],
    /// Named limits that may be broken.
    dropped: Vec<bool>,
}

fn ask(problem: &Problem) -> Ask<'_> {
    let limits = [
        problem.limits.budget.map(Micros::get),
        problem.limits.carbon.map(Milligrams::get),
        problem.limits.deadline.map(Milliseconds::get),
    ];
    let needed = [0, 1, 2].map(|axis| limits[axis].is_some() || problem.objective == AXES[axis]);
    Ask { problem, limits, needed, dropped: vec![false; problem.limits.named.len()] }
}

fn ceiling(rate: u64, bytes: u64) -> u64 {
    let exact = u128::from(rate) * u128::from(bytes);
    let whole = exact / 1_000_000_000;
    (whole + u128::from(whole * 1_000_000_000 < exact)) as u64
}

fn plain(figures: &Figures) -> [Option<u64>; 3] {
    [
        figures.cost.clone().value().map(Micros::get),
        figures.carbon.clone().value().map(Milligrams::get),
        figures.time.clone().value().map(Milliseconds::get),
    ]
}

fn rates(rates: &Rates) -> [Option<u64>; 3] {
    [
        rates.cost_per_gb.clone().value().map(Micros::get),
        rates.carbon_per_gb.clone().value().map(Milligrams::get),
        rates.time_per_gb.clone().value().map(Milliseconds::get),
    ]
}

impl Ask<'_> {
    /// (unknown parts, known sum) per axis and the broken stages, or nothing if not allowed.
    fn evaluate(&self, choices: &[usize]) -> Option<(Value, usize)> {
        let problem = self.problem;
        let mut value: Value = [(0, 0); 3];
        let mut breaks = 0;
        let mut ends = vec![0u64; choices.len()];
        let mut add = |axis: usize, part: Option<u64>| {
            match part {
                Some(part) => value[axis].1 += part,
                None if self.needed[axis] => return None,
                None => value[axis].0 += 1,
            }
            Some(())
        };
        for stage in 0..choices.len() {
            let choice = &problem.stages[stage].choices[choices[stage]];
            for obstacle in &choice.obstacles {
                match obstacle {
                    Obstacle::Limit { limit, .. } if self.dropped[limit.0] => {}
                    _ => return None,
                }
            }
            breaks += usize::from(!choice.obstacles.is_empty());
            let own = plain(&choice.figures);
            (0..2).try_for_each(|axis| add(axis, own[axis]))?;
            let mut start = 0;
            for earlier in 0..stage {
                let other = &problem.stages[earlier].choices[choices[earlier]];
                if choice.machine.is_some() && choice.machine == other.machine {
                    start = start.max(ends[earlier]);
                }
            }
            for edge in problem.edges.iter().filter(|edge| edge.to == stage) {
                let from = problem.stages[edge.from].choices[choices[edge.from]].location;
                let mut wait = 0;
                let moves = edge.pass.get() > 0 || edge.monthly.get() > 0;
                if from != choice.location && moves {
                    let Some(Route::Open(open)) = problem.routes.between(from, choice.location)
                    else {
                        return None;
                    };
                    let per_gb = rates(open);
                    for (axis, rate) in per_gb.iter().enumerate().take(2) {
                        if edge.monthly.get() > 0 {
                            add(axis, rate.map(|rate| ceiling(rate, edge.monthly.get())))?;
                        }
                    }
                    if edge.pass.get() > 0 {
                        wait = match per_gb[2] {
                            Some(rate) => open.latency.get() + ceiling(rate, edge.pass.get()),
                            None if self.needed[2] => return None,
                            None => 0,
                        };
                    }
                }
                start = start.max(ends[edge.from] + wait);
            }
            let time = match own[2] {
                None if self.needed[2] => return None,
                time => time.unwrap_or(0),
            };
            ends[stage] = start + time;
        }
        value[2].1 = ends.into_iter().max().unwrap();
        let keeps = |axis: usize| self.limits[axis].is_none_or(|limit| value[axis].1 <= limit);
        (0..3).all(keeps).then_some((value, breaks))
    }

    fn all(&self) -> Vec<(Vec<usize>, Value, usize)> {
        let sizes: Vec<usize> = self.problem.stages.iter().map(|one| one.choices.len()).collect();
        let mut found = vec![];
        for number in 0..sizes.iter().product() {
            let mut left: usize = number;
            let choices: Vec<usize> = sizes
                .iter()
                .map(|size| {
                    let digit = left % size;
                    left /= size;
                    digit
                })
                .collect();
            if let Some((value, breaks)) = self.evaluate(&choices) {
                found.push((choices, value, breaks));
            }
        }
        found
    }

    /// Objective first, then cost, then carbon, the fewest unknown parts before sums.
    fn key(&self, value: &Value) -> [(u64, u64); 3] {
        let first = AXES.iter().position(|axis| *axis == self.problem.objective).unwrap();
        [value[first], value[0], value[1]]
    }

    fn best(&self) -> Option<[(u64, u64); 3]> {
        self.all().iter().map(|(_, value, _)| self.key(value)).min()
    }
}

fn known(range: std::ops::Range<u64>) -> impl Strategy<Value = Known<u64>> {
    prop_oneof![9 => range.prop_map(Known::Value), 1 => Just(Known::unknown("no figure"))]
}

fn figures() -> impl Strategy<Value = Figures> {
    (known(0..30), known(0..30), known(0..30)).prop_map(|(cost, carbon, time)| Figures {
        cost: cost.map(Micros::new),
        carbon: carbon.map(Milligrams::new),
        time: time.map(Milliseconds::new),
    })
}

fn obstacle() -> impl Strategy<Value = Obstacle> {
    let limit = (0usize..2).prop_map(|id| Obstacle::Limit { limit: LimitId(id), why: "so".into() });
    prop_oneof![1 => Just(Obstacle::Hard("never".into())), 4 => limit]
}

fn choice(obstacles: u32) -> impl Strategy<Value = Choice> {
    let machine = prop_oneof![2 => Just(None), 1 => (0usize..2).prop_map(|id| Some(MachineId(id)))];
    let standing = prop_oneof![
        10 - obstacles => Just(vec![]),
        obstacles => proptest::collection::vec(obstacle(), 1..3),
    ];
    (0usize..3, 0usize..3, machine, figures(), standing).prop_map(
        |(site, location, machine, figures, obstacles)| Choice {
            site: format!("site {site}"),
            location: LocationId(location),
            machine,
            figures,
            obstacles,
        },
    )
}

fn route() -> impl Strategy<Value = Route> {
    let open = (known(0..9), known(0..9), known(0..9), 0u64..4).prop_map(
        |(cost, carbon, time, latency)| {
            Route::Open(Rates {
                cost_per_gb: cost.map(Micros::new),
                carbon_per_gb: carbon.map(Milligrams::new),
                time_per_gb: time.map(Milliseconds::new),
                latency: Milliseconds::new(latency),
            })
        },
    );
    prop_oneof![8 => open, 1 => Just(Route::Blocked("not allowed".into()))]
}

fn edges(stages: usize) -> impl Strategy<Value = Vec<Edge>> {
    let bytes = || prop_oneof![Just(0u64), 0u64..3_000_000_000];
    let pair = (0..stages, 0..stages, bytes(), bytes());
    proptest::collection::vec(pair, 0..=stages + 2).prop_map(|pairs| {
        let forward = pairs.into_iter().filter(|(from, to, ..)| from != to);
        let edges = forward.map(|(from, to, pass, monthly)| Edge {
            from: from.min(to),
            to: from.max(to),
            pass: Bytes::new(pass),
            monthly: Bytes::new(monthly),
        });
        edges.collect()
    })
}

fn limits() -> impl Strategy<Value = Limits> {
    let maybe = || prop_oneof![1 => Just(None), 1 => (10u64..110).prop_map(Some)];
    (maybe(), maybe(), maybe()).prop_map(|(deadline, budget, carbon)| Limits {
        deadline: deadline.map(Milliseconds::new),
        budget: budget.map(Micros::new),
        carbon: carbon.map(Milligrams::new),
        named: ["clearance", "jurisdiction"].map(|name| NamedLimit { name: name.into() }).to_vec(),
    })
}

fn problem(obstacles: u32) -> impl Strategy<Value = Problem> {
    let objective =
        prop_oneof![Just(Objective::Cost), Just(Objective::Time), Just(Objective::Carbon)];
    (1usize..=5).prop_flat_map(move |stages| {
        let choices = proptest::collection::vec(choice(obstacles), 1..=4);
        let choices = proptest::collection::vec(choices, stages);
        let routes = proptest::collection::vec(route(), 9);
        (choices, edges(stages), routes, limits(), objective.clone()).prop_map(
            |(choices, edges, routes, limits, objective)| Problem {
                stages: choices
                    .into_iter()
                    .enumerate()
                    .map(|(index, choices)| Stage { name: format!("stage {index}"), choices })
                    .collect(),
                edges,
                routes: Routes::new(3, routes).unwrap(),
                limits,
                objective,
            },
        )
    })
}

fn counts(totals: &Totals) -> [u64; 3] {
    [totals.cost.total.get(), totals.carbon.total.get(), totals.time.total.get()]
}

fn check_runner_ups(ask: &Ask<'_>, plan: &Plan) {
    let all = ask.all();
    for (stage, placement) in plan.placements.iter().enumerate() {
        let choices = &ask.problem.stages[stage].choices;
        let site = |choice: usize| &choices[choice].site;
        let elsewhere =
            all.iter().filter(|(other, ..)| site(other[stage]) != site(placement.choice));
        let expected = elsewhere.map(|(_, value, _)| ask.key(value)).min();
        match &placement.runner_up {
            RunnerUp::None => assert_eq!(expected, None),
            RunnerUp::NotSought => panic!("a small problem"),
            RunnerUp::Found(found) => {
                let (value, _) = ask.evaluate(&found.choices).expect("keeps to the limits");
                assert_eq!(Some(ask.key(&value)), expected);
                assert_ne!(site(found.choice), site(placement.choice));
                let more = |axis: usize| value[axis].1 as i64 - counts(&plan.totals)[axis] as i64;
                let extra = found.extra;
                assert_eq!([extra.cost, extra.carbon, extra.time], [more(0), more(1), more(2)]);
            }
        }
        check_losses(ask, plan, stage);
    }
}

fn check_losses(ask: &Ask<'_>, plan: &Plan, stage: usize) {
    let axis = AXES.iter().position(|axis| *axis == ask.problem.objective).unwrap();
    let own = counts(&plan.totals)[axis];
    for loss in &plan.placements[stage].others {
        let mut choices = plan.choices();
        choices[stage] = loss.choice;
        let value = ask.evaluate(&choices).map(|(value, _)| value[axis].1);
        match &loss.why {
            Why::Worse { by } => assert_eq!(value, Some(own + by.get())),
            Why::Tie => assert_eq!(value, Some(own)),
            Why::Better { .. } => panic!("the plan was exact"),
            _ => assert_eq!(value, None),
        }
    }
}

/// Per limit in force: budget, carbon, deadline, then the named ones.
fn relaxed<'a>(ask: &Ask<'a>, set: &[usize]) -> Ask<'a> {
    let mut relaxed = ask.clone();
    for limit in set {
        match limit {
            0..3 => relaxed.limits[*limit] = None,
            _ => relaxed.dropped[limit - 3] = true,
        }
    }
    relaxed
}

fn check_relaxations(ask: &Ask<'_>, infeasible: &Infeasible) {
    assert!(infeasible.complete && ask.all().is_empty());
    let in_force = (0..5).filter(|limit| *limit >= 3 || ask.limits[*limit].is_some());
    let in_force: Vec<usize> = in_force.collect();
    let singles: Vec<usize> = in_force
        .iter()
        .copied()
        .filter(|limit| !relaxed(ask, &[*limit]).all().is_empty())
        .collect();
    let sizes = (0u32..1 << in_force.len()).filter_map(|bits| {
        let members = (0..in_force.len()).filter(|place| bits >> place & 1 == 1);
        let set: Vec<usize> = members.map(|place| in_force[place]).collect();
        (!relaxed(ask, &set).all().is_empty()).then_some(set.len())
    });
    match sizes.min() {
        None => {
            assert!(infeasible.relaxations.is_empty());
            assert!(check_stuck(ask, &infeasible.stuck));
        }
        Some(1) => assert_eq!(infeasible.relaxations.len(), singles.len()),
        Some(size) => {
            assert_eq!(infeasible.relaxations.len(), 1);
            assert_eq!(infeasible.relaxations[0].changes.len(), size);
        }
    }
    infeasible.relaxations.iter().for_each(|relaxation| check_relaxation(ask, relaxation));
}

fn check_relaxation(ask: &Ask<'_>, relaxation: &Relaxation) {
    assert_eq!(relaxation.proof, Proof::Exact);
    let number = |change: &Change| match change {
        Change::Raise { to } => AXES.iter().position(|axis| *axis == to.of()).unwrap(),
        Change::Break { limit, .. } => 3 + limit.0,
    };
    let set: Vec<usize> = relaxation.changes.iter().map(number).collect();
    let relaxed = relaxed(ask, &set);
    let (value, breaks) = relaxed.evaluate(&relaxation.choices).expect("a plan that now works");
    let named = set.iter().any(|limit| *limit >= 3);
    let raised = |value: &Value| {
        let order = [2, 0, 1].into_iter().filter(|axis| set.contains(axis));
        order.map(|axis| value[axis]).collect::<Vec<_>>()
    };
    let key = |value: &Value, breaks: usize| {
        (if named { breaks } else { 0 }, raised(value), relaxed.key(value))
    };
    let least = relaxed.all().iter().map(|(_, value, breaks)| key(value, *breaks)).min();
    assert_eq!(Some(key(&value, breaks)), least);
    for change in &relaxation.changes {
        match change {
            Change::Raise { to } => assert_eq!(to.get(), value[number(change)].1),
            Change::Break { stages, .. } => assert!(!stages.is_empty()),
        }
    }
}

/// Each stage said to be stuck has no choice even without limits.
fn check_stuck(ask: &Ask<'_>, stuck: &[Stuck]) -> bool {
    stuck.iter().all(|one| match one {
        Stuck::Stage { stage, choices } => {
            choices.len() == ask.problem.stages[*stage].choices.len()
        }
        Stuck::Edge { edge, .. } => *edge < ask.problem.edges.len(),
    })
}

fn check(problem: &Problem) {
    let ask = ask(problem);
    match place(problem).unwrap() {
        Outcome::Placed(plan) => {
            assert_eq!(plan.proof, Proof::Exact);
            let (value, _) = ask.evaluate(&plan.choices()).expect("keeps to the limits");
            assert_eq!(Some(ask.key(&value)), ask.best());
            assert_eq!(counts(&plan.totals), value.map(|(_, sum)| sum));
            assert_eq!(plan.totals.cost.is_complete(), value[0].0 == 0);
            check_runner_ups(&ask, &plan);
        }
        Outcome::Infeasible(infeasible) => check_relaxations(&ask, &infeasible),
    }
}

fn check_front(problem: &Problem, axes: &[Objective]) {
    let mut ask = ask(problem);
    let places: Vec<usize> =
        axes.iter().map(|axis| AXES.iter().position(|other| other == axis).unwrap()).collect();
    ask.needed = [0, 1, 2].map(|axis| ask.limits[axis].is_some() || places.contains(&axis));
    let all: Vec<Vec<u64>> = ask
        .all()
        .iter()
        .map(|(_, value, _)| places.iter().map(|axis| value[*axis].1).collect())
        .collect();
    let beaten = |own: &Vec<u64>| {
        all.iter()
            .any(|other| other != own && other.iter().zip(own).all(|(left, right)| left <= right))
    };
    let mut expected: Vec<_> = all.iter().filter(|own| !beaten(own)).cloned().collect();
    expected.sort();
    expected.dedup();
    let front = pareto(problem, axes).unwrap();
    assert_eq!(front.proof, FrontProof::Exact);
    let found: Vec<Vec<u64>> = front
        .points
        .iter()
        .map(|point| places.iter().map(|axis| counts(&point.totals)[*axis]).collect())
        .collect();
    assert_eq!(found, expected);
    for point in &front.points {
        let (value, _) = ask.evaluate(&point.choices).expect("keeps to the limits");
        assert_eq!(value.map(|(_, sum)| sum), counts(&point.totals));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_what_trying_everything_finds(problem in problem(1)) {
        check(&problem);
    }

    #[test]
    fn relaxations_are_the_least(mut problem in problem(6), tighter in 1u64..8) {
        let limits = &mut problem.limits;
        limits.deadline = limits.deadline.map(|time| Milliseconds::new(time.get() / tighter));
        limits.budget = limits.budget.map(|cost| Micros::new(cost.get() / tighter));
        check(&problem);
    }

    #[test]
    fn a_front_is_what_trying_everything_finds(problem in problem(1), axes in 1usize..8) {
        let axes = (0..3).filter(|axis| axes >> axis & 1 == 1).map(|axis| AXES[axis]);
        check_front(&problem, &axes.collect::<Vec<_>>());
    }
}
