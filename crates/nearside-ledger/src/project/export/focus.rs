//! FOCUS 1.2 (FinOps Open Cost and Usage Specification): its mandatory columns, and those of the
//! others that we can fill.
//!
//! Source: FOCUS 1.2, "Columns", "Date/Time Format", "Null Handling", "Custom Column Handling".

use super::{Field, unknown};
use crate::amount::Amount;
use crate::project::SpendRow;
use crate::timestamp::Timestamp;

/// Milliseconds of a second.
const SECOND: u64 = 1000;

/// The columns, by name as in the specification.
pub(super) const FIELDS: &[Field<SpendRow>] = &[
    ("BilledCost", |spend| Some(spend.row.billed_amount.to_string())),
    ("BillingAccountId", |spend| spend.row.billing_account_id.clone()),
    ("BillingAccountName", |spend| spend.row.billing_account_name.clone()),
    ("BillingCurrency", |spend| Some(spend.row.currency.to_string())),
    ("BillingPeriodEnd", |spend| spend.row.billing_period_end.map(moment)),
    ("BillingPeriodStart", |spend| spend.row.billing_period_start.map(moment)),
    ("ChargeCategory", |spend| Some(spend.row.charge_category.to_string())),
    // Null says that it does not correct an invoice that was sent before.
    ("ChargeClass", unknown),
    ("ChargeDescription", |spend| spend.row.charge_description.clone()),
    ("ChargePeriodEnd", |spend| Some(end(&spend.row))),
    ("ChargePeriodStart", |spend| Some(moment(spend.row.charge_period_start))),
    ("ContractedCost", |spend| amount(spend.row.contracted_amount.as_ref())),
    ("EffectiveCost", |spend| amount(spend.row.effective_amount.as_ref())),
    ("InvoiceId", |spend| spend.row.invoice_id.clone()),
    ("InvoiceIssuerName", |spend| spend.row.invoice_issuer.clone()),
    ("ListCost", |spend| amount(spend.row.list_amount.as_ref())),
    ("ListUnitPrice", |spend| amount(spend.row.list_unit_amount.as_ref())),
    ("PricingCategory", |spend| spend.row.pricing_category.clone()),
    ("PricingQuantity", |spend| amount(spend.row.pricing_quantity.as_ref())),
    ("PricingUnit", |spend| spend.row.pricing_unit.clone()),
    ("ProviderName", |spend| Some(spend.row.provider.clone())),
    ("PublisherName", |spend| spend.row.publisher.clone()),
    ("RegionId", |spend| spend.row.region_id.clone()),
    ("ResourceId", |spend| spend.row.resource_id.clone()),
    ("ServiceCategory", |spend| Some(spend.row.service_category.clone())),
    ("ServiceName", |spend| Some(spend.row.service_name.clone())),
    ("SkuId", |spend| spend.row.sku_id.clone()),
    ("x_NearsideBasis", |spend| Some(spend.row.basis.to_string())),
    ("x_NearsideRun", |spend| spend.row.run.clone()),
];

/// FOCUS writes moments in UTC to the second.
fn moment(moment: Timestamp) -> String {
    format!("{}Z", moment.to_the_second())
}

/// The end is outside of what is charged, so it is rounded up, and never the moment of the beginning.
fn end(spend: &SpendRow) -> String {
    let (from, to) = (spend.charge_period_start, spend.charge_period_end);
    let second = |time: Timestamp| time.unix_millis() / SECOND;
    let end = to.unix_millis().div_ceil(SECOND).max(second(from) + 1);
    moment(Timestamp::from_unix_millis(end * SECOND).unwrap_or(to))
}

fn amount(amount: Option<&Amount>) -> Option<String> {
    amount.map(Amount::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{moment as at, spend};

    #[test]
    fn a_charge_ends_after_it_began_whatever_is_cut_off() {
        for (from, to, end_at) in [
            ("2026-11-23T10:00:00.100Z", "2026-11-23T10:00:00.300Z", "2026-11-23T10:00:01Z"),
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z"),
            ("2026-11-23T10:00:00Z", "2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"),
            ("2026-11-23T10:00:00.900Z", "2026-11-23T12:00:00.001Z", "2026-11-23T12:00:01Z"),
        ] {
            let row =
                SpendRow { charge_period_start: at(from), charge_period_end: at(to), ..spend("1") };
            assert_eq!(end(&row), end_at, "{from} {to}");
        }
    }
}
