//! The stages as a directed graph without cycles: who waits for whom, and a fixed order.

use crate::stage::{Input, Stage};

/// Who waits for whom. Stages are numbered in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageGraph {
    /// Every reason to wait.
    pub edges: Vec<Edge>,
    /// Every stage after all those that it waits for; among equals the order of the file.
    pub order: Vec<usize>,
}

/// One reason to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The stage that is waited for.
    pub from: usize,
    /// The stage that waits.
    pub to: usize,
    /// The path that passes between them; nothing for a mere order (`after`).
    pub carries: Option<String>,
}

/// Stages that wait for each other: the first again at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle(pub(crate) Vec<usize>);

impl StageGraph {
    /// The graph of stages, or the cycle among them (Kahn 1962, always taking the first stage of
    /// the file that waits for nothing).
    pub(crate) fn new(stages: &[Stage]) -> Result<Self, Cycle> {
        let mut graph = Self { edges: edges(stages), order: Vec::new() };
        let mut waits_for = vec![0usize; stages.len()];
        for edge in &graph.edges {
            waits_for[edge.to] += 1;
        }
        let mut open: Vec<usize> = (0..stages.len()).collect();
        while let Some(place) = open.iter().position(|stage| waits_for[*stage] == 0) {
            let ready = open.remove(place);
            graph.order.push(ready);
            for edge in graph.edges.iter().filter(|edge| edge.from == ready) {
                waits_for[edge.to] -= 1;
            }
        }
        if open.is_empty() { Ok(graph) } else { Err(graph.cycle(&open)) }
    }

    /// The stages that one waits for directly, each once, in the order of the file.
    #[must_use]
    pub fn predecessors(&self, stage: usize) -> Vec<usize> {
        let edges = self.edges.iter().filter(|edge| edge.to == stage);
        let mut stages: Vec<usize> = edges.map(|edge| edge.from).collect();
        stages.sort_unstable();
        stages.dedup();
        stages
    }

    /// Every stage upstream of one, in the order of the file.
    #[must_use]
    pub fn ancestors(&self, stage: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut open = self.predecessors(stage);
        while let Some(next) = open.pop() {
            if !found.contains(&next) {
                found.push(next);
                open.extend(self.predecessors(next));
            }
        }
        found.sort_unstable();
        found
    }

    /// A cycle among the stages that could not be ordered: each of them waits for another of them,
    /// so going backwards must come by a stage twice.
    fn cycle(&self, stuck: &[usize]) -> Cycle {
        let mut path: Vec<usize> = Vec::new();
        let mut next = stuck.first().copied();
        while let Some(stage) = next {
            if let Some(start) = path.iter().position(|seen| *seen == stage) {
                path.push(stage);
                let mut cycle = path.split_off(start);
                cycle.reverse();
                return Cycle(cycle);
            }
            path.push(stage);
            next = self.predecessors(stage).into_iter().find(|from| stuck.contains(from));
        }
        Cycle(path)
    }
}

fn edges(stages: &[Stage]) -> Vec<Edge> {
    let number = |name: &str| stages.iter().position(|stage| stage.name.value == name);
    let mut edges: Vec<Edge> = Vec::new();
    for (to, stage) in stages.iter().enumerate() {
        for input in stage.inputs.iter().flatten() {
            if let Input::Output { stage, path, .. } = input
                && let Some(from) = number(stage)
            {
                edges.push(Edge { from, to, carries: Some(path.clone()) });
            }
        }
        for from in stage.after.iter().filter_map(|name| number(name)) {
            edges.push(Edge { from, to, carries: None });
        }
    }
    edges
}
