//! A row of a cloud bill as FOCUS means it: what was charged, for which time, and what it was for.
//!
//! Source: FOCUS 1.0 and 1.2, "Columns"; of 1.3 the new name of the provider. `x_` columns are those of
//! the exports of AWS, Azure and Google that name a machine.

use std::str::FromStr as _;

use nearside_units::{Currency, Money};
use rust_decimal::Decimal;

use super::moment::{Moment, Period};

/// Declares the columns that are read: their place in a row, their name, and whether a bill has to have it.
macro_rules! columns {
    ($($name:ident = $text:literal $need:ident),+ $(,)?) => {
        /// A column that is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Column { $($name),+ }

        /// The names of the columns that are read, in the order that [`Charge::read`] wants them in.
        pub const COLUMNS: &[&str] = &[$($text),+];

        /// Whether a file has to have each of them.
        const NEEDS: &[Need] = &[$(Need::$need),+];
    };
}

/// Whether a file has to have a column to be a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

columns! {
    BilledCost = "BilledCost" Must,
    EffectiveCost = "EffectiveCost" Must,
    ListCost = "ListCost" May,
    ContractedCost = "ContractedCost" May,
    BillingCurrency = "BillingCurrency" Must,
    BillingPeriodStart = "BillingPeriodStart" May,
    ChargePeriodStart = "ChargePeriodStart" Must,
    ChargePeriodEnd = "ChargePeriodEnd" Must,
    ChargeCategory = "ChargeCategory" Must,
    ChargeClass = "ChargeClass" May,
    ChargeDescription = "ChargeDescription" May,
    CommitmentDiscountId = "CommitmentDiscountId" May,
    CommitmentDiscountStatus = "CommitmentDiscountStatus" May,
    CapacityReservationStatus = "CapacityReservationStatus" May,
    PricingCategory = "PricingCategory" May,
    PricingQuantity = "PricingQuantity" May,
    PricingUnit = "PricingUnit" May,
    ConsumedQuantity = "ConsumedQuantity" May,
    ConsumedUnit = "ConsumedUnit" May,
    ProviderName = "ProviderName" May,
    ServiceProviderName = "ServiceProviderName" May,
    ServiceName = "ServiceName" Must,
    ResourceId = "ResourceId" May,
    ResourceType = "ResourceType" May,
    RegionId = "RegionId" May,
    SubAccountId = "SubAccountId" May,
    SkuId = "SkuId" May,
    SkuPriceId = "SkuPriceId" May,
    SkuMeter = "SkuMeter" May,
    SkuPriceDetails = "SkuPriceDetails" May,
    UsageType = "x_UsageType" May,
    InstanceType = "x_InstanceType" May,
    SkuDetails = "x_SkuDetails" May,
    SkuMeterName = "x_SkuMeterName" May,
    SystemLabels = "x_SystemLabels" May,
}

/// A name without case and underscores: some stores fold `BilledCost` to `billed_cost` or `billedcost`.
#[must_use]
pub fn folded(name: &str) -> String {
    let letters = name.trim().chars().filter(|letter| *letter != '_');
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The columns that a file lacks to be a bill, given the names that it has.
#[must_use]
pub fn lacking(found: &[String]) -> Vec<&'static str> {
    let has = |name: &str| found.iter().any(|found| folded(found) == folded(name));
    let columns = COLUMNS.iter().zip(NEEDS);
    let mut lacking: Vec<&str> = columns
        .filter(|(name, need)| **need == Need::Must && !has(name))
        .map(|(name, _)| *name)
        .collect();
    if !has("ProviderName") && !has("ServiceProviderName") {
        lacking.push("ProviderName");
    }
    lacking
}

/// What a charge is for (FOCUS, `ChargeCategory`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// A quantity that was used in a period.
    Usage,
    /// Something bought at once or by the month.
    Purchase,
    /// Taxes.
    Tax,
    /// Granted by the provider.
    Credit,
    /// Anything else that the provider puts right.
    Adjustment,
}

/// Whether a row corrects one that was invoiced before (FOCUS, `ChargeClass`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It does not.
    Regular,
    /// It does.
    Correction,
}

