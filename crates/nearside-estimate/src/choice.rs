//! Which models run well on a site: for each, the recipe of highest quality that surely fits and is
//! fast enough, and in which order to read them.

use nearside_architecture::Dtype;
use nearside_catalog::Site;
use nearside_units::{Bytes, Duration, Known, Span};
use nearside_workload::{Checkpointing, Optimizer, Recipe, Task, Workload};

use crate::calibration::Calibration;
use crate::estimate::{Demands, Estimate, Period, Verdict, estimate_demands};
use crate::lowered::Lowerings;

/// Tokens per second that people read at: an answer that is written faster keeps nobody waiting.
pub const READING_SPEED: f64 = 10.0;
/// Tokens per second below which training is slow: 100 are 9 million a day.
pub const TRAINING_SPEED: f64 = 100.0;

/// Types that weights are kept in for answering, best quality first. Fewer bits than the last cost
/// noticeable accuracy.
const ANSWERING: [Dtype; 5] = [Dtype::Bf16, Dtype::Q8_0, Dtype::Q6K, Dtype::Q5K, Dtype::Q4K];

/// The ways to do a workload that are worth choosing from, best first: types of weights in
/// answering; in training what needs less memory and gives the same, or nearly the same, result.
#[must_use]
pub fn alternatives(workload: &Workload) -> Vec<Workload> {
    let with = |recipe: Recipe| Workload { recipe, ..workload.clone() };
    let recipe = workload.recipe;
    let checkpointed = Recipe { checkpointing: Checkpointing::Full, ..recipe };
    let smaller = Recipe { optimizer: Optimizer::AdamW8Bit, ..checkpointed };
    let mut found = match &workload.task {
        Task::Inference(_) | Task::Evaluation(_) => {
            let fewer = ANSWERING.into_iter().filter(|dtype| dtype.bits() <= recipe.weights.bits());
            fewer.map(|weights| with(Recipe { weights, ..recipe })).collect()
        }
        Task::FineTune(_) | Task::Pretrain(_) => {
            vec![workload.clone(), with(checkpointed), with(smaller)]
        }
        Task::Lora(..) | Task::Qlora(..) => vec![workload.clone(), with(checkpointed)],
        Task::Preparation(_) | Task::Custom(_) => Vec::new(),
    };
    if found.is_empty() {
        found.push(workload.clone());
    }
    found.dedup();
    found
}

/// What comes of a model on a site.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// It surely fits, the best way to do it being this alternative.
    Runs(Chosen),
    /// It does not surely fit; the alternative that needs least.
    OutOfReach(Chosen),
    /// It cannot be told, and why.
    NotKnown(String),
}

/// An alternative and its estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Which one.
    pub at: usize,
    /// What it will need.
    pub estimate: Estimate,
    /// Tokens per second: written in answering, read in training.
    pub speed: Known<Span<f64>>,
}

impl Chosen {
    /// The memory by which it surely would fit but for it: high end of the need over low end of what
    /// there is.
    #[must_use]
    pub fn short(&self) -> Option<Bytes> {
        let fit = &self.estimate.fit;
        let available = fit.available.as_ref().value()?.low();
        Some(fit.needed?.high().saturating_sub(available))
    }

    /// Its likely speed; zero where it is not known.
    #[must_use]
    pub fn likely_speed(&self) -> f64 {
        self.speed.as_ref().value().map_or(0.0, |speed| speed.likely())
    }
}

/// Several ways to do a workload, best first, and what they ask for, computed once for many sites.
#[derive(Debug)]
pub struct Ways<'workload> {
    demands: Vec<Demands<'workload>>,
    /// What the ways have in common.
    lowerings: Lowerings,
    /// How fast is enough.
    enough: f64,
}

impl<'workload> Ways<'workload> {
    /// Nothing computed yet; all are of one model.
    #[must_use]
    pub fn of(workloads: &'workload [Workload]) -> Self {
        Self {
            demands: workloads.iter().map(Demands::of).collect(),
            lowerings: Lowerings::default(),
            enough: workloads.first().map_or(0.0, |workload| fast_enough(&workload.task)),
        }
    }

