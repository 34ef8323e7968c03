//! `[site.NAME]`: a machine or cluster of one's own, with its price, power and place.

use std::ops::Range;

use nearside_policy::{Class, Country};
use nearside_units::{Bytes, BytesPerSecond, Date, Duration, Known, Money, PerHour, PerKwh, Watts};

use crate::Located;
use crate::named::named;
use crate::project_file::{AcceleratorsTable, LocationTable, PowerTable, SiteTable};
use crate::reader::{Reader, Section};
use crate::scalar::Field;

/// The site that nearside runs on.
pub const HERE: &str = "here";

/// Mean PUE of data centres, for clusters that do not state theirs (Uptime Institute, Global Data
/// Center Survey 2023).
const CLUSTER_PUE: f64 = 1.58;
const LIFE_YEARS: f64 = 4.0;

/// A place of one's own where work can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Its name in the project.
    pub name: String,
    /// Where the name stands in the file; empty for the implicit `here`.
    pub span: Range<usize>,
    /// What it is made of.
    pub machine: MachineSource,
    /// Who owns it, and for how much.
    pub tenure: Tenure,
    /// What it draws and what power costs.
    pub power: Power,
    /// Where it stands.
    pub location: SiteLocation,
    /// Power of the building over power of the machine.
    pub pue: f64,
    /// Network towards the world.
    pub uplink: Known<BytesPerSecond>,
    /// Network from the world.
    pub downlink: Known<BytesPerSecond>,
    /// What starts work there.
    pub launcher: Launcher,
    /// The highest class it may hold, where its own table says so.
    pub clearance: Option<Class>,
}

impl Site {
    /// Whether it is owned or rented.
    #[must_use]
    pub const fn ownership(&self) -> Ownership {
        match self.tenure {
            Tenure::Owned { .. } => Ownership::Own,
            Tenure::Rented(_) => Ownership::Rented,
        }
    }

    /// Fills what this site leaves open from the recorded machine file that it names: the machine
    /// itself, and every unknown price, power, place and network figure.
    #[must_use]
    pub fn filled_from(mut self, recorded: Self) -> Self {
        self.machine = recorded.machine;
        if let (
            Tenure::Owned { price, bought, .. },
            Tenure::Owned { price: recorded_price, bought: recorded_bought, .. },
        ) = (&mut self.tenure, recorded.tenure)
        {
            fill(price, recorded_price);
            fill(bought, recorded_bought);
        }
        fill(&mut self.power.load, recorded.power.load);
        fill(&mut self.power.idle, recorded.power.idle);
        fill(&mut self.power.tariff, recorded.power.tariff);
        fill(&mut self.location.country, recorded.location.country);
        fill(&mut self.uplink, recorded.uplink);
        fill(&mut self.downlink, recorded.downlink);
        self
    }
}

fn fill<T>(open: &mut Known<T>, recorded: Known<T>) {
    if matches!(open, Known::Unknown(_)) {
        *open = recorded;
    }
}

/// Whether a place is one's own or somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// One's own.
    Own,
    /// Rented from somebody.
    Rented,
}

/// Who owns a machine, and for how much.
#[derive(Clone, Debug, PartialEq)]
pub enum Tenure {
    /// Bought.
    Owned {
        /// What it cost.
        price: Known<Money>,
        /// When.
        bought: Known<Date>,
        /// How long it will be used.
        life: Duration,
    },
    /// Rented by the hour, by the owner of the project and outside the catalog.
    Rented(PerHour),
}

/// What a whole machine draws and what power costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// Under load.
    pub load: Known<Watts>,
    /// Idle.
    pub idle: Known<Watts>,
    /// Price of power.
    pub tariff: Known<PerKwh>,
}

/// Where a machine stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteLocation {
    /// The country.
    pub country: Known<Country>,
    /// State or province code.
    pub subdivision: Option<String>,
    /// Who runs the place.
    pub provider: Option<Located<String>>,
    /// The provider's region.
    pub region: Option<Located<String>>,
}

