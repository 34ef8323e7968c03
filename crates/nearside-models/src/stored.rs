//! A model on disk: a GGUF file (or its parts), or a folder of Hugging Face with `config.json` and safetensors.
//!
//! Files are mapped, headers are read and held against the files' lengths, and tensors are named as they are there;
//! [`Naming`] knows both ways. Pickle is never opened.

mod folder;
mod gguf;
mod naming;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nearside_architecture::header::gguf::GgufHeader;
use nearside_architecture::{Architecture, Dtype};

use crate::bytes::Bytes;
use crate::error::ModelError;
use crate::matrix::Matrix;
use crate::numerics::Numerics;

pub use naming::{Naming, Part};

/// A model's files, opened.
#[derive(Debug)]
pub struct StoredModel {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is made of.
    pub architecture: Architecture,
    /// The numbers that it computes with; `None` for architectures that are no decoder.
    pub numerics: Option<Numerics>,
    /// How its tensors are named.
    pub naming: Naming,
    /// Its tensors by the names that its files have for them.
    pub tensors: BTreeMap<String, StoredTensor>,
    /// The header of the first file and that file, of a model in GGUF.
    pub gguf: Option<(GgufHeader, Bytes)>,
}

/// A tensor of a file.
#[derive(Clone, Debug)]
pub struct StoredTensor {
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its dimensions, outermost first.
    pub shape: Vec<u64>,
    /// Its elements.
    pub bytes: Bytes,
}

impl StoredModel {
    /// Opens a GGUF file, a folder, or a `config.json` or safetensors file in one.
    ///
    /// # Errors
    /// When there is no model, a file cannot be read, or a header makes no sense.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let is = |extension: &str| path.extension().is_some_and(|found| found == extension);
        if path.is_dir() {
            return folder::open(path);
        }
        if is("gguf") {
            return gguf::open(path);
        }
        match path.parent() {
            Some(folder) if is("safetensors") || is("json") => folder::open(folder),
            _ => Err(ModelError::NoModel {
                path: path.to_owned(),
                reason: "neither a folder nor a .gguf or .safetensors file".to_owned(),
            }),
        }
    }

    /// How many elements all tensors have.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.shape.iter().product::<u64>()).sum()
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.bytes.len() as u64).sum()
    }

    /// The name of a tensor: the usual one, or another one where the files have that.
    pub(crate) fn name(&self, part: Part, layer: Option<usize>) -> String {
        let usual = self.naming.name(part, layer);
        let other = self.naming.other_name(part, layer);
        let is_there = |name: &String| self.tensors.contains_key(name);
        other.filter(|other| is_there(other) && !is_there(&usual)).unwrap_or(usual)
    }

    /// The matrix of a part.
    pub(crate) fn matrix(
        &self,
        part: Part,
        layer: Option<usize>,
        shape: [usize; 2],
    ) -> Result<Matrix, ModelError> {
        self.named_matrix(&self.name(part, layer), shape)
    }

    /// Numbers of a part of one dimension.
    pub(crate) fn vector(
        &self,
        part: Part,
        layer: Option<usize>,
        width: usize,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(self.matrix(part, layer, [1, width])?.numbers()?)
    }

    /// A matrix of that many rows and columns, one below the other for each expert where there are several.
    pub(crate) fn named_matrix(
        &self,
        name: &str,
        [rows, width]: [usize; 2],
    ) -> Result<Matrix, ModelError> {
        let absent = || ModelError::Absent { name: name.to_owned() };
        let tensor = self.tensors.get(name).ok_or_else(absent)?;
        let found = tensor.shape.last().copied().unwrap_or(0);
        let elements: u64 = tensor.shape.iter().product();
        let fits = found == width as u64 && elements == (rows * width) as u64;
        let matrix = fits.then(|| Matrix::new(tensor.dtype, rows, width, tensor.bytes.clone()));
        matrix.flatten().ok_or_else(|| ModelError::Shape {
            name: name.to_owned(),
            expected: vec![rows, width],
            found: tensor.shape.clone(),
        })
    }

    /// The name of one expert's matrix, where each has its own.
    pub(crate) fn expert_name(&self, part: Part, layer: usize, expert: usize) -> Option<String> {
        let names = self.naming.expert_names(part, layer, expert);
        names.into_iter().find(|name| self.tensors.contains_key(name))
    }
}

/// Maps a file.
fn map(path: &Path) -> Result<Bytes, ModelError> {
    Bytes::map(path).map_err(|error| ModelError::Read { path: path.to_owned(), error })
}

/// The tensors of a safetensors file.
pub(crate) fn safetensors(path: &Path) -> Result<BTreeMap<String, StoredTensor>, ModelError> {
    folder::placed(path)
}

/// The header and the tensors of a GGUF file, whatever it is of.
pub(crate) fn gguf(
    path: &Path,
) -> Result<(GgufHeader, BTreeMap<String, StoredTensor>), ModelError> {
    let (header, file) = gguf::read(path)?;
    let tensors = gguf::placed(path, &header, &file)?;
    Ok((header, tensors))
}

/// The numbers of a short tensor.
pub(crate) fn numbers(dtype: Dtype, shape: &[u64], bytes: &Bytes) -> Option<Vec<f64>> {
    let width = usize::try_from(shape.iter().product::<u64>()).ok()?;
    let numbers = Matrix::new(dtype, 1, width, bytes.clone())?.numbers().ok()?;
    Some(numbers.into_iter().map(f64::from).collect())
}
