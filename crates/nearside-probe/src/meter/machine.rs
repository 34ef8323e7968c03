//! What the whole machine did meanwhile: pressure, every processor, memory, paging, network, heat.
//!
//! Totals of the kernel count since the machine started; here they count since the meter did.
//! Sources: Linux `Documentation/accounting/psi.rst`, `Documentation/filesystems/proc.rst` (stat),
//! `Documentation/admin-guide/pm/cpufreq.rst`, `arch/x86/kernel/cpu/mce/therm_throt.c`.

use std::sync::Arc;

use nearside_units::{Bytes, Known};

use super::parse::{self, Interfaces};
use super::read::{Files, Slot, Unread};
use super::sample::{
    Core, MachineSample, Megahertz, Network, NetworkScope, Paging, Pressure, Pressures,
};
use super::{microseconds, seconds};

/// Clock ticks of `/proc` are 1/100 s.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// The machine, as it is read.
#[derive(Debug)]
pub(crate) struct Machine {
    pressures: PressureFiles,
    stat: Slot,
    meminfo: Slot,
    vmstat: Slot,
    network_file: Slot,
    network_of: Option<u32>,
    network_before: Option<Interfaces>,
    scope: NetworkScope,
    paging_before: Option<Paging>,
    cores_before: Vec<CoreTicks>,
    core_ticks: Vec<CoreTicks>,
    /// Whether the kernel governs clocks.
    has_clocks: bool,
    thermal: Vec<(String, u64)>,
    latest: MachineSample,
}

/// A logical processor's times in clock ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CoreTicks {
    number: u32,
    busy: u64,
    stolen: u64,
}

impl CoreTicks {
    /// From a line of `/proc/stat`: `cpu3 user nice system idle iowait irq softirq steal ...`.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = line.strip_prefix(b"cpu")?;
        let number = u32::try_from(parse::number(line.first()?.is_ascii_digit().then_some(line)?)?);
        let mut times = [0; 8];
        for (time, field) in times.iter_mut().zip(parse::fields(line).skip(1)) {
            *time = parse::number(field)?;
        }
        let [user, nice, system, _idle, _iowait, irq, softirq, stolen] = times;
        Some(Self { number: number.ok()?, busy: user + nice + system + irq + softirq, stolen })
    }
}

impl Machine {
    /// The machine of a process, from now on.
    pub(crate) fn begin(process: Option<u32>, files: &mut Files) -> Self {
        let mut machine = Self {
            pressures: PressureFiles::of_machine(),
            stat: Slot::default(),
            meminfo: Slot::default(),
            vmstat: Slot::default(),
            network_file: Slot::default(),
            network_of: process,
            network_before: None,
            scope: NetworkScope::Machine,
            paging_before: None,
            cores_before: Vec::new(),
            core_ticks: Vec::new(),
            has_clocks: clock(0, files).is_some(),
            thermal: thermal_counters(files),
            latest: MachineSample {
                pressure: Pressures {
                    cpu: Known::unknown("not read yet"),
                    memory: Known::unknown("not read yet"),
                    io: Known::unknown("not read yet"),
                },
                cores: Known::unknown("not read yet"),
                memory_available: Known::unknown("not read yet"),
                paging: Known::unknown("not read yet"),
                network: Known::unknown("not read yet"),
                thermal_throttles: Known::unknown("not read yet"),
            },
        };
        machine.read(files);
        machine
    }

    /// The latest readings.
    pub(crate) fn sample(&self) -> MachineSample {
        self.latest.clone()
    }

    /// Busy time of all processors since the start in nanoseconds, and how many there are.
    pub(crate) fn busy(&self) -> Option<(u64, usize)> {
        let busy: u64 = self.core_ticks.iter().map(|core| core.busy).sum();
        let before: u64 = self.cores_before.iter().map(|core| core.busy).sum();
        let count = self.core_ticks.len();
        (count > 0).then(|| (busy.saturating_sub(before) * NANOSECONDS_PER_TICK, count))
    }

