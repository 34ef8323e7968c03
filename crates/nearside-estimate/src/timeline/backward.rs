//! The backward pass of a replay, with the recomputation of checkpointed stretches.

use nearside_units::Bytes;

use super::{Keep, Replay, loss, saves_output};
use crate::live::{PieceId, Requests};
use crate::parallel::sharding::Place;
use crate::tape::{Category, Flow, Origin, Segment, Step, Tape, TensorId};

/// Gradients of tensors.
type Gradients = Vec<(TensorId, PieceId)>;
/// Tensors whose gradients are sums, and the products to sum up where there are any.
type Sums = Vec<(TensorId, Option<PieceId>)>;

/// What a step's backward holds while it runs; kept from step to step for its room.
#[derive(Default)]
pub(super) struct Scratch {
    incoming: Vec<PieceId>,
    temporaries: Vec<PieceId>,
    made: Gradients,
    sums: Sums,
}

/// Who keeps the tensors that a step saved.
#[derive(Clone, Copy)]
enum Savers<'a> {
    /// The step, since the forward pass.
    Kept,
    /// Nobody: they were recomputed. With its first step a stretch lets go of these inputs.
    Recomputed(&'a [TensorId]),
}

/// Whether a step's backward ran: it does where a gradient reached it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    Yes,
    No,
}

impl<'tape, R: Requests> Replay<'tape, R> {
    /// Counts the contributions that each weight's gradient will get.
    pub(super) fn expect_gradients(&mut self) {
        let tape = self.tape;
        for (step, _) in tape.steps.iter().zip(&self.reached).filter(|(_, reached)| **reached) {
            for input in step.inputs.iter().filter(|input| input.flow != Flow::Stop) {
                let tensor = tape.of(input.tensor);
                if tensor.origin == Origin::Weight && tensor.differentiable {
                    self.missing[input.tensor.index()] += 1;
                }
            }
        }
    }

    pub(super) fn is_differentiable(&self, step: &Step) -> bool {
        step.outputs.iter().any(|output| self.tape.of(*output).differentiable)
    }

    pub(super) fn backward(&mut self) {
        self.live.enter("backward");
        let tape = self.tape;
        self.shared.before_backward(&mut self.live, Place::Root);
        // The gradient of the loss is the caller's as well (`_make_grads` in torch/autograd).
        let root = loss(tape).map(|loss| {
            let bytes = tape.gradient_bytes(*loss);
            let piece = self.live.take(bytes, tape.storage_of(*loss).category, "loss");
            self.live.share(piece);
            self.gradients[loss.index()] = Some(piece);
            (*loss, piece)
        });
        for (index, segment) in tape.segments.iter().enumerate().rev() {
            if self.live.is_full() {
                return;
            }
            let place = Place::Segment(index);
            self.shared.before_backward(&mut self.live, place);
            let steps = &tape.steps[segment.steps.clone()];
            if segment.recomputed {
                self.segment_back(segment, steps);
            } else {
                for step in steps.iter().rev() {
                    self.step_back(step, Savers::Kept);
                }
            }
            self.shared.after_backward(&mut self.live, place, &mut self.complete);
        }
        self.shared.after_backward(&mut self.live, Place::Root, &mut self.complete);
        self.shared.end_backward(&mut self.live);
        if let Some((loss, piece)) = root {
            self.live.give(piece);
            self.release(loss);
        }
    }

    /// A stretch that runs again when its first saved tensor is asked for, and lets go of its inputs
    /// with its last one.
    fn segment_back(&mut self, segment: &Segment, steps: &'tape [Step]) {
        let mut inputs = entering(self.tape, segment);
        let first = steps.iter().position(|step| !step.saved.is_empty());
        let mut ran = false;
        for (index, step) in steps.iter().enumerate().rev() {
            if !ran && !step.saved.is_empty() && self.has_gradient(step) {
                self.recompute(segment, steps);
                ran = true;
            }
            let last: &[TensorId] = if first == Some(index) { &inputs } else { &[] };
            if self.step_back(step, Savers::Recomputed(last)) == Ran::Yes && first == Some(index) {
                inputs.clear();
            }
        }
        for input in inputs {
            self.release(input);
        }
    }

