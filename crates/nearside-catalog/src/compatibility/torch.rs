//! Which build of PyTorch runs on the devices of a machine, and why newer ones do not.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::{Known, ParseError};

use super::{Fact, FactKind, TorchBuild, cubin_runs, ptx_runs};
use crate::{Catalog, ComputeCapability, Origin, Version};

/// Where PyTorch publishes its wheels, a folder for each build.
const INDEX: &str = "https://download.pytorch.org/whl";

/// For which processors a wheel is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// Linux on AMD and Intel processors; what the table says of it holds for Windows too.
    X86_64,
    /// Linux on Arm processors.
    Aarch64,
}

impl Platform {
    const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Platform {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let all = [Self::X86_64, Self::Aarch64];
        all.into_iter().find(|platform| platform.name() == text).ok_or_else(|| {
            ParseError::Malformed { text: text.to_owned(), expected: "x86_64 or aarch64" }
        })
    }
}

/// A published build of PyTorch.
#[derive(Clone, Debug, PartialEq)]
pub struct TorchWheel {
    /// `2.14`.
    pub release: Version,
    /// `cu126`, `rocm7.2`: the name of its folder in PyTorch's index.
    pub build: Arc<str>,
    /// For which processors.
    pub platform: Platform,
    /// What it holds code for: compute capabilities, the last one with `+PTX` where it brings PTX
    /// along; gfx names for AMD devices.
    pub architectures: Vec<Arc<str>>,
    /// Who says so.
    pub origin: Origin,
}

impl fmt::Display for TorchWheel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "torch {}+{}", self.release, self.build)
    }
}

impl TorchWheel {
    /// The CUDA that it brings along: 12.8 for `cu128`.
    #[must_use]
    pub fn cuda(&self) -> Option<Version> {
        TorchBuild::of_label(&self.build)?.cuda_version()
    }

    /// Whether it holds code that a device of this compute capability runs.
    #[must_use]
    pub fn runs_on(&self, device: ComputeCapability) -> bool {
        self.architectures.iter().any(|architecture| {
            let with_ptx = architecture.strip_suffix("+PTX");
            let built = with_ptx.unwrap_or(architecture).parse();
            built.is_ok_and(|built| {
                cubin_runs(built, device) || with_ptx.is_some() && ptx_runs(built, device)
            })
        })
    }

    /// The command that installs it with pip.
    #[must_use]
    pub fn pip(&self) -> String {
        format!("pip install {}", self.requirements(&[]))
    }

    /// The command that installs it with uv.
    #[must_use]
    pub fn uv(&self) -> String {
        format!("uv pip install {}", self.requirements(&[]))
    }

    /// What pip and uv are told to install: it, packages that are built for it, and where all are.
    ///
    /// ```
    /// # use nearside_catalog::{Catalog, Platform};
    /// let catalog = Catalog::builtin()?;
    /// let release = "2.14".parse().unwrap();
    /// let wheel = catalog.torch_wheel(&release, "cu126", Platform::X86_64).value().unwrap();
    /// let expected = "'torch==2.14.*' torchvision --index-url https://download.pytorch.org/whl/cu126";
    /// assert_eq!(wheel.requirements(&["torchvision"]), expected);
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    #[must_use]
    pub fn requirements(&self, beside: &[&str]) -> String {
        let beside: String = beside.iter().map(|name| format!(" {name}")).collect();
        format!("'torch=={}.*'{beside} --index-url {INDEX}/{}", self.release, self.build)
    }
}

/// What a build has to run on.
#[derive(Clone, Debug)]
pub struct TorchMachine<'a> {
    /// The compute capability of every device.
    pub capabilities: &'a [ComputeCapability],
    /// The driver that is loaded; `None` when no driver works yet.
    pub driver: Option<&'a Version>,
    /// Its processors.
    pub platform: Platform,
}

/// The newest build that runs, and why newer ones do not.
#[derive(Clone, Debug, PartialEq)]
pub struct TorchChoice {
    /// The build.
    pub wheel: TorchWheel,
    /// The oldest driver that runs it.
    pub driver_floor: Known<Version>,
    /// Newer builds and why each does not run, newest first.
    pub refused: Vec<(TorchWheel, Refusal)>,
}

/// Why a build does not run.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// It holds no code for a device.
    NoCode(ComputeCapability),
    /// The driver is older than the floor of its CUDA major.
    OldDriver {
        /// What it needs.
        needs: Version,
        /// What there is.
        has: Version,
    },
    /// The table does not say what its CUDA needs.
    UnknownFloor,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCode(capability) => {
                write!(formatter, "holds no code for compute capability {capability}")
            }
            Self::OldDriver { needs, has } => {
                write!(formatter, "needs driver {needs} or newer, {has} is loaded")
            }
            Self::UnknownFloor => formatter.write_str("which driver it needs is not known"),
        }
    }
}

