//! One call of the framework, put together word by word and recorded on the tape.

use nearside_architecture::Dtype;
use nearside_units::{Bytes, Flops};

use super::Lowering;
use crate::tape::{
    Category, Few, Flow, Input, Kernel, Origin, Step, StorageId, Tensor, TensorId, Work,
};

/// A tensor to make.
struct Making {
    elements: u64,
    dtype: Dtype,
    /// The memory it shares; `None` takes its own.
    storage: Option<StorageId>,
    /// Whether a gradient flows back through it.
    flows: bool,
}

/// One call of the framework.
pub(super) struct Op {
    name: &'static str,
    kernel: Kernel,
    inputs: Few<Input>,
    saved: Few<TensorId>,
    saved_outputs: Few<usize>,
    outputs: Few<Making>,
    category: Category,
    origin: Origin,
    flops: Option<Flops>,
    /// Whether only as much of the inputs is read as is written: rows of a table, chosen experts.
    partial: bool,
    backward_temporaries: Vec<Bytes>,
    backward_spike: Bytes,
    /// Traffic of the backward pass besides that of the forward one.
    backward_traffic: Bytes,
}

impl Op {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            kernel: Kernel::Pointwise,
            inputs: Few::new(),
            saved: Few::new(),
            saved_outputs: Few::new(),
            outputs: Few::new(),
            category: Category::Activations,
            origin: Origin::Step,
            flops: None,
            partial: false,
            backward_temporaries: Vec::new(),
            backward_spike: Bytes::ZERO,
            backward_traffic: Bytes::ZERO,
        }
    }

    /// Reads a tensor; gradients of inputs are made in the order of these calls.
    pub(super) fn read(mut self, tensor: TensorId, flow: Flow) -> Self {
        self.inputs.push(Input { tensor, flow });
        self
    }

    /// Keeps a tensor for the backward pass.
    pub(super) fn save(mut self, tensor: TensorId) -> Self {
        self.saved.push(tensor);
        self
    }

    /// Keeps an output for the backward pass.
    pub(super) fn save_output(mut self, index: usize) -> Self {
        self.saved_outputs.push(index);
        self
    }

    /// Makes a tensor. Gradients flow back through the first one only: others are statistics.
    pub(super) fn make(mut self, elements: u64, dtype: Dtype) -> Self {
        let flows = self.outputs.is_empty();
        self.outputs.push(Making { elements, dtype, storage: None, flows });
        self
    }

    /// Makes a view: a tensor in the memory of another one, through which gradients flow.
    pub(super) fn make_in(mut self, storage: StorageId, elements: u64, dtype: Dtype) -> Self {
        self.outputs.push(Making { elements, dtype, storage: Some(storage), flows: true });
        self
    }

    pub(super) const fn kernel(mut self, kernel: Kernel, flops: Flops) -> Self {
        self.kernel = kernel;
        self.flops = Some(flops);
        self
    }

    pub(super) const fn category(mut self, category: Category) -> Self {
        self.category = category;
        self
    }

    /// What it makes stays until the end.
    pub(super) const fn kept(mut self) -> Self {
        self.origin = Origin::Kept;
        self
    }

    pub(super) const fn reads_part(mut self) -> Self {
        self.partial = true;
        self
    }

    /// What its backward moves besides what its forward does.
    pub(super) const fn backward_traffic(mut self, bytes: Bytes) -> Self {
        self.backward_traffic = bytes;
        self
    }

    /// What its backward takes for a moment once it has made its gradients.
    pub(super) const fn backward_spike(mut self, bytes: Bytes) -> Self {
        self.backward_spike = bytes;
        self
    }

    /// What its backward takes besides, one after the other.
    pub(super) fn backward_temporary(mut self, bytes: Bytes) -> Self {
        if bytes > Bytes::ZERO {
            self.backward_temporaries.push(bytes);
        }
        self
    }
}

