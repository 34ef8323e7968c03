//! Differentially private answers about a table: counts, sums, means, quantiles, histograms, contingency tables, and
//! tables of made up rows.
//!
//! A [`Query`] says what is asked, with bounds and domains that nobody looked up in the table; a [`Privacy`] what it may
//! spend; a [`Reading`] how many rows one person has. A [`Plan`] of the three says what noise that takes, and answers.
//! Two tables are neighbours where one has all rows of one person more. A [`Budget`] adds up what all releases of a
//! table spent. The proof of every mechanism is beside it.
//!
//! Mechanisms decide by whole numbers alone, drawn exactly: noise made of floating-point numbers tells what it hides in
//! its last digits (Mironov, "On significance of the least significant bits for differential privacy", CCS 2012).
//! How long an answer takes is not hidden.
//!
//! ```
//! use std::num::NonZeroU32;
//! use nearside_privacy::release::{Answer, Grid, Numeric, Plan, Privacy, Query, Reading, Source};
//! use nearside_privacy::tabular::Dialect;
//!
//! # fn main() -> Result<(), nearside_privacy::release::ReleaseError> {
//! let grid = Grid::new("0".parse()?, "100".parse()?, "1".parse()?)?;
//! let query = Query::Sum(Numeric::new("age", grid));
//! let dialect = Dialect { separator: b',' };
//! let reading = Reading { dialect, contributions: NonZeroU32::MIN, person: None };
//! let plan = Plan::new(&query, &reading, Privacy::pure(0.5)?)?;
//! // One person changes the sum by at most 100, so the scale is 100 / 0.5.
//! assert_eq!(plan.noises()[0].scale(), 200.0);
//! let released = plan.answer("name,age\nAda,36\nAlan,41\n".as_bytes(), &mut Source::system())?;
//! let Answer::Number(sum) = released.answer else { unreachable!() };
//! println!("{} +- {}", sum.value, sum.noise.error());
//! # Ok(())
//! # }
//! ```

mod amount;
mod answer;
mod budget;
mod choice;
mod decimal;
mod domain;
mod error;
mod exact;
mod grid;
mod noise;
mod plan;
mod quantile;
mod query;
mod random;
mod sampler;
mod synthetic;
mod tree;

#[cfg(test)]
mod tests;

pub use amount::{Amount, Privacy};
pub use answer::{Answer, Labels, Number, Quantile, Released, Synthetic};
pub use budget::{Budget, Exceeded, Left, epsilon_of, rho_of};
pub use decimal::Decimal;
pub use domain::{Categorical, OTHER};
pub use error::ReleaseError;
pub use exact::Reading;
pub use grid::{Grid, Numeric};
pub use noise::{Mechanism, Noise};
pub use plan::Plan;
pub use query::{Fraction, Pairs, Query};
pub use random::Source;
