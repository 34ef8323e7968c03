//! Numbers as GGUF files store them: blocks of a few levels with scales, made from floats and made floats again.
//!
//! The formats, and what [`quantize`] chooses among the many blocks that one format allows, are ggml's
//! (`ggml-common.h` and `ggml-quants.c`, MIT licence): both directions are equal to it bit by bit, so that a file
//! written here is the file that its tools write. Sums are added up in its order for that reason, in single
//! precision and without fused operations. One thing is not as there: blocks of IQ3_S with a group of zeros, whose
//! other groups ggml puts in the wrong places.

mod affine;
mod codebook;
mod error;
mod fit;
pub(crate) mod half;
mod line;
mod nonlinear;
mod packing;
mod plain;
mod scalar;
mod symmetric;
mod ternary;

use nearside_architecture::Dtype;
use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};

pub use error::BlockError;
pub use half::{bf16_from_f32, bf16_to_f32, f16_from_f32, f16_to_f32};
pub(crate) use packing::unpack_scales_and_mins;

/// Values that one thread takes at a time, a whole number of every format's blocks.
const SHARE: usize = 1 << 15;

/// Makes floats of whole blocks.
///
/// # Errors
/// When the format is not a block format of GGUF, or `bytes` and `values` are not the same whole number of blocks.
pub fn dequantize(dtype: Dtype, bytes: &[u8], values: &mut [f32]) -> Result<(), BlockError> {
    let decode = decoder(dtype).ok_or(BlockError::NotRead { dtype })?;
    let (elements, size) = block(dtype);
    let blocks = whole_blocks(dtype, values.len())?;
    if bytes.len() != blocks * size {
        return Err(BlockError::Bytes { dtype, expected: blocks * size, found: bytes.len() });
    }
    if values.len() <= SHARE {
        decode(bytes, values);
    } else {
        let shares = values.par_chunks_mut(SHARE).zip(bytes.par_chunks(SHARE / elements * size));
        shares.for_each(|(values, bytes)| decode(bytes, values));
    }
    Ok(())
}

/// Whether all numbers that blocks hold are finite: those of a damaged file often are not, and neither are those of
/// values too large for a scale of 16 bits, which [`quantize`] makes infinite as ggml does.
///
/// # Errors
/// As [`dequantize`], and at the first number that is not finite.
pub fn check(dtype: Dtype, bytes: &[u8]) -> Result<(), BlockError> {
    let (elements, size) = block(dtype);
    let mut values = vec![0.0; SHARE.min(bytes.len() / size * elements)];
    for (share, bytes) in bytes.chunks(SHARE / elements.min(SHARE) * size).enumerate() {
        let values = &mut values[..bytes.len() / size * elements];
        dequantize(dtype, bytes, values)?;
        check_finite(values, share * SHARE)?;
    }
    Ok(())
}

/// Makes blocks of rows of `row` floats each. `importance` has one weight per column: how much an error there
/// counts.
///
/// # Errors
/// When the format is only read, or written with weights only and there are none, a row is no whole number of blocks, or
/// a value or a weight is not finite.
pub fn quantize(
    dtype: Dtype,
    values: &[f32],
    importance: Option<&[f32]>,
    row: usize,
) -> Result<Vec<u8>, BlockError> {
    let (elements, size) = block(dtype);
    let mut bytes = vec![0; values.len() / elements * size];
    quantize_into(dtype, values, importance, row, &mut bytes)?;
    Ok(bytes)
}

/// The same into bytes that are there already.
///
/// # Errors
/// As [`quantize`], and when `bytes` has not the length of those blocks.
pub fn quantize_into(
    dtype: Dtype,
    values: &[f32],
    importance: Option<&[f32]>,
    row: usize,
    bytes: &mut [u8],
) -> Result<(), BlockError> {
    let encode = encoder(dtype).ok_or(BlockError::NotWritten { dtype })?;
    let (_, size) = block(dtype);
    let row_bytes = whole_blocks(dtype, row)? * size;
    if row == 0 || !values.len().is_multiple_of(row) {
        return Err(BlockError::Rows { row, values: values.len() });
    }
    let expected = values.len() / row * row_bytes;
    if bytes.len() != expected {
        return Err(BlockError::Bytes { dtype, expected, found: bytes.len() });
    }
    if needs_importance(dtype) && importance.is_none() {
        return Err(BlockError::Unweighted { dtype });
    }
    check_importance(importance, row)?;
    let rows_at_once = (SHARE / row).max(1);
    let shares =
        values.par_chunks(rows_at_once * row).zip(bytes.par_chunks_mut(rows_at_once * row_bytes));
    shares.enumerate().try_for_each(|(share, (values, bytes))| {
        check_finite(values, share * rows_at_once * row)?;
        let rows = values.chunks_exact(row).zip(bytes.chunks_exact_mut(row_bytes));
        rows.for_each(|(values, bytes)| encode(&Row { values, importance }, bytes));
        Ok(())
    })
}

/// Whether [`quantize`] writes a format.
#[must_use]
pub fn is_written(dtype: Dtype) -> bool {
    encoder(dtype).is_some()
}

