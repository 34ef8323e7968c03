//! `nearside fit` without a model: which open models run well there, and what keeps the next larger
//! ones out.

use std::sync::Arc;

use nearside_architecture::Architecture;
use nearside_catalog::{Catalog, Model};
use nearside_estimate::attention_kernel::on_site;
use nearside_estimate::choice::{Choice, Chosen, Ways, alternatives, fast_enough, rank};
use nearside_estimate::limits::{MOST, Most, longest};
use nearside_estimate::{Verdict, techniques};
use nearside_workload::{Checkpointing, ModelRef, Optimizer, Task, Workload};
use rayon::prelude::*;

mod text;
mod view;

pub(crate) use view::FitList;
use view::{OutOfReach, Runs, Untold};

use super::{Place, Size, byte_range, number_range, recipe, workload};
use crate::cli::{Fit, FitTask};
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::view::{Figure, InputView, sources};

/// How many of the nearest misses are shown.
const MISSES: usize = 4;

pub(super) fn run(
    arguments: &Fit,
    catalog: &Catalog,
    place: Place,
    output: &Output,
) -> Result<Outcome, CommandError> {
    let task = arguments.task.unwrap_or(FitTask::Inference);
    let mut found = Found::default();
    let mut candidates = Vec::new();
    for model in catalog.models().filter(|model| wanted(arguments, model)) {
        let architecture = model.architecture().map_err(|error| {
            CommandError::new(Fault::Bug, format!("catalog model {}: {error}", model.name))
        })?;
        let reference = ModelRef {
            name: model.name.to_string(),
            architecture: Arc::new(architecture),
            stored: None,
        };
        let size = Size::of(&reference);
        let parameters = size.parameters.unwrap_or(0);
        if arguments.size.is_some_and(|size| parameters < size.least || parameters > size.most) {
            continue;
        }
        if !has_sequences(&reference.architecture, task) {
            let why = "its speed is not in tokens: name it to ask about it".to_owned();
            found.untold.push(Untold { model: reference.name, why });
            continue;
        }
        let asked = on_site(&workload(arguments, &reference, task, None)?, &place.site);
        candidates.push(Candidate { model, size, asked });
    }
    let chosen = |candidate| chosen(candidate, arguments, &place);
    for result in candidates.into_par_iter().map(chosen).collect::<Vec<_>>() {
        found.add(result);
    }
    if found.is_empty() {
        return Err(CommandError::new(Fault::Usage, "no model of the catalog is so".to_owned())
            .hint("`nearside catalog list models` shows their sizes and licences"));
    }
    let answer = found.answer(arguments, task, &place);
    print(&answer, arguments, &place.notes, output);
    place.hint(output);
    Ok(if answer.models.is_empty() { Outcome::Negative } else { Outcome::Done })
}

fn wanted(arguments: &Fit, model: &Model) -> bool {
    let licence = model.licence.to_lowercase();
    arguments.licence.as_ref().is_none_or(|text| licence.contains(&text.to_lowercase()))
}

/// Whether a model reads or writes text, so that tokens a second compare it with others.
fn has_sequences(architecture: &Architecture, task: FitTask) -> bool {
    match architecture {
        Architecture::Decoder(_) | Architecture::Other { .. } => true,
        Architecture::Encoder(_) | Architecture::TextToText(_) => task != FitTask::Inference,
        _ => false,
    }
}

/// A model and what it is asked to do.
struct Candidate<'catalog> {
    model: &'catalog Model,
    size: Size,
    asked: Workload,
}

/// A candidate with the best way to do it.
struct Placed<'catalog> {
    candidate: Candidate<'catalog>,
    workload: Workload,
    chosen: Chosen,
}

impl Placed<'_> {
    fn parameters(&self) -> u64 {
        self.candidate.size.parameters.unwrap_or(0)
    }
}

