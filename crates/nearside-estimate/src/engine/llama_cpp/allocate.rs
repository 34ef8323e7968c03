//! How much memory a scheduled graph needs: ggml's graph allocator, replayed.
//!
//! Tensors are placed one after the other into one address range per place. A tensor whose last
//! reader has run gives its range back; free ranges are kept in order and joined with their
//! neighbours; a new tensor takes the smallest that fits, else the end grows. An operation that may
//! work in place takes over the memory of an operand of the same layout that nobody else reads.
//! What counts is the highest address ever reached, rounded per tensor to the place's alignment.
//!
//! Source: `ggml-alloc.c` of llama.cpp (`ggml_gallocr_alloc_graph_impl`, `ggml_dyn_tallocr_alloc`).

use std::collections::BTreeMap;

use nearside_units::Bytes;

use super::graph::{Graph, Id, Operation, Owner, Place, Role, Tensor};
use super::schedule::{Scheduled, Step};

/// What a place does to sizes.
pub(super) trait Sizes {
    /// Tensors begin at multiples of this.
    fn alignment(&self, place: Place) -> u64;
    /// Bytes that a tensor takes there, before alignment.
    fn bytes(&self, graph: &Graph, tensor: &Tensor, place: Place) -> u64;
}

/// Bytes per place at the highest point.
pub(super) fn peak(
    graph: &Graph,
    scheduled: &Scheduled,
    sizes: &impl Sizes,
) -> BTreeMap<Place, Bytes> {
    let mut allocator = Allocator {
        graph,
        sizes,
        states: vec![State::default(); graph.len()],
        ranges: BTreeMap::new(),
    };
    allocator.replay(scheduled);
    let peaks = allocator.ranges.iter();
    peaks.map(|(place, range)| (*place, Bytes::new(range.highest))).collect()
}

/// What is known of a tensor while the graph is replayed.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Readers that have not run.
    readers: u64,
    /// Views of it that have readers.
    views: u64,
    /// Where it lies, once it was placed.
    placed: Option<(Place, u64)>,
    /// Whether its memory is its own to give back.
    owned: bool,
}

struct Allocator<'a, S> {
    graph: &'a Graph,
    sizes: &'a S,
    states: Vec<State>,
    ranges: BTreeMap<Place, Range>,
}

impl<S: Sizes> Allocator<'_, S> {
    fn replay(&mut self, scheduled: &Scheduled) {
        for (leaf, place) in &scheduled.leaves {
            self.place(*leaf, *place);
        }
        for step in &scheduled.steps {
            self.count(step);
        }
        for step in &scheduled.steps {
            for source in &step.sources {
                self.place(*source, step.place);
            }
            if let Some(result) = step.result {
                self.place_result(result, step);
            }
            for source in &step.sources {
                self.read(*source);
            }
        }
    }

    /// Counts readers and views, and places inputs before anything else.
    fn count(&mut self, step: &Step) {
        if let Some(result) = step.result {
            let tensor = self.graph.tensor(result);
            if let (Some(root), true) = (tensor.view_of, tensor.operation != Operation::Nothing) {
                self.states[root.index()].views += 1;
            }
        }
        for source in &step.sources {
            self.states[source.index()].readers += 1;
            if self.graph.tensor(*source).role == Role::Input {
                self.place(*source, step.place);
            }
        }
    }

    /// Whether a tensor has memory, or looks at that of another.
    fn has_memory(&self, id: Id) -> bool {
        let tensor = self.graph.tensor(id);
        tensor.owner != Owner::Graph || tensor.view_of.is_some() || self.states[id.index()].owned
    }

    fn place(&mut self, id: Id, place: Place) {
        if self.has_memory(id) {
            return;
        }
        let size = self.size(id, place);
        let offset = self.ranges.entry(place).or_default().take(size);
        let state = &mut self.states[id.index()];
        (state.placed, state.owned) = (Some((place, offset)), true);
    }

    fn place_result(&mut self, id: Id, step: &Step) {
        if self.has_memory(id) {
            return;
        }
        let operation = self.graph.tensor(id).operation;
        let donor = match operation {
            Operation::InPlace | Operation::Rotary => {
                step.sources.iter().find_map(|source| self.donor(id, *source))
            }
            _ => None,
        };
        let Some(donor) = donor else { return self.place(id, step.place) };
        let placed = self.states[donor.index()].placed;
        self.states[donor.index()].owned = false;
        let state = &mut self.states[id.index()];
        (state.placed, state.owned) = (placed, true);
        let Some((place, offset)) = placed else { return };
        let (given, needed) = (self.size(donor, place), self.size(id, place));
        if given > needed {
            self.ranges.entry(place).or_default().give(offset + needed, given - needed);
        }
    }

    /// `source`, if its memory can be handed over to `id`. A view owns none, so it never can.
    fn donor(&self, id: Id, source: Id) -> Option<Id> {
        let parent = self.graph.tensor(source);
        let state = self.states[source.index()];
        let given = state.owned
            && parent.role != Role::Output
            && self.graph.tensor(id).has_layout_of(parent)
            && state.readers == 1
            && state.views == 0;
        given.then_some(source)
    }

    /// A reader of `source` has run.
    fn read(&mut self, source: Id) {
        let state = &mut self.states[source.index()];
        state.readers = state.readers.saturating_sub(1);
        if state.readers > 0 || state.views > 0 {
            return;
        }
        let owner = match self.graph.tensor(source).view_of {
            None => source,
            Some(root) => {
                let root_state = &mut self.states[root.index()];
                root_state.views = root_state.views.saturating_sub(1);
                if root_state.views > 0 || root_state.readers > 0 {
                    return;
                }
                root
            }
        };
        self.free(owner);
    }

    fn free(&mut self, id: Id) {
        let state = self.states[id.index()];
        let (Some((place, offset)), true) = (state.placed, state.owned) else { return };
        if self.graph.tensor(id).role == Role::Output {
            return;
        }
        let size = self.size(id, place);
        self.ranges.entry(place).or_default().give(offset, size);
        self.states[id.index()].owned = false;
    }

    fn size(&self, id: Id, place: Place) -> u64 {
        let bytes = self.sizes.bytes(self.graph, self.graph.tensor(id), place);
        bytes.checked_next_multiple_of(self.sizes.alignment(place)).unwrap_or(u64::MAX)
    }
}

