//! Lines of the comparison of owning with every alternative, as all documents show them.

use nearside_economics::{Assumption, FAR, Far, Id, NEAR, Near};

/// A line of the table: what it is called, and its cells.
pub(crate) struct Line {
    pub(crate) label: &'static str,
    pub(crate) near: Option<fn(&Near) -> Id>,
    pub(crate) far: Option<fn(&Far) -> Id>,
    /// Whether it is one of those that matter.
    pub(crate) weight: Weight,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Part,
    Sum,
}

const fn line(
    label: &'static str,
    near: Option<fn(&Near) -> Id>,
    far: Option<fn(&Far) -> Id>,
) -> Line {
    Line { label, near, far, weight: Weight::Part }
}

const fn sum(
    label: &'static str,
    near: Option<fn(&Near) -> Id>,
    far: Option<fn(&Far) -> Id>,
) -> Line {
    Line { label, near, far, weight: Weight::Sum }
}

/// Costs, part by part.
#[rustfmt::skip]
pub(crate) const COSTS: &[Line] = &[
    line("Paid at the beginning", Some(|near| near.price), None),
    line("Hours of work it does; hours paid elsewhere", Some(|near| near.used), Some(|far| far.hours)),
    line("Electricity", Some(|near| near.parts[0]), None),
    line("Maintenance", Some(|near| near.parts[1]), None),
    line("Staff", Some(|near| near.parts[2]), None),
    line("Rack and floor", Some(|near| near.parts[3]), None),
    line("Network", Some(|near| near.parts[4]), None),
    line("Hours", None, Some(|far| far.parts[0])),
    line("Support", None, Some(|far| far.parts[1])),
    line("Data kept", None, Some(|far| far.parts[2])),
    line("Data fetched", None, Some(|far| far.parts[3])),
    line("Fee", None, Some(|far| far.parts[4])),
    sum("Cash a month", Some(|near| near.month), Some(|far| far.month)),
    sum("All costs a month, purchase spread over its life", Some(|near| near.month_full), Some(|far| far.month)),
    sum("All costs over the life of the machine", Some(|near| near.total), Some(|far| far.total)),
    sum("Per accelerator-hour of work", Some(|near| near.per_device_hour), Some(|far| far.per_device_hour)),
    line("Work beyond the hours of the machine, a month", None, Some(|far| far.beyond)),
];

/// What owning brings against each alternative.
#[rustfmt::skip]
pub(crate) const GAINS: &[Line] = &[
    sum("What owning saves a month, in cash", None, Some(|far| far.saving)),
    sum("Payback in cash", None, Some(|far| far.payback)),
    line("Payback with the team's time", None, Some(|far| far.payback_with_time)),
    sum("Payback with interest, tax and what is left", None, Some(|far| far.payback_discounted)),
    sum("Net present value", None, Some(|far| far.worth)),
    line("Net present value with the team's time", None, Some(|far| far.worth_with_time)),
    sum("Internal rate of return", None, Some(|far| far.rate_of_return)),
    sum("Hours a month from which on owning costs less", None, Some(|far| far.break_even)),
];

/// What may be entered for an input of this name.
pub(crate) fn assumption(name: &str) -> Option<&'static Assumption> {
    let of = |all: &'static [Assumption], name: &str| all.iter().find(|one| one.name == name);
    match name.strip_prefix("far").and_then(|rest| rest.split_once('_')) {
        Some((number, bare)) if number.parse::<usize>().is_ok() => of(FAR, bare),
        _ => of(NEAR, name),
    }
}
