//! The internal rate of return: `sum of flow[t] / (1 + rate)^t = 0`, found by bisection on a bracket.

/// Rates that are looked at: nearly all is lost, or a million times gained, each year.
const BRACKET: (f64, f64) = (-0.999_999, 1e6);
/// Halvings of the bracket, after which a rate is known to the last digit.
const HALVINGS: usize = 200;

/// The rate at which yearly flows are worth nothing together; nothing where the bracket has no sign
/// change. Flows that change their sign once have one rate at most (Descartes' rule of signs).
pub(crate) fn rate_of_return(flows: &[f64]) -> Option<f64> {
    // In the discount factor v = 1 / (1 + rate) it is a polynomial: Horner needs no powers.
    let worth = |rate: f64| {
        let factor = 1.0 / (1.0 + rate);
        flows.iter().rev().fold(0.0, |sum, flow| sum * factor + flow)
    };
    // Looked at by its logarithm: rates near -1 and near a million are as fine as those near 0.
    let rate = |place: f64| place.exp() - 1.0;
    let (mut low, mut high) = (BRACKET.0.ln_1p(), BRACKET.1.ln_1p());
    let rises = worth(rate(low)) < 0.0;
    if (worth(rate(high)) < 0.0) == rises {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        match (worth(rate(middle)) < 0.0) == rises {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(rate(f64::midpoint(low, high)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_loan_of_a_year_returns_its_interest() {
        assert!((rate_of_return(&[-100.0, 110.0]).unwrap() - 0.10).abs() < 1e-12);
        assert!((rate_of_return(&[-100.0, 0.0, 121.0]).unwrap() - 0.10).abs() < 1e-12);
        // Half of it is lost.
        assert!((rate_of_return(&[-100.0, 50.0]).unwrap() + 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_never_pays_has_none() {
        assert_eq!(rate_of_return(&[-100.0, -1.0]), None);
        assert_eq!(rate_of_return(&[100.0, 1.0]), None);
    }

    proptest! {
        #[test]
        fn at_that_rate_the_flows_are_worth_nothing(
            price in 1.0..1e6f64,
            gains in prop::collection::vec(0.0..1e6f64, 1..10),
        ) {
            let flows: Vec<f64> = std::iter::once(-price).chain(gains.iter().copied()).collect();
            if let Some(rate) = rate_of_return(&flows) {
                let worth: f64 = flows
                    .iter()
                    .enumerate()
                    .map(|(year, flow)| flow / (1.0 + rate).powi(year as i32))
                    .sum();
                prop_assert!(worth.abs() < 1e-6 * price, "{} at {}", worth, rate);
            }
        }
    }
}
