//! How close real programs come to what data sheets promise. Every share and overhead that the
//! estimate uses stands here, with its basis; measurements of a site replace the start values.

mod own_engine;

pub use own_engine::{ObservedEngine, OwnEngine};

use crate::measured::MachineCeilings;
use crate::roofline::Arithmetic;
use nearside_units::{Basis, Bytes, BytesPerSecond, Date, Duration, FlopsPerSecond, Sourced, Span};

/// Shares, overheads and rates with their bases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// What kernels reach on an accelerator.
    pub kernels: Kernels,
    /// What allocators and drivers take.
    pub memory: MemoryUse,
    /// What processors reach.
    pub processor: ProcessorUse,
    /// What this program's own engine reaches.
    pub own_engine: OwnEngine,
    /// What parts draw.
    pub power: PowerUse,
    /// How machines are used over their life.
    pub machine: MachineUse,
    /// What was measured on the machine itself; nothing for machines that were not.
    pub here: MachineCeilings,
    /// Training steps that were measured on the site, over their likely estimates.
    pub observed_step: Option<Sourced<Span<f64>>>,
}

/// What kernels reach on an accelerator.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernels {
    /// Share of what a large product was measured to reach, that the products of a model reach.
    pub measured_share: Sourced<Span<f64>>,
    /// Share of the arithmetic peak that large matrix products reach.
    pub matrix_share: Sourced<Span<f64>>,
    /// Share of the arithmetic peak that attention kernels reach.
    pub attention_share: Sourced<Span<f64>>,
    /// Share of the memory bandwidth that kernels reach.
    pub bandwidth_share: Sourced<Span<f64>>,
    /// Time between kernels of a training framework.
    pub training_gap: Sourced<Span<Duration>>,
    /// Time between kernels of an inference engine.
    pub answering_gap: Sourced<Span<Duration>>,
    /// Time of a training run over that of its kernels: input pipeline, logging, stragglers.
    pub training_overhead: Sourced<Span<f64>>,
    /// Time of answering over that of its kernels: sampling, scheduling, tokenizing.
    pub answering_overhead: Sourced<Span<f64>>,
    /// Rate at which weights are read from disk.
    pub load_rate: Sourced<Span<BytesPerSecond>>,
    /// Rate at which devices of one machine exchange gradients.
    pub exchange_rate: Sourced<Span<BytesPerSecond>>,
    /// Time until a message from one device reaches another one of the machine.
    pub exchange_latency: Sourced<Span<Duration>>,
}

/// Share of the peak that large products reach on the device that `attention_share` was measured on
/// (stas00/ml-engineering: 271.2 of 312 TFLOP/s).
const PRODUCTS_OF_A100: f64 = 271.2 / 312.0;
/// A measured rate so many times a peak is not of its number format; cards may run a little above
/// their data sheet (the RTX 3090 reaches 1.06 times its peak).
const ANOTHER_FORMAT: f64 = 1.2;

