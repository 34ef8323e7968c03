//! Offsets beside what was emitted.

use nearside_economics::carbon::{Offset, Statement, Tally, statement};
use nearside_units::{AtLeast, Date, GramsCo2e};

use super::view::{OffsetsView, PartView, kilograms};

/// What offsets are set beside: what it is of, and how much.
pub(super) type Gross = (&'static str, AtLeast<GramsCo2e>);

pub(super) fn gross(of: &'static str, tally: &Tally) -> Gross {
    (of, AtLeast { total: tally.total.likely, missing: tally.missing() })
}

pub(super) fn view((of, gross): Gross, bought: &[Offset], today: Date) -> OffsetsView {
    let Statement {
        gross,
        avoided,
        removed,
        removed_for_long,
        not_retired,
        cost,
        unpriced,
        doubts,
    } = statement(gross, bought, today);
    OffsetsView {
        of: of.to_owned(),
        gross_kg: PartView::of(&gross, kilograms),
        avoided_kg: kilograms(avoided),
        removed_kg: kilograms(removed),
        removed_for_long_kg: kilograms(removed_for_long),
        not_retired_kg: kilograms(not_retired),
        cost: cost.iter().map(ToString::to_string).collect(),
        unpriced,
        doubts: doubts.into_iter().map(|(at, doubt)| format!("offset {at}: {doubt}")).collect(),
    }
}
