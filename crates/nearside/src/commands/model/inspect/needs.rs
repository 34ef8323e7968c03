//! What a model needs where it is to run: the estimate of `nearside fit`, with the bytes that its files have.

use nearside_architecture::Dtype;
use nearside_estimate::attention_kernel::on_site;
use nearside_estimate::choice::speed;
use nearside_estimate::limits::{MOST, Most, longest};
use nearside_estimate::tape::Category;
use nearside_estimate::{Device, Estimate, estimate};
use nearside_models::StoredModel;
use nearside_units::{Bytes, Duration, Span};
use nearside_workload::{Batch, ModelRef, Recipe, Task, Workload};
use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::fit::{self, FreeView, Place};
use crate::view::{Figure, InputView, Range};
use crate::wire;

/// Tokens that a cache is told for.
const THOUSAND: u64 = 1000;

/// What a model needs.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct NeedsView {
    /// Where: the name of the site.
    pub(super) site: String,
    /// What is free there, when that is this machine.
    pub(super) free: Option<FreeView>,
    /// The same for people.
    #[serde(skip)]
    pub(super) title: String,
    /// `accelerator` or `processor`.
    pub(super) device: String,
    /// Tokens of the context that was asked about: half of them read, the others written.
    pub(super) context: u64,
    /// Whether it fits: `fits`, `uncertain`, `does not fit` or `unknown`.
    pub(super) verdict: String,
    /// Why.
    pub(super) why: String,
    /// All memory that it needs, in bytes.
    pub(super) memory_bytes: Option<Range>,
    /// Memory that programs can have there, in bytes.
    pub(super) available_bytes: Figure<Range>,
    /// Memory of its weights.
    pub(super) weights_bytes: Option<u64>,
    /// Memory of keys and values of the whole context.
    pub(super) cache_bytes: Option<u64>,
    /// The same of a context of a thousand tokens.
    pub(super) cache_bytes_per_1000_tokens: Option<u64>,
    /// Tokens written per second; the prompt's reading is included where the next figure is absent.
    pub(super) tokens_per_second: Figure<Range>,
    /// Tokens of the prompt that are read per second, where this program's own engine answers.
    pub(super) prompt_tokens_per_second: Option<Range>,
    /// What limits that.
    pub(super) limited_by: Figure<String>,
    /// The longest context that surely fits, up to the one that it was made for.
    pub(super) largest_context: Figure<u64>,
    /// What the figures were computed from.
    pub(super) inputs: Vec<InputView>,
}

impl NeedsView {
    /// What it needs, and what a reader should know besides.
    pub(super) fn of(
        name: &str,
        stored: &StoredModel,
        context: u64,
        place: &Place,
    ) -> (Self, Vec<String>) {
        let model = wire::models::of_stored(name, stored);
        let made_for = model.architecture.context();
        let (site, calibration) = (&place.site, &place.calibration);
        let answering = |tokens| on_site(&answering(&model, tokens), site);
        let workload = answering(context);
        let estimated = estimate(&workload, site, calibration);
        let thousand = estimate(&answering(THOUSAND), site, calibration);
        let longest = longest(&workload, made_for.unwrap_or(MOST).max(2), site, calibration);
        let needs = Self {
            site: site.name.to_string(),
            free: place.free.clone(),
            title: place.title(),
            device: match estimated.fit.device {
                Device::Accelerator => "accelerator".to_owned(),
                Device::Processor => "processor".to_owned(),
            },
            context,
            verdict: fit::name(estimated.fit.verdict).to_owned(),
            why: estimated.fit.why.to_string(),
            memory_bytes: estimated.fit.needed.map(|span| Range::of(span, plain)),
            available_bytes: Figure::of(&estimated.fit.available, |span| Range::of(*span, plain)),
            weights_bytes: memory(&estimated, Category::Weights),
            cache_bytes: memory(&estimated, Category::Cache),
            cache_bytes_per_1000_tokens: memory(&thousand, Category::Cache),
            tokens_per_second: match &estimated.phases {
                Some(phases) => Figure::Value(rate(phases.token, 1)),
                None => Figure::of(&speed(&estimated, &workload), |span| {
                    Range::of(*span, |number| number)
                }),
            },
            prompt_tokens_per_second: estimated
                .phases
                .map(|phases| rate(phases.prompt, context / 2)),
            limited_by: Figure::of(&estimated.bottleneck, ToString::to_string),
            largest_context: largest(longest, made_for, &estimated),
            inputs: estimated.inputs.iter().map(InputView::of).collect(),
        };
        (needs, wire::models::cautions(&workload).collect())
    }
}

/// One request: half of the context is read, the other half written.
fn answering(model: &ModelRef, context: u64) -> Workload {
    let (prompt, output) = (context / 2, context - context / 2);
    let weights = model.stored.map_or(Dtype::Bf16, |stored| stored.dtype);
    Workload {
        task: Task::Evaluation(Batch { requests: 1, prompt, output, batch: 1 }),
        model: Some(model.clone()),
        recipe: fit::with_weights(Recipe::default(), weights),
        image: None,
    }
}

/// So many tokens in that time, per second.
fn rate(time: Span<Duration>, tokens: u64) -> Range {
    let [low, likely, high] = [time.high(), time.likely(), time.low()]
        .map(|time| tokens as f64 / time.as_seconds().max(f64::MIN_POSITIVE));
    Range { low, likely, high }
}

const fn plain(bytes: Bytes) -> f64 {
    bytes.get() as f64
}

/// What a part takes at the peak; `None` where that is not known.
fn memory(estimated: &Estimate, part: Category) -> Option<u64> {
    let by_category = &estimated.fit.memory.as_ref()?.by_category;
    by_category.get(&part).map(|bytes| bytes.get())
}

fn largest(longest: Option<Most>, made_for: Option<u64>, estimated: &Estimate) -> Figure<u64> {
    let unknown = |why: &str| Figure::Unknown { unknown: why.to_owned() };
    if estimated.fit.needed.is_none() || estimated.fit.available.as_ref().value().is_none() {
        return unknown(&estimated.fit.why);
    }
    match longest {
        Some(Most::More) => Figure::Value(made_for.unwrap_or(MOST)),
        Some(Most::Exactly(tokens)) => Figure::Value(tokens),
        Some(Most::Nothing) => unknown("not even the shortest surely fits"),
        None => unknown("it has no context"),
    }
}
