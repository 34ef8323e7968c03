//! What an image is built on, and where its PyTorch comes from: what was found decides, and the driver
//! that it has to run with.

use nearside_catalog::{
    BaseImage, Catalog, ComputeCapability, Platform, Refusal, TorchBuild, TorchMachine, Version,
};
use nearside_units::Known;
use nearside_workload::EnvironmentLock;

/// What an image is built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Its name.
    pub(super) image: String,
    /// What its accelerators are reached with.
    pub(super) reach: Reach,
    /// The version of Python that is asked for in it, as exactly as it can be had.
    pub(super) python: Option<String>,
}

/// Which accelerators a container is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// None.
    Processor,
    /// NVIDIA's.
    Cuda,
    /// AMD's.
    Rocm,
}

/// An index that holds one build of PyTorch, and of what is released with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TorchIndex {
    /// Its name in `pyproject.toml`.
    pub(super) name: String,
    /// Its address.
    pub(super) url: String,
    /// What stands behind a plus sign in versions of its packages.
    pub(super) label: String,
}

/// The packages that PyTorch's own indexes hold a build of. Source: download.pytorch.org.
pub(super) const OF_TORCH: [&str; 5] =
    ["pytorch-triton", "pytorch-triton-rocm", "torch", "torchaudio", "torchvision"];

impl TorchIndex {
    pub(super) fn of(build: &TorchBuild) -> Self {
        let label = build.label();
        Self {
            name: format!("pytorch-{label}"),
            url: format!("https://download.pytorch.org/whl/{label}"),
            label,
        }
    }
}

/// What the files take, and what is doubtful about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) base: Base,
    /// The build of PyTorch: the one that was found, unless it cannot run.
    pub(super) torch: Option<TorchIndex>,
    pub(super) doubts: Vec<String>,
}

/// Chooses by what was found, and for a driver: the one stated, or this machine's.
pub(super) fn choose(
    catalog: &Catalog,
    lock: &EnvironmentLock,
    driver: Option<&Version>,
) -> Choice {
    let own = own_driver(lock);
    let far = Far {
        capabilities: capabilities(lock),
        driver: driver.or(own.as_ref()),
        whose: if driver.is_some() { "that is asked for" } else { "here" },
    };
    let (build, mut doubts) = build(catalog, lock, &far);
    let (base, more) = base(catalog, lock, build.as_ref(), &far);
    doubts.extend(more);
    Choice { base, torch: build.as_ref().map(TorchIndex::of), doubts }
}

/// What the image has to run on.
struct Far<'a> {
    capabilities: Vec<ComputeCapability>,
    driver: Option<&'a Version>,
    /// Whose driver that is, in words.
    whose: &'static str,
}

/// The build of PyTorch that was found, or, where it cannot run, another one of the same release. Where
/// none was found, the newest that runs.
fn build(
    catalog: &Catalog,
    lock: &EnvironmentLock,
    far: &Far<'_>,
) -> (Option<TorchBuild>, Vec<String>) {
    let found = super::torch(lock);
    let platform = lock.system.architecture.as_ref().value();
    let platform = platform.and_then(|name| name.parse::<Platform>().ok());
    let Some(platform) = platform.filter(|_| !far.capabilities.is_empty()) else {
        return (found.cloned(), Vec::new());
    };
    let machine = TorchMachine { capabilities: &far.capabilities, driver: far.driver, platform };
    let release = torch_release(lock);
    match (found, release) {
        (None, None) => {
            let choice = catalog.torch_that_fits(&machine).value();
            (choice.and_then(|choice| TorchBuild::of_label(&choice.wheel.build)), Vec::new())
        }
        (Some(TorchBuild::Cpu), _) => {
            let doubt = "there is a card, and the PyTorch that was found is for processors alone";
            (found.cloned(), vec![doubt.to_owned()])
        }
        (Some(build @ TorchBuild::Cuda { .. }), Some(release)) => {
            let Some(why) = refused(catalog, build, &release, &machine) else {
                return (found.cloned(), Vec::new());
            };
            let other = catalog.torch_of_release(&release, &machine);
            let other = other.map(|choice| TorchBuild::of_label(&choice.wheel.build));
            let doubt = format!("the PyTorch {release} for {build} that was found {why}");
            match other {
                Known::Value(Some(other)) => {
                    let doubt = format!("{doubt}: the files take the one for {other}");
                    (Some(other), vec![doubt])
                }
                _ => (found.cloned(), vec![format!("{doubt}, nor does another of its release")]),
            }
        }
        _ => (found.cloned(), Vec::new()),
    }
}

