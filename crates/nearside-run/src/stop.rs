//! When the trials of a stage need not all be run, and when one need not run to its end.
//!
//! The rule looks at nothing but the figures that trials wrote, so that the same figures lead to the
//! same trials. The median rule is that of Vizier (Golovin et al. 2017, 3.2.1), by single values: a
//! trial ends at a step where it is worse than the median of at least three earlier ones.

use crate::metric::Point;

/// Earlier trials that a median is taken of, at least.
const LEAST_EARLIER: usize = 3;

/// When trials need not all be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// The key of the figure in the file of each trial.
    pub key: String,
    /// What a good figure is.
    pub aim: Aim,
    /// Trials without a better figure after which no more are run.
    pub patience: Option<u64>,
    /// The figure that is good enough.
    pub target: Option<f64>,
    /// Whether a trial ends once it is worse than the median of the earlier ones.
    pub by_median: bool,
}

/// What a good figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// A small one.
    Least,
    /// A large one.
    Most,
}

impl Aim {
    fn is_better(self, one: f64, other: f64) -> bool {
        match self {
            Self::Least => one < other,
            Self::Most => one > other,
        }
    }
}

impl Stop {
    /// The rule as a text: what its results depend on.
    pub(crate) fn text(&self) -> String {
        let Self { key, aim, patience, target, by_median } = self;
        format!("{key} {aim:?} {patience:?} {target:?} {by_median}")
    }

    /// The place of the best figure; of equal ones the first.
    pub(crate) fn best(&self, figures: &[f64]) -> Option<usize> {
        let better = |best: usize, place: usize| {
            if self.aim.is_better(figures[place], figures[best]) { place } else { best }
        };
        (0..figures.len()).filter(|place| !figures[*place].is_nan()).reduce(better)
    }

    /// Why no trial after these is run; nothing when they go on.
    pub(crate) fn ends(&self, figures: &[f64]) -> Option<String> {
        let best = self.best(figures)?;
        let reached = |target: &f64| !self.aim.is_better(*target, figures[best]);
        if let Some(target) = self.target.filter(reached) {
            return Some(format!("{} reached {target}", self.key));
        }
        let since = u64::try_from(figures.len() - 1 - best).unwrap_or(u64::MAX);
        let patience = self.patience.filter(|patience| since >= *patience)?;
        let trials = if patience == 1 { "trial" } else { "trials" };
        Some(format!("{} did not improve in {since} {trials}", self.key))
    }

    /// The first step at which a trial is worse than the median of the earlier ones there.
    pub(crate) fn falls_behind(&self, now: &[Point], earlier: &[Vec<Point>]) -> Option<u64> {
        if !self.by_median || earlier.len() < LEAST_EARLIER {
            return None;
        }
        let behind = |point: &&Point| {
            let same = |curve: &Vec<Point>| {
                curve.iter().find(|other| other.step == point.step).map(|other| other.figure)
            };
            let figures: Vec<f64> = earlier.iter().filter_map(same).collect();
            figures.len() >= LEAST_EARLIER && self.aim.is_better(median(figures), point.figure)
        };
        now.iter().find(behind).map(|point| point.step)
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() % 2 {
        0 => f64::midpoint(figures[middle - 1], figures[middle]),
        _ => figures[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(aim: Aim) -> Stop {
        let key = "loss".to_owned();
        Stop { key, aim, patience: Some(2), target: Some(0.1), by_median: true }
    }

    #[test]
    fn trials_end_when_nothing_gets_better() {
        let ends = |figures: &[f64]| rule(Aim::Least).ends(figures);
        assert_eq!(ends(&[]), None);
        assert_eq!(ends(&[0.5, 0.6]), None);
        assert_eq!(ends(&[0.5, 0.6, 0.5]).as_deref(), Some("loss did not improve in 2 trials"));
        assert_eq!(ends(&[0.5, 0.6, 0.4]), None);
        assert_eq!(ends(&[0.1]).as_deref(), Some("loss reached 0.1"));
        assert_eq!(ends(&[f64::NAN, 0.5, f64::NAN]), None);
        assert!(rule(Aim::Most).ends(&[0.05]).is_none() && rule(Aim::Most).ends(&[0.2]).is_some());
    }

    #[test]
    fn a_trial_ends_where_it_is_worse_than_the_median() {
        let curve = |figures: &[f64]| -> Vec<Point> {
            (0..).zip(figures).map(|(step, figure)| Point { step, figure: *figure }).collect()
        };
        let earlier = [curve(&[1.0, 0.5]), curve(&[1.2, 0.7]), curve(&[0.8, 0.6, 0.1])];
        let behind = |figures: &[f64]| rule(Aim::Least).falls_behind(&curve(figures), &earlier);
        assert_eq!(behind(&[1.0, 0.6, 9.0]), None);
        assert_eq!(behind(&[0.9, 0.65]), Some(1));
        assert_eq!(rule(Aim::Least).falls_behind(&curve(&[9.0]), &earlier[..2]), None);
    }
}
