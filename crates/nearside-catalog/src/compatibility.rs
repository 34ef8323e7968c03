//! What runs on what: drivers, CUDA, generations of NVIDIA devices, and builds of PyTorch.
//!
//! Three versions of CUDA are told apart: the newest one that a driver supports, the one of an
//! installed toolkit, and the one that a wheel brings along. A wheel needs the driver floor of its
//! CUDA *major* and code for the device's compute capability; the toolkit plays no part.
//!
//! Source: NVIDIA, "CUDA Compatibility" (minor version compatibility); "CUDA C Programming Guide",
//! 3.1.2 (binary compatibility) and 3.1.3 (PTX compatibility). Rows: `data/compatibility.csv`.

mod torch;
mod torch_build;

use std::str::FromStr;
use std::sync::Arc;

use nearside_units::{Date, Known, ParseError};

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, ComputeCapability, Origin, Version};

pub use torch::{Platform, Refusal, TorchChoice, TorchMachine, TorchWheel};
pub use torch_build::{NoTorchBuild, TorchBuild};

/// Whether code that was compiled for one compute capability runs on a device of another: on the
/// same major with the same or a higher minor, and nowhere else.
///
/// ```
/// # use nearside_catalog::cubin_runs;
/// # let of = |text: &str| text.parse().unwrap();
/// assert!(cubin_runs(of("8.6"), of("8.9"))); // Ada runs what was built for Ampere
/// assert!(!cubin_runs(of("8.6"), of("8.0")));
/// assert!(!cubin_runs(of("7.5"), of("8.0")));
/// ```
#[must_use]
pub const fn cubin_runs(built: ComputeCapability, device: ComputeCapability) -> bool {
    built.major == device.major && built.minor <= device.minor
}

/// Whether PTX of one compute capability can be compiled for a device of another when it starts:
/// for the same and every later one.
///
/// ```
/// # use nearside_catalog::ptx_runs;
/// # let of = |text: &str| text.parse().unwrap();
/// assert!(ptx_runs(of("9.0"), of("12.0")));
/// assert!(!ptx_runs(of("9.0"), of("8.6")));
/// ```
#[must_use]
pub fn ptx_runs(built: ComputeCapability, device: ComputeCapability) -> bool {
    built <= device
}

/// What a row of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FactKind {
    /// The oldest driver that runs programs of a CUDA version and the later ones of its major.
    Floor,
    /// The driver that a toolkit comes with and its PTX and new features need.
    Toolkit,
    /// A branch of the driver.
    Branch,
    /// A generation of devices.
    Generation,
    /// A build of PyTorch for NVIDIA devices.
    Torch,
    /// A build of PyTorch for AMD devices.
    Rocm,
}

