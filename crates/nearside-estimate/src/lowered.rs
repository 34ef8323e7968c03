//! What training comes to as calls of the framework, kept for as long as several questions about one
//! model share it: changes of an optimizer or of what may be live leave the calls as they are.

use std::sync::Arc;

use nearside_architecture::{Architecture, Shape};
use nearside_workload::{Optimizer, Recipe};

use crate::demand::{NotEstimated, bounded, counted, training_kernels};
use crate::lowering::{Trained, lower};
use crate::parallel::tensor::{self, Share};
use crate::tape::{Tape, Work};

/// Most lowerings that are kept; each takes a few megabytes.
const MOST: usize = 8;

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

/// What a lowering depends on, the model aside.
type Key = (Shape, Recipe, Trained, u64);

/// The last lowerings of one model.
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
        // No call depends on the optimizer.
        let key = (shape, Recipe { optimizer: Optimizer::Sgd, ..*recipe }, trained, ways);
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
