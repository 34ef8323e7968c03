//! `[roi.here]` and `[roi.far]`: what a project states for the question whether a machine pays. Which names
//! there are and what their values mean is the matter of whoever answers it.

use crate::Located;
use crate::project_file::{Named, RoiTable, in_file_order};
use crate::scalar::Field;

/// Names and values as they are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatedInputs {
    /// Of the own machine and the team.
    pub here: Vec<(Located<String>, String)>,
    /// Of all that it is held against.
    pub far: Vec<(Located<String>, String)>,
}

impl StatedInputs {
    pub(crate) fn read(table: &RoiTable) -> Self {
        let entries = |table: &Named<Field>| {
            let entries = in_file_order(table).into_iter();
            entries.map(|(name, value)| (name.clone(), value.value.to_string())).collect()
        };
        Self { here: entries(&table.here), far: entries(&table.far) }
    }
}