impl FromStr for FactKind {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "floor" => Ok(Self::Floor),
            "toolkit" => Ok(Self::Toolkit),
            "branch" => Ok(Self::Branch),
            "generation" => Ok(Self::Generation),
            "torch" => Ok(Self::Torch),
            "rocm" => Ok(Self::Rocm),
            _ => Err(ParseError::Malformed {
                text: text.to_owned(),
                expected: "floor, toolkit, branch, generation, torch or rocm",
            }),
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fact {
    kind: FactKind,
    /// A version, a branch, or the name of a generation.
    key: Arc<str>,
    build: Arc<str>,
    platform: Arc<str>,
    driver: Option<Version>,
    architectures: Vec<Arc<str>>,
    first_toolkit: Option<Version>,
    last_toolkit: Option<Version>,
    last_driver: Option<Version>,
    ends: Option<Date>,
    origin: Origin,
}

impl Row for Fact {
    type Key = (FactKind, Arc<str>, Arc<str>, Arc<str>);
    const COLUMNS: &'static [&'static str] = &[
        "kind",
        "key",
        "build",
        "platform",
        "driver",
        "architectures",
        "first_toolkit",
        "last_toolkit",
        "last_driver",
        "ends",
    ];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        let kind = cells.required("kind")?;
        if kind != FactKind::Generation {
            let _a_version: Version = cells.required("key")?;
        }
        if matches!(kind, FactKind::Generation | FactKind::Torch) {
            for capability in cells.list("architectures") {
                let plain = capability.trim_end_matches("+PTX");
                plain
                    .parse::<ComputeCapability>()
                    .map_err(|reason| cells.wrong("architectures", &reason))?;
            }
        }
        Ok(Self {
            kind,
            key: cells.required_text("key")?,
            build: cells.text("build").unwrap_or_default(),
            platform: cells.text("platform").unwrap_or_default(),
            driver: match kind {
                FactKind::Floor | FactKind::Toolkit => Some(cells.required("driver")?),
                _ => cells.optional("driver")?,
            },
            architectures: cells.list("architectures").map(Arc::from).collect(),
            first_toolkit: cells.optional("first_toolkit")?,
            last_toolkit: cells.optional("last_toolkit")?,
            last_driver: cells.optional("last_driver")?,
            ends: match kind {
                FactKind::Branch => Some(cells.required("ends")?),
                _ => cells.optional("ends")?,
            },
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Self::Key {
        let text = |part: &Arc<str>| Arc::clone(part);
        (self.kind, text(&self.key), text(&self.build), text(&self.platform))
    }

    fn label(&self) -> String {
        let words = [&self.key, &self.build, &self.platform];
        let words = words.iter().filter(|word| !word.is_empty()).map(|word| &***word);
        format!("{:?} {}", self.kind, words.collect::<Vec<_>>().join(" ")).to_lowercase()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Fact {
    /// The key as a version; only generations have another key.
    fn version(&self) -> Option<Version> {
        self.key.parse().ok()
    }

    fn capabilities(&self) -> impl Iterator<Item = ComputeCapability> {
        self.architectures.iter().filter_map(|one| one.trim_end_matches("+PTX").parse().ok())
    }
}

/// A version with who says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    /// The oldest version that will do.
    pub version: Version,
    /// Who says so.
    pub origin: Origin,
}

/// A branch of the NVIDIA driver.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverBranch {
    /// Its number, 580.
    pub number: u32,
    /// The newest CUDA major that its drivers run.
    pub cuda_major: Option<u32>,
    /// When it gets no repairs any more.
    pub ends: Date,
    /// Who says so.
    pub origin: Origin,
}

impl DriverBranch {
    /// Whether it gets no repairs any more on a day.
    #[must_use]
    pub fn has_ended(&self, today: Date) -> bool {
        self.ends.days_until(today) > 0
    }
}

/// Whether a driver still gets repairs.
#[derive(Clone, Debug, PartialEq)]
pub enum Repairs {
    /// Its branch gets them until the day that it names.
    Maintained(DriverBranch),
    /// Its branch gets none since the day that it names.
    Ended(DriverBranch),
    /// The table has not got its branch, and every branch that gets repairs is newer.
    Older {
        /// The oldest of those.
        oldest: DriverBranch,
    },
}

/// A generation of NVIDIA devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Its name.
    pub name: Arc<str>,
    /// The first CUDA that compiles for it.
    pub first_cuda: Option<Version>,
    /// The last CUDA major that compiles for it; none while it is current.
    pub last_cuda: Option<Version>,
    /// The last branch of the driver that drives it; none while it is current.
    pub last_driver: Option<Version>,
    /// Who says so.
    pub origin: Origin,
}

impl Catalog {
    fn facts(&self, kind: FactKind) -> impl Iterator<Item = &Fact> {
        self.compatibility.rows.values().filter(move |fact| fact.kind == kind)
    }

    /// The oldest driver that runs programs of a CUDA version: drivers of its major's floor will do.
    ///
    /// ```
    /// # use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin()?;
    /// let floor = catalog.driver_floor(&"12.8".parse().unwrap()).value().unwrap();
    /// assert_eq!(floor.version.to_string(), "525.60.13");
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn driver_floor(&self, cuda: &Version) -> Known<Floor> {
        let of_major = self.facts(FactKind::Floor).filter_map(|fact| {
            let first = fact.version()?;
            (first.major() == cuda.major() && first <= *cuda).then_some((first, fact))
        });
        let fact = of_major.max_by(|left, right| left.0.cmp(&right.0)).map(|(_, fact)| fact);
        floor(fact, || format!("the table has no driver floor for CUDA {cuda}"))
    }

    /// The driver that a toolkit comes with: its PTX and its new features need that one.
    pub fn toolkit_driver(&self, cuda: &Version) -> Known<Floor> {
        let same = self.facts(FactKind::Toolkit).filter_map(|fact| {
            let version = fact.version()?;
            (version.release() == cuda.release()).then_some((version, fact))
        });
        let fact = same.min_by(|left, right| left.0.cmp(&right.0)).map(|(_, fact)| fact);
        floor(fact, || format!("the table has no toolkit {}", cuda.release()))
    }

