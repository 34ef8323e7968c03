//! What the cells of a sheet come to: once at the likely values, or many times side by side. A number that
//! does not exist is NaN on the way, and a word in the answer.

use std::array;
use std::collections::BTreeMap;

use super::formula::{Formula, Id};
use super::rate_of_return::rate_of_return;
use super::{Content, Sheet};

/// What a cell comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number in the unit of the cell.
    Number(f64),
    /// There is none; the word says what there is instead.
    Nothing(&'static str),
}

impl Value {
    /// The number, where there is one.
    #[must_use]
    pub const fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Nothing(_) => None,
        }
    }
}

/// What every cell comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(Vec<Value>);

impl Values {
    /// Of one cell.
    #[must_use]
    pub fn of(&self, id: Id) -> Value {
        self.0[id.0]
    }
}

/// The word where a sum came to no number though none was foreseen, as far beyond any range.
const NO_NUMBER: &str = "no number";

impl Sheet {
    /// All cells with every input at its likely value.
    #[must_use]
    pub fn values(&self) -> Values {
        self.values_with(&BTreeMap::new())
    }

    /// All cells with some inputs at other values.
    #[must_use]
    pub fn values_with(&self, instead: &BTreeMap<Id, f64>) -> Values {
        let all: Vec<Id> = self.cells().map(|(id, _)| id).collect();
        let mut lanes: Vec<[f64; 1]> = vec![[f64::NAN]; all.len()];
        self.evaluate(&all, &mut lanes, |id, likely| [instead.get(&id).copied().unwrap_or(likely)]);
        let value = |(id, cell): (Id, &super::Cell)| match (lanes[id.0][0], &cell.content) {
            (number, _) if number.is_finite() => Value::Number(number),
            (_, Content::Formula(formula)) => Value::Nothing(word(formula, &lanes)),
            (_, Content::Input(_)) => Value::Nothing(NO_NUMBER),
        };
        Values(self.cells().map(value).collect())
    }

    /// Evaluates some cells, in order, for several sets of inputs beside each other.
    pub(super) fn evaluate<const LANES: usize>(
        &self,
        cells: &[Id],
        lanes: &mut [[f64; LANES]],
        input: impl Fn(Id, f64) -> [f64; LANES],
    ) {
        for id in cells {
            lanes[id.0] = match &self.cell(*id).content {
                Content::Input(stated) => input(*id, stated.span.likely()),
                Content::Formula(formula) => of(formula, lanes),
            };
        }
    }
}

/// What a formula comes to in every lane.
fn of<const LANES: usize>(formula: &Formula, lanes: &[[f64; LANES]]) -> [f64; LANES] {
    match formula {
        Formula::Number(number) => [*number; LANES],
        Formula::Cell(id) => lanes[id.0],
        Formula::Nothing(_) => [f64::NAN; LANES],
        Formula::Binary(operator, parts) => {
            let (left, right) = (of(&parts[0], lanes), of(&parts[1], lanes));
            array::from_fn(|lane| operator.of(left[lane], right[lane]))
        }
        Formula::When(choice) => {
            let (left, right) = (of(&choice.left, lanes), of(&choice.right, lanes));
            let (then, otherwise) = (of(&choice.then, lanes), of(&choice.otherwise, lanes));
            array::from_fn(|lane| match left[lane] <= right[lane] {
                true => then[lane],
                false => otherwise[lane],
            })
        }
        Formula::Pick(which, of_these) => {
            let which = of(which, lanes);
            let values: Vec<_> = of_these.iter().map(|one| of(one, lanes)).collect();
            array::from_fn(|lane| picked(&values, which[lane]).map_or(f64::NAN, |all| all[lane]))
        }
        Formula::Total(ids) => ids
            .iter()
            .fold([0.0; LANES], |sum, id| array::from_fn(|lane| sum[lane] + lanes[id.0][lane])),
        Formula::RateOfReturn(ids, _) => array::from_fn(|lane| {
            let flows: Vec<f64> = ids.iter().map(|id| lanes[id.0][lane]).collect();
            rate_of_return(&flows).unwrap_or(f64::NAN)
        }),
    }
}

/// The first, second, ... of several, by a number from 1.
fn picked<T>(of: &[T], which: f64) -> Option<&T> {
    let place = which.round() - 1.0;
    (place >= 0.0 && place < of.len() as f64).then(|| &of[place as usize])
}

/// What there is where a formula came to no number.
fn word(formula: &Formula, lanes: &[[f64; 1]]) -> &'static str {
    match formula {
        Formula::Nothing(word) => word,
        Formula::When(choice) => {
            let (left, right) = (of(&choice.left, lanes)[0], of(&choice.right, lanes)[0]);
            word(if left <= right { &choice.then } else { &choice.otherwise }, lanes)
        }
        Formula::Pick(which, of_these) => {
            picked(of_these, of(which, lanes)[0]).map_or(NO_NUMBER, |one| word(one, lanes))
        }
        _ => NO_NUMBER,
    }
}
