//! A computation graph as ggml has it: tensors with types, extents and strides, views of other
//! tensors, and the order in which nodes are computed.
//!
//! Only what decides where and how large a tensor lies is kept; nothing is ever computed. Tensors
//! hold four extents, innermost first, and strides in bytes, for two tensors share memory only if
//! both agree.
//!
//! Source: `ggml.c` of llama.cpp (`ggml_new_tensor_impl`, `ggml_visit_parents_graph`, `ggml_nbytes`).

use nearside_architecture::Dtype;

/// Extents or strides of a tensor, innermost first.
pub(super) type Four = [u64; 4];

/// A tensor of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(usize);

impl Id {
    pub(super) const fn index(self) -> usize {
        self.0
    }
}

/// Where memory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The accelerator.
    Device,
    /// Main memory.
    Host,
}

/// How a tensor is computed, as far as allocation asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Not at all: a weight, a cache or an input.
    Nothing,
    /// Another look at the same memory.
    View,
    /// Rows chosen by number.
    GetRows,
    /// Rows written into a cache; the result is a view of the cache.
    SetRows,
    /// A matrix product.
    Product,
    /// A matrix product with matrices chosen per token.
    ChosenProduct,
    /// An operation that may write its result over an operand of the same layout.
    InPlace,
    /// Rotary positions: may work in place, and is not drawn to where its factors lie.
    Rotary,
    /// Fused attention: not drawn to where its operands lie.
    FlashAttention,
    /// Any other operation, with memory of its own.
    Fresh,
}

/// Who owns a tensor's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The graph: it has to be allocated.
    Graph,
    /// The model.
    Weights(Place),
    /// The key-value cache.
    Cache(Place),
}

/// What the engine does with a tensor outside the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Inner,
    /// It is written before the graph runs.
    Input,
    /// It is read after the graph ran, so its memory is not given to others.
    Output,
}

/// A tensor.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) operation: Operation,
    pub(super) dtype: Dtype,
    pub(super) extents: Four,
    pub(super) strides: Four,
    /// The tensor whose memory this one looks at.
    pub(super) view_of: Option<Id>,
    pub(super) sources: Vec<Id>,
    pub(super) owner: Owner,
    pub(super) role: Role,
    /// Where the engine insists that it is computed.
    pub(super) pinned: Option<Place>,
}

impl Tensor {
    /// Bytes that it spans, gaps between its rows included.
    pub(super) fn bytes(&self) -> u64 {
        let (per_block, block_bytes) = self.dtype.block();
        let (first, rest) = if per_block == 1 {
            (block_bytes, 0)
        } else {
            ((self.extents[0] / per_block).saturating_mul(self.strides[0]), 1)
        };
        let gaps = (rest..4)
            .map(|axis| self.extents[axis].saturating_sub(1).saturating_mul(self.strides[axis]));
        gaps.fold(first, u64::saturating_add)
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> u64 {
        self.extents[1].saturating_mul(self.extents[2]).saturating_mul(self.extents[3])
    }

    /// How many elements it has.
    pub(super) fn elements(&self) -> u64 {
        self.extents[0].saturating_mul(self.rows())
    }

    /// Whether its elements follow each other without gaps.
    pub(super) fn is_contiguous(&self) -> bool {
        let packed = packed(self.dtype, self.extents);
        (0..4).all(|axis| self.extents[axis] == 1 || self.strides[axis] == packed[axis])
    }

    /// Whether another tensor could lie in the same memory element by element.
    pub(super) fn has_layout_of(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.extents == other.extents && self.strides == other.strides
    }
}

/// Strides of a tensor without gaps.
pub(super) fn packed(dtype: Dtype, extents: Four) -> Four {
    let (per_block, bytes) = dtype.block();
    let row = bytes.saturating_mul(extents[0] / per_block);
    let plane = row.saturating_mul(extents[1]);
    [bytes, row, plane, plane.saturating_mul(extents[2])]
}

/// Bytes of that many elements of a row.
pub(super) fn row_bytes(dtype: Dtype, elements: u64) -> u64 {
    let (per_block, bytes) = dtype.block();
    bytes.saturating_mul(elements / per_block)
}

/// Tensors, and the order in which they are visited.
#[derive(Debug, Default)]
pub(super) struct Graph {
    tensors: Vec<Tensor>,
    visited: Vec<bool>,
    /// Tensors that are computed, in order.
    pub(super) nodes: Vec<Id>,
    /// Tensors that are not, in the order in which the nodes first need them.
    pub(super) leaves: Vec<Id>,
}

impl Graph {
    pub(super) fn tensor(&self, id: Id) -> &Tensor {
        &self.tensors[id.0]
    }

