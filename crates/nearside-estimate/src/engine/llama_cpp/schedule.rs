//! Where each node of a graph is computed when weights lie in two places, and what has to be copied.
//!
//! Nodes run where their weights or their cache lie; nodes without either follow their neighbours,
//! the accelerator's first. A tensor that is needed in the other place is copied there at the start
//! of the run of nodes that needs it. An accelerator may also take nodes whose weights lie in main
//! memory when a batch is long enough, which copies those weights into its buffer.
//!
//! Source: `ggml-backend.cpp` of llama.cpp (`ggml_backend_sched_split_graph`).

use std::collections::BTreeMap;

use super::graph::{Graph, Id, Operation, Owner, Place, Role, Tensor};

/// Whether an accelerator takes over work whose weights lie in main memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TakesOver {
    /// It never does.
    Never,
    /// For batches of at least that many rows.
    From(u64),
}

/// A graph with a place for every step.
#[derive(Debug)]
pub(super) struct Scheduled {
    pub(super) leaves: Vec<(Id, Place)>,
    pub(super) steps: Vec<Step>,
}

/// One entry of the order in which memory is taken and given back.
#[derive(Debug)]
pub(super) struct Step {
    /// What it computes; `None` if it only holds its sources until then.
    pub(super) result: Option<Id>,
    /// What it reads.
    pub(super) sources: Vec<Id>,
    pub(super) place: Place,
}

/// Schedules a graph on main memory and perhaps an accelerator; adds the copies to the graph.
pub(super) fn schedule(graph: &mut Graph, device: Option<TakesOver>) -> Scheduled {
    let Some(takes_over) = device else {
        let host = |id: &Id| (*id, Place::Host);
        let leaves = graph.leaves.iter().map(host).collect();
        let step = |id: &Id| Step {
            result: Some(*id),
            sources: graph.tensor(*id).sources.clone(),
            place: Place::Host,
        };
        return Scheduled { leaves, steps: graph.nodes.iter().map(step).collect() };
    };
    let mut places = Places { of: vec![None; graph.len()] };
    places.drawn_to_memory(graph, takes_over);
    places.follow_neighbours(graph);
    places.fill_sources(graph);
    let leaves = graph.leaves.iter().map(|leaf| (*leaf, places.get(*leaf))).collect();
    let steps = split(graph, &places);
    Scheduled { leaves, steps }
}

struct Places {
    of: Vec<Option<Place>>,
}

impl Places {
    fn get(&self, id: Id) -> Place {
        self.of.get(id.index()).copied().flatten().unwrap_or(Place::Host)
    }

    /// Tensors with memory, and nodes that read weights, are where that memory is.
    fn drawn_to_memory(&mut self, graph: &Graph, takes_over: TakesOver) {
        for id in graph.leaves.iter().chain(&graph.nodes) {
            let tensor = graph.tensor(*id);
            self.of[id.index()] = tensor.pinned.or_else(|| drawn(graph, tensor, takes_over));
        }
    }

    /// Nodes without a place take that of the node before or after them; main memory spreads only
    /// after the accelerator did.
    fn follow_neighbours(&mut self, graph: &Graph) {
        let forward: Vec<Id> = computed(graph).collect();
        let backward: Vec<Id> = forward.iter().rev().copied().collect();
        for spreads in [&[Place::Device][..], &[Place::Device, Place::Host]] {
            for order in [&forward, &backward] {
                let mut current = None;
                for id in order {
                    match self.of[id.index()] {
                        Some(place) => current = spreads.contains(&place).then_some(place),
                        None => self.of[id.index()] = current,
                    }
                }
            }
        }
    }

    /// Views are where their memory is, and what still has no place is where it is first read.
    fn fill_sources(&mut self, graph: &Graph) {
        for id in &graph.nodes {
            let tensor = graph.tensor(*id);
            if let (Some(root), None) = (tensor.view_of, self.of[id.index()]) {
                self.of[id.index()] = self.of[root.index()];
            }
            for source in &tensor.sources {
                if self.of[source.index()].is_none() {
                    self.of[source.index()] = match graph.tensor(*source).view_of {
                        Some(root) => self.of[root.index()],
                        None => self.of[id.index()],
                    };
                }
            }
        }
    }
}

fn computed(graph: &Graph) -> impl Iterator<Item = Id> + '_ {
    let is_computed = |id: &Id| graph.tensor(*id).operation != Operation::View;
    graph.nodes.iter().copied().filter(is_computed)
}

/// Where a tensor's own memory, or its weights, put it.
fn drawn(graph: &Graph, tensor: &Tensor, takes_over: TakesOver) -> Option<Place> {
    let memory = tensor.view_of.map_or(tensor.owner, |root| graph.tensor(root).owner);
    if let Owner::Weights(place) | Owner::Cache(place) = memory {
        return Some(place);
    }
    if tensor.role == Role::Input {
        return Some(Place::Host);
    }
    if matches!(tensor.operation, Operation::Rotary | Operation::FlashAttention) {
        return None;
    }
    let weights = tensor.sources.iter().find_map(|source| match graph.tensor(*source).owner {
        Owner::Weights(place) => Some(place),
        _ => None,
    })?;
    match takes_over {
        TakesOver::From(least) if weights == Place::Host && batch(tensor) >= least => {
            Some(Place::Device)
        }
        _ => Some(weights),
    }
}