/// Why a build does not run, where the catalog knows that it does not.
fn refused(
    catalog: &Catalog,
    build: &TorchBuild,
    release: &Version,
    machine: &TorchMachine<'_>,
) -> Option<String> {
    let wheel = catalog.torch_wheel(release, &build.label(), machine.platform).value()?;
    let device = machine.capabilities.iter().find(|device| !wheel.runs_on(**device));
    if let Some(device) = device {
        return Some(Refusal::NoCode(*device).to_string());
    }
    let needs = catalog.driver_floor(&wheel.cuda()?).value()?.version;
    let has = machine.driver.filter(|driver| **driver < needs)?.clone();
    Some(Refusal::OldDriver { needs, has }.to_string())
}

fn torch_release(lock: &EnvironmentLock) -> Option<Version> {
    lock.python.as_ref().value()?.packages.get("torch")?.version.parse().ok()
}

/// The image to build on.
fn base(
    catalog: &Catalog,
    lock: &EnvironmentLock,
    build: Option<&TorchBuild>,
    far: &Far<'_>,
) -> (Base, Vec<String>) {
    let cuda = match build {
        Some(build) => {
            let cuda = build.cuda_version();
            cuda.and_then(|cuda| catalog.cuda_image(Some(&cuda), far.driver))
        }
        None => far.driver.and_then(|driver| catalog.cuda_image(None, Some(driver))),
    };
    let mut doubts = Vec::new();
    if let (None, Some(TorchBuild::Cuda { .. })) = (cuda, build) {
        doubts.push("the catalog knows no image for this CUDA: PyTorch brings its own".to_owned());
    }
    let libc = glibc(lock);
    let image = cuda.or_else(|| catalog.plain_image(libc.as_ref()));
    let reach = match build {
        Some(TorchBuild::Cuda { .. }) => Reach::Cuda,
        Some(TorchBuild::Rocm(_)) => Reach::Rocm,
        Some(TorchBuild::Cpu) => Reach::Processor,
        None if cuda.is_some() => Reach::Cuda,
        None => Reach::Processor,
    };
    if let Some(image) = image {
        let needs = catalog.driver_of_image(image);
        doubts.extend(needs.as_ref().and_then(|needs| old_driver(image, needs, far)));
        doubts.extend(libc.as_ref().filter(|libc| **libc != image.libc).map(|libc| {
            format!(
                "the image has glibc {}, this machine {libc}: the last bits of exp, sin and their like \
                 may differ",
                image.libc
            )
        }));
    }
    let python = image.and_then(|image| python(image, libc.as_ref(), lock));
    doubts.extend(python.as_deref().and_then(|taken| other_patch(taken, lock)));
    let version = python.as_deref().unwrap_or("3");
    let name = image.map_or_else(String::new, |image| image.image.replace("{python}", version));
    (Base { image: name, reach, python }, doubts)
}

fn old_driver(image: &BaseImage, needs: &Version, far: &Far<'_>) -> Option<String> {
    let driver = far.driver.filter(|driver| *driver < needs)?;
    Some(format!(
        "{} starts with driver {needs} and newer, the one {} is {driver}: update the driver",
        image.image, far.whose
    ))
}

