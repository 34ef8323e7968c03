//! Sixteen rows of weights side by side as numbers, for many rows of activations: what formats take whose bytes have
//! no kernel of their own.

use nearside_architecture::Dtype;

use crate::block;

use super::lanes::{Kernel, Lanes};
use super::panel::{Line, PanelPlace, ROWS};
use super::side_by_side::AT_ONCE;

/// Sixteen rows as numbers; the memory is used again for the next ones.
#[derive(Default)]
pub(crate) struct FloatPanel {
    /// By column: its weight in every row.
    columns: Vec<Line<[f32; ROWS]>>,
    row: Vec<f32>,
}

impl FloatPanel {
    /// Unpacks up to sixteen rows of a type that is read, which is all that can be wrong with them here.
    pub(crate) fn fill(&mut self, dtype: Dtype, weights: &[u8], row_bytes: usize, width: usize) {
        self.columns.resize(width, Line([0.0; ROWS]));
        self.row.resize(width, 0.0);
        for (index, row) in weights.chunks_exact(row_bytes).take(ROWS).enumerate() {
            if block::dequantize(dtype, row, &mut self.row).is_err() {
                self.row.fill(0.0);
            }
            for (column, weight) in self.columns.iter_mut().zip(&self.row) {
                column.0[index] = *weight;
            }
        }
    }
}

/// Products of a panel's rows with rows of numbers.
pub(crate) struct FloatPanelProducts<'a, 'b> {
    pub panel: &'a FloatPanel,
    /// The rows of numbers, one after the other.
    pub values: &'a [f32],
    pub products: PanelPlace<'a, 'b>,
}

impl Kernel for FloatPanelProducts<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { panel, values, mut products } = self;
        let width = panel.columns.len();
        let whole = values.len() / (AT_ONCE * width);
        for index in 0..whole {
            let values = &values[index * AT_ONCE * width..(index + 1) * AT_ONCE * width];
            products.put(index, &panel.products::<L, AT_ONCE>(lanes, values));
        }
        let rest = values.get(whole * AT_ONCE * width..).unwrap_or_default();
        let mut made = [[0.0; ROWS]; AT_ONCE];
        for (values, place) in rest.chunks_exact(width).zip(&mut made) {
            [*place] = panel.products::<L, 1>(lanes, values);
        }
        products.put(whole, &made);
    }
}

impl FloatPanel {
    /// Products with `N` rows of numbers.
    #[inline(always)]
    fn products<L: Lanes, const N: usize>(&self, lanes: L, values: &[f32]) -> [[f32; ROWS]; N] {
        let width = self.columns.len();
        let mut rows = [values; N];
        for (row, place) in rows.iter_mut().enumerate() {
            *place = values.get(row * width..(row + 1) * width).unwrap_or_default();
        }
        let mut sums = [lanes.splat(0.0); N];
        for column in 0..width {
            let weights = lanes.floats(&self.columns[column].0);
            for row in 0..N {
                sums[row] = lanes.fused(weights, lanes.splat(rows[row][column]), sums[row]);
            }
        }
        let mut products = [[0.0; ROWS]; N];
        for (place, sum) in products.iter_mut().zip(sums) {
            *place = lanes.store(sum);
        }
        products
    }
}