impl Default for Kernels {
    /// Start values, before anything was measured.
    fn default() -> Self {
        Self {
            measured_share: assumed(
                0.6,
                0.85,
                1.0,
                "products of a model are smaller than the largest",
            ),
            matrix_share: published(
                0.5,
                0.7,
                0.87,
                "large matrix products over data sheet: MI300X 51 %, B200 78 %, H100 80 %, A100 87 % \
                 (stas00/ml-engineering); smaller ones reach less",
            ),
            attention_share: published(
                0.3,
                0.5,
                0.7,
                "FlashAttention-2, arXiv 2307.08691, figure 4: 50-73 % of the A100 peak forward",
            ),
            bandwidth_share: published(
                0.72,
                0.85,
                0.95,
                "decode speed of Llama 3 8B: 16-bit floats read at 0.89-0.97 of the bandwidth (RTX \
                 3090, 4080, 4090), 4-bit blocks at less (XiongjieDai/GPU-Benchmarks-on-LLM-Inference \
                 at 00dd2bde)",
            ),
            training_gap: assumed(
                1.0,
                3.0,
                8.0,
                "launch and gap of one eager kernel, microseconds",
            )
            .map(microseconds),
            answering_gap: published(
                0.77,
                1.73,
                3.46,
                "37-118 us per layer of Llama 3 8B besides memory traffic on eight devices, less in \
                 builds that replay whole graphs: 20-90 us over 26 kernels \
                 (XiongjieDai/GPU-Benchmarks-on-LLM-Inference at 00dd2bde)",
            )
            .map(microseconds),
            training_overhead: assumed(
                1.05,
                1.3,
                1.9,
                "published fine-tuning runs reach 0.15-0.5 of the peak",
            ),
            answering_overhead: assumed(
                1.0,
                1.1,
                1.3,
                "engines keep the device busy when answering",
            ),
            load_rate: rate(assumed(0.3e9, 1e9, 3e9, "network volume to local NVMe disk")),
            exchange_rate: rate(assumed(8e9, 18e9, 150e9, "PCIe 4.0 x16 to NVLink")),
            exchange_latency: assumed(
                1.0,
                5.0,
                15.0,
                "a turn of a collective within one machine, microseconds",
            )
            .map(microseconds),
        }
    }
}

impl Kernels {
    /// The rates that a device reaches of a peak of one number format ([`Self::shares`]).
    #[must_use]
    pub fn arithmetic(
        &self,
        peak: &Sourced<FlopsPerSecond>,
        measured: Option<Sourced<FlopsPerSecond>>,
    ) -> Arithmetic {
        let [matrix, attention] = self
            .shares(peak, measured)
            .map(|reached| reached.value.map(|share| peak.value * share));
        Arithmetic { matrix, attention }
    }

    /// The shares of a device's peak that matrix products and attention reach. What products were
    /// `measured` to reach on the device itself beats what others reach, and what holds products back
    /// holds attention back as well. A rate far above the peak is one of another number format.
    #[must_use]
    pub fn shares(
        &self,
        peak: &Sourced<FlopsPerSecond>,
        measured: Option<Sourced<FlopsPerSecond>>,
    ) -> [Sourced<Span<f64>>; 2] {
        let of_this_format =
            |measured: &Sourced<FlopsPerSecond>| measured.value / peak.value < ANOTHER_FORMAT;
        let Some(measured) = measured.filter(of_this_format) else {
            return [self.matrix_share.clone(), self.attention_share.clone()];
        };
        let best = (measured.value / peak.value).min(1.0);
        let of = |share: &Sourced<Span<f64>>, factor: f64, how: &str| {
            let how = format!("{how}: {}", measured.basis.source);
            let basis = Basis { as_of: measured.basis.as_of, ..Basis::derived(how) };
            Sourced::new(share.value.map(|share| share * factor), basis)
        };
        [
            of(&self.measured_share, best, "60-100 % of what was measured"),
            of(
                &self.attention_share,
                best / PRODUCTS_OF_A100,
                "what an A100's attention reaches of its products, by what was measured",
            ),
        ]
    }
}

/// What allocators and drivers take.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryUse {
    /// What PyTorch's allocator holds over what its replay holds.
    pub placement: Sourced<Span<f64>>,
    /// What an inference engine holds over what its buffers come to.
    pub buffers: Sourced<Span<f64>>,
    /// Memory that the driver's context and libraries take per process.
    pub context: Sourced<Span<Bytes>>,
    /// Share of a device's nominal memory that programs can have.
    pub usable: Sourced<Span<f64>>,
    /// The same for a chip that shares the machine's memory with its processor.
    pub usable_shared: Sourced<Span<f64>>,
}