/// What comes of a candidate.
enum Placing<'catalog> {
    Runs(Placed<'catalog>),
    OutOfReach(Placed<'catalog>),
    NotKnown(Untold),
}

/// The best way to do what a candidate is asked.
fn chosen<'catalog>(
    candidate: Candidate<'catalog>,
    arguments: &Fit,
    place: &Place,
) -> Placing<'catalog> {
    let ways = match arguments.weights.is_some() {
        true => vec![candidate.asked.clone()],
        false => alternatives(&candidate.asked),
    };
    let choice = Ways::of(&ways).choose(&place.site, &place.calibration);
    let placed = |candidate, chosen: Chosen| {
        let workload = ways[chosen.at].clone();
        Placed { candidate, workload, chosen }
    };
    match choice {
        Choice::Runs(chosen) => Placing::Runs(placed(candidate, chosen)),
        Choice::OutOfReach(chosen) => Placing::OutOfReach(placed(candidate, chosen)),
        Choice::NotKnown(why) => {
            Placing::NotKnown(Untold { model: candidate.model.name.to_string(), why })
        }
    }
}

/// Models by what came of them.
#[derive(Default)]
struct Found<'catalog> {
    run: Vec<Placed<'catalog>>,
    missed: Vec<Placed<'catalog>>,
    untold: Vec<Untold>,
}

impl<'catalog> Found<'catalog> {
    const fn is_empty(&self) -> bool {
        self.run.is_empty() && self.missed.is_empty() && self.untold.is_empty()
    }

    fn add(&mut self, result: Placing<'catalog>) {
        match result {
            Placing::Runs(placed) => self.run.push(placed),
            Placing::OutOfReach(placed) => self.missed.push(placed),
            Placing::NotKnown(untold) => self.untold.push(untold),
        }
    }

    fn answer(mut self, arguments: &Fit, task: FitTask, place: &Place) -> FitList {
        let first = self.run.iter().chain(&self.missed).next();
        let enough = first.map_or(0.0, |placed| fast_enough(&placed.workload.task));
        let name = |placed: &Placed<'catalog>| Arc::clone(&placed.candidate.model.name);
        rank(
            &mut self.run,
            enough,
            |placed| placed.chosen.likely_speed(),
            Placed::parameters,
            |placed| &placed.candidate.model.name,
        );
        self.missed.sort_by(|left, right| {
            left.chosen.short().cmp(&right.chosen.short()).then(name(left).cmp(&name(right)))
        });
        let (runs, misses) = (self.run.len(), self.missed.len());
        FitList {
            site: place.site.name.to_string(),
            free: place.free.clone(),
            task: task_name(task).to_owned(),
            batch: arguments.batch,
            sequence: arguments.sequence,
            ranking: ranking(task, enough),
            fast_tokens_per_second: enough,
            models: self
                .run
                .par_iter()
                .take(arguments.limit)
                .map(|run| runs_row(run, place))
                .collect(),
            more_models: (runs - runs.min(arguments.limit)) as u64,
            out_of_reach: self
                .missed
                .par_iter()
                .take(MISSES)
                .map(|miss| miss_row(miss, place))
                .collect(),
            more_out_of_reach: (misses - misses.min(MISSES)) as u64,
            not_known: self.untold,
        }
    }
}

const fn task_name(task: FitTask) -> &'static str {
    match task {
        FitTask::Inference => "inference",
        FitTask::Lora => "lora",
        FitTask::Qlora => "qlora",
        FitTask::FineTune => "fine-tune",
        FitTask::Pretrain => "pretrain",
    }
}

fn ranking(task: FitTask, enough: f64) -> String {
    let does = if task == FitTask::Inference { "write" } else { "read" };
    format!("the largest first of those that {does} {enough} tokens/s or more, then by speed")
}

/// Licences that let anybody use, change and pass on the weights: those that the Open Source
/// Initiative lists.
fn is_open(licence: &str) -> bool {
    let licence = licence.to_lowercase();
    ["apache", "mit", "bsd"].iter().any(|open| {
        licence.split(|letter: char| !letter.is_ascii_alphabetic()).any(|word| word == *open)
    })
}

