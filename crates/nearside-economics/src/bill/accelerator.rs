//! Which rows of a bill are for time on accelerators, by the catalog's offers and devices.
//!
//! AWS and Azure bill hours of a machine, whose offer says how many devices it has; Google bills hours of
//! a device, and the cores and memory around it apart. The two are never one number: what a row counts is
//! in [`Work`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nearside_catalog::{Catalog, Offer};

use super::charge::{Category, Charge, Class, Commitment};
use super::usage::has_time;

/// What providers call themselves on bills, by their name in the catalog.
const PROVIDERS: [(&str, &[&str]); 3] = [
    ("aws", &["aws", "amazonwebservices", "amazon"]),
    ("azure", &["azure", "microsoft", "microsoftazure"]),
    ("gcp", &["gcp", "google", "googlecloud", "googlecloudplatform"]),
];

/// What AWS measures beside the time of a machine, and bills by the hour too: `EBSOptimized:p3.2xlarge`.
const BESIDE_THE_MACHINE: [&str; 6] =
    ["EBSOptimized", "CPUCredits", "Reservation", "SoftwareUsage", "UnusedBox", "UnusedDed"];

/// Who bills devices one by one, and what is around them apart.
const BILLS_BY_DEVICE: &str = "gcp";

/// What says that a row is for something around a machine: cores and memory of Google, licences of Azure,
/// the fee of Elastic MapReduce, which AWS measures as hours of its machines too.
const AROUND: [&str; 5] = [" Core ", " Ram ", "License", "Licence", "MapReduce"];

/// Words before the size of a machine: of Azure, and of services that rent out machines.
const PREFIXES: [&str; 2] = ["standard", "ml"];

/// On which terms time was bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bought {
    /// By the hour.
    OnDemand,
    /// Cheaper, and taken away at times.
    Spot,
    /// By a commitment for years.
    Committed,
}

impl Bought {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
            Self::Committed => "committed",
        }
    }
}

/// What the quantity of a row counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Time of machines, each with so many devices.
    Machine {
        /// The machine, as the provider calls it.
        machine: Arc<str>,
        /// Its device.
        device: Arc<str>,
        /// How many of them it has.
        devices: u32,
    },
    /// Time of devices.
    Device {
        /// The device.
        device: Arc<str>,
    },
    /// What is billed around devices and apart from them, cores and memory, licences, a service on top:
    /// its cost belongs to them, its time does not.
    Around {
        /// The device.
        device: Arc<str>,
        /// The machine and how many devices it has, where its time is billed by the machine.
        machine: Option<(Arc<str>, u32)>,
    },
}

/// What a row is to somebody who looks for accelerators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Something else.
    Nothing,
    /// Time on accelerators.
    Work(Work, Bought),
    /// Time on an accelerator, or on a machine with some, that the catalog does not know.
    Unknown(String),
}

/// The catalog's machines and devices as bills name them.
#[derive(Debug)]
pub struct Accelerators<'c> {
    catalog: &'c Catalog,
    providers: BTreeMap<String, Arc<str>>,
    machines: BTreeMap<(Arc<str>, String), Option<Machine>>,
    families: BTreeSet<(Arc<str>, String)>,
}

impl<'c> Accelerators<'c> {
    /// Of a catalog.
    #[must_use]
    pub fn new(catalog: &'c Catalog) -> Self {
        let mut known = Self {
            catalog,
            providers: BTreeMap::new(),
            machines: BTreeMap::new(),
            families: BTreeSet::new(),
        };
        for offer in catalog.offers() {
            known.learn(offer);
        }
        known
    }

    fn learn(&mut self, offer: &Offer) {
        let (provider, instance) = (&offer.key.provider, &offer.key.instance);
        self.providers.entry(plain(provider)).or_insert_with(|| Arc::clone(provider));
        for (_, names) in PROVIDERS.iter().filter(|(known, _)| *known == &**provider) {
            for name in *names {
                self.providers.entry((*name).to_owned()).or_insert_with(|| Arc::clone(provider));
            }
        }
        let machine = offer.device.as_ref().map(|device| Machine {
            name: Arc::clone(instance),
            device: Arc::clone(device),
            devices: offer.devices,
        });
        if machine.is_some() {
            self.families.extend(family(instance).map(|family| (Arc::clone(provider), family)));
        }
        self.machines.entry((Arc::clone(provider), key(instance))).or_insert(machine);
    }