/// The compute capabilities of the NVIDIA devices here.
fn capabilities(lock: &EnvironmentLock) -> Vec<ComputeCapability> {
    let all = lock.accelerators.iter();
    all.filter_map(|one| one.capability.as_ref().value()?.parse().ok()).collect()
}

/// The oldest driver of the NVIDIA devices here.
fn own_driver(lock: &EnvironmentLock) -> Option<Version> {
    // Only NVIDIA's devices have a compute capability of two numbers.
    let nvidia = lock.accelerators.iter().filter(|one| {
        let capability = one.capability.as_ref().value();
        capability.is_some_and(|capability| capability.parse::<ComputeCapability>().is_ok())
    });
    nvidia.filter_map(|one| one.driver.as_ref().value()?.parse().ok()).min()
}

fn glibc(lock: &EnvironmentLock) -> Option<Version> {
    lock.system.libc.as_ref().value()?.strip_prefix("glibc ")?.parse().ok()
}

/// The version of Python to ask for: exactly the one that was found where the image was made for it. An
/// image of another release of Debian may be younger than that version, and uv, which brings Python
/// where the image has none, does not have every last number either.
fn python(image: &BaseImage, libc: Option<&Version>, lock: &EnvironmentLock) -> Option<String> {
    let found = python_version(lock)?;
    let made_for_it = image.image.contains("{python}") && libc == Some(&image.libc);
    if made_for_it { Some(found.clone()) } else { series(found) }
}

fn other_patch(taken: &str, lock: &EnvironmentLock) -> Option<String> {
    let found = python_version(lock).filter(|found| *found != taken)?;
    Some(format!("the image gets a Python {taken} whose last number may not be that of {found}"))
}

fn python_version(lock: &EnvironmentLock) -> Option<&String> {
    lock.python.as_ref().value()?.version.as_ref().value()
}

