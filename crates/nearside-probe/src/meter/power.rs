//! Power and energy by the machine's own sensors: RAPL, hardware monitors, batteries.
//!
//! What counts energy is better than what shows power, and a reading of the whole machine holds
//! more than the sum of its parts. Counters wrap: an Intel package at 200 W does so every 22
//! minutes, so they are read far more often than that.
//! Sources: Linux `Documentation/power/powercap/powercap.rst`,
//! `Documentation/hwmon/sysfs-interface.rst` (power in microwatts, energy in microjoules),
//! `Documentation/ABI/testing/sysfs-class-power`.

use std::fmt;
use std::io;
use std::sync::Arc;

use nearside_units::Known;

use super::parse;
use super::read::{Files, Refusal, Slot, Unread};
use crate::root::Root;

const POWERCAP: &str = "sys/class/powercap";
const MONITORS: &str = "sys/class/hwmon";
const SUPPLIES: &str = "sys/class/power_supply";
/// Two package domains whose counters differ by less than this at one time are one: some machines
/// show a package once per die. In microjoules.
const SAME_COUNTER: u64 = 100_000;

/// A part of the machine that draws power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The processors, all sockets.
    Processor,
    /// Main memory.
    Memory,
    /// An accelerator.
    Accelerator,
    /// Board, disks, fans and losses: what the other parts leave of the whole.
    Rest,
    /// The whole machine.
    Machine,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Processor => "processor",
            Self::Memory => "memory",
            Self::Accelerator => "accelerator",
            Self::Rest => "rest",
            Self::Machine => "machine",
        })
    }
}

/// How power is known, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// A counter of energy.
    Measured,
    /// Power that a sensor showed, times the time between readings.
    Sampled,
    /// A model over the load, with the caller's parameters.
    Modelled,
}

impl Method {
    /// Standard deviation of the logarithm of an energy that is known this way.
    ///
    /// Assumed: 5 % for counters, 10 % for power sampled about once a second, 30 % for models over
    /// utilisation.
    #[must_use]
    pub const fn sigma(self) -> f64 {
        match self {
            Self::Measured => 0.05,
            Self::Sampled => 0.10,
            Self::Modelled => 0.30,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Measured => "measured",
            Self::Sampled => "sampled",
            Self::Modelled => "modelled",
        })
    }
}

/// A sensor of one part.
#[derive(Debug)]
pub(crate) struct Sensor {
    pub(crate) name: Arc<str>,
    pub(crate) part: Part,
    kind: Kind,
    slot: Slot,
    file: String,
}

#[derive(Debug)]
enum Kind {
    /// Microjoules up to a range, then from zero again.
    Energy { before: u64, range: u64 },
    /// Microwatts.
    Power { before: Option<f64> },
    /// A battery's power while it discharges; the folder.
    Battery { before: Option<f64> },
}

/// What a sensor told of a step of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    /// So many joules were used.
    Joules(f64),
    /// It had nothing to say.
    Nothing,
}

impl Sensor {
    pub(crate) const fn method(&self) -> Method {
        match self.kind {
            Kind::Energy { .. } => Method::Measured,
            Kind::Power { .. } | Kind::Battery { .. } => Method::Sampled,
        }
    }

    fn energy(
        name: &str,
        part: Part,
        file: String,
        range: u64,
        files: &mut Files,
    ) -> Result<Self, Unread> {
        let mut slot = Slot::default();
        let before = parse::number(files.read(&mut slot, &file)?).ok_or(Unread::TEXT)?;
        Ok(Self { name: name.into(), part, kind: Kind::Energy { before, range }, slot, file })
    }

