//! The meter: what a piece of work uses of its machine while it runs, and at what power.
//!
//! A [`Meter`] follows a process with all its descendants, or a control group, on a thread of its
//! own. At each look it reads counters that the kernel keeps anyway; nothing is injected into the
//! work, and nothing needs privileges. Files stay open, buffers are used again, and what is dear is
//! read no more often than a fixed share of a core allows.
//!
//! What cannot be seen is [`Unknown`](nearside_units::Known::Unknown) with the reason, never zero.
//! Every joule carries the [`Method`] by which it is known. On systems other than Linux the meter
//! runs and says that it sees nothing.
//!
//! ```no_run
//! use std::path::Path;
//! use nearside_probe::meter::{Meter, Settings, Subject};
//!
//! let mut child = std::process::Command::new("make").spawn()?;
//! let meter = Meter::start(Path::new("/"), Subject::Spawned(child.id()), Settings::default())?;
//! let (status, measured) = meter.wait(&mut child)?;
//! println!("{status} after {}", measured.wall);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accelerator;
mod discover;
mod energy;
mod group;
mod keep;
mod machine;
mod means;
mod measured;
mod model;
mod nvidia;
mod pace;
mod parse;
mod polled;
mod power;
mod process;
mod read;
mod sample;
mod sampler;
mod subject;
#[cfg(test)]
mod tests;
mod thread;
mod tree;
mod wait;

use std::io;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration as Time, Instant};

use nearside_units::Duration;

pub use accelerator::{
    AcceleratorCounters, AcceleratorProcess, AcceleratorReading, AcceleratorSample,
    OpenAccelerators, ThrottleReasons, ThrottleTimes,
};
pub use energy::{Energy, PartEnergy};
pub use means::Means;
pub use measured::{Measured, SoFar};
pub use model::{LoadPower, PowerModel};
pub use nvidia::open as nvidia_counters;
pub use power::{Method, Part, counts_power};
pub use sample::{
    Core, CpuTime, Faults, Limits, MachineSample, Megahertz, MemoryUse, Network, NetworkScope,
    Paging, PowerSample, Pressure, Pressures, Sample, Scheduling, ThreadUse, Throttled,
    Transferred, Work,
};
pub use subject::Subject;
pub use wait::{WaitClass, Waits};

use crate::error::ProbeError;
use sampler::Sampler;

/// The shortest time between two looks.
const SHORTEST: Time = Time::from_millis(10);
/// The longest: counters of energy would wrap unseen beyond minutes.
const LONGEST: Time = Time::from_secs(60);

/// How a meter works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time between two looks, from 10 ms to 60 s (beyond, the nearest of them); the first looks are
    /// closer together.
    pub period: Duration,
    /// Samples that are kept at most; when more are taken, neighbours are put together.
    pub most_samples: usize,
    /// Power where no counter measures it, and idle power.
    pub power: PowerModel,
    /// Share of the machine that is reserved for the work, 0 to 1: that share of idling is charged
    /// to it. 1 when the machine is there for this work alone.
    pub reserved: f64,
    /// How to reach the counters of accelerators; no value leaves them out.
    pub accelerators: Option<OpenAccelerators>,
}

impl Default for Settings {
    /// Ten looks per second, 1000 samples, no power model, the whole machine reserved, NVIDIA's
    /// driver.
    fn default() -> Self {
        Self {
            period: Duration::constant(0.1),
            most_samples: 1000,
            power: PowerModel::unknown(),
            reserved: 1.0,
            accelerators: Some(nvidia_counters),
        }
    }
}

/// A meter that runs.
#[derive(Debug)]
pub struct Meter {
    stop: Sender<()>,
    so_far: Arc<Mutex<SoFar>>,
    thread: JoinHandle<Measured>,
}

impl Meter {
    /// Takes the first look and goes on looking on a thread of its own, until it is stopped.
    ///
    /// A process that has ended still shows its counters until it is waited for: stop the meter
    /// before that, or let the meter wait ([`wait`](Self::wait)). Otherwise what the process did
    /// since the last look is lost.
    ///
    /// # Errors
    /// When the process or the group is not there, and when no thread can be started.
    pub fn start(root: &Path, subject: Subject, settings: Settings) -> Result<Self, ProbeError> {
        let begin = Instant::now();
        let period = Time::try_from_secs_f64(settings.period.as_seconds()).unwrap_or(LONGEST);
        let period = period.clamp(SHORTEST, LONGEST);
        let sampler = Sampler::begin(root, &subject, &settings)?;
        let so_far = Arc::new(Mutex::new(sampler.so_far()));
        let shared = Arc::clone(&so_far);
        let (stop, stopped) = channel();
        let run = move || {
            let mut sampler = sampler;
            // What ends soon is looked at soon: after 10 ms, 30 ms, 70 ms and so on.
            let mut step = SHORTEST;
            let mut next = step;
            while let Err(RecvTimeoutError::Timeout) =
                stopped.recv_timeout(next.saturating_sub(begin.elapsed()))
            {
                sampler.look(begin.elapsed());
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = sampler.so_far();
                // Looks that were missed on a busy machine are left out, not made up for.
                while next <= begin.elapsed() {
                    step = (step * 2).min(period);
                    next += step;
                }
            }
            sampler.stop(begin.elapsed())
        };
        let thread = std::thread::Builder::new()
            .name("meter".to_owned())
            .spawn(run)
            .map_err(|source| ProbeError::Meter { source })?;
        Ok(Self { stop, so_far, thread })
    }

    /// What is known so far, for those who show progress.
    #[must_use]
    pub fn so_far(&self) -> SoFar {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end of a child that is measured, takes the last look while its counters are
    /// still there, and ends.
    ///
    /// # Errors
    /// When the child cannot be waited for, and when the meter's thread has died.
    pub fn wait(self, child: &mut Child) -> Result<(ExitStatus, Measured), ProbeError> {
        let waited = |source| ProbeError::Wait { source };
        until_ended(child).map_err(waited)?;
        let measured = self.stop()?;
        Ok((child.wait().map_err(waited)?, measured))
    }

    /// Takes the last look and ends.
    ///
    /// # Errors
    /// When the meter's thread has died, which is a fault of this program.
    pub fn stop(self) -> Result<Measured, ProbeError> {
        // A thread that is gone does not listen, and then joining says so.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_panic| ProbeError::MeterDied)
    }
}

/// Waits until a child has ended, and leaves it to be waited for.
#[cfg(unix)]
fn until_ended(child: &Child) -> io::Result<()> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(Pid::from_child(child)), options) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.map(drop).map_err(io::Error::from),
        }
    }
}

/// Elsewhere a child keeps nothing that could be read.
#[cfg(not(unix))]
fn until_ended(_child: &Child) -> io::Result<()> {
    Ok(())
}

/// Nanoseconds as a length of time.
fn seconds(nanoseconds: u64) -> Duration {
    Duration::from_seconds(nanoseconds as f64 / 1e9).unwrap_or(Duration::ZERO)
}

/// Microseconds as a length of time.
fn microseconds(microseconds: u64) -> Duration {
    Duration::from_seconds(microseconds as f64 / 1e6).unwrap_or(Duration::ZERO)
}
