//! What a cell is computed by: arithmetic over cells that stand before it. Small on purpose, so that each
//! kind has one meaning in three worlds: evaluated here, drawn at random, and written into a spreadsheet.

use std::ops::{Add, Div, Mul, Sub};

/// Where a cell stands in its sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub(super) usize);

/// Arithmetic of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `a + b`
    Plus,
    /// `a - b`
    Minus,
    /// `a * b`
    Times,
    /// `a / b`; whoever divides sees to it that `b` is not zero.
    Over,
    /// `a ^ b`
    Power,
    /// The lesser one.
    Least,
    /// The greater one.
    Most,
}

impl Operator {
    /// What it makes of two numbers.
    pub(super) fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Plus => left + right,
            Self::Minus => left - right,
            Self::Times => left * right,
            Self::Over => left / right,
            Self::Power => left.powf(right),
            Self::Least => left.min(right),
            Self::Most => left.max(right),
        }
    }
}

/// How a cell follows from others.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// A constant.
    Number(f64),
    /// The value of another cell.
    Cell(Id),
    /// Arithmetic.
    Binary(Operator, Box<[Self; 2]>),
    /// `if left <= right { then } else { otherwise }`.
    When(Box<Choice>),
    /// The first, second, ... of several, by a number from 1.
    Pick(Box<Self>, Vec<Self>),
    /// The sum of cells that stand in a row.
    Total(Vec<Id>),
    /// The rate at which these yearly flows, the first one today, are worth nothing together; looked for
    /// from a guess on. They change their sign once.
    RateOfReturn(Vec<Id>, Box<Self>),
    /// There is no such number; the word says what there is instead, such as "never". Only a cell that
    /// nothing is computed from may be this.
    Nothing(&'static str),
}

/// Two numbers that are compared, and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What may be the lesser.
    pub left: Formula,
    /// What may be the greater.
    pub right: Formula,
    /// Where left is at most right.
    pub then: Formula,
    /// Where it is more.
    pub otherwise: Formula,
}

impl Formula {
    /// The lesser of two.
    #[must_use]
    pub fn least(self, other: impl Into<Self>) -> Self {
        self.with(Operator::Least, other.into())
    }

    /// The greater of two.
    #[must_use]
    pub fn most(self, other: impl Into<Self>) -> Self {
        self.with(Operator::Most, other.into())
    }

    /// To the power of another.
    #[must_use]
    pub fn power(self, other: impl Into<Self>) -> Self {
        self.with(Operator::Power, other.into())
    }

    /// `then` where this is at most `right`, and `otherwise` where it is more.
    #[must_use]
    pub fn at_most(
        self,
        right: impl Into<Self>,
        then: impl Into<Self>,
        otherwise: impl Into<Self>,
    ) -> Self {
        let (right, then, otherwise) = (right.into(), then.into(), otherwise.into());
        Self::When(Box::new(Choice { left: self, right, then, otherwise }))
    }

    fn with(self, operator: Operator, other: Self) -> Self {
        Self::Binary(operator, Box::new([self, other]))
    }

    /// Every cell that it names, in order.
    pub(super) fn cells(&self, found: &mut Vec<Id>) {
        match self {
            Self::Number(_) | Self::Nothing(_) => {}
            Self::Cell(id) => found.push(*id),
            Self::Total(ids) => found.extend(ids),
            Self::RateOfReturn(ids, guess) => {
                found.extend(ids);
                guess.cells(found);
            }
            Self::Binary(_, parts) => parts.iter().for_each(|part| part.cells(found)),
            Self::When(choice) => {
                let Choice { left, right, then, otherwise } = choice.as_ref();
                [left, right, then, otherwise].into_iter().for_each(|part| part.cells(found));
            }
            Self::Pick(which, of) => {
                which.cells(found);
                of.iter().for_each(|part| part.cells(found));
            }
        }
    }

    /// The same with other formulas in place of cells. What sums and rates of return name stays.
    pub(super) fn replaced(&self, by: &impl Fn(Id) -> Self) -> Self {
        let again = |part: &Self| part.replaced(by);
        match self {
            Self::Cell(id) => by(*id),
            Self::Binary(operator, parts) => again(&parts[0]).with(*operator, again(&parts[1])),
            Self::When(choice) => again(&choice.left).at_most(
                again(&choice.right),
                again(&choice.then),
                again(&choice.otherwise),
            ),
            Self::Pick(which, of) => {
                Self::Pick(Box::new(again(which)), of.iter().map(again).collect())
            }
            Self::Number(_) | Self::Nothing(_) | Self::Total(_) | Self::RateOfReturn(..) => {
                self.clone()
            }
        }
    }
}

impl From<Id> for Formula {
    fn from(id: Id) -> Self {
        Self::Cell(id)
    }
}

impl From<f64> for Formula {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

/// Formulas and cells are written as arithmetic is.
macro_rules! arithmetic {
    ($($trait:ident $method:ident $operator:ident),*) => {$(
        impl<T: Into<Formula>> $trait<T> for Formula {
            type Output = Self;
            fn $method(self, other: T) -> Self {
                self.with(Operator::$operator, other.into())
            }
        }
        impl<T: Into<Formula>> $trait<T> for Id {
            type Output = Formula;
            fn $method(self, other: T) -> Formula {
                Formula::Cell(self).with(Operator::$operator, other.into())
            }
        }
    )*};
}
arithmetic!(Add add Plus, Sub sub Minus, Mul mul Times, Div div Over);
