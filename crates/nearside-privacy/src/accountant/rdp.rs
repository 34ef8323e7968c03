//! Rényi differential privacy (RDP): the bound of every order, and what it says of epsilon and delta.
//!
//! One step with noise multiplier `sigma` and sampling rate `q` has, at order `a > 1`,
//!
//! ```text
//! RDP(a) = ln A(a) / (a - 1)      A(a) = E[(1 + w)^a],  w = q (e^((2x - 1) / (2 sigma^2)) - 1),  x ~ N(0, sigma^2)
//! whole a:  A(a) - 1 = sum over i = 2..a of C(a,i) (1-q)^(a-i) q^i (e^((i^2 - i) / (2 sigma^2)) - 1)
//! other a:  A(a) - 1 = E[(1 + w)^a - 1 - a w], by the trapezoidal rule
//! q = 1:    RDP(a) = a / (2 sigma^2)
//! ```
//!
//! and steps add up. Source: Mironov, Talwar, Zhang, "Rényi differential privacy of the sampled Gaussian
//! mechanism", 2019, where adding a record is shown to diverge no more than removing one.
//! Both sums are of terms that are not negative, so nothing cancels at small rates. The trapezoidal rule is off by
//! `e^-39` where `sigma` is at least [`SMALLEST`]; below, `ln A` of an order that is not whole is bounded by
//! its neighbours, between which it is convex.
//!
//! The bound of an order becomes one of epsilon as in Canonne, Kamath, Steinke, "The discrete Gaussian for
//! differential privacy", 2020, proposition 12, and epsilon is 0 where `delta^2 > 1 - e^-RDP`; orders are those of
//! Google's dp-accounting.

use super::SubsampledGaussian;

/// The smallest noise multiplier for which orders that are not whole are integrated.
const SMALLEST: f64 = 0.1;
/// What rounding may take from a sum.
const ROUNDING: f64 = 1e-9;

/// The orders at which the bound is taken: 1.1 to 10.9 by tenths, 11 to 63, 128, 256, 512 and 1024.
fn orders() -> impl Iterator<Item = f64> {
    let tenths = (11..110).map(|tenths| f64::from(tenths) / 10.0);
    tenths.chain((11..64).map(f64::from)).chain([128.0, 256.0, 512.0, 1024.0])
}

/// The least epsilon at `delta` over all orders; infinite where none has a bound.
pub(super) fn epsilon(mechanisms: &[SubsampledGaussian], delta: f64) -> f64 {
    let bound = |(order, divergence): (f64, f64)| {
        if delta * delta + (-divergence).exp_m1() > 0.0 {
            0.0
        } else {
            divergence + (-1.0 / order).ln_1p() - (delta * order).ln() / (order - 1.0)
        }
    };
    divergences(mechanisms).map(bound).fold(f64::INFINITY, f64::min).max(0.0)
}

/// The least delta at `epsilon` over all orders; at most 1.
pub(super) fn delta(mechanisms: &[SubsampledGaussian], epsilon: f64) -> f64 {
    let bound = |(order, divergence): (f64, f64)| {
        let apart = 0.5 * (-(-divergence).exp()).ln_1p();
        let exponent = (order - 1.0) * (divergence - epsilon + (-1.0 / order).ln_1p());
        (exponent - order.ln()).min(apart)
    };
    divergences(mechanisms).map(bound).fold(0.0, f64::min).exp()
}

/// Every order, and the bound of all mechanisms at it.
fn divergences(mechanisms: &[SubsampledGaussian]) -> impl Iterator<Item = (f64, f64)> {
    orders().map(|order| {
        let one = |mechanism: &SubsampledGaussian| {
            mechanism.steps() as f64 * divergence(mechanism, order) * (1.0 + ROUNDING)
        };
        (order, mechanisms.iter().map(one).sum())
    })
}

