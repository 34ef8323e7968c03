//! What moving and keeping bytes costs: tiers of a price per gigabyte and month.
//!
//! `cost = sum over tiers of (part of the amount inside the tier) x (price of the tier)`

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::{Basis, Bytes, Known, Money, MoneyError, ParseError, PerGb, Sourced};

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, Origin, Region};

/// A band of the monthly amount with one price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tier {
    /// Where it begins.
    pub from: Bytes,
    /// Where it ends; `None` never.
    pub to: Option<Bytes>,
    /// The price inside it.
    pub price: PerGb,
}

/// What an amount costs in a month under tiers that follow one another; `None` when the tiers do
/// not cover it.
///
/// ```
/// use nearside_catalog::{Tier, tiered_cost};
/// let tier = |from: &str, to: Option<&str>, price: &str| Tier {
///     from: from.parse().unwrap(),
///     to: to.map(|to| to.parse().unwrap()),
///     price: price.parse().unwrap(),
/// };
/// let tiers = [
///     tier("0 GB", Some("100 GB"), "0 USD/GB"),
///     tier("100 GB", Some("10240 GB"), "0.09 USD/GB"),
///     tier("10240 GB", None, "0.085 USD/GB"),
/// ];
/// // 100 GB free + 10,140 GB x 0.09 + 1,760 GB x 0.085 = 912.60 + 149.60
/// let cost = tiered_cost(&tiers, "12 TB".parse().unwrap())?;
/// assert_eq!(cost.unwrap(), "1062.20 USD".parse().unwrap());
/// # Ok::<(), nearside_units::MoneyError>(())
/// ```
///
/// # Errors
/// When the tiers have different currencies.
pub fn tiered_cost(tiers: &[Tier], amount: Bytes) -> Result<Option<Money>, MoneyError> {
    let Some(first) = tiers.first() else { return Ok(None) };
    let mut cost = Money::zero(first.price.money().currency());
    let mut covered = Bytes::ZERO;
    for tier in tiers {
        if covered >= amount {
            break;
        }
        if tier.from != covered {
            return Ok(None);
        }
        let end = tier.to.map_or(amount, |to| to.min(amount));
        cost = cost.checked_add(tier.price.times(end.saturating_sub(covered))?)?;
        covered = end;
    }
    Ok((covered >= amount).then_some(cost))
}

/// A price in tiers.
#[derive(Clone, Debug, PartialEq)]
pub struct TieredPrice {
    /// The tiers, from the first byte of a month on.
    pub tiers: Vec<Tier>,
}

impl TieredPrice {
    /// What that much costs in a month.
    ///
    /// # Errors
    /// When the tiers have different currencies.
    pub fn cost(&self, per_month: Bytes) -> Result<Known<Money>, MoneyError> {
        let cost = tiered_cost(&self.tiers, per_month)?;
        Ok(Known::from_option(cost, "the price table does not cover this amount"))
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transfer {
    /// From the provider to the internet.
    InternetEgress,
    /// From one region of the provider to another, paid where they leave.
    InterRegion,
    /// Between two buildings of a region, each way.
    InterZone,
    /// Into the provider.
    Ingress,
}

impl Transfer {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::InternetEgress, "internet_egress"),
        (Self::InterRegion, "inter_region"),
        (Self::InterZone, "inter_zone"),
        (Self::Ingress, "ingress"),
    ];
}

impl fmt::Display for Transfer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        formatter.write_str(name)
    }
}

impl FromStr for Transfer {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "internet_egress, inter_region, inter_zone or ingress",
        })
    }
}

/// One tier of a price list, as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceRow {
    /// Whose price it is.
    pub provider: Arc<str>,
    /// For what: a [`Transfer`] by name, or a storage class.
    pub what: Arc<str>,
    /// From where: a part of the world, a region, `from>to`, or `*` for everywhere.
    pub scope: Arc<str>,
    /// Where the tier begins.
    pub from: Bytes,
    /// Where the tier ends; `None` never.
    pub to: Option<Bytes>,
    /// Where the price came from.
    pub origin: Origin,
    price: Option<PerGb>,
}

impl PriceRow {
    /// The price of the tier.
    pub fn price(&self) -> Known<Sourced<PerGb>> {
        let why = self.origin.note.as_deref().unwrap_or("no price is known");
        let price = self.price.map(|price| self.origin.sourced(price));
        Known::from_option(price, format!("{} {}: {why}", self.provider, self.what))
    }

