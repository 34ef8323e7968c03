//! The accountants, held to dp-accounting on 200 points and to the analytic Gaussian; `cargo xtask parity` makes
//! the points anew.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::f64::consts::SQRT_2;
use std::time::{Duration, Instant};

use nearside_privacy::accountant::{
    AccountantError, Method, SubsampledGaussian, calibrate, delta, epsilon, rdp_epsilon,
};
use proptest::prelude::*;
use serde_json::Value;

fn mechanism(sigma: f64, rate: f64, steps: u64) -> SubsampledGaussian {
    SubsampledGaussian::new(sigma, rate, steps).unwrap()
}

fn spent(sigma: f64, rate: f64, steps: u64, delta: f64) -> f64 {
    epsilon(&[mechanism(sigma, rate, steps)], delta).unwrap().value
}

/// The greatest and the least relative difference, and how far below the reference at most.
#[derive(Debug)]
struct Spread {
    most: f64,
    least: f64,
    below: f64,
}

impl Spread {
    fn new() -> Self {
        Self { most: f64::NEG_INFINITY, least: f64::INFINITY, below: f64::NEG_INFINITY }
    }

    fn see(&mut self, ours: f64, theirs: f64) {
        self.most = self.most.max(ours / theirs - 1.0);
        self.least = self.least.min(ours / theirs - 1.0);
        self.below = self.below.max(theirs - ours);
    }
}

