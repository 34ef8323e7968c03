//! Offsets, as lines of their own beside what was emitted. They are never subtracted: there is no net
//! figure, and no score knows of them (SCI, ISO/IEC 21031: offsets do not reduce it; Oxford Principles
//! 2024: cut first, then removals, then durable storage).

use std::sync::Arc;

use nearside_units::{AtLeast, Currency, Date, Duration, GramsCo2e, HOURS_PER_YEAR, Known, Money};

/// Storage for less than this is not permanent: a hundred years.
const DURABLE: Duration = Duration::hours(100.0 * HOURS_PER_YEAR);
const GRAMS_PER_TONNE: f64 = 1e6;

/// What an offset did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetKind {
    /// Somebody else emitted less than they would have.
    Avoidance,
    /// Something was taken out of the air and stored.
    Removal,
}

/// An offset that was bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Offset {
    /// How much.
    pub amount: GramsCo2e,
    /// What a tonne cost.
    pub price_per_tonne: Known<Money>,
    /// What it did.
    pub kind: OffsetKind,
    /// For how long it stores.
    pub durability: Known<Duration>,
    /// Its number in a registry.
    pub registry: Known<Arc<str>>,
    /// The year in which it was made.
    pub vintage: Known<u16>,
    /// When it was retired, so that nobody else can claim it.
    pub retired: Known<Date>,
    /// Where that can be seen.
    pub evidence: Known<Arc<str>>,
}

/// What was emitted, and beside it what was offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What was emitted; no offset lowers it.
    pub gross: AtLeast<GramsCo2e>,
    /// Retired offsets that avoided emissions.
    pub avoided: GramsCo2e,
    /// Retired offsets that removed and stored.
    pub removed: GramsCo2e,
    /// Of those, what is stored for a hundred years or more.
    pub removed_for_long: GramsCo2e,
    /// Offsets that are not retired, and so do not count.
    pub not_retired: GramsCo2e,
    /// What they cost, one amount per currency.
    pub cost: Vec<Money>,
    /// Of how many no price is known.
    pub unpriced: usize,
    /// What to doubt, by the number of the offset from one.
    pub doubts: Vec<(usize, Arc<str>)>,
}

/// Sets offsets beside what was emitted.
///
/// ```
/// use nearside_economics::carbon::{Offset, OffsetKind, statement};
/// use nearside_units::{AtLeast, GramsCo2e, Known};
/// let unknown = || Known::unknown("not stated");
/// let offset = Offset {
///     amount: "2 t".parse().unwrap(), price_per_tonne: Known::unknown("not stated"),
///     kind: OffsetKind::Removal, durability: Known::unknown("not stated"), registry: unknown(),
///     vintage: Known::Value(2025), retired: "2026-01-31".parse().map_or_else(|_| panic!(), Known::Value),
///     evidence: unknown(),
/// };
/// let emitted = AtLeast::new(GramsCo2e::constant(1e6));
/// let said = statement(emitted.clone(), &[offset], "2026-11-23".parse().unwrap());
/// assert_eq!((said.gross, said.removed.to_string()), (emitted, "2.00 tCO2e".to_owned()));
/// ```
#[must_use]
pub fn statement(gross: AtLeast<GramsCo2e>, offsets: &[Offset], today: Date) -> Statement {
    let mut said = Statement {
        gross,
        avoided: GramsCo2e::ZERO,
        removed: GramsCo2e::ZERO,
        removed_for_long: GramsCo2e::ZERO,
        not_retired: GramsCo2e::ZERO,
        cost: Vec::new(),
        unpriced: 0,
        doubts: Vec::new(),
    };
    for (at, offset) in offsets.iter().enumerate() {
        said.add(offset, today);
        said.doubts.extend(doubts(offset, today).into_iter().map(|doubt| (at + 1, doubt)));
    }
    said
}

impl Statement {
    fn add(&mut self, offset: &Offset, today: Date) {
        let lasts = matches!(&offset.durability, Known::Value(time) if *time >= DURABLE);
        match (is_retired(offset, today), offset.kind) {
            (false, _) => self.not_retired += offset.amount,
            (true, OffsetKind::Avoidance) => self.avoided += offset.amount,
            (true, OffsetKind::Removal) => {
                self.removed += offset.amount;
                self.removed_for_long += if lasts { offset.amount } else { GramsCo2e::ZERO };
            }
        }
        let price = offset.price_per_tonne.as_ref().value();
        let tonnes = offset.amount.as_grams() / GRAMS_PER_TONNE;
        match price.and_then(|price| price.scaled(tonnes).ok()) {
            Some(cost) => self.pay(cost),
            None => self.unpriced += 1,
        }
    }

