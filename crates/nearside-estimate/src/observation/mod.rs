//! Runs that were measured make the next estimate of their site better.
//!
//! Groups of evidence, each with its own model of one or two numbers:
//!
//! - the time of a decoded token ([`decode`]): efficiency of the memory bandwidth and gap between
//!   kernels;
//! - the time of a training step ([`step`]): one factor over the estimate;
//! - reserved memory ([`memory`]): one offset, the driver's context; of this program's own engine
//!   what it takes besides what is counted;
//! - tokens and prompts of this program's own engine (`own_engine`): the same two models, for each
//!   type of weights by itself, because each has kernels of its own.
//!
//! One observation moves a range and leaves it as wide as it was; from two on, each is also
//! predicted from the others ([`held_out`]), and a range narrows as far as those predictions were
//! right. It never gets wider, relative to its middle, than it was without evidence.

pub mod decode;
pub mod held_out;
pub mod memory;
mod own_engine;
pub mod step;

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_architecture::Dtype;
use nearside_units::{Basis, BytesPerSecond, Date, Kind, Sourced, Span};

use crate::calibration::Calibration;
use crate::estimate::Device;
use decode::{DecodeModel, Decoded};
use held_out::HeldOut;
use memory::{MemoryModel, Reserved};
use step::{StepModel, Stepped};

/// Observations of one group that count, the newest first: more would only cost time.
const MOST_COUNTED: usize = 100;

/// What was measured of a run on a site.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The site.
    pub site: Arc<str>,
    /// Fingerprint of what ran.
    pub workload: Arc<str>,
    /// The day.
    pub on: Date,
    /// What was measured.
    pub evidence: Evidence,
}

/// What was measured, beside what had been estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Evidence {
    /// One decoded token.
    Decode(Decoded),
    /// One training step.
    Step(Stepped),
    /// Memory reserved at the peak.
    Memory(Reserved),
    /// One token that this program's own engine wrote, with the type of most weights; what it read is
    /// counted as in [`Sequence::read`](crate::engine::nearside::Sequence::read).
    Token(Dtype, Decoded),
    /// One prompt that this program's own engine read.
    Prompt(Dtype, Stepped),
    /// Memory that this program held at the peak, with its own engine.
    Process(Reserved),
}

/// A site whose observations are to count.
#[derive(Clone, Copy, Debug)]
pub struct ObservedSite<'a> {
    /// Its name in the observations.
    pub name: &'a str,
    /// Where work runs on it.
    pub device: Device,
    /// Memory bandwidth that efficiency is counted against: of the data sheet, or measured.
    pub bandwidth: BytesPerSecond,
    /// How fast processors read main memory: as measured, or as assumed of machines of its kind.
    pub read: Span<BytesPerSecond>,
}

/// A calibration with what a site's observations taught, and how good they are at predicting each
/// other.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated {
    /// For this site alone.
    pub calibration: Calibration,
    /// Decoding; none with fewer than two observations.
    pub decode: Option<HeldOut>,
    /// Training steps.
    pub step: Option<HeldOut>,
    /// Reserved memory.
    pub memory: Option<HeldOut>,
    /// Tokens of this program's own engine, by the type of most weights.
    pub tokens: BTreeMap<Dtype, HeldOut>,
    /// Its prompts.
    pub prompts: BTreeMap<Dtype, HeldOut>,
    /// Memory of its process.
    pub process: Option<HeldOut>,
}

/// What the observations of a site make of a calibration.
#[must_use]
pub fn calibrate(
    calibration: &Calibration,
    site: &ObservedSite<'_>,
    observations: &[Observation],
) -> Calibrated {
    let of_site: Vec<_> = observations.iter().filter(|one| *one.site == *site.name).collect();
    let decoded = newest(&of_site, |evidence| match evidence {
        Evidence::Decode(decoded) => Some(*decoded),
        _ => None,
    });
    let stepped = newest(&of_site, |evidence| match evidence {
        Evidence::Step(stepped) => Some(*stepped),
        _ => None,
    });
    let reserved = newest(&of_site, |evidence| match evidence {
        Evidence::Memory(reserved) => Some(*reserved),
        _ => None,
    });
    let mut calibration = calibration.clone();
    let decode = decoded.and_then(|(decoded, on)| {
        let prior = decode_prior(&calibration, site);
        let basis = basis(site, decoded.len(), on);
        learn_decode(&mut calibration, site, prior.after(&decoded), &basis);
        prior.held_out(&decoded)
    });
    let step = stepped.and_then(|(stepped, on)| {
        let learnt = StepModel::after(&stepped);
        let basis = basis(site, stepped.len(), on);
        calibration.observed_step = learnt.map(|model| Sourced::new(model.factor, basis));
        StepModel::held_out(&stepped)
    });
    let memory = reserved.and_then(|(reserved, on)| {
        let prior = MemoryModel { context: calibration.memory.context.value };
        let context = prior.after(&reserved).context;
        calibration.memory.context = Sourced::new(context, basis(site, reserved.len(), on));
        prior.held_out(&reserved)
    });
    let tokens = own_engine::learn_tokens(&mut calibration, site, &of_site);
    let prompts = own_engine::learn_prompts(&mut calibration, site, &of_site);
    let process = own_engine::learn_memory(&mut calibration, site, &of_site);
    Calibrated { calibration, decode, step, memory, tokens, prompts, process }
}

