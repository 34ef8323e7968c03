//! How much of its time a machine really works, by what was recorded: `share = union of the times that
//! something ran / time covered`. Embodied emissions are spread over that, so it matters more than any
//! other figure of a little-used machine.

use nearside_units::{Basis, Duration, Kind, Known, Sourced, Span, significant};

/// What was recorded of less time than this says nothing of a life: four weeks.
const LEAST_COVERED: Duration = Duration::hours(28.0 * 24.0);

/// Less work than this says nothing of one either: nobody has a machine for minutes a month, so that it
/// must do other things as well, which the ledger does not see.
const LEAST_BUSY: Duration = Duration::hours(10.0);

/// A time in which something ran.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spell {
    /// When it began, since any moment that all have in common.
    pub began: Duration,
    /// How long it took.
    pub took: Duration,
}

/// How much of its time a machine works.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InUse {
    /// Time in which something ran.
    pub busy: Duration,
    /// From the first spell until now.
    pub covered: Duration,
}

/// The time in which at least one of the spells ran.
pub(super) fn union(spells: &[Spell]) -> Duration {
    let mut ends: Vec<(f64, f64)> = spells
        .iter()
        .map(|spell| (spell.began.as_seconds(), (spell.began + spell.took).as_seconds()))
        .collect();
    ends.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut busy, mut until) = (0.0, 0.0_f64);
    for (began, ended) in ends {
        busy += (ended - began.max(until)).max(0.0);
        until = until.max(ended);
    }
    Duration::from_seconds(busy).unwrap_or(Duration::ZERO)
}

/// How much of its time a machine works, if enough of it was recorded.
///
/// ```
/// use nearside_economics::carbon::{Spell, in_use};
/// use nearside_units::Duration;
/// let spell = |day: f64, hours: f64| Spell {
///     began: Duration::hours(24.0 * day), took: Duration::hours(hours) };
/// // Eight hours, and eight that begin with the last two of them; then thirty days.
/// let later = Spell { began: Duration::hours(6.0), took: Duration::hours(8.0) };
/// let month = Duration::hours(30.0 * 24.0);
/// let found = in_use(&[spell(0.0, 8.0), later], month).value().unwrap();
/// assert_eq!(found.busy, Duration::hours(14.0));
/// // Too little time, and too little work.
/// assert!(in_use(&[spell(0.0, 20.0)], Duration::hours(48.0)).value().is_none());
/// assert!(in_use(&[spell(0.0, 2.0)], month).value().is_none());
/// ```
#[must_use]
pub fn in_use(spells: &[Spell], now: Duration) -> Known<InUse> {
    let first = spells
        .iter()
        .map(|spell| spell.began)
        .reduce(|one, other| if other < one { other } else { one });
    let Some(first) = first else { return Known::unknown("nothing was recorded") };
    let last = spells.iter().map(|spell| spell.began + spell.took).fold(now, Duration::max);
    let covered = last.checked_sub(first).unwrap_or(Duration::ZERO);
    let busy = union(spells);
    if covered < LEAST_COVERED {
        let days = significant(LEAST_COVERED.as_hours() / 24.0);
        return Known::unknown(format!(
            "the ledger covers {covered}, and it takes {days} days to tell"
        ));
    }
    match busy >= LEAST_BUSY {
        true => Known::Value(InUse { busy, covered }),
        false => Known::unknown(format!(
            "the ledger has {busy} of work, and it takes {LEAST_BUSY} to tell"
        )),
    }
}

impl InUse {
    /// The share, with its basis.
    #[must_use]
    pub fn share(&self) -> Sourced<Span<f64>> {
        let share = (self.busy / self.covered).clamp(0.0, 1.0);
        let source = format!(
            "the ledger: something ran {} of {}; other use of the machine is not in it",
            self.busy, self.covered
        );
        Sourced::new(
            Span::exact(share),
            Basis { kind: Kind::Measured, source: source.into(), as_of: None },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_share_is_a_share(spells in proptest::collection::vec((0.0..5000.0, 0.0..500.0), 1..20)) {
            let spells: Vec<Spell> = spells.into_iter().map(|(began, took)| Spell {
                began: Duration::hours(began),
                took: Duration::hours(took),
            }).collect();
            let sum: f64 = spells.iter().map(|spell| spell.took.as_hours()).sum();
            prop_assert!(union(&spells).as_hours() <= sum + 1e-6);
            if let Known::Value(found) = in_use(&spells, Duration::hours(6000.0)) {
                prop_assert!((0.0..=1.0).contains(&found.share().value.likely()));
            }
        }
    }
}