    /// What was used since the last step, of a length in seconds.
    pub(crate) fn step(&mut self, seconds: f64, files: &mut Files) -> Told {
        let told = match &mut self.kind {
            Kind::Energy { before, range } => {
                let now = files.read(&mut self.slot, &self.file).ok().and_then(parse::number);
                let used = now.and_then(|now| since(std::mem::replace(before, now), now, *range));
                used.map(|microjoules| microjoules as f64 / 1e6)
            }
            Kind::Power { before } => {
                let now = files.read(&mut self.slot, &self.file).ok().and_then(parse::number);
                let now = now.map(|microwatts| microwatts as f64 / 1e6);
                mean(before, now).map(|watts| watts * seconds)
            }
            Kind::Battery { before } => {
                let now = discharging(&self.file, files);
                mean(before, now).map(|watts| watts * seconds)
            }
        };
        told.map_or(Told::Nothing, Told::Joules)
    }
}

/// The mean of the last two readings; the first reading has no time before it.
fn mean(before: &mut Option<f64>, now: Option<f64>) -> Option<f64> {
    let then = std::mem::replace(before, now);
    Some((then? + now?) / 2.0)
}

/// What a counter rose by that begins again at zero after its range; none when it is beyond it.
pub(crate) fn since(before: u64, now: u64, range: u64) -> Option<u64> {
    match now.checked_sub(before) {
        Some(risen) => Some(risen),
        None => range.checked_sub(before)?.checked_add(now),
    }
}

/// Watts that a battery gives; none while it does not discharge.
fn discharging(folder: &str, files: &mut Files) -> Option<f64> {
    let status = files.once(format_args!("{folder}/status")).ok()?;
    if !status.starts_with(b"Discharging") {
        return None;
    }
    let mut value =
        |file| Some(parse::number(files.once(format_args!("{folder}/{file}")).ok()?)? as f64);
    match value("power_now") {
        Some(microwatts) => Some(microwatts / 1e6),
        None => Some(value("current_now")? * value("voltage_now")? / 1e12),
    }
}

/// Every sensor below the root, and why what is missing is missing.
pub(crate) fn sensors(files: &mut Files) -> (Vec<Sensor>, Vec<(Part, Arc<str>)>) {
    let (mut sensors, mut missing) = rapl(files);
    let monitored = monitors(files);
    // Two sensors of one part would count it twice: the counter is the better one.
    for sensor in monitored.into_iter().chain(batteries(files)) {
        let taken = sensors
            .iter()
            .any(|known: &Sensor| known.part == sensor.part && sensor.part != Part::Accelerator);
        if !taken {
            sensors.push(sensor);
        }
    }
    missing.retain(|(part, _)| sensors.iter().all(|sensor| sensor.part != *part));
    (sensors, missing)
}

/// Domains of Intel's and AMD's running average power limit.
fn rapl(files: &mut Files) -> (Vec<Sensor>, Vec<(Part, Arc<str>)>) {
    let folders = names(files, POWERCAP);
    let mut found: Vec<(Sensor, u64)> = Vec::new();
    let mut missing = Vec::new();
    for folder in folders.iter().filter(|name| name.starts_with("intel-rapl:")) {
        let folder = format!("{POWERCAP}/{folder}");
        let root = Root(files.root());
        let Known::Value(name) = root.value::<String>(&format!("{folder}/name")) else { continue };
        let part = match name.as_str() {
            "psys" => Part::Machine,
            "dram" => Part::Memory,
            name if name.starts_with("package") => Part::Processor,
            // Cores and graphics are inside of their package.
            _ => continue,
        };
        let range =
            root.value(&format!("{folder}/max_energy_range_uj")).value().unwrap_or(u64::MAX);
        match Sensor::energy(&name, part, format!("{folder}/energy_uj"), range, files) {
            Ok(sensor) => {
                let Kind::Energy { before, .. } = sensor.kind else { continue };
                let twice = found.iter().any(|(known, at)| {
                    known.part == part
                        && (known.name == sensor.name && part == Part::Processor
                            || at.abs_diff(before) < SAME_COUNTER)
                });
                if !twice {
                    found.push((sensor, before));
                }
            }
            Err(unread) => missing.push((part, refused(&folder, &unread))),
        }
    }
    if folders.is_empty() {
        let why = format!("/{POWERCAP}: no energy counters (virtual machines rarely have any)");
        missing.extend([Part::Processor, Part::Memory].map(|part| (part, Arc::from(why.as_str()))));
    }
    (found.into_iter().map(|(sensor, _)| sensor).collect(), missing)
}

