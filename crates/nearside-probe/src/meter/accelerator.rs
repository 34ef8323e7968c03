//! Accelerators while the work runs: energy, busy time, memory, clocks, and what holds them back.
//!
//! The counters sit behind a trait, so that recorded answers stand in for a driver. Whatever shows
//! a state (utilisation, throttling) is added up over time, so that samples can be left out.
//! Sources: NVML reference (`nvmlDeviceGetTotalEnergyConsumption` since Volta;
//! `nvmlDeviceGetUtilizationRates`; clocks event reasons). The energy counter moves every 20 to
//! 100 ms, so over less than 2 s sampled power is the better figure.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration as Time;

use nearside_units::{Bytes, Duration, Joules, Known, Span, Watts};

use super::energy::{Attribution, PartEnergy, above_idle};
use super::pace::{Pace, Urgency};
use super::power::{Method, Part};
use super::sample::Megahertz;

/// An energy counter is only believed over at least so many seconds.
const COUNTER_SECONDS: f64 = 2.0;
/// Accelerators are asked no sooner again than this.
const LEAST: Time = Time::from_millis(200);
/// Share of a core that asking may take.
const SHARE: f64 = 0.001;

/// The counters of a machine's accelerators.
pub trait AcceleratorCounters: Send {
    /// What each device is called, in the driver's order.
    fn names(&self) -> Vec<Arc<str>>;

    /// What one device says now; `device` is a place in [`names`](Self::names).
    fn read(&mut self, device: usize) -> AcceleratorReading;
}

/// Opens the counters of a machine. It runs on a thread of its own, since a driver may take a
/// second to answer; an error says why there are none.
pub type OpenAccelerators = fn() -> Result<Box<dyn AcceleratorCounters>, String>;

/// What a device says at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceleratorReading {
    /// Energy that it has used since some moment before the meter started.
    pub energy: Known<Joules>,
    /// Power that it draws.
    pub power: Known<Watts>,
    /// Share of the last moments in which some kernel ran, 0 to 1. Not how much of the device it
    /// used.
    pub busy: Known<f64>,
    /// Share of the last moments in which its memory was read or written, 0 to 1.
    pub memory_busy: Known<f64>,
    /// Memory in use, by anyone.
    pub memory_used: Known<Bytes>,
    /// Memory installed.
    pub memory_total: Known<Bytes>,
    /// Clock of the multiprocessors.
    pub clock: Known<Megahertz>,
    /// The highest that this clock may be.
    pub clock_limit: Known<Megahertz>,
    /// What holds the clocks back.
    pub throttle: Known<ThrottleReasons>,
    /// Bytes received over PCIe since some moment before the meter started.
    pub pcie_received: Known<Bytes>,
    /// Bytes sent over PCIe since some moment before the meter started.
    pub pcie_sent: Known<Bytes>,
    /// Processes that use it.
    pub processes: Known<Vec<AcceleratorProcess>>,
}

/// A process that uses an accelerator.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceleratorProcess {
    /// Its number.
    pub process: u32,
    /// Memory it uses on the device.
    pub memory: Known<Bytes>,
    /// Share of the last moments in which a kernel of its ran, 0 to 1.
    pub busy: Known<f64>,
}

/// What holds an accelerator's clocks back: NVML's bits of clocks event reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThrottleReasons(pub u64);

impl ThrottleReasons {
    /// Nothing runs on it (`nvmlClocksThrottleReasonGpuIdle`).
    #[must_use]
    pub const fn at_rest(self) -> bool {
        self.0 & 0x1 != 0
    }

    /// The power limit in force. Normal for a device at full load.
    #[must_use]
    pub const fn power_limit(self) -> bool {
        self.0 & 0x4 != 0
    }

    /// Heat: seen by software (0x20), by hardware (0x40), or a slowdown of the hardware (0x8).
    #[must_use]
    pub const fn heat(self) -> bool {
        self.0 & (0x20 | 0x40 | 0x8) != 0
    }

    /// The power brake: the machine's supply asks for less.
    #[must_use]
    pub const fn power_brake(self) -> bool {
        self.0 & 0x80 != 0
    }
}