/// Whether [`quantize`] writes a format with weights of importance only: so few bits are good for nothing without.
#[must_use]
pub fn needs_importance(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::Iq2Xxs | Dtype::Iq2Xs)
}

/// Whether [`dequantize`] reads a format.
#[must_use]
pub fn is_read(dtype: Dtype) -> bool {
    decoder(dtype).is_some()
}

/// What is made into blocks: a row, and the weights of its columns.
struct Row<'a> {
    values: &'a [f32],
    importance: Option<&'a [f32]>,
}

/// The weights of a block's columns, and the mean square of the whole row.
#[derive(Clone, Copy)]
struct Importance<'a, const N: usize> {
    columns: &'a [f32; N],
    row_power: f32,
}

/// Elements and bytes of one block.
fn block(dtype: Dtype) -> (usize, usize) {
    let (elements, bytes) = dtype.block();
    (elements as usize, bytes as usize)
}

fn whole_blocks(dtype: Dtype, values: usize) -> Result<usize, BlockError> {
    let (elements, _) = block(dtype);
    match values.is_multiple_of(elements) {
        true => Ok(values / elements),
        false => Err(BlockError::Partial { dtype, elements, values }),
    }
}

fn check_importance(importance: Option<&[f32]>, row: usize) -> Result<(), BlockError> {
    let Some(weights) = importance else { return Ok(()) };
    if weights.len() != row {
        return Err(BlockError::Importance { expected: row, found: weights.len() });
    }
    match weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        None => Ok(()),
        Some(column) => Err(BlockError::Weight { column, weight: weights[column] }),
    }
}

/// An error at the first value that is no number; `before` values came earlier.
fn check_finite(values: &[f32], before: usize) -> Result<(), BlockError> {
    const EXPONENT: u32 = 0x7f80_0000;
    // Without a way out of the loop it looks at several at once.
    let any = |found, value: &f32| found | u32::from(value.to_bits() & EXPONENT == EXPONENT);
    if values.iter().fold(0, any) == 0 {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(BlockError::NotFinite { element: before + at, value: values[at] }),
    }
}

