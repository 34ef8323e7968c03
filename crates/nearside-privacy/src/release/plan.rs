//! What noise a question costs, known before a row is read: how what may be spent is shared, and how far off answers
//! will be.
//!
//! One person has at most `c` rows. So much do they change at most, and so are parts of the budget shared:
//!
//! | asked for | changes by | shares |
//! |---|---|---|
//! | count | `c` | all |
//! | sum | `c max(abs(lower), abs(upper))` | all |
//! | mean | `c` times half of the range, for the sum of distances to its middle; `c` | a half; a half |
//! | quantiles | see [`super::quantile`] | equal |
//! | histogram, contingency table | `c` in all cells together, so at most `c` in either norm | all |
//! | synthetic rows, pairs chosen | `c` in each table | a third to all columns, one to the choice, one to pairs |
//! | synthetic rows, pairs given | `c` in each table | a half to all columns, one to pairs |
//!
//! Within a share of the last two, tables and choices have equal parts. What one asks for adds up (basic composition;
//! of rho, Bun and Steinke 2016), and what is made of answers without the table costs nothing.

use std::io::Read;

use super::amount::Amount;
use super::answer::{Answer, Number, Quantile, Released};
use super::choice::Weights;
use super::exact::Exact;
use super::noise::Noise;
use super::random::Source;
use super::synthetic::{self, Costs};
use super::{
    Decimal, Fraction, Grid, Numeric, Pairs, Privacy, Query, Reading, ReleaseError, quantile,
};

/// The part of answers that are farther off than an error says.
const BEYOND: f64 = 0.05;
/// Digits behind those of the step that a mean is told with.
const MORE_PLACES: u32 = 3;

/// A question with the noise that its answer will have; nothing of a table is known to it.
#[derive(Clone, Debug)]
pub struct Plan<'q> {
    query: &'q Query,
    reading: &'q Reading,
    privacy: Privacy,
    costs: Shares,
}

#[derive(Clone, Debug)]
enum Shares {
    Number(Noise),
    Mean { sum: Noise, count: Noise },
    Choices { epsilon: Amount, ranks: Vec<f64> },
    Cells(Noise),
    Synthetic(Costs),
}

/// A whole number of rows.
const ROWS: Decimal = Decimal { digits: 1, places: 0 };

impl<'q> Plan<'q> {
    /// Shares what may be spent.
    ///
    /// # Errors
    /// When nothing or too much is asked for, or with so little to spend the noise would be too great: never because
    /// of what is in a table.
    pub fn new(
        query: &'q Query,
        reading: &'q Reading,
        privacy: Privacy,
    ) -> Result<Self, ReleaseError> {
        query.check()?;
        let privacy = privacy.checked()?;
        let rows = u128::from(reading.contributions.get());
        let costs = match query {
            Query::Count => Shares::Number(Noise::new(privacy, rows, ROWS)?),
            Query::Sum(column) => {
                let (lower, upper) = column.grid().bounds();
                let most = u128::from(lower.unsigned_abs().max(upper.unsigned_abs()));
                Shares::Number(Noise::new(privacy, rows * most, column.grid().step())?)
            }
            Query::Mean(column) => {
                let (half, grid) = (privacy.part(2)?, column.grid());
                let (lower, upper) = grid.bounds();
                let middle = i64::midpoint(lower, upper);
                let most = u128::from(middle.abs_diff(lower).max(middle.abs_diff(upper)));
                let sum = Noise::new(half, rows * most, grid.step())?;
                Shares::Mean { sum, count: Noise::new(half, rows, ROWS)? }
            }
            Query::Quantiles(column, at) => {
                if points(&column.grid()) > quantile::MOST_POINTS {
                    return Err(ReleaseError::Query(
                        "quantiles need a step with at most 2^40 of them between the bounds",
                    ));
                }
                let epsilon = privacy.part(at.len())?.of_choice();
                let level = Weights::level(epsilon, points(&column.grid()), BEYOND);
                let ranks = at.iter().map(|at| {
                    let change = rows as f64 * f64::from(at.part().max(at.whole() - at.part()));
                    level * change / f64::from(at.whole())
                });
                Shares::Choices { epsilon, ranks: ranks.collect() }
            }
            Query::Histogram(_) | Query::Contingency(_) => {
                Shares::Cells(Noise::new(privacy, rows, ROWS)?)
            }
            Query::Synthetic { columns, pairs, .. } => Shares::Synthetic(Costs::new(
                privacy,
                rows,
                (columns.len(), pairs.counted(columns.len()).len()),
                *pairs == Pairs::Chosen,
            )?),
        };
        Ok(Self { query, reading, privacy, costs })
    }

    /// What will be spent.
    #[must_use]
    pub const fn privacy(&self) -> Privacy {
        self.privacy
    }

    /// The kinds of noise that numbers will have, the first that of what is asked for: of a mean, those of the sum and
    /// of the count, of synthetic rows, those of tables of single columns and of pairs; none for quantiles.
    #[must_use]
    pub fn noises(&self) -> Vec<Noise> {
        match &self.costs {
            Shares::Number(noise) | Shares::Cells(noise) => vec![*noise],
            Shares::Mean { sum, count } => vec![*sum, *count],
            Shares::Choices { .. } => Vec::new(),
            Shares::Synthetic(costs) => [costs.ones].into_iter().chain(costs.twos).collect(),
        }
    }

    /// From how many rows away quantiles will be at most, in at least 95 % of all answers; none where none are asked for.
    #[must_use]
    pub fn ranks(&self) -> &[f64] {
        match &self.costs {
            Shares::Choices { ranks, .. } => ranks,
            _ => &[],
        }
    }

