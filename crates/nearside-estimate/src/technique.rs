//! What could make a workload fit: changes to how it is computed, what each costs besides time, and
//! the cheapest of them, alone or together, each re-estimated whole ([`search`]).
//!
//! A change is a row of [`CHANGES`]: a function from a workload to the changed one. A new technique
//! is one more row.

use std::borrow::Cow;

use nearside_architecture::{Architecture, Dtype};
use nearside_catalog::Site;
use nearside_workload::{
    Adapter, AdapterMethod, AdapterTargets, AttentionKernel, Checkpointing, Optimizer, Recipe,
    Task, Training, VocabularyLoss, Workload,
};

use crate::attention_kernel::on_site;
use crate::calibration::Calibration;
use crate::estimate::{Estimate, Verdict, chance, estimate, verdict_and_time};
use crate::lowered::Lowerings;

mod ladder;
mod search;
mod site;

pub use ladder::{Accepted, Rung, ladder};
use site::Found;

use search::{Choice, Judge, Judged, METHOD, TOGETHER, cheapest};

/// How many changes that fit are looked for.
const WANTED: usize = 5;

/// A change, or several together, with what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Technique {
    /// What to do, one step or several.
    pub steps: Vec<Advice>,
    /// The workload with the change.
    pub workload: Workload,
    /// What it will need.
    pub estimate: Estimate,
    /// Its likely time over the likely time without the change, where both are known.
    pub time_ratio: Option<f64>,
    /// How many devices of the same kind it takes, where the site has fewer.
    pub devices: Option<u32>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What, as in `gradient checkpointing`.
    pub name: Cow<'static, str>,
    /// What it costs besides time.
    pub price: Cow<'static, str>,
}

impl Technique {
    /// All steps, as in `fused attention + gradient checkpointing`.
    #[must_use]
    pub fn name(&self) -> String {
        self.steps.iter().map(|step| &*step.name).collect::<Vec<_>>().join(" + ")
    }
}

/// What a change is a change of: two changes of one part exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Attention,
    Checkpointing,
    Together = TOGETHER as isize,
    Optimizer,
    Method = METHOD as isize,
    Rank,
    Weights,
    Cache,
    Loss,
}

/// One change.
struct Change {
    name: &'static str,
    price: &'static str,
    part: Part,
    /// What it costs in quality: an order, not a measure. Zero for the same result.
    loss: u32,
    /// The changed workload; `None` where the change makes no sense or changes nothing.
    apply: fn(&Workload) -> Option<Workload>,
}

impl Change {
    const fn advice(&self) -> Advice {
        Advice { name: Cow::Borrowed(self.name), price: Cow::Borrowed(self.price) }
    }
}

const FEWER: &str = "smaller kernels";

