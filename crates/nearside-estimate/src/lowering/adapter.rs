//! Low-rank adapters beside frozen projections, as peft computes them.

use nearside_architecture::{Dtype, Linear, Projection};
use nearside_units::Flops;
use nearside_workload::{Adapter, AdapterTargets};

use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, TensorId};

impl Lowering<'_> {
    /// peft: `output + B(A(x.float())) * scale`, then back to the type of `output`.
    pub(super) fn adapter(
        &mut self,
        adapter: Adapter,
        linear: &Linear,
        [input, output]: [TensorId; 2],
        rows: u64,
    ) -> TensorId {
        let returned = self.tape.of(output).dtype;
        let down = self.leaf(linear.input * adapter.rank, Dtype::F32, true);
        let up = self.leaf(adapter.rank * linear.output, Dtype::F32, true);
        let wide = self.cast(input, Dtype::F32);
        let low = self.small_product("adapter down", wide, down, [rows, adapter.rank]);
        let update = self.small_product("adapter up", low, up, [rows, linear.output]);
        let elements = rows * linear.output;
        let scaled = Op::new("adapter scale").read(update, Flow::Fresh).make(elements, Dtype::F32);
        let scaled = self.run_op(scaled);
        let sum = Op::new("adapter add").read(scaled, Flow::Pass).read(output, Flow::Pass);
        let sum = self.run_op(sum.make(elements, Dtype::F32));
        let narrow = self.cast(sum, returned);
        // peft's variables: the input, as it came and widened, until it returns.
        self.tape.hold(&[wide, input]);
        narrow
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
    use Projection::{AttentionOutput, Down, Gate, Key, Latent, Packed, Query, Up, Value};
    match targets {
        AdapterTargets::Linear => matches!(
            role,
            Query | Key | Value | Packed | AttentionOutput | Latent | Gate | Up | Down
        ),
        AdapterTargets::Attention => {
            matches!(role, Query | Key | Value | Packed | AttentionOutput)
        }
        AdapterTargets::QueryValue => matches!(role, Query | Value | Packed),
    }
}
