//! How fast an engine writes, one stream alone: the time of one token.
//!
//! `t = max((weights + cache) / (share x bandwidth), elements x 15 / instructions per second)
//!    + layers x kernels x gap`
//!
//! Every token reads all weights that it is routed to and the keys and values before it, and every
//! kernel begins after the last one has ended. Both constants stand in
//! [`Kernels`]: `bandwidth_share` and `answering_gap`.
//!
//! Where they come from: llama-bench of Llama 3 8B, 512 tokens, as 4-bit blocks (4.62 GB read per
//! token) and as 16-bit floats (15.0 GB), tokens per second
//! (XiongjieDai/GPU-Benchmarks-on-LLM-Inference at 00dd2bde, May 2024; the last one llama.cpp pull
//! request 26284):
//!
//! | device | GB/s | 4-bit | 16-bit | slope over GB/s | per layer at 0.85 |
//! |---|---|---|---|---|---|
//! | RTX 3070 | 448 | 72.79 | | | 50 us |
//! | RTX 4070 Ti | 504 | 83.50 | | | 37 us |
//! | RTX 3080 | 760 | 109.57 | | | 62 us |
//! | RTX 4080 | 717 | 108.15 | 40.58 | 0.94 | 52 us |
//! | RTX 3080 Ti | 912 | 110.60 | | | 96 us |
//! | RTX 3090 | 936 | 115.42 | 47.40 | 0.89 | 89 us |
//! | RTX 4090 | 1008 | 130.58 | 54.84 | 0.97 | 71 us |
//! | RX 7900 XTX | 960 | 105.8 | | | 118 us |
//!
//! The difference of both sizes is traffic alone: 0.89-0.97 of the nominal bandwidth for 16-bit
//! floats. Kernels that unpack blocks reach less, so 0.85 is likely. What is left over is 37-118 us
//! per layer in builds of 2024, which launched every kernel by itself; builds since replay whole
//! graphs of kernels and need less: 45 us likely, 20-90 us. A layer is some 26 kernels.
//!
//! NVIDIA devices before compute capability 7.0 have no path of their own for integers, and unpacking
//! 4-bit blocks takes the instructions that arithmetic would take: 15 per weight, from a Tesla P40
//! (Llama 7B `Q4_K_S`, 6.74e9 weights, 5.9e12 instructions per second, 54.2 tokens per second;
//! llama.cpp pull request 4766).

use nearside_catalog::{ComputeCapability, Device, Precision};
use nearside_units::{Bytes, BytesPerSecond, Duration, Span};

use crate::calibration::Kernels;
use crate::engine::llama_cpp::Traffic;
use crate::observation::decode::{DecodeModel, Decoded};

/// Kernels of one layer of a decoder.
pub const KERNELS_PER_LAYER: u32 = 26;
/// Instructions that unpack one weight of a 4-bit block; one measured device, so a fifth either way.
const UNPACKING: [f64; 3] = [12.0, 15.0, 18.0];
/// From here on, integers have a path of their own.
const OWN_INTEGERS: ComputeCapability = ComputeCapability { major: 7, minor: 0 };

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As floats.
    Floats,
    /// In blocks that are unpacked where they are used.
    Blocks,
}

/// What writing one token takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Weights that are read.
    pub weights: Traffic,
    /// How they are stored.
    pub packing: Packing,
    /// Keys and values that are read.
    pub cache: Bytes,
    /// Layers, one after another.
    pub layers: u32,
}

impl Token {
    /// All that is read.
    #[must_use]
    pub fn read(&self) -> Bytes {
        self.weights.bytes + self.cache
    }

    /// Kernels that wait for each other.
    #[must_use]
    pub const fn gaps(&self) -> u32 {
        self.layers.saturating_mul(KERNELS_PER_LAYER)
    }

    /// This token as an observation, when it took so long.
    #[must_use]
    pub fn observed(&self, time: Duration) -> Decoded {
        Decoded { read: self.read(), gaps: self.gaps(), time }
    }
}

/// What is thought of a device before anything ran on it.
#[must_use]
pub fn prior(kernels: &Kernels, bandwidth: BytesPerSecond) -> DecodeModel {
    DecodeModel {
        bandwidth,
        efficiency: kernels.bandwidth_share.value,
        gap: kernels.answering_gap.value,
    }
}

