//! State spaces as transformers computes them without kernels of its own (`mamba2_chunk_scan`): everything in 32 bits, chunk by chunk, each einsum as one
//! batch of matrix products of operands that are copied where their dimensions cannot be merged.

use nearside_architecture::{Dtype, StateScan, StateSpace, Value};
use nearside_units::Flops;

use super::{Lowering, Op};
use crate::tape::{Flow, Kernel, Tensor, TensorId};

/// How a scan is cut.
#[derive(Clone, Copy)]
struct Cut {
    sequences: u64,
    chunks: u64,
    space: StateSpace,
    /// Tokens of all sequences.
    rows: u64,
    /// The same, filled up to whole chunks.
    filled: u64,
}

impl Cut {
    const fn of(scan: StateScan) -> Self {
        let chunks = scan.chunks();
        Self {
            sequences: scan.sequences,
            chunks,
            space: scan.space,
            rows: scan.sequences * scan.tokens,
            filled: scan.sequences * chunks * scan.space.chunk,
        }
    }

    const fn is_filled(&self) -> bool {
        self.rows != self.filled
    }

    /// Whether sequences, chunks and heads become one dimension only by a copy, in memory where
    /// tokens lie before heads.
    const fn copies_tokens(&self) -> bool {
        self.space.heads > 1 && (self.sequences > 1 || self.chunks > 1)
    }

    /// The same of values, which lie before tokens where nothing had to be filled up.
    const fn copies_values(&self) -> bool {
        match self.is_filled() {
            true => self.copies_tokens(),
            false => self.space.heads > 1 && self.chunks > 1,
        }
    }

    /// Numbers of one state of every head.
    const fn state(&self) -> u64 {
        self.sequences * self.space.inner() * self.space.state
    }

    /// Pairs of tokens of a chunk, for every head.
    const fn pairs(&self) -> u64 {
        self.filled * self.space.heads * self.space.chunk
    }
}

/// Two operands of an einsum, and whether each is copied into a batch of matrices first.
struct Einsum {
    left: (TensorId, bool),
    right: (TensorId, bool),
    elements: u64,
    /// Length of what is summed over.
    summed: u64,
    /// Whether its gradient is copied too.
    copied_back: bool,
}

