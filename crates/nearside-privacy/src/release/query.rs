//! What may be asked of a table.

use super::{Categorical, Numeric, ReleaseError};

/// The most cells of all tables of one answer together.
pub(super) const MOST_CELLS: u128 = 1 << 24;
/// The most cells of a made up table.
const MOST_MADE: u64 = 1 << 28;
/// The most parts of 1 that a quantile is said in.
const MOST_PARTS: u32 = 1000;
/// The most quantiles, and columns, of one query.
const MOST_AT_ONCE: usize = 256;

/// What is asked of a table, all of it said without a look at the table.
///
/// ```
/// use nearside_privacy::release::{Categorical, Decimal, Fraction, Grid, Numeric, Pairs, Query};
///
/// # fn main() -> Result<(), nearside_privacy::release::ReleaseError> {
/// let age = Numeric::new("age", Grid::new("0".parse()?, "120".parse()?, "1".parse()?)?);
/// let pay = Numeric::new("pay", Grid::between("0".parse()?, "250000".parse()?)?).with_missing(0.0);
/// let sex = Categorical::labels("sex", ["female".to_owned(), "male".to_owned()])?;
/// let edges: Vec<Decimal> = vec!["0".parse()?, "18".parse()?, "65".parse()?, "120".parse()?];
/// let ages = Categorical::ranges("age", &edges)?;
/// let questions = [
///     Query::Count,
///     Query::Sum(pay.clone()),
///     Query::Mean(pay),
///     Query::Quantiles(age, vec![Fraction::new(1, 2)?, Fraction::new(9, 10)?]),
///     Query::Histogram(sex.clone()),
///     Query::Contingency(vec![sex.clone(), ages.clone()]),
///     Query::Synthetic { columns: vec![sex, ages], pairs: Pairs::Chosen, rows: None },
/// ];
/// # assert_eq!(questions.len(), 7);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// How many rows there are.
    Count,
    /// The sum of a column.
    Sum(Numeric),
    /// The mean of a column: half of what may be spent goes to the sum, half to the count.
    Mean(Numeric),
    /// Quantiles of a column, each with an equal part of what may be spent.
    Quantiles(Numeric, Vec<Fraction>),
    /// How many rows have each label of a column.
    Histogram(Categorical),
    /// How many rows have each combination of labels of columns.
    Contingency(Vec<Categorical>),
    /// A table of made up rows, with about the same counts of single columns and of some pairs of them.
    Synthetic {
        /// The columns.
        columns: Vec<Categorical>,
        /// Which pairs of columns keep how they go together.
        pairs: Pairs,
        /// How many rows are made; as many as the table has by noisy counts where this is nothing. There are at most
        /// `2^28` made up cells.
        rows: Option<u64>,
    },
}

/// Which pairs of columns keep how they go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pairs {
    /// A tree of pairs, chosen by an exponential mechanism that spends a third.
    Chosen,
    /// These, by the columns' numbers; there is at most one way from a column to another.
    Given(Vec<(usize, usize)>),
}

/// A part of the rows, above 0 and below 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    part: u32,
    whole: u32,
}

impl Fraction {
    /// `part / whole`, as one half for the median.
    ///
    /// # Errors
    /// When it is not above 0 and below 1, or `whole` is above 1000.
    pub const fn new(part: u32, whole: u32) -> Result<Self, ReleaseError> {
        if part == 0 || part >= whole || whole > MOST_PARTS {
            return Err(ReleaseError::Fraction(part, whole));
        }
        Ok(Self { part, whole })
    }

    /// The part.
    #[must_use]
    pub const fn part(self) -> u32 {
        self.part
    }

    /// Of what it is one.
    #[must_use]
    pub const fn whole(self) -> u32 {
        self.whole
    }
}

