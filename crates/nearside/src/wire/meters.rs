//! A meter for every command of a run, and what a stage used, all its commands together.

use std::collections::BTreeMap;
use std::path::Path;

use nearside_probe::meter::{
    Energy, LoadPower, Measured, Meter, Method, Part, PowerModel, Sample, Settings, SoFar, Subject,
};
use nearside_units::{Bytes, Duration, Joules, Known, Span, Watts};
use nearside_workload::{HERE, Project};

use super::energy_so_far::EnergySoFar;

/// Readings of a command that are kept at most, each a mean or a maximum over its share of the time.
const MOST_SAMPLES: usize = 60;

/// The reading of how long work has been on processors since the stage began.
pub(super) const PROCESSOR_TIME: &str = "processor time";

/// The meters of a run.
#[derive(Debug)]
pub(crate) struct Meters {
    /// Power where no counter measures it.
    power: PowerModel,
    going: BTreeMap<String, Meter>,
    used: BTreeMap<String, Used>,
    notes: Vec<String>,
}

/// What a stage used. What could not be seen is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Used {
    /// The most memory that its processes held at once.
    pub(crate) memory: Option<Bytes>,
    /// Time on processors.
    pub(crate) processors: Option<Duration>,
    /// Energy with the machine's idling, as far as it is known.
    energy: Option<EnergySoFar>,
    /// The parts of the machine that this is of, and how each is known, at worst.
    parts: BTreeMap<Part, Method>,
    /// Readings over time.
    pub(crate) readings: Vec<Reading>,
    /// How long its commands were watched, in seconds.
    watched: f64,
}

/// What a stage uses while it goes on. What cannot be seen is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Using {
    /// Memory that its processes hold now.
    pub(crate) memory: Option<Bytes>,
    /// The most that they held at once.
    pub(crate) peak: Option<Bytes>,
    /// Energy so far.
    pub(crate) energy: Option<EnergySoFar>,
}

/// One reading.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Seconds since the stage began.
    pub(crate) seconds: f64,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
}

/// Power of this machine by what its project states of it: the whole machine at the wall grows with
/// the load of its processors. Where an accelerator or a counter of power takes a part of it apart,
/// what is stated says nothing of the rest.
fn power_model(project: &Project) -> PowerModel {
    let unknown = PowerModel::unknown();
    let root = Path::new("/");
    let Some(site) = project.sites.own(HERE) else { return unknown };
    if nearside_probe::has_accelerator(root) || nearside_probe::meter::counts_power(root) {
        return unknown;
    }
    let stated = site.power.load.as_ref().zip(site.power.idle.as_ref());
    let processor = stated.map(|(load, idle)| LoadPower {
        idle: Span::exact(if idle < load { *idle } else { *load }),
        full: Span::exact(*load),
    });
    let in_the_whole = |_: &LoadPower| Span::exact(Watts::ZERO);
    PowerModel {
        memory: processor.as_ref().map(in_the_whole),
        rest: processor.as_ref().map(in_the_whole),
        processor,
        ..unknown
    }
}

impl Meters {
    /// For the stages of a project.
    pub(crate) fn of(project: &Project) -> Self {
        let (going, used, notes) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { power: power_model(project), going, used, notes }
    }

    /// A command of a stage has started, in that control group.
    pub(crate) fn started(&mut self, stage: &str, process: u32, group: Option<&Path>) {
        let power = self.power.clone();
        let settings = Settings { most_samples: MOST_SAMPLES, power, ..Settings::default() };
        let subject = match group.and_then(Path::to_str) {
            Some(group) => Subject::Confined { process, group: group.to_owned() },
            None => Subject::Spawned(process),
        };
        match Meter::start(Path::new("/"), subject, settings) {
            Ok(meter) => drop(self.going.insert(stage.to_owned(), meter)),
            Err(error) => self.notes.push(format!("{stage} is not measured: {error}")),
        }
    }

    /// That command has ended, but can still be read.
    pub(crate) fn stopped(&mut self, stage: &str) {
        let Some(meter) = self.going.remove(stage) else { return };
        match meter.stop() {
            Ok(measured) => self.used.entry(stage.to_owned()).or_default().add(&measured),
            Err(error) => self.notes.push(format!("{stage} is not measured: {error}")),
        }
    }

    /// What a stage used, if it ran.
    pub(crate) fn used(&self, stage: &str) -> Option<&Used> {
        self.used.get(stage)
    }

    /// What a stage uses now, all its commands so far together.
    pub(crate) fn using(&self, stage: &str) -> Using {
        let before = self.used.get(stage);
        match (self.going.get(stage).map(Meter::so_far), before) {
            (Some(now), before) => Using::of(&now, before),
            (None, Some(before)) => Using::after(before),
            (None, None) => Using::default(),
        }
    }