/// Whether what was committed to was used (FOCUS, `CommitmentDiscountStatus` and, of reserved capacity,
/// `CapacityReservationStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commitment {
    /// Nothing was committed to.
    Without,
    /// A part that was used.
    Used,
    /// A part that nobody used.
    Unused,
}

/// A quantity with its unit, as the bill writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity<'a> {
    /// How much.
    pub amount: Decimal,
    /// Of what.
    pub unit: &'a str,
}

/// A part of a row that could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// `BilledCost` is empty or no number.
    Billed,
    /// `EffectiveCost` is empty or no number.
    Effective,
    /// `BillingCurrency` is empty or no currency code.
    Currency,
    /// `ChargeCategory` is none of FOCUS.
    Category,
    /// The period is no period in UTC.
    Period,
}

impl Doubt {
    /// What it is, after "rows whose".
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Billed => "BilledCost is missing or no number",
            Self::Effective => "EffectiveCost is missing or no number",
            Self::Currency => "BillingCurrency is missing or no currency code",
            Self::Category => "ChargeCategory is none that FOCUS knows",
            Self::Period => "period is missing or not written as FOCUS wants it",
        }
    }
}

/// A row of a bill. Texts that are empty are not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge<'a> {
    /// What tells the row from others: a digest of all its columns.
    pub digest: u64,
    /// When it was charged for, with its end outside.
    pub period: Option<Period>,
    /// The beginning of the invoice's period.
    pub billed_in: Option<Moment>,
    /// On the invoice: cash.
    pub billed: Option<Money>,
    /// With purchases in advance spread over what they pay for: amortised.
    pub effective: Option<Money>,
    /// At list prices.
    pub list: Option<Money>,
    /// At agreed prices, commitments left out.
    pub contracted: Option<Money>,
    /// What it is for.
    pub category: Option<Category>,
    /// Whether it corrects another.
    pub class: Class,
    /// Whether what was committed to was used.
    pub commitment: Commitment,
    /// The commitment.
    pub commitment_id: Option<&'a str>,
    /// Standard, Dynamic (spot), Committed or Other.
    pub pricing: Option<&'a str>,
    /// What was used.
    pub consumed: Option<Quantity<'a>>,
    /// What was charged for.
    pub priced: Option<Quantity<'a>>,
    /// Who offers it.
    pub provider: &'a str,
    /// The service.
    pub service: &'a str,
    /// What it says.
    pub description: Option<&'a str>,
    /// The resource.
    pub resource: Option<&'a str>,
    /// Its sort.
    pub resource_type: Option<&'a str>,
    /// Its region.
    pub region: Option<&'a str>,
    /// The account below the one that pays.
    pub sub_account: Option<&'a str>,
    /// What is offered.
    pub sku: Option<&'a str>,
    /// Its price.
    pub sku_price: Option<&'a str>,
    /// Texts that may name a machine, those that are made for it first.
    pub machine_texts: [Option<&'a str>; 5],
    /// What is measured, as the provider calls it, and, of Azure, its meter.
    pub meter_texts: [Option<&'a str>; 2],
    /// What AWS measures, as in `USE1-BoxUsage:g5.xlarge`.
    pub usage_type: Option<&'a str>,
    /// What could not be understood.
    pub doubts: Vec<Doubt>,
}

/// The cells of a row by column.
struct Cells<'c, 'a>(&'c [Option<&'a str>]);

