//! `nearside fit MODEL`: does it fit, what limits it, how fast is it, what would make it fit?

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use nearside_architecture::{Architecture, Dtype, Graph, Shape};
use nearside_catalog::Catalog;
use nearside_estimate::attention_kernel::on_site;
use nearside_estimate::choice::speed;
use nearside_estimate::limits::limits;
use nearside_estimate::{Advice, Estimate, Technique, Verdict, estimate, techniques};
use nearside_units::{Bytes, Known, Span};
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, Batch, Checkpointing, Choice, ModelRef, Parallelism,
    Recipe, Task, Training, UnknownName, VocabularyLoss, Workload,
};

mod list;
mod place;
mod text;
mod view;

pub(crate) use list::FitList;
pub(crate) use place::Place;
pub(crate) use text::inputs_table;
pub(crate) use view::{FitAnswer, FreeView};
use view::{LimitsView, MemoryRow, StepView, TaskFit, TechniqueFit};

use crate::cli::{Fit, FitTask};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Detail, Form, Outcome, Output};
use crate::view::{Figure, InputView, Range, sources};
use crate::wire;

/// Optimizer steps over which training speed is averaged.
const STEPS: u64 = 100;

pub(super) fn run(arguments: &Fit, output: &Output) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    match &arguments.model {
        Some(model) => {
            // A wrong model is told before a wrong site.
            let model = wire::models::resolve(model, Path::new("."), &catalog)?;
            one(arguments, &model, place(arguments, &catalog)?, output)
        }
        None => list::run(arguments, &catalog, place(arguments, &catalog)?, output),
    }
}

/// Where it was asked about.
fn place(arguments: &Fit, catalog: &Catalog) -> Result<Place, CommandError> {
    let device = arguments.on.as_deref().map(|device| (device, arguments.count));
    Place::of(device, arguments.site.as_deref(), catalog)
}

/// Whether one model fits.
fn one(
    arguments: &Fit,
    model: &ModelRef,
    mut place: Place,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let workloads = workloads(arguments, model)?;
    let cautions: BTreeSet<_> = workloads.iter().flat_map(wire::models::cautions).collect();
    place.notes.extend(cautions);
    let (site, calibration) = (&place.site, &place.calibration);
    let estimates: Vec<_> = workloads
        .into_iter()
        .map(|workload| on_site(&workload, site))
        .map(|workload| (estimate(&workload, site, calibration), workload))
        .collect();
    let mut answer = answer(arguments, model, &place, &estimates);
    if let (Some(_), [(estimated, workload)]) = (arguments.task, estimates.as_slice()) {
        let short = matches!(estimated.fit.verdict, Verdict::Uncertain | Verdict::DoesNotFit);
        let (better, limits) = rayon::join(
            || short.then(|| techniques(workload, estimated, site, calibration)),
            || estimated.fit.needed.map(|_| limits(workload, site, calibration)),
        );
        answer.techniques = better.iter().flatten().map(technique_fit).collect();
        if let Some(limits) = limits {
            let mut limits = LimitsView::of(limits);
            if answer.sequence.is_none() {
                (limits.sequence, limits.concurrency) = (None, None);
            }
            answer.limits = Some(limits);
        }
    }
    print(&answer, arguments, &place.notes, output);
    place.hint(output);
    let verdicts = estimates.iter().map(|(estimate, _)| estimate.fit.verdict);
    Ok(outcome(verdicts, arguments))
}

/// The answer is yes when something that was asked for fits.
fn outcome(mut verdicts: impl Iterator<Item = Verdict>, arguments: &Fit) -> Outcome {
    let yes = verdicts.any(|verdict| match verdict {
        Verdict::Fits => true,
        Verdict::Uncertain => arguments.accept_uncertain,
        Verdict::DoesNotFit | Verdict::Unknown => false,
    });
    if yes { Outcome::Done } else { Outcome::Negative }
}

/// The workload that was asked for, or one of each usual kind.
fn workloads(arguments: &Fit, model: &ModelRef) -> Result<Vec<Workload>, CommandError> {
    let of = |task: FitTask, weights: Option<Dtype>| workload(arguments, model, task, weights);
    let stored = model.stored.map(|stored| stored.dtype);
    match (arguments.task, stored) {
        (Some(task), _) => Ok(vec![of(task, stored.filter(|_| task == FitTask::Inference))?]),
        (None, Some(dtype)) => Ok(vec![of(FitTask::Inference, Some(dtype))?]),
        (None, None) => {
            let usual = usual(&model.architecture).iter();
            let all = usual.map(|(task, weights)| of(*task, *weights));
            // A type that was asked for is that of every row.
            let mut all = all.collect::<Result<Vec<_>, _>>()?;
            all.dedup();
            Ok(all)
        }
    }
}