impl Lowering<'_> {
    /// The states of all tokens: values, time steps, what writes states, what reads them.
    pub(super) fn state_scan(
        &mut self,
        scan: StateScan,
        inputs: &[TensorId],
        value: Value,
    ) -> TensorId {
        let heads = scan.space.heads;
        let [shift, decay, skip] = [(); 3].map(|()| self.weight(heads, self.numbers.parameters));
        let scanned = match scan.tokens {
            1 => self.state_update(scan, inputs, value),
            _ => {
                let decay = self.decay_rate(decay, heads);
                let steps = self.time_steps(inputs[1], shift);
                let values = [inputs[0], inputs[2], inputs[3]];
                self.chunked_scan(Cut::of(scan), values, [steps, decay, skip])
            }
        };
        if !self.training() {
            self.kept_state(scan.kept(), Dtype::F32);
        }
        scanned
    }

    /// One token per sequence updates the states and reads them.
    fn state_update(&mut self, scan: StateScan, inputs: &[TensorId], value: Value) -> TensorId {
        let flops = Flops::from_flops(5.0 * scan.kept() as f64).unwrap_or(Flops::ZERO);
        let op = inputs.iter().fold(Op::new("state"), |op, input| op.read(*input, Flow::Stop));
        let dtype = self.tape.of(inputs[0]).dtype;
        self.run_op(op.make(value.elements(), dtype).kernel(Kernel::Pointwise, flops))
    }

    /// `-exp(wide(x))` per head.
    pub(super) fn decay_rate(&mut self, logarithm: TensorId, heads: u64) -> TensorId {
        let wide = self.cast(logarithm, Dtype::F32);
        let rate = Op::new("decay").read(wide, Flow::Fresh).save_output(0);
        let rate = self.run_op(rate.make(heads, Dtype::F32));
        self.run_op(Op::new("decay").read(rate, Flow::Fresh).make(heads, Dtype::F32))
    }

    /// `clamp(softplus(x + shift))`.
    fn time_steps(&mut self, input: TensorId, shift: TensorId) -> TensorId {
        let Tensor { elements, dtype, .. } = self.tape.of(input);
        let shift = self.cast(shift, dtype);
        let shifted = Op::new("time steps").read(shift, Flow::Sum).read(input, Flow::Pass);
        let shifted = self.run_op(shifted.make(elements, dtype));
        let dtype = if self.numbers.autocast { Dtype::F32 } else { dtype };
        let shifted = self.cast(shifted, dtype);
        let positive = Op::new("time steps").read(shifted, Flow::Fresh).save(shifted);
        let positive = self.run_op(positive.make(elements, dtype));
        let clamped = Op::new("time steps").read(positive, Flow::Fresh).save(positive);
        let flags = Dtype::Bool.bytes(elements);
        let clamped = clamped.backward_temporary(flags).backward_temporary(flags);
        self.run_op(clamped.make(elements, dtype))
    }

    fn chunked_scan(
        &mut self,
        cut: Cut,
        [values, writing, reading]: [TensorId; 3],
        [steps, decay, skip]: [TensorId; 3],
    ) -> TensorId {
        let StateSpace { heads, head_dim, state, chunk, .. } = cut.space;
        let (inner, tall) = (cut.space.inner(), cut.filled * heads * state);
        let whole = Value { rows: cut.filled, width: inner };
        let values = self.cast(values, Dtype::F32);
        let [writing, reading] = [writing, reading].map(|input| self.repeated_heads(cut, input));
        let filled = self.filled_up(values, cut.filled * inner);
        let skipped = self.product(&[skip, filled], whole);
        let spans = self.cast(steps, Dtype::F32);
        let rows = Value { rows: cut.rows, width: inner };
        let values = self.product(&[values, spans], rows);
        let spans = self.cast(steps, Dtype::F32);
        let decays = self.product(&[decay, spans], Value { rows: cut.rows, width: heads });
        let before = [values, decays, writing, reading];
        let values = self.filled_up(values, cut.filled * inner);
        let decays = self.filled_up(decays, cut.filled * heads);
        let [writing, reading] = [writing, reading].map(|input| self.filled_up(input, tall));
        self.tape.hold(&before);
        let [values, writing, reading] =
            [values, writing, reading].map(|input| self.chunked(cut, input));
        let sums = self.running_sum(decays, cut.filled * heads);
        // Inside chunks: what a token reads of those before it.
        let fading = self.fading(decays, cut.pairs(), chunk);
        let scores = self.einsum(&Einsum {
            left: (reading, cut.copies_tokens()),
            right: (writing, cut.copies_tokens()),
            elements: cut.pairs(),
            summed: state,
            copied_back: false,
        });
        let pairs = Value { rows: cut.pairs(), width: 1 };
        let faded = self.product(&[scores, fading], pairs);
        let inside = self.einsum(&Einsum {
            left: (faded, false),
            right: (values, cut.copies_values()),
            elements: cut.filled * inner,
            summed: chunk,
            copied_back: cut.copies_tokens(),
        });
        // What every chunk adds to the state.
        let last = self.viewed(sums, cut.filled / chunk * heads, Flow::Fresh);
        let small = Op::new("decay").read(sums, Flow::Fresh).read(last, Flow::Sum);
        let small = self.run_op(small.make(cut.filled * heads, Dtype::F32));
        let left_over = self.exponential(small);
        let written = self.product(&[writing, left_over], Value { rows: tall, width: 1 });
        let added = self.einsum(&Einsum {
            left: (values, cut.copies_values()),
            right: (written, cut.copies_tokens()),
            elements: cut.state() * cut.chunks,
            summed: chunk,
            copied_back: cut.chunks > 1 && heads > 1,
        });
        let [states, before_first, carried, passed] = self.passed_on(cut, sums, added);
        // What a token reads of the state before its chunk.
        let since = self.exponential(sums);
        let read = self.einsum(&Einsum {
            left: (reading, cut.copies_tokens()),
            right: (states, cut.chunks > 1 && heads > 1),
            elements: cut.filled * inner,
            summed: state,
            copied_back: cut.copies_tokens(),
        });
        let read_faded = self.product(&[read, since], whole);
        let sum = self.sum(&[inside, read_faded], whole);
        let ordered = self.copy(sum);
        let output = self.sum(&[ordered, skipped], whole);
        let output = match cut.is_filled() {
            true => self.viewed(output, cut.rows * heads * head_dim, Flow::Fresh),
            false => output,
        };
        // Variables of the function, in their order.
        self.tape.hold(&[values, steps, decays, writing, reading, skipped, sums, fading, scores]);
        self.tape.hold(&[faded, inside, left_over, written, before_first, carried, passed]);
        self.tape.hold(&[since, read, read_faded]);
        output
    }

    /// What writes or reads states, wide and once for every head.
    fn repeated_heads(&mut self, cut: Cut, input: TensorId) -> TensorId {
        let wide = self.cast(input, Dtype::F32);
        let elements = cut.rows * cut.space.heads * cut.space.state;
        let flow = if cut.space.groups == cut.space.heads { Flow::Pass } else { Flow::Sum };
        self.run_op(Op::new("repeat").read(wide, flow).make(elements, Dtype::F32))
    }

    /// A copy with zeros up to whole chunks.
    pub(super) fn filled_up(&mut self, input: TensorId, elements: u64) -> TensorId {
        self.run_op(Op::new("fill").read(input, Flow::Fresh).make(elements, Dtype::F32))
    }

    /// Cut into chunks: a view, whose gradient is put back into order.
    fn chunked(&mut self, cut: Cut, input: TensorId) -> TensorId {
        let reordered = cut.chunks > 1 && cut.space.heads > 1;
        let flow = if reordered { Flow::Fresh } else { Flow::Pass };
        self.viewed(input, self.tape.of(input).elements, flow)
    }

    /// Sums of all elements up to each one; backward turns around, sums and turns around.
    pub(super) fn running_sum(&mut self, input: TensorId, elements: u64) -> TensorId {
        let bytes = Dtype::F32.bytes(elements);
        let op = Op::new("running sum").read(input, Flow::Fresh);
        let op = op.backward_temporary(bytes).backward_temporary(bytes);
        self.run_op(op.make(elements, Dtype::F32))
    }

    pub(super) fn exponential(&mut self, input: TensorId) -> TensorId {
        let elements = self.tape.of(input).elements;
        let op = Op::new("exponential").read(input, Flow::Fresh).save_output(0);
        self.run_op(op.make(elements, Dtype::F32))
    }

    /// `exp(segment_sum(x))`: for each pair of places, how much of the later one is left.
    fn fading(&mut self, input: TensorId, pairs: u64, side: u64) -> TensorId {
        let flags = side * side;
        let spread = self.viewed(input, pairs, Flow::Sum);
        let (lower, masked) = self.triangle(spread, pairs, flags);
        let summed = self.running_sum(masked, pairs);
        let (lower_too, kept) = self.triangle(summed, pairs, flags);
        self.tape.hold(&[lower, summed, masked, lower_too]);
        self.exponential(kept)
    }

    /// Some pairs overwritten: the flags of the others, and the result.
    fn triangle(&mut self, input: TensorId, pairs: u64, flags: u64) -> (TensorId, TensorId) {
        let made = |name: &'static str| Op::new(name).make(flags, Dtype::Bool);
        let ones = self.run_op(made("triangle"));
        let lower = self.run_op(made("triangle").read(ones, Flow::Stop));
        let upper = self.run_op(made("triangle").read(lower, Flow::Stop));
        let op = Op::new("mask").read(input, Flow::Fresh).read(upper, Flow::Stop).save(upper);
        (lower, self.run_op(op.make(pairs, Dtype::F32)))
    }

    /// States before every chunk, the one before the first, how chunks fade, and all states.
    fn passed_on(&mut self, cut: Cut, sums: TensorId, added: TensorId) -> [TensorId; 4] {
        let heads = cut.sequences * cut.space.heads;
        let places = cut.chunks + 1;
        let dtype = self.tape.of(added).dtype;
        let first = self.run_op(Op::new("state").make(cut.state(), dtype));
        let all = Op::new("concatenate").read(first, Flow::Pass).read(added, Flow::Pass);
        let all = self.run_op(all.make(cut.state() * places, dtype));
        let last = self.viewed(sums, heads * cut.chunks, Flow::Fresh);
        let filled = self.filled_up(last, heads * places);
        let fading = self.fading(filled, heads * places * places, places);
        let mixed = cut.sequences > 1 && cut.space.heads > 1;
        let passed = self.einsum(&Einsum {
            left: (fading, false),
            right: (all, mixed),
            elements: cut.state() * places,
            summed: places,
            copied_back: mixed,
        });
        let states = self.viewed(passed, cut.state() * cut.chunks, Flow::Fresh);
        [states, first, fading, passed]
    }

    /// A batch of matrix products in 32 bits.
    fn einsum(&mut self, einsum: &Einsum) -> TensorId {
        let Einsum { left, right, elements, summed, copied_back } = *einsum;
        let dtype = if self.numbers.autocast { self.numbers.products } else { Dtype::F32 };
        let narrow = [left, right].map(|(operand, copied)| (self.cast(operand, dtype), copied));
        let operands = narrow.map(|(operand, _)| operand);
        let [left, right] = narrow.map(|(operand, copied)| match copied {
            true => self.copy(operand),
            false => operand,
        });
        let flops = Flops::from_flops(2.0 * (elements * summed) as f64).unwrap_or(Flops::ZERO);
        let op = Op::new("einsum").read(right, Flow::Fresh).read(left, Flow::Fresh);
        let op = op.save(left).save(right).kernel(Kernel::Matrix, flops);
        let op = match copied_back {
            true => op.backward_temporary(dtype.bytes(elements)),
            false => op,
        };
        let product = self.run_op(op.make(elements, dtype));
        self.tape.hold(&operands);
        product
    }
}