    /// Reads everything.
    pub(crate) fn read(&mut self, files: &mut Files) {
        self.latest.pressure = self.pressures.look(files);
        self.latest.cores = self.read_cores(files);
        self.latest.memory_available = match files.read(&mut self.meminfo, "proc/meminfo") {
            Ok(text) => Known::from_option(
                parse::kibibytes(text, "MemAvailable").map(Bytes::new),
                "/proc/meminfo: no MemAvailable",
            ),
            Err(unread) => unread.known("proc/meminfo"),
        };
        self.latest.paging = self.read_paging(files);
        self.latest.network = self.read_network(files);
        self.latest.thermal_throttles = self.read_thermal(files);
    }

    fn read_cores(&mut self, files: &mut Files) -> Known<Arc<[Core]>> {
        let text = match files.read(&mut self.stat, "proc/stat") {
            Ok(text) => text,
            Err(unread) => return unread.known("proc/stat"),
        };
        self.core_ticks.clear();
        self.core_ticks.extend(parse::lines(text).filter_map(CoreTicks::parse));
        if self.core_ticks.is_empty() {
            return Known::unknown("/proc/stat: no processors");
        }
        if self.cores_before.is_empty() {
            self.cores_before.clone_from(&self.core_ticks);
        }
        let cores = self.core_ticks.iter().map(|core| {
            // A processor that came later was not busy before.
            let before = self.cores_before.iter().find(|before| before.number == core.number);
            let before = before.copied().unwrap_or_default();
            let time = |ticks: u64, before: u64| {
                seconds(ticks.saturating_sub(before) * NANOSECONDS_PER_TICK)
            };
            Core {
                number: core.number,
                busy: time(core.busy, before.busy),
                stolen: time(core.stolen, before.stolen),
                clock: self.has_clocks.then(|| clock(core.number, files)).flatten(),
            }
        });
        Known::Value(cores.collect())
    }

    fn read_paging(&mut self, files: &mut Files) -> Known<Paging> {
        let text = match files.read(&mut self.vmstat, "proc/vmstat") {
            Ok(text) => text,
            Err(unread) => return unread.known("proc/vmstat"),
        };
        let of = |key| parse::keyed(text, key).unwrap_or(0);
        let now = Paging {
            swapped_in: of("pswpin"),
            swapped_out: of("pswpout"),
            major_faults: of("pgmajfault"),
            refaulted: of("workingset_refault_file") + of("workingset_refault_anon"),
        };
        let before = *self.paging_before.get_or_insert(now);
        Known::Value(Paging {
            swapped_in: now.swapped_in.saturating_sub(before.swapped_in),
            swapped_out: now.swapped_out.saturating_sub(before.swapped_out),
            major_faults: now.major_faults.saturating_sub(before.major_faults),
            refaulted: now.refaulted.saturating_sub(before.refaulted),
        })
    }

    fn read_network(&mut self, files: &mut Files) -> Known<Network> {
        self.enter_namespace(files);
        let text = match self.network_of {
            Some(id) => files.read_all(&mut self.network_file, format_args!("proc/{id}/net/dev")),
            None => files.read_all(&mut self.network_file, "proc/net/dev"),
        };
        let now = match text.and_then(|text| Interfaces::parse(text).ok_or(Unread::TEXT)) {
            Ok(now) => now,
            Err(unread) => return unread.known("proc/net/dev"),
        };
        let before = *self.network_before.get_or_insert(now);
        let bytes = |now: u64, before: u64| Bytes::new(now.saturating_sub(before));
        Known::Value(Network {
            received: bytes(now.received, before.received),
            sent: bytes(now.sent, before.sent),
            loopback: bytes(now.loopback, before.loopback),
            scope: self.scope,
        })
    }

    /// A process may enter a network namespace of its own after it was started; its interfaces
    /// begin at zero there.
    fn enter_namespace(&mut self, files: &Files) {
        let Some(id) = self.network_of else { return };
        let namespace = |id: &str| files.root().join(format!("proc/{id}/ns/net")).read_link().ok();
        if let (Some(work), Some(ours)) = (namespace(&id.to_string()), namespace("self"))
            && work != ours
            && self.scope == NetworkScope::Machine
        {
            self.network_before = self.network_before.map(|_| Interfaces::default());
            self.network_file = Slot::default();
            self.scope = NetworkScope::Work;
        }
    }

