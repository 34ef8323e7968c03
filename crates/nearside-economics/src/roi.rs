//! Does buying a machine pay? One sheet of an own machine and of all that it is held against: cost of
//! ownership, payback, worth today, rate of return, the use from which on it pays.
//!
//! Sources: the formulas of engineering economics (net present value, annuity, internal rate of return); IRS
//! Publication 946 for MACRS; Young 1974 for work lost to interruptions.

mod assumption;
mod builder;
mod carbon;
mod claim;
mod depreciation;
mod far;
mod near;

use std::sync::Arc;

use thiserror::Error;

pub use assumption::{Assumption, FAR, Given, NEAR};
pub use carbon::Emissions;
pub use claim::{CLAIM_WITHIN, Claim, Slip, explain};
pub use depreciation::{MACRS_FIRST_QUARTER, MACRS_FOURTH_QUARTER, MACRS_HALF_YEAR};
pub use far::Far;
pub use near::Near;

use crate::sheet::{Group, Sheet};
use builder::Builder;

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Case {
    /// What is stated of the own machine, of [`NEAR`].
    pub near: Given,
    /// What it is held against: names, and what is stated of each, of [`FAR`].
    pub far: Vec<(Arc<str>, Given)>,
}

impl Case {
    /// What has to be stated and is not: of the own machine, then of what it is held against.
    #[must_use]
    pub fn not_stated(&self) -> [Vec<&'static Assumption>; 2] {
        let lacks = |given: &Given, input: &Assumption| {
            input.is_needed() && !given.contains_key(input.name)
        };
        let near = NEAR.iter().filter(|input| lacks(&self.near, input));
        let far = FAR.iter().filter(|input| self.far.iter().any(|(_, given)| lacks(given, input)));
        [near.collect(), far.collect()]
    }
}

/// The sheet, and where in it the answers are.
#[derive(Clone, Debug, PartialEq)]
pub struct Roi {
    /// All cells.
    pub sheet: Sheet,
    /// Those of the own machine.
    pub near: Near,
    /// Those of each alternative.
    pub far: Vec<Far>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RoiError {
    /// Something that cannot be assumed is not stated.
    #[error("{name} ({label}) is not stated")]
    NotStated {
        /// The input.
        name: &'static str,
        /// What people call it.
        label: &'static str,
    },
    /// There is no input or cell of that name.
    #[error("there is no input {0}")]
    NoSuchInput(&'static str),
}

impl Roi {
    /// Writes the sheet.
    ///
    /// # Errors
    /// When something that cannot be assumed is not stated.
    pub fn of(case: &Case) -> Result<Self, RoiError> {
        let mut sheet = Sheet::default();
        let near = near::near(&mut Builder::of(&mut sheet, Group::Near, NEAR, &case.near))?;
        let mut far = Vec::new();
        for (place, (name, given)) in case.far.iter().enumerate() {
            let mut build = Builder::of(&mut sheet, Group::Far(place), FAR, given);
            far.push(far::far(&mut build, Arc::clone(name), &near)?);
        }
        Ok(Self { sheet, near, far })
    }
}
