//! Low-rank adapters beside frozen projections, as peft computes them.

use nearside_architecture::{Dtype, Linear, Projection};
use nearside_units::Flops;
use nearside_workload::{Adapter, AdapterTargets};

use super::{Emit, Lowering};
use crate::tape::{Kernel, TensorId, Weight};

impl Lowering<'_> {
    /// peft: `output + B(A(x.float())) * scale`, then back to the compute type.
    pub(super) fn adapter(
        &mut self,
        adapter: Adapter,
        linear: &Linear,
        [input, output]: [TensorId; 2],
        rows: u64,
    ) -> TensorId {
        let product = |inner: u64, outer: u64| {
            Flops::from_flops(2.0 * rows as f64 * inner as f64 * outer as f64)
                .unwrap_or(Flops::ZERO)
        };
        let mut weight = |elements: u64| {
            let bytes = Dtype::F32.bytes(elements);
            self.tape.weight(Weight { bytes, elements, gradient: Some(bytes), uses: 1 })
        };
        let down = weight(linear.input * adapter.rank);
        let up = weight(adapter.rank * linear.output);
        let wide = self.widened(input, rows * linear.input);
        let low = self.emit(Emit {
            kernel: Kernel::Matrix,
            saved: &[wide],
            weights: &[down],
            flops: product(linear.input, adapter.rank),
            ..Emit::pointwise("adapter down", &[wide], rows * adapter.rank, Dtype::F32)
        });
        let elements = rows * linear.output;
        let update = self.emit(Emit {
            kernel: Kernel::Matrix,
            saved: &[low],
            weights: &[up],
            flops: product(adapter.rank, linear.output),
            ..Emit::pointwise("adapter up", &[low], elements, Dtype::F32)
        });
        let scaled = self.emit(Emit::pointwise("adapter scale", &[update], elements, Dtype::F32));
        let inputs = [output, scaled];
        let sum = self.emit(Emit::pointwise("adapter add", &inputs, elements, Dtype::F32));
        self.narrowed(sum, elements)
    }
}

/// Whether an adapter of those targets sits on such a projection.
pub(super) fn adapts(targets: AdapterTargets, role: Projection) -> bool {
    use Projection::{AttentionOutput, Down, Gate, Key, Latent, Query, Up, Value};
    match targets {
        AdapterTargets::Linear => {
            matches!(role, Query | Key | Value | AttentionOutput | Latent | Gate | Up | Down)
        }
        AdapterTargets::Attention => matches!(role, Query | Key | Value | AttentionOutput),
        AdapterTargets::QueryValue => matches!(role, Query | Value),
    }
}