    /// The newest CUDA that a driver supports, as `nvidia-smi` prints it: the newest toolkit whose
    /// driver is no newer.
    ///
    /// ```
    /// # use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin()?;
    /// let cuda = |driver: &str| catalog.cuda_of_driver(&driver.parse().unwrap());
    /// assert_eq!(cuda("580.95.05").value().unwrap().to_string(), "13.0");
    /// assert_eq!(cuda("550.54.14").value().unwrap().to_string(), "12.4");
    /// assert!(cuda("999.1").why().is_some());
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn cuda_of_driver(&self, driver: &Version) -> Known<Version> {
        let newest = self.facts(FactKind::Toolkit).filter_map(|fact| fact.driver.as_ref()).max();
        if newest.is_none_or(|newest| driver.major() > newest.major()) {
            return Known::unknown(format!("driver {driver} is newer than the table"));
        }
        let runs = self
            .facts(FactKind::Toolkit)
            .filter(|fact| fact.driver.as_ref().is_some_and(|needed| needed <= driver));
        let version = runs.filter_map(Fact::version).max().map(|version| version.release());
        Known::from_option(version, format!("driver {driver} is older than the table"))
    }

    fn branches(&self) -> impl Iterator<Item = DriverBranch> {
        self.facts(FactKind::Branch).filter_map(|fact| {
            Some(DriverBranch {
                number: fact.version()?.major(),
                cuda_major: fact.last_toolkit.as_ref().map(Version::major),
                ends: fact.ends?,
                origin: fact.origin.clone(),
            })
        })
    }

    /// The branch that a driver is of.
    pub fn driver_branch(&self, driver: &Version) -> Known<DriverBranch> {
        let found = self.branches().find(|branch| branch.number == driver.major());
        Known::from_option(found, format!("the table has no branch R{}", driver.major()))
    }

    /// Whether a driver still gets repairs on a day; unknown where the table has not got its branch
    /// and maintained ones are older.
    ///
    /// ```
    /// # use nearside_catalog::{Catalog, Repairs};
    /// let catalog = Catalog::builtin()?;
    /// let today = "2026-11-23".parse().unwrap();
    /// let of = |driver: &str| catalog.repairs(&driver.parse().unwrap(), today);
    /// assert!(matches!(of("580.95.05").value(), Some(Repairs::Maintained(_))));
    /// assert!(matches!(of("535.230.02").value(), Some(Repairs::Ended(_))));
    /// assert!(matches!(of("470.256.02").value(), Some(Repairs::Older { oldest }) if oldest.number == 580));
    /// assert!(of("999.1").why().is_some());
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn repairs(&self, driver: &Version, today: Date) -> Known<Repairs> {
        match self.driver_branch(driver) {
            Known::Value(branch) if branch.has_ended(today) => Known::Value(Repairs::Ended(branch)),
            Known::Value(branch) => Known::Value(Repairs::Maintained(branch)),
            Known::Unknown(why) => match self.maintained_branch(0, &[], today) {
                Known::Value(oldest) if driver.major() < oldest.number => {
                    Known::Value(Repairs::Older { oldest })
                }
                _ => Known::Unknown(why),
            },
        }
    }

    /// The oldest branch, from a number on, that gets repairs on a day and drives every device: what
    /// changes least. Unknown, with the generation that stands against it, where there is none.
    ///
    /// ```
    /// # use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin()?;
    /// let today = "2026-11-23".parse().unwrap();
    /// let branch = |least, device: &str| {
    ///     catalog.maintained_branch(least, &[device.parse().unwrap()], today)
    /// };
    /// assert_eq!(branch(536, "8.9").value().unwrap().number, 580);
    /// assert_eq!(branch(611, "8.9").value().unwrap().number, 620);
    /// let why = "no maintained branch drives Kepler (3.5, 3.7): R470 is its last";
    /// assert_eq!(branch(471, "3.7").why(), Some(why));
    /// # Ok::<(), nearside_catalog::CatalogError>(())
    /// ```
    pub fn maintained_branch(
        &self,
        least: u32,
        devices: &[ComputeCapability],
        today: Date,
    ) -> Known<DriverBranch> {
        let last = self.last_driver(devices);
        last.and_then(|last| {
            let most = last.as_ref().map_or(u32::MAX, |(_, number)| *number);
            let fits = |branch: &DriverBranch| {
                (least..=most).contains(&branch.number) && !branch.has_ended(today)
            };
            let oldest = self.branches().filter(fits).min_by_key(|branch| branch.number);
            Known::from_option(
                oldest,
                match last {
                    Some((name, number)) => {
                        format!("no maintained branch drives {name}: R{number} is its last")
                    }
                    None => format!("the table has no maintained branch from R{least} on"),
                },
            )
        })
    }

