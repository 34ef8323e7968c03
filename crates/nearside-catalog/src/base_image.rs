//! Images of containers that an environment can be built on, and which of them fits a machine.
//!
//! NVIDIA's images refuse to start where the driver is older than the toolkit asks for, so that the
//! newest one is not the best one: wanted is the newest that every machine takes.

use std::sync::Arc;

use crate::table::{Cells, Row};
use crate::{Catalog, CatalogError, Origin, Version};

/// An image of containers.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseImage {
    /// Its name; `{python}` in it stands for a version of Python.
    pub image: Arc<str>,
    /// The version of CUDA in it, if there is one.
    pub cuda: Option<Version>,
    /// The version of glibc in it.
    pub libc: Version,
    /// Where the row came from.
    pub origin: Origin,
}

impl Row for BaseImage {
    type Key = Arc<str>;
    const COLUMNS: &'static [&'static str] = &["image", "cuda", "libc"];

    fn read(cells: &Cells<'_>) -> Result<Self, CatalogError> {
        Ok(Self {
            image: cells.required_text("image")?,
            cuda: cells.optional("cuda")?,
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

    /// The oldest driver that an image starts with: that of the first edition of its toolkit, which is
    /// the one that first says it supports this CUDA.
    #[must_use]
    pub fn driver_of_image(&self, image: &BaseImage) -> Option<Version> {
        Some(self.toolkit_driver(image.cuda.as_ref()?).value()?.version)
    }

    /// The newest image with that major version of CUDA, no newer than it (of any version where none is
    /// wanted), that starts with that driver. Where the driver is older than that of each, the oldest
    /// image: it asks for least.
    ///
    /// ```
    /// use nearside_catalog::Catalog;
    /// let catalog = Catalog::builtin().unwrap();
    /// let image = |driver: &str| {
    ///     let (cuda, driver) = ("12.8".parse().unwrap(), driver.parse().unwrap());
    ///     catalog.cuda_image(Some(&cuda), Some(&driver)).unwrap().image.to_string()
    /// };
    /// assert_eq!(image("570.124.06"), "docker.io/nvidia/cuda:12.8.1-base-ubuntu24.04");
    /// assert_eq!(image("560.35.05"), "docker.io/nvidia/cuda:12.6.3-base-ubuntu24.04");
    /// ```
    #[must_use]
    pub fn cuda_image(
        &self,
        cuda: Option<&Version>,
        driver: Option<&Version>,
    ) -> Option<&BaseImage> {
        let release = |image: &BaseImage| image.cuda.as_ref().map(Version::release);
        let fits = |image: &&BaseImage| {
            release(image).is_some_and(|found| {
                cuda.is_none_or(|cuda| found.major() == cuda.major() && found <= cuda.release())
            })
        };
        let starts = |image: &&BaseImage| {
            driver.is_none_or(|driver| {
                self.driver_of_image(image).is_some_and(|needed| needed <= *driver)
            })
        };
        let all = || self.base_images().filter(fits);
        let newest = all().filter(starts).max_by_key(|image| release(image));
        newest.or_else(|| all().min_by_key(|image| release(image)))
    }

    /// The image without CUDA whose C library is that one, else the newest; one that holds Python comes
    /// first.
    #[must_use]
    pub fn plain_image(&self, libc: Option<&Version>) -> Option<&BaseImage> {
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
        let check = |cuda: &str, driver: &str, expect: Option<&str>| {
            let (cuda, driver) = (cuda.parse().ok(), driver.parse().ok());
            let found = catalog.cuda_image(cuda.as_ref(), driver.as_ref());
            let found = found.and_then(|image| image.cuda.as_ref()).map(ToString::to_string);
            assert_eq!(found.as_deref(), expect, "{cuda:?} {driver:?}");
        };
        check("13.0", "580.95.05", Some("13.0.2"));
        check("12.8", "580.95.05", Some("12.8.1"));
        check("12.8", "550.90.07", Some("12.4.1"));
        check("12.8", "not known", Some("12.8.1"));
        // No image of this major starts: the one that asks for least.
        check("12.8", "470.42.01", Some("12.1.1"));
        check("10.2", "580.95.05", None);
        check("any", "560.35.05", Some("12.6.3"));
    }

    #[test]
    fn every_image_with_cuda_has_a_driver_in_the_table() {
        let catalog = Catalog::builtin().unwrap();
        for image in catalog.base_images().filter(|image| image.cuda.is_some()) {
            assert!(catalog.driver_of_image(image).is_some(), "{}", image.image);
        }
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
}