/// A device up to a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct AcceleratorSample {
    /// The device.
    pub name: Arc<str>,
    /// Energy since it was first read.
    pub energy: Known<Joules>,
    /// How the energy is known.
    pub method: Method,
    /// Power at the latest reading.
    pub power: Known<Watts>,
    /// Time in which some kernel ran. Not how much of the device it used.
    pub busy: Known<Duration>,
    /// Time in which its memory was read or written.
    pub memory_busy: Known<Duration>,
    /// The most memory in use, by anyone, so far.
    pub peak_memory: Known<Bytes>,
    /// Memory installed.
    pub memory_total: Known<Bytes>,
    /// The most memory in use by the work, so far.
    pub peak_work_memory: Known<Bytes>,
    /// Clock at the latest reading.
    pub clock: Known<Megahertz>,
    /// The highest that the clock may be.
    pub clock_limit: Known<Megahertz>,
    /// Time at the power limit, slowed by heat, and slowed by the power brake.
    pub throttled: Known<ThrottleTimes>,
    /// Bytes over PCIe, received and sent by the device.
    pub pcie: Known<(Bytes, Bytes)>,
    /// How long it was watched; the start of its driver is not in it.
    pub watched: Duration,
}

/// Time that clocks were held back, by reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThrottleTimes {
    /// At the power limit.
    pub power_limit: Duration,
    /// By heat.
    pub heat: Duration,
    /// By the power brake.
    pub power_brake: Duration,
}

/// Sums of one device.
#[derive(Debug)]
struct Watched {
    first: AcceleratorReading,
    latest: AcceleratorReading,
    at: u64,
    seconds: f64,
    sampled: Attribution,
    counted: Attribution,
    busy: f64,
    memory_busy: f64,
    heat: f64,
    power_limit: f64,
    power_brake: f64,
    peak_memory: Known<Bytes>,
    peak_work_memory: Known<Bytes>,
}

/// All accelerators of a run.
pub(crate) struct AcceleratorWatch {
    opening: Option<Receiver<Result<Box<dyn AcceleratorCounters>, String>>>,
    counters: Option<Box<dyn AcceleratorCounters>>,
    names: Vec<Arc<str>>,
    devices: Vec<Watched>,
    pace: Pace,
    why_none: Option<Arc<str>>,
    idle: Known<Span<Watts>>,
    reserved: f64,
    latest: Arc<[AcceleratorSample]>,
}

impl AcceleratorWatch {
    /// Begins to open the counters.
    pub(crate) fn begin(
        open: Option<OpenAccelerators>,
        idle: Known<Span<Watts>>,
        reserved: f64,
    ) -> Self {
        let opening = open.and_then(|open| {
            let (send, receive) = channel();
            // Whoever stopped the meter in the meantime does not want the answer.
            let opener = std::thread::Builder::new().name("accelerators".to_owned());
            opener.spawn(move || drop(send.send(open()))).ok().map(|_detached| receive)
        });
        Self {
            opening,
            counters: None,
            names: Vec::new(),
            devices: Vec::new(),
            pace: Pace::new(LEAST, SHARE),
            why_none: None,
            idle,
            reserved,
            latest: Arc::from([]),
        }
    }

    /// Reads every device, when that is due; `work` are the numbers of the work's processes, in
    /// order.
    pub(crate) fn look(
        &mut self,
        now: u64,
        urgency: Urgency,
        work: impl FnOnce() -> Vec<u32>,
    ) -> Arc<[AcceleratorSample]> {
        self.receive();
        let mut pace = self.pace;
        if self.counters.is_some() {
            pace.when_due(now, urgency, || self.read(now, &work()));
        }
        self.pace = pace;
        Arc::clone(&self.latest)
    }

    /// Takes the counters over when they are open.
    fn receive(&mut self) {
        let Some(opening) = &self.opening else { return };
        match opening.try_recv() {
            Ok(Ok(counters)) => {
                self.names = counters.names();
                self.counters = Some(counters);
            }
            Ok(Err(why)) => self.why_none = Some(why.into()),
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {
                self.why_none = Some("opening the accelerators failed".into());
            }
        }
        self.opening = None;
    }