impl<'a> Cells<'_, 'a> {
    /// The text of a cell; nothing where it is empty or says that there is none.
    fn text(&self, column: Column) -> Option<&'a str> {
        let text = self.0.get(column as usize).copied().flatten()?.trim();
        (!text.is_empty() && text != "NULL" && text != "null").then_some(text)
    }

    fn number(&self, column: Column) -> Option<Decimal> {
        self.text(column).and_then(number)
    }

    fn moment(&self, column: Column) -> Option<Moment> {
        self.text(column).and_then(Moment::read)
    }

    fn quantity(&self, amount: Column, unit: Column) -> Option<Quantity<'a>> {
        Some(Quantity { amount: self.number(amount)?, unit: self.text(unit)? })
    }

    fn period(&self) -> Option<Period> {
        let from = self.moment(Column::ChargePeriodStart)?;
        Some(Period { from, to: self.moment(Column::ChargePeriodEnd)? })
    }

    fn category(&self) -> Option<Category> {
        let text = self.text(Column::ChargeCategory)?;
        let named = [
            ("Usage", Category::Usage),
            ("Purchase", Category::Purchase),
            ("Tax", Category::Tax),
            ("Credit", Category::Credit),
            ("Adjustment", Category::Adjustment),
        ];
        let found = named.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, category)| *category)
    }

    fn commitment(&self) -> Commitment {
        let discount = self.text(Column::CommitmentDiscountStatus);
        let reserved = self.text(Column::CapacityReservationStatus);
        let says = |word: &str| {
            [discount, reserved].iter().flatten().any(|text| text.eq_ignore_ascii_case(word))
        };
        match (says("Unused"), says("Used")) {
            (true, _) => Commitment::Unused,
            (false, true) => Commitment::Used,
            (false, false) => Commitment::Without,
        }
    }

    fn machine_texts(&self) -> [Option<&'a str>; 5] {
        [
            Column::InstanceType,
            Column::SkuPriceDetails,
            Column::SkuDetails,
            Column::SystemLabels,
            Column::ResourceType,
        ]
        .map(|column| self.text(column))
    }
}

