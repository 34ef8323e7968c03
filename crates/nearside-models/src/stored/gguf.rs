//! A model in GGUF, in one file or several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nearside_architecture::header::gguf::{self, GgufHeader};
use nearside_architecture::{Architecture, HeaderError};

use crate::bytes::Bytes;
use crate::error::ModelError;
use crate::numerics::Numerics;

use super::{Naming, StoredModel, StoredTensor, map, numbers};

/// The most files that a model is in.
const MAX_FILES: u64 = 10_000;

pub(super) fn open(path: &Path) -> Result<StoredModel, ModelError> {
    let (mut header, file) = read(path)?;
    let mut tensors = placed(path, &header, &file)?;
    if let Some(split) = header.split() {
        if split.index != 0 {
            let first = part(path, 0, split.count)?;
            let reason = format!(
                "it is part {} of {}: open {}",
                split.index + 1,
                split.count,
                first.display()
            );
            return Err(ModelError::NoModel { path: path.to_owned(), reason });
        }
        for index in 1..split.count.min(MAX_FILES) {
            let path = part(path, index, split.count)?;
            let (other, file) = read(&path)?;
            tensors.extend(placed(&path, &other, &file)?);
            header.join(&other).map_err(|error| ModelError::Header { path, error })?;
        }
    }
    let in_header = |error: HeaderError| ModelError::Header { path: path.to_owned(), error };
    let architecture = header.decoder().map_err(in_header)?;
    let numbers = |name: &str| {
        let StoredTensor { dtype, shape, bytes } = tensors.get(name)?;
        numbers(*dtype, shape, bytes)
    };
    let by_context = numbers("rope_factors_short.weight").zip(numbers("rope_factors_long.weight"));
    let numerics = match &architecture {
        Architecture::Decoder(decoder) => {
            let by_context = by_context.map(<[Vec<f64>; 2]>::from);
            Some(Numerics::of_gguf(&header, decoder, numbers("rope_freqs.weight"), by_context)?)
        }
        _ => None,
    };
    Ok(StoredModel {
        path: path.to_owned(),
        architecture,
        numerics,
        naming: Naming::Gguf,
        tensors,
        gguf: Some((header, file)),
    })
}

pub(super) fn read(path: &Path) -> Result<(GgufHeader, Bytes), ModelError> {
    let file = map(path)?;
    let header = gguf::parse(&file, Some(file.len() as u64))
        .map_err(|error| ModelError::Header { path: path.to_owned(), error })?;
    Ok((header, file))
}

pub(super) fn placed(
    path: &Path,
    header: &GgufHeader,
    file: &Bytes,
) -> Result<BTreeMap<String, StoredTensor>, ModelError> {
    let place = |(name, tensor): (&String, &gguf::Tensor)| {
        let from = usize::try_from(header.header_length + tensor.offset).ok()?;
        let to = from.checked_add(usize::try_from(tensor.bytes.get()).ok()?)?;
        let shape = tensor.dimensions.iter().rev().copied().collect();
        let stored = StoredTensor { dtype: tensor.dtype, shape, bytes: file.part(from..to)? };
        Some((name.clone(), stored))
    };
    header.tensors.iter().map(place).collect::<Option<_>>().ok_or_else(|| ModelError::NoModel {
        path: path.to_owned(),
        reason: "a tensor does not lie in the file".to_owned(),
    })
}

/// The path of a part, as `model-00001-of-00003.gguf`.
fn part(path: &Path, index: u64, count: u64) -> Result<PathBuf, ModelError> {
    let unnamed = || ModelError::NoModel {
        path: path.to_owned(),
        reason: format!(
            "it is one of {count} parts, but is not named so (-00001-of-{count:05}.gguf)"
        ),
    };
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(unnamed)?;
    let stem = name.strip_suffix(&format!("-of-{count:05}.gguf")).ok_or_else(unnamed)?;
    let (stem, number) = stem.rsplit_once('-').ok_or_else(unnamed)?;
    if number.len() != 5 || number.parse::<u64>().is_err() {
        return Err(unnamed());
    }
    Ok(path.with_file_name(format!("{stem}-{:05}-of-{count:05}.gguf", index + 1)))
}
