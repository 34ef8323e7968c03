//! What can happen to the sites of a project: outages, dearer hours, quotas, bans; and how often, where nobody
//! says.

use std::collections::BTreeSet;
use std::sync::Arc;

use nearside_catalog::{Economics, Site, Terms};
use nearside_economics::{Event, Rate};
use nearside_policy::Country;
use nearside_units::{Duration, Known};
use nearside_workload::{Network, Project};

use super::placement::Posed;

/// A kind of event, with how often it happens where nobody says: times a year, and hours on average.
pub(crate) struct Kind {
    /// What flags call it.
    pub(crate) name: &'static str,
    per_year: f64,
    hours: f64,
    /// What the rate is of.
    pub(crate) why: &'static str,
}

/// Every kind. The rates are assumptions to begin with: no public figures hold for everybody.
#[rustfmt::skip]
pub(crate) const KINDS: [Kind; 8] = [
    Kind { name: "provider", per_year: 0.5, hours: 8.0, why: "a provider as a whole, for most of a working day every other year" },
    Kind { name: "region", per_year: 1.0, hours: 6.0, why: "a region, once a year" },
    Kind { name: "network", per_year: 6.0, hours: 4.0, why: "the line at home, every other month" },
    Kind { name: "machine", per_year: 0.25, hours: 168.0, why: "a part of the own machine, a week until it is replaced" },
    Kind { name: "prices", per_year: 0.3, hours: 2190.0, why: "a rise that is found an answer to within a quarter" },
    Kind { name: "spot", per_year: 4.0, hours: 24.0, why: "no interruptible machines for a day" },
    Kind { name: "quota", per_year: 0.5, hours: 336.0, why: "two weeks until a quota is raised again" },
    Kind { name: "country", per_year: 0.02, hours: 8760.0, why: "a ban, once in fifty years, for a year" },
];

/// An event of a kind.
pub(crate) struct Happening {
    pub(crate) kind: &'static Kind,
    pub(crate) event: Event,
}

impl Kind {
    /// Its rate where nobody states one.
    pub(crate) const fn rate(&self) -> Rate {
        Rate { per_year: self.per_year, mean: Duration::hours(self.hours) }
    }
}

/// How hard events are.
pub(crate) struct Severity {
    pub(crate) lasts: Duration,
    /// What rented hours cost, of what they cost now.
    pub(crate) dearer: f64,
    pub(crate) quota: u32,
    /// Countries without sites; those of the plan where none are named.
    pub(crate) banned: Vec<Country>,
}

/// Events that can matter to a plan which uses some sites of what was posed.
pub(crate) fn of(
    project: &Project,
    posed: &Posed,
    used: &BTreeSet<&str>,
    severity: &Severity,
) -> Vec<Happening> {
    let sites = &posed.sites;
    let far = |site: &&Site| !site.is_near();
    let mut found = Vec::new();
    let mut push = |kind: &'static str, name: String, gone: Vec<&Site>| {
        let Some(kind) = KINDS.iter().find(|known| known.name == kind) else { return };
        if gone.is_empty() {
            return;
        }
        let without = gone.iter().map(|site| site.name.to_string()).collect();
        let event = Event {
            name: name.into(),
            lasts: severity.lasts,
            without,
            stops: Vec::new(),
            dearer: None,
        };
        found.push(Happening { kind, event });
    };
    for provider in
        regions(sites, used).iter().map(|(provider, _)| provider).collect::<BTreeSet<_>>()
    {
        let of = |site: &&Site| site.place.region.as_ref().is_some_and(|it| it.0 == *provider);
        push("provider", format!("{provider} is down"), sites.iter().filter(of).collect());
    }
    for (provider, region) in regions(sites, used) {
        let of_provider = |it: &&(Arc<str>, Arc<str>)| it.0 == provider;
        let all: BTreeSet<_> = sites.iter().filter_map(|site| site.place.region.as_ref()).collect();
        // A provider that has no other region is down with it: that event is there already.
        if all.into_iter().filter(of_provider).count() == 1 {
            continue;
        }
        let of = |site: &&Site| {
            site.place.region.as_ref().is_some_and(|it| it.0 == provider && it.1 == region)
        };
        push("region", format!("{provider} {region} is down"), sites.iter().filter(of).collect());
    }
    push("network", "the network at home is down".to_owned(), sites.iter().filter(far).collect());
    let near = sites.iter().filter(|site| site.is_near()).collect();
    push("machine", "the own machine is broken".to_owned(), near);
    let spot =
        |site: &&Site| matches!(&site.economics, Economics::Rented { terms: Terms::Spot, .. });
    push("spot", "no interruptible machines".to_owned(), sites.iter().filter(spot).collect());
    let large = |site: &&Site| {
        let count = site.machine.accelerators.as_ref().map_or(0, |it| it.count);
        !site.is_near() && count > severity.quota
    };
    let name = format!("no rented machine with more than {} accelerators", severity.quota);
    push("quota", name, sites.iter().filter(large).collect());
    for country in countries(sites, used, &severity.banned) {
        let of = |site: &&Site| !site.is_near() && site.place.country == Known::Value(country);
        push("country", format!("no sites in {country}"), sites.iter().filter(of).collect());
    }
    needs_network(project, &mut found);
    let rented: Vec<&Site> = sites.iter().filter(far).collect();
    if let Some(kind) =
        KINDS.iter().find(|kind| kind.name == "prices").filter(|_| !rented.is_empty())
    {
        let names = rented.iter().map(|site| site.name.to_string()).collect();
        let event = Event {
            name: Arc::from(format!(
                "rented hours cost {:.0} % more",
                (severity.dearer - 1.0) * 100.0
            )),
            lasts: severity.lasts,
            without: Vec::new(),
            stops: Vec::new(),
            dearer: Some((names, severity.dearer)),
        };
        found.push(Happening { kind, event });
    }
    found
}

/// Stages that state that they reach the network stop without it, wherever they are.
fn needs_network(project: &Project, found: &mut [Happening]) {
    let asks = |network: &Option<Network>| network.is_some_and(|network| network != Network::None);
    let stages = project.stages.iter().filter(|stage| asks(&stage.network));
    let names: Vec<String> = stages.map(|stage| stage.name.value.clone()).collect();
    for happening in found.iter_mut().filter(|happening| happening.kind.name == "network") {
        happening.event.stops.clone_from(&names);
    }
}

/// Providers and regions of the sites that a plan uses.
fn regions(sites: &[Site], used: &BTreeSet<&str>) -> BTreeSet<(Arc<str>, Arc<str>)> {
    let used = sites.iter().filter(|site| used.contains(&*site.name));
    used.filter_map(|site| site.place.region.clone()).collect()
}

/// Countries that are named, else those of the rented sites that a plan uses.
fn countries(sites: &[Site], used: &BTreeSet<&str>, named: &[Country]) -> Vec<Country> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let used = sites.iter().filter(|site| !site.is_near() && used.contains(&*site.name));
    let mut found: Vec<Country> = Vec::new();
    for country in used.filter_map(|site| site.place.country.as_ref().value()) {
        if !found.contains(country) {
            found.push(*country);
        }
    }
    found
}
