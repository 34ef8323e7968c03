//! Estimates beside figures: errors, intervals, and what a few runs on a device make of its speeds.

use std::collections::BTreeMap;

use nearside_catalog::{Catalog, Device};
use nearside_estimate::calibration::Kernels;
use nearside_estimate::decode::{self, Token};
use nearside_estimate::observation::decode::DecodeModel;
use nearside_estimate::observation::step::{StepModel, Stepped};
use nearside_units::{Duration, Span};

use crate::estimator::{Estimator, Speed, Work, per_second};
use crate::row::{Reason, Row};
use crate::words::Metric;

/// Devices with fewer rows of a speed are not estimated after probes.
const ENOUGH: usize = 4;
/// Tokens per second: as many rows, the first of a device in their file, are its probes.
const TOKEN_PROBES: usize = 2;
/// Steps: the same.
const STEP_PROBES: usize = 1;
/// Two probes tell share and gap apart when one reads so many times as much as the other.
const APART: f64 = 1.25;
/// Shares of the bandwidth that a device can have; anything else is noise of two probes.
const SHARES: [f64; 2] = [0.3, 1.05];

/// A row that was scored.
#[derive(Clone, Debug)]
pub(crate) struct Scored {
    /// The row.
    pub(crate) row: Row,
    /// What was measured.
    pub(crate) metric: Metric,
    /// The figure, in the unit's base.
    pub(crate) value: f64,
    /// The estimate before anything was measured on the device.
    pub(crate) estimate: Span<f64>,
    /// What probes on the device made of it.
    pub(crate) after: After,
}

/// An estimate after probes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    /// There are none, or the figure is no speed.
    Nothing,
    /// The row itself is one.
    Probe,
    /// The estimate.
    Estimate(Span<f64>),
}

impl Scored {
    /// In percent of the figure.
    pub(crate) fn error(&self) -> f64 {
        percent(self.estimate.likely(), self.value)
    }
}

/// What an estimate is off, in percent of the figure.
pub(crate) fn percent(estimate: f64, value: f64) -> f64 {
    (estimate / value - 1.0) * 100.0
}

/// Whether an interval holds a figure.
pub(crate) fn holds(interval: Span<f64>, value: f64) -> bool {
    // Whole bytes and their quotients are the same up to the last bits.
    let slack = value.abs() * 1e-12;
    interval.low() <= value + slack && value <= interval.high() + slack
}

/// Every row, scored or not.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    /// Those that are.
    pub(crate) scored: Vec<Scored>,
    /// Those that are not, and why.
    pub(crate) not_scored: Vec<(Row, Reason)>,
}

impl Scores {
    /// Scores rows in their order.
    pub(crate) fn of(rows: Vec<Row>, catalog: &Catalog) -> Self {
        let mut scores = Self::default();
        let mut speeds = BTreeMap::new();
        let mut estimator = Estimator::new(catalog);
        for row in rows {
            let estimated = row.metric().and_then(|metric| {
                let estimated = estimator.estimate(&row)?;
                Ok((metric, row.value()?, estimated))
            });
            match estimated {
                Ok((metric, value, estimated)) => {
                    if let Some(speed) = estimated.speed {
                        let key = (row.file.clone(), metric, speed.device.name.clone());
                        let of_device: &mut Vec<_> = speeds.entry(key).or_default();
                        of_device.push((scores.scored.len(), speed));
                    }
                    let (estimate, after) = (estimated.figure, After::Nothing);
                    scores.scored.push(Scored { row, metric, value, estimate, after });
                }
                Err(reason) => {
                    let reason = row.refused.clone().unwrap_or(reason);
                    scores.not_scored.push((row, reason));
                }
            }
        }
        for of_device in speeds.values().filter(|of_device| of_device.len() >= ENOUGH) {
            scores.probe(of_device);
        }
        scores
    }