    fn read(&mut self, now: u64, work: &[u32]) {
        let Some(counters) = &mut self.counters else { return };
        for device in 0..self.names.len() {
            let reading = counters.read(device);
            match self.devices.get_mut(device) {
                Some(watched) => watched.step(reading, now, work, &self.idle, self.reserved),
                None => self.devices.push(Watched::begin(reading, now, work)),
            }
        }
        let devices = self.names.iter().zip(&self.devices);
        self.latest = devices.map(|(name, device)| device.sample(name)).collect();
    }

    /// Energies of the devices, and why what is missing is missing.
    pub(crate) fn totals(&self) -> (Vec<PartEnergy>, Vec<Arc<str>>) {
        let (mut parts, mut missing) = (Vec::new(), Vec::new());
        for (name, device) in self.names.iter().zip(&self.devices) {
            match device.method() {
                Known::Value(method) => {
                    let attribution = device.attribution(method);
                    parts.push(attribution.part(Arc::clone(name), Part::Accelerator, method));
                }
                Known::Unknown(why) => missing.push(format!("{name}: {why}").into()),
            }
        }
        if self.opening.is_some() {
            missing.push("accelerators: their driver had not answered yet".into());
        }
        (parts, missing)
    }

    /// Why there are no accelerators to watch, if there are none.
    pub(crate) const fn why_none(&self) -> Option<&Arc<str>> {
        self.why_none.as_ref()
    }
}

impl Watched {
    fn begin(reading: AcceleratorReading, now: u64, work: &[u32]) -> Self {
        Self {
            first: reading.clone(),
            at: now,
            seconds: 0.0,
            sampled: Attribution::default(),
            counted: Attribution::default(),
            busy: 0.0,
            memory_busy: 0.0,
            heat: 0.0,
            power_limit: 0.0,
            power_brake: 0.0,
            peak_memory: reading.memory_used.clone(),
            peak_work_memory: work_memory(&reading, work),
            latest: reading,
        }
    }

    fn step(
        &mut self,
        reading: AcceleratorReading,
        now: u64,
        work: &[u32],
        idle: &Known<Span<Watts>>,
        reserved: f64,
    ) {
        let seconds = now.saturating_sub(self.at) as f64 / 1e9;
        self.at = now;
        self.seconds += seconds;
        let share = share(&reading, work);
        let mean = self.latest.power.clone().zip(reading.power.clone());
        if let Known::Value((before, after)) = mean {
            let joules = (before + after).as_watts() / 2.0 * seconds;
            let above = above_idle(joules, seconds, idle);
            self.sampled.add([joules; 3], above, share.clone(), reserved);
        }
        let counter = self.latest.energy.clone().zip(reading.energy.clone());
        if let Known::Value((before, after)) = counter
            && let Some(used) = after.checked_sub(before)
        {
            let joules = used.as_joules();
            let above = above_idle(joules, seconds, idle);
            self.counted.add([joules; 3], above, share, reserved);
        }
        let add = |sum: &mut f64, share: &Known<f64>| {
            *sum += share.as_ref().value().map_or(0.0, |share| share.clamp(0.0, 1.0) * seconds);
        };
        add(&mut self.busy, &reading.busy);
        add(&mut self.memory_busy, &reading.memory_busy);
        if let Known::Value(reasons) = reading.throttle {
            let held = |held| if held { seconds } else { 0.0 };
            self.power_limit += held(reasons.power_limit());
            self.heat += held(reasons.heat());
            self.power_brake += held(reasons.power_brake());
        }
        raise(&mut self.peak_memory, reading.memory_used.clone());
        raise(&mut self.peak_work_memory, work_memory(&reading, work));
        self.latest = reading;
    }

    /// By which of the two sums the energy is known best.
    fn method(&self) -> Known<Method> {
        let Self { latest: AcceleratorReading { energy, power, .. }, seconds, .. } = self;
        match (energy, power) {
            (Known::Value(_), Known::Value(_)) if *seconds < COUNTER_SECONDS => {
                Known::Value(Method::Sampled)
            }
            (Known::Value(_), _) => Known::Value(Method::Measured),
            (Known::Unknown(_), power) => power.as_ref().map(|_| Method::Sampled),
        }
    }

