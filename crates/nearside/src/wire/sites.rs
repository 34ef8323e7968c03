//! From project and catalog to the sites that a plan may use.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nearside_catalog::{
    Accelerators, Catalog, Economics, Machine, Offer, Ownership, Place, Reach, Region, Site, Terms,
};
use nearside_policy::{Class, Clearance};
use nearside_units::{
    Basis, BytesPerSecond, Duration, ExchangeRates, Kind, Known, MoneyError, PerHour, PerKwh,
    Sourced, Span,
};
use nearside_workload as workload;
use nearside_workload::{MachineSource, SiteFile, Spot, Tenure};

use super::machine::{Free, detected, embodied, of_detected, stated, this_machine};
use super::project::Loaded;
use super::read_text;
use crate::error::{CommandError, Fault, Problem};

/// Threads of the host that a rented machine is cut from.
const HOST_THREADS: f64 = 192.0;

/// Sites, and what had to be assumed or left out on the way.
#[derive(Debug)]
pub(crate) struct Sites {
    pub(crate) sites: Vec<Site>,
    pub(crate) notes: Vec<String>,
    /// The names of those that are the machine that runs this program.
    pub(crate) this_machine: Vec<Arc<str>>,
}

/// One site of one's own, and what had to be assumed on the way.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) site: Site,
    pub(crate) notes: Vec<String>,
    pub(crate) machine: Whose,
    /// What is free there now, where that was asked.
    pub(crate) free: Option<Free>,
}

/// Which machine a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The one that runs this program.
    ThisMachine,
    /// Any other, or one that is only described.
    Another,
}

/// Every site that a project may use: its own, and the offers that its patterns match.
pub(crate) fn of_project(loaded: &Loaded, catalog: &Catalog) -> Result<Sites, CommandError> {
    let project = &loaded.project;
    let mut sites = Vec::new();
    let mut notes = Vec::new();
    let mut this_machine = Vec::new();
    let rates = &project.money.exchange;
    for own in &project.sites.own {
        if !project.sites.uses(&own.name) {
            continue;
        }
        if own.machine == MachineSource::Unstated {
            let launcher = own.launcher;
            let name = &own.name;
            notes.push(format!(
                "site {name} ({launcher}) is left out: nothing says what machines it has; give \
                 [site.{name}] accelerators, cores and memory"
            ));
        } else {
            let Own { mut site, notes: more, machine, .. } =
                own_site(own.clone(), &loaded.folder, catalog, rates)
                    .map_err(|error| loaded.at(&own.span, error))?;
            if machine == Whose::ThisMachine {
                this_machine.push(Arc::clone(&site.name));
            }
            site.clearance = project.policy.clearance(&own.name, own.ownership(), own.clearance);
            notes.extend(more.into_iter().map(|note| format!("{}: {note}", own.name)));
            sites.push(site);
        }
    }
    let mut offers = BTreeMap::new();
    for pattern in project.sites.used.iter().filter(|pattern| !pattern.is_name()) {
        let matching = catalog
            .offers_matching(&pattern.text)
            .map_err(|error| loaded.at(&pattern.span, error.into()))?;
        for offer in matching {
            offers.insert(offer.key.to_string(), offer);
        }
    }
    for (name, offer) in offers {
        let short = format!("{}/{}", offer.key.provider, offer.key.instance);
        let excluded =
            |pattern: &workload::SitePattern| pattern.matches(&name) || pattern.matches(&short);
        if project.sites.never.iter().any(excluded) {
            continue;
        }
        for mut site in rented_sites(offer, catalog, rates, project.sites.spot)? {
            let ownership = workload::Ownership::Rented;
            site.clearance = project.policy.clearance(&site.name, ownership, None);
            sites.push(site);
        }
    }
    Ok(Sites { sites, notes, this_machine })
}

/// A recorded machine file as a site.
pub(crate) fn of_file(path: &Path, catalog: &Catalog) -> Result<Own, CommandError> {
    let text = read_text(path)?;
    let name = path.display().to_string();
    let file = SiteFile::parse(&text).map_err(|errors| in_file(name, &text, errors))?;
    let rates = ExchangeRates::new(own_currency(&file.site), BTreeMap::new());
    let folder = path.parent().unwrap_or(Path::new("."));
    own_site(file.site, folder, catalog, &rates)
}