/// Every change, within a part the mildest first. Methods stand before what changes adapters.
#[rustfmt::skip]
const CHANGES: &[Change] = &[
    Change { name: "fused attention", price: "no padding mask", part: Part::Attention, loss: 0,
        apply: fused },
    Change { name: "attention recomputed", price: "scores computed twice", part: Part::Checkpointing, loss: 0,
        apply: attention_recomputed },
    Change { name: "gradient checkpointing", price: "a second forward pass", part: Part::Checkpointing, loss: 0,
        apply: checkpointed },
    Change { name: "chunked loss", price: "vocabulary scores computed twice", part: Part::Loss, loss: 0,
        apply: chunked },
    Change { name: "batch / 2, accumulated", price: FEWER, part: Part::Together, loss: 0,
        apply: |from| batch_over(from, 2) },
    Change { name: "batch / 4, accumulated", price: FEWER, part: Part::Together, loss: 0,
        apply: |from| batch_over(from, 4) },
    Change { name: "batch 1, accumulated", price: FEWER, part: Part::Together, loss: 0,
        apply: |from| batch_over(from, u64::MAX) },
    Change { name: "half of the requests at once", price: "answers wait longer", part: Part::Together, loss: 0,
        apply: |from| requests_over(from, 2) },
    Change { name: "a quarter of them at once", price: "answers wait longer", part: Part::Together, loss: 0,
        apply: |from| requests_over(from, 4) },
    Change { name: "one request at a time", price: "answers wait longer", part: Part::Together, loss: 0,
        apply: |from| requests_over(from, u64::MAX) },
    Change { name: "8-bit AdamW", price: "rounded optimizer states", part: Part::Optimizer, loss: 1,
        apply: |from| optimizer(from, Optimizer::AdamW8Bit) },
    Change { name: "Adafactor", price: "another learning rate", part: Part::Optimizer, loss: 2,
        apply: |from| optimizer(from, Optimizer::Adafactor) },
    Change { name: "paged 8-bit AdamW", price: "states in main memory", part: Part::Optimizer, loss: 2,
        apply: |from| optimizer(from, Optimizer::PagedAdamW8Bit) },
    Change { name: "LoRA (rank 16)", price: "trains adapters only", part: Part::Method, loss: 4,
        apply: lora },
    Change { name: "QLoRA (4-bit weights)", price: "adapters only, some accuracy", part: Part::Method, loss: 6,
        apply: qlora },
    Change { name: "half the rank", price: "smaller adapters", part: Part::Rank, loss: 2,
        apply: |from| rank_over(from, 2) },
    Change { name: "a quarter of the rank", price: "smaller adapters", part: Part::Rank, loss: 3,
        apply: |from| rank_over(from, 4) },
    Change { name: "q8_0 weights", price: "hardly any accuracy", part: Part::Weights, loss: 1,
        apply: |from| weights(from, Dtype::Q8_0) },
    Change { name: "q6_k weights", price: "very little accuracy", part: Part::Weights, loss: 2,
        apply: |from| weights(from, Dtype::Q6K) },
    Change { name: "q5_k weights", price: "little accuracy", part: Part::Weights, loss: 3,
        apply: |from| weights(from, Dtype::Q5K) },
    Change { name: "q4_k weights", price: "some accuracy", part: Part::Weights, loss: 5,
        apply: |from| weights(from, Dtype::Q4K) },
    Change { name: "q3_k weights", price: "noticeable accuracy", part: Part::Weights, loss: 8,
        apply: |from| weights(from, Dtype::Q3K) },
    Change { name: "q2_k weights", price: "much accuracy", part: Part::Weights, loss: 12,
        apply: |from| weights(from, Dtype::Q2K) },
    Change { name: "q8_0 cache", price: "hardly any accuracy", part: Part::Cache, loss: 1,
        apply: |from| cache(from, Dtype::Q8_0) },
    Change { name: "q4_0 cache", price: "some accuracy", part: Part::Cache, loss: 4,
        apply: |from| cache(from, Dtype::Q4_0) },
];

/// The cheapest changes with which a workload surely fits a site: the least loss of quality first,
/// then the shortest time; last what takes devices that the site does not have. Single changes and
/// combinations; none contains another that fits as well. When nothing fits, what comes nearest.
#[must_use]
pub fn techniques(
    workload: &Workload,
    before: &Estimate,
    site: &Site,
    calibration: &Calibration,
) -> Vec<Technique> {
    let choice = |change: &Change| Choice { part: change.part as usize, loss: change.loss };
    let choices: Vec<_> = CHANGES.iter().map(choice).collect();
    let workload = &on_site(workload, site);
    let had = likely(before);
    let lowerings = Lowerings::default();
    let mut trying = Trying { workload, had, site, calibration, lowerings };
    let of_recipe = |(chosen, judged): (Vec<usize>, Judged<Tried>)| {
        let (workload, estimate) = judged.found;
        Found {
            steps: chosen.iter().map(|at| CHANGES[*at].advice()).collect(),
            loss: chosen.iter().map(|at| CHANGES[*at].loss).sum(),
            workload,
            estimate,
            devices: None,
        }
    };
    let elsewhere = || {
        let mut found = site::layers_in_main_memory(workload, site, calibration);
        found.extend(site::more_devices(workload, site, calibration));
        found
    };
    let (here, elsewhere) = rayon::join(|| cheapest(&choices, WANTED, &mut trying), elsewhere);
    in_order(here.into_iter().map(of_recipe).chain(elsewhere).collect(), had)
}

/// Cheapest first; what does not fit only where nothing does.
fn in_order(mut found: Vec<Found>, had: Option<f64>) -> Vec<Technique> {
    let fits = |found: &Found| found.estimate.fit.verdict == Verdict::Fits;
    if found.iter().any(fits) {
        // What nobody knows may fit.
        found.retain(|found| fits(found) || found.estimate.fit.verdict == Verdict::Unknown);
    }
    let technique = |found: Found| {
        let Found { steps, workload, estimate, devices, .. } = found;
        let time_ratio = ratio(had, &estimate);
        Technique { steps, workload, estimate, time_ratio, devices }
    };
    let time = |found: &Found| ratio(had, &found.estimate).unwrap_or(f64::INFINITY);
    found.sort_by(|left, right| {
        let price = |found: &Found| (found.devices, found.loss);
        price(left).cmp(&price(right)).then(time(left).total_cmp(&time(right)))
    });
    found.into_iter().map(technique).collect()
}

