//! Time from work: each kernel takes the longer of its arithmetic and its memory traffic.
//!
//! `t = max(flops / ceiling, bytes / bandwidth) + launch`, summed over kernels, times an overhead
//! (Williams, Waterman, Patterson: Roofline, CACM 52(4), 2009).

use std::fmt;

use nearside_architecture::Dtype;
use nearside_units::{BytesPerSecond, Duration, FlopsPerSecond, Span};

use crate::demand::Pass;
use crate::tape::{Kernel, Work};

/// What a device can do at best in real programs. A low rate is a slow one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// In the type that the model computes in.
    pub arithmetic: Arithmetic,
    /// In 32-bit floats, as an output layer that was widened for training computes.
    pub arithmetic_32bit: Arithmetic,
    /// Device memory.
    pub bandwidth: Span<BytesPerSecond>,
    /// Between kernels.
    pub launch: Span<Duration>,
    /// Whole run over its kernels.
    pub overhead: Span<f64>,
}

/// Rates of arithmetic in one type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arithmetic {
    /// Matrix products.
    pub matrix: Span<FlopsPerSecond>,
    /// Attention kernels.
    pub attention: Span<FlopsPerSecond>,
}

/// What takes the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bottleneck {
    /// Arithmetic of the accelerator.
    Compute,
    /// Bandwidth of device memory.
    MemoryBandwidth,
    /// Gaps between small kernels.
    Launch,
    /// Processor cores.
    Processor,
    /// Exchange between devices.
    Exchange,
    /// Memory is too small to work at all.
    MemoryCapacity,
}