    /// What a row is.
    #[must_use]
    pub fn find(&self, charge: &Charge<'_>) -> Found {
        let counts = charge.category == Some(Category::Usage)
            && charge.class == Class::Regular
            && charge.commitment != Commitment::Unused;
        let Some(provider) = self.providers.get(&plain(charge.provider)).filter(|_| counts) else {
            return Found::Nothing;
        };
        if is_beside_the_machine(charge) {
            return Found::Nothing;
        }
        let bought = bought(charge);
        let by_device = &**provider == BILLS_BY_DEVICE;
        if let Some(named) = charge.description.and_then(device_words).filter(|_| by_device) {
            return match self.device(named) {
                Some(device) => Found::Work(Work::Device { device }, bought),
                None => Found::Unknown(named.to_owned()),
            };
        }
        let measured = charge.measured_texts();
        match self.machine(provider, measured.into_iter().flatten()) {
            Named::Nothing => {}
            named => return named.found(charge, bought, by_device),
        }
        // What only details name may be something else of that machine, its traffic: that takes no time.
        let details = charge.machine_texts.iter().chain([&charge.sku, &charge.description]);
        match has_time(charge) || is_around(charge) {
            true => {
                self.machine(provider, details.copied().flatten()).found(charge, bought, by_device)
            }
            false => Found::Nothing,
        }
    }

    /// The machine that the first of these texts names which names one.
    fn machine<'t>(&self, provider: &Arc<str>, texts: impl Iterator<Item = &'t str>) -> Named {
        let mut unknown = Named::Nothing;
        for name in texts.flat_map(names) {
            match self.machines.get(&(Arc::clone(provider), key(name))) {
                Some(Some(machine)) => return Named::Machine(machine.clone()),
                Some(None) => return Named::Plain,
                None if unknown == Named::Nothing && self.is_of_family(provider, name) => {
                    unknown = Named::Unknown(name.to_owned());
                }
                None => {}
            }
        }
        unknown
    }

    /// Whether it is a machine of which the catalog knows other sizes that have devices.
    fn is_of_family(&self, provider: &Arc<str>, name: &str) -> bool {
        family(name).is_some_and(|family| self.families.contains(&(Arc::clone(provider), family)))
    }

    /// The device that words name, some of which may come before it: `Spot Preemptible Nvidia L4`.
    fn device(&self, words: &str) -> Option<Arc<str>> {
        let starts = std::iter::once(0).chain(words.match_indices(' ').map(|(at, _)| at + 1));
        let mut rest = starts.filter_map(|at| words.get(at..));
        rest.find_map(|name| self.catalog.device(name).ok()).map(|device| Arc::clone(&device.name))
    }
}

/// A name without case and punctuation.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A machine's name without case, punctuation and what services put before it.
fn key(name: &str) -> String {
    let plain = plain(name);
    let dotted = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("ml."));
    let prefix = PREFIXES.iter().find(|prefix| plain.starts_with(**prefix));
    match prefix {
        Some(prefix) if *prefix != "ml" || dotted => plain[prefix.len()..].to_owned(),
        _ => plain,
    }
}

/// The sizes of a machine have this in common: what is before the dot, or all but the first number.
fn family(name: &str) -> Option<String> {
    let name = name.strip_prefix("ml.").unwrap_or(name);
    if let Some((family, size)) = name.split_once('.') {
        let is_machine = !size.is_empty() && family.bytes().any(|byte| byte.is_ascii_digit());
        return is_machine.then(|| plain(family));
    }
    let key = key(name);
    let from = key.find(|letter: char| letter.is_ascii_digit()).filter(|from| *from > 0)?;
    let to = key[from..].find(|letter: char| !letter.is_ascii_digit())? + from;
    Some(format!("{}#{}", &key[..from], &key[to..]))
}

/// The parts of a text that may be a machine: words, and the whole of it as Azure writes its meters,
/// `NC24ads A100 v4 Spot`, two sizes at times with a stroke between them.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let inside = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let words = text.split(move |letter| !inside(letter));
    let words =
        words.filter(|word| word.len() > 3 && word.bytes().any(|byte| byte.is_ascii_digit()));
    // A text of one word is that word.
    let short = (text.len() < 64 && text.contains([' ', '/'])).then_some(text);
    let whole = short.into_iter().flat_map(|text| text.split('/')).map(|part| {
        let part = part.trim();
        part.strip_suffix(" Spot").or_else(|| part.strip_suffix(" Low Priority")).unwrap_or(part)
    });
    whole.chain(words)
}

/// The words before `GPU`, as in `Nvidia Tesla A100 GPU running in Americas`.
fn device_words(description: &str) -> Option<&str> {
    let at = description.find(" GPU ")?;
    description.get(..at)
}

/// Whether what is billed is around a machine whose time is billed in another row.
fn is_around(charge: &Charge<'_>) -> bool {
    let texts =
        charge.measured_texts().into_iter().chain([charge.description, Some(charge.service)]);
    texts.flatten().any(|text| AROUND.iter().any(|word| text.contains(word)))
}

