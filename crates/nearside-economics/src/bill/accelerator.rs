//! Which rows of a bill are for time on accelerators, by the catalog's offers and devices.
//!
//! AWS and Azure bill hours of a machine, whose offer says how many devices it has; Google bills hours of
//! a device, and the cores and memory around it apart. The two are never one number: what a row counts is
//! in [`Work`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nearside_catalog::{Catalog, Offer};

use super::charge::{Category, Charge, Class, Commitment};

/// What providers call themselves on bills, by their name in the catalog.
const PROVIDERS: [(&str, &[&str]); 3] = [
    ("aws", &["aws", "amazonwebservices", "amazon"]),
    ("azure", &["azure", "microsoft", "microsoftazure"]),
    ("gcp", &["gcp", "google", "googlecloud", "googlecloudplatform"]),
];

/// What AWS measures beside the time of a machine, and bills by the hour too: `EBSOptimized:p3.2xlarge`.
const BESIDE_THE_MACHINE: [&str; 5] =
    ["EBSOptimized", "CPUCredits", "Reservation", "UnusedBox", "UnusedDed"];

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
    /// Cores and memory around devices that are billed apart: their cost belongs to the devices, their
    /// time does not.
    Around {
        /// The device.
        device: Arc<str>,
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
    machines: BTreeMap<(Arc<str>, String), Option<Work>>,
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
        let work = offer.device.as_ref().map(|device| Work::Machine {
            machine: Arc::clone(instance),
            device: Arc::clone(device),
            devices: offer.devices,
        });
        if work.is_some() {
            self.families.extend(family(instance).map(|family| (Arc::clone(provider), family)));
        }
        self.machines.entry((Arc::clone(provider), key(instance))).or_insert(work);
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
        if let Some(named) =
            charge.description.and_then(device_words).filter(|_| &**provider == "gcp")
        {
            return match self.device(named) {
                Some(device) => Found::Work(Work::Device { device }, bought),
                None => Found::Unknown(named.to_owned()),
            };
        }
        match self.machine(provider, charge) {
            Found::Work(Work::Machine { device, .. }, _) if is_around(charge) => {
                Found::Work(Work::Around { device }, bought)
            }
            Found::Work(work, _) => Found::Work(work, bought),
            other => other,
        }
    }

    /// The machine that a text of the row names; those that are made for it come first.
    fn machine(&self, provider: &Arc<str>, charge: &Charge<'_>) -> Found {
        let texts = charge.machine_texts.iter().flatten().chain(&charge.usage_type);
        let texts = texts.chain(&charge.sku).chain(&charge.description);
        let mut unknown = None;
        for text in texts {
            for name in names(text) {
                let known = self.machines.get(&(Arc::clone(provider), key(name)));
                match known {
                    Some(Some(work)) => return Found::Work(work.clone(), Bought::OnDemand),
                    Some(None) => return Found::Nothing,
                    None if unknown.is_none() => unknown = self.in_family(provider, name),
                    None => {}
                }
            }
        }
        unknown.map_or(Found::Nothing, Found::Unknown)
    }

    /// A machine of which the catalog knows other sizes that have devices.
    fn in_family(&self, provider: &Arc<str>, name: &str) -> Option<String> {
        let family = (Arc::clone(provider), family(name)?);
        self.families.contains(&family).then(|| name.to_owned())
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
    let short = (text.len() < 64).then_some(text);
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

/// Google bills cores and memory of a machine apart.
fn is_around(charge: &Charge<'_>) -> bool {
    let says = |word: &str| charge.description.is_some_and(|text| text.contains(word));
    says(" Core ") || says(" Ram ")
}

fn is_beside_the_machine(charge: &Charge<'_>) -> bool {
    let measured = charge.usage_type.into_iter().chain(charge.machine_texts[4]);
    let mut kinds = measured.filter_map(|text| text.split_once(':')).map(|(kind, _)| kind);
    kinds.any(|kind| {
        let kind = kind.rsplit('-').next().unwrap_or(kind);
        BESIDE_THE_MACHINE.contains(&kind)
    })
}

fn bought(charge: &Charge<'_>) -> Bought {
    let spot = |text: &str| {
        text.contains("SpotUsage") || text.contains("Spot") || text.contains("Preemptible")
    };
    let texts = charge
        .usage_type
        .iter()
        .chain(&charge.description)
        .chain(charge.machine_texts[4..6].iter().flatten());
    let dynamic = charge.pricing.is_some_and(|pricing| pricing.eq_ignore_ascii_case("Dynamic"));
    match (charge.commitment, dynamic || texts.into_iter().any(|text| spot(text))) {
        (Commitment::Used, _) => Bought::Committed,
        (_, true) => Bought::Spot,
        _ => Bought::OnDemand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::charge::COLUMNS;

    fn find(cells: &[(&str, &str)]) -> Found {
        let catalog = Catalog::builtin().unwrap();
        let cell = |name: &&str| cells.iter().find(|(column, _)| column == name).map(|cell| cell.1);
        let usage = |name: &&str| (*name == "ChargeCategory").then_some("Usage");
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
        let around = Work::Around { device: "a100-sxm-40gb".into() };
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
