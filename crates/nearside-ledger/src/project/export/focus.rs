//! FOCUS 1.2 (FinOps Open Cost and Usage Specification): its mandatory columns, and those of the
//! others that we can fill.
//!
//! Source: FOCUS 1.2, "Columns", "Date/Time Format", "Null Handling", "Custom Column Handling".

use super::{Field, unknown};
use crate::amount::Amount;
use crate::project::SpendRow;
use crate::timestamp::Timestamp;

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
    ("ChargePeriodEnd", |spend| Some(moment(spend.row.charge_period_end))),
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

fn amount(amount: Option<&Amount>) -> Option<String> {
    amount.map(Amount::to_string)
}
