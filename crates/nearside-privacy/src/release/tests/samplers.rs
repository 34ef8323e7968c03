//! The samplers against the exact probabilities of what they draw.

use std::time::Instant;

use super::super::amount::{Amount, UNIT};
use super::super::choice;
use super::super::random::Source;
use super::super::sampler::{Scale, exponential, gaussian, laplace};
use super::statistics::chi_square;

/// How often something is drawn.
const TIMES: u64 = 200_000;
/// Standard deviations that a sampler that is right is within: but for one in a million.
const WITHIN: f64 = 4.75;

/// Counts and probabilities of the numbers around 0, given a weight of each.
fn compared(
    weight: impl Fn(f64) -> f64,
    mut draw: impl FnMut() -> i128,
    reach: i128,
) -> (Vec<u64>, Vec<f64>) {
    let weights: Vec<f64> = (-reach..=reach).map(|at| weight(at as f64)).collect();
    let sum: f64 = weights.iter().sum();
    let mut counts = vec![0; weights.len()];
    for _ in 0..TIMES {
        counts[usize::try_from((draw() + reach).clamp(0, 2 * reach)).unwrap()] += 1;
    }
    (counts, weights.iter().map(|weight| weight / sum).collect())
}

#[test]
fn discrete_laplace_is_exact() {
    let mut source = Source::seeded(11);
    for (part, whole) in
        [(1, 3), (1, 1), (5, 2), (20, 1), (1000, 7), (10_u128.pow(12), 70 * 10_u128.pow(10))]
    {
        let scale = Scale::of_laplace(part, whole).unwrap();
        let (mut draw, reach) =
            (|| laplace(&mut source, scale).unwrap(), (40.0 * scale.value()) as i128 + 3);
        let (counts, right) = compared(|y| (-y.abs() / scale.value()).exp(), &mut draw, reach);
        let off = chi_square(&counts, &right);
        assert!(off < WITHIN, "{part} / {whole}: {off}");
        // Noise of a twentieth less is told from it.
        let (_, wrong) = compared(|y| (-y.abs() / scale.value() / 0.95).exp(), || 0, reach);
        assert!(chi_square(&counts, &wrong) > WITHIN, "{part} / {whole}");
    }
}

#[test]
fn discrete_gaussian_is_exact() {
    let mut source = Source::seeded(12);
    for (part, whole) in [(1, 2), (1, 1), (7, 3), (30, 1), (12_345, 100)] {
        let scale = Scale::of_gaussian(part, whole).unwrap();
        let (mut draw, reach) =
            (|| gaussian(&mut source, scale).unwrap(), (12.0 * scale.value()) as i128 + 3);
        let (counts, right) =
            compared(|y| (-(y / scale.value()).powi(2) / 2.0).exp(), &mut draw, reach);
        let off = chi_square(&counts, &right);
        assert!(off < WITHIN, "{part} / {whole}: {off}");
        let (_, wrong) =
            compared(|y| (-(y / scale.value() / 0.95).powi(2) / 2.0).exp(), || 0, reach);
        assert!(chi_square(&counts, &wrong) > WITHIN, "{part} / {whole}");
    }
}

#[test]
fn noise_to_come_is_not_shown() {
    let mut source = Source::seeded(1);
    source.up_to(1000).unwrap();
    assert_eq!(format!("{source:?}"), "Source { .. }");
}

#[test]
fn scales_of_any_size_have_their_spread() {
    let mut source = Source::seeded(13);
    for power in [40, 61] {
        let (part, times) = (1_u128 << power, 20_000);
        let size = part as f64;
        let scale = Scale::of_gaussian(part, 1).unwrap();
        let squares =
            (0..times).map(|_| (gaussian(&mut source, scale).unwrap() as f64 / size).powi(2));
        let variance = squares.sum::<f64>() / f64::from(times);
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
    }
    let scale = Scale::of_laplace(1 << 110, 1).unwrap();
    let sizes = (0..20_000).map(|_| laplace(&mut source, scale).unwrap().unsigned_abs() as f64);
    let mean = sizes.sum::<f64>() / 20_000.0 / 2_f64.powi(110);
    assert!((mean - 1.0).abs() < 0.05, "{mean}");
    for (part, whole) in [(0, 1), (1, 0), (1 << 111, 1), (1, 1 << 111)] {
        assert!(Scale::of_laplace(part, whole).is_err());
    }
    assert!(Scale::of_gaussian((1 << 62) + 1, 1).is_err());
}

#[test]
fn events_have_their_probability() {
    let mut source = Source::seeded(14);
    for (part, whole) in [(0, 1), (1, 1000), (1, 3), (1, 1), (7, 2), (u128::MAX >> 1, u128::MAX)] {
        let happened =
            (0..TIMES).filter(|_| exponential(&mut source, part, whole).unwrap()).count();
        let expected = (-(part as f64) / whole as f64).exp();
        let spread = (TIMES as f64 * expected * (1.0 - expected)).sqrt();
        let off = (happened as f64 - TIMES as f64 * expected).abs();
        assert!(off <= 4.75 * spread, "{part} / {whole}: {off} of {spread}");
    }
    let mut counts = vec![0; 11];
    (0..TIMES).for_each(|_| counts[source.up_to(10).unwrap() as usize] += 1);
    assert!(chi_square(&counts, &[1.0 / 11.0; 11]) < WITHIN);
    assert_eq!(source.up_to(0).unwrap(), 0);
}

#[test]
fn the_best_is_chosen_as_often_as_it_should_be() {
    let mut source = Source::seeded(15);
    let scores = [0, 4, 9, 10, 10];
    let weights = scores.map(|score| (0.7 * score as f64 / (2.0 * 3.0)).exp());
    let sum: f64 = weights.iter().sum();
    let mut counts = vec![0; scores.len()];
    for _ in 0..TIMES {
        let epsilon = Amount(7 * UNIT / 10);
        counts[choice::best(&scores, 3, epsilon, &mut source).unwrap().unwrap()] += 1;
    }
    assert!(chi_square(&counts, &weights.map(|weight| weight / sum)) < WITHIN);
    assert_eq!(choice::best(&[], 3, Amount(UNIT), &mut source).unwrap(), None);
}

/// Prints how long a number takes; `cargo test --release ... -- --nocapture` for the figure.
#[test]
fn drawing_is_quick() {
    let mut source = Source::system();
    for (part, whole) in [(1, 1), (100, 1), (10_u128.pow(12), 3 * 10_u128.pow(11)), (1 << 61, 1)] {
        let scale = Scale::of_gaussian(part, whole).unwrap();
        let times = 20_000;
        let start = Instant::now();
        (0..times).for_each(|_| _ = laplace(&mut source, scale).unwrap());
        let one = start.elapsed() / times;
        let start = Instant::now();
        (0..times).for_each(|_| _ = gaussian(&mut source, scale).unwrap());
        println!("{part} / {whole}: Laplace {one:?}, Gaussian {:?}", start.elapsed() / times);
    }
}
