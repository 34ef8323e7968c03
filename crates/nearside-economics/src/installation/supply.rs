//! The power supply: how large it must be for hours, and whether it bears the moments in which cards draw more
//! than they are said to.
//!
//! Sources: Intel, ATX Version 3 Multi Rail Desktop Platform Power Supply Design Guide, table 3-3 (what a
//! supply bears, for how long); PCI Express CEM 5.1 (a card may draw three times its power for 100 us);
//! oscillograms of one RTX 5090 of 575 W (627 W for 10-20 ms, 738 W for 5-10 ms, 824 W for 1-5 ms, 901 W below
//! 1 ms; Igor's Lab), which stand in for every card.

use std::sync::Arc;

use nearside_estimate::Input;
use nearside_units::{Basis, Duration, Known, Sourced, Span, Watts};

use super::{Enough, Parts, enough};

/// Share of its rating that a supply gives for hours.
const SUSTAINED_SHARE: f64 = 0.8;
/// What an ATX 3.x supply is sized for: so many times the power of its cards.
const CARDS_OF_ATX3: f64 = 1.2;
/// What a supply that promises nothing of moments is sized for: so many times the power of its cards.
const CARDS_OF_ATX2: [f64; 3] = [1.6, 1.8, 2.0];
/// Up to this rating an ATX 3.x supply promises less.
const SMALL_RATING: Watts = Watts::constant(450.0);

/// Moments: how long they last, what a card draws in them over its nominal power, and what an ATX 3.x supply
/// bears meanwhile over its rating, a small one and a larger one.
const MOMENTS: [(Duration, f64, [f64; 2]); 5] = [
    (Duration::constant(0.02), 627.0 / 575.0, [1.10, 1.20]),
    (Duration::constant(0.01), 738.0 / 575.0, [1.35, 1.60]),
    (Duration::constant(0.005), 824.0 / 575.0, [1.35, 1.60]),
    (Duration::constant(0.001), 901.0 / 575.0, [1.45, 1.80]),
    (SHORTEST, 3.0, [1.50, 2.00]),
];
/// The shortest moment: what a card may draw in it is its limit, and capacitors bear much of it.
const SHORTEST: Duration = Duration::constant(1e-4);

/// Ratings of supplies that are sold for one machine, in watts.
const SIZES: [u32; 14] =
    [300, 400, 450, 550, 650, 750, 850, 1000, 1200, 1300, 1500, 1600, 2000, 2200];

/// What a supply promises of moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// ATX 2.x: nothing.
    Atx2,
    /// ATX 3.x: up to twice its rating for 100 us.
    Atx3,
}

/// A power supply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Supply {
    /// What it is rated for.
    pub rating: Watts,
    /// What it promises of moments.
    pub standard: Standard,
}

/// What hangs on a supply, each at the most that it draws for hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loads {
    /// Accelerators, whose power leaps.
    pub cards: Span<Watts>,
    /// Processor, memory, board, disks and fans.
    pub others: Span<Watts>,
}

/// The rating that a supply needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SupplyNeeded {
    /// Of one that promises nothing of moments.
    pub atx2: Span<Watts>,
    /// Of one by ATX 3.x.
    pub atx3: Span<Watts>,
}

impl SupplyNeeded {
    /// By one of the standards.
    #[must_use]
    pub const fn by(&self, standard: Standard) -> Span<Watts> {
        match standard {
            Standard::Atx2 => self.atx2,
            Standard::Atx3 => self.atx3,
        }
    }
}

/// The rating that the supply of a machine needs; see [`Loads::supply_needed`]. A machine that is sold with its
/// supplies needs no other.
#[must_use]
pub fn supply_needed(parts: &Parts) -> Known<SupplyNeeded> {
    match &parts.own_supplies {
        Some(why) => Known::Unknown(Arc::clone(why)),
        None => parts.loads().map(Loads::supply_needed),
    }
}

/// What a supply is given more than its parts draw, with its basis.
pub(super) fn reserves() -> [Input; 3] {
    let (intel, moments) = (
        "Intel, ATX 3 design guide: the sum is held against 80 % of the rating",
        "what cards draw in moments, of a supply that promises to bear them",
    );
    let nothing = "what cards draw in moments, of a supply that promises nothing of them";
    let [low, likely, high] = CARDS_OF_ATX2;
    let leaps = Span::new(low, likely, high).unwrap_or(Span::exact(high));
    let input = |what, share: Span<f64>, why: &'static str| Input {
        what,
        value: share.into(),
        basis: Basis::assumed(why),
    };
    [
        input("share of the supply's rating, for hours", Span::exact(SUSTAINED_SHARE), intel),
        input("power of cards, ATX 3.x supply", Span::exact(CARDS_OF_ATX3), moments),
        input("power of cards, ATX 2.x supply", leaps, nothing),
    ]
}