/// A changed workload and what it will need.
type Tried = (Workload, Estimate);

/// Tries changes of a workload on a site.
struct Trying<'a> {
    workload: &'a Workload,
    had: Option<f64>,
    site: &'a Site,
    calibration: &'a Calibration,
    lowerings: Lowerings,
}

impl Trying<'_> {
    fn changed(&self, chosen: &[usize]) -> Option<Workload> {
        chosen.iter().try_fold(self.workload.clone(), |from, at| {
            let changed = on_site(&(CHANGES[*at].apply)(&from)?, self.site);
            // A kernel that the site does not have changes nothing.
            (changed.task != from.task || changed.recipe != from.recipe).then_some(changed)
        })
    }

    /// What comes of a combination that makes sense.
    fn tried(
        &mut self,
        chosen: &[usize],
        estimate: impl FnOnce(&mut Self, &Workload) -> Estimate,
    ) -> Judged<Tried> {
        let changed = self.changed(chosen).unwrap_or_else(|| self.workload.clone());
        let estimate = estimate(self, &changed);
        let needed = estimate.fit.needed.map_or(f64::INFINITY, |needed| needed.high().get() as f64);
        let fits = estimate.fit.verdict == Verdict::Fits;
        let time = ratio(self.had, &estimate).unwrap_or(1.0);
        Judged { fits, needed, time, found: (changed, estimate) }
    }
}

impl Judge for &mut Trying<'_> {
    type Found = Tried;

    fn makes_sense(&self, chosen: &[usize]) -> bool {
        self.changed(chosen).is_some()
    }

    fn judge(&mut self, chosen: &[usize]) -> Judged<Tried> {
        self.tried(chosen, |trying, changed| {
            verdict_and_time(changed, trying.site, trying.calibration, &mut trying.lowerings).0
        })
    }

    fn judge_exactly(&mut self, chosen: &[usize]) -> Judged<Tried> {
        self.tried(chosen, |trying, changed| estimate(changed, trying.site, trying.calibration))
    }

    fn may_fit(&mut self, chosen: &[usize]) -> bool {
        self.changed(chosen).is_some_and(|changed| {
            let fit = chance(&changed, self.site, self.calibration, &mut self.lowerings);
            fit.verdict == Verdict::Fits
        })
    }
}

/// The likely time of the work, in seconds.
fn likely(estimate: &Estimate) -> Option<f64> {
    estimate.work.as_ref().value().map(|time| time.likely().as_seconds())
}

fn ratio(had: Option<f64>, after: &Estimate) -> Option<f64> {
    had.filter(|had| *had > 0.0).zip(likely(after)).map(|(had, has)| has / had)
}

const fn answers(task: &Task) -> bool {
    matches!(task, Task::Inference(_) | Task::Evaluation(_))
}

/// The workload with another recipe, if it is another one.
fn with_recipe(from: &Workload, change: impl FnOnce(&mut Recipe)) -> Option<Workload> {
    let mut changed = from.clone();
    change(&mut changed.recipe);
    (from.model.is_some() && changed.recipe != from.recipe).then_some(changed)
}

fn fused(from: &Workload) -> Option<Workload> {
    with_recipe(from, |recipe| recipe.attention = AttentionKernel::Fused)
}

/// Kernels that keep scores or repeated heads: a fused one keeps nothing that is not kept anyway.
fn attention_recomputed(from: &Workload) -> Option<Workload> {
    from.task.training()?;
    let keeps = from.recipe.attention != AttentionKernel::Fused
        && from.recipe.checkpointing == Checkpointing::None;
    keeps.then(|| with_recipe(from, |recipe| recipe.checkpointing = Checkpointing::Attention))?
}

/// Models of the next token have scores over a vocabulary for every token.
fn chunked(from: &Workload) -> Option<Workload> {
    let training = from.task.training()?;
    let writes = matches!(from.model.as_ref()?.architecture.as_ref(), Architecture::Decoder(_));
    let VocabularyLoss::Chunked { tokens } = VocabularyLoss::CHUNKED else { return None };
    let more = from.recipe.loss == VocabularyLoss::Whole
        && training.batch.saturating_mul(training.sequence) > tokens;
    (writes && more).then(|| with_recipe(from, |recipe| recipe.loss = VocabularyLoss::CHUNKED))?
}

