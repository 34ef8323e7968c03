//! From a model's operator graph to the steps of a framework: what eager PyTorch does for each
//! operator of Hugging Face, torchvision and diffusers modules, and what its autograd keeps.
//!
//! The rules were read from the frameworks and are held to traces of real programs, event by event
//! (`tests/events.rs`) and peak by peak (`tests/trace.rs`; torch 2.9.1, transformers 5.23,
//! peft 0.21.2). Those that surprise:
//!
//! - RMS norm works in 32 bits, step by step: the widened input, the inverse root and the
//!   normalised value are kept, the latter only when the scale is trained.
//! - Gradients are made in the alphabetical order of a function's argument names: that of a weight
//!   comes before that of its input.
//! - Masked and eager attention repeat key-value heads; eager attention keeps the scores twice.
//! - The loss keeps 32-bit log-probabilities of every token over the whole vocabulary.

mod adapter;
mod attention;
mod classic_attention;
mod collective;
mod convolution;
mod delta_rule;
mod diffusion;
mod distance;
mod experts;
mod image;
mod latent;
mod linear;
mod lookup;
mod loss;
mod multihead;
mod narrow_norm;
mod norm;
mod op;
mod pointwise;
mod position;
mod rearrange;
mod recurrent;
mod state_space;
mod window;

use std::collections::VecDeque;

use nearside_architecture::{Dtype, Graph, Loss, Node, Operator, Value, ValueId};
use nearside_units::Bytes;
use nearside_workload::{Adapter, Checkpointing, Recipe, VocabularyLoss};

use crate::tape::{Category, Flow, Origin, Tape, Tensor, TensorId};
use op::Op;

/// Elements that share a scale in a 4-bit normal float.
const NORMAL_FLOAT_BLOCK: u64 = 64;
/// Scales that share a scale of their own with double quantization.
const NORMAL_FLOAT_BLOCKS: u64 = 256;

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
        numbers: Numbers::of(recipe),
        tape: Tape::default(),
        tensors: vec![None; graph.values.len()],
        masks: Vec::new(),
        positions: None,
        model_variables: Vec::new(),
        heads_first: Vec::new(),
        routing: None,
        table: None,
        leaf_of_adapters: None,
        owned: Vec::with_capacity(graph.nodes.len()),
        repeated: VecDeque::new(),
        casts: Vec::new(),
        returned_late: Vec::new(),
        function_variables: Vec::new(),
    };
    lowering.run();
    lowering.tape
}

/// The number types of a recipe.
#[derive(Clone, Copy)]
struct Numbers {
    /// Of weights that are not quantized.
    parameters: Dtype,
    /// Of matrix products.
    products: Dtype,
    /// Of what flows between modules.
    stream: Dtype,
    /// Whether the framework casts as it goes (`torch.autocast`).
    autocast: bool,
}

impl Numbers {
    /// 4-bit weights leave everything else in 32 bits (`prepare_model_for_kbit_training`); 32-bit
    /// weights with narrower products are autocast.
    fn of(recipe: &Recipe) -> Self {
        let Recipe { weights, compute, .. } = *recipe;
        match weights {
            packed if packed.is_normal_float() => Self {
                parameters: Dtype::F32,
                products: compute,
                stream: Dtype::F32,
                autocast: false,
            },
            Dtype::F32 if compute != Dtype::F32 => Self {
                parameters: Dtype::F32,
                products: compute,
                stream: Dtype::F32,
                autocast: true,
            },
            _ => Self { parameters: compute, products: compute, stream: compute, autocast: false },
        }
    }
}

