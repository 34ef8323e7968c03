//! Power where no counter measures it: a model with the caller's parameters, which says that it is
//! one.
//!
//! A processor draws `P = P_idle + (P_full - P_idle) u`, where `u` is the busy share of all its
//! logical processors; memory and the rest of the machine draw a constant.
//! Source for the shares of TDP: SPECpower figures of servers (idle 10 to 15 % of TDP, all cores
//! busy about the TDP), as in Cloud Carbon Footprint's coefficients.

use nearside_units::{Known, Span, Watts};

/// Power of the machine's parts, for where there is no counter and for the idle share of what is
/// counted.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerModel {
    /// All processors together.
    pub processor: Known<LoadPower>,
    /// All main memory.
    pub memory: Known<Span<Watts>>,
    /// Everything else: board, disks, fans, losses of the power supply.
    pub rest: Known<Span<Watts>>,
    /// One accelerator that does nothing; what it draws at work is never modelled.
    pub accelerator_idle: Known<Span<Watts>>,
}

/// Power that grows with load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadPower {
    /// Doing nothing.
    pub idle: Span<Watts>,
    /// All logical processors busy. No less than idle, end by end.
    pub full: Span<Watts>,
}

impl PowerModel {
    /// Nothing is known: what has no counter stays unknown.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            processor: Known::unknown(
                "no power counter, and no power model of the processor given",
            ),
            memory: Known::unknown("no power counter, and no power model of the memory given"),
            rest: Known::unknown("no power model of board, disks and fans given"),
            accelerator_idle: Known::unknown("no idle power of the accelerator given"),
        }
    }
}

impl LoadPower {
    /// A processor of this thermal design power (TDP): idle 10 to 15 % of it, busy all of it.
    ///
    /// ```
    /// use nearside_probe::meter::LoadPower;
    /// use nearside_units::Watts;
    /// let power = LoadPower::of_tdp(Watts::constant(100.0));
    /// assert_eq!(power.idle.low(), Watts::constant(10.0));
    /// assert_eq!(power.full.likely(), Watts::constant(100.0));
    /// ```
    #[must_use]
    pub fn of_tdp(tdp: Watts) -> Self {
        let shares = Span::new(0.10, 0.125, 0.15).unwrap_or(Span::exact(0.125));
        Self { idle: shares.map(|share| tdp * share), full: Span::exact(tdp) }
    }

    /// Watts of idling: low, likely, high.
    pub(crate) fn idle_watts(&self) -> [f64; 3] {
        ends(self.idle)
    }

    /// Watts that full load adds: low, likely, high.
    pub(crate) fn added_watts(&self) -> [f64; 3] {
        let (idle, full) = (ends(self.idle), ends(self.full));
        let mut added = [0, 1, 2].map(|at| (full[at] - idle[at]).max(0.0));
        added.sort_by(f64::total_cmp);
        added
    }
}

/// The three ends of a span in watts.
pub(crate) fn ends(span: Span<Watts>) -> [f64; 3] {
    [span.low().as_watts(), span.likely().as_watts(), span.high().as_watts()]
}