    /// Estimates the speeds of one device again, after its first rows.
    fn probe(&mut self, of_device: &[(usize, Speed<'_>)]) {
        let probes = match of_device.first() {
            Some((_, Speed { of: Work::Token(_), .. })) => TOKEN_PROBES,
            _ => STEP_PROBES,
        };
        let (probes, others) = of_device.split_at(probes.min(of_device.len()));
        let Some(learnt) = Learnt::from(probes, &self.scored) else { return };
        for (index, _) in probes {
            self.scored[*index].after = After::Probe;
        }
        for (index, speed) in others {
            if let Some(figure) = learnt.figure(speed) {
                self.scored[*index].after = After::Estimate(figure);
            }
        }
    }
}

/// What probes say of a device.
enum Learnt {
    /// The share of its bandwidth and the gap between kernels.
    Decoding(DecodeModel),
    /// One factor over every estimate.
    Factor(Span<f64>),
}

impl Learnt {
    fn from(probes: &[(usize, Speed<'_>)], scored: &[Scored]) -> Option<Self> {
        let measured = |index: usize, of: &Work| {
            let value = scored[index].value;
            let seconds = if matches!(of, Work::Token(_)) { 1.0 / value } else { value };
            Duration::from_seconds(seconds).ok()
        };
        let stepped: Option<Vec<Stepped>> = probes
            .iter()
            .map(|(index, speed)| {
                let measured = measured(*index, &speed.of)?;
                Some(Stepped { estimate: speed.time, measured })
            })
            .collect();
        let stepped = stepped?;
        let tokens: Vec<(Token, Duration)> = probes
            .iter()
            .zip(&stepped)
            .filter_map(|((_, speed), stepped)| match speed.of {
                Work::Token(token) => Some((token, stepped.measured)),
                Work::Step => None,
            })
            .collect();
        let device = probes.first()?.1.device;
        fitted(&tokens, device)
            .map(Self::Decoding)
            .or_else(|| Some(Self::Factor(StepModel::after(&stepped)?.factor)))
    }

    fn figure(&self, speed: &Speed<'_>) -> Option<Span<f64>> {
        let time = match (self, &speed.of) {
            (Self::Decoding(model), Work::Token(token)) => decode::time(token, model, speed.device),
            (Self::Decoding(_), Work::Step) => return None,
            (Self::Factor(factor), _) => factor.map(|factor| speed.time.likely() * factor),
        };
        match speed.of {
            Work::Token(_) => per_second(time),
            Work::Step => Some(time.map(Duration::as_seconds)),
        }
    }
}

/// Share and gap from two probes; nothing where they are alike in size or make no sense together.
fn fitted(tokens: &[(Token, Duration)], device: &Device) -> Option<DecodeModel> {
    let [first, second] = tokens else { return None };
    let sizes = [first.0.read(), second.0.read()].map(|read| read.get() as f64);
    if sizes[0].max(sizes[1]) < sizes[0].min(sizes[1]) * APART {
        return None;
    }
    let prior = decode::prior(&Kernels::default(), device.bandwidth().value()?.value);
    let observed = [first, second].map(|(token, time)| token.observed(*time));
    let model = prior.after(&observed);
    let share = model.efficiency.likely();
    let makes_sense = (SHARES[0]..=SHARES[1]).contains(&share)
        && model.gap.likely() > Duration::ZERO
        && model.gap.likely() <= prior.gap.high() * 2.0;
    makes_sense.then_some(model)
}

/// Rows of one metric in one file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// How many.
    pub(crate) rows: usize,
    /// Mean of what estimates are off, in percent.
    pub(crate) mean: f64,
    /// The most that one is off, in percent.
    pub(crate) worst: f64,
    /// Part of the figures that lie in their interval.
    pub(crate) coverage: f64,
    /// The middle one of the widths of the intervals, in percent of the estimate.
    pub(crate) width: f64,
}

impl Group {
    /// Sums up estimates and figures; nothing for none.
    pub(crate) fn of(estimates: &[(Span<f64>, f64)]) -> Option<Self> {
        let errors: Vec<f64> = estimates
            .iter()
            .map(|(estimate, value)| percent(estimate.likely(), *value).abs())
            .collect();
        let mut widths: Vec<f64> = estimates
            .iter()
            .map(|(span, _)| (span.high() - span.low()) / span.likely() * 100.0)
            .collect();
        widths.sort_by(f64::total_cmp);
        let count = errors.len();
        let width = *widths.get(count / 2)?;
        let held = estimates.iter().filter(|(span, value)| holds(*span, *value)).count();
        Some(Self {
            rows: count,
            mean: errors.iter().sum::<f64>() / count as f64,
            worst: errors.iter().copied().fold(0.0, f64::max),
            coverage: held as f64 / count as f64,
            width,
        })
    }
}

/// The name of a group: the file without its ending, and the metric.
pub(crate) type Key = (String, Metric);

/// Scored rows by file and metric, in the order of the files.
pub(crate) fn groups(scored: &[Scored]) -> Vec<(Key, Vec<&Scored>)> {
    let mut groups: Vec<(Key, Vec<&Scored>)> = Vec::new();
    for one in scored {
        let stem = one.row.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let key = (stem, one.metric);
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rows)) => rows.push(one),
            None => groups.push((key, vec![one])),
        }
    }
    groups
}

/// The estimates of rows before any probe.
pub(crate) fn before(rows: &[&Scored]) -> Vec<(Span<f64>, f64)> {
    rows.iter().map(|one| (one.estimate, one.value)).collect()
}

/// The estimates of rows after probes, probes left out.
pub(crate) fn after(rows: &[&Scored]) -> Vec<(Span<f64>, f64)> {
    let after = rows.iter().filter_map(|one| match one.after {
        After::Estimate(estimate) => Some((estimate, one.value)),
        After::Nothing | After::Probe => None,
    });
    after.collect()
}