    const fn attribution(&self, method: Method) -> &Attribution {
        match method {
            Method::Measured => &self.counted,
            Method::Sampled | Method::Modelled => &self.sampled,
        }
    }

    fn sample(&self, name: &Arc<str>) -> AcceleratorSample {
        let AcceleratorReading { power, busy, memory_busy, memory_total, clock, .. } = &self.latest;
        let time = |seconds: f64| Duration::from_seconds(seconds).unwrap_or(Duration::ZERO);
        let method = self.method();
        let joules = |method| {
            Joules::from_joules(self.attribution(method).likely_joules()).unwrap_or(Joules::ZERO)
        };
        let since = |now: &Known<Bytes>, first: &Known<Bytes>| {
            now.clone().zip(first.clone()).map(|(now, first)| now.saturating_sub(first))
        };
        let received = since(&self.latest.pcie_received, &self.first.pcie_received);
        let sent = since(&self.latest.pcie_sent, &self.first.pcie_sent);
        AcceleratorSample {
            name: Arc::clone(name),
            energy: method.clone().map(joules),
            method: method.value().unwrap_or(Method::Sampled),
            power: power.clone(),
            busy: busy.as_ref().map(|_| time(self.busy)),
            memory_busy: memory_busy.as_ref().map(|_| time(self.memory_busy)),
            peak_memory: self.peak_memory.clone(),
            memory_total: memory_total.clone(),
            peak_work_memory: self.peak_work_memory.clone(),
            clock: clock.clone(),
            clock_limit: self.latest.clock_limit.clone(),
            throttled: self.latest.throttle.as_ref().map(|_| ThrottleTimes {
                power_limit: time(self.power_limit),
                heat: time(self.heat),
                power_brake: time(self.power_brake),
            }),
            pcie: received.zip(sent),
            watched: time(self.seconds),
        }
    }
}

/// Raises a peak; a reading that failed leaves it.
fn raise(peak: &mut Known<Bytes>, now: Known<Bytes>) {
    match (&*peak, &now) {
        (Known::Value(before), Known::Value(after)) if after <= before => {}
        (_, Known::Value(_)) | (Known::Unknown(_), _) => *peak = now,
        (Known::Value(_), Known::Unknown(_)) => {}
    }
}

/// The work's share of what the device did, 0 to 1.
fn share(reading: &AcceleratorReading, work: &[u32]) -> Known<f64> {
    let processes = match &reading.processes {
        Known::Value(processes) => processes,
        Known::Unknown(why) => return Known::Unknown(Arc::clone(why)),
    };
    let is_work = |process: &&AcceleratorProcess| work.binary_search(&process.process).is_ok();
    let ours = processes.iter().filter(is_work).count();
    match (ours, processes.len()) {
        // A driver in another process namespace shows nobody, or nobody that we know.
        (0, 0) if reading.busy.as_ref().value().is_none_or(|busy| *busy > 0.0) => {
            Known::unknown("the driver shows no process although the device may be busy")
        }
        (0, _) => Known::Value(0.0),
        (ours, all) if ours == all => Known::Value(1.0),
        _ => {
            let busy = |process: &AcceleratorProcess| process.busy.clone().value();
            let all: Option<f64> = processes.iter().map(busy).sum();
            let ours: Option<f64> = processes.iter().filter(is_work).map(busy).sum();
            let share = all.zip(ours).map(|(all, ours)| if all > 0.0 { ours / all } else { 0.0 });
            Known::from_option(share, "several processes share the device, and how is not known")
        }
    }
}

/// Memory that the work uses on a device.
fn work_memory(reading: &AcceleratorReading, work: &[u32]) -> Known<Bytes> {
    reading.processes.clone().and_then(|processes| {
        let ours =
            processes.into_iter().filter(|process| work.binary_search(&process.process).is_ok());
        ours.fold(Known::Value(Bytes::ZERO), |sum, process| {
            sum.zip(process.memory).map(|(sum, memory)| sum + memory)
        })
    })
}
