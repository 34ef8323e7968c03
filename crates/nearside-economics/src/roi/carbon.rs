//! Emissions a year beside the money: electricity by location average, and the share of making a machine.
//!
//! `operational = energy x intensity`, `embodied = total / life` on an own machine, which emitted it whether
//! it works or not; `hours x share of an hour` on a rented one, which others use as well (Software Carbon
//! Intensity, ISO/IEC 21031).

use super::RoiError;
use super::builder::Builder;
use crate::sheet::{Formula, Id, Unit};

/// Emissions a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emissions {
    /// Of the electricity.
    pub operational: Id,
    /// Share of making the machine.
    pub embodied: Id,
    /// Both.
    pub total: Id,
}

impl Emissions {
    fn of(build: &mut Builder<'_>, operational: Formula, embodied: Formula) -> Self {
        let unit = Unit::Kilograms;
        let operational =
            build.formula("operational", "Emissions of electricity, a year", unit, operational);
        let embodied =
            build.formula("embodied_year", "Emissions of making it, a year", unit, embodied);
        let both = operational + embodied;
        let total = build.formula("emissions", "Emissions, a year", unit, both);
        Self { operational, embodied, total }
    }

    /// Of own machines with so much electricity a month.
    pub(super) fn near(
        build: &mut Builder<'_>,
        [machines, energy, life]: [Id; 3],
    ) -> Result<Option<Self>, RoiError> {
        if !build.are_stated(&["intensity", "embodied"]) {
            return Ok(None);
        }
        let (intensity, embodied) = (build.input("intensity")?, build.input("embodied")?);
        let operational = energy * 12.0 * intensity / 1000.0;
        Ok(Some(Self::of(build, operational, machines * embodied / life)))
    }

    /// Of so many rented hours a month.
    pub(super) fn far(build: &mut Builder<'_>, billed: Id) -> Result<Option<Self>, RoiError> {
        if !build.are_stated(&["power", "pue", "intensity", "embodied_hour"]) {
            return Ok(None);
        }
        let (power, pue) = (build.input("power")?, build.input("pue")?);
        let (intensity, embodied) = (build.input("intensity")?, build.input("embodied_hour")?);
        let energy = billed * 12.0 * power / 1000.0 * pue;
        let making = billed * 12.0 * embodied / 1000.0;
        Ok(Some(Self::of(build, energy * intensity / 1000.0, making)))
    }
}
