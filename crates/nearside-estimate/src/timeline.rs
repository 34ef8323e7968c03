//! Replays a tape in order: forward, backward (with recomputation of checkpointed stretches) and
//! optimizer step, as eager PyTorch runs them, and tells what is live when.
//!
//! The engine's rules (torch/csrc/autograd/engine.cpp, `evaluate_function`): a step's backward runs
//! when all its outputs have their gradients, in the reverse order of the forward pass; it makes
//! the gradients of its inputs, then lets go of the incoming ones, then of what it saved; only then
//! is a second gradient of one tensor added to the first, into a third. Checkpointing is the
//! non-reentrant kind (torch/utils/checkpoint.py): a stretch runs again when its first saved tensor
//! is asked for, and stops at the last step that saves one.

use nearside_architecture::Dtype;
use nearside_units::Bytes;
use nearside_workload::Optimizer;

use crate::live::{Event, Live, Peak, PieceId};
use crate::optimizer::Optimizing;
use crate::tape::{Category, Flow, Origin, Segment, Step, StorageId, Tape, TensorId};

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The most memory that is live at once in a steady step.
    pub peak: Peak,
    /// What the forward pass leaves behind for the backward pass.
    pub saved: Bytes,
    /// The optimizer's states.
    pub optimizer: Bytes,
    /// Every request to the allocator from loading to the end, in order.
    pub events: Vec<Event>,
    /// How many events there were when the steady step began.
    pub steady: usize,
}

/// A program around the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// What libraries take once and keep.
    pub workspace: Bytes,
    /// Whether the caller holds the model's outputs until the step is over.
    pub outputs: Outputs,
}

/// What becomes of a model's outputs when its loss has been computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Let go before the backward pass, as trainers do.
    Dropped,
    /// Held until the optimizer step is over, as a loop does that keeps them in a variable.
    Held,
}

/// A training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingStep {
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Whether gradients of several passes are summed before the optimizer runs.
    pub passes: Passes,
}

/// How many passes there are per optimizer step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// One.
    One,
    /// Several: gradients are there when all but the first begin.
    Accumulated,
}

/// A forward pass without gradients.
#[must_use]
pub fn inference(tape: &Tape, program: &Program) -> Replayed {
    let mut replay = Replay::load(tape, program, Keep::Nothing);
    replay.live.reset_peak();
    replay.forward(program.outputs);
    replay.finish(Bytes::ZERO)
}

/// Training steps until the memory they need no longer changes: two, since the first one makes the
/// optimizer's states.
#[must_use]
pub fn training(tape: &Tape, program: &Program, step: &TrainingStep) -> Replayed {
    let mut replay = Replay::load(tape, program, Keep::Saved);
    let mut optimizing = Optimizing::new(step.optimizer);
    let passes = match step.passes {
        Passes::One => 1,
        Passes::Accumulated => 2,
    };
    let mut saved = Bytes::ZERO;
    for _ in 0..2 {
        replay.live.reset_peak();
        for _ in 0..passes {
            replay.forward(program.outputs);
            saved = replay.live.of(&[Category::Activations, Category::Logits]) - replay.inputs;
            replay.backward();
        }
        replay.live.enter("optimizer");
        optimizing.step(&mut replay.live, tape);
        replay.clear_gradients();
        replay.drop_outputs();
    }
    replay.finish(saved)
}

/// What a forward pass keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Nothing: no gradient will flow.
    Nothing,
    /// What the backward pass needs.
    Saved,
}

/// Gradients of tensors.
type Gradients = Vec<(TensorId, PieceId)>;
/// Tensors whose gradients are sums, and the products to sum up where there are any.
type Sums = Vec<(TensorId, Option<PieceId>)>;

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

struct Replay<'tape> {
    tape: &'tape Tape,
    keep: Keep,
    live: Live,
    /// Reasons for each tensor to live: later uses and savers.
    references: Vec<u32>,
    /// Tensors alive on each storage.
    viewers: Vec<u32>,
    /// The memory of each storage while it is live.
    pieces: Vec<Option<PieceId>>,
    /// Gradients of tensors that wait for their step.
    gradients: Vec<Option<PieceId>>,
    /// Gradients of weights that are complete.
    complete: Vec<Option<PieceId>>,
    /// Contributions to each weight's gradient that are still to come.
    missing: Vec<u32>,
    /// Which steps a gradient reaches.
    reached: Vec<bool>,
    held: Vec<TensorId>,
    /// What the caller brought and holds.
    inputs: Bytes,
}

