//! The cases of `tests/decoders.jsonl`, and their files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use nearside_architecture::Dtype;
use nearside_models::StoredModel;
use nearside_models::file::{TensorInfo, WriteError, write_safetensors_file};
use serde::Deserialize;
use serde_json::Value;

/// What transformers computes with a model.
#[derive(Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) config: Value,
    /// Names, shapes, and the middle and spread of the numbers.
    pub(crate) tensors: Vec<(String, Vec<u64>, f64, f64)>,
    pub(crate) prompt: Vec<u32>,
    pub(crate) greedy: Vec<u32>,
    pub(crate) positions: Vec<usize>,
    /// Scores at these positions of the prompt and its continuation.
    pub(crate) logits: Vec<Vec<f64>>,
}

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let cases = include_str!("../decoders.jsonl").lines();
    cases.map(|case| serde_json::from_str(case).unwrap()).collect()
}

/// The largest difference of two rows, as a part of the largest score.
pub(crate) fn error(row: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(row.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |largest, score| largest.max(score.abs()));
    let differences = row.iter().zip(expected).map(|(score, right)| f64::from(*score) - right);
    let worst = differences.map(f64::abs).fold(0.0, |worst: f64, difference| {
        if difference.is_nan() { f64::INFINITY } else { worst.max(difference) }
    });
    worst / largest
}

impl Case {
    /// The prompt and what follows it.
    pub(crate) fn text(&self) -> Vec<u32> {
        [self.prompt.as_slice(), &self.greedy].concat()
    }

    /// The numbers of all tensors, in their order.
    pub(crate) fn weights(&self) -> Vec<Vec<f32>> {
        let seeds = 0u64..;
        seeds.zip(&self.tensors).map(|(seed, tensor)| numbers(seed, tensor)).collect()
    }

    /// Its folder, written and opened. What was opened stays readable when the folder is gone.
    pub(crate) fn stored(&self) -> StoredModel {
        let folder = Folder::new();
        self.write(&folder.0);
        StoredModel::open(&folder.0).unwrap()
    }

    /// Writes its files into a folder.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("config.json"), self.config.to_string()).unwrap();
        let infos: Vec<_> =
            self.tensors.iter().map(|(name, shape, ..)| info(name, shape)).collect();
        let weights = self.weights();
        let path = folder.join("model.safetensors");
        write_safetensors_file(&path, &BTreeMap::new(), &infos, |index, out| {
            let bytes: Vec<u8> =
                weights[index].iter().flat_map(|number| number.to_le_bytes()).collect();
            out.write_all(&bytes).map_err(WriteError::from)
        })
        .unwrap();
    }
}

pub(crate) fn info(name: &str, shape: &[u64]) -> TensorInfo {
    TensorInfo { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec() }
}

/// The same numbers as in `bench/parity/decoders.py`.
pub(crate) fn numbers(
    seed: u64,
    (_, shape, middle, spread): &(String, Vec<u64>, f64, f64),
) -> Vec<f32> {
    let mut state = seed;
    let draw = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let drawn = (state >> 40) as f64;
        ((drawn - 8_388_608.0) / 8_388_608.0 * spread + middle) as f32
    };
    (0..shape.iter().product()).map(draw).collect()
}

static FOLDERS: AtomicUsize = AtomicUsize::new(0);

/// A folder that goes when it is no longer needed.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("nearside-decoder-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}
