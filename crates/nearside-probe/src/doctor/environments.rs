//! Python environments: whether their PyTorch runs on this machine's devices with this driver, and
//! which build would.

use nearside_catalog::{
    Catalog, ComputeCapability, Platform, TorchChoice, TorchMachine, TorchWheel, Version,
};
use nearside_units::Known;

use super::branch::upgrade;
use super::check::{Check, Rule, Section};
use super::command::quoted;
use super::nvidia::capabilities;
use super::surroundings::System;
use super::{Facts, Reference};
use crate::binary::InstructionSet;
use crate::cuda_toolkit::{Toolkit, toolkit};
use crate::python::{EnvironmentKind, InstalledTorch, Package, PythonEnvironment, TorchBackend};
use crate::root::Root;

const KERNELS: Rule = Rule {
    id: "torch-kernels",
    section: Section::Python,
    says: "PyTorch holds code for every device: of the same major and no higher minor, or PTX",
    source: "CUDA C Programming Guide, 3.1.2; \"no kernel image is available for execution on the device\"",
};
const FLOOR: Rule = Rule {
    id: "driver-floor",
    section: Section::Python,
    says: "the driver is no older than the floor of the CUDA major that PyTorch brings along",
    source: "NVIDIA CUDA Compatibility, minor version compatibility",
};
const PROCESSOR_ONLY: Rule = Rule {
    id: "torch-cpu-only",
    section: Section::Python,
    says: "where a device is, PyTorch is built for it",
    source: "torch/version.py: cuda, hip and xpu are None",
};
const ROCM: Rule = Rule {
    id: "rocm-architecture",
    section: Section::Python,
    says: "PyTorch holds code for the gfx of every AMD device",
    source: "PyTorch manywheel build.sh, PYTORCH_ROCM_ARCH",
};
const ARCHITECTURE: Rule = Rule {
    id: "python-architecture",
    section: Section::Python,
    says: "Python is built for the processor itself: translated, it sees no Apple device and computes slowly",
    source: "Apple, \"About the Rosetta translation environment\"; Mach-O and ELF headers",
};
const VERSIONS: Rule = Rule {
    id: "cuda-versions",
    section: Section::Python,
    says: "three versions of CUDA are three things: the newest that the driver supports (nvidia-smi), the toolkit (nvcc) and the wheel's own; only building extensions needs the last two to share their major",
    source: "PyTorch torch/utils/cpp_extension.py, _check_cuda_version",
};
const LIBRARY_PATH: Rule = Rule {
    id: "ld-library-path",
    section: Section::Python,
    says: "LD_LIBRARY_PATH names no folder of CUDA libraries: they would be loaded in place of the wheel's own",
    source: "ld.so(8): LD_LIBRARY_PATH comes before RUNPATH",
};
const DAMAGED: Rule = Rule {
    id: "python-environment",
    section: Section::Python,
    says: "an environment can be read, and its interpreter is there",
    source: "PEP 405, PEP 376",
};

pub(super) const RULES: &[&Rule] =
    &[&KERNELS, &FLOOR, &PROCESSOR_ONLY, &ROCM, &ARCHITECTURE, &VERSIONS, &LIBRARY_PATH, &DAMAGED];

/// What is read beside the environments.
#[derive(Clone, Debug)]
pub(super) struct ToolkitFacts {
    /// The installed CUDA toolkit.
    toolkit: Option<Toolkit>,
    /// Folders of `LD_LIBRARY_PATH` that hold CUDA libraries.
    shadowing: Vec<String>,
}

impl ToolkitFacts {
    pub(super) fn read(root: Root<'_>, variables: &super::Variables) -> Self {
        let path = variables.get("LD_LIBRARY_PATH").map_or("", String::as_str);
        let holds = |folder: &&str| {
            let names = root.entries(folder).value().unwrap_or_default();
            let libraries =
                ["libcudart.so", "libcublas.so", "libcudnn.so", "libnccl.so", "libnvrtc.so"];
            names.iter().any(|name| libraries.iter().any(|library| name.starts_with(library)))
        };
        Self {
            toolkit: toolkit(root, variables),
            shadowing: path
                .split(':')
                .filter(|folder| folder.starts_with('/'))
                .filter(holds)
                .map(str::to_owned)
                .collect(),
        }
    }
}