/// This machine as a site without a price.
pub(crate) fn here(catalog: &Catalog) -> Result<Own, CommandError> {
    let detected = detected()?;
    let (machine, notes) = of_detected(catalog, &detected);
    let free = Some(Free::of(&detected));
    Ok(Own { site: bare("here", machine, catalog)?, notes, machine: Whose::ThisMachine, free })
}

/// The site that a project describes this machine as, if it does.
pub(crate) fn own_here(loaded: &Loaded, catalog: &Catalog) -> Result<Option<Own>, CommandError> {
    let project = &loaded.project;
    let describes = |own: &&workload::Site| {
        own.name == workload::HERE && matches!(own.machine, MachineSource::ThisMachine)
    };
    let own = project.sites.own.iter().find(describes);
    own.map(|own| own_site(own.clone(), &loaded.folder, catalog, &project.money.exchange))
        .transpose()
}

/// The site that a project calls its near machine, whatever describes it.
fn near(loaded: &Loaded, catalog: &Catalog) -> Result<Option<Own>, CommandError> {
    let project = &loaded.project;
    let own = project.sites.own.iter().find(|own| own.name == workload::HERE);
    own.map(|own| own_site(own.clone(), &loaded.folder, catalog, &project.money.exchange))
        .transpose()
}

/// The near machine that is meant: so many of a named device, a recorded one, the project's, or this one.
pub(crate) fn chosen(
    device: Option<(&str, u32)>,
    file: Option<&Path>,
    loaded: Option<&Loaded>,
    catalog: &Catalog,
) -> Result<Own, CommandError> {
    match (device, file, loaded) {
        (Some((device, count)), ..) => of_device(device, count, catalog),
        (None, Some(file), _) => of_file(file, catalog),
        (None, None, Some(loaded)) => match near(loaded, catalog)? {
            Some(own) => Ok(own),
            None => here(catalog),
        },
        (None, None, None) => here(catalog),
    }
}

/// So many devices of a kind in a machine of which nothing else is stated.
pub(crate) fn of_device(device: &str, count: u32, catalog: &Catalog) -> Result<Own, CommandError> {
    let device = Arc::new(catalog.device(device)?.clone());
    let name = match count {
        1 => device.title.to_string(),
        count => format!("{count}x {}", device.title),
    };
    let accelerators = Some(Accelerators { device, count });
    let machine = Machine {
        processor: unstated("the processor"),
        threads: unstated("the number of threads"),
        memory: unstated("memory"),
        disk: unstated("disk space"),
        embodied: embodied(catalog, accelerators.as_ref(), "desktop", 1.0),
        accelerators,
    };
    let site = bare(&name, machine, catalog)?;
    Ok(Own { site, notes: Vec::new(), machine: Whose::Another, free: None })
}

/// Where a machine would stand that nobody has built yet; what it is made of is not stated.
pub(crate) fn unbuilt(catalog: &Catalog) -> Result<Site, CommandError> {
    let machine = Machine {
        processor: unstated("the processor"),
        threads: unstated("the number of threads"),
        memory: unstated("memory"),
        disk: unstated("disk space"),
        embodied: unstated("what making it emitted"),
        accelerators: None,
    };
    bare("unbuilt", machine, catalog)
}

/// A machine that nobody priced or placed.
fn bare(name: &str, machine: Machine, catalog: &Catalog) -> Result<Site, CommandError> {
    let intensity = catalog.intensity_at(None, None)?;
    Ok(Site {
        name: name.into(),
        machine,
        economics: Economics::Owned(Ownership {
            price: unstated("purchase price"),
            life: Sourced::new(
                Duration::hours(4.0 * nearside_units::HOURS_PER_YEAR),
                Basis::assumed("four years"),
            ),
            tariff: unstated("electricity tariff"),
            load: unstated("power under load"),
            idle: unstated("idle power"),
        }),
        place: Place {
            location: name.into(),
            region: None,
            country: unstated("country"),
            pue: Sourced::new(Span::exact(1.0), Basis::assumed("a desk has no building")),
            intensity: Known::Value(intensity.value),
            intensity_steps: intensity.steps,
        },
        reach: home_reach(&Known::unknown("not stated"), &Known::unknown("not stated")),
        startup: nothing_to_wait_for(),
        clearance: Clearance(Class::Special),
    })
}

