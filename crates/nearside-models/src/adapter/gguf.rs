//! An adapter as llama.cpp has it: a GGUF file of type `adapter`, with `NAME.lora_a` and `NAME.lora_b` for every tensor
//! that is changed; experts follow each other in both.
//!
//! `scale = adapter.lora.alpha / rank`, and 1 where alpha is 0. Source: `llama-adapter.cpp` and
//! `convert_lora_to_gguf.py` of llama.cpp, build 11549 (MIT licence).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nearside_architecture::Dtype;
use nearside_architecture::header::gguf::{GgufHeader, Value};

use crate::file::{MetadataValue, TensorInfo, WriteError, write_gguf_file};
use crate::matrix::Matrix;
use crate::numerics::Pairs;
use crate::quantize::{gguf_family, half_row};
use crate::stored::{self, StoredModel, StoredTensor};

use super::target::Target;
use super::{Adapter, AdapterError, LowRank};

const ARCHITECTURE: &str = "general.architecture";
const ALPHA: &str = "adapter.lora.alpha";
const FIRST: &str = ".lora_a";
const SECOND: &str = ".lora_b";

pub(super) fn read(
    path: &Path,
    base: &StoredModel,
    targets: &[Target],
) -> Result<Adapter, AdapterError> {
    let (header, tensors) = stored::gguf(path)?;
    let alpha = alpha(path, &header)?;
    let family = text(&header, ARCHITECTURE).unwrap_or_default();
    let (expected, neighbours) = family_of(base)?;
    if family != expected {
        let reason = format!("it is for {family}, the model is {expected}");
        return Err(AdapterError::NoAdapter { path: path.to_owned(), reason });
    }
    let known = |name: &String| name.ends_with(FIRST) || name.ends_with(SECOND);
    if let Some(name) = tensors.keys().find(|name| !known(name)) {
        return Err(AdapterError::NoChange { name: name.clone() });
    }
    let ends = [FIRST, SECOND];
    let names: BTreeSet<&str> = tensors
        .keys()
        .filter_map(|name| ends.iter().find_map(|end| name.strip_suffix(end)))
        .collect();
    let mut adapter = Adapter {
        base: text(&header, "general.base_model.0.name").map(str::to_owned),
        ..Adapter::default()
    };
    for name in names {
        let of_name: Vec<_> = targets.iter().filter(|target| target.gguf() == name).collect();
        if of_name.is_empty() {
            return Err(AdapterError::NoMatrix { name: name.to_owned() });
        }
        let half = |end: &str| tensors.get(&format!("{name}{end}"));
        let (Some(a), Some(b)) = (half(FIRST), half(SECOND)) else {
            return Err(AdapterError::Half { name: name.to_owned() });
        };
        for target in of_name {
            let mut change = of_expert(name, target, [a, b], alpha)?;
            if let Some(head) = target.head.filter(|_| neighbours) {
                change = change.reordered(|at| interleaved_row(at, head));
            }
            adapter.add(target, change, || name.to_owned())?;
        }
    }
    match adapter.changes.is_empty() {
        true => Err(AdapterError::NoAdapter {
            path: path.to_owned(),
            reason: "it changes nothing".to_owned(),
        }),
        false => Ok(adapter),
    }
}

/// What the product is multiplied with, times the rank; `None` for a scale of one.
fn alpha(path: &Path, header: &GgufHeader) -> Result<Option<f64>, AdapterError> {
    let no_adapter = |reason: String| AdapterError::NoAdapter { path: path.to_owned(), reason };
    for (key, expected) in [("general.type", "adapter"), ("adapter.type", "lora")] {
        let found = text(header, key).unwrap_or("missing");
        if found != expected {
            return Err(no_adapter(format!(
                "its {key} is {found}, that of an adapter is {expected}"
            )));
        }
    }
    if header.values.contains_key("adapter.alora.invocation_tokens") {
        return Err(no_adapter("it begins within a text, which is not computed here".to_owned()));
    }
    match header.values.get(ALPHA).map(|entry| &entry.value) {
        Some(Value::Float(alpha)) if alpha.is_finite() => {
            Ok(Some(*alpha).filter(|alpha| *alpha != 0.0))
        }
        _ => Err(no_adapter(format!("its {ALPHA} is no number"))),
    }
}

fn text<'a>(header: &'a GgufHeader, key: &str) -> Option<&'a str> {
    match &header.values.get(key)?.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// The change of a matrix, or of one expert's part of it.
fn of_expert(
    name: &str,
    target: &Target,
    [a, b]: [&StoredTensor; 2],
    alpha: Option<f64>,
) -> Result<LowRank, AdapterError> {
    let rank = a.shape.iter().rev().nth(1).copied().unwrap_or(0);
    let wrong = || AdapterError::Halves {
        name: name.to_owned(),
        halves: [a.shape.clone(), b.shape.clone()],
        rank,
    };
    let width = a.shape.last().copied().unwrap_or(0);
    let rows = b.shape.iter().rev().nth(1).copied().unwrap_or(0);
    let experts: &[u64] = &[target.experts as u64];
    let experts = if target.experts > 0 { experts } else { &[] };
    let fits = a.shape == [experts, &[rank, width]].concat()
        && b.shape == [experts, &[rows, rank]].concat();
    if !fits || rank == 0 {
        return Err(wrong());
    }
    let [rows, width, rank] = [rows, width, rank].map(|size| size as usize);
    let expert = target.place.expert.unwrap_or(0);
    let part = |tensor: &StoredTensor, height: usize, width: usize| {
        let all =
            Matrix::new(tensor.dtype, height * target.experts.max(1), width, tensor.bytes.clone())?;
        all.part(expert * height..(expert + 1) * height)?.numbers().ok()
    };
    let scale = alpha.map_or(1.0, |alpha| (alpha / rank as f64) as f32);
    part(a, rank, width)
        .zip(part(b, rows, rank))
        .and_then(|(a, b)| LowRank::new([rows, width, rank], &a, &b, scale))
        .ok_or_else(wrong)
}

