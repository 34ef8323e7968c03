//! Safetensors: a length of 8 bytes, that many bytes of JSON, then the data of the tensors without gaps.
//!
//! Format: <https://github.com/huggingface/safetensors>, "Format". As in the reference implementation the header is
//! filled up with spaces to a multiple of 8 bytes, and tensors lie in the order of how wide their elements are, widest
//! first, and then of their names: so each is aligned.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use nearside_architecture::Dtype;
use nearside_architecture::header::safetensors::MAX_DIMENSIONS;
use nearside_store::atomic::Growing;
use serde::Serialize;

use super::stream::write_tensor;
use super::{TensorInfo, WriteError, once};

const METADATA: &str = "__metadata__";
/// What the header is filled up to a multiple of.
const ALIGNMENT: usize = 8;

/// Writes a file: the header, then the data of each tensor. `data` writes the bytes of the tensor with an index in
/// `tensors`; it is asked in the order that they lie in the file, which is another. Returns the length of the file.
///
/// # Errors
/// When a name, shape or type has no place in the format, the data of a tensor is longer or shorter than its shape
/// needs, or it cannot be made or written.
pub fn write_safetensors<E: From<WriteError>>(
    out: &mut impl Write,
    metadata: &BTreeMap<String, String>,
    tensors: &[TensorInfo],
    mut data: impl FnMut(usize, &mut dyn Write) -> Result<(), E>,
) -> Result<u64, E> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|index| {
        let tensor = &tensors[*index];
        (std::cmp::Reverse(tensor.dtype.block().1), tensor.name.as_str())
    });
    let (header, end) = header(metadata, order.iter().map(|index| &tensors[*index]))?;
    let length = header.len() as u64;
    out.write_all(&length.to_le_bytes()).map_err(WriteError::from)?;
    out.write_all(&header).map_err(WriteError::from)?;
    for index in order {
        let tensor = &tensors[index];
        write_tensor(out, &tensor.name, tensor.bytes()?, |out| data(index, out))?;
    }
    Ok(8 + length + end)
}

/// The same into a file that is there whole or not at all.
///
/// # Errors
/// As [`write_safetensors`], and when the file cannot take its place; an older one is then still there.
pub fn write_safetensors_file<E: From<WriteError>>(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[TensorInfo],
    data: impl FnMut(usize, &mut dyn Write) -> Result<(), E>,
) -> Result<u64, E> {
    let mut file = Growing::new(path).map_err(WriteError::from)?;
    let length = write_safetensors(&mut file, metadata, tensors, data)?;
    file.finish().map_err(WriteError::from)?;
    Ok(length)
}

/// What the header says of a tensor.
#[derive(Serialize)]
struct Described<'a> {
    dtype: &'static str,
    shape: &'a [u64],
    data_offsets: (u64, u64),
}

/// The JSON with the spaces after it, and where the data ends.
fn header<'a>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = &'a TensorInfo>,
) -> Result<(Vec<u8>, u64), WriteError> {
    let mut parts = Vec::new();
    if !metadata.is_empty() {
        parts.push(format!("\"{METADATA}\":{}", json(metadata)?));
    }
    let (mut names, mut end) = (vec![METADATA], 0u64);
    for tensor in tensors {
        let begin = end;
        end = begin.checked_add(tensor.bytes()?).ok_or_else(|| WriteError::Shape {
            tensor: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.dtype,
        })?;
        let described = describe(tensor, (begin, end))?;
        parts.push(format!("{}:{}", json(&tensor.name)?, json(&described)?));
        names.push(&tensor.name);
    }
    once(names)?;
    let mut bytes = format!("{{{}}}", parts.join(",")).into_bytes();
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), b' ');
    Ok((bytes, end))
}

fn describe(tensor: &TensorInfo, data_offsets: (u64, u64)) -> Result<Described<'_>, WriteError> {
    let name = || tensor.name.clone();
    let format = "safetensors";
    if tensor.shape.len() > MAX_DIMENSIONS {
        let (found, most) = (tensor.shape.len(), MAX_DIMENSIONS);
        return Err(WriteError::Dimensions { tensor: name(), format, found, most });
    }
    let dtype = type_name(tensor.dtype);
    let dtype =
        dtype.ok_or_else(|| WriteError::Dtype { tensor: name(), dtype: tensor.dtype, format })?;
    Ok(Described { dtype, shape: &tensor.shape, data_offsets })
}

/// The format's name of a type. There are several of 8-bit floats, and they are not told apart here.
fn type_name(dtype: Dtype) -> Option<&'static str> {
    Some(match dtype {
        Dtype::F64 => "F64",
        Dtype::F32 => "F32",
        Dtype::F16 => "F16",
        Dtype::Bf16 => "BF16",
        Dtype::I64 => "I64",
        Dtype::I32 => "I32",
        Dtype::I16 => "I16",
        Dtype::I8 => "I8",
        Dtype::U8 => "U8",
        Dtype::Bool => "BOOL",
        _ => return None,
    })
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<String, WriteError> {
    serde_json::to_string(value).map_err(|error| WriteError::Io(error.into()))
}
