//! Where a token stands: tables of sines and cosines, learned tables, rotation.

use nearside_architecture::{Dtype, Node, Operator, Value};

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Origin, Tensor, TensorId};

impl Lowering<'_> {
    /// Queries or keys turned by their places, as each family writes it.
    pub(super) fn rotated(
        &mut self,
        operator: &Operator,
        inputs: &[TensorId],
        value: Value,
    ) -> TensorId {
        match operator {
            Operator::ComplexRotary => self.complex_rotary(inputs, value),
            Operator::InterleavedRotary => self.interleaved_rotary(inputs, value),
            Operator::WideningRotary => self.widening_rotary(inputs, value),
            Operator::HalvesRotary => self.halves_rotary(inputs, value),
            Operator::PairRotary => self.pair_rotary(inputs, value),
            Operator::PartialRotary { head, rotated } => {
                self.partial_rotary(inputs, value, [*head, *rotated])
            }
            _ => self.rotary(inputs, value),
        }
    }

    /// Adds a learned row per position.
    pub(super) fn position_table(&mut self, node: &Node, value: Value) -> TensorId {
        let table = self.table_weight(node);
        let input = self.value(node.inputs[0]);
        let width = value.width;
        let rows = value.rows / self.graph.batch.max(1);
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("positions").read(table, Flow::Fresh).reads_part();
        let positions = self.count_positions();
        let op = op.read(positions, Flow::Stop).save(positions);
        let looked_up = self.run_op(op.make(rows * width, dtype));
        self.model_variables.push(looked_up);
        self.sum(&[input, looked_up], value)
    }

    /// Sines and cosines of every position, computed in 32 bits
    /// (`LlamaRotaryEmbedding.forward` in transformers).
    pub(super) fn rotary_table(&mut self, node: &Node, dtype: Dtype) {
        let table = self.graph.output(node);
        let half = node.operator == Operator::HalfRotaryTable;
        let tokens = table.rows;
        let width = if half { 2 * table.width } else { table.width };
        for _ in 0..2 {
            self.buffer(width / 2, Dtype::F32);
        }
        let wide = |name, inputs: &[TensorId], elements: u64| {
            let op = Op::new(name).make(elements, Dtype::F32);
            inputs.iter().fold(op, |op, input| op.read(*input, Flow::Stop))
        };
        let positions = self.count_positions();
        let floats = self.run_op(wide("positions", &[positions], tokens));
        let angles = self.run_op(wide("angles", &[floats], tokens * width / 2));
        let doubled = match half {
            true => angles,
            false => self.run_op(wide("angles", &[angles], table.elements())),
        };
        let mut scaled = Vec::new();
        for _ in 0..2 {
            let raw = self.run_op(wide("angles", &[doubled], table.elements()));
            scaled.push(self.run_op(wide("angles", &[raw], table.elements())));
        }
        let narrow: Vec<_> = scaled.iter().map(|table| self.cast(*table, dtype)).collect();
        self.tape.hold(&[angles, doubled]);
        self.tape.hold(&scaled);
        for (output, tensor) in node.outputs.iter().zip(narrow) {
            self.tensors[output.0] = Some(tensor);
            self.model_variables.push(tensor);
        }
    }

    /// The numbers of new positions, counted once and held until the model returns.
    pub(super) fn count_positions(&mut self) -> TensorId {
        if let Some(positions) = self.positions {
            return positions;
        }
        let rows = self.graph.values.first().map_or(0, |input| input.rows);
        let tokens = rows / self.graph.batch.max(1);
        let counted = self.run_op(Op::new("positions").make(tokens, Dtype::I64));
        let op = Op::new("positions").read(counted, Flow::Stop).make(tokens, Dtype::I64);
        let positions = self.run_op(op);
        self.positions = Some(positions);
        positions
    }

    /// Sines and cosines of a number at several frequencies, in 32 bits, the cosines first
    /// (`get_timestep_embedding` in diffusers), then narrowed to the model's type.
    pub(super) fn waves(&mut self, node: &Node, value: Value) -> TensorId {
        let (half, elements) = (value.width / 2, value.elements());
        let wide = |name, inputs: &[TensorId], elements: u64| {
            let op = Op::new(name).make(elements, Dtype::F32);
            inputs.iter().fold(op, |op, input| op.read(*input, Flow::Stop))
        };
        let counted = self.run_op(wide("frequencies", &[], half));
        let scaled = self.run_op(wide("frequencies", &[counted], half));
        let exponent = self.run_op(wide("frequencies", &[scaled], half));
        let frequencies = self.run_op(wide("frequencies", &[exponent], half));
        let number = self.whole_numbers(node.inputs[0]);
        let number = self.cast(number, Dtype::F32);
        let angles = self.run_op(wide("angles", &[number, frequencies], elements / 2));
        let angles = self.run_op(wide("angles", &[angles], elements / 2));
        let sines = self.run_op(wide("waves", &[angles], elements / 2));
        let cosines = self.run_op(wide("waves", &[angles], elements / 2));
        let both = self.run_op(wide("waves", &[sines, cosines], elements));
        let turned = self.run_op(wide("waves", &[both], elements));
        self.tape.hold(&[exponent]);
        self.cast(turned, self.numbers.stream)
    }

    /// Something loaded with the weights that is never trained.
    pub(super) fn buffer(&mut self, elements: u64, dtype: Dtype) -> TensorId {
        let storage = self.tape.storage(dtype.bytes(elements), Category::Weights);
        let origin = Origin::Buffer;
        self.tape.tensor(Tensor { storage, elements, dtype, differentiable: false, origin })
    }

    /// `x * cos + rotate_half(x) * sin`, with `rotate_half(x) = cat(-x2, x1)` for the halves of a
    /// head (`apply_rotary_pos_emb` in transformers).
    pub(super) fn rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let (elements, dtype) = (value.elements(), self.tape.of(inputs[0]).dtype);
        let input = inputs[0];
        let [cosines, sines] = [inputs[1], inputs[2]];
        let turning = self.wider(input, cosines);
        let straight = Op::new("rotary").read(input, Flow::Fresh).read(cosines, Flow::Stop);
        let straight = self.run_op(straight.save(cosines).make(elements, turning));
        let turned = self.half_turned(input, elements);
        let crossed = Op::new("rotary").read(turned, Flow::Fresh).read(sines, Flow::Stop);
        let crossed = self.run_op(crossed.save(sines).make(elements, turning));
        let sum = Op::new("rotary").read(straight, Flow::Pass).read(crossed, Flow::Pass);
        let sum = self.run_op(sum.make(elements, turning));
        self.cast(sum, dtype)
    }

    /// The same in 32 bits: the value is widened once for either product (`apply_rotary_pos_emb` of
    /// ModernBERT).
    pub(super) fn widening_rotary(&mut self, inputs: &[TensorId], value: Value) -> TensorId {
        let elements = value.elements();
        let [input, cosines, sines] = [inputs[0], inputs[1], inputs[2]];
        let wide = self.cast(input, Dtype::F32);
        let straight = Op::new("rotary").read(wide, Flow::Fresh).read(cosines, Flow::Stop);
        let straight = self.run_op(straight.save(cosines).make(elements, Dtype::F32));
        let wide = self.cast(input, Dtype::F32);
        let turned = self.half_turned(wide, elements);
        let crossed = Op::new("rotary").read(turned, Flow::Fresh).read(sines, Flow::Stop);
        let crossed = self.run_op(crossed.save(sines).make(elements, Dtype::F32));
        let sum = Op::new("rotary").read(straight, Flow::Pass).read(crossed, Flow::Pass);
        self.run_op(sum.make(elements, Dtype::F32))
    }

    /// `cat(-x2, x1)` for the halves of every head.
    fn half_turned(&mut self, input: TensorId, elements: u64) -> TensorId {
        let Tensor { dtype, storage, .. } = self.tape.of(input);
        let half = |input| {
            Op::new("rotary half").read(input, Flow::Fresh).make_in(storage, elements / 2, dtype)
        };
        let [first, second] = [(); 2].map(|()| self.run_op(half(input)));
        let negative = Op::new("rotary").read(second, Flow::Fresh).make(elements / 2, dtype);
        let negative = self.run_op(negative);
        let turned = Op::new("rotary").read(negative, Flow::Pass).read(first, Flow::Pass);
        self.run_op(turned.make(elements, dtype))
    }

    /// The first elements of every head rotated, the others beside them: views are cut, and one
    /// concatenation puts heads before tokens in memory (`apply_rotary_pos_emb` of Phi-3).
    pub(super) fn partial_rotary(
        &mut self,
        inputs: &[TensorId],
        value: Value,
        [head, rotated]: [u64; 2],
    ) -> TensorId {
        let tensor = self.tape.of(inputs[0]);
        let share = |part: u64| value.elements() / head.max(1) * part;
        let cut = |part: u64| {
            Op::new("slice").read(inputs[0], Flow::Fresh).make_in(
                tensor.storage,
                share(part),
                tensor.dtype,
            )
        };
        let turning = self.run_op(cut(rotated));
        let passing = self.run_op(cut(head - rotated));
        let turned = Value { rows: share(rotated), width: 1 };
        let turned = self.rotary(&[turning, inputs[1], inputs[2]], turned);
        let whole = Op::new("concatenate").read(turned, Flow::Pass).read(passing, Flow::Pass);
        let whole = self.run_op(whole.make(value.elements(), tensor.dtype));
        self.heads_first.push(whole);
        whole
    }
}