type Decoder = fn(&[u8], &mut [f32]);
type Encoder = fn(&Row<'_>, &mut [u8]);

fn decoder(dtype: Dtype) -> Option<Decoder> {
    Some(match dtype {
        Dtype::F64 => {
            |bytes, values| scalar::decode(bytes, values, |b| f64::from_le_bytes(b) as f32)
        }
        Dtype::F32 => |bytes, values| scalar::decode(bytes, values, f32::from_le_bytes),
        Dtype::F16 => |bytes, values| {
            scalar::decode(bytes, values, |b| f16_to_f32(u16::from_le_bytes(b)));
        },
        Dtype::Bf16 => |bytes, values| {
            scalar::decode(bytes, values, |b| bf16_to_f32(u16::from_le_bytes(b)));
        },
        Dtype::I64 => {
            |bytes, values| scalar::decode(bytes, values, |b| i64::from_le_bytes(b) as f32)
        }
        Dtype::I32 => {
            |bytes, values| scalar::decode(bytes, values, |b| i32::from_le_bytes(b) as f32)
        }
        Dtype::I16 => {
            |bytes, values| scalar::decode(bytes, values, |b| i16::from_le_bytes(b).into())
        }
        Dtype::I8 => |bytes, values| scalar::decode(bytes, values, |b| i8::from_le_bytes(b).into()),
        Dtype::Q4_0 => |bytes, values| decode(bytes, values, plain::decode_q4_0),
        Dtype::Q4_1 => |bytes, values| decode(bytes, values, plain::decode_q4_1),
        Dtype::Q5_0 => |bytes, values| decode(bytes, values, plain::decode_q5_0),
        Dtype::Q5_1 => |bytes, values| decode(bytes, values, plain::decode_q5_1),
        Dtype::Q8_0 => |bytes, values| decode(bytes, values, plain::decode_q8_0),
        Dtype::Q2K => |bytes, values| decode(bytes, values, affine::decode_q2),
        Dtype::Q3K => |bytes, values| decode(bytes, values, symmetric::decode_q3),
        Dtype::Q4K => |bytes, values| decode(bytes, values, affine::decode_q4),
        Dtype::Q5K => |bytes, values| decode(bytes, values, affine::decode_q5),
        Dtype::Q6K => |bytes, values| decode(bytes, values, symmetric::decode_q6),
        Dtype::Q8K => |bytes, values| decode(bytes, values, symmetric::decode_q8),
        Dtype::Iq4Nl => |bytes, values| decode(bytes, values, nonlinear::decode_iq4_nl),
        Dtype::Iq4Xs => |bytes, values| decode(bytes, values, nonlinear::decode_iq4_xs),
        Dtype::Mxfp4 => |bytes, values| decode(bytes, values, nonlinear::decode_mxfp4),
        Dtype::Nvfp4 => |bytes, values| decode(bytes, values, nonlinear::decode_nvfp4),
        Dtype::Tq1_0 => |bytes, values| decode(bytes, values, ternary::decode_tq1),
        Dtype::Tq2_0 => |bytes, values| decode(bytes, values, ternary::decode_tq2),
        Dtype::Iq2Xxs => |bytes, values| decode(bytes, values, codebook::decode_iq2_xxs),
        Dtype::Iq2Xs => |bytes, values| decode(bytes, values, codebook::decode_iq2_xs),
        Dtype::Iq2S => |bytes, values| decode(bytes, values, codebook::decode_iq2_s),
        Dtype::Iq3Xxs => |bytes, values| decode(bytes, values, codebook::decode_iq3_xxs),
        Dtype::Iq3S => |bytes, values| decode(bytes, values, codebook::decode_iq3_s),
        Dtype::Iq1S => |bytes, values| decode(bytes, values, codebook::decode_iq1_s),
        Dtype::Iq1M => |bytes, values| decode(bytes, values, codebook::decode_iq1_m),
        _ => return None,
    })
}

fn encoder(dtype: Dtype) -> Option<Encoder> {
    Some(match dtype {
        Dtype::F32 => |row, bytes| scalar::encode(row.values, bytes, f32::to_le_bytes),
        Dtype::F16 => |row, bytes| {
            scalar::encode(row.values, bytes, |value| f16_from_f32(value).to_le_bytes());
        },
        Dtype::Bf16 => |row, bytes| {
            scalar::encode(row.values, bytes, |value| bf16_from_f32(value).to_le_bytes());
        },
        Dtype::Q4_0 => |row, bytes| encode(row, bytes, plain::encode_q4_0),
        Dtype::Q4_1 => |row, bytes| encode(row, bytes, plain::encode_q4_1),
        Dtype::Q5_0 => |row, bytes| encode(row, bytes, plain::encode_q5_0),
        Dtype::Q5_1 => |row, bytes| encode(row, bytes, plain::encode_q5_1),
        Dtype::Q8_0 => {
            |row, bytes| encode(row, bytes, |values, _, block| plain::encode_q8_0(values, block))
        }
        Dtype::Q2K => |row, bytes| encode(row, bytes, affine::encode_q2),
        Dtype::Q3K => |row, bytes| encode(row, bytes, symmetric::encode_q3),
        Dtype::Q4K => |row, bytes| encode(row, bytes, affine::encode_q4),
        Dtype::Q5K => |row, bytes| encode(row, bytes, affine::encode_q5),
        Dtype::Q6K => |row, bytes| encode(row, bytes, symmetric::encode_q6),
        Dtype::Iq2Xxs => |row, bytes| encode(row, bytes, codebook::encode_iq2_xxs),
        Dtype::Iq2Xs => |row, bytes| encode(row, bytes, codebook::encode_iq2_xs),
        Dtype::Iq2S => |row, bytes| encode(row, bytes, codebook::encode_iq2_s),
        Dtype::Iq3Xxs => |row, bytes| encode(row, bytes, codebook::encode_iq3_xxs),
        Dtype::Iq3S => |row, bytes| encode(row, bytes, codebook::encode_iq3_s),
        Dtype::Iq4Nl => |row, bytes| encode(row, bytes, nonlinear::encode_iq4_nl),
        Dtype::Iq4Xs => |row, bytes| encode(row, bytes, nonlinear::encode_iq4_xs),
        Dtype::Mxfp4 => |row, bytes| {
            encode(row, bytes, |values, _, block| nonlinear::encode_mxfp4(values, block));
        },
        Dtype::Nvfp4 => |row, bytes| {
            encode(row, bytes, |values, _, block| nonlinear::encode_nvfp4(values, block));
        },
        Dtype::Tq1_0 => {
            |row, bytes| encode(row, bytes, |values, _, block| ternary::encode_tq1(values, block))
        }
        Dtype::Tq2_0 => {
            |row, bytes| encode(row, bytes, |values, _, block| ternary::encode_tq2(values, block))
        }
        _ => return None,
    })
}

/// One block after the other.
fn decode<const N: usize, const B: usize>(
    bytes: &[u8],
    values: &mut [f32],
    one: impl Fn(&[u8; B], &mut [f32; N]),
) {
    let (blocks, _) = bytes.as_chunks();
    let (values, _) = values.as_chunks_mut();
    blocks.iter().zip(values).for_each(|(block, values)| one(block, values));
}

/// One block after the other.
fn encode<const N: usize, const B: usize>(
    row: &Row<'_>,
    bytes: &mut [u8],
    one: impl Fn(&[f32; N], Option<Importance<'_, N>>, &mut [u8; B]),
) {
    let (blocks, _) = bytes.as_chunks_mut();
    let (values, _) = row.values.as_chunks();
    let Some(importance) = row.importance else {
        return values.iter().zip(blocks).for_each(|(values, block)| one(values, None, block));
    };
    let row_power =
        fit::sum(row.values.iter().map(|value| value * value)) / row.values.len() as f32;
    let (columns, _) = importance.as_chunks();
    for ((values, block), columns) in values.iter().zip(blocks).zip(columns) {
        one(values, Some(Importance { columns, row_power }), block);
    }
}