struct Lowering<'graph> {
    graph: &'graph Graph,
    recipe: &'graph Recipe,
    trained: Trained,
    numbers: Numbers,
    tape: Tape,
    tensors: Vec<Option<TensorId>>,
    /// Masks, made before the first block.
    masks: Vec<(attention::MaskKey, TensorId)>,
    /// Numbers of positions, held while the model runs.
    positions: Option<TensorId>,
    /// What the inner model holds besides until it returns.
    model_variables: Vec<TensorId>,
    /// Queries that lie in memory with heads before tokens.
    heads_first: Vec<TensorId>,
    /// What the function that runs the experts holds while it runs.
    routing: Option<experts::Routing>,
    /// The embedding table, which a tied output layer uses again.
    table: Option<TensorId>,
    /// Embeddings that were made a leaf of the graph of gradients, which keeps leaves.
    leaf_of_adapters: Option<TensorId>,
    /// The weights of every node so far.
    owned: Vec<Vec<TensorId>>,
    /// Weights that the current node uses once more, in order.
    repeated: VecDeque<TensorId>,
    /// Narrow copies of weights that autocast keeps for the pass.
    casts: Vec<(TensorId, TensorId)>,
    /// What an attention returned besides its output: the caller holds it until the block ends.
    returned_late: Vec<TensorId>,
    /// Variables of a function that its graph writes in several operators, until it returns.
    function_variables: Vec<TensorId>,
}