fn is_beside_the_machine(charge: &Charge<'_>) -> bool {
    let measured = charge.measured_texts().into_iter().flatten();
    let mut kinds = measured.filter_map(|text| text.split_once(':')).map(|(kind, _)| kind);
    kinds.any(|kind| {
        let kind = kind.rsplit('-').next().unwrap_or(kind);
        BESIDE_THE_MACHINE.contains(&kind)
    })
}

fn bought(charge: &Charge<'_>) -> Bought {
    let texts = charge.measured_texts().into_iter().chain([charge.description]);
    let spot = texts.flatten().any(|text| text.contains("Spot") || text.contains("Preemptible"));
    let dynamic = charge.pricing.is_some_and(|pricing| pricing.eq_ignore_ascii_case("Dynamic"));
    match charge.commitment {
        Commitment::Used => Bought::Committed,
        _ if dynamic || spot => Bought::Spot,
        _ => Bought::OnDemand,
    }
}

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// No machine.
    Nothing,
    /// A machine without accelerators.
    Plain,
    /// A machine with some.
    Machine(Machine),
    /// A machine that may have some.
    Unknown(String),
}

impl Named {
    fn found(self, charge: &Charge<'_>, bought: Bought, by_device: bool) -> Found {
        match self {
            Self::Nothing | Self::Plain => Found::Nothing,
            Self::Unknown(_) if is_around(charge) => Found::Nothing,
            Self::Unknown(name) => Found::Unknown(name),
            Self::Machine(Machine { name, device, devices }) if is_around(charge) => {
                let machine = (!by_device).then_some((name, devices));
                Found::Work(Work::Around { device, machine }, bought)
            }
            Self::Machine(Machine { name, device, devices }) => {
                Found::Work(Work::Machine { machine: name, device, devices }, bought)
            }
        }
    }
}