impl<'tape> Replay<'tape> {
    /// Weights, adapters after the frozen ones, buffers, then what the caller brings.
    fn load(tape: &'tape Tape, program: &Program, keep: Keep) -> Self {
        let count = tape.tensors.len();
        let mut replay = Self {
            tape,
            keep,
            live: Live::default(),
            references: vec![0; count],
            viewers: vec![0; tape.storages.len()],
            pieces: vec![None; tape.storages.len()],
            gradients: vec![None; count],
            complete: vec![None; count],
            missing: vec![0; count],
            reached: reached(tape),
            held: Vec::new(),
            inputs: Bytes::ZERO,
        };
        replay.live.enter("forward");
        replay.load_weights();
        for input in tape.from(Origin::Input) {
            replay.stay(input);
        }
        replay.inputs = replay.live.of(&[Category::Activations]);
        replay.live.take(program.workspace, Category::Workspace, "load");
        replay
    }

    /// A tensor comes to be and stays.
    fn stay(&mut self, id: TensorId) {
        self.references[id.index()] = 1;
        self.appear(id, "load");
    }

    /// Frozen weights are there before adapters are added.
    fn load_weights(&mut self) {
        let tape = self.tape;
        let frozen = |tensor: &TensorId| !tape.of(*tensor).differentiable;
        let added = tape.weights().any(|weight| frozen(&weight));
        let packed = tape.weights().any(|weight| tape.of(weight).dtype.is_normal_float());
        let (first, last): (Vec<_>, Vec<_>) =
            tape.resident().partition(|tensor| !added || frozen(tensor));
        match packed {
            true => self.load_packed(&first),
            false => first.iter().for_each(|tensor| self.stay(*tensor)),
        }
        last.iter().for_each(|tensor| self.stay(*tensor));
    }

    /// transformers first takes a block of the size of the packed model and gives it back, to have
    /// it cut up (`caching_allocator_warmup`); every packed weight comes through a 16-bit copy; the
    /// others are widened to 32 bits at the end (`prepare_model_for_kbit_training` in peft).
    fn load_packed(&mut self, tensors: &[TensorId]) {
        let tape = self.tape;
        let half = |tensor: &TensorId| Dtype::F16.bytes(tape.of(*tensor).elements);
        let packed = |tensor: &TensorId| tape.of(*tensor).dtype.is_normal_float();
        let weights = tensors.iter().filter(|tensor| tape.of(**tensor).origin == Origin::Weight);
        let size = |tensor: &TensorId| match packed(tensor) {
            true => tape.storage_of(*tensor).bytes,
            false => half(tensor),
        };
        let warm = self.live.take(weights.map(size).sum(), Category::Workspace, "load");
        self.live.give(warm);
        let mut halves = Vec::new();
        for tensor in tensors {
            match tape.of(*tensor).origin {
                Origin::Weight if packed(tensor) => {
                    let copy = self.live.take(half(tensor), Category::Workspace, "load");
                    self.stay(*tensor);
                    self.live.give(copy);
                }
                Origin::Weight => {
                    let copy = self.live.take(half(tensor), Category::Workspace, "load");
                    halves.push((*tensor, copy));
                }
                _ => self.stay(*tensor),
            }
        }
        for (tensor, copy) in halves {
            self.stay(tensor);
            self.live.give(copy);
        }
    }

    fn finish(self, saved: Bytes) -> Replayed {
        let optimizer = self.live.of(&[Category::Optimizer]);
        let steady = self.live.steady();
        let (peak, events) = self.live.finish();
        Replayed { peak, saved, optimizer, events, steady }
    }