/// What people do with a model of its kind: engines that read weights in blocks know decoders, and
/// adapters are made for the linear layers that convolutional networks lack.
const fn usual(architecture: &Architecture) -> &'static [(FitTask, Option<Dtype>)] {
    const ALL: [(FitTask, Option<Dtype>); 6] = [
        (FitTask::Inference, Some(Dtype::Q4K)),
        (FitTask::Inference, Some(Dtype::Q8_0)),
        (FitTask::Inference, Some(Dtype::Bf16)),
        (FitTask::Qlora, None),
        (FitTask::Lora, None),
        (FitTask::FineTune, None),
    ];
    const CONVOLUTIONAL: [(FitTask, Option<Dtype>); 2] =
        [(FitTask::Inference, Some(Dtype::Bf16)), (FitTask::FineTune, None)];
    match architecture {
        Architecture::Decoder(_) | Architecture::Other { .. } => &ALL,
        Architecture::Convolutional(_) => &CONVOLUTIONAL,
        _ => ALL.split_at(2).1,
    }
}

fn workload(
    arguments: &Fit,
    model: &ModelRef,
    task: FitTask,
    weights: Option<Dtype>,
) -> Result<Workload, CommandError> {
    // Who tunes an adapter or a whole model on one card usually checkpoints it.
    let overview = arguments.task.is_none() && task != FitTask::Inference;
    let usual = if overview { Checkpointing::Full } else { Checkpointing::None };
    let plain = Recipe::default();
    let mut recipe = Recipe {
        optimizer: named(arguments.optimizer.as_deref(), plain.optimizer)?,
        attention: named(arguments.attention.as_deref(), plain.attention)?,
        checkpointing: named(arguments.checkpointing.as_deref(), usual)?,
        loss: loss(arguments)?,
        parallelism: parallelism(arguments)?,
        ..plain
    };
    let stated = arguments.weights.as_deref().map(number_type).transpose()?;
    if let Some(weights) = stated.or(weights).or((task == FitTask::Qlora).then_some(Dtype::Nf4)) {
        recipe = with_weights(recipe, weights);
    }
    let training = Training {
        tokens: arguments.batch * arguments.sequence * STEPS,
        sequence: arguments.sequence,
        batch: arguments.batch,
        accumulation: 1,
    };
    let adapter = Adapter {
        rank: arguments.rank,
        targets: AdapterTargets::Linear,
        method: named(arguments.adapter.as_deref(), AdapterMethod::Lora)?,
    };
    let task = match task {
        FitTask::Inference => Task::Evaluation(Batch {
            requests: arguments.batch,
            prompt: arguments.sequence / 2,
            output: arguments.sequence - arguments.sequence / 2,
            batch: arguments.batch,
        }),
        FitTask::Lora => Task::Lora(training, adapter),
        FitTask::Qlora => Task::Qlora(training, adapter),
        FitTask::FineTune => Task::FineTune(training),
        FitTask::Pretrain => Task::Pretrain(training),
    };
    Ok(Workload { task, model: Some(model.clone()), recipe, image: image(arguments, model)? })
}

/// The recipe with weights of that type; some are computed with as they are.
pub(crate) const fn with_weights(recipe: Recipe, weights: Dtype) -> Recipe {
    let compute = match weights {
        Dtype::F32 | Dtype::F16 => weights,
        _ => recipe.compute,
    };
    Recipe { weights, compute, ..recipe }
}

fn image(arguments: &Fit, model: &ModelRef) -> Result<Option<u64>, CommandError> {
    let taken = arguments.image.map_or(Ok(()), |side| model.architecture.takes_image(side));
    taken.map(|()| arguments.image).map_err(|error| {
        CommandError::new(Fault::Usage, format!("--image with {}: {error}", model.name))
    })
}

fn number_type(name: &str) -> Result<Dtype, CommandError> {
    let unknown = || UnknownName::new("number type", name, Dtype::all().map(Dtype::name));
    name.parse().ok().ok_or_else(|| misspelt(&unknown()))
}

fn misspelt(error: &UnknownName) -> CommandError {
    let near = error.nearest().map(|near| format!("did you mean {near}?"));
    let error = CommandError::new(Fault::Usage, error.to_string());
    near.into_iter().fold(error, CommandError::hint)
}

/// What a word names, or what is usual where none is said.
fn named<T>(word: Option<&str>, usual: T) -> Result<T, CommandError>
where
    T: FromStr<Err = UnknownName>,
{
    word.map_or(Ok(usual), |word| word.parse().map_err(|error| misspelt(&error)))
}

