//! Normalisation, as kernels or step by step.

use nearside_architecture::{Dtype, Node, Norm, Value};

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    pub(super) fn norm(
        &mut self,
        node: &Node,
        kind: Norm,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let parameters: Vec<_> = node
            .operator
            .parameters()
            .into_iter()
            .map(|parameter| self.weight(parameter.elements, self.numbers.parameters))
            .collect();
        match (kind, parameters.as_slice()) {
            (Norm::Rms, [scale]) => self.root_mean_square(*scale, input, value),
            (Norm::RmsOffset, [scale]) => self.offset_root_mean_square(*scale, input, value),
            (Norm::RmsWide, [scale]) => self.wide_root_mean_square(*scale, input, value),
            (Norm::WideLayer, [scale]) => self.wide_layer_norm(*scale, input, value),
            (Norm::NarrowRms, [scale]) => self.narrow_root_mean_square(*scale, input, value),
            (Norm::MixedRms, [scale]) => self.mixed_root_mean_square(*scale, input, value),
            (Norm::PlainWide, _) => {
                let narrow = self.tape.of(input).dtype;
                let wide = self.cast(input, Dtype::F32);
                let normed = self.kernel_norm(&parameters, wide, value, value.rows);
                self.cast(normed, narrow)
            }
            (Norm::Batch, _) => self.batch_norm(&parameters, input, value),
            (Norm::Group(groups), _) => {
                self.kernel_norm(&parameters, input, value, self.graph.batch * groups)
            }
            _ => self.kernel_norm(&parameters, input, value, value.rows),
        }
    }

    /// One kernel that keeps its input and two numbers per group of elements that are normalised
    /// together. Autocast widens its input.
    fn kernel_norm(
        &mut self,
        parameters: &[TensorId],
        input: TensorId,
        value: Value,
        statistics: u64,
    ) -> TensorId {
        let input = match self.numbers.autocast {
            true => self.cast(input, Dtype::F32),
            false => input,
        };
        self.statistical("norm", parameters, input, value, statistics)
    }

    /// Batch norm keeps a running mean, a variance and a count beside its weights; when it only
    /// answers, it uses those.
    fn batch_norm(&mut self, parameters: &[TensorId], input: TensorId, value: Value) -> TensorId {
        self.buffer(value.width, Dtype::F32);
        self.buffer(value.width, Dtype::F32);
        self.buffer(1, Dtype::I64);
        let statistics = if self.training() { value.width } else { 0 };
        self.statistical("batch norm", parameters, input, value, statistics)
    }

    fn statistical(
        &mut self,
        name: &'static str,
        parameters: &[TensorId],
        input: TensorId,
        value: Value,
        statistics: u64,
    ) -> TensorId {
        let dtype = self.tape.of(input).dtype;
        let op = Op::new(name).read(input, Flow::Fresh).save(input);
        let op = parameters.iter().fold(op, |op, weight| op.read(*weight, Flow::Fresh));
        let op = op.make(value.elements(), dtype);
        let op = op.make(statistics, Dtype::F32).make(statistics, Dtype::F32);
        self.run_op(op.save_output(1).save_output(2))
    }

    /// `scale * narrow(wide(x) / sqrt(mean(wide(x)^2) + eps))`, each step by itself
    /// (`LlamaRMSNorm.forward` in transformers).
    fn root_mean_square(&mut self, scale: TensorId, input: TensorId, value: Value) -> TensorId {
        let narrow = self.tape.of(input).dtype;
        let (normed, mean) = self.normed(input, value);
        let narrowed = self.cast(normed, narrow);
        let scaled = self.times_scale(scale, narrowed, value);
        self.tape.hold(&[normed, mean]);
        scaled
    }

    /// `narrow(wide(x) / sqrt(mean(wide(x)^2) + eps) * (1 + scale))` (`Gemma2RMSNorm.forward`).
    fn offset_root_mean_square(
        &mut self,
        scale: TensorId,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let narrow = self.tape.of(input).dtype;
        let (normed, _) = self.normed(input, value);
        let scale = self.cast(scale, Dtype::F32);
        let width = self.tape.of(scale).elements;
        let shifted = Op::new("norm scale").read(scale, Flow::Pass).make(width, Dtype::F32);
        let shifted = self.run_op(shifted);
        let op = Op::new("norm scale").read(shifted, Flow::SumOfProduct);
        let op = self.saved_for(op.read(normed, Flow::Fresh), shifted, normed);
        let op = self.saved_for(op, normed, shifted);
        let scaled = self.run_op(op.make(value.elements(), Dtype::F32));
        let narrowed = self.cast(scaled, narrow);
        self.tape.hold(&[scaled]);
        narrowed
    }

    /// `narrow(scale * wide(x) / sqrt(mean(wide(x)^2) + eps))` (`Olmo2RMSNorm.forward`).
    fn wide_root_mean_square(
        &mut self,
        scale: TensorId,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let narrow = self.tape.of(input).dtype;
        let (normed, mean) = self.normed(input, value);
        let scaled = self.times_scale(scale, normed, value);
        let narrowed = self.cast(scaled, narrow);
        self.tape.hold(&[normed, mean]);
        narrowed
    }

    /// `narrow(wide(scale) * (wide(x) - mean) / sqrt(variance + eps))`, the difference twice
    /// (`CohereLayerNorm.forward`).
    fn wide_layer_norm(&mut self, scale: TensorId, input: TensorId, value: Value) -> TensorId {
        let (elements, rows) = (value.elements(), value.rows);
        let narrow = self.tape.of(input).dtype;
        let wide = self.cast(input, Dtype::F32);
        let mean = Op::new("norm mean").read(wide, Flow::Fresh).make(rows, Dtype::F32);
        let mean = self.run_op(mean);
        let less = |lowering: &mut Self| {
            let op = Op::new("norm").read(wide, Flow::Pass).read(mean, Flow::SumOfProduct);
            lowering.run_op(op.make(elements, Dtype::F32))
        };
        let first = less(self);
        let full = Dtype::F32.bytes(elements);
        let square = Op::new("norm square").read(first, Flow::Fresh).save(first);
        let square = square.backward_temporary(full).backward_temporary(full);
        let square = self.run_op(square.make(elements, Dtype::F32));
        let variance = Op::new("norm mean").read(square, Flow::Fresh).make(rows, Dtype::F32);
        let variance = self.run_op(variance);
        let second = less(self);
        let root = self.root_of_rows(variance, rows);
        let normed = Op::new("norm").read(root, Flow::SumOfProduct).read(second, Flow::Fresh);
        let normed = self.run_op(normed.save(root).save(second).make(elements, Dtype::F32));
        self.tape.hold(&[wide]);
        let scale = self.cast(scale, Dtype::F32);
        let scaled = self.times_scale(scale, normed, value);
        let narrowed = self.cast(scaled, narrow);
        self.tape.hold(&[scaled, mean, variance]);
        narrowed
    }

    /// `1 / sqrt(x + eps)` per row.
    pub(super) fn root_of_rows(&mut self, mean: TensorId, rows: u64) -> TensorId {
        let shifted = Op::new("norm mean").read(mean, Flow::Pass).make(rows, Dtype::F32);
        let shifted = self.run_op(shifted);
        let small = Dtype::F32.bytes(rows);
        let root = Op::new("norm root").read(shifted, Flow::Fresh).save_output(0);
        let root = root.backward_temporary(small).backward_temporary(small);
        self.run_op(root.make(rows, Dtype::F32))
    }

    pub(super) fn times_scale(
        &mut self,
        scale: TensorId,
        input: TensorId,
        value: Value,
    ) -> TensorId {
        let dtype = self.wider(input, scale);
        let scaled = Op::new("norm scale").read(input, Flow::Fresh);
        let scaled = self.saved_for(scaled, input, scale).read(scale, Flow::SumOfProduct);
        let scaled = self.saved_for(scaled, scale, input);
        self.run_op(scaled.make(value.elements(), dtype))
    }

    /// `wide(x) / sqrt(mean(wide(x)^2) + eps)`, and the mean.
    pub(super) fn normed(&mut self, input: TensorId, value: Value) -> (TensorId, TensorId) {
        let (elements, rows) = (value.elements(), value.rows);
        let full = Dtype::F32.bytes(elements);
        let wide = self.cast(input, Dtype::F32);
        let square = Op::new("norm square").read(wide, Flow::Fresh).save(wide);
        let square =
            square.backward_temporary(full).backward_temporary(full).make(elements, Dtype::F32);
        let square = self.run_op(square);
        let mean = Op::new("norm mean").read(square, Flow::Fresh).make(rows, Dtype::F32);
        let mean = self.run_op(mean);
        let root = self.root_of_rows(mean, rows);
        let normed = Op::new("norm").read(root, Flow::SumOfProduct).read(wide, Flow::Fresh);
        let normed = self.run_op(normed.save(root).save(wide).make(elements, Dtype::F32));
        (normed, mean)
    }
}
