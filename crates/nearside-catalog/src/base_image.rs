//! Images of containers that an environment can be built on, and which of them fits a machine.
//!
//! NVIDIA's images refuse to start where the driver is older than the toolkit asks for, so that the
//! newest one is not the best one: wanted is the newest that every machine takes.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use nearside_units::ParseError;

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, Origin};

/// A version of numbers with dots between them, `570.86.15`: compared by its numbers, shown as it is
/// written.
#[derive(Clone, Debug)]
pub struct DottedVersion {
    text: Arc<str>,
    numbers: Vec<u32>,
}

impl DottedVersion {
    /// Its first number.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.numbers.first().copied().unwrap_or(0)
    }

    /// Its first two numbers.
    #[must_use]
    pub fn major_and_minor(&self) -> (u32, u32) {
        (self.major(), self.numbers.get(1).copied().unwrap_or(0))
    }
}

impl FromStr for DottedVersion {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let numbers: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        let version = numbers.map(|numbers| Self { text: text.into(), numbers });
        version.map_err(|_no_number| ParseError::Malformed {
            text: text.to_owned(),
            expected: "numbers with dots between them, as in \"570.86.15\"",
        })
    }
}

impl fmt::Display for DottedVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl PartialEq for DottedVersion {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

impl Eq for DottedVersion {}

impl PartialOrd for DottedVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DottedVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

/// An image of containers.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseImage {
    /// Its name; `{python}` in it stands for a version of Python.
    pub image: Arc<str>,
    /// The version of CUDA in it, if there is one.
    pub cuda: Option<DottedVersion>,
    /// The oldest driver of NVIDIA that it starts with.
    pub driver: Option<DottedVersion>,
    /// The version of glibc in it.
    pub libc: DottedVersion,
    /// Where the row came from.
    pub origin: Origin,
}

impl Row for BaseImage {
    type Key = Arc<str>;
    const COLUMNS: &'static [&'static str] = &["image", "cuda", "driver", "libc"];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        Ok(Self {
            image: cells.required_text("image")?,
            cuda: cells.optional("cuda")?,
            driver: cells.optional("driver")?,
            libc: cells.required("libc")?,
            origin: cells.origin()?,
        })
    }

    fn key(&self) -> Self::Key {
        self.image.clone()
    }

    fn label(&self) -> String {
        self.image.to_string()
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Catalog {
    /// Every image that an environment can be built on, by its name.
    pub fn base_images(&self) -> impl DoubleEndedIterator<Item = &BaseImage> + Clone {
        self.base_images.rows.values()
    }

    /// The newest image with that major version of CUDA, no newer than it (of any version where none is
    /// wanted), that starts with that driver. Where the driver is older than that of each, the oldest
    /// image: it asks for least.
    ///
    /// ```
    /// use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin().unwrap();
    /// let image = |driver: &str| {
    ///     let driver = driver.parse().unwrap();
    ///     catalog.cuda_image(Some((12, 8)), Some(&driver)).unwrap().image.to_string()
    /// };
    /// assert_eq!(image("570.124.06"), "docker.io/nvidia/cuda:12.8.1-base-ubuntu24.04");
    /// assert_eq!(image("560.35.05"), "docker.io/nvidia/cuda:12.6.3-base-ubuntu24.04");
    /// ```
    #[must_use]
    pub fn cuda_image(
        &self,
        cuda: Option<(u32, u32)>,
        driver: Option<&DottedVersion>,
    ) -> Option<&BaseImage> {
        let version = |image: &BaseImage| image.cuda.as_ref().map(DottedVersion::major_and_minor);
        let fits = |image: &&BaseImage| {
            version(image)
                .is_some_and(|found| cuda.is_none_or(|cuda| found.0 == cuda.0 && found <= cuda))
        };
        let starts =
            |image: &&BaseImage| driver.is_none_or(|driver| image.driver.as_ref() <= Some(driver));
        let all = || self.base_images().filter(fits);
        let newest = all().filter(starts).max_by_key(|image| version(image));
        newest.or_else(|| all().min_by_key(|image| version(image)))
    }

    /// The image without CUDA whose C library is that one, else the newest; one that holds Python comes
    /// first.
    #[must_use]
    pub fn plain_image(&self, libc: Option<&DottedVersion>) -> Option<&BaseImage> {
        let plain = || self.base_images().filter(|image| image.cuda.is_none());
        let holds_python = |image: &&BaseImage| image.image.contains("{python}");
        let same = plain().filter(|image| Some(&image.libc) == libc);
        same.max_by_key(holds_python)
            .or_else(|| plain().filter(holds_python).max_by_key(|image| image.libc.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_image_that_starts_is_taken() {
        let catalog = Catalog::builtin().unwrap();
        let check = |cuda, driver: Option<&str>, expect: Option<&str>| {
            let driver = driver.map(|driver| driver.parse().unwrap());
            let found = catalog.cuda_image(cuda, driver.as_ref());
            let found = found.and_then(|image| image.cuda.as_ref()).map(ToString::to_string);
            assert_eq!(found.as_deref(), expect, "{cuda:?} {driver:?}");
        };
        check(Some((13, 0)), Some("580.95.05"), Some("13.0.2"));
        check(Some((12, 8)), Some("580.95.05"), Some("12.8.1"));
        check(Some((12, 8)), Some("550.90.07"), Some("12.4.1"));
        check(Some((12, 8)), None, Some("12.8.1"));
        // No image of this major starts: the one that asks for least.
        check(Some((12, 8)), Some("470.42.01"), Some("12.1.1"));
        check(Some((10, 2)), Some("580.95.05"), None);
        check(None, Some("560.35.05"), Some("12.6.3"));
    }

    #[test]
    fn without_cuda_the_c_library_decides() {
        let catalog = Catalog::builtin().unwrap();
        let image = |libc: Option<&str>| {
            let libc = libc.map(|libc| libc.parse().unwrap());
            catalog.plain_image(libc.as_ref()).unwrap().image.to_string()
        };
        assert_eq!(image(Some("2.36")), "docker.io/library/python:{python}-slim-bookworm");
        assert_eq!(image(Some("2.39")), "docker.io/library/ubuntu:24.04");
        assert_eq!(image(Some("2.17")), "docker.io/library/python:{python}-slim-trixie");
        assert_eq!(image(None), "docker.io/library/python:{python}-slim-trixie");
    }

    #[test]
    fn versions_compare_by_their_numbers() {
        let version = |text: &str| text.parse::<DottedVersion>().unwrap();
        assert!(version("570.124.06") > version("570.86.15"));
        assert_eq!(version("570.124.6"), version("570.124.06"));
        assert_eq!(version("570.124.06").to_string(), "570.124.06");
        assert!("".parse::<DottedVersion>().is_err() && "5.x".parse::<DottedVersion>().is_err());
    }
}
