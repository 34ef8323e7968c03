//! Reads tensors of a model's files, and keeps in mind which: the others are there for nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::error::ModelError;
use crate::matrix::Matrix;
use crate::stored::{Naming, Part, StoredModel};

pub(super) struct Reader<'a> {
    stored: &'a StoredModel,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(stored: &'a StoredModel) -> Self {
        Self { stored, read: RefCell::new(BTreeSet::new()) }
    }

    /// The names of all that was read.
    pub(super) fn into_names(self) -> BTreeSet<String> {
        self.read.into_inner()
    }

    pub(super) const fn naming(&self) -> &Naming {
        &self.stored.naming
    }

    pub(super) fn expert_name(&self, part: Part, layer: usize, expert: usize) -> Option<String> {
        self.stored.expert_name(part, layer, expert)
    }

    pub(super) fn matrix(
        &self,
        part: Part,
        layer: Option<usize>,
        shape: [usize; 2],
    ) -> Result<Matrix, ModelError> {
        self.named_matrix(&self.stored.name(part, layer), shape)
    }

    pub(super) fn named_matrix(&self, name: &str, shape: [usize; 2]) -> Result<Matrix, ModelError> {
        let matrix = self.stored.named_matrix(name, shape)?;
        self.read.borrow_mut().insert(name.to_owned());
        Ok(matrix)
    }

    /// Numbers of a tensor of one dimension.
    pub(super) fn vector(
        &self,
        part: Part,
        layer: Option<usize>,
        width: usize,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(self.matrix(part, layer, [1, width])?.numbers()?)
    }
}
