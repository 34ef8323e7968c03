//! Files of models, written: GGUF and safetensors.
//!
//! Both begin with a header that says where every tensor lies, and all sizes are known before any number is: tensors
//! follow one by one as they are made, so that a file may be larger than memory.

mod error;
mod gguf;
mod metadata;
mod safetensors;
mod stream;

use nearside_architecture::Dtype;

pub use error::WriteError;
pub use gguf::{gguf_header, write_gguf, write_gguf_file};
pub use metadata::{MetadataArray, MetadataValue, metadata};
pub use safetensors::{write_safetensors, write_safetensors_file};

/// A tensor that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its dimensions, outermost first; empty for a single number. Rows, the last dimension, lie together.
    pub shape: Vec<u64>,
}

impl TensorInfo {
    /// How many bytes it takes.
    ///
    /// # Errors
    /// When its rows are no whole number of blocks, or it has more bytes than a file.
    pub fn bytes(&self) -> Result<u64, WriteError> {
        let (elements, size) = self.dtype.block();
        let row = self.shape.last().copied().unwrap_or(1);
        let all = self.shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        all.filter(|_| row.is_multiple_of(elements))
            .and_then(|all| (all / elements).checked_mul(size))
            .ok_or_else(|| WriteError::Shape {
                tensor: self.name.clone(),
                shape: self.shape.clone(),
                dtype: self.dtype,
            })
    }
}

/// An error for the first name that is there twice.
fn once(mut names: Vec<&str>) -> Result<(), WriteError> {
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(WriteError::Twice { name: pair[0].to_owned() }),
    }
}
