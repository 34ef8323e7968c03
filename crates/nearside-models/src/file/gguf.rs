//! GGUF, version 3: a magic number, counts, key-value pairs, descriptions of tensors, then their data, each aligned.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::io::Write;
use std::path::Path;

use nearside_architecture::header::gguf::{DEFAULT_ALIGNMENT, MAX_NAME, number_of};
use nearside_store::atomic::Growing;

use super::stream::{pad, write_tensor};
use super::{MetadataValue, TensorInfo, WriteError, once};

const VERSION: u32 = 3;
/// The most dimensions that ggml reads.
const MAX_DIMENSIONS: usize = 4;
const ALIGNMENT: &str = "general.alignment";

/// Writes a file: the header, then tensors in their order. `data` writes the bytes of the tensor with an index.
/// Returns the length of the file.
///
/// Tensors are aligned to `general.alignment`, or to 32 bytes where `metadata` does not have it. Dimensions are those
/// of [`TensorInfo`], outermost first; the file has them the other way round.
///
/// # Errors
/// When a name, key, shape or type has no place in the format, the data of a tensor is longer or shorter than its
/// shape needs, or it cannot be made or written.
pub fn write_gguf<E: From<WriteError>>(
    out: &mut impl Write,
    metadata: &[(String, MetadataValue)],
    tensors: &[TensorInfo],
    mut data: impl FnMut(usize, &mut dyn Write) -> Result<(), E>,
) -> Result<u64, E> {
    let alignment = alignment(metadata)?;
    let header = header(metadata, tensors, alignment)?;
    out.write_all(&header).map_err(WriteError::from)?;
    let mut written = pad(out, header.len() as u64, alignment)?;
    for (index, tensor) in tensors.iter().enumerate() {
        let bytes = tensor.bytes()?;
        write_tensor(out, &tensor.name, bytes, |out| data(index, out))?;
        written = pad(out, written + bytes, alignment)?;
    }
    Ok(written)
}

/// The header alone, up to where the first tensor begins.
///
/// # Errors
/// When a name, key, shape or type has no place in the format.
pub fn gguf_header(
    metadata: &[(String, MetadataValue)],
    tensors: &[TensorInfo],
) -> Result<Vec<u8>, WriteError> {
    let alignment = alignment(metadata)?;
    let mut bytes = header(metadata, tensors, alignment)?;
    let length = bytes.len() as u64;
    pad(&mut bytes, length, alignment)?;
    Ok(bytes)
}

/// The same into a file that is there whole or not at all.
///
/// # Errors
/// As [`write_gguf`], and when the file cannot take its place; an older one is then still there.
pub fn write_gguf_file<E: From<WriteError>>(
    path: &Path,
    metadata: &[(String, MetadataValue)],
    tensors: &[TensorInfo],
    data: impl FnMut(usize, &mut dyn Write) -> Result<(), E>,
) -> Result<u64, E> {
    let mut file = Growing::new(path).map_err(WriteError::from)?;
    let length = write_gguf(&mut file, metadata, tensors, data)?;
    file.finish().map_err(WriteError::from)?;
    Ok(length)
}

/// The alignment that the metadata names.
fn alignment(metadata: &[(String, MetadataValue)]) -> Result<u64, WriteError> {
    match metadata.iter().find(|(key, _)| key == ALIGNMENT) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some((_, MetadataValue::U32(bytes)))
            if bytes.is_power_of_two() && (8..=1 << 24).contains(bytes) =>
        {
            Ok(u64::from(*bytes))
        }
        Some((_, other)) => Err(WriteError::Alignment { found: format!("{other:?}") }),
    }
}

/// Everything before the padding in front of the first tensor.
fn header(
    metadata: &[(String, MetadataValue)],
    tensors: &[TensorInfo],
    alignment: u64,
) -> Result<Vec<u8>, WriteError> {
    once(metadata.iter().map(|(key, _)| key.as_str()).collect())?;
    once(tensors.iter().map(|tensor| tensor.name.as_str()).collect())?;
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        push_name(&mut bytes, key)?;
        value.push(&mut bytes);
    }
    let mut offset = 0;
    for tensor in tensors {
        push_description(&mut bytes, tensor, offset)?;
        offset = (offset + tensor.bytes()?).next_multiple_of(alignment);
    }
    Ok(bytes)
}

fn push_description(
    bytes: &mut Vec<u8>,
    tensor: &TensorInfo,
    offset: u64,
) -> Result<(), WriteError> {
    let name = || tensor.name.clone();
    if tensor.shape.len() > MAX_DIMENSIONS {
        let (found, most) = (tensor.shape.len(), MAX_DIMENSIONS);
        return Err(WriteError::Dimensions { tensor: name(), format: "GGUF", found, most });
    }
    let number = number_of(tensor.dtype);
    let number = number.ok_or_else(|| WriteError::Dtype {
        tensor: name(),
        dtype: tensor.dtype,
        format: "GGUF",
    })?;
    push_name(bytes, &tensor.name)?;
    bytes.extend((tensor.shape.len() as u32).to_le_bytes());
    bytes.extend(tensor.shape.iter().rev().flat_map(|size| size.to_le_bytes()));
    bytes.extend(number.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    Ok(())
}

fn push_name(bytes: &mut Vec<u8>, name: &str) -> Result<(), WriteError> {
    if name.is_empty() || name.len() as u64 > MAX_NAME {
        return Err(WriteError::Name { name: name.to_owned(), most: MAX_NAME });
    }
    bytes.extend((name.len() as u64).to_le_bytes());
    bytes.extend(name.as_bytes());
    Ok(())
}
