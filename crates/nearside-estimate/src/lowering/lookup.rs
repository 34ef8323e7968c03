//! Rows of tables chosen by indices: positions, token types.

use nearside_architecture::{Dtype, Node, Value};

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Origin, Tensor, TensorId};

impl Lowering<'_> {
    /// The first of the numbers that are loaded with the weights: a view.
    pub(super) fn counting(&mut self, loaded: u64, value: Value) -> TensorId {
        let buffer = self.buffer(loaded, Dtype::I64);
        let storage = self.tape.of(buffer).storage;
        let op = Op::new("positions").read(buffer, Flow::Stop);
        self.run_op(op.make_in(storage, value.rows, Dtype::I64))
    }

    /// Numbers made of others.
    pub(super) fn indices(&mut self, node: &Node, value: Value) -> TensorId {
        let inputs: Vec<_> = node.inputs.iter().map(|id| self.value(*id)).collect();
        let op = Op::new("indices").make(value.rows, Dtype::I64);
        self.run_op(inputs.into_iter().fold(op, |op, input| op.read(input, Flow::Stop)))
    }

    /// Rows of a table; the indices are kept.
    pub(super) fn lookup(&mut self, table: TensorId, indices: TensorId, value: Value) -> TensorId {
        let op = Op::new("embedding").read(table, Flow::Fresh).read(indices, Flow::Stop);
        self.run_op(op.save(indices).reads_part().make(value.elements(), self.numbers.stream))
    }

    /// Rows of a table that is never trained.
    pub(super) fn fixed_table(&mut self, node: &Node, value: Value) -> TensorId {
        let elements = node.parameters().iter().map(|parameter| parameter.elements).sum();
        let table = self.leaf(elements, self.numbers.parameters, false);
        let indices = self.value(node.inputs[0]);
        self.lookup(table, indices, value)
    }

    /// Keys or values that the cache keeps already.
    pub(super) fn recalled(&mut self, value: Value) -> TensorId {
        let (elements, dtype) = (value.elements(), self.recipe.cache);
        let storage = self.tape.storage(dtype.bytes(elements), Category::Cache);
        let origin = Origin::Input;
        self.tape.tensor(Tensor { storage, elements, dtype, differentiable: false, origin })
    }
}