    /// The last branch that drives every device, and the generation that it is the last for; nothing
    /// where all of them are current.
    pub fn last_driver(&self, devices: &[ComputeCapability]) -> Known<Option<(Arc<str>, u32)>> {
        let mut least: Option<(Arc<str>, u32)> = None;
        for device in devices {
            let generation = match self.generation(*device) {
                Known::Value(generation) => generation,
                Known::Unknown(why) => return Known::Unknown(why),
            };
            let Some(number) = generation.last_driver.as_ref().map(Version::major) else {
                continue;
            };
            if least.as_ref().is_none_or(|(_, least)| number < *least) {
                least = Some((generation.name, number));
            }
        }
        Known::Value(least)
    }

    /// The generation of a compute capability.
    pub fn generation(&self, capability: ComputeCapability) -> Known<Generation> {
        let mut all = self.facts(FactKind::Generation);
        let fact = all.find(|fact| fact.capabilities().any(|one| one == capability));
        let generation = fact.map(|fact| Generation {
            name: Arc::clone(&fact.key),
            first_cuda: fact.first_toolkit.clone(),
            last_cuda: fact.last_toolkit.clone(),
            last_driver: fact.last_driver.clone(),
            origin: fact.origin.clone(),
        });
        Known::from_option(generation, format!("the table has no compute capability {capability}"))
    }
}

fn floor(fact: Option<&Fact>, why: impl FnOnce() -> String) -> Known<Floor> {
    let found = fact.and_then(|fact| {
        Some(Floor { version: fact.driver.clone()?, origin: fact.origin.clone() })
    });
    found.map_or_else(|| Known::unknown(why()), Known::Value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn floors_are_of_the_major_and_unknown_beyond_the_table() {
        let catalog = Catalog::builtin().unwrap();
        let floor = |cuda| catalog.driver_floor(&version(cuda)).value().map(|it| it.version);
        assert_eq!(floor("13.2"), Some(version("580")));
        assert_eq!(floor("12.0"), Some(version("525.60.13")));
        assert_eq!(floor("11.8"), Some(version("450.80.02")));
        assert_eq!(floor("11.0"), Some(version("450.36.06")));
        assert_eq!(floor("14.0"), None);
        assert_eq!(floor("9.0"), None);
    }

    #[test]
    fn branches_end_and_unknown_ones_stay_unknown() {
        let catalog = Catalog::builtin().unwrap();
        let today = "2026-11-23".parse().unwrap();
        let branch = |driver| catalog.driver_branch(&version(driver));
        let ends = |driver| branch(driver).value().unwrap().ends;
        assert!(ends("535.230.02").days_until(today) > 0);
        assert!(ends("570.211.01").days_until(today) > 0);
        assert!(ends("580.126.09").days_until(today) < 0);
        assert!(branch("550.163.01").why().is_some());
        let oldest = |least| catalog.maintained_branch(least, &[], today).value();
        assert_eq!(oldest(0).unwrap().number, 580);
        assert!(oldest(621).is_none());
    }

    #[test]
    fn the_oldest_device_decides_how_far_a_driver_can_go() {
        let catalog = Catalog::builtin().unwrap();
        let of = |devices: &[&str], today: &str| {
            let devices: Vec<_> = devices.iter().map(|one| one.parse().unwrap()).collect();
            catalog.maintained_branch(0, &devices, today.parse().unwrap())
        };
        assert_eq!(of(&["8.9", "6.1"], "2026-11-23").value().unwrap().number, 580);
        let late = of(&["8.9", "6.1"], "2028-07-01");
        assert_eq!(late.why(), Some("no maintained branch drives Pascal: R580 is its last"));
        assert_eq!(of(&["8.9"], "2028-07-01").value().unwrap().number, 620);
        assert!(of(&["14.0"], "2026-11-23").why().is_some());
    }

    #[test]
    fn old_generations_say_when_they_were_left() {
        let catalog = Catalog::builtin().unwrap();
        let of = |text: &str| catalog.generation(text.parse().unwrap());
        let pascal = of("6.1").value().unwrap();
        assert_eq!((&*pascal.name, pascal.last_driver), ("Pascal", Some(version("580"))));
        assert_eq!(of("8.9").value().unwrap().last_cuda, None);
        assert!(of("14.0").why().is_some());
    }

    #[test]
    fn toolkits_name_the_driver_of_their_first_edition() {
        let catalog = Catalog::builtin().unwrap();
        let of = |cuda| catalog.toolkit_driver(&version(cuda)).value().map(|it| it.version);
        assert_eq!(of("12.8"), Some(version("570.26")));
        assert_eq!(of("12.7"), None);
    }
}
