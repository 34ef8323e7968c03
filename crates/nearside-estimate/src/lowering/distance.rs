//! Biases of scores by the distance of a query and a key (`T5Attention.compute_bias` in
//! transformers).

use nearside_architecture::{DistanceBias, Dtype, Sight, Value};
use nearside_workload::Checkpointing;

use super::{Lowering, Op};
use crate::tape::{Flow, TensorId};

impl Lowering<'_> {
    /// A number per head for the range that each pair's distance falls in. The distances are whole
    /// numbers of 64 bits.
    pub(super) fn distance_bias(&mut self, bias: DistanceBias, value: Value) -> TensorId {
        let pairs = value.rows;
        let table = self.weight(bias.buckets * bias.heads, self.numbers.parameters);
        let distance = self.pairwise(&[], pairs, Dtype::I64);
        let (base, size) = match bias.sight {
            Sight::All => {
                let base = self.pairwise(&[distance], pairs, Dtype::I64);
                (Some(base), self.pairwise(&[distance], pairs, Dtype::I64))
            }
            _ => (None, self.pairwise(&[distance], pairs, Dtype::I64)),
        };
        let small = self.pairwise(&[size], pairs, Dtype::Bool);
        let ratio = self.pairwise(&[size], pairs, Dtype::F32);
        let logarithm = self.pairwise(&[ratio], pairs, Dtype::F32);
        let large = self.pairwise(&[logarithm], pairs, Dtype::I64);
        let most = self.pairwise(&[], pairs, Dtype::I64);
        let large = self.pairwise(&[large, most], pairs, Dtype::I64);
        let range = self.pairwise(&[small, size, large], pairs, Dtype::I64);
        let chosen = match base {
            Some(base) => {
                let storage = self.tape.of(base).storage;
                let op = Op::new("distance").read(base, Flow::Stop).read(range, Flow::Stop);
                self.run_op(op.make_in(storage, pairs, Dtype::I64))
            }
            None => self.pairwise(&[range], pairs, Dtype::I64),
        };
        self.tape.hold(&[size, small, large]);
        let made = self.lookup(table, chosen, value);
        self.tape.hold(&[distance]);
        made
    }

    fn pairwise(&mut self, inputs: &[TensorId], pairs: u64, dtype: Dtype) -> TensorId {
        let op = Op::new("distance").make(pairs, dtype);
        self.run_op(inputs.iter().fold(op, |op, input| op.read(*input, Flow::Stop)))
    }

    /// Zeros; checkpointing asks for their gradient all the same.
    pub(super) fn no_bias(&mut self, value: Value) -> TensorId {
        let zeros = Op::new("no bias").make(value.elements(), self.numbers.products);
        let zeros = self.run_op(zeros);
        let asked = self.training() && self.recipe.checkpointing == Checkpointing::Full;
        self.tape.tensors[zeros.index()].differentiable |= asked;
        zeros
    }
}
