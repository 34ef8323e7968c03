//! Which kernel a product takes, and which core does which rows of it.

use std::cell::RefCell;
use std::sync::OnceLock;

use nearside_architecture::Dtype;
use rayon::prelude::*;
use thiserror::Error;

use crate::block;

use super::activations::Activations;
use super::float_panel::{FloatPanel, FloatPanelProducts};
use super::gemv::{DenseProducts, Format, Numbers, Products};
use super::lanes;
use super::panel::{Panel, PanelPlace, PanelProducts, ROWS};
use super::side_by_side::SideBySide;

/// Rows of activations from which on weights are unpacked once for all of them.
const MANY: usize = 8;
/// Bytes of weights that are worth another core's attention.
const WORTH_SHARING: usize = 64 << 10;
/// Shares that each core gets of one product, so that one that is held up does not hold up all.
const SHARES: usize = 4;

/// Why there is no product.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KernelError {
    /// What goes in is not as wide as the weights, or they are no whole number of blocks wide.
    #[error("weights of {dtype} are {weights} wide, what they are multiplied with {input}")]
    Width {
        /// How the weights are stored.
        dtype: Dtype,
        /// Their width.
        weights: usize,
        /// The input's.
        input: usize,
    },
    /// The bytes are others than so many rows take.
    #[error("{rows} rows of {width} {dtype} do not take {bytes} bytes")]
    Bytes {
        /// How the weights are stored.
        dtype: Dtype,
        /// How many rows there are.
        rows: usize,
        /// Their width.
        width: usize,
        /// How many bytes there are.
        bytes: usize,
    },
    /// Weights of a type that is not read.
    #[error("weights of {dtype} are not computed with: the type is not read")]
    NotRead {
        /// The type.
        dtype: Dtype,
    },
    /// There is no room, or too much, for the products.
    #[error("products of {rows} rows with {inputs} do not take {place} places")]
    Place {
        /// How many rows of weights there are.
        rows: usize,
        /// How many rows they are multiplied with.
        inputs: usize,
        /// How many numbers there is room for.
        place: usize,
    },
}

/// A matrix of weights as a file has it: rows of whole blocks, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// How a row is stored.
    pub dtype: Dtype,
    /// How many rows there are: the width of what comes out.
    pub rows: usize,
    /// The width of a row, and of what goes in.
    pub width: usize,
    /// All rows.
    pub bytes: &'a [u8],
}

/// What goes into products: rows of numbers, and the same as bytes once a product needs them so. It is multiplied by one
/// task at a time: making the bytes of it waits for other tasks.
#[derive(Debug)]
pub struct Input<'a> {
    values: &'a [f32],
    width: usize,
    activations: OnceLock<Activations>,
    side_by_side: OnceLock<SideBySide>,
}

impl<'a> Input<'a> {
    /// Rows of `width` numbers, one after the other.
    #[must_use]
    pub const fn new(values: &'a [f32], width: usize) -> Self {
        Self { values, width, activations: OnceLock::new(), side_by_side: OnceLock::new() }
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// The rows.
    pub(crate) const fn values(&self) -> &'a [f32] {
        self.values
    }

    fn activations(&self) -> &Activations {
        self.activations.get_or_init(|| Activations::of(self.values, self.width))
    }

    fn side_by_side(&self) -> &SideBySide {
        self.side_by_side.get_or_init(|| SideBySide::of(self.activations()))
    }
}

/// The products of several matrices with the same input, each into its own place: row by row of the input, one number
/// for every row of weights. All of them are shared out to the cores at once.
///
/// # Errors
/// When the widths differ, or the bytes or the place are not those of so many rows.
pub fn multiply(
    weights: &[Weights<'_>],
    input: &Input<'_>,
    products: &mut [&mut [f32]],
) -> Result<(), KernelError> {
    let prepared = weights.iter().map(|weights| Prepared::of(weights, input));
    let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = weights.iter().map(|weights| weights.bytes.len()).sum();
    let share = bytes.div_ceil(rayon::current_num_threads() * SHARES).max(WORTH_SHARING);
    let mut tasks = Vec::new();
    for (work, products) in prepared.iter().zip(products) {
        let (rows, inputs) = (work.weights.rows, work.inputs);
        if products.len() != rows * inputs {
            return Err(KernelError::Place { rows, inputs, place: products.len() });
        }
        work.share_out(products, share, &mut tasks);
    }
    match tasks.as_mut_slice() {
        // What one core does alone needs no other to be woken.
        [task] => task.run(),
        tasks => tasks.par_iter_mut().for_each(Task::run),
    }
    Ok(())
}

/// A product whose way is chosen.
struct Prepared<'a> {
    weights: Weights<'a>,
    row_bytes: usize,
    way: Way<'a>,
    /// Rows of the input.
    inputs: usize,
}

