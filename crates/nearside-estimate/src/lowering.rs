//! From a model's operator graph to the steps of a framework: what eager PyTorch with Hugging Face
//! modules does for each operator, and what its autograd keeps.
//!
//! The rules were read from the frameworks and are held to traces of real programs, byte by byte
//! (`tests/trace.rs`; torch 2.9.1, transformers 5.23, peft 0.21.2). Those that surprise:
//!
//! - RMS norm works in 32 bits: the widened input, the inverse root and the normalised value are
//!   kept, the latter only when the scale is trained.
//! - A frozen linear layer keeps nothing; an adapter keeps a 32-bit copy of its input.
//! - Masked and eager attention repeat key-value heads; eager attention keeps the scores twice.
//! - The loss keeps 32-bit log-probabilities of every token over the whole vocabulary.

mod adapter;
mod attention;

use nearside_architecture::{
    Dtype, Graph, Linear, Node, Norm, Operator, Projection, Value, ValueId,
};
use nearside_units::{Bytes, Flops};
use nearside_workload::{Adapter, AttentionKernel, Checkpointing, Recipe};

use crate::tape::{Category, Kernel, Step, Tape, Tensor, TensorId, Weight, WeightId, Work};

/// Which weights are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trained {
    /// None: the pass only answers.
    Nothing,
    /// All of them.
    Everything,
    /// Only low-rank adapters beside frozen weights.
    Adapters(Adapter),
}

/// Records the forward pass of a graph; a training pass ends with the loss, another one fills the
/// key-value cache.
#[must_use]
pub fn lower(graph: &Graph, recipe: &Recipe, trained: Trained) -> Tape {
    let mut lowering = Lowering {
        graph,
        recipe,
        trained,
        tape: Tape::default(),
        tensors: vec![None; graph.values.len()],
        positions: None,
        mask: None,
        table: None,
        branch_inputs: Vec::new(),
    };
    lowering.run();
    lowering.tape
}

/// Bytes that a pass holds outside the tape: token numbers and small buffers.
#[must_use]
pub fn input_bytes(graph: &Graph) -> Bytes {
    let token_numbers = Bytes::new(graph.shape.rows() * 8).rounded_up_to(crate::tape::BLOCK);
    token_numbers + Bytes::new(2 * crate::tape::BLOCK)
}

struct Lowering<'graph> {
    graph: &'graph Graph,
    recipe: &'graph Recipe,
    trained: Trained,
    tape: Tape,
    tensors: Vec<Option<TensorId>>,
    positions: Option<TensorId>,
    mask: Option<TensorId>,
    /// The embedding table, which a tied output layer uses again.
    table: Option<WeightId>,
    /// Inputs of the current residual branch, held by the caller until it ends.
    branch_inputs: Vec<TensorId>,
}

/// A step to record.
struct Emit<'a> {
    name: &'static str,
    kernel: Kernel,
    inputs: &'a [TensorId],
    saved: &'a [TensorId],
    weights: &'a [WeightId],
    /// Share of the weights' bytes that the step reads: rows of a table, chosen experts.
    weights_read: f64,
    elements: u64,
    dtype: Dtype,
    category: Category,
    flops: Flops,
    forward_temporary: Bytes,
    backward_temporary: Bytes,
}

impl<'a> Emit<'a> {
    /// A pointwise step that keeps nothing.
    fn pointwise(name: &'static str, inputs: &'a [TensorId], elements: u64, dtype: Dtype) -> Self {
        Self {
            name,
            kernel: Kernel::Pointwise,
            inputs,
            saved: &[],
            weights: &[],
            weights_read: 1.0,
            elements,
            dtype,
            category: Category::Activations,
            flops: Flops::from_flops(elements as f64).unwrap_or(Flops::ZERO),
            forward_temporary: Bytes::ZERO,
            backward_temporary: Bytes::ZERO,
        }
    }
}

