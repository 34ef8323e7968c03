//! Emissions of using a site: electricity by location average, and its share of what making the
//! machine emitted. Other accounting bases (marginal, market, offset) are never mixed in.
//!
//! Operational: `energy x intensity`. Embodied: `total x time / (life x share in use)`
//! (Software Carbon Intensity, ISO/IEC 21031).

use nearside_catalog::{Economics, Site};
use nearside_units::{Duration, GramsCo2e, GramsPerKwh, Joules, Known, Sourced, Span};

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

/// What electricity emits: `energy x intensity` (GHG Protocol Scope 2 Guidance, location-based method).
///
/// ```
/// use nearside_estimate::carbon::operational_emissions;
/// use nearside_units::{GramsPerKwh, Joules};
/// // Llama 2 70B: 688,128 kWh at 423.5 g/kWh (its model card says 291.42 t).
/// let energy: Joules = "688128 kWh".parse().unwrap();
/// let emitted = operational_emissions(energy, GramsPerKwh::constant(423.5));
/// assert_eq!(emitted.to_string(), "291 tCO2e");
/// ```
#[must_use]
pub fn operational_emissions(energy: Joules, intensity: GramsPerKwh) -> GramsCo2e {
    energy * intensity
}

/// The share of making a machine that so much of its life in use bears:
/// `total x time / in use` (Software Carbon Intensity, ISO/IEC 21031, `M`).
///
/// ```
/// use nearside_estimate::carbon::{embodied_emissions, time_in_use};
/// use nearside_units::{Duration, GramsCo2e, HOURS_PER_YEAR};
/// // An H100 (575 kg) that works a tenth of four years: 164 g for each of its hours.
/// let (card, life) = (GramsCo2e::constant(575e3), Duration::hours(4.0 * HOURS_PER_YEAR));
/// let hour = embodied_emissions(card, Duration::hours(1.0), time_in_use(life, 0.1));
/// assert_eq!(hour.to_string(), "164 gCO2e");
/// ```
#[must_use]
pub fn embodied_emissions(total: GramsCo2e, time: Duration, in_use: Duration) -> GramsCo2e {
    total * (time.as_hours() / in_use.as_hours().max(1.0))
}

/// How long a machine works in its life: `life x share in use`, an hour at least.
#[must_use]
pub fn time_in_use(life: Duration, share: f64) -> Duration {
    (life * share.clamp(0.0, 1.0)).max(Duration::hours(1.0))
}

/// What the electricity of a site emits, by location average.
#[must_use]
pub fn operational(site: &Site, energy: Span<Joules>) -> Known<Span<GramsCo2e>> {
    let intensity = site.place.intensity.as_ref().map(|intensity| intensity.value);
    intensity.map(|intensity| energy.map(|energy| operational_emissions(energy, intensity)))
}

/// How long a site's machine serves, and the share of that in which it works.
#[must_use]
pub fn service(site: &Site, calibration: &Calibration) -> (Sourced<Duration>, Sourced<Span<f64>>) {
    let machine = &calibration.machine;
    match &site.economics {
        Economics::Owned(owned) => (owned.life.clone(), machine.own_use.clone()),
        Economics::Rented { .. } => (machine.rented_life.clone(), machine.rented_use.clone()),
    }
}

/// The share of making a site's machine that so long a use of it bears.
#[must_use]
pub fn embodied(
    site: &Site,
    time: Span<Duration>,
    calibration: &Calibration,
) -> Known<Span<GramsCo2e>> {
    let (life, used) = service(site, calibration);
    let in_use = used.value.map(|share| time_in_use(life.value, share));
    site.machine.embodied.as_ref().map(|made| {
        let made_and_time = made.value.combine(time, |total, time| total * time.as_hours());
        let hour = Duration::hours(1.0);
        made_and_time
            .combine_inverse(in_use, |total, in_use| embodied_emissions(total, hour, in_use))
    })
}

/// Emissions of using a site for so long and so much energy.
#[must_use]
pub fn carbon(
    site: &Site,
    energy: Span<Joules>,
    time: Span<Duration>,
    calibration: &Calibration,
) -> Known<Carbon> {
    let embodied = embodied(site, time, calibration);
    operational(site, energy).map(|operational| Carbon { operational, embodied })
}
