//! How sure a figure is: the rule of every 90 % interval, and why it is so wide. None of them was
//! fitted to the rows that are scored.

use nearside_estimate::engine::llama_cpp::Reservation;
use nearside_units::{Bytes, Span};

/// Weights and states: known but for the blocks of 512 bytes that some who count round up to.
const COUNTED: [f64; 2] = [0.999, 1.001];
/// Live tensors: the events of families with a graph are those of the real program, but for a
/// handful of small tensors; the golden tests hold every family's peak to half a percent.
const LIVE: [f64; 2] = [0.995, 1.005];
/// Allocated: live tensors, and libraries that ask for workspaces of their own which are not
/// modelled (cublasLt, some 10 MiB; more pieces when several streams are used). So never less than
/// modelled, and at times more.
const ALLOCATED: [f64; 2] = [0.998, 1.015];
/// Reserved: holes between blocks depend on the addresses that the driver hands out and on what ran
/// before the steady step, such as loading and warming up; both mostly add.
const RESERVED: [f64; 2] = [0.95, 1.08];
/// Engines print MiB with two digits, so a buffer's own figure is known to half of the last one;
/// an estimate has to follow a printed figure, and a process has up to ten buffers.
const PRINTED: f64 = 0.005 * 1_048_576.0;

/// Weights and states.
pub(crate) fn counted(bytes: Bytes) -> Span<f64> {
    spread(bytes, COUNTED)
}

/// Live tensors.
pub(crate) fn live(bytes: Bytes) -> Span<f64> {
    spread(bytes, LIVE)
}

/// What the allocator handed out.
pub(crate) fn allocated(bytes: Bytes) -> Span<f64> {
    spread(bytes, ALLOCATED)
}

/// What the allocator took from the driver.
pub(crate) fn reserved(bytes: Bytes) -> Span<f64> {
    spread(bytes, RESERVED)
}

/// A figure of an engine: exact but for the digits that it prints, per buffer in use.
pub(crate) fn printed(bytes: Bytes, of: &Reservation) -> Span<f64> {
    let used = [of.host, of.device].iter().filter(|place| place.total() > Bytes::ZERO).count();
    // Weights, two caches where layers have windows, compute, output.
    let hidden = PRINTED * 5.0 * used as f64;
    let bytes = bytes.get() as f64;
    Span::new((bytes - hidden).max(0.0), bytes, bytes + hidden).unwrap_or(Span::exact(bytes))
}

fn spread(bytes: Bytes, [low, high]: [f64; 2]) -> Span<f64> {
    let bytes = bytes.get() as f64;
    Span::new(bytes * low, bytes, bytes * high).unwrap_or(Span::exact(bytes))
}
