//! Depreciation by year: straight line, declining balance, MACRS for five-year property. It moves taxes in
//! time and is never a cost of its own.
//!
//! Source of the MACRS shares: IRS Publication 946, appendix A, tables.

use super::RoiError;
use super::builder::{Builder, HORIZON};
use super::near::while_it_lasts;
use crate::sheet::{Formula, Id};

/// Half-year convention.
pub const MACRS_HALF_YEAR: [f64; 6] = [0.20, 0.32, 0.192, 0.1152, 0.1152, 0.0576];
/// Mid-quarter convention, bought in the first quarter.
pub const MACRS_FIRST_QUARTER: [f64; 6] = [0.35, 0.26, 0.156, 0.1101, 0.1101, 0.0138];
/// Mid-quarter convention, bought in the fourth quarter.
pub const MACRS_FOURTH_QUARTER: [f64; 6] = [0.05, 0.38, 0.228, 0.1368, 0.1094, 0.0958];

/// Depreciation of every year to the horizon, by the method that is chosen.
pub(super) fn schedule(
    build: &mut Builder<'_>,
    price: Id,
    left: Id,
    life: Id,
) -> Result<Vec<Id>, RoiError> {
    let (method, factor) = (build.input("depreciation")?, build.input("declining_factor")?);
    let years = build.yearly("depreciation", "Depreciation", 1..=HORIZON, |year, before| {
        let macrs = |shares: [f64; 6]| price * shares.get(year - 1).copied().unwrap_or(0.0);
        let methods = vec![
            (price - Formula::Cell(left)) / life,
            declining(year, before, &Declining { price, left, life, factor }),
            macrs(MACRS_HALF_YEAR),
            macrs(MACRS_FIRST_QUARTER),
            macrs(MACRS_FOURTH_QUARTER),
        ];
        while_it_lasts(year, life, Formula::Pick(Box::new(method.into()), methods))
    });
    Ok(years)
}

/// What declining balance needs.
struct Declining {
    price: Id,
    left: Id,
    life: Id,
    factor: Id,
}

/// `book x factor / life`, or what is left in equal parts where that is more; never below the worth at
/// the end.
fn declining(year: usize, before: &[Id], of: &Declining) -> Formula {
    let book = Formula::Cell(of.price) - Formula::Total(before.to_vec());
    let rest = (book.clone() - of.left).most(0.0);
    let remaining = (Formula::Cell(of.life) - (year as f64 - 1.0)).most(1.0);
    (book * of.factor / of.life).most(rest.clone() / remaining).least(rest)
}