pub(super) fn checks(
    facts: &Facts,
    environments: &[PythonEnvironment],
    toolkit: &ToolkitFacts,
    reference: &Reference<'_>,
) -> Vec<Check> {
    let fits = Fits::of(facts, reference.catalog);
    let mut all = vec![library_path(toolkit)];
    if environments.is_empty() {
        all.push(DAMAGED.not_applicable("no Python"));
    }
    for environment in environments {
        let about = environment.folder.display().to_string();
        let mut own = vec![damaged(environment), architecture(facts, environment)];
        if let Some(torch) = &environment.torch {
            let installed = Installed { environment, torch, fits: &fits };
            own.push(processor_only(facts, &installed));
            own.push(kernels(facts, &installed, reference.catalog));
            own.push(floor(facts, &installed, reference));
            own.push(rocm(facts, &installed, reference.catalog));
            own.push(versions(facts, torch, toolkit, reference.catalog));
        }
        all.extend(own.into_iter().map(|check| check.about(about.clone())));
    }
    all
}

/// A PyTorch, where it is installed, and what would fit in its place.
struct Installed<'a> {
    environment: &'a PythonEnvironment,
    torch: &'a InstalledTorch,
    fits: &'a Fits,
}

impl Installed<'_> {
    /// The commands that put the right build in its place.
    fn replace(&self, check: Check) -> Check {
        self.fits.install(check, self.environment)
    }
}

/// Which build of PyTorch would run here.
pub(super) struct Fits {
    capabilities: Known<Vec<ComputeCapability>>,
    driver: Option<Version>,
    pub(super) choice: Known<TorchChoice>,
    pub(super) rocm: Known<TorchWheel>,
    has_amd: bool,
}

impl Fits {
    pub(super) fn of(facts: &Facts, catalog: &Catalog) -> Self {
        let capabilities = match &facts.nvidia {
            Known::Value(nvidia) => capabilities(nvidia, catalog),
            Known::Unknown(why) => Known::Unknown(why.clone()),
        };
        // In WSL the driver is that of Windows, whose numbers are others.
        let driver = match facts.surroundings.system {
            System::Wsl => None,
            _ => facts.driver.as_ref().value().and_then(|driver| driver.loaded.clone().value()),
        };
        let platform = facts.surroundings.platform.clone();
        let choice = capabilities.clone().zip(platform).and_then(|(capabilities, platform)| {
            let machine =
                TorchMachine { capabilities: &capabilities, driver: driver.as_ref(), platform };
            catalog.torch_that_fits(&machine)
        });
        let gfx: Vec<&str> = facts.gfx().iter().map(String::as_str).collect();
        let rocm = match gfx.is_empty() {
            true => Known::unknown("no AMD device"),
            false => catalog.rocm_that_fits(&gfx),
        };
        Self { capabilities, driver, choice, rocm, has_amd: !gfx.is_empty() }
    }

    /// The commands that put the right build in place of an environment's own, and with it what was
    /// built for that one.
    fn install(&self, check: Check, environment: &PythonEnvironment) -> Check {
        let wheel = match (&self.choice, &self.rocm) {
            (Known::Value(choice), _) => &choice.wheel,
            (_, Known::Value(wheel)) => wheel,
            (Known::Unknown(nvidia), Known::Unknown(amd)) => {
                let why = if self.has_amd { amd } else { nvidia };
                return check.fix(format!("# no published build is known to fit: {why}"));
            }
        };
        let beside: Vec<&str> = ["torchvision", "torchaudio"]
            .into_iter()
            .filter(|name| environment.packages.contains_key(*name))
            .collect();
        let wanted = wheel.requirements(&beside);
        let again = beside.iter().map(|name| format!(" --reinstall-package {name}"));
        let again: String = again.collect();
        let python = python(environment);
        check
            .fix(format!("{python} -m pip install --force-reinstall {wanted}"))
            .fix(format!("# or with uv: uv pip install --python {python} --reinstall-package torch{again} {wanted}"))
    }
}

/// The interpreter of an environment, as a shell reads it: the one whose packages are meant.
fn python(environment: &PythonEnvironment) -> String {
    quoted(&environment.folder.join("bin/python3").to_string_lossy())
}

