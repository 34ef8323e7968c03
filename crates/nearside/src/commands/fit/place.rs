//! Where models are tried: this machine, a recorded one, or a device of the catalog.

use std::path::Path;

use nearside_catalog::{Catalog, Site};
use nearside_estimate::Calibration;

use super::text::free_text;
use super::view::FreeView;
use crate::error::CommandError;
use crate::output::{Form, Output};
use crate::wire;
use crate::wire::calibration::Calibrations;
use crate::wire::sites::{Own, Whose};

/// Where models are tried, with what holds there.
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) calibration: Calibration,
    pub(crate) free: Option<FreeView>,
    machine: Whose,
    pub(crate) notes: Vec<String>,
}

impl Place {
    /// A device and how many of it, else the machine in a file, else this one.
    pub(crate) fn of(
        device: Option<(&str, u32)>,
        file: Option<&Path>,
        catalog: &Catalog,
    ) -> Result<Self, CommandError> {
        let own = match (device, file) {
            (Some((device, count)), _) => wire::sites::of_device(device, count, catalog),
            (None, Some(file)) => wire::sites::of_file(file, catalog),
            (None, None) => wire::sites::here(catalog),
        };
        let Own { mut site, mut notes, machine, free } = own?;
        let here = (machine == Whose::ThisMachine).then_some(&site);
        let calibrations = Calibrations::measured_on(here, &mut notes);
        let mut calibration = calibrations.of(&site).clone();
        if let Some(free) = &free {
            free.limits(&mut site, &mut calibration);
        }
        let free = free.as_ref().map(FreeView::of);
        Ok(Self { site, calibration, free, machine, notes })
    }

    /// What it is called, with what is free there.
    pub(crate) fn title(&self) -> String {
        format!("{}{}", self.site.name, self.free.as_ref().map(free_text).unwrap_or_default())
    }

    /// What would make the answer better.
    pub(crate) fn hint(&self, output: &Output) {
        let unmeasured = self.machine == Whose::ThisMachine && self.calibration.here.is_empty();
        if unmeasured && output.form == Form::Text {
            output.hint(
                "`nearside doctor --measure` measures this machine; its ranges are narrower then",
            );
        }
    }
}