impl Lowering<'_> {
    fn training(&self) -> bool {
        self.trained != Trained::Nothing
    }

    fn compute(&self) -> Dtype {
        self.recipe.compute
    }

    fn run(&mut self) {
        self.inputs();
        let mut layer_input = None;
        let mut layer = None;
        let mut embedded = None;
        for node in &self.graph.nodes {
            if node.layer != layer {
                self.end_layer(layer.is_some(), layer_input);
                layer = node.layer;
                layer_input = node.inputs.first().and_then(|input| self.tensors[input.0]);
                embedded = embedded.or(layer_input);
            }
            self.node(node);
        }
        if self.training() {
            self.loss();
        }
        self.tape.hold(&embedded.into_iter().collect::<Vec<_>>());
        self.tape.end_segment(false);
    }

    /// Ends a block: its caller lets its input go, and it may be recomputed as a whole.
    fn end_layer(&mut self, in_layer: bool, input: Option<TensorId>) {
        if in_layer {
            self.tape.hold(&input.into_iter().collect::<Vec<_>>());
        }
        let recomputed =
            in_layer && self.training() && self.recipe.checkpointing == Checkpointing::Full;
        self.tape.end_segment(recomputed);
    }

    /// Position tables and the attention mask, made once per pass.
    fn inputs(&mut self) {
        let shape = self.graph.shape;
        let rotates = |node: &&Node| node.operator == Operator::Rotary;
        let widths = self.graph.nodes.iter().find_map(|node| match &node.operator {
            Operator::Attention(attention) => Some(attention.key_dim),
            _ => None,
        });
        let rotated = widths.filter(|_| self.graph.nodes.iter().any(|node| rotates(&node)));
        if let Some(width) = rotated {
            // Sine and cosine tables, and the positions themselves.
            let elements = 2 * shape.tokens * width;
            self.positions = Some(self.constant("positions", elements, self.compute()));
        }
        let mask_type = match self.recipe.attention {
            AttentionKernel::Fused => None,
            AttentionKernel::Masked => Some(Dtype::Bool),
            AttentionKernel::Eager => Some(self.compute()),
        };
        let elements = shape.tokens * (shape.tokens + shape.past);
        self.mask = mask_type.map(|dtype| self.constant("mask", elements, dtype));
    }

    fn constant(&mut self, name: &'static str, elements: u64, dtype: Dtype) -> TensorId {
        self.emit(Emit::pointwise(name, &[], elements, dtype))
    }

    fn node(&mut self, node: &Node) {
        let inputs: Vec<_> = node.inputs.iter().filter_map(|id| self.tensors[id.0]).collect();
        let value = self.graph.values[node.output.0];
        let output = match &node.operator {
            Operator::Embedding { .. } => self.embedding(node, value),
            Operator::Norm { kind, width } => {
                let output = self.norm(node, *kind, *width, inputs[0], value);
                self.branch_inputs.push(output);
                output
            }
            Operator::Linear(linear) => self.linear(node, linear, inputs[0], value),
            Operator::ExpertLinear { linear, .. } => {
                self.projection(node, linear, inputs[0], value)
            }
            Operator::Attention(attention) => self.attention(node, attention, &inputs, value),
            Operator::Rotary => self.rotary(&inputs, value),
            Operator::Add => {
                let held = std::mem::take(&mut self.branch_inputs);
                self.tape.hold(&held);
                self.plain("add", node, &inputs, value, &[])
            }
            Operator::Activation => self.plain("activation", node, &inputs, value, &inputs[..1]),
            Operator::Multiply => self.plain("multiply", node, &inputs, value, &inputs),
            Operator::Combine => self.plain("combine experts", node, &inputs, value, &inputs),
            Operator::Dispatch => self.plain("dispatch", node, &inputs, value, &inputs[1..]),
            Operator::Route { .. } => self.plain("route", node, &inputs, value, &inputs),
            Operator::SoftCap => self.soft_cap(node, &inputs, value),
            Operator::PositionTable { .. } => self.plain("positions", node, &inputs, value, &[]),
        };
        self.tensors[node.output.0] = Some(output);
    }

    fn emit(&mut self, emit: Emit<'_>) -> TensorId {
        let trained =
            emit.weights.iter().any(|id| self.tape.weights[id.index()].gradient.is_some());
        let flows = emit.inputs.iter().any(|id| self.tape.of(*id).differentiable);
        let output = self.tape.tensor(Tensor {
            bytes: emit.dtype.bytes(emit.elements),
            category: emit.category,
            differentiable: trained || flows,
            permanent: emit.category == Category::Cache,
        });
        let saved = emit.saved.to_vec();
        let gradients = usize::from(trained) + usize::from(flows);
        let (forward, backward) = self.work(&emit, output, gradients);
        self.tape.step(Step {
            name: emit.name,
            inputs: emit.inputs.to_vec(),
            output: Some(output),
            saved,
            weights: emit.weights.to_vec(),
            forward_temporary: emit.forward_temporary,
            backward_temporary: emit.backward_temporary,
            forward,
            backward,
        });
        output
    }

    /// Arithmetic and traffic: forward reads inputs and weights and writes the output; backward
    /// repeats the arithmetic once for the input's gradient and once for the weights'.
    fn work(&self, emit: &Emit<'_>, output: TensorId, gradients: usize) -> (Work, Work) {
        let size = |ids: &[TensorId]| ids.iter().map(|id| self.tape.of(*id).bytes).sum::<Bytes>();
        let weights: Bytes =
            emit.weights.iter().map(|id| self.tape.weights[id.index()].bytes).sum();
        let traffic =
            size(emit.inputs) + self.tape.of(output).bytes + weights.scaled(emit.weights_read);
        let forward = Work { kernel: emit.kernel, flops: emit.flops, bytes: traffic };
        let repeats = match emit.kernel {
            Kernel::Matrix => gradients as f64,
            // Five matrix products instead of two (FlashAttention-2, arXiv 2307.08691, section 3.1).
            Kernel::Attention => 2.5,
            Kernel::Pointwise => 1.0,
        };
        let runs = gradients > 0;
        let backward = Work {
            kernel: emit.kernel,
            flops: if runs { emit.flops * repeats } else { Flops::ZERO },
            bytes: if runs { traffic.scaled(repeats.max(1.0)) } else { Bytes::ZERO },
        };
        (forward, backward)
    }

    /// Registers the weights of a node.
    fn weights(&mut self, node: &Node) -> Vec<WeightId> {
        let uses = match (&node.operator, self.output_is_tied()) {
            (Operator::Embedding { .. }, true) => 2,
            _ => 1,
        };
        let quantized = match &node.operator {
            Operator::Linear(linear) => !matches!(
                linear.role,
                Projection::Output | Projection::TiedOutput | Projection::Router
            ),
            Operator::ExpertLinear { .. } => true,
            // A quantized file stores its table quantized as well.
            Operator::Embedding { .. } => self.trained == Trained::Nothing,
            _ => false,
        };
        let matrix_type = match &node.operator {
            Operator::Linear(_) if self.trained == Trained::Nothing => self.recipe.weights,
            _ if quantized => self.recipe.weights,
            _ => self.compute(),
        };
        let parameters = node.parameters();
        let weight = |parameter: nearside_architecture::Parameter| {
            let dtype = if parameter.matrix { matrix_type } else { self.compute() };
            let bytes = dtype.bytes(parameter.elements);
            let gradient = (self.trained == Trained::Everything).then_some(bytes);
            Weight { bytes, elements: parameter.elements, gradient, uses }
        };
        let weights: Vec<_> = parameters.into_iter().map(weight).collect();
        weights.into_iter().map(|weight| self.tape.weight(weight)).collect()
    }

    fn output_is_tied(&self) -> bool {
        self.graph.nodes.iter().any(|node| match &node.operator {
            Operator::Linear(linear) => linear.role == Projection::TiedOutput,
            _ => false,
        })
    }

    fn embedding(&mut self, node: &Node, value: Value) -> TensorId {
        let weights = self.weights(node);
        self.table = weights.first().copied();
        let dtype = self.compute();
        let elements = value.rows * value.width;
        let emit = Emit::pointwise("embedding", &[], elements, dtype);
        let stored: u64 = node.parameters().iter().map(|parameter| parameter.elements).sum();
        let weights_read = (elements as f64 / stored.max(1) as f64).min(1.0);
        let output = self.emit(Emit { weights: &weights, weights_read, ..emit });
        // Checkpointed adapters need a gradient at the input of the first block, which peft forces.
        let forced = matches!(self.trained, Trained::Adapters(_))
            && self.recipe.checkpointing == Checkpointing::Full;
        self.tape.tensors[output.index()].differentiable |= forced;
        output
    }

    fn cast(&mut self, input: TensorId, elements: u64, dtype: Dtype) -> TensorId {
        self.emit(Emit {
            category: self.tape.of(input).category,
            ..Emit::pointwise("cast", &[input], elements, dtype)
        })
    }

    /// Widens to 32 bits, unless it is that wide already.
    fn widened(&mut self, input: TensorId, elements: u64) -> TensorId {
        match self.compute() {
            Dtype::F32 => input,
            _ => self.cast(input, elements, Dtype::F32),
        }
    }

    fn narrowed(&mut self, input: TensorId, elements: u64) -> TensorId {
        match self.compute() {
            Dtype::F32 => input,
            dtype => self.cast(input, elements, dtype),
        }
    }

    fn norm(
        &mut self,
        node: &Node,
        kind: Norm,
        width: u64,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let weights = self.weights(node);
        let elements = value.rows * value.width;
        let groups = elements / width.max(1);
        if kind == Norm::Layer {
            let statistics =
                self.emit(Emit::pointwise("layer norm", &[input], 2 * groups, Dtype::F32));
            let inputs = [input, statistics];
            let emit = Emit::pointwise("layer norm", &inputs, elements, self.compute());
            return self.emit(Emit { saved: &inputs, weights: &weights, ..emit });
        }
        let wide = self.widened(input, elements);
        let root = self.emit(Emit {
            saved: &[wide],
            forward_temporary: Dtype::F32.bytes(elements),
            backward_temporary: Dtype::F32.bytes(elements),
            ..Emit::pointwise("norm root", &[wide], groups, Dtype::F32)
        });
        let inputs = [wide, root];
        let scaled = self.emit(Emit {
            saved: &inputs,
            backward_temporary: Dtype::F32.bytes(elements),
            ..Emit::pointwise("norm", &inputs, elements, Dtype::F32)
        });
        let narrow = self.narrowed(scaled, elements);
        let kept = [narrow];
        let saved = if self.trained == Trained::Everything { &kept[..] } else { &[] };
        let emit = Emit::pointwise("norm scale", &kept, elements, self.compute());
        self.emit(Emit { saved, weights: &weights, ..emit })
    }

    fn linear(&mut self, node: &Node, linear: &Linear, input: TensorId, value: Value) -> TensorId {
        let output = self.projection(node, linear, input, value);
        match self.trained {
            Trained::Adapters(adapter) if adapter::adapts(adapter.targets, linear.role) => {
                self.adapter(adapter, linear, [input, output], value.rows)
            }
            _ => output,
        }
    }

    fn projection(
        &mut self,
        node: &Node,
        linear: &Linear,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let weights = match (linear.role, self.table) {
            (Projection::TiedOutput, Some(table)) => vec![table],
            _ => self.weights(node),
        };
        let kept = [input];
        let saved = if self.trained == Trained::Everything { &kept[..] } else { &[] };
        let vocabulary = matches!(linear.role, Projection::Output | Projection::TiedOutput);
        let category = if vocabulary { Category::Logits } else { Category::Activations };
        let unpacked = self.unpacked(linear);
        self.emit(Emit {
            kernel: Kernel::Matrix,
            saved,
            weights: &weights,
            weights_read: experts_read(node, value.rows),
            category,
            flops: self.graph.flops(node),
            forward_temporary: unpacked,
            backward_temporary: unpacked,
            ..Emit::pointwise("linear", &kept, value.rows * value.width, self.compute())
        })
    }

    /// A weight stored in 4 bits for training is unpacked for every product.
    fn unpacked(&self, linear: &Linear) -> Bytes {
        match (self.trained, self.recipe.weights) {
            (Trained::Adapters(_), Dtype::Nf4) => {
                self.compute().bytes(linear.input * linear.output)
            }
            _ => Bytes::ZERO,
        }
    }

    fn rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let elements = value.rows * value.width;
        let dtype = self.compute();
        let inputs: Vec<_> = inputs.iter().copied().chain(self.positions).collect();
        self.emit(Emit {
            saved: &inputs[1..],
            forward_temporary: dtype.bytes(elements) * 2,
            backward_temporary: dtype.bytes(elements) * 2,
            ..Emit::pointwise("rotary", &inputs, elements, dtype)
        })
    }

    fn plain(
        &mut self,
        name: &'static str,
        node: &Node,
        inputs: &[TensorId],
        value: Value,
        saved: &[TensorId],
    ) -> TensorId {
        let weights = self.weights(node);
        let elements = value.rows * value.width;
        let emit = Emit::pointwise(name, inputs, elements, self.compute());
        self.emit(Emit { saved, weights: &weights, flops: self.graph.flops(node), ..emit })
    }

    fn soft_cap(&mut self, node: &Node, inputs: &[TensorId], value: Value) -> TensorId {
        let kept = [self.tape.next_tensor()];
        let emit = Emit::pointwise("soft cap", inputs, value.rows * value.width, self.compute());
        let flops = self.graph.flops(node);
        self.emit(Emit { saved: &kept, category: Category::Logits, flops, ..emit })
    }

    /// Cross entropy over every token: logits in 32 bits, their log-softmax, the mean.
    fn loss(&mut self) {
        let Some(logits) = self.last_tensor() else { return };
        let last = self.graph.values.last().copied().unwrap_or(Value { rows: 0, width: 0 });
        let elements = last.rows * last.width;
        let labels = self.constant("labels", last.rows, Dtype::I64);
        let wide = self.widened(logits, elements);
        let kept = [self.tape.next_tensor()];
        let scores = self.emit(Emit {
            saved: &kept,
            category: Category::Logits,
            ..Emit::pointwise("log softmax", &[wide], elements, Dtype::F32)
        });
        let inputs = [scores, labels];
        self.emit(Emit { saved: &inputs, ..Emit::pointwise("loss", &inputs, 1, Dtype::F32) });
    }

    fn last_tensor(&self) -> Option<TensorId> {
        let last = ValueId(self.graph.values.len().checked_sub(1)?);
        self.tensors[last.0]
    }
}

/// Share of a node's weights that `rows` rows read: no more experts than there are choices.
fn experts_read(node: &Node, rows: u64) -> f64 {
    match &node.operator {
        Operator::ExpertLinear { count, .. } => (rows as f64 / *count as f64).min(1.0),
        _ => 1.0,
    }
}
