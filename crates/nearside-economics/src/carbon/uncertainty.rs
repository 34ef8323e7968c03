//! How sure a sum of emissions is: the relative uncertainty of each term, and which term dominates.
//!
//! Terms are log-normal. To first order a relative change of a term changes the sum by its share of it,
//! so `sigma^2 = sum over terms of (sum over parts of share x sigma)^2`: terms that several parts have in
//! common (one grid, one machine) add up, different terms add as squares (root sum of squares of logs).
//! Nine of ten values lie within `likely x exp(-+ 1.645 sigma)`. (GUM, JCGM 100:2008, 5.1.)

use std::collections::BTreeMap;
use std::sync::Arc;

use nearside_units::{Date, GramsCo2e, GramsPerKwh, Kind, Sourced, Span};

/// The 95th percentile of a standard normal distribution.
const P95: f64 = 1.645;
/// Countries scatter so much about the world's average: standard deviation of the logarithms of the 84
/// countries of the catalog's grid table over its row of the world.
const WORLD: f64 = 1.04;
/// A grid row that describes a time which ended so long ago is old.
const OLD_DAYS: i64 = 730;

/// Something that a figure depends on, with its relative uncertainty (one standard deviation of its
/// logarithm).
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What, and of which site.
    pub what: Arc<str>,
    /// Standard deviation of its logarithm.
    pub sigma: f64,
    /// Why so much.
    pub why: Arc<str>,
}

impl Term {
    /// A term.
    pub fn new(what: impl Into<Arc<str>>, sigma: f64, why: impl Into<Arc<str>>) -> Self {
        Self { what: what.into(), sigma, why: why.into() }
    }
}

/// Emissions with the range that holds nine of ten values.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// One of twenty values is lower.
    pub p5: GramsCo2e,
    /// The likely value.
    pub likely: GramsCo2e,
    /// One of twenty values is higher.
    pub p95: GramsCo2e,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
    /// The term that dominates.
    pub widest: Option<Widest>,
}

/// The term that makes a sum most uncertain.
#[derive(Clone, Debug, PartialEq)]
pub struct Widest {
    /// Which.
    pub term: Term,
    /// Its share of the variance, 0 to 1.
    pub share: f64,
}

/// How sure a sum is, by its parts and the terms of each.
///
/// ```
/// use nearside_economics::carbon::{Term, interval};
/// use nearside_units::GramsCo2e;
/// let terms = [Term::new("energy", 0.3, "modelled"), Term::new("grid", 0.4, "another country")];
/// let sum = interval(&[(GramsCo2e::constant(100.0), &terms)]);
/// assert!((sum.sigma - 0.5).abs() < 1e-12, "a product: squares add up");
/// assert!((sum.p95.as_grams() - 100.0 * (1.645f64 * 0.5).exp()).abs() < 1e-9);
/// ```
#[must_use]
pub fn interval(parts: &[(GramsCo2e, &[Term])]) -> Interval {
    let likely = parts.iter().fold(GramsCo2e::ZERO, |sum, (part, _)| sum + *part);
    let mut moves: BTreeMap<&str, (f64, &Term)> = BTreeMap::new();
    if likely > GramsCo2e::ZERO {
        for (part, terms) in parts {
            for term in *terms {
                let share = part.as_grams() / likely.as_grams();
                let entry = moves.entry(&term.what).or_insert((0.0, term));
                entry.0 += share * term.sigma;
            }
        }
    }
    let variance: f64 = moves.values().map(|(by, _)| by * by).sum();
    let widest = moves.values().max_by(|one, other| one.0.total_cmp(&other.0));
    let widest = widest.filter(|(by, _)| *by > 0.0);
    let sigma = variance.sqrt();
    Interval {
        p5: likely * (-P95 * sigma).exp(),
        likely,
        p95: likely * (P95 * sigma).exp(),
        sigma,
        widest: widest
            .map(|(by, term)| Widest { term: (*term).clone(), share: by * by / variance }),
    }
}

