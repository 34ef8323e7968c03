//! Energy that is shown while it is used: often some part of a machine has no counter, and then what is
//! known is the least that it can be.

use std::fmt;

use nearside_probe::meter::Energy;
use nearside_units::Joules;

/// Energy of some work, with the idling of its machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum EnergySoFar {
    /// Of every part of the machine.
    All(Joules),
    /// Of the parts that are known.
    AtLeast(Joules),
}

impl EnergySoFar {
    /// What was measured; nothing where no part is known.
    pub(super) fn of(energy: &Energy) -> Option<Self> {
        let known = energy.loaded.total.likely();
        match (energy.parts.is_empty(), energy.loaded.is_complete()) {
            (true, _) => None,
            (false, true) => Some(Self::All(known)),
            (false, false) => Some(Self::AtLeast(known)),
        }
    }

    /// Both together: what is not known of one is missing in the sum.
    pub(super) fn together(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (None, None) => None,
            (Some(Self::All(one)), Some(Self::All(other))) => Some(Self::All(one + other)),
            (Some(one), Some(other)) => Some(Self::AtLeast(one.known() + other.known())),
            (Some(known), None) | (None, Some(known)) => Some(Self::AtLeast(known.known())),
        }
    }

    const fn known(self) -> Joules {
        let (Self::All(known) | Self::AtLeast(known)) = self;
        known
    }
}

impl fmt::Display for EnergySoFar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(energy) => write!(formatter, "{energy}"),
            Self::AtLeast(energy) => write!(formatter, ">{energy}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use nearside_units::{AtLeast, Known, Span};

    use super::*;

    #[test]
    fn what_is_missing_stays_missing() {
        let joules = |joules| Joules::constant(joules);
        let (all, least) =
            (Some(EnergySoFar::All(joules(2.0))), Some(EnergySoFar::AtLeast(joules(3.0))));
        let shown = |one, other| EnergySoFar::together(one, other).map(|spent| spent.to_string());
        assert_eq!(shown(all, all).as_deref(), Some("4.00 J"));
        assert_eq!(shown(all, least).as_deref(), Some(">5.00 J"));
        assert_eq!(shown(None, all).as_deref(), Some(">2.00 J"));
        assert_eq!(shown(None, None), None);
    }

    #[test]
    fn no_part_is_no_zero() {
        let mut nothing = AtLeast::new(Span::exact(Joules::ZERO));
        nothing.add(Known::unknown("no counters"), |sum, part: Span<Joules>| *sum + part);
        let (machine, marginal) = (nothing.clone(), nothing.clone());
        let energy = Energy { parts: Vec::new(), machine, marginal, loaded: nothing };
        assert_eq!(EnergySoFar::of(&energy), None);
    }
}