impl Loads {
    /// The rating that a supply needs. ATX 3.x: `(others + 1.2 x cards) / 0.8`. ATX 2.x:
    /// `others + 1.6-2.0 x cards`, and no less than the first. Intel's own example of 300 W of processor, 300 W
    /// of cards and 150 W of the rest takes 750 W by ATX 3.0, without reserve, and 1100 W by ATX 2.x.
    ///
    /// ```
    /// use nearside_economics::installation::Loads;
    /// use nearside_units::{Span, Watts};
    /// let exactly = |watts| Span::exact(Watts::constant(watts));
    /// let needed = Loads { cards: exactly(575.0), others: exactly(250.0) }.supply_needed();
    /// assert_eq!(needed.atx3.to_string(), "1.18 kW"); // (250 + 690) / 0.8 = 1175
    /// assert_eq!(needed.atx2.to_string(), "1.18-1.40 kW"); // 250 + 2.0 x 575 = 1400
    /// ```
    #[must_use]
    pub fn supply_needed(self) -> SupplyNeeded {
        let sum = |cards: f64| self.others.combine(self.cards, |it, more| it + more * cards);
        let atx3 = sum(CARDS_OF_ATX3).map(|watts| watts * (1.0 / SUSTAINED_SHARE));
        let [low, likely, high] = CARDS_OF_ATX2;
        let (low, likely, high) = (sum(low).low(), sum(likely).likely(), sum(high).high());
        let leaps = Span::new(low, likely, high).unwrap_or(Span::exact(high));
        SupplyNeeded { atx2: leaps.combine(atx3, most), atx3 }
    }
}

/// A supply held against what is asked of it.
#[derive(Clone, Debug)]
pub struct Supplied {
    /// The supply.
    pub supply: Supply,
    /// Whether it is large enough.
    pub enough: Enough,
    /// What it bears for moments, and what cards may draw in them.
    pub excursions: Vec<Excursion>,
}

impl Supply {
    /// Whether it is enough for hours and in every moment.
    #[must_use]
    pub fn held(self, needed: &SupplyNeeded, loads: Loads) -> Supplied {
        let excursions = excursions(loads, self);
        let sustained = enough(needed.by(self.standard), self.rating);
        let enough = excursions.iter().filter_map(Excursion::enough).fold(sustained, Enough::max);
        Supplied { supply: self, enough, excursions }
    }
}

/// A moment in which cards draw more than they are said to, all of them at once.
#[derive(Clone, Debug)]
pub struct Excursion {
    /// How long it lasts at the most.
    pub lasts: Duration,
    /// What the machine draws of the supply meanwhile.
    pub power: Span<Watts>,
    /// What the supply bears meanwhile.
    pub borne: Known<Watts>,
}

impl Excursion {
    /// Whether the supply bears it, where it promises anything. What a card may draw in the shortest moment is a
    /// limit that nobody saw it reach, so it is a doubt at most.
    #[must_use]
    pub fn enough(&self) -> Option<Enough> {
        let enough = enough(self.power, *self.borne.as_ref().value()?);
        Some(if self.lasts > SHORTEST { enough } else { enough.min(Enough::Uncertain) })
    }
}

/// The moments that a supply must bear. What one of ATX 2.x bears for 100 us nobody says.
///
/// ```
/// use nearside_economics::installation::{Loads, Standard, Supply, excursions};
/// use nearside_units::{Span, Watts};
/// let exactly = |watts| Span::exact(Watts::constant(watts));
/// let loads = Loads { cards: exactly(575.0), others: exactly(250.0) };
/// let supply = Supply { rating: Watts::constant(1000.0), standard: Standard::Atx3 };
/// let millisecond = &excursions(loads, supply)[3];
/// assert_eq!(millisecond.power.to_string(), "1.15 kW"); // 250 + 901
/// assert_eq!(millisecond.borne.clone().value().unwrap().to_string(), "1.80 kW");
/// ```
#[must_use]
pub fn excursions(loads: Loads, supply: Supply) -> Vec<Excursion> {
    let place = usize::from(supply.rating > SMALL_RATING);
    let moment = |(lasts, leap, shares): (Duration, f64, [f64; 2])| Excursion {
        lasts,
        power: loads.others.combine(loads.cards, |others, cards| others + cards * leap),
        borne: match supply.standard {
            Standard::Atx3 => Known::Value(supply.rating * shares[place]),
            Standard::Atx2 if lasts > SHORTEST => Known::Value(supply.rating),
            Standard::Atx2 => Known::unknown("ATX 2.x promises nothing of moments"),
        },
    };
    MOMENTS.map(moment).into()
}