    fn read_thermal(&self, files: &mut Files) -> Known<u64> {
        if self.thermal.is_empty() {
            return Known::unknown("/sys/devices/system/cpu: no thermal_throttle counters");
        }
        let mut sum = 0;
        for (name, before) in &self.thermal {
            match files.once(name).map(parse::number) {
                Ok(count) => sum += count.unwrap_or(0).saturating_sub(*before),
                Err(unread) => return unread.known(name),
            }
        }
        Known::Value(sum)
    }
}

/// The clock of a processor; none where the kernel does not govern it.
fn clock(number: u32, files: &mut Files) -> Option<Megahertz> {
    let name = format_args!("sys/devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq");
    let kilohertz = parse::number(files.once(name).ok()?)?;
    Some(Megahertz(u32::try_from(kilohertz / 1000).ok()?))
}

/// Counters of slowing down by heat, one per processor, with their values now.
fn thermal_counters(files: &mut Files) -> Vec<(String, u64)> {
    const FOLDER: &str = "sys/devices/system/cpu";
    let cpus = crate::root::Root(files.root()).numbered(FOLDER, "cpu");
    let counters = cpus.into_iter().filter_map(|cpu| {
        let name = format!("{FOLDER}/{cpu}/thermal_throttle/core_throttle_count");
        let count = parse::number(files.once(&name).ok()?)?;
        Some((name, count))
    });
    counters.collect()
}

/// The three files of pressure, of the machine or of a group.
#[derive(Debug)]
pub(crate) struct PressureFiles {
    files: [PressureFile; 3],
}

#[derive(Debug)]
struct PressureFile {
    name: String,
    slot: Slot,
    before: Option<(u64, Option<u64>)>,
    /// Why it cannot be read; it is not tried again.
    refused: Option<Arc<str>>,
}

impl PressureFiles {
    fn of_machine() -> Self {
        Self::new(|resource| format!("proc/pressure/{resource}"))
    }

    /// Of a group of version 2, in its folder.
    pub(crate) fn of_group(folder: &str) -> Self {
        Self::new(|resource| format!("{folder}/{resource}.pressure"))
    }

    fn new(name: impl Fn(&str) -> String) -> Self {
        let file = |resource| PressureFile {
            name: name(resource),
            slot: Slot::default(),
            before: None,
            refused: None,
        };
        Self { files: [file("cpu"), file("memory"), file("io")] }
    }

    /// Stalls since the first look.
    pub(crate) fn look(&mut self, files: &mut Files) -> Pressures {
        let [cpu, memory, io] = self.files.each_mut().map(|file| file.look(files));
        Pressures { cpu, memory, io }
    }
}

impl PressureFile {
    fn look(&mut self, files: &mut Files) -> Known<Pressure> {
        if let Some(why) = &self.refused {
            return Known::Unknown(Arc::clone(why));
        }
        let text = files.read(&mut self.slot, &self.name);
        match text.and_then(|text| parse::pressure(text).ok_or(Unread::TEXT)) {
            Ok(now) => {
                let before = *self.before.get_or_insert(now);
                let since = |now: u64, before: u64| microseconds(now.saturating_sub(before));
                let full = now.1.zip(before.1).map(|(now, before)| since(now, before));
                Known::Value(Pressure { some: since(now.0, before.0), full })
            }
            Err(unread) => {
                let why: Arc<str> = format!("/{}: {unread}", self.name).into();
                self.refused = Some(Arc::clone(&why));
                Known::Unknown(why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_single_processors_count() {
        let line = b"cpu12 100 20 30 4000 50 6 7 8 9 0";
        let expect = CoreTicks { number: 12, busy: 163, stolen: 8 };
        assert_eq!(CoreTicks::parse(line), Some(expect));
        assert_eq!(CoreTicks::parse(b"cpu  100 20 30 4000 50 6 7 8 9 0"), None);
        assert_eq!(CoreTicks::parse(b"ctxt 5"), None);
    }
}