impl Catalog {
    /// The published build of a release, if the table has it.
    ///
    /// ```
    /// # use nearside_catalog::{Catalog, Platform};
    /// let catalog = Catalog::builtin()?;
    /// let wheel = |release: &str, build| {
    ///     catalog.torch_wheel(&release.parse().unwrap(), build, Platform::X86_64)
    /// };
    /// let volta = "7.0".parse().unwrap();
    /// assert!(wheel("2.10.0", "cu128").value().unwrap().runs_on(volta));
    /// assert!(!wheel("2.11.0", "cu128").value().unwrap().runs_on(volta));
    /// assert!(wheel("9.0", "cu128").why().is_some());
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn torch_wheel(
        &self,
        release: &Version,
        build: &str,
        platform: Platform,
    ) -> Known<TorchWheel> {
        let release = release.release();
        let kind = if build.starts_with("rocm") { FactKind::Rocm } else { FactKind::Torch };
        let mut wheels = self.wheels(kind, platform);
        let found = wheels.find(|wheel| wheel.release == release && *wheel.build == *build);
        Known::from_option(
            found,
            format!("the table has no torch {release}+{build} for {platform}"),
        )
    }

    fn wheels(&self, kind: FactKind, platform: Platform) -> impl Iterator<Item = TorchWheel> {
        let ours = self.facts(kind).filter(move |fact| &*fact.platform == platform.name());
        ours.filter_map(move |fact: &Fact| {
            Some(TorchWheel {
                release: fact.version()?,
                build: Arc::clone(&fact.build),
                platform,
                architectures: fact.architectures.clone(),
                origin: fact.origin.clone(),
            })
        })
    }

    /// The newest build of PyTorch that runs on every NVIDIA device of a machine: newest release
    /// first, then newest CUDA.
    ///
    /// ```
    /// # use nearside_catalog::{Catalog, Platform, TorchMachine};
    /// let catalog = Catalog::builtin()?;
    /// let driver = "580.126.09".parse().unwrap();
    /// let machine = TorchMachine {
    ///     capabilities: &["6.1".parse().unwrap()], // Pascal
    ///     driver: Some(&driver),
    ///     platform: Platform::X86_64,
    /// };
    /// let choice = catalog.torch_that_fits(&machine).value().unwrap();
    /// assert_eq!(choice.wheel.to_string(), "torch 2.14+cu126");
    /// assert!(choice.refused[0].1.to_string().contains("no code for compute capability 6.1"));
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn torch_that_fits(&self, machine: &TorchMachine<'_>) -> Known<TorchChoice> {
        if machine.capabilities.is_empty() {
            return Known::unknown("no compute capability is known");
        }
        for capability in machine.capabilities {
            if let Known::Unknown(why) = self.generation(*capability) {
                return Known::Unknown(why);
            }
        }
        self.newest_that_fits(self.wheels(FactKind::Torch, machine.platform).collect(), machine)
    }

    /// The same of one release: the build with the newest CUDA that runs on every device.
    ///
    /// ```
    /// # use nearside_catalog::{Catalog, Platform, TorchMachine};
    /// let catalog = Catalog::builtin()?;
    /// let machine = TorchMachine {
    ///     capabilities: &["7.0".parse().unwrap()], // Volta
    ///     driver: None,
    ///     platform: Platform::X86_64,
    /// };
    /// let choice = catalog.torch_of_release(&"2.11.0".parse().unwrap(), &machine).value().unwrap();
    /// assert_eq!(choice.wheel.to_string(), "torch 2.11+cu126");
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn torch_of_release(
        &self,
        release: &Version,
        machine: &TorchMachine<'_>,
    ) -> Known<TorchChoice> {
        let release = release.release();
        let wheels = self.wheels(FactKind::Torch, machine.platform);
        self.newest_that_fits(wheels.filter(|wheel| wheel.release == release).collect(), machine)
    }

    fn newest_that_fits(
        &self,
        mut wheels: Vec<TorchWheel>,
        machine: &TorchMachine<'_>,
    ) -> Known<TorchChoice> {
        wheels.sort_by_key(|wheel| std::cmp::Reverse((wheel.release.clone(), wheel.cuda())));
        let mut refused = Vec::new();
        for wheel in wheels {
            match self.refusal(&wheel, machine) {
                Some(refusal) => refused.push((wheel, refusal)),
                None => {
                    let floor = wheel.cuda().map(|cuda| self.driver_floor(&cuda));
                    let floor = floor.unwrap_or_else(|| Known::unknown("a build without CUDA"));
                    let driver_floor = floor.map(|floor| floor.version);
                    return Known::Value(TorchChoice { wheel, driver_floor, refused });
                }
            }
        }
        Known::unknown(match refused.first() {
            Some((wheel, refusal)) => format!("no build of the table runs here: {wheel} {refusal}"),
            None => format!("the table has no build for {}", machine.platform),
        })
    }

