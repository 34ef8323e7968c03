//! Machines of a runbook: the project's own, and those that its plan rents.

use nearside_catalog::{Machine, Site};
use nearside_units::Known;

use super::World;
use super::view::MachineView;

pub(super) fn of(world: &World<'_>) -> Vec<MachineView> {
    let Known::Value((posed, plan)) = &world.plan else { return Vec::new() };
    let stages = |site: &Site| -> Vec<String> {
        let there = plan.stages.iter().filter(|stage| *stage.site == *site.name);
        there.map(|stage| stage.stage.clone()).collect()
    };
    let own = |site: &Site| world.loaded.project.sites.own(&site.name).is_some();
    let view = |site: &Site| {
        let (stages, own) = (stages(site), own(site));
        if stages.is_empty() && !own {
            return None;
        }
        let whose = match (posed.this_machine.contains(&site.name), own) {
            (true, _) => "here",
            (false, true) => "own",
            (false, false) => "rented",
        };
        Some(MachineView {
            name: site.name.to_string(),
            whose: whose.to_owned(),
            what: what(&site.machine),
            country: site.place.country.as_ref().value().map(ToString::to_string),
            holds_up_to: site.clearance.0.to_string(),
            stages,
        })
    };
    posed.sites.iter().filter_map(view).collect()
}

/// What a machine is made of, as far as that is known.
fn what(machine: &Machine) -> String {
    let accelerators = machine.accelerators.as_ref();
    let accelerators = accelerators.map(|it| format!("{} x {}", it.count, it.device.title));
    let processor = machine.processor.as_ref().value().map(ToString::to_string);
    let threads = machine.threads.as_ref().value().map(|it| format!("{} threads", it.value));
    let memory = machine.memory.as_ref().value().map(|it| format!("{} memory", it.value));
    let known: Vec<String> =
        [accelerators, processor, threads, memory].into_iter().flatten().collect();
    if known.is_empty() { "not known".to_owned() } else { known.join(", ") }
}