impl Default for MemoryUse {
    /// Start values, before anything was measured.
    fn default() -> Self {
        let mib = |mebibytes: f64| Bytes::mib(mebibytes as u64);
        Self {
            placement: assumed(
                0.93,
                1.0,
                1.08,
                "where blocks lie depends on the driver's addresses and on small workspaces",
            ),
            buffers: assumed(1.0, 1.0, 1.03, "scratch pools of single kernels are not counted"),
            context: published(
                140.0,
                400.0,
                600.0,
                "CUDA context: 141 MiB on a T4 (torch 2.10-2.14); 300-600 MiB on newer cards assumed",
            )
            .map(|span| span.map(mib)),
            usable_shared: assumed(
                0.65,
                0.72,
                0.8,
                "graphics may take two thirds to three quarters of shared memory by default",
            ),
            usable: published(
                0.93,
                0.98,
                1.0,
                "drivers report 93.8 % (ECC on GDDR6: T4, L4, A10G) to 100 % of the nominal size",
            ),
        }
    }
}

/// What processors reach.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessorUse {
    /// Arithmetic per hardware thread of a processor, 32-bit.
    pub thread_flops: Sourced<Span<FlopsPerSecond>>,
    /// Arithmetic of 8-bit integers per hardware thread of a processor.
    pub thread_integers: Sourced<Span<FlopsPerSecond>>,
    /// Memory bandwidth per hardware thread of a processor, up to `bandwidth`.
    pub thread_bandwidth: Sourced<Span<BytesPerSecond>>,
    /// Memory bandwidth of a whole processor.
    pub bandwidth: Sourced<Span<BytesPerSecond>>,
    /// What one more hardware thread brings when all are busy.
    pub thread_share: Sourced<Span<f64>>,
    /// Share of measured 32-bit products that the 32-bit products of engines reach.
    pub product_share: Sourced<Span<f64>>,
    /// Share of measured 32-bit products that products of narrower numbers reach.
    pub narrow_product_share: Sourced<Span<f64>>,
    /// Share of the measured memory bandwidth that kernels reach.
    pub stream_share: Sourced<Span<f64>>,
}

impl Default for ProcessorUse {
    /// Start values, before anything was measured.
    fn default() -> Self {
        Self {
            thread_flops: assumed(
                8.0,
                20.0,
                45.0,
                "32-bit GFLOP/s per hardware thread: AVX2 at about 3 GHz, two threads per core",
            )
            .map(|span| span.map(|giga| FlopsPerSecond::constant(giga * 1e9))),
            thread_integers: assumed(
                12.0,
                60.0,
                250.0,
                "products of 8-bit integers per hardware thread, GOP/s: AVX2 to AVX-512 VNNI at \
                 about 3 GHz, two threads per core",
            )
            .map(|span| span.map(|giga| FlopsPerSecond::constant(giga * 1e9))),
            thread_bandwidth: rate(assumed(
                2e9,
                5e9,
                14e9,
                "memory bandwidth per virtual CPU: 2-4 GB/s of a server that is full, 10 GB/s of two on a \
                 Xeon (`doctor --measure`), 14 GB/s of one core alone",
            )),
            bandwidth: rate(assumed(
                35e9,
                60e9,
                300e9,
                "two channels of DDR5 on a desktop to eight on a server",
            )),
            thread_share: assumed(0.6, 0.8, 1.0, "scaling of data work over hardware threads"),
            product_share: assumed(
                0.5,
                0.8,
                1.2,
                "engines have kernels of their own, and models have products of odd shapes",
            ),
            narrow_product_share: assumed(
                0.5,
                0.8,
                1.5,
                "narrow numbers are widened first, or multiplied by instructions of their own",
            ),
            stream_share: assumed(
                0.65,
                0.85,
                1.0,
                "kernels wait for each other and unpack what they read",
            ),
        }
    }
}