impl<'a> Charge<'a> {
    /// Reads a row: its cells in the order of [`COLUMNS`], and a digest of all its columns. What is not
    /// understood is among its doubts.
    #[must_use]
    pub fn read(cells: &[Option<&'a str>], digest: u64) -> Self {
        let cells = Cells(cells);
        let currency = cells.text(Column::BillingCurrency);
        let currency =
            currency.and_then(|code| Currency::from_str(&code.to_ascii_uppercase()).ok());
        let cost = |amount: Option<_>| Some(Money::new(amount?, currency?));
        let money = |column| cost(cells.number(column));
        let billed = cells.number(Column::BilledCost);
        let effective = cells.number(Column::EffectiveCost);
        let (period, category) = (cells.period(), cells.category());
        let doubts = [
            (Doubt::Billed, billed.is_none()),
            (Doubt::Effective, effective.is_none()),
            (Doubt::Currency, currency.is_none()),
            (Doubt::Category, category.is_none()),
            (Doubt::Period, period.is_none()),
        ];
        let corrects = cells.text(Column::ChargeClass);
        let provider = cells.text(Column::ProviderName);
        Self {
            digest,
            period,
            billed_in: cells.moment(Column::BillingPeriodStart),
            billed: cost(billed),
            effective: cost(effective),
            list: money(Column::ListCost),
            contracted: money(Column::ContractedCost),
            category,
            class: match corrects.is_some_and(|class| class.eq_ignore_ascii_case("Correction")) {
                true => Class::Correction,
                false => Class::Regular,
            },
            commitment: cells.commitment(),
            commitment_id: cells.text(Column::CommitmentDiscountId),
            pricing: cells.text(Column::PricingCategory),
            consumed: cells.quantity(Column::ConsumedQuantity, Column::ConsumedUnit),
            priced: cells.quantity(Column::PricingQuantity, Column::PricingUnit),
            provider: provider.or_else(|| cells.text(Column::ServiceProviderName)).unwrap_or("-"),
            service: cells.text(Column::ServiceName).unwrap_or("-"),
            description: cells.text(Column::ChargeDescription),
            resource: cells.text(Column::ResourceId),
            resource_type: cells.text(Column::ResourceType),
            region: cells.text(Column::RegionId),
            sub_account: cells.text(Column::SubAccountId),
            sku: cells.text(Column::SkuId),
            sku_price: cells.text(Column::SkuPriceId),
            machine_texts: cells.machine_texts(),
            meter_texts: [Column::SkuMeter, Column::SkuMeterName].map(|column| cells.text(column)),
            usage_type: cells.text(Column::UsageType),
            doubts: doubts.iter().filter(|(_, is)| *is).map(|(doubt, _)| *doubt).collect(),
        }
    }
}

impl<'a> Charge<'a> {
    /// What says what was measured.
    pub(crate) const fn measured_texts(&self) -> [Option<&'a str>; 3] {
        [self.usage_type, self.meter_texts[0], self.meter_texts[1]]
    }
}

/// A decimal number, in scientific notation too, as AWS writes `1.2E-5`.
fn number(text: &str) -> Option<Decimal> {
    match text.contains(['e', 'E']) {
        // Where it is too small for any decimal it is nothing at all, `4.9E-324`.
        true => Decimal::from_scientific(text).ok().or_else(|| vanishing(text)),
        false => Decimal::from_str(text).ok(),
    }
}

/// Zero, for a number in scientific notation that is smaller than any decimal.
fn vanishing(text: &str) -> Option<Decimal> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok()?;
    let mantissa = Decimal::from_str(digits).ok()?;
    let (least, one) = (-28, Decimal::TEN);
    match exponent {
        ..-28 if mantissa.abs() < one => Some(Decimal::ZERO),
        // Sixteen digits and an exponent: more decimals than there are places for.
        -28..0 => {
            let kept = (exponent - least).clamp(0, 28).cast_unsigned();
            Decimal::from_scientific(&format!("{}e{exponent}", mantissa.round_dp(kept))).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row with these cells, by the name of their column.
    pub(crate) fn row<'a>(cells: &[(&str, &'a str)]) -> Vec<Option<&'a str>> {
        let cell = |name: &&str| cells.iter().find(|(column, _)| column == name).map(|cell| cell.1);
        COLUMNS.iter().map(cell).collect()
    }

    #[test]
    fn numbers_are_decimals_in_either_notation() {
        for (text, shown) in [
            ("0.1", "0.1"),
            ("1.2E-5", "0.000012"),
            ("-3e2", "-300"),
            ("7.105427357601002E-15", "0.0000000000000071054273576010"),
            ("4.9E-324", "0"),
            ("0E-10", "0"),
        ] {
            let found = number(text).map(|number| number.normalize());
            assert_eq!(
                found,
                Decimal::from_str(shown).ok().map(|number| number.normalize()),
                "{text}"
            );
        }
        for text in ["", "NaN", "1,5", "inf", "12 USD", "1e400", "--1", "e5"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn a_row_is_read_by_its_columns() {
        let cells = row(&[
            ("BilledCost", "0"),
            ("EffectiveCost", "1.2E-5"),
            ("BillingCurrency", "USD"),
            ("ChargeCategory", "Usage"),
            ("ChargePeriodStart", "2026-10-01T00:00:00Z"),
            ("ChargePeriodEnd", "2026-10-01T01:00:00Z"),
            ("CommitmentDiscountStatus", "Used"),
            ("ChargeClass", "NULL"),
            ("ServiceProviderName", "AWS"),
            ("ServiceName", "Amazon EC2"),
        ]);
        let charge = Charge::read(&cells, 7);
        assert_eq!(charge.doubts, []);
        assert_eq!(charge.effective, Some("0.000012 USD".parse().unwrap()));
        assert_eq!((charge.class, charge.commitment), (Class::Regular, Commitment::Used));
        assert_eq!((charge.provider, charge.list), ("AWS", None));
        assert!((charge.period.unwrap().length().as_hours() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_understood_is_a_doubt() {
        let cells =
            row(&[("BilledCost", "free"), ("EffectiveCost", "1"), ("ChargeCategory", "Gift")]);
        let doubts = [Doubt::Billed, Doubt::Currency, Doubt::Category, Doubt::Period];
        assert_eq!(Charge::read(&cells, 0).doubts, doubts);
    }

    #[test]
    fn columns_that_are_missing_are_named() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(lacking(&names(COLUMNS)).is_empty());
        let folded = ["billed_cost", "effectivecost", "BILLINGCURRENCY", "ChargePeriodStart"];
        let rest = ["ChargePeriodEnd", "ChargeCategory", "ServiceName", "ServiceProviderName"];
        assert!(lacking(&names(&[folded, rest].concat())).is_empty());
        assert_eq!(lacking(&names(&["a", "b"])).len(), 7 + 1);
    }
}
