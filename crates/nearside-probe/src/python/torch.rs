//! How the installed PyTorch was built, from `torch/version.py`, as text.
//!
//! Source: PyTorch `tools/generate_torch_version.py`, which writes that file.

use std::collections::BTreeMap;
use std::fmt;

use nearside_units::Known;

use super::Package;
use crate::root::Root;

/// How a PyTorch was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledTorch {
    /// `2.11.0+cu128`.
    pub version: String,
    /// The CUDA it was built with, `12.8`.
    pub cuda: Option<String>,
    /// The ROCm it was built with, `6.4.43482-0f2d60242`.
    pub hip: Option<String>,
    /// The oneAPI compiler it was built with.
    pub xpu: Option<String>,
    /// The file that says so.
    pub file: String,
}

/// On what a PyTorch computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TorchBackend<'a> {
    /// NVIDIA devices, with this CUDA.
    Cuda(&'a str),
    /// AMD devices, with this ROCm.
    Rocm(&'a str),
    /// Intel devices.
    Xpu(&'a str),
    /// Processors; on macOS also Apple's devices.
    Processor,
}

impl fmt::Display for TorchBackend<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cuda(version) => write!(formatter, "CUDA {version}"),
            Self::Rocm(version) => write!(formatter, "ROCm {version}"),
            Self::Xpu(version) => write!(formatter, "Intel XPU {version}"),
            Self::Processor => formatter.write_str("processors only"),
        }
    }
}

impl InstalledTorch {
    /// On what it computes.
    #[must_use]
    pub fn backend(&self) -> TorchBackend<'_> {
        match (&self.cuda, &self.hip, &self.xpu) {
            (Some(cuda), _, _) => TorchBackend::Cuda(cuda),
            (None, Some(hip), _) => TorchBackend::Rocm(hip),
            (None, None, Some(xpu)) => TorchBackend::Xpu(xpu),
            (None, None, None) => TorchBackend::Processor,
        }
    }

    /// What stands before the label: `2.11.0` of `2.11.0+cu128`.
    #[must_use]
    pub fn release(&self) -> &str {
        self.version.split_once('+').map_or(&self.version, |(release, _)| release)
    }

    /// What stands behind it: `cu128`.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.version.split_once('+').map(|(_, label)| label)
    }
}

/// The PyTorch of the first folder that holds one.
pub(super) fn installed(
    root: Root<'_>,
    folders: &[String],
    packages: &BTreeMap<String, Package>,
    notes: &mut Vec<String>,
) -> Option<InstalledTorch> {
    for folder in folders.iter().filter(|folder| root.has(&format!("{folder}/torch"))) {
        let file = format!("{folder}/torch/version.py");
        match root.text(&file).and_then(|text| build(&text, &file)) {
            Known::Value(build) => return Some(build),
            Known::Unknown(why) if packages.contains_key("torch") => {
                notes.push(format!("torch is installed, how it was built is unknown: {why}"));
                return None;
            }
            // A folder of that name that is no package of Python.
            Known::Unknown(_) => {}
        }
    }
    None
}

/// What `version.py` says.
fn build(text: &str, file: &str) -> Known<InstalledTorch> {
    let version = assigned(text, "__version__").flatten();
    let Some(version) = version else {
        return Known::unknown(format!("{file}: no __version__"));
    };
    let Some(cuda) = assigned(text, "cuda") else {
        return Known::unknown(format!("{file}: no line for cuda"));
    };
    let other = |name| assigned(text, name).flatten();
    Known::Value(InstalledTorch {
        version,
        cuda,
        hip: other("hip"),
        xpu: other("xpu"),
        file: file.to_owned(),
    })
}

/// The text that a line assigns to a name; `Some(None)` where it is Python's `None`.
fn assigned(text: &str, name: &str) -> Option<Option<String>> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?.trim_start();
        // `cuda: Optional[str] = '12.8'` of newer versions, `cuda = '12.8'` of older ones.
        if !rest.starts_with([':', '=']) {
            return None;
        }
        let (_, value) = rest.split_once('=')?;
        match value.trim() {
            "None" => Some(None),
            value => {
                let value = value.trim_matches(['\'', '"']);
                (!value.is_empty()).then(|| Some(value.to_owned()))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Known<InstalledTorch> {
        build(text, "/v/torch/version.py")
    }

    #[test]
    fn newer_and_older_files_are_understood() {
        let new = "from typing import Optional\n\n__all__ = ['__version__', 'cuda']\n\
            __version__ = '2.11.0+cu128'\ndebug = False\ncuda: Optional[str] = '12.8'\n\
            git_version = '70d99e998b4955e0049d13a98d77ae1b14db1f45'\nhip: Optional[str] = None\n";
        let found = read(new).value().unwrap();
        assert_eq!(found.backend(), TorchBackend::Cuda("12.8"));
        assert_eq!((found.release(), found.label()), ("2.11.0", Some("cu128")));
        let old = "__version__ = '1.13.1'\ncuda = None\nhip = '5.2.21151-afdc89f8'\n";
        assert_eq!(read(old).value().unwrap().backend(), TorchBackend::Rocm("5.2.21151-afdc89f8"));
        let none =
            "__version__ = '2.9.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n";
        assert_eq!(read(none).value().unwrap().backend(), TorchBackend::Processor);
    }

    #[test]
    fn half_a_file_is_unknown() {
        assert_eq!(read("").why(), Some("/v/torch/version.py: no __version__"));
        let half = "__version__ = '2.9.0'\n";
        assert_eq!(read(half).why(), Some("/v/torch/version.py: no line for cuda"));
    }
}