/// How long a token takes on a device that reads as `model` says.
///
/// ```
/// use nearside_catalog::Catalog;
/// use nearside_estimate::Calibration;
/// use nearside_estimate::decode::{Packing, Token, prior, time};
/// use nearside_estimate::engine::llama_cpp::Traffic;
/// use nearside_units::Bytes;
/// let catalog = Catalog::builtin()?;
/// let device = catalog.device("rtx-3070")?;
/// let bandwidth = device.bandwidth().value().unwrap().value;
/// let model = prior(&Calibration::default().kernels, bandwidth);
/// let llama_8b = Token {
///     weights: Traffic { bytes: Bytes::new(4_620_000_000), elements: 7_500_000_000 },
///     packing: Packing::Blocks,
///     cache: Bytes::new(33_554_432),
///     layers: 32,
/// };
/// let speed = 1.0 / time(&llama_8b, &model, device).likely().as_seconds();
/// assert!((speed / 72.79 - 1.0).abs() < 0.02, "{speed}");
/// # Ok::<(), nearside_catalog::CatalogError>(())
/// ```
#[must_use]
pub fn time(token: &Token, model: &DecodeModel, device: &Device) -> Span<Duration> {
    let traffic = model.time(token.read(), 0);
    let gaps = model.gap.map(|gap| gap * f64::from(token.gaps()));
    match unpacking(token, device) {
        Some(unpacking) => traffic.combine(unpacking, Duration::max) + gaps,
        None => traffic + gaps,
    }
}

/// How long unpacking takes where it competes with arithmetic.
fn unpacking(token: &Token, device: &Device) -> Option<Span<Duration>> {
    let capability = device.compute_capability?;
    if capability >= OWN_INTEGERS || token.packing == Packing::Floats {
        return None;
    }
    let peak = device.peak(Precision::Fp32).value()?.value;
    // A multiplication with addition is one instruction and two operations.
    let instructions = peak.as_flops_per_second() / 2.0;
    let weights = token.weights.elements as f64;
    let [low, likely, high] = UNPACKING.map(|each| {
        Duration::from_seconds(weights * each / instructions).unwrap_or(Duration::ZERO)
    });
    Span::new(low, likely, high).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_catalog::Catalog;

    fn llama_7b() -> Token {
        let weights = Traffic { bytes: Bytes::new(3_860_000_000), elements: 6_740_000_000 };
        Token { weights, packing: Packing::Blocks, cache: Bytes::ZERO, layers: 32 }
    }

    fn speed(token: &Token, device: &str) -> Span<f64> {
        let catalog = Catalog::builtin().unwrap();
        let device = catalog.device(device).unwrap();
        let bandwidth = device.bandwidth().value().unwrap().value;
        let model = prior(&Kernels::default(), bandwidth);
        let time = time(token, &model, device);
        let per_second = |time: Duration| 1.0 / time.as_seconds();
        let ends = [time.high(), time.likely(), time.low()].map(per_second);
        Span::new(ends[0], ends[1], ends[2]).unwrap()
    }

    /// GTX 1080 Ti: 484 GB/s would give 90 tokens per second, 5.67e12 instructions give 52.
    #[test]
    fn old_devices_are_bound_by_unpacking() {
        let blocks = speed(&llama_7b(), "gtx-1080-ti").likely();
        assert!((45.0..58.0).contains(&blocks), "{blocks}");
        let floats = Token { packing: Packing::Floats, ..llama_7b() };
        assert!(speed(&floats, "gtx-1080-ti").likely() > 80.0);
    }

    /// The devices that the constants were derived from lie within their spans.
    #[test]
    fn devices_of_the_derivation_are_inside() {
        let weights = Traffic { bytes: Bytes::new(4_620_000_000), elements: 7_500_000_000 };
        let llama_8b = Token { weights, cache: Bytes::new(33_554_432), ..llama_7b() };
        let measured = [
            ("rtx-3070", 72.79),
            ("rtx-3080", 109.57),
            ("rtx-3080-ti", 110.60),
            ("rtx-4080", 108.15),
            ("rtx-3090", 115.42),
            ("rtx-4090", 130.58),
        ];
        for (device, tokens) in measured {
            let speed = speed(&llama_8b, device);
            assert!(speed.low() <= tokens && tokens <= speed.high(), "{device} {speed:?}");
        }
    }
}