    fn read(cells: &Cells<'_>, what: Arc<str>) -> Result<Self, CatalogError> {
        Ok(Self {
            provider: cells.required_text("provider")?,
            what,
            scope: cells.required_text("scope")?,
            from: cells.optional("tier_from")?.unwrap_or(Bytes::ZERO),
            to: cells.optional("tier_to")?,
            price: cells.optional("price")?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> PriceKey {
        let text = Arc::clone;
        (text(&self.provider), text(&self.what), text(&self.scope), self.from)
    }

    fn label(&self) -> String {
        format!("{} {} {} from {}", self.provider, self.what, self.scope, self.from.si())
    }
}

type PriceKey = (Arc<str>, Arc<str>, Arc<str>, Bytes);

/// A row of the table of transfer prices.
#[derive(Clone, Debug)]
pub(crate) struct NetworkRow(pub(crate) PriceRow);

impl Row for NetworkRow {
    type Key = PriceKey;
    const COLUMNS: &'static [&'static str] =
        &["provider", "kind", "scope", "tier_from", "tier_to", "price"];
    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let kind: Transfer = cells.required("kind")?;
        PriceRow::read(cells, kind.to_string().into()).map(Self)
    }
    fn key(&self) -> PriceKey {
        self.0.key()
    }
    fn label(&self) -> String {
        self.0.label()
    }
    fn origin(&self) -> &Origin {
        &self.0.origin
    }
}

/// A row of the table of storage prices.
#[derive(Clone, Debug)]
pub(crate) struct StorageRow(pub(crate) PriceRow);

impl Row for StorageRow {
    type Key = PriceKey;
    const COLUMNS: &'static [&'static str] =
        &["provider", "class", "scope", "tier_from", "tier_to", "price"];
    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        PriceRow::read(cells, cells.required_text("class")?).map(Self)
    }
    fn key(&self) -> PriceKey {
        self.0.key()
    }
    fn label(&self) -> String {
        self.0.label()
    }
    fn origin(&self) -> &Origin {
        &self.0.origin
    }
}

impl Catalog {
    /// Price of sending bytes from a region to the internet.
    pub fn egress(&self, region: &Region) -> Known<Sourced<TieredPrice>> {
        self.transfer(region, Transfer::InternetEgress)
    }

    /// Price of sending bytes into a region from the internet.
    pub fn ingress(&self, region: &Region) -> Known<Sourced<TieredPrice>> {
        self.transfer(region, Transfer::Ingress)
    }

    /// Price of sending bytes from a region to another one of the same provider; within one region,
    /// from one building to another.
    pub fn between(&self, from: &Region, to: &Region) -> Known<Sourced<TieredPrice>> {
        if from.name == to.name {
            return self.transfer(from, Transfer::InterZone);
        }
        let pair = format!("{}>{}", from.name, to.name);
        let mut scopes = vec![pair.as_str()];
        scopes.extend(from.zone.filter(|_| from.zone == to.zone).map(|zone| zone.code()));
        self.tiers(&from.provider, &Transfer::InterRegion.to_string(), &scopes)
    }

    /// Price of keeping bytes in object storage for a month, standard class.
    pub fn object_storage(&self, region: &Region) -> Known<Sourced<TieredPrice>> {
        let scopes = scopes_of(region);
        price_of(self.storage_prices(), &region.provider, "standard", &scopes)
    }

    fn transfer(&self, region: &Region, kind: Transfer) -> Known<Sourced<TieredPrice>> {
        self.tiers(&region.provider, &kind.to_string(), &scopes_of(region))
    }

    fn tiers(&self, provider: &str, what: &str, scopes: &[&str]) -> Known<Sourced<TieredPrice>> {
        price_of(self.network_prices(), provider, what, scopes)
    }
}

/// The scopes whose prices hold for a region, nearest first.
fn scopes_of(region: &Region) -> Vec<&str> {
    std::iter::once(&*region.name).chain(region.zone.map(crate::Zone::code)).collect()
}

/// The tiers of the nearest scope that has any; everywhere (`*`) comes last.
fn price_of<'a>(
    rows: impl Iterator<Item = &'a PriceRow> + Clone,
    provider: &str,
    what: &str,
    scopes: &[&str],
) -> Known<Sourced<TieredPrice>> {
    let in_scope = |scope: &str| {
        let same = |row: &&PriceRow| {
            &*row.provider == provider && &*row.what == what && &*row.scope == scope
        };
        rows.clone().filter(same).collect::<Vec<_>>()
    };
    let nearest = scopes.iter().copied().filter(|scope| *scope != "*").chain(["*"]);
    match nearest.map(in_scope).find(|tiers| !tiers.is_empty()) {
        Some(tiers) => joined(&tiers),
        None => Known::unknown(format!("no {what} price of {provider} is known")),
    }
}