fn loss(arguments: &Fit) -> Result<VocabularyLoss, CommandError> {
    match (named(arguments.loss.as_deref(), VocabularyLoss::Whole)?, arguments.chunk) {
        (VocabularyLoss::Chunked { .. }, Some(tokens)) => Ok(VocabularyLoss::Chunked { tokens }),
        (VocabularyLoss::Whole, Some(_)) => {
            let message = "--chunk: only a chunked loss has chunks".to_owned();
            Err(CommandError::new(Fault::Usage, message).hint("add --loss chunked"))
        }
        (loss, None) => Ok(loss),
    }
}

/// How devices share the work: as stated, or left to choose.
fn parallelism(arguments: &Fit) -> Result<Parallelism, CommandError> {
    let Fit { sharding, tensor, pipeline, stream, offload, host_layers, .. } = arguments;
    let stated = [sharding, stream, offload].into_iter().any(Option::is_some)
        || [tensor, pipeline, host_layers].into_iter().any(Option::is_some);
    if !stated {
        return Ok(Parallelism::default());
    }
    let plain = Parallelism::default();
    Ok(Parallelism {
        choice: Choice::Stated,
        sharding: named(sharding.as_deref(), plain.sharding)?,
        tensor: tensor.unwrap_or(1),
        pipeline: pipeline.unwrap_or(1),
        stream: named(stream.as_deref(), plain.stream)?,
        offload: named(offload.as_deref(), plain.offload)?,
        host_layers: host_layers.unwrap_or(0),
    })
}

fn technique_fit(technique: &Technique) -> TechniqueFit {
    let step =
        |step: &Advice| StepView { name: step.name.to_string(), price: step.price.to_string() };
    TechniqueFit {
        technique: technique.name(),
        steps: technique.steps.iter().map(step).collect(),
        verdict: name(technique.estimate.fit.verdict).to_owned(),
        needed_bytes: technique.estimate.fit.needed.map(byte_range),
        time_ratio: technique.time_ratio,
        devices: technique.devices,
    }
}

/// A verdict in a word.
pub(crate) const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fits => "fits",
        Verdict::Uncertain => "uncertain",
        Verdict::DoesNotFit => "does not fit",
        Verdict::Unknown => "unknown",
    }
}

fn number_range(span: Span<f64>) -> Range {
    Range::of(span, |number| number)
}

fn byte_range(span: Span<Bytes>) -> Range {
    Range::of(span, |bytes| bytes.get() as f64)
}

fn answer(
    arguments: &Fit,
    model: &ModelRef,
    place: &Place,
    estimates: &[(Estimate, Workload)],
) -> FitAnswer {
    let Size { parameters, active, context } = Size::of(model);
    let images = makes_or_reads_images(model);
    FitAnswer {
        model: model.name.clone(),
        parameters,
        active_parameters: active,
        context_tokens: context,
        site: place.site.name.to_string(),
        batch: arguments.batch,
        image: arguments.image,
        sequence: (!images).then_some(arguments.sequence),
        tasks: estimates.iter().map(|(estimate, workload)| task_fit(estimate, workload)).collect(),
        free: place.free.clone(),
        techniques: Vec::new(),
        limits: None,
    }
}

/// How large a model is.
#[derive(Clone, Copy)]
struct Size {
    parameters: Option<u64>,
    /// Parameters that one token uses, where fewer.
    active: Option<u64>,
    context: Option<u64>,
}

impl Size {
    fn of(model: &ModelRef) -> Self {
        let active = match model.architecture.as_ref() {
            Architecture::Decoder(decoder) => {
                let mixture = decoder.layers.iter().any(|layer| {
                    matches!(layer.feed_forward, nearside_architecture::FeedForward::Experts(_))
                });
                let graph = || Graph::of(decoder, Shape::prompt(1, 1));
                mixture.then(|| graph().active_parameter_count())
            }
            _ => None,
        };
        let parameters = wire::models::parameters(&model.architecture);
        Self { parameters, active, context: model.architecture.context() }
    }
}