/// A machine with accelerators.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    name: Arc<str>,
    device: Arc<str>,
    devices: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::charge::COLUMNS;

    fn find(cells: &[(&str, &str)]) -> Found {
        let catalog = Catalog::builtin().unwrap();
        let cell = |name: &&str| cells.iter().find(|(column, _)| column == name).map(|cell| cell.1);
        let usage = |name: &&str| match *name {
            "ChargeCategory" => Some("Usage"),
            "ConsumedQuantity" => Some("1"),
            "ConsumedUnit" => Some("Hours"),
            _ => None,
        };
        let row: Vec<Option<&str>> =
            COLUMNS.iter().map(|name| cell(name).or(usage(name))).collect();
        Accelerators::new(&catalog).find(&Charge::read(&row, 0))
    }

    fn machine(machine: &str, device: &str, devices: u32) -> Work {
        Work::Machine { machine: machine.into(), device: device.into(), devices }
    }

    #[test]
    fn machines_of_aws_are_named_in_many_places() {
        let p4d = machine("p4d.24xlarge", "a100-sxm-40gb", 8);
        for (column, text) in [
            ("x_UsageType", "USE1-BoxUsage:p4d.24xlarge"),
            ("SkuMeter", "BoxUsage:p4d.24xlarge"),
            ("SkuPriceDetails", "{\"InstanceType\":\"p4d.24xlarge\",\"CoreCount\":\"48\"}"),
            ("x_InstanceType", "p4d.24xlarge"),
            ("x_UsageType", "EUW1-Train:ml.p4d.24xlarge"),
            ("ChargeDescription", "$21.957642 per On Demand Linux p4d.24xlarge Instance Hour"),
        ] {
            let found = find(&[("ProviderName", "AWS"), (column, text)]);
            assert_eq!(found, Found::Work(p4d.clone(), Bought::OnDemand), "{text}");
        }
        let spot = find(&[
            ("ProviderName", "Amazon Web Services"),
            ("x_UsageType", "SpotUsage:g5.xlarge"),
        ]);
        assert_eq!(spot, Found::Work(machine("g5.xlarge", "a10g", 1), Bought::Spot));
    }

    #[test]
    fn what_is_billed_by_the_hour_beside_a_machine_is_not_its_time() {
        for text in
            ["EBSOptimized:p3.2xlarge", "USE1-UnusedBox:p4d.24xlarge", "BoxUsage:m5a.xlarge"]
        {
            assert_eq!(
                find(&[("ProviderName", "AWS"), ("x_UsageType", text)]),
                Found::Nothing,
                "{text}"
            );
        }
        let p3 = [("ProviderName", "AWS"), ("x_UsageType", "BoxUsage:p3.2xlarge")];
        assert_ne!(find(&p3), Found::Nothing);
        assert_eq!(
            find(&[&p3[..], &[("CommitmentDiscountStatus", "Unused")]].concat()),
            Found::Nothing
        );
        assert_eq!(find(&[&p3[..], &[("ChargeClass", "Correction")]].concat()), Found::Nothing);
    }

    #[test]
    fn what_is_billed_on_top_of_a_machine_is_cost_without_time() {
        let p3 = Some(("p3.2xlarge".into(), 1));
        let fee = Work::Around { device: "v100-sxm-16gb".into(), machine: p3 };
        let cells = [
            ("ProviderName", "AWS"),
            ("ServiceName", "Amazon Elastic MapReduce"),
            ("x_UsageType", "BoxUsage:p3.2xlarge"),
        ];
        assert_eq!(find(&cells), Found::Work(fee, Bought::OnDemand));
        let size = "{\"ServiceType\":\"Standard_NC24ads_A100_v4\"}";
        let licence = [
            ("ProviderName", "Microsoft"),
            ("x_SkuMeterName", "24 vCPU VM License"),
            ("x_SkuDetails", size),
        ];
        let one = Some(("Standard_NC24ads_A100_v4".into(), 1));
        let around = Work::Around { device: "a100-pcie-80gb".into(), machine: one };
        assert_eq!(find(&licence), Found::Work(around, Bought::OnDemand));
        let traffic = [
            ("ProviderName", "Microsoft"),
            ("x_SkuMeterName", "Standard Data Transfer Out"),
            ("x_SkuDetails", size),
            ("ConsumedUnit", "GB"),
        ];
        assert_eq!(find(&traffic), Found::Nothing);
    }

    #[test]
    fn machines_of_azure_have_sizes_and_meters() {
        let one = machine("Standard_NC24ads_A100_v4", "a100-pcie-80gb", 1);
        for (column, text, bought) in [
            (
                "x_SkuDetails",
                "{\"ServiceType\":\"Standard_NC24ads_A100_v4\",\"VCPUs\":24}",
                Bought::OnDemand,
            ),
            ("x_SkuMeterName", "NC24ads A100 v4", Bought::OnDemand),
            ("x_SkuMeterName", "NC24ads A100 v4 Spot", Bought::Spot),
            ("SkuMeter", "NC24ads A100 v4/NC24ads A100 v4s", Bought::OnDemand),
        ] {
            let found = find(&[("ProviderName", "Microsoft"), (column, text)]);
            assert_eq!(found, Found::Work(one.clone(), bought), "{text}");
        }
    }

    #[test]
    fn google_bills_devices_and_what_is_around_them() {
        let describe = |text, labels| {
            find(&[
                ("ProviderName", "Google Cloud"),
                ("ChargeDescription", text),
                ("x_SystemLabels", labels),
            ])
        };
        for (text, device, bought) in [
            ("Nvidia Tesla A100 GPU running in Americas", "a100-sxm-40gb", Bought::OnDemand),
            ("Nvidia Tesla A100 80GB GPU running in EMEA", "a100-sxm-80gb", Bought::OnDemand),
            (
                "Nvidia Tesla T4 GPU attached to Spot Preemptible VMs running in Iowa",
                "t4",
                Bought::Spot,
            ),
            ("Spot Preemptible Nvidia L4 GPU running in Belgium", "l4", Bought::Spot),
            ("Nvidia H100 80GB GPU running in Americas", "h100-sxm", Bought::OnDemand),
        ] {
            let work = Work::Device { device: device.into() };
            assert_eq!(describe(text, ""), Found::Work(work, bought), "{text}");
        }
        let labels =
            "[{\"key\":\"compute.googleapis.com/machine_spec\",\"value\":\"a2-highgpu-1g\"}]";
        let around = Work::Around { device: "a100-sxm-40gb".into(), machine: None };
        let core = describe("A2 Instance Core running in Americas", labels);
        assert_eq!(core, Found::Work(around, Bought::OnDemand));
        assert_eq!(describe("A2 Instance Core running in Americas", ""), Found::Nothing);
        let unknown = Found::Unknown("Some Future".to_owned());
        assert_eq!(describe("Some Future GPU running in Americas", ""), unknown);
    }

    #[test]
    fn a_size_that_the_catalog_does_not_know_is_named() {
        let aws = find(&[("ProviderName", "AWS"), ("x_UsageType", "BoxUsage:g5.24xlarge")]);
        assert_eq!(aws, Found::Unknown("g5.24xlarge".to_owned()));
        let azure = find(&[("ProviderName", "Microsoft"), ("x_SkuMeterName", "NC72ads A100 v4")]);
        assert_eq!(azure, Found::Unknown("NC72ads A100 v4".to_owned()));
        let plain = find(&[("ProviderName", "AWS"), ("x_UsageType", "BoxUsage:t3.large")]);
        assert_eq!(plain, Found::Nothing);
    }
}