/// What parts draw.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerUse {
    /// Share of its nominal power that a busy accelerator draws on average.
    pub busy_share: Sourced<Span<f64>>,
    /// Share of its nominal power that an idle accelerator draws.
    pub idle_share: Sourced<Span<f64>>,
    /// Share of its stated load that an own machine draws on average at work.
    pub stated_load_share: Sourced<Span<f64>>,
    /// Share of its power that a hardware thread draws while the machine works elsewhere or waits.
    pub resting_share: Sourced<Span<f64>>,
    /// Power of one busy hardware thread of a server, in watts.
    pub thread_watts: Sourced<Span<f64>>,
    /// Power of memory, in watts per gigabyte.
    pub memory_watts: Sourced<Span<f64>>,
}

impl Default for PowerUse {
    /// Start values, before anything was measured.
    fn default() -> Self {
        Self {
            busy_share: published(
                0.5,
                0.75,
                0.95,
                "training draws 50-90 % of nominal power (BLOOM, Patterson et al. 2021)",
            ),
            idle_share: assumed(0.04, 0.1, 0.2, "idle accelerators with a loaded context"),
            stated_load_share: assumed(0.8, 0.95, 1.0, "work comes close to the stated load"),
            resting_share: assumed(0.2, 0.25, 0.3, "SPECpower: 0.5-0.8 W of 1.7-4.2 W when idle"),
            thread_watts: published(
                1.7,
                3.0,
                4.2,
                "SPECpower: 1.7-4.2 W per busy virtual CPU (Cloud Carbon Footprint)",
            ),
            memory_watts: published(0.1, 0.3725, 0.6, "Green Algorithms: 0.3725 W/GB"),
        }
    }
}

/// How machines are used over their life.
#[derive(Clone, Debug, PartialEq)]
pub struct MachineUse {
    /// Time between checkpoints of work that can be interrupted.
    pub checkpoint_interval: Sourced<Span<Duration>>,
    /// Part of the purchase price that use wears off, rather than time.
    pub wear_share: Sourced<Span<f64>>,
    /// Share of its life that an own machine works.
    pub own_use: Sourced<Span<f64>>,
    /// Share of its life that a rented machine works for somebody.
    pub rented_use: Sourced<Span<f64>>,
    /// How long a rented server is in service.
    pub rented_life: Sourced<Duration>,
    /// Yearly maintenance as a share of the purchase price.
    pub maintenance: Sourced<Span<f64>>,
}

impl Default for MachineUse {
    /// Start values, before anything was measured.
    fn default() -> Self {
        Self {
            checkpoint_interval: assumed(0.25, 0.5, 1.0, "hours between checkpoints")
                .map(|span| span.map(Duration::hours)),
            wear_share: assumed(
                0.05,
                0.1,
                0.2,
                "fans, disks and boards age with use; the rest with time",
            ),
            own_use: assumed(0.1, 0.25, 0.5, "an own workstation works a quarter of its life"),
            rented_use: assumed(0.5, 0.7, 0.9, "a rented server works most of its life"),
            rented_life: Sourced::new(
                Duration::hours(5.0 * nearside_units::HOURS_PER_YEAR),
                Basis::assumed("cloud servers serve four to six years"),
            ),
            maintenance: assumed(0.03, 0.05, 0.1, "yearly maintenance over purchase price"),
        }
    }
}

fn microseconds(span: Span<f64>) -> Span<Duration> {
    span.map(|micros| Duration::constant(micros * 1e-6))
}

/// Three numbers in order, or the middle one alone when they are not.
fn span(low: f64, likely: f64, high: f64) -> Span<f64> {
    Span::new(low, likely, high).unwrap_or(Span::exact(likely))
}

fn assumed(low: f64, likely: f64, high: f64, why: &'static str) -> Sourced<Span<f64>> {
    Sourced::new(span(low, likely, high), Basis::assumed(why))
}

fn published(low: f64, likely: f64, high: f64, source: &'static str) -> Sourced<Span<f64>> {
    let as_of: Option<Date> = "2026".parse().ok();
    Sourced::new(span(low, likely, high), Basis::published(source, as_of))
}

fn rate(value: Sourced<Span<f64>>) -> Sourced<Span<BytesPerSecond>> {
    value.map(|span| span.map(BytesPerSecond::constant))
}
