//! Whether something bears what is asked of it.

use nearside_units::{Span, Watts};

/// The answer, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enough {
    /// Even if everything asks for as much as it may.
    Yes,
    /// It lies within the range of what may be asked for.
    Uncertain,
    /// Less than the least that may be asked for.
    No,
}

/// Holds what is asked for against what there is. Only the ends of the range decide, which are what is shown: what
/// lies between them is neither enough nor too small for certain.
///
/// ```
/// use nearside_economics::installation::{Enough, enough};
/// use nearside_units::{Span, Watts};
/// let asked = Span::new(800.0, 1000.0, 1200.0).unwrap().map(Watts::constant);
/// assert_eq!(enough(asked, Watts::constant(1200.0)), Enough::Yes);
/// assert_eq!(enough(asked, Watts::constant(999.0)), Enough::Uncertain);
/// assert_eq!(enough(asked, Watts::constant(799.0)), Enough::No);
/// ```
#[must_use]
pub fn enough(asked: Span<Watts>, given: Watts) -> Enough {
    if asked.high() <= given {
        Enough::Yes
    } else if asked.low() <= given {
        Enough::Uncertain
    } else {
        Enough::No
    }
}