    /// A tensor comes to be; the first one on a storage takes its memory.
    fn appear(&mut self, id: TensorId, step: &'static str) {
        let storage = self.tape.of(id).storage;
        let viewers = &mut self.viewers[storage.index()];
        *viewers += 1;
        if *viewers == 1 {
            let found = self.tape.storages[storage.index()];
            let piece = self.live.take(found.bytes, found.category, step);
            self.pieces[storage.index()] = Some(piece);
        }
    }

    fn vanish(&mut self, storage: StorageId) {
        let viewers = &mut self.viewers[storage.index()];
        *viewers -= 1;
        if *viewers == 0
            && let Some(piece) = self.pieces[storage.index()].take()
        {
            self.live.give(piece);
        }
    }

    fn retain(&mut self, id: TensorId) {
        self.references[id.index()] += 1;
    }

    fn release(&mut self, id: TensorId) {
        let references = &mut self.references[id.index()];
        *references -= 1;
        if *references == 0 {
            self.vanish(self.tape.of(id).storage);
        }
    }

    fn forward(&mut self, outputs: Outputs) {
        self.live.enter("forward");
        let tape = self.tape;
        for input in tape.steps.iter().flat_map(|step| &step.inputs) {
            self.retain(input.tensor);
        }
        if self.keep == Keep::Saved {
            self.expect_gradients();
        }
        if outputs == Outputs::Held {
            self.drop_outputs();
            self.held = tape.returned.into_iter().collect();
            for tensor in self.held.clone() {
                self.retain(tensor);
            }
        }
        for segment in &tape.segments {
            let keep = if segment.recomputed { Keep::Nothing } else { self.keep };
            if segment.recomputed && self.keep == Keep::Saved {
                // What comes in from before the stretch is kept, to run the stretch again.
                for input in entering(tape, segment) {
                    self.retain(input);
                }
            }
            self.run(&tape.steps[segment.steps.clone()], keep, 0);
        }
    }

    /// Runs steps forwards. Uses of tensors before `first_counted` were not counted.
    fn run(&mut self, steps: &[Step], keep: Keep, first_counted: usize) {
        for step in steps {
            for output in &step.outputs {
                let tensor = self.tape.of(*output);
                self.references[output.index()] += 1 + u32::from(tensor.origin == Origin::Kept);
                self.appear(*output, step.name);
            }
            if keep == Keep::Saved && self.is_differentiable(step) {
                for saved in &step.saved {
                    self.retain(*saved);
                }
            }
            for input in &step.inputs {
                if input.tensor.index() >= first_counted {
                    self.release(input.tensor);
                }
            }
            // The reference that kept outputs alive until they had other reasons to be.
            for output in &step.outputs {
                self.release(*output);
            }
        }
    }

