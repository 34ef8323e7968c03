//! `nearside model quantize`: a model in fewer bits, and what that costs.

mod answer;
mod compared;
mod meter;
mod options;
mod told;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nearside_models::StoredModel;
use nearside_models::quantize::{Importance, Plan, QuantizeError, Source};

use crate::cli::ModelQuantize;
use crate::environment;
use crate::error::{CommandError, Fault};
use crate::output::{Answer, Form, Outcome, Output};
use crate::wire::local_model;
pub(crate) use answer::QuantizeAnswer;
use answer::{FormatView, Side};
use compared::{Bench, Model};
use meter::Meter;
use options::Options;
use told::told;

pub(super) fn run(arguments: &ModelQuantize, output: &Output) -> Result<Outcome, CommandError> {
    let path = local_model::find(&arguments.model)?;
    let options = Options::of(arguments, &path)?;
    let interrupted = environment::interrupted_once();
    let job = Job { arguments, path, options, output, interrupted };
    match job.run() {
        Ok(outcome) => Ok(outcome),
        Err(Failed::Quantize(QuantizeError::Interrupted)) => {
            output.erase();
            let hint = "the same command begins anew";
            output.none("interrupted; the file was not written", hint, environment::today());
            Ok(Outcome::Partly)
        }
        Err(Failed::Quantize(error)) => Err(told(&error)),
        Err(Failed::Command(error)) => Err(error),
    }
}

/// Why a command does not do what was asked.
enum Failed {
    Quantize(QuantizeError),
    Command(CommandError),
}

impl<E: Into<QuantizeError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Quantize(error.into())
    }
}

struct Job<'a> {
    arguments: &'a ModelQuantize,
    /// Where the model lies.
    path: PathBuf,
    options: Options,
    output: &'a Output,
    interrupted: Arc<AtomicBool>,
}

