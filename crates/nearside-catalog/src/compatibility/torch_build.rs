//! What a PyTorch was built for: its packages of one version differ in nothing else.
//!
//! Source: the indexes of download.pytorch.org, `whl/cpu`, `whl/cu126`, `whl/rocm6.4`, and the local
//! part of the version of what they hold, `2.9.1+cu126`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Version;

/// What a PyTorch was built for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TorchBuild {
    /// Processors, and on Apple machines Metal.
    Cpu,
    /// NVIDIA's accelerators, by this version of CUDA.
    Cuda {
        /// The first number of the version.
        major: u32,
        /// The second one.
        minor: u32,
    },
    /// AMD's accelerators, by this version of ROCm.
    Rocm(String),
}

/// A text that names no build of PyTorch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is no build of PyTorch: write \"cpu\", \"cuda 12.6\" or \"rocm 6.4\"")]
pub struct NoTorchBuild(String);

impl TorchBuild {
    /// As in the address of its index and in the local part of its version.
    ///
    /// ```
    /// use nearside_catalog::TorchBuild;
    /// assert_eq!(TorchBuild::Cuda { major: 12, minor: 6 }.label(), "cu126");
    /// assert_eq!(TorchBuild::of_label("rocm6.4"), Some(TorchBuild::Rocm("6.4".to_owned())));
    /// ```
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Cpu => "cpu".to_owned(),
            Self::Cuda { major, minor } => format!("cu{major}{minor}"),
            Self::Rocm(version) => format!("rocm{version}"),
        }
    }

    /// The build that a label names: the last digit of a CUDA's is its minor version.
    #[must_use]
    pub fn of_label(label: &str) -> Option<Self> {
        if label == "cpu" {
            return Some(Self::Cpu);
        }
        if let Some(version) = label.strip_prefix("rocm") {
            return is_version(version).then(|| Self::Rocm(version.to_owned()));
        }
        let digits = label.strip_prefix("cu").filter(|digits| digits.len() >= 2)?;
        let (major, minor) = digits.split_at_checked(digits.len() - 1)?;
        Some(Self::Cuda { major: number(major)?, minor: number(minor)? })
    }

    /// The CUDA that it brings along, as in `12.8` for `cu128`.
    #[must_use]
    pub fn cuda_version(&self) -> Option<Version> {
        match self {
            Self::Cuda { major, minor } => format!("{major}.{minor}").parse().ok(),
            Self::Cpu | Self::Rocm(_) => None,
        }
    }

    /// The build for a version of CUDA as `torch/version.py` writes it, `12.6`.
    #[must_use]
    pub fn cuda(version: &str) -> Option<Self> {
        let mut parts = version.split('.');
        let (major, minor) = (number(parts.next()?)?, number(parts.next()?)?);
        Some(Self::Cuda { major, minor })
    }
}

fn number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|sign| sign.is_ascii_digit());
    // A zero before others would be written without it.
    let canonical = digits == "0" || !digits.starts_with('0');
    (plain && canonical).then(|| digits.parse().ok()).flatten()
}

/// Digits and dots alone: it becomes a part of an address.
fn is_version(text: &str) -> bool {
    !text.is_empty() && text.split('.').all(|part| number(part).is_some())
}

impl fmt::Display for TorchBuild {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda { major, minor } => write!(formatter, "cuda {major}.{minor}"),
            Self::Rocm(version) => write!(formatter, "rocm {version}"),
        }
    }
}

impl FromStr for TorchBuild {
    type Err = NoTorchBuild;

    fn from_str(text: &str) -> Result<Self, NoTorchBuild> {
        let found = match text.split_once(' ') {
            None => (text == "cpu").then_some(Self::Cpu),
            Some(("cuda", version)) if version.split('.').count() == 2 => Self::cuda(version),
            Some(("rocm", version)) if is_version(version) => Some(Self::Rocm(version.to_owned())),
            Some(_) => None,
        };
        found.ok_or_else(|| NoTorchBuild(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_read_as_they_are_written() {
        for (text, label) in [("cpu", "cpu"), ("cuda 13.0", "cu130"), ("rocm 6.4", "rocm6.4")] {
            let build: TorchBuild = text.parse().unwrap();
            assert_eq!((build.to_string().as_str(), build.label().as_str()), (text, label));
            assert_eq!(TorchBuild::of_label(label), Some(build));
        }
    }

    #[test]
    fn builds_name_their_cuda() {
        let cuda = |label| TorchBuild::of_label(label).unwrap().cuda_version();
        assert_eq!(cuda("cu118").unwrap().to_string(), "11.8");
        assert_eq!((cuda("cpu"), cuda("rocm7.2")), (None, None));
    }

    #[test]
    fn what_is_no_build_is_refused() {
        for text in ["", "cuda", "cuda 12", "cuda 12.6.1", "cuda x.y", "rocm", "rocm /..", "xpu"] {
            assert!(text.parse::<TorchBuild>().is_err(), "{text}");
        }
        for label in ["", "cu", "cu1", "cu012", "rocm", "rocm6.4/..", "xpu", "cué1"] {
            assert_eq!(TorchBuild::of_label(label), None, "{label}");
        }
    }
}
