//! What every stage of a project would take on every site: estimates of its trials, added up.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_catalog::{Catalog, Site};
use nearside_estimate::{
    Cost, Demands, Device, Estimate, Input, Period, Verdict, estimate_demands,
};
use nearside_units::{Duration, GramsCo2e, Joules, Known, MoneyError, Span};
use nearside_workload::{ModelRef, Stage, Task, Workload};
use rayon::prelude::*;

use super::calibration::Calibrations;
use super::measured::Correction;
use super::models;
use super::project::Loaded;
use crate::error::CommandError;

/// What a stage would take on one site, all trials together, in one run (or a month of service).
#[derive(Clone, Debug)]
pub(crate) struct StageEstimate {
    pub(crate) verdict: Verdict,
    pub(crate) why: Arc<str>,
    pub(crate) bottleneck: Known<&'static str>,
    /// What a pass of the pipeline waits for it.
    pub(crate) pass: Known<Span<Duration>>,
    pub(crate) energy: Known<Span<Joules>>,
    pub(crate) cost: Known<Cost>,
    pub(crate) carbon: Known<Span<GramsCo2e>>,
    /// A run, or a month of service.
    pub(crate) period: Period,
    /// Memory of the most demanding trial.
    pub(crate) largest: Estimate,
    pub(crate) inputs: Vec<Input>,
}

impl StageEstimate {
    /// Corrected by what was measured: time, energy, cost and emissions alike. Where it was
    /// measured, its range is that of the runs; elsewhere it stays as wide as it was.
    pub(crate) fn corrected(self, correction: &Correction, measured_there: bool) -> Self {
        let times = correction.times.likely();
        let scaled = |cost: Cost| {
            let cost = added(None, cost, times);
            cost.map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
        };
        let pass = |pass: Span<Duration>| match measured_there {
            true => correction.times.map(|times| pass.likely() * times),
            false => pass.map(|pass| pass * times),
        };
        let mut inputs = self.inputs;
        inputs.push(correction.input.clone());
        // What processes hold is main memory: an accelerator's is not known by it.
        let fit = self.largest.fit;
        let fit = match correction.memory {
            Some(times) if measured_there && fit.device == Device::Processor => {
                fit.corrected(times)
            }
            _ => fit,
        };
        let (verdict, why) = match fit.verdict {
            Verdict::Unknown => (self.verdict, self.why),
            known => (known, Arc::clone(&fit.why)),
        };
        Self {
            verdict,
            why,
            largest: Estimate { fit, ..self.largest },
            pass: self.pass.map(pass),
            energy: self.energy.map(|energy| energy.map(|energy| energy * times)),
            cost: self.cost.and_then(scaled),
            carbon: self.carbon.map(|carbon| carbon.map(|carbon| carbon * times)),
            inputs,
            ..self
        }
    }
}

/// The models of a project by name.
pub(crate) fn models_of(
    loaded: &Loaded,
    catalog: &Catalog,
) -> Result<BTreeMap<String, ModelRef>, CommandError> {
    let resolved = loaded.project.models.iter().map(|model| {
        let found = models::resolve(&model.source.value, &loaded.folder, catalog)
            .map_err(|error| loaded.at(&model.source.span, error))?;
        Ok((model.name.value.clone(), found))
    });
    resolved.collect()
}

/// The distinct workloads of a stage, each with how many trials have it; or why there are none.
pub(crate) fn workloads(
    stage: &Stage,
    models: &BTreeMap<String, ModelRef>,
) -> Known<Vec<(Workload, u32)>> {
    let mut found: Vec<(Workload, u32)> = Vec::new();
    for trial in &stage.trials {
        let Some(spec) = &trial.workload else {
            return Known::unknown("the stage states no workload");
        };
        let model = spec.model.as_ref().and_then(|name| models.get(name)).cloned();
        let stored = model.as_ref().and_then(|model| model.stored);
        match spec.resolve(model) {
            Known::Unknown(why) => return Known::Unknown(why),
            Known::Value(mut workload) => {
                // A file knows better than a default which type its weights have.
                let answers = matches!(workload.task, Task::Inference(_) | Task::Evaluation(_));
                if let Some(stored) = stored.filter(|_| answers && !spec.stated.contains("weights"))
                {
                    workload.recipe.weights = stored.dtype;
                }
                match found.iter_mut().find(|(known, _)| *known == workload) {
                    Some((_, count)) => *count += 1,
                    None => found.push((workload, 1)),
                }
            }
        }
    }
    Known::Value(found)
}