impl Job<'_> {
    fn run(&self) -> Result<Outcome, Failed> {
        let stored = StoredModel::open(&self.path)?;
        let adapter = local_model::adapter(self.arguments.adapter.as_deref(), &stored);
        let adapter = adapter.map_err(Failed::Command)?;
        let mut source = Source::of(&stored)?;
        if let Some(adapter) = &adapter {
            let added = source.adapt(adapter, &stored);
            added.map_err(|error| Failed::Command(local_model::unadapted(&error)))?;
        }
        let model = Model { stored: &stored, adapter: adapter.as_ref() };
        let plans = self.plans(&source, self.has_importance())?;
        let mut answer = QuantizeAnswer::of(self.arguments, &self.path, &source);
        if self.arguments.dry_run {
            for plan in &plans {
                answer.formats.push(FormatView::planned(plan)?);
            }
            self.print(&answer);
            return Ok(Outcome::Done);
        }
        let importance = self.importance(model)?;
        let bench = match self.arguments.no_comparison {
            true => None,
            false => self.bench(model, &mut answer),
        };
        if plans.len() > 1 && bench.is_none() {
            let why = answer.warnings.last().map_or("--no-comparison", String::as_str);
            let message = format!("nothing to choose among {} types by: {why}", plans.len());
            return Err(Failed::Command(CommandError::new(Fault::Input, message)));
        }
        if let Some(importance) = &importance {
            self.check(importance, &source, &mut answer)?;
        }
        self.make(&plans, importance.as_ref(), bench.as_ref(), &mut answer)?;
        self.output.erase();
        self.print(&answer);
        Ok(answer.outcome())
    }

    fn importance(&self, model: Model<'_>) -> Result<Option<Importance>, Failed> {
        if let Some(path) = &self.arguments.importance {
            return Ok(Some(Importance::read(path)?));
        }
        let Some(text) = self.options.importance.as_ref().filter(|_| !self.arguments.dry_run)
        else {
            return Ok(None);
        };
        let (tokens, begin) = compared::tokens(model.stored, &text.text)?;
        let windows = compared::windows(begin);
        let mut meter = Meter::new(self.output, "reading".to_owned());
        let total = tokens.len() as u64;
        let decoder = model.load(windows.room())?;
        let found = Importance::of_text(decoder, model.stored, &tokens, &windows, &mut |done| {
            meter.tell("tokens", done as u64, total);
            self.go_on()
        })?;
        if let Some(path) = &self.arguments.importance_to {
            found.write(path, &text.name, windows.length as u32)?;
        }
        Ok(Some(found))
    }

    /// Weights of another model would be none: an error; fewer than there are matrices are told.
    fn check(
        &self,
        importance: &Importance,
        source: &Source,
        answer: &mut QuantizeAnswer,
    ) -> Result<(), QuantizeError> {
        let matrices: Vec<_> = source.tensors.iter().filter(|tensor| tensor.is_matrix()).collect();
        let mut weighed = 0;
        for matrix in &matrices {
            weighed += usize::from(importance.of(matrix)?.is_some());
        }
        let all = matrices.len();
        if weighed == 0 {
            let why = "none of them is of a matrix of this model".to_owned();
            return Err(QuantizeError::Importance(why));
        }
        // Embeddings and outputs are looked up, and have none in most files.
        if weighed + 2 < all {
            answer.warnings.push(format!("{weighed} of {all} matrices have weights of importance"));
        }
        Ok(())
    }

    fn has_importance(&self) -> bool {
        self.arguments.importance.is_some() || self.arguments.importance_from.is_some()
    }

    fn plans<'a>(
        &self,
        source: &'a Source,
        has_importance: bool,
    ) -> Result<Vec<Plan<'a>>, QuantizeError> {
        let recipes = self.options.recipes(self.arguments);
        recipes.map(|recipe| Plan::new(source, &recipe, has_importance)).collect()
    }

    /// What the models are compared with; why they are not is told and no error.
    fn bench(&self, model: Model<'_>, answer: &mut QuantizeAnswer) -> Option<Bench> {
        match Bench::new(model, &self.options, self.arguments.tokens.get()) {
            Ok(bench) => {
                answer.compared_on(&bench);
                Some(bench)
            }
            Err(why) => {
                answer.warnings.push(format!("the models are not compared: {why}"));
                None
            }
        }
    }

    /// Writes every format, and keeps one.
    fn make(
        &self,
        plans: &[Plan<'_>],
        importance: Option<&Importance>,
        bench: Option<&Bench>,
        answer: &mut QuantizeAnswer,
    ) -> Result<(), Failed> {
        let Some(output) = &self.arguments.output else { return Ok(()) };
        if let [plan] = plans {
            self.write(plan, output, importance)?;
            let view = match self.measured(plan, output, bench, answer) {
                Err(Failed::Quantize(QuantizeError::Interrupted)) => {
                    answer.warnings.push("interrupted: it is written, but not compared".to_owned());
                    answer.interrupted = true;
                    FormatView::planned(plan)?
                }
                measured => measured?,
            };
            answer.formats.push(view);
            return Ok(());
        }
        let mut made = Vec::new();
        for plan in plans {
            let path = Made::beside(output);
            self.write(plan, &path.0, importance)?;
            let view = self.measured(plan, &path.0, bench, answer)?;
            answer.formats.push(view);
            made.push(path);
            // Only the best so far stays on the disk.
            let best = answer.choose();
            let kept = |at: usize, path| if at == best { path } else { Made(PathBuf::new()) };
            made = made.into_iter().enumerate().map(|(at, path)| kept(at, path)).collect();
        }
        let best = answer.choose();
        let Some(path) = made.get(best) else { return Ok(()) };
        fs::rename(&path.0, output).map_err(|error| {
            let message = format!("cannot write {}: {error}", output.display());
            Failed::Command(CommandError::new(Fault::World, message))
        })
    }

    fn write(
        &self,
        plan: &Plan<'_>,
        path: &Path,
        importance: Option<&Importance>,
    ) -> Result<(), QuantizeError> {
        let mut meter = Meter::new(self.output, format!("to {}", plan.mix()));
        plan.write(path, importance, &mut |progress| {
            meter.tell(progress.tensor, progress.done, progress.total);
            self.go_on()
        })?;
        self.output.erase();
        Ok(())
    }

    /// What a file is, and what it costs where that can be said.
    fn measured(
        &self,
        plan: &Plan<'_>,
        path: &Path,
        bench: Option<&Bench>,
        answer: &mut QuantizeAnswer,
    ) -> Result<FormatView, Failed> {
        let mut view = FormatView::planned(plan)?;
        let Some(bench) = bench else { return Ok(view) };
        let mut meter = Meter::new(self.output, format!("comparing {}", plan.mix()));
        let found = bench.compare(path, &mut |done, total| {
            meter.tell("tokens", done, total);
            self.go_on()
        });
        self.output.erase();
        match found {
            Ok(found) => {
                answer.source = Side { costs: Some(found.source), ..answer.source.clone() };
                view.costs = Some(found.result);
                view.divergence = Some(found.divergence);
            }
            Err(_) if self.interrupted.load(Ordering::Relaxed) => {
                return Err(QuantizeError::Interrupted.into());
            }
            Err(why) => {
                answer.warnings.push(format!("{} is not compared: {why}", plan.mix()));
            }
        }
        Ok(view)
    }

    fn go_on(&self) -> ControlFlow<()> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn print(&self, answer: &QuantizeAnswer) {
        match self.output.form {
            Form::Text => {
                self.output.text(&answer.text());
                answer.warnings.iter().for_each(|warning| self.output.warning(warning));
                if let Some(path) = answer.written() {
                    self.output.hint(&format!("nearside fit {path}"));
                }
            }
            Form::Json => {
                let warnings = &answer.warnings;
                let schema = "nearside/model-quantize/1";
                let answer = Answer { schema, data: answer, warnings, sources: &[] };
                self.output.json(&answer, environment::today());
            }
        }
    }
}

/// A file that is removed once nobody wants it.
struct Made(PathBuf);

impl Made {
    fn beside(path: &Path) -> Self {
        let mut name = nearside_store::atomic::beside(path).into_os_string();
        name.push(".gguf");
        Self(PathBuf::from(name))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // The one that is kept has another name by then.
        let _gone = fs::remove_file(&self.0);
    }
}
