//! What a figure was computed from, with its basis: the lines of `--explain`.

use std::fmt;

use nearside_units::{
    Basis, Bytes, BytesPerSecond, Duration, FlopsPerSecond, GramsPerKwh, Money, PerHour, PerKwh,
    Sourced, Span, Watts, significant,
};

/// Something that a figure was computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// What it is, as in `memory bandwidth`.
    pub what: &'static str,
    /// Its value.
    pub value: Quantity,
    /// Where it came from.
    pub basis: Basis,
}

impl Input {
    pub(crate) fn of<T: Copy + Into<Quantity>>(what: &'static str, sourced: &Sourced<T>) -> Self {
        Self { what, value: sourced.value.into(), basis: sourced.basis.clone() }
    }
}

/// Gives one variant per kind of value, each shown as its own type shows it.
macro_rules! quantities {
    ($($(#[$doc:meta])* $name:ident($type:ty)),+ $(,)?) => {
        /// A value of any kind that estimates are made from. It becomes text only when it is shown:
        /// hundreds of sites are estimated for each one that is explained.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Quantity {
            $($(#[$doc])* $name($type)),+
        }

        $(impl From<$type> for Quantity {
            fn from(value: $type) -> Self {
                Self::$name(value)
            }
        })+

        impl fmt::Display for Quantity {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(value) => value.fmt(formatter)),+
                }
            }
        }
    };
}

quantities! {
    /// An amount of data.
    Bytes(Bytes),
    /// An estimated amount of data.
    ByteSpan(Span<Bytes>),
    /// A bandwidth.
    Bandwidth(BytesPerSecond),
    /// An estimated bandwidth.
    BandwidthSpan(Span<BytesPerSecond>),
    /// A speed of arithmetic.
    Speed(FlopsPerSecond),
    /// An estimated speed of arithmetic.
    SpeedSpan(Span<FlopsPerSecond>),
    /// An estimated length of time.
    Time(Span<Duration>),
    /// An estimated share, shown in percent.
    Share(Share),
    /// An estimated power.
    Power(Span<Watts>),
    /// A length of time.
    Length(Duration),
    /// An amount of money.
    Money(Money),
    /// A grid intensity.
    Intensity(GramsPerKwh),
    /// A price of an hour.
    Price(PerHour),
    /// An electricity tariff.
    Tariff(PerKwh),
    /// A count.
    Count(u32),
}

/// An estimated share of a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(Span<f64>);

impl From<Span<f64>> for Quantity {
    fn from(share: Span<f64>) -> Self {
        Self::Share(Share(share))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| significant(share * 100.0);
        let (low, high) = (percent(self.0.low()), percent(self.0.high()));
        match low == high {
            true => write!(formatter, "{low} %"),
            false => write!(formatter, "{low}-{high} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_with_their_units() {
        let shown = |value: Quantity| value.to_string();
        assert_eq!(shown(Bytes::gib(24).into()), "24.0 GiB");
        assert_eq!(shown(Span::new(0.5, 0.7, 0.87).unwrap().into()), "50.0-87.0 %");
        // Ends that round to the same are one figure.
        assert_eq!(shown(Span::new(0.11901, 0.11902, 0.11903).unwrap().into()), "11.9 %");
        assert_eq!(shown(32u32.into()), "32");
    }
}
