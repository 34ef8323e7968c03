//! Replays a tape in order and finds the most memory that is live at once, by category, and where.
//!
//! Forward, backward (with recomputation of checkpointed stretches) and optimizer step, as eager
//! PyTorch runs them: a gradient replaces the value it belongs to, two gradients of one value are
//! added into a third, and saved tensors are let go after the step that needed them.

use std::collections::BTreeMap;

use nearside_units::Bytes;

use crate::tape::{Category, Segment, Step, Tape, TensorId};

/// The most memory that is live at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peak {
    /// Live bytes by category at that moment.
    pub by_category: BTreeMap<Category, Bytes>,
    /// The pass in which it happens: `forward`, `backward` or `optimizer`.
    pub pass: &'static str,
    /// The step at which it happens.
    pub step: &'static str,
    /// What the forward pass leaves behind for the backward pass.
    pub saved: Bytes,
}

impl Peak {
    /// All categories together.
    #[must_use]
    pub fn total(&self) -> Bytes {
        self.by_category.values().copied().sum()
    }
}

/// What lives besides the tape's own tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The optimizer's states.
    pub optimizer: Bytes,
    /// Temporaries of the optimizer step.
    pub optimizer_temporary: Bytes,
    /// Token numbers, labels, position tables and other small inputs.
    pub inputs: Bytes,
}

/// Peak of a forward pass without gradients.
#[must_use]
pub fn inference_peak(tape: &Tape, resident: Resident) -> Peak {
    let mut replay = Replay::new(tape, resident, Keep::Nothing);
    replay.forward();
    replay.finish()
}

/// Peak of a training step: forward, backward, optimizer.
#[must_use]
pub fn training_peak(tape: &Tape, resident: Resident) -> Peak {
    let mut replay = Replay::new(tape, resident, Keep::Saved);
    replay.forward();
    replay.saved = replay.live_of(&[Category::Activations, Category::Logits]);
    replay.backward();
    replay.optimizer(resident.optimizer_temporary);
    replay.finish()
}

/// What a forward pass keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Nothing: no gradient will flow.
    Nothing,
    /// What the backward pass needs.
    Saved,
}

struct Replay<'tape> {
    tape: &'tape Tape,
    keep: Keep,
    /// Live bytes by category.
    live: [u64; Category::ALL.len()],
    /// How many reasons each tensor has to live: later uses and savers.
    references: Vec<usize>,
    /// Gradients of tensors that are waiting for their step, in bytes.
    gradients: BTreeMap<TensorId, Bytes>,
    /// Contributions to each weight's gradient so far.
    contributions: Vec<usize>,
    saved: Bytes,
    peak: [u64; Category::ALL.len()],
    peak_total: u64,
    pass: &'static str,
    at: (&'static str, &'static str),
}

impl<'tape> Replay<'tape> {
    fn new(tape: &'tape Tape, resident: Resident, keep: Keep) -> Self {
        let mut replay = Self {
            tape,
            keep,
            live: [0; Category::ALL.len()],
            references: vec![0; tape.tensors.len()],
            gradients: BTreeMap::new(),
            contributions: vec![0; tape.weights.len()],
            saved: Bytes::ZERO,
            peak: [0; Category::ALL.len()],
            peak_total: 0,
            pass: "forward",
            at: ("forward", "start"),
        };
        replay.take(Category::Weights, tape.weights.iter().map(|weight| weight.bytes).sum());
        replay.take(Category::Optimizer, resident.optimizer);
        replay.take(Category::Activations, resident.inputs);
        replay.sample("start");
        replay
    }

    fn take(&mut self, category: Category, bytes: Bytes) {
        self.live[category as usize] += bytes.get();
    }

    fn give(&mut self, category: Category, bytes: Bytes) {
        self.live[category as usize] -= bytes.get();
    }

    fn sample(&mut self, step: &'static str) {
        let total = self.live.iter().sum();
        if total > self.peak_total {
            (self.peak, self.peak_total, self.at) = (self.live, total, (self.pass, step));
        }
    }

    /// Takes bytes for the length of one sample.
    fn spike(&mut self, bytes: Bytes, step: &'static str) {
        self.take(Category::Activations, bytes);
        self.sample(step);
        self.give(Category::Activations, bytes);
    }

    fn live_of(&self, categories: &[Category]) -> Bytes {
        Bytes::new(categories.iter().map(|category| self.live[*category as usize]).sum())
    }

    fn finish(self) -> Peak {
        let by_category = Category::ALL
            .into_iter()
            .map(|category| (category, Bytes::new(self.peak[category as usize])))
            .filter(|(_, bytes)| *bytes > Bytes::ZERO)
            .collect();
        Peak { by_category, pass: self.at.0, step: self.at.1, saved: self.saved }
    }