fn runs_row(placed: &Placed<'_>, place: &Place) -> Runs {
    let made_for = placed.candidate.size.context;
    let most = made_for.unwrap_or(MOST);
    let context = longest(&placed.workload, most, &place.site, &place.calibration);
    let context = context.map(|found| match found {
        Most::Nothing => 0,
        Most::Exactly(tokens) => tokens,
        Most::More => most,
    });
    let (model, estimate) = (placed.candidate.model, &placed.chosen.estimate);
    Runs {
        model: model.name.to_string(),
        parameters: placed.candidate.size.parameters,
        active_parameters: placed.candidate.size.active,
        recipe: recipe(&placed.workload),
        with: with(placed),
        needed_bytes: estimate.fit.needed.map(byte_range),
        available_bytes: Figure::of(&estimate.fit.available, |span| byte_range(*span)),
        tokens_per_second: Figure::of(&placed.chosen.speed, |speed| number_range(*speed)),
        context_tokens: context,
        made_for_tokens: made_for,
        licence: model.licence.to_string(),
        open_licence: is_open(&model.licence),
        inputs: estimate.inputs.iter().map(InputView::of).collect(),
    }
}

fn miss_row(placed: &Placed<'_>, place: &Place) -> OutOfReach {
    let (model, estimate) = (placed.candidate.model, &placed.chosen.estimate);
    let better = techniques(&placed.workload, estimate, &place.site, &place.calibration);
    let better = better.iter().find(|technique| technique.estimate.fit.verdict == Verdict::Fits);
    OutOfReach {
        model: model.name.to_string(),
        parameters: placed.candidate.size.parameters,
        with: with(placed),
        needed_bytes: estimate.fit.needed.map(byte_range),
        short_bytes: placed.chosen.short().map(nearside_units::Bytes::get),
        why: estimate.fit.why.to_string(),
        fits_with: better.map(|technique| technique.name()),
        licence: model.licence.to_string(),
        open_licence: is_open(&model.licence),
    }
}

/// What tells a way to do it from the others, in a word or two.
fn with(placed: &Placed<'_>) -> String {
    let recipe = &placed.workload.recipe;
    if matches!(placed.workload.task, Task::Evaluation(_) | Task::Inference(_)) {
        return recipe.weights.to_string();
    }
    // Gradient checkpointing, in a word that fits a column.
    let again = (recipe.checkpointing == Checkpointing::Full).then_some("recompute");
    let packed = matches!(recipe.optimizer, Optimizer::AdamW8Bit).then_some("8-bit");
    let words: Vec<_> = again.into_iter().chain(packed).collect();
    if words.is_empty() { "as asked".to_owned() } else { words.join(", ") }
}

fn print(answer: &FitList, arguments: &Fit, notes: &[String], output: &Output) {
    if output.form == Form::Json {
        let sources = sources(answer.models.iter().flat_map(|model| &model.inputs));
        let answer = Answer {
            schema: "nearside/fit-list/1",
            data: answer,
            warnings: notes,
            sources: &sources,
        };
        return output.json(&answer, environment::today());
    }
    output.text(&text::list(answer, output.detail));
    for note in notes {
        output.warning(note);
    }
    if let Some(model) = answer.models.first() {
        let (place, task) = (super::text::place(arguments), &answer.task);
        output
            .hint(&format!("`nearside fit {} --task {task}{place}` breaks one down", model.model));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_licences_are_told_from_terms_of_use() {
        for open in ["Apache-2.0", "MIT", "BSD-3-Clause"] {
            assert!(is_open(open), "{open}");
        }
        for terms in
            ["Llama 3.1 Community License", "Gemma Terms of Use", "Qwen License", "Permitted use"]
        {
            assert!(!is_open(terms), "{terms}");
        }
    }
}