fn unstated<T>(what: &str) -> Known<T> {
    Known::unknown(format!("{what} is not stated"))
}

fn nothing_to_wait_for() -> Sourced<Span<Duration>> {
    Sourced::new(Span::exact(Duration::ZERO), Basis::assumed("an own machine is up"))
}

fn own_currency(site: &workload::Site) -> nearside_units::Currency {
    match &site.tenure {
        Tenure::Owned { price: Known::Value(price), .. } => price.currency(),
        Tenure::Rented(rent) => rent.money().currency(),
        Tenure::Owned { .. } => match &site.power.tariff {
            Known::Value(tariff) => tariff.money().currency(),
            Known::Unknown(_) => nearside_units::Currency::USD,
        },
    }
}

/// A site of one's own, with notes on what was assumed.
fn own_site(
    mut own: workload::Site,
    folder: &Path,
    catalog: &Catalog,
    rates: &ExchangeRates,
) -> Result<Own, CommandError> {
    let mut notes = Vec::new();
    let mut source = format!("site.{}", own.name);
    if let MachineSource::File(path) = &own.machine {
        source = path.value.clone();
        let path = folder.join(&path.value);
        let text = read_text(&path)?;
        let name = path.display().to_string();
        let recorded = SiteFile::parse(&text).map_err(|errors| in_file(name, &text, errors))?;
        own = own.filled_from(recorded.site);
    }
    let machine = match &own.machine {
        MachineSource::Stated(machine) => stated(catalog, machine, &source)?,
        MachineSource::ThisMachine => {
            let (machine, more) = this_machine(catalog)?;
            notes = more;
            machine
        }
        MachineSource::File(_) | MachineSource::Unstated => {
            let message = format!("nothing says what machine site \"{}\" is", own.name);
            return Err(CommandError::new(Fault::Input, message).hint(format!(
                "give [site.{}] a `machine = \"FILE\"`, or accelerators, cores and memory",
                own.name
            )));
        }
    };
    let country = own.location.country.clone();
    let subdivision = own.location.subdivision.as_deref().map(|code| match country {
        // People write CA for US-CA where the country is stated beside it.
        Known::Value(country) if !code.contains('-') => format!("{country}-{code}"),
        _ => code.to_owned(),
    });
    let intensity = catalog.intensity_at(country.clone().value(), subdivision.as_deref())?;
    notes.extend(intensity.steps.iter().map(ToString::to_string));
    let whose = match own.machine {
        MachineSource::ThisMachine => Whose::ThisMachine,
        _ => Whose::Another,
    };
    let economics = own_economics(&own, rates, &source)?;
    let site = Site {
        name: own.name.as_str().into(),
        machine,
        economics,
        place: Place {
            location: own.name.as_str().into(),
            region: None,
            country,
            pue: Sourced::new(Span::exact(own.pue), Basis::published(source.as_str(), None)),
            intensity: Known::Value(intensity.value),
            intensity_steps: intensity.steps,
        },
        reach: home_reach(&own.uplink, &own.downlink),
        startup: nothing_to_wait_for(),
        clearance: Clearance(Class::Special),
    };
    Ok(Own { site, notes, machine: whose, free: None })
}

