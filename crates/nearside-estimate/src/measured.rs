//! What was measured on a machine itself: its ceilings, in place of a data sheet's or of what is
//! assumed of machines of its kind.
//!
//! A measured ceiling is what a plain program reached. Programs that people run reach a share of
//! it, which stays an assumption until they are observed ([`crate::observation`]).

use nearside_catalog::Precision;
use nearside_units::{BytesPerSecond, FlopsPerSecond, Sourced, Span};

use crate::calibration::ProcessorUse;
use crate::input::Input;

/// Ceilings of one machine, each where it was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MachineCeilings {
    /// Products of large 32-bit matrices on all threads.
    pub matrix: Option<Sourced<Span<FlopsPerSecond>>>,
    /// Products of large matrices of 8-bit numbers on all threads.
    pub integer: Option<Sourced<Span<FlopsPerSecond>>>,
    /// Reading memory with all threads: what answering does with weights.
    pub read: Option<Sourced<Span<BytesPerSecond>>>,
    /// Reading and writing memory with all threads: what training does with states.
    pub update: Option<Sourced<Span<BytesPerSecond>>>,
}

impl MachineCeilings {
    /// Whether nothing was measured.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        let arithmetic = self.matrix.is_some() || self.integer.is_some();
        !arithmetic && self.read.is_none() && self.update.is_none()
    }

    /// What engines reach of the measured products on the processor.
    pub(crate) fn products(
        &self,
        precision: Precision,
        processor: &ProcessorUse,
        inputs: &mut Vec<Input>,
    ) -> Option<Span<FlopsPerSecond>> {
        let measured = self.matrix.as_ref()?;
        let share = match precision {
            Precision::Fp32 => &processor.product_share,
            _ => &processor.narrow_product_share,
        };
        inputs.push(Input::of("32-bit matrix products here", measured));
        inputs.push(Input::of("engines reach of those products", share));
        Some(measured.value.combine(share.value, |rate, share| rate * share))
    }

    /// What kernels reach of the measured memory bandwidth on the processor.
    pub(crate) fn traffic(
        &self,
        kind: Traffic,
        processor: &ProcessorUse,
        inputs: &mut Vec<Input>,
    ) -> Option<Span<BytesPerSecond>> {
        let (what, measured) = match kind {
            Traffic::Read => ("memory read here", self.read.as_ref()?),
            Traffic::Update => ("memory update (triad) here", self.update.as_ref()?),
        };
        let share = &processor.stream_share;
        inputs.push(Input::of(what, measured));
        inputs.push(Input::of("kernels reach of that bandwidth", share));
        Some(measured.value.combine(share.value, |rate, share| rate * share))
    }
}

/// What a workload mostly does to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Answering reads weights.
    Read,
    /// Training reads and writes.
    Update,
}
