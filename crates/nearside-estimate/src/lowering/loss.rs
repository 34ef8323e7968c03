//! What is computed from a model's output to train it.

use nearside_architecture::{Dtype, Loss};

use super::{Lowering, Op};
use crate::tape::{Category, Flow, Tensor, TensorId};

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

    fn cross_entropy(&mut self, logits: TensorId, labels: TensorId) {
        let Tensor { elements, dtype, .. } = self.tape.of(logits);
        let scores = Op::new("log softmax").read(logits, Flow::Fresh).save_output(0);
        let scores = scores.category(Category::Logits).make(elements, dtype);
        let scores = self.run_op(scores);
        let mean = Op::new("loss").read(scores, Flow::Fresh).read(labels, Flow::Stop);
        let mean = mean.save(scores).save(labels).save_output(1);
        self.run_all(mean.make(1, dtype).make(1, dtype));
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
