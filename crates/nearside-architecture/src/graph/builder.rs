//! Puts a graph together in execution order.

use super::{Graph, Held, Loss, Node, Value, ValueId};
use crate::{Linear, Operator, Projection};

/// Puts a graph together in execution order.
///
/// Values live until their last use. What a caller's variable keeps longer is said with
/// [`Builder::hold`]: in an eager framework the arguments of a module live until it returns, and so
/// do its local variables.
#[derive(Debug)]
pub struct Builder {
    values: Vec<Value>,
    nodes: Vec<Node>,
    held: Vec<Held>,
    layer: Option<usize>,
    /// The next node whose parameters are used once more.
    shared: Option<usize>,
    batch: u64,
}

impl Builder {
    /// Nothing but an input: so many sequences or images of so many rows of that width.
    #[must_use]
    pub fn new(batch: u64, rows: u64, width: u64) -> Self {
        let rows = batch * rows;
        Self {
            values: vec![Value { rows, width }],
            nodes: Vec::new(),
            held: Vec::new(),
            layer: None,
            shared: None,
            batch,
        }
    }

    /// The input.
    #[must_use]
    pub const fn input(&self) -> ValueId {
        ValueId(0)
    }

    /// Another input that the caller brings, such as the text that steers an image.
    pub fn other_input(&mut self, rows: u64, width: u64) -> ValueId {
        self.values.push(Value { rows, width });
        ValueId(self.values.len() - 1)
    }

    /// What follows belongs to a block that can be recomputed, offloaded or sharded as a whole.
    pub const fn enter_block(&mut self, index: Option<usize>) {
        self.layer = index;
    }

    /// The place of the next operator.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.nodes.len()
    }

    /// What follows is what began at that place, with the same parameters; `None` ends it.
    pub const fn repeat_from(&mut self, place: Option<usize>) {
        self.shared = place;
    }

    /// The node of which the next one is a repetition.
    const fn repeated(&mut self) -> Option<usize> {
        let repeated = self.shared;
        if let Some(place) = repeated {
            self.shared = Some(place + 1);
        }
        repeated
    }

    /// An operator that makes several values.
    pub fn push_all(
        &mut self,
        operator: Operator,
        inputs: &[ValueId],
        outputs: &[Value],
    ) -> Vec<ValueId> {
        let first = self.values.len();
        self.values.extend_from_slice(outputs);
        let outputs: Vec<_> = (first..self.values.len()).map(ValueId).collect();
        let (inputs, layer, shared) = (inputs.to_vec(), self.layer, self.repeated());
        self.nodes.push(Node { operator, inputs, outputs: outputs.clone(), layer, shared });
        outputs
    }

    /// An operator.
    pub fn push(
        &mut self,
        operator: Operator,
        inputs: &[ValueId],
        rows: u64,
        width: u64,
    ) -> ValueId {
        let output = ValueId(self.values.len());
        self.values.push(Value { rows, width });
        let (inputs, layer, shared) = (inputs.to_vec(), self.layer, self.repeated());
        self.nodes.push(Node { operator, inputs, outputs: vec![output], layer, shared });
        output
    }

    /// An operator that keeps the shape of its first input.
    pub fn same(&mut self, operator: Operator, inputs: &[ValueId]) -> ValueId {
        let Value { rows, width } = self.values[inputs[0].0];
        self.push(operator, inputs, rows, width)
    }

    /// A matrix product with weights.
    pub fn linear(&mut self, input: ValueId, output: u64, bias: bool, role: Projection) -> ValueId {
        let Value { rows, width } = self.values[input.0];
        let linear = Linear { input: width, output, bias, role };
        self.push(Operator::Linear(linear), &[input], rows, output)
    }

    /// The shape of a value.
    #[must_use]
    pub fn of(&self, value: ValueId) -> Value {
        self.values[value.0]
    }

    /// Sequences or images side by side.
    #[must_use]
    pub const fn batch(&self) -> u64 {
        self.batch
    }

    /// Keeps values up to this point, as the variables of a caller do.
    pub fn hold(&mut self, values: &[ValueId]) {
        let until = self.nodes.len();
        let layer = self.layer;
        self.held.extend(values.iter().map(|value| Held { value: *value, until, layer }));
    }

    /// The graph.
    #[must_use]
    pub fn finish(self, loss: Loss) -> Graph {
        let Self { values, nodes, held, batch, .. } = self;
        Graph { values, nodes, held, loss, batch }
    }
}
