//! A decoder that learns: tokens and what should follow them in, a loss and its gradients out.
//!
//! Put together from the same `Architecture`, [`Numerics`] and tensors as [`DecoderModel`](crate::DecoderModel), which it
//! is held to. It is a sequence of blocks, each of which can be run forward, keeping what it needs, and backward. So there
//! are two ways to spend memory ([`Memory`]): keep that of all blocks, or only what went into each, and run a block again
//! before it is run backward (Chen et al., arXiv 1604.06174). Both give the same bits.
//!
//! All memory is taken in the first pass and used again by every one after it.

mod attention;
mod block;
mod build;
mod feed_forward;

use crate::error::ModelError;
use crate::numerics::Numerics;
use crate::stored::StoredModel;
use nearside_architecture::Decoder;

use super::TrainError;
use super::batch::Batch;
use super::operator::cross_entropy::{Loss, Scores, ScoresMemory};
use super::operator::embedding::Embedding;
use super::operator::rms_norm::RmsNorm;
use super::parameter::{Learns, Parameters};
use super::product::Onto;
use block::{Block, Kept, Until, Work};
use build::{Builder, Origin};

/// How memory is spent on a pass backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// What every block needs backward is kept.
    Kept,
    /// What goes into every block is kept, and each is run twice: less memory for about a third more time.
    Recomputed,
}

/// A decoder with its gradients.
#[derive(Debug)]
pub struct Network {
    parameters: Parameters,
    graph: Graph,
    activations: Activations,
}

/// What is computed, in which order.
#[derive(Debug)]
struct Graph {
    embedding: Embedding,
    blocks: Vec<Block>,
    output_norm: RmsNorm,
    scores: Scores,
    /// The longest sequence.
    context: usize,
}

/// What is made on the way, in memory that is used again.
#[derive(Debug, Default)]
struct Activations {
    stream: Vec<f32>,
    /// What went into each block.
    inputs: Vec<Vec<f32>>,
    kept: Vec<Kept>,
    normed: Vec<f32>,
    normed_gradient: Vec<f32>,
    gradient: Vec<f32>,
    work: Work,
    scores: ScoresMemory,
}

impl Network {
    /// Takes the tensors of a model, for sequences of up to `context` tokens. `learns` says which are trained, by the names
    /// that the files have.
    ///
    /// # Errors
    /// When it is no decoder, has a part that is not trained here, or lacks a tensor or has it in another shape.
    pub fn load(
        stored: &StoredModel,
        context: usize,
        learns: &dyn Fn(&str) -> Learns,
    ) -> Result<Self, TrainError> {
        use nearside_architecture::Architecture;
        let (Architecture::Decoder(decoder), Some(numerics)) =
            (&stored.architecture, &stored.numerics)
        else {
            let what = "an architecture that is no decoder".to_owned();
            return Err(ModelError::Unsupported { what }.into());
        };
        Builder::new(Origin::Stored(stored), decoder, numerics, context).network(learns)
    }

    /// One that knows nothing: numbers at random, the same for the same seed. Tensors are named as in files of Hugging
    /// Face.
    ///
    /// # Errors
    /// When the architecture has a part that is not trained here.
    pub fn fresh(
        decoder: &Decoder,
        numerics: &Numerics,
        context: usize,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let origin = Origin::fresh(seed, decoder);
        Builder::new(origin, decoder, numerics, context).network(&|_| Learns::Trained)
    }

    /// Its tensors and their gradients.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The same, to be changed.
    pub const fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// The longest sequence that it takes.
    #[must_use]
    pub const fn context(&self) -> usize {
        self.graph.context
    }

    /// Bytes of memory for what is made on the way, as far as they were needed until now.
    #[must_use]
    pub fn activation_bytes(&self) -> usize {
        let Activations { stream, inputs, kept, normed, normed_gradient, gradient, work, scores } =
            &self.activations;
        let own = [stream, normed, normed_gradient, gradient].map(Vec::capacity);
        let numbers: usize = own.iter().sum::<usize>()
            + inputs.iter().map(Vec::capacity).sum::<usize>()
            + kept.iter().map(Kept::numbers).sum::<usize>();
        numbers * 4 + work.bytes() + scores.bytes()
    }