#[test]
fn it_agrees_with_dp_accounting() {
    let (mut pld, mut rdp, mut default) = (Spread::new(), Spread::new(), Spread::new());
    let mut took = Vec::new();
    let points = include_str!("accountant.jsonl");
    for line in points.lines() {
        let point: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| point[name].as_f64().unwrap();
        let steps = point["steps"].as_u64().unwrap();
        let one = [mechanism(number("sigma"), number("rate"), steps)];
        let start = Instant::now();
        let bound = epsilon(&one, number("delta")).unwrap();
        took.push(start.elapsed());
        let looser = rdp_epsilon(&one, number("delta")).unwrap();
        assert_eq!(bound.method, Method::Pld, "{line}");
        assert!(bound.value <= looser, "{line}");
        pld.see(bound.value, number("pld"));
        rdp.see(looser, number("rdp"));
        default.see(looser, number("rdp_default"));
    }
    took.sort();
    let (slowest, median) = (took[took.len() - 1], took[took.len() / 2]);
    println!("PLD {pld:?}\nRDP {rdp:?}\nRDP, default {default:?}");
    println!("median {median:?}, slowest {slowest:?}");
    assert_eq!(took.len(), 200);
    assert!(pld.most < 1e-3 && pld.least > -1e-3 && pld.below < 1e-5, "{pld:?}");
    assert!(rdp.most < 1e-6 && rdp.least > -1e-6, "{rdp:?}");
    // Theirs is not the least bound of RDP at orders that are not whole; ours is never above it.
    assert!(default.most < 1e-6 && default.least > -0.06, "{default:?}");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

/// Delta of the Gaussian mechanism: Balle, Wang, "Improving the Gaussian mechanism for differential privacy", 2018.
fn gaussian_delta(ratio: f64, epsilon: f64) -> f64 {
    let normal = |z: f64| 0.5 * libm::erfc(-z / SQRT_2);
    normal(ratio / 2.0 - epsilon / ratio) - epsilon.exp() * normal(-ratio / 2.0 - epsilon / ratio)
}

fn gaussian_epsilon(ratio: f64, delta: f64) -> f64 {
    let (mut low, mut high) = (0.0, 200.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if gaussian_delta(ratio, middle) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Noise, rates, steps and deltas as they are met.
fn anything() -> impl Strategy<Value = (f64, f64, u64, f64)> {
    ((0.5_f64.ln()..10.0_f64.ln()), (-6.9..0.0), (0.0..9.0), (-18.0..-9.0)).prop_map(
        |(sigma, rate, steps, delta): (f64, f64, f64, f64)| {
            (sigma.exp(), rate.exp(), steps.exp() as u64, delta.exp())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_records_in_all_steps_are_the_analytic_gaussian(
        sigma in 0.5..20.0, steps in 1_u64..50, delta in -18.0..-3.0_f64,
    ) {
        let (ratio, delta) = ((steps as f64).sqrt() / sigma, delta.exp());
        let exact = gaussian_epsilon(ratio, delta);
        prop_assume!(exact > 0.01 && exact < 190.0);
        let ours = spent(sigma, 1.0, steps, delta);
        prop_assert!(ours >= exact * (1.0 - 1e-9) && ours < exact * 1.001, "{ours} {exact}");
    }

    #[test]
    fn more_noise_and_fewer_steps_and_records_spend_less((sigma, rate, steps, delta) in anything()) {
        let here = spent(sigma, rate, steps, delta);
        // Grids differ: what is bounded from above may differ by what they add.
        let most = here * 1.001 + 1e-6;
        prop_assert!(spent(sigma * 1.1, rate, steps, delta) <= most);
        prop_assert!(spent(sigma, rate * 0.9, steps, delta) <= most);
        prop_assert!(spent(sigma, rate, (steps * 9 / 10).max(1), delta) <= most);
        prop_assert!(spent(sigma, rate, steps, delta * 1.1) <= most);
        let looser = rdp_epsilon(&[mechanism(sigma, rate, steps)], delta).unwrap();
        prop_assert!(here <= looser && here.is_finite(), "{here} {looser}");
    }

    #[test]
    fn twice_the_same_is_twice_the_steps((sigma, rate, steps, delta) in anything()) {
        let one = mechanism(sigma, rate, steps);
        let both = epsilon(&[one, one], delta).unwrap();
        prop_assert_eq!(both, epsilon(&[mechanism(sigma, rate, 2 * steps)], delta).unwrap());
        // Mechanisms that differ by nothing that counts go through the composition of two.
        let other = mechanism(sigma * (1.0 + 1e-12), rate, steps);
        let apart = epsilon(&[one, other], delta).unwrap();
        prop_assert!((apart.value - both.value).abs() <= both.value * 1e-3 + 1e-6, "{both:?} {apart:?}");
    }

    #[test]
    fn delta_of_epsilon_is_delta((sigma, rate, steps, chance) in anything()) {
        let one = [mechanism(sigma, rate, steps)];
        let bound = epsilon(&one, chance).unwrap();
        prop_assume!(bound.value > 0.01 && bound.method == Method::Pld);
        let back = delta(&one, bound.value).unwrap();
        // An epsilon that is off by a thousandth moves delta by many thousandths.
        prop_assert!((back.value / chance).ln().abs() < 0.1, "{back:?} {chance}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn calibrated_noise_is_the_least_that_keeps_the_target(
        target in -2.0..2.5_f64, rate in -6.0..-0.5_f64, steps in 1_u64..3_000,
    ) {
        let (target, rate) = (target.exp(), rate.exp());
        let sigma = calibrate(&[], (rate, steps), target, 1e-6).unwrap();
        prop_assert!(spent(sigma, rate, steps, 1e-6) <= target);
        let digit = 10_f64.powf(sigma.log10().floor() - 3.0);
        prop_assert!(spent(sigma - digit, rate, steps, 1e-6) > target);
    }
}

#[test]
fn fine_tuning_then_rounds_spend_together_and_are_calibrated_together() {
    let tuning = mechanism(1.0, 0.01, 1000);
    let rounds = mechanism(1.2, 0.1, 50);
    let together = epsilon(&[tuning, rounds], 1e-5).unwrap();
    assert_eq!(together, epsilon(&[rounds, tuning], 1e-5).unwrap());
    let (one, other) =
        (epsilon(&[tuning], 1e-5).unwrap().value, epsilon(&[rounds], 1e-5).unwrap().value);
    assert!(together.value > one.max(other) && together.value < one + other);
    let sigma = calibrate(&[tuning], (0.1, 50), 4.0, 1e-5).unwrap();
    let kept = epsilon(&[tuning, mechanism(sigma, 0.1, 50)], 1e-5).unwrap().value;
    assert!(kept <= 4.0 && kept > 3.98, "{kept}");
}

#[test]
fn what_is_out_of_range_is_named() {
    for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = SubsampledGaussian::new(sigma, 0.1, 1).unwrap_err();
        assert!(matches!(error, AccountantError::Sigma(_)), "{error}");
    }
    for rate in [0.0, -0.1, 1.0001, f64::NAN] {
        let error = SubsampledGaussian::new(1.0, rate, 1).unwrap_err();
        assert!(matches!(error, AccountantError::Rate(_)), "{error}");
    }
    assert_eq!(SubsampledGaussian::new(1.0, 0.1, 0), Err(AccountantError::Steps));
    let one = [mechanism(1.0, 0.1, 10)];
    for chance in [0.0, 1.0, -1.0, f64::NAN] {
        assert!(matches!(epsilon(&one, chance), Err(AccountantError::Delta(_))));
        assert!(matches!(rdp_epsilon(&one, chance), Err(AccountantError::Delta(_))));
    }
    for bad in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(delta(&one, bad), Err(AccountantError::Epsilon(..))));
        assert!(matches!(calibrate(&[], (0.1, 10), bad, 1e-5), Err(AccountantError::Epsilon(..))));
    }
    assert!(matches!(calibrate(&[], (2.0, 10), 1.0, 1e-5), Err(AccountantError::Rate(_))));
    let spent = calibrate(&one, (0.1, 10), 0.1, 1e-5).unwrap_err();
    assert!(matches!(spent, AccountantError::Unreachable { .. }), "{spent}");
}

#[test]
fn the_ends_of_all_ranges_have_answers() {
    assert!(epsilon(&[], 1e-5).unwrap().value <= 0.0);
    assert!(delta(&[], 0.0).unwrap().value <= 0.0);
    for sigma in [1e-300, 0.1, 1.0, 1e3, 1e300] {
        for rate in [1e-300, 0.5, 1.0 - 1e-15, 1.0] {
            for steps in [1, 10_000, u64::MAX] {
                let one = [mechanism(sigma, rate, steps)];
                for chance in [1e-300, 1e-12, 1.0 - 1e-12] {
                    let bound = epsilon(&one, chance);
                    let fine = |value: f64| value >= 0.0 && value.is_finite();
                    assert!(
                        bound == Err(AccountantError::Unbounded)
                            || bound.as_ref().is_ok_and(|bound| fine(bound.value)),
                        "{one:?} {chance} {bound:?}"
                    );
                }
                for at in [0.0, 1.0, 1e6] {
                    let bound = delta(&one, at).unwrap();
                    assert!((0.0..=1.0).contains(&bound.value), "{one:?} {at} {bound:?}");
                }
            }
        }
    }
}