    /// Counts the contributions that each weight's gradient will get.
    fn expect_gradients(&mut self) {
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

    fn is_differentiable(&self, step: &Step) -> bool {
        step.outputs.iter().any(|output| self.tape.of(*output).differentiable)
    }

    fn backward(&mut self) {
        self.live.enter("backward");
        let tape = self.tape;
        if let Some(loss) = loss(tape) {
            let bytes = tape.gradient_bytes(*loss);
            let piece = self.live.take(bytes, tape.storage_of(*loss).category, "loss");
            self.gradients[loss.index()] = Some(piece);
        }
        for segment in tape.segments.iter().rev() {
            let steps = &tape.steps[segment.steps.clone()];
            if segment.recomputed {
                self.segment_back(segment, steps);
            } else {
                for step in steps.iter().rev() {
                    self.step_back(step, Savers::Kept);
                }
            }
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
        let tape = self.tape;
        if step.is_hold() || !self.has_gradient(step) {
            return Ran::No;
        }
        let mut incoming = Vec::new();
        for output in &step.outputs {
            let found = self.gradients[output.index()].take();
            // A gradient that never came is made of zeros where others of the step came.
            if found.is_none() && step.outputs.len() > 1 && tape.of(*output).differentiable {
                let bytes = tape.gradient_bytes(*output);
                incoming.push(self.live.take(bytes, Category::Activations, step.name));
            }
            incoming.extend(found);
        }
        let mut temporaries = Vec::with_capacity(step.backward_temporaries.len());
        for bytes in &step.backward_temporaries {
            temporaries.push(self.live.take(*bytes, Category::Activations, step.name));
        }
        let (mut made, sums) = self.input_gradients(step, &incoming);
        self.live.spike(step.backward_spike, step.name);
        for piece in temporaries.into_iter().rev() {
            self.live.give(piece);
        }
        // Recomputed tensors belong to nobody but the call that asked for them, and its variables go
        // in reverse.
        if let Savers::Recomputed(_) = savers {
            for saved in step.saved.iter().rev() {
                self.release(*saved);
            }
        }
        self.summed(step, sums, &mut made);
        for piece in incoming {
            self.live.give(piece);
        }
        let later = match savers {
            Savers::Kept => &step.saved,
            Savers::Recomputed(inputs) => inputs,
        };
        for tensor in later {
            self.release(*tensor);
        }
        for (tensor, piece) in made {
            self.accumulate(tensor, piece);
        }
        Ran::Yes
    }

    /// Makes the gradients of a step's inputs, and the products of those that will be summed up.
    fn input_gradients(&mut self, step: &Step, incoming: &[PieceId]) -> (Gradients, Sums) {
        let tape = self.tape;
        let mut made = Vec::with_capacity(step.inputs.len());
        let mut sums = Vec::new();
        for input in step.inputs.iter().filter(|input| tape.of(input.tensor).differentiable) {
            match (input.flow, incoming.first()) {
                (Flow::Stop, _) => {}
                (Flow::Pass, Some(incoming)) => {
                    self.live.share(*incoming);
                    made.push((input.tensor, *incoming));
                }
                (Flow::Fresh | Flow::Pass, _) => {
                    made.push((input.tensor, self.gradient_of(input.tensor, step.name)));
                }
                (Flow::Sum, _) => sums.push((input.tensor, None)),
                (Flow::SumOfProduct, _) => {
                    let bytes = step.outputs.first().map(|output| tape.gradient_bytes(*output));
                    let bytes = bytes.unwrap_or(Bytes::ZERO);
                    let product = self.live.take(bytes, Category::Activations, step.name);
                    sums.push((input.tensor, Some(product)));
                }
            }
        }
        (made, sums)
    }

    /// Gradients of inputs that were repeated: sums, after everything else was made.
    fn summed(&mut self, step: &Step, sums: Sums, made: &mut Gradients) {
        for (tensor, product) in sums {
            made.push((tensor, self.gradient_of(tensor, step.name)));
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

    fn clear_gradients(&mut self) {
        for leaf in self.tape.trained() {
            if let Some(piece) = self.complete[leaf.index()].take() {
                self.live.give(piece);
            }
        }
    }

    fn drop_outputs(&mut self) {
        for tensor in std::mem::take(&mut self.held) {
            self.release(tensor);
        }
    }
}

/// Whether a step saves something that it makes.
fn saves_output(step: &Step) -> bool {
    step.saved.iter().any(|saved| step.outputs.contains(saved))
}

/// What the last step makes.
fn loss(tape: &Tape) -> Option<&TensorId> {
    tape.steps.iter().rev().find_map(|step| step.outputs.first())
}

/// Which steps a gradient of the loss reaches.
fn reached(tape: &Tape) -> Vec<bool> {
    let mut wanted = vec![false; tape.tensors.len()];
    if let Some(loss) = loss(tape) {
        wanted[loss.index()] = true;
    }
    let mut reached = vec![false; tape.steps.len()];
    for (index, step) in tape.steps.iter().enumerate().rev() {
        let made = |output: &TensorId| wanted[output.index()] && tape.of(*output).differentiable;
        reached[index] = step.outputs.iter().any(made);
        if reached[index] {
            for input in step.inputs.iter().filter(|input| input.flow != Flow::Stop) {
                wanted[input.tensor.index()] = true;
            }
        }
    }
    reached
}

/// The first tensor that a stretch makes; earlier ones come from outside.
fn first_made(tape: &Tape, segment: &Segment) -> usize {
    let made = tape.steps[segment.steps.clone()].iter().find_map(|step| step.outputs.first());
    made.map_or(usize::MAX, |made| made.index())
}

/// Tensors from outside that a stretch reads, weights aside, without repeats.
fn entering(tape: &Tape, segment: &Segment) -> Vec<TensorId> {
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
