//! Low-rank adapters beside frozen projections, as peft computes them.

use nearside_architecture::{Dtype, Linear, Projection, Value};
use nearside_units::Flops;
use nearside_workload::{Adapter, AdapterMethod, AdapterTargets};

use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, Tensor, TensorId};

/// A frozen projection with what went in and came out.
pub(super) struct Beside<'a> {
    pub(super) linear: &'a Linear,
    pub(super) weight: TensorId,
    pub(super) input: TensorId,
    pub(super) output: TensorId,
    pub(super) rows: u64,
}

impl Lowering<'_> {
    /// peft: `output + B(A(x.float())) * scale`, then back to the type of `output`.
    pub(super) fn adapter(&mut self, adapter: Adapter, beside: &Beside<'_>) -> TensorId {
        let Beside { linear, input, output, rows, .. } = *beside;
        let returned = self.tape.of(output).dtype;
        let down = self.leaf(linear.input * adapter.rank, Dtype::F32, true);
        let up = self.leaf(adapter.rank * linear.output, Dtype::F32, true);
        let wide = self.cast(input, Dtype::F32);
        let elements = rows * linear.output;
        let update = match adapter.method {
            AdapterMethod::Lora => {
                let low = self.small_product("adapter down", wide, down, [rows, adapter.rank]);
                let update = self.small_product("adapter up", low, up, [rows, linear.output]);
                self.scaled_update(update)
            }
            AdapterMethod::Dora => self.lengthened(adapter, beside, wide, [down, up]),
        };
        let sum = Op::new("adapter add").read(update, Flow::Pass).read(output, Flow::Pass);
        let sum = self.run_op(sum.make(elements, Dtype::F32));
        let narrow = self.cast(sum, returned);
        // peft's variables: the input, as it came and widened, until it returns.
        self.tape.hold(&[wide, input]);
        narrow
    }

    fn scaled_update(&mut self, update: TensorId) -> TensorId {
        let elements = self.tape.of(update).elements;
        self.run_op(Op::new("adapter scale").read(update, Flow::Fresh).make(elements, Dtype::F32))
    }

    /// DoRA's update (`DoraLinearLayer.forward` in peft): the product of the adapters and the widened
    /// weights, both as large as the weights, give the length of every output; then
    /// `(magnitude / length - 1) * output + magnitude / length * B(A(x)) * scale`.
    fn lengthened(
        &mut self,
        adapter: Adapter,
        beside: &Beside<'_>,
        wide: TensorId,
        [down, up]: [TensorId; 2],
    ) -> TensorId {
        let Beside { linear, rows, output, .. } = *beside;
        let width = linear.output;
        let magnitude = self.leaf(width, Dtype::F32, true);
        let (scale, variables) = self.magnitude_over_length(adapter, beside, [down, up], magnitude);
        let low = self.small_product("adapter down", wide, down, [rows, adapter.rank]);
        let update = self.small_product("adapter up", low, up, [rows, width]);
        let output = match linear.bias {
            true => {
                let Tensor { elements, dtype, .. } = self.tape.of(output);
                let op = Op::new("adapter length").read(output, Flow::Pass);
                self.run_op(op.make(elements, dtype))
            }
            false => output,
        };
        let value = Value { rows, width };
        let more = Op::new("adapter length").read(scale, Flow::Pass).make(width, Dtype::F32);
        let more = self.run_op(more);
        let stretched = self.product(&[more, output], value);
        let weighed = self.product(&[scale, update], value);
        let weighed = self.scaled_update(weighed);
        let sum = self.sum(&[stretched, weighed], value);
        // Variables of the function, whole weights among them, until it returns.
        self.tape.hold(&variables);
        self.tape.hold(&[update]);
        sum
    }

    fn magnitude_over_length(
        &mut self,
        adapter: Adapter,
        beside: &Beside<'_>,
        [down, up]: [TensorId; 2],
        magnitude: TensorId,
    ) -> (TensorId, [TensorId; 4]) {
        let Linear { input, output, .. } = *beside.linear;
        let stop = |of: &[TensorId]| {
            let op = Op::new("adapter length");
            of.iter().fold(op, |op, input| op.read(*input, Flow::Stop))
        };
        let product = |of: &[TensorId], width: u64| {
            let flops = 2.0 * (input * adapter.rank) as f64 * width as f64;
            stop(of).kernel(Kernel::Matrix, Flops::from_flops(flops).unwrap_or(Flops::ZERO))
        };
        let eye = self.run_op(stop(&[]).make(input * input, Dtype::F32));
        let low = product(&[eye, down], input).make(input * adapter.rank, Dtype::F32);
        let low = self.run_op(low);
        let update = self.run_op(product(&[low, up], output).make(input * output, Dtype::F32));
        let elements = input * output;
        let wide = self.cast(beside.weight, Dtype::F32);
        let scaled = self.run_op(stop(&[update]).make(elements, Dtype::F32));
        let whole = self.run_op(stop(&[wide, scaled]).make(elements, Dtype::F32));
        let length = self.run_op(stop(&[whole]).make(output, Dtype::F32));
        let scale = Op::new("adapter length").read(magnitude, Flow::Fresh);
        let scale = scale.read(length, Flow::Stop).save(length);
        let scale = self.run_op(scale.make(output, Dtype::F32));
        (scale, [low, eye, update, wide])
    }

    fn small_product(
        &mut self,
        name: &'static str,
        input: TensorId,
        weight: TensorId,
        [rows, width]: [u64; 2],
    ) -> TensorId {
        let weights = self.tape.of(weight).elements as f64;
        let flops = Flops::from_flops(2.0 * rows as f64 * weights).unwrap_or(Flops::ZERO);
        let op = Op::new(name).read(weight, Flow::Fresh).read(input, Flow::Fresh);
        let op = op.save(input).kernel(Kernel::Matrix, flops);
        self.run_op(op.make(rows * width, Dtype::F32))
    }
}

/// Whether an adapter of those targets sits on such a projection.
pub(super) const fn adapts(targets: AdapterTargets, role: Projection) -> bool {
    use Projection::{AttentionOutput, Down, Gate, Key, Latent, Packed, Query, State, Up, Value};
    match targets {
        AdapterTargets::Linear => matches!(
            role,
            Query | Key | Value | Packed | AttentionOutput | Latent | State | Gate | Up | Down
        ),
        AdapterTargets::Attention => {
            matches!(role, Query | Key | Value | Packed | AttentionOutput)
        }
        AdapterTargets::QueryValue => matches!(role, Query | Value | Packed),
    }
}