    pub(super) fn tensor_mut(&mut self, id: Id) -> &mut Tensor {
        &mut self.tensors[id.0]
    }

    pub(super) fn len(&self) -> usize {
        self.tensors.len()
    }

    pub(super) fn extents(&self, id: Id) -> Four {
        self.tensor(id).extents
    }

    /// Adds a tensor.
    pub(super) fn add(&mut self, tensor: Tensor) -> Id {
        self.tensors.push(tensor);
        self.visited.push(false);
        Id(self.tensors.len() - 1)
    }

    /// A tensor with memory of its own.
    pub(super) fn fresh(
        &mut self,
        operation: Operation,
        dtype: Dtype,
        extents: Four,
        sources: &[Id],
    ) -> Id {
        self.add(Tensor {
            operation,
            dtype,
            extents,
            strides: packed(dtype, extents),
            view_of: None,
            sources: sources.to_vec(),
            owner: Owner::Graph,
            role: Role::Inner,
            pinned: None,
        })
    }

    /// A tensor that exists before the graph.
    pub(super) fn existing(&mut self, dtype: Dtype, extents: Four, owner: Owner) -> Id {
        let id = self.fresh(Operation::Nothing, dtype, extents, &[]);
        self.tensor_mut(id).owner = owner;
        id
    }

    /// A tensor that is written before the graph runs.
    pub(super) fn input(&mut self, dtype: Dtype, extents: Four) -> Id {
        let id = self.fresh(Operation::Nothing, dtype, extents, &[]);
        self.tensor_mut(id).role = Role::Input;
        id
    }

    /// Another look at a tensor's memory.
    pub(super) fn view(&mut self, of: Id, extents: Four, strides: Four) -> Id {
        let root = self.tensor(of).view_of.unwrap_or(of);
        let dtype = self.tensor(of).dtype;
        let id = self.fresh(Operation::View, dtype, extents, &[of]);
        let view = self.tensor_mut(id);
        view.strides = strides;
        view.view_of = Some(root);
        id
    }

    /// The same elements with other extents.
    pub(super) fn reshaped(&mut self, of: Id, extents: Four) -> Id {
        let strides = packed(self.tensor(of).dtype, extents);
        self.view(of, extents, strides)
    }

    /// The same elements with the axes `first` and `second` exchanged.
    pub(super) fn exchanged(&mut self, of: Id, first: usize, second: usize) -> Id {
        let tensor = self.tensor(of);
        let (mut extents, mut strides) = (tensor.extents, tensor.strides);
        extents.swap(first, second);
        strides.swap(first, second);
        self.view(of, extents, strides)
    }

    /// A product: rows of `weights` with rows of `values`.
    pub(super) fn product(&mut self, weights: Id, values: Id) -> Id {
        let (rows, of) = (self.extents(weights)[1], self.extents(values));
        self.fresh(Operation::Product, Dtype::F32, [rows, of[1], of[2], of[3]], &[weights, values])
    }

    /// A product with the matrices that `chosen` names.
    pub(super) fn chosen_product(&mut self, weights: Id, values: Id, chosen: Id) -> Id {
        let (rows, used) = (self.extents(weights)[1], self.extents(chosen)[0]);
        let extents = [rows, used, self.extents(values)[2], 1];
        self.fresh(Operation::ChosenProduct, Dtype::F32, extents, &[weights, values, chosen])
    }