/// One price of several rows: unknown when a tier is, as old as the oldest row.
fn joined(rows: &[&PriceRow]) -> Known<Sourced<TieredPrice>> {
    let mut tiers = Vec::new();
    let mut basis: Option<Basis> = None;
    for row in rows {
        match row.price() {
            Known::Unknown(why) => return Known::Unknown(why),
            Known::Value(price) => {
                tiers.push(Tier { from: row.from, to: row.to, price: price.value });
                basis = Some(basis.map_or(price.basis.clone(), |old| older(old, price.basis)));
            }
        }
    }
    let price = basis.map(|basis| Sourced::new(TieredPrice { tiers }, basis));
    Known::from_option(price, "no tiers")
}

/// The weaker and older of two bases, naming both sources.
fn older(left: Basis, right: Basis) -> Basis {
    let source = match left.source.contains(&*right.source) {
        true => Arc::clone(&left.source),
        false => format!("{}; {}", left.source, right.source).into(),
    };
    Basis { kind: left.kind.max(right.kind), source, as_of: left.as_of.min(right.as_of) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn egress(provider: &str, region: &str, amount: &str) -> Option<Money> {
        let catalog = Catalog::builtin().unwrap();
        let price = catalog.egress(catalog.region(provider, region).unwrap()).value()?;
        price.value.cost(amount.parse().unwrap()).unwrap().value()
    }

    fn money(text: &str) -> Option<Money> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn egress_follows_the_tiers() {
        assert_eq!(egress("aws", "eu-west-1", "50 GB"), money("0 USD"));
        assert_eq!(egress("aws", "us-east-1", "1100 GB"), money("90.00 USD"));
        assert_eq!(egress("gcp", "us-central1", "1024 GB"), money("122.88 USD"));
        assert_eq!(egress("lambda", "us-east-1", "5 TB"), money("0 USD"));
        assert_eq!(egress("aws", "us-east-1", "0 GB"), money("0 USD"));
    }

    #[test]
    fn a_price_that_nobody_publishes_is_unknown() {
        let catalog = Catalog::builtin().unwrap();
        let region = catalog.region("verda", "FIN-01").unwrap();
        let why = catalog.egress(region);
        assert_eq!(why.why(), Some("no internet_egress price of verda is known"));
        let (a, b) = ("europe-west1", "europe-west4");
        let between =
            catalog.between(catalog.region("gcp", a).unwrap(), catalog.region("gcp", b).unwrap());
        assert!(between.why().unwrap().contains("depending on the pair"));
    }

    #[test]
    fn a_pair_of_regions_beats_the_continent() {
        let catalog = Catalog::builtin().unwrap();
        let region = |name| catalog.region("aws", name).unwrap();
        let per_gb = |from, to| {
            let price = catalog.between(region(from), region(to)).value().unwrap();
            price.value.tiers[0].price.to_string()
        };
        assert_eq!(per_gb("us-east-1", "us-east-2"), "0.0100 USD/GB");
        assert_eq!(per_gb("us-east-1", "us-west-2"), "0.0200 USD/GB");
        assert_eq!(per_gb("us-west-2", "us-west-2"), "0.0100 USD/GB");
        assert!(catalog.between(region("us-east-1"), region("eu-west-1")).value().is_none());
    }

    #[test]
    fn a_gap_between_tiers_is_not_free() {
        let tiers = [
            Tier { from: Bytes::ZERO, to: "1 GB".parse().ok(), price: "1 USD/GB".parse().unwrap() },
            Tier { from: "2 GB".parse().unwrap(), to: None, price: "1 USD/GB".parse().unwrap() },
        ];
        assert_eq!(tiered_cost(&tiers, "3 GB".parse().unwrap()).unwrap(), None);
        assert_eq!(tiered_cost(&tiers, "1 GB".parse().unwrap()).unwrap(), money("1 USD"));
        assert_eq!(tiered_cost(&[], Bytes::ZERO).unwrap(), None);
    }

    #[test]
    fn storage_is_priced_by_region() {
        let catalog = Catalog::builtin().unwrap();
        let region = catalog.region("gcp", "europe-west4").unwrap();
        let price = catalog.object_storage(region).value().unwrap();
        let cost = price.value.cost("500 GB".parse().unwrap()).unwrap().value();
        assert_eq!(cost, money("10.00 USD"));
    }

    proptest! {
        #[test]
        fn more_bytes_never_cost_less(less in 0u64..1 << 50, more in 0u64..1 << 50) {
            let catalog = Catalog::builtin().unwrap();
            let region = catalog.region("aws", "eu-west-1").unwrap();
            let price = catalog.egress(region).value().unwrap().value;
            let cost = |bytes| price.cost(Bytes::new(bytes)).unwrap().value().unwrap();
            prop_assert!(cost(less.min(more)) <= cost(less.max(more)));
        }
    }
}
