//! The trials of a stage while they run: their figures, and what a rule says about the rest.

use std::path::Path;

use crate::metric::{self, Point};
use crate::record::Tried;
use crate::{Job, Stop};

/// What is known of the trials of a stage so far.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// The trial that is going on.
    pub(crate) now: usize,
    /// Figures of those that were run, step by step.
    curves: Vec<Vec<Point>>,
    /// Why those that were not run to their end were not.
    ended: Vec<Option<String>>,
    /// Whether the trial that is going on is being ended.
    pub(crate) ending: bool,
    /// Why no more are run.
    over: Option<String>,
    /// Length of the file when it was last read.
    length: u64,
}

impl Trials {
    /// Whether the trial that is going on has fallen behind and is to be ended.
    pub(crate) fn falls_behind(&mut self, job: &Job, folder: &Path) -> bool {
        let Some((stop, file)) = rule(job, self.now) else { return false };
        if !stop.by_median || self.ending {
            return false;
        }
        let at = folder.join(file);
        let length = std::fs::metadata(&at).map_or(0, |found| found.len());
        if length == self.length {
            return false;
        }
        self.length = length;
        // What cannot be read yet may be so later.
        let now = metric::curve(&at, file, &stop.key).unwrap_or_default();
        self.ending = stop.falls_behind(&now, &self.curves).is_some();
        self.ending
    }

    /// The trial that was going on has ended; whether another is to be run.
    pub(crate) fn next(&mut self, job: &Job, folder: &Path) -> Result<bool, String> {
        if let Some((stop, file)) = rule(job, self.now) {
            let mut curve =
                metric::curve(&folder.join(file), file, &stop.key).map_err(|error| {
                    let name = job.trials.get(self.now).map_or("", |trial| &trial.name);
                    format!("trial {name}: {error}")
                })?;
            // What it wrote until it ended, or after it fell behind, depends on how fast things go:
            // only what it wrote up to there counts, whether it was ended or was over before.
            let behind = stop.falls_behind(&curve, &self.curves);
            curve.retain(|point| behind.is_none_or(|step| point.step <= step));
            let why = |step| format!("{} is worse than the median at step {step}", stop.key);
            self.curves.push(curve);
            self.ended.push(behind.map(why));
            self.over = stop.ends(&self.figures());
        }
        self.now += 1;
        (self.length, self.ending) = (0, false);
        Ok(self.over.is_none() && self.now < job.trials.len())
    }

    fn figures(&self) -> Vec<f64> {
        self.curves.iter().filter_map(|curve| Some(curve.last()?.figure)).collect()
    }

    /// What became of every trial; nothing where no rule decides.
    pub(crate) fn tried(&self, job: &Job) -> Vec<Tried> {
        let Some(stop) = &job.stop else { return Vec::new() };
        let figures = self.figures();
        let best = stop.best(&figures);
        let each = job.trials.iter().enumerate().map(|(place, trial)| Tried {
            name: trial.name.clone(),
            figure: figures.get(place).copied(),
            left_out: match self.ended.get(place) {
                Some(ended) => ended.clone(),
                None => self.over.clone(),
            },
            best: best == Some(place),
        });
        each.collect()
    }
}

fn rule(job: &Job, trial: usize) -> Option<(&Stop, &String)> {
    job.stop.as_ref().zip(job.trials.get(trial)?.metric.as_ref())
}
