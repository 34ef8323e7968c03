//! Training: a model's loss and how it changes with every number of the model, and the steps that follow from that.
//!
//! ```text
//! texts -> Corpus -> Vocabulary -> tokens -> Windows -> Batch -> Network::learn -> gradients -> Optimizer::step
//! ```
//!
//! - [`Network`] is a decoder that learns, put together from a model's files or at random ([`Shape`]).
//! - [`Trainer`] takes its steps; [`write()`] makes the folder that other programs read.
//!
//! Every operator has its way backward written by hand (`operator/`): nothing is recorded while a network computes, and
//! memory is known and used again. Invariants: the same seed makes the same bits, on any number of threads and whichever
//! way memory is spent; a trained tensor without a gradient is an error, and so is a loss that is no number.

mod batch;
mod corpus;
mod data;
mod error;
mod folder;
mod network;
mod operator;
mod optimizer;
mod parameter;
mod product;
mod run;
mod schedule;
mod shape;
mod vocabulary;

pub use batch::Batch;
pub use corpus::{Corpus, Tokens};
pub use data::{Windows, spread};
pub use error::TrainError;
pub use folder::{FILES, write};
pub use network::{Memory, Network};
pub use operator::cross_entropy::Loss;
pub use optimizer::{AdamW, Optimizer};
pub use parameter::{Learns, Parameter, Parameters};
#[doc(hidden)]
pub use product::measured_product;
pub use run::{Progress, Recipe, Run, Trainer};
pub use schedule::Schedule;
pub use shape::Shape;
pub use vocabulary::Vocabulary;