impl Bottleneck {
    /// Its name in tables and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::MemoryBandwidth => "memory bandwidth",
            Self::Launch => "kernel launches",
            Self::Processor => "processor cores",
            Self::Exchange => "device exchange",
            Self::MemoryCapacity => "memory capacity",
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Time, and what took it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timed {
    /// How long.
    pub time: Span<Duration>,
    /// What takes most of the likely time.
    pub bottleneck: Bottleneck,
}

/// How long passes take on a device.
///
/// ```
/// use nearside_architecture::Dtype;
/// use nearside_estimate::demand::Pass;
/// use nearside_estimate::roofline::{Arithmetic, Bottleneck, Ceilings, run};
/// use nearside_estimate::tape::{Kernel, Work};
/// use nearside_units::{Bytes, BytesPerSecond, Duration, Flops, FlopsPerSecond, Span};
/// let reaches = |rate| {
///     let rate = Span::exact(FlopsPerSecond::constant(rate));
///     Arithmetic { matrix: rate, attention: rate }
/// };
/// let ceilings = Ceilings {
///     arithmetic: reaches(100e12),
///     arithmetic_32bit: reaches(10e12),
///     bandwidth: Span::exact(BytesPerSecond::constant(1e12)),
///     launch: Span::exact(Duration::ZERO),
///     overhead: Span::exact(1.0),
/// };
/// // 1 TFLOP over 2 GB: 10 ms of arithmetic, 2 ms of traffic.
/// let work = Work {
///     kernel: Kernel::Matrix,
///     dtype: Dtype::Bf16,
///     flops: Flops::constant(1e12),
///     bytes: Bytes::new(2_000_000_000),
///     ..Work::NONE
/// };
/// let passes = [Pass { name: "step", repeats: 100.0, kernels: vec![(work, 1)] }];
/// let timed = run(&passes, &ceilings);
/// assert_eq!(timed.time.likely().to_string(), "1.00 s");
/// assert_eq!(timed.bottleneck, Bottleneck::Compute);
/// ```
#[must_use]
pub fn run(passes: &[Pass], ceilings: &Ceilings) -> Timed {
    let mut total = [0.0; 3];
    let mut shares = [0.0; 3];
    for pass in passes {
        for (work, count) in &pass.kernels {
            let times = f64::from(*count) * pass.repeats;
            for (end, total) in total.iter_mut().enumerate() {
                *total += times * parts(work, ceilings, end).seconds();
            }
            let [compute, traffic, launch] = &mut shares;
            let parts = parts(work, ceilings, LIKELY);
            *(if parts.arithmetic >= parts.traffic { compute } else { traffic }) +=
                times * parts.arithmetic.max(parts.traffic);
            *launch += times * parts.launch;
        }
    }
    let seconds = |end: usize| Duration::from_seconds(total[end]).unwrap_or(Duration::ZERO);
    let raw = Span::new(seconds(0), seconds(LIKELY), seconds(2));
    let raw = raw.unwrap_or(Span::exact(seconds(LIKELY)));
    let time = raw.combine(ceilings.overhead, |time, overhead| time * overhead);
    let names = [Bottleneck::Compute, Bottleneck::MemoryBandwidth, Bottleneck::Launch];
    let most = |best: usize, next: usize| if shares[next] > shares[best] { next } else { best };
    Timed { time, bottleneck: names[(1..3).fold(0, most)] }
}

/// Index of the likely value among low, likely, high time.
const LIKELY: usize = 1;

/// Seconds of one kernel.
struct Parts {
    arithmetic: f64,
    traffic: f64,
    launch: f64,
}

impl Parts {
    fn seconds(&self) -> f64 {
        self.arithmetic.max(self.traffic) + self.launch
    }
}

/// One kernel at one end of the span: the shortest time takes the highest rates.
fn parts(work: &Work, ceilings: &Ceilings, end: usize) -> Parts {
    let rates = match work.dtype {
        Dtype::F32 => &ceilings.arithmetic_32bit,
        _ => &ceilings.arithmetic,
    };
    let arithmetic = match work.kernel {
        Kernel::Matrix => work.flops / fastest(rates.matrix, end),
        Kernel::Attention => work.flops / fastest(rates.attention, end),
        Kernel::Pointwise => Duration::ZERO,
    };
    let traffic = work.bytes / fastest(ceilings.bandwidth, end);
    let launch = match end {
        0 => ceilings.launch.low(),
        LIKELY => ceilings.launch.likely(),
        _ => ceilings.launch.high(),
    };
    Parts {
        arithmetic: arithmetic.as_seconds(),
        traffic: traffic.as_seconds(),
        launch: launch.as_seconds(),
    }
}

fn fastest<T: Copy + PartialOrd>(rate: Span<T>, end: usize) -> T {
    match end {
        0 => rate.high(),
        LIKELY => rate.likely(),
        _ => rate.low(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_units::{Bytes, Flops};

    fn ceilings(launch: f64) -> Ceilings {
        let rate = |rate| Span::exact(FlopsPerSecond::constant(rate));
        Ceilings {
            arithmetic: Arithmetic { matrix: rate(100e12), attention: rate(50e12) },
            arithmetic_32bit: Arithmetic { matrix: rate(10e12), attention: rate(5e12) },
            bandwidth: Span::exact(BytesPerSecond::constant(1e12)),
            launch: Span::exact(Duration::constant(launch)),
            overhead: Span::exact(1.0),
        }
    }

    fn work(kernel: Kernel, flops: f64, bytes: u64) -> Work {
        let (flops, bytes) = (Flops::constant(flops), Bytes::new(bytes));
        Work { kernel, flops, bytes, dtype: Dtype::Bf16 }
    }

    #[test]
    fn wide_products_take_longer() {
        let narrow = work(Kernel::Matrix, 1e12, 0);
        let wide = Work { dtype: Dtype::F32, ..narrow };
        let seconds = |work| of(vec![(work, 1)], 0.0).time.likely().as_seconds();
        assert!((seconds(wide) / seconds(narrow) - 10.0).abs() < 1e-9);
    }

    fn of(kernels: Vec<(Work, u32)>, launch: f64) -> Timed {
        run(&[Pass { name: "test", repeats: 1.0, kernels }], &ceilings(launch))
    }

    #[test]
    fn traffic_limits_pointwise_kernels() {
        let timed = of(vec![(work(Kernel::Pointwise, 1e15, 1_000_000_000), 3)], 0.0);
        assert_eq!(timed.bottleneck, Bottleneck::MemoryBandwidth);
        assert!((timed.time.likely().as_seconds() - 3e-3).abs() < 1e-12);
    }

    #[test]
    fn gaps_limit_many_small_kernels() {
        let timed = of(vec![(work(Kernel::Matrix, 1e6, 1000), 10_000)], 5e-6);
        assert_eq!(timed.bottleneck, Bottleneck::Launch);
        assert!(timed.time.likely().as_seconds() > 0.05);
    }

    #[test]
    fn slow_rates_make_long_times() {
        let mut ceilings = ceilings(0.0);
        let rate = |tera: f64| FlopsPerSecond::constant(tera * 1e12);
        ceilings.arithmetic.matrix = Span::new(rate(50.0), rate(100.0), rate(200.0)).unwrap();
        let kernels = vec![(work(Kernel::Matrix, 1e12, 0), 1)];
        let timed = run(&[Pass { name: "test", repeats: 1.0, kernels }], &ceilings);
        assert_eq!(timed.time.to_string(), "5.00-20.0 ms");
    }
}
