//! Emissions of using a site: electricity by location average, and its share of what making the
//! machine emitted. Other accounting bases (marginal, market, offset) are never mixed in.
//!
//! Operational: `energy x intensity`. Embodied: `total x time / (life x share in use)`
//! (Software Carbon Intensity, ISO/IEC 21031).

use nearside_catalog::{Economics, Site};
use nearside_units::{Duration, GramsCo2e, Joules, Known, Span};

use crate::calibration::Calibration;

/// Emissions by part.
#[derive(Clone, Debug, PartialEq)]
pub struct Carbon {
    /// Electricity, by location average.
    pub operational: Span<GramsCo2e>,
    /// Share of making the machine.
    pub embodied: Known<Span<GramsCo2e>>,
}

impl Carbon {
    /// Both parts; unknown when making the machine is unknown.
    #[must_use]
    pub fn total(&self) -> Known<Span<GramsCo2e>> {
        self.embodied.clone().map(|embodied| self.operational + embodied)
    }
}

/// Emissions of using a site for so long and so much energy.
#[must_use]
pub fn carbon(
    site: &Site,
    energy: Span<Joules>,
    time: Span<Duration>,
    calibration: &Calibration,
) -> Known<Carbon> {
    let intensity = site.place.intensity.as_ref().map(|intensity| intensity.value);
    let (life, used) = match &site.economics {
        Economics::Owned(owned) => (owned.life.value.as_hours(), calibration.machine.own_use.value),
        Economics::Rented { .. } => {
            let machine = &calibration.machine;
            (machine.rented_life.value.as_hours(), machine.rented_use.value)
        }
    };
    intensity.map(|intensity| Carbon {
        operational: energy.map(|energy| energy * intensity),
        embodied: site.machine.embodied.as_ref().map(|embodied| {
            let hours_in_use = used.map(|share| (share * life).max(1.0));
            embodied
                .value
                .combine(time, |total, time| total * time.as_hours())
                .combine_inverse(hours_in_use, |total, hours| total * (1.0 / hours))
        }),
    })
}