/// The addresses of one place.
#[derive(Clone, Debug)]
struct Range {
    /// Free ranges as offset and length, in order; the last one has no end.
    free: Vec<(u64, u64)>,
    highest: u64,
}

/// Stands for memory without end; far from overflow when offsets are added.
const ENDLESS: u64 = u64::MAX / 2;

impl Default for Range {
    fn default() -> Self {
        Self { free: vec![(0, ENDLESS)], highest: 0 }
    }
}

impl Range {
    /// Takes that many bytes: of the smallest free range that has them, of later ones among equals,
    /// and of the end only if no other does.
    fn take(&mut self, size: u64) -> u64 {
        let last = self.free.len() - 1;
        let inner = self.free[..last].iter().enumerate().rev();
        let fitting = inner.filter(|(_, (_, length))| *length >= size);
        let chosen = fitting.min_by_key(|(_, (_, length))| *length).map_or(last, |(at, _)| at);
        let (offset, length) = self.free[chosen];
        self.free[chosen] = (offset.saturating_add(size), length.saturating_sub(size));
        if length <= size && chosen != last {
            self.free.remove(chosen);
        }
        self.highest = self.highest.max(offset.saturating_add(size));
        offset
    }

    /// Gives bytes back and joins them with free neighbours.
    fn give(&mut self, offset: u64, size: u64) {
        let at = self.free.partition_point(|(begin, _)| *begin < offset);
        let joins_before = at > 0 && self.free[at - 1].0 + self.free[at - 1].1 == offset;
        let joins_after = self.free.get(at).is_some_and(|(begin, _)| offset + size == *begin);
        match (joins_before, joins_after) {
            (true, true) => {
                self.free[at - 1].1 += size + self.free[at].1;
                self.free.remove(at);
            }
            (true, false) => self.free[at - 1].1 += size,
            (false, true) => self.free[at] = (offset, self.free[at].1 + size),
            (false, false) => self.free.insert(at, (offset, size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_range_that_fits_is_taken_and_neighbours_join() {
        let mut range = Range::default();
        let offsets: Vec<u64> = [64, 32, 96, 32].iter().map(|size| range.take(*size)).collect();
        assert_eq!(offsets, [0, 64, 96, 192]);
        range.give(0, 64);
        range.give(96, 96);
        assert_eq!(range.take(48), 0);
        range.give(64, 32);
        assert_eq!(range.free, [(48, 144), (224, ENDLESS - 224)]);
        range.give(192, 32);
        range.give(0, 48);
        assert_eq!(range.free, [(0, ENDLESS)]);
        assert_eq!(range.highest, 224);
    }
}
