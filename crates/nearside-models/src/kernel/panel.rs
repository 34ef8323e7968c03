//! Sixteen rows of weights side by side, unpacked once for many rows of activations: what reading a prompt, and
//! writing for several people at once, is made of.
//!
//! Levels of four neighbouring columns of all sixteen rows stand together, so that one instruction multiplies them
//! with four numbers of an activation, and each lane is a row. Levels are bytes from 0 to 255; what formats take
//! off them is in the offsets.

mod unpack;

use std::marker::PhantomData;

use self::unpack::{Place, Unpack};
use super::gemv::Format;
use super::lanes::{self, Kernel, Lanes};
use super::side_by_side::{AT_ONCE, GroupFactors, SideBySide};

/// Rows of a panel.
pub(crate) const ROWS: usize = 16;

/// What begins where a line of the caches does. A register that is in two of them is stored four times as slowly.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Line<T>(pub T);

/// Sixteen rows, unpacked; the memory is used again for the next ones.
#[derive(Default)]
pub(crate) struct Panel {
    /// By four columns: their levels of every row.
    levels: Vec<Line<[u8; 4 * ROWS]>>,
    /// By group: its scale in every row.
    scales: Vec<Line<[f32; ROWS]>>,
    /// By group: its offset in every row, with the sign that adds it.
    offsets: Vec<Line<[f32; ROWS]>>,
    /// Columns that share a scale.
    group: usize,
}

/// Where the products of a panel go: from a row on, in the products of every row of the input.
pub(crate) struct PanelPlace<'a, 'b> {
    pub products: &'a mut [&'b mut [f32]],
    pub first: usize,
}

impl PanelPlace<'_, '_> {
    /// Puts the products of eight rows of the input in their places, as far as there are any.
    #[inline(always)]
    pub(crate) fn put(&mut self, eight: usize, products: &[[f32; ROWS]; AT_ONCE]) {
        let first = eight * AT_ONCE;
        for (row, products) in products.iter().enumerate() {
            let Some(place) = self.products.get_mut(first + row) else { return };
            let place = place.get_mut(self.first..).unwrap_or_default();
            let rows = place.len().min(ROWS);
            place[..rows].copy_from_slice(&products[..rows]);
        }
    }
}

/// Unpacks so many blocks of each row.
struct Fill<'a, U, const BYTES: usize> {
    panel: &'a mut Panel,
    rows: [&'a [[u8; BYTES]]; ROWS],
    blocks: usize,
    format: PhantomData<U>,
}

impl<U: Unpack<BYTES>, const BYTES: usize> Kernel for Fill<'_, U, BYTES> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { panel: Panel { levels, scales, offsets, .. }, rows, blocks, .. } = self;
        let (fours, groups) = (U::WEIGHTS / 4, U::WEIGHTS / U::GROUP);
        for block in 0..blocks {
            let mut of_rows = [&[0; BYTES]; ROWS];
            for row in 0..ROWS {
                of_rows[row] = &rows[row][block];
            }
            let place = Place {
                levels: &mut levels[block * fours..(block + 1) * fours],
                scales: &mut scales[block * groups..(block + 1) * groups],
                offsets: &mut offsets[block * groups..(block + 1) * groups],
            };
            U::unpack(lanes, &of_rows, place);
        }
    }
}

/// Products of a panel with rows of activations.
pub(crate) struct PanelProducts<'a, 'b> {
    pub panel: &'a Panel,
    pub inputs: &'a SideBySide,
    /// The rows that come after the panel's.
    pub next: &'a [u8],
    pub products: PanelPlace<'a, 'b>,
}

impl Kernel for PanelProducts<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { panel, inputs, mut next, mut products } = self;
        for index in 0..products.products.len().div_ceil(AT_ONCE) {
            let eight = inputs.eight(index);
            let made = match panel.group {
                16 => panel.products::<L, 4>(lanes, eight.levels, eight.by_16, next),
                _ => panel.products::<L, 8>(lanes, eight.levels, eight.by_32, next),
            };
            products.put(index, &made);
            next = &[];
        }
    }
}

