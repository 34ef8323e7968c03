//! A calculation as a sheet of named cells: inputs with their range and source, and formulas over cells
//! that stand before them. It is written down once, and then evaluated, drawn from at random, and written
//! as a spreadsheet whose formulas live: none of the three can say something else than the others.
//!
//! Inside a sheet numbers are plain `f64` in the unit that their cell names; money is in one currency.

mod evaluate;
mod formula;
mod rate_of_return;
mod sampling;
mod unit;

use std::collections::BTreeMap;

use nearside_units::{Basis, Span};

pub use evaluate::{Value, Values};
pub use formula::{Choice, Formula, Id, Operator};
pub use sampling::{Draws, Sample, Swing};
pub use unit::Unit;

/// Cells in the order in which they can be computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    cells: Vec<Cell>,
}

/// A number that has a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What formulas call it; made of lower-case letters, digits and `_`, its own in its sheet.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Which part of the sheet it belongs to.
    pub group: Group,
    /// The year that it is of; 0 is today. Cells of one label and one group make a row over the years.
    pub year: Option<usize>,
    /// Where its value comes from.
    pub content: Content,
}

/// Parts of a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The own machine and all that is the same whatever it is held against.
    Near,
    /// What it is held against, by its place.
    Far(usize),
}

/// Where the value of a cell comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// It is stated.
    Input(Input),
    /// It follows from others.
    Formula(Formula),
}

/// A stated value.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The value and what it may be as well.
    pub span: Span<f64>,
    /// Who says so.
    pub basis: Basis,
}

impl Sheet {
    /// Puts a cell below the others. What its formula names must be there already, which only ids that
    /// this sheet gave out are.
    pub fn put(&mut self, cell: Cell) -> Id {
        debug_assert!(self.cells.iter().all(|other| other.name != cell.name), "{}", cell.name);
        self.cells.push(cell);
        Id(self.cells.len() - 1)
    }

    /// All cells with their places, in order.
    pub fn cells(&self) -> impl Iterator<Item = (Id, &Cell)> {
        self.cells.iter().enumerate().map(|(place, cell)| (Id(place), cell))
    }

    /// The cell at a place.
    #[must_use]
    pub fn cell(&self, id: Id) -> &Cell {
        &self.cells[id.0]
    }

    /// The cell of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Id> {
        self.cells.iter().position(|cell| cell.name == name).map(Id)
    }

    /// Inputs that may be something else than they are said to be.
    pub fn uncertain(&self) -> impl Iterator<Item = (Id, Span<f64>)> {
        self.cells().filter_map(|(id, cell)| match &cell.content {
            Content::Input(input) if input.span.low() < input.span.high() => Some((id, input.span)),
            Content::Input(_) | Content::Formula(_) => None,
        })
    }

    /// The cells that a cell is computed from, directly or not, and itself, in order.
    #[must_use]
    pub fn needed(&self, targets: &[Id]) -> Vec<Id> {
        let mut needed = vec![false; self.cells.len()];
        for target in targets {
            needed[target.0] = true;
        }
        let mut named = Vec::new();
        for place in (0..self.cells.len()).rev() {
            if needed[place]
                && let Content::Formula(formula) = &self.cells[place].content
            {
                formula.cells(&mut named);
                named.drain(..).for_each(|id| needed[id.0] = true);
            }
        }
        (0..self.cells.len()).filter(|place| needed[*place]).map(Id).collect()
    }

    /// The formula of a cell with all that it is computed from written out down to inputs, some of which
    /// are something else. Sums and rates of return over the years are not written out.
    #[must_use]
    pub fn written_out(&self, id: Id, instead: &BTreeMap<Id, Formula>) -> Formula {
        let by = |named: Id| match instead.get(&named) {
            Some(formula) => formula.clone(),
            None => self.written_out(named, instead),
        };
        match &self.cells[id.0].content {
            Content::Input(_) => Formula::Cell(id),
            Content::Formula(formula) => formula.replaced(&by),
        }
    }
}