    /// An operation of the shape of its first operand that may work in place.
    pub(super) fn in_place(&mut self, sources: &[Id]) -> Id {
        self.alike(Operation::InPlace, sources)
    }

    /// An operation of the shape of its first operand with memory of its own.
    pub(super) fn alike(&mut self, operation: Operation, sources: &[Id]) -> Id {
        let (dtype, extents) = sources.first().map_or((Dtype::F32, [1; 4]), |first| {
            let first = self.tensor(*first);
            (first.dtype, first.extents)
        });
        self.fresh(operation, dtype, extents, sources)
    }

    /// The rows of `table` that `numbers` names.
    pub(super) fn rows(&mut self, table: Id, numbers: Id) -> Id {
        let (width, numbered) = (self.extents(table)[0], self.extents(numbers));
        let extents = [width, numbered[0], numbered[1], numbered[2]];
        self.fresh(Operation::GetRows, Dtype::F32, extents, &[table, numbers])
    }

    /// Writes rows into a cache.
    pub(super) fn written(&mut self, cache: Id, rows: Id, numbers: Id) -> Id {
        let (extents, strides) = (self.extents(cache), self.tensor(cache).strides);
        let id = self.view(cache, extents, strides);
        let written = self.tensor_mut(id);
        written.operation = Operation::SetRows;
        written.sources = vec![rows, numbers, cache];
        id
    }

    /// Makes a tensor, and what it needs, part of the computation.
    pub(super) fn expand(&mut self, id: Id) {
        // An explicit stack: graphs of deep models would overflow the thread's.
        let mut stack = vec![(id, 0)];
        while let Some((id, next)) = stack.pop() {
            if next == 0 && std::mem::replace(&mut self.visited[id.0], true) {
                continue;
            }
            if let Some(source) = self.tensors[id.0].sources.get(next).copied() {
                stack.push((id, next + 1));
                stack.push((source, 0));
                continue;
            }
            match self.tensors[id.0].operation {
                Operation::Nothing => self.leaves.push(id),
                _ => self.nodes.push(id),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_follow_what_they_need_and_are_visited_once() {
        let mut graph = Graph::default();
        let weight = graph.existing(Dtype::F16, [64, 32, 1, 1], Owner::Weights(Place::Host));
        let input = graph.input(Dtype::F32, [64, 5, 1, 1]);
        let product = graph.product(weight, input);
        let sum = graph.in_place(&[product, product]);
        graph.expand(sum);
        graph.expand(sum);
        assert_eq!(graph.leaves, [weight, input]);
        assert_eq!(graph.nodes, [product, sum]);
        assert_eq!(graph.extents(sum), [32, 5, 1, 1]);
    }

    #[test]
    fn bytes_span_gaps() {
        let mut graph = Graph::default();
        let whole = graph.input(Dtype::F32, [8, 4, 1, 1]);
        let half = graph.view(whole, [4, 4, 1, 1], [4, 32, 128, 128]);
        assert_eq!(graph.tensor(whole).bytes(), 128);
        assert_eq!(graph.tensor(half).bytes(), 3 * 32 + 16);
        assert!(!graph.tensor(half).is_contiguous());
        let quantized = graph.input(Dtype::Q8_0, [64, 3, 1, 1]);
        assert_eq!(graph.tensor(quantized).bytes(), 3 * 68);
    }

    #[test]
    fn views_look_at_the_root() {
        let mut graph = Graph::default();
        let root = graph.input(Dtype::F32, [8, 4, 2, 1]);
        let turned = graph.exchanged(root, 1, 2);
        let flat = graph.reshaped(turned, [64, 1, 1, 1]);
        assert_eq!(graph.tensor(turned).strides, [4, 128, 32, 256]);
        assert_eq!(graph.tensor(flat).view_of, Some(root));
    }
}