fn checkpointed(from: &Workload) -> Option<Workload> {
    from.task.training()?;
    with_recipe(from, |recipe| recipe.checkpointing = Checkpointing::Full)
}

fn optimizer(from: &Workload, optimizer: Optimizer) -> Option<Workload> {
    from.task.training()?;
    let adam = matches!(
        from.recipe.optimizer,
        Optimizer::AdamW
            | Optimizer::AdamWPlain
            | Optimizer::AdamWForeach
            | Optimizer::AdamW8Bit
            | Optimizer::PagedAdamW8Bit
    );
    let smaller = from.recipe.optimizer != Optimizer::PagedAdamW8Bit
        && (from.recipe.optimizer != Optimizer::AdamW8Bit
            || optimizer == Optimizer::PagedAdamW8Bit);
    (adam && smaller).then(|| with_recipe(from, |recipe| recipe.optimizer = optimizer))?
}

/// The same effective batch in `parts` times as many passes.
fn batch_over(from: &Workload, parts: u64) -> Option<Workload> {
    let had = from.task.training()?;
    let batch = (had.batch / parts).max(1);
    let last = parts == u64::MAX;
    // A part that leaves one sequence is the last row's.
    if had.batch < 2 || (!last && batch < 2) {
        return None;
    }
    let passes = had.batch.div_ceil(batch);
    let accumulation = had.accumulation.checked_mul(passes)?;
    Some(with_training(from, Training { batch, accumulation, ..had }))
}

pub(crate) fn with_training(from: &Workload, training: Training) -> Workload {
    let task = match &from.task {
        Task::Pretrain(_) => Task::Pretrain(training),
        Task::FineTune(_) => Task::FineTune(training),
        Task::Lora(_, adapter) => Task::Lora(training, *adapter),
        Task::Qlora(_, adapter) => Task::Qlora(training, *adapter),
        other => other.clone(),
    };
    Workload { task, ..from.clone() }
}

fn requests_over(from: &Workload, parts: u64) -> Option<Workload> {
    let fewer = |had: u64| {
        let now = (had / parts).max(1);
        (had > 1 && (now > 1 || parts == u64::MAX)).then_some(now)
    };
    let mut task = from.task.clone();
    match &mut task {
        Task::Inference(serving) => serving.concurrency = fewer(serving.concurrency)?,
        Task::Evaluation(batch) => batch.batch = fewer(batch.batch)?,
        _ => return None,
    }
    Some(Workload { task, ..from.clone() })
}

fn lora(from: &Workload) -> Option<Workload> {
    let Task::FineTune(training) = from.task else { return None };
    let adapter =
        Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora };
    Some(Workload { task: Task::Lora(training, adapter), ..from.clone() })
}

fn qlora(from: &Workload) -> Option<Workload> {
    let (training, adapter) = match from.task {
        Task::FineTune(training) => (
            training,
            Adapter { rank: 16, targets: AdapterTargets::Linear, method: AdapterMethod::Lora },
        ),
        Task::Lora(training, adapter) => (training, adapter),
        _ => return None,
    };
    let packed = with_recipe(from, |recipe| recipe.weights = Dtype::Nf4)?;
    Some(Workload { task: Task::Qlora(training, adapter), ..packed })
}

fn rank_over(from: &Workload, parts: u64) -> Option<Workload> {
    let fewer = |adapter: &Adapter| {
        let rank = adapter.rank / parts;
        (rank > 0).then_some(Adapter { rank, ..*adapter })
    };
    let task = match &from.task {
        Task::Lora(training, adapter) => Task::Lora(*training, fewer(adapter)?),
        Task::Qlora(training, adapter) => Task::Qlora(*training, fewer(adapter)?),
        _ => return None,
    };
    Some(Workload { task, ..from.clone() })
}

fn weights(from: &Workload, dtype: Dtype) -> Option<Workload> {
    let smaller = answers(&from.task) && dtype.bits() < from.recipe.weights.bits();
    smaller.then(|| with_recipe(from, |recipe| recipe.weights = dtype))?
}

fn cache(from: &Workload, dtype: Dtype) -> Option<Workload> {
    let smaller = answers(&from.task) && dtype.bits() < from.recipe.cache.bits();
    smaller.then(|| with_recipe(from, |recipe| recipe.cache = dtype))?
}
