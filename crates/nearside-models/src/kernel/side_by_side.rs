//! Rows of activations side by side, as panels of weights take them: eight at once, four levels of each in turn.

use super::activations::{Activations, BLOCK, GROUP};

/// Rows that stand side by side: as many as registers hold sums for.
pub(crate) const AT_ONCE: usize = 8;

/// What a group of numbers of each of the rows is multiplied with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupFactors {
    /// The scale of the levels.
    pub scales: [f32; AT_ONCE],
    /// The sum of the numbers.
    pub sums: [f32; AT_ONCE],
}

/// Rows of activations, eight by eight; missing ones are zero.
#[derive(Debug)]
pub(crate) struct SideBySide {
    /// By eight rows and four columns: the levels of each row.
    levels: Vec<[[i8; 4]; AT_ONCE]>,
    /// By eight rows and 32 columns.
    by_32: Vec<GroupFactors>,
    /// By eight rows and 16 columns.
    by_16: Vec<GroupFactors>,
    /// Numbers of a row, in whole blocks.
    width: usize,
}

/// Eight rows.
#[derive(Clone, Copy)]
pub(crate) struct Eight<'a> {
    pub levels: &'a [[[i8; 4]; AT_ONCE]],
    pub by_32: &'a [GroupFactors],
    pub by_16: &'a [GroupFactors],
}

impl SideBySide {
    pub(crate) fn of(activations: &Activations) -> Self {
        let width = activations.width().next_multiple_of(BLOCK);
        let eights = activations.rows().div_ceil(AT_ONCE);
        let mut made = Self {
            levels: vec![[[0; 4]; AT_ONCE]; eights * width / 4],
            by_32: vec![GroupFactors::default(); eights * width / GROUP],
            by_16: vec![GroupFactors::default(); eights * width / 16],
            width,
        };
        for row in 0..activations.rows() {
            made.place(activations, row);
        }
        made
    }

    fn place(&mut self, activations: &Activations, index: usize) {
        let row = activations.row(index);
        let (eight, place) = (index / AT_ONCE, index % AT_ONCE);
        let from = |share: usize| eight * self.width / share;
        let fours = row.levels.as_flattened().as_chunks::<4>().0;
        for (levels, four) in self.levels[from(4)..].iter_mut().zip(fours) {
            levels[place] = *four;
        }
        let by_32 = self.by_32[from(GROUP)..].chunks_exact_mut(8);
        let by_16 = self.by_16[from(16)..].chunks_exact_mut(16);
        for (((by_32, by_16), factors), sums) in by_32.zip(by_16).zip(row.factors).zip(row.sums) {
            for (group, of_group) in by_32.iter_mut().enumerate() {
                (of_group.scales[place], of_group.sums[place]) =
                    (factors[group], factors[8 + group]);
            }
            for (group, of_group) in by_16.iter_mut().enumerate() {
                (of_group.scales[place], of_group.sums[place]) = (factors[group / 2], sums[group]);
            }
        }
    }

    /// Rows `8 * index` to `8 * index + 7`.
    pub(crate) fn eight(&self, index: usize) -> Eight<'_> {
        let range = |share: usize| index * self.width / share..(index + 1) * self.width / share;
        Eight {
            levels: self.levels.get(range(4)).unwrap_or_default(),
            by_32: self.by_32.get(range(GROUP)).unwrap_or_default(),
            by_16: self.by_16.get(range(16)).unwrap_or_default(),
        }
    }
}
