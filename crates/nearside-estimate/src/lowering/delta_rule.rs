//! The gated delta rule as transformers computes it without kernels of its own
//! (`torch_chunk_gated_delta_rule`): everything in 32 bits, heads before tokens, chunk by chunk; inside
//! a chunk two triangular systems, from chunk to chunk a loop.
//!
//! The loop is one step here: it keeps the state before every chunk and the corrected values of every
//! chunk, and its backward makes a gradient of each whole input, summed up chunk by chunk.

use nearside_architecture::{DeltaRule, DeltaScan, Dtype, Value};
use nearside_units::Flops;

use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, Tensor, TensorId};

/// How a scan is cut.
#[derive(Clone, Copy)]
struct Cut {
    sequences: u64,
    chunks: u64,
    rule: DeltaRule,
    /// Tokens of all sequences, once for each head that has a state.
    rows: u64,
    /// The same, filled up to whole chunks.
    filled: u64,
}

impl Cut {
    const fn of(scan: DeltaScan) -> Self {
        let DeltaScan { sequences, tokens, rule } = scan;
        let chunks = scan.chunks();
        let heads = sequences * rule.value_heads;
        Self {
            sequences,
            chunks,
            rule,
            rows: heads * tokens,
            filled: heads * chunks * DeltaRule::CHUNK,
        }
    }

    /// Whether nothing had to be filled up: keys and queries that needed no cast either then lie
    /// in memory with tokens before heads, and products copy them.
    const fn is_whole(&self) -> bool {
        self.rows == self.filled && self.rule.value_heads > 1
    }

    /// Pairs of tokens of a chunk, for every head.
    const fn pairs(&self) -> u64 {
        self.filled * DeltaRule::CHUNK
    }

    /// Numbers of the states of all heads.
    const fn state(&self) -> u64 {
        self.sequences * self.rule.values() * self.rule.key_dim
    }
}

