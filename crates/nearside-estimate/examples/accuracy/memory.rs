//! What a PyTorch program takes: the model's operators as events of allocation, replayed.

use nearside_architecture::{Architecture, Coding, Graph, Operator, Shape};
use nearside_catalog::Catalog;
use nearside_estimate::Calibration;
use nearside_estimate::allocator::caching::{self, Segments};
use nearside_estimate::lowering::{Trained, lower};
use nearside_estimate::tape::Tape;
use nearside_estimate::timeline::{
    Outputs, Passes, Program, Replayed, TrainingStep, inference, training,
};
use nearside_units::{Bytes, Span};
use nearside_workload::Recipe;

use crate::interval;
use crate::place;
use crate::row::{Reason, Row};
use crate::subject::Subject;
use crate::words::{Metric, Task};

/// cuBLAS's default workspace before Hopper: two buffers of 4 MiB and eight of 16 KiB
/// (`CUBLAS_WORKSPACE_CONFIG`, ATen/cuda/CUDABlas.cpp).
const CUBLAS_WORKSPACE: Bytes = Bytes::new(8_519_680);
/// The driver's context on a T4 with torch 2.10-2.14, as for `memory.context` of the calibration.
const T4_CONTEXT: Bytes = Bytes::mib(141);

/// A program and what it does.
pub(crate) struct Run {
    /// The model at work.
    pub(crate) graph: Graph,
    /// What PyTorch does for it.
    pub(crate) tape: Tape,
    /// How it is computed.
    pub(crate) recipe: Recipe,
    /// Which weights are trained.
    pub(crate) trained: Trained,
}

impl Run {
    /// The program that a row describes.
    pub(crate) fn of(row: &Row, catalog: &Catalog) -> Result<Self, Reason> {
        let device = place::device(row, catalog)?;
        let architecture = Subject::of(row, catalog)?.architecture()?;
        let recipe = row.recipe(device)?;
        let task = row.task()?;
        let shape = shape(row, task)?;
        let graph = match (&architecture, task) {
            (Architecture::Vae(vae), Task::Encode) => {
                Some(Graph::of_vae(vae, Coding::Encode, shape))
            }
            _ => architecture.graph(shape),
        };
        let graph = graph.ok_or_else(|| "its family has no graph yet".to_owned())?;
        let graph = if task == Task::Infer { without_cache(graph) } else { graph };
        let trained = match task {
            Task::Training(trained) => trained,
            _ => Trained::Nothing,
        };
        let tape = lower(&graph, &recipe, trained);
        Ok(Self { graph, tape, recipe, trained })
    }

    /// Parameters, adapters included.
    fn parameters(&self) -> u64 {
        let added = match self.trained {
            Trained::Adapters(_) => {
                self.tape.trained().map(|weight| self.tape.of(weight).elements).sum()
            }
            _ => 0,
        };
        self.graph.parameter_count() + added
    }

    fn replay(&self, program: &Program) -> Replayed {
        let step = TrainingStep { optimizer: self.recipe.optimizer, passes: Passes::One };
        match self.trained {
            Trained::Nothing => inference(&self.tape, program),
            _ => training(&self.tape, program, &step),
        }
    }

    /// What the tensors of a program take that lets go of what it no longer needs.
    pub(crate) fn live(&self) -> Live {
        let program = Program { workspace: Bytes::ZERO, outputs: Outputs::Dropped };
        let replayed = self.replay(&program);
        Live {
            parameters: self.parameters(),
            weights: self.tape.weight_bytes(),
            optimizer: replayed.optimizer,
            saved: (self.trained != Trained::Nothing).then_some(replayed.saved),
            peak: replayed.peak.total(),
        }
    }

    /// What the allocator takes for a program that has called cuBLAS.
    pub(crate) fn taken(&self, outputs: Outputs) -> Taken {
        let program = Program { workspace: CUBLAS_WORKSPACE, outputs };
        let replayed = self.replay(&program);
        let taken = caching::replay(&replayed.requests, Segments::Fixed);
        Taken { allocated: taken.allocated, reserved: taken.reserved }
    }

    /// Elements of the cache for so many tokens.
    pub(crate) fn cache(&self, context: u64) -> Bytes {
        self.recipe.cache.bytes(self.graph.cached_elements(context))
    }
}

/// Live tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    parameters: u64,
    weights: Bytes,
    optimizer: Bytes,
    /// Nothing without a backward pass.
    saved: Option<Bytes>,
    peak: Bytes,
}

impl Live {
    /// One of its figures, if it has it.
    pub(crate) fn figure(&self, metric: Metric) -> Option<Span<f64>> {
        match metric {
            Metric::Parameters => Some(Span::exact(self.parameters as f64)),
            Metric::Weights => Some(interval::counted(self.weights)),
            Metric::Optimizer => Some(interval::counted(self.optimizer)),
            Metric::SavedActivations => self.saved.map(interval::live),
            Metric::LivePeak => Some(interval::live(self.peak)),
            _ => None,
        }
    }
}

/// What the allocator took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    allocated: Bytes,
    reserved: Bytes,
}

impl Taken {
    /// One of its figures, if it has it.
    pub(crate) fn figure(&self, metric: Metric, row: &Row) -> Option<Span<f64>> {
        let reserved = interval::reserved(self.reserved);
        match metric {
            Metric::Allocated => Some(interval::allocated(self.allocated)),
            Metric::Reserved => Some(reserved),
            Metric::Process => Some(reserved + context(row)),
            _ => None,
        }
    }
}

/// The same model where no key and value is kept: a plain forward pass.
fn without_cache(mut graph: Graph) -> Graph {
    for node in &mut graph.nodes {
        match &mut node.operator {
            Operator::Attention(shape) => shape.cached = 0,
            Operator::ClassicAttention(attention) => attention.shape.cached = 0,
            _ => {}
        }
    }
    graph
}

/// Measured programs keep the model's outputs in a variable until the step is over; traced ones, whose
/// requests were replayed without a device, let go of them.
pub(crate) fn outputs(row: &Row) -> Outputs {
    let traced = row.cell("device").is_empty() || row.cell("source").contains("trace");
    if traced { Outputs::Dropped } else { Outputs::Held }
}

/// What the driver's context takes.
fn context(row: &Row) -> Span<f64> {
    let context = match row.cell("device").to_ascii_lowercase().ends_with("t4") {
        true => Span::exact(T4_CONTEXT),
        false => Calibration::default().memory.context.value,
    };
    context.map(|context| context.get() as f64)
}

/// How much the program works on.
fn shape(row: &Row, task: Task) -> Result<Shape, Reason> {
    let batch = row.number("batch", 1)?;
    let image = match row.cell("image") {
        "" | "-" => None,
        _ => Some(row.number("image", 0)?),
    };
    let sequence = match (row.cell("sequence"), image) {
        ("" | "-", None) if row.metric() == Ok(Metric::Parameters) => 1,
        ("" | "-", None) => row.number("context", 1)?,
        _ => row.number("sequence", 1)?,
    };
    let shape = match task {
        // A plain forward pass scores every token.
        Task::Training(_) | Task::Infer => Shape::training(batch, sequence),
        _ => Shape::prompt(batch, sequence),
    };
    // Encoder-decoders read the sequence and write the context; other families have no such thing.
    let written = match row.cell("context") {
        "" | "-" => None,
        _ => Some(row.number("context", sequence)?),
    };
    Ok(Shape { image, written, ..shape })
}
