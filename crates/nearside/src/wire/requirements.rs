//! From projects, or from a kind of model, to the question of the smallest machine.

mod class;
mod project;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use nearside_catalog::{Accelerators, Catalog, Condition, Site};
use nearside_economics::requirements::{Compute, Needs, Question, Seller, Shelf, Work, needs};
use nearside_estimate::{Accepted, Calibration, Rung, ladder};
use nearside_units::{Bytes, BytesPerSecond, Duration, ExchangeRates};
use rayon::prelude::*;

pub(crate) use class::{Kind, kinds, of_kind};
pub(crate) use project::of_projects;

use crate::cli::Vendor;

/// Disk space for the system, environments and their caches.
const SYSTEM_DISK: Bytes = Bytes::new(100_000_000_000);
/// In which time all that is kept has to come in.
const COPIED_IN: Duration = Duration::constant(8.0 * 3600.0);

/// What machines are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// What it is for, for people.
    pub(crate) name: String,
    pub(crate) question: Question,
    pub(crate) rates: ExchangeRates,
    pub(crate) notes: Vec<String>,
    /// The work that is assumed, in words, where no project states it.
    pub(crate) assumed: Option<String>,
    /// How many people it is for.
    pub(crate) people: u64,
}

/// What holds for every question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) accepted: Accepted,
    pub(crate) team: Option<u64>,
    pub(crate) hours: Duration,
}

/// A question about work and what has to be kept.
fn question(
    works: Vec<Work>,
    kept: Bytes,
    deadline: Option<Duration>,
    hours: Duration,
) -> Question {
    let disk = kept.checked_add(SYSTEM_DISK).unwrap_or(kept);
    let rate = BytesPerSecond::from_bytes_per_second(disk.get() as f64 / COPIED_IN.as_seconds());
    let slowest = BytesPerSecond::constant(1.0);
    Question { works, disk, network: rate.unwrap_or(slowest), deadline, hours }
}

/// What there is to buy of a vendor, in these conditions.
pub(crate) fn shelf(
    catalog: &Catalog,
    vendor: Vendor,
    conditions: &[Condition],
    rates: &ExchangeRates,
) -> Shelf {
    let maker = match vendor {
        Vendor::Nvidia => Some("NVIDIA"),
        Vendor::Amd => Some("AMD"),
        Vendor::Intel => Some("Intel"),
        Vendor::Apple => Some("Apple"),
        Vendor::Any => None,
    };
    let mut shelf = Shelf::of(catalog, conditions, rates);
    shelf.retain(|accelerators, _| {
        let made_by = accelerators.map(|it| it.device.vendor.as_deref());
        maker.is_none() || made_by.is_none_or(|made_by| made_by == maker)
    });
    shelf
}

/// What all work needs, remembered for each kind and number of accelerators that was asked about.
pub(crate) struct Needed {
    works: Vec<Work>,
    site: Site,
    cores: Vec<u32>,
    by_accelerators: BTreeMap<Key, Vec<Needs>>,
}

/// A device's name and how many.
type Key = Option<(Arc<str>, u32)>;

fn key(accelerators: Option<&Accelerators>) -> Key {
    accelerators.map(|it| (Arc::clone(&it.device.name), it.count))
}

impl Needed {
    /// Nothing asked yet; for machines with so many processor cores, where `site` stands.
    pub(crate) fn of(question: &Question, cores: Vec<u32>, site: Site) -> Self {
        Self { works: question.works.clone(), site, cores, by_accelerators: BTreeMap::new() }
    }

    /// The same sellers with what all work needs of what they sell.
    pub(crate) fn computes<'a>(
        &mut self,
        sellers: impl Iterator<Item = &'a (Option<Accelerators>, Seller)> + Clone,
    ) -> Vec<Compute> {
        let mut asked: Vec<Option<Accelerators>> = Vec::new();
        for (accelerators, _) in sellers.clone() {
            if let Entry::Vacant(new) = self.by_accelerators.entry(key(accelerators.as_ref())) {
                new.insert(Vec::new());
                asked.push(accelerators.clone());
            }
        }
        let calibration = Calibration::default();
        let of_work = |work: &Work| needs(work, &asked, &self.cores, &self.site, &calibration);
        let by_work: Vec<Vec<Needs>> = self.works.par_iter().map(of_work).collect();
        for needs in by_work {
            for (accelerators, needs) in asked.iter().zip(needs) {
                let known = self.by_accelerators.entry(key(accelerators.as_ref())).or_default();
                known.push(needs);
            }
        }
        let compute = |(accelerators, seller): &(Option<Accelerators>, Seller)| Compute {
            accelerators: accelerators.clone(),
            seller: seller.clone(),
            needs: self
                .by_accelerators
                .get(&key(accelerators.as_ref()))
                .cloned()
                .unwrap_or_default(),
        };
        sellers.map(compute).collect()
    }

    /// The least memory of each accelerator that all work can be done with, at the high end, by those ways
    /// that are allowed.
    pub(crate) fn least_accelerator_memory(
        &self,
        accelerators: Option<&Accelerators>,
        allowed: &[Vec<bool>],
    ) -> Option<Bytes> {
        let needs = self.by_accelerators.get(&key(accelerators))?;
        let least = |(needs, allowed): (&Needs, &Vec<bool>)| {
            let ways = needs.as_ref().ok()?.iter().filter(|need| allowed[need.rung]);
            ways.map(|need| need.accelerator).filter(|bytes| *bytes > Bytes::ZERO).min()
        };
        needs.iter().zip(allowed).filter_map(least).max()
    }
}

/// Which ways of every piece of work are among those that are accepted.
pub(crate) fn allowed(works: &[Work], accepted: Accepted) -> Vec<Vec<bool>> {
    let of_work = |work: &Work| {
        let written = work.rungs.first().map(|rung| &rung.workload);
        let ladder = written.map(|workload| ladder(workload, accepted)).unwrap_or_default();
        let known = |rung: &Rung| ladder.iter().any(|it| it.workload == rung.workload);
        work.rungs.iter().map(known).collect()
    };
    works.iter().map(of_work).collect()
}

/// Only with the ways of every piece of work that are allowed.
pub(crate) fn only(computes: &[Compute], allowed: &[Vec<bool>]) -> Vec<Compute> {
    let kept = |(needs, allowed): (&Needs, &Vec<bool>)| -> Needs {
        let ways = needs.as_ref().map_err(Arc::clone)?.iter();
        let ways: Vec<_> = ways.filter(|need| allowed[need.rung]).copied().collect();
        if ways.is_empty() { Err("no way that is accepted fits".into()) } else { Ok(ways) }
    };
    let compute = |compute: &Compute| Compute {
        needs: compute.needs.iter().zip(allowed).map(kept).collect(),
        ..compute.clone()
    };
    computes.iter().map(compute).collect()
}
