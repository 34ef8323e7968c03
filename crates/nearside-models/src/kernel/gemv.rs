//! The products of rows of weights with one row of activations, from the bytes that a file has: what a model does
//! for every token that it writes, as fast as memory can be read.
//!
//! One function per format says how a block's bytes become levels; [`Format`] lists them. All are
//! `scale * level - offset` per group, so a row's product is a sum of exact whole numbers per group, times one
//! factor each, in sixteen parts (see [`Lanes`]).

mod dense;
mod grouped;
mod plain_blocks;
mod six_bits;

use std::marker::PhantomData;

use nearside_architecture::Dtype;

use super::activations::Row;
use super::lanes::{self, Kernel, Lanes};

/// How far ahead memory is asked for, in bytes: so far that it is there when it is wanted, and not so far that it is
/// gone again. Without asking, a core reads a bit more than half as fast (`--example products`).
const AHEAD: usize = 1536;

/// A format with a kernel for its products with activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Q4K,
    Q5K,
    Q6K,
    Q8_0,
    Q4_0,
}

impl Format {
    /// `None` where products of the type take another way.
    pub(crate) const fn of(dtype: Dtype) -> Option<Self> {
        Some(match dtype {
            Dtype::Q4K => Self::Q4K,
            Dtype::Q5K => Self::Q5K,
            Dtype::Q6K => Self::Q6K,
            Dtype::Q8_0 => Self::Q8_0,
            Dtype::Q4_0 => Self::Q4_0,
            _ => return None,
        })
    }
}

/// Rows of weights, each so many bytes, and rows of activations, each with the place of its products.
pub(crate) struct Products<'a, 'b> {
    pub weights: &'a [u8],
    pub row_bytes: usize,
    pub inputs: &'a [Row<'a>],
    pub products: &'a mut [&'b mut [f32]],
}

impl Products<'_, '_> {
    pub(crate) fn compute(self, format: Format) {
        match format {
            Format::Q4K => self.run::<grouped::Q4K>(),
            Format::Q5K => self.run::<grouped::Q5K>(),
            Format::Q6K => self.run::<six_bits::Q6K>(),
            Format::Q8_0 => self.run::<plain_blocks::Q8_0>(),
            Format::Q4_0 => self.run::<plain_blocks::Q4_0>(),
        }
    }

    fn run<P: RowProduct>(self) {
        lanes::run(ProductsOf::<P> { products: self, format: PhantomData });
    }
}

/// How a row of a format is multiplied. A trait and no closure, and loops that count and no iterators: all of it has
/// to become part of the function that has the instructions.
trait RowProduct {
    fn product<L: Lanes>(lanes: L, row: &[u8], x: Row<'_>) -> f32;
}

struct ProductsOf<'a, 'b, P> {
    products: Products<'a, 'b>,
    format: PhantomData<P>,
}

impl<P: RowProduct> Kernel for ProductsOf<'_, '_, P> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Products { weights, row_bytes, inputs, products } = self.products;
        for index in 0..weights.len() / row_bytes {
            let row = &weights[index * row_bytes..(index + 1) * row_bytes];
            for input in 0..inputs.len().min(products.len()) {
                products[input][index] = P::product(lanes, row, inputs[input]);
            }
        }
    }
}

/// Rows of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    /// The rows, one after the other.
    pub values: &'a [f32],
    /// Numbers of a row.
    pub width: usize,
}

/// Rows of weights that are plain numbers, and rows of numbers, each with the place of its products.
pub(crate) struct DenseProducts<'a, 'b> {
    pub dtype: Dtype,
    pub weights: &'a [u8],
    pub row_bytes: usize,
    pub inputs: Numbers<'a>,
    pub products: &'a mut [&'b mut [f32]],
}

impl DenseProducts<'_, '_> {
    pub(crate) fn compute(self) {
        match self.dtype {
            Dtype::F16 => self.run::<dense::F16>(),
            Dtype::Bf16 => self.run::<dense::Bf16>(),
            _ => self.run::<dense::F32>(),
        }
    }

    fn run<N: dense::Number>(self) {
        lanes::run(DenseProductsOf::<N> { products: self, number: PhantomData });
    }
}

struct DenseProductsOf<'a, 'b, N> {
    products: DenseProducts<'a, 'b>,
    number: PhantomData<N>,
}

impl<N: dense::Number> Kernel for DenseProductsOf<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let DenseProducts {
            weights, row_bytes, inputs: Numbers { values, width }, products, ..
        } = self.products;
        for index in 0..weights.len() / row_bytes {
            let row = &weights[index * row_bytes..(index + 1) * row_bytes];
            for (values, products) in values.chunks_exact(width).zip(&mut *products) {
                products[index] = dense::product::<L, N>(lanes, row, values);
            }
        }
    }
}

/// Asks for a block that comes later.
#[inline(always)]
fn ask_ahead<L: Lanes, const BYTES: usize>(lanes: L, block: &[u8; BYTES]) {
    let mut line = 0;
    while line < BYTES {
        lanes.ask_for(block, AHEAD + line);
        line += 64;
    }
}

/// `COUNT` bytes of a block from a place on, which the format's layout fixes.
#[inline(always)]
pub(crate) fn part<const COUNT: usize>(block: &[u8], from: usize) -> &[u8; COUNT] {
    block.get(from..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; COUNT])
}

/// Levels as the bytes that kernels load.
#[inline(always)]
pub(super) fn level_bytes<const COUNT: usize>(levels: &[i8], from: usize) -> &[u8; COUNT] {
    part(pulp::bytemuck::cast_slice(levels), from)
}

/// What scales and offsets of groups of 32 add up to: the last eight lanes.
#[inline(always)]
pub(super) fn last_eight(mut lanes: [f32; 16]) -> f32 {
    for half in [4, 2, 1] {
        for lane in 8..8 + half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[8]
}