fn own_economics(
    own: &workload::Site,
    rates: &ExchangeRates,
    source: &str,
) -> Result<Economics, CommandError> {
    let says = || Basis::published(source, None);
    let exchange = |error: MoneyError| CommandError::new(Fault::Input, error.to_string());
    Ok(match &own.tenure {
        Tenure::Rented(rent) => {
            let price = PerHour::new(rates.convert(rent.money()).map_err(exchange)?);
            let price = Known::Value(Sourced::new(price, says()));
            Economics::Rented { price, terms: Terms::OnDemand, interruptions: kept() }
        }
        Tenure::Owned { price, life, .. } => {
            let price = match price {
                Known::Value(price) => Known::Value(rates.convert(*price).map_err(exchange)?),
                Known::Unknown(why) => Known::Unknown(Arc::clone(why)),
            };
            let tariff = match &own.power.tariff {
                Known::Value(tariff) => {
                    Known::Value(PerKwh::new(rates.convert(tariff.money()).map_err(exchange)?))
                }
                Known::Unknown(why) => Known::Unknown(Arc::clone(why)),
            };
            Economics::Owned(Ownership {
                price: price.map(|price| Sourced::new(price, says())),
                life: Sourced::new(*life, says()),
                tariff: tariff.map(|tariff| Sourced::new(tariff, says())),
                load: own.power.load.clone().map(|load| Sourced::new(load, says())),
                idle: own.power.idle.clone().map(|idle| Sourced::new(idle, says())),
            })
        }
    })
}

fn home_reach(up: &Known<BytesPerSecond>, down: &Known<BytesPerSecond>) -> Reach {
    let stated = |rate: &Known<BytesPerSecond>, otherwise: f64, what: &str| match rate {
        Known::Value(rate) => Sourced::new(*rate, Basis::published("project file", None)),
        Known::Unknown(_) => {
            Sourced::new(BytesPerSecond::constant(otherwise), Basis::assumed(what))
        }
    };
    Reach {
        uplink: stated(up, 5e6, "40 Mbit/s up, an ordinary office line"),
        downlink: stated(down, 31.25e6, "250 Mbit/s down, an ordinary office line"),
    }
}

/// An offer as a site: on demand, and interruptible where the project allows it.
fn rented_sites(
    offer: &Offer,
    catalog: &Catalog,
    rates: &ExchangeRates,
    spot: Spot,
) -> Result<Vec<Site>, CommandError> {
    let region = catalog.region_of(offer)?;
    let mut sites = vec![rented(offer, region, catalog, rates, Terms::OnDemand)?];
    if spot == Spot::Allowed && matches!(offer.price(Terms::Spot), Known::Value(_)) {
        sites.push(rented(offer, region, catalog, rates, Terms::Spot)?);
    }
    Ok(sites)
}

fn rented(
    offer: &Offer,
    region: &Region,
    catalog: &Catalog,
    rates: &ExchangeRates,
    terms: Terms,
) -> Result<Site, CommandError> {
    let device = catalog.device_of(offer)?.map(|device| Arc::new(device.clone()));
    let count = offer.devices.max(1);
    let accelerators = device.map(|device| Accelerators { device, count });
    let threads = offer.vcpus();
    let share = threads
        .as_ref()
        .value()
        .map_or(1.0, |threads| (f64::from(threads.value) / HOST_THREADS).min(1.0));
    let intensity = catalog.intensity(region)?;
    let key = &offer.key;
    let name = match terms {
        Terms::OnDemand => key.to_string(),
        Terms::Spot => format!("{key} spot"),
    };
    Ok(Site {
        name: name.into(),
        machine: Machine {
            processor: Known::unknown("the provider does not promise a processor"),
            threads,
            memory: offer.memory(),
            disk: Known::unknown("disk is rented separately"),
            embodied: embodied(catalog, accelerators.as_ref(), "server", share),
            accelerators,
        },
        economics: Economics::Rented {
            price: price(offer, terms, rates)?,
            terms,
            interruptions: match terms {
                Terms::OnDemand => kept(),
                Terms::Spot => interruptions(catalog, offer),
            },
        },
        place: Place {
            location: format!("{}/{}", key.provider, key.region).into(),
            region: Some((Arc::clone(&key.provider), Arc::clone(&key.region))),
            country: region.country(),
            pue: pue(region),
            intensity: Known::Value(intensity.value),
            intensity_steps: intensity.steps,
        },
        reach: cloud_reach(offer),
        startup: provisioning(catalog, offer),
        clearance: Clearance(Class::Internal),
    })
}

