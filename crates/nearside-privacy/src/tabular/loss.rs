//! How much a table loses when its values are told less exactly: ARX's loss.
//!
//! A value that is told as a label loses the part of the column's domain that the label stands for,
//! [`Level::shares`](super::hierarchy::Level::shares); one of a row that is left out loses all of it, 1. The
//! loss of a column is the mean over all rows, put between that of telling every value as it is (0) and
//! that of telling none (1):
//!
//! ```text
//! x = (mean share - 1/d) / (1 - 1/d)        d: the values of the column's domain
//! ```
//!
//! The loss of a table is the geometric mean of its columns, each moved by one so that a column without
//! loss does not hide the others: `(product of (x + 1)^w)^(1 / sum of w) - 1`, with the weights `w` of the
//! columns. Source: ARX, `MetricMDNMLoss` and `ILMultiDimensionalGeometricMean`.

/// The loss of a table from 0 to 1, by the mean shares of its columns, the least share that each may have
/// (one over its domain), and their weights.
pub(super) fn total(shares: &[f64], least: &[f64], weights: &[f64]) -> f64 {
    let columns = shares.iter().zip(least).zip(weights);
    let logarithms = columns.map(|((share, least), weight)| {
        // A column of one value has nothing to lose.
        let loss = if *least < 1.0 { (share - least) / (1.0 - least) } else { 0.0 };
        weight * loss.ln_1p()
    });
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 { (logarithms.sum::<f64>() / sum).exp_m1() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_everything_are_the_ends() {
        assert!(total(&[0.5, 0.1], &[0.5, 0.1], &[1.0, 1.0]).abs() < 1e-12);
        assert!((total(&[1.0, 1.0], &[0.5, 0.1], &[1.0, 3.0]) - 1.0).abs() < 1e-12);
        // sqrt(2 * 1) - 1
        assert!((total(&[1.0, 0.1], &[0.5, 0.1], &[1.0, 1.0]) - 0.414_213_562).abs() < 1e-9);
        assert!(total(&[1.0], &[1.0], &[1.0]).abs() < 1e-12);
    }
}