    fn forward(&mut self) {
        let tape = self.tape;
        for step in &tape.steps {
            for input in &step.inputs {
                self.references[input.index()] += 1;
            }
        }
        for segment in &tape.segments {
            let keep = if segment.recomputed { Keep::Nothing } else { self.keep };
            self.run(segment, keep, Outside::Counted);
            if segment.recomputed && self.keep == Keep::Saved {
                // What comes in from before the stretch is kept, to run the stretch again.
                for input in entering(tape, segment) {
                    self.references[input.index()] += 1;
                    if self.references[input.index()] == 1 {
                        self.revive(input);
                    }
                }
            }
        }
    }

    fn revive(&mut self, id: TensorId) {
        let tensor = self.tape.of(id);
        self.take(tensor.category, tensor.bytes);
    }

    /// Runs a stretch forwards. `Outside::Counted` uses of tensors were counted before.
    fn run(&mut self, segment: &Segment, keep: Keep, outside: Outside) {
        let tape = self.tape;
        let first_made = first_made(tape, segment);
        for step in &tape.steps[segment.steps.clone()] {
            if let Some(output) = step.output {
                let tensor = tape.of(output);
                self.take(tensor.category, tensor.bytes);
                let forever = usize::from(tensor.permanent);
                self.references[output.index()] += forever;
                self.spike(step.forward_temporary, step.name);
                if keep == Keep::Saved && differentiable(tape, step) {
                    for saved in &step.saved {
                        self.references[saved.index()] += 1;
                    }
                }
            }
            for input in &step.inputs {
                if outside == Outside::Counted || input.index() >= first_made {
                    self.release(*input);
                }
            }
            self.release_unused(step);
        }
    }

    /// Frees an output that nothing will read and nobody saved.
    fn release_unused(&mut self, step: &Step) {
        if let Some(output) = step.output
            && self.references[output.index()] == 0
        {
            let tensor = self.tape.of(output);
            self.give(tensor.category, tensor.bytes);
        }
    }

    fn release(&mut self, id: TensorId) {
        self.references[id.index()] -= 1;
        if self.references[id.index()] == 0 {
            let tensor = self.tape.of(id);
            self.give(tensor.category, tensor.bytes);
        }
    }

    fn backward(&mut self) {
        self.pass = "backward";
        let tape = self.tape;
        if let Some(last) = tape.steps.iter().rev().find_map(|step| step.output) {
            self.gradient(last, "loss");
        }
        for segment in tape.segments.iter().rev() {
            if segment.recomputed {
                self.recompute(segment);
            }
            for step in tape.steps[segment.steps.clone()].iter().rev() {
                self.step_back(step);
            }
            if segment.recomputed {
                for input in entering(tape, segment) {
                    self.release(input);
                }
            }
        }
    }

    fn recompute(&mut self, segment: &Segment) {
        let tape = self.tape;
        let first_made = first_made(tape, segment);
        for step in &tape.steps[segment.steps.clone()] {
            for input in step.inputs.iter().filter(|input| input.index() >= first_made) {
                self.references[input.index()] += 1;
            }
        }
        self.run(segment, Keep::Saved, Outside::Kept);
    }

    fn step_back(&mut self, step: &Step) {
        let tape = self.tape;
        let Some(output) = step.output else { return };
        if !differentiable(tape, step) {
            return;
        }
        let Some(incoming) = self.gradients.remove(&output) else { return };
        self.take(Category::Activations, step.backward_temporary);
        self.sample(step.name);
        for weight in &step.weights {
            self.weight_gradient(weight.index(), step.name);
        }
        for input in &step.inputs {
            self.gradient(*input, step.name);
        }
        self.give(Category::Activations, step.backward_temporary);
        self.give(tape.of(output).category, incoming);
        for saved in &step.saved {
            self.release(*saved);
        }
    }

    /// Another contribution to the gradient of a tensor.
    fn gradient(&mut self, id: TensorId, step: &'static str) {
        let tensor = self.tape.of(id);
        if !tensor.differentiable {
            return;
        }
        self.take(tensor.category, tensor.bytes);
        self.sample(step);
        if self.gradients.insert(id, tensor.bytes).is_some() {
            // Two gradients are added into a third, then both are let go.
            self.take(tensor.category, tensor.bytes);
            self.sample("add gradients");
            self.give(tensor.category, tensor.bytes * 2);
        }
    }