    fn pay(&mut self, cost: Money) {
        let same = |sum: &&mut Money| -> bool { currency(sum) == cost.currency() };
        match self.cost.iter_mut().find(same) {
            Some(sum) => *sum = sum.checked_add(cost).unwrap_or(*sum),
            None => self.cost.push(cost),
        }
    }
}

const fn currency(money: &Money) -> Currency {
    money.currency()
}

fn is_retired(offset: &Offset, today: Date) -> bool {
    matches!(&offset.retired, Known::Value(day) if day.days_until(today) >= 0)
}

/// What to doubt about an offset.
fn doubts(offset: &Offset, today: Date) -> Vec<Arc<str>> {
    let mut doubts: Vec<Arc<str>> = Vec::new();
    match &offset.retired {
        Known::Unknown(_) => doubts.push("not retired: somebody else may claim it".into()),
        Known::Value(day) if !is_retired(offset, today) => {
            doubts.push(format!("is to be retired on {day}, which has not come").into());
        }
        Known::Value(day) => {
            let year = day.to_string().get(..4).and_then(|year| year.parse::<u16>().ok());
            if let (Known::Value(vintage), Some(year)) = (&offset.vintage, year)
                && *vintage > year
            {
                doubts.push(format!("retired in {year}, before its vintage {vintage}").into());
            }
        }
    }
    if offset.registry.as_ref().value().is_none() {
        doubts.push("no number in a registry".into());
    }
    if offset.evidence.as_ref().value().is_none() {
        doubts.push("no evidence".into());
    }
    match (offset.kind, &offset.durability) {
        (OffsetKind::Removal, Known::Unknown(_)) => {
            doubts.push("for how long it stores is not known".into());
        }
        (OffsetKind::Removal, Known::Value(time)) if *time < DURABLE => {
            doubts.push("stores for less than a hundred years".into());
        }
        _ => {}
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offset(kind: OffsetKind, tonnes: f64, retired: Option<&str>) -> Offset {
        Offset {
            amount: GramsCo2e::constant(tonnes * GRAMS_PER_TONNE),
            price_per_tonne: Known::Value("12 EUR".parse().unwrap()),
            kind,
            durability: Known::Value(Duration::hours(1000.0 * HOURS_PER_YEAR)),
            registry: Known::Value("VCS-1".into()),
            vintage: Known::Value(2024),
            retired: Known::from_option(retired.map(|day| day.parse().unwrap()), "not stated"),
            evidence: Known::Value("a page".into()),
        }
    }

    fn today() -> Date {
        "2026-11-23".parse().unwrap()
    }

    #[test]
    fn what_is_not_retired_does_not_count() {
        let offsets = [
            offset(OffsetKind::Avoidance, 1.0, Some("2026-01-01")),
            offset(OffsetKind::Removal, 2.0, Some("2026-01-01")),
            offset(OffsetKind::Removal, 4.0, None),
            offset(OffsetKind::Removal, 8.0, Some("2027-01-01")),
            offset(OffsetKind::Avoidance, 16.0, Some("2023-01-01")),
        ];
        let said = statement(AtLeast::new(GramsCo2e::ZERO), &offsets, today());
        let lines = [said.avoided, said.removed, said.not_retired];
        assert_eq!(
            lines.map(|grams| grams.to_string()),
            ["17.0 tCO2e", "2.00 tCO2e", "12.0 tCO2e"]
        );
        assert_eq!(said.cost, ["372 EUR".parse().unwrap()]);
        let doubted: Vec<usize> = said.doubts.iter().map(|(at, _)| *at).collect();
        assert_eq!(doubted, [3, 4, 5]);
    }

    proptest! {
        #[test]
        fn offsets_never_change_what_was_emitted(
            grams in 0.0..1e9, tonnes in proptest::collection::vec(0.0..1e4, 0..8), removal: bool,
        ) {
            let kind = if removal { OffsetKind::Removal } else { OffsetKind::Avoidance };
            let offsets: Vec<Offset> =
                tonnes.iter().map(|tonnes| offset(kind, *tonnes, Some("2026-01-01"))).collect();
            let gross = AtLeast::new(GramsCo2e::constant(grams));
            let said = statement(gross.clone(), &offsets, today());
            prop_assert_eq!(said.gross, gross);
        }
    }
}