/// What moments are taken from.
#[must_use]
pub fn moments() -> Sourced<Span<f64>> {
    let (low, high) = (MOMENTS[0].1, MOMENTS[3].1);
    let span = Span::new(low, low, high).unwrap_or(Span::exact(high));
    let why = "leaps of one RTX 5090 of 575 W (627 W for 20 ms to 901 W for 1 ms, Igor's Lab), as if every card leapt so";
    Sourced::new(span, Basis::assumed(why))
}

/// The smallest supply that is sold for one machine and large enough; none where several must share.
///
/// ```
/// use nearside_economics::installation::size_sold;
/// use nearside_units::Watts;
/// assert_eq!(size_sold(Watts::constant(1175.0)), Some(Watts::constant(1200.0)));
/// assert_eq!(size_sold(Watts::constant(9000.0)), None);
/// ```
#[must_use]
pub fn size_sold(needed: Watts) -> Option<Watts> {
    let sizes = SIZES.iter().map(|size| Watts::constant(1.0) * f64::from(*size));
    sizes.into_iter().find(|size| *size >= needed)
}

fn most(one: Watts, other: Watts) -> Watts {
    if other > one { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn loads(cards: f64, others: f64) -> Loads {
        let exactly = |watts| Span::exact(Watts::constant(watts));
        Loads { cards: exactly(cards), others: exactly(others) }
    }

    #[test]
    fn a_small_supply_promises_less() {
        let borne = |rating| {
            let supply = Supply { rating: Watts::constant(rating), standard: Standard::Atx3 };
            excursions(loads(200.0, 100.0), supply)[0].borne.clone().value().unwrap().as_watts()
        };
        assert!((borne(450.0) - 495.0).abs() < 1e-9 && (borne(500.0) - 600.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn more_cards_never_need_less_and_no_promise_needs_no_less(
            cards in 0.0f64..5000.0, others in 1.0f64..2000.0, more in 0.0f64..1000.0,
        ) {
            let (one, two) = (loads(cards, others), loads(cards + more, others));
            let (one, two) = (one.supply_needed(), two.supply_needed());
            prop_assert!(one.atx3.high() <= two.atx3.high() && one.atx2.low() <= two.atx2.low());
            prop_assert!(one.atx2.low() >= one.atx3.low());
        }

        /// Moments never speak against a supply that the shown range allows.
        #[test]
        fn a_verdict_follows_from_the_range_that_is_shown(
            cards in 1.0f64..3000.0, others in 1.0f64..500.0, more in 1.0f64..500.0, rating in 1.0f64..6000.0,
        ) {
            let [low, likely, high] = [others, others + more / 2.0, others + more];
            let others = Span::new(low, likely, high).unwrap().map(Watts::constant);
            let loads = Loads { cards: Span::exact(Watts::constant(cards)), others };
            for standard in [Standard::Atx2, Standard::Atx3] {
                let supply = Supply { rating: Watts::constant(rating), standard };
                let needed = loads.supply_needed();
                let verdict = supply.held(&needed, loads).enough;
                let shown = enough(needed.by(standard), supply.rating);
                prop_assert_eq!(verdict == Enough::No, shown == Enough::No);
                // Only what a card may draw for 100 us makes a doubt of what is enough otherwise.
                prop_assert!(verdict >= shown);
            }
        }

        /// What is sized by the rule bears every moment that anybody measured.
        #[test]
        fn a_supply_by_the_rule_bears_the_moments(cards in 50.0f64..5000.0, others in 1.0f64..2000.0) {
            let loads = loads(cards, others);
            for standard in [Standard::Atx2, Standard::Atx3] {
                let rating = loads.supply_needed().by(standard).high();
                let found = excursions(loads, Supply { rating, standard });
                for moment in found.iter().filter(|moment| moment.lasts > SHORTEST) {
                    let borne = moment.borne.as_ref().value().copied().unwrap();
                    prop_assert!(moment.power.high() <= borne, "{moment:?}");
                }
            }
        }
    }
}
