//! The price list of Amazon EC2: `offers/v1.0/aws/AmazonEC2/current/REGION/index.json`, hundreds of megabytes,
//! of which an entry is held at a time.
//!
//! Format: AWS Billing User Guide, "Reading the price list files": `products` by SKU with their attributes,
//! `terms.OnDemand` by SKU with `priceDimensions`. Wanted are Linux machines that are shared, without
//! software, and used on demand.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use nearside_units::{Bytes, Date, PerHour};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::{Hour, ListFile, Machines, Offers, PriceList};
use crate::{Catalog, CatalogError, Terms};

const PROVIDER: &str = "aws";
/// Prices that may come before the products that they are of.
const MOST_PRICES: usize = 4_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    product_family: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Attributes {
    instance_type: Option<String>,
    region_code: Option<String>,
    operating_system: Option<String>,
    tenancy: Option<String>,
    pre_installed_sw: Option<String>,
    capacitystatus: Option<String>,
    vcpu: Option<String>,
    memory: Option<String>,
    gpu: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    #[serde(default)]
    price_dimensions: BTreeMap<String, Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    unit: Option<String>,
    #[serde(default)]
    price_per_unit: BTreeMap<String, String>,
}

/// A machine that is wanted, and where it stands.
struct Wanted {
    instance: String,
    region: String,
    vcpus: Option<u32>,
    memory: Option<Bytes>,
}

/// What has been read.
struct State<'a> {
    machines: &'a Machines,
    products: bool,
    wanted: BTreeMap<String, Wanted>,
    /// Prices by SKU; before the products are known, of all, and then of those that are wanted.
    prices: BTreeMap<String, PerHour>,
    left_out: BTreeMap<String, String>,
    published: Option<Date>,
}

impl Catalog {
    /// Reads a price list of Amazon EC2.
    ///
    /// # Errors
    /// When it is none, or breaks off.
    pub fn read_aws_prices(
        &self,
        reader: impl Read,
        file: &ListFile<'_>,
    ) -> Result<PriceList, CatalogError> {
        let machines = Machines::of(self, PROVIDER);
        let mut state = State {
            machines: &machines,
            products: false,
            wanted: BTreeMap::new(),
            prices: BTreeMap::new(),
            left_out: BTreeMap::new(),
            published: None,
        };
        let not_a_list = |reason: String| CatalogError::NotAPriceList {
            file: file.name.to_owned(),
            of: "Amazon EC2",
            reason,
        };
        let mut json = serde_json::Deserializer::from_reader(reader);
        Top(&mut state).deserialize(&mut json).map_err(|error| not_a_list(error.to_string()))?;
        json.end().map_err(|error| not_a_list(error.to_string()))?;
        if !state.products {
            return Err(not_a_list("it lists no products".to_owned()));
        }
        let (mut offers, day) = (Offers::default(), state.published.unwrap_or(file.as_of));
        for (sku, wanted) in &state.wanted {
            let Some(price) = state.prices.get(sku) else { continue };
            let hour = Hour {
                provider: PROVIDER,
                instance: &wanted.instance,
                region: &wanted.region,
                terms: Terms::OnDemand,
                price: *price,
                vcpus: wanted.vcpus,
                memory: wanted.memory,
            };
            offers.add(&hour, &machines, file, day);
        }
        Ok(offers.into_list(state.left_out))
    }
}

impl State<'_> {
    fn product(&mut self, sku: String, product: Product) {
        let of = product.attributes;
        let is = |value: &Option<String>, wanted: &str| value.as_deref() == Some(wanted);
        let machine = product.product_family.is_some_and(|it| it.starts_with("Compute Instance"));
        let plain = is(&of.operating_system, "Linux")
            && is(&of.tenancy, "Shared")
            && is(&of.pre_installed_sw, "NA")
            && is(&of.capacitystatus, "Used");
        let (Some(instance), Some(region)) = (of.instance_type, of.region_code) else { return };
        if !machine || !plain {
            return;
        }
        if !self.machines.has(&instance) {
            if of.gpu.is_some_and(|count| count != "0") {
                let why = "no offer of the catalog tells which accelerator it has".to_owned();
                self.left_out.insert(instance, why);
            }
            return;
        }
        let vcpus = of.vcpu.and_then(|count| count.parse().ok());
        let memory = of.memory.and_then(|memory| memory.parse().ok());
        self.wanted.insert(sku, Wanted { instance, region, vcpus, memory });
    }

    fn price(&mut self, sku: String, terms: BTreeMap<String, Term>) {
        // Once the products are known, prices of others are not kept.
        if self.products && !self.wanted.contains_key(&sku) || self.prices.len() >= MOST_PRICES {
            return;
        }
        let dimensions = terms.into_values().flat_map(|term| term.price_dimensions.into_values());
        let hourly = dimensions.filter(|dimension| dimension.unit.as_deref() == Some("Hrs"));
        let prices =
            hourly.flat_map(|dimension| dimension.price_per_unit).filter_map(|(code, price)| {
                let money = format!("{price} {code}").parse().ok().map(PerHour::new)?;
                // A price of nothing stands for what is paid elsewhere.
                (money.money().as_f64() > 0.0).then_some(money)
            });
        if let Some(price) = prices.into_iter().next() {
            self.prices.insert(sku, price);
        }
    }
}

/// The list as a whole.
struct Top<'s, 'a>(&'s mut State<'a>);
/// Its products.
struct Products<'s, 'a>(&'s mut State<'a>);
/// Its terms, by kind; and those of one kind.
struct Kinds<'s, 'a>(&'s mut State<'a>);
struct OnDemand<'s, 'a>(&'s mut State<'a>);

/// A map that is read entry by entry.
macro_rules! entries {
    ($type:ident, $what:literal, |$state:ident, $key:ident, $map:ident| $body:expr) => {
        impl<'de> DeserializeSeed<'de> for $type<'_, '_> {
            type Value = ();
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_map(self)
            }
        }
        impl<'de> Visitor<'de> for $type<'_, '_> {
            type Value = ();
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str($what)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut $map: A) -> Result<(), A::Error> {
                let $state = self.0;
                while let Some($key) = $map.next_key::<String>()? {
                    $body;
                }
                Ok(())
            }
        }
    };
}

entries!(Top, "a price list", |state, key, map| match key.as_str() {
    "products" => {
        map.next_value_seed(Products(&mut *state))?;
        state.products = true;
    }
    "terms" => map.next_value_seed(Kinds(&mut *state))?,
    "publicationDate" => {
        let text: String = map.next_value()?;
        state.published = text.get(..10).and_then(|day| day.parse().ok());
    }
    _ => {
        map.next_value::<IgnoredAny>()?;
    }
});
entries!(Products, "products by SKU", |state, sku, map| {
    let product = map.next_value()?;
    state.product(sku, product);
});
entries!(Kinds, "terms by kind", |state, kind, map| match kind.as_str() {
    "OnDemand" => map.next_value_seed(OnDemand(&mut *state))?,
    _ => {
        map.next_value::<IgnoredAny>()?;
    }
});
entries!(OnDemand, "terms by SKU", |state, sku, map| {
    let terms = map.next_value()?;
    state.price(sku, terms);
});