    /// Scores of every word after every token, a row for each.
    ///
    /// # Errors
    /// When a token is not in the vocabulary, or a sequence is longer than the context.
    pub fn scores(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainError> {
        self.run(batch)?;
        let mut scores = Vec::new();
        self.graph.scores.forward(&self.parameters, &self.activations.normed, &mut scores)?;
        Ok(scores)
    }

    /// What is lost by predictions.
    ///
    /// # Errors
    /// When a token or target is not in the vocabulary, or a sequence is longer than the context.
    pub fn loss(&mut self, batch: &Batch) -> Result<Loss, TrainError> {
        self.run(batch)?;
        let Activations { normed, scores, .. } = &mut self.activations;
        self.graph.scores.loss(&self.parameters, normed, batch.targets(), scores)
    }

    /// What is lost by predictions; how the mean of it changes with every trained number is added to its gradient.
    ///
    /// # Errors
    /// As [`Network::loss`].
    pub fn learn(&mut self, batch: &Batch, memory: Memory) -> Result<Loss, TrainError> {
        let Self { parameters, graph, activations } = self;
        graph.embed(parameters, batch, activations)?;
        activations.inputs.resize_with(graph.blocks.len(), Vec::new);
        let kept = match memory {
            Memory::Kept => graph.blocks.len(),
            Memory::Recomputed => 1,
        };
        activations.kept.resize_with(kept.max(1), Kept::default);
        let Activations { stream, inputs, kept, normed, normed_gradient, gradient, work, scores } =
            activations;
        for (index, (block, input)) in graph.blocks.iter().zip(&mut *inputs).enumerate() {
            input.clone_from(stream);
            let kept = &mut kept[if memory == Memory::Kept { index } else { 0 }];
            block.forward(parameters, batch, stream, (kept, work), Until::End)?;
        }
        graph.output_norm.forward(parameters, stream, normed);
        let loss =
            graph.scores.learn(parameters, normed, batch.targets(), normed_gradient, scores)?;
        gradient.resize(stream.len(), 0.0);
        let into = (gradient.as_mut_slice(), Onto::Replace);
        graph.output_norm.backward(parameters, stream, normed_gradient, into, &mut work.inverses);
        for (index, (block, input)) in graph.blocks.iter().zip(&*inputs).enumerate().rev() {
            let kept = &mut kept[if memory == Memory::Kept { index } else { 0 }];
            if memory == Memory::Recomputed {
                stream.clone_from(input);
                block.forward(parameters, batch, stream, (kept, work), Until::Kept)?;
            }
            block.backward(parameters, batch, input, (kept, work), gradient)?;
        }
        graph.embedding.learn(parameters, batch.tokens(), gradient);
        Ok(loss)
    }

    /// Makes what the scores are made of.
    fn run(&mut self, batch: &Batch) -> Result<(), TrainError> {
        let Self { parameters, graph, activations } = self;
        graph.embed(parameters, batch, activations)?;
        if activations.kept.is_empty() {
            activations.kept.push(Kept::default());
        }
        let Activations { stream, kept, normed, work, .. } = activations;
        for block in &graph.blocks {
            block.forward(parameters, batch, stream, (&mut kept[0], work), Until::End)?;
        }
        graph.output_norm.forward(parameters, stream, normed);
        Ok(())
    }
}

impl Graph {
    fn embed(
        &self,
        parameters: &Parameters,
        batch: &Batch,
        activations: &mut Activations,
    ) -> Result<(), TrainError> {
        let (tokens, context) = (batch.longest(), self.context);
        if tokens > context {
            return Err(ModelError::Context { tokens, context }.into());
        }
        self.embedding.forward(parameters, batch.tokens(), &mut activations.stream)
    }
}