impl Lowering<'_> {
    /// Records a call; answers what it makes first.
    pub(super) fn run_op(&mut self, op: Op) -> TensorId {
        self.run_all(op)[0]
    }

    /// Records a call; answers everything it makes.
    pub(super) fn run_all(&mut self, op: Op) -> Few<TensorId> {
        let flows =
            |input: &Input| input.flow != Flow::Stop && self.tape.of(input.tensor).differentiable;
        let differentiable = op.inputs.iter().any(flows);
        let outputs: Few<_> = op
            .outputs
            .iter()
            .map(|making| self.made(making, &op, differentiable && making.flows))
            .collect();
        let kept = op.saved_outputs.iter().map(|index| outputs[*index]);
        let saved: Few<_> = op.saved.iter().copied().chain(kept).collect();
        let inputs = self.matched(&op.inputs, outputs.first().copied());
        let (forward, backward) = self.work(&op, &outputs);
        self.tape.step(Step {
            name: op.name,
            inputs,
            outputs: outputs.clone(),
            saved: if differentiable { saved } else { Few::new() },
            backward_temporaries: op.backward_temporaries,
            backward_spike: op.backward_spike,
            forward,
            backward,
        });
        outputs
    }

    /// A view costs nothing; its gradient may have to be copied.
    fn view_back(&self, op: &Op) -> Work {
        let copied = op
            .inputs
            .iter()
            .filter(|input| input.flow == Flow::Fresh && self.tape.of(input.tensor).differentiable);
        let bytes: Bytes = copied.map(|input| self.tape.gradient_bytes(input.tensor) * 2).sum();
        Work { bytes, ..Work::NONE }
    }

    fn made(&mut self, making: &Making, op: &Op, differentiable: bool) -> TensorId {
        let Making { elements, dtype, storage, .. } = *making;
        let storage =
            storage.unwrap_or_else(|| self.tape.storage(dtype.bytes(elements), op.category));
        let origin = op.origin;
        self.tape.tensor(Tensor { storage, elements, dtype, differentiable, origin })
    }

    /// A gradient of another type than its tensor's is cast into memory of its own.
    fn matched(&self, inputs: &[Input], output: Option<TensorId>) -> Few<Input> {
        let dtype = output.map(|output| self.tape.of(output).dtype);
        let fit = |input: &Input| match input.flow {
            Flow::Pass if Some(self.tape.of(input.tensor).dtype) != dtype => {
                Input { flow: Flow::Fresh, ..*input }
            }
            _ => *input,
        };
        inputs.iter().map(fit).collect()
    }

    /// Arithmetic and traffic: forward reads inputs and writes outputs; backward repeats the
    /// arithmetic once for each input that gets a gradient.
    fn work(&self, op: &Op, outputs: &[TensorId]) -> (Work, Work) {
        let size = |id: &TensorId| {
            let tensor = self.tape.of(*id);
            tensor.dtype.bytes(tensor.elements)
        };
        if op.outputs.iter().all(|making| making.storage.is_some()) && op.flops.is_none() {
            return (Work::NONE, self.view_back(op));
        }
        let written: Bytes = outputs.iter().map(size).sum();
        let read = |input: &Input| match op.partial {
            true => size(&input.tensor).min(written),
            false => size(&input.tensor),
        };
        let traffic = written + op.inputs.iter().map(read).sum::<Bytes>();
        let elements: u64 = op.outputs.iter().map(|making| making.elements).sum();
        let flops =
            op.flops.unwrap_or_else(|| Flops::from_flops(elements as f64).unwrap_or(Flops::ZERO));
        let dtype = op.outputs.first().map_or(Dtype::F32, |making| making.dtype);
        let forward = Work { kernel: op.kernel, dtype, flops, bytes: traffic };
        let flowing = op
            .inputs
            .iter()
            .filter(|input| input.flow != Flow::Stop && self.tape.of(input.tensor).differentiable);
        let gradients = flowing.clone().count();
        let passed = flowing.clone().all(|input| input.flow == Flow::Pass);
        if gradients == 0 || passed {
            return (forward, Work::NONE);
        }
        let repeats = match op.kernel {
            // One product for the gradient of the input, one for that of the weight.
            Kernel::Matrix => gradients.min(2) as f64,
            // Five matrix products instead of two (FlashAttention-2, arXiv 2307.08691, section 3.1).
            Kernel::Attention => 2.5,
            Kernel::Pointwise => 1.0,
        };
        let (flops, bytes) = (flops * repeats, traffic.scaled(repeats) + op.backward_traffic);
        let backward = Work { kernel: op.kernel, dtype, flops, bytes };
        (forward, backward)
    }
}
