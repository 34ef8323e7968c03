//! What a piece of work needs of a machine: the estimator's answer for every way of doing it.

use std::sync::Arc;

use nearside_catalog::{Accelerators, Site};
use nearside_estimate::choice::Ways;
use nearside_estimate::{Calibration, Device, Estimate, Rung, Verdict};
use nearside_units::{Basis, Bytes, Duration, Known, Sourced};
use nearside_workload::Workload;

/// More main memory than any machine has: what is needed of it is asked for, not limited.
const ENOUGH_MEMORY: Bytes = Bytes::gib(1 << 20);

/// A piece of work, with every way of doing it that is accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The stage that it belongs to.
    pub stage: Arc<str>,
    /// The ways, the mildest first.
    pub rungs: Vec<Rung>,
    /// How often it is run in a month, by everybody together; once for a service.
    pub monthly: f64,
    /// How long it is up in a month, however fast the machine; zero for work that ends.
    pub up: Duration,
    /// How often it is run in one pass of the pipeline: the number of equal trials.
    pub pass: f64,
    /// How long the work of one run may take.
    pub slowest: Option<Duration>,
}

/// What one way of doing a piece of work needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Need {
    /// Which way of [`Work::rungs`].
    pub rung: usize,
    /// Where it is done.
    pub place: Device,
    /// Memory of each accelerator, at the high end; zero on processors.
    pub accelerator: Bytes,
    /// What programs can surely have of it.
    pub available: Bytes,
    /// Main memory.
    pub memory: Bytes,
    /// Processor cores.
    pub cores: u32,
    /// Likely time of the work of one run.
    pub work: Duration,
    /// Likely time of one run with all that it waits for; of a service, of starting it.
    pub run: Duration,
}

/// The ways that are possible with some accelerators; or why there are none.
pub type Needs = Result<Vec<Need>, Arc<str>>;

/// What every way of a piece of work needs with these accelerators, of machines with so many
/// processor `cores` (the fewest first), which stand where `site` does. A core is taken to be one thread.
pub fn needs(
    work: &Work,
    accelerators: &[Option<Accelerators>],
    cores: &[u32],
    site: &Site,
    calibration: &Calibration,
) -> Vec<Needs> {
    let workloads: Vec<Workload> = work.rungs.iter().map(|rung| rung.workload.clone()).collect();
    let mut ways = Ways::of(&workloads);
    let with = |accelerators: &Option<Accelerators>| {
        let mut found = Vec::new();
        let mut why: Arc<str> = "there is no way of doing it".into();
        for cores in cores {
            let site = machine(site, accelerators.as_ref(), *cores);
            let estimates = ways.each(&site, calibration);
            let on_processors =
                estimates.iter().any(|estimate| estimate.fit.device == Device::Processor);
            for (rung, estimate) in estimates.iter().enumerate() {
                match need(rung, *cores, estimate) {
                    Ok(need) => found.push(need),
                    Err(refused) => why = refused,
                }
            }
            // What accelerators do takes as long beside any processor.
            if !on_processors {
                break;
            }
        }
        match found.is_empty() {
            true => Err(why),
            false => Ok(found),
        }
    };
    accelerators.iter().map(with).collect()
}

/// A machine where `site` stands, with as much main memory as anything needs.
fn machine(site: &Site, accelerators: Option<&Accelerators>, cores: u32) -> Site {
    let mut site = site.clone();
    let asked = || Basis::assumed("what is asked for");
    site.machine.accelerators = accelerators.cloned();
    site.machine.threads = Known::Value(Sourced::new(cores, asked()));
    site.machine.memory = Known::Value(Sourced::new(ENOUGH_MEMORY, asked()));
    site
}

fn need(rung: usize, cores: u32, estimate: &Estimate) -> Result<Need, Arc<str>> {
    let fit = &estimate.fit;
    let Some(needed) = fit.needed.filter(|_| fit.verdict == Verdict::Fits) else {
        return Err(Arc::clone(&fit.why));
    };
    let (work, run) = match estimate.work.clone().zip(estimate.pass()) {
        Known::Value((work, run)) => (work.likely(), run.likely()),
        Known::Unknown(why) => return Err(why),
    };
    let need = |accelerator, available, memory| Need {
        rung,
        place: fit.device,
        accelerator,
        available,
        memory,
        cores: if fit.device == Device::Processor { cores } else { 0 },
        work,
        run,
    };
    match (fit.device, &fit.available) {
        (Device::Processor, _) => Ok(need(Bytes::ZERO, Bytes::ZERO, needed.high())),
        (Device::Accelerator, Known::Value(available)) => {
            Ok(need(needed.high(), available.low(), fit.host))
        }
        (Device::Accelerator, Known::Unknown(why)) => Err(Arc::clone(why)),
    }
}
