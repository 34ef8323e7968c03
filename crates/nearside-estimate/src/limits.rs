//! The most of a workload that surely fits a site: batch, sequence, requests at once.
//!
//! Memory grows with each of them, so the most is found between one that fits and one that does not,
//! by bisection: at the point that a straight line through both ends gives, where memory is nearly
//! linear, else in the middle.

use nearside_catalog::Site;
use nearside_units::HOURS_PER_MONTH;
use nearside_workload::{Batch, Serving, Task, Training, Workload};

use crate::calibration::Calibration;
use crate::estimate::{Fit, chance, fit};
use crate::lowered::Lowerings;
use crate::technique::with_training;

/// The most that is looked for.
pub const MOST: u64 = 1 << 20;

/// The most of a workload that surely fits, each with everything else as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sequences per pass, or requests that are read and written together.
    pub batch: Option<Most>,
    /// Tokens per sequence, or prompt and answer together.
    pub sequence: Option<Most>,
    /// Requests in flight in a service that reads prompts in portions; inference only.
    pub concurrency: Option<Most>,
}

/// The most that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Most {
    /// Not even the least.
    Nothing,
    /// So much and no more.
    Exactly(u64),
    /// Even the most that was looked for.
    More,
}

/// The most of a workload that surely fits a site. A limit is `None` where there is nothing to count.
#[must_use]
pub fn limits(workload: &Workload, site: &Site, calibration: &Calibration) -> Limits {
    let most = |least: u64, sized: &dyn Fn(u64) -> Option<Workload>| {
        let chance = chance(&sized(least)?, site, calibration, &mut Lowerings::default());
        if room(&chance).is_none_or(|room| room < 0.0) {
            return Some(Most::Nothing);
        }
        let room = |size: u64| room(&fit(&sized(size)?, site, calibration));
        Some(largest(least, MOST, room))
    };
    Limits {
        batch: most(1, &|batch| with_batch(workload, batch)),
        sequence: most(2, &|tokens| with_sequence(workload, tokens)),
        concurrency: most(1, &|requests| with_concurrency(workload, requests)),
    }
}

/// The longest sequence of up to `most` tokens with which a workload surely fits.
#[must_use]
pub fn longest(
    workload: &Workload,
    most: u64,
    site: &Site,
    calibration: &Calibration,
) -> Option<Most> {
    with_sequence(workload, 2)?;
    let room = |tokens| room(&fit(&with_sequence(workload, tokens)?, site, calibration));
    Some(largest(2, most, room))
}

/// What is left of the low end of what there is by the high end of what is needed, in bytes.
fn room(fit: &Fit) -> Option<f64> {
    let available = fit.available.as_ref().value()?.low();
    let needed = fit.needed?.high();
    Some(available.get() as f64 - needed.get() as f64)
}

/// The largest size from `least` to `most` with room left; room shrinks as sizes grow, and sizes
/// whose room is not known are too large.
fn largest(least: u64, most: u64, room: impl Fn(u64) -> Option<f64>) -> Most {
    let fits = |room: Option<f64>| room.is_some_and(|room| room >= 0.0);
    let (mut low, mut low_room) = (least, room(least));
    if !fits(low_room) {
        return Most::Nothing;
    }
    let (mut high, mut high_room) = (most, room(most));
    if fits(high_room) {
        return Most::More;
    }
    let mut halved = true;
    while high - low > 1 {
        let before = high - low;
        let line = low_room
            .zip(high_room)
            .filter(|_| halved)
            .map(|(above, below)| low + (before as f64 * above / (above - below)) as u64);
        // Sizes that matter are far below the most, hence the geometric middle.
        let middle = || ((low as f64) * (high as f64)).sqrt() as u64;
        let at = line.unwrap_or_else(middle).clamp(low + 1, high - 1);
        let there = room(at);
        match fits(there) {
            true => (low, low_room) = (at, there),
            false => (high, high_room) = (at, there),
        }
        halved = line.is_none() || high - low <= before / 2 + 1;
    }
    Most::Exactly(low)
}

fn with_batch(workload: &Workload, batch: u64) -> Option<Workload> {
    if let Some(training) = workload.task.training() {
        return Some(with_training(workload, Training { batch, ..training }));
    }
    let Task::Evaluation(had) = workload.task else { return None };
    let task = Task::Evaluation(Batch { requests: batch, batch, ..had });
    Some(Workload { task, ..workload.clone() })
}

fn with_sequence(workload: &Workload, tokens: u64) -> Option<Workload> {
    if let Some(training) = workload.task.training() {
        return Some(with_training(workload, Training { sequence: tokens, ..training }));
    }
    let mut task = workload.task.clone();
    let (prompt, output) = match &mut task {
        Task::Inference(serving) => (&mut serving.prompt, &mut serving.output),
        Task::Evaluation(batch) => (&mut batch.prompt, &mut batch.output),
        _ => return None,
    };
    // Prompt and answer keep their shares.
    let share = *output as f64 / (*prompt + *output).max(1) as f64;
    *output = ((tokens as f64 * share).round() as u64).clamp(1, tokens - 1);
    *prompt = tokens - *output;
    Some(Workload { task, ..workload.clone() })
}

fn with_concurrency(workload: &Workload, concurrency: u64) -> Option<Workload> {
    let serving = match workload.task {
        Task::Inference(serving) => Serving { concurrency, ..serving },
        Task::Evaluation(batch) => Serving {
            requests: concurrency,
            prompt: batch.prompt,
            output: batch.output,
            concurrency,
            hours: HOURS_PER_MONTH,
        },
        _ => return None,
    };
    Some(Workload { task: Task::Inference(serving), ..workload.clone() })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn finds_what_counting_finds() {
        let shapes: [fn(f64) -> f64; 4] =
            [|x| 3.0 * x, |x| x * x, |x| (x / 7.0).floor() * 10.0, |x| x + x.powi(3) / 50.0];
        for shape in shapes {
            for limit in (0..600).step_by(13).map(f64::from) {
                // Beyond 90 nothing is known.
                let room = |size: u64| (size <= 90).then(|| limit - shape(size as f64));
                let counted = (1..=90).take_while(|size| room(*size).unwrap() >= 0.0).last();
                let expected = counted.map_or(Most::Nothing, Most::Exactly);
                assert_eq!(largest(1, 100, room), expected, "limit {limit}");
            }
        }
    }

    #[test]
    fn a_straight_line_takes_few_questions() {
        let asked = Cell::new(0);
        let room = |size: u64| {
            asked.set(asked.get() + 1);
            Some(1e9 - 1234.5 * size as f64)
        };
        assert_eq!(largest(1, MOST, room), Most::Exactly(810_044));
        assert!(asked.get() <= 6, "{}", asked.get());
        assert_eq!(largest(1, MOST, |_| Some(0.0)), Most::More);
    }
}
