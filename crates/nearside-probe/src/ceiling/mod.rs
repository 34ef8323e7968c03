//! What this machine reaches at best, measured: arithmetic, memory, disk and loopback network.
//!
//! A ceiling is what a plain program reached here, on a day, under conditions that stand beside it;
//! a data sheet says what nobody reaches. Every measurement runs several times within a named bound
//! of time and bytes and comes out as a span: the 10th percentile of its runs, their median and the
//! 90th percentile. Together they take less than a minute.
//!
//! Accelerators are not measured: their libraries can only be called through unsafe code, which
//! this crate does not have. What is missing is listed with the reason.

mod condition;
mod disk;
mod drift;
mod loopback;
mod matrix;
mod name;
mod sample;
mod stream;

use std::path::Path;

use nearside_units::{BytesPerSecond, Duration, FlopsPerSecond, Span};

pub use condition::{Conditions, QUIET_SHARE, disk_of};
pub use drift::{Cause, Change, Drift, Kept, causes, drift};
pub use name::CeilingName;
pub use stream::memory_read;

/// What is measured, and where.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    /// A folder on the disk that is measured.
    pub folder: &'a Path,
}

/// What one measurement found.
#[derive(Clone, Debug, PartialEq)]
pub struct Ceiling {
    /// What was measured.
    pub name: CeilingName,
    /// What it came to.
    pub reached: Reached,
    /// How many runs the span is made of.
    pub runs: usize,
    /// How it was measured, in words.
    pub how: String,
}

/// A measured value of any kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reached {
    /// A speed of arithmetic.
    Arithmetic(Span<FlopsPerSecond>),
    /// A rate of data.
    Bandwidth(Span<BytesPerSecond>),
    /// A length of time.
    Time(Span<Duration>),
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: &'static str,
    /// Why, and what to do.
    pub why: String,
}

/// Everything that was measured, under which conditions, and what could not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Ceilings {
    /// What was measured, in the order of measuring.
    pub measured: Vec<Ceiling>,
    /// What was not.
    pub missing: Vec<Missing>,
    /// How the machine was when it began.
    pub conditions: Conditions,
}

/// How far measuring has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is measured now.
    pub what: &'static str,
    /// Which of the steps this is, from 1.
    pub step: usize,
    /// How many steps there are.
    pub steps: usize,
}

/// What one step of measuring gives, or why it gives nothing.
type Found = Result<Vec<Ceiling>, String>;

/// A step: what it measures, and how.
type Step = (&'static str, fn(&Measurement<'_>) -> Found);

/// The steps in their order: arithmetic first, while nothing of ours fills memory or disk.
const STEPS: [Step; 6] = [
    ("32-bit matrix products", |_| matrix::float32()),
    ("8-bit matrix products", |_| matrix::int8()),
    ("memory", |_| stream::measure()),
    ("disk", |measurement| disk::measure(measurement.folder)),
    ("loopback network", |_| loopback::measure()),
    ("accelerators", |_| Err(NO_ACCELERATORS.to_owned())),
];

/// Why accelerators have no measured ceilings.
const NO_ACCELERATORS: &str = "this build has no CUDA measurement; for accelerators the catalog's \
                               figures are used (`nearside catalog show DEVICE`)";

/// Measures this machine; `progress` is told before each step.
pub fn measure(measurement: &Measurement<'_>, progress: &mut dyn FnMut(Progress)) -> Ceilings {
    let conditions = Conditions::now(Path::new("/"), measurement.folder);
    let mut ceilings = Ceilings { measured: Vec::new(), missing: Vec::new(), conditions };
    for (at, (what, step)) in STEPS.into_iter().enumerate() {
        progress(Progress { what, step: at + 1, steps: STEPS.len() });
        match step(measurement) {
            Ok(found) => ceilings.measured.extend(found),
            Err(why) => ceilings.missing.push(Missing { what, why }),
        }
    }
    ceilings
}

/// Threads that measurements use: as many as the process may.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