/// A machine that is ours until we stop it.
fn kept() -> Known<Sourced<Span<f64>>> {
    Known::Value(Sourced::new(Span::exact(0.0), Basis::assumed("ours until we stop it")))
}

/// How often an interruptible machine is taken away, per hour.
fn interruptions(catalog: &Catalog, offer: &Offer) -> Known<Sourced<Span<f64>>> {
    let key = &offer.key;
    let band = catalog.interruptions(&key.provider, &key.instance, &key.region);
    band.and_then(|band| {
        let low = band.value.low.per_hour();
        band.value.high.map(|high| {
            let high = high.per_hour();
            let span = Span::new(low, (low + high) / 2.0, high).unwrap_or(Span::exact(high));
            Sourced::new(span, band.basis)
        })
    })
}

/// What an hour costs; nobody pays us for it.
fn price(
    offer: &Offer,
    terms: Terms,
    rates: &ExchangeRates,
) -> Result<Known<Sourced<PerHour>>, CommandError> {
    let price = offer.price(terms);
    if let Known::Value(price) = &price
        && price.value.money().as_micros() < 0
    {
        let (place, key) = (&offer.origin.place, &offer.key);
        let message = format!("{place}: {terms} price of {key} is below zero: {}", price.value);
        return Err(CommandError::new(Fault::Input, message)
            .hint("a price is zero or more; an empty cell is an unknown price"));
    }
    converted(price, rates)
}

/// A price in the project's currency; a missing rate is the project's error.
fn converted(
    price: Known<Sourced<PerHour>>,
    rates: &ExchangeRates,
) -> Result<Known<Sourced<PerHour>>, CommandError> {
    let Known::Value(price) = price else { return Ok(price) };
    let money = price.value.money();
    let converted = rates.convert(money).map_err(|error| {
        let (from, to) = (money.currency(), rates.currency());
        CommandError::new(Fault::Input, format!("offers are priced in {from}: {error}")).hint(
            format!("add a rate to the project: [money] rates = {{ {from} = \"0.92 {to}\" }}"),
        )
    })?;
    Ok(Known::Value(Sourced::new(PerHour::new(converted), price.basis)))
}

fn pue(region: &Region) -> Sourced<Span<f64>> {
    match region.pue() {
        Known::Value(pue) => pue.map(|pue| Span::exact(pue.factor())),
        Known::Unknown(_) => Sourced::new(
            Span::new(1.1, 1.3, 1.58).unwrap_or(Span::exact(1.3)),
            Basis::assumed("the provider publishes none; good new sites to the 2023 world mean"),
        ),
    }
}

fn cloud_reach(offer: &Offer) -> Reach {
    let rate = match offer.network() {
        Known::Value(rate) => rate,
        Known::Unknown(_) => {
            Sourced::new(BytesPerSecond::constant(0.25e9), Basis::assumed("2 Gbit/s"))
        }
    };
    Reach { uplink: rate.clone(), downlink: rate }
}

/// Time until a rented machine can be worked on.
fn provisioning(catalog: &Catalog, offer: &Offer) -> Sourced<Span<Duration>> {
    match catalog.provisioning(&offer.key.provider, &offer.key.instance) {
        Known::Value(time) => {
            time.map(|time| Span::new(time * 0.5, time, time * 3.0).unwrap_or(Span::exact(time)))
        }
        Known::Unknown(_) => {
            let minutes = |minutes: f64| Duration::hours(minutes / 60.0);
            let span = Span::new(minutes(1.0), minutes(4.0), minutes(15.0));
            Sourced::new(
                span.unwrap_or(Span::exact(minutes(4.0))),
                Basis { kind: Kind::Assumed, source: "boot and image pull".into(), as_of: None },
            )
        }
    }
}

/// Errors of a project or machine file, each with its caret.
pub(crate) fn in_file(
    name: String,
    text: &str,
    errors: Vec<workload::ProjectError>,
) -> CommandError {
    let problem = |error: workload::ProjectError| Problem {
        message: error.message,
        span: error.span,
        hint: error.hint,
    };
    CommandError::in_file(name, text, errors.into_iter().map(problem).collect())
}