fn damaged(environment: &PythonEnvironment) -> Check {
    let virtual_one = environment.kind != EnvironmentKind::System;
    let mut notes = environment.notes.clone();
    match environment.interpreter.why() {
        Some(why) if environment.broken => notes.push(why.to_owned()),
        Some(why) if virtual_one && notes.is_empty() => return DAMAGED.unknown(why),
        _ => {}
    }
    match notes.is_empty() {
        true => DAMAGED.ok(format!(
            "{} of {} packages, Python {}",
            environment.kind,
            environment.packages.len(),
            environment.version.as_ref().value().map_or("unknown", String::as_str)
        )),
        false => {
            let check = DAMAGED.warning("the environment is damaged");
            notes.into_iter().fold(check, Check::seen).fixes(mended(environment))
        }
    }
}

/// How a damaged environment is mended: anew only where its interpreter is gone, else package by
/// package; the system's own Python is left to what installed it.
fn mended(environment: &PythonEnvironment) -> Vec<String> {
    let folder = quoted(&environment.folder.to_string_lossy());
    match (environment.kind, environment.broken) {
        (EnvironmentKind::Virtual, true) => {
            return vec![
                format!("python3 -m venv --clear {folder}  # empties it"),
                "# then install what it held again".to_owned(),
            ];
        }
        (EnvironmentKind::Conda, true) => {
            return vec![format!("conda install --prefix {folder} --force-reinstall python")];
        }
        _ => {}
    }
    let damaged = environment.damaged();
    if damaged.is_empty() {
        return vec![format!("ls -la {folder}  # who may read what is named above?")];
    }
    let again = |package: &Package| match environment.kind {
        EnvironmentKind::System => {
            let by = package.installer.as_deref().unwrap_or("what installed it");
            format!("# install {} of the system's Python again with {by}", package.name)
        }
        EnvironmentKind::Virtual | EnvironmentKind::Conda => format!(
            "{} -m pip install --force-reinstall {}",
            python(environment),
            quoted(&package.name)
        ),
    };
    damaged.into_iter().map(again).collect()
}

fn architecture(facts: &Facts, environment: &PythonEnvironment) -> Check {
    let sets = match &environment.architectures {
        Known::Value(sets) => sets,
        Known::Unknown(why) => return ARCHITECTURE.unknown(&**why),
    };
    let names: Vec<_> = sets.iter().map(ToString::to_string).collect();
    let seen = match environment.interpreter.as_ref().value() {
        Some(path) => format!("{}: {}", path.display(), names.join(" and ")),
        None => names.join(" and "),
    };
    let translated = match facts.surroundings.system {
        System::MacOs(_) => facts.surroundings.rosetta && !sets.contains(&InstructionSet::Aarch64),
        _ => match &facts.surroundings.platform {
            Known::Value(Platform::Aarch64) => !sets.contains(&InstructionSet::Aarch64),
            Known::Value(Platform::X86_64) => !sets.contains(&InstructionSet::X86_64),
            Known::Unknown(why) => return ARCHITECTURE.unknown(&**why),
        },
    };
    match translated {
        false => ARCHITECTURE.ok(format!("Python is built for {}", names.join(" and "))).seen(seen),
        true if facts.surroundings.system == System::Unknown => {
            ARCHITECTURE.unknown("which system this is was not recorded").seen(seen)
        }
        true => ARCHITECTURE
            .fault(format!("Python is built for {} and is translated", names.join(" and ")))
            .seen(seen)
            .fix("arch -arm64 /opt/homebrew/bin/python3 -m venv .venv  # macOS; or: uv venv --python 3.12")
            .fix("python3 -c 'import platform; print(platform.machine())'  # arm64"),
    }
}

fn processor_only(facts: &Facts, installed: &Installed<'_>) -> Check {
    let torch = installed.torch;
    let seen = format!("{}: {}, {}", torch.file, torch.version, torch.backend());
    let device = match (facts.has_nvidia(), facts.has_rocm()) {
        (true, _) => "an NVIDIA device",
        (false, true) => "an AMD device",
        (false, false) => return PROCESSOR_ONLY.not_applicable("no device that PyTorch could use"),
    };
    let suits = match torch.backend() {
        TorchBackend::Cuda(_) => facts.has_nvidia(),
        TorchBackend::Rocm(_) => facts.has_rocm(),
        TorchBackend::Xpu(_) | TorchBackend::Processor => false,
    };
    match suits {
        true => PROCESSOR_ONLY
            .ok(format!("PyTorch {} is built for {}", torch.version, torch.backend()))
            .seen(seen),
        false => installed.replace(
            PROCESSOR_ONLY
                .fault(format!(
                    "PyTorch {} is built for {}, beside {device}",
                    torch.version,
                    torch.backend()
                ))
                .seen(seen),
        ),
    }
}

