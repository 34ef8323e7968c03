//! A change of one matrix: two narrow ones whose product is added to it.

use std::ops::Range;

use nearside_architecture::Dtype;

use crate::bytes::Bytes;
use crate::error::ModelError;
use crate::kernel::{self, Input, multiply};
use crate::matrix::Matrix;

/// `scale * B A`.
#[derive(Clone, Debug)]
pub struct LowRank {
    /// Rows of `A`: as many as the rank, each as wide as what goes in.
    first: Matrix,
    /// `B` column by column: for each of the rank, a number for every row of the matrix.
    second: Vec<f32>,
    rows: usize,
    scale: f32,
}

impl LowRank {
    /// `a` is `rank` rows of `width` numbers, `b` is `rows` rows of `rank` numbers; `None` when they are not.
    #[must_use]
    pub fn new([rows, width, rank]: [usize; 3], a: &[f32], b: &[f32], scale: f32) -> Option<Self> {
        let fits = a.len() == rank.checked_mul(width)? && b.len() == rows.checked_mul(rank)?;
        if !fits || rank == 0 || rows == 0 || width == 0 {
            return None;
        }
        let bytes: Vec<u8> = a.iter().flat_map(|number| number.to_le_bytes()).collect();
        let first = Matrix::new(Dtype::F32, rank, width, Bytes::from(bytes))?;
        let column = |at: usize| b.iter().skip(at).step_by(rank).copied();
        Some(Self { first, second: (0..rank).flat_map(column).collect(), rows, scale })
    }

    /// Rows and columns of the matrix that it changes.
    #[must_use]
    pub const fn shape(&self) -> [usize; 2] {
        [self.rows, self.first.width()]
    }

    /// The rank.
    #[must_use]
    pub const fn rank(&self) -> usize {
        self.first.rows()
    }

    /// What the product is multiplied with.
    #[must_use]
    pub const fn scale(&self) -> f32 {
        self.scale
    }

    /// How many numbers it has.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.rank() * (self.rows + self.first.width())
    }

    /// The numbers of `A`, row by row.
    pub(super) fn a(&self) -> Vec<f32> {
        let numbers = self.first.weights().bytes.as_chunks().0;
        numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// The numbers of `B`, row by row.
    pub(super) fn b(&self) -> Vec<f32> {
        let row = |row: usize| self.second.iter().skip(row).step_by(self.rows).copied();
        (0..self.rows).flat_map(row).collect()
    }

    /// The change of some rows alone; `None` where there are none such.
    #[must_use]
    pub(crate) fn part(&self, rows: Range<usize>) -> Option<Self> {
        let columns = self.second.chunks_exact(self.rows);
        let second: Option<Vec<_>> = columns.map(|column| column.get(rows.clone())).collect();
        Some(Self { second: second?.concat(), rows: rows.len(), ..self.clone() })
    }

    /// The change of a matrix whose row `at` is row `lies(at)` of this one's.
    pub(crate) fn reordered(&self, lies: impl Fn(usize) -> usize) -> Self {
        let mut second = Vec::with_capacity(self.second.len());
        for column in self.second.chunks_exact(self.rows) {
            second.extend((0..self.rows).map(|at| column.get(lies(at)).copied().unwrap_or(0.0)));
        }
        Self { second, ..self.clone() }
    }

    /// Adds what it makes of the input to the products of the matrix, row by row.
    pub(crate) fn add_products(
        &self,
        input: &Input<'_>,
        products: &mut [f32],
    ) -> Result<(), ModelError> {
        let rank = self.rank();
        let mut narrow = vec![0.0; input.rows() * rank];
        multiply(&[self.first.weights()], input, &mut [&mut narrow])?;
        let rows = products.chunks_exact_mut(self.rows).zip(narrow.chunks_exact(rank));
        for (sums, shares) in rows {
            for (column, share) in self.second.chunks_exact(self.rows).zip(shares) {
                kernel::add_share(sums, column, share * self.scale);
            }
        }
        Ok(())
    }

    /// Adds it to rows of the matrix, of which the first is row `first`.
    pub fn add_to(&self, numbers: &mut [f32], first: usize) {
        let a = self.a();
        let width = self.first.width();
        for (row, numbers) in (first..).zip(numbers.chunks_exact_mut(width)) {
            for (column, a) in self.second.chunks_exact(self.rows).zip(a.chunks_exact(width)) {
                let share = column.get(row).copied().unwrap_or(0.0);
                kernel::add_share(numbers, a, share * self.scale);
            }
        }
    }
}

impl PartialEq for LowRank {
    fn eq(&self, other: &Self) -> bool {
        self.first.weights().bytes == other.first.weights().bytes
            && self.second == other.second
            && self.shape() == other.shape()
            && self.scale.total_cmp(&other.scale).is_eq()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> LowRank {
        // A = [1 2 3; 4 5 6], B = [1 10; 2 20; 3 30; 4 40].
        let b = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0];
        LowRank::new([4, 3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &b, 0.5).unwrap()
    }

    #[test]
    fn halves_that_do_not_fit_are_no_change() {
        assert!(LowRank::new([2, 2, 1], &[1.0, 2.0], &[1.0], 1.0).is_none());
        assert!(LowRank::new([2, 2, 0], &[], &[], 1.0).is_none());
        assert_eq!((change().shape(), change().rank(), change().parameters()), ([4, 3], 2, 14));
        assert_eq!(change().b(), [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
    }

    #[test]
    fn what_is_added_to_products_is_what_is_added_to_the_matrix() {
        let change = change();
        let mut matrix = vec![0.0; 6];
        change.add_to(&mut matrix, 1);
        // Rows 1 and 2 of B A / 2.
        assert_eq!(matrix, [41.0, 52.0, 63.0, 61.5, 78.0, 94.5]);
        let mut products = vec![1.0; 8];
        let input = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
        change.add_products(&Input::new(&input, 3), &mut products).unwrap();
        assert_eq!(products, [21.5, 42.0, 62.5, 83.0, 58.5, 116.0, 173.5, 231.0]);
    }

    #[test]
    fn a_part_has_its_rows_and_another_order_the_same_ones() {
        assert_eq!(change().part(1..3).unwrap().b(), [2.0, 20.0, 3.0, 30.0]);
        assert!(change().part(3..5).is_none());
        assert_eq!(
            change().reordered(|at| 3 - at).b(),
            [4.0, 40.0, 3.0, 30.0, 2.0, 20.0, 1.0, 10.0]
        );
    }
}