/// What GGUF files call the model's family, and whether they have pairs of queries and keys side by side.
fn family_of(base: &StoredModel) -> Result<(String, bool), AdapterError> {
    match &base.gguf {
        Some((header, _)) => {
            let name = text(header, ARCHITECTURE).unwrap_or_default().to_owned();
            Ok((name, has_neighbours(base)))
        }
        None => {
            let found = gguf_family(base);
            found.map_err(|error| AdapterError::Base { reason: error.to_string() })
        }
    }
}

/// Whether the rows of a model's queries and keys lie otherwise than transformers has them.
pub(crate) fn has_neighbours(base: &StoredModel) -> bool {
    let turned = base.numerics.as_ref().map(|numerics| numerics.rope.pairs);
    base.gguf.is_some() && turned == Some(Pairs::Neighbours)
}

/// Where a row lies whose head has pairs side by side, when its halves are to be apart.
const fn interleaved_row(wanted: usize, head: usize) -> usize {
    let (first, within, half) = (wanted / head * head, wanted % head, head / 2);
    first + within % half * 2 + within / half
}

pub(super) fn write(
    adapter: &Adapter,
    path: &Path,
    base: &StoredModel,
    targets: &[Target],
) -> Result<(), AdapterError> {
    let Some((_, first)) = adapter.iter().next() else {
        let reason = "it changes nothing".to_owned();
        return Err(AdapterError::NoAdapter { path: path.to_owned(), reason });
    };
    let (family, neighbours) = family_of(base)?;
    let alpha = f64::from(first.scale()) * first.rank() as f64;
    // Zero would stand for a scale of one.
    let alpha = if alpha == 0.0 { first.rank() as f64 } else { alpha };
    let mut halves: BTreeMap<String, [Vec<f32>; 2]> = BTreeMap::new();
    let mut infos = Vec::new();
    for target in targets {
        let name = target.gguf();
        let rank = rank_of(adapter, targets, target);
        let Some(rank) = rank else { continue };
        let [rows, width] = target.shape;
        let entry = halves.entry(name.clone()).or_default();
        if entry.iter().all(Vec::is_empty) {
            let experts = Some(target.experts as u64).filter(|count| *count > 0);
            for (end, shape) in [(FIRST, [rank, width]), (SECOND, [rows, rank])] {
                let shape = experts.into_iter().chain(shape.map(|size| size as u64)).collect();
                infos.push(TensorInfo { name: format!("{name}{end}"), dtype: Dtype::F32, shape });
            }
        }
        let [a, b] = entry;
        match adapter.of(target.place) {
            Some(change) if change.rank() == rank => {
                let turned = target.head.filter(|_| neighbours);
                let change = turned.map_or_else(
                    || change.clone(),
                    |head| change.reordered(|at| half_row(at, head)),
                );
                a.extend(change.a());
                let times = (f64::from(change.scale()) * rank as f64 / alpha) as f32;
                b.extend(change.b().iter().map(|number| number * times));
            }
            Some(change) => {
                let halves = [vec![change.rank() as u64], vec![rank as u64]];
                return Err(AdapterError::Halves { name, halves, rank: rank as u64 });
            }
            // An expert that is not changed, among others that are.
            None => {
                a.resize(a.len() + rank * width, 0.0);
                b.resize(b.len() + rows * rank, 0.0);
            }
        }
    }
    let metadata = pairs(family, alpha);
    write_gguf_file(path, &metadata, &infos, |index, out| {
        let name = infos.get(index).map_or("", |info| info.name.as_str());
        let numbers = match (name.strip_suffix(FIRST), name.strip_suffix(SECOND)) {
            (Some(name), _) => halves.get(name).map(|[a, _]| a),
            (_, Some(name)) => halves.get(name).map(|[_, b]| b),
            _ => None,
        };
        let numbers = numbers.into_iter().flatten();
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        out.write_all(&bytes).map_err(WriteError::from)
    })?;
    Ok(())
}

/// What such a file says of itself.
fn pairs(family: String, alpha: f64) -> [(String, MetadataValue); 4] {
    let texts = [
        (ARCHITECTURE, MetadataValue::Text(family)),
        ("general.type", MetadataValue::Text("adapter".to_owned())),
        ("adapter.type", MetadataValue::Text("lora".to_owned())),
        (ALPHA, MetadataValue::F32(alpha as f32)),
    ];
    texts.map(|(key, value)| (key.to_owned(), value))
}

/// The rank of the tensor that a matrix lies in, where any of its matrices is changed.
fn rank_of(adapter: &Adapter, targets: &[Target], of: &Target) -> Option<usize> {
    if of.experts == 0 {
        return adapter.of(of.place).map(LowRank::rank);
    }
    let (layer, part) = (of.place.layer, of.place.part);
    let same =
        targets.iter().filter(|target| target.place.layer == layer && target.place.part == part);
    same.filter_map(|target| adapter.of(target.place)).map(LowRank::rank).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_interleaved_and_taken_apart_is_as_it_was() {
        for head in [2, 6, 8] {
            let rows: Vec<_> =
                (0..3 * head).map(|row| half_row(interleaved_row(row, head), head)).collect();
            assert_eq!(rows, (0..3 * head).collect::<Vec<_>>());
        }
    }
}