/// Where the facts of a machine come from.
#[derive(Clone, Debug, PartialEq)]
pub enum MachineSource {
    /// The machine that nearside runs on: ask the probe.
    ThisMachine,
    /// A recorded machine file, relative to the project.
    File(Located<String>),
    /// Stated in the file.
    Stated(Machine),
    /// Nobody says.
    Unstated,
}

/// A machine as a file states it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The processor by its full name.
    pub processor: Option<String>,
    /// Processor cores.
    pub cores: Option<u64>,
    /// Processor threads.
    pub threads: Option<u64>,
    /// Main memory.
    pub memory: Option<Bytes>,
    /// Disk.
    pub disk: Option<Bytes>,
    /// Accelerators.
    pub accelerators: Vec<Accelerators>,
}

/// Like accelerators of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accelerators {
    /// The catalog name of the device, to be looked up.
    pub device: Located<String>,
    /// How many.
    pub count: u64,
}

/// What starts work at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// A process of this user.
    Process,
    /// A process without network and with a view of its inputs only.
    Sandbox,
    /// A container.
    Container,
    /// A Slurm cluster.
    Slurm,
    /// A Ray cluster.
    Ray,
    /// A Kubernetes cluster.
    Kubernetes,
    /// SkyPilot.
    Skypilot,
}

impl Launcher {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Process, "process"),
        (Self::Sandbox, "sandbox"),
        (Self::Container, "container"),
        (Self::Slurm, "slurm"),
        (Self::Ray, "ray"),
        (Self::Kubernetes, "kubernetes"),
        (Self::Skypilot, "skypilot"),
    ];

    /// Whether it hands work to a cluster.
    #[must_use]
    pub const fn is_cluster(self) -> bool {
        matches!(self, Self::Slurm | Self::Ray | Self::Kubernetes | Self::Skypilot)
    }
}
named!(Launcher, "launcher");

/// Reads one table under `[site.NAME]`, or a whole machine file.
pub(crate) fn read(reader: &mut Reader, name: &Located<String>, table: &SiteTable) -> Site {
    let mut section = reader.section(format!("site.{}", name.value));
    let launcher = section.choice("launcher", table.launcher.as_ref(), Launcher::names());
    let why = "work is started as a process when nothing else is stated";
    let launcher = section.or_assume("launcher", launcher, Launcher::Process, why);
    let link = |section: &mut Section<'_>, key: &str, field: &Option<Field>| {
        known(section.quantity(key, field.as_ref(), "40 Mbit/s"), &section.key(key))
    };
    Site {
        name: name.value.clone(),
        span: name.span.clone(),
        machine: machine(&mut section, name, table),
        tenure: tenure(&mut section, table),
        power: power(&mut section, &table.power),
        location: location(&mut section, &table.location),
        pue: pue(&mut section, table.pue.as_ref(), launcher),
        uplink: link(&mut section, "uplink", &table.uplink),
        downlink: link(&mut section, "downlink", &table.downlink),
        launcher,
        clearance: section.choice("clearance", table.clearance.as_ref(), crate::classes()),
    }
}

fn known<T>(value: Option<T>, key: &str) -> Known<T> {
    Known::from_option(value, format!("{key} is not stated"))
}

fn machine(section: &mut Section<'_>, name: &Located<String>, table: &SiteTable) -> MachineSource {
    let stated = stated_machine(section, table);
    match (&table.machine, stated) {
        (Some(path), None) => MachineSource::File(path.clone()),
        (Some(path), Some(_)) => {
            let fact = "names a recorded machine, and the table states one as well";
            section.error(&path.span, "machine", fact, "keep the file, or keep the other keys");
            MachineSource::Unstated
        }
        (None, Some(machine)) => MachineSource::Stated(machine),
        (None, None) if name.value == HERE => MachineSource::ThisMachine,
        (None, None) => MachineSource::Unstated,
    }
}