    fn has_gradient(&self, step: &Step) -> bool {
        step.outputs.iter().any(|output| self.gradients[output.index()].is_some())
    }

    /// Runs a stretch again, up to the last step that saves something; what the rest would have
    /// used is let go when the stretch is left.
    fn recompute(&mut self, segment: &Segment, steps: &'tape [Step]) {
        let tape = self.tape;
        let Some(last) = steps.iter().rposition(|step| !step.saved.is_empty()) else { return };
        // What a step saves of its inputs is saved before it runs: then it need not run.
        let saves_output = saves_output(&steps[last]);
        let (again, skipped) = steps.split_at(last + usize::from(saves_output));
        let first_made = first_made(tape, segment);
        let made = |steps: &'tape [Step]| {
            let outputs = steps.iter().flat_map(|step| &step.outputs);
            outputs.map(|output| output.index()).collect::<std::collections::BTreeSet<_>>()
        };
        let never_made = made(skipped);
        let inside = |tensor: &TensorId| {
            tensor.index() >= first_made && !never_made.contains(&tensor.index())
        };
        let used = |steps: &'tape [Step]| {
            steps.iter().flat_map(|step| &step.inputs).map(|input| input.tensor).filter(inside)
        };
        for tensor in used(again).chain(used(skipped)) {
            self.retain(tensor);
        }
        self.run(again, Keep::Saved, first_made);
        if !saves_output {
            for saved in &steps[last].saved {
                self.retain(*saved);
            }
        }
        for tensor in used(skipped) {
            self.release(tensor);
        }
    }

    fn step_back(&mut self, step: &Step, savers: Savers<'_>) -> Ran {
        if step.is_hold() || !self.has_gradient(step) {
            return Ran::No;
        }
        let mut held = std::mem::take(&mut self.scratch);
        self.gradients_of_outputs(step, &mut held.incoming);
        for bytes in &step.backward_temporaries {
            held.temporaries.push(self.live.take(*bytes, Category::Activations, step.name));
        }
        self.gradients_of_inputs(step, &mut held);
        self.live.spike(step.backward_spike, step.name);
        for piece in held.temporaries.drain(..).rev() {
            self.live.give(piece);
        }
        // Recomputed tensors belong to nobody but the call that asked for them, and its variables go
        // in reverse.
        if let Savers::Recomputed(_) = savers {
            for saved in step.saved.iter().rev() {
                self.release(*saved);
            }
        }
        self.summed(step, &mut held);
        for piece in held.incoming.drain(..) {
            self.live.give(piece);
        }
        let later = match savers {
            Savers::Kept => &step.saved,
            Savers::Recomputed(inputs) => inputs,
        };
        for tensor in later {
            self.release(*tensor);
        }
        for (tensor, piece) in held.made.drain(..) {
            self.accumulate(tensor, piece);
        }
        self.scratch = held;
        Ran::Yes
    }

    /// The gradients that came; one that never came is made of zeros where others of the step came.
    fn gradients_of_outputs(&mut self, step: &Step, incoming: &mut Vec<PieceId>) {
        let tape = self.tape;
        for output in &step.outputs {
            let found = self.gradients[output.index()].take();
            if found.is_none() && step.outputs.len() > 1 && tape.of(*output).differentiable {
                let bytes = tape.gradient_bytes(*output);
                incoming.push(self.live.take(bytes, Category::Activations, step.name));
            }
            incoming.extend(found);
        }
    }

    /// Makes the gradients of a step's inputs, and the products of those that will be summed up.
    fn gradients_of_inputs(&mut self, step: &Step, held: &mut Scratch) {
        let tape = self.tape;
        for input in step.inputs.iter().filter(|input| tape.of(input.tensor).differentiable) {
            match (input.flow, held.incoming.first()) {
                (Flow::Stop, _) => {}
                (Flow::Pass, Some(incoming)) => {
                    self.live.share(*incoming);
                    held.made.push((input.tensor, *incoming));
                }
                (Flow::Fresh | Flow::Pass, _) => {
                    held.made.push((input.tensor, self.gradient_of(input.tensor, step.name)));
                }
                (Flow::Sum, _) => held.sums.push((input.tensor, None)),
                (Flow::SumOfProduct, _) => {
                    let bytes = step.outputs.first().map(|output| tape.gradient_bytes(*output));
                    let bytes = bytes.unwrap_or(Bytes::ZERO);
                    let product = self.live.take(bytes, Category::Activations, step.name);
                    held.sums.push((input.tensor, Some(product)));
                }
            }
        }
    }

    /// Gradients of inputs that were repeated: sums, after everything else was made.
    fn summed(&mut self, step: &Step, held: &mut Scratch) {
        for (tensor, product) in held.sums.drain(..) {
            held.made.push((tensor, self.gradient_of(tensor, step.name)));
            if let Some(product) = product {
                self.live.give(product);
            }
        }
    }

    /// Memory for a gradient.
    fn gradient_of(&mut self, id: TensorId, step: &'static str) -> PieceId {
        let category = match self.tape.of(id).origin {
            Origin::Weight => Category::Activations,
            _ => self.tape.storage_of(id).category,
        };
        self.live.take(self.tape.gradient_bytes(id), category, step)
    }

    /// A gradient arrives: the first is kept, another one is added to it into a third.
    fn accumulate(&mut self, id: TensorId, piece: PieceId) {
        let tape = self.tape;
        let sum = match self.gradients[id.index()] {
            None => piece,
            Some(earlier) => {
                let sum = self.gradient_of(id, "add gradients");
                self.live.give(earlier);
                self.live.give(piece);
                sum
            }
        };
        self.gradients[id.index()] = Some(sum);
        if tape.of(id).origin == Origin::Weight {
            self.missing[id.index()] -= 1;
            if self.missing[id.index()] == 0 {
                self.gradients[id.index()] = None;
                self.complete_gradient(id, sum);
            }
        }
    }

    /// A weight's gradient is complete: it stays, or is added to the one that is there.
    fn complete_gradient(&mut self, id: TensorId, piece: PieceId) {
        match self.complete[id.index()] {
            Some(_) => self.live.give(piece),
            None if self.live.is_unshared(piece) => {
                self.live.becomes(piece, Category::Gradients);
                self.complete[id.index()] = Some(piece);
            }
            None => {
                let bytes = self.tape.gradient_bytes(id);
                let copy = self.live.take(bytes, Category::Gradients, "copy gradient");
                self.live.give(piece);
                self.complete[id.index()] = Some(copy);
            }
        }
    }

    pub(super) fn clear_gradients(&mut self) {
        self.shared.clear(&mut self.live);
        for leaf in self.tape.trained() {
            if let Some(piece) = self.complete[leaf.index()].take() {
                self.live.give(piece);
            }
        }
    }
}

/// The first tensor that a stretch makes; earlier ones come from outside.
fn first_made(tape: &Tape, segment: &Segment) -> usize {
    let made = tape.steps[segment.steps.clone()].iter().find_map(|step| step.outputs.first());
    made.map_or(usize::MAX, |made| made.index())
}

/// Tensors from outside that a stretch reads, weights aside, without repeats.
pub(super) fn entering(tape: &Tape, segment: &Segment) -> Vec<TensorId> {
    let first_made = first_made(tape, segment);
    let steps = &tape.steps[segment.steps.clone()];
    let mut entering: Vec<_> = steps
        .iter()
        .flat_map(|step| step.inputs.iter().map(|input| input.tensor))
        .filter(|input| input.index() < first_made && tape.of(*input).origin != Origin::Weight)
        .collect();
    entering.sort_unstable();
    entering.dedup();
    entering
}
