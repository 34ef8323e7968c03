//! `nearside fit MODEL`: does it fit, what limits it, how fast is it, what would make it fit?

use std::fmt::Write as _;
use std::path::Path;

use nearside_architecture::{Architecture, Dtype, Graph, Shape};
use nearside_catalog::{Catalog, Site};
use nearside_estimate::{Calibration, Estimate, Period, Technique, Verdict, estimate, techniques};
use nearside_units::{Bytes, Known, Span};
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, Batch, Checkpointing, ModelRef, Recipe, Task, Training,
    Workload,
};

mod text;
mod view;

pub(crate) use view::FitAnswer;
use view::{MemoryRow, TaskFit, TechniqueFit};

use crate::cli::{Fit, FitTask};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Detail, Form, Outcome, Output};
use crate::view::{Figure, InputView, Range, sources};
use crate::wire;
use crate::wire::calibration::Calibrations;
use crate::wire::sites::{Own, Whose};

/// Optimizer steps over which training speed is averaged.
const STEPS: u64 = 100;

pub(super) fn run(arguments: &Fit, output: &Output) -> Result<Outcome, CommandError> {
    let catalog = wire::catalog(output)?;
    let model = wire::models::resolve(&arguments.model, Path::new("."), &catalog)?;
    let Own { site, mut notes, machine } = site(arguments, &catalog)?;
    let here = (machine == Whose::ThisMachine).then_some(&site);
    let calibrations = Calibrations::measured_on(here, &mut notes);
    let calibration = calibrations.of(&site);
    let workloads = workloads(arguments, &model)?;
    notes.extend(workloads.first().and_then(wire::models::beyond_context));
    let estimates: Vec<_> = workloads
        .into_iter()
        .map(|workload| (estimate(&workload, &site, calibration), workload))
        .collect();
    let techniques = match (arguments.task, estimates.as_slice()) {
        (Some(_), [(estimated, workload)]) if estimated.fit.verdict != Verdict::Fits => {
            let better = techniques(workload).into_iter();
            better.map(|technique| improved(technique, estimated, &site, calibration)).collect()
        }
        _ => Vec::new(),
    };
    let answer = answer(arguments, &model, &site, &estimates, techniques);
    print(&answer, arguments, &notes, output);
    if machine == Whose::ThisMachine && calibration.here.is_empty() && output.form == Form::Text {
        output.hint(
            "`nearside doctor --measure` measures this machine; its ranges are narrower then",
        );
    }
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

fn site(arguments: &Fit, catalog: &Catalog) -> Result<Own, CommandError> {
    match (&arguments.on, &arguments.site) {
        (Some(device), _) => wire::sites::of_device(device, arguments.count, catalog),
        (None, Some(file)) => wire::sites::of_file(file, catalog),
        (None, None) => wire::sites::here(catalog),
    }
}

/// The workload that was asked for, or one of each usual kind.
fn workloads(arguments: &Fit, model: &ModelRef) -> Result<Vec<Workload>, CommandError> {
    let of = |task: FitTask, weights: Option<Dtype>| workload(arguments, model, task, weights);
    let stored = model.stored.map(|stored| stored.dtype);
    match (arguments.task, stored) {
        (Some(task), _) => Ok(vec![of(task, stored.filter(|_| task == FitTask::Inference))?]),
        (None, Some(dtype)) => Ok(vec![of(FitTask::Inference, Some(dtype))?]),
        (None, None) => [
            (FitTask::Inference, Some(Dtype::Q4K)),
            (FitTask::Inference, Some(Dtype::Q8_0)),
            (FitTask::Inference, Some(Dtype::Bf16)),
            (FitTask::Qlora, None),
            (FitTask::Lora, None),
            (FitTask::FineTune, None),
        ]
        .into_iter()
        .map(|(task, weights)| of(task, weights))
        .collect(),
    }
}

fn workload(
    arguments: &Fit,
    model: &ModelRef,
    task: FitTask,
    weights: Option<Dtype>,
) -> Result<Workload, CommandError> {
    let usage = |message: String| CommandError::new(Fault::Usage, message);
    let weights_hint = |message: String| {
        let names: Vec<_> = Dtype::all().map(Dtype::name).collect();
        usage(message).hint(format!("the types are {}", names.join(", ")))
    };
    let mut recipe = Recipe::default();
    if let Some(optimizer) = &arguments.optimizer {
        recipe.optimizer = optimizer.parse().map_err(usage)?;
    }
    if let Some(attention) = &arguments.attention {
        recipe.attention = attention.parse().map_err(usage)?;
    }
    // Who tunes an adapter or a whole model on one card usually checkpoints it.
    let overview = arguments.task.is_none() && task != FitTask::Inference;
    if arguments.checkpointing || overview {
        recipe.checkpointing = Checkpointing::Full;
    }
    let stated =
        arguments.weights.as_deref().map(str::parse::<Dtype>).transpose().map_err(weights_hint)?;
    if let Some(weights) = stated.or(weights).or((task == FitTask::Qlora).then_some(Dtype::Nf4)) {
        recipe.weights = weights;
        if weights == Dtype::F32 || weights == Dtype::F16 {
            recipe.compute = weights;
        }
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
        method: AdapterMethod::Lora,
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
    Ok(Workload { task, model: Some(model.clone()), recipe })
}

fn improved(
    technique: Technique,
    before: &Estimate,
    site: &Site,
    calibration: &Calibration,
) -> TechniqueFit {
    let after = estimate(&technique.workload, site, calibration);
    let times = before.work.as_ref().value().zip(after.work.as_ref().value());
    TechniqueFit {
        technique: technique.name,
        price: technique.price.to_owned(),
        verdict: name(after.fit.verdict).to_owned(),
        needed_bytes: after.fit.needed.map(byte_range),
        time_ratio: times.map(|(before, after)| after.likely() / before.likely()),
    }
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fits => "fits",
        Verdict::Uncertain => "uncertain",
        Verdict::DoesNotFit => "does not fit",
        Verdict::Unknown => "unknown",
    }
}

fn byte_range(span: Span<Bytes>) -> Range {
    Range::of(span, |bytes| bytes.get() as f64)
}

fn answer(
    arguments: &Fit,
    model: &ModelRef,
    site: &Site,
    estimates: &[(Estimate, Workload)],
    techniques: Vec<TechniqueFit>,
) -> FitAnswer {
    let (parameters, active, context) = match model.architecture.as_ref() {
        Architecture::Decoder(decoder) => {
            let graph = Graph::of(decoder, Shape::prompt(1, 1));
            let attached: u64 = decoder.attached.iter().map(|part| part.parameters).sum();
            let parameters = graph.parameter_count() + attached;
            let mixture = decoder.layers.iter().any(|layer| {
                matches!(layer.feed_forward, nearside_architecture::FeedForward::Experts(_))
            });
            let active = mixture.then(|| graph.active_parameter_count());
            (Some(parameters), active, decoder.context)
        }
        Architecture::Other { parameters, .. } => (*parameters, None, None),
        known => {
            let graph = known.graph(Shape::prompt(1, 1));
            (graph.map(|graph| graph.parameter_count()), None, None)
        }
    };
    FitAnswer {
        model: model.name.clone(),
        parameters,
        active_parameters: active,
        context_tokens: context,
        site: site.name.to_string(),
        batch: arguments.batch,
        sequence: arguments.sequence,
        tasks: estimates.iter().map(|(estimate, workload)| task_fit(estimate, workload)).collect(),
        techniques,
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
        tokens_per_second: Figure::of(&speed(estimate, workload), |speed| *speed),
        inputs: estimate.inputs.iter().map(InputView::of).collect(),
    }
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
            words.push(format!("rank {}", adapter.rank));
            words.push(recipe.optimizer.name().to_owned());
        }
        Task::Pretrain(_) | Task::FineTune(_) => words.push(recipe.optimizer.name().to_owned()),
        _ => {}
    }
    words.push(format!("{} attention", recipe.attention.name()));
    if recipe.checkpointing == Checkpointing::Full {
        words.push("checkpointing".to_owned());
    }
    words.join(", ")
}

/// Tokens per second: seen in training, written in inference.
fn speed(estimate: &Estimate, workload: &Workload) -> Known<Range> {
    let tokens = match &workload.task {
        Task::Pretrain(training)
        | Task::FineTune(training)
        | Task::Lora(training, _)
        | Task::Qlora(training, _) => training.tokens,
        Task::Evaluation(batch) => batch.requests * batch.output,
        Task::Inference(_) | Task::Preparation(_) | Task::Custom(_) => 0,
    };
    if matches!(estimate.period, Period::Month { .. }) || tokens == 0 {
        return Known::unknown("no tokens are counted");
    }
    estimate.work.clone().map(|time| {
        let per_second = |time: nearside_units::Duration| tokens as f64 / time.as_seconds();
        Range {
            low: per_second(time.high()),
            likely: per_second(time.likely()),
            high: per_second(time.low()),
        }
    })
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