/// The batch that an accelerator looks at before it takes a node over.
fn batch(tensor: &Tensor) -> u64 {
    match tensor.operation {
        Operation::GetRows => 0,
        Operation::Product => tensor.extents[1],
        Operation::ChosenProduct | Operation::Rotary => tensor.extents[2],
        _ => tensor.rows(),
    }
}

/// A run of nodes in one place.
struct Run {
    place: Place,
    copied: Vec<(Id, Id)>,
    steps: Vec<Step>,
}

impl Run {
    fn at(place: Place) -> Self {
        Self { place, copied: Vec::new(), steps: Vec::new() }
    }

    /// First everything that is copied, each held until its copy exists, then the nodes.
    fn into_steps(self, places: &Places, steps: &mut Vec<Step>) {
        for (original, copy) in self.copied {
            let place = places.get(original);
            steps.push(Step { result: None, sources: vec![original], place });
            steps.push(Step { result: Some(copy), sources: Vec::new(), place: self.place });
        }
        steps.extend(self.steps);
    }
}

/// Cuts the nodes into runs and copies what a run needs from the other place.
fn split(graph: &mut Graph, places: &Places) -> Vec<Step> {
    let first = computed(graph).next();
    let mut run = Run::at(first.map_or(Place::Host, |id| places.get(id)));
    let mut copies: BTreeMap<(Id, Place), Id> = BTreeMap::new();
    let mut steps = Vec::new();
    for id in graph.nodes.clone() {
        let tensor = graph.tensor(id);
        let (operation, mut sources) = (tensor.operation, tensor.sources.clone());
        let place = places.get(id);
        if operation == Operation::View {
            run.steps.push(Step { result: Some(id), sources, place });
            continue;
        }
        let foreign_weights = |source: &Id| matches!(graph.tensor(*source).owner, Owner::Weights(other) if other != run.place);
        let renewed = !run.copied.is_empty() && sources.iter().any(foreign_weights);
        if place != run.place || renewed {
            std::mem::replace(&mut run, Run::at(place)).into_steps(places, &mut steps);
        }
        for source in &mut sources {
            if places.get(*source) == run.place {
                continue;
            }
            let key = (*source, run.place);
            let known = copies.get(&key).copied();
            *source = known.unwrap_or_else(|| {
                let copy = copied(graph, *source);
                run.copied.push((*source, copy));
                copies.insert(key, copy);
                copy
            });
        }
        run.steps.push(Step { result: Some(id), sources, place });
    }
    run.into_steps(places, &mut steps);
    steps
}

/// A tensor of the same layout with memory of its own.
fn copied(graph: &mut Graph, of: Id) -> Id {
    let original = graph.tensor(of);
    let (dtype, extents, strides) = (original.dtype, original.extents, original.strides);
    let copy = graph.fresh(Operation::Nothing, dtype, extents, &[]);
    graph.tensor_mut(copy).strides = strides;
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_architecture::Dtype;

    /// A product with a weight in main memory, then one with a weight on the accelerator.
    fn two_places(tokens: u64) -> (Graph, [Id; 2]) {
        let mut graph = Graph::default();
        let [host, device] = [Place::Host, Place::Device]
            .map(|place| graph.existing(Dtype::F16, [64, 64, 1, 1], Owner::Weights(place)));
        let input = graph.input(Dtype::F32, [64, tokens, 1, 1]);
        let first = graph.product(host, input);
        let second = graph.product(device, first);
        graph.expand(second);
        (graph, [first, second])
    }

    fn places(scheduled: &Scheduled, of: Id) -> Option<Place> {
        scheduled.steps.iter().find(|step| step.result == Some(of)).map(|step| step.place)
    }

    #[test]
    fn work_goes_to_its_weights_and_results_are_copied() {
        let (mut graph, [first, second]) = two_places(64);
        let before = graph.len();
        let scheduled = schedule(&mut graph, Some(TakesOver::Never));
        assert_eq!(places(&scheduled, first), Some(Place::Host));
        assert_eq!(places(&scheduled, second), Some(Place::Device));
        // One copy: the first result, held until it was copied.
        assert_eq!(graph.len(), before + 1);
        let held = scheduled.steps.iter().filter(|step| step.result.is_none());
        assert_eq!(held.map(|step| step.sources.clone()).collect::<Vec<_>>(), [vec![first]]);
    }

    #[test]
    fn long_batches_are_taken_over_with_their_weights() {
        for (tokens, place, copies) in [(31, Place::Host, 1), (32, Place::Device, 2)] {
            let (mut graph, [first, _]) = two_places(tokens);
            let before = graph.len();
            let scheduled = schedule(&mut graph, Some(TakesOver::From(32)));
            assert_eq!(places(&scheduled, first), Some(place));
            // Taken over, the weight and the input are copied.
            assert_eq!(graph.len(), before + copies);
        }
    }
}
