//! Bounds of a numeric column, and the steps between them that its values are rounded to.
//!
//! Both are said without a look at the table: what follows from its values would tell of them. A value is `k` steps,
//! a whole number, so that sums of values are exact. The cell of a row is read as a number of 64 bits, rounded to
//! the nearest step and put within the bounds. What is no number, an empty cell too, counts as a value that is said
//! beforehand. All of this is a function of one row alone, so it costs no privacy and can never fail.

use super::{Decimal, ReleaseError};

/// The most steps that a bound is away from 0.
const FARTHEST: i128 = 1 << 50;
/// Steps that there are at least between bounds whose step is not said.
const FINE: i128 = 10_000;

/// Bounds, and a step that both are a multiple of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    step: Decimal,
    lower: i64,
    upper: i64,
}

impl Grid {
    /// Bounds and the step.
    ///
    /// # Errors
    /// When the lower bound is not below the upper one, the step is not above 0, a bound is no multiple of it, or
    /// is more than `2^50` steps away from 0.
    pub fn new(lower: Decimal, upper: Decimal, step: Decimal) -> Result<Self, ReleaseError> {
        let refused = |why| ReleaseError::Grid {
            lower: lower.to_string(),
            upper: upper.to_string(),
            step: step.to_string(),
            why,
        };
        let places = lower.places.max(upper.places).max(step.places);
        let [low, high, one] = [lower, upper, step].map(|it| it.digits_at(places));
        if one <= 0 {
            return Err(refused("the step is not above 0"));
        }
        if low >= high {
            return Err(refused("the lower one is not below the upper one"));
        }
        if low % one != 0 || high % one != 0 {
            return Err(refused("both have to be a multiple of the step"));
        }
        let steps = |bound: i128| {
            let steps = Some(bound / one).filter(|steps| steps.abs() <= FARTHEST);
            steps.and_then(|steps| i64::try_from(steps).ok())
        };
        let far = || refused("they are too many steps away from 0");
        let (lower, upper) = (steps(low).ok_or_else(far)?, steps(high).ok_or_else(far)?);
        Ok(Self { step, lower, upper })
    }

    /// Bounds with a step that follows from them: the greatest power of ten that both are a multiple of and that has
    /// at least 10,000 steps between them.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn between(lower: Decimal, upper: Decimal) -> Result<Self, ReleaseError> {
        let places = lower.places.max(upper.places);
        let [low, high] = [lower, upper].map(|bound| bound.digits_at(places));
        let (mut digits, mut behind) = (1_i128, places);
        let wide = high.saturating_sub(low);
        while wide > 0 && behind == places && low % (digits * 10) == 0 && high % (digits * 10) == 0
        {
            if wide / (digits * 10) < FINE {
                break;
            }
            digits *= 10;
        }
        while wide > 0 && digits == 1 && behind < 18 && times_ten(wide, behind - places) < FINE {
            behind += 1;
        }
        Self::new(lower, upper, Decimal { digits, places: behind })
    }

    /// The lower bound.
    #[must_use]
    pub fn lower(&self) -> Decimal {
        self.decimal(i128::from(self.lower))
    }

    /// The upper bound.
    #[must_use]
    pub fn upper(&self) -> Decimal {
        self.decimal(i128::from(self.upper))
    }

    /// The step.
    #[must_use]
    pub const fn step(&self) -> Decimal {
        self.step
    }

    /// So many steps, as a decimal.
    pub(super) fn decimal(&self, steps: i128) -> Decimal {
        self.step.times(steps)
    }

    /// The bounds in steps.
    pub(super) const fn bounds(&self) -> (i64, i64) {
        (self.lower, self.upper)
    }

    /// The steps of a cell; nothing where it is no number.
    fn steps(&self, cell: &str) -> Option<i64> {
        let value = cell.parse::<f64>().ok().filter(|value| !value.is_nan())?;
        // Too great a number is saturated; the bounds are far within 64 bits.
        let steps = (value / self.step.value()).round() as i64;
        Some(steps.clamp(self.lower, self.upper))
    }
}

fn times_ten(number: i128, times: u32) -> i128 {
    number.saturating_mul(10_i128.saturating_pow(times))
}

/// A numeric column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numeric {
    name: String,
    grid: Grid,
    missing: i64,
}

impl Numeric {
    /// A column whose values are put on a grid; what is no number counts as the lower bound.
    #[must_use]
    pub fn new(name: impl Into<String>, grid: Grid) -> Self {
        Self { name: name.into(), grid, missing: grid.lower }
    }

    /// What is no number counts as this value, put on the grid and within its bounds.
    #[must_use]
    pub fn with_missing(mut self, value: f64) -> Self {
        self.missing = self.grid.steps(&value.to_string()).unwrap_or(self.grid.lower);
        self
    }

    /// The name of the column.
    #[must_use]
    pub fn name(&self) -> &String {
        &self.name
    }

    /// Its bounds and its step.
    #[must_use]
    pub const fn grid(&self) -> Grid {
        self.grid
    }

    /// What is no number counts as this.
    #[must_use]
    pub fn missing(&self) -> Decimal {
        self.grid.decimal(i128::from(self.missing))
    }

    /// The steps that a cell counts as.
    pub(super) fn steps(&self, cell: Option<&str>) -> i64 {
        cell.and_then(|cell| self.grid.steps(cell)).unwrap_or(self.missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(lower: &str, upper: &str, step: &str) -> Result<Grid, ReleaseError> {
        Grid::new(lower.parse()?, upper.parse()?, step.parse()?)
    }

    fn between(lower: &str, upper: &str) -> String {
        let grid = Grid::between(lower.parse().unwrap(), upper.parse().unwrap()).unwrap();
        assert_eq!(grid.lower().value().to_bits(), lower.parse::<f64>().unwrap().to_bits());
        grid.step().to_string()
    }

    #[test]
    fn cells_are_put_on_the_grid() {
        let column = Numeric::new("x", grid("-1.5", "20", "0.1").unwrap());
        let steps = |cell| column.steps(Some(cell));
        assert_eq!(["0.34", "0.36", "-0.1", "7"].map(steps), [3, 4, -1, 70]);
        assert_eq!(["-99", "1e300", "inf", "-inf"].map(steps), [-15, 200, 200, -15]);
        assert_eq!(["", "NaN", "n/a", "0x1"].map(steps), [-15; 4]);
        let column = column.with_missing(3.0);
        assert_eq!((column.steps(None), column.missing().to_string().as_str()), (30, "3.0"));
        assert_eq!(column.with_missing(f64::NAN).missing().to_string(), "-1.5");
    }

    #[test]
    fn a_step_follows_from_bounds() {
        assert_eq!(between("0", "100"), "0.01");
        assert_eq!(between("-1", "1"), "0.0001");
        assert_eq!(between("0", "1000000"), "100");
        assert_eq!(between("0", "1000050"), "10");
        assert_eq!(between("0.001", "50"), "0.001");
    }

    #[test]
    fn what_is_no_grid_is_refused() {
        let refused = [
            ("1", "1", "1"),
            ("2", "1", "1"),
            ("0", "1", "0"),
            ("0", "1", "-1"),
            ("0", "1", "0.3"),
            ("0.5", "2", "1"),
            ("0", "999999999999999999", "1"),
            ("-999999999999999999", "0", "0.000000000000000001"),
        ];
        for (lower, upper, step) in refused {
            assert!(grid(lower, upper, step).is_err(), "{lower} {upper} {step}");
        }
    }
}