impl Lowering<'_> {
    fn training(&self) -> bool {
        self.trained != Trained::Nothing
    }

    fn run(&mut self) {
        let mut held = self.graph.held.iter().peekable();
        let mut layer = None;
        let mut chunked = false;
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if node.layer != layer {
                let late = std::mem::take(&mut self.returned_late);
                self.tape.hold(&late);
            }
            while let Some(next) = held.next_if(|held| held.until <= index) {
                self.enter_layer(&mut layer, next.layer);
                self.hold_value(next.value);
            }
            self.enter_layer(&mut layer, node.layer);
            let vocabulary =
                matches!(&node.operator, Operator::Linear(linear) if linear.role.is_vocabulary());
            if vocabulary {
                self.leave_model();
            }
            let scored = vocabulary && self.graph.loss == Loss::NextToken;
            match (scored, self.recipe.loss, self.training()) {
                (true, VocabularyLoss::Chunked { tokens }, true) => {
                    self.chunked_loss(node, index, tokens);
                    chunked = true;
                    break;
                }
                _ => self.recomputed_alone(index, node),
            }
        }
        if !chunked {
            self.tape.returned = self.last_tensor();
        }
        let late: Vec<_> = held.map(|held| held.value).collect();
        // A model that knows its loss computes it before it lets its variables go.
        if self.graph.loss == Loss::MeanSquare {
            late.iter().for_each(|value| self.hold_value(*value));
        }
        if self.training() && !chunked {
            self.loss();
        }
        if self.graph.loss != Loss::MeanSquare {
            late.iter().for_each(|value| self.hold_value(*value));
        }
        let returned: Vec<_> = self.tape.returned.into_iter().collect();
        self.tape.hold(&returned);
        let casts: Vec<_> =
            std::mem::take(&mut self.casts).into_iter().map(|(_, cast)| cast).collect();
        self.tape.hold(&casts);
        self.end_layer(false);
    }

    /// A node, recomputed by itself where it is the attention that is to be recomputed.
    fn recomputed_alone(&mut self, index: usize, node: &Node) {
        let alone = self.training()
            && self.recipe.checkpointing == Checkpointing::Attention
            && matches!(node.operator, Operator::Attention(_));
        if alone {
            self.tape.end_segment(false);
        }
        self.node(index, node);
        if alone {
            self.tape.end_segment(true);
        }
    }

    /// The inner model returns: its masks and positions are let go.
    fn leave_model(&mut self) {
        let masks = self.masks.iter().map(|(_, mask)| *mask);
        let held: Vec<_> = masks.chain(self.positions.take()).collect();
        self.tape.hold(&held);
        let held = std::mem::take(&mut self.model_variables);
        self.tape.hold(&held);
    }

    fn hold_value(&mut self, value: ValueId) {
        let tensors: Vec<_> = self.tensors[value.0].into_iter().collect();
        self.tape.hold(&tensors);
    }

    /// Ends the current block where another one begins.
    fn enter_layer(&mut self, current: &mut Option<usize>, next: Option<usize>) {
        if next != *current {
            self.end_layer(current.is_some());
            *current = next;
        }
    }

    /// Ends a block, which may be recomputed as a whole.
    fn end_layer(&mut self, in_layer: bool) {
        let recomputed =
            in_layer && self.training() && self.recipe.checkpointing == Checkpointing::Full;
        self.tape.end_segment(recomputed);
    }

    fn last_tensor(&self) -> Option<TensorId> {
        let last = self.graph.values.len().checked_sub(1)?;
        self.tensors[last]
    }

    /// The tensor of a value; inputs come to be when they are first asked for.
    fn value(&mut self, id: ValueId) -> TensorId {
        if let Some(tensor) = self.tensors[id.0] {
            return tensor;
        }
        let tensor = self.input(self.graph.values[id.0].elements(), self.numbers.stream);
        self.tensors[id.0] = Some(tensor);
        tensor
    }

    /// Something that the caller brings and holds.
    fn input(&mut self, elements: u64, dtype: Dtype) -> TensorId {
        let storage = self.tape.storage(dtype.bytes(elements), Category::Activations);
        let origin = Origin::Input;
        self.tape.tensor(Tensor { storage, elements, dtype, differentiable: false, origin })
    }

    /// Whole numbers that the caller brings: words, steps, classes.
    fn whole_numbers(&mut self, id: ValueId) -> TensorId {
        let numbers = match self.tensors[id.0] {
            Some(numbers) => numbers,
            None => self.input(self.graph.values[id.0].rows, Dtype::I64),
        };
        self.tensors[id.0] = Some(numbers);
        numbers
    }

    fn node(&mut self, index: usize, node: &Node) {
        self.repeated = node.shared.map_or_else(VecDeque::new, |of| self.owned[of].clone().into());
        self.owned.push(Vec::new());
        let value = self.graph.output(node);
        let output = match &node.operator {
            Operator::Embedding { .. } => self.embedding(node, value),
            Operator::PositionTable { .. } => self.position_table(node, value),
            Operator::RotaryTable => return self.rotary_table(node, self.numbers.stream),
            Operator::WideRotaryTable => return self.rotary_table(node, Dtype::F32),
            Operator::HalfRotaryTable => return self.rotary_table(node, self.numbers.stream),
            Operator::Sinks { heads } => self.weight(*heads, self.numbers.parameters),
            Operator::Split => return self.split(node),
            Operator::Mask => return self.make_masks(),
            Operator::Slices => return self.slices(node),
            Operator::Route { scoring, .. } => {
                let scores = self.value(node.inputs[0]);
                return self.route(node, *scoring, scores);
            }
            Operator::Dispatch => {
                let inputs: Vec<_> = node.inputs.iter().map(|id| self.value(*id)).collect();
                return self.dispatch(node, &inputs);
            }
            Operator::NearMask => self.near_mask(value),
            Operator::PaddingMask => return self.padding_mask(node, value),
            Operator::ClassicAttention(attention) => self.classic_attention(node, attention, value),
            Operator::Counting { rows } => self.counting(*rows, value),
            Operator::Indices => self.indices(node, value),
            Operator::FixedTable { .. } => self.fixed_table(node, value),
            Operator::DistanceBias(bias) => self.distance_bias(*bias, value),
            Operator::NoBias => self.no_bias(value),
            Operator::WindowBias(bias) => self.window_bias(*bias),
            Operator::Return => {
                let variables = std::mem::take(&mut self.function_variables);
                return self.tape.hold(&variables);
            }
            Operator::Recall => self.recalled(value),
            Operator::Waves => self.waves(node, value),
            Operator::AxisTable => return self.axis_table(node),
            Operator::Idle(parameters) => return self.idle(parameters),
            Operator::Heads => self.heads(index, node),
            _ => {
                let inputs: Vec<_> = node.inputs.iter().map(|id| self.value(*id)).collect();
                let steps = self.tape.steps.len();
                let output = self.computed(node, &inputs, value);
                // A module's arguments live until it returns.
                if node.operator.is_module() && self.tape.steps.len() > steps + 1 {
                    self.tape.hold(&inputs);
                }
                output
            }
        };
        if let Some(id) = node.outputs.first() {
            self.tensors[id.0] = Some(output);
        }
    }

    fn computed(&mut self, node: &Node, inputs: &[TensorId], value: Value) -> TensorId {
        match &node.operator {
            Operator::Norm { kind, .. } => self.norm(node, *kind, inputs[0], value),
            Operator::Linear(linear) => self.linear(node, linear, inputs[0], value),
            Operator::ExpertLinear { linear, .. } => {
                self.expert_linear(node, linear, inputs[0], value)
            }
            Operator::Attention(attention) => self.attention(node, attention, inputs, value),
            #[rustfmt::skip]
            Operator::Rotary | Operator::ComplexRotary | Operator::InterleavedRotary |
            Operator::WideningRotary | Operator::HalvesRotary | Operator::PairRotary |
            Operator::PartialRotary { .. } => self.rotated(&node.operator, inputs, value),
            Operator::Gate => self.logistic(inputs[0], value),
            Operator::Cached if self.training() => inputs[0],
            Operator::Cached => self.cached(value.elements(), inputs[0]),
            Operator::JoinHeads => self.joined_heads(inputs, value),
            Operator::FillHeads => self.filled_heads(inputs, value),
            Operator::Widen => self.cast(inputs[0], Dtype::F32),
            Operator::Alike => self.cast(inputs[0], self.tape.of(inputs[1]).dtype),
            Operator::TokenMean => self.token_mean(inputs[0], value),
            Operator::ClampedGate => self.clamped_gate(inputs[0], value),
            Operator::Activation(kind) => self.activation(*kind, inputs[0], value),
            Operator::Multiply => self.product(inputs, value),
            Operator::Add => self.sum(inputs, value),
            Operator::Scale => self.scaled(inputs[0], value),
            Operator::Last | Operator::Slice => self.last_rows(inputs[0], value),
            Operator::SoftCap => self.soft_cap(inputs[0], value),
            Operator::Combine => self.combine(inputs, value),
            Operator::Convolution(convolution) => {
                self.convolution(node, convolution, inputs[0], value)
            }
            Operator::LearnedScale { width } => self.learned_scale(*width, inputs[0], value),
            Operator::Dropout => self.dropout(inputs[0]),
            Operator::Concatenate => self.concatenated(inputs, value),
            Operator::Copy => self.copy(inputs[0]),
            Operator::MaxPool => self.largest(inputs[0], value),
            Operator::Mean => self.mean(inputs[0], value),
            Operator::Resample | Operator::Pad => self.resampled(inputs[0], value),
            Operator::Lookup { .. } => {
                let table = self.table_weight(node);
                self.lookup(table, inputs[0], value)
            }
            Operator::SharedEmbedding => match self.table {
                Some(table) => self.lookup(table, inputs[0], value),
                None => inputs[0],
            },
            Operator::AsWeights => self.cast(inputs[0], self.numbers.parameters),
            Operator::AddInPlace => self.sum_in_place(inputs),
            Operator::Transpose => self.transposed(inputs[0]),
            Operator::MultiheadAttention(attention) => self.multihead(attention, inputs[0]),
            #[rustfmt::skip]
            Operator::WindowAttention(_) | Operator::Windows | Operator::Roll |
            Operator::Shuffle | Operator::Response { .. } | Operator::MergePlaces |
            Operator::StochasticDepth(_) | Operator::AveragePool | Operator::LearnedTokens { .. }
            | Operator::LearnedPositions { .. } => self.of_images(&node.operator, inputs, value),
            #[rustfmt::skip]
            Operator::CausalConvolution(_) | Operator::StateScan(_) | Operator::DeltaScan(_) |
            Operator::GatedNorm(_) => self.of_states(node, inputs, value),
            Operator::Shift => self.shifted(inputs[0], value),
            Operator::FixedPositions { rows } => self.fixed_positions(*rows, inputs[0], value),
            // What `node` lowers before its inputs are looked up.
            #[rustfmt::skip]
            Operator::Embedding { .. } | Operator::PositionTable { .. } | Operator::RotaryTable
            | Operator::WideRotaryTable | Operator::Heads | Operator::Split | Operator::Slices |
            Operator::Route { .. } | Operator::Dispatch | Operator::ClassicAttention(_) |
            Operator::Counting { .. } | Operator::Indices | Operator::FixedTable { .. } |
            Operator::DistanceBias(_) | Operator::NoBias | Operator::Recall |
            Operator::Sinks { .. } | Operator::HalfRotaryTable | Operator::NearMask |
            Operator::WindowBias(_) | Operator::Return |
            Operator::PaddingMask | Operator::Waves | Operator::AxisTable | Operator::Idle(_) |
            Operator::Mask => inputs[0],
        }
    }

    /// Registers a weight as the framework stores it.
    fn weight(&mut self, elements: u64, dtype: Dtype) -> TensorId {
        let differentiable = self.trained == Trained::Everything;
        self.leaf(elements, dtype, differentiable)
    }

    /// A weight in memory. Scales of a 4-bit one stand beside it (bitsandbytes `QuantState`).
    fn leaf(&mut self, elements: u64, dtype: Dtype, differentiable: bool) -> TensorId {
        if let Some(weight) = self.repeated.pop_front() {
            return weight;
        }
        let leaf = self.new_leaf(elements, dtype, differentiable);
        if let Some(owned) = self.owned.last_mut() {
            owned.push(leaf);
        }
        leaf
    }

    fn new_leaf(&mut self, elements: u64, dtype: Dtype, differentiable: bool) -> TensorId {
        let packed = dtype.is_normal_float();
        let bytes = if packed { Bytes::new(elements.div_ceil(2)) } else { dtype.bytes(elements) };
        let storage = self.tape.storage(bytes, Category::Weights);
        let origin = Origin::Weight;
        let weight = self.tape.tensor(Tensor { storage, elements, dtype, differentiable, origin });
        let blocks = elements.div_ceil(NORMAL_FLOAT_BLOCK);
        match dtype {
            Dtype::Nf4 => {
                self.buffer(blocks, Dtype::F32);
            }
            Dtype::Nf4Double => {
                self.buffer(blocks, Dtype::U8);
                self.buffer(blocks.div_ceil(NORMAL_FLOAT_BLOCKS), Dtype::F32);
            }
            _ => {}
        }
        weight
    }

    /// Weights that this pass does not use; no gradient reaches them.
    fn idle(&mut self, parameters: &[u64]) {
        let dtype = match self.training() {
            true if !self.numbers.autocast => self.numbers.products,
            _ => self.numbers.parameters,
        };
        for elements in parameters {
            self.leaf(*elements, dtype, false);
        }
    }

    /// The same numbers in another type: nothing happens where they have it already.
    fn cast(&mut self, input: TensorId, dtype: Dtype) -> TensorId {
        let tensor = self.tape.of(input);
        if tensor.dtype == dtype {
            return input;
        }
        let category = self.tape.storage_of(input).category;
        let category = if category == Category::Logits { category } else { Category::Activations };
        let op = Op::new("cast").read(input, Flow::Fresh).category(category);
        self.run_op(op.make(tensor.elements, dtype))
    }

    fn embedding(&mut self, node: &Node, value: Value) -> TensorId {
        let ids = self.whole_numbers(node.inputs[0]);
        let table = self.table_weight(node);
        self.table = Some(table);
        let dtype = self.numbers.stream;
        let op = Op::new("embedding").read(table, Flow::Fresh).read(ids, Flow::Stop);
        let output = self.run_op(op.save(ids).reads_part().make(value.elements(), dtype));
        // Checkpointed adapters need a gradient at the input of the first block, which peft forces.
        let forced = matches!(self.trained, Trained::Adapters(_))
            && self.recipe.checkpointing == Checkpointing::Full;
        self.tape.tensors[output.index()].differentiable |= forced;
        self.leaf_of_adapters = forced.then_some(output);
        output
    }

    /// A table of rows: a quantized file stores it quantized as well.
    fn table_weight(&mut self, node: &Node) -> TensorId {
        let elements = node.operator.parameters().iter().map(|parameter| parameter.elements).sum();
        let dtype = match self.trained {
            Trained::Nothing if !self.recipe.weights.is_normal_float() => self.recipe.weights,
            _ => self.numbers.parameters,
        };
        self.weight(elements, dtype)
    }
}