/// The sigma of a span, taken as the range of nine of ten values: `ln(high / low) / (2 x 1.645)`.
pub(super) fn sigma_of<T: Copy + PartialOrd>(span: Span<T>, number: impl Fn(T) -> f64) -> f64 {
    let (low, high) = (number(span.low()), number(span.high()));
    if low > 0.0 && high > low { (high / low).ln() / (2.0 * P95) } else { 0.0 }
}

/// How sure a grid's average is, and why: 5 % in its own year, 10 % in another, 25 % where a coarser
/// average stands in for the place, and the scatter of countries where the world does.
#[must_use]
pub fn grid_sigma(
    intensity: &Sourced<GramsPerKwh>,
    steps: &[Arc<str>],
    today: Date,
) -> (f64, &'static str) {
    let year = |date: Date| date.to_string().get(..4).map(str::to_owned);
    match intensity.basis.kind {
        Kind::Assumed => (WORLD, "the world's average: countries scatter by a factor of 2.8"),
        _ if !steps.is_empty() => (0.25, "a coarser average than that of the place"),
        _ if intensity.basis.as_of.and_then(year) == year(today) => {
            (0.05, "an annual average of this year")
        }
        _ => (0.10, "an annual average of another year"),
    }
}

/// Whether what a row describes ended more than 24 months ago: a row of a year describes it to its end.
#[must_use]
pub fn grid_is_old(as_of: Date, today: Date) -> bool {
    let text = as_of.to_string();
    let last = match text.len() {
        4 => format!("{text}-12-31"),
        7 => format!("{text}-28"),
        _ => text,
    };
    last.parse::<Date>().unwrap_or(as_of).days_until(today) > OLD_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearside_units::Basis;

    fn grams(grams: f64) -> GramsCo2e {
        GramsCo2e::constant(grams)
    }

    #[test]
    fn what_parts_have_in_common_adds_up_and_what_they_have_not_adds_as_squares() {
        let grid = [Term::new("grid", 0.2, "")];
        let common = interval(&[(grams(50.0), &grid), (grams(50.0), &grid)]);
        assert!((common.sigma - 0.2).abs() < 1e-12, "{common:?}");
        let other = [Term::new("another grid", 0.2, "")];
        let apart = interval(&[(grams(50.0), &grid), (grams(50.0), &other)]);
        assert!((apart.sigma - 0.02f64.sqrt()).abs() < 1e-12, "{apart:?}");
    }

    #[test]
    fn the_term_that_dominates_is_named_with_its_share() {
        let terms = [Term::new("energy", 0.1, ""), Term::new("making", 0.3, "")];
        let found = interval(&[(grams(10.0), &terms)]).widest.unwrap();
        assert_eq!(&*found.term.what, "making");
        assert!((found.share - 0.9).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn nothing_is_sure_to_be_nothing() {
        let none = interval(&[]);
        assert_eq!((none.p5, none.p95, none.widest), (grams(0.0), grams(0.0), None));
    }

    #[test]
    fn a_grid_row_is_as_sure_as_its_place_and_year() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let of = |kind: Kind, year: &str, steps: &[Arc<str>]| {
            let basis = Basis { kind, source: "a table".into(), as_of: year.parse().ok() };
            let row = Sourced::new(GramsPerKwh::constant(300.0), basis);
            (grid_sigma(&row, steps, day("2026-11-23")).0 * 100.0).round() as u32
        };
        let sigmas = [
            of(Kind::Published, "2026", &[]),
            of(Kind::Published, "2023", &[]),
            of(Kind::Derived, "2026", &["no figure for CA-QC".into()]),
            of(Kind::Assumed, "2026", &["country not known".into()]),
        ];
        assert_eq!(sigmas, [5, 10, 25, 104]);
        for (row, old) in
            [("2023", true), ("2024", false), ("2024-11-01", true), ("2024-12", false)]
        {
            assert_eq!(grid_is_old(day(row), day("2026-11-23")), old, "{row}");
        }
    }
}
