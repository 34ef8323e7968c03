//! Kinds of models, each with a model of the catalog that stands for it, and what is done with them.

use std::path::Path;

use nearside_architecture::Dtype;
use nearside_catalog::Catalog;
use nearside_economics::requirements::Work;
use nearside_estimate::choice::{READING_SPEED, TRAINING_SPEED};
use nearside_estimate::ladder;
use nearside_units::{Bytes, Currency, Duration, ExchangeRates};
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, Batch, ModelRef, Recipe, Task, Training, Workload,
};

use super::{Terms, Wanted, question};
use crate::cli::{FitTask, ModelClass, Scale};
use crate::error::{CommandError, Fault};
use crate::wire::models::{resolve, weights};

/// A kind of model, and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) class: ModelClass,
    pub(crate) scale: Scale,
    pub(crate) task: FitTask,
}

/// The model that stands for a kind.
#[rustfmt::skip]
const MODELS: [(ModelClass, Scale, &str); 9] = [
    (ModelClass::Cnn, Scale::Small, "mobilenet_v3_large"),
    (ModelClass::Cnn, Scale::Medium, "resnet50"),
    (ModelClass::Cnn, Scale::Large, "convnext_large"),
    (ModelClass::Transformer, Scale::Small, "llama-3.2-1b"),
    (ModelClass::Transformer, Scale::Medium, "llama-3.1-8b"),
    (ModelClass::Transformer, Scale::Large, "llama-3.1-70b"),
    (ModelClass::Diffusion, Scale::Small, "stable-diffusion-1.5"),
    (ModelClass::Diffusion, Scale::Medium, "stable-diffusion-xl"),
    (ModelClass::Diffusion, Scale::Large, "flux-1-dev"),
];

/// Optimizer steps over which training speed is averaged.
const STEPS: u64 = 100;
/// Images or sequences per step of a training that nobody has cut down.
const BATCH: u64 = 8;
/// Images that are looked at together.
const IMAGES: u64 = 32;
/// Tokens per sequence.
const SEQUENCE: u64 = 2048;
/// Images a second that a camera takes, and a network looks at.
const CAMERA: f64 = 30.0;
/// Longest that people wait for a picture.
const PICTURE: Duration = Duration::constant(60.0);
/// Pictures a second below which training a model that draws is slow: a thousand pictures take a
/// quarter of an hour a pass.
const PICTURES_LEARNT: f64 = 1.0;
/// Disk space for what is trained on.
const DATA: Bytes = Bytes::new(100_000_000_000);

impl Kind {
    /// The model that stands for it.
    pub(crate) fn model(self) -> &'static str {
        let row = MODELS.iter().find(|row| (row.0, row.1) == (self.class, self.scale));
        row.map_or("", |row| row.2)
    }

    /// How fast is enough, in words.
    pub(crate) const fn enough(self) -> &'static str {
        match (self.class, self.task) {
            (ModelClass::Cnn, _) => "30 images/s",
            (ModelClass::Transformer, FitTask::Inference) => "10 tokens/s",
            (ModelClass::Transformer, _) => "100 tokens/s",
            (ModelClass::Diffusion, FitTask::Inference) => "a picture a minute",
            (ModelClass::Diffusion, _) => "1 picture/s",
        }
    }
}

/// What is done with models of a class.
const fn tasks(class: ModelClass) -> &'static [FitTask] {
    match class {
        ModelClass::Cnn => &[FitTask::Inference, FitTask::FineTune, FitTask::Pretrain],
        ModelClass::Transformer => &[
            FitTask::Inference,
            FitTask::Qlora,
            FitTask::Lora,
            FitTask::FineTune,
            FitTask::Pretrain,
        ],
        ModelClass::Diffusion => &[FitTask::Inference, FitTask::Lora, FitTask::FineTune],
    }
}

/// Every kind with everything that is done with it.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    MODELS.iter().flat_map(|(class, scale, _)| {
        tasks(*class).iter().map(|task| Kind { class: *class, scale: *scale, task: *task })
    })
}