    fn refusal(&self, wheel: &TorchWheel, machine: &TorchMachine<'_>) -> Option<Refusal> {
        let mut devices = machine.capabilities.iter();
        if let Some(device) = devices.find(|device| !wheel.runs_on(**device)) {
            return Some(Refusal::NoCode(*device));
        }
        let Known::Value(floor) = self.driver_floor(&wheel.cuda()?) else {
            return Some(Refusal::UnknownFloor);
        };
        let driver = machine.driver?;
        (*driver < floor.version)
            .then(|| Refusal::OldDriver { needs: floor.version, has: driver.clone() })
    }

    /// The newest build of PyTorch that holds code for every AMD device of a machine.
    ///
    /// ```
    /// # use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin()?;
    /// let wheel = catalog.rocm_that_fits(&["gfx1100"]).value().unwrap();
    /// assert_eq!(wheel.to_string(), "torch 2.13+rocm7.2");
    /// assert!(catalog.rocm_that_fits(&["gfx803"]).why().is_some());
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn rocm_that_fits(&self, devices: &[&str]) -> Known<TorchWheel> {
        let wheels = self.wheels(FactKind::Rocm, Platform::X86_64);
        let fits = |wheel: &TorchWheel| {
            let holds = |device: &&str| wheel.architectures.iter().any(|one| **one == **device);
            !devices.is_empty() && devices.iter().all(holds)
        };
        let newest = wheels.filter(fits).max_by_key(|wheel| wheel.release.clone());
        let why = format!("no ROCm build of the table holds code for {}", devices.join(" and "));
        Known::from_option(newest, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(capabilities: &[&str], driver: &str, platform: Platform) -> Known<TorchChoice> {
        let capabilities: Vec<_> = capabilities.iter().map(|one| one.parse().unwrap()).collect();
        let driver: Version = driver.parse().unwrap();
        let driver = Some(&driver);
        let machine = TorchMachine { capabilities: &capabilities, driver, platform };
        Catalog::builtin().unwrap().torch_that_fits(&machine)
    }

    fn named(capabilities: &[&str], driver: &str) -> String {
        choice(capabilities, driver, Platform::X86_64).value().unwrap().wheel.to_string()
    }

    #[test]
    fn the_newest_build_that_runs_on_every_card_is_chosen() {
        assert_eq!(named(&["8.9"], "580.95.05"), "torch 2.15+cu132");
        assert_eq!(named(&["9.0", "9.0"], "570.211.01"), "torch 2.14+cu126");
        assert_eq!(named(&["7.0"], "580.95.05"), "torch 2.14+cu126");
        // Blackwell with a driver of CUDA 12: the last builds with cu128.
        assert_eq!(named(&["12.0"], "570.211.01"), "torch 2.11+cu128");
        // No build holds code for both a Pascal card and a Blackwell one.
        let both = choice(&["6.1", "12.0"], "580.95.05", Platform::X86_64);
        assert!(both.why().unwrap().contains("no build of the table runs here"), "{both:?}");
    }

    #[test]
    fn a_small_super_computer_on_arm_has_its_own_builds() {
        let choice = choice(&["12.1"], "580.95.05", Platform::Aarch64).value().unwrap();
        assert_eq!(choice.wheel.to_string(), "torch 2.15+cu132");
        assert_eq!(choice.driver_floor.value().unwrap().to_string(), "580");
    }

    #[test]
    fn what_the_table_does_not_know_stays_unknown() {
        let newer = choice(&["14.0"], "700.1", Platform::X86_64);
        assert_eq!(newer.why(), Some("the table has no compute capability 14.0"));
        assert!(choice(&[], "580", Platform::X86_64).why().is_some());
    }

    #[test]
    fn refusals_tell_why_newer_builds_do_not_run() {
        let old = choice(&["8.6"], "535.230.02", Platform::X86_64).value().unwrap();
        let why = old.refused[0].1.to_string();
        assert_eq!(why, "needs driver 580 or newer, 535.230.02 is loaded");
    }

    #[test]
    fn commands_name_index_and_release() {
        let wheel = choice(&["6.1"], "580.95.05", Platform::X86_64).value().unwrap().wheel;
        let pip = "pip install 'torch==2.14.*' --index-url https://download.pytorch.org/whl/cu126";
        assert_eq!((wheel.pip(), wheel.uv()), (pip.to_owned(), format!("uv {pip}")));
    }
}