impl Query {
    /// The columns that have to be read.
    pub(super) fn columns(&self) -> Vec<&String> {
        match self {
            Self::Count => Vec::new(),
            Self::Sum(column) | Self::Mean(column) | Self::Quantiles(column, _) => {
                vec![column.name()]
            }
            Self::Histogram(column) => vec![column.name()],
            Self::Contingency(columns) | Self::Synthetic { columns, .. } => {
                columns.iter().map(Categorical::name).collect()
            }
        }
    }

    /// What can be said against it, before a row is read.
    pub(super) fn check(&self) -> Result<(), ReleaseError> {
        match self {
            Self::Count | Self::Sum(_) | Self::Mean(_) | Self::Histogram(_) => Ok(()),
            Self::Quantiles(_, at) if at.is_empty() || at.len() > MOST_AT_ONCE => {
                Err(ReleaseError::Query("1 to 256 quantiles can be asked for"))
            }
            Self::Quantiles(..) => Ok(()),
            Self::Contingency(columns) => {
                columns_are_few(columns)?;
                let sizes = columns.iter().map(|column| column.size() as u128);
                cells_are_few(sizes.fold(1, u128::saturating_mul))
            }
            Self::Synthetic { columns, pairs, rows } => {
                columns_are_few(columns)?;
                if rows.is_some_and(|rows| rows > most_made(columns.len())) {
                    return Err(ReleaseError::Query("more than 2^28 made up cells are asked for"));
                }
                if let Pairs::Given(given) = pairs {
                    check_pairs(given, columns.len())?;
                }
                let size = |(one, other): &(usize, usize)| {
                    let size = |at: &usize| columns.get(*at).map_or(0, |column| column.size());
                    size(one) as u128 * size(other) as u128
                };
                cells_are_few(pairs.counted(columns.len()).iter().map(size).sum())
            }
        }
    }
}

impl Pairs {
    /// The pairs that have to be counted, of so many columns.
    pub(super) fn counted(&self, columns: usize) -> Vec<(usize, usize)> {
        match self {
            Self::Given(pairs) => pairs.clone(),
            Self::Chosen => {
                let of = |one| (one + 1..columns).map(move |other| (one, other));
                (0..columns).flat_map(of).collect()
            }
        }
    }
}

/// Parts of a whole that grow together: which columns are connected.
#[derive(Clone, Debug)]
pub(super) struct Groups(Vec<usize>);

impl Groups {
    /// Each column alone.
    pub(super) fn new(columns: usize) -> Self {
        Self((0..columns).collect())
    }

    /// Whether two columns are in one group.
    pub(super) fn are_joined(&self, one: usize, other: usize) -> bool {
        self.0.get(one) == self.0.get(other)
    }

    /// Makes the groups of two columns one.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        if let (Some(&to), Some(&from)) = (self.0.get(one), self.0.get(other)) {
            self.0.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
        }
    }
}

/// The most rows that are made up, of so many columns.
pub(super) fn most_made(columns: usize) -> u64 {
    MOST_MADE / columns.max(1) as u64
}

fn columns_are_few(columns: &[Categorical]) -> Result<(), ReleaseError> {
    if columns.is_empty() || columns.len() > MOST_AT_ONCE {
        return Err(ReleaseError::Query("1 to 256 columns can be asked for"));
    }
    Ok(())
}

fn cells_are_few(cells: u128) -> Result<(), ReleaseError> {
    if cells > MOST_CELLS {
        return Err(ReleaseError::Cells { cells, most: MOST_CELLS });
    }
    Ok(())
}

fn check_pairs(pairs: &[(usize, usize)], columns: usize) -> Result<(), ReleaseError> {
    let mut groups = Groups::new(columns);
    for (one, other) in pairs {
        if *one.max(other) >= columns {
            return Err(ReleaseError::Query("a pair names a column that is not asked for"));
        }
        if groups.are_joined(*one, *other) {
            return Err(ReleaseError::Query("pairs may not go in a circle: leave one of them out"));
        }
        groups.join(*one, *other);
    }
    Ok(())
}