/// `3.12` of `3.12.3`.
pub(super) fn series(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    Some(format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with a card of that compute capability and driver, or with none.
    fn lock(torch: Option<&str>, card: Option<(&str, &str)>, libc: &str) -> EnvironmentLock {
        let torch =
            torch.map(|torch| format!("torch = \"{torch}\"\n[packages]\ntorch = \"2.11.0\""));
        let card = card.map(|(capability, driver)| {
            format!("[[accelerator]]\ncapability = \"{capability}\"\ndriver = \"{driver}\"\n")
        });
        let text = format!(
            "version = 1\n[system]\narchitecture = \"x86_64\"\nlibc = \"{libc}\"\n{}[python]\n\
             version = \"3.12.3\"\n{}\n",
            card.unwrap_or_default(),
            torch.unwrap_or_default(),
        );
        EnvironmentLock::parse(&text).unwrap()
    }

    #[track_caller]
    fn check(lock: &EnvironmentLock, driver: Option<&str>, expect: (&str, &str), doubts: &[&str]) {
        let driver = driver.map(|driver| driver.parse().unwrap());
        let choice = choose(&Catalog::builtin().unwrap(), lock, driver.as_ref());
        let index = choice.torch.map_or_else(String::new, |index| index.name);
        assert_eq!((choice.base.image.as_str(), index.as_str()), expect);
        assert_eq!(choice.doubts.len(), doubts.len(), "{:?}", choice.doubts);
        for (found, part) in choice.doubts.iter().zip(doubts) {
            assert!(found.contains(part), "{found}");
        }
    }

    const CUDA_12_8: &str = "docker.io/nvidia/cuda:12.8.1-base-ubuntu24.04";
    const CUDA_12_6: &str = "docker.io/nvidia/cuda:12.6.3-base-ubuntu24.04";
    const CUDA_12_4: &str = "docker.io/nvidia/cuda:12.4.1-base-ubuntu22.04";
    const CUDA_12_1: &str = "docker.io/nvidia/cuda:12.1.1-base-ubuntu22.04";
    const PYTHON: &str = "docker.io/library/python:3.12.3-slim-bookworm";
    const PATCH: &str = "a Python 3.12 whose last number may not be that of 3.12.3";
    const LIBC: &str = "glibc 2.35, this machine 2.39";

    #[test]
    fn the_driver_decides_which_image_starts() {
        let ada = lock(Some("cuda 12.8"), Some(("8.9", "580.95.05")), "glibc 2.39");
        check(&ada, None, (CUDA_12_8, "pytorch-cu128"), &[PATCH]);
        check(&ada, Some("550.90.07"), (CUDA_12_4, "pytorch-cu128"), &[LIBC, PATCH]);
        let old = lock(Some("cuda 12.8"), Some(("8.9", "528.1")), "glibc 2.35");
        let driver = "starts with driver 530.30.02 and newer, the one here is 528.1";
        check(&old, None, (CUDA_12_1, "pytorch-cu128"), &[driver, PATCH]);
    }

    #[test]
    fn a_build_that_cannot_run_gives_way_to_one_of_its_release() {
        let volta = lock(Some("cuda 12.8"), Some(("7.0", "570.124.06")), "glibc 2.39");
        let code =
            "found holds no code for compute capability 7.0: the files take the one for cuda 12.6";
        check(&volta, None, (CUDA_12_6, "pytorch-cu126"), &[code, PATCH]);
        let new = lock(Some("cuda 13.0"), Some(("8.9", "580.95.05")), "glibc 2.39");
        let driver =
            "needs driver 580 or newer, 570.211.01 is loaded: the files take the one for cuda 12.8";
        check(&new, Some("570.211.01"), (CUDA_12_8, "pytorch-cu128"), &[driver, PATCH]);
    }

    #[test]
    fn a_python_is_asked_for_that_can_be_had() {
        let asked = |lock: &EnvironmentLock| {
            let base = choose(&Catalog::builtin().unwrap(), lock, None).base;
            (base.image, base.python.unwrap_or_default())
        };
        let same = asked(&lock(None, None, "glibc 2.36"));
        assert_eq!(same, (PYTHON.to_owned(), "3.12.3".to_owned()));
        // No image of Python has this glibc, and the newest Debian's begin with later versions.
        let other = asked(&lock(None, None, "glibc 2.17"));
        let series = "docker.io/library/python:3.12-slim-trixie";
        assert_eq!(other, (series.to_owned(), "3.12".to_owned()));
        // The image has no Python: uv brings one, of which there is not every last number.
        let cuda = asked(&lock(Some("cuda 12.8"), Some(("8.9", "580.95.05")), "glibc 2.39"));
        assert_eq!(cuda, (CUDA_12_8.to_owned(), "3.12".to_owned()));
    }

    #[test]
    fn without_cards_the_c_library_decides() {
        let amd = lock(Some("rocm 6.4"), None, "glibc 2.36");
        check(&amd, None, (PYTHON, "pytorch-rocm6.4"), &[]);
        check(&lock(None, None, "glibc 2.36"), None, (PYTHON, ""), &[]);
        let plain = lock(Some("cpu"), Some(("8.9", "580.95.05")), "glibc 2.36");
        check(&plain, None, (PYTHON, "pytorch-cpu"), &["for processors alone"]);
        let none = lock(Some("cuda 10.2"), None, "glibc 2.36");
        check(&none, None, (PYTHON, "pytorch-cu102"), &["knows no image for this CUDA"]);
        // Without PyTorch the card decides what is asked of it.
        let card = lock(None, Some(("8.9", "570.124.06")), "glibc 2.39");
        let choice = choose(&Catalog::builtin().unwrap(), &card, None);
        assert_eq!(choice.base.reach, Reach::Cuda);
        assert!(choice.torch.is_some_and(|index| index.name.starts_with("pytorch-cu12")));
    }
}
