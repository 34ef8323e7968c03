//! Chi-square, and bounds of a probability by how often something came (Clopper, Pearson 1934).

/// How far counts are from what is expected, in standard deviations of a normal distribution (Pearson's chi-square by
/// Wilson and Hilferty's cube root). `expected` are probabilities; cells that are expected fewer than 20 times are one.
pub(super) fn chi_square(counts: &[u64], expected: &[f64]) -> f64 {
    let all: u64 = counts.iter().sum();
    let (mut chi, mut cells, mut rare, mut rarely) = (0.0, 0, 0.0, 0.0);
    let term = |count: f64, expected: f64| (count - expected).powi(2) / expected;
    for (count, probability) in counts.iter().zip(expected) {
        let expected = probability * all as f64;
        if expected < 20.0 {
            (rare, rarely) = (rare + *count as f64, rarely + expected);
        } else {
            chi += term(*count as f64, expected);
            cells += 1;
        }
    }
    if rarely > 5.0 {
        chi += term(rare, rarely);
        cells += 1;
    } else {
        assert!(rare < 30.0, "{rare} where {rarely} are expected");
    }
    let freedom = f64::from(cells - 1);
    let spread = 2.0 / (9.0 * freedom);
    ((chi / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// The regularised incomplete beta function, by its continued fraction (Lentz).
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(b, a, 1.0 - x);
    }
    let front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let front = (front + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let guard = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / guard(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for term in 1..10_000 {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for step in [even, odd] {
            d = 1.0 / guard(1.0 + step * d);
            c = guard(1.0 + step / c);
            fraction *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * fraction
}

/// The least probability and the greatest that something of so many times may have, each but for `wrong`.
pub(super) fn bounds(count: u64, times: u64, wrong: f64) -> (f64, f64) {
    let [count, times] = [count, times].map(|number| number as f64);
    let solve = |a: f64, b: f64, goal: f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if beta(a, b, middle) < goal { low = middle } else { high = middle }
        }
        f64::midpoint(low, high)
    };
    let lower = if count > 0.0 { solve(count, times - count + 1.0, wrong) } else { 0.0 };
    let upper = if count < times { solve(count + 1.0, times - count, 1.0 - wrong) } else { 1.0 };
    (lower, upper)
}

#[test]
fn bounds_are_those_of_tables() {
    // 7 of 50 at 95 %, in both directions: 0.0582 to 0.2674; 0 of 20: up to 0.1684.
    let (lower, upper) = bounds(7, 50, 0.025);
    assert!((lower - 0.0582).abs() < 1e-4 && (upper - 0.2674).abs() < 1e-4, "{lower} {upper}");
    assert!((bounds(0, 20, 0.025).1 - 0.1684).abs() < 1e-4);
}
