//! Small projects for the tests of this crate.

use nearside_units::{Bytes, Known};

use crate::amount::{Micros, Milligrams, Milliseconds, Objective};
use crate::problem::{
    Choice, Edge, Figures, Limits, LocationId, Problem, Rates, Route, Routes, Stage,
};

/// Bytes of one unit on every edge.
pub(crate) const GB: u64 = 1_000_000_000;

/// A choice at `site n` in location `n`: cost, carbon, time.
pub(crate) fn choice(place: usize, (cost, carbon, time): (u64, u64, u64)) -> Choice {
    Choice {
        site: format!("site {place}"),
        location: LocationId(place),
        machine: None,
        figures: Figures::known(cost, carbon, time),
        obstacles: vec![],
    }
}

/// An edge that moves this many GB in a pass and in a month.
pub(crate) fn edge(from: usize, to: usize, gigabytes: u64) -> Edge {
    let bytes = Bytes::new(gigabytes * GB);
    Edge { from, to, pass: bytes, monthly: bytes }
}

/// Stages with these choices, where moving 1 GB costs 10, emits 1 and takes 5 everywhere.
pub(crate) fn project(choices: Vec<Vec<Choice>>, edges: Vec<Edge>) -> Problem {
    let places = choices.iter().flatten().map(|choice| choice.location.0 + 1);
    let locations = places.max().unwrap_or(1);
    let route = Route::Open(Rates {
        cost_per_gb: Known::Value(Micros::new(10)),
        carbon_per_gb: Known::Value(Milligrams::new(1)),
        time_per_gb: Known::Value(Milliseconds::new(5)),
        latency: Milliseconds::ZERO,
    });
    let named = choices.into_iter().enumerate();
    Problem {
        stages: named
            .map(|(index, choices)| Stage { name: format!("stage {index}"), choices })
            .collect(),
        edges,
        routes: Routes::new(locations, vec![route; locations * locations]).unwrap(),
        limits: Limits::default(),
        objective: Objective::Cost,
    }
}

/// Every figure and rate drawn at random; each stage needs the `parents` stages before it.
pub(crate) fn random(seed: u64, stages: usize, places: usize, parents: usize) -> Problem {
    let mut state = seed;
    let mut below = |limit: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let mut one = |place| choice(place, (below(100), below(100), below(100)));
    let choices = (0..stages).map(|_| (0..places).map(&mut one).collect()).collect();
    let mut edges = vec![];
    for to in 1..stages {
        for from in to.saturating_sub(parents)..to {
            edges.push(edge(from, to, below(5)));
        }
    }
    let mut problem = project(choices, edges);
    let table = (0..places * places).map(|_| {
        Route::Open(Rates {
            cost_per_gb: Known::Value(Micros::new(below(40))),
            carbon_per_gb: Known::Value(Milligrams::new(below(40))),
            time_per_gb: Known::Value(Milliseconds::new(below(40))),
            latency: Milliseconds::new(below(9)),
        })
    });
    problem.routes = Routes::new(places, table.collect()).unwrap();
    problem
}
