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

use crate::live::{Live, Peak, PieceId, Recorded, Requests};
use crate::optimizer::Optimizing;
use crate::parallel::sharding::{DataGroup, Place, Shared};
use crate::tape::{Category, Flow, Origin, Step, StorageId, Tape, TensorId};

mod backward;

use backward::{Scratch, entering};

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed<R = Recorded> {
    /// The most memory that is live at once in a steady step.
    pub peak: Peak,
    /// What the forward pass leaves behind for the backward pass.
    pub saved: Bytes,
    /// The optimizer's states.
    pub optimizer: Bytes,
    /// Who heard of every request from loading to the end; peaks count in the steady step.
    pub requests: R,
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
    inference_heard(tape, program, Recorded::default())
}

/// The same, heard by somebody else.
pub(crate) fn inference_heard<R: Requests>(
    tape: &Tape,
    program: &Program,
    requests: R,
) -> Replayed<R> {
    let mut replay = Replay::load(tape, program, Keep::Nothing, requests);
    replay.live.reset_peak();
    replay.forward(program.outputs);
    replay.finish(Bytes::ZERO)
}

/// Training steps until the memory they need no longer changes: two, since the first one makes the
/// optimizer's states.
#[must_use]
pub fn training(tape: &Tape, program: &Program, step: &TrainingStep) -> Replayed {
    training_shared(tape, program, step, DataGroup::ALONE, (Recorded::default(), None))
}

/// The same on one of several devices that share what they train, heard by somebody; where more is
/// live than there is room for, only up to there.
#[must_use]
pub fn training_shared<R: Requests>(
    tape: &Tape,
    program: &Program,
    step: &TrainingStep,
    group: DataGroup,
    (requests, room): (R, Option<Bytes>),
) -> Replayed<R> {
    steps(tape, (program, step), group, (requests, room), 2)
}

/// The most that is live in the first training step, which lacks some of what later ones hold; where
/// more is live than there is room for, only up to there.
pub(crate) fn first_step(
    tape: &Tape,
    program: &Program,
    step: &TrainingStep,
    group: DataGroup,
    room: Option<Bytes>,
) -> Peak {
    steps(tape, (program, step), group, ((), room), 1).peak
}

fn steps<R: Requests>(
    tape: &Tape,
    (program, step): (&Program, &TrainingStep),
    group: DataGroup,
    (requests, room): (R, Option<Bytes>),
    count: usize,
) -> Replayed<R> {
    let (loaded, optimized) = (group.loaded(tape), group.optimized(tape));
    let mut replay = Replay::load(&loaded, program, Keep::Saved, requests);
    replay.live.within(room);
    replay.shared = Shared::of(tape, group);
    replay.shared.load(&mut replay.live, tape);
    let mut optimizing = Optimizing::new(group.optimizer_on_device(step.optimizer));
    let passes = match step.passes {
        Passes::One => 1,
        Passes::Accumulated => 2,
    };
    let mut saved = Bytes::ZERO;
    for _ in 0..count {
        replay.live.reset_peak();
        for _ in 0..passes {
            replay.forward(program.outputs);
            saved = replay.live.of(&[Category::Activations, Category::Logits]) - replay.inputs;
            replay.backward();
            if replay.live.is_full() {
                return replay.finish(saved);
            }
        }
        replay.live.enter("optimizer");
        optimizing.step(&mut replay.live, &optimized);
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

struct Replay<'tape, R> {
    tape: &'tape Tape,
    keep: Keep,
    live: Live<R>,
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
    shared: Shared,
    scratch: Scratch,
}

impl<'tape, R: Requests> Replay<'tape, R> {
    /// Weights, adapters after the frozen ones, buffers, then what the caller brings.
    fn load(tape: &'tape Tape, program: &Program, keep: Keep, requests: R) -> Self {
        let count = tape.tensors.len();
        let mut replay = Self {
            tape,
            keep,
            live: Live::heard_by(requests),
            references: vec![0; count],
            viewers: vec![0; tape.storages.len()],
            pieces: vec![None; tape.storages.len()],
            gradients: vec![None; count],
            complete: vec![None; count],
            missing: vec![0; count],
            reached: reached(tape),
            held: Vec::new(),
            inputs: Bytes::ZERO,
            shared: Shared::of(tape, DataGroup::ALONE),
            scratch: Scratch::default(),
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

    fn finish(self, saved: Bytes) -> Replayed<R> {
        let optimizer = self.live.of(&[Category::Optimizer]);
        let (peak, requests) = self.live.finish();
        Replayed { peak, saved, optimizer, requests }
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
        // The caller's variable keeps the loss until its backward is over.
        if self.keep == Keep::Saved
            && let Some(loss) = loss(tape)
        {
            self.retain(*loss);
        }
        if outputs == Outputs::Held {
            self.drop_outputs();
            self.held = tape.returned.into_iter().collect();
            for tensor in self.held.clone() {
                self.retain(tensor);
            }
        }
        self.shared.before_forward(&mut self.live, Place::Root);
        for (index, segment) in tape.segments.iter().enumerate() {
            if self.live.is_full() {
                return;
            }
            self.shared.before_forward(&mut self.live, Place::Segment(index));
            let keep = if segment.recomputed { Keep::Nothing } else { self.keep };
            if segment.recomputed && self.keep == Keep::Saved {
                // What comes in from before the stretch is kept, to run the stretch again.
                for input in entering(tape, segment) {
                    self.retain(input);
                }
            }
            self.run(&tape.steps[segment.steps.clone()], keep, 0);
            self.shared.after_forward(&mut self.live, index);
        }
        self.shared.end_forward(&mut self.live);
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
