//! Changes of where the work is done, which depend on the site: layers left to the processor, and
//! more devices of the same kind. Each is sized to the least that fits.

use nearside_catalog::{Accelerators, DeviceKind, Site};
use nearside_workload::{Choice, Parallelism, Workload};

use super::{Advice, CHANGES, Change, Part, answers, likely};
use crate::calibration::Calibration;
use crate::estimate::{Device, Estimate, Fit, Verdict, estimate, fit, verdict_and_time};
use crate::lowered::Lowerings;

/// Numbers of devices that machines have.
const DEVICES: [u32; 3] = [2, 4, 8];

/// A change, its place in the order of prices aside.
pub(super) struct Found {
    pub(super) steps: Vec<Advice>,
    pub(super) loss: u32,
    pub(super) workload: Workload,
    pub(super) estimate: Estimate,
    /// How many devices it takes, where more than there are.
    pub(super) devices: Option<u32>,
}

/// The fewest layers in main memory with which a model that answers fits its accelerator: with the
/// best weights with which they fit main memory as well, and with those that are much faster.
pub(super) fn layers_in_main_memory(
    workload: &Workload,
    site: &Site,
    calibration: &Calibration,
) -> Vec<Found> {
    let kind = site.machine.accelerators.as_ref().map(|found| found.device.kind);
    let apart = kind.is_some_and(|kind| kind != DeviceKind::Soc);
    let plain = workload.recipe.parallelism == Parallelism::default();
    let (true, Some(layers)) = (answers(&workload.task) && apart && plain, layers(workload)) else {
        return Vec::new();
    };
    let smaller = CHANGES.iter().filter(|change| change.part == Part::Weights);
    let ways = std::iter::once(None).chain(smaller.map(Some));
    let mut all: Vec<Found> = Vec::new();
    for found in ways.filter_map(|way| with_weights(workload, way, layers, site, calibration)) {
        let before = all.last().map(|milder| likely(&milder.estimate));
        let news = match before {
            None => true,
            Some(before) => before.zip(likely(&found.estimate)).is_some_and(faster),
        };
        if news {
            all.push(found);
        }
    }
    all
}

/// Whether a way that loses more is worth telling.
fn faster((before, after): (f64, f64)) -> bool {
    after * 2.0 <= before
}

/// The fewest layers in main memory with which smaller weights, or those asked for, fit.
fn with_weights(
    workload: &Workload,
    way: Option<&Change>,
    layers: u64,
    site: &Site,
    calibration: &Calibration,
) -> Option<Found> {
    let with = way.map_or_else(|| Some(workload.clone()), |way| (way.apply)(workload))?;
    let fewest = fewest(layers, |count| {
        let fit = fit(&with_host_layers(&with, count), site, calibration);
        fit.device == Device::Accelerator && has_room(&fit)
    })?;
    let workload = with_host_layers(&with, fewest);
    let estimate = estimate(&workload, site, calibration);
    // Main memory may be too small for them, or nobody said how much there is.
    let may = matches!(estimate.fit.verdict, Verdict::Fits | Verdict::Unknown);
    let step = Advice {
        name: format!("{fewest} of {layers} layers in main memory").into(),
        price: "left to the processor".into(),
    };
    may.then(|| Found {
        steps: way.map(Change::advice).into_iter().chain([step]).collect(),
        loss: way.map_or(0, |way| way.loss),
        workload,
        estimate,
        devices: None,
    })
}

/// The fewest devices of the same kind, shared as mildly as fits, that hold the work.
pub(super) fn more_devices(
    workload: &Workload,
    site: &Site,
    calibration: &Calibration,
) -> Option<Found> {
    let had = site.machine.accelerators.as_ref()?;
    let mut lowerings = Lowerings::default();
    DEVICES.into_iter().filter(|count| *count > had.count).find_map(|count| {
        let mut larger = site.clone();
        larger.machine.accelerators = Some(Accelerators { count, ..had.clone() });
        let (estimate, workload) = verdict_and_time(workload, &larger, calibration, &mut lowerings);
        let device = &had.device.title;
        let more = match count - had.count {
            1 => format!("one more {device}"),
            more => format!("{more} more {device}"),
        };
        let devices = Advice { name: format!("{count} devices").into(), price: more.into() };
        let shared = workload
            .recipe
            .parallelism
            .words()
            .map(|way| Advice { name: way.into(), price: "exchange between them".into() });
        (estimate.fit.verdict == Verdict::Fits).then(|| Found {
            steps: [Some(devices), shared].into_iter().flatten().collect(),
            loss: 0,
            workload,
            estimate,
            devices: Some(count),
        })
    })
}

/// Layers of a decoder: of other models none are left to the processor.
fn layers(workload: &Workload) -> Option<u64> {
    use nearside_architecture::Architecture::Decoder;
    match workload.model.as_ref()?.architecture.as_ref() {
        Decoder(decoder) => Some(decoder.layers.len() as u64),
        _ => None,
    }
}

fn with_host_layers(workload: &Workload, host_layers: u64) -> Workload {
    let mut changed = workload.clone();
    changed.recipe.parallelism =
        Parallelism { choice: Choice::Stated, host_layers, ..Parallelism::default() };
    changed
}

/// Whether it surely fits the device, whatever main memory says.
fn has_room(fit: &Fit) -> bool {
    let available = fit.available.as_ref().value().map(|available| available.low());
    fit.needed.zip(available).is_some_and(|(needed, available)| needed.high() <= available)
}

/// The least number from one to `most` that is enough; more is always enough as well.
fn fewest(most: u64, enough: impl Fn(u64) -> bool) -> Option<u64> {
    if most == 0 || !enough(most) {
        return None;
    }
    let (mut too_few, mut plenty) = (0, most);
    while plenty - too_few > 1 {
        let middle = too_few.midpoint(plenty);
        match enough(middle) {
            true => plenty = middle,
            false => too_few = middle,
        }
    }
    Some(plenty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_that_are_enough_are_found() {
        for most in 1..20 {
            for needed in 1..=most {
                assert_eq!(fewest(most, |count| count >= needed), Some(needed));
            }
            assert_eq!(fewest(most, |_| false), None);
        }
        assert_eq!(fewest(0, |_| true), None);
    }
}
