//! Pointwise work: sums, products, nonlinearities.

use nearside_architecture::{Activation, Dtype, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    /// The type of a pointwise result of two tensors.
    pub(super) fn wider(&self, one: TensorId, other: TensorId) -> Dtype {
        let [one, other] = [one, other].map(|id| self.tape.of(id).dtype);
        if one == Dtype::F32 { one } else { other }
    }

    /// Keeps `kept` where `other` gets a gradient that needs it.
    pub(super) fn saved_for(&self, op: Op, kept: TensorId, other: TensorId) -> Op {
        if self.tape.of(other).differentiable { op.save(kept) } else { op }
    }

    /// How a gradient reaches an operand: one with fewer elements was repeated.
    fn flow(&self, operand: TensorId, value: Value, whole: Flow, repeated: Flow) -> Flow {
        if self.tape.of(operand).elements == value.elements() { whole } else { repeated }
    }

    pub(super) fn sum(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let [one, other] = [inputs[0], inputs[1]];
        let dtype = self.wider(one, other);
        let op = Op::new("add")
            .read(other, self.flow(other, value, Flow::Pass, Flow::Sum))
            .read(one, self.flow(one, value, Flow::Pass, Flow::Sum));
        self.run_op(op.make(value.elements(), dtype))
    }

    pub(super) fn product(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let [one, other] = [inputs[0], inputs[1]];
        let dtype = self.wider(one, other);
        let op = Op::new("multiply")
            .read(other, self.flow(other, value, Flow::Fresh, Flow::SumOfProduct))
            .read(one, self.flow(one, value, Flow::Fresh, Flow::SumOfProduct));
        let op = self.saved_for(op, other, one);
        let op = self.saved_for(op, one, other);
        self.run_op(op.make(value.elements(), dtype))
    }

    /// A product with a number.
    pub(super) fn scaled(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("scale").read(input, Flow::Fresh);
        let op = if self.leaf_of_adapters == Some(input) { op.save(input) } else { op };
        self.run_op(op.make(value.elements(), dtype))
    }

    pub(super) fn activation(
        &mut self,
        kind: Activation,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let (elements, dtype) = (value.elements(), self.tape.of(input).dtype);
        match kind {
            Activation::Relu | Activation::Sigmoid => {
                let op = Op::new("relu").read(input, Flow::Fresh).save_output(0);
                self.run_op(op.make(elements, dtype))
            }
            Activation::ReluInPlace => {
                let storage = self.tape.of(input).storage;
                let op = Op::new("relu").read(input, Flow::Fresh).save_output(0);
                self.run_op(op.make_in(storage, elements, dtype))
            }
            Activation::SiluInPlace | Activation::HardswishInPlace | Activation::Relu6InPlace => {
                self.in_place(input, value)
            }
            Activation::Silu
            | Activation::Gelu
            | Activation::GeluTanh
            | Activation::Relu6
            | Activation::Hardsigmoid => {
                let op = Op::new("activation").read(input, Flow::Fresh).save(input);
                self.run_op(op.make(elements, dtype))
            }
            Activation::ReluSquared => {
                let op = Op::new("relu").read(input, Flow::Fresh).save_output(0);
                let relu = self.run_op(op.make(elements, dtype));
                let square = Op::new("square").read(relu, Flow::Fresh).save(relu);
                let bytes = dtype.bytes(elements);
                let square = square.backward_temporary(bytes).backward_temporary(bytes);
                let square = self.run_op(square.make(elements, dtype));
                self.tape.hold(&[relu]);
                square
            }
            Activation::GeluWritten => self.written_gelu(input, value),
            Activation::Tanh => {
                let op = Op::new("tanh").read(input, Flow::Fresh).save_output(0);
                self.run_op(op.make(elements, dtype))
            }
            Activation::QuickGelu => self.quick_gelu(input, value),
        }
    }

    /// `1 / (1 + exp(-x))`.
    pub(super) fn logistic(&mut self, input: TensorId, value: Value) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("sigmoid").read(input, Flow::Fresh).save_output(0);
        self.run_op(op.make(value.elements(), dtype))
    }

    /// `0.5 x (1 + tanh(c (x + 0.044715 x^3)))` step by step (`NewGELUActivation` in transformers).
    fn written_gelu(&mut self, input: TensorId, value: Value) -> TensorId {
        let (elements, dtype) = (value.elements(), self.tape.of(input).dtype);
        let half = self.scaled(input, value);
        // Autocast takes powers in 32 bits, and with them what follows.
        let (base, dtype) = match self.numbers.autocast {
            true => (self.cast(input, Dtype::F32), Dtype::F32),
            false => (input, dtype),
        };
        let cube = Op::new("cube").read(base, Flow::Fresh).save(base);
        let bytes = dtype.bytes(elements);
        let cube = cube.backward_temporary(bytes).backward_temporary(bytes);
        let cube = self.run_op(cube.make(elements, dtype));
        let small = self.scaled(cube, value);
        let inner = self.sum(&[input, small], value);
        let inner = self.scaled(inner, value);
        let tanh = Op::new("tanh").read(inner, Flow::Fresh).save_output(0);
        let tanh = self.run_op(tanh.make(elements, dtype));
        let one_more = Op::new("add").read(tanh, Flow::Pass).make(elements, dtype);
        let one_more = self.run_op(one_more);
        self.product(&[half, one_more], value)
    }

    /// `x sigmoid(1.702 x)` step by step (`QuickGELUActivation` in transformers).
    fn quick_gelu(&mut self, input: TensorId, value: Value) -> TensorId {
        let scaled = self.scaled(input, value);
        let dtype = self.tape.of(input).dtype;
        let sigmoid = Op::new("sigmoid").read(scaled, Flow::Fresh).save_output(0);
        let sigmoid = self.run_op(sigmoid.make(value.elements(), dtype));
        self.product(&[input, sigmoid], value)
    }

    /// `cap * tanh(x / cap)`.
    pub(super) fn soft_cap(&mut self, input: TensorId, value: Value) -> TensorId {
        let category = self.tape.storage_of(input).category;
        let (elements, dtype) = (value.elements(), self.tape.of(input).dtype);
        let op = |name, input| {
            Op::new(name).read(input, Flow::Fresh).category(category).make(elements, dtype)
        };
        let small = self.run_op(op("soft cap", input));
        let tanh = self.run_op(op("soft cap", small).save_output(0));
        self.run_op(op("soft cap", tanh))
    }
}