/// The bound of one step at an order.
fn divergence(mechanism: &SubsampledGaussian, order: f64) -> f64 {
    let (sigma, rate) = (mechanism.sigma(), mechanism.rate());
    if rate >= 1.0 {
        return order / (2.0 * sigma * sigma);
    }
    let whole = order.floor();
    let moment = if order - whole < 1e-9 {
        of_whole_order(sigma, rate, whole as u32)
    } else if sigma >= SMALLEST {
        of_order(sigma, rate, order)
    } else {
        let (below, share) = (of_whole_order(sigma, rate, whole as u32), order - whole);
        below + share * (of_whole_order(sigma, rate, whole as u32 + 1) - below)
    };
    moment / (order - 1.0)
}

/// `ln A` of a whole order, by the binomial theorem.
fn of_whole_order(sigma: f64, rate: f64, order: u32) -> f64 {
    let all = f64::from(order);
    let (mut combinations, mut sum) = (all.ln(), LogSum::new());
    for i in 2..=order {
        let i = f64::from(i);
        combinations += ((all - i + 1.0) / i).ln();
        let gain = (i * i - i) / (2.0 * sigma * sigma);
        let log_gain = gain + (-(-gain).exp_m1()).ln();
        sum.add(combinations + i * rate.ln() + (all - i) * (-rate).ln_1p() + log_gain);
    }
    log_one_plus(sum.value())
}

/// `ln A` of an order that may not be whole, by the trapezoidal rule over where its integrand is not zero.
fn of_order(sigma: f64, rate: f64, order: f64) -> f64 {
    let width = (0.25 * sigma).min(0.5 * sigma * sigma);
    let (first, end) = (-12.0 * sigma, order + 12.0 * sigma);
    let weight = width.ln() - sigma.ln() - 0.5 * std::f64::consts::TAU.ln();
    let mut sum = LogSum::new();
    for step in 0..=((end - first) / width) as u32 {
        let x = first + width * f64::from(step);
        let ratio = (x - 0.5) / (sigma * sigma);
        let density = weight - 0.5 * (x / sigma) * (x / sigma);
        if ratio < 30.0 {
            let more = rate * ratio.exp_m1();
            let logarithm = order * more.ln_1p();
            let term = if logarithm < 30.0 {
                (logarithm.exp_m1() - order * more).max(0.0).ln()
            } else {
                // What is taken off is less than a part in 10^10, and leaving it in is on the safe side.
                logarithm
            };
            sum.add(density + term);
        } else {
            let loss = ratio + (rate + (1.0 - rate) * (-ratio).exp()).ln();
            sum.add(density + order * loss.max(0.0));
        }
    }
    log_one_plus(sum.value())
}

/// `ln(1 + e^x)`.
fn log_one_plus(x: f64) -> f64 {
    if x > 0.0 { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// The logarithm of a sum of numbers that are known by theirs.
struct LogSum {
    greatest: f64,
    sum: f64,
}

impl LogSum {
    const fn new() -> Self {
        Self { greatest: f64::NEG_INFINITY, sum: 0.0 }
    }

    fn add(&mut self, logarithm: f64) {
        if logarithm > self.greatest {
            self.sum = self.sum * (self.greatest - logarithm).exp() + 1.0;
            self.greatest = logarithm;
        } else if logarithm > f64::NEG_INFINITY {
            self.sum += (logarithm - self.greatest).exp();
        }
    }

    fn value(&self) -> f64 {
        self.greatest + self.sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_orders_agree_with_the_integral() {
        for (sigma, rate) in [(0.5, 0.5), (0.7, 0.01), (1.0, 1e-6), (3.0, 0.9), (10.0, 0.001)] {
            for order in [2, 3, 7, 10] {
                let sum = of_whole_order(sigma, rate, order);
                let integral = of_order(sigma, rate, f64::from(order));
                assert!(
                    (integral / sum - 1.0).abs() < 1e-8,
                    "{sigma} {rate} {order}: {sum} {integral}"
                );
            }
        }
    }

    #[test]
    fn with_little_noise_the_bound_of_an_order_is_between_its_neighbours() {
        let tiny = SubsampledGaussian::new(0.05, 0.01, 1).expect("a mechanism");
        assert!(divergence(&tiny, 2.0) < divergence(&tiny, 2.5));
        assert!(divergence(&tiny, 2.5) < divergence(&tiny, 3.0));
        assert!(divergence(&tiny, 1.1).is_finite());
    }
}
