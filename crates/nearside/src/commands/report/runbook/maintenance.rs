//! What has to be looked at, and when: drivers, disks, ceilings, prices, the ledger's copy.

use std::path::Path;

use nearside_catalog::{Catalog, ComputeCapability, Repairs, Site, Version};
use nearside_ledger::{Outcome, Recorded, RunRow};
use nearside_probe::wear::{DiskWear, ask_smartctl, disks};
use nearside_probe::{AcceleratorVendor, Detected, DetectedAccelerator};
use nearside_units::{Bytes, Date, Known, significant};

use super::World;
use super::faults::day;
use super::view::MaintenanceView;
use crate::commands::doctor::{Measured, by_name};
use crate::error::CommandError;
use crate::view::Figure;
use crate::wire;
use crate::wire::calibration::history;
use crate::wire::ceilings::fingerprint;

/// A disk that has used so much of its life should be replaced soon.
const WORN: f64 = 0.8;
/// Prices of so many days ago may be others now.
const OLD_PRICES: i64 = 90;

/// A branch that ends within so many days is to be left now.
const NEAR_END: i64 = 90;

/// Whether something has to be done.
enum Status {
    Fine,
    Due,
    Unknown,
}

pub(super) fn of(
    world: &World<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<MaintenanceView>, CommandError> {
    let detected = wire::machine::detected()?;
    let (machine, more) = wire::machine::of_detected(world.catalog, &detected);
    notes.extend(more);
    let mut all = drivers(world.catalog, &detected, world.today);
    all.extend(disks(Path::new("/"), ask_smartctl).iter().map(disk));
    let rows = history(&fingerprint(&machine))?;
    all.extend(ceilings(&by_name(&rows), world.today));
    all.extend(prices(world));
    all.push(ledger(world)?);
    Ok(all)
}

fn known(what: &str, state: String, status: Status, action: &str) -> MaintenanceView {
    let status = match status {
        Status::Fine => "fine",
        Status::Due => "due",
        Status::Unknown => "unknown",
    };
    MaintenanceView {
        what: what.to_owned(),
        state: Figure::Value(state),
        action: action.to_owned(),
        status: status.to_owned(),
    }
}

fn unknown(what: &str, why: &str, action: &str) -> MaintenanceView {
    MaintenanceView {
        what: what.to_owned(),
        state: Figure::Unknown { unknown: why.to_owned() },
        action: action.to_owned(),
        status: "unknown".to_owned(),
    }
}

/// Every NVIDIA driver that is in use, by its branch.
fn drivers(catalog: &Catalog, detected: &Detected, today: Date) -> Vec<MaintenanceView> {
    let nvidia = detected.accelerators.iter();
    let nvidia: Vec<_> = nvidia.filter(|found| found.vendor == AcceleratorVendor::Nvidia).collect();
    let mut versions: Vec<&Known<String>> =
        nvidia.iter().map(|found| &found.driver_version).collect();
    versions.dedup();
    let devices = capabilities(&nvidia);
    let view = |version: &Known<String>| match version {
        Known::Value(version) => branch(catalog, version, &devices, today),
        Known::Unknown(why) => unknown("driver", why, "`nvidia-smi`"),
    };
    versions.into_iter().map(view).collect()
}

/// The compute capabilities of devices; unknown when one is.
fn capabilities(devices: &[&DetectedAccelerator]) -> Known<Vec<ComputeCapability>> {
    let mut all = Vec::new();
    for device in devices {
        let found = device.compute_capability.as_ref().and_then(|found| {
            let found = found.to_string().parse::<ComputeCapability>();
            found.map_or_else(|error| Known::unknown(error.to_string()), Known::Value)
        });
        match found {
            Known::Value(found) => all.push(found),
            Known::Unknown(why) => return Known::Unknown(why),
        }
    }
    Known::Value(all)
}

/// The branch of a driver, and when it gets no repairs any more: as `doctor` judges it.
fn branch(
    catalog: &Catalog,
    driver: &str,
    devices: &Known<Vec<ComputeCapability>>,
    today: Date,
) -> MaintenanceView {
    let what = format!("driver {driver}");
    let version = driver.parse::<Version>();
    let version = version.map_or_else(|error| Known::unknown(error.to_string()), Known::Value);
    let found = version.and_then(|version| {
        let number = version.major();
        catalog.repairs(&version, today).map(|repairs| (number, repairs))
    });
    let (number, repairs) = match found {
        Known::Value(found) => found,
        Known::Unknown(why) => {
            return unknown(&what, &why, "look up how long its branch is maintained");
        }
    };
    let newer =
        devices.as_ref().and_then(|devices| catalog.maintained_branch(number + 1, devices, today));
    let install = match newer {
        Known::Value(newer) => format!("install R{}", newer.number),
        Known::Unknown(why) => format!("no newer one can be named: {why}"),
    };
    match repairs {
        Repairs::Ended(branch) => {
            let state = format!("branch R{number} has had no repairs since {}", branch.ends);
            known(&what, state, Status::Due, &install)
        }
        Repairs::Older { oldest } => {
            let state = format!(
                "branch R{number} is older than every one that is maintained (R{})",
                oldest.number
            );
            known(&what, state, Status::Due, &install)
        }
        Repairs::Maintained(branch) => {
            let (ends, left) = (branch.ends, today.days_until(branch.ends));
            let state = format!("branch R{number} is maintained until {ends} ({left} days)");
            let status = if left < NEAR_END { Status::Due } else { Status::Fine };
            known(&what, state, status, &format!("by then: {install}"))
        }
    }
}

fn disk(disk: &DiskWear) -> MaintenanceView {
    let model = disk.model.as_ref().value().map(|model| format!(" ({model})"));
    let what = format!("wear of disk {}{}", disk.name, model.unwrap_or_default());
    match &disk.used {
        Known::Value(used) => {
            let state = format!("{} % of its life used", significant(used * 100.0));
            match *used >= WORN {
                true => known(
                    &what,
                    state,
                    Status::Due,
                    "replace it, and check the copies of what is on it",
                ),
                false => known(&what, state, Status::Fine, "look again in half a year"),
            }
        }
        Known::Unknown(why) => {
            unknown(&what, why, &format!("`sudo smartctl -a /dev/{}`", disk.name))
        }
    }
}

/// Age and drift of what this machine reaches.
fn ceilings(measured: &[Measured<'_>], today: Date) -> Vec<MaintenanceView> {
    const WHAT: &str = "ceilings of this machine";
    const MEASURE: &str = "`nearside doctor --measure`, with other programs closed";
    if measured.is_empty() {
        return vec![unknown(WHAT, "they were never measured", MEASURE)];
    }
    let found: Vec<_> = measured.iter().map(|one| (one.title(), one.confidence(today))).collect();
    let oldest = found.iter().map(|(_, confidence)| confidence.age_days).max().unwrap_or(0);
    let stale = found.iter().any(|(_, confidence)| confidence.stale);
    let status = if stale { Status::Due } else { Status::Fine };
    let count = found.len();
    let mut all = vec![known(
        WHAT,
        format!("{count} measured, the oldest {oldest} days ago"),
        status,
        MEASURE,
    )];
    let slower = found.iter().filter(|(_, confidence)| confidence.drift.verdict == "slower");
    all.extend(slower.map(|(title, confidence)| {
        let causes: Vec<String> = confidence
            .drift
            .causes
            .iter()
            .map(|cause| format!("{}: {}", cause.what, cause.check))
            .collect();
        known(
            &format!("drift of {title}"),
            confidence.drift.line(),
            Status::Due,
            &causes.join("; "),
        )
    }));
    all
}

/// How old the prices are that the plan goes by.
fn prices(world: &World<'_>) -> Option<MaintenanceView> {
    let Known::Value((posed, plan)) = &world.plan else { return None };
    let used =
        |site: &&Site| !site.is_near() && plan.stages.iter().any(|stage| *stage.site == *site.name);
    let oldest = posed.sites.iter().filter(used).filter_map(priced_on);
    let oldest = oldest.max_by_key(|date| date.days_until(world.today))?;
    let days = oldest.days_until(world.today);
    let status = if days >= OLD_PRICES { Status::Due } else { Status::Fine };
    let state = format!("the oldest that the plan uses is of {oldest} ({days} days ago)");
    Some(known("prices", state, status, "`nearside catalog refresh --from FILE`"))
}

/// The day of a site's price.
fn priced_on(site: &Site) -> Option<Date> {
    match &site.economics {
        nearside_catalog::Economics::Rented { price, .. } => {
            price.as_ref().value().and_then(|price| price.basis.as_of)
        }
        nearside_catalog::Economics::Owned(_) => None,
    }
}

/// Whether nothing was started: what was computed before was taken.
const fn is_reused(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Cached | Outcome::Restored => true,
        Outcome::Ran | Outcome::Failed | Outcome::Interrupted => false,
    }
}

/// The ledger, of which nobody else has a copy.
fn ledger(world: &World<'_>) -> Result<MaintenanceView, CommandError> {
    let file = wire::journal::file(&wire::jobs::record(world.loaded, false)?);
    let what = "the ledger and its copy";
    let action = "copy .nearside/ledger.db while nothing runs; `nearside ledger verify` prints its head, to be noted elsewhere";
    Ok(match (world.runs.last(), wire::size_on_disk(&file)) {
        (Some(newest), size) => {
            let size = size.map_or_else(|| "of a size not known".to_owned(), Bytes::si);
            let ran = |run: &&Recorded<RunRow>| !is_reused(run.row.outcome);
            let (count, all) = (world.runs.iter().filter(ran).count(), world.runs.len());
            let executions = if count == 1 { "execution" } else { "executions" };
            let reused = match all - count {
                0 => String::new(),
                1 => " and 1 result that was there".to_owned(),
                reused => format!(" and {reused} results that were there"),
            };
            let state = format!(
                "{count} {executions}{reused}, the last of {}, {size}; a copy is not known of",
                day(newest.row.began)
            );
            known(what, state, Status::Unknown, action)
        }
        (None, _) => unknown(what, "nothing was recorded yet", "`nearside run`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_ended_is_due_and_one_that_nobody_lists_is_unknown() {
        let catalog = Catalog::builtin().unwrap();
        let on_device = |driver: &str, device: &str, today: &str| {
            let devices = Known::Value(vec![device.parse().unwrap()]);
            branch(&catalog, driver, &devices, today.parse().unwrap())
        };
        let on = |driver: &str, today: &str| on_device(driver, "8.9", today);
        let old = on("535.183.01", "2026-11-27");
        assert_eq!((&*old.status, &*old.what), ("due", "driver 535.183.01"));
        assert!(old.action.contains("R580"), "{old:?}");
        assert_eq!(on("580.95.05", "2026-11-27").status, "fine");
        assert_eq!(on("580.95.05", "2028-07-01").status, "due");
        assert_eq!(on("9999.1", "2026-11-27").status, "unknown");
        assert_eq!(on("soon", "2026-11-27").status, "unknown");
        assert_eq!(on("610.43.02", "2026-11-27").action, "install R620");
        let kepler = on_device("470.256.02", "3.7", "2026-11-27");
        assert_eq!(kepler.status, "due");
        assert!(kepler.action.contains("no maintained branch drives Kepler"), "{kepler:?}");
    }

    #[test]
    fn a_worn_disk_is_due() {
        let with = |used| {
            let (name, model) = ("nvme0n1".to_owned(), Known::unknown("-"));
            disk(&DiskWear { name, model, used }).status
        };
        assert_eq!(with(Known::Value(0.07)), "fine");
        assert_eq!(with(Known::Value(0.9)), "due");
        assert_eq!(with(Known::unknown("asks for root")), "unknown");
    }
}
