//! Ways to do a workload with ever less memory, for whoever has not chosen a machine yet: as it is
//! written, with what gives the same result, and with what costs some quality, as far as accepted.
//!
//! Where [`techniques`](super::techniques) looks for the cheapest combination on one site, a ladder
//! holds for every site: what gives the same result is taken all together first, then smaller parts
//! are worked on at once; each of it also with the changes that cost quality, one at a time.

use std::fmt;
use std::str::FromStr;

use nearside_workload::{UnknownName, Workload};

use super::{Advice, CHANGES, Part};

/// Which changes somebody accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepted {
    /// None.
    AsWritten,
    /// Those that give the same result.
    SameResult,
    /// And those that cost hardly any or little accuracy.
    LittleLoss,
    /// And those that cost some.
    SomeLoss,
    /// And training adapters in place of all weights.
    AnotherMethod,
}

impl Accepted {
    /// Each, with its name.
    const NAMES: [(Self, &'static str); 5] = [
        (Self::AsWritten, "as-written"),
        (Self::SameResult, "same-result"),
        (Self::LittleLoss, "little-loss"),
        (Self::SomeLoss, "some-loss"),
        (Self::AnotherMethod, "another-method"),
    ];

    /// Each, the strictest first.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.into_iter().map(|(accepted, _)| accepted)
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(accepted, _)| *accepted == self).map_or("", |(_, name)| name)
    }

    /// The most that one change may cost, in the order of losses.
    const fn loss(self) -> u32 {
        match self {
            Self::AsWritten | Self::SameResult => 0,
            Self::LittleLoss => 3,
            Self::SomeLoss => 5,
            Self::AnotherMethod => 6,
        }
    }
}

impl fmt::Display for Accepted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Accepted {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        let names = Self::NAMES.iter().map(|(_, name)| *name);
        found
            .map(|(accepted, _)| *accepted)
            .ok_or_else(|| UnknownName::new("way of saving", text, names))
    }
}

/// One way.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// What is changed; nothing for the workload as it is written.
    pub steps: Vec<Advice>,
    /// What it costs in quality: an order, not a measure. Zero for the same result.
    pub loss: u32,
    /// The workload with the changes.
    pub workload: Workload,
}

/// The ways that are accepted, the least loss of quality first, then the fewest changes.
#[must_use]
pub fn ladder(workload: &Workload, accepted: Accepted) -> Vec<Rung> {
    let mut rungs: Vec<Rung> = Vec::new();
    for quality in qualities(accepted) {
        for free in without_loss(accepted) {
            let chosen = quality.iter().chain(&free);
            let rung = changed(workload, chosen);
            let news =
                rung.filter(|rung| rungs.iter().all(|known| known.workload != rung.workload));
            rungs.extend(news);
        }
    }
    rungs.sort_by_key(|rung| rung.loss);
    rungs
}

/// The workload with those of the changes that make sense; none where one that costs quality does not.
fn changed<'a>(workload: &Workload, chosen: impl Iterator<Item = &'a usize>) -> Option<Rung> {
    let mut rung = Rung { steps: Vec::new(), loss: 0, workload: workload.clone() };
    for at in chosen {
        let change = &CHANGES[*at];
        match (change.apply)(&rung.workload) {
            Some(workload) => {
                rung.workload = workload;
                rung.steps.push(change.advice());
                rung.loss += change.loss;
            }
            None if change.loss > 0 => return None,
            None => {}
        }
    }
    Some(rung)
}

/// Nothing, and every change that costs an accepted loss of quality.
fn qualities(accepted: Accepted) -> Vec<Vec<usize>> {
    let costs = |at: &usize| {
        let change = &CHANGES[*at];
        let part = match change.part {
            Part::Optimizer | Part::Weights => true,
            Part::Method => accepted == Accepted::AnotherMethod,
            _ => false,
        };
        part && (1..=accepted.loss()).contains(&change.loss)
    };
    let single = (0..CHANGES.len()).filter(costs).map(|at| vec![at]);
    std::iter::once(Vec::new()).chain(single).collect()
}

/// Nothing; all at once that only costs time; and that with ever smaller parts at once.
fn without_loss(accepted: Accepted) -> Vec<Vec<usize>> {
    if accepted == Accepted::AsWritten {
        return vec![Vec::new()];
    }
    let of = |part: Part| (0..CHANGES.len()).filter(move |at| CHANGES[*at].part == part);
    let strongest = |part: Part| of(part).rfind(|at| CHANGES[*at].loss == 0);
    let kept = [Part::Attention, Part::Checkpointing, Part::Loss].into_iter();
    let together: Vec<usize> = kept.filter_map(strongest).collect();
    let smaller = of(Part::Together).map(|at| [together.as_slice(), &[at]].concat());
    [Vec::new(), together.clone()].into_iter().chain(smaller).collect()
}

#[cfg(test)]
mod tests {
    use nearside_architecture::Dtype;
    use nearside_workload::{Batch, Checkpointing, Recipe, Task, Training};

    use super::*;
    use crate::estimate::Demands;

    fn model() -> nearside_workload::ModelRef {
        let catalog = nearside_catalog::Catalog::builtin().unwrap();
        let model = catalog.model("smollm2-135m").unwrap();
        nearside_workload::ModelRef {
            name: model.name.to_string(),
            architecture: std::sync::Arc::new(model.architecture().unwrap()),
            stored: None,
        }
    }

    fn training() -> Workload {
        let training = Training { tokens: 1 << 20, sequence: 512, batch: 8, accumulation: 1 };
        let recipe = Recipe::default();
        Workload { task: Task::FineTune(training), model: Some(model()), recipe, image: None }
    }

    #[test]
    fn what_is_accepted_is_all_that_is_changed() {
        let of = |accepted| ladder(&training(), accepted);
        assert_eq!(of(Accepted::AsWritten).len(), 1);
        let same = of(Accepted::SameResult);
        assert!(same.len() > 2 && same.iter().all(|rung| rung.loss == 0));
        assert_eq!(same[0].workload, training());
        assert!(same.iter().any(|rung| rung.workload.recipe.checkpointing == Checkpointing::Full));
        let adapters = |rung: &Rung| matches!(rung.workload.task, Task::Qlora(..));
        assert!(!of(Accepted::SomeLoss).iter().any(adapters));
        assert!(of(Accepted::AnotherMethod).iter().any(adapters));
    }

    #[test]
    fn more_that_is_accepted_only_adds_ways() {
        let batch = Batch { requests: 8, prompt: 256, output: 128, batch: 8 };
        let answering = Workload { task: Task::Evaluation(batch), ..training() };
        for workload in [training(), answering] {
            let mut before = Vec::new();
            for accepted in Accepted::all() {
                let now = ladder(&workload, accepted);
                assert!(before.iter().all(|rung| now.contains(rung)), "{accepted}");
                assert!(now.is_sorted_by_key(|rung| rung.loss));
                before = now;
            }
            let weights: Vec<_> = before.iter().map(|rung| rung.workload.recipe.weights).collect();
            let quantized = weights.contains(&Dtype::Q4K) && !weights.contains(&Dtype::Q3K);
            assert_eq!(quantized, workload.task.training().is_none());
        }
    }

    #[test]
    fn a_rung_can_be_estimated() {
        let rungs = ladder(&training(), Accepted::LittleLoss);
        assert!(rungs.iter().all(|rung| Demands::of(&rung.workload).workload() == &rung.workload));
        assert_eq!("little-loss".parse::<Accepted>().unwrap(), Accepted::LittleLoss);
        assert!("any".parse::<Accepted>().is_err());
    }
}
