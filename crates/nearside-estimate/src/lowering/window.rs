//! Attention inside windows of an image as torchvision computes it (`shifted_window_attention` in
//! torchvision/models/swin_transformer.py): step by step, with the scores in memory.

use nearside_architecture::{
    AttentionShape, Dtype, Likeness, Neighbours, Value, WindowAttention, WindowBias, WindowBiasForm,
};
use nearside_units::Flops;

use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, TensorId};

impl Lowering<'_> {
    /// A number per head and pair of places, looked up by their distance.
    pub(super) fn window_bias(&mut self, bias: WindowBias) -> TensorId {
        let (distances, pairs) = (bias.distances(), bias.pairs());
        let parameters = self.numbers.parameters;
        let (table, indices) = match bias.form {
            WindowBiasForm::Table => {
                let table = self.weight(distances * bias.heads, parameters);
                (table, self.buffer(pairs, Dtype::I64))
            }
            WindowBiasForm::Network(inner) => {
                let read = self.buffer(2 * distances, Dtype::F32);
                let indices = self.buffer(pairs, Dtype::I64);
                (self.distance_network(bias, inner, read), indices)
            }
        };
        let tensor = self.tape.of(table);
        let zeros = tensor.dtype.bytes(tensor.elements);
        let op = Op::new("lookup").read(table, Flow::Fresh).read(indices, Flow::Stop);
        let op = op.save(indices).backward_temporary(zeros).reads_part();
        let found = self.run_op(op.make(pairs * bias.heads, tensor.dtype));
        let turned = self.copy(found);
        if bias.form == WindowBiasForm::Table {
            return turned;
        }
        self.tape.hold(&[table]);
        let value = Value { rows: pairs, width: bias.heads };
        let gate = self.logistic(turned, value);
        self.scaled(gate, value)
    }

    /// Two layers that read how far apart places are.
    fn distance_network(&mut self, bias: WindowBias, inner: u64, read: TensorId) -> TensorId {
        let (rows, parameters) = (bias.distances(), self.numbers.parameters);
        let [first, offset, second] = [2 * inner, inner, inner * bias.heads]
            .map(|elements| self.weight(elements, parameters));
        let [offset, first] = [offset, first].map(|weight| self.in_product(weight));
        let read = match self.numbers.autocast {
            true => self.cast(read, self.numbers.products),
            false => read,
        };
        let dtype = self.tape.of(read).dtype;
        let op = Op::new("linear").read(read, Flow::Stop).read(first, Flow::Fresh);
        let op =
            op.read(offset, Flow::Sum).save(read).kernel(Kernel::Matrix, flops(rows, 2, inner));
        let inside = self.run_op(op.make(rows * inner, dtype));
        let storage = self.tape.of(inside).storage;
        let op = Op::new("relu").read(inside, Flow::Fresh).save_output(0);
        let inside = self.run_op(op.make_in(storage, rows * inner, dtype));
        let second = self.in_product(second);
        let op = Op::new("linear").read(second, Flow::Fresh).read(inside, Flow::Fresh);
        let op = op.save(second).save(inside);
        let op = op.kernel(Kernel::Matrix, flops(rows, inner, bias.heads));
        self.run_op(op.make(rows * bias.heads, dtype))
    }

    /// Queries, keys and values are views of one product; scores with their bias, and a mask where
    /// a window holds places that are no neighbours.
    pub(super) fn window_attention(
        &mut self,
        attention: &WindowAttention,
        packed: TensorId,
        bias: TensorId,
    ) -> TensorId {
        let shape = &attention.shape;
        let scores = shape.scores();
        let value = Value { rows: shape.rows(), width: shape.heads * shape.value_dim };
        let [query, key, values] = self.window_parts(value, packed);
        let mut attended = self.likeness(attention, [query, key], value);
        let all = Value { rows: scores, width: 1 };
        attended = self.sum(&[attended, bias], all);
        let mut variables = Vec::new();
        if attention.neighbours == Neighbours::Some {
            // As wide as what the windows were cut from.
            let mask = self.window_mask(attention, self.numbers.stream);
            attended = self.sum(&[attended, mask], all);
            variables.push(mask);
        }
        let weights = self.softmax(shape, attended);
        variables.push(weights);
        let dtype = self.tape.of(values).dtype;
        let narrow = self.cast(weights, dtype);
        let copied = self.several(shape, values);
        let op = Op::new("mix values").read(copied, Flow::Fresh).read(narrow, Flow::Fresh);
        let op = op.save(copied).save(narrow).kernel(Kernel::Matrix, products(shape));
        let mixed = self.run_op(op.make(value.elements(), dtype));
        let mixed = self.transposed(mixed);
        let output = self.copy(mixed);
        self.function_variables.extend(variables);
        output
    }

    /// Views; each has a gradient of the whole, and the whole's is put back in order.
    fn window_parts(&mut self, value: Value, packed: TensorId) -> [TensorId; 3] {
        let turned = self.transposed(packed);
        let tensor = self.tape.of(turned);
        [0, 1, 2].map(|_| {
            let op = Op::new("part").read(turned, Flow::Fresh);
            self.run_op(op.make_in(tensor.storage, value.elements(), tensor.dtype))
        })
    }

    /// One matrix after the other, as a batched product wants them.
    fn several(&mut self, shape: &AttentionShape, input: TensorId) -> TensorId {
        match shape.sequences > 1 {
            true => self.copy(input),
            false => input,
        }
    }

    /// Scores before their bias.
    fn likeness(
        &mut self,
        attention: &WindowAttention,
        [query, key]: [TensorId; 2],
        value: Value,
    ) -> TensorId {
        let shape = &attention.shape;
        let scores = shape.scores();
        let sides = match attention.likeness {
            Likeness::Product => {
                let scaled = self.scaled(query, value);
                self.function_variables.push(scaled);
                [scaled, key]
            }
            Likeness::Angle => [query, key].map(|side| self.normalised(side, shape)),
        };
        let products_of = self.numbers.products;
        let [left, right] = match self.numbers.autocast {
            true => sides.map(|side| self.cast(side, products_of)),
            false => sides,
        };
        let dtype = self.tape.of(left).dtype;
        let [left, right] = [left, right].map(|side| self.several(shape, side));
        let op = Op::new("scores").read(right, Flow::Fresh).read(left, Flow::Fresh);
        let op = op.save(right).save(left).kernel(Kernel::Matrix, products(shape));
        let raw = self.run_op(op.make(scores, dtype));
        if attention.likeness == Likeness::Product {
            return raw;
        }
        self.tape.hold(&sides);
        let scale = self.weight(shape.heads, self.numbers.parameters);
        let dtype = self.tape.of(scale).dtype;
        let small = Dtype::Bool.bytes(shape.heads);
        let op = Op::new("clamp").read(scale, Flow::Fresh).save(scale).backward_temporary(small);
        let clamped = self.run_op(op.make(shape.heads, dtype));
        let op = Op::new("exponent").read(clamped, Flow::Fresh).save_output(0);
        let exponent = self.run_op(op.make(shape.heads, dtype));
        self.function_variables.push(exponent);
        self.product(&[raw, exponent], Value { rows: scores, width: 1 })
    }

    /// `x / max(|x|, eps)` head by head (`torch.nn.functional.normalize`).
    fn normalised(&mut self, input: TensorId, shape: &AttentionShape) -> TensorId {
        let rows = shape.rows() * shape.heads;
        let elements = rows * shape.key_dim;
        // Autocast has norms in 32 bits, from what is there.
        let dtype = if self.numbers.autocast { Dtype::F32 } else { self.tape.of(input).dtype };
        let whole = dtype.bytes(elements);
        let flags = Dtype::Bool.bytes(rows);
        let length = self.length(input, [rows, elements]);
        let op = Op::new("clamp").read(length, Flow::Fresh).save(length);
        let clamped = self.run_op(op.backward_temporary(flags).make(rows, dtype));
        let storage = self.tape.of(clamped).storage;
        let op = Op::new("expand").read(clamped, Flow::Sum).make_in(storage, elements, dtype);
        let expanded = self.run_op(op);
        let op = Op::new("divide").read(expanded, Flow::Fresh).read(input, Flow::Fresh);
        let op = op.save(input).save(expanded);
        // Three steps lead to the gradient of the divisor; of the third only its result counts.
        let op = op.backward_temporary(whole).backward_temporary(whole);
        self.run_op(op.make(elements, dtype))
    }

    /// Which places of a window are neighbours: their numbers are subtracted from one another, and
    /// what is not zero becomes a number to add.
    fn window_mask(&mut self, attention: &WindowAttention, dtype: Dtype) -> TensorId {
        let shape = &attention.shape;
        let places = attention.windows * shape.queries;
        let pairs = places * shape.queries;
        let make = |elements, dtype, read: &[TensorId]| {
            let op = Op::new("mask").make(elements, dtype);
            read.iter().fold(op, |op, input| op.read(*input, Flow::Stop))
        };
        let numbers = self.run_op(make(places, dtype, &[]));
        let turned = self.run_op(make(places, dtype, &[numbers]));
        let apart = self.run_op(make(pairs, dtype, &[turned]));
        let flags = self.run_op(make(pairs, Dtype::Bool, &[apart]));
        let filled = self.run_op(make(pairs, dtype, &[apart, flags]));
        let flags = self.run_op(make(pairs, Dtype::Bool, &[apart]));
        let mask = self.run_op(make(pairs, dtype, &[filled, flags]));
        self.tape.hold(&[apart]);
        mask
    }

    /// Every other row and every other column, four times, side by side (`_patch_merging_pad`).
    pub(super) fn merged_places(&mut self, input: TensorId, value: Value) -> TensorId {
        let tensor = self.tape.of(input);
        let parts = [0, 1, 2, 3].map(|_| {
            [2, 4].into_iter().fold(input, |part, share| {
                let op = Op::new("slice").read(part, Flow::Fresh);
                let elements = tensor.elements / share;
                self.run_op(op.make_in(tensor.storage, elements, tensor.dtype))
            })
        });
        self.concatenated(&parts, value)
    }
}

/// Arithmetic of one product between scores and vectors.
fn products(shape: &AttentionShape) -> Flops {
    flops(shape.scores(), 1, shape.key_dim)
}

/// Arithmetic of a product of `rows x inner` with `inner x columns`.
fn flops(rows: u64, inner: u64, columns: u64) -> Flops {
    let operations = 2.0 * rows as f64 * inner as f64 * columns as f64;
    Flops::from_flops(operations).unwrap_or(Flops::ZERO)
}
