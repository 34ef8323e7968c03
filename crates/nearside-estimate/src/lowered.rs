//! What training comes to as calls of the framework, kept for as long as several questions about one
//! model share it: changes of an optimizer or of what may be live leave the calls as they are.

use std::sync::Arc;

use nearside_architecture::{Architecture, Shape};
use nearside_workload::{Optimizer, Parallelism, Recipe};

use crate::demand::{NotEstimated, bounded, counted, training_kernels};
use crate::lowering::{Trained, lower};
use crate::parallel::tensor::{self, Share};
use crate::tape::{Tape, Work};

/// Most lowerings that are kept; each takes a few megabytes.
const MOST: usize = 16;

/// What training comes to on one of the devices that share products.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// Its calls.
    pub(crate) tape: Tape,
    /// Its part of the graph, and what it exchanges for that.
    pub(crate) share: Share,
    /// Its kernels, equal ones counted together.
    pub(crate) kernels: Vec<(Work, u32)>,
    /// Its parameters.
    pub(crate) parameters: u64,
    /// Those that are trained.
    pub(crate) trained: u64,
}

/// What a lowering depends on: the depth of the model, what goes through it, how it is trained, on
/// how many devices that share products.
type Key = (usize, Shape, Recipe, Trained, u64);

/// The last lowerings of one model, and of the same with fewer layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lowerings(Vec<(Key, Arc<Lowered>)>);

impl Lowerings {
    /// One lowering on so many devices that share products, made where it is not there.
    pub(crate) fn of(
        &mut self,
        architecture: &Architecture,
        shape: Shape,
        recipe: &Recipe,
        (trained, ways): (Trained, u64),
    ) -> Result<Arc<Lowered>, NotEstimated> {
        // No call depends on the optimizer, or on what else devices share.
        let parallelism =
            Parallelism { stream: recipe.parallelism.stream, ..Parallelism::default() };
        let same = Recipe { optimizer: Optimizer::Sgd, parallelism, ..*recipe };
        let key = (depth(architecture), shape, same, trained, ways);
        if let Some((_, found)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(found));
        }
        let graph = bounded(architecture, shape, recipe)?;
        let share = tensor::share(&graph, ways, recipe.parallelism.stream)?;
        let tape = lower(&share.graph, recipe, trained);
        let elements = |weight| tape.of(weight).elements;
        let lowered = Arc::new(Lowered {
            kernels: counted(training_kernels(&tape)),
            parameters: tape.weights().map(elements).sum(),
            trained: tape.trained().map(elements).sum(),
            share,
            tape,
        });
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((key, Arc::clone(&lowered)));
        Ok(lowered)
    }
}

/// By how many layers a model differs from others of its kind.
fn depth(architecture: &Architecture) -> usize {
    match architecture {
        Architecture::Decoder(decoder) => decoder.layers.len(),
        _ => 0,
    }
}