/// What a kind of model asks of a machine.
pub(crate) fn of_kind(
    kind: Kind,
    terms: &Terms,
    catalog: &Catalog,
) -> Result<Wanted, CommandError> {
    if !tasks(kind.class).contains(&kind.task) {
        let message = format!("{} is not done with such models", kind.task.name());
        let possible: Vec<_> = tasks(kind.class).iter().map(|task| task.name()).collect();
        let hint = format!("use --task {}", possible.join(", "));
        return Err(CommandError::new(Fault::Usage, message).hint(hint));
    }
    let model = resolve(kind.model(), Path::new("."), catalog)?;
    let (workload, slowest) = workload(kind, &model);
    let trains = workload.task.training().is_some();
    let mut notes = Vec::new();
    let stored = weights(&model).unwrap_or_else(|| {
        notes.push(format!("not counted in the disk: how large {} is", model.name));
        Bytes::ZERO
    });
    let kept = if trains { stored.scaled(2.0).checked_add(DATA).unwrap_or(stored) } else { stored };
    let work = Work {
        stage: kind.task.name().into(),
        rungs: ladder(&workload, terms.accepted),
        monthly: 0.0,
        up: Duration::ZERO,
        pass: 1.0,
        slowest: Some(slowest),
    };
    Ok(Wanted {
        name: format!("{} of {}", kind.task.name(), model.name),
        question: question(vec![work], kept, None, terms.hours),
        rates: ExchangeRates::new(Currency::USD, std::collections::BTreeMap::new()),
        notes,
        assumed: Some(assumed(kind)),
        people: terms.team.unwrap_or(1),
    })
}

/// The work in words.
fn assumed(kind: Kind) -> String {
    let enough = kind.enough();
    let what = match (kind.class, kind.task) {
        (ModelClass::Cnn, FitTask::Inference) => format!("{IMAGES} images at once"),
        (ModelClass::Cnn, _) => format!("{STEPS} steps of {IMAGES} images"),
        (ModelClass::Transformer, FitTask::Inference) => {
            format!("one request of {} tokens, answered with {}", SEQUENCE / 2, SEQUENCE / 2)
        }
        (ModelClass::Transformer, _) => {
            format!("{STEPS} steps of {BATCH} sequences of {SEQUENCE} tokens")
        }
        (ModelClass::Diffusion, FitTask::Inference) => "one picture at a time".to_owned(),
        (ModelClass::Diffusion, _) => format!("{STEPS} steps of {BATCH} pictures"),
    };
    format!("{what}, at least {enough}")
}

/// The work, and how long it may take.
fn workload(kind: Kind, model: &ModelRef) -> (Workload, Duration) {
    let batch = if kind.class == ModelClass::Cnn { IMAGES } else { BATCH };
    let training =
        Training { tokens: batch * SEQUENCE * STEPS, sequence: SEQUENCE, batch, accumulation: 1 };
    let adapter =
        Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora };
    let images = (batch * STEPS) as f64;
    let trained = match kind.class {
        ModelClass::Cnn => images / CAMERA,
        ModelClass::Diffusion => images / PICTURES_LEARNT,
        ModelClass::Transformer => training.tokens as f64 / TRAINING_SPEED,
    };
    let at_once = if kind.class == ModelClass::Cnn { IMAGES } else { 1 };
    let half = SEQUENCE / 2;
    let answered = match kind.class {
        ModelClass::Cnn => at_once as f64 / CAMERA,
        ModelClass::Diffusion => PICTURE.as_seconds(),
        ModelClass::Transformer => half as f64 / READING_SPEED,
    };
    let answers =
        Task::Evaluation(Batch { requests: at_once, prompt: half, output: half, batch: at_once });
    let (task, seconds) = match kind.task {
        FitTask::Inference => (answers, answered),
        FitTask::Lora => (Task::Lora(training, adapter), trained),
        FitTask::Qlora => (Task::Qlora(training, adapter), trained),
        FitTask::FineTune => (Task::FineTune(training), trained),
        FitTask::Pretrain => (Task::Pretrain(training), trained),
    };
    let mut recipe = Recipe::default();
    if kind.task == FitTask::Qlora {
        recipe.weights = Dtype::Nf4;
    }
    let workload = Workload { task, model: Some(model.clone()), recipe, image: None };
    (workload, Duration::from_seconds(seconds).unwrap_or(PICTURE))
}
