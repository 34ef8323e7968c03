//! What we estimate: a low, a likely and a high value.

use std::ops::Add;

use thiserror::Error;

/// An estimate with its uncertainty. Always `low <= likely <= high`.
///
/// ```
/// use nearside_units::{Duration, Span};
/// let time = Span::new(Duration::hours(41.0), Duration::hours(48.0), Duration::hours(55.0)).unwrap();
/// assert_eq!(time.to_string(), "41.0-55.0 h");
/// assert_eq!(Span::exact(Duration::hours(2.0)).to_string(), "2.00 h");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<T> {
    low: T,
    likely: T,
    high: T,
}

/// Three numbers that are no span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a span needs low <= likely <= high")]
pub struct SpanError;

impl<T: Copy + PartialOrd> Span<T> {
    /// A span of three values.
    ///
    /// # Errors
    /// When they are not in order.
    pub fn new(low: T, likely: T, high: T) -> Result<Self, SpanError> {
        (low <= likely && likely <= high).then_some(Self { low, likely, high }).ok_or(SpanError)
    }

    /// A value without uncertainty.
    pub const fn exact(value: T) -> Self {
        Self { low: value, likely: value, high: value }
    }

    /// The low end.
    pub const fn low(self) -> T {
        self.low
    }

    /// The value that objectives compare.
    pub const fn likely(self) -> T {
        self.likely
    }

    /// The high end, which fitting uses.
    pub const fn high(self) -> T {
        self.high
    }

    /// Applies a function that grows with its argument.
    pub fn map<U: Copy + PartialOrd>(self, grows: impl Fn(T) -> U) -> Span<U> {
        Span { low: grows(self.low), likely: grows(self.likely), high: grows(self.high) }
    }

    /// Applies a function that grows with its argument and may fail.
    ///
    /// # Errors
    /// The first that the function gives.
    pub fn try_map<U: Copy + PartialOrd, E>(
        self,
        grows: impl Fn(T) -> Result<U, E>,
    ) -> Result<Span<U>, E> {
        Ok(Span { low: grows(self.low)?, likely: grows(self.likely)?, high: grows(self.high)? })
    }

    /// Combines two spans by a function that grows with both.
    pub fn combine<U: Copy + PartialOrd, V: Copy + PartialOrd>(
        self,
        other: Span<U>,
        grows: impl Fn(T, U) -> V,
    ) -> Span<V> {
        Span {
            low: grows(self.low, other.low),
            likely: grows(self.likely, other.likely),
            high: grows(self.high, other.high),
        }
    }

    /// Combines two spans by a function that grows with `self` and shrinks with `other`.
    pub fn combine_inverse<U: Copy + PartialOrd, V: Copy + PartialOrd>(
        self,
        other: Span<U>,
        shrinks: impl Fn(T, U) -> V,
    ) -> Span<V> {
        Span {
            low: shrinks(self.low, other.high),
            likely: shrinks(self.likely, other.likely),
            high: shrinks(self.high, other.low),
        }
    }
}

impl<T: Copy + PartialOrd + Add<Output = T>> Add for Span<T> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.combine(other, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn disorder_is_refused() {
        assert_eq!(Span::new(2, 1, 3), Err(SpanError));
        assert_eq!(Span::new(1.0, f64::NAN, 3.0), Err(SpanError));
    }

    proptest! {
        #[test]
        fn order_survives_arithmetic(mut a in [1u32..1000, 1u32..1000, 1u32..1000],
                                     mut b in [1u32..1000, 1u32..1000, 1u32..1000]) {
            a.sort_unstable();
            b.sort_unstable();
            let (a, b) = (Span::new(a[0], a[1], a[2]).unwrap(), Span::new(b[0], b[1], b[2]).unwrap());
            for span in [a + b, a.combine(b, |x, y| x * y), a.combine_inverse(b, |x, y| x / y)] {
                prop_assert!(span.low() <= span.likely() && span.likely() <= span.high());
            }
        }
    }
}
