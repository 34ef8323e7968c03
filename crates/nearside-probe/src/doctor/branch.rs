//! The branch of the NVIDIA driver: how long it gets repairs, which devices it still drives, and
//! which one to install in its place.

use nearside_catalog::{Catalog, ComputeCapability, Repairs, Version};
use nearside_units::{Date, Known};

use super::check::{Check, Rule, Section};
use super::driver::DriverFacts;
use super::nvidia::{Nvidia, NvidiaDevice, capabilities};
use super::surroundings::System;
use super::{Facts, Reference};

pub(super) const BRANCH: Rule = Rule {
    id: "driver-branch",
    section: Section::Driver,
    says: "the driver's branch still gets repairs",
    source: "docs.nvidia.com/datacenter/tesla/drivers, supported drivers",
};
pub(super) const GENERATION: Rule = Rule {
    id: "card-generation",
    section: Section::Driver,
    says: "the loaded branch still drives the device's generation",
    source: "docs.nvidia.com/datacenter/tesla/drivers, CUDA toolkit, driver, and architecture matrix",
};

/// Whether the machine itself can be repaired from here, else why not.
pub(super) fn elsewhere(facts: &Facts) -> Option<&'static str> {
    match (&facts.surroundings.system, &facts.surroundings.container) {
        (_, Some(_)) => Some("in a container the machine outside loads the module"),
        (System::Wsl, None) => Some("in WSL the driver is that of Windows"),
        (System::MacOs(_), None) => Some("no such driver on macOS"),
        (System::Unknown, None) => Some("no running kernel is recorded"),
        (System::Linux, None) => None,
    }
}

/// A command for the machine whose kernel runs; where that cannot be repaired from here, a remark
/// that says so.
pub(super) fn there(facts: &Facts, command: &str) -> String {
    match elsewhere(facts) {
        None => command.to_owned(),
        Some(why) => format!("# {why}; there: {command}"),
    }
}

/// How to come to a maintained branch, from a number on, that drives every device here.
pub(super) fn upgrade(facts: &Facts, catalog: &Catalog, least: u32, today: Date) -> String {
    let devices = devices(facts, catalog);
    let found = devices.and_then(|devices| catalog.maintained_branch(least, &devices, today));
    match found {
        Known::Value(branch) => {
            let (number, ends) = (branch.number, branch.ends);
            there(
                facts,
                &format!("sudo apt install nvidia-driver-{number}  # R{number}, until {ends}"),
            )
        }
        Known::Unknown(why) => format!("# no newer driver can be named: {why}"),
    }
}

/// The compute capabilities of all devices.
fn devices(facts: &Facts, catalog: &Catalog) -> Known<Vec<ComputeCapability>> {
    facts.nvidia.as_ref().and_then(|nvidia| capabilities(nvidia, catalog))
}

pub(super) fn branch(facts: &Facts, driver: &DriverFacts, reference: &Reference<'_>) -> Check {
    let Reference { catalog, today, .. } = *reference;
    if facts.surroundings.system == System::Wsl {
        return BRANCH.not_applicable("in WSL the driver is that of Windows");
    }
    let Known::Value(loaded) = &driver.loaded else {
        return BRANCH.unknown("no driver is loaded");
    };
    let number = loaded.major();
    let check = match catalog.repairs(loaded, today) {
        Known::Unknown(why) => return BRANCH.unknown(&*why),
        Known::Value(Repairs::Maintained(branch)) => {
            return BRANCH.ok(format!("the branch R{number} gets repairs until {}", branch.ends));
        }
        Known::Value(Repairs::Ended(branch)) => BRANCH
            .warning(format!("the branch R{number} has got no repairs since {}", branch.ends))
            .seen(format!("says: {} ({})", branch.origin.source, branch.origin.as_of)),
        Known::Value(Repairs::Older { oldest }) => BRANCH.warning(format!(
            "R{number} is older than every branch that still gets repairs (R{})",
            oldest.number
        )),
    };
    check.seen(format!("/proc/driver/nvidia/version: {loaded}")).fix(upgrade(
        facts,
        catalog,
        number + 1,
        today,
    ))
}

pub(super) fn generations(
    facts: &Facts,
    driver: &DriverFacts,
    nvidia: &Nvidia,
    catalog: &Catalog,
) -> Vec<Check> {
    let of = |device: &NvidiaDevice| {
        generation(facts, &driver.loaded, device, catalog).about(device.label())
    };
    nvidia.devices.iter().map(of).collect()
}

fn generation(
    facts: &Facts,
    loaded: &Known<Version>,
    device: &NvidiaDevice,
    catalog: &Catalog,
) -> Check {
    let found = device.compute_capability(catalog).and_then(|it| catalog.generation(it));
    let generation = match found {
        Known::Value(generation) => generation,
        Known::Unknown(why) => return GENERATION.unknown(&*why),
    };
    let name = &generation.name;
    let Some(last) = generation.last_driver.as_ref().map(Version::major) else {
        return GENERATION.ok(format!("{name} is current"));
    };
    match loaded {
        Known::Value(loaded) if loaded.major() > last => {
            // One that drives the other devices here as well.
            let all = devices(facts, catalog).and_then(|devices| catalog.last_driver(&devices));
            let least = all.value().flatten().map_or(last, |(_, least)| least);
            GENERATION
                .fault(format!("R{} does not drive {name} any more", loaded.major()))
                .seen(format!("says: {}", generation.origin.source))
                .fix(there(facts, &format!("sudo apt install nvidia-driver-{least}")))
        }
        _ => GENERATION.ok(format!("R{last} is the last branch that drives {name}")),
    }
}
