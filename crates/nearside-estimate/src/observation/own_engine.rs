//! What runs of this program's own engine teach: for each type of weights how tokens read and how long prompts take over
//! their estimates, and for all together what the process takes besides what is counted.

use std::collections::{BTreeMap, BTreeSet};

use nearside_architecture::Dtype;
use nearside_units::Sourced;

use super::held_out::HeldOut;
use super::memory::MemoryModel;
use super::step::StepModel;
use super::{Evidence, Observation, ObservedSite, basis, newest};
use crate::calibration::Calibration;
use crate::engine::nearside::Format;
use crate::working_site::own_engine::own_decode;

/// The types of weights that were observed.
fn types(observations: &[&Observation]) -> BTreeSet<Dtype> {
    let of = |one: &&Observation| match one.evidence {
        Evidence::Token(dtype, _) | Evidence::Prompt(dtype, _) => Some(dtype),
        _ => None,
    };
    observations.iter().filter_map(of).collect()
}

/// How tokens read.
pub(super) fn learn_tokens(
    calibration: &mut Calibration,
    site: &ObservedSite<'_>,
    observations: &[&Observation],
) -> BTreeMap<Dtype, HeldOut> {
    let mut held_out = BTreeMap::new();
    for dtype in types(observations) {
        let found = newest(observations, |evidence| match evidence {
            Evidence::Token(of, decoded) if *of == dtype => Some(*decoded),
            _ => None,
        });
        let Some((decoded, on)) = found else { continue };
        let own = &mut calibration.own_engine;
        let prior = own_decode(own, Format::of(dtype), site.read);
        let learnt = Sourced::new(prior.after(&decoded), basis(site, decoded.len(), on));
        own.observed.entry(dtype).or_default().decode = Some(learnt);
        held_out.extend(prior.held_out(&decoded).map(|held_out| (dtype, held_out)));
    }
    held_out
}

/// How long prompts take over their estimates.
pub(super) fn learn_prompts(
    calibration: &mut Calibration,
    site: &ObservedSite<'_>,
    observations: &[&Observation],
) -> BTreeMap<Dtype, HeldOut> {
    let mut held_out = BTreeMap::new();
    for dtype in types(observations) {
        let found = newest(observations, |evidence| match evidence {
            Evidence::Prompt(of, stepped) if *of == dtype => Some(*stepped),
            _ => None,
        });
        let Some((prompts, on)) = found else { continue };
        let learnt = StepModel::after(&prompts);
        let learnt = learnt.map(|model| Sourced::new(model.factor, basis(site, prompts.len(), on)));
        calibration.own_engine.observed.entry(dtype).or_default().prompt = learnt;
        held_out.extend(StepModel::held_out(&prompts).map(|held_out| (dtype, held_out)));
    }
    held_out
}

/// What the process takes besides what is counted.
pub(super) fn learn_memory(
    calibration: &mut Calibration,
    site: &ObservedSite<'_>,
    observations: &[&Observation],
) -> Option<HeldOut> {
    let (held, on) = newest(observations, |evidence| match evidence {
        Evidence::Process(reserved) => Some(*reserved),
        _ => None,
    })?;
    let own = &mut calibration.own_engine;
    let prior = MemoryModel { context: own.program.value };
    own.program = Sourced::new(prior.after(&held).context, basis(site, held.len(), on));
    prior.held_out(&held)
}

#[cfg(test)]
mod tests {
    use nearside_units::{Bytes, BytesPerSecond, Duration, Span};

    use super::*;
    use crate::estimate::Device;
    use crate::observation::calibrate;
    use crate::observation::decode::Decoded;
    use crate::observation::memory::Reserved;
    use crate::observation::step::Stepped;

    fn site() -> ObservedSite<'static> {
        let rate = |giga: f64| BytesPerSecond::constant(giga * 1e9);
        let read = Span::new(rate(15.0), rate(20.0), rate(22.0)).unwrap();
        ObservedSite { name: "here", device: Device::Processor, bandwidth: read.likely(), read }
    }

    fn seen(evidence: Evidence) -> Observation {
        let on = "2026-11-23".parse().unwrap();
        Observation { site: "here".into(), workload: "tiny".into(), on, evidence }
    }

    fn token(dtype: Dtype, megabytes: u64, milliseconds: f64) -> Observation {
        let (read, time) =
            (Bytes::new(megabytes * 1_000_000), Duration::constant(milliseconds * 1e-3));
        seen(Evidence::Token(dtype, Decoded { read, gaps: 16, time }))
    }

    #[test]
    fn tokens_of_a_type_of_weights_teach_that_type_alone() {
        // 1 GB in 60 ms and 2 GB in 120 ms: five sixths of 20 GB/s.
        let runs = [token(Dtype::Q4K, 1000, 60.0), token(Dtype::Q4K, 2000, 120.0)];
        let after = calibrate(&Calibration::default(), &site(), &runs);
        let observed = &after.calibration.own_engine.observed;
        assert_eq!(observed.keys().collect::<Vec<_>>(), [&Dtype::Q4K]);
        let learnt = observed[&Dtype::Q4K].decode.as_ref().unwrap();
        let efficiency = learnt.value.efficiency;
        assert!((efficiency.likely() - 5.0 / 6.0).abs() < 0.02, "{efficiency:?}");
        let prior = own_decode(&Calibration::default().own_engine, Format::Blocks, site().read);
        let width = |span: Span<f64>| span.high() / span.low();
        assert!(width(efficiency) < width(prior.efficiency), "{efficiency:?}");
        assert_eq!(after.tokens[&Dtype::Q4K].observations, 2);
        // Nothing else has changed.
        assert_eq!(after.calibration.memory, Calibration::default().memory);
        assert_eq!(after.calibration.own_engine.program, Calibration::default().own_engine.program);
    }

    #[test]
    fn prompts_teach_a_factor_and_memory_an_offset() {
        let seconds = |low: f64, likely: f64, high: f64| {
            Span::new(low, likely, high).unwrap().map(Duration::constant)
        };
        let prompt =
            Stepped { estimate: seconds(1.0, 2.0, 4.0), measured: Duration::constant(3.0) };
        let estimate = Span::new(900, 1000, 1200).unwrap().map(Bytes::mib);
        let held = Reserved { estimate, measured: Bytes::mib(1030) };
        let runs = [seen(Evidence::Prompt(Dtype::Q8_0, prompt)), seen(Evidence::Process(held))];
        let own = calibrate(&Calibration::default(), &site(), &runs).calibration.own_engine;
        let factor = own.observed[&Dtype::Q8_0].prompt.as_ref().unwrap().value;
        assert!((factor.likely() - 1.5).abs() < 1e-9, "{factor:?}");
        let before = Calibration::default().own_engine.program.value.likely();
        assert_eq!(own.program.value.likely(), before + Bytes::mib(30));
    }
}