/// The table's row of an installed build.
fn wheel_of(facts: &Facts, torch: &InstalledTorch, catalog: &Catalog) -> Known<TorchWheel> {
    let build = match (torch.backend(), torch.label()) {
        (_, Some(label)) if label.starts_with("cu") || label.starts_with("rocm") => {
            label.to_owned()
        }
        // Wheels of PyPI and packages of conda carry no label.
        (TorchBackend::Cuda(cuda), _) => format!("cu{}", cuda.replace('.', "")),
        (TorchBackend::Rocm(rocm), _) => {
            let mut parts = rocm.split('.');
            format!("rocm{}.{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
        }
        _ => return Known::unknown("a build for processors"),
    };
    let release = Known::from_option(torch.version.parse::<Version>().ok(), "no version");
    release
        .zip(facts.surroundings.platform.clone())
        .and_then(|(release, platform)| catalog.torch_wheel(&release, &build, platform))
}

fn kernels(facts: &Facts, installed: &Installed<'_>, catalog: &Catalog) -> Check {
    let (torch, fits) = (installed.torch, installed.fits);
    let nvidia = match &facts.nvidia {
        Known::Value(nvidia) if !nvidia.devices.is_empty() => nvidia,
        Known::Unknown(why) => return KERNELS.unknown(&**why),
        Known::Value(_) => return KERNELS.not_applicable("no NVIDIA device that a driver shows"),
    };
    if !matches!(torch.backend(), TorchBackend::Cuda(_)) {
        return KERNELS.not_applicable("no build for NVIDIA devices");
    }
    let found = wheel_of(facts, torch, catalog).zip(fits.capabilities.clone());
    let (wheel, capabilities) = match found {
        Known::Value(found) => found,
        Known::Unknown(why) => return KERNELS.unknown(&*why).seen(torch.file.clone()),
    };
    let seen = format!("{wheel} holds code for {}", wheel.architectures.join(" "));
    let missing = nvidia.devices.iter().zip(&capabilities).find(|(_, it)| !wheel.runs_on(**it));
    let Some((device, capability)) = missing else {
        return KERNELS
            .ok(format!("PyTorch {} holds code for every device", torch.version))
            .seen(seen);
    };
    let check = KERNELS
        .fault(format!(
            "PyTorch {} holds no code for {}, compute capability {capability}",
            torch.version,
            device.label()
        ))
        .seen(format!("{}: {}", torch.file, torch.version))
        .seen(seen);
    installed.replace(check.seen(format!("says: {}", wheel.origin.source)))
}

fn floor(facts: &Facts, installed: &Installed<'_>, reference: &Reference<'_>) -> Check {
    let (torch, fits) = (installed.torch, installed.fits);
    let Reference { catalog, today, .. } = *reference;
    let TorchBackend::Cuda(cuda) = torch.backend() else {
        return FLOOR.not_applicable("no build for NVIDIA devices");
    };
    if !facts.has_nvidia() {
        return FLOOR.not_applicable("no NVIDIA device");
    }
    let Some(driver) = &fits.driver else {
        let why = match facts.surroundings.system {
            System::Wsl => "in WSL the driver is that of Windows, whose numbers are others",
            _ => "no driver is loaded",
        };
        return FLOOR.unknown(why);
    };
    let version = Known::from_option(cuda.parse::<Version>().ok(), "no version of CUDA");
    match version.and_then(|cuda| catalog.driver_floor(&cuda)) {
        Known::Unknown(why) => FLOOR.unknown(&*why),
        Known::Value(floor) if *driver < floor.version => {
            let check = FLOOR
                .fault(format!(
                    "driver {driver} is older than CUDA {cuda} of PyTorch {} needs ({})",
                    torch.version, floor.version
                ))
                .seen(format!("/proc/driver/nvidia/version: {driver}"))
                .seen(format!("{}: CUDA {cuda}", torch.file))
                .seen(format!("says: {}", floor.origin.source));
            installed.replace(check).fix("# or a newer driver:").fix(upgrade(
                facts,
                catalog,
                floor.version.major(),
                today,
            ))
        }
        Known::Value(floor) => {
            FLOOR.ok(format!("driver {driver} runs CUDA {cuda} (from {} on)", floor.version))
        }
    }
}

fn rocm(facts: &Facts, installed: &Installed<'_>, catalog: &Catalog) -> Check {
    let torch = installed.torch;
    if !matches!(torch.backend(), TorchBackend::Rocm(_)) {
        return ROCM.not_applicable("no build for AMD devices");
    }
    if facts.gfx().is_empty() {
        return ROCM.unknown("/sys/class/kfd names no device");
    }
    match wheel_of(facts, torch, catalog) {
        Known::Unknown(why) => ROCM.unknown(&*why).seen(torch.file.clone()),
        Known::Value(wheel) => {
            let seen = format!("{wheel} holds code for {}", wheel.architectures.join(" "));
            let holds = |gfx: &&String| wheel.architectures.iter().any(|one| **one == ***gfx);
            match facts.gfx().iter().find(|gfx| !holds(gfx)) {
                None => ROCM
                    .ok(format!("PyTorch {} holds code for every device", torch.version))
                    .seen(seen),
                Some(gfx) => {
                    let check = ROCM
                        .fault(format!("PyTorch {} holds no code for {gfx}", torch.version))
                        .seen(seen)
                        .seen("/sys/class/kfd/kfd/topology/nodes/*/properties: gfx_target_version");
                    installed.replace(check)
                }
            }
        }
    }
}

fn versions(
    facts: &Facts,
    torch: &InstalledTorch,
    toolkit: &ToolkitFacts,
    catalog: &Catalog,
) -> Check {
    let TorchBackend::Cuda(wheel) = torch.backend() else {
        return VERSIONS.not_applicable("no build for NVIDIA devices");
    };
    let driver = facts.driver.as_ref().value().and_then(|driver| driver.loaded.clone().value());
    let newest = driver.map(|driver| catalog.cuda_of_driver(&driver));
    let newest = match newest {
        Some(Known::Value(version)) => version.to_string(),
        Some(Known::Unknown(why)) => format!("unknown ({why})"),
        None => "unknown (no driver is loaded)".to_owned(),
    };
    let seen = |check: Check| {
        let check =
            check.seen(format!("the driver supports up to CUDA {newest}: what nvidia-smi prints"));
        let check = match &toolkit.toolkit {
            Some(Toolkit { version: Known::Value(version), place }) => {
                check.seen(format!("the toolkit is {version} ({place})"))
            }
            Some(Toolkit { version: Known::Unknown(why), .. }) => {
                check.seen(format!("which toolkit is installed is unknown ({why})"))
            }
            None => check.seen("no toolkit is installed: none is needed to run"),
        };
        check.seen(format!("the wheel brings CUDA {wheel} along ({})", torch.file))
    };
    let major = wheel.parse::<Version>().ok().map(|version| version.major());
    let built = toolkit.toolkit.as_ref().and_then(|toolkit| {
        toolkit.version.as_ref().value().and_then(|version| version.parse::<Version>().ok())
    });
    match (built, major) {
        (Some(version), Some(major)) if version.major() != major => seen(VERSIONS.warning(
            format!("extensions cannot be built: toolkit {version}, PyTorch with CUDA {wheel}"),
        ))
        .fix(format!("sudo apt install cuda-toolkit-{major}  # beside the other one"))
        .fix(format!("export CUDA_HOME=/usr/local/cuda-{major}")),
        _ => seen(VERSIONS.ok(format!("the wheel brings CUDA {wheel} along"))),
    }
}

fn library_path(toolkit: &ToolkitFacts) -> Check {
    match toolkit.shadowing.first() {
        None => LIBRARY_PATH.ok("LD_LIBRARY_PATH hides no CUDA library"),
        Some(first) => {
            let check = LIBRARY_PATH.warning(format!(
                "{first} in LD_LIBRARY_PATH comes before the CUDA libraries of wheels"
            ));
            let seen =
                toolkit.shadowing.iter().map(|folder| format!("{folder} holds CUDA libraries"));
            seen.fold(check, Check::seen).fix("unset LD_LIBRARY_PATH")
        }
    }
}