/// How a product is computed.
#[derive(Clone, Copy)]
enum Way<'a> {
    /// From the bytes, for each row of the input by itself.
    Blocks(Format, &'a Activations),
    /// The same, with the numbers themselves.
    Numbers(&'a Input<'a>),
    /// Sixteen rows unpacked to levels for all rows of the input.
    Levels(Format, &'a SideBySide),
    /// Sixteen rows unpacked to numbers for all rows of the input.
    Floats(&'a Input<'a>),
}

impl<'a> Prepared<'a> {
    fn of(weights: &Weights<'a>, input: &'a Input<'a>) -> Result<Self, KernelError> {
        let Weights { dtype, rows, width, bytes } = *weights;
        let (per_block, block_bytes) = dtype.block();
        let row_bytes = width / per_block as usize * block_bytes as usize;
        if width != input.width || !width.is_multiple_of(per_block as usize) {
            return Err(KernelError::Width { dtype, weights: width, input: input.width });
        }
        if row_bytes.checked_mul(rows) != Some(bytes.len()) || bytes.is_empty() {
            return Err(KernelError::Bytes { dtype, rows, width, bytes: bytes.len() });
        }
        if !block::is_read(dtype) {
            return Err(KernelError::NotRead { dtype });
        }
        let inputs = input.rows();
        let plain = matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::Bf16);
        let way = match Format::of(dtype) {
            Some(format) if inputs < MANY => Way::Blocks(format, input.activations()),
            Some(format) => Way::Levels(format, input.side_by_side()),
            None if plain && inputs < MANY => Way::Numbers(input),
            None => Way::Floats(input),
        };
        Ok(Self { weights: *weights, row_bytes, way, inputs })
    }

    /// Cuts the work into runs of rows, each with its part of every row of the products.
    fn share_out<'b>(&'b self, products: &'b mut [f32], share: usize, tasks: &mut Vec<Task<'b>>) {
        let rows = (share / self.row_bytes).max(1).next_multiple_of(ROWS);
        let first = tasks.len();
        let weights = self.weights.bytes.chunks(rows * self.row_bytes);
        tasks.extend(weights.map(|weights| Task {
            work: self,
            weights,
            products: Vec::with_capacity(self.inputs),
        }));
        for products in products.chunks_exact_mut(self.weights.rows) {
            for (task, part) in tasks[first..].iter_mut().zip(products.chunks_mut(rows)) {
                task.products.push(part);
            }
        }
    }
}

/// Some rows of a product.
struct Task<'a> {
    work: &'a Prepared<'a>,
    weights: &'a [u8],
    /// For every row of the input the products with these rows.
    products: Vec<&'a mut [f32]>,
}

impl Task<'_> {
    fn run(&mut self) {
        let Prepared { weights: Weights { dtype, width, .. }, row_bytes, way, inputs } = *self.work;
        let Self { weights, products, .. } = self;
        match way {
            Way::Blocks(format, activations) => {
                let inputs: Vec<_> = (0..inputs).map(|input| activations.row(input)).collect();
                Products { weights, row_bytes, inputs: &inputs, products }.compute(format);
            }
            Way::Numbers(Input { values, width, .. }) => {
                let inputs = Numbers { values, width: *width };
                DenseProducts { dtype, weights, row_bytes, inputs, products }.compute();
            }
            Way::Levels(format, inputs) => PANEL.with_borrow_mut(|panel| {
                let mut panels = weights.chunks(ROWS * row_bytes).enumerate().peekable();
                while let Some((index, weights)) = panels.next() {
                    panel.fill(format, weights, row_bytes, width);
                    let next = panels.peek().map_or(&[][..], |(_, next)| next);
                    let products = PanelPlace { products, first: index * ROWS };
                    lanes::run(PanelProducts { panel, inputs, next, products });
                }
            }),
            Way::Floats(Input { values, .. }) => FLOAT_PANEL.with_borrow_mut(|panel| {
                for (index, weights) in weights.chunks(ROWS * row_bytes).enumerate() {
                    panel.fill(dtype, weights, row_bytes, width);
                    let products = PanelPlace { products, first: index * ROWS };
                    lanes::run(FloatPanelProducts { panel, values, products });
                }
            }),
        }
    }
}

thread_local! {
    /// Memory of each thread for what it unpacks.
    static PANEL: RefCell<Panel> = RefCell::default();
    static FLOAT_PANEL: RefCell<FloatPanel> = RefCell::default();
}
