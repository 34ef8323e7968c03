//! Other accounts of the same electricity: marginal, market-based, carbon-free. Each is a line of its own;
//! none is added to a total or multiplied with another (GHG Protocol Scope 2; ISO/IEC 21031).

use nearside_catalog::Site;
use nearside_economics::carbon::Tally;
use nearside_estimate::carbon::operational_emissions;
use nearside_units::{Basis, GramsPerKwh, Joules, Known, Sourced};
use nearside_workload::SitePattern;

use super::World;
use super::planned::PlannedStage;
use super::view::{AccountView, OtherView, kilograms};
use crate::cli::Carbon;
use crate::error::{CommandError, Fault};
use crate::view::Figure;

/// What the person stated of sites.
pub(super) struct Stated {
    marginal: Vec<(SitePattern, Sourced<GramsPerKwh>)>,
    market: Vec<(SitePattern, Sourced<GramsPerKwh>)>,
}

impl Stated {
    pub(super) fn of(arguments: &Carbon) -> Result<Self, CommandError> {
        Ok(Self {
            marginal: stated("--marginal", &arguments.marginal)?,
            market: stated("--market", &arguments.market)?,
        })
    }
}

impl Stated {
    /// The sites that something was stated of, each with its option.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (&'static str, &SitePattern)> {
        let marginal = self.marginal.iter().map(|(pattern, _)| ("--marginal", pattern));
        marginal.chain(self.market.iter().map(|(pattern, _)| ("--market", pattern)))
    }
}

fn stated(
    option: &str,
    texts: &[String],
) -> Result<Vec<(SitePattern, Sourced<GramsPerKwh>)>, CommandError> {
    let one = |text: &String| {
        let wrong = |why: String| {
            CommandError::new(Fault::Usage, format!("{option} {text}: {why}"))
                .hint(format!("{option} 'here=700 g/kWh'"))
        };
        let (site, value) =
            text.split_once('=').ok_or_else(|| wrong("write SITE=INTENSITY".to_owned()))?;
        let value: GramsPerKwh =
            value.parse().map_err(|error: nearside_units::ParseError| wrong(error.to_string()))?;
        Ok((SitePattern::new(site.trim()), Sourced::new(value, Basis::published(option, None))))
    };
    texts.iter().map(one).collect()
}

/// The accounts of each site in use, with the planned energy of a month.
pub(super) fn of(
    sites: &[&Site],
    stages: &[PlannedStage<'_>],
    stated: &Stated,
    world: &World<'_>,
) -> Vec<AccountView> {
    let account = |site: &&Site| {
        let here = stages.iter().filter(|stage| stage.site.name == site.name);
        let monthly: Vec<_> = here.map(|stage| stage.once.times(stage.monthly)).collect();
        let energy = Tally::of(&monthly).energy;
        let energy = (energy.is_complete() && !monthly.is_empty()).then_some(energy.total);
        let region = site.place.region.as_ref();
        let region = region.and_then(|(provider, name)| world.catalog.region(provider, name).ok());
        let own = |stated: &[(SitePattern, Sourced<GramsPerKwh>)]| {
            let found = stated.iter().find(|(pattern, _)| pattern.matches(&site.name));
            found.map(|(_, value)| value.clone())
        };
        let marginal = own(&stated.marginal).map_or_else(
            || region.map_or_else(|| none("marginal intensity"), |region| region.marginal()),
            Known::Value,
        );
        let market =
            own(&stated.market).map_or_else(|| none("market-based intensity"), Known::Value);
        let free = region.map_or_else(|| none("carbon-free share"), |region| region.carbon_free());
        AccountView {
            site: site.name.to_string(),
            marginal: Figure::of(&marginal, |value| other(value, energy)),
            market: Figure::of(&market, |value| other(value, energy)),
            carbon_free: Figure::of(&free, |share| share.value.fraction()),
        }
    };
    sites.iter().map(account).collect()
}

fn none<T>(what: &str) -> Known<T> {
    Known::unknown(format!("no {what} of it is known"))
}

fn other(intensity: &Sourced<GramsPerKwh>, energy: Option<Joules>) -> OtherView {
    let emitted = energy.map(|energy| operational_emissions(energy, intensity.value));
    OtherView {
        g_per_kwh: intensity.value.as_grams_per_kwh(),
        kg_per_month: emitted.map(kilograms),
        source: intensity.basis.to_string(),
    }
}
