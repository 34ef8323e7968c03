//! Putting cells into a sheet, part by part.

use super::RoiError;
use super::assumption::{Assumption, Given};
use crate::sheet::{Cell, Content, Formula, Group, Id, Sheet, Unit};

/// Years that flows of money are looked at, today's not counted.
pub(super) const HORIZON: usize = 10;

/// What a divisor is at least, where the quotient is not used if it is not more than nothing. Far above
/// the least number that there is: spreadsheets take that one for nothing, or come to no number with it.
pub(super) const LEAST: f64 = 1e-300;

/// One part of a sheet that is being written.
pub(super) struct Builder<'a> {
    sheet: &'a mut Sheet,
    group: Group,
    /// What the names of its cells begin with.
    prefix: String,
    /// The inputs that it may have, and what is stated of them.
    inputs: &'static [Assumption],
    given: &'a Given,
}

impl<'a> Builder<'a> {
    pub(super) fn of(
        sheet: &'a mut Sheet,
        group: Group,
        inputs: &'static [Assumption],
        given: &'a Given,
    ) -> Self {
        let prefix = match group {
            Group::Near => String::new(),
            Group::Far(place) => format!("far{}_", place + 1),
        };
        Self { sheet, group, prefix, inputs, given }
    }

    /// An input: what is stated, or else what is assumed.
    pub(super) fn input(&mut self, name: &'static str) -> Result<Id, RoiError> {
        let found = self.inputs.iter().find(|input| input.name == name);
        let assumption = found.ok_or(RoiError::NoSuchInput(name))?;
        let input = assumption
            .input(self.given)
            .ok_or(RoiError::NotStated { name, label: assumption.label })?;
        Ok(self.put(name, assumption.label, assumption.unit, None, Content::Input(input)))
    }

    /// Whether all of these are stated.
    pub(super) fn are_stated(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.given.contains_key(name))
    }

    /// A cell of this part that is there already.
    pub(super) fn id(&self, name: &'static str) -> Result<Id, RoiError> {
        let found = self.sheet.find(&format!("{}{name}", self.prefix));
        found.ok_or(RoiError::NoSuchInput(name))
    }

    /// Something that follows.
    pub(super) fn formula(
        &mut self,
        name: &str,
        label: &str,
        unit: Unit,
        formula: impl Into<Formula>,
    ) -> Id {
        self.put(name, label, unit, None, Content::Formula(formula.into()))
    }

    /// An amount for every year from the first to the horizon, each of which may follow from those before.
    pub(super) fn yearly(
        &mut self,
        name: &str,
        label: &str,
        years: std::ops::RangeInclusive<usize>,
        formula: impl Fn(usize, &[Id]) -> Formula,
    ) -> Vec<Id> {
        let mut ids = Vec::new();
        for year in years {
            let content = Content::Formula(formula(year, &ids));
            ids.push(self.put(&format!("{name}_{year}"), label, Unit::Money, Some(year), content));
        }
        ids
    }

    fn put(
        &mut self,
        name: &str,
        label: &str,
        unit: Unit,
        year: Option<usize>,
        content: Content,
    ) -> Id {
        let name = format!("{}{name}", self.prefix);
        let label = label.to_owned();
        self.sheet.put(Cell { name, label, unit, group: self.group, year, content })
    }
}