fn task_fit(estimate: &Estimate, workload: &Workload) -> TaskFit {
    let memory = estimate.fit.memory.as_ref();
    let rows = memory.map(|memory| {
        let row = |(category, bytes): (&nearside_estimate::tape::Category, &Bytes)| MemoryRow {
            category: category.name().to_owned(),
            bytes: bytes.get(),
        };
        memory.by_category.iter().map(row).collect()
    });
    let images = workload.model.as_ref().is_some_and(makes_or_reads_images);
    let speed = speed(estimate, workload);
    let (tokens, images) = match images {
        true => (
            Known::unknown("images are counted"),
            speed.value().map(|speed| images_per_second(speed, workload)),
        ),
        false => (speed, None),
    };
    TaskFit {
        task: task_name(workload).to_owned(),
        recipe: recipe(workload),
        verdict: name(estimate.fit.verdict).to_owned(),
        why: estimate.fit.why.to_string(),
        device: match estimate.fit.device {
            nearside_estimate::Device::Accelerator => "accelerator".to_owned(),
            nearside_estimate::Device::Processor => "processor".to_owned(),
        },
        needed_bytes: estimate.fit.needed.map(byte_range),
        available_bytes: Figure::of(&estimate.fit.available, |span| byte_range(*span)),
        memory: rows.unwrap_or_default(),
        peak: memory.map(|memory| memory.place.clone()),
        trained_parameters: memory.map(|memory| memory.trained).filter(|trained| *trained > 0),
        bottleneck: Figure::of(&estimate.bottleneck, ToString::to_string),
        tokens_per_second: Figure::of(&tokens, |speed| number_range(*speed)),
        images_per_second: images,
        inputs: estimate.inputs.iter().map(InputView::of).collect(),
    }
}

/// Whether a batch of a model is one of images, of the size that the model is made for.
fn makes_or_reads_images(model: &ModelRef) -> bool {
    matches!(
        model.architecture.as_ref(),
        Architecture::Convolutional(_)
            | Architecture::ImageTransformer(_)
            | Architecture::WindowTransformer(_)
            | Architecture::Unet(_)
            | Architecture::DenoisingTransformer(_)
            | Architecture::Vae(_)
            | Architecture::Pipeline(_)
    )
}

/// A sequence stands for an image.
fn images_per_second(tokens_per_second: Span<f64>, workload: &Workload) -> Range {
    let tokens = match (&workload.task, workload.task.training()) {
        (_, Some(training)) => training.sequence,
        (Task::Evaluation(batch), None) => batch.output,
        _ => 1,
    };
    Range::of(tokens_per_second, |tokens_per_second| tokens_per_second / tokens.max(1) as f64)
}

const fn task_name(workload: &Workload) -> &'static str {
    match workload.task {
        Task::Evaluation(_) => "inference",
        _ => workload.task.name(),
    }
}

fn recipe(workload: &Workload) -> String {
    let recipe = &workload.recipe;
    let mut words = vec![format!("{} weights", recipe.weights)];
    match &workload.task {
        Task::Lora(_, adapter) | Task::Qlora(_, adapter) => {
            let dora = adapter.method == AdapterMethod::Dora;
            words.extend(dora.then(|| "DoRA".to_owned()));
            words.push(format!("rank {}", adapter.rank));
            words.push(recipe.optimizer.name().to_owned());
        }
        Task::Pretrain(_) | Task::FineTune(_) => words.push(recipe.optimizer.name().to_owned()),
        _ => {}
    }
    let convolutional =
        |model: &ModelRef| matches!(*model.architecture, Architecture::Convolutional(_));
    if !workload.model.as_ref().is_some_and(convolutional) {
        words.push(format!("{} attention", recipe.attention.name()));
    }
    match recipe.checkpointing {
        Checkpointing::None => {}
        Checkpointing::Full => words.push("checkpointing".to_owned()),
        Checkpointing::Attention => words.push("attention recomputed".to_owned()),
    }
    if matches!(recipe.loss, VocabularyLoss::Chunked { .. }) {
        words.push("chunked loss".to_owned());
    }
    words.join(", ")
}

fn print(answer: &FitAnswer, arguments: &Fit, notes: &[String], output: &Output) {
    if output.form == Form::Json {
        let sources = sources(answer.tasks.iter().flat_map(|task| &task.inputs));
        let answer =
            Answer { schema: "nearside/fit/1", data: answer, warnings: notes, sources: &sources };
        return output.json(&answer, environment::today());
    }
    let mut shown = text::headline(answer);
    match (arguments.task, answer.tasks.as_slice()) {
        (Some(_), [task]) => text::one_task(&mut shown, answer, task),
        _ => text::all_tasks(&mut shown, answer),
    }
    if output.detail == Detail::Explained {
        for task in &answer.tasks {
            let _ = write!(shown, "\n\nbasis of {} ({})\n", task.task, task.recipe);
            shown.push_str(&text::inputs_table(&task.inputs));
        }
    }
    output.text(&shown);
    for note in notes {
        output.warning(note);
    }
    text::hints(answer, arguments, output);
}
