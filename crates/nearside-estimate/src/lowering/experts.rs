//! Mixtures of experts: a router, copies of tokens in the order of their experts, one grouped
//! product for each projection of all experts (`grouped_mm_experts_forward` in transformers). How
//! many tokens an expert gets changes no size.

use nearside_architecture::{Dtype, Linear, Node, Operator, Scoring, Value};
use nearside_units::Bytes;

use super::{Lowering, Op, Trained};
use crate::tape::{Flow, Kernel, TensorId};

/// What the function that runs the experts keeps in its variables until it returns.
pub(super) struct Routing {
    /// Expert numbers in order, and where each came from.
    sorted: [TensorId; 2],
    /// Tokens copied to their experts.
    copies: TensorId,
    /// Weights in the same order.
    weights: TensorId,
    /// How many tokens each expert gets, and the numbers that were counted.
    counted: [TensorId; 2],
    /// Where each expert's tokens end.
    offsets: TensorId,
    /// The biases of a projection, once for every copy.
    biases: Option<TensorId>,
}

impl Lowering<'_> {
    /// Scores become weights and numbers of the chosen experts.
    pub(super) fn route(&mut self, node: &Node, scoring: Scoring, scores: TensorId) {
        if let Operator::Route { count, bias: true, .. } = &node.operator {
            self.buffer(*count, Dtype::F32);
        }
        let choice = self.graph.output(node).elements();
        let narrow = self.tape.of(scores).dtype;
        let [weights, chosen] = match scoring {
            Scoring::Best => self.best_of(scores, choice),
            Scoring::WideBest => {
                let wide = self.cast(scores, Dtype::F32);
                self.best_of(wide, choice)
            }
            Scoring::WideSigmoid => self.best_by_sigmoid(scores, choice),
            _ => {
                let probabilities = self.probabilities(scores);
                self.best(probabilities, choice)
            }
        };
        let weights = match scoring {
            Scoring::Renormalised => self.renormalised(weights),
            Scoring::NarrowRenormalised => {
                let weights = self.renormalised(weights);
                self.cast(weights, narrow)
            }
            Scoring::Narrow | Scoring::WideBest => self.cast(weights, narrow),
            Scoring::WideSoftmax => self.scaled_weights(weights),
            Scoring::WideSigmoid => {
                let weights = self.renormalised(weights);
                self.scaled_weights(weights)
            }
            Scoring::Best => weights,
        };
        for (output, tensor) in node.outputs.iter().zip([weights, chosen]) {
            self.tensors[output.0] = Some(tensor);
        }
    }

    fn probabilities(&mut self, scores: TensorId) -> TensorId {
        let elements = self.tape.of(scores).elements;
        let wide = self.cast(scores, Dtype::F32);
        let softmax = Op::new("route").read(wide, Flow::Fresh).save_output(0);
        let softmax = softmax.backward_temporary(Dtype::F32.bytes(elements));
        self.run_op(softmax.make(elements, Dtype::F32))
    }

    /// The largest scores and whose they are.
    fn best(&mut self, scores: TensorId, choice: u64) -> [TensorId; 2] {
        let tensor = self.tape.of(scores);
        let op = Op::new("route").read(scores, Flow::Fresh).save_output(1);
        let op = op.backward_temporary(tensor.dtype.bytes(tensor.elements));
        let made = self.run_all(op.make(choice, tensor.dtype).make(choice, Dtype::I64));
        [made[0], made[1]]
    }

    /// Softmax over the largest scores alone (`GptOssTopKRouter`).
    fn best_of(&mut self, scores: TensorId, choice: u64) -> [TensorId; 2] {
        let dtype = self.tape.of(scores).dtype;
        let [best, chosen] = self.best(scores, choice);
        let softmax = Op::new("route").read(best, Flow::Fresh).save_output(0);
        let softmax = softmax.backward_spike(dtype.bytes(choice));
        [self.run_op(softmax.make(choice, dtype)), chosen]
    }

    /// Sigmoid of every score; the best are chosen by it and a learned offset, of the best groups
    /// only (`DeepseekV3TopkRouter`).
    fn best_by_sigmoid(&mut self, scores: TensorId, choice: u64) -> [TensorId; 2] {
        let elements = self.tape.of(scores).elements;
        let sigmoid = Op::new("route").read(scores, Flow::Fresh).save_output(0);
        let sigmoid = self.run_op(sigmoid.make(elements, Dtype::F32));
        let stop = |input: TensorId| Op::new("route").read(input, Flow::Stop);
        let shifted = self.run_op(stop(sigmoid).make(elements, Dtype::F32));
        let groups = self.run_op(stop(shifted).make(elements, Dtype::Bool));
        let masked = stop(shifted).read(groups, Flow::Stop).make(elements, Dtype::F32);
        let masked = self.run_op(masked);
        let [_, chosen] = self.best(masked, choice);
        let op = Op::new("route").read(sigmoid, Flow::Fresh).read(chosen, Flow::Stop);
        let op = op.backward_temporary(Dtype::F32.bytes(elements));
        [self.run_op(op.save(chosen).make(choice, Dtype::F32)), chosen]
    }

    /// Each token's weights divided by their sum, in place; the quotient's backward wants them as
    /// they were.
    fn renormalised(&mut self, weights: TensorId) -> TensorId {
        let tensor = self.tape.of(weights);
        let rows = self.graph.values.first().map_or(0, |input| input.rows);
        let sum = Op::new("route").read(weights, Flow::Fresh).make(rows, tensor.dtype);
        let sum = self.run_op(sum);
        let before = match self.training() {
            true => self.run_op(
                Op::new("route").read(weights, Flow::Stop).make(tensor.elements, tensor.dtype),
            ),
            false => weights,
        };
        let divided = Op::new("route").read(weights, Flow::Fresh).read(sum, Flow::SumOfProduct);
        let divided = divided.read(before, Flow::Stop).save(sum).save(before);
        self.run_op(divided.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    fn scaled_weights(&mut self, weights: TensorId) -> TensorId {
        let tensor = self.tape.of(weights);
        self.run_op(Op::new("route").read(weights, Flow::Fresh).make(tensor.elements, tensor.dtype))
    }

    /// Copies tokens, and their weights, in the order of the experts that they were routed to.
    pub(super) fn dispatch(&mut self, node: &Node, inputs: &[TensorId]) {
        let [input, weights, chosen] = [inputs[0], inputs[1], inputs[2]];
        let value = self.graph.output(node);
        let (rows, dtype) = (value.rows, self.tape.of(input).dtype);
        let stop = |name, input: TensorId| Op::new(name).read(input, Flow::Stop);
        let sort = stop("sort", chosen).make(rows, Dtype::I64).make(rows, Dtype::I64);
        let sorted = self.run_all(sort);
        let [numbers, order] = [sorted[0], sorted[1]];
        let origin = self.run_op(stop("sort", order).make(rows, Dtype::I64));
        let copied = |lowering: &mut Self, from: TensorId, by: TensorId, elements: u64| {
            let tensor = lowering.tape.of(from);
            let op = Op::new("dispatch").read(from, Flow::Fresh).read(by, Flow::Stop).save(by);
            // The gradient is summed up into zeros that are made first.
            let op = op.backward_temporary(tensor.dtype.bytes(tensor.elements)).reads_part();
            lowering.run_op(op.make(elements, tensor.dtype))
        };
        let copies = copied(self, input, origin, value.elements());
        debug_assert_eq!(self.tape.of(copies).dtype, dtype);
        let weights = copied(self, weights, order, rows);
        let experts = self.experts_after(node);
        let floats = self.run_op(stop("count", numbers).make(rows, Dtype::F32));
        let counted = self.run_op(stop("count", floats).make(experts, Dtype::F32));
        let offsets = self.run_op(stop("count", counted).make(experts, Dtype::F32));
        self.routing = Some(Routing {
            sorted: [numbers, order],
            copies,
            weights,
            counted: [floats, counted],
            offsets,
            biases: None,
        });
        for (output, tensor) in node.outputs.iter().zip([copies, weights]) {
            self.tensors[output.0] = Some(tensor);
        }
    }

    /// How many experts there are where these tokens go.
    fn experts_after(&self, node: &Node) -> u64 {
        let Some(copies) = node.outputs.first() else { return 0 };
        let nodes = self.graph.nodes.iter();
        let mut reading = nodes.filter(|later| later.inputs.contains(copies));
        reading.next().map_or(0, Self::experts)
    }

    /// Weighs what the experts returned, puts it back in the order of tokens and sums it up.
    pub(super) fn combine(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let [outputs, weights] = [inputs[0], inputs[1]];
        let tensor = self.tape.of(outputs);
        let dtype = self.wider(outputs, weights);
        let bytes = dtype.bytes(tensor.elements);
        let widened = if dtype == tensor.dtype { Bytes::ZERO } else { bytes };
        let weighed = Op::new("combine").read(weights, Flow::SumOfProduct);
        let weighed = weighed.read(outputs, Flow::Fresh).backward_temporary(widened);
        let weighed = weighed.save(weights).save(outputs).make(tensor.elements, dtype);
        let weighed = self.run_op(weighed);
        let rows = self.tape.of(weights).elements;
        let inverse = self.run_op(Op::new("combine").make(rows, Dtype::I64));
        let count = self.run_op(Op::new("combine").make(rows, Dtype::I64));
        self.tape.hold(&[count]);
        let restored = Op::new("combine").read(weighed, Flow::Fresh).read(inverse, Flow::Stop);
        let restored = restored.backward_temporary(bytes).save(inverse);
        let restored = self.run_op(restored.make(tensor.elements, dtype));
        let sum = Op::new("combine").read(restored, Flow::Fresh).make(value.elements(), dtype);
        let sum = self.run_op(sum);
        let output = self.cast(sum, tensor.dtype);
        if let Some(routing) = self.routing.take() {
            let [numbers, order] = routing.sorted;
            let [floats, counted] = routing.counted;
            let first = [numbers, order, routing.copies, routing.weights];
            let then = [floats, counted, routing.offsets, outputs, restored, inverse];
            self.tape.hold(&first);
            self.tape.hold(&routing.biases.into_iter().collect::<Vec<_>>());
            self.tape.hold(&then);
        }
        self.tape.hold(&[sum]);
        output
    }

    /// A product of each token with the weights of its expert. Autocast knows no such product: it
    /// runs in the type of the weights.
    pub(super) fn expert_linear(
        &mut self,
        node: &Node,
        linear: &Linear,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let stored = match (self.trained, self.recipe.weights) {
            (Trained::Nothing, weights) => weights,
            (Trained::Adapters(_), packed) if packed.is_normal_float() => packed,
            _ => self.numbers.parameters,
        };
        let elements: u64 = node.parameters().iter().map(|parameter| parameter.elements).sum();
        let biases = if linear.bias { elements / (linear.input + 1) } else { 0 };
        let weight = self.weight(elements - biases, stored);
        let input = match self.numbers.autocast {
            true => self.cast(input, self.numbers.parameters),
            false => input,
        };
        let op = Op::new("experts").read(weight, Flow::Fresh).read(input, Flow::Fresh);
        let op = match &self.routing {
            Some(routing) => op.read(routing.offsets, Flow::Stop).save(routing.offsets),
            None => op,
        };
        let op = self.saved_for(self.saved_for(op, input, weight), weight, input);
        let op = op.kernel(Kernel::Matrix, self.graph.flops(node));
        let op = if value.rows < Self::experts(node) { op.reads_part() } else { op };
        let bias = linear.bias.then(|| self.expert_bias(biases, value));
        let dtype = self.tape.of(input).dtype;
        let product = self.run_op(op.make(value.elements(), dtype));
        let Some(bias) = bias else { return product };
        let tensor = self.tape.of(product);
        let sum = Op::new("expert bias").read(bias, Flow::Pass).read(product, Flow::Pass);
        self.run_op(sum.make_in(tensor.storage, tensor.elements, tensor.dtype))
    }

    /// The bias of its expert is copied for every token, to be added in place.
    fn expert_bias(&mut self, biases: u64, value: Value) -> TensorId {
        let weight = self.weight(biases, self.numbers.parameters);
        let dtype = self.tape.of(weight).dtype;
        let op = Op::new("expert bias").read(weight, Flow::Fresh).reads_part();
        let op = match &self.routing {
            Some(routing) => {
                let [numbers, _] = routing.sorted;
                op.read(numbers, Flow::Stop).save(numbers)
            }
            None => op,
        };
        // The gradient is summed up into zeros that are made first.
        let op = op.backward_temporary(dtype.bytes(biases));
        let copied = self.run_op(op.make(value.elements(), dtype));
        let earlier = self.routing.as_mut().and_then(|routing| routing.biases.replace(copied));
        self.tape.hold(&earlier.into_iter().collect::<Vec<_>>());
        copied
    }

    /// `(up + 1) gate sigmoid(1.702 gate)` of every other column, clamped (`GptOssExperts._apply_gate`).
    pub(super) fn clamped_gate(&mut self, both: TensorId, value: Value) -> TensorId {
        let tensor = self.tape.of(both);
        let (elements, dtype) = (value.elements(), tensor.dtype);
        let cut = || Op::new("slice").read(both, Flow::Fresh);
        let [gate, up] =
            [(); 2].map(|()| self.run_op(cut().make_in(tensor.storage, elements, dtype)));
        let flags = Dtype::Bool.bytes(elements);
        let clamp = |part, flags: &[Bytes]| {
            let op = Op::new("clamp").read(part, Flow::Fresh).save(part).make(elements, dtype);
            flags.iter().fold(op, |op, flags| op.backward_temporary(*flags))
        };
        let gate = self.run_op(clamp(gate, &[flags]));
        let up = self.run_op(clamp(up, &[flags, flags]));
        let scaled = self.scaled(gate, value);
        let sigmoid = self.logistic(scaled, value);
        let gated = self.product(&[gate, sigmoid], value);
        let more = Op::new("add").read(up, Flow::Pass).make(elements, dtype);
        let more = self.run_op(more);
        let product = self.product(&[more, gated], value);
        self.tape.hold(&[gate, up, gated, both]);
        product
    }

    fn experts(node: &Node) -> u64 {
        match &node.operator {
            Operator::ExpertLinear { count, .. } => *count,
            _ => 1,
        }
    }
}
