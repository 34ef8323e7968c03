//! Amounts of data. Memory is shown in IEC units (GiB), disks and networks in SI units (GB).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use crate::{BytesPerSecond, Duration, ParseError, display, parse};

/// A number of bytes.
///
/// ```
/// use nearside_units::Bytes;
/// let memory: Bytes = "24 GiB".parse().unwrap();
/// assert_eq!(memory, Bytes::new(24 << 30));
/// assert_eq!(memory.to_string(), "24.0 GiB");
/// assert_eq!(memory.si(), "25.8 GB");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(u64);

const KIB: f64 = 1024.0;

/// Every spelling that is read, in bytes.
const UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("KiB", KIB),
    ("MB", 1e6),
    ("MiB", KIB * KIB),
    ("GB", 1e9),
    ("GiB", KIB * KIB * KIB),
    ("TB", 1e12),
    ("TiB", KIB * KIB * KIB * KIB),
    ("PB", 1e15),
    ("PiB", KIB * KIB * KIB * KIB * KIB),
];

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self(0);
    /// As much as can be counted.
    pub const MAX: Self = Self(u64::MAX);

    /// From a count of bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// From gibibytes (2^30 bytes).
    #[must_use]
    pub const fn gib(gibibytes: u64) -> Self {
        Self(gibibytes << 30)
    }

    /// From mebibytes (2^20 bytes).
    #[must_use]
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The count of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// In gibibytes.
    #[must_use]
    pub fn as_gib(self) -> f64 {
        self.0 as f64 / (KIB * KIB * KIB)
    }

    /// In gigabytes (10^9 bytes), the unit of networks and invoices.
    #[must_use]
    pub fn as_gb(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The sum, or `None` past 2^64 bytes.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` when `other` is larger.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// What is left after `other`, nothing when `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Rounded up to a whole number of `block`s (at least 1 byte long).
    ///
    /// ```
    /// use nearside_units::Bytes;
    /// assert_eq!(Bytes::new(4).rounded_up_to(512), Bytes::new(512));
    /// ```
    #[must_use]
    pub fn rounded_up_to(self, block: u64) -> Self {
        Self(self.0.div_ceil(block.max(1)) * block.max(1))
    }

    /// Scaled by a finite, non-negative factor, rounded up to a byte.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        debug_assert!(factor.is_finite() && factor >= 0.0, "factor {factor}");
        Self((self.0 as f64 * factor).ceil() as u64)
    }

    /// In SI units with three significant digits, for disks and networks.
    #[must_use]
    pub fn si(self) -> String {
        display::in_unit_of(self.0 as f64, UNITS, &["B", "kB", "MB", "GB", "TB", "PB"])
    }
}

impl FromStr for Bytes {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let value = parse::with_unit(text, "amount of data", UNITS)?;
        parse::whole(value, "amount of data").map(Self)
    }
}

impl fmt::Display for Bytes {
    /// IEC units, three significant digits; `{:#}` writes plain bytes.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        display::scaled(formatter, *self)
    }
}

impl display::Shown for Bytes {
    const SHOWN: &'static [&'static str] = &["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    const UNITS: &'static [(&'static str, f64)] = UNITS;
    fn base(self) -> f64 {
        self.0 as f64
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Bytes {
    type Output = Self;
    /// Panics when `other` is larger: use [`Bytes::checked_sub`] where that can happen.
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<u64> for Bytes {
    type Output = Self;
    fn mul(self, count: u64) -> Self {
        Self(self.0 * count)
    }
}

impl Div<BytesPerSecond> for Bytes {
    type Output = Duration;
    fn div(self, rate: BytesPerSecond) -> Duration {
        Duration::of(self.0 as f64 / rate.as_bytes_per_second())
    }
}

impl Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn memory_and_disk_units_differ() {
        assert_eq!("1 GB".parse::<Bytes>().unwrap().get(), 1_000_000_000);
        assert_eq!("1 GiB".parse::<Bytes>().unwrap().get(), 1 << 30);
        assert_eq!("1.5 KiB".parse::<Bytes>().unwrap().get(), 1536);
    }

    #[test]
    fn a_bare_number_is_refused() {
        let error = "24".parse::<Bytes>().unwrap_err().to_string();
        assert!(error.contains("needs a unit"), "{error}");
    }

    #[test]
    fn too_much_is_an_error_not_a_wrap() {
        assert!("99999999999 PB".parse::<Bytes>().is_err());
    }

    proptest! {
        #[test]
        fn exact_form_parses_back(bytes in 0u64..1 << 53) {
            let text = format!("{:#}", Bytes::new(bytes));
            prop_assert_eq!(text.parse::<Bytes>().unwrap().get(), bytes);
        }

        #[test]
        fn rounding_up_reaches_a_whole_block(bytes in 0u64..1 << 50, block in 1u64..4096) {
            let rounded = Bytes::new(bytes).rounded_up_to(block).get();
            prop_assert!(rounded.is_multiple_of(block) && rounded >= bytes && rounded < bytes + block);
        }
    }
}
