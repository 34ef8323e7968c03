//! What something draws: at rest, at work, and at the most for hours.

use std::ops::Add;

use nearside_units::{Basis, Sourced, Span, Watts};

/// Power of a part or of a whole machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// On and waiting.
    pub idle: Span<Watts>,
    /// On average while work goes on, which decides what a year costs.
    pub working: Span<Watts>,
    /// The most that it draws for hours, which supply, circuit and cooling must bear.
    pub full: Span<Watts>,
}

impl Draw {
    /// Nothing at all.
    pub const NOTHING: Self = {
        let none = Span::exact(Watts::ZERO);
        Self { idle: none, working: none, full: none }
    };

    /// So many of them.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        let times = |span: Span<Watts>| span.map(|watts| watts * f64::from(count));
        Self { idle: times(self.idle), working: times(self.working), full: times(self.full) }
    }
}

impl Add for Draw {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            idle: self.idle + other.idle,
            working: self.working + other.working,
            full: self.full + other.full,
        }
    }
}

/// What a supply gives over what it takes.
#[must_use]
pub fn efficiency() -> Sourced<Span<f64>> {
    let span = Span::new(0.85, 0.90, 0.94).unwrap_or(Span::exact(0.90));
    let why = "power supplies of 80 PLUS Bronze to Titanium at half load";
    Sourced::new(span, Basis::assumed(why))
}

/// Power at the wall of so much power behind the supply: `direct / efficiency`.
///
/// ```
/// use nearside_economics::installation::{at_wall, efficiency};
/// use nearside_units::{Span, Watts};
/// let wall = at_wall(Span::exact(Watts::constant(900.0)), efficiency().value);
/// assert_eq!(wall.likely().to_string(), "1.00 kW");
/// assert_eq!(wall.to_string(), "0.957-1.06 kW");
/// ```
#[must_use]
pub fn at_wall(direct: Span<Watts>, efficiency: Span<f64>) -> Span<Watts> {
    direct.combine_inverse(efficiency, |watts, share| watts * (1.0 / share))
}