    /// What went wrong since this was last asked.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

impl Using {
    /// Of a command that goes on, and those before it.
    fn of(now: &SoFar, before: Option<&Used>) -> Self {
        let memory = now.latest.work.memory.as_ref().value().map(|memory| memory.resident);
        let seen = |bytes: &Bytes| *bytes > Bytes::ZERO;
        let peak = now.peak_memory.as_ref().value().copied().filter(seen);
        let energy = now.energy.as_ref().and_then(|energy| EnergySoFar::of(energy));
        let before = before.map(Self::after);
        Self {
            memory: memory.filter(seen),
            peak: peak.max(before.and_then(|before| before.peak)),
            energy: match before {
                None => energy,
                Some(before) => EnergySoFar::together(before.energy, energy),
            },
        }
    }

    /// Of commands that have ended.
    fn after(used: &Used) -> Self {
        Self { memory: None, peak: used.memory, energy: used.energy }
    }
}

impl Used {
    /// Energy with the machine's idling, and how its least known part is known; nothing unless every part
    /// of the machine is.
    pub(crate) fn energy(&self) -> Option<(Joules, Method)> {
        match self.energy {
            Some(EnergySoFar::All(energy)) => Some((energy, *self.parts.values().max()?)),
            _ => None,
        }
    }

    /// Energy of the parts that are known, where some are not, and which those are.
    pub(crate) fn energy_at_least(&self) -> Option<(Joules, String)> {
        let Some(EnergySoFar::AtLeast(energy)) = self.energy else { return None };
        // That it was no less than nothing was known before.
        if energy == Joules::ZERO {
            return None;
        }
        let each = self.parts.iter().map(|(part, method)| format!("{part} {method}"));
        Some((energy, each.collect::<Vec<_>>().join(", ")))
    }

    fn add(&mut self, measured: &Measured) {
        let first = self.watched == 0.0;
        let peak = measured.peak_memory.as_ref().value().copied();
        // Between the first look and the last: what was over sooner was not seen at work.
        let peak = peak.filter(|peak| measured.looks > 2 && *peak > Bytes::ZERO);
        self.memory = self.memory.max(peak);
        let on = measured.cpu_on.as_ref().value().copied();
        let before = self.processors;
        // One command that cannot be seen makes the whole unknown.
        self.processors = match first {
            true => on,
            false => before.zip(on).map(|(before, on)| before + on),
        };
        self.add_energy(&measured.energy, first);
        let offset = before.map_or(0.0, Duration::as_seconds);
        for sample in &measured.samples {
            self.readings.extend(readings(sample, self.watched, offset));
        }
        self.watched += measured.wall.as_seconds();
    }
}

impl Used {
    fn add_energy(&mut self, more: &Energy, first: bool) {
        let energy = EnergySoFar::of(more);
        self.energy = if first { energy } else { EnergySoFar::together(self.energy, energy) };
        for part in &more.parts {
            let known = self.parts.entry(part.part).or_insert(part.method);
            *known = (*known).max(part.method);
        }
    }
}

fn readings(sample: &Sample, began: f64, processors: f64) -> impl Iterator<Item = Reading> + use<> {
    let seconds = began + sample.at.as_seconds();
    let reading = move |name, unit, value| Reading { seconds, name, unit, value };
    let memory = match &sample.work.memory {
        // A process that has ended holds none.
        Known::Value(memory) if memory.resident > Bytes::ZERO => {
            Some(reading("memory", "B", memory.resident.get() as f64))
        }
        _ => None,
    };
    let on = match &sample.work.cpu {
        Known::Value(cpu) => Some(reading(PROCESSOR_TIME, "s", processors + cpu.on.as_seconds())),
        Known::Unknown(_) => None,
    };
    memory.into_iter().chain(on)
}

#[cfg(test)]
mod tests {
    use nearside_probe::meter::PartEnergy;
    use nearside_units::AtLeast;

    use super::*;

    /// So many joules of the processor, by a counter; what is missing besides.
    fn counted(joules: f64, missing: &[&'static str]) -> Energy {
        let joules = Span::exact(Joules::constant(joules));
        let part = PartEnergy {
            name: "package-0".into(),
            part: Part::Processor,
            method: Method::Measured,
            instead_of: None,
            machine: joules,
            marginal: Known::Value(joules),
            loaded: joules,
        };
        let mut all = AtLeast::new(joules);
        for why in missing {
            all.add(Known::unknown(*why), |sum, part: Span<Joules>| *sum + part);
        }
        let (machine, marginal) = (all.clone(), all.clone());
        Energy { parts: vec![part], machine, marginal, loaded: all }
    }

    #[test]
    fn a_counter_of_one_part_tells_the_least_that_all_used() {
        let mut used = Used::default();
        used.add_energy(&counted(40.0, &[]), true);
        assert_eq!(used.energy(), Some((Joules::constant(40.0), Method::Measured)));
        assert_eq!(used.energy_at_least(), None);
        // Another command, of which the board is not known.
        used.add_energy(&counted(2.0, &["no sensor of the board"]), false);
        assert_eq!(used.energy(), None, "a part is no whole");
        let known = (Joules::constant(42.0), "processor measured".to_owned());
        assert_eq!(used.energy_at_least(), Some(known));
    }
}
