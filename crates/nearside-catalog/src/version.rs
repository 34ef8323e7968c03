//! Versions of drivers, toolkits and packages: numbers between points, compared number by number.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::ParseError;

/// A version such as `580.95.05` or `12.8`. What is not written counts as zero.
///
/// ```
/// use nearside_catalog::Version;
/// let version = |text: &str| text.parse::<Version>().unwrap();
/// assert!(version("580.65.06") < version("580.126.09"));
/// assert_eq!(version("12"), version("12.0"));
/// assert_eq!(version("2.10.0+cu128").to_string(), "2.10.0");
/// assert!("soon".parse::<Version>().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct Version {
    text: Arc<str>,
    numbers: Vec<u32>,
}

impl Version {
    /// The first number: the CUDA major, the branch of a driver.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.number(0)
    }

    /// The second number.
    #[must_use]
    pub fn minor(&self) -> u32 {
        self.number(1)
    }

    fn number(&self, at: usize) -> u32 {
        self.numbers.get(at).copied().unwrap_or(0)
    }

    /// The first two numbers as a version: `2.10` of `2.10.1`.
    #[must_use]
    pub fn release(&self) -> Self {
        let numbers = vec![self.major(), self.minor()];
        Self { text: format!("{}.{}", self.major(), self.minor()).into(), numbers }
    }
}

impl FromStr for Version {
    type Err = ParseError;
    /// What follows the numbers (a label, `rc1`, `.dev0`) is left out.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let plain = text.trim();
        let end = plain.find(|sign: char| !sign.is_ascii_digit() && sign != '.');
        let plain = plain[..end.unwrap_or(plain.len())].trim_end_matches('.');
        let numbers: Option<Vec<u32>> = plain.split('.').map(|part| part.parse().ok()).collect();
        let numbers = numbers.ok_or_else(|| ParseError::Malformed {
            text: text.to_owned(),
            expected: "a version, as in \"580.95.05\"",
        })?;
        Ok(Self { text: plain.into(), numbers })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let most = self.numbers.len().max(other.numbers.len());
        (0..most)
            .map(|at| self.number(at).cmp(&other.number(at)))
            .fold(Ordering::Equal, Ordering::then)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}