    /// The estimate of every way on a site, in their order.
    pub fn each(&mut self, site: &Site, calibration: &Calibration) -> Vec<Estimate> {
        let lowerings = &mut self.lowerings;
        let estimated = |demands: &mut Demands<'workload>| {
            demands.share(lowerings);
            let estimate = estimate_demands(demands, site, calibration);
            demands.share(lowerings);
            estimate
        };
        self.demands.iter_mut().map(estimated).collect()
    }

    /// The best on a site: the first that surely fits and is fast enough, else the fastest that
    /// surely fits, else the one that needs least.
    #[must_use]
    pub fn choose(&mut self, site: &Site, calibration: &Calibration) -> Choice {
        let mut fitting: Option<Chosen> = None;
        let mut least: Option<Chosen> = None;
        let mut why = "there is nothing to choose from".to_owned();
        for (at, demands) in self.demands.iter_mut().enumerate() {
            demands.share(&mut self.lowerings);
            let estimate = estimate_demands(demands, site, calibration);
            demands.share(&mut self.lowerings);
            let speed = speed(&estimate, demands.workload());
            let chosen = Chosen { at, estimate, speed };
            match chosen.estimate.fit.verdict {
                Verdict::Fits if chosen.likely_speed() >= self.enough => {
                    return Choice::Runs(chosen);
                }
                Verdict::Fits => {
                    keep(&mut fitting, chosen, |new, old| new.likely_speed() > old.likely_speed());
                }
                _ if chosen.estimate.fit.needed.is_none() || chosen.short().is_none() => {
                    why = chosen.estimate.fit.why.to_string();
                }
                _ => keep(&mut least, chosen, |new, old| new.short() < old.short()),
            }
        }
        match (fitting, least) {
            (Some(fitting), _) => Choice::Runs(fitting),
            (None, Some(least)) => Choice::OutOfReach(least),
            (None, None) => Choice::NotKnown(why),
        }
    }
}

fn keep(best: &mut Option<Chosen>, new: Chosen, better: impl Fn(&Chosen, &Chosen) -> bool) {
    if best.as_ref().is_none_or(|old| better(&new, old)) {
        *best = Some(new);
    }
}

/// How fast is enough for a task.
#[must_use]
pub const fn fast_enough(task: &Task) -> f64 {
    match task {
        Task::Inference(_) | Task::Evaluation(_) => READING_SPEED,
        _ => TRAINING_SPEED,
    }
}

/// Tokens per second: seen in training, written in answering.
#[must_use]
pub fn speed(estimate: &Estimate, workload: &Workload) -> Known<Span<f64>> {
    let tokens = match (&workload.task, workload.task.training()) {
        (_, Some(training)) => training.tokens,
        (Task::Evaluation(batch), None) => batch.requests * batch.output,
        _ => 0,
    };
    if matches!(estimate.period, Period::Month { .. }) || tokens == 0 {
        return Known::unknown("no tokens are counted");
    }
    estimate.work.clone().map(|time| {
        let per_second = |time: Duration| tokens as f64 / time.as_seconds();
        let (low, likely, high) =
            (per_second(time.high()), per_second(time.likely()), per_second(time.low()));
        Span::new(low, likely, high).unwrap_or(Span::exact(likely))
    })
}

/// Models in the order to read them in: those that are fast enough first, the largest first; then
/// the slower ones, the fastest first. Equal ones by name.
pub fn rank<T>(
    models: &mut [T],
    enough: f64,
    likely_speed: impl Fn(&T) -> f64,
    parameters: impl Fn(&T) -> u64,
    name: impl Fn(&T) -> &str,
) {
    models.sort_by(|left, right| {
        let (speed, other_speed) = (likely_speed(left), likely_speed(right));
        let (fast, other_fast) = (speed >= enough, other_speed >= enough);
        let by_size = parameters(right).cmp(&parameters(left));
        let by_speed = other_speed.total_cmp(&speed);
        let within = if fast { by_size.then(by_speed) } else { by_speed.then(by_size) };
        other_fast.cmp(&fast).then(within).then_with(|| name(left).cmp(name(right)))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_ones_go_by_size_and_slow_ones_by_speed() {
        let mut models = [
            ("slow", 5.0, 70),
            ("small", 90.0, 1),
            ("slower", 2.0, 400),
            ("b", 20.0, 8),
            ("a", 20.0, 8),
        ];
        rank(&mut models, READING_SPEED, |model| model.1, |model| model.2, |model| model.0);
        assert_eq!(models.map(|model| model.0), ["a", "b", "small", "slow", "slower"]);
    }
}
