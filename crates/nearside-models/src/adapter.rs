//! Adapters: low-rank changes of a model's matrices, as fine-tuning makes them (LoRA, arXiv 2106.09685).
//!
//! ```text
//! y = W x + scale * B (A x)        A: rank x width, B: rows x rank
//! ```
//!
//! They lie in a PEFT folder (`adapter_config.json`, `adapter_model.safetensors`) or in a GGUF file of llama.cpp
//! (`general.type = adapter`), and are read beside the model that they change: every matrix has to be there, in the same
//! shape. [`DecoderModel::load_adapted`](crate::DecoderModel::load_adapted) computes with one beside the weights,
//! [`Source::adapt`](crate::quantize::Source::adapt) adds it to them.
//!
//! Invariant: rows lie as transformers has them, whatever file they are from; who has them otherwise turns them.

mod error;
mod gguf;
mod low_rank;
mod peft;
mod target;

use std::collections::BTreeMap;
use std::path::Path;

use nearside_architecture::Architecture;

use crate::stored::{Part, StoredModel};

pub use error::AdapterError;
pub(crate) use gguf::has_neighbours;
pub use low_rank::LowRank;
use target::Target;

/// A change of some of a model's matrices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adapter {
    /// What was said of the model that it was made for.
    pub base: Option<String>,
    /// Each by its place.
    changes: BTreeMap<Place, LowRank>,
}

/// Which matrix of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The layer.
    pub layer: usize,
    /// The matrix.
    pub part: Part,
    /// The expert, of several.
    pub expert: Option<usize>,
}

impl Adapter {
    /// Opens a PEFT folder or a GGUF file, made for that model.
    ///
    /// # Errors
    /// When it is neither, is of a kind that is not computed, or changes a matrix that the model has not or has in
    /// another shape.
    pub fn open(path: &Path, base: &StoredModel) -> Result<Self, AdapterError> {
        let targets = targets(base)?;
        match path.is_dir() {
            true => peft::read(path, &targets),
            false => gguf::read(path, base, &targets),
        }
    }

    /// An adapter of these changes.
    ///
    /// # Errors
    /// When the model has no such matrix, or has it in another shape.
    pub fn new(
        changes: impl IntoIterator<Item = (Place, LowRank)>,
        base: &StoredModel,
    ) -> Result<Self, AdapterError> {
        let targets = targets(base)?;
        let mut adapter = Self::default();
        for (place, change) in changes {
            let target = targets.iter().find(|target| target.place == place);
            let name = || format!("{place:?}");
            let target = target.ok_or_else(|| AdapterError::NoMatrix { name: name() })?;
            adapter.add(target, change, name)?;
        }
        Ok(adapter)
    }

    /// Writes it as a PEFT folder, which is made where it is not there.
    ///
    /// # Errors
    /// When it is empty, or cannot be written.
    pub fn write_peft(&self, folder: &Path, base: &StoredModel) -> Result<(), AdapterError> {
        peft::write(self, folder, base, &targets(base)?)
    }

    /// Writes it as a GGUF file.
    ///
    /// # Errors
    /// When it is empty, GGUF has no word for the model's family, or it cannot be written.
    pub fn write_gguf(&self, path: &Path, base: &StoredModel) -> Result<(), AdapterError> {
        gguf::write(self, path, base, &targets(base)?)
    }

    /// The change of a matrix, if there is one.
    #[must_use]
    pub fn of(&self, place: Place) -> Option<&LowRank> {
        self.changes.get(&place)
    }

    /// Rows of a head of a matrix of queries or keys.
    pub(crate) fn head(&self, place: Place, base: &StoredModel) -> Option<usize> {
        let targets = targets(base).ok()?;
        targets.iter().find(|target| target.place == place)?.head
    }

    /// All changes, by layer.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &LowRank)> {
        self.changes.iter().map(|(place, change)| (*place, change))
    }

    /// How many numbers it has.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.changes.values().map(LowRank::parameters).sum()
    }

    /// Takes a change up; `name` is what its file calls it.
    fn add(
        &mut self,
        target: &Target,
        change: LowRank,
        name: impl Fn() -> String,
    ) -> Result<(), AdapterError> {
        if change.shape() != target.shape {
            let (expected, found) = (target.shape, change.shape());
            return Err(AdapterError::Shape { name: name(), expected, found });
        }
        match self.changes.insert(target.place, change) {
            None => Ok(()),
            Some(_) => Err(AdapterError::Twice { name: name() }),
        }
    }
}

fn targets(base: &StoredModel) -> Result<Vec<Target>, AdapterError> {
    match &base.architecture {
        Architecture::Decoder(decoder) => Ok(target::of(decoder)),
        _ => Err(AdapterError::Base { reason: "it is no decoder that is read here".to_owned() }),
    }
}