/// The machine that the table itself states, if it states anything of it.
fn stated_machine(section: &mut Section<'_>, table: &SiteTable) -> Option<Machine> {
    let accelerators = table.accelerators.as_deref().unwrap_or_default();
    let machine = Machine {
        processor: table.processor.as_ref().map(|processor| processor.value.clone()),
        cores: section.count("cores", table.cores.as_ref(), 1..=1_000_000),
        threads: section.count("threads", table.threads.as_ref(), 1..=4_000_000),
        memory: section.quantity("memory", table.memory.as_ref(), "64 GiB"),
        disk: section.quantity("disk", table.disk.as_ref(), "2 TB"),
        accelerators: accelerators.iter().map(|table| like(section, table)).collect(),
    };
    let says_none = table.accelerators.as_ref().is_some_and(Vec::is_empty);
    (machine != Machine::default() || says_none).then_some(machine)
}

fn like(section: &mut Section<'_>, table: &AcceleratorsTable) -> Accelerators {
    let count = section.count("accelerators.count", table.count.as_ref(), 1..=100_000);
    Accelerators { device: table.device.clone(), count: count.unwrap_or(1) }
}

fn tenure(section: &mut Section<'_>, table: &SiteTable) -> Tenure {
    let rent: Option<PerHour> = section.price("rent", table.rent.as_ref(), "1.20 EUR/h");
    let price: Option<Money> = section.price("price", table.price.as_ref(), "3500 EUR");
    if let (Some(rent), Some(_), Some(field)) = (rent, price, &table.rent) {
        let fact = "a machine is either bought or rented, and this one has a price too";
        section.error(&field.span, "rent", fact, "remove rent or price");
        return Tenure::Rented(rent);
    }
    if let Some(rent) = rent {
        return Tenure::Rented(rent);
    }
    let life: Option<Duration> = section.quantity("life", table.life.as_ref(), "4 years");
    if let (Some(Duration::ZERO), Some(field)) = (life, &table.life) {
        section.error(&field.span, "life", "must be more than nothing", "as in life = \"4 years\"");
    }
    let why = "a common depreciation period of computers";
    let default = Duration::hours(LIFE_YEARS * nearside_units::HOURS_PER_YEAR);
    let bought = section.quantity("bought", table.bought.as_ref(), "2026-03");
    Tenure::Owned {
        price: known(price, &section.key("price")),
        bought: known(bought, &section.key("bought")),
        life: section.or_assume("life", life, default, why),
    }
}

fn power(section: &mut Section<'_>, table: &PowerTable) -> Power {
    let load: Option<Watts> = section.quantity("power.load", table.load.as_ref(), "550 W");
    let idle: Option<Watts> = section.quantity("power.idle", table.idle.as_ref(), "100 W");
    if let (Some(load), Some(idle), Some(field)) = (load, idle, &table.idle)
        && idle > load
    {
        let fact = format!("{idle} idle is more than {load} under load");
        section.error(&field.span, "power.idle", &fact, "exchange load and idle?");
    }
    let tariff = section.price("power.tariff", table.tariff.as_ref(), "0.31 EUR/kWh");
    Power {
        load: known(load, &section.key("power.load")),
        idle: known(idle, &section.key("power.idle")),
        tariff: known(tariff, &section.key("power.tariff")),
    }
}

fn location(section: &mut Section<'_>, table: &LocationTable) -> SiteLocation {
    let country = table.country.as_ref().and_then(|code| match code.value.parse::<Country>() {
        Ok(country) => Some(country),
        Err(_not_a_code) => {
            let fact = format!("\"{}\" is not a country code", code.value);
            let hint = "two capital letters (ISO 3166), as in country = \"DE\"";
            section.error(&code.span, "location.country", &fact, hint);
            None
        }
    });
    SiteLocation {
        country: known(country, &section.key("location.country")),
        subdivision: table.subdivision.as_ref().map(|code| code.value.clone()),
        provider: table.provider.clone(),
        region: table.region.clone(),
    }
}

fn pue(section: &mut Section<'_>, field: Option<&Field>, launcher: Launcher) -> f64 {
    let stated = section.number("pue", field, 1.0..=5.0);
    match launcher.is_cluster() {
        true => {
            let why = "mean of data centres, Uptime Institute survey 2023";
            section.or_assume("pue", stated, CLUSTER_PUE, why)
        }
        false => {
            let why = "a machine outside a data centre has no cooling plant of its own";
            section.or_assume("pue", stated, 1.0, why)
        }
    }
}