    /// Reads the table, which has a row of heads, and answers. What may be spent is spent as soon as this is called,
    /// whatever comes of it.
    ///
    /// # Errors
    /// When the table cannot be read, has no such column, or rows with more or fewer cells than the heads; when the
    /// system has no random numbers.
    pub fn answer(
        &self,
        table: impl Read + Send,
        source: &mut Source,
    ) -> Result<Released, ReleaseError> {
        let exact = Exact::read(self.query, table, self.reading)?;
        self.release(exact, source)
    }

    /// Answers by what a table holds.
    pub(super) fn release(
        &self,
        exact: Exact,
        source: &mut Source,
    ) -> Result<Released, ReleaseError> {
        let answer = match (self.query, &self.costs, exact) {
            (Query::Count, Shares::Number(noise), Exact::Sum { rows, .. }) => {
                Answer::Number(number(noise, i128::from(rows), source)?)
            }
            (_, Shares::Number(noise), Exact::Sum { steps, .. }) => {
                Answer::Number(number(noise, steps, source)?)
            }
            (Query::Mean(column), Shares::Mean { sum, count }, Exact::Sum { rows, steps }) => {
                mean(column, (sum, count), (i128::from(rows), steps), source)?
            }
            (
                Query::Quantiles(column, at),
                Shares::Choices { epsilon, ranks },
                Exact::Values(values),
            ) => {
                let rows = self.reading.contributions.get();
                let mut choices =
                    Choices { values: &values, rows, weights: Weights::new(*epsilon) };
                let each = at.iter().zip(ranks);
                let each = each.map(|(at, ranks)| choices.quantile(column, *at, *ranks, source));
                Answer::Quantiles(each.collect::<Result<_, _>>()?)
            }
            (query, Shares::Cells(noise), Exact::Cells(counts)) => Answer::Cells {
                columns: query.told(),
                counts: noise.add_to_all(&counts, source)?,
                noise: *noise,
            },
            (
                Query::Synthetic { columns, pairs, rows },
                Shares::Synthetic(costs),
                Exact::Marginals { ones, twos },
            ) => {
                let sizes = (columns.as_slice(), pairs, *rows);
                Answer::Synthetic(synthetic::make(sizes, costs, (&ones, &twos), source)?)
            }
            // What was read is what is asked for.
            _ => return Err(ReleaseError::Query("another question was read")),
        };
        let Self { privacy, reading, .. } = *self;
        Ok(Released { privacy, contributions: reading.contributions, answer })
    }
}

/// What quantiles are chosen by.
struct Choices<'v> {
    values: &'v [i64],
    rows: u32,
    weights: Weights,
}

impl Choices<'_> {
    fn quantile(
        &mut self,
        column: &Numeric,
        at: Fraction,
        ranks: f64,
        source: &mut Source,
    ) -> Result<Quantile, ReleaseError> {
        let (grid, with) = (column.grid(), (&mut self.weights, source));
        let steps = quantile::choose(self.values, grid.bounds(), at, self.rows, with)?;
        Ok(Quantile { at, value: grid.decimal(i128::from(steps)), ranks })
    }
}

/// How many values a grid has.
fn points(grid: &Grid) -> u128 {
    let (lower, upper) = grid.bounds();
    u128::from(upper.abs_diff(lower)) + 1
}

fn number(noise: &Noise, exact: i128, source: &mut Source) -> Result<Number, ReleaseError> {
    Ok(Number { value: noise.decimal(noise.add(exact, source)?), noise: *noise })
}

/// A mean: the middle of the bounds, and the noisy sum of distances to it by the noisy count, which is at least 1.
///
/// Its error follows from what is told: where the sum `S` is off by at most `s` and the count `N` by at most `q`, each
/// with a probability of 97.5 %, `S / N` is off by at most `(s + q abs(S) / N) / (N - q)`.
fn mean(
    column: &Numeric,
    (sum, count): (&Noise, &Noise),
    (rows, steps): (i128, i128),
    source: &mut Source,
) -> Result<Answer, ReleaseError> {
    let grid = column.grid();
    let (lower, upper) = grid.bounds();
    let middle = i128::from(i64::midpoint(lower, upper));
    let apart = sum.add(steps.saturating_sub(middle.saturating_mul(rows)), source)?;
    let counted = count.add(rows, source)?.max(1);
    let finer = 10_i128.pow(MORE_PLACES);
    let places = grid.step().places + MORE_PLACES;
    let rest = (apart % counted).saturating_mul(finer) / counted;
    let quotient = (apart / counted).saturating_mul(finer).saturating_add(rest);
    let bound = |bound: i64| i128::from(bound) * finer;
    let told = (middle * finer).saturating_add(quotient).clamp(bound(lower), bound(upper));
    let decimal = |number: i128| Decimal { places, ..grid.step().times(number) };
    let (wide, off) = (sum.width(BEYOND / 2.0) as f64, count.width(BEYOND / 2.0) as f64);
    let left = counted as f64 - off;
    let error = (wide + off * (apart as f64 / counted as f64).abs()) / left;
    let range = upper.abs_diff(lower) as f64;
    let error = if left > 0.0 { error.min(range) } else { range };
    Ok(Answer::Mean {
        value: decimal(told),
        error: decimal((error * finer as f64).ceil() as i128),
        sum: Number { value: sum.decimal(apart), noise: *sum },
        count: Number { value: count.decimal(counted), noise: *count },
    })
}