    /// Another contribution to the gradient of a weight; only the complete sum is a gradient.
    fn weight_gradient(&mut self, index: usize, step: &'static str) {
        let weight = self.tape.weights[index];
        let Some(bytes) = weight.gradient else { return };
        self.contributions[index] += 1;
        self.take(Category::Activations, bytes);
        self.sample(step);
        if self.contributions[index] > 1 {
            self.take(Category::Activations, bytes);
            self.sample("add gradients");
            self.give(Category::Activations, bytes * 2);
        }
        if self.contributions[index] == weight.uses {
            self.give(Category::Activations, bytes);
            self.take(Category::Gradients, bytes);
        }
    }

    fn optimizer(&mut self, temporary: Bytes) {
        self.pass = "optimizer";
        self.spike(temporary, "optimizer step");
    }
}

/// Whether uses of tensors from outside a stretch were counted before it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Counted,
    Kept,
}

fn differentiable(tape: &Tape, step: &Step) -> bool {
    step.output.is_some_and(|output| tape.of(output).differentiable)
}

/// The first tensor that a stretch makes; earlier ones come from outside.
fn first_made(tape: &Tape, segment: &Segment) -> usize {
    let made = tape.steps[segment.steps.clone()].iter().find_map(|step| step.output);
    made.map_or(usize::MAX, TensorId::index)
}

/// Tensors from outside that a stretch reads, without repeats.
fn entering(tape: &Tape, segment: &Segment) -> Vec<TensorId> {
    let first_made = first_made(tape, segment);
    let steps = &tape.steps[segment.steps.clone()];
    let mut entering: Vec<_> = steps
        .iter()
        .flat_map(|step| step.inputs.iter().copied())
        .filter(|input| input.index() < first_made)
        .collect();
    entering.sort_unstable();
    entering.dedup();
    entering
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{Kernel, Tensor, Weight, WeightId, Work};
    use nearside_units::Flops;

    const NOTHING: Resident =
        Resident { optimizer: Bytes::ZERO, optimizer_temporary: Bytes::ZERO, inputs: Bytes::ZERO };

    fn tensor(tape: &mut Tape, blocks: u64) -> TensorId {
        tape.tensor(Tensor {
            bytes: Bytes::new(blocks * crate::tape::BLOCK),
            category: Category::Activations,
            differentiable: true,
            permanent: false,
        })
    }

    fn step(
        inputs: &[TensorId],
        output: TensorId,
        saved: &[TensorId],
        weights: &[WeightId],
    ) -> Step {
        let work = Work { kernel: Kernel::Pointwise, flops: Flops::ZERO, bytes: Bytes::ZERO };
        Step {
            name: "step",
            inputs: inputs.to_vec(),
            output: Some(output),
            saved: saved.to_vec(),
            weights: weights.to_vec(),
            forward_temporary: Bytes::ZERO,
            backward_temporary: Bytes::ZERO,
            forward: work,
            backward: work,
        }
    }

    fn blocks(peak: &Peak) -> u64 {
        peak.total().get() / crate::tape::BLOCK
    }

    /// A chain a -> b -> c of 2, 3 and 1 blocks whose steps save their inputs, with one weight.
    fn chain(recomputed: bool) -> Tape {
        let mut tape = Tape::default();
        let size = Bytes::new(crate::tape::BLOCK);
        let weight =
            tape.weight(Weight { bytes: size, elements: 1, gradient: Some(size), uses: 1 });
        let a = tensor(&mut tape, 2);
        tape.step(step(&[], a, &[], &[]));
        tape.end_segment(false);
        let b = tensor(&mut tape, 3);
        tape.step(step(&[a], b, &[a], &[weight]));
        tape.end_segment(recomputed);
        let c = tensor(&mut tape, 1);
        tape.step(step(&[b], c, &[b], &[]));
        tape.end_segment(false);
        tape
    }

    #[test]
    fn without_gradients_only_neighbours_live_together() {
        // Weight 1, a 2, b 3 at once; a is let go before c.
        assert_eq!(blocks(&inference_peak(&chain(false), NOTHING)), 6);
    }

    #[test]
    fn training_keeps_saved_tensors_and_makes_gradients() {
        let peak = training_peak(&chain(false), NOTHING);
        // Kept: a 2 and b 3. The last step back: weight 1, a 2, b 3, gradients of c 1 and b 3.
        assert_eq!(peak.saved.get() / crate::tape::BLOCK, 5);
        assert_eq!(blocks(&peak), 10);
        assert_eq!(peak.pass, "backward");
    }

    #[test]
    fn recomputing_never_keeps_more() {
        let kept = training_peak(&chain(false), NOTHING);
        let recomputed = training_peak(&chain(true), NOTHING);
        assert!(recomputed.saved <= kept.saved);
    }
}