impl Panel {
    /// Unpacks the first sixteen rows of weights, or as many as there are.
    pub(crate) fn fill(&mut self, format: Format, weights: &[u8], row_bytes: usize, width: usize) {
        match format {
            Format::Q4K => self.unpack::<unpack::Q4K, 144>(weights, row_bytes, width),
            Format::Q5K => self.unpack::<unpack::Q5K, 176>(weights, row_bytes, width),
            Format::Q6K => self.unpack::<unpack::Q6K, 210>(weights, row_bytes, width),
            Format::Q8_0 => self.unpack::<unpack::Q8_0, 34>(weights, row_bytes, width),
            Format::Q4_0 => self.unpack::<unpack::Q4_0, 18>(weights, row_bytes, width),
        }
    }

    fn unpack<U: Unpack<BYTES>, const BYTES: usize>(
        &mut self,
        weights: &[u8],
        row_bytes: usize,
        width: usize,
    ) {
        debug_assert!(width.is_multiple_of(U::WEIGHTS), "rows are whole blocks");
        let groups = width.div_ceil(U::GROUP);
        self.group = U::GROUP;
        self.levels.resize(width.div_ceil(4), Line([0; 4 * ROWS]));
        self.scales.resize(groups, Line([0.0; ROWS]));
        self.offsets.resize(groups, Line([0.0; ROWS]));
        // Where there are fewer rows, the first one stands for those that are not there.
        let mut rows = [weights.as_chunks::<BYTES>().0; ROWS];
        for (place, row) in rows.iter_mut().zip(weights.chunks_exact(row_bytes)) {
            *place = row.as_chunks().0;
        }
        let blocks = width / U::WEIGHTS;
        lanes::run(Fill::<U, BYTES> { panel: self, rows, blocks, format: PhantomData });
    }

    /// Products with eight rows of activations, for groups of so many times four columns. Memory is asked for what comes
    /// next, a bit with every group: all at once would be more than a core can wait for.
    #[inline(always)]
    fn products<L: Lanes, const FOURS: usize>(
        &self,
        lanes: L,
        levels: &[[[i8; 4]; AT_ONCE]],
        factors: &[GroupFactors],
        next: &[u8],
    ) -> [[f32; ROWS]; AT_ONCE] {
        let mut sums = [lanes.splat(0.0); AT_ONCE];
        let (weights, _) = self.levels.as_chunks::<FOURS>();
        let (levels, _) = levels.as_chunks::<FOURS>();
        let groups = weights.len().min(levels.len()).min(factors.len());
        let groups = groups.min(self.scales.len()).min(self.offsets.len());
        for group in 0..groups {
            let mut whole = [lanes.zero(); AT_ONCE];
            for four in 0..FOURS {
                let line = 64 * (FOURS * group + four);
                if line < next.len() {
                    lanes.ask_for(next, line);
                }
                let weights = lanes.bytes(&weights[group][four].0);
                for row in 0..AT_ONCE {
                    whole[row] = lanes.spread_dot(whole[row], weights, levels[group][four][row]);
                }
            }
            let scales = lanes.floats(&self.scales[group].0);
            let offsets = lanes.floats(&self.offsets[group].0);
            let factors = &factors[group];
            for row in 0..AT_ONCE {
                let factor = lanes.multiply(scales, lanes.splat(factors.scales[row]));
                sums[row] = lanes.fused(lanes.to_floats(whole[row]), factor, sums[row]);
                sums[row] = lanes.fused(offsets, lanes.splat(factors.sums[row]), sums[row]);
            }
        }
        let mut products = [[0.0; ROWS]; AT_ONCE];
        for row in 0..AT_ONCE {
            products[row] = lanes.store(sums[row]);
        }
        products
    }
}