impl Lowering<'_> {
    /// Queries, keys, values, how much each token corrects and how much of the state fades.
    pub(super) fn delta_scan(
        &mut self,
        scan: DeltaScan,
        inputs: &[TensorId],
        value: Value,
    ) -> TensorId {
        let heads = scan.rule.value_heads;
        let [shift, decay] = [(); 2].map(|()| self.weight(heads, self.numbers.parameters));
        let scanned = match scan.tokens {
            1 => self.one_correction(scan, inputs, value),
            _ => self.corrections(scan, inputs, [shift, decay]),
        };
        if !self.training() {
            self.kept_state(scan.kept(), Dtype::F32);
        }
        scanned
    }

    /// One token per sequence reads the states, corrects them and reads them again.
    fn one_correction(&mut self, scan: DeltaScan, inputs: &[TensorId], value: Value) -> TensorId {
        let flops = Flops::from_flops(7.0 * scan.kept() as f64).unwrap_or(Flops::ZERO);
        let op = inputs.iter().fold(Op::new("state"), |op, input| op.read(*input, Flow::Stop));
        let dtype = self.tape.of(inputs[0]).dtype;
        self.run_op(op.make(value.elements(), dtype).kernel(Kernel::Pointwise, flops))
    }

    fn corrections(
        &mut self,
        scan: DeltaScan,
        inputs: &[TensorId],
        [shift, decay]: [TensorId; 2],
    ) -> TensorId {
        let cut = Cut::of(scan);
        let DeltaRule { key_dim, value_dim, .. } = scan.rule;
        let narrow = self.tape.of(inputs[0]).dtype;
        let fading = self.fading_rate(inputs[4], [shift, decay], scan.rule.value_heads);
        let repeated = [inputs[0], inputs[1]].map(|input| self.repeated_keys(cut, input));
        let [query, key, value, beta] = [repeated[0], repeated[1], inputs[2], inputs[3]]
            .map(|input| self.cast(input, Dtype::F32));
        self.tape.hold(&repeated);
        let [query, key] = [query, key].map(|input| self.unit_length(cut, input));
        let scaled = self.scaled(query, Value { rows: cut.rows, width: key_dim });
        self.tape.hold(&[query]);
        let before = [scaled, key, value, beta];
        let [query, key] = [scaled, key].map(|input| self.filled_up(input, cut.filled * key_dim));
        let value = self.filled_up(value, cut.filled * value_dim);
        self.tape.hold(&before[..3]);
        let beta = self.filled_up(beta, cut.filled);
        let faded = self.filled_up(fading, cut.filled);
        self.tape.hold(&before[3..]);
        let (keys, values) = (
            Value { rows: cut.filled, width: key_dim },
            Value { rows: cut.filled, width: value_dim },
        );
        let value_beta = self.product(&[value, beta], values);
        let key_beta = self.product(&[key, beta], keys);
        let value_beta = self.viewed(value_beta, values.elements(), Flow::Fresh);
        let key_beta = self.viewed(key_beta, keys.elements(), Flow::Fresh);
        let sums = self.running_sum(faded, cut.filled);
        let pairwise = self.pairwise_decay(cut, sums);
        let system = self.masked_scores(cut, [key_beta, key], pairwise);
        let inside = self.masked_scores(cut, [query, key], pairwise);
        let since = self.exponential(sums);
        let key_faded = self.product(&[key_beta, since], keys);
        let new_values = self.triangular_system(cut, system, value_beta, value_dim);
        let key_reads = self.triangular_system(cut, system, key_faded, key_dim);
        let since = self.exponential(sums);
        let query = self.product(&[query, since], keys);
        let left = self.decay_to_end(cut, sums);
        let key = self.product(&[key, left], keys);
        let whole = self.viewed(sums, cut.filled / DeltaRule::CHUNK, Flow::Fresh);
        let whole = self.exponential(whole);
        let (scanned, left_over) =
            self.loop_over_chunks(cut, [inside, query, key, key_reads, new_values, whole]);
        let ordered = self.copy(scanned);
        let output = self.viewed(ordered, cut.rows * value_dim, Flow::Fresh);
        let output = self.cast(output, narrow);
        self.tape.hold(&[ordered]);
        self.tape.hold(&left_over);
        self.tape.hold(&[query, key, value, beta, faded, value_beta, key_beta, sums, pairwise]);
        self.tape.hold(&[system, inside, key_faded, new_values, key_reads, whole, fading]);
        output
    }

    /// `-exp(wide(x)) * softplus(wide(a) + shift)`.
    fn fading_rate(
        &mut self,
        input: TensorId,
        [shift, decay]: [TensorId; 2],
        heads: u64,
    ) -> TensorId {
        let elements = self.tape.of(input).elements;
        let rate = self.decay_rate(decay, heads);
        let wide = self.cast(input, Dtype::F32);
        let op = Op::new("time steps").read(shift, Flow::Sum).read(wide, Flow::Pass);
        let shifted = self.run_op(op.make(elements, Dtype::F32));
        let op = Op::new("time steps").read(shifted, Flow::Fresh).save(shifted);
        let positive = self.run_op(op.make(elements, Dtype::F32));
        self.product(&[rate, positive], Value { rows: elements / heads, width: heads })
    }

    /// Queries or keys once for every head that has a state.
    fn repeated_keys(&mut self, cut: Cut, input: TensorId) -> TensorId {
        if cut.rule.key_heads == cut.rule.value_heads {
            return input;
        }
        let dtype = self.tape.of(input).dtype;
        let op = Op::new("repeat").read(input, Flow::Sum);
        self.run_op(op.make(cut.rows * cut.rule.key_dim, dtype))
    }

    /// `x / sqrt(sum(x^2) + eps)`.
    fn unit_length(&mut self, cut: Cut, input: TensorId) -> TensorId {
        let whole = Value { rows: cut.rows, width: cut.rule.key_dim };
        let square = self.product(&[input, input], whole);
        let op = Op::new("norm sum").read(square, Flow::Pass);
        let sum = self.run_op(op.make(cut.rows, Dtype::F32));
        let root = self.root_of_rows(sum, cut.rows);
        self.product(&[input, root], whole)
    }

    /// How much of what an earlier token wrote is left at a later one, for all pairs of a chunk.
    fn pairwise_decay(&mut self, cut: Cut, sums: TensorId) -> TensorId {
        let flags = DeltaRule::CHUNK * DeltaRule::CHUNK;
        let ones = self.run_op(Op::new("triangle").make(flags, Dtype::Bool));
        let op = Op::new("triangle").read(ones, Flow::Stop);
        let upper = self.run_op(op.make(flags, Dtype::Bool));
        let op = Op::new("decay").read(sums, Flow::SumOfProduct).read(sums, Flow::Sum);
        let spans = self.run_op(op.make(cut.pairs(), Dtype::F32));
        let op = Op::new("mask").read(spans, Flow::Fresh).read(upper, Flow::Stop).save(upper);
        let masked = self.run_op(op.make(cut.pairs(), Dtype::F32));
        self.exponential(masked)
    }

    /// Products of all pairs of tokens of a chunk, faded.
    fn masked_scores(
        &mut self,
        cut: Cut,
        [one, other]: [TensorId; 2],
        pairwise: TensorId,
    ) -> TensorId {
        let [one, other] = match self.numbers.stream == Dtype::F32 && cut.is_whole() {
            true if !self.numbers.autocast => [one, other].map(|operand| self.copy(operand)),
            _ => [one, other],
        };
        let scores = self.chunk_product([one, other], cut.pairs(), cut.rule.key_dim);
        self.product(&[scores, pairwise], Value { rows: cut.pairs(), width: 1 })
    }

    /// A batch of matrix products, one per chunk.
    fn chunk_product(
        &mut self,
        [left, right]: [TensorId; 2],
        elements: u64,
        summed: u64,
    ) -> TensorId {
        let dtype = if self.numbers.autocast { self.numbers.products } else { Dtype::F32 };
        let [left, right] = [left, right].map(|operand| self.cast(operand, dtype));
        let flops = Flops::from_flops(2.0 * (elements * summed) as f64).unwrap_or(Flops::ZERO);
        let op = Op::new("product").read(right, Flow::Fresh).read(left, Flow::Fresh);
        let op = op.save(left).save(right).kernel(Kernel::Matrix, flops);
        self.run_op(op.make(elements, dtype))
    }

    /// Solves a system per chunk; backward solves another one, and takes a product of pairs turned
    /// around for the system itself.
    fn triangular_system(
        &mut self,
        cut: Cut,
        system: TensorId,
        right: TensorId,
        width: u64,
    ) -> TensorId {
        let operations = (cut.filled * DeltaRule::CHUNK * width) as f64;
        let flops = Flops::from_flops(operations).unwrap_or(Flops::ZERO);
        let op = Op::new("triangular system").read(right, Flow::Fresh).read(system, Flow::Fresh);
        let op = op.save(system).save_output(0).kernel(Kernel::Matrix, flops);
        let op = op.backward_spike(Dtype::F32.bytes(cut.pairs()));
        self.run_op(op.make(cut.filled * width, Dtype::F32))
    }

    /// How much of what a token wrote is left at the end of its chunk.
    fn decay_to_end(&mut self, cut: Cut, sums: TensorId) -> TensorId {
        let last = self.viewed(sums, cut.filled / DeltaRule::CHUNK, Flow::Fresh);
        let op = Op::new("decay").read(sums, Flow::Fresh).read(last, Flow::Sum);
        let spans = self.run_op(op.make(cut.filled, Dtype::F32));
        self.exponential(spans)
    }

    /// States from chunk to chunk: what is read inside a chunk and of the state before it; and what
    /// is left of the loop after it.
    fn loop_over_chunks(&mut self, cut: Cut, inputs: [TensorId; 6]) -> (TensorId, [TensorId; 2]) {
        let DeltaRule { key_dim, value_dim, .. } = cut.rule;
        let [state, values] = [cut.state(), cut.filled * value_dim];
        let products = 6 * cut.filled * key_dim * value_dim;
        let inside = 2 * cut.pairs() * value_dim;
        let flops = Flops::from_flops((products + inside) as f64).unwrap_or(Flops::ZERO);
        let first = self.run_op(Op::new("state").make(state, Dtype::F32));
        let op = Op::new("states").read(first, Flow::Stop).save(first);
        let op = inputs.iter().fold(op, |op, input| op.read(*input, Flow::Fresh));
        let op = self.kept_inputs(op, cut, inputs).make(values, Dtype::F32);
        let op = match self.training() {
            true => self.kept_by_chunks(op, cut),
            // Only what the last chunk made is left: its state, and what it read of the one before
            // beside its corrected values.
            false => op.make(state, Dtype::F32).make(2 * values / cut.chunks, Dtype::F32),
        };
        // A gradient of the whole result, of a state, and two more while gradients are summed up.
        let wide = Dtype::F32.bytes(cut.filled * key_dim.max(value_dim));
        let op = op.backward_temporary(Dtype::F32.bytes(values));
        let op = op.backward_temporary(Dtype::F32.bytes(state));
        let op = if cut.chunks > 1 { op.backward_spike(wide * 2) } else { op };
        let made = self.run_all(op.kernel(Kernel::Matrix, flops));
        // What the last chunk makes before the loop ends.
        let Tensor { storage, elements, dtype, .. } = self.tape.of(made[0]);
        let next = Op::new("states").read(made[0], Flow::Pass);
        let next = next.make_in(storage, elements, dtype).make(state, Dtype::F32);
        let next = self.run_all(next.make(state, Dtype::F32));
        let left = if self.training() { [next[0]; 2] } else { [made[1], made[2]] };
        (next[0], left)
    }

    /// Whether the loop's products copy the queries and keys of every chunk.
    fn copies_chunks(&self, cut: Cut) -> bool {
        self.numbers.stream == Dtype::F32 && cut.is_whole() && cut.sequences > 1
    }

    /// What the backward of the loop reads of its inputs. The state before the first chunk has no
    /// gradient, so that one chunk alone needs neither queries nor keys.
    fn kept_inputs(&self, op: Op, cut: Cut, inputs: [TensorId; 6]) -> Op {
        let [inside, query, key, key_reads, ..] = inputs;
        if self.numbers.autocast {
            return op;
        }
        let op = op.save(inside);
        match cut.chunks > 1 && !self.copies_chunks(cut) {
            true => op.save(query).save(key).save(key_reads),
            false => op,
        }
    }

    /// What the loop makes and keeps for its backward, chunk by chunk: the last one passes no state
    /// on. Autocast keeps a narrow copy of every operand, of states and values one for either use.
    fn kept_by_chunks(&self, op: Op, cut: Cut) -> Op {
        let DeltaRule { key_dim, value_dim, .. } = cut.rule;
        let (chunks, passed) = (cut.chunks, cut.chunks - 1);
        let rows = cut.filled / chunks;
        let kept: Vec<_> = match self.numbers.autocast {
            true => {
                let pairs = cut.pairs();
                let narrow = 2 * chunks * cut.state() + pairs + 3 * passed * rows * key_dim;
                let values = (chunks + passed) * rows * value_dim;
                let wide = passed.saturating_sub(1) * cut.state();
                vec![(wide, Dtype::F32), (narrow + values, self.numbers.products)]
            }
            false => {
                let copies = if self.copies_chunks(cut) { 2 * passed * rows * key_dim } else { 0 };
                let values = cut.filled * value_dim;
                vec![(passed * cut.state(), Dtype::F32), (values + copies, Dtype::F32)]
            }
        };
        let keep = |op: Op, (index, (elements, dtype)): (usize, (u64, Dtype))| {
            op.make(elements, dtype).save_output(index + 1)
        };
        kept.into_iter().enumerate().fold(op, keep)
    }
}
