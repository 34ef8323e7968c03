//! What is computed from a model's output to train it.

use nearside_architecture::{Dtype, Loss, Node, Operator, Value};

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Kernel, Tensor, TensorId};

impl Lowering<'_> {
    pub(super) fn loss(&mut self) {
        let Some(output) = self.last_tensor() else { return };
        match self.graph.loss {
            Loss::NextToken => self.next_token(output),
            Loss::Class => self.class(output),
            Loss::MeanSquare => self.mean_square(output),
            Loss::Label => self.label(output),
        }
    }

    fn rows(&self) -> u64 {
        self.graph.values.last().map_or(0, |last| last.rows)
    }

    /// Cross entropy of every token with the next one: logits in 32 bits, their log-softmax, the
    /// mean (`ForCausalLMLoss` in transformers).
    fn next_token(&mut self, logits: TensorId) {
        let wide = self.cast(logits, Dtype::F32);
        let (rows, batch) = (self.rows(), self.graph.batch);
        let padded = self.run_op(Op::new("labels").make(rows + batch, Dtype::I64));
        let labels = match batch {
            1 => padded,
            _ => self.run_op(Op::new("labels").read(padded, Flow::Stop).make(rows, Dtype::I64)),
        };
        self.cross_entropy(wide, labels);
        self.tape.hold(&[wide, padded]);
    }

    /// The same, so many tokens at a time: a chunk's scores are made and scored in a stretch that is
    /// run again in the backward pass (`ChunkedCrossEntropy` in NeMo AutoModel).
    pub(super) fn chunked_loss(&mut self, node: &Node, index: usize, tokens: u64) {
        let hidden = self.value(node.inputs[0]);
        let rows = self.rows();
        let weight = self.vocabulary_weight(node);
        let labels = self.run_op(Op::new("labels").make(rows + 1, Dtype::I64));
        let tensor = self.tape.of(hidden);
        let chunks: Vec<u64> = (0..rows.div_ceil(tokens.max(1)))
            .map(|chunk| tokens.min(rows - chunk * tokens))
            .collect();
        let width = tensor.elements / rows.max(1);
        let split = Op::new("chunks").read(hidden, Flow::Fresh);
        let split = chunks
            .iter()
            .fold(split, |op, rows| op.make_in(tensor.storage, rows * width, tensor.dtype));
        let parts = self.run_all(split);
        let mut total = None;
        for (part, rows) in parts.iter().zip(&chunks) {
            self.tape.end_segment(false);
            let loss = self.chunk_loss(node, index, [*part, weight, labels], *rows);
            self.tape.end_segment(true);
            let op = Op::new("loss").read(loss, Flow::Pass);
            let op = total.iter().fold(op, |op, total| op.read(*total, Flow::Pass));
            total = Some(self.run_op(op.make(1, Dtype::F32)));
        }
        if let Some(total) = total {
            self.run_op(Op::new("loss").read(total, Flow::Fresh).make(1, Dtype::F32));
        }
        self.tape.hold(&parts);
    }

    fn chunk_loss(
        &mut self,
        node: &Node,
        index: usize,
        [part, weight, labels]: [TensorId; 3],
        rows: u64,
    ) -> TensorId {
        let part = match self.numbers.autocast {
            true => self.cast(part, self.numbers.products),
            false => part,
        };
        let width = self.graph.output(node).width;
        let flops = node.operator.flops(rows, width);
        let op = Op::new("linear").read(weight, Flow::Fresh).read(part, Flow::Fresh);
        let op = self.saved_for(self.saved_for(op, part, weight), weight, part);
        let op = op.category(Category::Logits).kernel(Kernel::Matrix, flops);
        let mut scores = self.run_op(op.make(rows * width, self.tape.of(part).dtype));
        let later = self.graph.nodes.iter().skip(index);
        if later.into_iter().any(|node| node.operator == Operator::SoftCap) {
            scores = self.soft_cap(scores, Value { rows, width });
        }
        let wide = self.cast(scores, Dtype::F32);
        let loss = self.cross_entropy(wide, labels);
        self.tape.hold(&[wide]);
        loss
    }

    fn class(&mut self, logits: TensorId) {
        let wide = self.cast(logits, Dtype::F32);
        let labels = self.input(self.rows(), Dtype::I64);
        self.cross_entropy(wide, labels);
        self.tape.hold(&[wide]);
    }

    /// Cross entropy in the type of the scores, which autocast widens.
    fn label(&mut self, scores: TensorId) {
        let scores = match self.numbers.autocast {
            true => self.cast(scores, Dtype::F32),
            false => scores,
        };
        let labels = self.input(self.rows(), Dtype::I64);
        self.cross_entropy(scores, labels);
    }

    fn cross_entropy(&mut self, logits: TensorId, labels: TensorId) -> TensorId {
        let Tensor { elements, dtype, .. } = self.tape.of(logits);
        let scores = Op::new("log softmax").read(logits, Flow::Fresh).save_output(0);
        let scores = scores.category(Category::Logits).make(elements, dtype);
        let scores = self.run_op(scores);
        let mean = Op::new("loss").read(scores, Flow::Fresh).read(labels, Flow::Stop);
        let mean = mean.save(scores).save(labels).save_output(1);
        self.run_op(mean.make(1, dtype).make(1, dtype))
    }

    /// The mean of squares of a 32-bit copy.
    fn mean_square(&mut self, output: TensorId) {
        let wide = self.cast(output, Dtype::F32);
        let elements = self.tape.of(wide).elements;
        let square = Op::new("square").read(wide, Flow::Fresh).save(wide);
        let bytes = Dtype::F32.bytes(elements);
        let square = square.backward_temporary(bytes).backward_temporary(bytes);
        let square = self.run_op(square.make(elements, Dtype::F32));
        self.run_op(Op::new("loss").read(square, Flow::Fresh).make(1, Dtype::F32));
    }
}
