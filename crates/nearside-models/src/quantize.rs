//! Models in fewer bits: which type each tensor gets, and the file that comes of it.
//!
//! ```text
//! stored model -> Source (pairs and tensors as GGUF has them) -> Plan (a type for each) -> file
//! ```
//!
//! A [`Mix`] decides by the rules of llama.cpp ([`rules`]); single tensors may be stated otherwise ([`Keep`]). Tensors
//! are converted some rows at a time on all cores, so that a model may be larger than memory.
//!
//! Invariants: a file appears whole or not at all; what was quantized below eight bits is quantized again only when that
//! is asked for; a tensor whose type stays is copied bit by bit.

mod error;
mod folder;
mod importance;
mod keep;
mod mix;
pub mod rules;
mod source;
mod write;

use nearside_architecture::Dtype;

use crate::file::{MetadataValue, TensorInfo};

pub use error::QuantizeError;
pub(crate) use folder::gguf_family;
pub use importance::{ColumnSums, Importance};
pub use keep::{Keep, KeepError};
pub use mix::{Mix, UnknownMix};
pub(crate) use source::half_row;
pub use source::{RowOrder, Source, SourceTensor};
pub use write::Progress;

use rules::Asked;

/// Bits of a number below which a model has lost what is not brought back.
const MANY_BITS: f64 = 8.0;
/// The version of ggml's formats (`GGML_QNT_VERSION`).
const FORMAT_VERSION: u32 = 2;
const FILE_TYPE: &str = "general.file_type";
const VERSION: &str = "general.quantization_version";

/// How a model is to be quantized.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The mix.
    pub mix: Mix,
    /// Types of single tensors; of several that are for one, the first counts.
    pub keeps: Vec<Keep>,
    /// Whether what was quantized below eight bits may be again.
    pub requantize: Requantize,
}

/// Whether a model that was quantized below eight bits may be quantized again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requantize {
    /// It may not.
    Refused,
    /// It may.
    Allowed,
}

/// Which type every tensor gets.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    source: &'a Source,
    mix: Mix,
    /// The key-value pairs of the file.
    pub metadata: Vec<(String, MetadataValue)>,
    /// The tensors of the file, in the order of the source's.
    pub tensors: Vec<TensorInfo>,
    /// Tensors whose rows are no whole blocks of the type that they should have, and that type.
    pub instead_of: Vec<(String, Dtype)>,
}

impl<'a> Plan<'a> {
    /// Decides for every tensor of a model. `has_importance` says whether weights of importance will be given.
    ///
    /// # Errors
    /// When the model is quantized already, a stated type is for no tensor, or a type needs weights of importance.
    pub fn new(
        source: &'a Source,
        recipe: &Recipe,
        has_importance: bool,
    ) -> Result<Self, QuantizeError> {
        if let Some(keep) = recipe.keeps.iter().find(|keep| {
            !source.tensors.iter().any(|tensor| tensor.is_matrix() && keep.is_for(&tensor.name))
        }) {
            return Err(QuantizeError::KeepsNothing { keep: keep.to_string() });
        }
        let asked: Vec<_> = source.tensors.iter().map(asked).collect();
        let traits = source.traits(has_importance);
        let chosen = rules::types(recipe.mix, &traits, &asked, &recipe.keeps);
        let mut plan = Self {
            source,
            mix: recipe.mix,
            metadata: metadata(source, recipe.mix),
            tensors: Vec::with_capacity(chosen.len()),
            instead_of: Vec::new(),
        };
        for (tensor, chosen) in source.tensors.iter().zip(chosen) {
            plan.check(tensor, chosen.dtype, recipe, has_importance)?;
            let name = tensor.name.clone();
            plan.instead_of.extend(chosen.instead_of.map(|dtype| (name.clone(), dtype)));
            let shape = tensor.shape.clone();
            plan.tensors.push(TensorInfo { name, dtype: chosen.dtype, shape });
        }
        Ok(plan)
    }

    fn check(
        &self,
        tensor: &SourceTensor,
        dtype: Dtype,
        recipe: &Recipe,
        has_importance: bool,
    ) -> Result<(), QuantizeError> {
        let name = || tensor.name.clone();
        let lossy = tensor.dtype.bits() < MANY_BITS && tensor.is_matrix();
        let again = tensor.dtype != dtype || tensor.is_changed();
        if lossy && again && recipe.requantize == Requantize::Refused {
            return Err(QuantizeError::Requantized { name: name(), dtype: tensor.dtype });
        }
        let mix = recipe.mix;
        let needs = tensor.is_matrix() && rules::needs_importance(mix, &tensor.name, dtype);
        if needs && !has_importance && tensor.dtype != dtype {
            return Err(QuantizeError::Unweighted { mix, name: name(), dtype });
        }
        Ok(())
    }

    /// The mix.
    #[must_use]
    pub const fn mix(&self) -> Mix {
        self.mix
    }

    /// Bytes of all tensors.
    ///
    /// # Errors
    /// When a shape is no whole number of blocks.
    pub fn bytes(&self) -> Result<u64, QuantizeError> {
        let bytes = self.tensors.iter().map(TensorInfo::bytes);
        Ok(bytes.sum::<Result<u64, _>>()?)
    }

    /// Bits for each number of the model.
    ///
    /// # Errors
    /// As [`Plan::bytes`].
    pub fn bits_per_weight(&self) -> Result<f64, QuantizeError> {
        Ok(self.bytes()? as f64 * 8.0 / self.source.parameters().max(1) as f64)
    }
}

fn asked(tensor: &SourceTensor) -> Asked<'_> {
    Asked { name: &tensor.name, shape: &tensor.shape, otherwise: tensor.otherwise }
}

/// The pairs of the source, and what the file is now.
fn metadata(source: &Source, mix: Mix) -> Vec<(String, MetadataValue)> {
    let ours = |key: &str| key == FILE_TYPE || key == VERSION;
    let kept = source.metadata.iter().filter(|(key, _)| !ours(key)).cloned();
    let set = [(VERSION, FORMAT_VERSION), (FILE_TYPE, mix.file_type())];
    kept.chain(set.map(|(key, value)| (key.to_owned(), MetadataValue::U32(value)))).collect()
}
