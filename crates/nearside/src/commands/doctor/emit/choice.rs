//! What an image is built on, and where its PyTorch comes from: what was found decides, and the driver
//! that it has to run with.

use nearside_catalog::{BaseImage, Catalog, DottedVersion};
use nearside_workload::EnvironmentLock;
use nearside_workload::environment_lock::TorchBuild;

/// What an image is built on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Its name.
    pub(super) image: String,
    /// What its accelerators are reached with.
    pub(super) reach: Reach,
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

/// The image to build on, and what is doubtful about it. The driver is the one stated, or this
/// machine's.
pub(super) fn base(
    catalog: &Catalog,
    lock: &EnvironmentLock,
    driver: Option<&DottedVersion>,
) -> (Base, Vec<String>) {
    let own = own_driver(lock);
    let (driver, whose) = match driver {
        Some(stated) => (Some(stated), "that is asked for"),
        None => (own.as_ref(), "here"),
    };
    let build = super::torch(lock);
    let cuda = match build {
        Some(TorchBuild::Cuda { major, minor }) => {
            catalog.cuda_image(Some((*major, *minor)), driver)
        }
        Some(TorchBuild::Cpu | TorchBuild::Rocm(_)) => None,
        None if driver.is_some() => catalog.cuda_image(None, driver),
        None => None,
    };
    let mut doubts = Vec::new();
    if let (None, Some(TorchBuild::Cuda { .. })) = (cuda, build) {
        doubts.push("the catalog knows no image for this CUDA: PyTorch brings its own".to_owned());
    }
    let libc = glibc(lock);
    let (image, reach) = match (cuda, build) {
        (Some(image), _) => (Some(image), Reach::Cuda),
        (None, Some(TorchBuild::Rocm(_))) => (catalog.plain_image(libc.as_ref()), Reach::Rocm),
        (None, Some(TorchBuild::Cuda { .. })) => (catalog.plain_image(libc.as_ref()), Reach::Cuda),
        (None, _) => (catalog.plain_image(libc.as_ref()), Reach::Processor),
    };
    if let Some(image) = image {
        doubts.extend(doubt(image, driver, whose, libc.as_ref()));
    }
    let name = image.map_or_else(String::new, |image| named(image, lock));
    (Base { image: name, reach }, doubts)
}

/// The oldest driver of the NVIDIA devices here.
fn own_driver(lock: &EnvironmentLock) -> Option<DottedVersion> {
    // Only NVIDIA's devices have a compute capability of two numbers.
    let with_capability = lock.accelerators.iter().filter(|one| {
        let capability = one.capability.as_ref().value();
        capability.is_some_and(|capability| capability.parse::<DottedVersion>().is_ok())
    });
    with_capability.filter_map(|one| one.driver.as_ref().value()?.parse().ok()).min()
}

fn glibc(lock: &EnvironmentLock) -> Option<DottedVersion> {
    lock.system.libc.as_ref().value()?.strip_prefix("glibc ")?.parse().ok()
}

/// The image's name with the version of Python that was found.
fn named(image: &BaseImage, lock: &EnvironmentLock) -> String {
    let python = lock.python.as_ref().value();
    let version = python.and_then(|python| python.version.as_ref().value());
    image.image.replace("{python}", version.map_or("3", String::as_str))
}

fn doubt(
    image: &BaseImage,
    driver: Option<&DottedVersion>,
    whose: &str,
    libc: Option<&DottedVersion>,
) -> Vec<String> {
    let mut doubts = Vec::new();
    if let (Some(asked), Some(driver)) = (&image.driver, driver)
        && driver < asked
    {
        doubts.push(format!(
            "{} starts with driver {asked} and newer, the one {whose} is {driver}: update the driver",
            image.image
        ));
    }
    if libc.is_some_and(|libc| *libc != image.libc) {
        let libc = libc.map(ToString::to_string).unwrap_or_default();
        doubts.push(format!(
            "the image has glibc {}, this machine {libc}: the last bits of exp, sin and their like may \
             differ",
            image.libc
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(torch: Option<&str>, driver: Option<&str>, libc: &str) -> EnvironmentLock {
        let torch = torch.map(|torch| format!("torch = \"{torch}\"\n")).unwrap_or_default();
        let card = driver.map(|driver| {
            format!("[[accelerator]]\ncapability = \"8.9\"\ndriver = \"{driver}\"\n")
        });
        let text = format!(
            "version = 1\n[system]\nlibc = \"{libc}\"\n{}[python]\nversion = \"3.12.3\"\n{torch}",
            card.unwrap_or_default()
        );
        EnvironmentLock::parse(&text).unwrap()
    }

    #[test]
    fn build_driver_and_library_decide() {
        let catalog = Catalog::builtin().unwrap();
        let check = |lock: &EnvironmentLock, stated: Option<&str>, image: &str, doubts: &[&str]| {
            let stated = stated.map(|driver| driver.parse().unwrap());
            let (base, found) = base(&catalog, lock, stated.as_ref());
            assert_eq!(base.image, image);
            assert_eq!(found.len(), doubts.len(), "{found:?}");
            for (found, part) in found.iter().zip(doubts) {
                assert!(found.contains(part), "{found}");
            }
            base.reach
        };
        let cuda = |version: &str| format!("docker.io/nvidia/cuda:{version}");
        let new = lock(Some("cuda 12.8"), Some("580.95.05"), "glibc 2.39");
        assert_eq!(check(&new, None, &cuda("12.8.1-base-ubuntu24.04"), &[]), Reach::Cuda);
        let libc = "glibc 2.35, this machine 2.39";
        check(&new, Some("550.90.07"), &cuda("12.4.1-base-ubuntu22.04"), &[libc]);
        let old = lock(Some("cuda 12.8"), Some("470.42.01"), "glibc 2.35");
        let driver = "starts with driver 530.30.02 and newer, the one here is 470.42.01";
        check(&old, None, &cuda("12.1.1-base-ubuntu22.04"), &[driver]);
        let python = "docker.io/library/python:3.12.3-slim-bookworm";
        let amd = lock(Some("rocm 6.4"), None, "glibc 2.36");
        assert_eq!(check(&amd, None, python, &[]), Reach::Rocm);
        let plain = lock(Some("cpu"), Some("580.95.05"), "glibc 2.36");
        assert_eq!(check(&plain, None, python, &[]), Reach::Processor);
        assert_eq!(check(&lock(None, None, "glibc 2.36"), None, python, &[]), Reach::Processor);
        // Without PyTorch the card decides.
        let card = lock(None, Some("580.95.05"), "glibc 2.39");
        assert_eq!(check(&card, None, &cuda("13.0.2-base-ubuntu24.04"), &[]), Reach::Cuda);
        let none = lock(Some("cuda 10.2"), None, "glibc 2.36");
        assert_eq!(check(&none, None, python, &["knows no image for this CUDA"]), Reach::Cuda);
    }
}