/// A stage on every site, in the order of the sites.
pub(crate) fn on_sites(
    workloads: &[(Workload, u32)],
    sites: &[Site],
    calibrations: &Calibrations,
) -> Vec<StageEstimate> {
    let everywhere = |(workload, count): &(Workload, u32)| {
        let mut demands = Demands::of(workload);
        let on_site = |site| (estimate_demands(&mut demands, site, calibrations.of(site)), *count);
        sites.iter().map(on_site).collect::<Vec<_>>()
    };
    let mut each: Vec<_> = workloads
        .par_iter()
        .map(everywhere)
        .collect::<Vec<_>>()
        .into_iter()
        .map(Vec::into_iter)
        .collect();
    let here = |_: &Site| together(each.iter_mut().filter_map(Iterator::next).collect());
    sites.iter().filter_map(here).collect()
}

/// Trials run one after the other.
fn together(estimates: Vec<(Estimate, u32)>) -> Option<StageEstimate> {
    let needs = |estimate: &Estimate| estimate.fit.needed.map(|needed| needed.likely());
    let worst = |estimate: &Estimate| (rank(estimate.fit.verdict), needs(estimate));
    let (largest, _) = estimates.iter().max_by_key(|(estimate, _)| worst(estimate))?;
    let largest = largest.clone();
    let sum = |add: &dyn Fn(Sums, &Estimate, f64) -> Sums| {
        estimates.iter().fold(Sums::new(), |sums, (one, count)| add(sums, one, f64::from(*count)))
    };
    let sums = sum(&|sums, estimate, count| sums.with(estimate, count));
    Some(StageEstimate {
        verdict: largest.fit.verdict,
        why: Arc::clone(&largest.fit.why),
        bottleneck: largest.bottleneck.clone().map(nearside_estimate::roofline::Bottleneck::name),
        pass: sums.pass,
        energy: sums.energy,
        cost: sums.cost.and_then(|cost| Known::from_option(cost, "no trials")),
        carbon: sums.carbon,
        period: largest.period,
        inputs: largest.inputs.clone(),
        largest,
    })
}

/// Worse verdicts rank higher.
const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fits => 0,
        Verdict::Uncertain => 1,
        Verdict::Unknown => 2,
        Verdict::DoesNotFit => 3,
    }
}

/// Running totals; one unknown part makes a total unknown.
struct Sums {
    pass: Known<Span<Duration>>,
    energy: Known<Span<Joules>>,
    cost: Known<Option<Cost>>,
    carbon: Known<Span<GramsCo2e>>,
}

impl Sums {
    const fn new() -> Self {
        Self {
            pass: Known::Value(Span::exact(Duration::ZERO)),
            energy: Known::Value(Span::exact(Joules::ZERO)),
            cost: Known::Value(None),
            carbon: Known::Value(Span::exact(GramsCo2e::ZERO)),
        }
    }

    fn with(self, estimate: &Estimate, count: f64) -> Self {
        let carbon = estimate.carbon.clone().and_then(|carbon| carbon.total());
        let add_cost = |(sum, cost): (Option<Cost>, Cost)| match added(sum, cost, count) {
            Ok(cost) => Known::Value(Some(cost)),
            Err(error) => Known::unknown(error.to_string()),
        };
        Self {
            pass: plus(self.pass, estimate.pass(), |sum, pass| sum + pass * count),
            energy: plus(self.energy, estimate.energy.clone(), |sum, one| sum + one * count),
            cost: self.cost.zip(estimate.cost.clone()).and_then(add_cost),
            carbon: plus(self.carbon, carbon, |sum, one| sum + one * count),
        }
    }
}

fn plus<T: Copy + PartialOrd>(
    sum: Known<Span<T>>,
    part: Known<Span<T>>,
    add: impl Fn(T, T) -> T,
) -> Known<Span<T>> {
    sum.zip(part).map(|(sum, part)| sum.combine(part, &add))
}

fn added(sum: Option<Cost>, cost: Cost, count: f64) -> Result<Cost, MoneyError> {
    let cost = Cost { marginal: cost.marginal.scaled(count)?, full: cost.full.scaled(count)? };
    match sum {
        None => Ok(cost),
        Some(sum) => Ok(Cost {
            marginal: sum.marginal.checked_add(cost.marginal)?,
            full: sum.full.checked_add(cost.full)?,
        }),
    }
}