/// The newest evidence of one group, and the day of the newest; nothing when there is none.
fn newest<T: held_out::Ordered>(
    observations: &[&Observation],
    pick: impl Fn(&Evidence) -> Option<T>,
) -> Option<(Vec<T>, Date)> {
    let mut found: Vec<(Date, T)> =
        observations.iter().filter_map(|one| Some((one.on, pick(&one.evidence)?))).collect();
    found.sort_by(|(left_on, left), (right_on, right)| {
        right_on.cmp(left_on).then_with(|| left.order(right))
    });
    found.truncate(MOST_COUNTED);
    let on = found.first()?.0;
    Some((found.into_iter().map(|(_, evidence)| evidence).collect(), on))
}

fn basis(site: &ObservedSite<'_>, count: usize, on: Date) -> Basis {
    let runs = if count == 1 { "run" } else { "runs" };
    let source = format!("{count} measured {runs} on {}", site.name);
    Basis { kind: Kind::Measured, source: source.into(), as_of: Some(on) }
}

/// What a calibration says of decoding: overhead is part of efficiency and gap.
fn decode_prior(calibration: &Calibration, site: &ObservedSite<'_>) -> DecodeModel {
    let kernels = &calibration.kernels;
    let overhead = kernels.answering_overhead.value;
    let (share, gap) = match site.device {
        Device::Accelerator => (kernels.bandwidth_share.value, kernels.answering_gap.value),
        Device::Processor => {
            let read = calibration.here.read.as_ref().map(|read| read.value);
            let read = read.map(|read| read.map(|rate| rate / site.bandwidth));
            let share = calibration.processor.stream_share.value;
            let share = share.combine(read.unwrap_or(Span::exact(1.0)), |share, read| share * read);
            (share, Span::exact(nearside_units::Duration::ZERO))
        }
    };
    DecodeModel {
        bandwidth: site.bandwidth,
        efficiency: share.combine_inverse(overhead, |share, overhead| share / overhead),
        gap: gap.combine(overhead, |gap, overhead| gap * overhead),
    }
}

/// Puts what was learnt of decoding back; the overhead is in it, so it is sure from now on.
fn learn_decode(
    calibration: &mut Calibration,
    site: &ObservedSite<'_>,
    learnt: DecodeModel,
    basis: &Basis,
) {
    let overhead = calibration.kernels.answering_overhead.value.likely();
    let share = learnt.efficiency.map(|share| share * overhead);
    let share = Sourced::new(share, basis.clone());
    let kernels = &mut calibration.kernels;
    kernels.answering_overhead.value = Span::exact(overhead);
    match site.device {
        Device::Accelerator => {
            kernels.bandwidth_share = share;
            let gap = learnt.gap.map(|gap| gap * (1.0 / overhead));
            kernels.answering_gap = Sourced::new(gap, basis.clone());
        }
        Device::Processor => {
            calibration.processor.stream_share = share;
            let known = calibration.here.read.as_ref().map(|read| read.basis.clone());
            let known = known.unwrap_or_else(|| Basis::derived("bandwidth of the site"));
            calibration.here.read = Some(Sourced::new(Span::exact(site.bandwidth), known));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_units::{Bytes, Duration};

    fn decode(site: &str, gigabytes: u64, milliseconds: f64) -> Observation {
        Observation {
            site: site.into(),
            workload: "decode".into(),
            on: "2026-11-23".parse().unwrap(),
            evidence: Evidence::Decode(Decoded {
                read: Bytes::new(gigabytes * 1_000_000_000),
                gaps: 800,
                time: Duration::constant(milliseconds * 1e-3),
            }),
        }
    }

    fn site(device: Device) -> ObservedSite<'static> {
        let bandwidth = BytesPerSecond::constant(1e12);
        ObservedSite { name: "here", device, bandwidth, read: Span::exact(bandwidth) }
    }

    #[test]
    fn without_evidence_nothing_changes() {
        let before = Calibration::default();
        let elsewhere = [decode("lab", 8, 11.0)];
        let after = calibrate(&before, &site(Device::Accelerator), &elsewhere);
        assert_eq!(after.calibration, before);
        assert_eq!((after.decode, after.step, after.memory), (None, None, None));
    }

    #[test]
    fn two_runs_give_share_and_gap_of_an_accelerator() {
        // t = bytes / (0.8 x 1 TB/s) + 800 gaps of 2 us: 4 GB 6.6 ms, 8 GB 11.6 ms.
        let runs = [decode("here", 4, 6.6), decode("here", 8, 11.6)];
        let after = calibrate(&Calibration::default(), &site(Device::Accelerator), &runs);
        let kernels = &after.calibration.kernels;
        let overhead = kernels.answering_overhead.value;
        assert_eq!(overhead, Span::exact(1.1));
        assert!((kernels.bandwidth_share.value.likely() - 0.8 * 1.1).abs() < 1e-9);
        assert!((kernels.answering_gap.value.likely().as_seconds() - 2e-6 / 1.1).abs() < 1e-15);
        assert_eq!(kernels.bandwidth_share.basis.kind, Kind::Measured);
        assert_eq!(after.decode.unwrap().observations, 2);
        let reversed = [runs[1].clone(), runs[0].clone()];
        assert_eq!(
            calibrate(&Calibration::default(), &site(Device::Accelerator), &reversed),
            after
        );
    }

    #[test]
    fn a_processor_learns_its_share_of_the_read_rate() {
        // 2 GB in 4 ms is half of 1 TB/s.
        let after =
            calibrate(&Calibration::default(), &site(Device::Processor), &[decode("here", 2, 4.0)]);
        let share = after.calibration.processor.stream_share.value;
        assert!((share.likely() - 0.5 * 1.1).abs() < 1e-9, "{share:?}");
        assert_eq!(
            after.calibration.kernels.bandwidth_share,
            Calibration::default().kernels.bandwidth_share
        );
    }
}