fn refused(folder: &str, unread: &Unread) -> Arc<str> {
    let remedy = match unread {
        Unread::Refused(Refusal::System(io::ErrorKind::PermissionDenied)) => {
            " (since CVE-2020-8694 only root may read it)"
        }
        _ => "",
    };
    format!("/{folder}/energy_uj: {unread}{remedy}").into()
}

/// Chips that monitor power: the chip's name, the part, the file.
const CHIPS: &[(&str, Part, &str)] = &[
    ("power_meter", Part::Machine, "power1_average"),
    ("corsairpsu", Part::Machine, "power1_input"),
    ("amdgpu", Part::Accelerator, "power1_average"),
    ("amdgpu", Part::Accelerator, "power1_input"),
    ("i915", Part::Accelerator, "energy1_input"),
    ("xe", Part::Accelerator, "energy1_input"),
    ("zenpower", Part::Processor, "power1_input"),
    ("fam15h_power", Part::Processor, "power1_input"),
];

fn monitors(files: &mut Files) -> Vec<Sensor> {
    let monitors = Root(files.root()).numbered(MONITORS, "hwmon");
    let mut found = Vec::new();
    for monitor in monitors {
        let folder = format!("{MONITORS}/{monitor}");
        let chip: Known<String> = Root(files.root()).value(&format!("{folder}/name"));
        let Known::Value(chip) = chip else { continue };
        for (_, part, file) in CHIPS.iter().filter(|(name, ..)| *name == chip) {
            let file = format!("{folder}/{file}");
            let mut slot = Slot::default();
            let Some(now) = files.read(&mut slot, &file).ok().and_then(parse::number) else {
                continue;
            };
            let kind = match file.contains("/energy") {
                true => Kind::Energy { before: now, range: u64::MAX },
                false => Kind::Power { before: Some(now as f64 / 1e6) },
            };
            let name = format!("{chip} ({monitor})").into();
            found.push(Sensor { name, part: *part, kind, slot, file });
            break;
        }
    }
    found
}

fn batteries(files: &mut Files) -> Vec<Sensor> {
    let mut found = Vec::new();
    for name in names(files, SUPPLIES) {
        let folder = format!("{SUPPLIES}/{name}");
        let kind: Known<String> = Root(files.root()).value(&format!("{folder}/type"));
        if kind.value().as_deref() != Some("Battery") {
            continue;
        }
        // Only a battery that carries the machine tells what the machine draws.
        if let Some(now) = discharging(&folder, files) {
            found.push(Sensor {
                name: format!("battery {name}").into(),
                part: Part::Machine,
                kind: Kind::Battery { before: Some(now) },
                slot: Slot::default(),
                file: folder,
            });
        }
    }
    found
}

/// Names in a folder, in order.
fn names(files: &Files, folder: &str) -> Vec<String> {
    let entries = files.root().join(folder).read_dir().into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Whether the processors count their own energy here (RAPL), and this user may read it.
#[must_use]
pub fn counts_power(root: &std::path::Path) -> bool {
    std::fs::read_to_string(root.join(POWERCAP).join("intel-rapl:0/energy_uj")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_begins_again_goes_on() {
        assert_eq!(since(100, 150, 1000), Some(50));
        assert_eq!(since(990, 15, 1000), Some(25));
        assert_eq!(since(2000, 15, 1000), None);
        assert_eq!(since(7, 7, 1000), Some(0));
    }

    #[test]
    fn power_counts_between_two_readings() {
        let mut before = None;
        assert_eq!(mean(&mut before, Some(10.0)), None);
        assert_eq!(mean(&mut before, Some(20.0)), Some(15.0));
        assert_eq!(mean(&mut before, None), None);
        assert_eq!(mean(&mut before, Some(20.0)), None);
    }
}
